#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Reads a second of a disk served by hvtrace and by QEMU's storage daemon, of the same raw file, side by side: ratios, each
# beside its target. Asserts nothing.
#
# A client (bench/vhost_load: random reads of 4 KiB, one queue, polls for what is done) has a CPU, the server another. Servers
# take turns. ROUNDS and SECONDS_EACH make it longer and steadier; the image goes to IMAGES, a folder on a real disk.
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/../tests/guest/lib.sh"
# shellcheck source=bench/servers.sh
. "$(dirname "$0")/servers.sh"

rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-2}
images=${IMAGES:-/var/tmp}
image=

# What is read at random: of the disk, so that a small cache has none of it; of what a cache has.
DISK_MIB=1024
HOT_MIB=256
FRAMES=4MiB

make_image()
{
	image=$(mktemp "$images/hvtrace-bench.XXXXXX") || die "no image in $images; IMAGES names another folder"
	defer "rm -f '$image'"
	dd if=/dev/urandom of="$image" bs=1M count=$DISK_MIB conv=fsync status=none || die "no room for $image"
}

# load DEPTH RANGE [OPTION]...: reads a second to stdout.
load()
{
	taskset -c 0 "$BUILD/bench/vhost_load" -d "$1" -f $FRAMES -r "$2" -s "$seconds" "${@:3}" "$SOCKET" \
		>"$WORK/load" 2>"$WORK/load.err" || die "vhost_load: $(cat "$WORK/load.err" "$WORK/server")"
	grep -oE 'iops=[0-9.]+' "$WORK/load" | cut -d= -f2
}

# direct ENGINE DEPTH, cached ENGINE DEPTH: QEMU's storage daemon without and with the host's page cache, by that aio.
direct()
{
	server_start storage_daemon "$image" "cache.direct=on,aio=$1"
	load "$2" ${DISK_MIB}MiB
}

cached()
{
	server_start storage_daemon "$image" "cache.direct=off,aio=$1"
	load "$2" ${HOT_MIB}MiB -p
}

# missed POLICY DEPTH, hit POLICY DEPTH: hvtrace with hardly any of the disk in its cache, and with all that is read.
missed()
{
	server_start served "$image" 8MiB --policy "$1"
	load "$2" ${DISK_MIB}MiB -p
}

hit()
{
	server_start served "$image" $((HOT_MIB + 16))MiB --policy "$1"
	load "$2" ${HOT_MIB}MiB -p
}

# turn NAME ENGINE DEPTH: appends a round's figure.
turn()
{
	local said

	said=$(apart "$@") || die "no figure of $*: $said"
	echo "$said" >>"$WORK/$1.$2.$3"
}

# best NAME DEPTH: of the engines with the highest median.
best()
{
	local file

	for file in "$WORK/$1".*."$2"; do
		echo "$(median <"$file") $file"
	done | sort -g | tail -n 1 | cut -d' ' -f2
}

show()
{
	local engine=${2#"$WORK"/*.}

	printf '%-58s %10.0f /s\n' "$1, ${engine%.*}" "$(median <"$2")"
}

# against TEXT OURS THEIRS DEPTH TARGET: the median of the rounds' ratios.
against()
{
	local theirs

	theirs=$(best "$3" "$4")
	show "$1, depth $4: qemu-storage-daemon" "$theirs"
	show "... hvtrace" "$WORK/$2.lru.$4"
	figure "... ratio" "$(paste "$WORK/$2.lru.$4" "$theirs" | awk '{ print $1 / $2 }' | median)" '' '>=' "$5"
}

need qemu-storage-daemon taskset
need_built hvtrace bench/vhost_load
[ "$(nproc)" -ge 2 ] || die "a client and a server need a CPU each"
PIN=(taskset -c 1)
echo "$(uname -sr), $(nproc) CPUs, $rounds rounds of $seconds s each, $(qemu-storage-daemon --version | head -n 1)"
make_image
for ((round = 0; round < rounds; round++)); do
	for depth in 1 32; do
		turn direct native $depth
		turn direct io_uring $depth
		turn missed lru $depth
		turn cached threads $depth
		turn cached io_uring $depth
		turn hit lru $depth
	done
done
for depth in 1 32; do
	against "misses" missed direct $depth 1
done
for depth in 1 32; do
	against "hits" hit cached $depth 2.5
done
