#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One guest, one run of a workload: point.sh WORKLOAD KIND MIB. Leaves in $RESULTS/WORKLOAD what it
# found; a file NAME.reads has the pages that were read from storage meanwhile, the seconds it took,
# and the guest's MemTotal in KiB.
#
#   measure  the guest alone, its disk a loop device (cache=none): measure-MIB.reads
#   predict  the same guest and disk under two `hvtrace record`, of all pages and of one in 64:
#            predict.reads, and curves of both, by eviction and by access: ORDER-RATE.csv
#   serve    its disk served by `hvtrace serve` with no cache: serve.reads, serve.csv
# shellcheck source=bench/eval/lib.sh
. "$(dirname "$0")/lib.sh"

RATES="1 64"
[ $# -eq 3 ] || die "usage: point.sh WORKLOAD measure|predict|serve MIB"
[[ $2 =~ ^(measure|predict|serve)$ ]] || die "no such kind: $2; there are: measure predict serve"
[[ $3 =~ ^[1-9][0-9]*$ ]] || die "the guest's memory is a number of MiB, not $3"
WORKLOAD=$1 KIND=$2 MIB=$3
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
	install -m 755 "$EVAL"/workloads/* "$WORK/mnt/eval"
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
	local before began total

	before=$(pages_read) began=$EPOCHREALTIME
	guest "chroot /mnt /eval/$WORKLOAD && sync" >"$WORK/said" ||
		die "$WORKLOAD in the guest: $(tail -n 20 "$WORK/said")"
	total=$(guest "awk '/MemTotal/ { print \$2 }' /proc/meminfo")
	awk -v reads=$(($(pages_read) - before)) -v a="$began" -v b="$EPOCHREALTIME" \
		-v total="$total" 'BEGIN { printf "%d %.2f %d\n", reads, b - a, total }' >"$OUT/$1.reads"
}

# ---------------------------------------------------------------- curves

# The sizes that are measured, and a fine row for the pictures, in pages.
sizes()
{
	local more i

	for more in $MORE; do
		echo "$((BASE * 256 * more / 100))p"
	done | paste -s -d ,
	for ((i = 1; i <= 100; i++)); do
		echo "$((BASE * 256 * 2 * i / 100))p"
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
}

kind_predict()
{
	boot_plain
	record_start
	run predict
	record_stop
	curves
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
}

RECORDERS=()
need qemu-system-x86_64 busybox cpio losetup
need_built hvtrace tests/guest/workload
find_kernel
mkdir -p "$OUT"
disk_copy
"kind_$KIND"
