#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The ESP worker carries real traffic: TCP in super-packets, unchanged and only
# as ESP on the wire; first packets that wait for their SA; the path MTU.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib/esp_net.sh
. tests/lib/esp_net.sh

# transfer NAME FAMILY CIPHER INTEG
transfer()
{
	local bytes=8000000 began ended
	start "$2" --cipher "$3" --integ "$4" || { claim "$1: both hosts come up" 1; stop_all; return; }
	began=$(date +%s%N)
	flow $bytes
	ended=$(date +%s%N)
	finish
	claim "$1: TCP carries $bytes bytes each way, unchanged" $flow_rc "$(cat "$tmp"/{fetch,serve}.log)"
	wire_is_clean "$1"
	less "$1: and ESP there was" 1000 "$(captured esp)"
	same "$1: no frame was longer than the MTU allows" 0 "$(captured 'greater 1515')"
	same "$1: nothing was dropped at a" "" "$(reasons a)"
	same "$1: nothing was dropped at b" "" "$(reasons b)"
	less "$1: the stack handed over super-packets (ESP packets sent: $(counter a out_packets))" \
		"$tap_reads" "$(($(counter a out_packets) / 3))"
	echo "# $1: $((2 * bytes * 8000 / (ended - began))) Mb/s over both directions, $tap_reads reads for $(counter a out_packets) ESP packets"
}
transfer "IPv4, AES-128-GCM" 4 aes128gcm16 none
transfer "IPv6, AES-256-CBC with SHA-256" 6 aes256 sha256

# Datagrams are not repeated: they arrive only if they were held.
name="no SA yet"
options_a="--delay 1500"
if start 4; then
	on b "$udpflow" serve $ip_b 5432 3 60 >"$tmp/udp.log" 2>&1 &
	pid=$!
	until_true 60 grep -q listening "$tmp/udp.log"
	on a "$udpflow" send $ip_b 5432 one-$tag two-$tag three-$tag
	grep -q "^SA" "$tmp/a.log"
	same "$name: there was none when they were sent" 1 $?
	wait $pid
	claim "$name: the first datagrams arrive once it is up" $? "$(cat "$tmp/udp.log")"
	same "$name: in their order" "13 one-$tag 13 two-$tag 15 three-$tag " \
		"$(grep -v listening "$tmp/udp.log" | tr '\n' ' ')"
	finish
	wire_is_clean "$name"
else
	claim "$name: both hosts come up" 1
	stop_all
fi
options_a=

name="path MTU"
for family in 4 6; do
	start $family || { claim "$name: both hosts come up" 1; stop_all; continue; }
	rm -f "$tmp/udp.log"
	on b "$udpflow" serve $ip_b 5432 1 60 >"$tmp/udp.log" 2>&1 &
	pid=$!
	until_true 60 grep -q listening "$tmp/udp.log"
	fits=$(on a "$udpflow" fit $ip_b 5432 $tag 30)
	claim "$name: IPv$family finds the size that fits with ESP" $? "$fits"
	wait $pid
	same "$name: IPv$family datagrams of that size arrive" "$fits" \
		"fits $(sed -n 's/ .*//; 2p' "$tmp/udp.log")"
	[ "${fits#fits }" -gt 1400 ]
	claim "$name: IPv$family gives away no more than ESP needs" $? "$fits"
	finish
	wire_is_clean "$name"
done

done_testing
