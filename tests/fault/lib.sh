# shellcheck shell=bash disable=SC2034,SC2154 # tmp and the like are of the library beneath
# SPDX-License-Identifier: GPL-2.0
# Storage of the tests' own: files that fail on command, programs that talk line by line. Source it.
# shellcheck source=../cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cli/lib.sh"

fault=${BUILD:-$PWD/build}/tests/fault

# start NAME COMMAND...: in the background; its stdin is the FIFO $tmp/NAME.in, which never ends
# by itself, its output $tmp/NAME.out, its process ${pid[NAME]}.
declare -A pid=()
start()
{
	local name=$1

	shift
	rm -f "$tmp/$name.in"
	mkfifo "$tmp/$name.in"
	: >"$tmp/$name.out"
	"$@" <>"$tmp/$name.in" >>"$tmp/$name.out" 2>&1 &
	pid[$name]=$!
	defer "stop $name KILL"
}

# say NAME LINE: a line to its stdin.
say()
{
	printf '%s\n' "$2" >"$tmp/$1.in"
}

# heard NAME LINE: waits until it said that.
heard()
{
	local tries

	for ((tries = 0; tries < 600; tries++)); do
		grep -qxF -- "$2" "$tmp/$1.out" && return
		sleep 0.05
	done
	fail "$1 did not say \"$2\": $(cat "$tmp/$1.out")"
}

# stop NAME [SIGNAL]
stop()
{
	local p=${pid[$1]:-}

	[ -n "$p" ] || return 0
	unset "pid[$1]"
	kill -"${2:-TERM}" "$p" 2>/dev/null
	wait "$p" 2>/dev/null
}

# faulty NAME BYTES [OPTION...]: a file of zeroes at $tmp/NAME that fails as it is told by `tell NAME`.
faulty()
{
	[ -e "$fault/faulty-file" ] || skip "faulty-file was not built: libfuse3 is missing"
	[ -c /dev/fuse ] || skip "needs /dev/fuse (modprobe fuse)"
	truncate -s "$2" "$tmp/$1.backing"
	: >"$tmp/$1"
	start "$1.faulty" "$fault/faulty-file" "${@:3}" "$tmp/$1.backing" "$tmp/$1"
	defer "umount -l '$tmp/$1' 2>/dev/null"
	heard "$1.faulty" ready
}

# tell NAME COMMAND: in force when this returns.
tell()
{
	: >"$tmp/$1.faulty.out"
	say "$1.faulty" "$2"
	heard "$1.faulty" ok
}
