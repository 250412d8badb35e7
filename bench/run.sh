#!/bin/sh
# run.sh: measures the designs against one another, alternating in one run, so that the ratios are
# of one machine in one hour:
#
#   classic   blocking processes, as many as the descriptor limit demands (bench/classic.c)
#   epoll     megaconn lab --engine epoll
#   uring     megaconn lab --engine uring
#   apart     megaconn serve and megaconn connect, two programs on the host's 127.0.0.1, by io_uring
#   tun       megaconn lab --clients tun: our own TCP over a TUN device
#   packet    megaconn lab --clients packet: the same over a packet socket
#
# or those in BENCH_DESIGNS, each in both solutions, with each number of connections in BENCH_SIZES ("10k 100k 1M"), in
# BENCH_ROUNDS (2) rounds. A round has three turns of a small size (BENCH_SMALL_TURNS): they are
# short, and vary more.
# Before each run it waits until sockets and memory are quiet.
#
#   run.sh             build/bench/bench.md (printed, too) and build/bench/bench.json
#   run.sh --profile   one run under perf, of the last size, of uring or the first of
#                      BENCH_DESIGNS: build/bench/profile.txt
#
# Exit code 1 where a run failed. A target that is missed is a figure, no failure. Nothing else may
# run meanwhile: memory and sockets are counted for the machine.
#
# Each run's result and messages stay in build/bench/runs.
set -u

cd "$(dirname "$0")/.." || exit 1

sizes=${BENCH_SIZES:-10k 100k 1M}
rounds=${BENCH_ROUNDS:-2}
designs=${BENCH_DESIGNS:-classic epoll uring apart tun packet}
build=${B:-build}
out=$build/bench
runs=$out/runs
megaconn=$build/megaconn

large=500000  # from here on, the idle hold is measured, and a round has one turn
small_turns=${BENCH_SMALL_TURNS:-3}
hold_s=10
settle_s=2      # of the hold, before the workers' CPU use is measured
idle_s=6        # measured
small_hold_s=1  # where it is not
apart_hold_s=2  # a server's bill is taken once its connections have stood for a second
quiet_s=60 # at most, between two runs

sockets_most=10000 # where a machine is quiet

apart_ip=127.0.0.1 # solution 1: one port, and as many of the sources as it takes; 2: the other way
apart_port=8090
apart_ports=8090-8119
apart_source=127.0.0.2
apart_sources=127.0.0.2-127.0.0.21
apart_source_ports=10240-65535

say()
{
	echo "bench: $*" >&2
}

# ---- quiet ----------------------------------------------------------------------------------

# "TCP sockets, free KiB"
levels()
{
	awk '$1 == "TCP:" { for (i = 2; i < NF; i++) if ($i == "alloc") alloc = $(i + 1) }
		$1 == "MemFree:" { free = $2 }
		END { print alloc + 0, free + 0 }' /proc/net/sockstat /proc/meminfo
}

# wait_quiet: until, for three seconds on end, there are few sockets, and hardly any and less than
# 8 MiB come or go. Sockets of an earlier run are freed seconds after its end. `quiet` says whether
# it came to that.
wait_quiet()
{
	quiet=1
	still=0
	waited=0
	last=$(levels)
	while [ "$still" -lt 3 ]; do
		if [ "$waited" -ge "$quiet_s" ]; then
			say "not quiet after $quiet_s s: something else is busy here"
			quiet=0
			return
		fi
		sleep 1
		waited=$((waited + 1))
		now=$(levels)
		if echo "$last $now" | awk -v most="$sockets_most" '
			function off(a, b) { return a > b ? a - b : b - a }
			{ exit !(off($1, $3) <= 64 && off($2, $4) <= 8192 && $3 <= most) }'; then
			still=$((still + 1))
		else
			still=0
		fi
		last=$now
	done
}

# ---- the workers' CPU use -------------------------------------------------------------------

# workers_cpu PID: "clock ticks, workers" of all mc-* processes that descend from PID. Reading
# /proc/*/stat takes no time of theirs.
workers_cpu()
{
	cat /proc/[0-9]*/stat 2>/dev/null | awk -v top="$1" '
		{
			name = rest = $0
			sub(/^[0-9]+ \(/, "", name)
			sub(/^.*\) /, "", rest)
			split(rest, field, " ")
			parent[$1] = field[2]
			if (name ~ /^mc-/)
				ticks[$1] = field[12] + field[13]
		}
		END {
			for (pid in ticks) {
				for (up = pid; up in parent && up != top; up = parent[up])
					;
				if (up == top) {
					sum += ticks[pid]
					count++
				}
			}
			print sum + 0, count + 0
		}'
}

uptime()
{
	read -r up_s _ </proc/uptime
	echo "$up_s"
}

# measure_idle PID: the percentage of one core, or "-" where something went wrong. Begins with the
# hold and must have ended before it does.
measure_idle()
{
	begin=$(uptime)
	sleep "$settle_s"
	from="$(uptime) $(workers_cpu "$1")"
	sleep "$idle_s"
	to="$(uptime) $(workers_cpu "$1")"
	echo "$from $to" | awk -v hz="$(getconf CLK_TCK)" -v end="$begin" -v hold="$hold_s" '
		{
			# Half a second: so late may the live line be.
			if ($3 == 0 || $3 != $6 || $4 - end > hold - 0.5 || $4 - $1 < 5)
				print "-"
			else
				printf "%.3f\n", 100 * ($5 - $2) / hz / ($4 - $1)
		}'
}

# watch NAME N: keeps the live lines, and measures when the first one says "hold".
watch()
{
	held=
	[ "$2" -ge "$large" ] || held=1
	while read -r line; do
		printf '%s\n' "$line" >>"$runs/$1.log"
		case $line in
		hold*)
			[ -z "$held" ] || continue
			held=1
			measure_idle "$(cat "$runs/pid")" >"$runs/idle"
			;;
		esac
	done
}

# ---- runs -----------------------------------------------------------------------------------

# bounded COMMAND...: at most 300 s; in the foreground, so that ^C reaches it. Leaves the pid and
# the exit code in files: the function's own status is lost in a pipe.
bounded()
{
	# shellcheck disable=SC2016
	sh -c 'echo $$ >"$1"; shift; exec timeout --foreground -k 10 300 "$@"' sh "$runs/pid" "$@"
	echo $? >"$runs/status"
}

# lab_options DESIGN: the engine of the servers, and who the clients are.
lab_options()
{
	case $1 in
	tun | packet) echo "--engine uring --clients $1" ;;
	*) echo "--engine $1 --clients sockets" ;;
	esac
}

# lab DESIGN SOLUTION N NAME
lab()
{
	hold=$small_hold_s
	[ "$3" -lt "$large" ] || hold=$hold_s
	# shellcheck disable=SC2046
	bounded "$megaconn" lab -n "$3" $(lab_options "$1") --solution "$2" --hold "${hold}s" \
		--json "$runs/$4.json" 2>&1 >"$runs/$4.summary" | watch "$4" "$3"
}

# wait_listening LOG PID: until a server says that it listens, or is gone.
wait_listening()
{
	waits=0
	until grep -q 'listening on' "$1"; do
		[ "$waits" -lt 200 ] || return 1
		kill -0 "$2" 2>/dev/null || return 1
		sleep 0.1
		waits=$((waits + 1))
	done
}

# end_server: SIGTERM, and its exit code. timeout passes the signal on: --foreground, or it would
# pass it on twice, and a second one aborts.
end_server()
{
	[ -n "$server" ] || return 0
	kill -TERM "$server" 2>/dev/null
	wait "$server"
	served=$?
	server=
	return "$served"
}

# apart SOLUTION N NAME. The server has room for some more: the connection that asks whether it
# echoes may still be there when the others come.
apart()
{
	from=$apart_sources
	on=$apart_ip:$apart_port
	if [ "$1" -eq 2 ]; then
		from=$apart_source
		on=$apart_ip:$apart_ports
	fi
	log=$runs/$3.serve.log
	: >"$log"
	timeout --foreground -k 60 600 "$megaconn" serve --listen "$on" -n $(($2 + $2 / 100 + 10)) \
		--engine uring --json "$runs/$3.serve.json" >"$runs/$3.serve.summary" 2>"$log" &
	server=$!
	if ! wait_listening "$log" "$server"; then
		echo 1 >"$runs/status"
		cp "$log" "$runs/$3.log"
		end_server
		return
	fi
	bounded "$megaconn" connect "$on" -n "$2" --source "$from" --ports "$apart_source_ports" \
		--engine uring --proof echo --hold "${apart_hold_s}s" --json "$runs/$3.json" \
		>"$runs/$3.summary" 2>"$runs/$3.log"
	end_server || [ "$(cat "$runs/status")" -ne 0 ] || echo "$served" >"$runs/status"
}

# one ROUND ROUNDS SOLUTION DESIGN N
one()
{
	name=$5-$1-$3-$4
	wait_quiet
	echo - >"$runs/idle"
	case $4 in
	classic)
		bounded "$out/classic" -n "$5" --solution "$3" >"$runs/$name.json" \
			2>"$runs/$name.log"
		;;
	apart) apart "$3" "$5" "$name" ;;
	*) lab "$4" "$3" "$5" "$name" ;;
	esac
	status=$(cat "$runs/status")
	idle=$(cat "$runs/idle")
	echo "$5 $1 $3 $4 $status $quiet $idle $name" >>"$runs/index"
	figures=$("$out/report" line "$4" "$runs/$name" "$idle")
	if [ "$status" -ne 0 ]; then
		failed=1
		[ "$status" -ne 124 ] || figures="more than 300 s"
		figures="FAILED (exit code $status, see $runs/$name.log): $figures"
	elif [ "$idle" = - ] && [ "$5" -ge "$large" ] && [ "$4" != classic ] && [ "$4" != apart ]; then
		figures="$figures, idle not measured"
	fi
	say "$5, round $1/$2, solution $3, $4: $figures"
}

# turns N FIRST LAST ROUNDS
turns()
{
	turn=$2
	while [ "$turn" -le "$3" ]; do
		for solution in 1 2; do
			for design in $designs; do
				one "$turn" "$4" "$solution" "$design" "$1"
			done
		done
		turn=$((turn + 1))
	done
}

# number SIZE: 10k is 10000; nothing where it is none.
number()
{
	case $1 in
	*M) digits=${1%M} zeros=000000 ;;
	*k) digits=${1%k} zeros=000 ;;
	*) digits=$1 zeros= ;;
	esac
	case $digits in
	'' | *[!0-9]* | 0* | ????????*) ;;
	*) echo "$digits$zeros" ;;
	esac
}

revision()
{
	rev=$(git rev-parse --short HEAD 2>/dev/null) || rev=
	[ -z "$rev" ] || [ -z "$(GIT_OPTIONAL_LOCKS=0 git status --porcelain 2>/dev/null)" ] ||
		rev="$rev, with changes"
	echo "${rev:-unknown}"
}

compare()
{
	rm -rf "$runs"
	mkdir "$runs" || return 1
	rev=$(revision) # of what is measured, not of what is there an hour later
	failed=0
	round=1
	while [ "$round" -le "$rounds" ]; do
		for size in $sizes; do
			n=$(number "$size")
			count=$small_turns
			[ "$n" -lt "$large" ] || count=1
			turns "$n" $(((round - 1) * count + 1)) $((round * count)) $((rounds * count))
		done
		round=$((round + 1))
	done
	"$out/report" table "$out" "$rev" || return 1
	cat "$out/bench.md"
	say "saved: $out/bench.md, $out/bench.json"
	return "$failed"
}

# ---- the profile ----------------------------------------------------------------------------

# watch_ramp: turns perf on and off; passes on everything that is no live line.
watch_ramp()
{
	state=before
	while read -r line; do
		case $state$line in
		beforeramp*)
			echo enable >"$runs/control"
			state=ramp
			;;
		rampproof* | ramphold* | rampclose*)
			echo disable >"$runs/control"
			state=after
			;;
		esac
		printf '%s\n' "$line" >>"$runs/profile.log"
	done
}

profile()
{
	if ! command -v perf >/dev/null 2>&1; then
		say "no perf here: no profile (it is in Debian's linux-perf)"
		return 1
	fi
	for n in $sizes; do
		: # the last one
	done
	rm -f "$runs/control" "$runs/profile.log"
	mkfifo "$runs/control" || return 1
	wait_quiet
	design=${BENCH_DESIGNS:-uring}
	design=${design%% *}
	options=$(lab_options "$design")
	say "profile: the ramp of megaconn lab $options -n $n ..."
	# shellcheck disable=SC2086
	bounded perf record -q -D -1 --control "fifo:$runs/control" -e cpu-clock -F 999 -a -g \
		-o "$out/perf.data" -- "$megaconn" lab -n "$n" $options --hold 0s \
		2>&1 >"$runs/profile.summary" | watch_ramp
	status=$(cat "$runs/status")
	if [ "$status" -ne 0 ]; then
		say "the profile FAILED (exit code $status):"
		tail -n 5 "$runs/profile.log" >&2
		return 1
	fi
	{
		echo "# megaconn lab -n $n $options, the ramp, all CPUs (cpu-clock, 999 Hz); $(revision)"
		echo "# more: perf report -i $out/perf.data"
		perf report -i "$out/perf.data" --stdio --no-children -g none \
			--sort dso,symbol 2>>"$runs/profile.log" |
			sed -e '/^#/d' -e '/^[[:space:]]*$/d' -e 's/[-[:space:]]*$//' | head -n 40
	} >"$out/profile.txt"
	cat "$out/profile.txt"
	say "saved: $out/profile.txt"
	[ "$(grep -vc '^#' "$out/profile.txt")" -gt 0 ] || {
		say "perf has no sample of the ramp (too short?)"
		return 1
	}
}

# ---- what is asked for ----------------------------------------------------------------------

mode=compare
case ${1-} in
'') ;;
--profile) mode=profile ;;
*)
	echo "usage: [BENCH_SIZES='10k 100k 1M'] [BENCH_ROUNDS=2] run.sh [--profile]" >&2
	exit 2
	;;
esac
case $rounds in
'' | *[!0-9]* | 0* | ???*)
	rounds=100
	;;
esac
# Three turns a round: a hundred are what the report can hold.
[ "$rounds" -le 33 ] || {
	say "BENCH_ROUNDS=${BENCH_ROUNDS-}: 1 to 33"
	exit 2
}
case $small_turns in
[1-3]) ;;
*)
	say "BENCH_SMALL_TURNS=$small_turns: 1 to 3"
	exit 2
	;;
esac
for design in $designs; do
	case $design in
	classic | epoll | uring | apart | tun | packet) ;;
	*)
		say "BENCH_DESIGNS: $design is none of classic, epoll, uring, apart, tun, packet"
		exit 2
		;;
	esac
done
count=0
for size in $sizes; do
	count=$((count + 1))
	[ -n "$(number "$size")" ] || {
		say "BENCH_SIZES: $size is no number of connections: 10000, 10k, 1M"
		exit 2
	}
done
if [ "$count" -lt 1 ] || [ "$count" -gt 16 ]; then
	say "BENCH_SIZES: 1 to 16 of them"
	exit 2
fi
for program in "$megaconn" "$out/classic" "$out/report"; do
	[ -x "$program" ] || {
		say "no $program: 'make bench' builds it"
		exit 1
	}
done
mkdir -p "$runs" || exit 1
server=
trap 'end_server; exit 130' INT
trap 'end_server; exit 143' TERM
$mode
