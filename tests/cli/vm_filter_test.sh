#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A VM that is chosen by name, and others that come before it, beside it and after it, when its place
# in the VM table is theirs: all of its fills are recorded, and none of the others'.
. "$(dirname "$0")/lib.sh"
need_root
[ -w /dev/kvm ] || skip "needs KVM"
# shellcheck source=tools/devices.sh
. "$(dirname "$0")/../../tools/devices.sh"
defer devices__remove

# vm NAME DEVICE SECONDS: makes 80 accesses as soon as it is there, and as many each 20 ms then, 4000 at most.
vm()
{
	timeout "$3" "${BUILD:-$PWD/build}/tests/kvm/resize-vm" -name guest="$1" --disk "$2" --rate 4000 \
		--frames 1000 --seconds 1
	case $? in
	0 | 124) ;;
	*) fail "resize-vm" ;;
	esac
}

fills_of()
{
	awk -v disk="${1#/dev/}" '/^# disk/ { name[$3] = $5 } $3 == "fill" && name[$5] == disk { n++ } END { print n + 0 }' \
		"$tmp/out"
}

devices__add_loop 16 || skip "no loop device to be had"
mine=$device
devices__add_loop 16 || skip "no loop device to be had"
others=$device

spawn "$hvtrace" record -d 30 --vm chosen --sample 1/1 -o "$tmp/r.hvt"
wait_until 20 test -s "$tmp/r.hvt" || fail "no recording"
vm another "$others" 0.3
vm another "$others" 5 &
vm chosen "$mine" 30
wait $!
for _ in 1 2 3 4 5; do
	vm another "$others" 0.2
done
kill -INT "$child"
finish
status_is 0
run "$hvtrace" mrc --dump "$tmp/r.hvt"
status_is 0
[ "$(fills_of "$others")" = 0 ] || fail "$(fills_of "$others") fills of other VMs"
[ "$(fills_of "$mine")" = 1722 ] || fail "$(fills_of "$mine") fills of the VM that was chosen"
