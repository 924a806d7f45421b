#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# hvtrace beside other miss-curve engines, in one run on one machine: tables of docs/comparison.md on stdout.
#
#   [NAME=PATH]... bench/peers.sh [TRACE]...
#
# The references of made-up traces and of each TRACE, in any format that hvtrace reads, go to hvtrace and to each peer that the
# environment names (absolute paths); nothing is downloaded or built:
#
#   LIBCACHESIM   folder with its programs distUtil and mrcProfiler
#   ONLINE_MRC    program KIND PARAMETER SEED TRACE SIZES on its library; KIND is olken, rate (SHARDS), rateadj
#                 (adjusted), size (fixed size) or aet; page numbers are xor-ed with a hash of SEED
#   IAF, IAF32    program KIND TRACE SIZES on Increment-and-Freeze, with 64- and 32-bit addresses; KIND is IAF or
#                 BOUND_IAF; threads by OMP_NUM_THREADS
#
# SIZES is a file of sizes in pages, one a line; both write the columns of curve.csv to stdout, at these sizes.
# ROUNDS runs for a speed, but one where that takes long; SEEDS samples for an error.
set -u
cd "$(dirname "$0")/.." || exit 1

build=${BUILD:-$PWD/build}
rounds=${ROUNDS:-3}
seeds=${SEEDS:-5}

# shellcheck source=bench/lib.sh
. bench/lib.sh
# shellcheck source=bench/curves.sh
. bench/curves.sh

# Each engine is a function ENGINE NAME SEED SIZES [PARAMETER]... that sets `command` to what to run, and `translate` to
# the filter that makes curve.csv's columns of its output.

hvtrace()
{
	command=("$build/hvtrace" mrc --format u64 --csv - --sizes "$(sizes "$3")" "${@:4}" "$work/$1.u64")
	[ "$4" = --exact ] || command+=(--seed "$2")
	translate="cat"
}

olken()
{
	command=("$build/bench/olken" "$work/$1.u64" "$(sizes "$3")")
	translate="cat"
}

online_mrc()
{
	command=("$ONLINE_MRC" "$4" "$5" "$2" "$work/$1.u64" "$3")
	translate="cat"
}

iaf()
{
	command=(env "OMP_NUM_THREADS=$6" "$4" "$5" "$work/$1.u64" "$3")
	translate="cat"
}

# Takes at most 128 sizes at a time.
libcachesim()
{
	command=("$LIBCACHESIM/mrcProfiler" "$work/$1.u64" binary -t 'format=<Q,obj-id-col=1' --ignore-obj-size
		--profiler=SHARDS "--profiler-params=$4,$5,$2" "--size=$(sizes "$3" B)")
	translate=of_profiler
}

libcachesim_exact()
{
	command=("$LIBCACHESIM/distUtil" "$work/$1.u64" binary stack_dist cntTxt "$work/lcs"
		-t 'format=<Q,obj-id-col=1')
	translate="of_distances $3"
}

of_profiler()
{
	awk 'BEGIN { print "header" } /^[0-9]+B/ {
		printf "libCacheSim,disk,access,%d,%d,%s,1,%s,0\n", $1, $1 * 4096, $2, $2
	}'
}

# of_distances SIZES: of the counted distances, "0:20189, 1:20016, ..., -1:898123".
of_distances()
{
	tr -d ' \n' <"$work"/lcs.*cnt | tr ',' '\n' | awk -F: '
	FILENAME == "-" {
		refs += $2
		if ($1 >= 0)
			count[$1] = $2
		next
	}
	FNR == 1 {
		print "header"
		misses = refs
		distance = 0
	}
	{
		for (; distance < $1; distance++)
			misses -= count[distance]
		printf "libCacheSim,disk,access,%d,%d,%d,%d,%.9f,0\n", $1, $1 * 4096, misses, refs, misses / refs
	}' - "$1"
}

# curve_of NAME SEED SET ENGINE PARAMETER...: the curve at the sizes of a set to $work/curve.
curve_of()
{
	"$4" "$1" "$2" "$work/$1.$3" "${@:5}"
	"${command[@]}" >"$work/output" 2>"$work/error" || return
	$translate <"$work/output" >"$work/curve"
}

# curves_of NAME SEED ENGINE PARAMETER...: appends the errors of one sample.
curves_of()
{
	local set

	[ "$3" = libcachesim ] || [ "$2" -eq 1 ] || curve_of "$1" "$2" sizes "${@:3}" || return
	for set in even log; do
		[ "$3" != libcachesim ] || curve_of "$1" "$2" "$set" "${@:3}" || return
		compare "$work/$1.exact" "$work/curve" "$work/$1.$set" >>"$work/$set.errors"
	done
}

# errors NAME SEEDS ENGINE PARAMETER...: mean errors at even and at log sizes. Seed 1 was just timed, at all sizes.
errors()
{
	local seed

	rm -f "$work"/{even,log}.errors
	$translate <"$work/output" >"$work/curve"
	for ((seed = 1; seed <= $2; seed++)); do
		curves_of "$1" "$seed" "${@:3}" || return
		[ -z "${VERBOSE-}" ] || echo "$1 seed $seed ${*:3}: even $(tail -n 1 "$work/even.errors")," \
			"log $(tail -n 1 "$work/log.errors")" >&2
	done
	echo "$(mean_of "$work/even.errors" 1) $(mean_of "$work/log.errors" 1)"
}

# timed NAME: best and median speed of `command`.
timed()
{
	local once

	once=$(speed "$1" 1 "${command[@]}") || return
	if awk '{ exit $1 > 2 }' "$work/runs"; then
		speed "$1" "$rounds" "${command[@]}"
	else
		echo "$once"
	fi
}

# row NAME SEEDS TITLE ENGINE PARAMETER...
row()
{
	local best median cpu even log set=sizes

	[ "$4" != libcachesim ] || set=even
	"$4" "$1" 1 "$work/$1.$set" "${@:5}"
	if ! read -r best median cpu < <(timed "$1") ||
		! read -r even log < <(errors "$1" "$2" "${@:4}"); then
		echo "| $3 | failed | | | | | |"
		return
	fi
	awk -v title="$3" -v best="$best" -v median="$median" -v cpu="$cpu" -v even="$even" -v log_="$log" \
		-v kib="$(awk '$2 > kib { kib = $2 } END { print kib }' "$work/runs")" 'BEGIN {
		printf "| %s | %.4g | %.4g | %.4g | %d | %.4f | %.4f |\n", title, median, best, cpu, kib / 1024, even, log_
	}'
}

has_mrc()
{
	"$build/hvtrace" mrc --help 2>&1 | grep -q -e --shards
}

exact_rows()
{
	! has_mrc || row "$1" 1 "hvtrace --exact" hvtrace --exact
	row "$1" 1 "Olken tree of bench/" olken
	if [ -n "${LIBCACHESIM-}" ]; then
		row "$1" 1 "libCacheSim distUtil" libcachesim_exact
	fi
	if [ -n "${ONLINE_MRC-}" ]; then
		row "$1" 1 "online_mrc Olken" online_mrc olken 0
		row "$1" 1 "online_mrc AET (a model)" online_mrc aet 0
	fi
	for program in ${IAF:+IAF} ${IAF32:+IAF32}; do
		row "$1" 1 "$program, offline, 1 thread" iaf "${!program}" IAF 1
		row "$1" 1 "$program, offline, 2 threads" iaf "${!program}" IAF 2
		row "$1" 1 "$program bounded, 1 thread" iaf "${!program}" BOUND_IAF 1
		row "$1" 1 "$program bounded, 2 threads" iaf "${!program}" BOUND_IAF 2
	done
}

sampled_rows()
{
	local rate way

	if has_mrc; then
		for way in "--shards 0.001" "--shards 0.001 --detail 3" "--shards 0.01" "--shards 0.01 --detail 3" \
			"--shards-max 8192" "--shards-max 8192 --detail 3"; do
			# shellcheck disable=SC2086 # words
			row "$1" "$seeds" "hvtrace $way" hvtrace $way
		done
	fi
	if [ -n "${LIBCACHESIM-}" ]; then
		row "$1" "$seeds" "libCacheSim rate 0.001" libcachesim FIX_RATE 0.001
		row "$1" "$seeds" "libCacheSim rate 0.01" libcachesim FIX_RATE 0.01
		row "$1" "$seeds" "libCacheSim size 8192" libcachesim FIX_SIZE 8192
	fi
	if [ -n "${ONLINE_MRC-}" ]; then
		for rate in 0.001 0.01; do
			row "$1" "$seeds" "online_mrc rate $rate" online_mrc rate "$rate"
			row "$1" "$seeds" "online_mrc rate $rate, adjusted" online_mrc rateadj "$rate"
		done
		row "$1" "$seeds" "online_mrc size 8192" online_mrc size 8192
	fi
}

# tables NAME TITLE
tables()
{
	exact_curve "$1"
	printf '\n## %s\n\n%d references, %d pages.\n\n' "$2" "$(references "$1")" "$(cat "$work/$1.pages")"
	echo '| engine | M refs/s | best | by CPU time | peak MiB | error, even sizes | error, log sizes |'
	echo '|---|---:|---:|---:|---:|---:|---:|'
	exact_rows "$1"
	sampled_rows "$1"
}

traces=()
for trace in "$@"; do
	take_trace "$trace"
	traces+=("$name")
done
echo "$(uname -sr), $(nproc) CPUs ($(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)), $(date +%F)," \
	"load $(cut -d ' ' -f 1 /proc/loadavg) before; median of $rounds runs (one if that" \
	"takes over 2 s), errors of $seeds samples"
cd "$work" || exit # peers leave files where they run
ulimit -s unlimited # online_mrc recurses as deep as its tree, which for a loop is a list
make_trace zipf-1m zipf 1000000 10000000 1
make_trace uniform-1m uniform 1000000 10000000 1
make_trace loop-1m loop 1000000 10000000 1
tables zipf-1m "Zipf 0.9 over 1 M pages"
tables uniform-1m "Uniform over 1 M pages"
tables loop-1m "Loop over 1 M pages"
for name in "${traces[@]}"; do
	tables "$name" "$name"
done
