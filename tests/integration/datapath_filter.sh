#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The BPF programs on a real link between two namespaces: what passes, what does
# not, what is counted and told; that the filters outlive whoever loaded them,
# through kill -9 and through a change of the program; that nothing foreign is
# replaced; and that a teardown leaves nothing behind.
set -u
cd "$(dirname "$0")/../.." || exit 1
O=${O:-.output}
PATH=$PATH:/usr/sbin:/sbin
tool=$O/tests/tools/dptool
flow=$O/tests/tools/tcpflow
id=$$
alice=dp-alice-$id bob=dp-bob-$id instance=dp$id
pins=/sys/fs/bpf/xipsec/$instance
tmp=$(mktemp -d)
n=0
pids=()

if [ "$(id -u)" != 0 ]; then echo "1..0 # SKIP needs root"; exit 0; fi

cleanup()
{
	for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
	on $bob "$tool" $instance teardown 2>/dev/null
	ip netns del $alice 2>/dev/null
	ip netns del $bob 2>/dev/null
	rm -rf "$tmp" "$pins"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Not for what goes to the background: its pid would be that of a shell around it.
# `ip netns exec` would hide /sys/fs/bpf.
on() { nsenter --net="/run/netns/$1" "${@:2}"; }
ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $1"; shift; for line; do echo "# $line"; done; }
# is WHAT EXPECTED SEEN
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected: $2" "seen: $3"; fi; }
# more WHAT BEFORE AFTER
more() { if [ "$3" -gt "$2" ]; then ok "$1 ($2 -> $3)"; else not_ok "$1" "was $2, is $3"; fi; }
# grows WHAT REASON: the count goes up while the sender is at work, however slow it is.
grows()
{
	local before

	before=$(counted "$2")
	for _ in $(seq 100); do
		[ "$(counted "$2")" -gt "$before" ] && break
		sleep 0.1
	done
	more "$1" "$before" "$(counted "$2")"
}
# holds WHAT COMMAND...
holds() { local what=$1; shift; if "$@" >"$tmp/out" 2>&1; then ok "$what"; else not_ok "$what" "$(head -c 300 "$tmp/out")"; fi; }

# until_line FILE TEXT [PID]: waits for a line while PID lives, at most 60 s (an
# emulated machine is slow).
until_line()
{
	for _ in $(seq 600); do
		grep -q "$2" "$1" 2>/dev/null && return 0
		[ -z "${3:-}" ] || kill -0 "$3" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}

# open_datapath: starts the holder of bob's datapath; $holder is its pid.
open_datapath()
{
	: >"$tmp/events"
	nsenter --net="/run/netns/$bob" "$tool" $instance run "$tmp/policy.yaml" 10.87.0.2 "$@" \
		>"$tmp/events" 2>"$tmp/err" &
	holder=$!
	pids+=($holder)
	until_line "$tmp/events" ^ready $holder
}

kill_holder() { kill -KILL "$holder"; wait "$holder" 2>/dev/null; }

# What the programs counted, read from the pinned map: works with and without a holder.
counted()
{
	bpftool -j map dump pinned $pins/xi_reasons |
		python3 -c 'import json, sys
print(sum(v["value"][sys.argv[1]]["packets"] for v in json.load(sys.stdin)[0]["formatted"]["values"]))' "$1"
}

# try PORT: a TCP connection from alice to bob, both transfers compared.
try()
{
	rm -f "$tmp/serve"
	nsenter --net=/run/netns/$bob "$flow" serve 10.87.0.2 "$1" MARK 20000 "${2:-15}" >"$tmp/serve" 2>&1 &
	local server=$!
	until_line "$tmp/serve" listening
	on $alice "$flow" fetch 10.87.0.2 "$1" MARK 20000 "${2:-15}" >"$tmp/fetch" 2>&1
	local rc=$?
	kill "$server" 2>/dev/null
	wait "$server" 2>/dev/null
	return $rc
}

for ns in $alice $bob; do
	ip netns add $ns
	ip -n $ns link set lo up
done
ip -n $alice link add wire type veth peer name wire netns $bob
ip -n $alice addr add 10.87.0.1/24 dev wire
ip -n $bob addr add 10.87.0.2/24 dev wire
ip -n $alice link set wire up
ip -n $bob link set wire up

cat >"$tmp/policy.yaml" <<-'Y'
	policy: bob
	main-mode:
	  methods: [aes128-sha1-modp2048]
	filter-lists:
	  web: [{src: any, dst: me, proto: tcp, dst-port: 8080}]
	  telnet: [{src: any, dst: me, proto: tcp, dst-port: 23}]
	  probe: [{src: any, dst: me, proto: udp, dst-port: 2323}]
	  database: [{src: any, dst: me, proto: tcp, dst-port: 5432}]
	  upstream: [{src: me, dst: 10.87.0.1, proto: tcp, dst-port: 6000}]
	filter-actions:
	  require:
	    negotiate:
	      methods: [{esp: aes128gcm16}]
	rules:
	  - {name: web, filter-list: web, action: permit}
	  - {name: telnet, filter-list: telnet, action: block}
	  - {name: probe, filter-list: probe, action: block}
	  - {name: database, filter-list: database, action: require, auth: [{psk-file: psk}]}
	  - {name: upstream, filter-list: upstream, action: require, auth: [{psk-file: psk}]}
Y
(umask 077 && echo secret >"$tmp/psk")

# ------------------------------------------------------------------- verdicts
if open_datapath wire; then
	ok "attached: $(head -n 1 "$tmp/events")"
else
	not_ok "attached" "$(cat "$tmp/err")"
fi
is "nothing was said without need" "" "$(grep -v '^warning: rule\|^state \|^note: IPv[46] fragments' "$tmp/err")"
holds "an XDP program is on the interface" sh -c "ip -n $bob -d link show wire | grep -q prog/xdp"

holds "a permitted port transfers both ways" try 8080
before=$(counted BLOCKED)
try 23 1
is "a blocked port is not reached" 3 $?
more "drops counted as blocked" "$before" "$(counted BLOCKED)"
before=$(counted CLEAR_INBOUND)
try 5432 1
is "a port that must be protected is not reached in clear" 3 $?
more "drops counted as clear-inbound" "$before" "$(counted CLEAR_INBOUND)"

nsenter --net=/run/netns/$alice tcpdump -i wire -n -p -U -w "$tmp/wire.pcap" 'tcp port 6000' >/dev/null 2>"$tmp/dump" &
dump=$!
pids+=($dump)
until_line "$tmp/dump" "listening on"
before=$(counted NO_WORKER)
on $bob "$flow" fetch 10.87.0.1 6000 MARK 100 1 >/dev/null 2>&1
is "outbound traffic without an SA does not connect" 3 $?
more "drops counted as no-worker" "$before" "$(counted NO_WORKER)"
kill $dump
wait $dump
is "and none of it was on the wire" 0 "$(tcpdump -r "$tmp/wire.pcap" 2>/dev/null | wc -l)"
holds "the daemon was asked for an SA" \
	grep -q "^event need-sa remote 10.87.0.1 proto 6 port 6000 generation 1" "$tmp/events"

# -------------------------------------------------------------------- reading
dump() { bpftool map dump pinned "$pins/$1"; }
holds "xi_local names what it holds" sh -c "bpftool map dump pinned $pins/xi_local | grep -q XI_LOCAL_ME"
holds "xi_filter names its actions" \
	sh -c "bpftool map dump pinned $pins/xi_filter | grep -q XI_ACT_NEGOTIATE"
holds "xi_counts tells packets by filter and CPU" \
	sh -c "bpftool map dump pinned $pins/xi_counts | grep -q '\"filter\"'"
holds "xi_ctl names its instance" sh -c "bpftool map dump pinned $pins/xi_ctl | grep -q '\"instance\"'"
unreadable=
for map in "$pins"/xi_*; do
	case ${map##*/} in
	xi_nf_ipv4 | xi_nf_ipv6 | xi_xdp_ingress | xi_tc_egress | xi_tc_inject | xi_tc_ingress | link_* | xi_events | xi_samples | xi_xsks) continue ;;
	esac
	bpftool -j map show pinned "$map" | grep -q btf_id || unreadable="$unreadable ${map##*/}"
done
is "every map that can have it has type information" "" "$unreadable"

# ------------------------------------------------------------------- survival
nsenter --net=/run/netns/$bob nc -u -l -k -n 10.87.0.2 2323 >"$tmp/leaked" 2>/dev/null &
pids+=($!)
( i=0
  while :; do
	i=$((i + 1)); echo "leak $i" >"$tmp/sent"
	echo "leak $i" | on $alice nc -u -n -w 0 10.87.0.2 2323
	sleep 0.05
  done ) 2>/dev/null &
sender=$!
pids+=($sender)
holds "the sender of blocked packets is at work" until_line "$tmp/sent" leak

holds "a second opener of the instance is refused" sh -c "! nsenter --net=/run/netns/$bob $tool $instance generation"
kill_holder
grows "after kill -9 it is still blocked" BLOCKED
holds "and what is permitted still passes" try 8080
try 5432 1
is "and what must be protected is still not reached in clear" 3 $?
before=$(counted BLOCKED)
holds "opened again" open_datapath wire
is "the list in force was counted on" 2 "$(dump xi_ctl | sed -n 's/.*"generation": \([0-9]*\).*/\1/p' | head -n 1)"
more "counters went on from where they were" $((before - 1)) "$(counted BLOCKED)"

kill_holder
xdp_id() { ip -n $bob -d link show wire | sed -n 's,.*prog/xdp id \([0-9]*\).*,\1,p' | head -n 1; }
old=$(xdp_id)
on $bob "$tool" $instance foreign
holds "opened with other programs than are attached" open_datapath wire
if [ "$(xdp_id)" != "$old" ]; then ok "they took over the interface"; else not_ok "they took over the interface"; fi
# tc_programs INTERFACE in|out: ours there, in either of the two ways
tc_programs()
{
	{ on $bob "$tool" - tcx "$1" "$2"; on $bob tc filter show dev "$1" "$([ $2 = in ] && echo ingress || echo egress)" 2>/dev/null; } | grep xi_tc_
}
is "with one TC program, not two" 1 "$(tc_programs wire out | wc -l)"
grows "and block" BLOCKED
holds "and permit" try 8080
kill $sender 2>/dev/null
wait $sender 2>/dev/null
is "of all that was sent meanwhile nothing arrived" "" "$(cat "$tmp/leaked")"

# -------------------------------------------------------------------- manners
ip -n $bob link add other type veth peer name other netns $alice
ip -n $bob link set other up
ip -n $alice link set other up
pass=/usr/lib/$(gcc -print-multiarch 2>/dev/null || echo x86_64-linux-gnu)/bpf/xsk_def_xdp_prog.o
if [ -e "$pass" ] && ip -n $bob link set dev other xdp obj "$pass" sec xdp 2>"$tmp/out"; then
	their=$(ip -n $bob -d link show other | sed -n 's,.*prog/xdp id \([0-9]*\).*,\1,p')
	kill_holder
	holds "attached beside someone else's XDP program" open_datapath wire other
	is "which is not replaced" "$their" \
		"$(ip -n $bob -d link show other | sed -n 's,.*prog/xdp id \([0-9]*\).*,\1,p')"
	is "what arrives is filtered at TC ingress then" tc "$(sed -n 's,^ready [^ ]* \([a-z]*\)/.*,\1,p' "$tmp/events")"
	holds "and a warning names it" grep -q "^other: warning: .*, id $their) is attached and does not share" "$tmp/err"
	ip -n $bob link set dev other xdp off
	kill_holder
	open_datapath wire other
	is "when it is gone, XDP is taken" native "$(sed -n 's,^ready [^ ]* \([a-z]*\)/.*,\1,p' "$tmp/events")"
	is "and TC ingress left" "" "$(tc_programs other in)"
else
	n=$((n + 1)); echo "ok $n - attached beside someone else's XDP program # SKIP none here to attach"
fi
[ -d "/proc/$holder" ] && kill_holder
ip -n $bob link add plain type bridge 2>/dev/null && ip -n $bob link set plain up
if ip -n $bob link show plain >/dev/null 2>&1; then
	open_datapath wire plain
	is "without native XDP it is generic" generic "$(sed -n 's,^ready [^ ]* \([a-z]*\)/.*,\1,p' "$tmp/events")"
	holds "and a warning says so" grep -q "^plain: warning: .*slower generic mode" "$tmp/err"
	kill_holder
else
	n=$((n + 1)); echo "ok $n - without native XDP it is generic # SKIP no bridge here"
fi

# ------------------------------------------------------------------- teardown
holds "teardown" on $bob "$tool" $instance teardown
is "no XDP program is left" "" "$(ip -n $bob -d link show | grep prog/xdp)"
is "no TC program is left" "" "$(tc_programs wire in; tc_programs wire out)"
is "no pin is left" "" "$(ls "$pins" 2>/dev/null)"
holds "everything is open again" try 23
holds "a second teardown finds nothing to do" on $bob "$tool" $instance teardown
echo "1..$n"
