#!/bin/sh
# walls.sh TEST...: runs the tests that provoke each limit, and writes docs/walls.md from what they
# found. As root: settings of the machine are lowered for seconds each, and put back.
set -eu

page=docs/walls.md
table=$(mktemp)
logs=$(mktemp)
trap 'rm -f "$table" "$logs"' EXIT

# Rows of one limit stay together, in the order of the tests.
rows()
{
	sort -s -t "$(printf '\t')" -k 1,1 "$table" | LC_ALL=C awk -F '\t' '
	function grouped(n,   out) {
		if (n !~ /^[0-9]+$/)
			return n
		out = ""
		while (length(n) > 3) {
			out = "," substr(n, length(n) - 2) out
			n = substr(n, 1, length(n) - 3)
		}
		return n out
	}
	{
		printf "| `%s` | %s | %s | %s | %s |\n", $1, $2, grouped($3), grouped($4), $5
	}'
}

# What a test could not do here, with its reason.
skipped()
{
	awk '
	/^\[ RUN/ { why = "" }
	/^skipped: / { why = substr($0, 10) }
	/^\[  SKIPPED \] / && $4 !~ /test/ && why != "" {
		name = $4
		gsub(/_/, " ", name)
		print "- " name ": " why
		why = ""
	}' "$logs"
}

write()
{
	cat <<'END'
# The walls

What `megaconn doctor` says beforehand is what `connect`, `serve` and `lab` then reach. Each limit below is provoked for real:
it is set, doctor is asked for its number, and more connections than that are asked for. Where the limit is exact the two numbers are
equal; where it is memory they are within 1 %, where other programs count too within 5 %.

`connect` and `serve` ask the same table as doctor and stop there, so that equal numbers alone would only show that the two agree. That the kernel
stops there too is shown while all connections are held: the last column says how.

This page is written by `make walls` (root) from the tests `tests/lab_walls_*.c`, which `make test` runs too. Settings of the network
are set in a network of the test's own. Those of the machine are lowered for seconds; a guardian process has the old values and puts
them back, also when the test is killed.

END
	echo "Linux $(uname -r), $(nproc) CPUs, $(awk '/^MemTotal/ { printf "%d", $2 / 1048576 + 0.5 }' /proc/meminfo) GiB."
	cat <<'END'

| limit | how it was set | predicted | reached | beyond |
| --- | --- | ---: | ---: | --- |
END
	rows
	cat <<'END'

`no bound`: doctor says that this limit stops no connections; it was set as low as it goes, and all that were asked for were opened,
held and proved. It may slow them, cut bursts, or decide how connections end. Below a page, `tcp_rmem` keeps a socket from receiving
anything: connections are made then, and cannot be proved.

## What is not provoked

| limit | why |
| --- | --- |
| `memory` | of the whole machine: filling it would harm others. The arithmetic and the measurement are those of `cgroup_memory`; a lab stops before the reserve is touched (`tests/lab_limits.c`) |
| `pid_max`, `threads_max` | of the whole machine: nobody could start a process. Judged by the same function as `nproc` and `cgroup_pids` |
| `overcommit` | of the whole machine: programs that reserve much (sanitizers) would fail. Sockets are not counted there |
| `swap`, `port_search`, `tcp_ehash`, `tcp_bhash`, `conntrack_buckets` | tell how it is; they bound nothing |
| `reserved_ports`, `listening_ports` | what they take away is in `source_ports` |
| `io_uring`, `user_namespaces`, `tun` | there or not: `tests/lab_limits.c` has labs without them |
END
	if [ -n "$(skipped)" ]; then
		printf '\nNot run where this page was written:\n\n'
		skipped
	fi
}

for test in "$@"; do
	echo "  WALL   $test"
	WALLS_TABLE=$table "$test" >>"$logs" 2>&1 || {
		cat "$logs"
		exit 1
	}
done
write >"$page.new"
mv "$page.new" "$page"
