#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A guest whose kernel zeroes each page before it reads into it, as Debian's do, leaves nothing to be
# captured: its administrator is told what to do about that, once. After that was done, no more.
# shellcheck source=serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"

PAGES=$((112 * 256))
ADVICE="% of the frames its guest reads into were zeroed before: boot the guest with init_on_alloc=0"

need qemu-system-x86_64 busybox cpio jq
need_built hvtrace tests/guest/pages
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO" "" "$BUILD/tests/guest/pages"
image web01.img $((PAGES * 4))K
"$BUILD/tests/guest/pages" stamp "$WORK/web01.img" $PAGES 1 || die "no contents"

# scan INIT_ON_ALLOC: a guest reads more than its memory.
scan()
{
	GUEST_KERNEL=init_on_alloc=$1 guest_start "$WORK/initramfs" "${QEMU_MEMORY[@]}" "${DISKS[@]}"
	guest "dd if=/dev/vda of=/dev/null bs=64k 2>/dev/null" || die "no reads"
	sleep 0.6 # what was counted is looked at twice a second
}

findings()
{
	ctl stats | jq -r '.vms[0].findings[]'
}

guest_memory 96
DISKS=()
"$BUILD/hvtrace" serve --cache 32MiB --huge no --audit 1/1 --control "$WORK/server.control" \
	--disk "web01,path=$WORK/web01.img,socket=$WORK/web01.sock" \
	</dev/null >"$WORK/server.out" 2>"$WORK/server.err" &
SERVE_PID[server]=$!
defer "serve_kill server"
served_disk "$WORK/web01.sock"

scan 1
counters web01 captured zeroed changed
at_least web01 zeroed 4096
findings | grep -qE "^[0-9]+ $ADVICE$" || die "ctl stats does not tell: $(ctl stats | jq -c .)"
[ "$(grep -cE "^hvtrace serve: web01: [0-9]+ $ADVICE$" "$WORK/server.err")" -eq 1 ] ||
	die "not told once: $(cat "$WORK/server.err")"
guest_kill

scan 0
counters web01 captured zeroed changed
[ -z "$(findings)" ] || die "still told: $(findings)"
# Twice through a few frames: from the cache then, and compared with storage.
guest "pages loop 256 /dev/vda 4096 8192 1" >/dev/null || die "wrong contents"
at_least web01 audited 3000
at_most web01 audit_failed 0
guest_kill
serve_stop
