#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# All benchmarks: the engines, plans, then, which needs root, what tracing costs, and serving.
set -u
cd "$(dirname "$0")/.." || exit 1

bench/mrc.sh || exit
echo
bench/plan.sh || exit
echo
"${BUILD:-$PWD/build}/bench/engine" || exit
echo
bench/tracing.sh || exit
echo
exec bench/serve.sh
