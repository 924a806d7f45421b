#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the disks of the guests: image.sh WORKLOAD... prints nothing and leaves, for the data that
# each workload names, an ext4 image with a small Debian and that data. What is there already, of
# the same recipe, is kept. Needs root, and a mirror of Debian the first time.
# shellcheck source=bench/eval/lib.sh
. "$(dirname "$0")/lib.sh"

IMAGE_MIB=1800

hash_of()
{
	sha256sum | cut -c 1-12
}

# All that an image is made by: its script, what that says it comes with, programs, packages.
recipe()
{
	local with

	with=$(sed -n 's/^# with: //p' "$1")
	# shellcheck disable=SC2086 # words
	(cd "$EVAL/workloads" && cat "$1" $with ../root.sh "$HERE"/{pages.c,sectors.h})
}

programs_copy()
{
	local program

	mkdir -p "$1/eval/bin"
	for program in $TOOLS; do
		install -m 755 "$BUILD/$program" "$1/eval/bin" || return 1
	done
	install -m 755 "$EVAL"/workloads/* "$1/eval"
}

# The data are made on the host, in the image's own Debian: fast, and the same each time.
data_make()
{
	local mount=$1 data=$2

	programs_copy "$mount" || return 1
	mount -t tmpfs none "$mount/dev" && defer "umount '$mount/dev'"
	mknod -m 666 "$mount/dev/null" c 1 3 && mkdir "$mount/dev/shm" && chmod 1777 "$mount/dev/shm"
	# In a PID namespace: servers that the script started end when it does, however it does.
	unshare --mount --pid --fork --kill-child sh -c \
		"mount -t proc none '$mount/proc' && exec chroot '$mount' '/eval/$data.data'"
}

mounted()
{
	mkdir "$WORK/mnt"
	mount -o loop "$1" "$WORK/mnt" || die "can't mount $1"
	defer "umount '$WORK/mnt' && rmdir '$WORK/mnt'"
	data_make "$WORK/mnt" "$2" >"$WORK/said" 2>&1 || die "$2.data: $(tail -n 5 "$WORK/said")"
}

image_make()
{
	local root=$1 image=$2 data=$3

	truncate -s "${IMAGE_MIB}M" "$image.part"
	mke2fs -q -F -t ext4 -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 -d "$root" \
		"$image.part" >"$WORK/said" 2>&1 || die "mke2fs: $(tail -n 5 "$WORK/said")"
	apart mounted "$image.part" "$data" || exit 1
	mv "$image.part" "$image"
}

need mmdebstrap mke2fs losetup
# shellcheck disable=SC2086 # words
need_built $TOOLS
mkdir -p "$CACHE"
root=$CACHE/root-$(hash_of <"$EVAL/root.sh")
[ -d "$root" ] || "$EVAL/root.sh" "$root" || exit
for workload; do
	data=$(setting "$workload" data) || exit 1
	script=$EVAL/workloads/$data.data
	image=$CACHE/$data-$(recipe "$script" | hash_of).img
	if [ ! -e "$image" ]; then
		rm -f "$CACHE/$data"-*.img
		image_make "$root" "$image" "$data"
	fi
	ln -sfn "${image##*/}" "$CACHE/$data.img"
done
