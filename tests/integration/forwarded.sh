#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A host that forwards for others: the exemption of IKE is for its own IKE. What
# passes through it from or to the ports of IKE is judged by the filters like
# everything else, and its own IKE passes whatever the filters say.
set -u
cd "$(dirname "$0")/../.." || exit 1
O=${O:-.output}
PATH=$PATH:/usr/sbin:/sbin
tool=$O/tests/tools/dptool
flow=$O/tests/tools/udpflow
id=$$
inner=fwd-in-$id gate=fwd-gw-$id outer=fwd-out-$id instance=fwd$id
tmp=$(mktemp -d)
n=0
holder=

if [ "$(id -u)" != 0 ]; then echo "1..0 # SKIP needs root"; exit 0; fi

on() { nsenter --net="/run/netns/$1" "${@:2}"; }
cleanup()
{
	[ -z "$holder" ] || kill -KILL "$holder" 2>/dev/null
	on $gate "$tool" $instance teardown 2>/dev/null
	for ns in $inner $gate $outer; do ip netns del $ns 2>/dev/null; done
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

is() # WHAT EXPECTED SEEN
{
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "# expected: $2"
		echo "# seen: $3"
	fi
}

until_line() # FILE TEXT
{
	for _ in $(seq 600); do
		grep -q "$2" "$1" 2>/dev/null && return 0
		sleep 0.1
	done
	return 1
}

for ns in $inner $gate $outer; do
	ip netns add $ns
	# Until the addresses of a link are known to be its own no neighbour is asked for, and packets get lost.
	nsenter --net=/run/netns/$ns sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
	ip -n $ns link set lo up
done
link() # NAMESPACE NAME NET
{
	ip -n "$1" link add wire type veth peer name "$2" netns $gate
	ip -n "$1" addr add "$3.2/24" dev wire
	ip -n "$1" addr add "fd88:${3##*.}::2/64" dev wire nodad
	ip -n $gate addr add "$3.1/24" dev "$2"
	ip -n $gate addr add "fd88:${3##*.}::1/64" dev "$2" nodad
	ip -n "$1" link set wire up
	ip -n $gate link set "$2" up
	ip -n "$1" route add default via "$3.1"
	ip -n "$1" route add default via "fd88:${3##*.}::1"
}
link $inner in 10.88.1
link $outer out 10.88.2
on $gate sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'

# From port 4001 everything is let through: what comes behind something blocked shows that it is gone.
cat >"$tmp/policy.yaml" <<-'Y'
	policy: gate
	main-mode:
	  methods: [aes128-sha1-modp2048]
	filter-lists:
	  transit:
	    - {src: 10.88.1.0/24, dst: 10.88.2.0/24, proto: udp}
	    - {src: "fd88:1::/64", dst: "fd88:2::/64", proto: udp}
	  own: [{src: any, dst: me, proto: udp}]
	  marks:
	    - {src: 10.88.1.0/24, dst: 10.88.2.0/24, proto: udp, src-port: 4001, mirrored: false}
	    - {src: 10.88.2.0/24, dst: 10.88.1.0/24, proto: udp, src-port: 4001, mirrored: false}
	    - {src: "fd88:1::/64", dst: "fd88:2::/64", proto: udp, src-port: 4001, mirrored: false}
	    - {src: "fd88:2::/64", dst: "fd88:1::/64", proto: udp, src-port: 4001, mirrored: false}
	    - {src: 10.88.2.0/24, dst: me, proto: udp, src-port: 4001, mirrored: false}
	    - {src: me, dst: 10.88.2.0/24, proto: udp, src-port: 4001, mirrored: false}
	  far: [{src: me, dst: 10.88.2.99, proto: tcp}]
	filter-actions:
	  require: {negotiate: {methods: [{esp: aes128gcm16}]}}
	rules:
	  - {name: transit, filter-list: transit, action: block}
	  - {name: own, filter-list: own, action: block}
	  - {name: marks, filter-list: marks, action: permit}
	  - {name: far, filter-list: far, action: require, auth: [{psk-file: psk}]}
Y
(umask 077 && echo secret >"$tmp/psk")

# Which of two arrives first: one from FROM that may be blocked, then one from 4001 that is not.
first() # SENDER FROM RECEIVER ADDRESS PORT
{
	: >"$tmp/serve"
	nsenter --net="/run/netns/$3" "$flow" serve "$4" "$5" 1 60 >"$tmp/serve" 2>&1 &
	local server=$!
	until_line "$tmp/serve" listening
	UDPFLOW_FROM=$2 on "$1" "$flow" send "$4" "$5" TRIED >/dev/null 2>&1
	UDPFLOW_FROM=4001 on "$1" "$flow" send "$4" "$5" MARK >/dev/null 2>&1
	wait "$server"
	tail -n 1 "$tmp/serve" | cut -d' ' -f2
}

start() # INTERFACE...
{
	: >"$tmp/out"
	nsenter --net="/run/netns/$gate" "$tool" $instance run "$tmp/policy.yaml" \
		10.88.1.1,10.88.2.1,fd88:1::1,fd88:2::1 "$@" >"$tmp/out" 2>"$tmp/err" &
	holder=$!
	until_line "$tmp/out" ^ready
}

stop()
{
	kill -KILL "$holder"
	wait "$holder" 2>/dev/null
	holder=
	on $gate "$tool" $instance teardown
}

echo "1..21"
is "without filters everything arrives" "TRIED TRIED" \
	"$(first $inner 500 $outer 10.88.2.2 7000) $(first $outer 4000 $inner fd88:1::2 500)"
for where in out "in out"; do
	# shellcheck disable=SC2086 # one or two
	start $where
	is "filters on '$where'" 0 $?
	is "$where: what is forwarded is blocked" MARK "$(first $inner 4000 $outer 10.88.2.2 7000)"
	is "$where: from port 500 as well" MARK "$(first $inner 500 $outer 10.88.2.2 7000)"
	is "$where: and from 4500" MARK "$(first $inner 4500 $outer 10.88.2.2 7000)"
	is "$where: to port 500" MARK "$(first $outer 4000 $inner 10.88.1.2 500)"
	is "$where: IKE of others" MARK "$(first $inner 500 $outer 10.88.2.2 500)"
	is "$where: over IPv6 from port 500" MARK "$(first $inner 500 $outer fd88:2::2 7000)"
	is "$where: over IPv6 to port 4500" MARK "$(first $outer 4000 $inner fd88:1::2 4500)"
	is "$where: its own IKE passes" "TRIED TRIED" \
		"$(first $gate 500 $outer 10.88.2.2 500) $(first $outer 500 $gate 10.88.2.1 500)"
	is "$where: and nothing else to it" MARK "$(first $outer 500 $gate 10.88.2.1 501)"
	stop
done
