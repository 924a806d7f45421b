#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Three guests under one budget of memory: what they read from storage with `hvtrace balance --apply`, with equal shares, and with each
# static split in steps of a quarter. Needs root.
#
#   bench/balance.sh [FILE]      the table on stdout, and between the markers of FILE (docs/balancing.md)
#
# A guest needs LEAST MiB to live; EXTRA MiB more are shared out. Each reads single pages of its own disk at a steady pace, so that
# the work is the same whatever is missed: one in a loop that fits into half of EXTRA, one at random in as much as all of it, one next
# to nothing. In the second half they change roles. With a static split guests have nothing to do with each other: each was
# measured with each of its sizes, and a split's reads are the sum of three.
#
# The environment may set LEAST and EXTRA (MiB), HALF (seconds), and RESULTS, a folder where runs are kept: those that are there are not
# made again.
# shellcheck disable=SC2016 # the guest's shell expands
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/guest/balance_lib.sh
. "$(dirname "$0")/../tests/guest/balance_lib.sh"

LEAST=${LEAST:-76}
EXTRA=${EXTRA:-96}
HALF=${HALF:-60}
QUARTERS="0 1 2 3 4"
VMS="a b c"
RESULTS=${RESULTS:-$WORK}
export GUEST_DEADLINE=$((HALF * 10 + 60))
declare -A READS=()

# ---------------------------------------------------------------- work

# role NAME HALF: what a guest does in the first and in the second half.
role()
{
	case $1$2 in
	a1 | b2) echo "loop /dev/vda 0 $((EXTRA * 256 * 2 / 5)) 2500" ;;
	b1 | c2) echo "uniform /dev/vda 0 $((EXTRA * 256)) 1500" ;;
	c1 | a2) echo "loop /dev/vda 0 256 200" ;;
	esac
}

begin_half()
{
	local name

	for name in $VMS; do
		vm "$name" "paced $(role "$name" "$1") $HALF 1 >/tmp/said 2>&1 & work=\$!"
	done
}

end_half()
{
	local name

	for name in $VMS; do
		vm "$name" 'wait $work; cat /tmp/said' >>"$WORK/said" || die "$name: $(vm "$name" 'cat /tmp/said')"
	done
}

# ---------------------------------------------------------------- runs

boot()
{
	local name

	for name in $VMS; do
		DISK=$((EXTRA * 2))M vm_start "$name" $((LEAST + EXTRA))
		vm_give "$name" "$1"
	done
}

work()
{
	local name

	for name in $VMS; do
		READS[$name]=$(vm_read "$name")
	done
	begin_half 1
	end_half
	begin_half 2
	end_half
	for name in $VMS; do
		READS[$name]=$(($(vm_read "$name") - READS[$name]))
		echo "$name ${READS[$name]}"
	done >"$WORK/reads"
}

# Each with so many MiB.
static()
{
	boot "$1"
	work
}

# The budget is that of equal shares; none may have less than LEAST.
balanced()
{
	local name vms=()

	boot $((LEAST + EXTRA / 3))
	for name in $VMS; do
		vms+=("$name,qmp=$WORK/$name.qmp,min=${LEAST}MiB")
	done
	balance_start --apply -i 2s --step $((EXTRA / 12))MiB --half-life 6s --remember 20s --trial 1 "${vms[@]}"
	work
	balance_stop
	cp "$WORK/log" "${LOG:-/dev/null}"
	jq -se '(map(select(.type == "start"))[0].budget_bytes) as $budget |
		map(select(.type == "plan")) | all(.held_bytes <= $budget) and
		([.[].vms[]] | all(.now_bytes >= .min_bytes and .now_bytes <= .max_bytes))' "$WORK/log" >/dev/null ||
		die "the bounds were not held"
}

# measure NAME COMMAND...: what each VM read, to $WORK/NAME.
measure()
{
	local name=$1

	shift
	if [ ! -s "$RESULTS/reads.$name" ]; then
		apart "$@" >"$WORK/log.$name" 2>&1 || die "$name: $(tail -n 20 "$WORK/log.$name")"
		mv "$WORK/reads" "$RESULTS/reads.$name"
	fi
	echo "$name: $(xargs <"$RESULTS/reads.$name")" >&2
}

reads_of()
{
	awk -v vm="$1" '$1 == vm { print $2 }' "$RESULTS/reads.$2"
}

total()
{
	awk '{ sum += $2 } END { print sum }' "$RESULTS/reads.$1"
}

# ---------------------------------------------------------------- the table

row()
{
	printf '| %s | %d | %.2f |\n' "$1" "$2" "$(echo "$2 $(total balanced)" | awk '{ print $1 / $2 }')"
}

split_rows()
{
	local a b

	for a in $QUARTERS; do
		for b in $QUARTERS; do
			[ $((a + b)) -le 4 ] || continue
			row "static: $a, $b and $((4 - a - b)) quarters" \
				$(($(reads_of a "$a") + $(reads_of b "$b") + $(reads_of c $((4 - a - b)))))
		done
	done | sort -t '|' -k 3 -n
}

table()
{
	printf '| memory above %d MiB each | pages read | of balance'"'"'s |\n|---|---:|---:|\n' "$LEAST"
	row "\`hvtrace balance --apply\`" "$(total balanced)"
	row "equal shares" "$(total equal)"
	split_rows
	printf '\n%d MiB to share out, two halves of %d s. Pages of 4 KiB read from storage. Made by bench/balance.sh on %s, %s, %s.\n' \
		"$EXTRA" "$HALF" "$(date +%F)" "$(uname -sr)" \
		"$(qemu-system-x86_64 --version | sed -n 's/ version \([0-9.]*\).*/ \1/p' | head -n 1)"
}

need qemu-system-x86_64 busybox cpio losetup jq
need_built hvtrace tests/guest/paced
find_kernel
initramfs "$WORK/initramfs" "$VIRTIO virtio_balloon" "" "$BUILD/tests/guest/paced"
measure balanced balanced
measure equal static $((LEAST + EXTRA / 3))
for quarters in $QUARTERS; do
	measure "$quarters" static $((LEAST + EXTRA * quarters / 4))
done
set -o pipefail
table | tee "$WORK/table" || exit
[ $# -eq 0 ] || between_markers balance "$1" <"$WORK/table"
