#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What --version says follows the commit, and costs one object when it changes:
# in a clone, where commits may come and go; then without git around it, as in an
# archive, and in an archive unpacked inside of another repository.
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$PWD
object=.output/obj/userspace/util/version.o
n=0
echo "1..6"

ok() # NAME: the last command decides
{
	local rc=$?
	n=$((n + 1))
	[ $rc -eq 0 ] && echo "ok $n - $1" || echo "not ok $n - $1"
}

if ! [ -e .git ] || ! git rev-parse -q --verify HEAD >/dev/null 2>&1; then
	for i in 1 2 3 4 5 6; do echo "ok $i - the version # SKIP no git repository here"; done
	exit 0
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@localhost GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@localhost

# What is here now, changes that are not committed included.
git clone -q --shared --no-checkout "$top" "$tree" || exit 1
git ls-files -co --exclude-standard -z | while IFS= read -r -d '' file; do
	[ -f "$file" ] && printf '%s\0' "$file"
done | xargs -0 cp --parents -t "$tree" || exit 1
cd "$tree" || exit 1
git add -A && git commit -q --allow-empty -m "as it is"

# The version object alone; and whether the programs are made of it.
build() { make -s O=.output "$object" >"$tmp/make.log" 2>&1 || cat "$tmp/make.log" >&2; }
says() { grep -aqF "$1" "$object"; }
describe() { git describe --tags --always --dirty; }

build
says "$(describe)"
ok "it is what git describe says"
before=$(stat -c %y "$object")
build
[ "$before" = "$(stat -c %y "$object")" ]
ok "nothing is compiled when it is the same"
first=$(describe)
git commit -q --allow-empty -m "one more"
build
says "$(describe)" && ! says "$first"
ok "after a commit it is another one"
make -n O=.output .output/xipsec 2>/dev/null | grep -qF "$object"
ok "the program is linked with that object"
rm -rf .git
build
says 0.1 && ! says "$first"
ok "without git there is one"
git -C "$tmp" init -q && git -C "$tmp" commit -q --allow-empty -m "around it"
rm -rf .output
build
says 0.1 && ! says "$(git -C "$tmp" describe --always)"
ok "a repository around it has no say"
