#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A probe: part of a guest's memory becomes part of its served cache. Its storage is read no more than
# that costs, its curve shows below today's size, and all is put back, even if it is killed.
# shellcheck disable=SC2016 # conditions are for eval
# shellcheck source=serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"
# shellcheck source=balance_lib.sh
. "$(dirname "$0")/balance_lib.sh"

MEMORY=152
PROBE=24
# What the guest reads over and over: it fits into its page cache, but not when the probe is on.
PAGES=$((70 * 256))
CACHE=64

need qemu-system-x86_64 busybox cpio jq
need_built hvtrace tests/guest/workload tests/guest/paced
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO virtio_balloon" "" "$BUILD/tests/guest/workload" "$BUILD/tests/guest/paced"
image disk 128M

is_back()
{
	wait_until 20 "[ \$(vm_mib web) -eq $MEMORY ]" || die "the guest has $(vm_mib web) MiB, not $MEMORY"
	ctl vms | jq -e '.vms[0] | .min_bytes == 1048576 and .max_bytes == 0 and .share == 70' >/dev/null ||
		die "the cache is not set as it was: $(ctl vms | jq -c ".vms[0]"); $(balance_said)"
}

# The ratio of misses with so many MiB more than the probe left.
ratio()
{
	awk -F, -v size=$(($1 << 20)) 'NR > 1 && $5 <= size { r = $8 } END { print r }' "$WORK/curve.csv"
}

# probe MIB OPTION...: what it says is in $WORK/balance.err.
probe()
{
	"$BUILD/hvtrace" balance --journal "$WORK/journal" --probe "web=$1MiB" "${@:2}" "${WEB[@]}" 2>"$WORK/balance.err"
}

WEB=(--apply --step 8MiB "web,qmp=$WORK/web.qmp,serve=$WORK/server.control,disk=disk")
serve_start ${CACHE}MiB --disk "disk,path=$WORK/disk,socket=$WORK/disk.sock,min=1MiB,share=70"
guest_memory $MEMORY
DISKS=()
served_disk "$WORK/disk.sock" num-queues=1
DISK='' vm_start web $MEMORY "${QEMU_MEMORY[@]}" "${DISKS[@]}"
guest "workload scan /dev/vda 0 $PAGES 3"
guest "paced loop /dev/vda 0 $PAGES 3000 600 1 >/dev/null 2>&1 & :"
before=$(counter disk misses) || exit 1

probe $PROBE -i 4s --half-life 4s --csv "$WORK/curve.csv" --log "$WORK/log" ||
	die "the probe failed: $(balance_said)"
read_more=$(($(counter disk misses) - before))
is_back
echo "storage was read for $read_more pages; with $PROBE MiB less $(ratio 0) of the reads that remain miss," \
	"with today's memory $(ratio $((PROBE + 4)))"
[ $read_more -le $((PROBE * 256 * 3 / 2 + 500)) ] || die "the guest paid for the probe: $read_more pages"
[ "$(jq -s 'map(select(.action == "shrink")) | length' "$WORK/log")" -eq 3 ] || die "no three steps: $(cat "$WORK/log")"
jq -se 'any(.action == "watch")' "$WORK/log" >/dev/null || die "nothing was watched: $(cat "$WORK/log")"
awk -v a="$(ratio 0)" -v b="$(ratio $((PROBE + 4)))" 'BEGIN { exit !(a > 0.9 && b < 0.1) }' ||
	die "the curve does not show what the memory is for: $(cat "$WORK/curve.csv")"

# Killed half way: its watchman puts both back.
balance_start --probe web=${PROBE}MiB -i 1s --half-life 1s "${WEB[@]}"
balance_wait 15 'grep -q "\"shrink\"" "$WORK/log"'
sleep 0.5
balance_runs || die "the probe ended: $(balance_said)"
balance_kill
is_back
within 5 '[ ! -e "$WORK/journal" ]'

# Too large a probe is refused before anything moves.
! probe 128 || die "a probe left the guest nothing"
grep -q "less than its min" "$WORK/balance.err" || die "no reason: $(balance_said)"
is_back
guest_kill
serve_stop
