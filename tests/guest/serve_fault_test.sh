#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Storage that fails, stalls, is full or gets shorter, huge pages that are not there or go away,
# files that are not what they should be: the guest sees I/O errors where there is no way around,
# nothing wrong is cached, other disks go on, and all is well when the cause is gone.
# shellcheck source=serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"

# Of each disk, in pages.
PAGES=8192
CACHE=16MiB

need qemu-system-x86_64 busybox cpio losetup mke2fs fusermount3 jq
need_built hvtrace tests/guest/pages tests/fault/faulty-file
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO" "" "$BUILD/tests/guest/pages"
pages=$BUILD/tests/guest/pages

# stamped_image NAME VERSION
stamped_image()
{
	image "$1" $((PAGES * 4))K
	defer "rm -f '$WORK/$1'*"
	"$pages" stamp "$WORK/$1" $PAGES "$2" || die "no contents"
}

# ---------------------------------------------------------------- storage on command

# faulty NAME: $WORK/NAME by way of a file system that does as fault says.
faulty()
{
	mv "$WORK/$1" "$WORK/$1.backing"
	: >"$WORK/$1"
	mkfifo "$WORK/fault.in" "$WORK/fault.out" || die "no FIFOs"
	defer "rm -f '$WORK'/fault.*"
	exec {FAULT_IN}<>"$WORK/fault.in" {FAULT_OUT}<>"$WORK/fault.out"
	"$BUILD/tests/fault/faulty-file" "$WORK/$1.backing" "$WORK/$1" <&"$FAULT_IN" \
		>&"$FAULT_OUT" 2>"$WORK/fault.err" &
	FAULT_PID=$!
	defer faulty_end
	fault_says ready
}

faulty_end()
{
	kill "$FAULT_PID" 2>/dev/null
	wait "$FAULT_PID" 2>/dev/null
}

fault_says()
{
	local line=

	read -r -t 20 -u "$FAULT_OUT" line
	[ "$line" = "$1" ] || die "faulty-file says '$line', not $1: $(cat "$WORK/fault.err")"
}

fault()
{
	echo "$*" >&"$FAULT_IN"
	fault_says ok
}

# Requests that wait there now.
fault_held()
{
	echo held >&"$FAULT_IN"
	read -r -t 20 -u "$FAULT_OUT" HELD || die "faulty-file does not say what it holds"
}

# ---------------------------------------------------------------- guests

# start_guest NAME...: disks /dev/vda, ... of one server.
start_guest()
{
	local name options=()

	DISKS=()
	for name; do
		options+=(--disk "$name,path=$WORK/$name,socket=$WORK/$name.sock")
		served_disk "$WORK/$name.sock" num-queues=2
	done
	serve_start "$CACHE" --audit 1/1 "${options[@]}"
	guest_memory 96
	guest_start "$WORK/initramfs" "${QEMU_MEMORY[@]}" -smp 2 "${DISKS[@]}"
}

# All of it is there, of one version: read twice into few frames, so that pages come from the cache.
guest_checks()
{
	guest "pages loop 7000 $1 $PAGES $((PAGES * 2)) 1" ||
		die "$1 has wrong contents or can't be read"
}

guest_fails()
{
	guest "$1 2>/tmp/why" && die "no error for: $1"
	guest "grep -q 'Input/output error\|I/O error\|No space left' /tmp/why" ||
		die "$1: $(guest "cat /tmp/why")"
}

end_guest()
{
	local name

	for name; do
		at_most "$name" audit_failed 0
	done
	guest_kill
	serve_stop
}

# ---------------------------------------------------------------- failing and stalling

read_page()
{
	echo "dd if=$1 of=/dev/null bs=4k skip=$2 count=1 iflag=direct"
}

write_page()
{
	echo "dd if=/dev/zero of=$1 bs=4k seek=$2 count=1 oflag=direct"
}

case_fail()
{
	stamped_image bad 1
	stamped_image good 1
	faulty bad
	start_guest bad good
	guest_checks /dev/vda
	guest "pages loop 500 /dev/vda 1000 1500 1" || die "a short loop"
	fault fail read EIO 8192 4096
	guest_fails "$(read_page /dev/vda 2)"
	guest "$(read_page /dev/vda 1) 2>/dev/null && $(read_page /dev/vda 3) 2>/dev/null" ||
		die "other pages fail, too"
	fault ok
	guest_checks /dev/vda
	# What was not written is not there, wherever it is read from.
	fault fail write EIO
	guest_fails "$(write_page /dev/vda 4)"
	guest_fails "pages stamp /dev/vda $PAGES 2"
	fault ok
	guest_checks /dev/vda
	fault fail sync EIO
	guest_fails "pages stamp /dev/vda $PAGES 2"
	fault ok
	guest_checks /dev/vda
	at_least bad errors 4
	at_most good errors 0
	guest_checks /dev/vdb
	end_guest bad good
	"$pages" loop cached "$WORK/bad.backing" $PAGES $PAGES 1 || die "the image is wrong"
}

case_stall()
{
	local i

	stamped_image bad 1
	stamped_image good 1
	faulty bad
	start_guest bad good
	fault stall read,write
	guest "pages uniform cached /dev/vda $PAGES 100 1 >/tmp/slow 2>&1 & slow=\$!;" \
		"pages stamp /dev/vda 64 1 >/tmp/slower 2>&1 & slower=\$!"
	for i in {1..50}; do
		fault_held
		[ "$HELD" -lt 2 ] || break
		sleep 0.1
	done
	[ "$HELD" -ge 2 ] || die "nothing stalls"
	# The others do not wait.
	guest_checks /dev/vdb
	guest "pages stamp /dev/vdb $PAGES 2" || die "the other disk can't be written"
	guest_checks /dev/vdb
	ctl drain >/dev/null || die "no drain"
	fault ok
	guest "wait \$slow && wait \$slower" ||
		die "after the stall: $(guest "cat /tmp/slow /tmp/slower")"
	guest_checks /dev/vda
	# A server that is to end waits for what is in flight, then ends well.
	fault stall read
	guest "$(read_page /dev/vda 5) 2>/dev/null &"
	for i in {1..50}; do
		fault_held
		[ "$HELD" -eq 0 ] || break
		sleep 0.1
	done
	kill -TERM "${SERVE_PID[server]}"
	sleep 0.3
	kill -0 "${SERVE_PID[server]}" 2>/dev/null || die "the server ended with a read in flight"
	fault ok
	wait "${SERVE_PID[server]}" || die "the server ended with status $?: $(serve_said)"
	unset "SERVE_PID[server]"
	guest_kill
}

# ---------------------------------------------------------------- no room, less of it

case_full()
{
	loop_device FULL_DEVICE "$WORK/small" 48M
	mkdir "$WORK/full"
	{ mke2fs -q -t ext4 -O ^has_journal "$FULL_DEVICE" && mount "$FULL_DEVICE" "$WORK/full"; } ||
		die "no small file system"
	defer "umount -l '$WORK/full'"
	truncate -s $((PAGES * 4))K "$WORK/full/disk"
	ln -s full/disk "$WORK/disk"
	defer "rm '$WORK/disk'"
	dd if=/dev/zero of="$WORK/full/others" bs=1M count=24 2>/dev/null || die "no file of others"
	start_guest disk
	guest_fails "pages stamp /dev/vda $PAGES 1"
	at_least disk errors 1
	rm "$WORK/full/others"
	guest "pages stamp /dev/vda $PAGES 2" || die "there is room, and no writing"
	guest_checks /dev/vda
	end_guest disk
	"$pages" loop cached "$WORK/disk" $PAGES $PAGES 1 || die "the image is wrong"
}

case_truncated()
{
	stamped_image disk 1
	start_guest disk
	guest_checks /dev/vda
	ctl drain >/dev/null || die "no drain"
	truncate -s $((PAGES * 2))K "$WORK/disk"
	guest_fails "$(read_page /dev/vda $((PAGES - 1)))"
	guest "$(read_page /dev/vda 1) 2>/dev/null" || die "what is left can't be read"
	truncate -s $((PAGES * 4))K "$WORK/disk"
	guest "pages stamp /dev/vda $PAGES 2" || die "no writing"
	guest_checks /dev/vda
	end_guest disk
}

# ---------------------------------------------------------------- huge pages

HUGE=16

huge_pages_give_back()
{
	local now

	now=$(cat /proc/sys/vm/nr_hugepages)
	echo $((now > HUGE ? now - HUGE : 0)) >/proc/sys/vm/nr_hugepages
}

case_huge()
{
	local before

	before=$(cat /proc/sys/vm/nr_hugepages)
	echo $((before + HUGE)) >/proc/sys/vm/nr_hugepages
	defer "echo $before >/proc/sys/vm/nr_hugepages"
	[ "$(cat /proc/sys/vm/nr_hugepages)" -eq $((before + HUGE)) ] || die "no huge pages"
	stamped_image disk 1
	SERVE_HUGE=2MiB CACHE=$((HUGE * 2))MiB start_guest disk
	guest_checks /dev/vda
	ctl stats | jq -e '.cache.hugetlb_bytes > 0' >/dev/null || die "not in huge pages"
	# Those in use stay, none come.
	huge_pages_give_back
	guest_checks /dev/vda
	{ ctl resize 2MiB && ctl resize $((HUGE * 4))MiB; } >/dev/null || die "no resize"
	guest_checks /dev/vda
	guest_checks /dev/vda
	ctl stats | jq -c .cache
	at_least disk hits 1
	end_guest disk
}

# ---------------------------------------------------------------- what can't be served

# refused PATTERN OPTION...: one line that has the pattern, status 1 or 2, soon.
refused()
{
	local pattern=$1 rc

	shift
	timeout 20 "$BUILD/hvtrace" serve --cache $CACHE -q "$@" >"$WORK/refused" 2>&1 </dev/null
	rc=$?
	[ $rc -eq 1 ] || [ $rc -eq 2 ] || die "status $rc for $*: $(cat "$WORK/refused")"
	[ "$(wc -l <"$WORK/refused")" -eq 1 ] || die "not one line for $*: $(cat "$WORK/refused")"
	grep -qi -- "$pattern" "$WORK/refused" || die "no '$pattern' for $*: $(cat "$WORK/refused")"
}

# The guest's server goes on, whatever another one is told to take from it.
case_taken()
{
	stamped_image disk 1
	stamped_image other 1
	image odd 1000
	start_guest disk
	refused "$WORK/none" --disk "x,path=$WORK/none,socket=$WORK/x.sock"
	refused "$WORK/odd" --disk "x,path=$WORK/odd,socket=$WORK/x.sock"
	refused "directory" --disk "x,path=$WORK,socket=$WORK/x.sock"
	refused "$WORK/disk.sock" --disk "x,path=$WORK/other,socket=$WORK/disk.sock"
	refused "$WORK/odd" --disk "x,path=$WORK/other,socket=$WORK/odd"
	refused "$WORK/disk" --disk "x,path=$WORK/disk,socket=$WORK/x.sock"
	[ ! -e "$WORK/x.sock" ] || die "a socket is left of a server that did not start"
	guest_checks /dev/vda
	end_guest disk
}

cases "fail stall full truncated taken" "$@"
