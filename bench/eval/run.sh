#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Do the curves tell the truth? run.sh [report's file]: whatever of the evaluation is not measured
# yet, one guest at a time, and the report. Results are kept in $RESULTS, build/eval/results unless
# told; so this may be stopped at any time and started again. By environment:
#
#   PART=       curves, inference, overhead, report; or several. All of them, if not told.
#   WORKLOADS=  which ones; all, if not told
#   QUICK=1     a few of each, under 8 minutes, into build/eval/quick
#   AGAIN=1     measure again what is there
#   PAIRS=      of runs with and without hvtrace, for its overhead, and
#   TIMED=      of which workloads
# shellcheck source=bench/eval/lib.sh
. "$(dirname "$0")/lib.sh"

PART=${PART:-curves inference overhead report}
PAIRS=${PAIRS:-5}
QUICK=${QUICK:-}
AGAIN=${AGAIN:-}
REPORT=${1:-$BUILD/eval/evaluation.md}
# Overhead is measured where I/O is all there is to do, and where transactions are.
TIMED=${TIMED:-zipf tpcb}

if [ -n "$QUICK" ]; then
	RESULTS=$BUILD/eval/quick
	REPORT=$BUILD/eval/quick/evaluation.md
	WORKLOADS=${WORKLOADS:-loop zipf tpch}
	MORE=100
	PAIRS=1 TIMED=zipf
fi
WORKLOADS=${WORKLOADS:-$(workloads)}
export RESULTS MORE

wanted()
{
	[[ " $PART " == *" $1 "* ]]
}

# point FILE WORKLOAD KIND MIB [N]: unless that FILE is there.
point()
{
	local file=$RESULTS/$2/$1.reads

	shift
	[ -z "$AGAIN" ] || rm -f "$file"
	[ ! -e "$file" ] || return 0
	echo "== $*"
	"$EVAL/point.sh" "$@" || failures+=" $1/$2-$3"
}

curves()
{
	local workload more mib base

	for workload in $WORKLOADS; do
		base=$(memory_of "$workload")
		point predict "$workload" predict "$base"
		for more in $MORE; do
			mib=$((base + base * more / 100))
			point "measure-$mib" "$workload" measure "$mib"
		done
		point serve "$workload" serve "$base"
	done
}

inference()
{
	local workload

	for workload in $WORKLOADS; do
		point infer "$workload" infer "$(memory_of "$workload")"
	done
}

# Alternated: what changes on the host meanwhile meets all alike.
overhead()
{
	local workload kind n

	for workload in $TIMED; do
		for ((n = 1; n <= PAIRS; n++)); do
			for kind in alone default full; do
				point "$kind-$n" "$workload" $kind "$(memory_of "$workload")" $n
			done
		done
	done
}

# What was measured on what: once a day and machine.
machine()
{
	find_kernel
	cat >"$RESULTS/machine" <<-END
		host kernel: $(uname -r)
		processors: $(nproc), $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)
		memory: $(awk '/MemTotal/ { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo)
		guest kernel: ${KERNEL##*/vmlinuz-} (Debian)
		guest's Debian: $(cat "$CACHE"/root-*/etc/debian_version | tail -n 1)
		QEMU: $(qemu-system-x86_64 --version | sed -n '1s/.*version //p'), accelerated by ${GUEST_ACCEL:-tcg}
		hvtrace: $("$BUILD/hvtrace" --version | awk '{ print $NF }')
	END
}

# Not for a report of what was measured before, maybe on another machine.
prepare()
{
	local extra=

	need qemu-system-x86_64 busybox cpio losetup mke2fs mmdebstrap
	need_built hvtrace
	! wanted overhead || extra=$TIMED
	# shellcheck disable=SC2086 # words
	"$EVAL/image.sh" $WORKLOADS $extra || exit
	machine
}

failures=
need gnuplot
mkdir -p "$RESULTS"
[ "$PART" = report ] || prepare
! wanted curves || curves
! wanted inference || inference
! wanted overhead || overhead
! wanted report || "$EVAL/report.sh" "$REPORT" || failures+=" report"
[ -z "$failures" ] || die "no result of:$failures"
