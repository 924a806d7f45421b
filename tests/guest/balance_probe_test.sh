#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A probe: part of a guest's memory becomes part of its served cache. Its storage is read no more than
# that costs, its curve shows below today's size, and all is put back, even if it is killed.
# shellcheck source=serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"

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

mib_now()
{
	monitor "info balloon"
	[[ $REPLY =~ actual=([0-9]+) ]] || die "no balloon: $REPLY"
	echo "${BASH_REMATCH[1]}"
}

is_back()
{
	local n

	for ((n = 0; n < 100; n++)); do
		[ "$(mib_now)" -ne $MEMORY ] || break
		sleep 0.2
	done
	[ "$(mib_now)" -eq $MEMORY ] || die "the guest has $(mib_now) MiB, not $MEMORY"
	ctl vms | jq -e '.vms[0] | .min_bytes == 1048576 and .max_bytes == 0 and .share == 70' >/dev/null ||
		die "the cache is not set as it was: $(ctl vms | jq -c ".vms[0]"); $(cat "$WORK/said")"
}

# The ratio of misses with so many MiB more than the probe left.
ratio()
{
	awk -F, -v size=$(($1 << 20)) 'NR > 1 && $5 <= size { r = $8 } END { print r }' "$WORK/curve.csv"
}

BALANCE=("$BUILD/hvtrace" balance --apply --journal "$WORK/journal"
	"web,qmp=$WORK/qmp,serve=$WORK/server.control,disk=disk")
serve_start ${CACHE}MiB --disk "disk,path=$WORK/disk,socket=$WORK/disk.sock,min=1MiB,share=70"
guest_memory $MEMORY
DISKS=()
served_disk "$WORK/disk.sock" num-queues=1
monitor_open
guest_start "$WORK/initramfs" "${QEMU_MEMORY[@]}" "${DISKS[@]}" "${MONITOR[@]}" -name guest=web \
	-device virtio-balloon-pci -qmp "unix:$WORK/qmp,server=on,wait=off"
guest "exec 5</dev/vda; echo 64 >/sys/block/vda/queue/read_ahead_kb; workload scan /dev/vda 0 $PAGES 3" ||
	die "no disk in the guest"
guest "paced loop /dev/vda 0 $PAGES 3000 600 1 >/dev/null 2>&1 & :"
before=$(counter disk misses) || exit 1

"${BALANCE[@]}" --probe web=${PROBE}MiB --step 8MiB -i 4s --half-life 4s --csv "$WORK/curve.csv" --log "$WORK/log" \
	2>"$WORK/said" || die "the probe failed: $(cat "$WORK/said")"
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
"${BALANCE[@]}" --probe web=${PROBE}MiB --step 8MiB -i 1s --half-life 1s --log "$WORK/log2" 2>"$WORK/said" &
pid=$!
defer "kill -KILL $pid 2>/dev/null"
for ((n = 0; n < 150; n++)); do
	! grep -q '"shrink"' "$WORK/log2" 2>/dev/null || break
	sleep 0.1
done
sleep 0.5
kill -KILL $pid || die "the probe ended: $(cat "$WORK/said")"
wait $pid
is_back
[ ! -e "$WORK/journal" ] || die "the journal is still there"

# Too large a probe is refused before anything moves.
"${BALANCE[@]}" --probe web=128MiB 2>"$WORK/said" && die "a probe left the guest nothing"
grep -q "less than its min" "$WORK/said" || die "no reason: $(cat "$WORK/said")"
is_back
guest_kill
serve_stop
