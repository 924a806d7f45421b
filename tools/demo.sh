#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Traces a real VM whose miss curve is known, and compares. Needs root. DEMO_VM=qemu and
# DEMO_VM=process choose what hosts without KVM get.
set -u
cd "$(dirname "$0")/.." || exit 1

build=${BUILD:-$PWD/build}
seconds=${SECONDS_TO_TRACE:-15}
out=${build#"$PWD/"}/demo
load=
choice=()

if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || {
		echo "demo: tracing needs root, and there is no sudo; run make demo as root" >&2
		exit 1
	}
	exec sudo BUILD="$build" SECONDS_TO_TRACE="$seconds" ${DEMO_VM:+DEMO_VM="$DEMO_VM"} "$0"
fi

# shellcheck source=tools/devices.sh
. tools/devices.sh

say()
{
	echo "demo: $*"
}

die()
{
	echo "demo: $*" >&2
	exit 1
}

clean_up()
{
	[ -z "$load" ] || kill "$load" 2>/dev/null
	wait
	devices__remove
}

# --- the workloads, the best first ---------------------------------------------------------

# Can KVM run a guest here? /dev/kvm alone does not tell.
has_kvm()
{
	[ "${DEMO_VM:-kvm}" = kvm ] && [ -w /dev/kvm ] &&
		"$build/tests/kvm/kvm-walk" 1 >/dev/null 2>&1
}

# Once hvtrace waits for VMs, or has found others. The VM ends by itself, a little before the
# tracing does, and then prints the curve it must have had.
start_kvm_vm()
{
	local i

	for ((i = 0; i < 20; i++)); do
		[ ! -s "$out/notes.txt" ] || break
		sleep 0.1
	done
	exec "$build/tests/kvm/demo-vm" -name guest=demo --seconds $((seconds - 3)) \
		--disk "$device" >"$out/true.csv" 2>"$out/load.txt"
}

# A Linux guest in QEMU without KVM. Fails where it cannot be had, with the reason in load.txt.
start_qemu_vm()
{
	[ "${DEMO_VM:-qemu}" = qemu ] || return 1
	tools/demo_guest.sh "$device" "$out/pid" >"$out/load.txt" 2>&1 &
	load=$!
	until [ -s "$out/pid" ]; do
		kill -0 "$load" 2>/dev/null || return 1
		sleep 0.2
	done
}

# Random reads of the whole device: more memory would save its share of them.
start_process()
{
	exec "$build/bench/direct_read" "$device" $((seconds + 5)) >"$out/load.txt" 2>&1
}

start_load()
{
	if has_kvm; then
		say "the VM is a KVM VM, named demo, with a page cache of 32 MiB, on $device"
		start_kvm_vm &
		load=$!
		return
	fi
	say "no KVM: starting a Linux guest in QEMU (TCG) instead, on $device"
	if start_qemu_vm; then
		choice=(-p "$(cat "$out/pid")")
		return
	fi
	say "no VM ($(tail -qn 1 "$out/load.txt" 2>/dev/null)): a plain process doing direct I/O instead"
	start_process &
	load=$!
	choice=(-p "$load")
}

# --- the result ------------------------------------------------------------------------------

# The measured curve at the sizes of the true one, straight lines between its points.
compare()
{
	awk -F, '
	function between(x, i)
	{
		x = (x - size[i]) / (size[i + 1] - size[i])
		return ratio[i] + x * (ratio[i + 1] - ratio[i])
	}
	FNR == 1 { next }
	FILENAME == ARGV[1] && $1 == "demo" && $2 == "disk" {
		size[++n] = $4; ratio[n] = $8
		next
	}
	FILENAME == ARGV[2] {
		i = 1
		while (i < n && size[i + 1] < $1)
			i++
		measured = i < n ? between($1, i) : ratio[n]
		off = measured - $4
		if (off * off > worst * worst)
			worst = off < 0 ? -off : off
		printf "  %+8.0f MiB   %9.4f   %9.4f   %+8.4f\n", $1 / 256, $4, measured, off
	}
	END {
		printf "  The largest difference is %.4f.\n", worst
		exit !n
	}' "$out/curve.csv" "$out/true.csv"
}

show_comparison()
{
	[ -s "$out/true.csv" ] || return
	echo
	printf "%b\n" "Miss ratio with so much more memory, true (simulated) and measured (on straight lines\nbetween the points of the curve):"
	echo "        added        true    measured  difference"
	compare || say "nothing was measured: see $out/load.txt"
}

# The script that hvtrace left, and the true curve as dots over its picture.
draw()
{
	local dots=

	if [ -s "$out/true.csv" ] && ! grep -q multiplot "$out/curve.gp"; then
		awk -F, 'NR > 1 { print $1 / 256, $4 }' "$out/true.csv" >"$out/true.dat"
		dots='set output "curve.svg"; replot "true.dat" with points pointtype 7
			pointsize 0.8 linecolor "#202020" title "true (simulated)"'
	fi
	(cd "$out" && gnuplot -e "load 'curve.gp'; ${dots//$'\n'/}") ||
		die "gnuplot could not draw $out/curve.gp"
	say "the curve is drawn in $out/curve.svg, the data are $out/*.csv"
}

trap clean_up EXIT
trap 'exit 130' INT TERM
mkdir -p "$out" || exit 1
rm -f "$out"/*
devices__add_loop 160 || devices__add_zram 160 || die "neither a loop nor a zram device can be made"

start_load
say "hvtrace live ${choice[*]:+${choice[*]} }-d $seconds --csv $out"
"$build/hvtrace" live "${choice[@]}" -d "$seconds" --csv "$out" 2> >(tee "$out/notes.txt" >&2) ||
	die "hvtrace failed; hvtrace doctor may tell why"
[ ! -s "$out/pid" ] || kill "$load"
wait "$load"
load=
show_comparison
draw
