#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What asks for memory ahead of time does: a compiler may drop that, and nobody would notice but by
# the time that everything takes.
. "$(dirname "$0")/lib.sh"

command -v objdump >/dev/null || skip "needs objdump (make deps)"
case $(uname -m) in
x86_64) instruction='prefetch[a-z0-9]+' ;;
aarch64) instruction=prfm ;;
*) skip "what prefetches on $(uname -m) is not known here" ;;
esac

# prefetches FUNCTION COUNT: so many instructions, at least.
prefetches()
{
	local n

	n=$(objdump -d --no-show-raw-insn --disassemble="$1" "$hvtrace" |
		grep -cE "	$instruction( |	)")
	[ "$n" -ge "$2" ] || fail "$1 has $n prefetching instructions, not $2"
}

prefetches exclusive_stack__prefetch 2      # the page's cells
prefetches reuse_histogram__prefetch 1      # the count
prefetches exclusive_cache__prefetch 2      # the page's cells
prefetches exclusive_cache__prefetch_more 3 # a digest, a slot's record, its page
prefetches ghosts__prefetch 1
echo ok
