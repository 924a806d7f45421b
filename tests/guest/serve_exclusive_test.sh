#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Exclusive: no page is in the guest's memory and in the cache at once. The guest's load is stopped
# at random moments, what is in flight ends, then the guest's mincore(2) is held against what the
# server says is cached.
#
# SEED= other moments, SAMPLES= more of them.
# shellcheck source=serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"

SEED=${SEED:-1}
SAMPLES=${SAMPLES:-6}
PAGES=49152

need qemu-system-x86_64 busybox cpio jq
need_built hvtrace tests/guest/pages tests/guest/workload
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO" "" "$BUILD/tests/guest/pages" "$BUILD/tests/guest/workload"
image disk $((PAGES * 4))K
"$BUILD/tests/guest/pages" stamp "$WORK/disk" $PAGES 1 || die "no contents"
image said 4M
RANDOM=$SEED

# again COMMAND: over and over in the guest, until it fails; a process group of its own, so that no
# process that was just begun is missed when it is stopped.
again()
{
	guest "setsid sh -c 'while $*; do :; done' >/dev/null & load=\"\$load -\$!\""
}

# One that writes, elsewhere than the others read: theirs is checked.
start_load()
{
	guest "load="
	again "pages uniform cached /dev/vda $((PAGES * 3 / 4)) 1000 $SEED"
	again "pages mixed cached /dev/vda $((PAGES * 3 / 4)) 1000 $SEED"
	again "workload scan /dev/vda 0 $PAGES 1"
	again "workload write /dev/vda $((PAGES * 3 / 4)) $((PAGES / 4)) 500 $SEED"
}

# Processes stand still; what they wrote goes to the disk, reads that are under way end.
stop_load()
{
	guest "kill -STOP \$load && sync && sleep 0.2 && kill -0 \$load" || die "the load is gone"
}

go_on()
{
	guest "kill -CONT \$load"
}

# Numbers of pages, one a line, from "FIRST COUNT".
numbers()
{
	awk '{ for (i = 0; i < $2; i++) print $1 + i }'
}

guest_pages()
{
	guest "pages resident /dev/vda >/tmp/resident && dd if=/tmp/resident of=/dev/vdb bs=64k" \
		"conv=sync oflag=direct 2>/dev/null" || die "no mincore in the guest"
	sed '/^end$/,$d' "$WORK/said" | numbers | sort
}

cached_pages()
{
	ctl pages disk | jq -r '.ranges[] | "\(.[0]) \(.[1])"' | numbers | sort
}

# Pages that the guest's kernel moved to other frames since it booted.
moved_pages()
{
	guest "awk '\$1 == \"pgmigrate_success\" { print \$2 }' /proc/vmstat" || die "no vmstat"
}

# A page is in both if it was cached before and after the guest said that it has it: the guest may
# drop some meanwhile. So many may come to be in both as were moved by then: what a page left behind
# looks evicted when it is filled again, however late that is.
sample()
{
	local held cached both moved least

	cached_pages >"$WORK/cached.before"
	guest_pages >"$WORK/held"
	cached_pages | comm -12 - "$WORK/cached.before" >"$WORK/cached"
	held=$(wc -l <"$WORK/held") cached=$(wc -l <"$WORK/cached")
	mv "$WORK/both" "$WORK/both.before"
	comm -12 "$WORK/held" "$WORK/cached" >"$WORK/both"
	both=$(wc -l <"$WORK/both")
	NEW=$((NEW + $(comm -13 "$WORK/both.before" "$WORK/both" | wc -l)))
	moved=$(moved_pages) || exit 1
	moved=$((moved - MOVED_BEFORE))
	echo "$held pages in the guest's memory, $cached in the cache, $both in both, $NEW so far, $moved moved"
	least=$((held < cached ? held : cached))
	[ $least -ge 1000 ] || die "too few to tell"
	[ $NEW -le $moved ] || die "pages are in both: $(head -n 20 "$WORK/both" | xargs)"
	[ $((both * 20)) -le $least ] || die "more than one in twenty is in both"
}

serve_start 64MiB --audit 1/1 --disk "disk,path=$WORK/disk,socket=$WORK/disk.sock"
guest_memory 160
DISKS=()
served_disk "$WORK/disk.sock" num-queues=2
plain_disk "$WORK/said"
guest_start "$WORK/initramfs" "${QEMU_MEMORY[@]}" -smp 2 "${DISKS[@]}"
# When the guest's kernel moves a page to another frame (mm/migrate.c), what is left in the old one
# looks evicted. It is made not to, as far as it lets itself.
guest "exec 5</dev/vda; echo 1000 >/proc/sys/vm/extfrag_threshold" || die "no disk in the guest"
start_load
guest_wait 60 "[ \$(awk '\$3 == \"vda\" { print \$6 }' /proc/diskstats) -gt 800000 ]" ||
	die "the guest reads nothing"
: >"$WORK/both"
MOVED_BEFORE=$(moved_pages) || exit 1
NEW=0
for ((i = 0; i < SAMPLES; i++)); do
	sleep "$((RANDOM % 2)).$(printf %03d $((RANDOM % 1000)))"
	stop_load
	sample
	go_on
done
counters disk hits misses captured audited audit_failed
at_least disk audited 1000
at_most disk audit_failed 0
guest_kill
serve_stop
