#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# How long a policy takes from its text to being in force: milliseconds of wall
# clock of `xipsec apply` with a daemon that filters an interface, for the first
# policy of a size, and for one line of it changed (median of seven). Beside it
# the parts that need no daemon: `xipsec check` reads and compiles the same text.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1
. tests/lib/daemon.sh
. tests/lib/attach.sh
daemon_lab
attach_policy

now() { date +%s%N; }

# FILTERS LINE: a policy whose line of this number has another port.
big_policy()
{
	awk -v n="$1" -v other="$2" 'BEGIN {
		print "policy: big\nfilter-lists:"
		for (list = 0; list < 2; list++) {
			print "  l" list ":"
			for (i = list; i < n; i += 2)
				printf "    - {src: 10.%d.%d.0/24, dst: me, proto: tcp, dst-port: %d, mirrored: false}\n",
					i / 256 % 256, i % 256, 1024 + int(i / 65536) * 2 + (i == other)
		}
		print "rules:\n  - {name: a, filter-list: l0, action: permit}\n  - {name: b, filter-list: l1, action: block}"
	}'
}

# FILE: milliseconds until the daemon says that it is in force.
apply()
{
	local t0
	t0=$(now)
	ask b apply "$1" >"$tmp/apply.out" 2>&1 || { cat "$tmp/apply.out" >&2; exit 1; }
	echo $((($(now) - t0) / 1000000))
}

median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

attach_start --interface eth0 || { echo "the daemon does not start" >&2; exit 1; }
printf '%9s %12s %12s %12s\n' filters "from text" "one line" "compile only"
for n in 10 1000 10000 100000; do
	big_policy "$n" -1 >"$tmp/b/big.yaml"
	first=$(apply "$tmp/b/big.yaml") || exit 1
	line=$(for k in 1 2 3 4 5 6 7; do
		big_policy "$n" $((k % 2 ? 7 * k % n : -1)) >"$tmp/b/big.yaml"
		apply "$tmp/b/big.yaml" || exit 1
	done | median)
	t0=$(now)
	"$xipsec" compile "$tmp/b/big.yaml" --stats >/dev/null || exit 1
	alone=$((($(now) - t0) / 1000000))
	printf '%9d %9d ms %9d ms %9d ms\n' "$n" "$first" "$line" "$alone"
done
