# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Two hosts and the wire between them, for tests of the ESP worker on real
# devices: AF_XDP towards the wire, TAP towards the stack, our BPF programs
# between them, fixed keys instead of IKE (tests/tools/espworker.c).
#
#   a [eth0] ----- veth ----- [port-a] wire [port-b] ----- veth ----- [eth0] b
#
# The capture is taken on the wire between the hosts: AF_XDP is invisible to
# one on the hosts themselves. A script sources this, calls start, finish and
# claim, and done_testing at its end. Output is TAP; it needs root.
set -u
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
	# The lines waited for below stand in the logs of the last start, too.
	rm -f "$tmp"/{a,b,tcpdump}.log
	nsenter --net="/run/netns/$run-wire" tcpdump -i port-a -s 0 -U -B 65536 -w "$tmp/wire.pcap" \
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
	until_true 120 grep -q ^ready "$tmp/a.log" && until_true 120 grep -q ^ready "$tmp/b.log" &&
		until_true 60 grep -q listening "$tmp/tcpdump.log"
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
# reasons HOST: what was dropped, but for waiting, full queues and the stack's own chatter
reasons() { grep -E '^(worker|bpf) ' "$tmp/$1.log" | grep -vE ' (held|tap-foreign|unsecurable|tx-full|tap-full) ' | tr '\n' ','; }
# A capture with holes proves nothing: then this is no number.
captured()
{
	grep -q '^0 packets dropped by kernel' "$tmp/tcpdump.log" ||
		{ echo "the capture lost packets"; return; }
	tcpdump -n -r "$tmp/wire.pcap" "$1" 2>/dev/null | wc -l
}

# flow BYTES: TCP there and back; its result in flow_rc
flow()
{
	rm -f "$tmp/serve.log"
	on b "$tcpflow" serve $ip_b 5432 $tag "$1" 60 >"$tmp/serve.log" 2>&1 &
	local pid=$! rc
	until_true 60 grep -q listening "$tmp/serve.log"
	on a "$tcpflow" fetch $ip_b 5432 $tag "$1" 60 >"$tmp/fetch.log" 2>&1
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

done_testing()
{
	stop_all
	echo "1..$n"
	[ $failed -eq 0 ]
}
