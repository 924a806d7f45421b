#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# How long plans of memory take (hvtrace plan), each figure beside its target; needs no root.
#
# VMS and POINTS for other sizes, ROUNDS for a median.
set -u
cd "$(dirname "$0")/.." || exit 1

build=${BUILD:-$PWD/build}
vms=${VMS:-1000}
points=${POINTS:-256}
rounds=${ROUNDS:-5}

# shellcheck source=bench/lib.sh
. bench/lib.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# row NAME COLUMN: of what build/bench/plan says.
row()
{
	awk -v name="$1" -v n="$2" '$1 == name { print $n }' "$work/plan"
}

# A folder of that many VMs, as live --csv leaves it, for the whole command: a slope and a cliff.
make_folder()
{
	awk -v vms="$vms" -v points="$points" -v dir="$work" 'BEGIN {
		curves = dir "/curve.csv"
		facts = dir "/vms.csv"
		print "vm,space,order,size_pages,size_bytes,misses,accesses,miss_ratio,error" >curves
		print "vm,space,memory_bytes,direct_bytes,accesses_per_s,miss_latency_ns" >facts
		for (v = 0; v < vms; v++) {
			printf "vm%d,disk,1073741824,1073741824,%d,100000\n", v, 10 + v >facts
			for (i = 0; i < points; i++) {
				r = 0.6 * (1 - i / points) ^ (1 + v % 5) + (i < v % points ? 0.4 : 0)
				if (!i)
					r = 1
				printf "vm%d,disk,eviction,%d,%d,%.0f,1000000,%.6f,%s\n", v, i * 256,
					i * 1048576, 1e6 * r, r, i ? "0.01" : "0" >curves
			}
		}
	}'
}

echo "$(uname -sr), $(nproc) CPUs, $vms VMs with $points points, $rounds rounds"
"$build/bench/plan" "$vms" "$points" "$rounds" >"$work/plan" || die "build/bench/plan failed"
figure "curves to costs, by CPU time (median)" "$(row 1/1024 3)" ms "" ""
figure "an exact plan at a granule of 1/1024" "$(row 1/1024 4)" ms '<=' 1000
figure "... at the default, of this many granules" "$(row default 2)" "" "" ""
figure "... at the default" "$(row default 4)" ms "" ""
figure "by convex hulls" "$(row hulls 4)" ms "" ""
make_folder
"$build/bench/measure" "$rounds" /dev/null "$build/hvtrace" plan --memory "$((vms * 3 / 2))GiB" "$work" >"$work/times" ||
	die "hvtrace plan failed"
figure "hvtrace plan, all of it: CSV in, table out" \
	"$(awk '{ print 1e3 * $3 }' "$work/times" | median)" ms '<=' 1000
