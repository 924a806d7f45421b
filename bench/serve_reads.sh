#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The same memory, three ways: how many pages of storage are read for what a Linux guest reads. Needs root.
#
#   bench/serve_reads.sh [FILE]      the table on stdout, and between the markers of FILE (docs/serving.md)
#
# In all of them a guest (QEMU without KVM, Debian's kernel) has a disk by vhost-user-blk, which is a loop device: its counter
# tells what was read, whoever did.
#
#   none        all memory is the guest's; qemu-storage-daemon, direct I/O
#   inclusive   CACHE of it is the host's page cache, limited by a memory cgroup; qemu-storage-daemon, buffered I/O
#   lru, s3fifo CACHE of it is the exclusive cache of hvtrace serve, under that policy
#
# The environment may set TOTAL and CACHE (MiB), WORKLOADS and WAYS.
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/guest/serve_lib.sh
. "$(dirname "$0")/../tests/guest/serve_lib.sh"
# shellcheck source=bench/servers.sh
. "$(dirname "$0")/servers.sh"

TOTAL=${TOTAL:-384}
CACHE=${CACHE:-128}
WORKLOADS=${WORKLOADS:-loop zipf mixed}
WAYS=${WAYS:-none inclusive lru s3fifo}
DISK_MIB=1024
export GUEST_DEADLINE=300
disk=
# ---------------------------------------------------------------- workloads: bench/trace's

# make_trace WORKLOAD: to $WORK/trace. The guest writes one page in $WRITES.
make_trace()
{
	WRITES=0
	case $1 in
	loop) "$BUILD/bench/trace" loop $((280 * 256)) $((280 * 256 * 4)) 1 ;;
	zipf) "$BUILD/bench/trace" zipf $((DISK_MIB * 256)) 600000 1 ;;
	mixed)
		WRITES=10
		"$BUILD/bench/trace" mixed $((512 * 256)) 500000 1
		;;
	*) die "no such workload: $1" ;;
	esac >"$WORK/trace"
}

# Each page that is read or written, once.
pages_touched()
{
	"$BUILD/hvtrace" mrc --exact --format u64 --json "$WORK/trace" 2>/dev/null |
		grep '"type":"trace"' | grep -oE '"distinct_pages":[0-9]+' | cut -d: -f2
}

# ---------------------------------------------------------------- a memory cgroup, v1 or v2

cgroup_make()
{
	local root=/sys/fs/cgroup

	if [ -d $root/memory ]; then
		root=$root/memory usage=memory.usage_in_bytes limit=memory.limit_in_bytes files=cache
	else
		echo +memory >$root/cgroup.subtree_control 2>/dev/null
		usage=memory.current limit=memory.max files=file
	fi
	cgroup=$root/hvtrace-bench.$$
	mkdir "$cgroup" || skip "needs memory cgroups"
	defer "rmdir '$cgroup'"
	[ -w "$cgroup/$limit" ] || skip "needs memory cgroups: $cgroup has no $limit"
}

limited()
{
	echo "$BASHPID" >"$cgroup/cgroup.procs" || die "can't enter $cgroup"
	"$@"
}

# What the server needs for itself does not count: the page cache gets CACHE MiB beside it.
cgroup_limit()
{
	blockdev --flushbufs "$disk"
	echo $(($(cat "$cgroup/$usage") + (CACHE << 20))) >"$cgroup/$limit" || die "no limit for $cgroup"
}

# The page cache has what it was to have, neither less nor more.
cgroup_check()
{
	local mib

	mib=$(awk -v key="$files" '$1 == key { printf "%.0f", $2 / 1048576 }' "$cgroup/memory.stat")
	if [ "$mib" -lt $((CACHE * 95 / 100)) ] || [ "$mib" -gt $((CACHE * 105 / 100)) ]; then
		die "the page cache had $mib MiB, not $CACHE"
	fi
}

# ---------------------------------------------------------------- three ways

# Sets memory, the guest's MiB.
way_start()
{
	memory=$((TOTAL - CACHE))
	case $1 in
	none)
		memory=$TOTAL
		server_start storage_daemon "$disk" cache.direct=on,aio=native
		;;
	inclusive)
		cgroup_make
		server_start limited storage_daemon "$disk" cache.direct=off,aio=threads
		;;
	*) server_start served "$disk" "${CACHE}MiB" --policy "$1" ;;
	esac
}

# No read-ahead anywhere: what is read is what was asked for.
guest_boot()
{
	guest_start "$WORK/initramfs" -m "$memory" -machine pc,memory-backend=ram \
		-object "memory-backend-memfd,id=ram,size=${memory}M,share=on,prealloc=on" \
		-chardev "socket,id=blk,path=$SOCKET" -device vhost-user-blk-pci,chardev=blk,num-queues=1 \
		-drive "file=$WORK/trace,format=raw,if=none,id=trace,readonly=on" \
		-device virtio-blk-pci,drive=trace
	# A disk's page cache stays as long as somebody has it open.
	guest "exec 5</dev/vda && echo 0 >/sys/block/vda/queue/read_ahead_kb" || die "no disk in the guest"
}

pages_read()
{
	awk '{ printf "%d", $3 / 8 }' "/sys/block/${disk##*/}/stat"
}

# measure WAY: pages read to $WORK/reads.
measure()
{
	local before

	loop_device disk "$WORK/disk" "${DISK_MIB}M"
	blockdev --setra 0 "$disk"
	dd if=/dev/urandom of="$disk" bs=1M count=$DISK_MIB oflag=direct status=none || die "can't fill $disk"
	way_start "$1"
	guest_boot
	[ "$1" != inclusive ] || cgroup_limit
	before=$(pages_read)
	guest "replay /dev/vda /dev/vdb $WRITES" || die "no work in the guest"
	echo $(($(pages_read) - before)) >"$WORK/reads"
	[ "$1" != inclusive ] || cgroup_check
}

# ---------------------------------------------------------------- the table

heading()
{
	local way

	printf '| workload | pages touched |'
	for way in $WAYS; do
		case $way in
		none) printf ' no cache: guest %d MiB |' "$TOTAL" ;;
		inclusive) printf ' inclusive: guest %d, page cache %d |' $((TOTAL - CACHE)) "$CACHE" ;;
		*) printf ' exclusive, %s: guest %d, cache %d |' "$way" $((TOTAL - CACHE)) "$CACHE" ;;
		esac
	done
	printf '\n|---|---:|'
	# shellcheck disable=SC2086 # words
	printf -- '---:|%.0s' $WAYS
	echo
}

# row WORKLOAD
row()
{
	local way

	make_trace "$1"
	printf '| %s | %d |' "$1" "$(pages_touched)"
	for way in $WAYS; do
		apart measure "$way" >"$WORK/said" 2>&1 || die "$1, $way: $(cat "$WORK/said")"
		printf ' %d |' "$(cat "$WORK/reads")"
	done
	echo
}

table()
{
	local workload

	heading
	for workload in $WORKLOADS; do
		row "$workload"
	done
	printf '\nPages of 4 KiB read from storage. Made by bench/serve_reads.sh on %s, %s, %s.\n' \
		"$(date +%F)" "$(uname -sr)" "$(qemu-system-x86_64 --version | sed -n "s/ version \([0-9.]*\).*/ \1/p" | head -n 1)"
}

need qemu-system-x86_64 qemu-storage-daemon busybox cpio losetup
need_built hvtrace bench/trace tests/guest/replay
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO" "" "$BUILD/tests/guest/replay"
set -o pipefail
table | tee "$WORK/table" || exit
[ $# -eq 0 ] || between_markers serve_reads "$1" <"$WORK/table"
