#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One guest, one run of a workload: point.sh WORKLOAD KIND MIB [N]. Leaves in $RESULTS/WORKLOAD what
# it found; a file NAME.reads has the pages that were read from storage meanwhile, the seconds it
# took, the guest's MemTotal in KiB, and the day.
#
#   measure  the guest alone, its disk a loop device (cache=none): measure-MIB.reads
#   predict  the same guest and disk under two `hvtrace record`, of all pages and of one in 64:
#            predict.reads, and curves of both, by eviction and by access: ORDER-RATE.csv
#   serve    its disk served by `hvtrace serve` with no cache: serve.reads, serve.csv
#   infer    evictions as hvtrace infers them against the guest's own trace of its page cache
#            (tests/guest/compare.c has what is counted): infer.reads, infer
#   alone, default, full
#            for the time it takes: without hvtrace, under `hvtrace live`, and with every page
#            traced; the Nth of each: alone-N.reads and so on
# shellcheck source=bench/eval/lib.sh
. "$(dirname "$0")/lib.sh"

RATES="1 64"
KINDS="measure predict serve infer alone default full"
# Of the guest's trace: this much of its memory holds it, and such a disk takes it.
TRACE_MIB=64 TRACE_DISK=400M
[ $# -eq 3 ] || [ $# -eq 4 ] || die "usage: point.sh WORKLOAD KIND MIB [N]"
[[ " $KINDS " == *" $2 "* ]] || die "no such kind: $2; there are: $KINDS"
[[ $3 =~ ^[1-9][0-9]*$ ]] || die "the guest's memory is a number of MiB, not $3"
WORKLOAD=$1 KIND=$2 MIB=$3 N=${4:-1}
OUT=$RESULTS/$WORKLOAD
BASE=$(memory_of "$WORKLOAD") || exit 1

# ---------------------------------------------------------------- the disk

# Every run begins with the same bytes, in memory: storage is never what is waited for.
disk_copy()
{
	local image

	image=$CACHE/$(setting "$WORKLOAD" data).img || exit 1

	cp --sparse=always "$image" "$WORK/disk" || die "no room for a copy of $image"
	mkdir "$WORK/mnt"
	mount -o loop "$WORK/disk" "$WORK/mnt" || die "can't mount $image"
	# What is run may be newer than the data.
	install -m 755 "$EVAL"/workloads/* "$WORK/mnt/eval" || die "no room in $image"
	du -sm "$WORK/mnt/data" | cut -f 1 >"$OUT/data"
	umount "$WORK/mnt"
	DISK_DEVICE=$(losetup -f --show "$WORK/disk") || skip "no loop device to be had"
	defer "losetup -d $DISK_DEVICE"
}

pages_read()
{
	awk '{ printf "%d", $3 / 8 }' "/sys/block/${DISK_DEVICE##*/}/stat"
}

# ---------------------------------------------------------------- the guest

boot()
{
	initramfs "$WORK/initramfs" "$VIRTIO" "" "$BUILD/tests/guest/workload"
	guest_start "$WORK/initramfs" "$@" -name "guest=$WORKLOAD"
	guest "mount -t ext4 -o noatime /dev/vda /mnt && cd /mnt &&" \
		"for d in proc sys dev; do mount -o bind /\$d /mnt/\$d; done &&" \
		"mkdir -p dev/shm && for d in run tmp dev/shm; do mount -t tmpfs none \$d; done &&" \
		"chmod 1777 tmp dev/shm && ifconfig lo 127.0.0.1 && sync &&" \
		"echo 3 >/proc/sys/vm/drop_caches" || die "no file system in the guest"
}

boot_plain()
{
	guest_memory "$MIB"
	DISKS=()
	plain_disk "$DISK_DEVICE" cache=none,aio=native
	boot "${QEMU_MEMORY[@]}" "${DISKS[@]}"
}

# run NAME: the workload, from its first page to its last.
run()
{
	local before began ended total

	before=$(pages_read) began=$EPOCHREALTIME
	guest "PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot /mnt /eval/$WORKLOAD && sync" >"$WORK/said" ||
		die "$WORKLOAD in the guest: $(tail -n 20 "$WORK/said")"
	ended=$EPOCHREALTIME
	total=$(guest "awk '/MemTotal/ { print \$2 }' /proc/meminfo")
	awk -v reads=$(($(pages_read) - before)) -v a="$began" -v b="$ended" \
		-v total="$total" -v day="$(date +%F)" 'BEGIN {
			printf "%d %.2f %d %s\n", reads, b - a, total, day }' >"$OUT/$1.reads.part"
}

# What counts is whole: a run that fails leaves nothing.
kept()
{
	mv "$OUT/$1.reads.part" "$OUT/$1.reads"
}

# ---------------------------------------------------------------- curves

# The sizes that are measured, and a fine row for the pictures, in pages. By accesses, the guest's own
# memory is among them.
sizes()
{
	local more i

	for more in $MORE; do
		echo "$((BASE * 256 * more / 100))p"
	done | paste -s -d ,
	for ((i = 1; i <= 150; i++)); do
		echo "$((BASE * 256 * 3 * i / 150))p"
	done | paste -s -d ,
}

record_start()
{
	local rate

	for rate in $RATES; do
		"$BUILD/hvtrace" record --sample "1/$rate" -p "$GUEST_PID" --vm "$WORKLOAD" \
			-o "$WORK/recording-$rate" 2>"$WORK/record-$rate" &
		RECORDERS+=($!)
	done
	defer record_kill
	# It opens its file when it has attached.
	for rate in $RATES; do
		for _ in {1..200}; do
			[ ! -e "$WORK/recording-$rate" ] || continue 2
			sleep 0.1
		done
		die "hvtrace record does not start: $(cat "$WORK/record-$rate")"
	done
}

record_kill()
{
	[ ${#RECORDERS[@]} -eq 0 ] || kill -KILL "${RECORDERS[@]}" 2>/dev/null
}

record_stop()
{
	local pid

	for pid in "${RECORDERS[@]}"; do
		kill -TERM "$pid"
		wait "$pid" || die "hvtrace record: $(cat "$WORK"/record-*)"
	done
	RECORDERS=()
	cat "$WORK"/record-*
}

curves()
{
	local rate order sizes

	sizes=$(sizes | paste -s -d ,)
	for rate in $RATES; do
		for order in eviction access; do
			"$BUILD/hvtrace" mrc --order $order --sizes "$sizes" --csv - \
				"$WORK/recording-$rate" >"$OUT/$order-$rate.csv" || die "no curve"
		done
	done
}

# ---------------------------------------------------------------- kinds

kind_measure()
{
	boot_plain
	run "measure-$MIB"
	kept "measure-$MIB"
}

kind_predict()
{
	boot_plain
	record_start
	run predict
	record_stop
	curves
	kept predict
}

kind_serve()
{
	serve_start 0 --disk "$WORKLOAD,path=$DISK_DEVICE,socket=$WORK/disk.sock,queues=1"
	guest_memory "$MIB"
	DISKS=()
	served_disk "$WORK/disk.sock" num-queues=1
	boot "${QEMU_MEMORY[@]}" "${DISKS[@]}"
	run serve
	ctl curve --sizes "$(sizes | paste -s -d ,)" --csv "$WORKLOAD" >"$OUT/serve.csv" ||
		die "no curve of the server"
	kept serve
}

# ---------------------------------------------------------------- the guest's own trace

# Of all that is on the disk: files, and what the file system keeps of them.
guest_trace_start()
{
	guest "mount -t tracefs none /sys/kernel/tracing; cd /sys/kernel/tracing" || die "no tracefs"
	guest "dev=\$((\$(stat -c 0x%t /dev/vda) << 20)); f=\"i_ino == \$dev || s_dev == \$dev\";" \
		"d=events/filemap/mm_filemap; echo $((TRACE_MIB * 1000)) >buffer_size_kb &&" \
		"for e in add_to delete_from; do echo \"\$f\" >\${d}_\${e}_page_cache/filter &&" \
		"echo 1 >\${d}_\${e}_page_cache/enable; done; echo 3 >/proc/sys/vm/drop_caches" ||
		die "no trace in the guest"
}

guest_sectors()
{
	guest "awk '\$3 == \"vda\" { print \"sectors $1\", \$6, \$10 }' /proc/diskstats"
}

guest_trace_stop()
{
	local stats

	stats=$(guest "cd /sys/kernel/tracing; echo 0 >tracing_on; cat per_cpu/cpu0/stats;" \
		"cat trace >/dev/vdb; cd /; sync")
	[[ $stats == *"overrun: 0"* ]] || die "the guest's trace is not whole: $stats"
	[[ $stats == *"entries: "[1-9]* ]] || die "the guest's trace is empty: $stats"
}

# Where inodes lie, as the disk was left; of the disk itself, as the guest has it.
extents()
{
	mount -o loop,ro,noload "$DISK_DEVICE" "$WORK/mnt" || die "can't mount the guest's disk"
	find "$WORK/mnt" -xdev -type f -size +0 -print0 |
		xargs -0 -n 1 "$BUILD/tests/guest/workload" extents
	umount "$WORK/mnt"
}

kind_infer()
{
	loop_device TRACE_DEVICE "$WORK/trace" $TRACE_DISK
	MIB=$((MIB + TRACE_MIB))
	guest_memory "$MIB"
	DISKS=()
	plain_disk "$DISK_DEVICE" cache=none,aio=native
	plain_disk "$TRACE_DEVICE" cache=none
	boot "${QEMU_MEMORY[@]}" "${DISKS[@]}"
	guest "workload extents /dev/vda" >"$WORK/guest"
	guest_trace_start
	RATES=1
	record_start
	guest_sectors before >>"$WORK/guest"
	run infer
	guest_sectors after >>"$WORK/guest"
	record_stop
	guest_trace_stop
	guest "umount -a -r 2>/dev/null; sync"
	guest_kill
	extents >>"$WORK/guest"
	cat "$TRACE_DEVICE" >>"$WORK/guest"
	judge
	kept infer
}

# Its limits are those of tests, on work that is made for them: here it is only asked.
judge()
{
	"$BUILD/hvtrace" mrc --dump "$WORK/recording-1" >"$WORK/dump" || die "no dump"
	"$BUILD/hvtrace" mrc --sizes 16MiB --csv - "$WORK/recording-1" >"$WORK/curve" ||
		die "no curve"
	"$BUILD/tests/guest/compare" "$WORK/guest" "${DISK_DEVICE##*/}" "$WORK/dump" \
		"$WORK/curve" 0 1 >"$OUT/infer" 2>&1
	grep -q "^refaults:" "$OUT/infer" || die "compare: $(cat "$OUT/infer")"
	cat "$OUT/infer"
}

# ---------------------------------------------------------------- time

live_start()
{
	"$BUILD/hvtrace" live "$@" -p "$GUEST_PID" --vm "$WORKLOAD" --json >"$WORK/live" 2>&1 &
	RECORDERS+=($!)
	defer record_kill
	for _ in {1..200}; do
		! grep -q '"type":"status"' "$WORK/live" || return 0
		sleep 0.1
	done
	die "hvtrace live does not start: $(tail -n 5 "$WORK/live")"
}

live_stop()
{
	local pid

	for pid in "${RECORDERS[@]}"; do
		kill -TERM "$pid"
		wait "$pid" || die "hvtrace live: $(tail -n 5 "$WORK/live")"
	done
	RECORDERS=()
}

kind_alone()
{
	boot_plain
	run "$KIND-$N"
	kept "$KIND-$N"
}

kind_default()
{
	boot_plain
	live_start
	run "$KIND-$N"
	live_stop
	kept "$KIND-$N"
}

kind_full()
{
	boot_plain
	live_start --sample 1/1
	run "$KIND-$N"
	live_stop
	kept "$KIND-$N"
}

RECORDERS=()
need qemu-system-x86_64 busybox cpio losetup
need_built hvtrace tests/guest/workload
find_kernel
mkdir -p "$OUT"
disk_copy
"kind_$KIND"
