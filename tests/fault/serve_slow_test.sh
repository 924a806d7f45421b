#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Requests by the hundred to slow storage, hits among them: more than the server has parts for. All
# are answered, and the server ends when it is told to.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

load=${BUILD:-$PWD/build}/bench/vhost_load

# held_at_least N: so many requests wait in storage.
held_at_least()
{
	: >"$tmp/slow.faulty.out"
	say slow.faulty held
	wait_until 5 grep -q . "$tmp/slow.faulty.out" && [ "$(head -n 1 "$tmp/slow.faulty.out")" -ge "$1" ]
}

need_root
[ -e "$load" ] || skip "vhost_load was not built: make tests"
faulty slow 64M
start server "$hvtrace" serve -q --cache 32MiB --control "$tmp/control" \
	--disk "slow,path=$tmp/slow,socket=$tmp/disk.sock,queues=1"
wait_until 10 [ -S "$tmp/disk.sock" ] || fail "it does not serve: $(cat "$tmp/server.out")"
timeout 60 "$load" -q 8 -d 32 -f 8MiB -n 100 -p "$tmp/disk.sock" >/dev/null ||
	fail "nothing is read: $(cat "$tmp/server.out")"
tell slow 'stall read'
timeout 60 "$load" -q 8 -d 128 -f 8MiB -n 128 "$tmp/disk.sock" >"$tmp/load" 2>&1 &
loader=$!
wait_until 20 held_at_least 100 || fail "storage was hardly asked: $(cat "$tmp/load")"
tell slow ok
wait $loader || fail "not all of 1024 requests were answered: $(cat "$tmp/load")"
grep -q 'errors=0 ' "$tmp/load" || fail "errors: $(cat "$tmp/load")"
run "$hvtrace" ctl -s "$tmp/control" stats
hits=$(jq '.vms[0].hits' "$tmp/out") misses=$(jq '.vms[0].misses' "$tmp/out")
if [ "$hits" -lt 100 ] || [ "$misses" -lt 100 ]; then
	fail "$hits hits, $misses misses: one of them was not tested"
fi
kill -TERM "${pid[server]}"
wait_until 20 [ ! -d "/proc/${pid[server]}" ] || fail "the server does not end"
