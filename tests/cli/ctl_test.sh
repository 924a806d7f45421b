#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# hvtrace ctl and the control socket of a running server. Needs no root.
. "$(dirname "$0")/lib.sh"
cd "$tmp" || exit 1
truncate -s 8M a.img
truncate -s 8M b.img
truncate -s 8M c.img

# --- usage
wrong()
{
	local culprit=$1

	shift
	run env -u HVTRACE_SOCKET "$hvtrace" ctl "$@"
	status_is 2
	err_lines 1
	err_has "^hvtrace ctl: .*$culprit"
	out_empty
}

wrong 'COMMAND is missing'
wrong 'COMMAND is missing' -s x
wrong "unknown command 'status'" -s x status
wrong '--socket SOCK is missing' stats
wrong '--socket SOCK is missing' -s '' stats
wrong 'resize needs SIZE' -s x resize
wrong 'remove needs NAME' -s x remove
wrong "unexpected argument 'web'" -s x stats web
wrong "unexpected argument 'b'" -s x curve a b
wrong '--csv and --sizes are for curve' -s x stats --csv
wrong "'--bogus'" -s x --bogus
wrong "add: 'x' is not NAME=VALUE" -s x add web,x
wrong "add: 'path' is given twice" -s x add web,path=a,path=b
for words in drain 'curve --sizes'; do
	# shellcheck disable=SC2086 # words
	run "$hvtrace" ctl -s x $words $'\xff'
	status_is 2
	err_has 'is not UTF-8'
done

# --- nobody there: why, and what to do
unreachable()
{
	local culprit=$1

	shift
	run "$@"
	status_is 1
	err_lines 1
	err_has "^hvtrace ctl: cannot connect to .*$culprit"
	out_empty
}

unreachable 'No such file.*is there a .hvtrace serve --control' "$hvtrace" ctl -s none stats
: >plain
unreachable "Connection refused: that is no socket; give the one of 'hvtrace serve" "$hvtrace" ctl \
	-s plain stats
unreachable 'too long' "$hvtrace" ctl -s "$(printf %0200d 0)" stats

# --- a server
mkdir server
timeout --foreground -k 5 100 "$hvtrace" serve --cache 4MiB --disk web,path=a.img,socket=w.sock --control c.sock \
	>server/out 2>server/err </dev/null &
server=$!
defer "kill $server 2>/dev/null"
wait_until 20 grep -qs connected server/out || fail "the server did not come up: $(cat server/err)"
export HVTRACE_SOCKET=c.sock

ask()
{
	run "$hvtrace" ctl --raw "$@"
	status_is 0
	err_lines 0
	[ "$(wc -l <out)" = 1 ] || fail "not one line"
}

asks_wrong()
{
	local culprit=$1

	shift
	run "$hvtrace" ctl "$@"
	status_is 1
	err_lines 1
	err_has "^hvtrace ctl: $1: .*$culprit"
	out_empty
}

ask version
out_has '^\{"version":"[0-9.]+"\}$'
ask vms
out_has '"vm":"web","path":"a.img","socket":"w.sock","connected":false'
ask stats
out_has '"capacity_bytes":4194304'
for key in hits misses captured not_captured invalidated saved_bytes audit_failed hit_latency_ns \
	miss_latency_ns cached_pages resident_pages ghost_pages target_bytes; do
	out_has "\"$key\":"
done
for reason in changed unknown no_room writing gone; do
	out_has "\"not_captured\":\{.*\"$reason\":0"
done
run "$hvtrace" ctl stats
status_is 0
[ "$(wc -l <out)" -gt 20 ] || fail "not readable for people"

ask curve
out_has '"curves":\[\{"vm":"web","space":"disk","order":"eviction","columns":\["size_pages",'
ask curve web --sizes 1MiB,2MiB
run "$hvtrace" ctl curve --csv
status_is 0
[ "$(head -n 1 out)" = vm,space,order,size_pages,size_bytes,misses,accesses,miss_ratio,error ] ||
	fail "columns: $(head -n 1 out)"
asks_wrong "no disk 'db'" curve db
asks_wrong '"sizes" is not a list' curve --sizes x
ask pages web
out_has '^\{"vm":"web","pages":0,"ranges":\[\]\}$'
asks_wrong "no disk 'db'" pages db

ask resize 16MiB
ask stats
out_has '"capacity_bytes":16777216'
asks_wrong "'16MB' is not a size" resize 16MB
asks_wrong 'a cache of 1PiB is more than the memory of this host' resize 1PiB
asks_wrong "'1p' is not a size" resize 1p
ask drain
ask drain web
asks_wrong "no disk 'db'" drain db

# --- disks come, change and go; paths are those of who asks
cd server || exit 1
run env HVTRACE_SOCKET=../c.sock "$hvtrace" ctl add db,path=../b.img,socket=../d.sock,ro,share=50
cd ..
status_is 0
[ -S d.sock ] || fail "the new disk has no socket"
ask vms
out_has '"vm":"db",.*"read_only":true.*"share":50'
asks_wrong "db" add db,path=c.img,socket=e.sock
asks_wrong "a.img: web serves it already" add x,path=a.img,socket=e.sock
asks_wrong "no such image" add x,path=none.img,socket=e.sock
asks_wrong "w.sock" add x,path=c.img,socket=w.sock
asks_wrong "x: a disk needs a socket" add x,path=c.img
asks_wrong "has no 'colour'" add x,path=c.img,socket=e.sock,colour=red
[ ! -e e.sock ] || fail "a socket is left of a disk that was not added"
ask set db,min=2MiB,max=8MiB
ask vms
out_has '"min_bytes":2097152,"max_bytes":8388608,"share":50'
asks_wrong 'nothing to change: give min, max or share' set db
asks_wrong 'min is above max' set db,min=1GiB
asks_wrong "'path' cannot change" set db,path=x
asks_wrong "no disk 'x'" set x,share=1
ask remove db
[ ! -e d.sock ] || fail "the removed disk's socket is left"
asks_wrong "no disk 'db'" remove db
ask add db,path=b.img,socket=d.sock
ask vms
out_has '"vm":"web".*"vm":"db"'

# --- what does not come from hvtrace ctl
speak()
{
	# Who goes on after too much is cut off.
	perl -MIO::Socket::UNIX -e '
		$SIG{PIPE} = "IGNORE";
		my $s = IO::Socket::UNIX->new(Peer => "c.sock") or die "connect: $!";
		print $s shift; $s->flush; shutdown $s, 1;
		print while <$s>;' "$1" >out || fail "no conversation"
}

speak $'{"cmd":"version"}\n{"cmd":"drain","vm":7}\nnonsense\n{"cmd":"dance"}\n'
out_has '"version"'
out_has '"error":"not JSON'
out_has "\"error\":\"unknown command 'dance'\""
while read -r request culprit; do
	speak "$request"
	out_has "^\\{\"error\":\".*$culprit.*\"\\}\$"
done <<'END'
{"cmd":"resize","size":"16MiB","typo":1} resize has no .*typo.*; it has .*size
{"cmd":"stats","vm":"web"} stats has no .*vm
{"cmd":"curve","name":"web"} curve has no .*name.*; it has .*vm.*sizes
{"cmd":"drain","name":"web"} drain has no .*name.*; it has .*vm
{"cmd":"drain","vm":7} vm.* is no string
{"cmd":"curve","vm":7} vm.* is no string
{"cmd":"remove","name":"db","typo":1} remove has no .*typo
{"cmd":"set","name":"db"} nothing to change
END
ask vms
out_has '"vm":"web".*"vm":"db"'
speak "$(printf '{"cmd":"%070000d' 0)"
out_has 'longer than 65536 bytes'
speak '{"cmd":"add","name":"x","path":[1],"socket":"s"}'
out_has 'neither a string, a number nor a boolean'
ask version

# --- who may ask
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$tmp"
	unreachable 'ermission denied.*as root' setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$hvtrace" ctl -s "$tmp/c.sock" version
	chmod 666 c.sock
	run setpriv --reuid=65534 --regid=65534 --clear-groups "$hvtrace" ctl -s "$tmp/c.sock" version
	status_is 1
	err_has "only root and the server's own user"
fi

# --- many that come and go: the last ones are reported, those before are added up
for ((i = 0; i < 70; i++)); do
	echo '{"cmd":"add","name":"again","path":"c.img","socket":"e.sock","ro":true}'
	echo '{"cmd":"remove","name":"again"}'
done >requests
speak "$(cat requests)"
[ "$(grep -cx '{"ok":true}' out)" = 140 ] || fail "disks did not come and go: $(cat out)"

# --- a server that stands still: who asks is told, and gets the answer when it goes on
pid=$(pgrep -P $server)
kill -STOP "$pid"
spawn "$hvtrace" ctl version
wait_until 30 test -s err || fail "no word of a server that does not answer"
kill -CONT "$pid"
finish
status_is 0
err_lines 1
err_has '^hvtrace ctl: no answer for 10 s: the server is busy, or stopped; Ctrl-C ends'
out_has '"version"'

kill -TERM "$server"
wait "$server" || fail "the server failed: $(cat server/err)"
[ "$(grep -c '^== again, ended ==' server/out)" = 64 ] || fail "not the last 64 are reported"
# db went before them.
grep -qx '== 7 removed before ==' server/out || fail "no sum of those before"
unreachable 'No such file' "$hvtrace" ctl stats
