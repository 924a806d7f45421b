#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A Linux guest of 256 MB that reads 300 MB in order, and again, with an exclusive cache of 128 MB: how much of what it reads again
# comes from the cache, and whether the cache costs the first scan anything. Each figure beside its target. Needs root.
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/guest/serve_lib.sh
. "$(dirname "$0")/../tests/guest/serve_lib.sh"

GUEST_MIB=256
CACHE=128MiB
SCAN=$((300 * 256))

# counts: pages hit, missed, and read from storage by now.
counts()
{
	echo "$(counter bench hits) $(counter bench misses) $(($(counter bench storage_read_bytes) / 4096))"
}

# scan: the pages hit, missed and read from storage meanwhile.
scan()
{
	local before

	before=$(counts)
	guest "workload scan /dev/vda 0 $SCAN 1" || die "no scan"
	echo "$before $(counts)" | awk '{ print $4 - $1, $5 - $2, $6 - $3 }'
}

need qemu-system-x86_64 busybox cpio jq
need_built hvtrace tests/guest/workload
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO" "" "$BUILD/tests/guest/workload"
seeded_image image 300 1
serve_start "$CACHE" --disk "bench,path=$WORK/image,socket=$WORK/disk.sock,queues=1"
guest_memory $GUEST_MIB
DISKS=()
served_disk "$WORK/disk.sock" num-queues=1
guest_start "$WORK/initramfs" "${QEMU_MEMORY[@]}" "${DISKS[@]}"
# A disk's page cache stays as long as somebody has it open.
guest "exec 5</dev/vda" || die "no disk in the guest"
read -r _ _ first < <(scan)
read -r hits misses again < <(scan)
echo "$(uname -sr), guest of $GUEST_MIB MB, cache of $CACHE, 300 MB read twice"
figure "storage reads added in the first scan, pages" $((first > SCAN ? first - SCAN : 0)) '' '<=' 0
figure "pages the guest read in the second scan" $((hits + misses)) '' '' ''
figure "... of them from the cache" "$(awk -v h="$hits" -v m="$misses" 'BEGIN { print h / (h + m) * 100 }')" % '>=' 95
figure "... read from storage" "$again" '' '' ''
