#!/bin/sh
# boxes.sh: boxes between clients and servers at size, and clients on a LAN: each is established,
# proved, held and proved again.
#
#   conntrack, nat   BENCH_BOXES_TRACKED ("250k") connections: the machine's one table has 262,144
#                    entries, as a rule (net.netfilter.nf_conntrack_max, for more); nat to several
#                    server ports, as each has its own ports
#   haproxy, nginx   BENCH_BOXES_PROXIED ("50k"): a proxied connection is four kernel sockets
#   lan              BENCH_BOXES_LAN ("1M") from 51 addresses of our own TCP on an Ethernet device,
#                    to a server on another host (root)
#
# Prints a table, and keeps it in build/bench/boxes.md. Exit code 1 where one has failed.
set -u

cd "$(dirname "$0")/.." || exit 1
. bench/values.sh

# The LAN's hosts are in networks of their own: this host's is not touched.
if [ -z "${BENCH_BOXES_INSIDE:-}" ]; then
	user=
	[ "$(id -u)" -eq 0 ] || user=-Ur
	export BENCH_BOXES_INSIDE=1
	exec unshare $user -n bench/boxes.sh
fi

tracked=$(number "${BENCH_BOXES_TRACKED:-250k}")
proxied=$(number "${BENCH_BOXES_PROXIED:-50k}")
on_lan=$(number "${BENCH_BOXES_LAN:-1M}")
build=${B:-build}
runs=$build/bench/boxes
table=$build/bench/boxes.md
program=$build/megaconn
failed=0
host=
server=

cleanup()
{
	for pid in $server $host; do
		kill "$pid" 2>/dev/null
	done
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say()
{
	echo "bench: boxes: $*" >&2
}

# row NAME N: of the result of that name.
row()
{
	json=$runs/$1.json
	proved=$(value "$json" proved.echoed)
	if [ "$(value "$json" verdict)" != '"pass"' ] || [ "$proved" != "$2" ]; then
		say "$1 FAILED: $(value "$json" reason) (see $runs/$1.log)"
		failed=1
	fi
	printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$1" "$2" \
		"$(value "$json" established.client)" "$(value "$json" proved_ramp.echoed)" "$proved" \
		"$(value "$json" lost)" "$(value "$json" timing.rate_per_s)" \
		"$(rounded "$(value "$json" timing.connect_ns.p99)" 0.001 0)" \
		"$(rounded "$(value "$json" memory.kernel_bytes_per_connection)" 1 0)" >>"$table"
}

# lab NAME N OPTION...: a lab with a box in between.
lab()
{
	name=$1 n=$2
	shift 2
	say "$name, $n connections ..."
	rm -f "$runs/$name.json"
	timeout --foreground 600 "$program" lab -n "$n" --hold 5s --json "$runs/$name.json" "$@" \
		>"$runs/$name.log" 2>&1
	row "$name" "$n"
}

# The server's host is a process that sleeps in a network of its own, which eth0 leads to.
open_lan()
{
	mkfifo "$runs/up" || return 1
	unshare -n sh -c 'ip link set lo up; echo up >"$1"; exec sleep 3600' sh "$runs/up" &
	host=$!
	read -r _ <"$runs/up"
	rm -f "$runs/up"
	ip link add eth0 type veth peer name eth0 netns "$host" &&
		ip link set lo up && ip addr add 198.18.0.2/16 dev eth0 && ip link set eth0 up &&
		nsenter -t "$host" -n ip addr add 198.18.0.1/16 dev eth0 &&
		nsenter -t "$host" -n ip link set eth0 up
}

lan()
{
	say "lan, $on_lan connections ..."
	open_lan || {
		say "two hosts cannot be had here: namespaces, veth devices or ip(8) are missing"
		failed=1
		return
	}
	nsenter -t "$host" -n "$program" serve --listen 198.18.0.1:8090 -n "$on_lan" \
		>"$runs/lan-server.log" 2>&1 &
	server=$!
	waited=0
	until grep -q 'listening on' "$runs/lan-server.log" || [ "$waited" -ge 100 ]; do
		sleep 0.1
		waited=$((waited + 1))
	done
	rm -f "$runs/lan.json"
	timeout --foreground 600 "$program" connect 198.18.0.1:8090 -n "$on_lan" \
		--engine packet --dev eth0 --source 198.18.1.200-198.18.1.250 --hold 5s \
		--json "$runs/lan.json" >"$runs/lan.log" 2>&1
	row lan "$on_lan"
	kill "$server"
	wait "$server"
	server=
}

rm -rf "$runs"
mkdir -p "$runs" || exit 1
{
	echo "| in between | N | established | proved | proved again | lost | connections/s | connect p99, us | kernel, B/connection |"
	echo "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
} >"$table"
lab conntrack "$tracked" --via conntrack
lab nat "$tracked" --via nat --solution mixed
lab haproxy "$proxied" --via haproxy
lab nginx-stream "$proxied" --via nginx-stream
lan
cat "$table"
say "saved: $table"
exit "$failed"
