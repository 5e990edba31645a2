#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every BPF object passes this kernel's verifier as a whole. A refusal prints the
# verifier's last lines. Those for netfilter are not: bpftool does not know their type, and
# fragments.sh loads them.
set -u
n=0
for object in "$O"/bpf/*.bpf.o; do
	[ -e "$object" ] || continue
	case ${object##*/} in nf_*) continue ;; esac
	n=$((n + 1))
	pins=/sys/fs/bpf/load-$n
	mkdir "$pins"
	if bpftool prog loadall "$object" "$pins" >/tmp/load-$n 2>&1; then
		echo "ok $n - ${object##*/} loads ($(ls "$pins" | wc -l) programs)"
	else
		echo "not ok $n - ${object##*/} loads"
		tail -n 40 /tmp/load-$n | sed 's/^/# /'
	fi
	rm -rf "$pins"
done
[ $n -gt 0 ] || { n=1; echo "not ok 1 - there is an object to load"; }
echo "1..$n"
