#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs inside the VM, as root, in the repository (shared, read-only).
#   guest.sh OUT TEST...    OUT is shared with the host and writable
# For each test: OUT/NAME.tap has what it printed, OUT/NAME.status its exit
# status. The host has written "not run" there, so a VM that dies shows.
set -u
out=$1
shift
export PATH=$PATH:/usr/sbin:/sbin TMPDIR=/tmp HOME=/tmp
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
ip link set lo up
modprobe -a tun veth 2>/dev/null
uname -r >"$out/kernel"
cut -d' ' -f1 /proc/uptime >"$out/booted"
for test; do
	name=${test##*/}
	name=${name%.sh}
	t0=$(cut -d. -f1 /proc/uptime)
	echo running >"$out/$name.status"
	CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 "${LIMIT:-300}" bash "$test" >"$out/$name.tap" 2>&1 </dev/null
	echo "$? $(($(cut -d. -f1 /proc/uptime) - t0))" >"$out/$name.status"
done
dmesg >"$out/dmesg"
sync
