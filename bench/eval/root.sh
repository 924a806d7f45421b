#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# root.sh FOLDER: a small Debian 12 with what the workloads need, from Debian's packages. This file
# is the recipe: images are named by its hash.
set -e

packages=postgresql,nginx-light,httperf,sqlite3,gcc,libc6-dev,make

rm -rf "$1.part"
mmdebstrap --quiet --variant=minbase --include="$packages" \
	--aptopt='APT::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$1.part"
# The cluster that the package made; workloads make their own.
rm -rf "$1.part"/var/lib/postgresql/*/main
mkdir -p "$1.part"/{data,eval}
mv "$1.part" "$1"
