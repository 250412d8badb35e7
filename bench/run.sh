#!/bin/sh
# run.sh: measures megaconn against the classic design, alternating in one run, so that the ratios
# are of one machine in one hour. BENCH_N (1M) connections, BENCH_ROUNDS (3) rounds, each of both
# designs in both solutions. Before each run it waits until sockets and memory are quiet.
#
#   run.sh             build/bench/bench.md (printed, too) and build/bench/bench.json
#   run.sh --profile   one run of megaconn under perf: build/bench/profile.txt
#
# Exit code 1 where a run failed. A target that is missed is a figure, no failure. Nothing else may
# run meanwhile: memory and sockets are counted for the machine.
#
# Each run's result and messages stay in build/bench/runs.
set -u

cd "$(dirname "$0")/.." || exit 1

n=${BENCH_N:-1M}
rounds=${BENCH_ROUNDS:-3}
build=${B:-build}
out=$build/bench
runs=$out/runs
megaconn=$build/megaconn

hold_s=10
settle_s=2 # of the hold, before the workers' CPU use is measured
idle_s=6   # measured
quiet_s=60 # at most, between two runs

sockets_most=10000 # where a machine is quiet

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

# watch NAME: keeps the live lines, and measures when the first one says "hold".
watch()
{
	held=
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

# one ROUND SOLUTION DESIGN
one()
{
	name=$1-$2-$3
	wait_quiet
	echo - >"$runs/idle"
	if [ "$3" = classic ]; then
		bounded "$out/classic" -n "$n" --solution "$2" >"$runs/$name.json" 2>"$runs/$name.log"
	else
		bounded "$megaconn" lab -n "$n" --solution "$2" --hold "${hold_s}s" \
			--json "$runs/$name.json" 2>&1 >"$runs/$name.summary" | watch "$name"
	fi
	status=$(cat "$runs/status")
	idle=$(cat "$runs/idle")
	echo "$1 $2 $3 $status $quiet $idle $name.json" >>"$runs/index"
	figures=$("$out/report" line "$3" "$runs/$name.json" "$idle")
	if [ "$status" -ne 0 ]; then
		failed=1
		[ "$status" -ne 124 ] || figures="more than 300 s"
		figures="FAILED (exit code $status, see $runs/$name.log): $figures"
	elif [ "$3" = megaconn ] && [ "$idle" = - ]; then
		figures="$figures, idle not measured"
	fi
	say "round $1/$rounds, solution $2, $3: $figures"
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
		for solution in 1 2; do
			one "$round" "$solution" classic
			one "$round" "$solution" megaconn
		done
		round=$((round + 1))
	done
	"$out/report" table "$out" "$n" "$rev" || return 1
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
	rm -f "$runs/control" "$runs/profile.log"
	mkfifo "$runs/control" || return 1
	wait_quiet
	say "profile: the ramp of megaconn lab -n $n ..."
	bounded perf record -q -D -1 --control "fifo:$runs/control" -e cpu-clock -F 999 -a -g \
		-o "$out/perf.data" -- "$megaconn" lab -n "$n" --hold 0s 2>&1 \
		>"$runs/profile.summary" | watch_ramp
	status=$(cat "$runs/status")
	if [ "$status" -ne 0 ]; then
		say "the profile FAILED (exit code $status):"
		tail -n 5 "$runs/profile.log" >&2
		return 1
	fi
	{
		echo "# megaconn lab -n $n, the ramp, all CPUs (cpu-clock, 999 Hz); $(revision)"
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
	echo "usage: [BENCH_N=1M] [BENCH_ROUNDS=3] run.sh [--profile]" >&2
	exit 2
	;;
esac
case $rounds in
'' | *[!0-9]* | 0* | ????*)
	say "BENCH_ROUNDS=$rounds: 1 to 100"
	exit 2
	;;
esac
[ "$rounds" -le 100 ] || {
	say "BENCH_ROUNDS=$rounds: 1 to 100"
	exit 2
}
for program in "$megaconn" "$out/classic" "$out/report"; do
	[ -x "$program" ] || {
		say "no $program: 'make bench' builds it"
		exit 1
	}
done
mkdir -p "$runs" || exit 1
$mode
