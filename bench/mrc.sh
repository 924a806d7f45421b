#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Speed, memory and errors of miss curves (hvtrace mrc) on made-up traces, each figure beside its target; needs no root.
# Asserts nothing but that exact curves are those of the Olken tree.
#
#   bench/mrc.sh [TRACE]...    errors on these traces, too, of any format that hvtrace reads
#
# ROUNDS runs for a speed, SEEDS samples for an error, QUICK=1 without the trace of 10 M pages; DETAIL is --detail's X.
set -u
cd "$(dirname "$0")/.." || exit 1

build=${BUILD:-$PWD/build}
rounds=${ROUNDS:-5}
seeds=${SEEDS:-5}
detail=${DETAIL:-3}

# shellcheck source=bench/lib.sh
. bench/lib.sh
# shellcheck source=bench/curves.sh
. bench/curves.sh

# mrc NAME OPTION...: the curve at all sizes of the trace to $work/curve.
mrc()
{
	"$build/hvtrace" mrc --format u64 --csv - --sizes "$(sizes "$work/$1.sizes")" "${@:2}" \
		"$work/$1.u64" >"$work/curve" 2>"$work/mrc.err" || die "$(tail -n 1 "$work/mrc.err")"
}

# run_mrc NAME OPTION...: best and median speed, whole process, and best of CPU time.
run_mrc()
{
	speed "$1" "$rounds" "$build/hvtrace" mrc --format u64 --csv - --sizes "$(sizes "$work/$1.even")" \
		"${@:2}" "$work/$1.u64"
}

# tell NAME OPTION...: what hvtrace says of its run, to $work/told.
tell()
{
	"$build/hvtrace" mrc --format u64 --json "${@:2}" "$work/$1.u64" 2>"$work/mrc.err" |
		grep '"type":"trace"' >"$work/told" || die "$(tail -n 1 "$work/mrc.err")"
}

# bench_exact NAME [TARGET]: speed, beside the Olken tree's where that ran.
bench_exact()
{
	local best median cpu

	read -r best median cpu < <(run_mrc "$1" --exact)
	figure "$1, exact: references a second (median)" "$median" M '>=' "${2-}"
	figure "... best of $rounds" "$best" M "" ""
	figure "... best, by CPU time" "$cpu" M "" ""
	[ ! -s "$work/$1.seconds" ] ||
		awk -v cpu="$cpu" -v refs="$(references "$1")" -v s="$(cat "$work/$1.seconds")" 'BEGIN {
			printf "%-58s %10.4g\n", "... times as fast as an Olken tree", cpu * s * 1e6 / refs
		}'
}

# check_exact NAME: the same misses at each size.
check_exact()
{
	mrc "$1" --exact
	cmp -s <(tail -n +2 "$work/curve" | cut -d, -f4-7) <(tail -n +2 "$work/$1.exact" | cut -d, -f4-7) ||
		die "$1: the exact curve is not that of the Olken tree"
}

# bench_memory NAME TARGET: of a trace whose exact speed was just measured.
bench_memory()
{
	local pages

	tell "$1" --exact
	pages=$(json "$work/told" distinct_pages)
	figure "$1, exact: bytes held a page, of $pages" \
		"$(awk -v b="$(json "$work/told" engine_bytes)" -v p="$pages" 'BEGIN { print b / p }')" B '<=' "$2"
	awk -v pages="$pages" '{ kib = $2 > kib ? $2 : kib } END {
		printf "%-58s %10.4g B\n", "... at the peak, the whole process", kib * 1024 / pages
	}' "$work/runs"
}

# bench_sampled NAME TARGET OPTION...: speed without and with detail.
bench_sampled()
{
	local best median cpu

	read -r best median cpu < <(run_mrc "$1" "${@:3}")
	figure "$1, ${*:3}: references a second (median)" "$median" M '>=' "$2"
	figure "... best of $rounds" "$best" M "" ""
	figure "... best, by CPU time" "$cpu" M "" ""
	read -r best median cpu < <(run_mrc "$1" "${@:3}" --detail "$detail")
	figure "... with --detail $detail (median)" "$median" M "" ""
	figure "... with --detail $detail (best, by CPU time)" "$cpu" M "" ""
}

# bench_errors NAME TARGET OPTION...: a row of mean errors and coverage; a target of 0 is none.
bench_errors()
{
	local seed

	rm -f "$work"/{even,log}.errors
	for ((seed = 1; seed <= seeds; seed++)); do
		mrc "$1" --seed "$seed" "${@:3}"
		compare "$work/$1.exact" "$work/curve" "$work/$1.even" >>"$work/even.errors"
		compare "$work/$1.exact" "$work/curve" "$work/$1.log" >>"$work/log.errors"
	done
	paste -d ' ' "$work/even.errors" "$work/log.errors" | awk -v name="$1" -v way="${*:3}" -v target="$2" '{
		even += $1; even_inside += $3; log_ += $4; log_inside += $6
	}
	END {
		printf "%-15s %-28s %9.5f %6.3f  %9.5f %6.3f", name, way, even / NR, even_inside / NR,
		       log_ / NR, log_inside / NR
		if (target > 0)
			printf " <= %g %s", target, (log_ / NR <= target ? "met" : "missed")
		print ""
	}'
}

bench_all_errors()
{
	local name way

	printf '\n%-44s %16s  %16s\n' "Mean absolute error of the miss ratio, $seeds seeds" "100 even sizes" \
		"sizes from 16p on"
	printf '%-15s %-28s %9s %6s  %9s %6s\n' trace sampled error inside error inside
	for name in "$@"; do
		for way in "--shards 0.001" "--shards 0.01" "--shards-max 8192"; do
			# shellcheck disable=SC2086 # words
			bench_errors "$name" 0 $way
			# shellcheck disable=SC2086 # words
			bench_errors "$name" 0.01 $way --detail "$detail"
		done
	done
}

echo "$(uname -sr), $(nproc) CPUs, $rounds rounds"
make_trace zipf-1m zipf 1000000 10000000 1
make_trace zipf-100k zipf 100000 10000000 1
make_trace uniform-1m uniform 1000000 10000000 1
make_trace loop-1m loop 1000000 10000000 1
make_trace phases-1m phases 1000000 10000000 1
make_trace mixed-1m mixed 1000000 10000000 1
names=(zipf-1m zipf-100k uniform-1m loop-1m phases-1m mixed-1m)
for trace in "$@"; do
	take_trace "$trace"
	names+=("$name")
done
for name in "${names[@]}"; do
	exact_curve "$name"
	check_exact "$name"
done
bench_exact zipf-1m 15
bench_exact zipf-100k 25
bench_exact uniform-1m
bench_exact loop-1m
if [ -z "${QUICK-}" ]; then
	make_trace uniform-10m uniform 10000000 100000000 1
	even_sizes 10000000 >"$work/uniform-10m.even"
	bench_exact uniform-10m 6
	bench_memory uniform-10m 32
fi
bench_sampled zipf-1m 800 --shards 0.001
bench_sampled zipf-1m 400 --shards 0.01
bench_sampled zipf-1m 120 --shards-max 8192
bench_all_errors "${names[@]}"
