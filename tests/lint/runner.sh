#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The test runner against programs that misbehave: each line below is a way in
# which a broken test could look like a passed one, and the totals it must give.
set -u
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0

# expect TOTALS STATUS WHAT SCRIPT: runs SCRIPT as a test program.
expect()
{
	local totals=$1 status=$2 what=$3 got rc

	n=$((n + 1))
	printf '%s\n' "$4" >"$tmp/t.sh"
	TEST='' LIMIT=2 O=$tmp tests/run.sh -- bash "$tmp/t.sh" >"$tmp/out" 2>&1
	rc=$?
	got=$(tail -n 1 "$tmp/out")
	if [ "$got" = "$totals" ] && [ $rc -eq "$status" ]; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		echo "# expected '$totals' and status $status, got '$got' and status $rc"
	fi
}

echo 1..14
expect "2 passed, 0 failed, 0 skipped" 0 "two results that were planned pass" \
	'echo 1..2; echo "ok 1 - a"; echo "ok 2 - b"'
expect "1 passed, 1 failed, 0 skipped" 1 "a failed line is a failure" \
	'echo 1..2; echo "ok 1 - a"; echo "not ok 2 - b"'
expect "1 passed, 0 failed, 1 skipped" 0 "a skip is no failure" \
	'echo 1..2; echo "ok 1 - a"; echo "ok 2 - b # SKIP no such device"'
expect "1 passed, 0 failed, 1 skipped" 0 "a skip as cmocka prints it is no failure" \
	'echo 1..2; echo "ok 1 - a"; echo "not ok 2 # SKIP b"'
expect "0 passed, 0 failed, 1 skipped" 1 "only skips is not a success" 'echo "1..0 # SKIP no root"'
expect "0 passed, 1 failed, 0 skipped" 1 "no output at all is a failure" 'true'
expect "1 passed, 1 failed, 0 skipped" 1 "results without a plan are a failure" 'echo "ok 1 - a"'
expect "1 passed, 1 failed, 0 skipped" 1 "a program that stops half way is a failure" \
	'echo 1..2; echo "ok 1 - a"'
expect "1 passed, 1 failed, 0 skipped" 1 "more results than planned are a failure" \
	'echo 1..0; echo "ok 1 - a"'
expect "1 passed, 1 failed, 0 skipped" 1 "a signal after the last result is a failure" \
	'echo 1..1; echo "ok 1 - a"; kill -SEGV $$'
expect "1 passed, 1 failed, 0 skipped" 1 "a sanitizer report after the last result is a failure" \
	'echo 1..1; echo "ok 1 - a"; exit 23'
expect "1 passed, 1 failed, 0 skipped" 1 "a test that hangs is a failure" \
	'echo 1..1; echo "ok 1 - a"; sleep 60'

# Lanes: a test of the lint kind stands for one that takes its time.
rm -rf "$tmp/out"
n=$((n + 1))
TEST=includes O=$tmp XI_LANES=2 tests/run.sh lint + lint >"$tmp/out" 2>&1
rc=$?
alone=$(TEST=includes O=$tmp tests/run.sh lint | sed -n '$s/ passed.*//p')
if [ $rc -eq 0 ] && [ "$(tail -n 1 "$tmp/out")" = "$((2 * alone)) passed, 0 failed, 0 skipped" ]; then
	echo "ok $n - two lanes add up"
else
	echo "not ok $n - two lanes add up"
	sed 's/^/# /' "$tmp/out"
fi
n=$((n + 1))
marked() { grep -lzsx "XI_MARK=$$" /proc/[0-9]*/environ | wc -l; }
TEST=shell O=$tmp XI_LANES=2 XI_MARK=$$ tests/run.sh lint + lint >"$tmp/out" 2>&1 &
runner=$!
until [ "$(marked)" -ge 5 ] || ! kill -0 $runner 2>/dev/null; do sleep 0.1; done
during=$(marked)
kill -TERM $runner
wait $runner
rc=$?
for _ in $(seq 100); do # a signal takes its time to kill
	after=$(marked)
	[ "$after" -eq 0 ] && break
	sleep 0.1
done
if [ $rc -eq 130 ] && [ "$during" -ge 5 ] && [ "$after" -eq 0 ]; then
	echo "ok $n - an interrupted run ends both of its lanes"
else
	echo "not ok $n - an interrupted run ends both of its lanes"
	echo "# status $rc; $during processes, $after afterwards"
	sed 's/^/# /' "$tmp/out"
fi
