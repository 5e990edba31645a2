#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Interfaces by glob that come, change their names and go, also while the daemon is
# dead, and addresses that come and go on several interfaces: with packets, not by
# what the daemon says alone. Prints how long each took; only that it came about is
# judged.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/daemon.sh
. tests/lib/attach.sh
daemon_lab
attach_policy
plan 27
pins=/sys/fs/bpf/xipsec/$lab-b

soon() # WHAT COMMAND...: until it holds, and how long that took
{
	local what=$1 t0
	shift
	t0=$(date +%s%N)
	eventually 20 "$@"
	ok "$what"
	echo "# after $((($(date +%s%N) - t0) / 1000000)) ms"
}
known() { ask b show status --json | jq -e --arg name "$1" '[.interfaces[].name] | index($name) != null' >/dev/null; }
unknown() { ! known "$1"; }
filtered() { how "$1" | grep '^filtered' >/dev/null; }
index_of() { on b cat "/sys/class/net/$1/ifindex" 2>/dev/null || ip -n "$lab-b" -o link show "$1" | cut -d: -f1; }
plug() # NAME: a cable from b to a, down on b's side
{
	ip -n "$lab-b" link add "$1" type veth peer name "$1" netns "$lab-a" && ip -n "$lab-a" link set "$1" up
}

attach_start --interface 'eth*' --interface '!eth9' --interface named0
filtered eth0
ok "what is there at the start is filtered"
shows b status '.[0].interfaces[] | select(.name == "named0") | .state == "not there"'
ok "what is named in full and not there is shown as that"

# ------------------------------------------------------------------ coming
plug eth1
ip -n "$lab-a" addr add 10.92.0.1/24 dev eth1
soon "one that appears is filtered before it is up" filtered eth1
ip -n "$lab-b" addr add 10.92.0.2/24 dev eth1
soon "its address is me" sh -c "bpftool map dump pinned $pins/xi_local | grep '10, *92, *0, *2\|0x0a,0x5c,0x00,0x02' >/dev/null"
ip -n "$lab-a" neigh add 10.92.0.2 lladdr "$(ip -n "$lab-b" -j link show eth1 | jq -r '.[0].address')" dev eth1
nsenter --net="/run/netns/$lab-b" "$udpflow" serve 10.92.0.2 2323 100000 300 >"$tmp/in" 2>/dev/null &
pids="$pids $!"
eventually 20 grep -q listening "$tmp/in"
nsenter --net="/run/netns/$lab-a" "$udpflow" stream 10.92.0.2 2323 KNOCK 100000 2 >/dev/null 2>&1 &
pids="$pids $!"
before=$(hits knock)
ip -n "$lab-b" link set eth1 up
more() { [ "$(hits knock)" -gt $((before + 50)) ]; }
soon "blocked packets meet the filters" more
equal "from the first packet on" 0 "$(arrived KNOCK in)"
plug eth9
ip -n "$lab-b" link set eth9 up
plug named0
soon "one that is named in full comes" filtered named0
unknown eth9
ok "an excluded one is left alone"

# ----------------------------------------------------------------- renaming
index=$(ip -n "$lab-b" -j link show eth1 | jq '.[0].ifindex')
rename() { ip -n "$lab-b" link set "$1" down && ip -n "$lab-b" link set "$1" name "$2" && ip -n "$lab-b" link set "$2" up; }
rename eth1 eth7
soon "under another name that matches it is known by that" filtered eth7
unknown eth1
ok "and not by the old one"
before=$(hits knock)
soon "and goes on filtering" more
equal "without a gap" 0 "$(arrived KNOCK in)"
rename eth7 wan7
soon "under a name that does not match it is let go" unknown eth7
through() { [ "$(arrived KNOCK in)" -gt 0 ]; }
soon "so that packets pass" through
! ls "$pins" | grep "_$index\$" >/dev/null
ok "and nothing of it is pinned"

# -------------------------------------------------------------------- many
for i in 21 22 23 24 25 26; do
	ip -n "$lab-b" link add eth$i type veth peer name peer$i && ip -n "$lab-b" link set eth$i up
done
six() { [ "$(ask b show status --json | jq '[.interfaces[] | select(.name | test("^eth2[1-6]$")) | select(.state == "filtered")] | length')" = 6 ]; }
soon "six at once" six
for i in 21 22 23 24 25 26; do ip -n "$lab-b" link del eth$i; done
none() { ! ask b show status --json | jq -r '.interfaces[].name' | grep '^eth2' >/dev/null; }
soon "gone at once" none
links_left() { ls "$pins" | grep -c '^link_'; }
equal "with what was pinned for them" "$(on b "$dptool" - tcx eth0 out >/dev/null 2>&1 && echo 2 || echo 0)" "$(links_left)"

# --------------------------------------------------------------- addresses
mac=$(ip -n "$lab-b" -j link show eth0 | jq -r '.[0].address')
for address in 10.91.0.77 10.93.0.1; do
	ip -n "$lab-a" route add $address dev eth0 2>/dev/null
	ip -n "$lab-a" neigh add $address lladdr "$mac" dev eth0
done
# Twenty packets to an address: does the filter for `me` count them?
is_me()
{
	local before

	before=$(hits knock)
	on a "$udpflow" stream "$1" 2323 TRY 20 1 >/dev/null 2>&1
	[ "$(hits knock)" -ge $((before + 20)) ]
}
not_me() { ! is_me "$1"; }
not_me 10.91.0.77 && not_me 10.93.0.1
ok "two addresses are not ours yet"
ip -n "$lab-b" addr add 10.91.0.77/24 dev eth0
soon "one that is added to the interface is me" is_me 10.91.0.77
ip -n "$lab-b" addr add 10.93.0.1/32 dev lo
soon "one on the loopback interface as well" is_me 10.93.0.1
ip -n "$lab-b" addr del 10.91.0.77/24 dev eth0
soon "when it is taken away it is not" not_me 10.91.0.77
is_me 10.93.0.1
ok "and the other one still is"
ip -n "$lab-b" addr add fd93::7/128 dev named0
soon "an IPv6 address on another interface" sh -c "bpftool -j map dump pinned $pins/xi_local | grep '\"0xfd\",\"0x93\"' >/dev/null"

# --------------------------------------------------- while nobody is looking
attach_kill KILL
old=$(ip -n "$lab-b" -j link show named0 | jq '.[0].ifindex')
ip -n "$lab-b" link del named0
plug named0
attach_start --interface 'eth*' --interface '!eth9' --interface named0
soon "one that was replaced while the daemon was dead" filtered named0
! ls "$pins" | grep "_$old\$" >/dev/null
ok "and what was pinned for the old one is gone"
flow 8080 WEBTAG && flow_fails 23 TELNETTAG
ok "the first interface filters as ever"
exit $((failures > 0))
