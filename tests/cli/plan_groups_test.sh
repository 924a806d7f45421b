#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# hvtrace plan with resource groups, of a file and of a cgroup v2 tree. Needs no root.
. "$(dirname "$0")/lib.sh"
cd "$tmp" || exit 1

head='vm,space,order,size_pages,size_bytes,misses,accesses,miss_ratio,error'
mib=1048576

# curve NAME RATIO...: rows of a curve of all memory, with a point each MiB.
curve()
{
	local name=$1 i=0 ratio

	shift
	for ratio; do
		awk -v vm="$name" -v i=$i -v r="$ratio" 'BEGIN {
			printf "%s,disk,access,%d,%d,%.0f,1000000,%.6f,0\n", vm, i * 256, i * 1048576, 1e6 * r, r }'
		i=$((i + 1))
	done
}

# figure KEY TYPE NAME: a figure of a VM ("plan_vm") or a group ("plan_group") in the plan's JSON.
figure()
{
	grep "\"type\":\"$2\"" "$tmp/out" | grep -E "\"(vm|group)\":\"$3\"" | grep -oE "\"$1\":[^,}]*" |
		head -n 1 | cut -d: -f2
}

figure_is()
{
	[ "$(figure "$1" "$3" "$4")" = "$2" ] ||
		fail "$1 of $4 is '$(figure "$1" "$3" "$4")', not '$2'"
}

plan()
{
	run "$hvtrace" plan "$@"
}

{
	echo "$head"
	curve web 1 0.9 0.8 0.7 0.6 0.5 0.4 0.3 0.2
	curve db 1 0.9 0.8 0.7 0.6 0.5 0.4 0.3 0.2
	curve batch 1 0.9 0.8 0.7 0.6 0.5 0.4 0.3 0.2
} >curve.csv
known=(--default "over=1000s,latency=1ms,memory=4MiB")

# --- reservations and limits bound what a plan gives: batch would have as much as anybody else
cat >plan.yaml <<'END'
memory: 12MiB
vms:
- {name: batch, weight: 10}
groups:
- name: acme
  reservation: 8MiB
  vms: [web, {name: db, reservation: 3MiB}]
- name: rest
  limit: 3MiB
  groups:
  - name: jobs
    vms: [batch]
END
plan "${known[@]}" --config plan.yaml --json curve.csv
status_is 0
figure_is plan_bytes $((3 * mib)) plan_vm batch
figure_is plan_bytes $((3 * mib)) plan_group rest
figure_is plan_bytes $((3 * mib)) plan_group rest/jobs
figure_is plan_bytes $((9 * mib)) plan_group acme
figure_is reserved_in_it_bytes $((3 * mib)) plan_group acme
figure_is takes_bytes $((8 * mib)) plan_group acme
figure_is limit_bytes null plan_group acme
out_has '"type":"plan_vm","vm":"db",.*"least_why":"group",.*"group":"acme"\}$'
# What is reserved for a group is not for others, however much they need it.
sed -i 's/limit: 3MiB/limit: 12MiB/' plan.yaml
plan "${known[@]}" --config plan.yaml --json curve.csv
figure_is plan_bytes $((4 * mib)) plan_vm batch
plan "${known[@]}" --config plan.yaml curve.csv
out_has '^GROUP +RESERV +TAKES +LIMIT +SHARES +ENTITL +PLAN$'
out_has '^acme/ +8M +8M +- +80 +8M +8M$'
out_has '^  db +3M +3M +- +40 +4M +'
out_has '^  jobs/ '

# --- entitlements: 1 : 2 of 12 MiB; what is idle is taxed, unless one says otherwise
cat >shares.yaml <<'END'
memory: 12MiB
groups:
- {name: one, shares: 1000, vms: [web]}
- {name: two, shares: 2000, vms: [{name: db, active: 1MiB}]}
END
plan "${known[@]}" --config shares.yaml --tax 0 --without batch --json curve.csv
status_is 0
figure_is entitled_bytes $((4 * mib)) plan_vm web
figure_is entitled_bytes $((8 * mib)) plan_group two
# x = 12 - y, 2 x = 1 + 4 (y - 1): y = 4.5 MiB.
plan "${known[@]}" --config shares.yaml --without batch --json curve.csv
figure_is entitled_bytes $((9 * mib / 2)) plan_vm db
plan "${known[@]}" --config shares.yaml --tax 100 curve.csv
status_is 2
err_has "tax '100' is not a percentage from 0 to 99"

# --- admission: who refuses, and by how much
cat >fixed.yaml <<'END'
groups:
- name: acme
  reservation: 4MiB
  expandable: no
  vms: [web, {name: db, reservation: 3MiB}]
END
plan "${known[@]}" --config fixed.yaml curve.csv
status_is 0
plan "${known[@]}" --config fixed.yaml --vm web,min=2MiB curve.csv
status_is 1
err_lines 1
err_has "there is no plan: group 'acme' has a reservation of 4MiB and is not expandable, 5MiB are reserved in it: 1MiB too much"
plan "${known[@]}" --config fixed.yaml --vm web,min=2MiB --json curve.csv
out_has '^\{"type":"refusal","text":"group '
sed -i 's/expandable: no/limit: 4MiB/' fixed.yaml
plan "${known[@]}" --config fixed.yaml --vm web,min=2MiB curve.csv
status_is 1
err_has "the VMs of 'acme' need 5MiB, its limit is 4MiB: 1048576 bytes less: db 3MiB \(reserved in its group\), web 2MiB \(its min\)"
plan "${known[@]}" --config fixed.yaml --vm db,max=2MiB curve.csv
status_is 1
err_has "VM 'db' needs 3MiB at least, and may have 2MiB at most: 1MiB less"

# Would this VM fit?
cat >fits.yaml <<'END'
memory: 20MiB
groups:
- {name: acme, reservation: 6MiB, expandable: no, vms: [web, db, new]}
END
mkdir new
{
	echo "$head"
	curve new 1 0.9 0.8 0.7 0.6 0.5 0.4 0.3 0.2
} >new/curve.csv
wishes=(--vm "web,min=2MiB" --vm "db,min=2MiB")
plan "${known[@]}" "${wishes[@]}" --config fits.yaml --add-vm new/curve.csv,min=2MiB curve.csv
status_is 0
plan "${known[@]}" "${wishes[@]}" --config fits.yaml --add-vm new/curve.csv,min=3MiB curve.csv
status_is 1
err_has "7MiB are reserved in it: 1MiB too much"

# Bytes are told to the last.
plan "${known[@]}" --vm web,max=100GiB --json curve.csv
figure_is max_bytes 107374182400 plan_vm web

# --- what cannot be meant
plan "${known[@]}" --config fits.yaml curve.csv
status_is 1
err_has "VM 'new' is in group 'acme', and there is no curve of it on 'host'"
printf 'groups:\n- name: a\n  limits: 3\n' >wrong.yaml
plan "${known[@]}" --config wrong.yaml curve.csv
status_is 1
err_has "wrong.yaml:3: a group has no 'limits'"
plan "${known[@]}" --config fixed.yaml a=curve.csv b=new
status_is 1
err_has 'there are 2 hosts, and the groups are not said to be of one of them'

# Groups of one host of several.
cat >hosts.yaml <<'END'
hosts:
- name: a
  memory: 12MiB
  inputs: [curve.csv]
  groups:
  - {name: acme, limit: 2MiB, vms: [web, db]}
- name: b
  memory: 12MiB
  inputs: [new]
END
plan "${known[@]}" --config hosts.yaml --json
status_is 0
figure_is plan_bytes $((2 * mib)) plan_group acme
figure_is plan_bytes $((8 * mib)) plan_vm batch
figure_is entitled_bytes null plan_vm new

# --- a cgroup v2 tree
# cgroup FOLDER LOW MAX
cgroup()
{
	mkdir -p "tree/$1"
	echo 0 >"tree/$1/memory.min"
	echo "$2" >"tree/$1/memory.low"
	echo max >"tree/$1/memory.high"
	echo "$3" >"tree/$1/memory.max"
	: >"tree/$1/cgroup.procs"
}
cgroup machine.slice $((6 * mib)) $((7 * mib))
cgroup 'machine.slice/machine-qemu\x2d1\x2dweb.scope' $((4 * mib)) max
cgroup 'machine.slice/machine-qemu\x2d2\x2ddb.scope' $((4 * mib)) max
cgroup system.slice 0 max
plan "${known[@]}" --memory 12MiB --cgroup tree --json curve.csv
status_is 0
err_has "2 reservations in 'tree' count less than they say"
figure_is least_bytes $((3 * mib)) plan_vm web
figure_is plan_bytes $((7 * mib)) plan_group machine.slice
out_lacks 'system'
plan "${known[@]}" --cgroup tree/system.slice curve.csv
status_is 1
err_has "no cgroup in 'tree/system.slice' is that of a VM with a curve"
plan "${known[@]}" --cgroup none curve.csv
status_is 1
err_has "cgroup 'none': No such file"
mkdir -p empty/web
plan "${known[@]}" --cgroup empty curve.csv
status_is 1
err_has 'no memory controller'
# The host's own, wherever it is mounted: of these VMs it knows nothing.
mount=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)
if [ -n "$mount" ]; then
	plan "${known[@]}" --cgroup "$mount" curve.csv
	status_is 1
	err_has "no memory controller in '$mount'|no cgroup in '$mount'"
fi
exit 0
