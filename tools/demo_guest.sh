#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# demo_guest.sh DEVICE PIDFILE: for hosts without KVM, a Linux guest in QEMU that reads random
# pages of DEVICE, more of them than its page cache holds, until it is killed. QEMU's pid goes
# to PIDFILE once the guest is at work.
# shellcheck source=../tests/guest/lib.sh
. "$(dirname "$0")/../tests/guest/lib.sh"

need qemu-system-x86_64 busybox cpio
need_built tests/guest/workload
find_kernel
initramfs "$WORK/initramfs" "virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev \
	virtio_pci virtio_blk" "" "$BUILD/tests/guest/workload"
guest_start "$WORK/initramfs" -m 128 -name guest=demo \
	-drive "file=$1,format=raw,if=virtio,cache=none"
echo "$GUEST_PID" >"$2"
pages=$(($(blockdev --getsize64 "$1") / 4096))
GUEST_DEADLINE=3600 guest "workload random /dev/vda 0 $pages 100000000 1"
