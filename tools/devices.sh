#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2034 # device is for who sources this
# Block devices in memory for the demo and the benchmarks. Source it, and call
# devices__remove when done, however that comes about.

devices_loop=
devices_zram=
devices_folder=

# A loop device over MIB of memory; its path is in $device. Fails where there are no loop devices.
devices__add_loop()
{
	local mib=$1

	modprobe -q loop 2>/dev/null || true
	devices_folder=$(mktemp -d) || return 1
	mount -t tmpfs -o "size=$((mib + 1))m" hvtrace "$devices_folder" || return 1
	truncate -s "${mib}M" "$devices_folder/disk" || return 1
	devices_loop=$(losetup -f --show "$devices_folder/disk") || return 1
	device=$devices_loop
}

# A zram device of MIB that nothing was written to: it holds zeros and takes no memory.
devices__add_zram()
{
	local nr

	[ -d /sys/class/zram-control ] || modprobe -q zram num_devices=0 2>/dev/null || return 1
	nr=$(cat /sys/class/zram-control/hot_add 2>/dev/null) || return 1
	devices_zram=$nr
	echo "${1}M" >"/sys/block/zram$nr/disksize" || return 1
	device=/dev/zram$nr
}

devices__remove()
{
	[ -z "$devices_loop" ] || losetup -d "$devices_loop"
	if [ -n "$devices_folder" ]; then
		! mountpoint -q "$devices_folder" || umount -l "$devices_folder"
		rmdir "$devices_folder"
	fi
	[ -z "$devices_zram" ] || echo "$devices_zram" >/sys/class/zram-control/hot_remove
	devices_loop='' devices_folder='' devices_zram=''
}
