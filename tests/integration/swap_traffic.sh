#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Two policies that differ in every verdict and in size, changed as fast as they
# can be while packets arrive on a real link: each packet meets one of them, none
# is lost to the change. One of each pair of datagrams is permitted by either
# policy, so both can arrive only if a change fell between them.
set -u
cd "$(dirname "$0")/../.." || exit 1
O=${O:-.output}
PATH=$PATH:/usr/sbin:/sbin
tool=$O/tests/tools/dptool
pairs=$O/tests/tools/udppairs
id=$$
alice=swap-alice-$id bob=swap-bob-$id instance=swap$id
tmp=$(mktemp -d)
n=0
pids=()

if [ "$(id -u)" != 0 ]; then echo "1..0 # SKIP needs root"; exit 0; fi

cleanup()
{
	for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
	nsenter --net="/run/netns/$bob" "$tool" $instance teardown 2>/dev/null
	ip netns del $alice 2>/dev/null
	ip netns del $bob 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $1"; shift; for line; do echo "# $line"; done; }
holds() { if test "$2" "$3" "$4"; then ok "$1 ($2 $3 $4)"; else not_ok "$1" "$2 $3 $4"; fi; }
until_line() { for _ in $(seq 200); do grep -q "$2" "$1" && return 0; sleep 0.1; done; return 1; }
word() { awk -v w="$2" '{ for (i = 1; i < NF; i++) if ($i == w) print $(i + 1) }' "$1" | tail -n 1; }

# policy PERMITTED BLOCKED MORE
policy()
{
	printf 'policy: p%s\nfilter-lists:\n  pass:\n    - {src: any, dst: me, proto: udp, dst-port: %s}\n' "$1" "$1"
	printf '  drop:\n    - {src: any, dst: me, proto: udp, dst-port: %s}\n  more:\n' "$2"
	seq 0 "$3" | awk '{ printf "    - {src: 172.%d.%d.%d, dst: me, proto: tcp, mirrored: false}\n", 16 + $1 / 65536, $1 / 256 % 256, $1 % 256 }'
	printf 'rules:\n  - {name: pass, filter-list: pass, action: permit}\n'
	printf '  - {name: drop, filter-list: drop, action: block}\n  - {name: more, filter-list: more, action: block}\n'
}
policy 7001 7002 5 >"$tmp/small.yaml"
policy 7002 7001 "${XI_SWAP_FILTERS:-100000}" >"$tmp/large.yaml"

ip netns add $alice && ip netns add $bob
ip link add wire netns $bob type veth peer name wire netns $alice
ip -n $alice addr add 10.88.0.1/24 dev wire
ip -n $bob addr add 10.88.0.2/24 dev wire
ip -n $alice link set wire up
ip -n $bob link set wire up

nsenter --net="/run/netns/$bob" "$pairs" recv 10.88.0.2 2000 >"$tmp/recv" 2>&1 &
receiver=$!
pids+=($receiver)
until_line "$tmp/recv" listening
nsenter --net="/run/netns/$bob" "$tool" $instance flip "$tmp/small.yaml" "$tmp/large.yaml" 10.88.0.2 wire \
	"${XI_SWAP_MS:-4000}" >"$tmp/flip" 2>"$tmp/err" &
flipper=$!
pids+=($flipper)
if until_line "$tmp/flip" ready; then ok "the policies are compiled and the link is filtered"; else
	not_ok "the policies are compiled and the link is filtered" "$(cat "$tmp/err")"
fi
nsenter --net="/run/netns/$alice" "$pairs" send 10.88.0.2 $((${XI_SWAP_MS:-4000} - 1000)) >"$tmp/send" 2>&1
wait $flipper
wait $receiver

sent=$(word "$tmp/send" sent)
swaps=$(word "$tmp/flip" swaps)
permitted=$(word "$tmp/flip" permitted)
blocked=$(word "$tmp/flip" blocked)
# The link's own queue: what does not fit there no program ever sees.
link=$(($(ip -n $alice -s -j link show wire | jq '.[0].stats64.tx.dropped') +
	$(ip -n $bob -s -j link show wire | jq '.[0].stats64.rx.dropped')))
echo "# $swaps changes, $sent sent, $permitted permitted, $blocked blocked, link dropped $link"
sed 's/^/# /' "$tmp/recv"
holds "the list changed often" "${swaps:-0}" -ge 10
holds "while many packets arrived" "${sent:-0}" -ge 1000
holds "all that were sent were permitted or blocked" $((permitted + blocked + link)) -eq "${sent:-0}"
holds "none met no list" "$(word "$tmp/flip" refused)" -eq 0
holds "all that were permitted arrived" \
	$(($(word "$tmp/recv" received) + $(word "$tmp/recv" overflow))) -eq "$permitted"
holds "some of each kind" "$((permitted < blocked ? permitted : blocked))" -ge 100
# On one CPU after the other, a change parts one pair at most.
holds "both of a pair arrived no more often than the list changed" "$(word "$tmp/recv" both)" -le "$swaps"
echo "1..$n"
