#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A VM whose page cache is LRU gives half of its memory back, and later comes back with another
# size: live tells what its curve predicted, and what it missed.
. "$(dirname "$0")/lib.sh"
need_root
[ -w /dev/kvm ] || skip "needs KVM"
vm=${BUILD:-$PWD/build}/tests/kvm/resize-vm

# shellcheck source=tools/devices.sh
. "$(dirname "$0")/../../tools/devices.sh"
defer devices__remove

# A disk that no other thread of the kernel serves, and a VM ahead of all others: on a busy host, too,
# it keeps its pace, and misses go by that.
devices__add_zram 16 || skip "no zram device to be had"
ahead=(chrt -f 1) most=0.1
"${ahead[@]}" true 2>/dev/null || ahead=() most=9

resize_vm()
{
	"${ahead[@]}" "$vm" -name guest=resized --disk "$device" --rate 8000 --seconds 5 "$@" || fail "resize-vm: $?"
}

# checks WHAT: of each check in checks.csv the sizes, in units of 500 pages, and the miss ratio that was
# predicted for the larger one, in tenths; which it came to miss, but for a tenth of what the smaller one missed.
checks()
{
	awk -F, -v want="$1" -v most=$most '
		NR == 1 { next }
		{
			got = got sprintf(" %d-%d:%.0f", $3 / 500, $4 / 500, $7 / $6 * 10)
			bad = bad || $5 < 2 || $9 <= 0 || $10 > most || $10 < -most
		}
		END {
			exit got != want || bad
		}' "$tmp/csv/checks.csv" || fail "$(cat "$tmp/csv/checks.csv")"
}

timeout -k 5 60 "$hvtrace" live --json -q -i 0.5 --vm resized >"$tmp/json" 2>"$tmp/json.err" &
json=$!
defer "kill $json 2>/dev/null"
spawn "$hvtrace" live -i 0.5 --vm resized --csv "$tmp/csv"
for file in json out; do
	wait_until 20 test -s "$tmp/$file" || fail "no first interval"
done
resize_vm --frames 2000 --then 1000
resize_vm --frames 1600
kill -INT "$child"
kill -TERM $json
finish
status_is 0
err_has 'the memory of resized was [0-9.]+MiB and is [0-9.]+MiB: its curve is put to the test'
out_has '^resized: [0-9.]+MiB for [0-9]+ s, before [0-9.]+MiB; with the larger [0-9]+ misses/s, predicted [0-9]+'
out_has '^Memory changed, and the curve of the smaller size was put to the test:'
out_has 'a difference of [+-]0\.[0-9]{4} in the miss ratio$'
checks " 4-2:5 2-3:7"

# --- as JSON
wait $json || fail "live --json: $?"
[ ! -s "$tmp/json.err" ] || fail "$(cat "$tmp/json.err")"
jq -se 'map(select(.type == "check" and .before_pages > .now_pages)) | last |
	(.vm | startswith("resized")) and .seconds > 1 and .differs == false and
	(.predicted_per_s - .observed_per_s) / .smaller_per_s - .difference < 0.001' "$tmp/json" >/dev/null ||
	fail "$(grep '"type":"check"' "$tmp/json")"
