#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Shell scripts parse, and shellcheck (where installed) finds no error in them;
# manual pages are well formed (where mandoc is installed).
set -u
cd "$(dirname "$0")/../.." || exit 1
n=0
for f in $(git ls-files -co --exclude-standard | grep -E '\.sh$|^\.ci/run$|^bench/run$'); do
	[ -e "$f" ] || continue
	n=$((n + 1))
	err=$(bash -n "$f" 2>&1)
	if [ -z "$err" ] && command -v shellcheck >/dev/null; then
		err=$(shellcheck -S error -s bash "$f" 2>&1)
	fi
	if [ -z "$err" ]; then echo "ok $n - $f"; else echo "not ok $n - $f"; sed 's/^/# /' <<<"$err"; fi
done
for f in docs/*.[58]; do
	[ -e "$f" ] || continue
	n=$((n + 1))
	if ! command -v mandoc >/dev/null; then echo "ok $n - $f # SKIP mandoc is not installed"; continue; fi
	err=$(mandoc -T lint -W warning "$f" 2>&1)
	if [ -z "$err" ]; then echo "ok $n - $f"; else echo "not ok $n - $f"; sed 's/^/# /' <<<"$err"; fi
done
echo "1..$n"
