# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Speed and errors of miss curves, for mrc.sh and peers.sh. Source it after lib.sh; $build is theirs.
# shellcheck disable=SC2154 # build is set by who sources this
#
# Of each trace NAME there are in $work then: NAME.u64; NAME.even and NAME.log, sizes in pages, one a line; NAME.exact,
# the exact curve at all of them. They stay, and are used again, in a folder WORK of the environment.

if [ -n "${WORK-}" ]; then
	mkdir -p "$WORK" || exit 1
	work=$(realpath "$WORK")
else
	work=$(mktemp -d) || exit 1
	trap 'rm -rf "$work"' EXIT
fi
trap 'exit 130' INT TERM

# make_trace NAME KIND PAGES REFS SEED
make_trace()
{
	[ ! -s "$work/$1.u64" ] || return 0
	"$build/bench/trace" "${@:2}" >"$work/new.u64" || die "no room for $1.u64 in $work"
	mv "$work/new.u64" "$work/$1.u64"
}

# take_trace PATH: a trace in any format that hvtrace reads becomes the trace $name.
take_trace()
{
	name=$(basename "$1")
	name=${name%%.*}
	[ ! -s "$work/$name.u64" ] || return 0
	"$build/bench/expand" "$1" >"$work/new.u64" || die "cannot use '$1'"
	mv "$work/new.u64" "$work/$name.u64"
}

# references NAME
references()
{
	echo $(($(stat -c %s "$work/$1.u64") / 8))
}

# even_sizes PAGES: 100 of them, evenly spaced up to all pages.
even_sizes()
{
	awk -v pages="$1" 'BEGIN {
		for (i = 1; i <= 100; i++)
			print int((i * pages + 99) / 100)
	}' | uniq
}

# log_sizes PAGES: 8 for each power of two from 16 pages up, no more than all pages.
log_sizes()
{
	awk -v pages="$1" 'BEGIN {
		for (size = 16; size <= pages; size = 16 * 2 ^ (++i / 8))
			print int(size + 0.5)
	}' | uniq
}

# sizes FILE [SUFFIX]: as one argument, "16p,17p,20p".
sizes()
{
	awk -v suffix="${2-p}" '{ printf "%s%d%s", (NR > 1 ? "," : ""), $1, suffix }' "$1"
}

# exact_curve NAME: the sizes, and the exact curve by the Olken tree; its seconds of CPU time are left in
# NAME.seconds, the number of pages in NAME.pages.
exact_curve()
{
	local trace=$work/$1 pages

	[ ! -s "$trace.exact" ] || return 0
	"$build/bench/measure" 1 /dev/null "$build/bench/olken" "$trace.u64" >"$work/runs" 2>"$trace.pages" ||
		die "$(tail -n 1 "$trace.pages")"
	pages=$(awk '{ print $3 }' "$trace.pages")
	even_sizes "$pages" >"$trace.even"
	log_sizes "$pages" >"$trace.log"
	echo "$pages" >"$trace.pages"
	awk '{ print $3 }' "$work/runs" >"$trace.seconds"
	sort -n "$trace.even" "$trace.log" | uniq >"$trace.sizes"
	"$build/bench/olken" "$trace.u64" "$(sizes "$trace.sizes")" "$trace.exact" 2>"$work/error" ||
		die "$(tail -n 1 "$work/error")"
}

# compare EXACT CURVE SIZES: mean absolute error of the miss ratio over the sizes of a file, the largest error, and
# the share of points whose interval holds the exact ratio. Nothing where a size is missing.
compare()
{
	awk -F, '
	FILENAME == ARGV[1] {
		size[$1]
		points++
		largest = 0
		next
	}
	FNR == 1 || !($(NF - 5) in size) {
		next
	}
	FILENAME == ARGV[2] {
		exact[$(NF - 5)] = $(NF - 3) / $(NF - 2)
		next
	}
	!($(NF - 5) in seen) {
		seen[$(NF - 5)]
		error = $(NF - 3) / $(NF - 2) - exact[$(NF - 5)]
		error = error < 0 ? -error : error
		sum += error
		largest = error > largest ? error : largest
		inside += error <= $NF + 1e-6
		compared++
	}
	END {
		if (points && compared == points)
			print sum / points, largest, inside / points
	}' "$3" "$1" "$2"
}

# mean_of FILE COLUMN
mean_of()
{
	awk -v column="$2" '{ sum += $column } END {
		if (NR)
			print sum / NR
	}' "$1"
}

# write_anew NAME: into the page cache as a copied file is. What the kernel has reclaimed meanwhile comes back in small
# folios, which take twice as long to map.
write_anew()
{
	dd if="$work/$1.u64" of="$work/$1.new" bs=4M status=none || die "cannot copy $work/$1.u64"
	mv "$work/$1.new" "$work/$1.u64" || die "cannot copy $work/$1.u64"
}

# speed NAME RUNS COMMAND...: leaves what was measured of the runs in $work/runs; million references a second on stdout:
# best, median, and best of CPU time. What the last one wrote is in $work/output.
speed()
{
	local refs

	refs=$(references "$1")
	write_anew "$1"
	"$build/bench/measure" "$2" "$work/output" "${@:3}" >"$work/runs" 2>"$work/speed.err" ||
		die "$(tail -n 1 "$work/speed.err")"
	awk -v refs="$refs" '{ print refs / $1 / 1e6 }' "$work/runs" | sort -g >"$work/rates"
	echo "$(tail -n 1 "$work/rates") $(median <"$work/rates")" \
		"$(awk -v refs="$refs" '$3 { print refs / $3 / 1e6 }' "$work/runs" | sort -g | tail -n 1)"
}
