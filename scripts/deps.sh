#!/bin/sh
# deps.sh GROUP...: finds what the groups (build, test, servers, lint, fuzz, full, bench) need and
# this machine lacks, says so, and installs it with apt-get. Silent where nothing is missing.
#
# The checks ask the compiler and the PATH, not dpkg: a distribution without apt-get passes as
# well, if it has the libraries.
set -u

cc=${CC:-gcc}
tmp=
missing= # Debian package names
logs=${TMPDIR:-/tmp}

cleanup()
{
	[ -z "$tmp" ] || rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# need PACKAGE REASON: notes a package once, and says why.
need()
{
	case " $missing " in
	*" $1 "*) return ;;
	esac
	[ -n "$missing" ] || echo "deps: missing on this machine:" >&2
	printf '  %-20s %s\n' "$1" "$2" >&2
	missing="$missing${missing:+ }$1"
}

have()
{
	command -v "$1" >/dev/null 2>&1
}

# headers LIST: whether a program with these headers preprocesses.
headers()
{
	for header in $1; do
		echo "#include <$header>"
	done | "$cc" -D_GNU_SOURCE -E -x c - >/dev/null 2>&1
}

# links COMPILER FLAGS...: whether an empty program links with these flags.
links()
{
	linker=$1
	shift
	[ -n "$tmp" ] || tmp=$(mktemp -d "$logs/megaconn-deps.XXXXXX") || return 1
	echo 'int main(void) { return 0; }' >"$tmp/a.c"
	"$linker" -o "$tmp/a.out" "$tmp/a.c" "$@" >/dev/null 2>&1
}

check_build()
{
	have "$cc" || need "$([ "$cc" = clang ] && echo clang || echo gcc)" "the C compiler ($cc)"
	have make || need make "runs the build"
	have pkg-config || need pkg-config "says where the libraries are"
	if ! have "$cc"; then
		# Nothing to ask yet: dpkg is the second best witness, and apt-get skips what is there.
		need libc6-dev "the headers of the C library"
		need liburing-dev "io_uring, the engine for very many sockets"
		need libmnl-dev "netlink: addresses, links, socket diagnosis"
		need libjansson-dev "reading JSON: results, scenarios"
		need libinih-dev "reading INI: megaconn.conf"
		need zlib1g-dev "the checksum of journals"
		need libncurses-dev "the screen of megaconn watch"
		need libmicrohttpd-dev "metrics and the live page"
		need libhttp-parser-dev "hearing HTTP responses"
		need libcurl4-gnutls-dev "asking a server on another host for its counts"
		return
	fi
	headers "stdio.h" || need libc6-dev "the headers of the C library"
	# One question for all of them is the usual case, and the quick one.
	headers "liburing.h libmnl/libmnl.h jansson.h ini.h zlib.h ncurses.h microhttpd.h http_parser.h curl/curl.h" &&
		links "$cc" -luring -lmnl -ljansson -linih -lz -lncursesw -ltinfo -lmicrohttpd -lhttp_parser -lcurl &&
		return
	{ headers liburing.h && links "$cc" -luring; } ||
		need liburing-dev "io_uring, the engine for very many sockets"
	{ headers libmnl/libmnl.h && links "$cc" -lmnl; } ||
		need libmnl-dev "netlink: addresses, links, socket diagnosis"
	{ headers jansson.h && links "$cc" -ljansson; } ||
		need libjansson-dev "reading JSON: results, scenarios"
	{ headers ini.h && links "$cc" -linih; } ||
		need libinih-dev "reading INI: megaconn.conf"
	{ headers zlib.h && links "$cc" -lz; } ||
		need zlib1g-dev "the checksum of journals"
	{ headers ncurses.h && links "$cc" -lncursesw -ltinfo; } ||
		need libncurses-dev "the screen of megaconn watch"
	{ headers microhttpd.h && links "$cc" -lmicrohttpd; } ||
		need libmicrohttpd-dev "metrics and the live page"
	{ headers http_parser.h && links "$cc" -lhttp_parser; } ||
		need libhttp-parser-dev "hearing HTTP responses"
	{ headers curl/curl.h && links "$cc" -lcurl; } ||
		need libcurl4-gnutls-dev "asking a server on another host for its counts"
}

check_test()
{
	{ headers "stdarg.h stddef.h setjmp.h stdint.h cmocka.h" && [ -n "$(library cmocka)" ]; } ||
		need libcmocka-dev "the unit and lab tests"
	have nft || [ -x /usr/sbin/nft ] ||
		need nftables "rules that drop packets, or make the kernel track connections"
	have ip || [ -x /sbin/ip ] || need iproute2 "hosts and networks of the tests' own"
	have tmux || need tmux "a terminal to test the screen of megaconn watch in"
	# A real link with the sanitizers takes longer than all other checks: ask for the library first.
	if have "$cc" && [ -z "$(library asan)" ] && ! links "$cc" -fsanitize=address,undefined; then
		version=$("$cc" -dumpversion 2>/dev/null | cut -d. -f1)
		need "libgcc-${version:-12}-dev" "libasan and libubsan, for the sanitized tests"
	fi
}

# library NAME: the path of libNAME that the compiler would link, or nothing.
library()
{
	path=$("$cc" "-print-file-name=lib$1.so" 2>/dev/null)
	case $path in
	/*) echo "$path" ;;
	esac
}

nginx_has_stream()
{
	PATH=$PATH:/usr/sbin nginx -V 2>&1 | grep -q -e '--with-stream '
}

# Other people's servers, and what looks at packets: tests that want them say so and skip where they
# are missing.
check_servers()
{
	have nginx || [ -x /usr/sbin/nginx ] || need nginx-light "a server to test connect against"
	have redis-server || need redis-server "a server to test connect against"
	have haproxy || [ -x /usr/sbin/haproxy ] || need haproxy "a server to test connect against, and a box for lab --via"
	[ -f /usr/lib/nginx/modules/ngx_stream_module.so ] || nginx_has_stream ||
		need libnginx-mod-stream "a box for lab --via nginx-stream"
	have mosquitto || [ -x /usr/sbin/mosquitto ] || need mosquitto "a server to test scripts against"
	have tshark || need tshark "looks through packets of our own TCP for errors"
}

# What living connections are measured beside.
check_bench()
{
	have nginx || [ -x /usr/sbin/nginx ] || need nginx-light "answers requests while it is measured"
	have wrk || need wrk "the peer of connect --traffic http"
	have h2load || need nghttp2-client "another one (h2load)"
	have sockperf || need sockperf "the peer of connect --traffic echo"
}

# Other people's programs that look at what megaconn draws.
check_full()
{
	have chromium || need chromium "opens the live page and the report"
	have prometheus || need prometheus "scrapes the metrics; its promtool checks them"
	have node || need nodejs "drives the browser, and reads histograms"
	have npm || need npm "installs what the tests use of it (into build/npm)"
}

check_lint()
{
	have clang || need clang "the second compiler, whose warnings are other ones"
	have clang-tidy || need clang-tidy "static analysis"
	have clang-format || need clang-format "the layout of the source"
}

check_fuzz()
{
	if ! have clang; then
		need clang "compiles the fuzzers"
		need libclang-rt-14-dev "libFuzzer and its sanitizers"
		return
	fi
	runtime=$(clang -print-runtime-dir 2>/dev/null)
	found=
	for lib in "$runtime"/libclang_rt.fuzzer*.a; do
		[ ! -f "$lib" ] || found=1
	done
	[ -n "$found" ] || links clang -fsanitize=fuzzer-no-link,address ||
		need "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev" "libFuzzer and its sanitizers"
}

# quiet COMMAND...: its output goes to the log, which is shown where it fails.
quiet()
{
	"$@" >>"$log" 2>&1 && return
	echo "deps: failed: $*" >&2
	sed 's/^/  | /' "$log" >&2
	echo "deps: the log is $log" >&2
	return 1
}

install_missing()
{
	by_hand="apt-get install $missing"
	if ! have apt-get; then
		echo "deps: no apt-get here: install them yourself (the names are Debian's: $by_hand)" >&2
		return 1
	fi
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		# With a terminal sudo may ask for the password; without one it must not hang.
		if have sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
			sudo=sudo
		else
			echo "deps: not root, and no sudo to become it. Run as root: $by_hand" >&2
			return 1
		fi
	fi
	log=$(mktemp "$logs/megaconn-deps.log.XXXXXX") || return 1
	# Package names have no blanks, so the list may be split; sudo is empty or one word.
	# shellcheck disable=SC2086
	apt="$sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120"
	# An old or empty package list makes the simulation, or the download, fail.
	# shellcheck disable=SC2086
	if ! $apt install -s --no-install-recommends $missing >/dev/null 2>&1; then
		echo "deps: apt-get update ..." >&2
		quiet $apt update || return 1
	fi
	echo "deps: apt-get install $missing ..." >&2
	# shellcheck disable=SC2086
	if ! $apt install -y --no-install-recommends $missing >>"$log" 2>&1; then
		echo "deps: that failed; once more after apt-get update ..." >&2
		quiet $apt update || return 1
		quiet $apt install -y --no-install-recommends $missing || return 1
	fi
	rm -f "$log"
	echo "deps: installed" >&2
}

[ $# -gt 0 ] || {
	echo "usage: deps.sh build|test|servers|lint|fuzz|full|bench ..." >&2
	exit 2
}
for group in "$@"; do
	case $group in
	build) check_build ;;
	test) check_test ;;
	servers) check_servers ;;
	lint) check_lint ;;
	fuzz) check_fuzz ;;
	full) check_full ;;
	bench) check_bench ;;
	*)
		echo "deps: no such group: $group (build, test, servers, lint, fuzz, full, bench)" >&2
		exit 2
		;;
	esac
done
[ -z "$missing" ] || install_missing || exit 1
