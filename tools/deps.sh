#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Installs what building and testing hvtrace needs and this machine lacks.
set -u

build=(gcc make clang llvm libbpf-dev bpftool libelf-dev zlib1g-dev libzstd-dev pkgconf
	liburing-dev libxxhash-dev libjansson-dev libyaml-dev libmicrohttpd-dev)
tests=(libcmocka-dev libclang-rt-dev qemu-system-x86 busybox-static cpio kmod procps util-linux e2fsprogs mmdebstrap
	libfuse3-dev fuse3 qemu-utils fio libcap2-bin gnuplot-nox jq zstd man-db bash-completion
	gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static)
lint=(clang-format cppcheck shellcheck)

die()
{
	echo "deps: $*" >&2
	exit 1
}

# The packages of "$@" that are not installed.
missing()
{
	local name

	for name in "$@"; do
		dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed ||
			echo "$name"
	done
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	die "not a Debian system; please install by hand what Debian calls:" \
		"${build[*]} ${tests[*]} ${lint[*]}"
fi

mapfile -t need < <(missing "${build[@]}" "${tests[@]}" "${lint[@]}")
[ ${#need[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || die "run as root, or install sudo: missing ${need[*]}"
	as_root=(sudo)
fi

apt()
{
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@"
}

echo "deps: installing ${need[*]}"
apt update || die "apt-get update failed; is the network there?"
apt install -y --no-install-recommends "${need[@]}" || die "could not install ${need[*]}"
