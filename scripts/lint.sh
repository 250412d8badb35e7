#!/bin/sh
# lint.sh: format, static analysis, both compilers with -Werror, house rules. All four run, so that
# one call shows everything; exit 1 where one of them complains. Changes nothing but build/lint/.
set -u

cd "$(dirname "$0")/.." || exit 1
mkdir -p build/lint || exit 1
list=build/lint/files
bad=0

# verdict NAME STATUS
verdict()
{
	if [ "$2" -eq 0 ]; then
		echo "lint: $1: ok"
	else
		echo "lint: $1: FAILED"
		bad=1
	fi
}

find src tests bench -name '*.[ch]' | sort >"$list"

xargs clang-format --dry-run --Werror <"$list"
verdict clang-format $?

# The harness of the flags is the Makefile's, so that no second list can grow old. Flags have no
# blanks in them.
flags=$(make -s print-tidy-flags)
# clang-tidy counts the warnings that it does not show, on stderr: that is noise, errors are not.
# shellcheck disable=SC2086,SC2016
grep '\.c$' "$list" | xargs -P 2 -I FILE sh -c '
	file=$1
	shift
	out=$(clang-tidy --quiet "$file" -- "$@" 2>&1)
	status=$?
	printf "%s\n" "$out" | grep -vE "^([0-9]+ warnings?.* (generated|treated as errors).*)?\$"
	exit $status' tidy FILE $flags
verdict clang-tidy $?

for compiler in gcc clang; do
	make -s -j 2 B="build/lint/$compiler" CC="$compiler" WERROR=1 everything
	verdict "$compiler -Werror" $?
done

sh scripts/house.sh
verdict "house rules" $?

exit "$bad"
