#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Without a VM, live says so once and waits; signals end it in order. The VM that is waited for is
# one that nobody has, so that VMs of this host do not matter.
. "$(dirname "$0")/lib.sh"
need_root

said_waiting()
{
	grep -q 'no VM seen yet, waiting' "$tmp/err" && grep -q 'no VM seen yet, waiting' "$tmp/out"
}

printed_more_than()
{
	[ "$(wc -l <"$tmp/out")" -gt "$1" ]
}

for signal in INT TERM; do
	spawn "$hvtrace" live -i 0.2 --vm "nobody's $$"
	wait_until 20 said_waiting || fail "live does not say that it waits"
	# It goes on for more than a table.
	tables=$(wc -l <"$tmp/out")
	wait_until 20 printed_more_than "$tables" || fail "live stopped printing tables"
	kill -0 "$child" || fail "live did not wait"
	kill -$signal "$child"
	finish
	status_is 0
	[ "$(grep -c 'no VM seen yet' "$tmp/err")" = 1 ] || fail "said more than once"
done

# Quiet is quiet, the status line stays.
run "$hvtrace" live -q -d 1 -i 0.3 --vm "nobody's $$"
status_is 0
err_lines 0
out_has 'no VM seen yet, waiting'

# -c counts tables; the first one comes early.
run "$hvtrace" live -q -c 2 -i 0.3 --vm "nobody's $$"
status_is 0
[ "$(grep -c 'no VM seen yet' "$tmp/out")" -ge 2 ] || fail "fewer tables than asked for"

# A recording of nothing is whole, and can be analysed.
run "$hvtrace" record -o "$tmp/empty.hvt" -d 0.6 --vm "nobody's $$"
status_is 0
err_has '0 events'
run "$hvtrace" mrc "$tmp/empty.hvt"
status_is 0
out_has '^0 events'

# On a terminal the table is drawn in place, each time from the top; the end is not.
run script -qec "'$hvtrace' live -q -d 1 -i 0.3 --vm none" /dev/null
status_is 0
[ "$(grep -c $'\033\[H\033\[J' "$tmp/out")" -ge 2 ] || fail "the table is not redrawn"
! tail -n 2 "$tmp/out" | grep -q $'\033' || fail "the end is drawn in place"
[ "$(grep -c '^.*VM  *PID' "$tmp/out")" -ge 2 ] || fail "the heading is not redrawn"
