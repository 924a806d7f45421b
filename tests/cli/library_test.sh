#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The analysis library as others use it: installed, header and archive alone, from C and C++.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
build=${BUILD:-$PWD/build}

"${MAKE:-make}" -s O="$build" DESTDIR="$tmp/root" PREFIX=/usr install >/dev/null || fail "make install"
include=$tmp/root/usr/include lib=$tmp/root/usr/lib
grep -q '^Libs: .*-lhvanalysis' "$lib/pkgconfig/hvanalysis.pc" || fail "pkg-config file"

cat >"$tmp/use.c" <<'END'
#include <hvanalysis.h>
#include <stdio.h>

/* A loop over 10 pages, 100 times: the curve falls from 1 to the cold misses at 10 pages. */
int main(void)
{
	struct mrc_opts opts = {sizeof(opts), 1, 0, 0, 0};
	struct mrc *m = mrc__new(&opts);
	__u64 sizes[] = {0, 9, 10, 1000};
	struct curve_point curve[4];
	struct mrc_counts counts;
	size_t knee;

	for (__u64 i = 0; i < 1000; i++) {
		__u64 page = i % 10 << 60;

		if (mrc__access(m, &page, 1))
			return 1;
	}
	mrc__curve(m, sizes, 4, curve);
	mrc__counts(m, &counts);
	for (int i = 0; i < 4; i++)
		printf("%llu %.3f %.3f\n", curve[i].size, curve_point__ratio(&curve[i]), curve[i].error);
	printf("%llu references, %.0f pages\n", counts.accesses, counts.cold);
	if (!curve__knee(curve, 4, &knee))
		printf("knee at %llu\n", curve[knee].size);
	mrc__free(m);
	return 0;
}
END
cp "$tmp/use.c" "$tmp/use.cpp"
cat >"$tmp/want" <<'END'
0 1.000 0.000
9 1.000 0.000
10 0.010 0.000
1000 0.010 0.000
1000 references, 10 pages
knee at 10
END
run "${CC:-cc}" -Wall -Wextra -Werror -std=gnu11 -I"$include" "$tmp/use.c" -L"$lib" -lhvanalysis -lm -o "$tmp/c"
[ "$rc" -eq 0 ] || fail "does not build from C"
run "$tmp/c"
diff "$tmp/want" "$tmp/out" || fail "from C: another result"
if command -v g++ >/dev/null; then
	run g++ -Wall -Wextra -Werror -I"$include" "$tmp/use.cpp" -L"$lib" -lhvanalysis -lm -o "$tmp/cpp"
	[ "$rc" -eq 0 ] || fail "does not build from C++"
	run "$tmp/cpp"
	diff "$tmp/want" "$tmp/out" || fail "from C++: another result"
fi

# All that the header names is there, and nothing else can clash with the names of others.
grep -oE '\b[a-z0-9_]+__[a-z0-9_]+\(' "$include/hvanalysis.h" | tr -d '(' | sort -u >"$tmp/named"
nm "$lib/libhvanalysis.a" | awk '$2 ~ /^[A-TV-Z]$/ { print $3 }' | sort -u >"$tmp/visible"
diff "$tmp/named" "$tmp/visible" || fail "the header and the archive differ (<: not in the archive)"
