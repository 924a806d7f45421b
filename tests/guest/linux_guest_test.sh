#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# An unmodified Linux guest on an unmodified disk (cache=none), with every kind of guest
# memory: hvtrace's fills, evictions, refaults and miss curve against the guest's own
# view, which tests/guest/compare.c defines.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

GUEST_MIB=256
DISK=300M
# Of the disk, in pages: more than the guest's page cache holds.
REGION=61440
RECALL=0.95
CURVE_ERROR=0.03

need qemu-system-x86_64 busybox cpio losetup mke2fs
need_built hvtrace tests/guest/workload tests/guest/compare
find_kernel
initramfs "$WORK/initramfs" "virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev \
	virtio_pci virtio_blk virtio_balloon" "" "$BUILD/tests/guest/workload"

# ---------------------------------------------------------------- huge pages

# Others may use huge pages, too: as many as were added go away again.
huge_pages_give_back()
{
	local now

	now=$(cat /proc/sys/vm/nr_hugepages)
	echo $((now > $1 ? now - $1 : 0)) >/proc/sys/vm/nr_hugepages
}

huge_pages_take()
{
	local want=$((GUEST_MIB / 2)) before after

	before=$(cat /proc/sys/vm/nr_hugepages) || return 1
	echo $((before + want)) >/proc/sys/vm/nr_hugepages
	after=$(cat /proc/sys/vm/nr_hugepages)
	defer "huge_pages_give_back $((after - before))"
	[ $((after - before)) -eq $want ]
}

# MiB of the guest's memory that huge pages back: transparent ones, hugetlb.
huge_mib()
{
	awk -v size=$((GUEST_MIB * 1024)) '
		$1 == "Size:" { ram = $2 == size }
		ram && $1 == "AnonHugePages:" { thp += $2 }
		ram && $1 ~ /^(Shared|Private)_Hugetlb:$/ { hugetlb += $2 }
		END { print int(thp / 1024), int(hugetlb / 1024) }' "/proc/$GUEST_PID/smaps"
}

# The case has the memory that its name says.
check_memory()
{
	local thp hugetlb half=$((GUEST_MIB / 2))

	read -r thp hugetlb < <(huge_mib)
	echo "memory on huge pages: $thp MiB transparent, $hugetlb MiB hugetlb"
	case $1 in
	*-thp) [ "$thp" -ge $half ] || die "no transparent huge pages" ;;
	*-hugetlb) [ "$hugetlb" -ge $half ] || die "no hugetlb pages" ;;
	*) [ $((thp + hugetlb)) -eq 0 ] || die "huge pages where there should be none" ;;
	esac
}

# ---------------------------------------------------------------- tracing

record_start()
{
	rm -f "$WORK/recording"
	# By name, too: other VMs may be at work on this host.
	"$BUILD/hvtrace" record --sample 1/1 -p "$GUEST_PID" --vm "$1" -o "$WORK/recording" \
		2>"$WORK/record" &
	RECORD_PID=$!
	defer record_kill
	# It opens its file when it has attached.
	for _ in {1..100}; do
		[ -e "$WORK/recording" ] && return
		sleep 0.1
	done
	die "hvtrace record does not start: $(cat "$WORK/record")"
}

record_kill()
{
	[ -z "${RECORD_PID:-}" ] || kill -KILL "$RECORD_PID" 2>/dev/null
}

record_stop()
{
	kill -TERM "$RECORD_PID"
	wait "$RECORD_PID" || die "hvtrace record: $(cat "$WORK/record")"
	RECORD_PID=
	cat "$WORK/record"
}

# ---------------------------------------------------------------- the guest's part

# The guest's own trace of its page cache: of the disk and of one file on it, if any.
# shellcheck disable=SC2016 # the guest's shell expands
guest_trace_start()
{
	guest 'mount -t tracefs none /sys/kernel/tracing; cd /sys/kernel/tracing' || die "no tracefs"
	guest "dev=\$((\$(stat -c 0x%t /dev/vda) << 20)); file=\$(stat -c %i $1);" \
		'f="i_ino == $dev || (s_dev == $dev && i_ino == $file)"; d=events/filemap/mm_filemap;' \
		'echo 24000 >buffer_size_kb && for e in add_to delete_from; do' \
		'echo "$f" >${d}_${e}_page_cache/filter && echo 1 >${d}_${e}_page_cache/enable; done' ||
		die "no trace in the guest"
}

guest_sectors()
{
	guest "awk '\$3 == \"vda\" { print \"sectors $1\", \$6, \$10 }' /proc/diskstats"
}

# More than fits, in order and at random; some of it written; then a smaller set of pages,
# most of which fit. A cache dropped at once is the worst for recall: its frames lie unused.
guest_work()
{
	local drop=:

	[ "$2" != drop ] || drop="echo 1 >/proc/sys/vm/drop_caches"
	guest "workload scan $1 0 $REGION 2 && workload random $1 0 $REGION 15000 1 &&" \
		"workload write $1 0 $REGION 6000 2 && sync && $drop &&" \
		"workload scan $1 5000 $((REGION / 2)) 2 &&" \
		"workload random $1 0 $((REGION * 3 / 4)) 15000 3 && sync" || die "the guest's work"
}

# Not a part of the traced period: through a second disk, since serial lines are slow.
guest_trace_stop()
{
	local stats

	stats=$(guest 'echo 0 >tracing_on; cat per_cpu/cpu0/stats; cat trace >/dev/vdb; sync')
	[[ $stats == *"overrun: 0"* ]] || die "the guest's trace is not whole: $stats"
	cat "$TRACE_DEVICE" >>"$WORK/guest"
}

# File systems: the work is on a file, whose place on the disk the guest tells. A bare disk
# is held open: with its last user its whole page cache would go (block/bdev.c: kill_bdev()).
guest_prepare()
{
	if [ "$1" = /dev/vda ]; then
		guest "exec 5</dev/vda" || die "no disk in the guest"
		return
	fi
	guest "mount -t ext4 -o noatime /dev/vda /mnt &&" \
		"dd if=/dev/zero of=$1 bs=1M count=$((REGION / 256)) 2>/dev/null && sync &&" \
		"echo 3 >/proc/sys/vm/drop_caches" || die "no file system in the guest"
}

# ---------------------------------------------------------------- a case

compare()
{
	"$BUILD/hvtrace" mrc --dump "$WORK/recording" >"$WORK/dump" || die "no dump"
	[ -z "${KEEP:-}" ] || cp "$WORK"/{guest,dump,recording} "$KEEP" # to look at a difference
	"$BUILD/hvtrace" mrc --sizes 16MiB,32MiB,48MiB,64MiB,96MiB,128MiB,192MiB,256MiB \
		--csv - "$WORK/recording" | grep "^$1," >"$WORK/curve" || die "no curve"
	"$BUILD/tests/guest/compare" "$WORK/guest" "${DISK_DEVICE##*/}" "$WORK/dump" \
		"$WORK/curve" "$RECALL" "$CURVE_ERROR"
}

make_disk()
{
	loop_device DISK_DEVICE "$WORK/disk" $DISK
	[ "$1" = /dev/vda ] && return
	# Whole pages on whole pages, and no initialisation behind the test's back.
	mke2fs -q -t ext4 -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$DISK_DEVICE" ||
		die "no file system on $DISK_DEVICE"
}

# trace_guest NAME AIO WORKED_ON MEMORY_BACKEND. RECALL and CURVE_ERROR are the limits,
# DROP=drop drops the guest's page cache in between.
trace_guest()
{
	local on=$3

	echo "== $1, aio=$2, $3"
	make_disk "$on"
	loop_device TRACE_DEVICE "$WORK/trace" 100M
	guest_start "$WORK/initramfs" -m $GUEST_MIB -machine pc,memory-backend=ram \
		-object "$4,id=ram,size=${GUEST_MIB}M" -name "guest=$1" \
		-drive "file=$DISK_DEVICE,format=raw,if=none,id=d0,cache=none,aio=$2" \
		-device virtio-blk-pci,drive=d0 \
		-drive "file=$TRACE_DEVICE,format=raw,if=none,id=d1,cache=none" \
		-device virtio-blk-pci,drive=d1 -device virtio-balloon-pci
	guest_prepare "$on"
	{
		guest "workload extents $on"
		[ "$on" = /dev/vda ] || guest "workload extents /dev/vda"
	} >"$WORK/guest"
	guest_trace_start "$on"
	record_start "$1"
	guest_sectors before >>"$WORK/guest"
	guest_work "$on" "${DROP:-}"
	guest_sectors after >>"$WORK/guest"
	record_stop
	check_memory "$1"
	guest_trace_stop
	guest_kill
	compare "$1"
}

case_thp()
{
	if grep -q '\[never\]' /sys/kernel/mm/transparent_hugepage/enabled; then
		echo "== anonymous-thp: left out, this host has transparent huge pages off"
		return
	fi
	trace_guest anonymous-thp threads /dev/vda memory-backend-ram
}

case_small()
{
	QEMU_PREFIX="$BUILD/tests/guest/workload nothp" \
		trace_guest anonymous native /dev/vda memory-backend-ram
}

case_memfd()
{
	trace_guest memfd threads /mnt/file memory-backend-memfd,share=on
}

case_hugetlb()
{
	if ! huge_pages_take; then
		echo "== memfd-hugetlb: left out, no $GUEST_MIB MiB of huge pages to be had"
		return
	fi
	# Seen late, dropped pages look as if they were never evicted: such a curve is better
	# than the guest's own. More memory would not have kept them, either.
	DROP=drop RECALL=0.8 CURVE_ERROR=1 \
		trace_guest memfd-hugetlb io_uring /dev/vda memory-backend-memfd,share=on,hugetlb=on
}

cases "thp small memfd hugetlb" "$@"
