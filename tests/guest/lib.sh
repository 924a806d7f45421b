# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Small Linux guests: Debian's 6.1 cloud kernel in QEMU without KVM, a busybox for a root
# file system, and commands given to its shell through a second serial line.
#
# Sourced. Ends with 77 and the reason where a guest is not possible. Whatever is made is
# undone at the end, whichever way that comes.
set -u

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=$(realpath -m "${BUILD:-$HERE/../../build}")
# Disks and consoles live in memory where there is a tmpfs for it.
WORK=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")/hvtrace-guest.XXXXXX")
GUEST_DEADLINE=${GUEST_DEADLINE:-120}

deferred=()

defer()
{
	deferred+=("$*")
}

undo()
{
	local i

	for ((i = ${#deferred[@]} - 1; i >= 0; i--)); do
		eval "${deferred[i]}"
	done
	deferred=()
}

undo_at_end()
{
	trap undo EXIT
	trap 'exit 143' TERM INT HUP
}

# apart COMMAND...: in a subshell; what it makes is undone when it ends.
apart()
{
	(
		deferred=()
		undo_at_end
		"$@"
	)
}

# cases "NAME..." [CHOSEN...]: case_NAME of each, apart, or of those that the test's arguments chose.
cases()
{
	local all=$1 name began failed=

	shift
	# shellcheck disable=SC2086 # words
	[ $# -gt 0 ] || set -- $all
	for name; do
		began=$SECONDS
		apart "case_$name" || failed+=" $name"
		echo "$name took $((SECONDS - began)) s"
	done
	[ -z "$failed" ] || die "failed:$failed"
}

undo_at_end
defer "rm -rf '$WORK'"

skip()
{
	echo "$*"
	exit 77
}

die()
{
	echo "FAILED: $*"
	if [ -s "$WORK/$GUEST.console" ]; then
		echo "the guest's console ended with:"
		tail -n 20 "$WORK/$GUEST.console"
	fi
	exit 1
}

# wait_until SECONDS CONDITION: until the shell says so; 1: not within that time.
wait_until()
{
	local end=$((SECONDS + $1))

	shift
	until eval "$*"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

need()
{
	local command

	[ "$(id -u)" -eq 0 ] || skip "needs root"
	for command; do
		command -v "$command" >/dev/null || skip "needs $command (make deps installs it)"
	done
}

need_built()
{
	local file

	for file; do
		[ -x "$BUILD/$file" ] || die "$BUILD/$file is not built: make static tests"
	done
}

# ---------------------------------------------------------------- kernel

# An installed one: KERNEL and MODULES are set.
kernel_installed()
{
	local root=$1 version

	for KERNEL in "$root"/boot/vmlinuz-6.1.*-cloud-amd64; do
		version=${KERNEL##*/vmlinuz-}
		MODULES=$root/lib/modules/$version/kernel
		[ -r "$KERNEL" ] && [ -d "$MODULES" ] && return 0
	done
	return 1
}

download()
{
	local package

	package=$(apt-cache depends --important linux-image-cloud-amd64 |
		sed -n 's/.*Depends: \(linux-image-.*-cloud-amd64\)$/\1/p' | head -n 1)
	[ -n "$package" ] && apt-get -qq download "$package"
}

# Unpacked once into the build folder; nothing is installed.
kernel_fetch()
{
	local to=$1

	mkdir -p "$to.part" && cd "$to.part" || return 1
	download 2>/dev/null || { apt-get -qq update && download; } || return 1
	dpkg-deb -x linux-image-*.deb . && rm linux-image-*.deb
	cd "$HERE" && rm -rf "$to" && mv "$to.part" "$to"
}

# GUEST_ROOT is where an installed kernel is looked for.
find_kernel()
{
	local cache=$BUILD/guest/kernel

	kernel_installed "${GUEST_ROOT:-}" && return
	mkdir -p "$cache.lock"
	# Others may look for it, too.
	(
		flock 9
		kernel_installed "$cache" || kernel_fetch "$cache"
	) 9<"$cache.lock" || skip "Debian's 6.1 cloud kernel is not here and can't be downloaded"
	kernel_installed "$cache" || skip "Debian's cloud kernel is not a 6.1 here"
}

# ---------------------------------------------------------------- root file system

# Runs the shell's commands one a line, each after its length, lest half of one is run; tells what
# each printed, its status (255: not all of it came) and how many bytes that was. "@again" tells it
# again.
write_init()
{
	cat >"$1/init" <<-'EOF'
		#!/bin/sh
		export PATH=/bin HOME=/ TERM=dumb
		mount -t proc none /proc
		mount -t sysfs none /sys
		mount -t devtmpfs none /dev
		while read -r module; do
			insmod "/modules/$module.ko" || echo "no module $module"
		done </modules.first
		stty -F /dev/ttyS1 raw -echo
		exec </dev/ttyS1 >/dev/ttyS1 2>&1
		line='1 :'
		while :; do
			if [ "$line" != @again ]; then
				command=${line#* }
				if [ "${line%% *}" = "${#command}" ]; then
					eval "$command" </dev/null >/tmp/.reply 2>&1
					rc=$?
				else
					: >/tmp/.reply
					rc=255
				fi
			fi
			cat /tmp/.reply
			printf '\n@@ %d %d\n' $rc $(wc -c </tmp/.reply)
			IFS= read -r line || break
		done
	EOF
	chmod +x "$1/init"
}

# Modules of a guest with virtio disks, in their order.
# shellcheck disable=SC2034 # for who sources this
VIRTIO="virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk"

# initramfs OUT "MODULES loaded at boot" "MODULES to be there" PROGRAM...
initramfs()
{
	local out=$1 first=$2 there=$3 root=$WORK/root name

	shift 3
	rm -rf "$root"
	mkdir -p "$root"/{bin,dev,etc,mnt,modules,proc,sys,tmp}
	cp "$(command -v busybox)" "$root/bin/busybox"
	for name in $(busybox --list); do
		[ "$name" = busybox ] || ln -s busybox "$root/bin/$name"
	done
	for name in $first $there; do
		find "$MODULES" -name "$name.ko" -exec cp {} "$root/modules" \;
		[ -f "$root/modules/$name.ko" ] || die "$MODULES has no $name.ko"
	done
	# shellcheck disable=SC2086 # words
	printf '%s\n' $first >"$root/modules.first"
	for name; do
		install -s -m 755 "$name" "$root/bin" || die "can't copy $name"
	done
	printf 'root::0:0::/:/bin/sh\nnobody::65534:65534::/tmp:/bin/sh\n' >"$root/etc/passwd"
	chmod 1777 "$root/tmp"
	write_init "$root"
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$out" || die "no initramfs"
	rm -rf "$root"
}

# ---------------------------------------------------------------- devices

# loop_device VARIABLE FILE SIZE: a block device over a new, sparse file.
loop_device()
{
	local device

	rm -f "$2"
	truncate -s "$3" "$2" || die "no room for $2"
	device=$(losetup -f --show "$2") || skip "no loop device to be had"
	defer "losetup -d $device"
	printf -v "$1" %s "$device"
}

# ---------------------------------------------------------------- the guest

# Most tests have one only.
GUEST=guest
declare -A GUESTS=()

# guest_use NAME: that one is meant from now on by all that is said to a guest.
guest_use()
{
	GUESTS[$GUEST]="${GUEST_PID:-}:${GUEST_IN:-}:${GUEST_OUT:-}:${MONITOR_IN:-}:${MONITOR_OUT:-}"
	GUEST=$1
	IFS=: read -r GUEST_PID GUEST_IN GUEST_OUT MONITOR_IN MONITOR_OUT <<<"${GUESTS[$1]:-}"
}

guest_kill()
{
	[ -n "${GUEST_PID:-}" ] || return 0
	kill "$GUEST_PID" 2>/dev/null
	wait "$GUEST_PID" 2>/dev/null
	GUEST_PID=
	exec {GUEST_IN}>&- {GUEST_OUT}>&-
}

# guest_start INITRAMFS [QEMU_OPTION...]; QEMU_PREFIX may hold a command to run QEMU by,
# GUEST_KERNEL options of the kernel, GUEST_ACCEL what runs the guest's code. On a busy host its timer stands still for longer than the kernel
# waits when it looks whether there is one.
guest_start()
{
	local initramfs=$1

	shift
	rm -f "$WORK"/ctl.{in,out}
	mkfifo "$WORK"/ctl.{in,out} || die "no FIFOs"
	exec {GUEST_IN}<>"$WORK/ctl.in" {GUEST_OUT}<>"$WORK/ctl.out"
	# shellcheck disable=SC2086 # words
	${QEMU_PREFIX:-} qemu-system-x86_64 -accel ${GUEST_ACCEL:-tcg} -display none -nodefaults \
		-no-user-config -no-reboot -kernel "$KERNEL" -initrd "$initramfs" \
		-append "console=ttyS0 quiet panic=-1 no_timer_check ${GUEST_KERNEL:-}" \
		-serial "file:$WORK/$GUEST.console" \
		-chardev "pipe,id=ctl,path=$WORK/ctl" -serial chardev:ctl "$@" \
		</dev/null >"$WORK/$GUEST.qemu" 2>&1 &
	GUEST_PID=$!
	defer "guest_use $GUEST; guest_kill"
	guest_reply || die "no guest: $(cat "$WORK/$GUEST.qemu")"
}

# What the guest printed into REPLY, its status into STATUS. 1 when not all its bytes came:
# the line has no flow control, so what arrives is counted rather than trusted.
guest_receive()
{
	local line part='' got='' end=$((SECONDS + GUEST_DEADLINE)) LC_ALL=C

	while [ $SECONDS -lt $end ] && kill -0 "$GUEST_PID" 2>/dev/null; do
		IFS= read -r -t 5 -u "$GUEST_OUT" line || {
			part+=$line
			continue
		}
		line=$part$line part=
		if [[ $line =~ ^@@\ ([0-9]+)\ ([0-9]+)$ ]]; then
			STATUS=${BASH_REMATCH[1]} REPLY=${got%$'\n'}
			[ ${#REPLY} -eq "${BASH_REMATCH[2]}" ]
			return
		fi
		got+=$line$'\n'
	done
	STATUS=124 REPLY="the guest did not answer in time"
}

guest_reply()
{
	local STATUS REPLY

	until guest_receive; do
		echo "bytes were lost on the serial line: asking again" >&2
		echo @again >&"$GUEST_IN"
	done
	REPLY=${REPLY%$'\n'}
	[ -z "$REPLY" ] || printf '%s\n' "$REPLY"
	return "$STATUS"
}

# guest COMMAND: runs it in the guest; prints what it prints and returns what it returns.
guest()
{
	local command=$* LC_ALL=C rc=255

	while [ $rc -eq 255 ]; do
		printf '%d %s\n' ${#command} "$command" >&"$GUEST_IN"
		guest_reply
		rc=$?
	done
	return $rc
}

# guest_wait SECONDS COMMAND: until it succeeds.
guest_wait()
{
	local n=$(($1 * 5))

	shift
	guest "n=$n; until $*; do n=\$((n - 1)); [ \$n -gt 0 ] || break; sleep 0.2; done; $*"
}

# ---------------------------------------------------------------- its QEMU

# What guest_start gets after monitor_open, for monitor to work.
# shellcheck disable=SC2034,SC2054 # for who sources this; QEMU's commas
MONITOR=(-chardev "pipe,id=monitor,path=$WORK/monitor" -mon chardev=monitor)

monitor_open()
{
	rm -f "$WORK"/monitor.{in,out}
	mkfifo "$WORK"/monitor.{in,out} || die "no FIFOs"
	exec {MONITOR_IN}<>"$WORK/monitor.in" {MONITOR_OUT}<>"$WORK/monitor.out"
}

# monitor COMMAND: to QEMU's monitor; REPLY is what it says to it.
monitor()
{
	local line

	printf '%s\n' "$1" 'info name' >&"$MONITOR_IN"
	REPLY=
	while IFS= read -r -t 60 -u "$MONITOR_OUT" line; do
		REPLY+=$line$'\n'
		[[ $line != *"info name"* ]] || return 0
	done
	die "QEMU's monitor does not answer $1: $REPLY"
}
