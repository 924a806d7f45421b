#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Hosts and processes that cannot be traced: one line with the fix, status 1; never a crash.
. "$(dirname "$0")/lib.sh"
need_root

refused()
{
	status_is 1
	err_lines 1
	err_has "$1"
	out_empty
}

# --- no root
cp "$hvtrace" "$tmp/hvtrace"
chmod 755 "$tmp" "$tmp/hvtrace"
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
run "${nobody[@]}" "$tmp/hvtrace" live -d 1
refused 'root'
run "${nobody[@]}" "$tmp/hvtrace" record -o "$tmp/r" -d 1
refused 'root'
[ ! -e "$tmp/r" ] || fail "a file was made for nothing"
run "${nobody[@]}" "$tmp/hvtrace" doctor
status_is 1
out_has '^FATAL +root'
out_has 'fix:'
err_lines 1
run "${nobody[@]}" "$tmp/hvtrace" doctor --json
status_is 1
out_has '"name":"root","verdict":"fatal"'

# --- no BTF, no tracefs: hidden in a mount namespace of its own
# shellcheck disable=SC2016 # the inner shell expands them
hide='mount -t tmpfs none "$1" && shift && exec "$@"'
run unshare -m bash -c "$hide" - /sys/kernel/btf "$hvtrace" live -d 1
refused 'BTF'
run unshare -m bash -c "$hide" - /sys/kernel/btf "$hvtrace" doctor
status_is 1
out_has '^FATAL +BTF'
bare='umount -R /sys/kernel/tracing 2>/dev/null; umount -R /sys/kernel/debug 2>/dev/null; exec "$@"'
run unshare -m bash -c "$bare" - "$hvtrace" doctor
out_has '^(missing|FATAL) +tracefs'
doctor=$rc
run unshare -m bash -c "$bare" - "$hvtrace" live -q -d 0.6
[ "$rc" = "$doctor" ] || fail "live ended with $rc where doctor said $doctor"
[ "$rc" = 0 ] || refused 'tracefs'

# --- doctor and live agree here, too
run "$hvtrace" doctor
doctor=$rc
out_has '^OK +root'
run "$hvtrace" live -q -d 0.6
status_is "$doctor"
[ "$doctor" = 0 ] || skip "this host cannot be traced: see hvtrace doctor"

# --- no such process; one that is gone by the time it is traced; one that exits at once
sleep 0 &
gone=$!
wait $gone
run "$hvtrace" live -d 1 -p $gone
refused "no such process: $gone"
run "$hvtrace" record -o "$tmp/r" -d 1 -p $gone
refused "no such process: $gone"
# Whether that is before or after hvtrace has attached.
for seconds in 0 0.05 0.2 0.8; do
	sleep $seconds &
	short=$!
	run "$hvtrace" live -d 1.5 -i 0.2 -p $short
	[ "$rc" = 1 ] && grep -q 'no such process' "$tmp/err" && continue
	status_is 0
	err_has "$short.* ended"
	wait $short
done
