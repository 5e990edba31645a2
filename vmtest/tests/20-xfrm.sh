#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Kernel ESP is there and carries traffic: the ground that the XFRM backend will
# stand on. Two namespaces, one static SA pair, AES-GCM-16 in transport mode.
set -u
a=xi-vm-a b=xi-vm-b
key=0x000102030405060708090a0b0c0d0e0f10111213
n=0
check() { n=$((n + 1)); if [ "$2" = 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi; }

ip netns add $a && ip netns add $b
ip link add va netns $a type veth peer name vb netns $b
check "veth pair in two namespaces" $?
side()
{
	local ns=$1 dev=$2 me=$3 peer=$4 out=$5 in=$6
	ip -n "$ns" addr add "$me/24" dev "$dev" && ip -n "$ns" link set "$dev" up || return 1
	ip -n "$ns" xfrm state add src "$me" dst "$peer" proto esp spi "$out" mode transport \
		aead 'rfc4106(gcm(aes))' $key 128 || return 1
	ip -n "$ns" xfrm state add src "$peer" dst "$me" proto esp spi "$in" mode transport \
		aead 'rfc4106(gcm(aes))' $key 128 || return 1
	ip -n "$ns" xfrm policy add src "$me" dst "$peer" dir out tmpl proto esp mode transport &&
		ip -n "$ns" xfrm policy add src "$peer" dst "$me" dir in tmpl proto esp mode transport
}
side $a va 192.0.2.1 192.0.2.2 0x1001 0x1002
check "ESP states and policies on the first host" $?
side $b vb 192.0.2.2 192.0.2.1 0x1002 0x1001
check "ESP states and policies on the second host" $?
ip netns exec $a ping -n -c 3 -i 0.2 -W 5 192.0.2.2
check "a ping goes through" $?
state=$(ip -n $b -s xfrm state)
sed 's/^/# /' <<<"$state"
grep -q '[^0-9]3(packets)' <<<"$state"
check "the receiving SA counted three packets" $?
ip netns del $a
ip netns del $b
echo "1..$n"
