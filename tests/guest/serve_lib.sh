# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Guests whose disks are served by `hvtrace serve`: the server, what it says of itself, QEMU's
# options, and programs for the guest that do not fit into a small root file system.
#
# Sourced. The guest's memory is a memfd that the server shares.
# shellcheck disable=SC2034 # for who sources this
# shellcheck disable=SC2016 # the guest's shell expands
# shellcheck disable=SC2054 # QEMU's commas
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Debian's kernels zero each page as they hand it out (CONFIG_INIT_ON_ALLOC_DEFAULT_ON): nothing is
# left of what a frame held by the time something else is read into it.
GUEST_KERNEL=init_on_alloc=0

# ---------------------------------------------------------------- images

# image NAME SIZE: a sparse one, in $WORK.
image()
{
	rm -f "$WORK/$1"
	truncate -s "$2" "$WORK/$1" || die "no room for $WORK/$1"
}

# ext4_image NAME SIZE [MKE2FS_OPTION...]: with nothing left to do behind the test's back.
ext4_image()
{
	local name=$1 size=$2

	shift 2
	image "$name" "$size"
	mke2fs -q -F -t ext4 -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$@" \
		"$WORK/$name" || die "no file system in $WORK/$name"
}

# seeded_image NAME MIB SEED: other bytes for another seed, the same for the same.
seeded_image()
{
	head -c "${2}M" /dev/zero | openssl enc -aes-128-ctr -nosalt -K "$(printf %032x "$3")" \
		-iv 0 >"$WORK/$1" 2>/dev/null || die "no room for $WORK/$1"
}

# tools_image NAME PROGRAM...: programs with their shared libraries; see guest_tools.
tools_image()
{
	local name=$1 root=$WORK/tools.root program

	shift
	mkdir -p "$root"/bin
	for program; do
		program=$(command -v "$program") || die "no such program"
		cp -L "$program" "$root/bin"
		ldd "$program" | grep -o '/[^ ]*' | xargs -I{} cp -L --parents {} "$root"
	done
	image "$name" "$(($(du -sm "$root" | cut -f 1) * 5 / 4 + 8))M"
	mke2fs -q -F -t ext4 -O ^has_journal -d "$root" "$WORK/$name" || die "no image of tools"
	rm -rf "$root"
}

# guest_tools DEVICE: mounts such an image.
guest_tools()
{
	guest "mkdir -p /tools && mount -t ext4 -o ro $1 /tools && cd /tools &&" \
		'for d in *; do [ -e "/$d" ] || ln -s "/tools/$d" "/$d"; done &&' \
		'cd / && PATH=$PATH:/tools/bin && echo 1 >/proc/sys/vm/overcommit_memory' || die "no tools in the guest"
}

# ---------------------------------------------------------------- the server

# Servers are told apart by $SERVER; most tests have one only.
SERVER=server
declare -A SERVE_PID=()

# serve_begin CACHE OPTION...: `hvtrace serve` with that cache, which is not waited for. The host's pool
# of huge pages is others', unless SERVE_HUGE says so.
serve_begin()
{
	local cache=$1

	shift
	"$BUILD/hvtrace" serve --cache "$cache" --huge "${SERVE_HUGE:-no}" --control "$WORK/$SERVER.control" -q "$@" \
		</dev/null >"$WORK/$SERVER.out" 2>>"$WORK/$SERVER.err" &
	SERVE_PID[$SERVER]=$!
	defer "serve_kill $SERVER"
}

# serve_start CACHE OPTION...: the same, up when this returns.
serve_start()
{
	serve_begin "$@"
	for _ in {1..200}; do
		ctl version >/dev/null 2>&1 && return
		kill -0 "${SERVE_PID[$SERVER]}" 2>/dev/null || break
		sleep 0.05
	done
	die "the server does not start: $(serve_said)"
}

serve_said()
{
	tail -n 5 "$WORK/$SERVER.err"
}

# As kill -9 does: nothing is tidied up.
serve_kill()
{
	local pid=${SERVE_PID[${1:-$SERVER}]:-}

	[ -n "$pid" ] || return 0
	unset "SERVE_PID[${1:-$SERVER}]"
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# As an administrator would: it has to end well.
serve_stop()
{
	local pid=${SERVE_PID[$SERVER]} rc

	unset "SERVE_PID[$SERVER]"
	kill -TERM "$pid" || die "the server is gone: $(serve_said)"
	wait "$pid"
	rc=$?
	[ $rc -eq 0 ] || die "the server ended with status $rc: $(serve_said)"
}

ctl()
{
	"$BUILD/hvtrace" ctl --socket "$WORK/$SERVER.control" "$@"
}

# counter DISK NAME: one figure of ctl stats.
counter()
{
	ctl stats | jq -e --arg disk "$1" --arg name "$2" \
		'first(.. | objects | select(.vm? == $disk)) | first(.. | objects | .[$name] // empty)' ||
		die "ctl stats has no $2 of $1: $(ctl stats | jq -c .)" >&2
}

# counters DISK NAME...: to be looked at.
counters()
{
	local disk=$1 name

	shift
	for name; do
		printf '%s: %s %s\n' "$disk" "$name" "$(counter "$disk" "$name")"
	done
}

# at_least DISK NAME FLOOR, at_most DISK NAME CEILING
at_least()
{
	local n

	n=$(counter "$1" "$2") || exit 1
	[ "$n" -ge "$3" ] || die "$1: $2 is $n, less than $3: $(ctl stats | jq -c .)"
}

at_most()
{
	local n

	n=$(counter "$1" "$2") || exit 1
	[ "$n" -le "$3" ] || die "$1: $2 is $n, more than $3: $(ctl stats | jq -c .)"
}

# ---------------------------------------------------------------- QEMU

# Memory that can be shared: guest_memory MIB sets the array QEMU_MEMORY.
guest_memory()
{
	QEMU_MEMORY=(-m "$1" -machine pc,memory-backend=ram
		-object "memory-backend-memfd,id=ram,size=${1}M,share=on")
}

# served_disk SOCKET [DEVICE_OPTIONS] and plain_disk FILE [OPTIONS] append to the array DISKS.
served_disk()
{
	local id=${1##*/}

	id=${id%.sock}
	DISKS+=(-chardev "socket,id=c-$id,path=$1,reconnect=1"
		-device "vhost-user-blk-pci,id=$id,chardev=c-$id${2:+,$2}")
}

plain_disk()
{
	local id=${1##*/}

	DISKS+=(-drive "file=$1,format=raw,if=none,id=$id${2:+,$2}"
		-device "virtio-blk-pci,drive=$id")
}
