# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What serves a disk over vhost-user-blk in the benchmarks: hvtrace, and QEMU's storage daemon to measure it by.
#
# Source it after tests/guest/lib.sh. Servers run by the command in the array PIN, if any, and listen on $SOCKET.

SOCKET=$WORK/blk.sock
CONTROL=$WORK/control
PIN=()
SERVER_PID=

server_stop()
{
	[ -n "$SERVER_PID" ] || return 0
	kill "$SERVER_PID" 2>/dev/null
	wait "$SERVER_PID" 2>/dev/null
	SERVER_PID=
}

# server_start COMMAND...: returns when it listens.
server_start()
{
	rm -f "$SOCKET"
	"$@" </dev/null >"$WORK/server" 2>&1 &
	SERVER_PID=$!
	defer server_stop
	for _ in {1..100}; do
		[ -S "$SOCKET" ] && return
		kill -0 "$SERVER_PID" 2>/dev/null || break
		sleep 0.1
	done
	die "$1 does not serve: $(cat "$WORK/server")"
}

# storage_daemon DISK OPTIONS: of its block device, such as cache.direct=on.
storage_daemon()
{
	local driver=file

	[ ! -b "$1" ] || driver=host_device
	exec "${PIN[@]}" qemu-storage-daemon --object iothread,id=io \
		--blockdev "driver=$driver,node-name=disk,filename=$1,$2" \
		--export "type=vhost-user-blk,id=export,node-name=disk,writable=on,iothread=io,addr.type=unix,addr.path=$SOCKET"
}

# served DISK CACHE [OPTION]...: by hvtrace, under the name bench.
served()
{
	exec "${PIN[@]}" "$BUILD/hvtrace" serve -q --cache "$2" --control "$CONTROL" "${@:3}" \
		--disk "bench,path=$1,socket=$SOCKET,queues=1"
}
