#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Memory moves between Linux guests with balloons: to the one that has a use for it, back when the
# load changes; within the bounds, at all times; and whatever breaks, things end as they were.
# shellcheck disable=SC2016 # conditions are for eval
# shellcheck source=balance_lib.sh
. "$(dirname "$0")/balance_lib.sh"

# MiB: what a guest can have, has at first, and may be left with; and what it reads over and over,
# which fits into the memory of two only.
MOST=176
FIRST=112
LEAST=72
LOOP=80
OPTIONS=(-i 1500ms --step 8MiB --half-life 4s --remember 10s --patience 4s)

need qemu-system-x86_64 busybox cpio losetup jq
need_built hvtrace tests/guest/workload
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO virtio_balloon" "" "$BUILD/tests/guest/workload"

say()
{
	echo "== $(date +%T) $*"
}

has_at_most()
{
	[ "$(vm_mib "$1")" -le "$2" ]
}

as_first()
{
	[ "$(vm_mib a)" -eq $FIRST ] && [ "$(vm_mib b)" -eq $FIRST ]
}

# What was read back never was more than the budget, nor beyond a VM's bounds; steps are bounded.
check_bounds()
{
	jq -se --argjson budget $((2 * FIRST << 20)) --argjson least $((LEAST << 20)) \
		--argjson most $((MOST << 20)) --argjson step $((8 << 20)) '
		map(select(.type == "plan")) as $plans |
		map(select(.type == "step")) as $steps |
		($plans | length > 3) and
		($plans | all(.held_bytes <= $budget)) and
		([$plans[].vms[]] | all(.now_bytes >= $least and .now_bytes <= $most)) and
		($steps | map(select(.action == "take" or .action == "give")) |
			all((.from_bytes - .to_bytes | fabs) <= $step)) and
		($steps | all(.reason != "" and .applied))' "$WORK/log" >/dev/null ||
		die "bounds were not held: $(cut -c 1-200 "$WORK/log")"
}

balance_two()
{
	balance_start "${OPTIONS[@]}" "$@" "a,qmp=$WORK/a.qmp,min=${LEAST}MiB" \
		"b,qmp=$WORK/b.qmp,min=${LEAST}MiB"
}

gone_down()
{
	[ -n "$(steps 'select(.action == "take") | .vm')" ]
}

# ---------------------------------------------------------------- cases, one after the other

dry_run()
{
	say "a dry run changes nothing"
	balance_two
	balance_wait 30 'grep -q "\"action\":\"take\"" "$WORK/log"'
	[ -z "$(steps)" ] || die "a dry run did something: $(steps)"
	as_first || die "a dry run moved memory"
	balance_stop
	[ ! -e "$WORK/journal" ] || die "a dry run left a journal"
}

follows()
{
	local before after

	before=$(a_second vms_read)
	[ "$before" -gt 2000 ] || die "the load reads nothing: $before pages a second"
	say "b reads $LOOP MiB over and over, $before pages a second from its disk"
	balance_two --apply
	# On a busy host no reads are no proof that there is memory.
	balance_wait 60 'has_at_most a $((FIRST - 8)) && [ $(a_second vms_read) -lt '$((before / 10))' ]'
	say "a has $(vm_mib a), b $(vm_mib b) MiB; now a reads, and b does nothing"
	vm_load b
	vm_load a scan /dev/vda 0 $((LOOP * 256)) 1
	sleep 2
	balance_wait 58 '! has_at_most a $FIRST && [ $(a_second vms_read) -lt '$((before / 10))' ]'
	after=$(vm_mib a)
	[ -n "$(steps 'select(.action == "give back" and .vm == "a")')" ] ||
		die "a missed more than it was promised, and the guard did not see it: $(steps .reason)"
	say "a has $after, b $(vm_mib b) MiB"
	balance_stop
	within 20 as_first
	[ ! -e "$WORK/journal" ] || die "the journal is still there"
	check_bounds
}

# Memory that moved goes back though nobody is left to say so.
killed()
{
	say "killed, its watchman puts back"
	balance_two --apply
	balance_wait 30 'gone_down && ! as_first'
	balance_kill
	within 20 as_first
	within 5 '[ ! -e "$WORK/journal" ]'
}

killed_with_watchman()
{
	local watchman

	say "killed with its watchman, --restore puts back"
	balance_two --apply
	balance_wait 30 'gone_down && has_at_most b $((FIRST - 4))'
	watchman=$(ps -o pid= --ppid "$BALANCE_PID" | xargs)
	kill -KILL "$watchman"
	balance_kill
	sleep 2
	has_at_most b $((FIRST - 4)) || die "somebody else put it back"
	[ -e "$WORK/journal" ] || die "there is no journal"
	"$BUILD/hvtrace" balance --restore --journal "$WORK/journal" 2>"$WORK/balance.err" ||
		die "--restore failed: $(balance_said)"
	within 20 as_first
	[ ! -e "$WORK/journal" ] || die "the journal is still there"
}

kept()
{
	say "--on-exit keep leaves it as it is"
	balance_two --apply --on-exit keep
	balance_wait 30 'gone_down && has_at_most b $((FIRST - 4))'
	balance_stop
	sleep 1
	has_at_most b $((FIRST - 4)) || die "it was put back"
	vm_give a $FIRST
	vm_give b $FIRST
}

# The QMP socket speaks to one at a time, so a second balance would only wait; it says so at once.
second_balance()
{
	say "one balance at a time"
	balance_two --apply
	"$BUILD/hvtrace" balance --apply --journal "$WORK/journal" "a,qmp=$WORK/a.qmp" 2>"$WORK/second"
	[ $? -eq 1 ] || die "a second balance began"
	grep -q "another balance" "$WORK/second" || die "no reason: $(cat "$WORK/second")"
	balance_stop
	within 20 as_first
}

# A guest whose driver is gone has all its memory, whatever it is told.
deaf()
{
	say "a guest that does not follow is noticed"
	vm_load a
	vm b 'rmmod virtio_balloon' || die "no rmmod"
	vm_load a scan /dev/vda 0 $((LOOP * 256)) 1
	balance_start "${OPTIONS[@]}" --apply "a,qmp=$WORK/a.qmp" "b,qmp=$WORK/b.qmp"
	balance_wait 40 '[ -n "$(steps "select(.action == \"release\" and .vm == \"b\")")" ]'
	grep -q "b: release.*does not follow" "$WORK/balance.err" || die "it was not said: $(balance_said)"
	[ "$(jq -s 'map(select(.type == "plan").held_bytes) | max' "$WORK/log")" -le \
		"$(jq -s 'map(select(.type == "start"))[0].budget_bytes' "$WORK/log")" ] ||
		die "what b did not give was given away"
	balance_stop
	vm b 'insmod /modules/virtio_balloon.ko' || die "no insmod"
	vm_give b $FIRST
	within 20 as_first
}

# memory_group: GROUP is a new memory cgroup and LIMIT the file of its limit, or both are empty.
memory_group()
{
	local root

	for root in /sys/fs/cgroup/memory /sys/fs/cgroup; do
		GROUP=$root/hvtrace-balance.$$
		mkdir "$GROUP" 2>/dev/null || continue
		for LIMIT in memory.high memory.soft_limit_in_bytes; do
			[ ! -e "$GROUP/$LIMIT" ] || return 0
		done
		rmdir "$GROUP"
	done
	GROUP='' LIMIT=''
}

# A limit that cannot be written to, while it can be read: the step is refused, once, and others go on.
refused()
{
	local sleeper

	say "a refused step is said, and not tried again at once"
	memory_group
	if [ -z "$GROUP" ]; then
		say "left out: no memory cgroup can be made here"
		return
	fi
	defer "rmdir '$GROUP'"
	sleep 600 &
	sleeper=$!
	defer "kill $sleeper; wait $sleeper 2>/dev/null"
	echo $sleeper >"$GROUP/cgroup.procs" || die "no process can enter $GROUP"
	echo 64M >"$GROUP/$LIMIT" || die "no limit for $GROUP"
	mkdir "$WORK/group"
	mount --bind "$GROUP" "$WORK/group" || die "no mount"
	defer "umount '$WORK/group'"
	mount -o remount,bind,ro "$WORK/group" || die "no read-only mount"
	balance_start "${OPTIONS[@]}" --apply "a,qmp=$WORK/a.qmp" "c,cgroup=$WORK/group,min=16MiB"
	balance_wait 60 'grep -q "c: take.*failed: .*Read-only" "$WORK/balance.err"'
	sleep 5
	[ "$(grep -c '"vm":"c","action":"take".*Read-only' "$WORK/log")" -eq 1 ] || die "it is tried again and again"
	[ -z "$(steps 'select(.action == "give")')" ] || die "what was not given was given away: $(steps)"
	balance_stop
	within 20 '[ $(vm_mib a) -eq '$FIRST' ]'
}

# VMs without a balloon, that end, whose balloon is unplugged: the others go on.
broken()
{
	local rc

	say "no balloon: said, and the others go on"
	BALLOON='' vm_start c 96
	"$BUILD/hvtrace" balance "c,qmp=$WORK/c.qmp" 2>"$WORK/alone"
	rc=$?
	[ $rc -eq 1 ] || die "balance of a VM without a balloon ended with $rc"
	grep -q "c: .*no balloon.*virtio-balloon-pci" "$WORK/alone" || die "no reason: $(cat "$WORK/alone")"
	[ "$(wc -l <"$WORK/alone")" -eq 1 ] || die "more than one line: $(cat "$WORK/alone")"
	balance_start "${OPTIONS[@]}" --apply "a,qmp=$WORK/a.qmp" "b,qmp=$WORK/b.qmp" \
		"c,qmp=$WORK/c.qmp"
	balance_wait 60 'gone_down'
	grep -q "c: .*left out" "$WORK/balance.err" || die "it was not said that c is left out"
	say "a VM that ends: its socket is gone, balance is not"
	guest_use b
	guest_kill
	balance_wait 20 'jq -e "select(.type == \"vm\" and .vm == \"b\" and .reachable == false)" "$WORK/log" >/dev/null'
	sleep 2
	balance_stop
	[ ! -e "$WORK/journal" ] || die "the journal is still there"
	within 20 '[ $(vm_mib a) -eq '$FIRST' ]'
}

vm_start a $MOST
vm_start b $MOST
vm_give a $FIRST
vm_give b $FIRST
vm_load b scan /dev/vda 0 $((LOOP * 256)) 1
dry_run
follows
# a reads by now.
killed
killed_with_watchman
kept
second_balance
deaf
refused
broken
say "done"
