#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Golden tests: what xipsec prints, compared with files. TAP on stdout.
#
#   tests/golden/run.sh [FOLDER...]             test (all folders by default)
#   tests/golden/run.sh --refresh [FOLDER...]   write what is printed now; read the diff
#
# In a folder, next to each other:
#   NAME.yaml NAME.ok     `print NAME.yaml` gives NAME.ok, and printing NAME.ok gives it again
#   NAME.yaml NAME.warn   `check NAME.yaml` succeeds and says NAME.warn
#   NAME.yaml NAME.err    `check NAME.yaml` ends with status 2 and says NAME.err
#   NAME.cmd NAME.out     the shell script NAME.cmd prints NAME.out: stdout, then stderr,
#                         then "exit N"; `xipsec` is the built one, $XI_TOP the source tree
# Other files are there to be read by these. A .yaml without an expectation that no .cmd names
# is a failure. A test runs in a copy of its folder in which *.psk and *.key are private and
# open-* are not.
set -u
cd "$(dirname "$0")/../.." || exit 1
O=${O:-.output}
xipsec=$(realpath "$O/xipsec") || exit 1
export XI_TOP=$PWD
golden=$PWD/tests/golden
refresh=
[ "${1:-}" = --refresh ] && { refresh=1; shift; }
[ $# -gt 0 ] || { cd "$golden" && set -- */; }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
umask 022
mkdir "$tmp/bin"
printf '#!/bin/sh\nexec "%s" "$@"\n' "$xipsec" >"$tmp/bin/xipsec"
chmod +x "$tmp/bin/xipsec"
PATH=$tmp/bin:$PATH
n=0

# result NAME EXPECTED ACTUAL: one TAP line; with --refresh the expectation is rewritten.
result()
{
	n=$((n + 1))
	if [ -n "$refresh" ] && ! cmp -s "$3" "$2"; then
		cp "$3" "$2"
		echo "ok $n - $1 # rewritten"
	elif cmp -s "$3" "$2"; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		diff -u "$2" "$3" | sed 's/^/# /' | head -30
	fi
}

# status NAME EXPECTED ACTUAL
status()
{
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1: exit status $3, expected $2"
		sed 's/^/# /' "$tmp/err" | head
	fi
}

one()
{
	local folder=$1 name=$2 expected=$golden/$1/$2

	if [ -e "$name.ok" ]; then
		xipsec print "$name.yaml" >"$tmp/out" 2>"$tmp/err"
		status "$folder/$name.yaml loads" 0 $?
		result "$folder/$name.yaml prints as expected" "$expected.ok" "$tmp/out"
		cp "$tmp/out" "again-$name.yaml"
		xipsec print "again-$name.yaml" >"$tmp/again" 2>"$tmp/err"
		status "$folder/$name.ok loads" 0 $?
		n=$((n + 1))
		if cmp -s "$tmp/out" "$tmp/again"; then
			echo "ok $n - $folder/$name.ok prints as itself"
		else
			echo "not ok $n - $folder/$name.ok prints as itself"
			diff -u "$tmp/out" "$tmp/again" | sed 's/^/# /' | head -30
		fi
	fi
	if [ -e "$name.warn" ]; then
		xipsec check "$name.yaml" >"$tmp/out" 2>"$tmp/err"
		status "$folder/$name.yaml is accepted" 0 $?
		result "$folder/$name.yaml has these warnings" "$expected.warn" "$tmp/err"
	fi
	if [ -e "$name.err" ]; then
		xipsec check "$name.yaml" >"$tmp/out" 2>"$tmp/err"
		status "$folder/$name.yaml is refused" 2 $?
		result "$folder/$name.yaml is refused with these words" "$expected.err" "$tmp/err"
	fi
	if [ -e "$name.cmd" ]; then
		bash "./$name.cmd" >"$tmp/out" 2>"$tmp/err"
		printf 'exit %d\n' $? >"$tmp/rc"
		cat "$tmp/out" "$tmp/err" "$tmp/rc" >"$tmp/all"
		[ -n "$refresh" ] && touch "$expected.out"
		result "$folder/$name.cmd prints as expected" "$expected.out" "$tmp/all"
	fi
}

# With --refresh a new policy gets the expectation that fits how it ends.
adopt()
{
	xipsec check "$1.yaml" 2>"$tmp/err"
	case $? in
	0) [ -s "$tmp/err" ] && touch "$1.warn" "$2.warn" || touch "$1.ok" "$2.ok" ;;
	2) touch "$1.err" "$2.err" ;;
	esac
}

for folder; do
	folder=${folder%/}
	cp -r "$golden/$folder" "$tmp/work" && cd "$tmp/work" || exit 1
	find . -name '*.psk' -o -name '*.key' | while read -r f; do chmod 600 "$f"; done
	find . -name 'open-*' -exec chmod 644 {} +
	for name in $(find . -maxdepth 1 \( -name '*.yaml' -o -name '*.cmd' \) -printf '%f\n' |
		sed 's/\.[a-z]*$//' | sort -u); do
		if [ ! -e "$name.ok" ] && [ ! -e "$name.warn" ] && [ ! -e "$name.err" ] &&
			[ ! -e "$name.cmd" ]; then
			grep -qsF "$name.yaml" ./*.cmd && continue
			if [ -n "$refresh" ]; then
				adopt "$name" "$golden/$folder/$name"
			else
				n=$((n + 1))
				echo "not ok $n - $folder/$name.yaml has an expectation"
				continue
			fi
		fi
		one "$folder" "$name"
	done
	cd "$golden" && rm -rf "$tmp/work"
done
echo "1..$n"
