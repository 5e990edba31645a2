#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The BPF programs load under this kernel's verifier and classify as they should:
# the same test programs that run on the host. With XI_SET=some only those that tell one kernel
# from another: what the others show is in lists and tables, which no kernel knows of.
set -u
found=0
same="adversary blocklist classify dense dryrun exact_sets replay"
for t in "$O"/tests/bpf/test_*; do
	[ -x "$t" ] || continue
	found=1
	if [ "${XI_SET:-all}" = some ] && [[ " $same " = *" ${t##*/test_} "* ]]; then
		printf '1..1\nok 1 - %s # SKIP runs on the oldest kernel\n' "${t##*/}"
		continue
	fi
	echo "# ${t##*/}"
	t0=$SECONDS
	"$t" || { rc=$?; echo "# ${t##*/} ended with status $rc"; }
	echo "# ${t##*/} took $((SECONDS - t0)) s"
done
[ $found = 1 ] || { echo "1..1"; echo "not ok 1 - no BPF test program was built"; }
