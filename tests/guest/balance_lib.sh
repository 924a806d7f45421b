# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Several guests at once, each with a balloon, a QMP socket and a disk of its own, for
# `hvtrace balance`.
#
# Sourced.
# shellcheck disable=SC2034 # for who sources this
# shellcheck disable=SC2016 # the guest's shell expands
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

TOP=$WORK
VIRTIO="virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk"
declare -A VM_PID=() VM_IN=() VM_OUT=() VM_DISK=()

# ---------------------------------------------------------------- guests

# vm_use NAME: what lib.sh does from now on is about this guest.
vm_use()
{
	WORK=$TOP/$1
	GUEST_PID=${VM_PID[$1]:-} GUEST_IN=${VM_IN[$1]:-} GUEST_OUT=${VM_OUT[$1]:-}
}

vm_kill()
{
	[ -n "${VM_PID[$1]:-}" ] || return 0
	kill -KILL "${VM_PID[$1]}" 2>/dev/null
	wait "${VM_PID[$1]}" 2>/dev/null
	unset "VM_PID[$1]"
}

# vm_start NAME MIB [QEMU_OPTION...]: MIB is all that its balloon may give it. Without a balloon if
# BALLOON is empty. Its disk is $DISK, 256 MiB if that is not set.
vm_start()
{
	local name=$1 mib=$2 disk balloon=(-device "${BALLOON-virtio-balloon-pci}")

	[ -n "${BALLOON-yes}" ] || balloon=()
	shift 2
	mkdir -p "$TOP/$name"
	vm_use "$name"
	loop_device disk "$WORK/disk" "${DISK:-256M}"
	VM_DISK[$name]=${disk##*/}
	monitor_open
	guest_start "$TOP/initramfs" -m "$mib" -name "guest=$name" \
		-qmp "unix:$WORK/qmp,server=on,wait=off" \
		-chardev "pipe,id=monitor,path=$WORK/monitor" -mon chardev=monitor \
		-drive "file=$disk,format=raw,if=none,id=d0,cache=none,aio=native" \
		-device virtio-blk-pci,drive=d0 "${balloon[@]}" "$@"
	VM_PID[$name]=$GUEST_PID VM_IN[$name]=$GUEST_IN VM_OUT[$name]=$GUEST_OUT
	defer "vm_kill $name"
	# Read-ahead by what a scan asks for anyway. A disk's page cache lives as long as
	# somebody has it open.
	vm "$name" 'exec 5</dev/vda; echo 64 >/sys/block/vda/queue/read_ahead_kb' || die "no disk in $name"
}

# vm NAME COMMAND: in that guest.
vm()
{
	local name=$1

	shift
	vm_use "$name"
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

monitor_open()
{
	rm -f "$WORK"/monitor.{in,out}
	mkfifo "$WORK"/monitor.{in,out} || die "no FIFOs"
	exec {MONITOR_IN}<>"$WORK/monitor.in" {MONITOR_OUT}<>"$WORK/monitor.out"
	eval "MONITOR_IN_${WORK##*/}=$MONITOR_IN MONITOR_OUT_${WORK##*/}=$MONITOR_OUT"
}

# monitor NAME COMMAND: REPLY is what QEMU says to it.
monitor()
{
	local in=MONITOR_IN_$1 out=MONITOR_OUT_$1 line

	printf '%s\n' "$2" 'info name' >&"${!in}"
	REPLY=
	while IFS= read -r -t 60 -u "${!out}" line; do
		REPLY+=$line$'\n'
		[[ $line != *"info name"* ]] || return 0
	done
	die "QEMU's monitor does not answer $2: $REPLY"
}

# The MiB that a guest has.
vm_mib()
{
	monitor "$1" "info balloon"
	[[ $REPLY =~ actual=([0-9]+) ]] || die "$1 has no balloon: $REPLY"
	echo "${BASH_REMATCH[1]}"
}

# vm_give NAME MIB: by its balloon, and wait until it is so.
vm_give()
{
	local n

	monitor "$1" "balloon $2"
	for ((n = 0; n < 300; n++)); do
		[ "$(vm_mib "$1")" -ne "$2" ] || return 0
		sleep 0.1
	done
	die "$1 does not follow its balloon to $2 MiB: $(vm_mib "$1")"
}

# Pages that all VMs have read from their disks.
vms_read()
{
	local name sum=0

	for name in "${!VM_DISK[@]}"; do
		sum=$((sum + $(awk '{ printf "%d", $3 / 8 }' "/sys/block/${VM_DISK[$name]}/stat")))
	done
	echo $sum
}

# ---------------------------------------------------------------- balance

# balance_start OPTION...: in the background; its decisions are in $TOP/log.
balance_start()
{
	rm -f "$TOP/log"
	"$BUILD/hvtrace" balance --log "$TOP/log" --journal "$TOP/journal" "$@" \
		>"$TOP/balance.out" 2>"$TOP/balance.err" </dev/null &
	BALANCE_PID=$!
	defer balance_kill
	for _ in {1..200}; do
		[ ! -s "$TOP/log" ] || return 0
		kill -0 $BALANCE_PID 2>/dev/null || break
		sleep 0.1
	done
	die "balance does not start: $(balance_said)"
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
	tail -n 40 "$TOP/balance.err"
}

# steps [FILTER]: the decisions that were carried out, as jq sees them.
steps()
{
	jq -c "select(.type == \"step\" and .applied) | ${1:-.}" "$TOP/log"
}

# balance_wait SECONDS CONDITION: until the shell says so.
balance_wait()
{
	local end=$((SECONDS + $1))

	shift
	until eval "$*"; do
		[ $SECONDS -lt $end ] || die "not within time: $*; $(balance_said)"
		kill -0 "$BALANCE_PID" 2>/dev/null || die "balance ended: $(balance_said)"
		sleep 0.5
	done
}
