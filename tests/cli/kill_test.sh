#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# After SIGKILL nothing of hvtrace stays in the kernel: no program, map or link, nothing pinned.
. "$(dirname "$0")/lib.sh"
need_root
bpftool=$(command -v bpftool || echo /usr/sbin/bpftool)
[ -x "$bpftool" ] || skip "no bpftool"

# What a process holds, from the kernel: "prog 12", "map 5", "link 3".
held_by()
{
	sed -nE 's/^(prog|map|link)_id:\s*([0-9]+)$/\1 \2/p' "/proc/$1/fdinfo/"* 2>/dev/null |
		sort -u
}

is_there()
{
	"$bpftool" "$1" show id "$2" >/dev/null 2>&1
}

none_is_there()
{
	local kind id

	while read -r kind id; do
		! is_there "$kind" "$id" || return 1
	done <"$tmp/held"
}

pinned()
{
	find /sys/fs/bpf -mindepth 1 2>/dev/null | sort
}

for command in "live -i 0.2" "record -o $tmp/r.hvt"; do
	rm -f "$tmp/r.hvt" "$tmp/out"
	before=$(pinned)
	# shellcheck disable=SC2086 # words of a command
	"$hvtrace" $command >"$tmp/out" 2>"$tmp/err" &
	child=$!
	disown $child
	defer "kill -KILL $child 2>/dev/null"
	wait_until 20 test -s "$tmp/out" -o -s "$tmp/r.hvt" || fail "'$command' does not begin"
	held_by $child >"$tmp/held"
	for kind in prog map link; do
		grep -q "^$kind " "$tmp/held" || fail "'$command' holds no $kind: this test sees nothing"
	done
	while read -r kind id; do
		is_there "$kind" "$id" || fail "bpftool does not show $kind $id: this test sees nothing"
	done <"$tmp/held"
	[ "$(pinned)" = "$before" ] || fail "'$command' pins something"
	kill -KILL $child
	wait_until 20 none_is_there || fail "'$command' left behind: $(cat "$tmp/held")"
	[ "$(pinned)" = "$before" ] || fail "'$command' left something pinned"
done
