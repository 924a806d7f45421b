#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Storage that fails, stalls, is full or in use; locks against QEMU's.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_root

# io NAME OPTION...: storage-io, open.
io()
{
	local name=$1

	shift
	start "$name" "$fault/storage-io" "$@"
	heard_open "$name"
}

heard_open()
{
	local tries

	for ((tries = 0; tries < 600; tries++)); do
		grep -q ^open "$tmp/$1.out" && return
		kill -0 "${pid[$1]}" 2>/dev/null || break
		sleep 0.05
	done
	fail "$1: $(cat "$tmp/$1.out")"
}

# quit NAME: it closes the image itself; when a process is killed, that may be a little later.
quit()
{
	say "$1" quit
	wait "${pid[$1]}" || fail "$1 ended with status $?"
	unset "pid[$1]"
}

# requests OPTION IMAGE [REQUEST ANSWER]...: one after the other, by a storage-io of its own.
requests()
{
	local n

	io once "$1" "$2"
	shift 2
	for ((n = 1; $# > 0; n++)); do
		say once "$1"
		heard once "$n $2"
		shift 2
	done
	quit once
}

# refused SAYS COMMAND...
refused()
{
	local says=$1

	shift
	run "$@"
	[ "$rc" -ne 0 ] || fail "was let in"
	[[ $err == *"$says"* ]] || fail "does not say: $says"
}

# --- locks, as QEMU's -----------------------------------------------------------------------

image=$tmp/image
truncate -s 4M "$image"

# disk_of NODE READ_ONLY: QEMU's options for the image.
disk_of()
{
	echo "driver=raw,node-name=$1,read-only=$2,file.driver=file,file.filename=$image"
}

# A VM of QEMU with that disk, not running.
vm()
{
	local ro=${1:-off}

	start vm qemu-system-x86_64 -M q35 -m 64 -accel tcg -S -nodefaults -display none -qmp stdio \
		-blockdev "$(disk_of disk "$ro")" -device virtio-blk-pci,drive=disk
	# It answers when all its devices are there.
	say vm '{"execute": "qmp_capabilities"}'
	for ((n = 0; n < 600; n++)); do
		grep -q return "$tmp/vm.out" && return
		sleep 0.05
	done
	fail "no VM: $(cat "$tmp/vm.out")"
}

vm
refused 'open for writing' "$fault/storage-io" "$image"
refused 'open for writing' "$fault/storage-io" -r "$image"
stop vm

# Readers do with each other, but not with writers.
vm on
requests -r "$image" 'read 0 4096' 'ok zero'
refused 'lets nobody write' "$fault/storage-io" "$image"
stop vm
io ours -r "$image"
vm on
stop vm
refused 'Failed to get' qemu-io -f raw -c 'write 0 4k' "$image"
quit ours

io ours "$image"
refused 'another process' "$fault/storage-io" "$image"
refused 'Failed to get' qemu-io -f raw -c 'write 0 4k' "$image"
refused 'Failed to get' qemu-system-x86_64 -M q35 -m 64 -accel tcg -S -nodefaults -display none \
	-blockdev "$(disk_of disk on)" -device virtio-blk-pci,drive=disk
export=type=vhost-user-blk,id=e,node-name=disk,writable=on,addr.type=unix,addr.path=$tmp/sock
refused 'Failed to get' timeout 20 qemu-storage-daemon --blockdev "$(disk_of disk off)" \
	--export "$export"
quit ours

# Who waits gets the image when the other is gone.
start qsd qemu-storage-daemon --blockdev "$(disk_of disk off)" --export "$export" \
	--pidfile "$tmp/qsd.pid"
for ((n = 0; n < 600; n++)); do
	[ -s "$tmp/qsd.pid" ] && break
	sleep 0.05
done
refused 'open for writing' "$fault/storage-io" "$image"
start ours "$fault/storage-io" -p 60 "$image"
sleep 0.2
grep -q ^open "$tmp/ours.out" && fail "did not wait for the lock"
stop qsd KILL
heard_open ours
quit ours

# Locks that ought to work and do not keep nobody out; a file system may have none.
for error in ENOLCK EIO; do
	faulty $error 4M -l $error
	refused "can't lock it" "$fault/storage-io" "$tmp/$error"
	stop $error.faulty
done
faulty nolocks 4M -l ENOSYS
io nolocks "$tmp/nolocks"
grep -q locked=0 "$tmp/nolocks.out" || fail "a file system without locks is not told of"
quit nolocks
stop nolocks.faulty
io ours "$image"
grep -q locked=1 "$tmp/ours.out" || fail "locks are not told of"
quit ours

# --- storage that fails ---------------------------------------------------------------------

faulty disk 4M
for engine in '' -t; do
	io disk $engine "$tmp/disk"
	tell disk 'fail read EIO 8192 4096'
	tell disk 'fail write ENOSPC 0 4096'
	tell disk 'fail sync EIO'
	tell disk 'fail allocate EIO'
	say disk 'read 0 16384'
	heard disk '1 EIO'
	say disk 'read 12288 4096'
	heard disk '2 ok zero'
	say disk 'write 0 8192 x'
	heard disk '3 ENOSPC'
	say disk 'write 16384 8192 x'
	heard disk '4 ok'
	say disk flush
	heard disk '5 EIO'
	say disk 'discard 0 8192'
	heard disk '6 EIO'
	say disk 'zero 0 8192'
	heard disk '7 EIO'
	# Zeroes are written where there is no other way; a discard need do nothing.
	tell disk 'ok'
	tell disk 'fail allocate EOPNOTSUPP'
	say disk 'zero 20480 4096'
	heard disk '8 ok'
	say disk 'unmap 16384 4096'
	heard disk '9 ok'
	say disk 'read 16384 8192'
	heard disk '10 ok zero'
	say disk 'write 16384 8192 y'
	heard disk '11 ok'
	say disk 'discard 16384 8192'
	heard disk '12 ok'
	tell disk 'ok'
	# Short: what is left is asked for; what is less than a block, twice.
	tell disk 'short read 700'
	say disk 'read 16384 8192'
	heard disk '13 ok y'
	tell disk 'short read 300'
	say disk 'read 16384 8192'
	heard disk '14 EIO'
	tell disk 'ok'
	say disk flush
	heard disk '15 ok'
	quit disk
done
tell disk 'short write 4096'
requests -t "$tmp/disk" 'write 0 65536 z' ok 'read 0 65536' 'ok z'
tell disk ok

# --- storage that stalls --------------------------------------------------------------------

for engine in '' -t; do
	io disk $engine "$tmp/disk"
	tell disk 'stall read 0 4096'
	say disk 'read 0 4096'
	for ((n = 2; n <= 20; n++)); do
		say disk 'read 131072 4096'
		heard disk "$n ok zero"
	done
	grep -q '^1 ' "$tmp/disk.out" && fail "a stalled read has ended"
	tell disk go
	heard disk '1 ok z'
	tell disk ok
	tell disk 'delay read 100'
	say disk 'read 0 4096'
	heard disk '21 ok z'
	tell disk ok
	quit disk
done

# A server is killed while a write of its own is under way: the image is locked until that ended.
for engine in '' -t; do
	io disk $engine "$tmp/disk"
	tell disk 'stall write'
	say disk 'write 0 4096 k'
	for ((n = 0; n < 600; n++)); do
		: >"$tmp/disk.faulty.out"
		say disk.faulty held
		sleep 0.05
		grep -qx 1 "$tmp/disk.faulty.out" && break
	done
	kill -KILL "${pid[disk]}"
	refused 'another process' "$fault/storage-io" "$tmp/disk"
	start next "$fault/storage-io" -p 60 "$tmp/disk"
	sleep 0.2
	grep -q ^open "$tmp/next.out" && fail "did not wait for the dying server's write"
	tell disk ok
	heard_open next
	say next 'read 0 4096'
	heard next '1 ok k'
	say next 'write 0 4096 z'
	heard next '2 ok'
	quit next
	stop disk KILL
done

# --- full -----------------------------------------------------------------------------------

mkdir "$tmp/full"
mount -t tmpfs -o size=1M none "$tmp/full" || fail "no tmpfs"
defer "umount '$tmp/full'"
for engine in '' -t; do
	truncate -s 0 "$tmp/full/image"
	truncate -s 8M "$tmp/full/image"
	head -c 512K /dev/zero >"$tmp/full/filler"
	io full $engine "$tmp/full/image"
	say full 'write 0 1048576 f'
	heard full '1 ENOSPC'
	say full 'read 4194304 4096'
	heard full '2 ok zero'
	rm "$tmp/full/filler"
	say full 'write 0 524288 f'
	heard full '3 ok'
	say full 'read 0 524288'
	heard full '4 ok f'
	quit full
done

# --- devices, file systems without direct I/O ------------------------------------------------

# loop OPTION... FILE: $loop is the device.
loop()
{
	loop=$(losetup -f --show "$@") || fail "no loop device"
	defer "losetup -d $loop"
}

truncate -s 16M "$tmp/fs"
mke2fs -q -t ext4 "$tmp/fs" || fail "no file system"
loop "$tmp/fs"
mkdir "$tmp/mnt"
mount -o data=journal "$loop" "$tmp/mnt" || fail "no mount"
defer "umount '$tmp/mnt'"
refused 'is in use' "$fault/storage-io" "$loop"
# The guest's cache is not to be of what the host writes to; what nobody writes to may be shared.
refused 'is in use' "$fault/storage-io" -r "$loop"
mount -o remount,ro "$loop" "$tmp/mnt" || fail "no read-only mount"
io mounted -r "$loop"
quit mounted
mount -o remount,rw "$loop" "$tmp/mnt" || fail "no writable mount"
truncate -s 1M "$tmp/mnt/image"
for engine in '' -t; do
	io journal $engine "$tmp/mnt/image"
	grep -q direct=0 "$tmp/journal.out" || fail "ext4 does no direct I/O with data=journal"
	say journal 'write 0 8192 j'
	heard journal '1 ok'
	say journal flush
	heard journal '2 ok'
	say journal 'read 0 8192'
	heard journal '3 ok j'
	quit journal
done

loop -r "$image"
refused '(ro)' "$fault/storage-io" "$loop"
requests -r "$loop" 'read 0 4096' 'ok zero'
truncate -s 0 "$tmp/none"
loop "$tmp/none"
refused 'empty' "$fault/storage-io" "$loop"
