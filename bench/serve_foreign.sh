#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What `hvtrace serve` costs the I/O of others on its host: the BPF programs that watch for writes to its images run for each bio,
# folio dirtied and step of iomap, whoever's it is. The kernel's own statistics of them (kernel.bpf_stats_enabled) under direct reads
# and writes of a loop device and buffered writes of a file, none of them served. Needs root.
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/../tests/guest/lib.sh"
# shellcheck source=bench/servers.sh
. "$(dirname "$0")/servers.sh"
# shellcheck source=tools/devices.sh
. "$(dirname "$0")/../tools/devices.sh"

FILES=${FILES:-/var/tmp}
MIB=256

# programs: name, runs and ns of each program of the server that ran.
programs()
{
	local id

	sed -n 's/^prog_id:[[:space:]]*//p' "/proc/$SERVER_PID/fdinfo/"* | sort -un | while read -r id; do
		bpftool -j prog show id "$id" | jq -r 'select(.run_cnt) | "\(.name) \(.run_cnt) \(.run_time_ns)"'
	done
}

load()
{
	"$BUILD/bench/direct_read" "$device" 2 1 >/dev/null
	dd if=/dev/zero of="$device" bs=4k count=$((MIB * 256)) oflag=direct status=none
	dd if=/dev/zero of="$file" bs=4k count=$((MIB * 256)) conv=fsync status=none
	dd if=/dev/zero of="$file" bs=4k count=$((MIB * 64)) oflag=direct conv=notrunc status=none
}

need bpftool jq losetup
need_built hvtrace bench/direct_read
truncate -s 64M "$WORK/image"
defer devices__remove
devices__add_loop $MIB || die "no loop device"
file=$(mktemp "$FILES/hvtrace-bench.XXXXXX") || die "no file in $FILES; FILES names another folder"
defer "rm -f '$file'"
before=$(cat /proc/sys/kernel/bpf_stats_enabled)
defer "echo $before >/proc/sys/kernel/bpf_stats_enabled"
echo 1 >/proc/sys/kernel/bpf_stats_enabled
server_start served "$WORK/image" 8MiB
load
echo "$(uname -sr), I/O that is not the server's, on $(stat -f -c %T "$FILES") and a loop device"
programs >"$WORK/programs"
[ -s "$WORK/programs" ] || die "none of the server's programs ran"
while read -r name runs ns; do
	figure "$name, $runs runs" "$(awk -v n="$runs" -v ns="$ns" 'BEGIN { print ns / n }')" "ns a run" "" ""
done <"$WORK/programs"
