#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2034 # device is for who sources this
# Block devices in memory for the demo and the benchmarks. Source it, and call
# devices__remove when done, however that comes about.

devices_loops=()
devices_folders=()
devices_zrams=()

# A loop device over MIB of memory; its path is in $device. Fails where there are no loop devices.
devices__add_loop()
{
	local mib=$1 folder

	modprobe -q loop 2>/dev/null || true
	folder=$(mktemp -d) || return 1
	devices_folders+=("$folder")
	mount -t tmpfs -o "size=$((mib + 1))m" hvtrace "$folder" || return 1
	truncate -s "${mib}M" "$folder/disk" || return 1
	device=$(losetup -f --show "$folder/disk") || return 1
	devices_loops+=("$device")
}

# A zram device of MIB. As long as nothing is written to it, it takes no memory.
devices__add_zram()
{
	local nr

	[ -d /sys/class/zram-control ] || modprobe -q zram num_devices=0 2>/dev/null || return 1
	nr=$(cat /sys/class/zram-control/hot_add 2>/dev/null) || return 1
	devices_zrams+=("$nr")
	echo "${1}M" >"/sys/block/zram$nr/disksize" || return 1
	device=/dev/zram$nr
	[ -b "$device" ]
}

# Data that does not compress, all over $device.
devices__fill()
{
	dd if=/dev/urandom of="$device" bs=1M iflag=fullblock oflag=direct status=none \
		count=$(($(blockdev --getsize64 "$device") >> 20))
}

devices__remove()
{
	local it

	for it in "${devices_loops[@]}"; do
		losetup -d "$it"
	done
	for it in "${devices_folders[@]}"; do
		! mountpoint -q "$it" || umount -l "$it"
		rmdir "$it"
	done
	for it in "${devices_zrams[@]}"; do
		echo "$it" >/sys/class/zram-control/hot_remove
	done
	devices_loops=() devices_folders=() devices_zrams=()
}
