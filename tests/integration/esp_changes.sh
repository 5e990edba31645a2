#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What happens to protected traffic when things change under it: SAs are
# rekeyed, a worker dies, its TAP is deleted, the path gets narrower.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib/esp_net.sh
. tests/lib/esp_net.sh

# A rekey waits until the SA before it has been seen on the wire.
on_wire() { [ "$(tcpdump -n -c 1 -r "$tmp/wire.pcap" "src 192.0.2.1 and esp and ip[20:4] = $1" 2>/dev/null | wc -l)" = 1 ]; }
name="rekey"
if start 4; then
	# Slow enough on any machine that four rekeys happen before it is through.
	for port in port-a port-b; do
		tc -n "$run-wire" qdisc add dev $port root tbf rate 80mbit burst 256k latency 200ms
	done
	flow 40000000 &
	pid=$!
	for i in 1 2 3 4; do
		until_true 60 on_wire $((0x10000 + i * 2 + 1))
		kill -USR1 "$pid_a" "$pid_b"
		until_true 60 grep -q "^SA $((i + 1))" "$tmp/a.log"
		until_true 60 grep -q "^SA $((i + 1))" "$tmp/b.log"
	done
	until_true 60 on_wire $((0x10000 + 5 * 2 + 1))
	claim "$name: all five SAs are seen on the wire" $?
	wait $pid
	for port in port-a port-b; do tc -n "$run-wire" qdisc del dev $port root; done
	grep -q identical "$tmp/fetch.log" && grep -q identical "$tmp/serve.log"
	claim "$name: one transfer goes on unchanged over them" $? "$(cat "$tmp"/{fetch,serve}.log)"
	finish
	same "$name: five SAs were used" 5 "$(counter a sas)"
	wire_is_clean "$name"
else
	claim "$name: both hosts come up" 1
	stop_all
fi

name="TAP deleted"
if start 4; then
	on a ip link del xi0
	until_true 60 test ! -e "/proc/$pid_a/exe"
	claim "$name: the worker ends instead of spinning" $?
	finish
	on a "$worker" --teardown "${run}a" 2>/dev/null
else
	claim "$name: both hosts come up" 1
	stop_all
fi

name="dead worker"
if start 4; then
	flow 100000
	claim "$name: while it lives data flows" $flow_rc "$(cat "$tmp"/{fetch,serve}.log)"
	kill -KILL "$pid_a"
	wait "$pid_a" 2>/dev/null
	until_true 60 test ! -e "/proc/$pid_a"
	same "$name: its TAP is gone" "" "$(on a ip -o link show xi0 2>/dev/null)"
	on a "$udpflow" send $ip_b 5432 after-$tag 2>/dev/null
	on a "$tcpflow" fetch $ip_b 5432 $tag 1000 2 >"$tmp/fetch.log" 2>&1
	same "$name: no connection comes about" 3 $?
	stop "$pid_b"
	sleep 0.2
	stop "$pid_dump"
	wire_is_clean "$name"
	on a "$worker" --teardown "${run}a" || claim "$name: what it left is removed" 1
else
	claim "$name: both hosts come up" 1
fi
stop_all

# From here on the wire is a router whose second link takes only 1300 bytes.
ip -n "$run-wire" link del wire
nsenter --net="/run/netns/$run-wire" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
ip -n "$run-wire" addr add 192.0.2.254/24 dev port-a
ip -n "$run-wire" addr add 198.51.100.254/24 dev port-b
ip -n "$run-wire" link set port-b mtu 1300
ip -n "$run-b" link set eth0 mtu 1300
ip -n "$run-b" addr flush dev eth0
ip -n "$run-b" addr add 198.51.100.1/24 dev eth0
ip -n "$run-b" route add default via 198.51.100.254
ip -n "$run-a" route add 198.51.100.0/24 via 192.0.2.254

name="narrow router"
if start routed; then
	rm -f "$tmp/udp.log"
	on b "$udpflow" serve $ip_b 5432 1 60 >"$tmp/udp.log" 2>&1 &
	pid=$!
	until_true 60 grep -q listening "$tmp/udp.log"
	on a "$udpflow" fill $ip_b 5432 $tag 1400
	wait $pid
	claim "$name: ESP that it fragments is put together and opened" $? "$(cat "$tmp/udp.log")"
	same "$name: to the whole datagram" 1400 "$(sed -n '2s/ .*//p' "$tmp/udp.log")"
	flow 1000000
	claim "$name: TCP gets through, since the worker believes its ICMP" $flow_rc "$(cat "$tmp"/{fetch,serve}.log)"
	finish
	less "$name: which came" 0 "$(captured 'icmp[0] = 3 and icmp[1] = 4 and dst 192.0.2.1')"
	wire_is_clean "$name"
else
	claim "$name: both hosts come up" 1
	stop_all
fi

done_testing
