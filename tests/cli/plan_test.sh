#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# hvtrace plan: from curves in files, folders, traces and a running server to sizes. Needs no root.
. "$(dirname "$0")/lib.sh"
cd "$tmp" || exit 1

# curve NAME ORDER RATIO...: rows of a curve with a point each MiB.
curve()
{
	local name=$1 order=$2 i=0 ratio

	shift 2
	for ratio; do
		awk -v vm="$name" -v order="$order" -v i=$i -v r="$ratio" 'BEGIN {
			printf "%s,disk,%s,%d,%d,%.0f,1000000,%.6f,%s\n", vm, order, i * 256, i * 1048576,
				1e6 * r, r, i ? "0.01" : "0" }'
		i=$((i + 1))
	done
}

head='vm,space,order,size_pages,size_bytes,misses,accesses,miss_ratio,error'
{
	echo "$head"
	curve slope eviction 1 0.8 0.6 0.4 0.2
	curve cliff eviction 1 1 1 0.1 0.1
	curve idle eviction 1 1 1 1 1
} >curve.csv
known=(--default "over=1000s,latency=1ms,memory=8MiB")

# figure KEY VM: a figure of the plan's JSON, of a VM or (without) of all.
figure()
{
	grep "\"type\":\"plan${2:+_vm}\"" "$tmp/out" | grep -F "${2:+\"vm\":\"$2\"}" |
		grep -oE "\"$1\":[^,}]*" | head -n 1 | cut -d: -f2
}

figure_is()
{
	[ "$(figure "$1" "${3-}")" = "$2" ] || fail "$1 ${3-} is '$(figure "$1" "${3-}")', not '$2'"
}

plan()
{
	run "$hvtrace" plan "$@"
}

mib=1048576

# --- as things are: curves begin at what the VMs have, so nothing can move
plan "${known[@]}" curve.csv
status_is 0
err_lines 0
out_has '^VM +NOW +PLAN +CHANGE +MISS/s'
out_has '^slope +8M +8M +0 +1000 +1000 +0 +1000 +1000 +0\.00 +0\.00 +-$'
out_has '^host: 3 VMs of 24MiB, 24MiB given, 0 spare$'
out_has '^Lost: 3000 ms/s now, 3000 \+/- 0 ms/s with the plan, 3000 at most$'
out_has '^Exact at 4KiB: a cost of 3000 ms/s'
awk 'length > 100 { exit 1 }' "$tmp/out" || fail 'a line is longer than 100'

# --- what if there were more: the cliff pays once it is reached
plan "${known[@]}" --memory 26MiB --json curve.csv
status_is 0
figure_is plan_bytes $((10 * mib)) slope
figure_is plan_bytes $((8 * mib)) cliff
figure_is lost_ms_per_s 2600
figure_is lost_upper_ms_per_s 2610
figure_is cost_as_is 3000
plan "${known[@]}" --memory 27MiB --json curve.csv
figure_is plan_bytes $((8 * mib)) slope
figure_is plan_bytes $((11 * mib)) cliff
figure_is lost_error_ms_per_s 10 cliff
figure_is lost_upper_ms_per_s 110 cliff
figure_is miss_ratio 0.1 cliff
out_has '"type":"plan_vm".*"vm":"cliff","now_bytes":8388608,.*"host":"host","space":"disk","least_why":"curve"'
out_has '"type":"plan",.*"hosts":\[\{"host":"host","vms":3,"memory_bytes":28311552,"given_bytes":28311552,"spare_bytes":0\}\]\}$'
plan "${known[@]}" --memory 27MiB --vm slope,weight=10 --json curve.csv
figure_is plan_bytes $((11 * mib)) slope
plan "${known[@]}" --memory 27MiB --vm cliff,max=10MiB --json curve.csv
figure_is plan_bytes $((11 * mib)) slope
figure_is max_bytes $((10 * mib)) cliff
plan "${known[@]}" --memory 100MiB curve.csv
out_has '^host: 3 VMs of 100MiB, 31MiB given, 69MiB spare$'

# --- by convex hulls, with how far off that may be
plan "${known[@]}" --memory 26MiB --greedy curve.csv
out_has '^By convex hulls: a cost of [0-9]+ ms/s, within [0-9.]+ % of what no plan can be below'
plan "${known[@]}" --memory 26MiB curve.csv
out_has '^Exact at .* no plan at any granule is below [0-9]+; by convex hulls [0-9.]+ % more$'
plan "${known[@]}" --memory 26MiB --granule 4KiB --json curve.csv
figure_is granule_bytes 4096
plan "${known[@]}" --memory 26GiB --granule 4KiB --vm idle,min=25GiB curve.csv
status_is 0

# --- VMs that come and go
plan "${known[@]}" --without idle --json curve.csv
figure_is plan_bytes $((12 * mib)) slope
out_lacks '"vm":"idle"'
mkdir more
{
	echo "$head"
	curve slope eviction 1 0.8 0.6 0.4 0.2
} >more/curve.csv
plan "${known[@]}" --add-vm more/curve.csv,name=second,min=1MiB --memory 32MiB --json curve.csv
status_is 0
figure_is now_bytes 0 second
figure_is plan_bytes $((8 * mib)) second
figure_is lost_now_ms_per_s null second
out_has '"vm":"second".*"new":true'
plan "${known[@]}" --add-vm more/curve.csv,name=second curve.csv
status_is 1
err_lines 1
err_has "there is no plan: the VMs of 'host' need 32MiB, its memory is 24MiB: 8388608 bytes less: slope 8MiB"
out_empty
plan "${known[@]}" --add-vm more/curve.csv,name=second --json curve.csv
status_is 1
out_has '^\{"type":"clash","of":"host","needs_bytes":33554432,"most_bytes":25165824,"short_bytes":8388608,'

# --- assurances, on curves of all memory
{
	echo "$head"
	curve a access 1 0.9 0.8 0.7 0.6 0.5 0.4 0.3 0.2
	curve b access 1 0.5 0.3 0.2 0.15 0.12 0.11 0.1 0.1
} >all.csv
sizes=(--default "over=1000s,latency=1ms,memory=4MiB,min=1MiB")
plan "${sizes[@]}" --json all.csv
figure_is plan_bytes $((6 * mib)) a
figure_is plan_bytes $((2 * mib)) b
# b may lose 6 % of its accesses: 0.15 - 0.01 is what it has now for certain, 0.2 + 0.01 at 3 MiB.
plan "${sizes[@]}" --vm b,slower-ratio=7.1% --json all.csv
figure_is plan_bytes $((5 * mib)) a
figure_is plan_bytes $((3 * mib)) b
figure_is least_bytes $((3 * mib)) b
figure_is slower_ratio 0.07 b
figure_is slower_ms_per_s 70 b
figure_is may_be_slower_ms_per_s 71 b
out_has '"vm":"b",.*"least_why":"assured"'
plan "${sizes[@]}" --vm b,slower-time=69ms --json all.csv
figure_is plan_bytes $((4 * mib)) b
plan "${sizes[@]}" --vm b,slower-time=0,max=3MiB all.csv
status_is 1
err_has "'b' needs 4MiB \(to be no slower than it may\), its max is 3MiB: 1048576 bytes less"
plan "${sizes[@]}" --vm b,slower-ratio=2%,baseline=8MiB --memory 12MiB --json all.csv
figure_is baseline_bytes $((8 * mib)) b
figure_is least_bytes $((7 * mib)) b

# --- sizes below what a curve shows: only when told, down to a min
plan "${known[@]}" --guess --vm idle,min=6MiB --memory 27MiB curve.csv
status_is 0
err_lines 1
err_has '1 VM is below what its curve shows: guessed'
out_has '^idle +8M +6M +-2M +1000 +~1000 +- +1000 +~1000 +- +- +-$'
plan "${known[@]}" --guess --vm idle,min=6MiB,slower-time=0 --memory 27MiB --json curve.csv
figure_is plan_bytes $((8 * mib)) idle
plan -q "${known[@]}" --guess --vm idle,min=6MiB --memory 27MiB curve.csv
err_lines 0

# --- files and pictures
plan "${known[@]}" --memory 27MiB --csv plan.csv --picture plan.svg curve.csv
status_is 0
out_has '^host: 3 VMs'
head -n 1 plan.csv | grep -q '^host,vm,now_bytes,plan_bytes,change_bytes,' || fail "CSV heading"
grep -q "^host,cliff,$((8 * mib)),$((11 * mib)),$((3 * mib)),1000,100," plan.csv || fail "CSV row"
awk -F, 'NF != 25 { exit 1 }' plan.csv || fail "CSV columns"
grep -q '<svg' plan.svg || fail "no picture"
plan "${known[@]}" --memory 27MiB --csv - curve.csv
[ "$(wc -l <"$tmp/out")" = 4 ] || fail "CSV on stdout has other lines"
plan "${known[@]}" --memory 27MiB --picture - curve.csv
out_has '<svg'
plan "${known[@]}" --csv /nowhere/p.csv curve.csv
status_is 1
err_has "cannot write '/nowhere/p.csv'"

# --- a folder: what curves do not say is in vms.csv
cp curve.csv more/
cat >more/vms.csv <<'END'
vm,space,memory_bytes,direct_bytes,accesses_per_s,miss_latency_ns
slope,disk,9437184,8388608,1000,1000000
cliff,disk,10485760,8388608,500,2000000
idle,disk,8388608,8388608,1000,1000000
END
for input in more more/curve.csv; do
	plan --json $input
	status_is 0
	figure_is plan_bytes $((11 * mib)) cliff
	figure_is plan_bytes $((8 * mib)) slope
	figure_is misses_now_per_s 500 cliff
	figure_is lost_now_ms_per_s 800 slope
done
# What is said of a VM wins over what is known, and that over what is said of all.
plan --default latency=5ms --vm slope,latency=2ms --json more
figure_is lost_now_ms_per_s 1600 slope
figure_is lost_now_ms_per_s 1000 idle
sed -i 's/1000000$/-1/' more/vms.csv
plan more
status_is 1
err_has "more/vms.csv', line 2: miss_latency_ns '-1' is not a number"

# --- hosts
plan "${known[@]}" --memory x=26MiB --memory y=27MiB --json x=curve.csv y=curve.csv
status_is 0
[ "$(grep -c '"vm":"cliff"' "$tmp/out")" = 2 ] || fail "not a cliff on each host"
out_has '"vm":"slope","now_bytes":8388608,"plan_bytes":10485760,.*"host":"x"'
out_has '"vm":"cliff","now_bytes":8388608,"plan_bytes":11534336,.*"host":"y"'
plan "${known[@]}" --memory x=26MiB x=curve.csv y=curve.csv
out_has '^-- x$'
out_has '^y: 3 VMs of 24MiB, 24MiB given, 0 spare$'
plan "${known[@]}" --without idle@y --json x=curve.csv y=curve.csv
[ "$(grep -c '"vm":"idle"' "$tmp/out")" = 1 ] || fail "idle@y is there"

# --- a file of VMs
cat >plan.yaml <<'END'
memory: 27MiB
default: {over: 1000s, latency: 1ms, memory: 8MiB}
vms:
  - {name: cliff, max: 10MiB}
END
plan --config plan.yaml --json curve.csv
status_is 0
figure_is plan_bytes $((11 * mib)) slope
plan --config plan.yaml --vm cliff,max=11MiB --json curve.csv
figure_is plan_bytes $((11 * mib)) cliff
cat >hosts.yaml <<'END'
default: {over: 1000s, latency: 1ms, memory: 8MiB}
hosts:
  - {name: x, memory: 27MiB, inputs: [curve.csv]}
vms:
  - {name: single, host: x, curve: all.csv, memory: 0}
END
plan --config hosts.yaml
status_is 1
err_has "'all.csv': there are curves of 2 VMs in it, and one name for them"
sed -i 's/name: single/name: a/' hosts.yaml
plan --config hosts.yaml --json
status_is 0
out_has '"vm":"a",.*"host":"x"'
out_lacks '"vm":"b"'
echo 'speed: 1' >>plan.yaml
plan --config plan.yaml curve.csv
status_is 1
err_has "plan.yaml:5: a plan has no 'speed'"

# --- a trace of another tool has times
for ((i = 0; i < 4000; i++)); do
	echo "$((i / 100)),$((i % 512))"
done >trace.csv
plan --default latency=1ms --memory 2MiB --json trace.csv
status_is 0
figure_is plan_bytes $((2 * mib)) trace.csv
figure_is now_bytes null trace.csv
plan --default latency=1ms trace.csv
status_is 1
err_has "the memory of 'host' is not known, nor what 'trace.csv' has now; say it with --memory SIZE"

# --- wrong words: status 2 for the command line, 1 for what it names
wrong()
{
	local culprit=$1

	shift
	plan "$@"
	status_is 2
	err_lines 1
	err_has "^hvtrace plan: .*$culprit"
	out_empty
}

wrong 'INPUT is missing'
wrong "memory 'much' is not a size" -m much x
wrong "min 'x' is not a size" --vm a,min=x x
wrong "a VM has no 'mni'" --vm a,mni=1GiB x
wrong "begins with no name" --vm min=1GiB x
wrong "'min' is given twice" --vm a,min=1GiB,min=1GiB x
wrong "slower-ratio '2' is not a share" --default slower-ratio=2 x
wrong "latency 'slow' is not a time" --default latency=slow x
wrong "granule '0' is not a size" --granule 0 x
wrong "space 'tape' is neither" --space tape x
wrong "picture 'p.gif' is neither" --picture p.gif x
wrong 'a path is empty' ''
wrong 'a path is empty' --add-vm ''
wrong 'only one of' --json --csv - x
wrong "'--bogus'" --bogus

refused()
{
	local culprit=$1

	shift
	plan "$@"
	status_is 1
	err_lines 1
	err_has "^hvtrace plan: .*$culprit"
	out_empty
}

refused "cannot read 'none'" none
refused "cannot read configuration 'none.yaml'" --config none.yaml x
refused "how long its curve.s accesses took is not known; say it with --vm 'slope,over=1h', or for all" --default memory=1GiB curve.csv
refused 'the time that a miss takes is not known' --default over=1h,memory=1GiB curve.csv
refused 'the memory that its curve.s sizes are added to is not known' --default over=1h,latency=1ms curve.csv
refused "there is no VM 'web'" "${known[@]}" --vm web,min=1MiB curve.csv
refused "there is no VM 'web'" "${known[@]}" --without web curve.csv
refused "there is no host 'x'" "${known[@]}" --memory x=1GiB curve.csv
refused 'there are 2 hosts: say whose memory' "${known[@]}" --memory 1GiB x=curve.csv y=curve.csv
refused 'there are several of that name' "${known[@]}" --without idle x=curve.csv y=curve.csv
refused "there are two VMs 'slope' on 'host'" "${known[@]}" curve.csv curve.csv
refused 'no VM is left' "${known[@]}" --only idle --without idle curve.csv
refused 'no curve of the VMs asked for' --only web curve.csv
refused 'there is no curve of the space mem' --space mem curve.csv
refused 'cannot connect to .none.' --control none
echo 'vm,space,order,what' >bad.csv
refused "bad.csv', line 1: not the heading of a curve.csv" bad.csv
sed '3s/,0.01$/,2/' curve.csv >bad.csv
refused "bad.csv', line 3: error '2' is above 1" "${known[@]}" bad.csv

# --- a running server
truncate -s 8M a.img
timeout --foreground -k 5 60 "$hvtrace" serve --cache 4MiB --disk web,path=a.img,socket=w.sock --control c.sock -q -i 60 \
	>server.out 2>server.err </dev/null &
defer "kill $! 2>/dev/null; wait $! 2>/dev/null"
wait_until 10 test -S c.sock || fail "no control socket: $(cat server.err)"
# Nothing was read from the disk yet, so there is no curve.
plan --control c.sock
status_is 1
err_lines 1
err_has "^hvtrace plan: 'c.sock': "
run "$hvtrace" ctl -s c.sock stats
out_has '"seconds": [0-9.]+'
out_has '"miss_page_ns": null'
# A guest of 1 MiB that reads 3 MiB of it at random: what it misses depends on what it has of the cache.
"${BUILD:-$OLDPWD/build}/bench/vhost_load" -f 1MiB -r 3MiB -s 8 w.sock >load 2>&1 &
defer "kill $! 2>/dev/null; wait $! 2>/dev/null"
planned()
{
	plan --control c.sock --json
	[ $rc = 0 ] && [ "$(figure miss_ratio web)" != 1 ]
}
wait_until 10 planned || fail "no plan of what is served"
# Its own memory, and the target of all the cache.
own=$("$hvtrace" ctl -s c.sock stats | grep -oE '"memory_bytes": [0-9]+' | grep -oE '[0-9]+')
[ "$own" -ge $mib ] || fail "the guest has $own bytes"
figure_is now_bytes $((own + 4 * mib)) web
[ "$(figure plan_bytes web)" -gt "$own" ] || fail "nothing of the cache is planned for"
out_has "\"hosts\":\[\{\"host\":\"host\",\"vms\":1,\"memory_bytes\":$((own + 4 * mib)),"
plan --control c.sock --vm web,max=1MiB
status_is 1
err_has "'web' needs .*its curve begins there"
