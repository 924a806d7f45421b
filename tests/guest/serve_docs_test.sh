#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What docs/serve.md tells users to give to QEMU and to libvirt, as it is there but for paths, sizes
# and the accelerator, boots a guest that reads and writes its disk.
# shellcheck source=serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"

DOCS=$HERE/../../docs/serve.md
PAGES=4096
USER_NAME=nobody

need qemu-system-x86_64 busybox cpio jq virsh libvirtd setpriv
need_built hvtrace tests/guest/pages
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO" "" "$BUILD/tests/guest/pages"

# snippet HEADING: the first block of code below it.
snippet()
{
	awk -v heading="## $1" '
		$0 == heading { here = 1 }
		here && /^```/ { if (inside) exit; inside = 1; next }
		inside' "$DOCS" | grep . || die "$DOCS has nothing on $1"
}

serve_web01()
{
	image web01.img $((PAGES * 4))K
	"$BUILD/tests/guest/pages" stamp "$WORK/web01.img" $PAGES 1 || die "no contents"
	serve_start 16MiB --audit 1/1 --disk "web01,path=$WORK/web01.img,socket=$WORK/web01.sock" "$@"
}

# Reads and writes, pages that come from the cache among them.
use_disk()
{
	guest "pages loop 2000 /dev/vda $PAGES $((PAGES * 2)) 1 && pages stamp /dev/vda $PAGES 2 &&" \
		"pages loop 2000 /dev/vda $PAGES $((PAGES * 2)) 1" >"$WORK/used" ||
		die "the guest's disk: $(cat "$WORK/used")"
	at_least web01 hits 1
	at_most web01 audit_failed 0
}

case_qemu()
{
	local options

	serve_web01
	options=$(snippet QEMU | sed -e "s|/run/hvtrace|$WORK|; s|2048|192|" -e 's/\\$//' \
		-e 's/.*-accel kvm -cpu host//')
	# shellcheck disable=SC2086 # words, none of them quoted
	guest_start "$WORK/initramfs" $options
	use_disk
	guest_kill
	serve_stop
}

# ---------------------------------------------------------------- libvirt, of a user's own

AS_USER=(env -i "PATH=$PATH" "HOME=$WORK/home" "XDG_RUNTIME_DIR=$WORK/home/run"
	"XDG_CONFIG_HOME=$WORK/home/config" "XDG_CACHE_HOME=$WORK/home/cache"
	setpriv --reuid "$USER_NAME" --regid "$(id -g $USER_NAME)" --clear-groups)

virsh_do()
{
	"${AS_USER[@]}" virsh --quiet -c qemu:///session "$@"
}

libvirt_start()
{
	local pid

	mkdir -p "$WORK"/home/{run,config/libvirt,cache}
	# Or it starts a daemon that outlives it, for QEMU's words.
	echo 'stdio_handler = "file"' >"$WORK/home/config/libvirt/qemu.conf"
	chown -R $USER_NAME "$WORK/home"
	chmod 755 "$WORK"
	"${AS_USER[@]}" libvirtd --timeout 300 >"$WORK/libvirtd" 2>&1 </dev/null &
	pid=$!
	defer "kill $pid 2>/dev/null; wait $pid 2>/dev/null"
	for _ in {1..100}; do
		[ ! -S "$WORK/home/run/libvirt/libvirt-sock" ] || return 0
		sleep 0.1
	done
	die "no libvirtd: $(tail -n 5 "$WORK/libvirtd")"
}

# What the page leaves out: a kernel to boot, and the serial lines of lib.sh.
domain()
{
	local rest="<vcpu>2</vcpu><os><type arch='x86_64' machine='pc'>hvm</type>
		<kernel>$KERNEL</kernel><initrd>$WORK/initramfs</initrd>
		<cmdline>console=ttyS0 quiet panic=-1 $GUEST_KERNEL</cmdline></os>"
	local serial="<serial type='file'><source path='$WORK/home/console'/></serial>
		<serial type='pipe'><source path='$WORK/ctl'/></serial>"

	snippet libvirt | sed -e "s|/run/hvtrace|$WORK|; s|2048|192|; s|'kvm'|'qemu'|" |
		awk -v rest="$rest" -v serial="$serial" '
			$1 == "..." { print rest; next }
			{ print }
			$1 == "<devices>" { print serial }'
}

domain_end()
{
	virsh_do destroy web01 >/dev/null 2>&1
	GUEST_PID=
}

case_libvirt()
{
	serve_web01 --socket-owner $USER_NAME
	libvirt_start
	rm -f "$WORK"/ctl.{in,out}
	mkfifo -m 666 "$WORK"/ctl.{in,out} || die "no FIFOs"
	exec {GUEST_IN}<>"$WORK/ctl.in" {GUEST_OUT}<>"$WORK/ctl.out"
	domain >"$WORK/home/web01.xml"
	virsh_do create "$WORK/home/web01.xml" >"$WORK/virsh" 2>&1 ||
		die "virsh: $(cat "$WORK/virsh"; cat "$WORK/home/web01.xml")"
	defer domain_end
	GUEST_PID=$(<"$WORK/home/run/libvirt/qemu/run/web01.pid")
	guest_reply || die "no guest"
	use_disk
	# libvirt's reconnect: the server may be restarted.
	serve_stop
	serve_start 16MiB --audit 1/1 --socket-owner $USER_NAME \
		--disk "web01,path=$WORK/web01.img,socket=$WORK/web01.sock"
	use_disk
	domain_end
	serve_stop
}

cases "qemu libvirt" "$@"
