#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Packets in pieces on a real link between two namespaces, in every order and with
# every trick that the RFCs on fragments warn of, IPv4 and IPv6: what is permitted
# arrives intact, what is blocked or must be protected does not arrive, however it
# was cut. Once with reassembly before the verdict, where the kernel has it, and
# once without.
set -u
cd "$(dirname "$0")/../.." || exit 1
O=${O:-.output}
PATH=$PATH:/usr/sbin:/sbin
tool=$O/tests/tools/dptool
flow=$O/tests/tools/fragflow
id=$$
alice=fr-alice-$id bob=fr-bob-$id carol=fr-carol-$id instance=fr$id
pins=/sys/fs/bpf/xipsec/$instance
tmp=$(mktemp -d)
n=0
pids=()
reassembles=no
COUNT=${XI_FRAG_COUNT:-400}
[ -z "${XI_QUICK:-}" ] || COUNT=100

if [ "$(id -u)" != 0 ]; then echo "1..0 # SKIP needs root"; exit 0; fi

cleanup()
{
	for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
	on $bob "$tool" $instance teardown 2>/dev/null
	for ns in $alice $bob $carol; do ip netns del $ns 2>/dev/null; done
	rm -rf "$tmp" "$pins"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

on() { nsenter --net="/run/netns/$1" "${@:2}"; }
ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $1"; shift; for line; do echo "# $line"; done; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected: $2" "seen: $3"; fi; }
more() { if [ "$3" -gt "$2" ]; then ok "$1 ($2 -> $3)"; else not_ok "$1" "was $2, is $3"; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }

until_line()
{
	for _ in $(seq 600); do
		grep -q "$2" "$1" 2>/dev/null && return 0
		[ -z "${3:-}" ] || kill -0 "$3" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}

counted()
{
	bpftool -j map dump pinned $pins/xi_reasons |
		jq --arg reason "$1" '[.[0].formatted.values[].value[$reason].packets] | add'
}

# open_datapath [NAME=VALUE...]: $holder holds bob's datapath, $reassembles is yes or no.
open_datapath()
{
	: >"$tmp/events"
	env "$@" nsenter --net="/run/netns/$bob" "$tool" $instance run "$tmp/policy.yaml" 10.88.0.2,fd88::2 wire \
		>"$tmp/events" 2>"$tmp/err" &
	holder=$!
	pids+=($holder)
	until_line "$tmp/events" ^ready $holder || return 1
	reassembles=no
	[ -e $pins/xi_nf_ipv4 ] && [ -e $pins/xi_nf_ipv6 ] && reassembles=yes
	return 0
}
close_datapath()
{
	kill -KILL "$holder"
	wait "$holder" 2>/dev/null
	on $bob "$tool" $instance teardown
}

# The ports of the policy: permitted, blocked, to be protected, named by no filter.
PORTS="5000 53 5432 6000"

# listen ADDR PORT...: waits until somebody listens; heard ends it.
listen()
{
	: >"$tmp/heard"
	nsenter --net=/run/netns/${host:-$bob} "$flow" recv "$1" 120 "${@:2}" >"$tmp/heard" 2>&1 &
	receiver=$!
	pids+=($receiver)
	until_line "$tmp/heard" listening $receiver
}
heard()
{
	sleep 0.3
	kill "$receiver"
	wait "$receiver" 2>/dev/null
}
# got PORT: intact datagrams; mangled ones are told as such.
got() { sed -n "s/^$1 intact \([0-9]*\) mangled 0$/\1/p; s/^$1 intact .* \(mangled .*\)/\1/p" "$tmp/heard"; }
intact() { sed -n "s/^$1 intact \([0-9]*\) .*/\1/p" "$tmp/heard"; }
mangled() { sed -n "s/^$1 .* mangled \([0-9]*\)$/\1/p" "$tmp/heard"; }

# send PORT OPTION...: from alice to bob, IPv4 or IPv6 by $v.
echo 1 >"$tmp/ident"
send()
{
	local ident

	read -r ident <"$tmp/ident"
	echo $((ident + 1)) >"$tmp/ident"
	on $alice "$flow" send wire "$mac" "${from:-${src[$v]}}" "${dst[$v]}" "$1" ident=$ident "${@:2}"
}
# once PORT OPTION...: what of one datagram arrives.
once()
{
	listen "${dst[$v]}" $PORTS
	send "$@"
	heard
	got "$1"
}

for ns in $alice $bob $carol; do
	ip netns add $ns
	ip -n $ns link set lo up
done
ip -n $alice link add wire type veth peer name wire netns $bob
for ns in $alice $bob; do
	on $ns sysctl -qw net.ipv6.conf.wire.accept_dad=0
	ip -n $ns link set wire up
done
ip -n $alice addr add 10.88.0.1/24 dev wire
ip -n $bob addr add 10.88.0.2/24 dev wire
ip -n $alice addr add fd88::1/64 dev wire nodad
ip -n $bob addr add fd88::2/64 dev wire nodad
mac=$(ip -n $bob -j link show wire | jq -r '.[0].address')
declare -A src=([4]=10.88.0.1 [6]=fd88::1) dst=([4]=10.88.0.2 [6]=fd88::2)

cat >"$tmp/policy.yaml" <<-'Y'
	policy: bob
	main-mode:
	  methods: [aes128-sha1-modp2048]
	filter-lists:
	  open:
	    - {src: any, dst: 10.88.0.2, proto: udp, dst-port: 5000}
	    - {src: any, dst: "fd88::2", proto: udp, dst-port: 5000}
	  shut:
	    - {src: any, dst: 10.88.0.2, proto: udp, dst-port: 53}
	    - {src: any, dst: "fd88::2", proto: udp, dst-port: 53}
	  hidden:
	    - {src: any, dst: 10.88.0.2, proto: udp, dst-port: 5432}
	    - {src: any, dst: "fd88::2", proto: udp, dst-port: 5432}
	  outlaws:
	    - {src: 10.88.9.0/24, dst: any}
	filter-actions:
	  require:
	    negotiate:
	      methods: [{esp: aes128gcm16}]
	rules:
	  - {name: open, filter-list: open, action: permit}
	  - {name: shut, filter-list: shut, action: block}
	  - {name: hidden, filter-list: hidden, action: require, auth: [{psk-file: psk}]}
	  - {name: outlaws, filter-list: outlaws, action: block}
Y
(umask 077 && echo secret >"$tmp/psk")

# each EXPECTED PORT "OPTIONS"...: one datagram for each, all in one go; with XI_FULL one by
# one, which says which one it was.
each()
{
	local expected=$1 port=$2 options

	shift 2
	if [ -z "${XI_FULL:-}" ]; then
		listen "${dst[$v]}" $PORTS
		# shellcheck disable=SC2086 # several options
		for options; do send $port $options; done
		heard
		is "$way: $# kinds of pieces to port $port: $([ "$expected" = 0 ] && echo none is a packet || echo all arrive)" $((expected * $#)) "$(got $port)"
		return
	fi
	for options; do
		# shellcheck disable=SC2086
		is "$way: ${options/#/to port $port: }" $expected "$(once $port $options)"
	done
}

# What holds in both ways of working. Port 53 is blocked, 5432 must be protected.
always()
{
	local before malformed

	before=$(counted BLOCKED)
	malformed=$(counted MALFORMED)
	each 1 5000 order=in size=60000
	each 0 53 order=in order=reverse order=swap what=again what=port what="again evil=5000" \
		what="port evil=5000" what=overlap "what=tiny size=1000"
	each 0 5432 order=in order=reverse order=swap
	# No kernel makes a packet of these, and nobody else is to.
	each 0 5000 what=hole what=nofirst what=beyond
	listen "${dst[$v]}" $PORTS
	send 5000 what=again
	send 5000 what=port
	heard
	is "$way: a second first piece does not make 53 of 5000" 0 "$(got 53)"
	if [ $v = 4 ]; then
		each 1 5000 "what=tiny size=1000"
	else # RFC 6946; 5722 and 8200: no header twice; 7112: all of them in the first piece
		each 1 5000 "what=atomic size=900"
		each 0 53 "what=atomic size=900" what=lie "what=lie order=reverse"
		each 0 5000 what=nested "what=hidden size=1000"
	fi
	more "$way: pieces of a blocked datagram are counted as blocked" "$before" "$(counted BLOCKED)"
	more "$way: and absurd ones as malformed" "$malformed" "$(counted MALFORMED)"
}

# Random cuts, orders, copies, holes and overlaps.
storm()
{
	local clean dirty arrived seen

	listen "${dst[$v]}" $PORTS
	on $alice "$flow" fuzz wire "$mac" "${src[$v]}" "${dst[$v]}" "$1" "$COUNT" $PORTS >"$tmp/sent"
	heard
	for port in 53 5432; do
		is "$way: storm $1: nothing comes to port $port ($(sed -n "s/^$port //p" "$tmp/sent"))" 0 "$(got $port)"
	done
	for port in 5000 6000; do
		clean=$(sed -n "s/^$port clean \([0-9]*\) .*/\1/p" "$tmp/sent")
		dirty=$(sed -n "s/^$port .* dirty \([0-9]*\)/\1/p" "$tmp/sent")
		arrived=$(intact $port)
		seen="$arrived intact and $(mangled $port) mangled of $clean clean and $dirty spoilt ones"
		if [ "$arrived" -gt $((clean + dirty)) ] || [ "$(mangled $port)" -gt "$dirty" ] ||
			{ [ "$reassembles" = yes ] && [ "$arrived" -lt "$clean" ]; }; then
			not_ok "$way: storm $1: what is permitted on port $port" "$seen"
		else
			ok "$way: storm $1: $seen came to port $port"
		fi
	done
}

# ------------------------------------------------------ reassembly before the verdict
open_datapath || not_ok "attached" "$(cat "$tmp/err")"
if [ "$reassembles" = yes ]; then
	is "nothing was said without need" "" "$(grep -v '^warning: rule\|^state ' "$tmp/err")"
	for v in 4 6; do
		way="IPv$v"
		always
		each 1 5000 order=reverse order=swap "order=reverse size=60000"
		storm 1
		[ -n "${XI_QUICK:-}" ] || storm 2
	done
	v=4
	way=IPv4
	before=$(counted REASSEMBLY)
	once 5000 >/dev/null
	more "$way: pieces that went up are counted" "$before" "$(counted REASSEMBLY)"
	is "$way: the verdict is counted once for the datagram" 1 "$(
		hits() { bpftool -j map dump pinned $pins/xi_totals |
			jq '[.[0].formatted.values[].value.in_permit.packets] | add'; }
		a=$(hits); once 5000 >/dev/null; echo $(($(hits) - a)))"

	# A sender that a rule without ports blocks leaves nothing in the kernel's reassembly,
	# but for UDP, of which it might be IKE.
	before=$(counted REASSEMBLY)
	from=10.88.9.9
	send 5000 order=reverse proto=6
	from=
	is "$way: no piece of TCP of a blocked host goes up" "$before" "$(counted REASSEMBLY)"

	# lo carries fragments too, and no policy applies there.
	ip -n $bob link set lo mtu 1500
	listen 10.88.0.2 53
	on $bob python3 -c 'import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x" * 4000, ("10.88.0.2", 53))'
	heard
	is "what the host sends to itself in pieces is not judged" "53 intact 0 mangled 1" \
		"$(grep ^53 "$tmp/heard")"
	before=$(counted FRAGMENT)
	listen 10.88.0.2 $PORTS
	from=10.88.0.2
	send 5000
	from=
	heard
	more "a piece from outside that says it is from this host is dropped" "$before" "$(counted FRAGMENT)"

	# An interface that is not ours: free, unless a piece came by ours.
	ip -n $alice link add side type veth peer name side netns $bob
	ip -n $alice link set side up
	ip -n $bob link set side up
	on $bob sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.side.rp_filter=0 net.ipv4.conf.wire.rp_filter=0
	sidemac=$(ip -n $bob -j link show side | jq -r '.[0].address')
	on $alice sysctl -qw net.ipv4.conf.all.rp_filter=0
	side() { on $alice "$flow" send side "$sidemac" "$1" 10.88.0.2 "${@:2}"; }
	listen 10.88.0.2 $PORTS
	side 10.88.0.77 53 ident=7
	heard
	is "over an interface without xipsec a blocked port is open" 1 "$(got 53)"
	listen 10.88.0.2 $PORTS
	on $alice "$flow" send wire "$mac" 10.88.0.78 10.88.0.2 53 ident=8 what=nofirst
	side 10.88.0.78 53 ident=8 cut=1400 what=hole
	heard
	is "but not for a datagram of which a piece came by ours" 0 "$(got 53)"

	# What leaves the interface sideways is not held for a hook that it never meets.
	ip -n $bob link add link wire name mv type macvlan mode bridge
	ip -n $bob link set mv netns $carol
	ip -n $carol addr add 10.88.0.3/24 dev mv
	ip -n $carol link set mv up
	mvmac=$(ip -n $carol -j link show mv | jq -r '.[0].address')
	host=$carol listen 10.88.0.3 $PORTS
	on $alice "$flow" send wire "$mvmac" 10.88.0.1 10.88.0.3 5000 ident=9
	before=$(counted REASSEMBLY)
	on $alice "$flow" send wire "$mvmac" 10.88.0.1 10.88.0.3 5000 ident=10 order=reverse
	heard
	is "a macvlan of another namespace gets no undecided piece" "$before" "$(counted REASSEMBLY)"
	ip -n $carol link del mv

	# The links outlive whoever made them, and a new daemon has new ones.
	kill -KILL "$holder"
	wait "$holder" 2>/dev/null
	is "after kill -9: last piece first" 1 "$(once 5000 order=reverse)"
	is "after kill -9: to a blocked port" 0 "$(once 53 order=reverse)"
	open_datapath || not_ok "opened again" "$(cat "$tmp/err")"
	is "opened again: last piece first" 1 "$(once 5000 order=reverse)"
	is "opened again: to a blocked port" 0 "$(once 53 order=reverse)"
else
	skip "reassembly before the verdict" "kernel $(uname -r) has no defragmenting netfilter links"
	if grep -q "fragments are not put together before the verdict" "$tmp/err"; then
		ok "the lack of it is told"
	else
		not_ok "the lack of it is told" "$(cat "$tmp/err")"
	fi
fi
close_datapath

# ---------------------------------------------------------------------- without it
if [ "${XI_SET:-all}" = some ] && [ "$reassembles" = yes ]; then
	skip "without it" "runs on the oldest kernel, which has nothing else"
else
	if ! open_datapath XI_NO_REASSEMBLY=1; then
		not_ok "attached without reassembly" "$(cat "$tmp/err")"
	fi
	is "no netfilter link is there" no "$reassembles"
	for v in 4 6; do
		way="IPv$v alone"
		always
		is "$way: pieces that overtake the first one are lost where ports decide" 0 "$(once 5000 order=reverse)"
		storm 3
	done
	close_datapath
fi
is "nothing is left" "" "$(ls "$pins" 2>/dev/null)"
echo "1..$n"
