#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What serving disks through the exclusive cache costs and brings: the engine alone, then, which needs root, beside QEMU's storage
# daemon, with a guest, and with the same memory used in other ways. The last one's table goes to docs/serving.md, too.
set -u
cd "$(dirname "$0")/.." || exit 1

"${BUILD:-$PWD/build}/bench/store" || exit
for part in "serve_speed.sh" "serve_foreign.sh" "serve_rescan.sh" "serve_reads.sh docs/serving.md"; do
	echo
	# shellcheck disable=SC2086 # words
	bench/$part || exit
done
