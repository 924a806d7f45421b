#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The analysis library on arm64: its unit tests, built for it and run under an emulator.
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/../.." || exit 1

cc=aarch64-linux-gnu-gcc
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) ||
	skip "needs qemu-aarch64-static (make deps)"
command -v $cc >/dev/null || skip "needs $cc (make deps)"

flags=(-std=gnu11 -O2 -Wall -Wextra -Werror -Wno-unused-parameter -Itests/cross)

# compile SOURCE...: to objects below $tmp.
compile()
{
	local src

	for src in "$@"; do
		mkdir -p "$tmp/$(dirname "$src")"
		printf '%s\0' "$src"
	done | xargs -0 -P 2 -I{} $cc "${flags[@]}" -c {} -o "$tmp/{}.o" ||
		fail "does not compile for arm64"
}

# run_test NAME: the program of tests/unit, with a seed that is always the same.
run_test()
{
	local src=tests/unit/$1_test.c

	compile "$src"
	$cc -static "$tmp/$src.o" "$tmp/lib.a" -lm -o "$tmp/$1" || fail "$1 does not link for arm64"
	run env SEED="${SEED:-1}" "$qemu" "$tmp/$1"
	# What an emulator takes no notice of is tested where there is none.
	if [ "$rc" -eq 77 ]; then
		out_has 'skipped: RLIMIT_AS has no effect here'
		[ "$(grep -c '^skip ' "$tmp/out")" -eq 1 ] || fail "$1: more than one is skipped"
	else
		status_is 0
	fi
	out_has '^ok '
	echo "$1: $(grep -c '^ok ' "$tmp/out") tests"
}

compile cache/*.c analysis/*.c analysis/policy/*.c \
	tests/unit/{random,lru_model,policy_model,trace_shapes}.c
find "$tmp" -name '*.o' -exec aarch64-linux-gnu-ar rcP "$tmp/lib.a" {} +

# What can be done in a minute: an emulator is ten times as slow.
for name in region slot_set page_table lru_stack exclusive_stack reuse_histogram distinct \
	estimate filter mrc_exact policy_sample reading; do
	run_test $name
done
