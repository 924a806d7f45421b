# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the scripts of this folder share: names, sizes, places. Source it.
# shellcheck disable=SC2034 # for who sources this
# shellcheck source=tests/guest/serve_lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tests/guest/serve_lib.sh"

EVAL=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=$BUILD/eval/cache
RESULTS=${RESULTS:-$BUILD/eval/results}
# Guests run slowly here: what one command of theirs may take.
GUEST_DEADLINE=900

# By how much the guest is made larger in other runs, in percent: the curves are told for that.
MORE=${MORE:-0 25 50 100 200}
TOOLS="tests/guest/workload tests/guest/pages"

# KVM where it runs whole guests; without the processor's help it does not.
if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then
	GUEST_ACCEL="kvm -cpu host"
fi

# setting WORKLOAD NAME [DEFAULT]: what the comment at a workload's head says.
setting()
{
	local value

	[ -x "$EVAL/workloads/$1" ] || die "there is no workload $1; there are: $(workloads)" >&2
	value=$(sed -n "s/^# $2: //p" "$EVAL/workloads/$1")
	echo "${value:-${3:-}}"
}

workloads()
{
	find "$EVAL/workloads" -type f -perm -u+x ! -name '*.*' -printf '%f\n' | sort | xargs
}

# The memory of a workload's guest, in MiB.
memory_of()
{
	setting "$1" memory 128
}
