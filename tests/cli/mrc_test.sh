#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Foreign traces from file to figures: the same references in every guise give the same curve, the
# columns are those that are promised, and what is wrong is said in one line. Needs no root.
. "$(dirname "$0")/lib.sh"

heading='vm,space,order,size_pages,size_bytes,misses,accesses,miss_ratio,error'

# --- 20000 references to 500 pages: a hot tenth, and scans of the rest
perl -e '
	my ($x, $scan) = (7, 0);
	for (1 .. 20000) {
		$x = ($x * 1103515245 + 12345) % 2147483648;
		my $page = $x >> 16 & 1 ? ($x >> 8) % 50 : 50 + $scan++ % 450;
		print $page * 1000003 + 5, "\n";
	}' >"$tmp/pages"
perl -ne 'print pack "Q<", $_' "$tmp/pages" >"$tmp/t.u64"
perl -ne 'printf "%.2f,%d\n", $. / 100, $_' "$tmp/pages" >"$tmp/t.csv"
perl -ne 'print pack "L<Q<L<q<", $. / 100, $_, 4096, -1' "$tmp/pages" >"$tmp/t.oracleGeneral"
gzip -k "$tmp/t.u64" "$tmp/t.csv"
command -v zstd >/dev/null && zstd -q "$tmp/t.u64" "$tmp/t.oracleGeneral"

# Its own reference: LRU by a list, the misses at some sizes.
perl -e '
	my @list;
	my %misses = map { $_ => 0 } 0, 1, 10, 50, 100, 499, 500, 1000;
	while (my $page = <>) {
		my $at = 0;
		$at++ while $at < @list && $list[$at] ne $page;
		for my $size (keys %misses) { $misses{$size}++ if $at == @list || $at >= $size }
		splice @list, $at, 1 if $at < @list;
		unshift @list, $page;
	}
	print "$_,$misses{$_}\n" for sort { $a <=> $b } keys %misses;' <"$tmp/pages" >"$tmp/expected"

sizes=$(cut -d, -f1 "$tmp/expected" | sed 's/$/p/' | paste -sd,)

# same_curve NAME FORMAT COMMAND...: the CSV on stdout is the list's, under that name.
same_curve()
{
	local name=$1

	shift
	run "$@"
	status_is 0
	err_lines 0
	[ "$(head -n 1 "$tmp/out")" = "$heading" ] || fail 'another heading'
	tail -n +2 "$tmp/out" | cut -d, -f4,6 | cmp -s - "$tmp/expected" || fail 'another curve'
	awk -F, -v name="$name" 'NR > 1 && ($1 != name || $2 != "disk" || $3 != "access" ||
		$5 != $4 * 4096 || $7 != 20000 || $9 != 0 ||
		($8 - $6 / $7) ^ 2 > 1e-11) { exit 1 }' "$tmp/out" || fail 'wrong columns'
}

for name in t.u64 t.csv t.oracleGeneral; do
	same_curve $name "$hvtrace" mrc --sizes "$sizes" --csv - "$tmp/$name"
	for packed in "$tmp/$name".*; do
		[ -e "$packed" ] || continue
		same_curve $name "$hvtrace" mrc --exact --sizes "$sizes" --csv - "$packed"
	done
done
# shellcheck disable=SC2016 # the inner shell expands it
same_curve stdin bash -c '"$1" mrc --sizes "$2" --csv - - <"$3"' - "$hvtrace" "$sizes" \
	"$tmp/t.csv.gz"
# shellcheck disable=SC2016
same_curve stdin bash -c 'cat "$3" | "$1" mrc --format u64 --sizes "$2" --csv - -' - \
	"$hvtrace" "$sizes" "$tmp/t.u64"
same_curve pages "$hvtrace" mrc --format csv --sizes "$sizes" --csv - "$tmp/pages"
run "$hvtrace" mrc --sizes "$sizes" --csv "$tmp/curve.csv" "$tmp/t.csv"
status_is 0
same_curve t.csv cat "$tmp/curve.csv"

# --- in text
run "$hvtrace" mrc --wss 55%,0.01 "$tmp/t.csv"
status_is 0
err_lines 0
out_has '^== t.csv, csv ==$'
out_has '^20000 references to 500 pages \(1.95MiB\)$'
out_has '^3.3[0-9]* minutes from the first to the last$'
out_has 'misses / accesses, by memory'
out_has 'memory for a miss ratio of 0.55: [0-9.]+[KM]iB$'
out_has 'memory for a miss ratio of 0.01: none is enough, with 1.95MiB it is 0.0250$'
out_has 'knee: [0-9.]+[KM]iB, miss ratio 0\.[0-9]+$'
out_has 'compulsory misses .*: 0.0250 of the accesses$'
out_fits 100

# --- JSON: one object a line, of these types
run "$hvtrace" mrc --json --policy fifo,opt --sizes 40KiB,200KiB "$tmp/t.csv" "$tmp/t.u64"
status_is 0
grep -vqE '^\{"type":"[a-z]+",.*\}$' "$tmp/out" && fail 'a line that is no object'
types=$(sed -E 's/.*"type":"([a-z]+)".*/\1/' "$tmp/out" | paste -sd' ')
one='trace curve policy policy wss wss knee compulsory'
[ "$types" = "$one $one" ] || fail "types: $types"
out_has '"vm":"t.csv","path":".*/t.csv","format":"csv","references":20000,"distinct_pages":500,'
out_has '"span_ns":199990000000\}'
out_has '"vm":"t.u64".*"span_ns":null\}'
out_has '"type":"policy","vm":"t.u64","space":"disk","policy":"opt",.*"points":\[\[10,.*\[50,'
out_has '"type":"wss",.*"miss_ratio":0.01,"size_pages":null'

# --- several traces: a curve each, traces of the same name told apart by their paths
mkdir "$tmp/day1" "$tmp/day2"
cp "$tmp/t.csv" "$tmp/day1"
cp "$tmp/t.csv.gz" "$tmp/day2"
run "$hvtrace" mrc --sizes 0,10p --csv - "$tmp/day1/t.csv" "$tmp/day2/t.csv.gz" "$tmp/t.u64"
status_is 0
names=$(tail -n +2 "$tmp/out" | cut -d, -f1 | uniq | sed "s|$tmp|.|" | paste -sd' ')
[ "$names" = './day1/t.csv ./day2/t.csv.gz t.u64' ] || fail "names: $names"

# --- policies: rows of their own; OPT misses least, and a simulated LRU as much as ours
run "$hvtrace" mrc --policy all,lru --sizes 0,10p,50p,100p,499p,500p --csv - "$tmp/t.u64"
status_is 0
names=$(tail -n +2 "$tmp/out" | cut -d, -f1 | uniq | paste -sd' ')
[ "$names" = 't.u64 t.u64:lru t.u64:fifo t.u64:clock t.u64:s3fifo t.u64:arc t.u64:opt' ] ||
	fail "names: $names"
awk -F, '
	NR > 1 && $4 { misses[$1, $4] = $6; size[$4] }
	END {
		for (s in size) {
			for (k in misses) {
				split(k, key, SUBSEP)
				if (key[2] == s && misses[k] < misses["t.u64:opt", s]) exit 1
			}
			if (misses["t.u64:lru", s] != misses["t.u64", s]) exit 1
		}
	}' "$tmp/out" || fail 'impossible misses'
run "$hvtrace" mrc --policy s3fifo,opt "$tmp/t.u64"
status_is 0
out_has '^ +memory +LRU +s3fifo +opt$'

# --- sampled: the errors are there, and the same seed gives the same sample
run "$hvtrace" mrc --shards 1/4 --seed 3 --csv - "$tmp/t.u64"
status_is 0
cp "$tmp/out" "$tmp/seed3"
awk -F, 'NR > 1 && $4 && !($9 > 0) { exit 1 }' "$tmp/seed3" || fail 'a sampled point without error'
run "$hvtrace" mrc --shards 25% --seed 3 --csv - "$tmp/t.csv.gz"
cut -d, -f2- "$tmp/seed3" | cmp -s - <(cut -d, -f2- "$tmp/out") || fail 'not repeatable'
run "$hvtrace" mrc --shards 25% --seed 4 --csv - "$tmp/t.csv.gz"
cut -d, -f2- "$tmp/seed3" | cmp -s - <(cut -d, -f2- "$tmp/out") && fail 'the seed does nothing'
run "$hvtrace" mrc --shards 1/4 --policy arc "$tmp/t.u64"
status_is 0
out_has 'references sampled, [0-9]+ pages followed at a rate of 0.25$'
out_has '20000 references to [0-9]+ \+/- [0-9]+ pages'
run "$hvtrace" mrc --shards-max 64 "$tmp/t.u64"
status_is 0
out_has 'references sampled, [0-9]+ pages followed at a rate of 0'

# --- points: how many, from where to where
points()
{
	run "$hvtrace" mrc --points "$1" --csv - "$tmp/t.u64"
	status_is 0
	[ "$(tail -n +2 "$tmp/out" | cut -d, -f4 | paste -sd,)" = "$2" ] || fail "not $2"
}
points 3lin 0,250,500
points 3 1,22,500
points 1log 500

# --- a malformed record: which one, why, what to do; or counted and left out
sed '100s/.*/1.00,x/' "$tmp/t.csv" >"$tmp/bad.csv"
run "$hvtrace" mrc "$tmp/bad.csv"
status_is 1
err_lines 1
err_has "^hvtrace mrc: '$tmp/bad.csv': .*100.*--skip-bad"
out_empty
run "$hvtrace" mrc --skip-bad "$tmp/bad.csv"
status_is 0
out_has '^19999 references '
out_has '^1 malformed records left out$'
run "$hvtrace" mrc --json --skip-bad "$tmp/bad.csv"
out_has '"bad_records":1,'
run "$hvtrace" mrc --csv - --skip-bad "$tmp/bad.csv"
status_is 0
err_lines 1
err_has '1 malformed records left out$'
# Damaged compression is not a record: nothing can be skipped.
gzip -c "$tmp/t.csv" | head -c 20000 >"$tmp/cut.csv.gz"
run "$hvtrace" mrc --skip-bad "$tmp/cut.csv.gz"
status_is 1
err_lines 1
err_has "^hvtrace mrc: '$tmp/cut.csv.gz': .*byte"
out_empty
# One that fails leaves the others to be told.
run "$hvtrace" mrc --csv - --points 2lin "$tmp/bad.csv" "$tmp/t.u64"
status_is 1
err_lines 1
[ "$(tail -n +2 "$tmp/out" | cut -d, -f1,4 | paste -sd' ')" = 't.u64,0 t.u64,500' ] ||
	fail 'not the good trace alone'

# --- what does not fit a trace of accesses; a file that is not there costs no time
wrong()
{
	local culprit=$1 status=$2

	shift 2
	run "$hvtrace" mrc "$@"
	status_is "$status"
	err_lines 1
	err_has "$culprit"
	out_empty
}
wrong 'is a trace of accesses .u64.*do without --order' 2 --order eviction "$tmp/t.u64"
wrong '--max-pages is for recordings.*--shards-max' 2 --max-pages 100 "$tmp/t.u64"
wrong '--dump is for recordings' 2 --dump "$tmp/t.u64"
wrong "cannot read '$tmp/nowhere': No such file" 1 "$tmp/t.u64" "$tmp/nowhere"
run "$hvtrace" mrc --csv /nowhere/c.csv "$tmp/t.u64"
status_is 1
err_lines 1
err_has "cannot write '/nowhere/c.csv': No such file"
run "$hvtrace" mrc --order access --csv - "$tmp/t.u64"
status_is 0

# --- a trace without any reference has a curve without misses
: >"$tmp/none.u64"
run "$hvtrace" mrc --format u64 --csv - "$tmp/none.u64"
status_is 0
awk -F, 'NR > 1 && ($6 || $7 || $8 || $9) { exit 1 }' "$tmp/out" || fail 'misses of nothing'

# --- no progress unless on a terminal
run script -qec "'$hvtrace' mrc -q '$tmp/t.u64'" /dev/null
out_lacks 'refs/s, .*left'

# --- plot
command -v gnuplot >/dev/null || skip 'all but plot passed; gnuplot is not installed'
run "$hvtrace" plot -o "$tmp/p.svg" --title 'Hot & cold <pages>' "$tmp/curve.csv" "$tmp/seed3"
status_is 0
err_lines 0
grep -q '</svg>' "$tmp/p.svg" || fail 'no SVG'
perl -0ne 'exit !(m{Hot &amp; cold &lt;pages} && m{>t\.csv<} && m{>t\.u64<} && m{>[0-9.]+[KM]iB<})' \
	"$tmp/p.svg" || fail 'title, names or sizes are not on the picture'
run bash -c '"$1" mrc --policy opt --csv - "$2" | "$1" plot --log -o - -' - "$hvtrace" "$tmp/t.u64"
status_is 0
out_has '</svg>'
out_has 't.u64:opt'
run "$hvtrace" plot -o - --vm t.u64 "$tmp/curve.csv" "$tmp/seed3"
out_has '>t.u64<'
out_lacks '>t.csv<'
run "$hvtrace" plot -o "$tmp/p.png" "$tmp/curve.csv"
status_is 0
[ "$(head -c 4 "$tmp/p.png" | od -An -tx1)" = ' 89 50 4e 47' ] || fail 'no PNG'

# What fails leaves the last picture alone.
cp "$tmp/p.svg" "$tmp/before"
plot_fails()
{
	local culprit=$1

	shift
	run "$@"
	status_is 1
	err_lines 1
	err_has "$culprit"
	out_empty
	cmp -s "$tmp/before" "$tmp/p.svg" || fail 'the last picture is gone'
}
sed '3s/access/acess/' "$tmp/curve.csv" >"$tmp/odd.csv"
plot_fails "'$tmp/odd.csv', line 3: order 'acess'" "$hvtrace" plot -o "$tmp/p.svg" "$tmp/odd.csv"
plot_fails "no curve of 'db'" "$hvtrace" plot -o "$tmp/p.svg" --vm db "$tmp/curve.csv"
plot_fails "cannot read '$tmp/nowhere'" "$hvtrace" plot -o "$tmp/p.svg" "$tmp/nowhere"
plot_fails 'no curve in .*only a heading' "$hvtrace" plot -o "$tmp/p.svg" <(echo "$heading")
plot_fails 'gnuplot is not installed; install' env PATH=/nowhere "$hvtrace" plot -o "$tmp/p.svg" \
	"$tmp/curve.csv"
plot_fails "cannot write '/nowhere/p.svg'" "$hvtrace" plot -o /nowhere/p.svg "$tmp/curve.csv"
