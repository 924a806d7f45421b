#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Help, version, and every kind of wrong word on the command line. Needs no root.
. "$(dirname "$0")/lib.sh"

# --- what was asked for goes to stdout, status 0
run "$hvtrace" --version
status_is 0
out_has '^hvtrace [0-9]+\.[0-9]+\.[0-9]+$'
err_lines 0
run "$hvtrace" --help
status_is 0
out_has '^Usage: hvtrace'
out_has '^Examples:'
err_lines 0
for command in live record mrc plot plan serve ctl balance doctor; do
	run "$hvtrace" $command --help
	status_is 0
	out_has "^Usage: hvtrace $command"
	err_lines 0
	run "$hvtrace" $command -h
	status_is 0
done
for command in live record mrc plot plan serve ctl balance; do
	run "$hvtrace" $command --help
	out_has '^Examples:'
	out_fits 100
done

# --- all else: one line that names the culprit and the way out, status 2
wrong()
{
	local culprit=$1

	shift
	run "$hvtrace" "$@"
	status_is 2
	err_lines 1
	err_has '^hvtrace'
	err_has "$culprit"
	err_has "see 'hvtrace.* --help'"
	out_empty
}

wrong "unknown command 'lives'" lives
wrong "unknown command ''" ''
wrong "'--bogus'" --bogus
wrong "'--bogus'" live --bogus
wrong "'-z'" live -z
wrong "'-z'" live -qz
wrong "'--json' takes no value" live --json=yes
wrong "'-i' needs a value" live -i
wrong "'--sample' needs a value" live --sample
wrong "unexpected argument 'web'" live web
wrong "no VM to balance" balance
wrong "'web': VM 'web' has nothing that moves its memory" balance web
wrong "has no 'mem'" balance web,qmp=/nonexistent,mem=1GiB
wrong "min 'x' is not a size" balance web,qmp=/nonexistent,min=x
wrong "on-exit 'stay' is not" balance --on-exit stay web,qmp=/nonexistent
wrong "interval '0' is not a time" balance -i 0 web,qmp=/nonexistent
wrong "cannot read configuration '/nonexistent'" balance --config /nonexistent
wrong "needs qmp=SOCKET and serve=SOCKET" balance --probe web=1GiB web,qmp=/nonexistent
for seconds in 0 -1 x 1s '' inf nan 0x10 1e99 2e3 . 99999999999; do
	wrong "-i '$seconds'" live -i "$seconds"
	wrong "-d '$seconds'" live -d "$seconds"
done
for count in 0 -1 x 1.5 '' 99999999999999999999 ' 1'; do
	wrong "-c '$count'" live -c "$count"
	wrong "--max-pages '$count'" live --max-pages "$count"
	wrong "--max-pages '$count'" mrc --max-pages "$count" x
done
for sample in 0 1 1/0 2/3 1/-1 1/x 1/ '' half 1/99999999999; do
	wrong "--sample '$sample'" live --sample "$sample"
	wrong "--sample '$sample'" record -o x --sample "$sample"
done
for pid in 0 -1 x '' 99999999999 1.5; do
	wrong "'$pid' is not a process id" live -p "$pid"
done
wrong '-o FILE is missing' record
wrong "'-o' needs a value" record -o
wrong "'--csv'" record -o x --csv y
wrong 'TRACE is missing' mrc
wrong "'a' is named twice" mrc a b a
for sizes in '' x 1 1MB '64MiB,' '64MiB,x' -1p 1.5p 99999999999999999999p; do
	wrong "--sizes '$sizes'" mrc --sizes "$sizes" x
done
wrong "unknown format 'hvt'; there are: .*u64.*vscsi" mrc --format hvt x
for rate in 0 0% 0/5 1/0 2 101% 3/2 -0.1 x 1/x 1%% % / '' 0.1/ 1e-2 nan; do
	wrong "--shards '$rate'" mrc --shards "$rate" x
	wrong "--wss: '$rate'" mrc --wss "$rate" x
done
wrong "--wss: ''" mrc --wss 0.1, x
for points in 0 -1 x 1.5 '' 10loglin log lin 10LOG 1000001 99999999999999999999999999; do
	wrong "--points '$points'" mrc --points "$points" x
done
for pages in 0 63 -1 x ''; do
	wrong "--shards-max '$pages'" mrc --shards-max "$pages" x
done
for detail in 0 -1 x '' inf; do
	wrong "--detail '$detail'" mrc --shards 0.1 --detail "$detail" x
done
for seed in -1 x '' 99999999999999999999; do
	wrong "--seed '$seed'" mrc --shards 0.1 --seed "$seed" x
done
wrong "--order 'lru'" mrc --order lru x
for policy in lfu '' FIFO; do
	wrong "unknown policy '$policy'; there are: .*arc" mrc --policy "$policy" x
done
wrong "unknown policy ''" mrc --policy fifo, x

# --- each option right by itself, but not together
wrong 'exclude each other' mrc --exact --shards 0.1 x
wrong 'exclude each other' mrc --exact --shards-max 8192 x
wrong 'exclude each other' mrc --shards 0.1 --shards-max 8192 x
wrong 'exclude each other' mrc --sizes 1GiB --points 10 x
wrong '--detail is for sampling; add --shards' mrc --detail 1 x
wrong '--detail is for sampling' mrc --shards 1 --detail 1 x
wrong '--seed chooses a sample; add --shards' mrc --exact --seed 1 x
wrong '--policy needs a rate that stays; use --shards ' mrc --policy all --shards-max 8192 x
wrong '--policy simulates accesses; do without --order' mrc --policy arc --order eviction x
wrong '--policy cannot know the curve.s end' mrc --policy arc --points 10lin x
wrong '--policy needs a size above 0' mrc --policy arc --sizes 0 x
wrong '--dump prints events and nothing else' mrc --dump --json x
wrong '--dump prints events and nothing else' mrc --dump --csv y x
wrong '--dump prints events and nothing else' mrc --dump --policy arc x

# --- plot
wrong 'CURVE.csv is missing' plot
wrong "-o 'x.pdf' is neither" plot -o x.pdf y
wrong "-o '.svg' is neither" plot -o .svg y
wrong "'--vm' needs a value" plot y --vm
wrong "'--sizes'" plot --sizes 1 x
wrong "'--yaml'" doctor --yaml
wrong "unexpected argument 'x'" doctor x

# Values are looked at before anything is done: no file is made by a line that is wrong.
wrong "-d '0'" record -o "$tmp/made" -d 0
[ ! -e "$tmp/made" ] || fail "a wrong command line made a file"
