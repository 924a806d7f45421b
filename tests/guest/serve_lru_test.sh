#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# No extra I/O: a guest of m pages with an exclusive cache of c pages reads as much from storage as
# one of m + c pages without, and never more than it would read without the cache.
#
# The first holds for a guest that evicts in LRU order. Linux's page cache does not quite: it keeps
# pages that came back early on a second list (mm/workingset.c), and what it then evicts is not what
# was used least recently. So it is held to that where the order does not matter, as all pages are
# alike: single pages at random, and loops. Where some are used more than others, these are what it
# protects: guest and cache are held to what LRU memory of m + c pages would read, simulated from the
# same references, give or take a twentieth, for what the second list keeps longer than LRU would and
# for pages that the guest frees before it needs to. And all of it to Belady's OPT: no memory of that
# size can read less. A guest with a pool of frames of its own that does LRU, as databases do, is held to
# account for everything.
#
# One hit in seven is compared with storage; what that reads is counted apart.
#
# SEEDS= of the pools' work.
# shellcheck source=serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"

SEEDS=${SEEDS:-1}

need qemu-system-x86_64 busybox cpio losetup jq
need_built hvtrace tests/guest/pages tests/guest/workload
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO" "" "$BUILD/tests/guest/pages" \
	"$BUILD/tests/guest/workload"
pages=$BUILD/tests/guest/pages
# A cache that grows gets its memory by the server's own thread: on a busy machine the guest must not
# outrun it, or pages leave a cache that is only to become larger.
QEMU_PREFIX="nice -n 15"

# disk_of PAGES: a device, whose own count of what is read is believed.
disk_of()
{
	loop_device DISK_DEVICE "$WORK/disk" "$(($1 * 4))K"
	"$pages" stamp "$DISK_DEVICE" "$1" 1 || die "no contents"
}

# boot GUEST_MIB CACHE: with one queue, so that there is one LRU order.
boot()
{
	serve_start "$2" --audit 1/7 \
		--disk "disk,path=$DISK_DEVICE,socket=$WORK/disk.sock,queues=1"
	guest_memory "$1"
	DISKS=()
	served_disk "$WORK/disk.sock" num-queues=1
	guest_start "$WORK/initramfs" "${QEMU_MEMORY[@]}" "${DISKS[@]}"
	# Open, lest its page cache goes.
	guest "exec 5</dev/vda" || die "no disk in the guest"
}

halt()
{
	at_least disk audited $(($(counter disk hits) / 7))
	at_most disk audit_failed 0
	guest_kill
	serve_stop
}

# Pages that were read from storage by now.
storage_pages()
{
	awk '{ printf "%d\n", $3 / 8 }' "/sys/block/${DISK_DEVICE##*/}/stat"
}

# work COMMAND...: in the guest; sets READ, the pages that this reads from storage.
work()
{
	local before told audited

	before=$(storage_pages)
	told=$(counter disk storage_read_bytes) || exit 1
	audited=$(counter disk audited) || exit 1
	guest "$*" >"$WORK/work" || die "$*: $(cat "$WORK/work")"
	READ=$(($(storage_pages) - before))
	told=$((($(counter disk storage_read_bytes) - told) / 4096))
	[ $READ -eq $told ] || die "$*: read $READ pages, the server says $told"
	READ=$((READ - ($(counter disk audited) - audited)))
}

# compare WHAT WITH WITHOUT PERMILLE: no further apart than that.
compare()
{
	no_extra "$@"
	[ $((($3 - $2) * 1000)) -le $(($3 * $4)) ] || die "$1: $2 is less than can be"
}

# no_extra WHAT WITH WITHOUT PERMILLE: not more than that above.
no_extra()
{
	echo "$1: $2 pages read from storage; without a cache, with as much memory: $3"
	[ $((($2 - $3) * 1000)) -le $(($3 * $4)) ] || die "$1: that is extra I/O"
}

# no_more WHAT WITH ALONE
no_more()
{
	echo "$1: $2 pages read from storage; without the cache: $3"
	[ "$2" -le "$3" ] || die "$1: more than without the cache"
}

# near WHAT WITH LRU PERMILLE: no further apart than that.
near()
{
	echo "$1: $2 pages read from storage; LRU memory of that size: $3"
	[ $((($2 - $3) * 1000)) -le $(($3 * $4)) ] || die "$1: that is extra I/O"
	[ $((($3 - $2) * 1000)) -le $(($3 * $4)) ] || die "$1: $2 is less than can be explained"
}

# no_less WHAT WITH OPT
no_less()
{
	echo "$1: $2 pages read from storage; with as much memory OPT reads $3"
	[ "$2" -ge "$3" ] || die "$1: $2 is less than can be"
}

# ---------------------------------------------------------------- a pool of frames that does LRU

M=2048
C=2048
# Of a loop: they fit into both, not into one.
LOOP=3900
PAGES=8192
COUNT=20000

# Each pool is a new one, and finds nothing in the cache that an earlier one left.
pools()
{
	local frames=$1 seed pattern

	for seed in $SEEDS; do
		for pattern in loop uniform zipf mixed; do
			ctl drain >/dev/null || die "no drain"
			work "pages $pattern $frames /dev/vda" \
				"$([ $pattern = loop ] && echo $LOOP || echo $PAGES) $COUNT $seed"
			echo "$pattern $seed $READ"
		done
	done
}

case_pool()
{
	local pattern seed with without alone

	disk_of $PAGES
	boot 192 $((C * 4))KiB
	(pools $M) >"$WORK/with" || die "$(cat "$WORK/with")"
	at_least disk hits 1000
	halt
	boot 192 0
	(pools $((M + C))) >"$WORK/without" || die "$(cat "$WORK/without")"
	(pools $M) >"$WORK/alone" || die "$(cat "$WORK/alone")"
	halt
	while read -r pattern seed with without alone; do
		compare "pool of $M frames, cache of $C pages, $pattern $seed" "$with" "$without" 2
		no_more "$pattern $seed" "$with" "$alone"
	done < <(paste -d ' ' "$WORK/with" <(cut -d ' ' -f 3 "$WORK/without") \
		<(cut -d ' ' -f 3 "$WORK/alone"))
}

# ---------------------------------------------------------------- Linux's page cache

GUEST_MIB=128
MORE=32
DISK=32768
READS=12000

# references PATTERN LOOP: the pages that this work asks for.
references()
{
	case $1 in
	loop) "$pages" loop list "$2" $(($2 * 3)) 1 ;;
	uniform) "$pages" uniform list $DISK $((READS * 2)) 1 ;;
	*) "$pages" "$1" list $DISK $READS 1 ;;
	esac
}

# simulated SIZE POLICY: reads of all references so far.
simulated()
{
	"$BUILD/hvtrace" mrc --format u64 --policy "$2" --sizes "${1}p" --csv - "$WORK/references" |
		awk -F, -v policy="$2" 'NR > 1 && ($1 ~ ":" policy "$" || (policy == "lru" && $1 !~ ":")) {
			print $6; exit }'
}

# simulate LOOP SIZE: what LRU memory of that size reads of each, a line each; and what OPT reads of all,
# of a little more memory, as the guest's was not measured to the page.
simulate()
{
	local pattern before=0 reads

	: >"$WORK/references"
	for pattern in loop uniform zipf mixed; do
		references $pattern "$1" >>"$WORK/references" || die "no references"
		reads=$(simulated "$2" lru)
		echo "$pattern $((reads - before))"
		before=$reads
	done
	echo "all $(simulated $(($2 * 102 / 100)) opt)"
}

# boot_linux GUEST_MIB CACHE: a kernel that frees hardly more than it has to.
boot_linux()
{
	boot "$@"
	guest "cd /proc/sys/vm && echo 1024 >min_free_kbytes && echo 0 >watermark_boost_factor" ||
		die "no such settings"
}

# page_cache LOOP: the same work in each guest; what it reads, a line each, and all since it booted.
page_cache()
{
	local pattern

	work "workload scan /dev/vda 0 $1 3"
	echo "loop $READ"
	work "pages uniform cached /dev/vda $DISK $((READS * 2)) 1"
	echo "uniform $READ"
	for pattern in zipf mixed; do
		work "pages $pattern cached /dev/vda $DISK $READS 1"
		echo "$pattern $READ"
	done
	echo "all $(($(counter disk storage_read_bytes) / 4096 - $(counter disk audited)))"
}

# capacity VARIABLE GUEST_MIB: pages of the disk that the guest holds at most: what it holds varies,
# as it makes room in advance.
capacity()
{
	local i held most=0

	boot_linux "$2" 0
	for i in 1 2 3 4; do
		guest "dd if=/dev/vda of=/dev/null bs=1M skip=$((i * 8)) 2>/dev/null;" \
			"pages resident /dev/vda" >"$WORK/held"
		held=$(awk '{ n += $2 } END { print n }' "$WORK/held")
		most=$((held > most ? held : most))
	done
	printf -v "$1" %d $most
	halt
}

case_linux()
{
	local small=0 large=0 cache loop pattern with without alone lru

	disk_of $DISK
	capacity small $GUEST_MIB
	capacity large $((GUEST_MIB + MORE))
	cache=$(((large - small + 256) / 512 * 512))
	# Fits although either guest frees up to a quarter more than it has to, now and then.
	loop=$((large * 7 / 10))
	echo "page caches of $small and $large pages, cache of $cache pages"
	boot_linux $GUEST_MIB ${cache}p
	(page_cache "$loop") >"$WORK/with" || die "$(cat "$WORK/with")"
	halt
	boot_linux $((GUEST_MIB + MORE)) 0
	(page_cache "$loop") >"$WORK/without" || die "$(cat "$WORK/without")"
	halt
	boot_linux $GUEST_MIB 0
	(page_cache "$loop") >"$WORK/alone" || die "$(cat "$WORK/alone")"
	halt
	simulate "$loop" $((small + cache)) >"$WORK/lru"
	while read -r pattern with without alone lru; do
		case $pattern in
		loop | uniform) no_extra "page cache, $pattern" "$with" "$without" 20 ;;
		all) no_less "page cache, all" "$with" "$lru" ;;
		*) near "page cache, $pattern" "$with" "$lru" 50 ;;
		esac
		no_more "$pattern" "$with" "$alone"
	done < <(paste -d ' ' "$WORK/with" <(cut -d ' ' -f 2 "$WORK/without") \
		<(cut -d ' ' -f 2 "$WORK/alone") <(cut -d ' ' -f 2 "$WORK/lru"))
}

# ---------------------------------------------------------------- a scan, again

SCAN=76800

case_scan()
{
	local hits misses

	disk_of $SCAN
	boot 256 128MiB
	work "workload scan /dev/vda 0 $SCAN 1"
	echo "first scan: $READ pages read from storage"
	[ "$READ" -le $SCAN ] || die "more than its $SCAN pages"
	hits=$(counter disk hits) misses=$(counter disk misses)
	work "workload scan /dev/vda 0 $SCAN 1"
	hits=$(($(counter disk hits) - hits)) misses=$(($(counter disk misses) - misses))
	echo "second scan: $hits hits, $misses misses, $READ pages read from storage"
	[ $((hits * 100)) -ge $(((hits + misses) * 95)) ] || die "less than 95 % are hits"
	halt
}

cases "pool linux scan" "$@"
