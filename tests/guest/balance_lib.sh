# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Several guests at once, each with a balloon and a QMP socket, and `hvtrace balance`.
#
# Sourced; after serve_lib.sh, if with that.
# shellcheck disable=SC2016 # the guest's shell expands
# shellcheck disable=SC2054 # QEMU's commas
# shellcheck source=lib.sh
declare -F guest_start >/dev/null || . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

declare -A VM_DISK=()

# ---------------------------------------------------------------- guests

# vm_start NAME MIB [QEMU_OPTION...]: MIB is all that its balloon may give it. Without a balloon if
# BALLOON is empty. Its own disk is $DISK, 256 MiB if that is not set; if that is empty, options have one.
vm_start()
{
	local name=$1 mib=$2 size=${DISK-256M} loop disk=() balloon=(-device "${BALLOON-virtio-balloon-pci}")

	[ -n "${BALLOON-yes}" ] || balloon=()
	shift 2
	if [ -n "$size" ]; then
		loop_device loop "$WORK/$name.disk" "$size"
		VM_DISK[$name]=${loop##*/}
		disk=(-drive "file=$loop,format=raw,if=none,id=d0,cache=none,aio=native"
			-device virtio-blk-pci,drive=d0)
	fi
	guest_use "$name"
	monitor_open
	guest_start "$WORK/initramfs" -m "$mib" -name "guest=$name" "${MONITOR[@]}" \
		-qmp "unix:$WORK/$name.qmp,server=on,wait=off" "${disk[@]}" "${balloon[@]}" "$@"
	# Read-ahead by what a scan asks for anyway. A disk's page cache lives as long as
	# somebody has it open.
	guest 'exec 5</dev/vda; echo 64 >/sys/block/vda/queue/read_ahead_kb' || die "no disk in $name"
}

# vm NAME COMMAND: in that guest.
vm()
{
	guest_use "$1"
	shift
	guest "$*"
}

# vm_load NAME WORKLOAD...: over and over, instead of what it did before; nothing: be idle.
vm_load()
{
	local name=$1

	shift
	vm "$name" '[ -z "$load" ] || { kill $load; kill $(pidof workload); wait $load; } 2>/dev/null; load='
	[ $# -eq 0 ] || vm "$name" "while workload $*; do :; done >/dev/null 2>&1 & load=\$!"
}

# ---------------------------------------------------------------- what they have and do

# The MiB that a guest has.
vm_mib()
{
	guest_use "$1"
	monitor "info balloon"
	[[ $REPLY =~ actual=([0-9]+) ]] || die "$1 has no balloon: $REPLY"
	echo "${BASH_REMATCH[1]}"
}

# vm_give NAME MIB: by its balloon, and wait until it is so.
vm_give()
{
	guest_use "$1"
	monitor "balloon $2"
	wait_until 60 "[ \$(vm_mib $1) -eq $2 ]" ||
		die "$1 does not follow its balloon to $2 MiB: $(vm_mib "$1")"
}

# Pages that a VM has read from its disk.
vm_read()
{
	awk '{ printf "%d", $3 / 8 }' "/sys/block/${VM_DISK[$1]}/stat"
}

vms_read()
{
	local name sum=0

	for name in "${!VM_DISK[@]}"; do
		sum=$((sum + $(vm_read "$name")))
	done
	echo $sum
}

# a_second COMMAND: by how much what it prints grows in a second.
a_second()
{
	local before

	before=$("$@")
	sleep 1
	echo $(($("$@") - before))
}

# within SECONDS CONDITION
within()
{
	wait_until "$@" || die "not within time: ${*:2}; $(balance_said)"
}

# ---------------------------------------------------------------- balance

# balance_start OPTION...: in the background; its decisions are in $WORK/log.
balance_start()
{
	rm -f "$WORK/log"
	"$BUILD/hvtrace" balance --log "$WORK/log" --journal "$WORK/journal" "$@" \
		>"$WORK/balance.out" 2>"$WORK/balance.err" </dev/null &
	BALANCE_PID=$!
	defer balance_kill
	wait_until 20 '[ -s "$WORK/log" ] || ! balance_runs'
	[ -s "$WORK/log" ] || die "balance does not start: $(balance_said)"
}

balance_runs()
{
	kill -0 "$BALANCE_PID" 2>/dev/null
}

balance_kill()
{
	[ -n "${BALANCE_PID:-}" ] || return 0
	kill -KILL "$BALANCE_PID" 2>/dev/null
	wait "$BALANCE_PID" 2>/dev/null
	BALANCE_PID=
}

# It has to end well.
balance_stop()
{
	local pid=$BALANCE_PID rc

	BALANCE_PID=
	kill -TERM "$pid" || die "balance is gone: $(balance_said)"
	wait "$pid"
	rc=$?
	[ $rc -eq 0 ] || die "balance ended with status $rc: $(balance_said)"
}

balance_said()
{
	tail -n 40 "$WORK/balance.err"
}

# steps [FILTER]: the decisions that were carried out, as jq sees them.
steps()
{
	jq -c "select(.type == \"step\" and .applied) | ${1:-.}" "$WORK/log"
}

# balance_wait SECONDS CONDITION: while balance runs.
balance_wait()
{
	within "$1" "{ ${*:2}; } || ! balance_runs"
	balance_runs || die "balance ended: $(balance_said)"
}
