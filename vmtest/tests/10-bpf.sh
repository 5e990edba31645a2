#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The BPF programs load under this kernel's verifier and classify as they should:
# the same test programs that run on the host.
set -u
found=0
for t in "$O"/tests/bpf/test_*; do
	[ -x "$t" ] || continue
	found=1
	echo "# ${t##*/}"
	"$t" || { rc=$?; echo "# ${t##*/} ended with status $rc"; }
done
[ $found = 1 ] || { echo "1..1"; echo "not ok 1 - no BPF test program was built"; }
