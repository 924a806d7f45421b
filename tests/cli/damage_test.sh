#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Recordings cut off and with bits flipped: read up to the fault, one line that says where it is,
# status 1; never a crash, never taken for whole. (Every length and bit: unit/recording_test.)
. "$(dirname "$0")/lib.sh"
need_root

start_reader 4 3
spawn "$hvtrace" record -q -d 2 "${only[@]}" -o "$tmp/r.hvt"
wait_until 20 test -s "$tmp/r.hvt" || fail "no recording"
sleep 0.2
kill -CONT "$reader"
finish
status_is 0
size=$(stat -c %s "$tmp/r.hvt")
run "$hvtrace" mrc "$tmp/r.hvt"
status_is 0
whole=$(head -n 1 "$tmp/out")

damaged()
{
	status_is 1
	err_lines 1
	err_has "^hvtrace mrc: '$1' is damaged at byte [0-9]+: "
}

# --- cut off
for at in 8 20 24 40 $((size / 3)) $((size / 2)) $((size - 1)); do
	head -c "$at" "$tmp/r.hvt" >"$tmp/cut.hvt"
	run "$hvtrace" mrc "$tmp/cut.hvt"
	damaged "$tmp/cut.hvt"
	err_has 'truncated'
done
# Only the end mark is missing: all else is there.
out_has "^${whole%%,*},"
run bash -c 'head -c "$3" "$2" | "$1" mrc --dump -' - "$hvtrace" "$tmp/r.hvt" $((size / 2))
damaged -
out_has '^# time_ns'
run bash -c 'head -c "$3" "$2" | "$1" mrc --json -' - "$hvtrace" "$tmp/r.hvt" $((size - 1))
damaged -
out_has '"type":"vm"'

# Packed, and the packing is cut off.
gzip -c "$tmp/r.hvt" | head -c $((size / 2)) >"$tmp/cut.hvt.gz"
run "$hvtrace" mrc "$tmp/cut.hvt.gz"
status_is 1
err_lines 1
err_has "^hvtrace mrc: '$tmp/cut.hvt.gz': .*damaged at byte [0-9]+.*gzip -t"
run bash -c 'gzip -c "$2" | "$1" mrc -' - "$hvtrace" "$tmp/r.hvt"
status_is 0
[ "$(head -n 1 "$tmp/out")" = "$whole" ] || fail 'packed, it is another recording'

# --- bits flipped, all over the file
for ((at = 8; at < size; at += size / 40 + 1)); do
	cp "$tmp/r.hvt" "$tmp/flip.hvt"
	byte=$(od -An -tu1 -j $at -N 1 "$tmp/r.hvt")
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\x$(printf %x $((byte ^ 1 << at % 8)))" |
		dd of="$tmp/flip.hvt" bs=1 seek=$at conv=notrunc status=none
	run "$hvtrace" mrc "$tmp/flip.hvt"
	damaged "$tmp/flip.hvt"
done

# --- more behind the end
{ cat "$tmp/r.hvt"; echo; } >"$tmp/long.hvt"
run "$hvtrace" mrc "$tmp/long.hvt"
damaged "$tmp/long.hvt"
out_has "^${whole%%,*},"

# --- not recordings at all
refused()
{
	status_is 1
	err_lines 1
	err_has "$1"
	out_empty
}
: >"$tmp/empty"
run "$hvtrace" mrc "$tmp/empty"
refused 'is empty'
run "$hvtrace" mrc "$0"
refused 'no known format; .*--format'
run "$hvtrace" mrc --format own "$0"
refused 'not an hvtrace recording'
run "$hvtrace" mrc /dev/null
refused 'is empty'
run "$hvtrace" mrc "$tmp"
refused 'Is a directory'
run "$hvtrace" mrc "$tmp/nowhere"
refused "cannot read '$tmp/nowhere': No such file or directory"
