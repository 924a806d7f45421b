#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# report.sh FILE.md: what $RESULTS holds, as a page, with tables (CSV) and pictures in the folder FILE
# beside it. The page's words are in evaluation.md here.
# shellcheck source=bench/eval/lib.sh
. "$(dirname "$0")/lib.sh"

[ $# -eq 1 ] || die "usage: report.sh FILE.md"
PAGE=$(realpath -m "$1")
FOLDER=${PAGE%.md}
# Name of a curve's file, and what to call it.
CURVES="eviction-1:eviction_order eviction-64:eviction_order,_1/64 serve:serve
	access-1:access_order access-64:access_order,_1/64"
GOAL_MEAN=0.02 GOAL_WORST=0.05

measured()
{
	find "$RESULTS" -mindepth 2 -name "$1" -printf '%h\n' | sed 's,.*/,,' | sort -u
}

# ---------------------------------------------------------------- points

# points WORKLOAD CURVE: a line for each size that was measured; see the heading in points_csv.
# Memory is told by the guest: MemTotal grows a little less than what QEMU is told to give. By
# accesses, a curve is of all memory, else of what is added. Misses are those of the run that
# the curve is of.
points()
{
	local out=$RESULTS/$1 base run file more

	case $2 in
	serve) run=$out/serve.reads ;;
	*) run=$out/predict.reads ;;
	esac
	[ -s "$run" ] && [ -s "$out/$2.csv" ] || return 0
	base=$(memory_of "$1")
	for more in $MORE; do
		file=$out/measure-$((base + base * more / 100)).reads
		[ -s "$file" ] || continue
		awk -F '[, ]' -v vm="$1" -v name="$1,$2,$more" -v access="${2%%-*}" '
			FILENAME == ARGV[1] { misses = $1; total = $3; next }
			FILENAME == ARGV[2] { reads = $1; added = ($3 - total) / 4; next }
			$1 == vm && $2 == "disk" { n++; size[n] = $4; ratio[n] = $8; error[n] = $9 }
			END {
				x = access == "access" ? total / 4 + added : added
				for (i = 1; i < n && size[i] < x; i++)
					;
				share = i > 1 && size[i] > x ? (x - size[i - 1]) / (size[i] - size[i - 1]) : 1
				p = i > 1 ? ratio[i - 1] + share * (ratio[i] - ratio[i - 1]) : ratio[1]
				m = reads / misses
				printf "%s,%d,%d,%d,%.5f,%.5f,%.5f,%.5f,%.4f\n", name, added, misses,
					reads, p, error[i], m, p - m, p / m - 1
			}' "$run" "$file" "$out/$2.csv"
	done
}

points_csv()
{
	local workload curve

	echo "workload,curve,more_percent,added_pages,misses_before,misses_measured,predicted_ratio,error_95,measured_ratio,difference,relative_misses"
	for workload in $(measured predict.reads); do
		for curve in $CURVES; do
			points "$workload" "${curve%%:*}"
		done
	done
}

# ---------------------------------------------------------------- tables of the page

titled()
{
	setting "$1" title "$1"
}

machine_table()
{
	echo "| | |"
	echo "|---|---|"
	sed 's/^\([^:]*\): \(.*\)/| \1 | \2 |/' "$RESULTS/machine"
	echo "| measured | $(cat "$RESULTS"/*/*.reads | awk '
		{ day[$4]; n++; s += $2 }
		END {
			for (d in day) {
				first = first == "" || d < first ? d : first
				last = d > last ? d : last
			}
			printf "%s%s, %d runs, %.0f minutes of work in guests", first,
				last != first ? " to " last : "", n, s / 60
		}') |"
}

workload_table()
{
	local workload

	echo "| workload | name | guest | data | what it does |"
	echo "|---|---|---|---|---|"
	for workload in $(measured predict.reads); do
		printf '| %s | %s | %s MiB | %s MiB | %s |\n' "$(titled "$workload")" "$workload" \
			"$(memory_of "$workload")" "$(data_mib "$workload")" "$(words "$workload")"
	done
}

data_mib()
{
	cat "$RESULTS/$1/data" 2>/dev/null || echo "?"
}

# The comment below the settings at a workload's head.
words()
{
	awk '!/^#/ { exit } NR > 2 && !/^# [a-z]+: / { sub(/^# /, ""); printf "%s%s", sep, $0; sep = " " }' \
		"$EVAL/workloads/$1"
}

# Of each curve the mean and the worst difference over the sizes above the guest's own: as a miss
# ratio, and of the misses.
summary_table()
{
	awk -F, -v curves="$CURVES" -v titles="$(for w in $(measured predict.reads); do
			echo "$w:$(titled "$w")"; done)" '
		function abs(x) { return x < 0 ? -x : x }
		function cell(w, c, of,	k) {
			k = w SUBSEP c SUBSEP of
			if (!n[k])
				return ""
			if (of == "ratio")
				return sprintf("%.3f / %.3f", sum[k] / n[k], worst[k])
			return sprintf("%.1f / %.1f %%", sum[k] / n[k] * 100, worst[k] * 100)
		}
		function add(w, c, of, x,	k) {
			k = w SUBSEP c SUBSEP of
			n[k]++
			sum[k] += abs(x)
			worst[k] = abs(x) > worst[k] ? abs(x) : worst[k]
		}
		function table(of, head,	i, j) {
			printf "\n| %s, mean / worst ", head
			for (j = 1; j <= m; j++)
				printf "| %s ", name[j]
			printf "|\n|---"
			for (j = 1; j <= m; j++)
				printf "|---"
			print "|"
			for (i = 1; i <= k; i++) {
				printf "| %s ", called[order[i]]
				for (j = 1; j <= m; j++)
					printf "| %s ", cell(order[i], file[j], of)
				print "|"
			}
		}
		BEGIN {
			m = split(curves, c, " ")
			for (i = 1; i <= m; i++) {
				file[i] = name[i] = c[i]
				sub(/:.*/, "", file[i])
				sub(/.*:/, "", name[i])
				gsub(/_/, " ", name[i])
			}
			t = split(titles, title, "\n")
			for (i = 1; i <= t; i++) {
				at = index(title[i], ":")
				called[substr(title[i], 1, at - 1)] = substr(title[i], at + 1)
			}
			called["all"] = "all"
		}
		NR == 1 || $3 == 0 { next }
		{
			if (!($1 in seen))
				order[++k] = $1
			seen[$1]
			add($1, $2, "ratio", $10)
			add($1, $2, "misses", $11)
			add("all", $2, "ratio", $10)
			add("all", $2, "misses", $11)
		}
		END {
			order[++k] = "all"
			table("ratio", "miss ratio")
			table("misses", "misses")
		}' "$FOLDER/points.csv"
}

point_table()
{
	awk -F, '
		NR == 1 { next }
		$2 == "eviction-1" {
			key = $1 "," $3
			order[++k] = key
			before[key] = $5
			reads[key] = $6
			m[key] = $9
			added[key] = $4 / 256
		}
		{ p[$1 "," $3, $2] = sprintf("%.3f (%+.3f)", $7, $10) }
		END {
			print "| workload | memory | added MiB | pages read | measured | eviction order | 1/64 | serve | access order |"
			print "|---|---|---|---|---|---|---|---|---|"
			for (i = 1; i <= k; i++) {
				split(order[i], o, ",")
				key = order[i]
				printf "| %s | +%d %% | %.1f | %d | %.3f | %s | %s | %s | %s |\n",
					i == 1 || o[1] != last ? o[1] : "", o[2], added[key], reads[key],
					m[key], p[key, "eviction-1"], p[key, "eviction-64"],
					p[key, "serve"], p[key, "access-1"]
				last = o[1]
			}
		}' "$FOLDER/points.csv"
}

goal()
{
	awk -F, -v mean=$GOAL_MEAN -v most=$GOAL_WORST '
		function abs(x) { return x < 0 ? -x : x }
		$2 == "eviction-1" && $3 > 0 {
			n++
			sum += abs($10)
			met += abs($10) <= most
			worst = abs($10) > worst ? abs($10) : worst
		}
		END {
			printf "In eviction order with every page traced, the miss ratio is off by %.3f in the mean ",
				n ? sum / n : 0
			printf "(goal: %s, %s) and by %.3f at the worst (goal: %s, %s); %d of %d points are within %s.\n",
				mean, sum / n <= mean ? "met" : "missed", worst, most,
				worst <= most ? "met" : "missed", met, n, most
		}' "$FOLDER/points.csv"
}

pictures()
{
	local workload

	for workload in $(measured predict.reads); do
		printf '![%s](%s/%s.svg)\n\n' "$(titled "$workload")" "${FOLDER##*/}" "$workload"
	done
}

# ---------------------------------------------------------------- inference

inference_csv()
{
	local workload

	echo "workload,evictions,precision,recall,recall_of_those_that_came_back,lag_half_ms,lag_9_in_10_ms,refault_precision,refault_recall"
	for workload in $(measured infer); do
		sed -n -e 's/^evictions: guest \([0-9]*\),.*precision \([0-9.]*\), recall \([0-9.]*\); of pages that came back \([0-9.]*\)$/\1 \2 \3 \4/p' \
			-e 's/^seen: .*within \([0-9.]*\) ms, nine in ten \([0-9.]*\) ms.*/\1 \2/p' \
			-e 's/^refaults: .*precision \([0-9.]*\), recall \([0-9.]*\)$/\1 \2/p' \
			"$RESULTS/$workload/infer" | xargs | tr ' ' , | sed "s/^/$workload,/"
	done
}

inference_table()
{
	echo "| workload | evictions | precision | recall | recall of those that came back | seen within, half / nine in ten | refaults: precision / recall |"
	echo "|---|---|---|---|---|---|---|"
	awk -F, 'NR > 1 {
		printf "| %s | %d | %.3f | %.3f | %.3f | %.0f / %.0f ms | %.3f / %.3f |\n",
			$1, $2, $3, $4, $5, $6, $7, $8, $9 }' "$FOLDER/inference.csv"
}

# ---------------------------------------------------------------- overhead

overhead_csv()
{
	local workload kind file

	echo "workload,kind,run,seconds,pages_read"
	for workload in $(measured 'alone-*.reads'); do
		for kind in alone default full; do
			for file in "$RESULTS/$workload/$kind"-*.reads; do
				[ -s "$file" ] || continue
				awk -v head="$workload,$kind,$(basename "${file##*-}" .reads)" \
					'{ print head "," $2 "," $1 }' "$file"
			done
		done
	done
}

# Runs are compared within a round: what the host does besides is much the same then.
overhead_table()
{
	echo "| workload | pairs | alone, median | by default: median (smallest to largest) | every page: median (smallest to largest) |"
	echo "|---|---|---|---|---|"
	awk -F, '
		function median(v, n,	i, j, x) {
			for (i = 2; i <= n; i++) {
				x = v[i]
				for (j = i - 1; j > 0 && v[j] > x; j--)
					v[j + 1] = v[j]
				v[j + 1] = x
			}
			return (v[int((n + 1) / 2)] + v[int(n / 2) + 1]) / 2
		}
		function more(w, kind,	n, i, v, x) {
			for (i in runs)
				if ((w, kind, i) in s && (w, "alone", i) in s)
					v[++n] = (s[w, kind, i] / s[w, "alone", i] - 1) * 100
			if (!n)
				return ""
			x = median(v, n)
			return sprintf("%+.1f %% (%+.1f to %+.1f)", x, v[1], v[n])
		}
		NR > 1 {
			s[$1, $2, $3] = $4
			runs[$3]
			if ($2 == "alone" && !($1 in seen))
				order[++k] = $1
			seen[$1]
		}
		END {
			for (i = 1; i <= k; i++) {
				n = 0
				for (r in runs)
					if ((order[i], "alone", r) in s)
						v[++n] = s[order[i], "alone", r]
				printf "| %s | %d | %.1f s | %s | %s |\n", order[i], n, median(v, n),
					more(order[i], "default"), more(order[i], "full")
			}
		}' "$FOLDER/overhead.csv"
}

# ---------------------------------------------------------------- pictures

# A curve's file as "MiB ratio": of what is added, or, by accesses, of all memory less the guest's.
curve_data()
{
	local total=0

	[ -s "$RESULTS/$1/$2.csv" ] || return 0
	[[ $2 != access* ]] || total=$(awk '{ print $3 / 4 }' "$RESULTS/$1/predict.reads")
	awk -F, -v vm="$1" -v total="$total" '$1 == vm && $2 == "disk" && $4 >= total { print ($4 - total) / 256, $8 }' \
		"$RESULTS/$1/$2.csv"
}

picture()
{
	local curve plots='' lines=1 width=2

	{
		printf 'set terminal svg size 720,420 font "sans,12" background "white"\n'
		printf 'set output "%s"\n' "$FOLDER/$1.svg"
		printf 'set title "%s" noenhanced\n' "$(titled "$1")"
		printf 'set xlabel "memory added (MiB)"\nset ylabel "misses / misses of today"\n'
		printf 'set yrange [0:*]\nset grid\nset key top right\n'
		for curve in $CURVES; do
			curve_data "$1" "${curve%%:*}" >"$WORK/data"
			[ -s "$WORK/data" ] || continue
			printf "\$d%d << EOD\n%s\nEOD\n" $lines "$(cat "$WORK/data")"
			plots+="\$d$lines with lines lw $width title \"$(tr _ ' ' <<<"${curve#*:}")\" noenhanced, "
			lines=$((lines + 1)) width=1
		done
		printf "\$m << EOD\n%s\nEOD\n" "$(awk -F, -v w="$1" \
			'$1 == w && $2 == "eviction-1" { print $4 / 256, $9 }' "$FOLDER/points.csv")"
		printf 'plot %s %s with points pt 7 ps 1 lc rgb "black" title "measured"\n' "$plots" "\$m"
	} >"$WORK/plot"
	gnuplot "$WORK/plot" 2>"$WORK/said" || die "gnuplot: $(cat "$WORK/said")"
}

# ---------------------------------------------------------------- the page

page()
{
	local line

	while IFS= read -r line; do
		if [[ $line =~ ^\<!--\ ([a-z_]+)\ --\>$ ]]; then
			"${BASH_REMATCH[1]}"
		else
			printf '%s\n' "$line"
		fi
	done <"$EVAL/evaluation.md"
}

[ -n "$(measured predict.reads)" ] || die "nothing is measured yet: run bench/eval/run.sh"
mkdir -p "$FOLDER"
points_csv >"$FOLDER/points.csv"
inference_csv >"$FOLDER/inference.csv"
overhead_csv >"$FOLDER/overhead.csv"
for workload in $(measured predict.reads); do
	picture "$workload"
done
page >"$PAGE.part" && mv "$PAGE.part" "$PAGE"
goal
