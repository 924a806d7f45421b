#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What tracing costs on this host, each figure beside its target. Asserts nothing.
# ROUNDS and SECONDS_EACH in the environment make it longer and steadier.
set -u
cd "$(dirname "$0")/.." || exit 1

build=${BUILD:-$PWD/build}
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-3}
work=$(mktemp -d)
load=

# shellcheck source=bench/lib.sh
. bench/lib.sh
# shellcheck source=tools/devices.sh
. tools/devices.sh

clean_up()
{
	[ -z "$load" ] || kill "$load" 2>/dev/null
	wait
	devices__remove
	rm -rf "$work"
}

# Random reads of 4 KiB from $device for $seconds by $threads; reads a second on stdout. With arguments, traced by
# hvtrace live with them; what it says is in $work/live.json then.
run_load()
{
	local pid

	rm -f "$work/load" "$work/live.json"
	WAIT=1 "$build/bench/direct_read" "$device" "$seconds" "$threads" <"$work/go" >"$work/load" &
	load=$!
	exec 3>"$work/go"
	until [ -s "$work/load" ]; do sleep 0.01; done
	pid=$(head -n 1 "$work/load")
	if [ $# -gt 0 ]; then
		"$build/hvtrace" live -q --json -p "$pid" --vm "direct_read:$pid" "$@" \
			>"$work/live.json" 2>"$work/live.err" &
		live=$!
		until [ -s "$work/live.json" ]; do
			kill -0 "$live" 2>/dev/null || die "hvtrace: $(cat "$work/live.err")"
			sleep 0.02
		done
	fi
	echo >&3
	exec 3>&-
	wait "$load"
	load=
	if [ $# -gt 0 ]; then
		kill "$live" 2>/dev/null
		wait "$live" || die "hvtrace: $(cat "$work/live.err")"
	fi
	tail -n 1 "$work/load"
}

bench_bpf()
{
	run_load --sample 1/64 --bpf-stats >/dev/null
	figure "BPF time per page, one page in 64 sampled" \
		"$(json "$work/live.json" bpf_ns_per_page)" ns '<=' 150
	run_load --sample 1/1 --bpf-stats >/dev/null
	figure "BPF time per page, every page reported" \
		"$(json "$work/live.json" bpf_ns_per_page)" ns '<=' 400
}

# bench_throughput NAME: alternating, so that whatever else changes on the host changes for all.
bench_throughput()
{
	local i

	rm -f "$work"/{plain,again,auto,all}*
	for ((i = 0; i < rounds; i++)); do
		run_load >>"$work/plain"
		run_load >>"$work/again"
		run_load --sample auto >>"$work/auto"
		json "$work/live.json" dropped >>"$work/auto.drops"
		json "$work/live.json" sample_one_in >>"$work/auto.rate"
		run_load --sample 1/1 >>"$work/all"
		json "$work/live.json" dropped >>"$work/all.drops"
		cp "$work/live.json" "$work/all.json"
	done
	echo
	printf '%-58s %10.0f /s\n' "$1, $threads thread(s): 4 KiB direct random reads, untraced" \
		"$(median <"$work/plain")"
	spread "the same again, untraced: the noise" again
	ratio "throughput with hvtrace live, by default" auto 0.97
	printf '%-58s %10s\n' "... which in the end sampled one page in" \
		"$(median <"$work/auto.rate")"
	ratio "throughput with every page traced" all 0.85
	figure "events dropped by default" "$(total "$work/auto.drops")" '' '<=' 0
	figure "events dropped with every page traced" "$(total "$work/all.drops")" '' '<=' 0
}

total()
{
	awk '{ sum += $1 } END { print sum + 0 }' "$1"
}

# ratios NAME: of each round, to the run that was not traced.
ratios()
{
	paste "$work/$1" "$work/plain" | awk '$2 { print $1 / $2 }' | sort -g
}

# ratio TEXT NAME TARGET: the median over the rounds of traced / not traced.
ratio()
{
	figure "$1" "$(ratios "$2" | median)" '' '>=' "$3"
}

# spread TEXT NAME: median and range of such ratios.
spread()
{
	printf '%-58s %10.4g      %.2f to %.2f\n' "$1" "$(ratios "$2" | median)" \
		"$(ratios "$2" | head -n 1)" "$(ratios "$2" | tail -n 1)"
}

# Of the last run in which every page was traced, by its intervals.
bench_cpu()
{
	figure "CPU of hvtrace per 10,000 events/s, of one core" \
		"$(grep '"type":"status"' "$work/all.json" | grep -v '"final"' |
			sed -E 's/.*"events_per_s":([0-9.]+).*"cpu_percent":([0-9.]+).*/\1 \2/' |
			awk '$1 > 10000 { print $2 / $1 * 10000 }' | median)" % '<=' 3
}

# As many pages as it tracks by default, all different.
bench_memory()
{
	local pages bytes seconds=8

	run_load --sample 1/1 >/dev/null
	pages=$(grep '"type":"status"' "$work/live.json" | grep -v '"tracked_pages":0,' |
		sed -E 's/.*"tracked_pages":([0-9]+),"kernel_bytes":([0-9]+),"engine_bytes":([0-9]+).*/\1 \2 \3/' |
		sort -n | tail -n 1)
	bytes=$(awk '$1 { print ($2 + $3) / $1 }' <<<"$pages")
	figure "bytes per tracked page (of ${pages%% *}), kernel maps included" "$bytes" B '<=' 64
}

bench_start()
{
	local i start

	for ((i = 0; i < rounds; i++)); do
		start=$EPOCHREALTIME
		"$build/hvtrace" live -q -c 1 2>/dev/null | while read -r _; do
			[ -z "$start" ] || awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }'
			start=
		done
	done | median >"$work/start"
	figure "from start to the first table" "$(cat "$work/start")" s '<=' 1
}

[ "$(id -u)" -eq 0 ] || die "tracing needs root: sudo make bench"
trap clean_up EXIT
trap 'exit 130' INT TERM
mkfifo "$work/go"
live=

echo "$(uname -sr), $(nproc) CPUs, $rounds rounds of $seconds s each"
bench_start
threads=1
if devices__add_zram 512 && devices__fill; then
	bench_bpf
	bench_throughput zram
	bench_cpu
fi
threads=32
if devices__add_loop 512 && devices__fill; then
	bench_throughput "loop over memory"
	bench_cpu
fi
threads=1
! devices__add_zram 8192 || bench_memory
