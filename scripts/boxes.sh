#!/bin/sh
# boxes.sh TEST: runs the test that fills each box between clients and servers, and writes
# docs/boxes.md from what it found. As root: nf_conntrack_max of the machine is lowered for seconds,
# and put back.
set -eu

page=docs/boxes.md
table=$(mktemp)
log=$(mktemp)
trap 'rm -f "$table" "$log"' EXIT

rows()
{
	LC_ALL=C awk -F '\t' '
	function grouped(n,   out) {
		out = ""
		while (length(n) > 3) {
			out = "," substr(n, length(n) - 2) out
			n = substr(n, 1, length(n) - 3)
		}
		return n out
	}
	{
		split($3, set, " ")
		printf "| `%s` | %s | %s %s | %s | `%s`: %s |\n", $1, $2, grouped(set[1]), set[2],
			grouped($4), $5, $6
	}' "$table"
}

# What could not be done here, with its reason.
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
	}' "$log"
}

write()
{
	sed '/^## Limits found/,$d' "$page"
	cat <<'END'
## Limits found

More connections than the limit allows are asked for. The limit found is what was established, proved twice, and counted alike by the
clients, the servers and the servers' kernel; nothing of the box is asked for it. Then the box's own counters are compared: a table has as many
entries, a proxy has room for no further pair of descriptors.

This part is written by `make boxes` (root) from the test `tests/lab_via.c`, of which `make test` runs what is quick.

END
	echo "Linux $(uname -r), $(nproc) CPUs; $(haproxy -v 2>/dev/null | sed -n 's/^\(HAProxy version [^ -]*\).*/\1/p'), $(nginx -v 2>&1 | sed 's/^nginx version: //')."
	cat <<'END'

| box | how it is limited | limit set | connections found | cause named |
| --- | --- | ---: | ---: | --- |
END
	rows
	if [ -n "$(skipped)" ]; then
		printf '\nNot run where this page was written:\n\n'
		skipped
	fi
}

echo "  BOXES  $1"
FULL=1 BOXES_TABLE=$table "$1" >"$log" 2>&1 || {
	cat "$log"
	exit 1
}
write >"$page.new"
mv "$page.new" "$page"
