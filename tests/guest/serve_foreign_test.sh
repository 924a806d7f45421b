#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Somebody writes to a served image behind the server's back, while the cache holds its pages: the
# guest reads what was written. Every hit is compared with storage: none is of what others changed.
# shellcheck source=serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"

PAGES=2048
POOL=256
version=0

need qemu-system-x86_64 busybox cpio jq losetup blkdiscard
need_built hvtrace tests/guest/pages
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO" "" "$BUILD/tests/guest/pages"
loop_device BLOCK "$WORK/device" $((PAGES * 4))K
# What others write is seen on file systems that have a disk below: $WORK may be a tmpfs.
FILE=$(mktemp /var/tmp/hvtrace-foreign.XXXXXX)
defer "rm -f '$FILE'"
truncate -s $((PAGES * 4))K "$FILE"

# stamped IMAGE: with contents of a new version.
stamped()
{
	"$BUILD/tests/guest/pages" stamp "$1" $PAGES $((++version)) || die "no contents"
}

# warm DISK NODE IMAGE: most of its pages are in the cache then, as hits tell; all of one version.
warm()
{
	local before

	stamped "$3"
	sleep 2.1 # until what was written is told for the last time
	before=$(counter "$1" hits) || exit 1
	guest "pages loop $POOL $2 $PAGES $((PAGES * 2)) 1" >/dev/null || die "no reads of $2"
	at_least "$1" hits $((before + PAGES / 2))
}

# changed DISK NODE IMAGE WHAT COMMAND...: the command writes to the image, the guest sees it.
changed()
{
	local disk=$1 node=$2 image=$3 what=$4 before invalidated want got

	shift 4
	warm "$disk" "$node" "$image"
	before=$(counter "$disk" invalidated) || exit 1
	"$@" || die "$what: status $?"
	want=$(md5sum <"$image")
	for _ in {1..100}; do
		invalidated=$(counter "$disk" invalidated) || exit 1
		[ "$invalidated" -eq "$before" ] || break
		sleep 0.05
	done
	[ "$invalidated" -gt "$before" ] || die "$disk: $what: nothing was invalidated"
	got=$(guest "dd if=$node bs=64k iflag=direct 2>/dev/null | md5sum") || die "no $node: $got"
	[ "$got" = "$want" ] || die "$disk: $what: the guest reads $got, on storage is $want"
	echo "$disk: $what: $((invalidated - before)) pages invalidated, the guest reads what is there"
}

write_some()
{
	dd if=/dev/urandom of="$1" bs=4k seek=1000 count=64 conv=notrunc status=none "$2"
}

# More than what tells the server has room for while the server stands still: twice the whole device,
# a sector at a time. Which of it was lost nobody knows.
overrun()
{
	kill -STOP "${SERVE_PID[$SERVER]}"
	for _ in 1 2; do
		dd if=/dev/urandom of="$BLOCK" bs=512 count=$((PAGES * 8)) oflag=direct status=none
	done
	kill -CONT "${SERVE_PID[$SERVER]}"
}

serve_start 64MiB --audit 1/1 --disk "device,path=$BLOCK,socket=$WORK/device.sock" \
	--disk "file,path=$FILE,socket=$WORK/file.sock"
guest_memory 160
DISKS=()
served_disk "$WORK/device.sock"
served_disk "$WORK/file.sock"
guest_start "$WORK/initramfs" "${QEMU_MEMORY[@]}" "${DISKS[@]}"

changed device /dev/vda "$BLOCK" "direct write" write_some "$BLOCK" oflag=direct
changed device /dev/vda "$BLOCK" "discard" blkdiscard -f -o 4194304 -l 1048576 "$BLOCK"
changed file /dev/vdb "$FILE" "direct write" write_some "$FILE" oflag=direct
changed file /dev/vdb "$FILE" "buffered write" write_some "$FILE" conv=notrunc
changed file /dev/vdb "$FILE" "hole" fallocate -p -o 4194304 -l 1048576 "$FILE"

# Whatever is cached or known of frames goes then, of all disks.
warm file /dev/vdb "$FILE"
at_least file cached_pages 1
at_least file resident_pages 1
changed device /dev/vda "$BLOCK" "more writes than can be told" overrun
grep -q "writes by others were missed: the cache starts anew" "$WORK/server.err" ||
	die "all of them were told"
at_most file cached_pages 0
at_most file resident_pages 0
for disk in device file; do
	at_least $disk audited $PAGES
	at_most $disk audit_failed 0
done
serve_stop
