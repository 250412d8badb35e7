#!/bin/sh
# hosts.sh: the classic experiment over two hosts, by its verbs and megaconn.conf alone:
#
#   both hosts are network namespaces with files of their own, on a wire (a veth pair); on both
#   tune; on the client ping, ifup; on the server run-srv; on the client run-cli, a hold, stop-cli,
#   and at once the same again; ifdown, stop-srv, untune
#
# in solution 1 and 2, with BENCH_HOSTS_SIZES ("1M") connections, which both ends hold on this
# machine: some 8 KiB of memory each. Prints a table, and keeps it in build/bench/hosts.md. Exit code
# 1 where a verb failed, or not all was established and proved twice.
set -u

cd "$(dirname "$0")/.." || exit 1
. bench/values.sh

# All in a network of its own: this host's is not touched.
if [ -z "${BENCH_HOSTS_INSIDE:-}" ]; then
	user=
	[ "$(id -u)" -eq 0 ] || user=-Ur
	export BENCH_HOSTS_INSIDE=1
	exec unshare $user -n -m --propagation private bench/hosts.sh
fi

sizes=${BENCH_HOSTS_SIZES:-1M}
hold_s=${BENCH_HOSTS_S:-10}
build=${B:-build}
out=$PWD/$build/bench
runs=$out/hosts
table=$out/hosts.md
program=$PWD/$build/megaconn

server_pid=
client_pid=
failed=0
is_under_way=
# What run-srv and run-cli started does not end with us.
cleanup()
{
	[ -z "$is_under_way" ] || put_back
	for pid in $server_pid $client_pid; do
		kill -KILL "$pid" 2>/dev/null
	done
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say()
{
	echo "bench: hosts: $*" >&2
}

# ---- two hosts ------------------------------------------------------------------------------

# A host is a process that sleeps in namespaces of its own. /proc is this machine's. Prints its id.
# It outlives what interrupts us: what runs in it has to be ended first.
open_host()
{
	unshare -n -m --propagation private sh -c '
		trap "" INT TERM
		mount -t tmpfs host /var/lib && ip link set lo up && echo up >"$1" && exec sleep 86400' \
		sh "$runs/$1.up" </dev/null >"$runs/$1.log" 2>&1 &
	echo $!
	waited=0
	until [ -s "$runs/$1.up" ]; do
		[ "$waited" -lt 50 ] || return 1
		sleep 0.1
		waited=$((waited + 1))
	done
}

open_hosts()
{
	for host in server client; do
		mkdir -p "$runs/$host"
	done
	server_pid=$(open_host server) && client_pid=$(open_host client) || return 1
	ip link add eth0 netns "$server_pid" type veth peer name eth0 netns "$client_pid" &&
		nsenter -t "$server_pid" -n ip addr add 198.18.0.1/24 dev eth0 &&
		nsenter -t "$client_pid" -n ip addr add 198.18.0.2/24 dev eth0 &&
		nsenter -t "$server_pid" -n ip link set eth0 up &&
		nsenter -t "$client_pid" -n ip link set eth0 up
}

# configure SOLUTION N
configure()
{
	for host in server client; do
		sed -e "s/^solution = .*/solution = $1/" -e "s/^#connections = .*/connections = $2/" \
			-e 's/^server-ip = .*/server-ip = 198.18.0.1/' \
			-e 's/^client-ips = .*/client-ips = 198.18.0.200-198.18.0.219/' \
			-e 's/^device = .*/device = eth0/' \
			megaconn.conf >"$runs/$host/megaconn.conf"
	done
}

# on HOST VERB...: in its directory; what it says goes to a log and is the user's to read.
on()
{
	pid=$server_pid
	[ "$1" = server ] || pid=$client_pid
	host=$1
	shift
	echo "$host: megaconn $*" >>"$runs/verbs.log"
	(
		cd "$runs/$host" || exit 1
		MEGACONN_RUN_DIR=$runs/$host exec nsenter -t "$pid" -n -m --wd="$runs/$host" \
			"$program" "$@" --config megaconn.conf
	) >>"$runs/verbs.log" 2>&1 && return
	say "$host: megaconn $* FAILED (see $runs/verbs.log)"
	failed=1
	return 1
}

# ---- the experiment -------------------------------------------------------------------------

now_s()
{
	date +%s.%N
}

# row SOLUTION N ROUND STOP_SECONDS: of the client's result.
row()
{
	json=$runs/client/cli.json
	cp "$json" "$runs/$2-$1-$3.json"
	proved=$(value "$json" proved.echoed)
	[ "$(value "$json" verdict)" = '"pass"' ] && [ "$proved" = "$2" ] || failed=1
	printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$2" "$1" "$3" \
		"$(value "$json" established.client)" "$(value "$json" proved_ramp.echoed)" "$proved" \
		"$(value "$json" lost)" "$(value "$json" timing.rate_per_s)" \
		"$(rounded "$(value "$json" timing.connect_ns.p50)" 0.001 0)" \
		"$(rounded "$(value "$json" timing.connect_ns.p99)" 0.001 0)" \
		"$(rounded "$(value "$json" proved_ramp.seconds)" 1 1)" \
		"$(rounded "$(value "$json" memory.kernel_bytes_per_connection)" 1 0)" \
		"$(rounded "$4" 1 1)" >>"$table"
}

# round SOLUTION N ROUND
round()
{
	say "solution $1, $2 connections, round $3 ..."
	on client classic run-cli || return 1
	sleep "$hold_s"
	began=$(now_s)
	on client classic stop-cli || return 1
	row "$1" "$2" "$3" "$(echo "$(now_s) $began" | awk '{ print $1 - $2 }')"
}

put_back()
{
	on client classic stop-cli
	on client addr down
	on server classic stop-srv
	on client tune revert
	on server tune revert
}

# experiment SOLUTION N
experiment()
{
	configure "$1" "$2"
	is_under_way=1
	on server tune apply && on client tune apply && on client addr ping && on client addr up &&
		on server classic run-srv && round "$1" "$2" 1 && round "$1" "$2" 2
	put_back # whatever came of it
	is_under_way=
}

rm -rf "$runs"
mkdir -p "$runs" || exit 1
[ -x "$program" ] || {
	say "no $program: 'make bench' builds it"
	exit 1
}
open_hosts || {
	say "two hosts cannot be had here: namespaces, veth devices or ip(8) are missing"
	exit 1
}
{
	echo "| N | solution | round | established | proved | proved again | lost | connections/s | connect p50, us | p99, us | proof, s | kernel, B/pair | stop-cli, s |"
	echo "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
} >"$table"
for size in $sizes; do
	for solution in 1 2; do
		experiment "$solution" "$(number "$size")"
	done
done
cat "$table"
say "saved: $table"
exit "$failed"
