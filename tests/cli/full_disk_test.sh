#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A full disk under what hvtrace writes: one line that names the file, status 1, and nothing that
# was written before, or goes elsewhere, is lost.
. "$(dirname "$0")/lib.sh"
need_root
mkdir "$tmp/small"
mount -t tmpfs -o size=64k none "$tmp/small" || skip "no tmpfs here"
defer "umount -l '$tmp/small'"

# --- record: the disk fills up on the way. Far apart, pages pack badly.
start_reader 64 8
spawn "$hvtrace" record -q -d 10 "${only[@]}" -o "$tmp/small/r.hvt"
wait_until 20 test -s "$tmp/small/r.hvt" || fail "no recording"
head -c 1M /dev/zero >>"$tmp/small/filler" 2>/dev/null
kill -CONT "$reader"
finish
status_is 1
err_lines 1
err_has "cannot write '$tmp/small/r.hvt': No space left on device"
run "$hvtrace" mrc "$tmp/small/r.hvt"
status_is 1
err_lines 1
err_has "r.hvt' is damaged at byte [0-9]+: truncated"
out_has '^[0-9]+ events'

# --- record: no room even for the begin
run "$hvtrace" record -d 1 -o "$tmp/small/none.hvt"
status_is 1
err_lines 1
err_has "cannot write '$tmp/small/none.hvt': No space left on device"

# --- live --csv: said once, the report is printed all the same
start_reader 16 3
spawn "$hvtrace" live -q -i 0.5 -d 3 "${only[@]}" --csv "$tmp/small/csv"
wait_until 20 test -s "$tmp/out" || fail "no first table"
kill -CONT "$reader"
finish
status_is 1
err_lines 1
err_has "cannot write '$tmp/small/csv.*': No space left on device"
out_has '12288 fills, 4096 of them cold'
out_has '^Over '

# --- mrc --csv, with a recording from elsewhere
run "$hvtrace" record -q -d 0.6 -o "$tmp/r.hvt"
status_is 0
run "$hvtrace" mrc --csv "$tmp/small/curve.csv" "$tmp/r.hvt"
status_is 1
err_lines 1
err_has "cannot write '$tmp/small/curve.csv': No space left on device"

# --- a folder that cannot be made is known before anything is traced
run "$hvtrace" live -d 30 --csv "$tmp/no/such/folder"
status_is 1
err_lines 1
err_has "cannot write to folder '$tmp/no/such/folder': No such file or directory"
out_empty
run "$hvtrace" live -d 30 --csv "$tmp/r.hvt"
status_is 1
err_has 'Not a directory'

# --- standard output on a full device
run bash -c '"$1" live -q -d 30 -i 0.2 >/dev/full' - "$hvtrace"
status_is 1
err_lines 1
err_has 'cannot write to standard output: No space left on device'
run bash -c '"$1" --help >/dev/full' - "$hvtrace"
status_is 1
err_lines 1
