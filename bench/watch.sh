#!/bin/sh
# watch.sh: what looking costs, and what the bill leaves open, while a lab holds its connections:
#
#   the CPU time of one refresh of `megaconn watch`, beside what else people watch sockets with
#   the residual of the lab's bill
#
# with BENCH_WATCH_SIZE (1M) pairs, which are two sockets each. Prints a table, and keeps it in
# build/bench/watch.md. Exit code 1 where the lab did not pass.
set -u

cd "$(dirname "$0")/.." || exit 1

size=${BENCH_WATCH_SIZE:-1M}
build=${B:-build}
out=$build/bench
megaconn=$build/megaconn
refreshes=20
hold_s=90
most_s=300

lab=
cleanup()
{
	[ -z "$lab" ] || kill -TERM "$lab" 2>/dev/null
	[ -z "$lab" ] || wait "$lab"
}
trap 'cleanup; exit 130' INT TERM

say()
{
	echo "bench: $*" >&2
}

# spent FILE: milliseconds of user and system time that `times` says of the children.
spent()
{
	tail -n 1 "$1" | tr 'ms' '  ' | awk '{ printf "%.1f", ($1 * 60 + $2 + $3 * 60 + $4) * 1000 }'
}

# cost TIMES COMMAND...: CPU milliseconds of one time. The shell's own start is in it.
cost()
{
	count=$1
	shift
	(
		"$@" >"$out/watch.seen" 2>&1
		times
	) >"$out/watch.times"
	spent "$out/watch.times" | awk -v count="$count" '{ printf "%.1f", $1 / count }'
}

# row WHAT TIMES COMMAND...
row()
{
	what=$1
	shift
	printf '| %s | %s |\n' "$what" "$(cost "$@")" >>"$out/watch.md"
}

# A process that is in the lab's network.
member()
{
	for stat in /proc/[0-9]*/stat; do
		read -r pid name _ <"$stat" 2>/dev/null || continue
		case $name in
		'(mc-'*)
			echo "$pid"
			return
			;;
		esac
	done
}

wait_hold()
{
	waited=0
	until grep -q '^hold' "$out/watch.log"; do
		[ "$waited" -lt "$most_s" ] && kill -0 "$lab" 2>/dev/null || return 1
		sleep 1
		waited=$((waited + 1))
	done
}

mkdir -p "$out"
say "watch: megaconn lab -n $size, held for $hold_s s ..."
"$megaconn" lab -n "$size" --clients sockets --hold "${hold_s}s" --json "$out/watch.json" \
	>"$out/watch.summary" 2>"$out/watch.log" &
lab=$!
if ! wait_hold; then
	say "watch FAILED: the lab does not hold (see $out/watch.log)"
	cleanup
	exit 1
fi
net=/proc/$(member)/ns/net
{
	echo "| one look at $size pairs (two sockets each) | CPU, ms |"
	echo "|---|---:|"
} >"$out/watch.md"
watch="$megaconn watch --interval 500ms --count $refreshes --netns $net"
row "megaconn watch, a refresh of the screen" "$refreshes" \
	env TERM=xterm-256color COLUMNS=120 LINES=40 script -qec "$watch" "$out/watch.screen"
# shellcheck disable=SC2086
row "megaconn watch --plain, a line" "$refreshes" $watch --plain
# shellcheck disable=SC2016
row "ss -s" "$refreshes" nsenter --net="$net" \
	sh -c 'for i in $(seq "$1"); do ss -s; done' sh "$refreshes"
row "ss -ant \\| grep -c ESTAB" 1 nsenter --net="$net" sh -c 'ss -ant | grep -c ESTAB'
wait "$lab"
status=$?
lab=
awk -F '[:,]' '/"residual_bytes_per_connection"/ { left = $2 } /"bytes_per_connection"/ && !all { all = $2 }
	END { printf "\nResidual of the bill: %.1f of %.0f bytes a pair, %.2f %%\n", left, all + left,
		100 * left / (all + left) }' "$out/watch.json" >>"$out/watch.md"
cat "$out/watch.md"
[ "$status" -eq 0 ] || {
	say "watch FAILED: the lab ended with $status"
	exit 1
}
