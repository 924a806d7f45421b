#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Curves of the recent past and of intervals: a window knows the second phase of a trace alone,
# intervals add up to the whole and are told as they end. All but live and recordings needs no root.
. "$(dirname "$0")/lib.sh"

heading='vm,space,order,size_pages,size_bytes,misses,accesses,miss_ratio,error'

# --- a loop over 300 pages for 100 s, a day of silence, and 32 s of another one over 50 of them
perl -e '
	printf "%.2f,%d\n", $_ / 100, $_ % 300 for 0 .. 9999;
	printf "%.2f,%d\n", 86400 + $_ / 100, 100 + $_ % 50 for 0 .. 3199;' >"$tmp/t.csv"
cut -d, -f2 "$tmp/t.csv" >"$tmp/pages"
perl -ne 'print pack "Q<", $_' "$tmp/pages" >"$tmp/t.u64"
sizes=0,1p,49p,50p,100p,299p,300p,1000p

# expected FROM TO: size, misses and accesses of the references FROM to TO - 1, by a list.
expected()
{
	perl -e '
		my ($from, $to, @list) = @ARGV[0, 1];
		my %misses = map { $_ => 0 } 0, 1, 49, 50, 100, 299, 300, 1000;
		for my $i (0 .. $to - 1) {
			chomp(my $page = <STDIN>);
			my $at = 0;
			$at++ while $at < @list && $list[$at] ne $page;
			$i >= $from && ($at == @list || $at >= $_) && $misses{$_}++ for keys %misses;
			splice @list, $at, 1 if $at < @list;
			unshift @list, $page;
		}
		print "$_,$misses{$_},", $to - $from, "\n" for sort { $a <=> $b } keys %misses;
	' "$1" "$2" <"$tmp/pages" >"$tmp/expected"
}

# rows NAME: size, misses and accesses of that name in the CSV.
rows()
{
	awk -F, -v name="$1" '$1 == name { print $4 "," $6 "," $7 }' "$tmp/out" >"$tmp/rows"
	cmp -s "$tmp/expected" "$tmp/rows" || fail "$1 is not as expected: $(paste -sd' ' "$tmp/rows")"
}

# --- a window: by time, in every unit, and by references; of a trace with and without times
for window in 16s 16 16000ms; do
	expected 11600 13200
	run "$hvtrace" mrc --window $window --sizes $sizes --csv - "$tmp/t.csv"
	status_is 0
	err_lines 0
	[ "$(head -n 1 "$tmp/out")" = "$heading" ] || fail 'another heading'
	# It may reach back a sixteenth more.
	accesses=$(awk -F, 'NR == 2 { print $7 }' "$tmp/out")
	if [ "$accesses" -lt 1600 ] || [ "$accesses" -gt 1701 ]; then
		fail "a window of $accesses references"
	fi
	expected $((13200 - accesses)) 13200
	rows t.csv
done
expected 10000 13200
run "$hvtrace" mrc --window 0.5d --sizes $sizes --csv - "$tmp/t.csv"
rows t.csv
expected 0 13200
run "$hvtrace" mrc --window 2d --sizes $sizes --csv - "$tmp/t.csv"
rows t.csv
for trace in t.csv t.u64; do
	expected 11600 13200
	run "$hvtrace" mrc --window 1600r --sizes $sizes --csv - "$tmp/$trace"
	status_is 0
	rows $trace
done

# --- in text: the head says so, and all that is read off the curve is of the window
run "$hvtrace" mrc --window 30s "$tmp/t.csv"
status_is 0
out_has '^== t.csv, csv, the last 30 s ==$'
out_has '^13200 references to 300 pages'
out_has 'misses / accesses, by memory \(the last 30 s\)$'
out_has 'memory for a miss ratio of 0.01: 208KiB$'
out_has 'compulsory misses .*: 0.0000 of the accesses$'
run "$hvtrace" mrc --half-life 1h "$tmp/t.csv"
out_has '^== t.csv, csv, half-life 1 h ==$'
out_has 'memory for a miss ratio of 0.05: 208KiB$'
out_fits 100

# --- a half-life in references: 2^(-age / half-life), and no more than a sixteenth of it younger
run "$hvtrace" mrc --half-life 800r --sizes 50p --csv - "$tmp/t.u64"
status_is 0
awk -F, 'NR == 2 { truth = 800 / log(2); ratio = $7 / truth
	exit !($6 < 0.1 * $7 && ratio > 0.99 && ratio < 1.06) }' "$tmp/out" || fail 'other weights'

# --- intervals: each that of its own references, together all of them
run "$hvtrace" mrc --every 40s --sizes $sizes --csv - "$tmp/t.csv"
status_is 0
err_lines 0
[ "$(grep -c "^$heading$" "$tmp/out")" = 1 ] || fail 'no heading, or many'
names=$(tail -n +2 "$tmp/out" | cut -d, -f1 | uniq | paste -sd' ')
[ "$names" = 't.csv@40s t.csv@80s t.csv@120s t.csv@86431.99s t.csv' ] || fail "names: $names"
expected 0 4000 && rows t.csv@40s
expected 8000 10000 && rows t.csv@120s
expected 10000 13200 && rows t.csv@86431.99s
expected 0 13200 && rows t.csv
awk -F, '$1 ~ /@/ { sum[$4] += $6 } $1 == "t.csv" { all[$4] = $6 }
	END { for (s in all) if (all[s] != sum[s]) exit 1 }' "$tmp/out" || fail 'they do not add up'
run "$hvtrace" mrc --every 5000r --sizes $sizes --csv - "$tmp/t.u64"
status_is 0
names=$(tail -n +2 "$tmp/out" | cut -d, -f1 | uniq | paste -sd' ')
[ "$names" = 't.u64@5000refs t.u64@10000refs t.u64@13200refs t.u64' ] || fail "names: $names"
expected 5000 10000 && rows t.u64@10000refs
# With a window, each has the curve of the window that ends with it.
run "$hvtrace" mrc --every 5000r --window 1600r --sizes $sizes --csv - "$tmp/t.u64"
expected 3400 5000 && rows t.u64@5000refs
expected 11600 13200 && rows t.u64@13200refs
expected 11600 13200 && rows t.u64
# Into a file, with the lines on standard output.
run "$hvtrace" mrc --every 40s --sizes $sizes --csv "$tmp/c.csv" "$tmp/t.csv"
status_is 0
out_has '^0 to 40 s, 4000 references$'
cp "$tmp/c.csv" "$tmp/out"
expected 8000 10000 && rows t.csv@120s
expected 0 13200 && rows t.csv

# --- as lines: silence is told of once, however long
run "$hvtrace" mrc --every 10s --wss 0.2 "$tmp/t.csv"
status_is 0
out_has '^== t.csv, every 10 s ==$'
out_has '^ until second +references +1MiB +16MiB +256MiB +4GiB +64GiB +for +0.2$'
out_has '^ +10 +1000 +1.0000 +0.3000 .* more$'
out_has '^ +20 +1000 +1.0000 +0.0000 .* 1.[0-9]*MiB$'
out_has '^ +86400 +0 no references since 100$'
out_has '^ +86431.99 +200 +0.0000 .* 200KiB$|^ +86431.99 +200 +0.0000 .* 208KiB$'
[ "$(grep -c 'no references' "$tmp/out")" = 1 ] || fail 'silence is told of more than once'

# --- JSON: one object an interval; a pipe sees them while the trace still grows
run "$hvtrace" mrc --every 40s --json --sizes 50p "$tmp/t.csv"
status_is 0
out_has '^\{"type":"curve","vm":"t.csv","space":"disk","order":"access","from_s":0,"time_s":40,"interval_references":4000,"columns":.*"points":\[\[50,4000,4000,1,0\]\]\}$'
out_has '^\{"type":"gap",.*"from_s":120,"time_s":86400,"interval_references":0\}$'
run "$hvtrace" mrc --every 10000r --window 1600r --json --sizes 50p "$tmp/t.u64"
out_has '"from_references":0,"references":10000,"interval_references":10000,"window_references":1600,'
out_has '^\{"type":"curve","vm":"t.u64","space":"disk","order":"access","window_references":1600,'
out_has '^\{"type":"wss","vm":"t.u64","space":"disk","order":"access","window_references":1600,'
mkfifo "$tmp/fifo"
exec 3<>"$tmp/fifo"
spawn "$hvtrace" mrc --every 10s --json --format csv "$tmp/fifo"
# A pipe's worth, so that the reader has some of it whatever it buffers.
head -n 10000 "$tmp/t.csv" >&3
wait_until 20 grep -q '"time_s":20,' "$tmp/out" || fail 'no interval was told while the pipe is open'
kill -TERM "$child"
exec 3>&-
finish
run bash -c '"$1" mrc --every 1s --json "$2" | head -n 2' - "$hvtrace" "$tmp/t.csv"
status_is 0
err_lines 0
[ "$(wc -l <"$tmp/out")" = 2 ] || fail 'not two lines'

# --- sampled: the error of a window is that of fewer references, and covers the truth
run "$hvtrace" mrc --shards 1/2 --window 1600r --sizes 25p,100p --csv - "$tmp/t.u64"
status_is 0
awk -F, 'NR == 2 && ($7 != 1600 || ($8 - 1) ^ 2 > $9 ^ 2) || NR == 3 && $8 > $9 { exit 1 }' \
	"$tmp/out" || fail 'the error does not cover the truth'
run "$hvtrace" mrc --shards-max 64 --detail 1 --every 3000r --csv - "$tmp/t.u64"
status_is 0

# --- what is wrong
wrong()
{
	local culprit=$1 status=$2

	shift 2
	run "$hvtrace" "$@"
	status_is "$status"
	err_lines 1
	err_has "$culprit"
	out_empty
}
for span in 0 -1 x '' 10x 1.5r 0r r 1e3 '1 s' 99999999999; do
	wrong "--window '$span' is neither a time such as" 2 mrc --window "$span" x
	wrong "--half-life '$span' is neither" 2 mrc --half-life "$span" x
	wrong "--every '$span' is neither" 2 mrc --every "$span" x
	wrong "--window '$span' is not a time" 2 live --window "$span"
done
wrong "--window '5r' is not a time" 2 live --window 5r
wrong "--half-life '5r' is not a time" 2 live --half-life 5r
wrong 'exclude each other' 2 mrc --window 1s --half-life 1s x
wrong 'exclude each other' 2 live --window 1s --half-life 1s
wrong '--every and --window have to be both times or both' 2 mrc --window 1s --every 5r x
wrong '--every and --half-life have to be both' 2 mrc --half-life 5r --every 5s x
wrong '--policy simulates the whole trace; do without' 2 mrc --window 1s --policy arc x
wrong '--points needs .* use --sizes' 2 mrc --every 1s --points 5 x
wrong '--dump prints events and nothing else; do without --every' 2 mrc --dump --every 1s x
wrong "'$tmp/t.u64' has no times .u64.; give --window as references" 2 mrc --window 1s "$tmp/t.u64"
wrong "'$tmp/t.u64' has no times .u64.; give --half-life as" 2 mrc --half-life 1 "$tmp/t.u64"
wrong "has no times .csv.; give --every as references" 2 mrc --format csv --every 1h "$tmp/pages"
wrong "cannot write '/nowhere/c.csv'" 1 mrc --every 1s --csv /nowhere/c.csv "$tmp/t.csv"
wrong "cannot write '/dev/full': No space" 1 mrc --every 1s --csv /dev/full "$tmp/t.csv"
for how in --json '--csv -'; do
	# shellcheck disable=SC2016,SC2086 # the inner shell expands them; two words
	run bash -c 'trace=$1 && shift && "$@" "$trace" >/dev/full' - "$tmp/t.csv" "$hvtrace" mrc \
		--every 1s $how
	status_is 1
	err_lines 1
	err_has 'cannot write to standard output: No space'
done
# Policies are of the whole trace; intervals beside them are no harm.
run "$hvtrace" mrc --every 5000r --policy fifo --sizes 50p --csv - "$tmp/t.u64"
status_is 0
out_has '^t.u64:fifo,'
# No reference, no interval.
: >"$tmp/none.u64"
run "$hvtrace" mrc --format u64 --every 5r --window 5r --csv - "$tmp/none.u64"
status_is 0
out_lacks '@'

# --- live, on a process that reads 16 MiB twice and, later, 4 MiB eight times
[ "$(id -u)" -eq 0 ] || skip 'all but live and recordings passed; they need root'
start_reader 16 2 4 8 4 0
spawn "$hvtrace" record -q -o "$tmp/r.hvt" "${only[@]}"
recorder=$child recorder_guard=$guard
wait_until 20 test -s "$tmp/r.hvt" || fail 'no recording'
spawn "$hvtrace" live -q --json -i 0.5 --window 4s "${only[@]}" --csv "$tmp/csv"
wait_until 20 test -s "$tmp/out" || fail 'no first table'
kill -CONT "$reader"
wait_until 20 is_stopped "$reader" || fail 'the reader did not get through'
sleep 5.5
kill -CONT "$reader"
sleep 0.2
wait_until 20 is_stopped "$reader" || fail 'the reader did not get through'
kill -INT "$child"
finish
status_is 0
out_has '"type":"vm",.*"fills":16384,'
# 4096 pages were cold, but none in the window. The curve's end is where all fit.
out_has '"type":"curve",.*"order":"eviction","window_s":4,.*\[0,8192,8192,1,0\].*,0,8192,0,0\]\]\}$'
out_has '"type":"wss",.*"window_s":4,"miss_ratio":0.05,'
out_has '"type":"compulsory",.*"window_s":4,"miss_ratio":0,'
grep -q ',disk,eviction,0,0,8192,8192,1,0$' "$tmp/csv/curve.csv" || fail 'curve.csv has another one'

# --- the same, recorded
kill -INT "$recorder"
wait "$recorder_guard" || fail "record ended with $?"
run "$hvtrace" mrc --window 4s --sizes 0,1000p,1100p,8000p --csv - "$tmp/r.hvt"
status_is 0
err_lines 0
[ "$(tail -n +2 "$tmp/out" | cut -d, -f4,6,7 | paste -sd' ')" = \
	'0,8192,8192 1000,8192,8192 1100,1024,8192 8000,0,8192' ] || fail 'another window'
run "$hvtrace" mrc --every 8192r --sizes 0,8000p --csv - "$tmp/r.hvt"
[ "$(tail -n +2 "$tmp/out" | cut -d, -f1,4,6 | sed "s/perl:$reader/VM/" | paste -sd' ')" = \
	'VM@8192refs,0,8192 VM@8192refs,8000,4096 VM@16384refs,0,8192 VM@16384refs,8000,0 VM,0,16384 VM,8000,4096' ] ||
	fail 'other intervals'
run "$hvtrace" mrc --every 100ms --order access "$tmp/r.hvt"
status_is 0
out_has "no references since .* perl:$reader$"
out_has "^ +[0-9.]+ +[0-9]+ +[01]\.[0-9]+ .* perl:$reader$"
run "$hvtrace" mrc --half-life 1h "$tmp/r.hvt"
status_is 0
out_has 'by memory added \(half-life 1 h\)$'
