#!/bin/sh
# run-tests.sh [NAME=VALUE | PROGRAM]...: runs test programs, some of them side by side, and counts.
#
# An argument NAME=VALUE goes into the environment of the programs after it. Some names mean
# something here: TIMEOUT (seconds for one program), LABEL (put before a program's name in the
# output and in its log's name), FUZZ_SECONDS (how long a program fuzz_* runs), LANES (how many of
# the programs after it run side by side, when those before it have ended: most of the labs' time is
# waiting).
# A program's output is kept in $LOGS/NAME.log and shown where it fails. The last line is
# "N passed, N failed" (", N skipped" where there are any); exit 1 where one failed or none ran.
set -u

logs=${LOGS:-build/test-logs}
TIMEOUT=${TIMEOUT:-180}
LABEL=
FUZZ_SECONDS=${FUZZ_SECONDS:-60}
LANES=${LANES:-1}
passed=0
failed=0
skipped=0
running=0
jobs=
pid=
ended=$logs/ended

# Jobs in the background do not get the terminal's Ctrl-C: pass it on, and wait for the end.
interrupted()
{
	for job in $jobs; do
		kill "$job" 2>/dev/null
	done
	wait
	rm -f "$ended"
	echo "interrupted" >&2
	exit 130
}

# The same in a job, to its program.
job_interrupted()
{
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null
		wait "$pid"
	fi
	exit 130
}

# counts LOG: cmocka's summaries as "passed failed skipped"; a program may have several groups.
counts()
{
	LC_ALL=C awk '
	function number(line, word) {
		if (!match(line, "\\[  " word " *\\] [0-9]+ test\\(s\\)"))
			return 0
		line = substr(line, RSTART, RLENGTH)
		sub(/.*\] /, "", line)
		return line + 0
	}
	{
		passed += number($0, "PASSED")
		failed += number($0, "FAILED")
		skipped += number($0, "SKIPPED")
	}
	END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# without_passed LOG: what it says but of the tests that passed: a build server shows the beginning.
without_passed()
{
	LC_ALL=C awk '
	/^\[ RUN / { begun = $0; next }
	/^\[  *OK \]/ { begun = ""; next }
	begun { print begun; begun = "" }
	{ print }
	END { if (begun) print begun }' "$1"
}

# how STATUS: an exit status in words, for the one line of a program that went wrong.
how()
{
	case $1 in
	0) echo "ended without a result" ;;
	124 | 137) echo "killed after $TIMEOUT s (or by SIGKILL)" ;;
	12[5-7]) echo "could not be started" ;;
	*)
		if [ "$1" -gt 128 ]; then
			echo "died of signal $(($1 - 128))"
		else
			echo "exit $1"
		fi
		;;
	esac
}

# start PROGRAM LOG [ARGUMENT...]: leaves the exit status in $status.
# The shell ignores SIGINT in background jobs: tests of Ctrl-C need the default back.
start()
{
	program=$1
	log=$2
	shift 2
	env --default-signal=INT,QUIT timeout -k 10 "$TIMEOUT" "$program" "$@" >"$log" 2>&1 3>&- &
	pid=$!
	wait "$pid" 2>/dev/null # the shell would print "Aborted" and the like
	status=$?
	pid=
}

run_fuzzer()
{
	corpus=$logs/corpus/$name
	mkdir -p "$corpus"
	limit=$TIMEOUT
	TIMEOUT=$((FUZZ_SECONDS + 60))
	set -- "-max_total_time=$FUZZ_SECONDS" "-artifact_prefix=$logs/" "$corpus"
	[ ! -d "tests/fixtures/$name" ] || set -- "$@" "tests/fixtures/$name"
	start "$path" "$log" "$@"
	TIMEOUT=$limit
	if [ "$status" -eq 0 ]; then
		ok=1 bad=0 skip=0
	else
		ok=0 bad=1 skip=0
	fi
}

run_cmocka()
{
	start "$path" "$log"
	# shellcheck disable=SC2046
	set -- $(counts "$log")
	ok=$1 bad=$2 skip=$3
	# A crash, a timeout, a failed group fixture, or a program that tested nothing.
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
	elif [ $((ok + bad + skip)) -eq 0 ]; then
		bad=1
	fi
}

# Runs a program and leaves what is to be said of it in a file: its counts first, then the text.
job()
{
	path=$1
	name=${path##*/}
	log=$logs/${LABEL:+$LABEL-}$name.log
	said=$log.said
	begin=$(date +%s%N)
	case $name in
	fuzz_*) run_fuzzer ;;
	*) run_cmocka ;;
	esac
	spent=$((($(date +%s%N) - begin) / 10000000))
	word=ok
	note=
	if [ "$bad" -gt 0 ]; then
		word=FAILED
		note=" ($(how "$status"))"
	fi
	{
		echo "$ok $bad $skip"
		printf '%-6s %-32s %4d.%02d s  %d passed, %d failed, %d skipped%s\n' "$word" \
			"${LABEL:+$LABEL }$name" $((spent / 100)) $((spent % 100)) "$ok" "$bad" \
			"$skip" "$note"
		[ "$bad" -eq 0 ] || without_passed "$log" | sed 's/^/  | /'
	} >"$said"
	echo "$said" >&3
}

# Waits for the end of a job, counts and says it.
reap()
{
	read -r said <&3
	running=$((running - 1))
	read -r ok bad skip <"$said"
	passed=$((passed + ok))
	failed=$((failed + bad))
	skipped=$((skipped + skip))
	sed 1d "$said"
	rm -f "$said"
}

# reap_to COUNT: waits until no more than so many run.
reap_to()
{
	while [ "$running" -gt "$1" ]; do
		reap
	done
}

# Starts a program when there is a lane for it.
run()
{
	reap_to $((LANES - 1))
	(
		trap job_interrupted INT TERM
		job "$1"
	) &
	jobs="$jobs $!"
	running=$((running + 1))
}

mkdir -p "$logs" || exit 1
rm -f "$ended"
mkfifo "$ended" || exit 1
exec 3<>"$ended"
trap interrupted INT TERM
for arg in "$@"; do
	case $arg in
	LANES=*)
		reap_to 0
		LANES=${arg#*=}
		;;
	[A-Z_]*=*) export "${arg?}" ;;
	*) run "$arg" ;;
	esac
done
reap_to 0
rm -f "$ended"

total="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || total="$total, $skipped skipped"
echo "$total"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
