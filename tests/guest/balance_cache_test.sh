#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Parts of one served cache: the guest that reads more than its memory holds gets what the other has no
# use for; at the end the parts are as they were.
# shellcheck source=balance_lib.sh
. "$(dirname "$0")/balance_lib.sh"

GUEST_KERNEL=init_on_alloc=0
MEMORY=112
CACHE=64
# More than the guest's page cache has by less than the cache.
LOOP=$((96 * 256))

need qemu-system-x86_64 busybox cpio losetup jq
need_built hvtrace tests/guest/workload
find_kernel
initramfs "$TOP/initramfs" "$VIRTIO virtio_balloon" "" "$BUILD/tests/guest/workload"

ctl()
{
	"$BUILD/hvtrace" ctl -s "$TOP/control" "$@"
}

# The guest's second disk is the served one.
served_vm()
{
	truncate -s 128M "$TOP/$1.img"
	DISK=1M vm_start "$1" $MEMORY -machine pc,memory-backend=ram \
		-object "memory-backend-memfd,id=ram,size=${MEMORY}M,share=on" \
		-chardev "socket,id=served,path=$TOP/$1.sock,reconnect=1" \
		-device vhost-user-blk-pci,chardev=served,num-queues=1
	vm "$1" "exec 6</dev/vdb; echo 64 >/sys/block/vdb/queue/read_ahead_kb" || die "no served disk in $1"
}

# part VM KEY: MiB.
part()
{
	ctl vms | jq --arg vm "$1" --arg key "$2" '.vms[] | select(.vm == $vm) | .[$key] / 1048576 | floor'
}

misses_a_second()
{
	local before after

	before=$(ctl stats | jq '[.vms[].misses] | add')
	sleep 1
	after=$(ctl stats | jq '[.vms[].misses] | add')
	echo $((after - before))
}

for name in a b; do
	truncate -s 128M "$TOP/$name.img"
done
"$BUILD/hvtrace" serve --cache ${CACHE}MiB --control "$TOP/control" -q \
	--disk "a,path=$TOP/a.img,socket=$TOP/a.sock,min=$((CACHE / 2))MiB,max=$((CACHE / 2))MiB,share=70" \
	--disk "b,path=$TOP/b.img,socket=$TOP/b.sock,min=$((CACHE / 2))MiB,max=$((CACHE / 2))MiB" \
	</dev/null >"$TOP/serve.out" 2>"$TOP/serve.err" &
serve=$!
defer "kill $serve 2>/dev/null"
for _ in {1..100}; do
	! ctl version >/dev/null 2>&1 || break
	sleep 0.1
done
served_vm a
served_vm b
vm_load b scan /dev/vdb 0 $LOOP 1
before=$(misses_a_second)
[ "$before" -gt 500 ] || die "b reads nothing: $before pages a second"
echo "b reads $before pages a second from storage"
balance_start --apply -i 1500ms --step 8MiB --half-life 4s --remember 20s \
	"a,serve=$TOP/control,min=2MiB" "b,serve=$TOP/control,min=2MiB"
balance_wait 90 "[ \$(part b max_bytes) -gt $((CACHE * 3 / 4)) ]"
balance_wait 60 "[ \$(misses_a_second) -lt $((before / 4)) ]"
[ $(($(part a max_bytes) + $(part b max_bytes))) -le $CACHE ] || die "more than there is: $(ctl vms | jq -c ".vms[] | [.vm, .min_bytes, .max_bytes]" | xargs); $(balance_said)"
echo "a has $(part a max_bytes), b $(part b max_bytes) MiB of the cache"
balance_stop
for name in a b; do
	if [ "$(part $name max_bytes)" -ne $((CACHE / 2)) ] || [ "$(part $name min_bytes)" -ne $((CACHE / 2)) ]; then
		die "$name is not as it was: $(ctl vms | jq -c .vms)"
	fi
done
