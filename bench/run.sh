#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The benchmarks: the engines and plans, then, which needs root, what tracing costs, and serving.
#
#   bench/run.sh [FILE]     FILE (docs/cost.md) gets what they say, too, between its markers
#
# PART="mrc store" runs these two; PARTS below are all. serve_reads has a page of its own, docs/serving.md.
set -u
cd "$(dirname "$0")/.." || exit 1

build=${BUILD:-$PWD/build}
PARTS="mrc plan engine tracing store serve_speed serve_foreign serve_rescan serve_reads"

# shellcheck source=bench/lib.sh
. bench/lib.sh

said=$(mktemp)
trap 'rm -f "$said"' EXIT
set -o pipefail

run()
{
	case $1 in
	engine | store) "$build/bench/$1" ;;
	serve_reads) bench/serve_reads.sh docs/serving.md ;;
	mrc | plan | tracing | serve_speed | serve_foreign | serve_rescan) "bench/$1.sh" ;;
	*) die "no part '$1'; there are: $PARTS" ;;
	esac
}

for part in ${PART:-$PARTS}; do
	run "$part" | tee "$said" || exit
	echo
	if [ $# -gt 0 ] && [ "$part" != serve_reads ]; then
		{ echo '```' && cat "$said" && echo '```'; } | between_markers "$part" "$1" || exit
	fi
done
