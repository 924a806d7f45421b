#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Same bytes: whatever a guest does, it reads what it wrote, with every hit compared to storage, while
# its cache is resized and drained.
#
# SEED= other work, ROUNDS= more of it.
# shellcheck source=serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"

SEED=${SEED:-1}
ROUNDS=${ROUNDS:-1}
CACHE=32MiB
# MiB: what a guest of 160 can't keep in its memory.
RAW=96
FILES=256

need qemu-system-x86_64 busybox cpio mke2fs e2fsck fio jq
need_built hvtrace tests/guest/model tests/guest/scribble
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO" "" "$BUILD/tests/guest/model" \
	"$BUILD/tests/guest/scribble"
tools_image tools fio e2fsck
image raw ${RAW}M
ext4_image files ${FILES}M

# ---------------------------------------------------------------- meanwhile

# The cache shrinks, grows and is emptied all the while.
disturb()
{
	local size

	while :; do
		for size in 8MiB 64MiB 2MiB 24MiB $CACHE; do
			ctl resize "$size" || return 1
			sleep 0.5
			ctl drain raw || return 1
			sleep 0.5
		done
	done >"$WORK/disturb" 2>&1
}

disturb_start()
{
	disturb &
	DISTURB_PID=$!
	defer disturb_stop
}

disturb_stop()
{
	[ -n "${DISTURB_PID:-}" ] || return 0
	kill "$DISTURB_PID" 2>/dev/null || die "ctl failed: $(cat "$WORK/disturb")"
	wait "$DISTURB_PID" 2>/dev/null
	DISTURB_PID=
}

# ---------------------------------------------------------------- work

# together COMMAND...: in the guest, at the same time; all have to succeed.
together()
{
	local n

	for ((n = 1; n <= $#; n++)); do
		guest "{ ${!n} >/tmp/said.$n 2>&1; echo \$? >/tmp/rc.$n; } &"
	done
	guest wait
	for ((n = 1; n <= $#; n++)); do
		guest "[ \$(cat /tmp/rc.$n) -eq 0 ]" ||
			die "${!n}: $(guest "tail -n 12 /tmp/said.$n")"
	done
}

# Against a model, with requests of any size: parts that share pages go past the page cache.
work_model()
{
	local seed=$1

	together "model direct /dev/vda 3 40002 5000 $seed" \
		"model direct /dev/vda 40005 40000 5000 $seed" \
		"model buffered /dev/vda 80008 60000 5000 $seed" \
		"scribble /dev/vda 20000 64 5000 $seed"
}

# Verified by fio's own checksums.
work_fio()
{
	guest "fio --filename=/dev/vda --verify=crc32c --verify_fatal=1 --randseed=$1 --minimal" \
		"--ioengine=libaio --iodepth=8 --thread" \
		"--name=sizes --direct=1 --rw=randwrite --bsrange=512-32768 --size=16m" \
		"--verify_backlog=64" \
		"--name=direct --direct=1 --rw=randrw --bs=4k --offset=24m --size=16m" \
		"--name=cached --rw=randrw --bs=4k --offset=48m --size=24m --ioengine=psync" \
		"--name=trims --direct=1 --rw=randtrim --bs=64k --offset=72m --size=8m --verify=0" \
		">/tmp/fio 2>&1" || die "fio: $(guest "tail -n 12 /tmp/fio")"
}

# Files and their checksums, more of them than fit into memory; some go, others come.
work_files()
{
	guest "mount /dev/vdb /mnt && cd /mnt && mkdir -p $1 && cd $1 && n=0 &&" \
		"while [ \$n -lt 60 ]; do n=\$((n + 1)); dd if=/dev/urandom of=\$n bs=\$((n * 701))" \
		"count=83 2>/dev/null || break; done && md5sum * >../$1.sums && sync &&" \
		"echo 1 >/proc/sys/vm/drop_caches && md5sum -c ../$1.sums >/dev/null &&" \
		"cd .. && { [ ! -d $(($1 - 1)) ] || rm -r $(($1 - 1)) $(($1 - 1)).sums; } &&" \
		"cd / && umount /mnt && e2fsck -fn /dev/vdb >/tmp/fsck 2>&1" || die "files of round $1"
}

# ---------------------------------------------------------------- the test

check_counters()
{
	local disk

	for disk in raw files; do
		counters $disk hits misses captured audited audit_failed
		at_most $disk audit_failed 0
		at_least $disk hits 100
		at_least $disk captured 100
		at_least $disk audited 100
	done
}

# The host sees what the guest saw.
check_images()
{
	local sum

	sum=$(guest "cat /dev/vda | md5sum")
	guest_kill
	serve_stop
	[ "$sum" = "$(md5sum <"$WORK/raw")" ] || die "the image is not what the guest read"
	e2fsck -fn "$WORK/files" >"$WORK/fsck" 2>&1 || die "fsck: $(cat "$WORK/fsck")"
}

timed()
{
	local began=$SECONDS

	"$@"
	echo "$* took $((SECONDS - began)) s"
}

serve_start $CACHE --audit 1/1 --disk "raw,path=$WORK/raw,socket=$WORK/raw.sock" \
	--disk "files,path=$WORK/files,socket=$WORK/files.sock"
guest_memory 160
DISKS=()
served_disk "$WORK/raw.sock" num-queues=2
served_disk "$WORK/files.sock" num-queues=2
plain_disk "$WORK/tools" readonly=on
guest_start "$WORK/initramfs" "${QEMU_MEMORY[@]}" -smp 2 "${DISKS[@]}"
guest_tools /dev/vdc
disturb_start
for ((round = 1; round <= ROUNDS; round++)); do
	timed work_model $((SEED + round))
	timed work_fio $((SEED + round))
	timed work_files $round
done
disturb_stop
# Now with the cache as it is.
timed work_model "$SEED"
timed work_files $round
check_counters
check_images
