#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# hvtrace balance without guests: parts of a served cache that nobody reads move because of their bounds.
# What was is put back, whichever way it ends, and what others left behind. Needs no root.
. "$(dirname "$0")/lib.sh"
cd "$tmp" || exit 1
journal=$tmp/journal

start()
{
	spawn "$hvtrace" balance --apply --journal "$journal" -i 300ms --step 1MiB "$@" \
		"a,serve=c.sock,min=1MiB,max=3MiB" "b,serve=c.sock"
	wait_until 20 a_has 3 || fail "nothing moves"
}

# MiB, set as minimum and maximum.
a_has()
{
	"$hvtrace" ctl -s c.sock --raw vms 2>/dev/null | grep -q "\"vm\":\"a\".*\"min_bytes\":$(($1 << 20)),\"max_bytes\":$(($1 << 20)),.*\"vm\":\"b\""
}

no_journal()
{
	[ ! -e "$journal" ]
}

truncate -s 8M a.img b.img
"$hvtrace" serve --cache 8MiB --control c.sock -q --disk a,path=a.img,socket=a.sock,min=4MiB,max=4MiB \
	--disk b,path=b.img,socket=b.sock,min=4MiB,max=4MiB </dev/null >serve.out 2>&1 &
server=$!
defer "kill $server 2>/dev/null"
wait_until 20 a_has 4 || fail "the server did not come up: $(cat serve.out)"

# --- told to end
start --log log
kill -TERM "$child"
finish
status_is 0
err_has 'a: take, 4MiB to 3MiB: '
err_has 'a: cache put back as it was'
a_has 4 || fail "it is not as it was"
no_journal || fail "the journal is still there"
grep -q '"type":"end","how":"put back as it was"' log || fail "how it ended: $(tail -n 1 log)"

# --- killed: its watchman puts back; with its watchman: somebody else does
start
kill -KILL "$child"
wait_until 20 a_has 4 || fail "the watchman did not put it back"
wait_until 20 no_journal || fail "the journal is still there"

leave_behind()
{
	start "$@"
	# shellcheck disable=SC2046 # none, or one
	kill -KILL $(pgrep -P "$child") "$child"
	sleep 0.5
	a_has 3 || fail "somebody put it back"
	[ -e "$journal" ] || fail "there is no journal"
}

leave_behind
run "$hvtrace" balance --restore --journal "$journal"
status_is 0
a_has 4 || fail "--restore did not put it back"
no_journal || fail "the journal is still there"
run "$hvtrace" balance --restore --journal "$journal"
status_is 0
err_has 'there is no journal'

leave_behind
run "$hvtrace" balance --apply --journal "$journal" web,qmp=none
status_is 1
err_has 'another balance left its journal behind'
a_has 4 || fail "the next balance did not put it back"
no_journal || fail "the journal is still there"

# --- keep: nobody puts it back who was not asked to
start --on-exit keep
run "$hvtrace" balance --apply --journal "$journal" web,qmp=none
status_is 1
err_has "another balance, or its watchman, has the journal"
kill -TERM "$child"
finish
status_is 0
a_has 3 || fail "it was put back"
no_journal || fail "the journal is still there"
"$hvtrace" ctl -s c.sock set a,min=4MiB,max=4MiB >out
leave_behind --on-exit keep
cp "$journal" left
run "$hvtrace" balance --apply --journal "$journal" web,qmp=none
status_is 1
a_has 3 || fail "the next balance put it back"
mv left "$journal"
run "$hvtrace" balance --restore --journal "$journal"
status_is 0
a_has 4 || fail "--restore did not put it back"

# --- a journal that is none
echo '{' >"$journal"
run "$hvtrace" balance --apply --journal "$journal" web,qmp=none
status_is 1
[ "$(grep -c 'is no journal of balance, or damaged: remove it' "$tmp/err")" -eq 1 ] || fail "not said once"
[ -e "$journal" ] || fail "it was removed"
