#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Parts of one served cache: the guest that reads more than its memory holds gets what the other has no
# use for; at the end the parts are as they were.
# shellcheck source=serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"
# shellcheck source=balance_lib.sh
. "$(dirname "$0")/balance_lib.sh"

MEMORY=112
CACHE=64
# More than the guest's page cache has by less than the cache.
LOOP=$((96 * 256))

need qemu-system-x86_64 busybox cpio jq
need_built hvtrace tests/guest/workload
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO virtio_balloon" "" "$BUILD/tests/guest/workload"

# served_spec NAME OPTIONS
served_spec()
{
	echo "$1,path=$WORK/$1.img,socket=$WORK/$1.sock,min=$((CACHE / 2))MiB,max=$((CACHE / 2))MiB$2"
}

served_vm()
{
	guest_memory $MEMORY
	DISKS=()
	served_disk "$WORK/$1.sock" num-queues=1
	DISK='' vm_start "$1" $MEMORY "${QEMU_MEMORY[@]}" "${DISKS[@]}"
}

# part VM KEY: MiB.
part()
{
	ctl vms | jq --arg vm "$1" --arg key "$2" '.vms[] | select(.vm == $vm) | .[$key] / 1048576 | floor'
}

vms_missed()
{
	ctl stats | jq '[.vms[].misses] | add'
}

image a.img 128M
image b.img 128M
serve_start ${CACHE}MiB --disk "$(served_spec a ,share=70)" --disk "$(served_spec b '')"
served_vm a
served_vm b
vm_load b scan /dev/vda 0 $LOOP 1
before=$(a_second vms_missed)
[ "$before" -gt 500 ] || die "b reads nothing: $before pages a second"
echo "b reads $before pages a second from storage"
balance_start --apply -i 1500ms --step 8MiB --half-life 4s --remember 20s \
	"a,serve=$WORK/server.control,min=2MiB" "b,serve=$WORK/server.control,min=2MiB"
balance_wait 90 "[ \$(part b max_bytes) -gt $((CACHE * 3 / 4)) ]"
balance_wait 60 "[ \$(a_second vms_missed) -lt $((before / 4)) ]"
[ $(($(part a max_bytes) + $(part b max_bytes))) -le $CACHE ] || die "more than there is: $(ctl vms | jq -c ".vms[] | [.vm, .min_bytes, .max_bytes]" | xargs); $(balance_said)"
echo "a has $(part a max_bytes), b $(part b max_bytes) MiB of the cache"
balance_stop
for name in a b; do
	if [ "$(part $name max_bytes)" -ne $((CACHE / 2)) ] || [ "$(part $name min_bytes)" -ne $((CACHE / 2)) ]; then
		die "$name is not as it was: $(ctl vms | jq -c .vms)"
	fi
done
