#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The server dies at any moment, or QEMU does: what was acknowledged is on the disk, the guest goes
# on as if nothing had been, and what the cache says is true afterwards.
#
# SEED= other moments, KILLS= more of them.
# shellcheck source=serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"

SEED=${SEED:-1}
KILLS=${KILLS:-100}
# Pages to be read, ahead of the records: more than the guest's memory holds.
READ=12288
RECORDS=512
CACHE=16MiB

need qemu-system-x86_64 busybox cpio mke2fs e2fsck jq
need_built hvtrace tests/guest/records tests/guest/pages
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO" "" "$BUILD/tests/guest/records" "$BUILD/tests/guest/pages"
records=$BUILD/tests/guest/records
pages=$BUILD/tests/guest/pages
RANDOM=$SEED

# ---------------------------------------------------------------- kill the server, 100 times

# A disk each, with a server of its own: these die independently.
DISKS_RAW=(a b)
DISKS_EXT4=(c d)
declare -A DEVICE=([a]=/dev/vda [b]=/dev/vdb [c]=/dev/vdc [d]=/dev/vdd)
declare -A ACKS=([a]=0 [b]=200 [c]=400 [d]=600)
declare -A POLICY=([a]=lru [b]=s3fifo [c]=lru [d]=s3fifo)
declare -A SEEN=()

# serve_disk start|begin NAME
serve_disk()
{
	SERVER=$2 "serve_$1" $CACHE --disk "$2,path=$WORK/$2,socket=$WORK/$2.sock" --audit 1/1 \
		--policy "${POLICY[$2]}"
}

make_disks()
{
	local name

	DISKS=()
	for name in "${DISKS_RAW[@]}" "${DISKS_EXT4[@]}"; do
		[ -e "$WORK/$name" ] || ext4_image "$name" 64M
		serve_disk start "$name"
		served_disk "$WORK/$name.sock" num-queues=2
	done
	image acks 1M
	plain_disk "$WORK/acks" cache=directsync
}

make_raw_disks()
{
	local name

	for name in "${DISKS_RAW[@]}"; do
		image "$name" 64M
		"$pages" stamp "$WORK/$name" $READ 1 || die "no contents"
	done
}

# Writers, and readers that keep the cache busy; each says in a file how it ended.
start_load()
{
	local name file

	for name in "${DISKS_EXT4[@]}"; do
		file=/mnt/$name/records
		guest "mkdir -p /mnt/$name && mount ${DEVICE[$name]} /mnt/$name &&" \
			"dd if=/dev/zero of=$file bs=4k count=$RECORDS 2>/dev/null && sync" ||
			die "no file system on $name"
		guest "{ records write synced $file 0 $RECORDS /dev/vde ${ACKS[$name]} $SEED /tmp/stop" \
			">/tmp/$name.said 2>&1; echo \$? >/tmp/$name.rc; } &"
	done
	for name in "${DISKS_RAW[@]}"; do
		guest "{ records write direct ${DEVICE[$name]} $READ $RECORDS /dev/vde ${ACKS[$name]}" \
			"$SEED /tmp/stop >/tmp/$name.said 2>&1; echo \$? >/tmp/$name.rc; } &"
		guest "{ until [ -e /tmp/stop ]; do" \
			"pages uniform cached ${DEVICE[$name]} $READ 2000 $SEED || break; done" \
			">/tmp/$name.read 2>&1; } &"
	done
}

last()
{
	"$records" last "$WORK/acks" "${ACKS[$1]}" $RECORDS
}

# The disk's writer has got on since it was looked at.
wait_progress()
{
	local end=$((SECONDS + 60))

	until [ "$(last "$1")" -gt "${SEEN[$1]:-0}" ]; do
		[ $SECONDS -lt $end ] || die "disk $1 stands still: $(SERVER=$1 serve_said)" \
			"$(guest "cat /tmp/$1.said; dmesg | tail -n 5")"
		sleep 0.05
	done
}

# Nothing else writes to it now.
check_raw()
{
	"$records" check "$WORK/$1" $READ $RECORDS "$WORK/acks" "${ACKS[$1]}" ||
		die "acknowledged records are not on disk $1"
}

kill_once()
{
	local name=$1

	# Sometimes before it got to work at all.
	[ $((RANDOM % 8)) -eq 0 ] || wait_progress "$name"
	sleep "0.$(printf %03d $((RANDOM % 250)))"
	serve_kill "$name"
	[[ " ${DISKS_RAW[*]} " != *" $name "* ]] || check_raw "$name"
	SEEN[$name]=$(last "$name")
	# Whether it came up shows when it is its turn again.
	serve_disk begin "$name"
}

finish_load()
{
	local name rc

	guest "touch /tmp/stop; wait"
	for name in "${DISKS_RAW[@]}" "${DISKS_EXT4[@]}"; do
		rc=$(guest "cat /tmp/$name.rc")
		[ "$rc" = 0 ] || die "the writer of $name: $(guest "cat /tmp/$name.said")"
		[ -z "$(guest "cat /tmp/$name.read 2>/dev/null")" ] ||
			die "the reader of $name: $(guest "cat /tmp/$name.read")"
		echo "$name: $(last "$name") records acknowledged"
	done
	guest '! dmesg | grep -iE "i/o error|ext4-fs error"' || die "I/O errors in the guest"
}

check_at_end()
{
	local name

	for name in "${DISKS_EXT4[@]}"; do
		guest "echo 3 >/proc/sys/vm/drop_caches; records check /mnt/$name/records 0 $RECORDS" \
			"/dev/vde ${ACKS[$name]} && umount /mnt/$name" || die "records of $name"
	done
	for name in "${DISKS_RAW[@]}"; do
		guest "records check ${DEVICE[$name]} $READ $RECORDS /dev/vde ${ACKS[$name]} &&" \
			"pages loop cached ${DEVICE[$name]} $READ $READ 1" || die "contents of $name"
	done
	for name in "${DISKS_RAW[@]}" "${DISKS_EXT4[@]}"; do
		SERVER=$name at_most "$name" audit_failed 0
		SERVER=$name serve_stop
	done
	guest_kill
	for name in "${DISKS_RAW[@]}"; do
		check_raw "$name"
	done
	for name in "${DISKS_EXT4[@]}"; do
		e2fsck -fn "$WORK/$name" >"$WORK/fsck" 2>&1 || die "$name: $(cat "$WORK/fsck")"
	done
}

case_server()
{
	local names=("${DISKS_RAW[@]}" "${DISKS_EXT4[@]}") i

	make_raw_disks
	make_disks
	guest_memory 128
	guest_start "$WORK/initramfs" "${QEMU_MEMORY[@]}" -smp 2 "${DISKS[@]}"
	start_load
	for ((i = 0; i < KILLS; i++)); do
		kill_once "${names[i % 4]}"
	done
	for i in "${names[@]}"; do
		wait_progress "$i"
	done
	finish_load
	check_at_end
	echo "$KILLS kills of servers: nothing lost"
}

# ---------------------------------------------------------------- kill QEMU

case_qemu()
{
	local i

	image disk 64M
	"$pages" stamp "$WORK/disk" $READ 1 || die "no contents"
	image acks 1M
	serve_start $CACHE --disk "disk,path=$WORK/disk,socket=$WORK/disk.sock" --audit 1/1
	guest_memory 96
	for i in 1 2 3; do
		DISKS=()
		served_disk "$WORK/disk.sock" num-queues=2
		plain_disk "$WORK/acks" cache=directsync
		guest_start "$WORK/initramfs" "${QEMU_MEMORY[@]}" -smp 2 "${DISKS[@]}"
		# Of the last guest, then of this one.
		guest "pages loop cached /dev/vda $READ $READ 1 &&" \
			"records check /dev/vda $READ $RECORDS /dev/vdb 0" || die "guest $i's disk"
		guest "dd if=/dev/zero of=/dev/vdb bs=4k count=8 oflag=direct 2>/dev/null &&" \
			"dd if=/dev/zero of=/dev/vda bs=4k seek=$READ count=$RECORDS oflag=direct 2>/dev/null"
		guest "records write direct /dev/vda $READ $RECORDS /dev/vdb 0 $i /tmp/stop &" \
			"while :; do pages uniform cached /dev/vda $READ 1000 $i || break; done &"
		sleep "1.$((RANDOM % 1000))"
		kill -KILL "$GUEST_PID"
		guest_kill
	done
	counters disk hits misses audited audit_failed
	at_most disk audit_failed 0
	at_least disk hits 1
	serve_stop
	"$records" check "$WORK/disk" $READ $RECORDS "$WORK/acks" 0 || die "records are lost"
}

# ---------------------------------------------------------------- an idle guest; more memory

# memory_add MIB: plugs it in, all of it usable when this returns.
memory_add()
{
	local before

	before=$(guest "awk '/MemTotal/ { print \$2 }' /proc/meminfo")
	monitor "object_add memory-backend-memfd,id=more,size=${1}M,share=on"
	monitor "device_add pc-dimm,id=dimm,memdev=more"
	guest_wait 30 "[ \$(awk '/MemTotal/ { print \$2 }' /proc/meminfo) -ge" \
		"$((before + $1 * 1000)) ]" || die "the guest got no more memory: $REPLY"
}

case_live()
{
	image disk 192M
	"$pages" stamp "$WORK/disk" 49152 1 || die "no contents"
	serve_start $CACHE --disk "disk,path=$WORK/disk,socket=$WORK/disk.sock" --audit 1/1
	guest_memory 96
	monitor_open
	DISKS=()
	served_disk "$WORK/disk.sock" num-queues=2
	QEMU_MEMORY[1]=96,slots=2,maxmem=512M
	GUEST_KERNEL="$GUEST_KERNEL memhp_default_state=online" guest_start "$WORK/initramfs" \
		"${QEMU_MEMORY[@]}" -smp 2 "${DISKS[@]}" "${MONITOR[@]}"
	guest "pages loop cached /dev/vda 49152 30000 1" || die "wrong contents"
	serve_kill
	serve_start $CACHE --disk "disk,path=$WORK/disk,socket=$WORK/disk.sock" --audit 1/1
	guest "pages loop cached /dev/vda 49152 30000 1" || die "wrong contents after a restart"
	guest "while :; do pages uniform cached /dev/vda 49152 2000 1 || break; done >/tmp/load 2>&1 &"
	memory_add 128
	# Into the new memory, too.
	guest "pages loop cached /dev/vda 49152 60000 1" || die "wrong contents with more memory"
	[ -z "$(guest "cat /tmp/load")" ] || die "$(guest "cat /tmp/load")"
	counters disk hits captured audited audit_failed
	at_most disk audit_failed 0
	at_least disk hits 1
	guest_kill
	serve_stop
}

cases "server qemu live" "$@"
