#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# hvtrace serve: bad options, bad files, what is in its way, how it ends. Root is not needed, but
# for what is tested of users.
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
cd "$tmp" || exit 1
truncate -s 8M a.img
truncate -s 8M b.img
disk=web,path=a.img,socket=w.sock
sum=$(sha256sum a.img)

# What it runs in, if that is something else than this shell.
inside=()
# serve OPTION...: up when this returns; $child is its pid, what it says is in server.out and .err.
serve()
{
	rm -f server.out
	timeout --foreground -k 5 60 "${inside[@]}" "$hvtrace" serve --cache 4MiB "$@" \
		>server.out 2>server.err </dev/null &
	guard=$!
	# The first table comes when all is set up.
	wait_until 20 grep -qs connected server.out || fail "no server: $(cat server.err)"
	child=$(pgrep -P $guard)
}

# end_serve SIGNAL: in order; what it said is where out_has looks for it.
end_serve()
{
	kill "-$1" "$child"
	wait $guard
	rc=$?
	cp server.out out
	cp server.err err
	status_is 0
}

# --- usage: one line, status 2, nothing made
wrong()
{
	local culprit=$1

	shift
	run "$hvtrace" serve "$@"
	status_is 2
	err_lines 1
	err_has "^hvtrace serve: .*$culprit"
	err_has "see 'hvtrace serve --help'"
	out_empty
}

wrong '--cache SIZE is missing' --disk $disk
wrong 'nothing to serve: add --disk' --cache 4MiB
for size in '' x 1 4MB -1p 4097 16EiB; do
	wrong "--cache '$size' is not a size" --cache "$size" --disk $disk
done
wrong "--cache '1MiB' is too small: 2MiB" --cache 1MiB --disk $disk
wrong '--cache is given twice' --cache 4MiB --cache 8MiB
wrong "--huge '4MiB' is none of 2MiB, 1GiB and no" --huge 4MiB
wrong "--node '-1'" --node -1
wrong "--audit '5' is not 1/N" --audit 5
for port in x 65536 0.0.0.0:1 192.168.0.1:80 '[::]:1' :1 ''; do
	wrong '--metrics .* is neither a port nor' --metrics "$port"
done
wrong "--interval '0'" -i 0
wrong "--wait '-1'" --wait -1
wrong "--policy 'mru' is neither lru nor s3fifo" --policy mru
wrong "unexpected argument 'x'" --cache 4MiB x
wrong "--disk: web: a disk needs a path" --disk web
wrong "--disk: web: a disk needs a socket" --disk web,path=a.img
wrong "--disk: a disk has no 'colour'" --disk $disk,colour=red
wrong "--disk: 'path' is given twice" --disk $disk,path=b.img
wrong "--disk: min '1' is not a size" --disk $disk,min=1
wrong "--disk: min '16EiB' is not a size" --disk $disk,min=16EiB
wrong "--disk: web: min is above max" --disk $disk,min=2MiB,max=1MiB
wrong "--disk: there are two disks 'web'" --disk $disk --disk $disk
wrong "--disk: db: socket 'w.sock' is that of web, too" --disk $disk \
	--disk db,path=b.img,socket=w.sock
wrong "--config is given twice" --config x --config y
[ "$(ls)" = "$(printf '%s\n' a.img b.img err out)" ] || fail "made something: $(ls)"

# --- what cannot be: one line, status 1, with what to do
refused()
{
	local culprit=$1

	shift
	run "$hvtrace" serve --wait 0.1 "$@"
	status_is 1
	err_lines 1
	err_has "^hvtrace serve: .*$culprit"
	out_empty
	[ ! -e w.sock ] || fail "the socket was left"
}

refused 'no such image.*truncate' --cache 4MiB --disk web,path=none.img,socket=w.sock
truncate -s 1000 odd.img
refused 'odd.img' --cache 4MiB --disk web,path=odd.img,socket=w.sock
: >empty.img
refused 'empty.img' --cache 4MiB --disk web,path=empty.img,socket=w.sock
mkdir folder
refused 'folder' --cache 4MiB --disk web,path=folder,socket=w.sock
refused "cannot listen at 'no/w.sock': No such.*; make its folder first" --cache 4MiB \
	--disk web,path=a.img,socket=no/w.sock
refused 'Not a directory; give a path in a folder' --cache 4MiB \
	--disk web,path=a.img,socket=odd.img/w.sock
: >w.plain
refused 'w.plain' --cache 4MiB --disk web,path=a.img,socket=w.plain
refused "cannot listen at 'no/c': No such.*; make its folder first" --cache 4MiB --control no/c --disk $disk
refused "cannot write to folder 'no/csv'" --cache 4MiB --disk $disk --csv no/csv
refused 'a cache of 1PiB is more than the memory of this host.*take less' --cache 1PiB --disk $disk
refused "node" --cache 4MiB --node 1000 --disk $disk
refused "no user 'nosuch'" --cache 4MiB --user nosuch --disk $disk
refused "no user 'nosuch'" --cache 4MiB --socket-owner nosuch --disk $disk
refused "no group 'nosuch'" --cache 4MiB --socket-owner :nosuch --disk $disk

run prlimit --nofile=48:48 "$hvtrace" serve --cache 4MiB --disk $disk
status_is 1
err_lines 1
err_has "^hvtrace serve: .*Too many open files; raise the limit"
out_empty

# --- images that are not raw, that somebody writes to, that it has already
printf 'QFI\373\0\0\0\3' >q.img
truncate -s 8M q.img
refused 'q.img: is a qcow2 image.*`qemu-img convert -f qcow2 -O raw q.img ' --cache 4MiB \
	--disk web,path=q.img,socket=w.sock
exec {writer}<>b.img
refused 'b.img: another process has it open for writing, and did not lock it; .*fuser -v b.img' \
	--cache 4MiB --disk web,path=b.img,socket=w.sock
exec {writer}>&-
ln b.img b.link
refused 'b.link: web serves it already; remove that first, or make both read-only' --cache 4MiB \
	--disk web,path=b.img,socket=w.sock --disk db,path=b.link,socket=d.sock,ro
rm b.link
run "$hvtrace" serve --cache 4MiB --disk web,path=b.img,socket=w.sock,ro \
	--disk db,path=b.img,socket=d.sock,ro -d 0.1 -q
status_is 0

# --- a signal while it waits for an image ends it, in order
for sig in INT TERM; do
	exec {writer}<>b.img
	spawn "$hvtrace" serve --cache 4MiB --wait 50 --disk web,path=a.img,socket=w.sock \
		--disk db,path=b.img,socket=d.sock
	wait_until 20 test -S w.sock || fail "the first disk is not served"
	kill -$sig "$child"
	begun=$SECONDS
	finish
	exec {writer}>&-
	[ $((SECONDS - begun)) -lt 30 ] || fail "waited on after SIG$sig"
	status_is 0
	err_lines 1
	err_has 'told to end while it waits: b.img: another process'
	out_empty
	[ ! -e w.sock ] || fail "the socket was left"
done

# --- configuration files: each fault with its line
bad_config()
{
	printf '%b' "$1" >c.yaml
	refused "c.yaml:$2" --config c.yaml
}

bad_config 'cache: 4GB\n' "1: cache '4GB' is not a size"
bad_config '\ncache: 4MiB\ncolour: red\n' "3: there is no setting 'colour'"
bad_config 'cache: 4MiB\ncache: 8MiB\n' '2: cache is there twice'
bad_config 'cache: [4MiB]\n' '1: cache is a list'
bad_config 'cache: 4MiB\ndisks:\n  name: web\n' '3: not a list'
bad_config 'cache: 4MiB\ndisks:\n- path: a.img\n' '3: a disk needs a name'
bad_config 'cache: 4MiB\ndisks:\n- name: web\n  size: 1\n' "4: a disk has no 'size'"
bad_config 'cache: 4MiB\ndisks:\n- name: web\n  min: 1\n' "4: min '1' is not a size"
bad_config 'cache: "4MiB\n' '[0-9]: not YAML'
bad_config 'cache: 4MiB\n---\ncache: 4MiB\n' '2: a second document'
refused "cannot read configuration 'none.yaml'" --config none.yaml
printf 'control: c.sock\n' >c.yaml
refused "c.yaml: cache is missing; add a line such as 'cache: 4GiB'" --config c.yaml
rm c.yaml

# --- up, and down in order: the sockets are its own, and go with it
serve --disk $disk --control c.sock --csv csv -i 0.1
for socket in w.sock c.sock; do
	[ "$(stat -c '%F %a' $socket)" = 'socket 600' ] || fail "$socket: $(stat -c '%F %a' $socket)"
done

# meanwhile, what it has is taken
run "$hvtrace" serve --wait 0.1 --cache 4MiB --disk other,path=b.img,socket=w.sock
status_is 1
err_has 'w.sock'
run "$hvtrace" serve --wait 0.1 --cache 4MiB --disk other,path=a.img,socket=x.sock
status_is 1
err_has 'a.img'
run "$hvtrace" serve --wait 0.1 --cache 4MiB --disk other,path=b.img,socket=x.sock --control c.sock
status_is 1
err_has "socket 'c.sock' is in use"
[ ! -e x.sock ] || fail "a socket is left of a server that did not come up"
[ -S w.sock ] || fail "the socket of one that runs was removed"

end_serve TERM
err_has "cache of 4MiB: "
err_has "writes to the images by others are seen|nobody watches the images: "
err_has "web: 'a.img', 8MiB, [0-9]+ queues?, (io_uring|threads); listens at 'w.sock'"
out_has '^VM +READ/s'
awk 'length > 99 && /^VM|^web/ { exit 1 }' out || fail "a line is too wide"
out_has '^1 disk, 0 connected \| cache .* of 4MiB'
out_has '^== web =='
out_has '^Served:$'
[ -z "$(find . -name '*.sock')" ] || fail "sockets are left"
[ "$(head -n 1 csv/served.csv)" = vm,kind,count ] || fail "served.csv: $(head -n 1 csv/served.csv)"
grep -qx web,hits,0 csv/served.csv || fail "served.csv lacks the hits"
for file in served_latency curve events reuse; do
	[ -s csv/$file.csv ] || fail "no $file.csv"
done

# --- Ctrl-C, and a duration
serve --disk $disk --huge 1GiB
grep -q 'smaller than one hugetlb page of 1GiB.*take --huge 2MiB' server.err ||
	fail "huge pages: $(cat server.err)"
end_serve INT
serve --disk $disk
end_serve INT
run "$hvtrace" serve --cache 4MiB --disk $disk -d 0.3 --json -q
status_is 0
err_lines 0
! grep -vE '^\{"type":"(interval|status|vm|served|events|reuse|curve)",.*\}$' out ||
	fail "not a JSON line of a known type"
for type in interval status vm served; do
	out_has "^\{\"type\":\"$type\","
done

# --- killed: the next one takes over what is left
serve --disk $disk --control c.sock
kill -KILL "$child"
wait $guard 2>/dev/null
[ "$(find . -name '*.sock' | wc -l)" = 2 ] || fail "SIGKILL removed the sockets"
serve --disk $disk --control c.sock
end_serve TERM

# --- from a file, with an option that wins; SIGHUP reads it again
cat >c.yaml <<YAML
cache: 64MiB
interval: 0.1
disks:
  - name: web
    path: a.img
    socket: w.sock
YAML
serve --config c.yaml
grep -q 'of 4MiB' server.out || fail "the option did not win"
cat >>c.yaml <<YAML
  - {name: db, path: b.img, socket: d.sock, share: 50}
YAML
kill -HUP "$child"
wait_until 10 test -S d.sock || fail "the new disk is not served"
wait_until 10 grep -q "'c.yaml' was read again" server.err || fail "it does not say so"
cat >c.yaml <<YAML
policy: s3fifo
disks:
  - {name: data, path: a.img, socket: d.sock}
YAML
kill -HUP "$child"
wait_until 10 grep -q 'data: .a.img.*d.sock' server.err || fail "disks did not change places"
wait_until 10 grep -q 'policy has changed: that needs a new start' server.err || fail "not told"
[ ! -e w.sock ] || fail "the old socket is left"
echo 'disks: [' >>c.yaml
kill -HUP "$child"
wait_until 10 grep -q 'all stays as it is' server.err || fail "took a bad file"
[ -S d.sock ] || fail "a bad file took the disk away"
end_serve TERM
out_has '^== web, ended =='
out_has '^== data =='

# --- metrics: Prometheus text, to this host only
serve --disk "we\"b,path=a.img,socket=w.sock" --metrics 0
url=$(grep -o 'http://127.0.0.1:.*' server.err) || fail "no address told"
curl -sf "$url" >metrics || fail "no metrics at $url"
awk -f "$here/metrics.awk" metrics || fail "not the text format: $(head -n 5 metrics)"
for name in hits captured_pages misses saved_bytes audit_failed; do
	grep -q "^hvtrace_${name}_total{vm=\"we\\\\\"b\"} 0$" metrics || fail "no hvtrace_${name}_total"
done
grep -q '^hvtrace_cache_capacity_bytes 4194304$' metrics || fail "no capacity"
[ "$(curl -s -o no -w '%{http_code}' "${url%metrics}")" = 404 ] || fail "another page than /metrics"
[ "$(curl -s -o no -w '%{http_code}' -d x "$url")" = 405 ] || fail "POST was taken"
end_serve TERM

# --- another user
if [ "$(id -u)" -eq 0 ]; then
	chmod 755 "$tmp"
	chmod 666 a.img
	mkdir -m 777 run
	serve --disk web,path=a.img,socket=run/w.sock --control run/c.sock --user nobody \
		--socket-owner 12:34
	[ "$(stat -c '%u:%g %a' run/w.sock)" = '12:34 660' ] ||
		fail "the disk's socket: $(stat -c '%u:%g %a' run/w.sock)"
	[ "$(stat -c %U run/c.sock)" = nobody ] || fail "the control socket is not the user's"
	for thread in /proc/"$child"/task/*; do
		grep -qE '^Uid:(\s65534){4}$' "$thread/status" || fail "a thread is not nobody's"
		grep -q '^CapEff:.0*$' "$thread/status" || fail "a thread has capabilities"
	done
	grep -q '^NoNewPrivs:.1' "/proc/$child/status" || fail "may get new privileges"
	run "$hvtrace" ctl -s run/c.sock version
	status_is 0
	end_serve TERM
	[ -z "$(ls run)" ] || fail "left behind: $(ls run)"
	# Its groups, also when it is given as a number: in files that this server alone sees.
	echo 'images:x:4321:other,imager' >group
	echo 'imager:x:1234:1234::/:/bin/sh' >passwd
	# shellcheck disable=SC2016 # for the shell in there
	inside=(unshare -m sh -c 'mount --bind passwd /etc/passwd &&
		mount --bind group /etc/group && exec "$@"' sh)
	for user in imager 1234; do
		serve --disk $disk --user $user
		grep -qE '^Groups:\s1234 4321\s*$' "/proc/$child/status" ||
			fail "groups of --user $user: $(grep Groups "/proc/$child/status")"
		end_serve TERM
	done
	inside=()
	serve --disk $disk --socket-owner :34
	[ "$(stat -c '%g %a' w.sock)" = '34 660' ] || fail "group: $(stat -c '%g %a' w.sock)"
	end_serve TERM
fi

[ "$(sha256sum a.img)" = "$sum" ] || fail "an image was changed"
