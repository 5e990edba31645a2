#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What depends on the kernel: libxdp's dispatcher beside other people's programs.
# XI_ATTACH="attach_shared attach_modes" goes through every way as well.
set -u
results=0
failed=0
for t in ${XI_ATTACH:-attach_shared}; do
	while IFS= read -r line; do
		case "$line" in
		"ok "* | "not ok "*)
			results=$((results + 1))
			[ "${line%%ok*}" = "not " ] && failed=$((failed + 1))
			echo "${line%%ok*}ok $results - $t: $(sed 's/^\(not \)*ok *[0-9]* *-* *//' <<<"$line")"
			;;
		"1.."*) ;;
		*) echo "# $line" ;;
		esac
	done < <(bash tests/integration/$t.sh 2>&1)
done
echo "1..$results"
exit $((failed > 0))
