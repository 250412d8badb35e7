#!/bin/sh
# house.sh [ROOT]: the rules of the house that no compiler knows. Each breach is one line,
# "file:line: rule"; exit 1 where there is one.
#
#   - includes point one way: base <- {plan, kernel, engine, behave, utcp, out} <- run <- cmd <- main
#   - a file has at most 600 lines, a function 70, a line 100 columns (a tab is 8)
#   - one header beside each source below src/, and the other way round
#   - no calls that overflow, that start a shell, that are not checked; memory, output and exit only
#     in the rooms that own them
#
# A function is what lies between "{" and "}" in column 0, which clang-format sees to.
set -u

cd "${1:-$(dirname "$0")/..}" || exit 2

# Headers that are a contract, a structure or one small function alone.
headers_alone="src/base/api.h src/engine/uring_abi.h src/engine/uring_state.h src/engine/epoll_state.h
 src/base/environment.h src/base/limits.h src/base/mix.h src/base/probed.h src/base/sample.h
 src/base/version.h src/base/wall.h src/run/client_state.h src/run/client_traffic_state.h
 src/run/experiment.h src/run/server_state.h src/utcp/device.h src/utcp/segment.h
 src/utcp/utcp_state.h "

pairs()
{
	find src -mindepth 2 -name '*.c' | sort | while read -r file; do
		[ -f "${file%.c}.h" ] || echo "$file:1: no header beside it (${file%.c}.h)"
	done
	find src -mindepth 2 -name '*.h' | sort | while read -r file; do
		case " $headers_alone" in
		*" $file"[!.]*) continue ;;
		esac
		[ -f "${file%.h}.c" ] || echo "$file:1: no source beside it (${file%.h}.c)"
	done
}

# LC_ALL=C: a byte is a byte in every awk; UTF-8 continuation bytes are taken out before counting.
texts()
{
	dirs=
	for dir in src tests bench; do
		[ ! -d "$dir" ] || dirs="$dirs $dir"
	done
	# shellcheck disable=SC2086
	find $dirs -name '*.[ch]' | sort | while read -r file; do
		LC_ALL=C awk -v file="$file" "$rules" "$file"
	done
}

# shellcheck disable=SC2016
rules='
function breach(at, rule) {
	print file ":" at ": " rule
}

function columns(text,   n, i, c) {
	gsub(/[\200-\277]/, "", text)
	if (index(text, "\t") == 0)
		return length(text)
	n = split(text, part, "\t")
	c = 0
	for (i = 1; i <= n; i++) {
		c += length(part[i])
		if (i < n)
			c += 8 - c % 8
	}
	return c
}

# The line without comments, strings and characters; in_comment lives from line to line.
function code(text,   out, rest, at) {
	out = ""
	while (text != "") {
		if (in_comment) {
			at = index(text, "*/")
			if (!at)
				return out
			text = substr(text, at + 2)
			in_comment = 0
			continue
		}
		if (!match(text, /"|\047|\/\*|\/\//))
			return out text
		out = out substr(text, 1, RSTART - 1)
		rest = substr(text, RSTART)
		if (substr(rest, 1, 2) == "//")
			return out
		if (substr(rest, 1, 2) == "/*") {
			in_comment = 1
			text = substr(rest, 3)
		} else if (match(rest, /^"([^"\\]|\\.)*"/) || match(rest, /^\047([^\047\\]|\\.)*\047/)) {
			out = out "\"\""
			text = substr(rest, RLENGTH + 1)
		} else {
			return out	# an unfinished string: the rest of the line is text
		}
	}
	return out
}

# Calls of NAME that are not members (x.free(), x->free()) and not parts of longer names.
function calls(text, name) {
	gsub(/(->|\.)[ \t]*[A-Za-z_][A-Za-z0-9_]*/, "", text)
	return text ~ ("(^|[^A-Za-z0-9_])" name "[ \t]*\\(")
}

function banned(text, names, why,   n, i, name) {
	n = split(names, name, " ")
	for (i = 1; i <= n; i++)
		if (calls(text, name[i]))
			breach(FNR, name[i] "(): " why)
}

# The room of a path below src/: "main" for src/main.c.
function room_of(path) {
	if (path !~ /\//)
		return "main"
	sub(/\/.*/, "", path)
	return path
}

function may_include(path,   to) {
	to = room_of(path)
	if (!(to in level))
		return 0
	if (to == room)
		return 1
	if (level[to] < level[room])
		return 1
	if (level[to] > level[room] || level[room] != 1)
		return 0
	if (path == "plan/ip.h")
		return 1
	return room == "utcp" && path ~ /^(engine\/engine|plan\/tuple|kernel\/(tun|veth|link|route|channel|arp|icmp))\.h$/
}

function check_include(line,   path) {
	path = line
	sub(/^[ \t]*#[ \t]*include[ \t]*"/, "", path)
	sub(/".*/, "", path)
	if (path ~ /^\.\.?\//)
		breach(FNR, "include \"" path "\": name it from src/ (room/file.h)")
	else if (path !~ /\//)
		# Without a room: a neighbour in the same one.
		return
	else if (!may_include(path))
		breach(FNR, "include \"" path "\": " room " may not include " room_of(path))
}

BEGIN {
	level["base"] = 0
	level["plan"] = level["kernel"] = level["engine"] = 1
	level["behave"] = level["utcp"] = level["out"] = 1
	level["run"] = 2
	level["cmd"] = 3
	level["main"] = 4
	in_src = file ~ /^src\//
	if (in_src) {
		room = room_of(substr(file, 5))
		if (!(room in level))
			breach(1, "no such room: " room)
	}
	owns_memory = room == "run" || room == "out"
	owns_output = room == "cmd" || room == "out" || file == "src/main.c" ||
		file == "src/base/err.c" || file == "src/base/opt.c"
}

{
	width = columns($0)
	if (width > 100)
		breach(FNR, width " columns (at most 100)")
	was_comment = in_comment
	text = code($0)

	if (in_src && !was_comment && $0 ~ /^[ \t]*#[ \t]*include[ \t]*"/)
		check_include($0)

	banned(text, "strcpy strcat sprintf vsprintf gets strtok", "overflows or keeps hidden state")
	banned(text, "atoi atol", "cannot tell an error from 0")
	banned(text, "system popen", "starts a shell")
	banned(text, "alloca", "the stack has no refusal")
	if (in_src && !owns_memory)
		banned(text, "malloc calloc realloc free", "no allocation after start: map it from the plan")
	if (in_src && !owns_output)
		banned(text, "printf fprintf exit", "only cmd/, out/ and main print or exit")

	if (text ~ /^[A-Za-z_].*\(/) {
		name = text
		sub(/\(.*/, "", name)
		sub(/.*[ \t*]/, "", name)
	}
	if (text ~ /^\{/)
		opened = FNR
	if (text ~ /^\}/ && opened) {
		if (FNR - opened + 1 > 70)
			breach(opened, "function " name " has " FNR - opened + 1 " lines (at most 70)")
		opened = 0
	}
}

END {
	if (FNR > 600)
		breach(601, "the file has " FNR " lines (at most 600)")
}
'

found=$(pairs; texts)
[ -n "$found" ] || exit 0
printf '%s\n' "$found"
exit 1
