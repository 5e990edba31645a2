#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# docs/maps.md lists every map that the programs have, and none that they have not.
set -u
cd "$(dirname "$0")/../.." || exit 1

echo "1..3"
mapfile -t files < <(git ls-files 'bpf/*.h' 'bpf/*.c' | grep -v _test)
made=$(sed -nE -e 's/^\} (xi_[a-z0-9_]+) SEC\("\.maps"\);$/\1/p' -e 's/^XI_(LIST_TABLE|PROG_SLOTS)\((xi_[a-z0-9_]+)[,)].*/\2/p' \
	"${files[@]}" | sort -u)
# The first column of its tables.
told=$(sed -nE 's/^\| (`xi_[^|]*) \|.*/\1/p' docs/maps.md | grep -oE 'xi_[a-z0-9_]+' | sort -u)
missing=$(comm -23 <(echo "$made") <(echo "$told"))
gone=$(comm -13 <(echo "$made") <(echo "$told"))
result() # NUMBER NAME NAMES-OF-MAPS
{
	[ -z "$3" ] && echo "ok $1 - $2" || echo "not ok $1 - $2: ${3//$'\n'/ }"
}
result 1 "every map is in docs/maps.md" "$missing"
result 2 "docs/maps.md has none that does not exist" "$gone"
[ "$(wc -l <<<"$made")" -gt 30 ] && echo "ok 3 - which this test finds" || echo "not ok 3 - which this test finds"
