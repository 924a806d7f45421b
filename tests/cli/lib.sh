# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # out, err and rc are for who sources this
# What the command line's tests share. Source it; it leaves a scratch folder in $tmp, which goes
# away at the end with all that defer() was told.

set -u
hvtrace=${BUILD:-$PWD/build}/hvtrace
tmp=$(mktemp -d)
deferred=()

at_exit()
{
	local i

	[ $BASHPID = $$ ] || return
	for ((i = ${#deferred[@]} - 1; i >= 0; i--)); do
		eval "${deferred[i]}"
	done
	rm -rf "$tmp"
}
trap at_exit EXIT

# defer COMMAND: run at the end, the last one first.
defer()
{
	deferred+=("$1")
}

fail()
{
	echo "FAIL: $*" >&2
	if [ -n "${ran:-}" ]; then
		echo "  ran: $ran" >&2
		echo "  exit status: $rc" >&2
		head -n 20 "$tmp/out" | cut -c 1-300 | sed 's/^/  out: /' >&2
		head -n 20 "$tmp/err" | cut -c 1-300 | sed 's/^/  err: /' >&2
	fi
	exit 1
}

skip()
{
	echo "$*"
	exit 77
}

need_root()
{
	[ "$(id -u)" -eq 0 ] || skip "needs root"
}

# run COMMAND...: output in $out and $err (and files of these names in $tmp), status in $rc.
run()
{
	ran="$*"
	timeout -k 5 60 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
	read_output
}

read_output()
{
	out=$(tr -d '\0' <"$tmp/out")
	err=$(tr -d '\0' <"$tmp/err")
}

# spawn COMMAND...: the same in the background; $child is its pid. finish waits for it.
spawn()
{
	ran="$*" rc=running
	timeout -k 5 60 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null &
	guard=$!
	until child=$(pgrep -P $guard) || ! kill -0 $guard 2>/dev/null; do
		sleep 0.02
	done
}

finish()
{
	wait "$guard"
	rc=$?
	read_output
}

status_is()
{
	[ "$rc" = "$1" ] || fail "exit status $rc, not $1"
}

err_lines()
{
	[ "$(wc -l <"$tmp/err")" = "$1" ] || fail "$(wc -l <"$tmp/err") lines on stderr, not $1"
}

err_has()
{
	grep -qE -- "$1" "$tmp/err" || fail "stderr lacks '$1'"
}

out_has()
{
	grep -qE -- "$1" "$tmp/out" || fail "stdout lacks '$1'"
}

out_lacks()
{
	! grep -qE -- "$1" "$tmp/out" || fail "stdout has '$1'"
}

# out_fits WIDTH: no line of stdout is longer, in characters: awk may count bytes.
out_fits()
{
	perl -CS -lne "exit 1 if length > $1" <"$tmp/out" || fail "a line of stdout is longer than $1"
}

out_empty()
{
	[ ! -s "$tmp/out" ] || fail "stdout is not empty"
}

# wait_until SECONDS COMMAND...: until it succeeds.
wait_until()
{
	local end=$((SECONDS + $1))

	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# start_reader MIB ROUNDS [MIB ROUNDS]...: a process that stops itself; told to go on, it reads a
# disk of MIB in memory ROUNDS times from the begin to the end, directly into the same 64 KiB of its
# memory; and again with as much of the disk as comes next. $reader is its pid, and $only keeps
# hvtrace to it, whatever else goes on on this host, and to every page.
start_reader()
{
	local mib=$1

	[ "$(uname -m)" = x86_64 ] || skip "the reader's system calls are numbered as on x86-64"
	end_reader
	# shellcheck source=tools/devices.sh
	. "$(dirname "${BASH_SOURCE[0]}")/../../tools/devices.sh"
	devices__add_loop "$mib" || skip "no loop device here"
	# mmap and pread64, as O_DIRECT wants aligned memory; perl-base is on every Debian.
	perl -e '
		my ($disk, @phases) = @ARGV;
		my $buffer = syscall(9, 0, 65536, 3, 0x22, -1, 0);
		sysopen(my $fd, $disk, 040000) or die "open: $!";
		while (my ($mib, $rounds) = splice @phases, 0, 2) {
			kill STOP => $$;
			for my $at (map { my $r = $_; 0 .. $mib * 16 - 1 } 1 .. $rounds) {
				syscall(17, fileno $fd, $buffer, 65536, $at * 65536) == 65536 or
					die "read: $!";
			}
		}' "$device" "$@" &
	reader=$!
	only=(-p "$reader" --vm "perl:$reader" --sample 1/1)
	disown $reader
	wait_until 10 is_stopped "$reader" || fail "the reader did not get ready"
}

# One reader at a time: its disk goes when the next one comes.
end_reader()
{
	if [ -n "$reader" ]; then
		kill -KILL "$reader" 2>/dev/null
		wait_until 10 is_gone "$reader"
		reader=
	fi
	! declare -F devices__remove >/dev/null || devices__remove
}
reader=
defer end_reader

is_gone()
{
	! grep -qs '^State:.[^Z]' "/proc/$1/status"
}

is_stopped()
{
	grep -q '^State:.T' "/proc/$1/status"
}
