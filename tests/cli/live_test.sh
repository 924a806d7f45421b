#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A process that reads a disk of 16 MiB three times, as live, record and mrc see it: 12288 fills,
# 4096 of them cold.
. "$(dirname "$0")/lib.sh"
need_root

# The tracer is attached as soon as the first table is there.
read_while()
{
	spawn "$@"
	wait_until 20 test -s "$tmp/out" || fail "no first table"
	kill -CONT "$reader"
	finish
}

# --- the table and the report
start_reader 16 3
read_while "$hvtrace" live -i 0.5 -d 4 "${only[@]}" --csv "$tmp/csv"
status_is 0
out_has '^VM +PID +MEM +FILLS/s'
out_has "^[^ ]+ +$reader "
out_has '\| [0-9]+ dropped \| sampling 1/1 \| hvtrace CPU'
awk 'length > 99 && /^VM|\/s|sampling/ { exit 1 }' "$tmp/out" || fail "a line is too wide"
out_has "pid $reader"
out_has '12288 pages filled'
out_has '12288 fills, 4096 of them cold, 8192 refaults, 12272 evictions'
out_has 'Read latency'
err_has "\(pid $reader\) ended"
out_lacks $'\033'
head -n 1 "$tmp/csv/curve.csv" | grep -qx \
	'vm,space,order,size_pages,size_bytes,misses,accesses,miss_ratio,error' ||
	fail "curve.csv: $(head -n 1 "$tmp/csv/curve.csv")"
for file in events reuse latency; do
	[ "$(wc -l <"$tmp/csv/$file.csv")" -gt 1 ] || fail "$file.csv is empty"
done
grep -qE 'disk,fill,12288$' "$tmp/csv/events.csv" || fail "events.csv: $(cat "$tmp/csv/events.csv")"
ls "$tmp"/csv/*.gp >/dev/null || fail "no gnuplot script"

# --- what plans have to know is there, but for the memory, which a process without KVM has none of
grep -qE "^perl:$reader,disk,,,[0-9.]+,[0-9.]+$" "$tmp/csv/vms.csv" || fail "vms.csv: $(cat "$tmp/csv/vms.csv")"
run "$hvtrace" plan --default memory=1MiB --memory 40MiB --json "$tmp/csv"
status_is 0
out_has '"plan_bytes":17[0-9]{6},.*"miss_ratio":0.3333'
run "$hvtrace" plan --default memory=1MiB --memory 8MiB --json "$tmp/csv"
out_has '"plan_bytes":1048576,.*"miss_ratio":1,'

# --- asked while it runs, the reader waiting after its first phase
start_reader 16 3 16 1
spawn "$hvtrace" live -i 0.5 -d 30 "${only[@]}" --control "$tmp/live.sock"
wait_until 20 test -s "$tmp/out" || fail "no first table"
kill -CONT "$reader"
sleep 0.2
wait_until 20 is_stopped "$reader" || fail "the reader did not stop"
sleep 1
for words in 'stats "memory_bytes"|"miss_page_ns": [0-9.]+' 'vms "pid": '"$reader" 'curve "accesses_per_s": [0-9.]+' \
	'version "version"'; do
	"$hvtrace" ctl -s "$tmp/live.sock" "${words%% *}" >"$tmp/answer" || fail "ctl ${words%% *}"
	grep -qE "${words#* }" "$tmp/answer" || fail "ctl ${words%% *}: $(cat "$tmp/answer")"
done
"$hvtrace" ctl -s "$tmp/live.sock" curve "perl:$reader" --sizes 0,16MiB --csv >"$tmp/answer" || fail "ctl curve --csv"
grep -qE "^perl:$reader,disk,eviction,4096,16777216,4096,12288,0.333333,0" "$tmp/answer" ||
	fail "the curve: $(cat "$tmp/answer")"
"$hvtrace" ctl -s "$tmp/live.sock" curve nobody 2>"$tmp/answer" && fail "a curve of nobody"
grep -q "there is no VM 'nobody'" "$tmp/answer" || fail "$(cat "$tmp/answer")"
"$hvtrace" ctl -s "$tmp/live.sock" drain 2>"$tmp/answer" && fail "live was drained"
"$hvtrace" plan --control "$tmp/live.sock" --default memory=1MiB --memory 40MiB --json >"$tmp/answer" ||
	fail "plan --control"
grep -qE '"plan_bytes":17[0-9]{6},.*"miss_ratio":0.3333' "$tmp/answer" || fail "the plan: $(cat "$tmp/answer")"
kill -INT "$child"
finish
status_is 0
[ ! -e "$tmp/live.sock" ] || fail "the socket is still there"

# --- the same as JSON: every line an object of a known type
start_reader 16 3
read_while "$hvtrace" live --json -q -i 0.5 -d 3 "${only[@]}" --bpf-stats
status_is 0
err_lines 0
! grep -vE '^\{"type":"(interval|status|vm|events|reuse|latency|curve|wss|knee|compulsory)",.*\}$' "$tmp/out" ||
	fail "not a JSON line of a known type"
for type in interval status vm events reuse latency curve wss knee compulsory; do
	out_has "^\{\"type\":\"$type\","
done
out_has '"type":"vm",.*"ended":true,"fills":12288,"writebacks":0,'
out_has '"type":"reuse",.*"cold":4096,'
[ "$(grep -c '"final":true' "$tmp/out")" = 1 ] || fail "no final status, or many"
out_has '"sample_one_in":1,.*"bpf_ns_per_page":[0-9.]+,"final":true'

# --- a fixed rate is kept and shown; estimates are of all pages; counters are exact
start_reader 16 3
read_while "$hvtrace" live -q -i 0.5 -d 3 -p "$reader" --vm "perl:$reader" --sample 1/4
status_is 0
out_has 'sampling 1/4 '
out_has '12288 pages filled'
fills=$(sed -nE 's/^  ([0-9]+) fills,.*/\1/p' "$tmp/out")
if [ "$fills" -lt 9830 ] || [ "$fills" -gt 14746 ]; then
	fail "$fills fills estimated, 12288 done"
fi

# --- a source that is switched off sees nothing
start_reader 4 1
read_while "$hvtrace" live -q --json -i 0.5 -d 2 "${only[@]}" --no-block
status_is 0
out_has '"sources":\{"block":"off"'
out_has '"type":"vm",.*"fills":0,'

# --- recorded and analysed, it is the same
start_reader 16 3
spawn "$hvtrace" record -d 3 "${only[@]}" -o "$tmp/r.hvt"
wait_until 20 test -s "$tmp/r.hvt" || fail "no recording"
sleep 0.2
kill -CONT "$reader"
finish
status_is 0
out_empty
err_has '24560 events in .* bytes an event, 0 dropped, sampling 1/1$'
run "$hvtrace" mrc --sizes 0,4MiB,15MiB,16MiB --csv "$tmp/curve.csv" "$tmp/r.hvt"
status_is 0
err_lines 0
out_has '^24560 events, sampling 1/1, 0 dropped'
out_has '12288 fills, 4096 of them cold, 8192 refaults, 12272 evictions'
# All reuse distances are 4079 pages: below that nothing is gained, from there on all.
out_has '^ +15MiB +12288 +12288 +1\.0000 +0\.0000$'
out_has '^ +16MiB +4096 +12288 +0\.3333 +0\.0000$'
grep -qE ',disk,eviction,4096,16777216,4096(\.0+)?,12288(\.0+)?,0\.33333[0-9]*,0(\.0+)?$' \
	"$tmp/curve.csv" || fail "curve.csv: $(cat "$tmp/curve.csv")"
run "$hvtrace" mrc --dump "$tmp/r.hvt"
status_is 0
[ "$(head -n 1 "$tmp/out")" = '# time_ns vm kind space disk page frame flags count' ] ||
	fail "no heading"
[ "$(grep -c ' fill disk ' "$tmp/out")" = 12288 ] || fail "fills are missing"
[ "$(grep -c ' evict disk ' "$tmp/out")" = 12272 ] || fail "evictions are missing"
grep -v '^#' "$tmp/out" | sort -s -n -c -k 1,1 || fail "events are out of order"

# A recording has what a plan has to know, but for the memory of a process without KVM.
run "$hvtrace" plan --default memory=1MiB --memory 40MiB --json "$tmp/r.hvt"
status_is 0
out_has '"plan_bytes":17[0-9]{6},.*"miss_ratio":0.3333'
out_has '"lost_now_ms_per_s":[1-9]'

# --- from standard input, and to a reader that goes away
run bash -c '"$1" mrc --json - <"$2"' - "$hvtrace" "$tmp/r.hvt"
status_is 0
out_has '"type":"curve"'
run bash -c '"$1" mrc --dump "$2" | head -n 1' - "$hvtrace" "$tmp/r.hvt"
status_is 0
err_lines 0
