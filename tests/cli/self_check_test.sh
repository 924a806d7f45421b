#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A VM whose page cache is LRU gives half of its memory back, and later comes back with another
# size: live tells what its curve predicted, and what it missed.
. "$(dirname "$0")/lib.sh"
need_root
[ -w /dev/kvm ] || skip "needs KVM"
vm=${BUILD:-$PWD/build}/tests/kvm/resize-vm

truncate -s 16M "$tmp/disk"
device=$(losetup -f --show "$tmp/disk") || skip "no loop device to be had"
defer "losetup -d $device"

resize_vm()
{
	"$vm" -name guest=resized --disk "$device" --rate 4000 "$@" || fail "resize-vm: $?"
}

# checks WHAT: of each check in checks.csv the sizes, in units of 500 pages, and the miss ratio that was
# predicted for the larger one, in tenths. What is observed goes by the pace, which a busy host may
# not keep.
checks()
{
	awk -F, -v want="$1" '
		NR == 1 { next }
		{
			got = got sprintf(" %d-%d:%.0f", $3 / 500, $4 / 500, $7 / $6 * 10)
			bad = bad || $5 < 2 || $9 <= 0 || $10 > 0.5 || $10 < -0.5
		}
		END {
			exit got != want || bad
		}' "$tmp/csv/checks.csv" || fail "$(cat "$tmp/csv/checks.csv")"
}

spawn "$hvtrace" live -i 0.5 --vm resized --csv "$tmp/csv"
wait_until 20 test -s "$tmp/out" || fail "no first table"
resize_vm --frames 2000 --seconds 5 --then 1000
resize_vm --frames 1600 --seconds 5
kill -INT "$child"
finish
status_is 0
err_has 'the memory of resized was [0-9.]+MiB and is [0-9.]+MiB: its curve is put to the test'
out_has '^resized: [0-9.]+MiB for [0-9]+ s, before [0-9.]+MiB; with the larger [0-9]+ misses/s, predicted [0-9]+'
out_has '^Memory changed, and the curve of the smaller size was put to the test:'
out_has 'a difference of [+-]0\.[0-9]{4} in the miss ratio$'
checks " 4-2:5 2-3:7"

# --- as JSON
spawn "$hvtrace" live --json -q -i 0.5 --vm resized
wait_until 20 test -s "$tmp/out" || fail "no first interval"
resize_vm --frames 2000 --seconds 5 --then 1000
kill -INT "$child"
finish
status_is 0
err_lines 0
grep '"type":"check"' "$tmp/out" | tail -n 1 >"$tmp/check"
jq -e '.vm == "resized" and .before_pages > .now_pages and .seconds > 1 and .differs == false and
	(.predicted_per_s - .observed_per_s) / .smaller_per_s - .difference < 0.001' "$tmp/check" >/dev/null ||
	fail "$(cat "$tmp/check")"
