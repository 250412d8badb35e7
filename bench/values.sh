# values.sh: what the benches share: sizes, and what stands in a result. To be read by sh, with ".".

# number SIZE: 10k is 10000.
number()
{
	case $1 in
	*M) echo "${1%M}000000" ;;
	*k) echo "${1%k}000" ;;
	*) echo "$1" ;;
	esac
}

# value FILE PATH: of a result, "traffic.rate_per_s"; "-" where it is null or missing. What it reads
# is written by jansson, a value a line.
value()
{
	[ -f "$1" ] || {
		echo -
		return
	}
	awk -v wanted="$2" '
		{
			line = $0
			sub(/^ +/, "", line)
			sub(/,$/, "", line)
		}
		line ~ /^[]}]/ { depth--; next }
		{
			key = value = ""
			if (match(line, /^"[^"]*": /)) {
				key = substr(line, 2, RLENGTH - 4)
				value = substr(line, RLENGTH + 1)
			} else {
				value = line
			}
			path = key
			for (i = depth; i > 1; i--)
				if (name[i] != "")
					path = name[i] "." path
			if (value ~ /^[[{]$/) {
				name[++depth] = key
				next
			}
			if (path == wanted && !found) {
				found = 1
				print value == "null" ? "-" : value
			}
		}
		END { if (!found) print "-" }' "$1"
}

# rounded VALUE FACTOR DIGITS
rounded()
{
	echo "$1" | awk -v factor="$2" -v digits="$3" \
		'{ if ($1 == "-") print "-"; else printf "%.*f", digits, $1 * factor }'
}
