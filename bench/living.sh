#!/bin/sh
# living.sh: what living connections cost, beside what else there is, and how it grows:
#
#   requests  BENCH_LIVING_PEERS (1k) keep-alive connections to one nginx of one worker, each tool
#             with one thread of its own: megaconn connect --traffic http, wrk, h2load, alternating
#             in BENCH_LIVING_ROUNDS (3) rounds, and the medians
#   a message one connection, one echo at a time: megaconn to its own server, sockperf to its own
#   labs      echo as fast as it is answered on 1/100, 1/10 and all of BENCH_LIVING_SIZE (1M), with
#             one message under way on each connection and with 256 in all; a heartbeat each 30 s, a
#             push to all, a churn of SIZE / 50 a second
#
# BENCH_LIVING_S (10) seconds each, a heartbeat six times, a push three times, and an echo on each of
# all connections four times as long. CPU time is all that a tool's processes used, from start to
# end, by request. Prints tables with target and measured, and keeps
# them in build/bench/living.md. Exit code 1 where a run failed; a target that is missed is a figure.
set -u

cd "$(dirname "$0")/.." || exit 1
. bench/values.sh

size=${BENCH_LIVING_SIZE:-1M}
peers=${BENCH_LIVING_PEERS:-1k}
rounds=${BENCH_LIVING_ROUNDS:-3}
seconds=${BENCH_LIVING_S:-10}
build=${B:-build}
out=$build/bench
runs=$out/living
table=$out/living.md
megaconn=$build/megaconn
address=127.0.0.1
port=8097
most_s=600 # of one run

failed=0
server=
cleanup()
{
	[ -z "$server" ] || kill -TERM "$server" 2>/dev/null
	[ -z "$server" ] || wait "$server" 2>/dev/null
	server=
}
trap 'cleanup; exit 130' INT TERM

say()
{
	echo "bench: living: $*" >&2
}

have()
{
	PATH=$PATH:/usr/sbin command -v "$1" >/dev/null 2>&1
}

# spent FILE: "user system" seconds that `times` says of the children.
spent()
{
	tail -n 1 "$1" | tr 'ms' '  ' | awk '{ printf "%.2f %.2f", $1 * 60 + $2, $3 * 60 + $4 }'
}

# timed NAME COMMAND...
timed()
{
	name=$1
	shift
	(
		timeout "$most_s" "$@" >"$runs/$name.out" 2>"$runs/$name.log"
		echo $? >"$runs/$name.status"
		times
	) >"$runs/$name.times"
	[ "$(cat "$runs/$name.status")" -eq 0 ]
}

fail()
{
	say "$1 FAILED (see $runs/$1.log, $runs/$1.out)"
	failed=1
}

# median: of numbers, one a line.
median()
{
	sort -n | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; else print "-" }'
}

# ---- requests -------------------------------------------------------------------------------

start_nginx()
{
	dir=$(cd "$runs" && pwd)
	mkdir -p "$dir/page"
	# What a small page is: 612 bytes.
	head -c 612 /dev/zero | tr '\0' 'x' >"$dir/page/index.html"
	user=
	[ "$(id -u)" -ne 0 ] || user='user root;'
	cat >"$dir/nginx.conf" <<-END
		daemon off; worker_processes 1; $user pid $dir/nginx.pid;
		error_log $dir/nginx.log warn;
		worker_rlimit_nofile 20000;
		events { worker_connections 19000; multi_accept on; }
		http {
			access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
			open_file_cache max=10 inactive=1h;
			client_body_temp_path $dir/t1; proxy_temp_path $dir/t2; fastcgi_temp_path $dir/t3;
			uwsgi_temp_path $dir/t4; scgi_temp_path $dir/t5;
			server { listen $address:$port backlog=16384; root $dir/page; }
		}
	END
	PATH=$PATH:/usr/sbin nginx -c "$dir/nginx.conf" 2>"$runs/nginx.err" &
	server=$!
	sleep 1
	kill -0 "$server" 2>/dev/null
}

# row TOOL NAME REQUESTS RATE: a measured run.
row()
{
	spent "$runs/$2.times" | awk -v tool="$1" -v requests="$3" -v rate="$4" '
		{ printf "%s %.0f %.3f %.3f\n", tool, rate, $1 * 1e6 / requests, $2 * 1e6 / requests }' \
		>>"$runs/rows"
}

ask_by_megaconn()
{
	timed "$1" "$megaconn" connect "$address:$port" -n "$2" -w 1 --traffic http --hold "${seconds}s" \
		--json "$runs/$1.json" || return 1
	row megaconn "$1" "$(value "$runs/$1.json" traffic.said)" \
		"$(value "$runs/$1.json" traffic.rate_per_s)"
}

ask_by_wrk()
{
	timed "$1" wrk -t 1 -c "$2" -d "${seconds}s" "http://$address:$port/" || return 1
	row wrk "$1" "$(awk '/ requests in / { print $1 }' "$runs/$1.out")" \
		"$(awk '/^Requests\/sec:/ { print $2 }' "$runs/$1.out")"
}

ask_by_h2load()
{
	timed "$1" h2load --h1 -t 1 -c "$2" -D "$seconds" "http://$address:$port/" || return 1
	row h2load "$1" "$(awk '/^requests:/ { print $8 }' "$runs/$1.out")" \
		"$(awk '/^finished in/ { print $4 }' "$runs/$1.out")"
}

# medians TOOL COLUMN
medians()
{
	awk -v tool="$1" -v column="$2" '$1 == tool { print $column }' "$runs/rows" | median
}

compare_requests()
{
	n=$(number "$peers")
	: >"$runs/rows"
	start_nginx || {
		say "nginx does not start (see $runs/nginx.err)"
		failed=1
		return
	}
	tools=megaconn
	for tool in wrk h2load; do
		if have "$tool"; then
			tools="$tools $tool"
		else
			say "no $tool here (scripts/deps.sh bench)"
		fi
	done
	round=1
	while [ "$round" -le "$rounds" ]; do
		for tool in $tools; do
			say "requests, round $round/$rounds, $tool, $n connections ..."
			case $tool in
			megaconn) ask_by_megaconn "$tool-$round" "$n" ;;
			wrk) ask_by_wrk "$tool-$round" "$n" ;;
			h2load) ask_by_h2load "$tool-$round" "$n" ;;
			esac || fail "$tool-$round"
		done
		round=$((round + 1))
	done
	cleanup
	{
		echo "| $n keep-alive connections to nginx | requests/s | user, us/request | system, us/request | CPU, us/request |"
		echo "|---|---:|---:|---:|---:|"
		for tool in megaconn wrk h2load; do
			echo "$tool $(medians "$tool" 2) $(medians "$tool" 3) $(medians "$tool" 4)"
		done | awk '
			$2 == "-" { next }
			{ printf "| %s | %d | %.2f | %.2f | %.2f |\n", $1, $2, $3, $4, $3 + $4
			  rate[$1] = $2; user[$1] = $3; cpu[$1] = $3 + $4 }
			END {
				if (!rate["wrk"] || !rate["megaconn"])
					exit
				printf "\n| megaconn to wrk | target | measured |\n|---|---:|---:|\n"
				printf "| requests/s | >= 100 %% | %.0f %% |\n", 100 * rate["megaconn"] / rate["wrk"]
				printf "| CPU time a request | <= 80 %% | %.0f %% |\n", 100 * cpu["megaconn"] / cpu["wrk"]
				printf "| user time a request | <= 50 %% | %.0f %% |\n", 100 * user["megaconn"] / (user["wrk"] ? user["wrk"] : 1)
			}'
		echo
	} >>"$table"
}

# ---- one message at a time ------------------------------------------------------------------

wait_for()
{
	waited=0
	until grep -q "$1" "$2" 2>/dev/null; do
		[ "$waited" -lt 50 ] || return 1
		sleep 0.1
		waited=$((waited + 1))
	done
}

one_at_a_time()
{
	say "one connection ..."
	"$megaconn" serve --listen "$address:$port" -n 10 >"$runs/serve.out" 2>"$runs/serve.log" &
	server=$!
	wait_for 'listening on' "$runs/serve.log"
	timed one "$megaconn" connect "$address:$port" -n 1 --traffic echo --message-size 64 \
		--hold "${seconds}s" --json "$runs/one.json" || fail one
	cleanup
	ours_us=$(value "$runs/one.json" traffic.uncorrected_ns.p50 | awk '{ printf "%.1f", $1 / 1000 }')
	theirs_us=-
	if have sockperf; then
		sockperf server --tcp -i "$address" -p "$port" >"$runs/sockperf.out" 2>"$runs/sockperf.log" &
		server=$!
		sleep 1
		timed sockperf-client sockperf ping-pong --tcp -i "$address" -p "$port" -m 64 \
			-t "$seconds" --full-rtt || fail sockperf-client
		cleanup
		theirs_us=$(awk '/percentile 50/ { print $NF }' "$runs/sockperf-client.out" | sed 's/[^0-9.]*//g')
	else
		say "no sockperf here (scripts/deps.sh bench)"
	fi
	{
		echo "| one connection, one echo of 64 bytes at a time | p50, us |"
		echo "|---|---:|"
		echo "| megaconn connect, megaconn serve | $ours_us |"
		echo "| sockperf, sockperf | ${theirs_us:--} |"
		echo
	} >>"$table"
}

# ---- labs -----------------------------------------------------------------------------------

# lab NAME N OPTIONS...
lab()
{
	name=$1
	n=$2
	shift 2
	say "lab -n $n $* ..."
	timed "$name" "$megaconn" lab -n "$n" --clients sockets "$@" --json "$runs/$name.json" || fail "$name"
}

# figure WHAT TARGET MEASURED
figure()
{
	echo "| $1 | $2 | $3 |" >>"$table"
}

# of NAME PATH: a value of a lab, as a whole number.
of()
{
	value "$runs/$1.json" "$2" | awk '{ if ($1 == "-") print "-"; else printf "%.0f", $1 }'
}

# ms NAME PATH: nanoseconds as milliseconds.
ms()
{
	value "$runs/$1.json" "$2" | awk '{ if ($1 == "-") print "-"; else printf "%.2f ms", $1 / 1e6 }'
}

# echo_rows KIND WORDS HOLD_OF_ALL [OPTION]...: on 1/100, 1/10 and all, and what is left of the rate.
echo_rows()
{
	kind=$1
	words=$2
	longest_s=$3
	shift 3
	for part in 100 10 1; do
		n=$((all / part))
		hold_s=$seconds
		[ "$part" -ne 1 ] || hold_s=$longest_s
		lab "$kind-$part" "$n" --traffic echo "$@" --hold "${hold_s}s"
		target=-
		[ "$part" -ne 10 ] || target='>= 100,000'
		figure "echo, closed loop, $words, $n open: messages/s" "$target" \
			"$(of "$kind-$part" traffic.rate_per_s)"
	done
	figure "echo, $words: rate with $all open to that with $((all / 100))" '>= 70 %' \
		"$(echo "$(of "$kind-1" traffic.rate_per_s) $(of "$kind-100" traffic.rate_per_s)" |
			awk '{ if ($1 == "-" || $2 + 0 == 0) print "-"; else printf "%.0f %%", 100 * $1 / $2 }')"
}

# With one on each of a million connections a turn takes ten seconds and more.
echo_labs()
{
	echo_rows echo 'one on each' "$((4 * seconds))"
	echo_rows bounded '256 under way' "$seconds" --in-flight 256
}

living_labs()
{
	lab heartbeat "$all" --traffic echo --every 30s --hold "$((6 * seconds))s"
	figure "heartbeat each 30 s on $all: messages/s" "$((all / 30))" "$(of heartbeat traffic.rate_per_s)"
	figure "heartbeat: p99 from when it was due" '< 10 ms' "$(ms heartbeat traffic.corrected_ns.p99)"
	figure "heartbeat: lost" 0 "$(of heartbeat lost)"
	lab push "$all" --traffic push --every "$((3 * seconds / 2))s" --hold "$((3 * seconds))s"
	figure "push to $all: until the last has it" '<= 10,000 ms' "$(ms push traffic.last_ns.max)"
	figure "push: until the first has it" - "$(ms push traffic.first_ns.p50)"
	lab churn "$all" --churn "$((all / 50))" --hold "${seconds}s"
	figure "churn of $((all / 50))/s on $all: replaced/s" "$((all / 50))" "$(of churn churn.rate_per_s)"
	figure "churn: open at the end" "$all" "$(of churn stages.open_after)"
}

rm -rf "$runs"
mkdir -p "$runs" || exit 1
[ -x "$megaconn" ] || {
	say "no $megaconn: 'make bench' builds it"
	exit 1
}
all=$(number "$size")
: >"$table"
if have nginx; then
	compare_requests
else
	say "no nginx here (scripts/deps.sh bench)"
fi
one_at_a_time
{
	echo "| lab, both ends by kernel sockets | target | measured |"
	echo "|---|---:|---:|"
} >>"$table"
echo_labs
living_labs
cat "$table"
say "saved: $table"
exit "$failed"
