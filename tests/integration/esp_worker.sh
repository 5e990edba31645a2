#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The ESP worker on real devices: AF_XDP towards the wire, TAP towards the
# stack, our BPF programs between them, fixed keys instead of IKE.
#
#   a [eth0] ----- veth ----- [a] wire [b] ----- veth ----- [eth0] b
#
# The capture is taken on the wire between the hosts: AF_XDP is invisible to
# one on the hosts themselves. Prints TAP; needs root.
set -u
cd "$(dirname "$0")/../.." || exit 1
export PATH=$PATH:/usr/sbin:/sbin
O=${O:-.output}
worker=$O/tests/tools/espworker
tcpflow=$O/tests/tools/tcpflow
udpflow=$O/tests/tools/udpflow
run=esp$$
tag=CLEARTEXT
n=0
failed=0
pids=
bpffs_ours=

[ "$(id -u)" -eq 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
[ -e /dev/net/tun ] || { echo "1..0 # SKIP no /dev/net/tun"; exit 0; }
for prog in "$worker" "$tcpflow" "$udpflow" "$(command -v tcpdump)"; do
	[ -x "$prog" ] || { echo "Bail out! not built or not installed: ${prog:-tcpdump}"; exit 1; }
done

tmp=$(mktemp -d)
# shellcheck disable=SC2317 # called by trap
cleanup()
{
	trap '' INT TERM
	stop_all
	for host in a b; do
		on $host "$worker" --teardown "$run$host" >/dev/null 2>&1
	done
	for host in a b wire; do ip netns del "$run-$host" 2>/dev/null; done
	[ -n "$bpffs_ours" ] && umount /sys/fs/bpf
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# nsenter and not `ip netns exec`: the latter mounts a new /sys over /sys/fs/bpf.
on() { local host=$1; shift; nsenter --net="/run/netns/$run-$host" "$@"; }

# claim TEXT STATUS [WHAT WAS SEEN]
claim()
{
	n=$((n + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $n - $1"
	else
		failed=$((failed + 1))
		echo "not ok $n - $1"
		printf '# seen: %s\n' "${3:-}"
		sed 's/^/# a: /' "$tmp/a.log"
		sed 's/^/# b: /' "$tmp/b.log"
	fi
}
same() { [ "$2" = "$3" ]; claim "$1" $? "$3 and not $2"; }
# less TEXT A B: A < B
less() { [ "$2" -lt "$3" ]; claim "$1" $? "$2, which is not less than $3"; }

until_true()
{
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

stop()
{
	local pid=$1 i
	kill -TERM "$pid" 2>/dev/null
	for i in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	pids=${pids/ $pid/}
}
stop_all() { local pid; for pid in $pids; do stop "$pid"; done; pids=; }

if [ "$(stat -f -c %T /sys/fs/bpf 2>/dev/null)" != bpf_fs ]; then
	mount -t bpf bpf /sys/fs/bpf && bpffs_ours=1
fi
for host in a b wire; do ip netns add "$run-$host" || exit 1; done
ip -n "$run-wire" link add wire type bridge mcast_snooping 0
ip -n "$run-wire" link set wire up
number=0
for host in a b; do
	number=$((number + 1))
	ip link add eth0 netns "$run-$host" type veth peer name port-$host netns "$run-wire"
	ip -n "$run-wire" link set dev port-$host master wire up
	ip -n "$run-$host" link set lo up
	ip -n "$run-$host" addr add 192.0.2.$number/24 dev eth0
	ip -n "$run-$host" addr add 2001:db8::$number/64 dev eth0 nodad
	ip -n "$run-$host" link set eth0 up
done
cat >"$tmp/policy.yaml" <<'POLICY'
policy: esp
filter-lists:
  protected:
    - {src: me, dst: any, proto: tcp, dst-port: 5432}
    - {src: any, dst: me, proto: tcp, dst-port: 5432}
    - {src: me, dst: any, proto: udp, dst-port: 5432}
    - {src: any, dst: me, proto: udp, dst-port: 5432}
filter-actions:
  require:
    negotiate:
      methods:
        - {esp: aes128gcm16, lifetime: 1h}
rules:
  - {name: protected, filter-list: protected, action: require, auth: [{psk-file: psk}]}
POLICY
(umask 077 && echo "not used here" >"$tmp/psk")

# start FAMILY OPTIONS...: both hosts, their process ids in pid_a and pid_b, and the capture.
# options_a are for a alone.
options_a=
start()
{
	local family=$1 host
	shift
	case $family in
	4) ip_a=192.0.2.1 ip_b=192.0.2.2 ;;
	6) ip_a=2001:db8::1 ip_b=2001:db8::2 ;;
	routed) ip_a=192.0.2.1 ip_b=198.51.100.1 ;;
	esac
	nsenter --net="/run/netns/$run-wire" tcpdump -i port-a -s 0 -U -w "$tmp/wire.pcap" \
		>"$tmp/tcpdump.log" 2>&1 &
	pid_dump=$!
	pids="$pids $pid_dump"
	nsenter --net="/run/netns/$run-a" "$worker" --instance "${run}a" --interface eth0 \
		--policy "$tmp/policy.yaml" --local $ip_a --remote $ip_b --side 0 $options_a "$@" \
		>"$tmp/a.log" 2>&1 &
	pid_a=$!
	nsenter --net="/run/netns/$run-b" "$worker" --instance "${run}b" --interface eth0 \
		--policy "$tmp/policy.yaml" --local $ip_b --remote $ip_a --side 1 "$@" \
		>"$tmp/b.log" 2>&1 &
	pid_b=$!
	pids="$pids $pid_a $pid_b"
	until_true 20 grep -q ^ready "$tmp/a.log" && until_true 20 grep -q ^ready "$tmp/b.log" &&
		until_true 20 grep -q listening "$tmp/tcpdump.log"
}

# finish: ends the hosts, so that their counters are in the logs, and the capture
finish()
{
	tap_reads=$(on a ip -s -j link show xi0 | sed -n 's/.*"tx":{"bytes":[0-9]*,"packets":\([0-9]*\).*/\1/p')
	stop "$pid_a"
	stop "$pid_b"
	sleep 0.2
	stop "$pid_dump"
}

counter() { sed -n "s/.*\b$2=\([0-9]*\).*/\1/p" "$tmp/$1.log" | tail -1; }
# reasons HOST: what was dropped, but for waiting and for the stack's own chatter on the TAP
reasons() { grep -E '^(worker|bpf) ' "$tmp/$1.log" | grep -vE ' (held|tap-foreign|unsecurable) ' | tr '\n' ','; }
captured() { tcpdump -n -r "$tmp/wire.pcap" "$1" 2>/dev/null | wc -l; }

# flow BYTES: TCP there and back; its result in flow_rc
flow()
{
	on b "$tcpflow" serve $ip_b 5432 $tag "$1" 30 >"$tmp/serve.log" 2>&1 &
	local pid=$! rc
	until_true 10 grep -q listening "$tmp/serve.log"
	on a "$tcpflow" fetch $ip_b 5432 $tag "$1" 30 >"$tmp/fetch.log" 2>&1
	flow_rc=$?
	wait $pid
	rc=$?
	[ $flow_rc -ne 0 ] || flow_rc=$rc
}

wire_is_clean()
{
	same "$1: nothing but ESP between the hosts" 0 "$(captured '(tcp or udp) and port 5432')"
	same "$1: no byte of the payload on the wire" 0 "$(grep -c $tag "$tmp/wire.pcap")"
}

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
	on b "$udpflow" serve $ip_b 5432 3 20 >"$tmp/udp.log" 2>&1 &
	pid=$!
	until_true 10 grep -q listening "$tmp/udp.log"
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
	on b "$udpflow" serve $ip_b 5432 1 20 >"$tmp/udp.log" 2>&1 &
	pid=$!
	until_true 10 grep -q listening "$tmp/udp.log"
	fits=$(on a "$udpflow" fit $ip_b 5432 $tag 10)
	claim "$name: IPv$family finds the size that fits with ESP" $? "$fits"
	wait $pid
	same "$name: IPv$family datagrams of that size arrive" "$fits" \
		"fits $(sed -n 's/ .*//; 2p' "$tmp/udp.log")"
	[ "${fits#fits }" -gt 1400 ]
	claim "$name: IPv$family gives away no more than ESP needs" $? "$fits"
	finish
	wire_is_clean "$name"
done

# A rekey waits until the SA before it has been seen on the wire.
on_wire() { [ "$(tcpdump -n -c 1 -r "$tmp/wire.pcap" "src 192.0.2.1 and esp and ip[20:4] = $1" 2>/dev/null | wc -l)" = 1 ]; }
name="rekey"
if start 4; then
	flow 40000000 &
	pid=$!
	for i in 1 2 3 4; do
		until_true 20 on_wire $((0x10000 + i * 2 + 1))
		kill -USR1 "$pid_a" "$pid_b"
		until_true 10 grep -q "^SA $((i + 1))" "$tmp/a.log"
		until_true 10 grep -q "^SA $((i + 1))" "$tmp/b.log"
	done
	until_true 20 on_wire $((0x10000 + 5 * 2 + 1))
	claim "$name: all five SAs are seen on the wire" $?
	wait $pid
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
	until_true 10 test ! -e "/proc/$pid_a/exe"
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
	until_true 10 test ! -e "/proc/$pid_a"
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
	on b "$udpflow" serve $ip_b 5432 1 20 >"$tmp/udp.log" 2>&1 &
	pid=$!
	until_true 10 grep -q listening "$tmp/udp.log"
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
echo "1..$n"
[ $failed -eq 0 ]
