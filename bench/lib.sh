# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the benchmarks share: figures beside their targets. Source it.

die()
{
	echo "bench: $*" >&2
	exit 1
}

# figure TEXT VALUE UNIT RELATION TARGET: without a target, only the value.
figure()
{
	awk -v text="$1" -v v="$2" -v unit="$3" -v rel="$4" -v target="$5" 'BEGIN {
		if (v == "") {
			printf "%-58s %10s\n", text, "no figure"
			exit
		}
		if (target == "") {
			printf "%-58s %10.4g %s\n", text, v, unit
			exit
		}
		met = rel == "<=" ? v + 0 <= target + 0 : v + 0 >= target + 0
		printf "%-58s %10.4g %-4s %s %-6s %s\n", text, v, unit, rel, target,
		       met ? "met" : "missed"
	}'
}

median()
{
	sort -g | awk '{ v[NR] = $1 } END {
		if (NR)
			print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
	}'
}

# json FILE KEY: the value of a key in the last line.
json()
{
	tail -n 1 "$1" | grep -oE "\"$2\":[0-9.]+" | cut -d: -f2
}

# between_markers NAME FILE: what is on stdin replaces what FILE has between "<!-- NAME -->" and "<!-- end of NAME -->".
between_markers()
{
	local text

	[ "$(grep -cxF -e "<!-- $1 -->" -e "<!-- end of $1 -->" "$2")" = 2 ] || die "$2 has no place for $1"
	text=$(awk -v name="$1" '
		$0 == "<!-- end of " name " -->" { inside = 0 }
		!inside
		$0 == "<!-- " name " -->" {
			while ((getline line <"-") > 0)
				print line
			inside = 1
		}' "$2") || die "cannot read $2"
	echo "$text" >"$2"
}
