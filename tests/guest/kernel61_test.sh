#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# hvtrace inside Debian's 6.1 kernel, which differs from newer ones where it matters: KVM as
# a module, loaded while hvtrace runs, with two-dimensional paging (SVM, emulated); older
# struct page; and a host that lacks what the build machine can't be made to lack.
# shellcheck disable=SC2016 # the guest's shell expands
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

WALK=64
PAGES=100

need qemu-system-x86_64 busybox cpio losetup mkfs.ext4
need_built hvtrace-static tests/guest/workload tests/guest/dm_linear \
	tests/guest/watch_image tests/kvm/kvm-walk
find_kernel
initramfs "$WORK/initramfs" "virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev \
	virtio_pci virtio_blk" "irqbypass kvm kvm-amd dm-mod" "$BUILD/hvtrace-static" \
	"$BUILD/tests/guest/workload" "$BUILD/tests/guest/dm_linear" "$BUILD/tests/kvm/kvm-walk" \
	"$BUILD/tests/guest/watch_image"
loop_device DISK_DEVICE "$WORK/disk" 1G
truncate -s 16M "$WORK/ext4"
mkfs.ext4 -q "$WORK/ext4" || die "no file system"
guest_start "$WORK/initramfs" -m 1G -cpu EPYC,+svm,+npt \
	-drive "file=$DISK_DEVICE,format=raw,if=none,id=d0,cache=none" \
	-device virtio-blk-pci,drive=d0 \
	-drive "file=$WORK/ext4,format=raw,if=none,id=d1,cache=writeback" \
	-device virtio-blk-pci,drive=d1
guest "uname -r; mv /bin/hvtrace-static /bin/hvtrace"

expect()
{
	echo "$1: $2"
	[ "$2" = "$3" ] || die "$1: $2, expected $3${4:+, of: $4}"
}

# contains TEXT PATTERN WHAT
contains()
{
	[[ $1 == *$2* ]] || die "$3: no '$2' in: $1"
}

# ---------------------------------------------------------------- what a host may lack

# refused "COMMAND" PATTERN: one line on stderr that has the pattern, exit status 1.
refused()
{
	local said rc

	said=$(guest "$1 2>&1 >/dev/null")
	rc=$?
	echo "\$ $1"
	echo "$said"
	[ $rc -eq 1 ] || die "exit status $rc, not 1"
	[ "$(wc -l <<<"$said")" -eq 1 ] || die "not one line"
	contains "$said" "$2" "the reason"
}

# Before anything else: tracefs is not mounted yet, and KVM not loaded.
check_doctor()
{
	local said

	said=$(guest hvtrace doctor) || die "doctor: status $?: $said"
	echo "$said"
	contains "$said" "missing  tracefs" "tracefs"
	contains "$said" "mount -t tracefs" "tracefs' fix"
	contains "$said" "modprobe kvm" "KVM's fix"
}

check_bad_hosts()
{
	refused "su nobody -c 'hvtrace live -d 1'" "root"
	refused "su nobody -c 'hvtrace doctor'" "root"
	guest "mount -t tmpfs none /sys/kernel/btf" || die "can't hide BTF"
	refused "hvtrace live -d 1" "BTF"
	refused "hvtrace record -d 1 -o /tmp/none" "BTF"
	refused "hvtrace doctor" "BTF"
	guest "[ ! -e /tmp/none ] && umount /sys/kernel/btf" || die "a recording of nothing"
}

# ---------------------------------------------------------------- KVM, loaded late

field()
{
	sed -n "s/.*\\b$1=\\([0-9]*\\).*/\\1/p" <<<"$2"
}

# count KIND: of events.csv
count()
{
	awk -F, -v kind="$1" '$1 == "walker" && $3 == kind { n += $4 } END { print n + 0 }' \
		<<<"$events"
}

check_kvm()
{
	local walked frames row events

	guest "hvtrace live -i 0.5 --json --csv /tmp/kvm >/tmp/live 2>/tmp/notes & live=\$!"
	guest_wait 20 'grep -q "\"kvm\":\"waiting\"" /tmp/live' || die "KVM is not waited for: $(
		guest 'cat /tmp/live /tmp/notes')"
	guest 'for m in irqbypass kvm kvm-amd; do insmod /modules/$m.ko || break; done' ||
		die "no KVM in the guest"
	guest_wait 20 'grep -q "\"kvm\":\"on\"" /tmp/live' || die "late KVM is not attached: $(
		guest 'tail -n 3 /tmp/live; cat /tmp/notes')"
	walked=$(guest "kvm-walk $WALK -name guest=walker") || die "kvm-walk: $walked"
	guest 'sleep 1; kill -INT $live; wait $live' || die "live: $(guest 'cat /tmp/notes')"
	guest 'cat /tmp/notes'
	events=$(guest 'cat /tmp/kvm/events.csv')
	row=$(guest 'grep "\"type\":\"vm\",\"vm\":\"walker\"" /tmp/live | head -n 1')
	echo "$walked"
	echo "$row"
	# The guest's page tables are memory that it touches, too, under two-dimensional paging.
	frames=$(($(field frames "$walked") + $(field own "$walked") + $(field tables "$walked")))
	expect "KVM faults" "$(count kvm_fault)" "$frames" "$events"
	expect "frames mapped" "$(count kvm_map)" "$frames" "$events"
	contains "$row" "\"mem_pages\":$(field memory "$walked")," "guest memory"
}

# ---------------------------------------------------------------- block

# Every event of the work that tests/guest/workload.c: direct() tells, in its order.
expected_events()
{
	awk -v buffer="$1" -v n="$PAGES" '
		function tell(kind, page) { printf "%s %d %.0f\n", kind, page, buffer + i }
		BEGIN {
			for (i = 0; i < n; i++)
				tell("fill", 3 * i)
			for (i = 0; i < n; i++) {
				tell("evict", 3 * i)
				tell("writeback", 100000 + i)
			}
			for (i = 0; i < n; i++) {
				tell("evict", 100000 + i)
				tell("fill", 200000 + i)
			}
		}'
}

# check_block DEVICE: exactly the events of what is read and written there.
check_block()
{
	local buffer said

	guest 'rm -f /tmp/go /tmp/said /tmp/recording; mkfifo /tmp/go &&' \
		"{ workload direct $1 $PAGES </tmp/go >/tmp/said 2>&1 & } &&" \
		'work=$! && exec 6>/tmp/go' || die "no work in the guest"
	guest_wait 20 'grep -q buffer /tmp/said' || die "no buffer"
	guest 'hvtrace record --sample 1/1 -p $work -o /tmp/recording >/tmp/record 2>&1 & record=$!'
	guest_wait 20 '[ -e /tmp/recording ]' || die "record does not start"
	guest 'echo go >&6'
	guest_wait 30 'grep -q done /tmp/said' || die "the work is not done: $(guest 'cat /tmp/said')"
	guest 'kill -TERM $record; wait $record && exec 6>&- && cat /tmp/record' ||
		die "record: $(guest 'cat /tmp/record')"
	said=$(guest 'cat /tmp/said')
	[[ $said =~ ^buffer\ ([0-9]+) ]] || die "where the work's buffer is: $said"
	buffer=${BASH_REMATCH[1]}
	expected_events "$buffer" >"$WORK/expected"
	guest 'hvtrace mrc --dump /tmp/recording' |
		awk '!/^#/ && $4 == "disk" { print $3, $6, $7 }' >"$WORK/found"
	diff "$WORK/expected" "$WORK/found" >"$WORK/differences" ||
		die "events differ, buffer at $buffer: $(grep -m 5 "^<" "$WORK/differences") ... $(grep -m 5 "^>" "$WORK/differences")"
	echo "block events on $1, each as expected: $(wc -l <"$WORK/found")"
}

# The bios that a stacked device makes of a bio are not the VM's: each page counts once.
check_nested()
{
	stacked=$(guest 'insmod /modules/dm-mod.ko && dm_linear /dev/vda 2097152 2>&1') ||
		die "no stacked device: $stacked"
	check_block "$stacked"
}

# ---------------------------------------------------------------- what others write

# A VM that waits for a word, and who watches it: before KVM is there.
watch_walker()
{
	guest 'mkfifo /tmp/walk' || die "no FIFO"
	guest '{ sh -c "read x </tmp/walk; exec kvm-walk 64" >/tmp/walked 2>&1 & } ; walker=$!'
	guest '{ watch_image -p $walker >/tmp/unmapped 2>&1 & } ; keeper=$!'
	guest_wait 20 'grep -q ready /tmp/unmapped' || die "no watch: $(guest 'cat /tmp/unmapped')"
}

check_walker()
{
	guest 'echo >/tmp/walk; wait $walker; cat /tmp/walked' || die "no walk"
	guest_wait 20 'grep -q unmapped /tmp/unmapped' || die "no frame was given up"
	# What follows is the VMM's own, at its end.
	expect "given up" "$(guest 'grep -m 1 unmapped /tmp/unmapped')" \
		"unmapped $(guest 'echo $walker') 64"
	guest 'kill $keeper; wait $keeper'
}

# other_writes PLACE PAGE COUNT [HOW]
other_writes()
{
	guest "dd if=/dev/zero of=$1 bs=4k seek=$2 count=$3 conv=notrunc,fsync status=none ${4:-}" ||
		die "no write of $1"
}

# expect_written IMAGE PAGES...: of an image exactly these pages.
expect_written()
{
	local image=$1

	shift
	guest_wait 20 "grep -q '^written $image ${*: -1}\$' /tmp/others" ||
		die "not told: $(guest 'cat /tmp/others')"
	expect "written by others, image $image" "$(
		guest "sed -n 's/^written $image //p' /tmp/others | sort -nu | xargs")" "$*"
}

# check_others STACKED: a device upon /dev/vda.
check_others()
{
	guest 'mount -t ext4 /dev/vdb /mnt' || die "no file system in the guest"
	other_writes /mnt/image 0 64
	guest '{ watch_image /dev/vda /mnt/image >/tmp/others 2>&1 & } ; watcher=$!'
	guest_wait 20 'grep -q ready /tmp/others' || die "not watched: $(guest 'cat /tmp/others')"
	other_writes /dev/vda 100 3 oflag=direct
	other_writes /dev/vda 200 2
	other_writes "$1" 300 3 oflag=direct
	other_writes /mnt/image 20 3 oflag=direct
	other_writes /mnt/image 30 2
	expect_written 0 100 101 102 200 201 300 301 302
	expect_written 1 20 21 22 30 31
	guest 'kill $watcher; wait $watcher; umount /mnt'
}

check_doctor
check_bad_hosts
watch_walker
check_kvm
check_block /dev/vda
check_nested
check_walker
check_others "$stacked"
guest 'hvtrace doctor' >"$WORK/doctor" || die "doctor, with KVM: $(cat "$WORK/doctor")"
grep -i kvm "$WORK/doctor"
