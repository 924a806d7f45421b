#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two guests on one server's cache, each with more on its disk than its memory and the whole cache
# hold: each gets as much of the cache as its share and its bounds say, and reads its own bytes, never
# the other one's, which are of another version.
#
# SEED= other work.
# shellcheck source=serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"

SEED=${SEED:-1}
CACHE=32MiB
GUEST_MIB=96
# Of each disk; the last eighth is written to all the while.
PAGES=32768
READ=$((PAGES * 7 / 8))
declare -A VERSION=([one]=1 [two]=2)

need qemu-system-x86_64 busybox cpio jq
need_built hvtrace tests/guest/pages tests/guest/model
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO" "" "$BUILD/tests/guest/pages" "$BUILD/tests/guest/model"

make_disk()
{
	image "$1" $((PAGES * 4))K
	"$BUILD/tests/guest/pages" stamp "$WORK/$1" $PAGES "${VERSION[$1]}" || die "no contents"
}

boot()
{
	guest_use "$1"
	guest_memory $GUEST_MIB
	DISKS=()
	served_disk "$WORK/$1.sock" num-queues=2
	guest_start "$WORK/initramfs" "${QEMU_MEMORY[@]}" -smp 2 "${DISKS[@]}"
}

# In both at the same time, until they are told to stop; what fails says so in /tmp/wrong.
start_load()
{
	local v=${VERSION[$1]} sectors=$(((PAGES - READ) * 8))

	guest_use "$1"
	guest "until [ -e /tmp/stop ]; do pages uniform cached /dev/vda $READ 2000 $((SEED + v)) $v" \
		"2>>/tmp/wrong || break; done & until [ -e /tmp/stop ]; do" \
		"dd if=/dev/vda of=/dev/null bs=64k count=$((READ / 16)) 2>/dev/null || break; done &"
	guest "until [ -e /tmp/stop ]; do model buffered /dev/vda $((READ * 8)) $sectors 300" \
		"$((SEED + v)) >/dev/null 2>>/tmp/wrong || break; done &"
}

# expect_slots ONE TWO: as much of the cache comes to be theirs, in MiB, soon enough.
expect_slots()
{
	local one two

	for _ in {1..300}; do
		one=$(counter one slots) two=$(counter two slots)
		[ "$one $two" != "$(($1 * 256)) $(($2 * 256))" ] || break
		sleep 0.1
	done
	echo "of the cache they have $((one / 256)) MiB and $((two / 256)) MiB; it is to be $1 and $2"
	[ "$one $two" = "$(($1 * 256)) $(($2 * 256))" ] || die "that is not what they are to have"
	guest_is_right one
	guest_is_right two
}

guest_is_right()
{
	guest_use "$1"
	guest "! [ -s /tmp/wrong ]" || die "guest $1: $(guest "cat /tmp/wrong")"
}

# The host sees what the guest sees, which is its own.
check_disk()
{
	local name=$1 sum

	guest_use "$name"
	guest "touch /tmp/stop; wait"
	guest_is_right "$name"
	guest "pages loop cached /dev/vda $READ $READ 1 ${VERSION[$name]}" || die "contents of $name"
	sum=$(guest "sync; echo 1 >/proc/sys/vm/drop_caches; dd if=/dev/vda bs=64k 2>/dev/null | md5sum")
	[ "$sum" = "$(md5sum <"$WORK/$name")" ] || die "guest $name reads something else"
	counters "$name" hits misses captured evicted audited audit_failed
	at_least "$name" hits 1000
	at_least "$name" captured 1000
	at_least "$name" evicted 1000
	at_least "$name" audited 1000
	at_most "$name" audit_failed 0
	guest_kill
}

make_disk one
make_disk two
serve_start $CACHE --policy s3fifo --audit 1/1 \
	--disk "one,path=$WORK/one,socket=$WORK/one.sock,share=300" \
	--disk "two,path=$WORK/two,socket=$WORK/two.sock,share=100"
boot one
boot two
start_load one
start_load two
expect_slots 24 8
ctl set one,share=100 >/dev/null || die "no other share"
expect_slots 16 16
ctl set one,max=4MiB >/dev/null || die "no maximum"
expect_slots 4 28
ctl resize 8MiB >/dev/null || die "no smaller cache"
ctl set two,min=6MiB >/dev/null || die "no minimum"
expect_slots 2 6
ctl resize $CACHE >/dev/null || die "no larger cache"
expect_slots 4 28
check_disk one
check_disk two
serve_stop
