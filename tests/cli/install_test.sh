#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What `make install` puts down is usable, and `make uninstall` takes all of it back.
set -eu
build=${BUILD:-$PWD/build}
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT

fail()
{
	echo "FAIL: $*" >&2
	exit 1
}

run_make()
{
	"${MAKE:-make}" -s O="$build" DESTDIR="$dest" PREFIX=/usr "$@"
}

run_make install
[ "$("$dest/usr/bin/hvtrace" --version)" = "$("$build/hvtrace" --version)" ] ||
	fail "the installed program is another one"

page=$dest/usr/share/man/man1/hvtrace.1
warnings=$(LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)
[ -z "$warnings" ] || fail "man page: $warnings"
LC_ALL=C man -l "$page" | sed 's|.\x08||g' >"$dest/read"
for section in LIVE RECORD MRC PLAN SERVE CTL BALANCE DOCTOR OVERHEAD FILES EXAMPLES 'EXIT STATUS'; do
	grep -qx "$section" "$dest/read" || fail "man page lacks $section"
done
rm "$dest/read"

# What the program understands is what the man page explains and completion offers.
for command in live record mrc plot plan serve ctl balance doctor; do
	"$dest/usr/bin/hvtrace" $command --help | grep -oE -- '--[a-z][a-z-]+' | sort -u >"$dest/known"
	while read -r option; do
		[ "$option" = --help ] && continue
		sed 's/\\-/-/g' "$page" | grep -qF -- "$option" || fail "man page lacks $option"
		grep -qF -- "$option" "$dest/usr/share/bash-completion/completions/hvtrace" ||
			fail "completion lacks $option"
	done <"$dest/known"
done
rm "$dest/known"

# shellcheck disable=SC2016 # the inner shell expands it
completed=$(bash -c '
	. "$1" || exit 1
	COMP_WORDS=(hvtrace live --cs) COMP_CWORD=2
	_hvtrace
	echo "${COMPREPLY[*]}"
	COMP_WORDS=(hvtrace "") COMP_CWORD=1
	_hvtrace
	echo "${COMPREPLY[*]}"' - "$dest/usr/share/bash-completion/completions/hvtrace")
[ "$completed" = $'--csv\nlive record mrc plot plan serve ctl balance doctor --help --version' ] ||
	fail "completion offers: $completed"

[ -s "$dest/usr/share/doc/hvtrace/LICENSE" ] || fail "no licence"

# The unit, as systemd reads it; the user it runs as is there after systemd-sysusers.
unit=$dest/usr/lib/systemd/system/hvtrace-serve.service
grep -qx "ExecStart=/usr/bin/hvtrace serve .*" "$unit" || fail "the unit starts something else"
if command -v systemd-analyze >/dev/null; then
	sed "s|^ExecStart=/usr|ExecStart=$dest/usr|" "$unit" >"$dest/hvtrace-serve.service"
	complaints=$(systemd-analyze verify --man=no "$dest/hvtrace-serve.service" 2>&1) ||
		fail "the unit: $complaints"
	[ -z "$complaints" ] || fail "the unit: $complaints"
	rm "$dest/hvtrace-serve.service"
fi
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers --dry-run "$dest/usr/lib/sysusers.d/hvtrace-serve.conf" >/dev/null 2>&1 ||
		fail "the user of the unit"
fi

# The example is a configuration, once it has its disks and the folder of its socket.
sed -E "s|^#( *-? *[a-z-]+: )|\1|; s|/run/hvtrace|$dest|; s|:kvm|:nosuch|" \
	"$dest/usr/share/doc/hvtrace/hvtrace-serve.yaml" >"$dest/serve.yaml"
"$dest/usr/bin/hvtrace" serve --config "$dest/serve.yaml" 2>"$dest/said" &&
	fail "the example's group is there"
grep -q "no group 'nosuch'" "$dest/said" || fail "the example: $(cat "$dest/said")"
rm "$dest/serve.yaml" "$dest/said"

run_make uninstall
left=$(find "$dest" -type f -o -type l)
[ -z "$left" ] || fail "left behind: $left"
[ ! -e "$dest/usr/share/doc/hvtrace" ] || fail "left behind: our own folder"
