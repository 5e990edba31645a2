#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Interfaces and addresses that come and go while the daemon runs, IPv6, and what
# a daemon finds that is started with other interfaces than the one before.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/daemon.sh
daemon_lab
plan 20

# The policies cover IPv6 as well.
for host in a b; do
	sed -i 's|10.91.0.0/24|[10.91.0.0/24, "fd91::/64"]|' "$tmp/$host/policy.yaml"
	ip -n "$lab-$host" addr add "fd91::$([ $host = a ] && echo 1 || echo 2)/64" dev eth0 nodad
done
# An address that is not b's yet, written out: seen from outside, both directions.
sed -i 's|^  web:$|  later:\n    - {src: any, dst: 10.91.0.77, proto: udp, dst-port: 9999}\n&|
	s|^  - {name: web,|  - {name: later, filter-list: later, action: permit}\n&|' "$tmp/b/policy.yaml"
daemon_start a && daemon_start b
ok "both daemons start"
rows() { shows b filters "[.[] | select(.rule == \"later\" and .local == \"10.91.0.77\" and .direction == \"$1\")] | length == $2"; }
rows out 1 && shows b filters '[.[] | select(.rule == "later" and .remote == "10.91.0.77")] | length > 0'
ok "an address that is not ours is filtered as a remote one too"

# ------------------------------------------------------------- IPv6
address() { [ "$1" = a ] && echo fd91::1 || echo fd91::2; }
capture_start
flow 5432 DATABASETAG
ok "the protected port works over IPv6"
flow 8080 WEBTAG
ok "the permitted port works over IPv6"
flow_fails 23 TELNETTAG
ok "the blocked port does not answer over IPv6"
capture_stop
equal "no clear packet of the protected port on the wire" 0 "$(captured ip6 and tcp portrange 5432-5433)"
[ "$(captured ip6 proto 50)" -gt 10 ]
ok "ESP on the wire instead"
shows a mm '.[0].peer == "fd91::2" and .[0].state == "established"'
ok "show mm names the IPv6 peer"

# ------------------------------------------------------------- addresses
address() { [ "$1" = a ] && echo 10.91.0.1 || echo 10.91.0.77; }
ip -n "$lab-b" addr add 10.91.0.77/24 dev eth0
eventually 30 flow_fails 23 TELNETTAG
ok "an address that was added is me: the blocked port does not answer there"
flow 5432 DATABASETAG
ok "and the protected port works there"

only_local() { shows b filters '[.[] | select(.rule == "later")] | length > 0 and ([.[].local == "10.91.0.77"] | all)'; }
eventually 30 only_local
ok "written out in the policy it counts as ours from now on"

# ------------------------------------------------------------- interfaces
kill "$daemon_b"
wait "$daemon_b"
start_later() # without waiting for all roles: one interface is not there
{
	nsenter --net="/run/netns/$lab-b" "$xipsecd" --instance "$lab-b" --policy "$tmp/b/policy.yaml" \
		--interface eth0 --interface late0 >>"$tmp/b.log" 2>&1 </dev/null &
	daemon_b=$!
	pids="$pids $daemon_b"
	eventually 20 shows b status 'length == 1'
}
start_later
ok "a daemon starts although an interface is not there yet"
attached() { shows b status "[.[0].interfaces[] | select(.name == \"$1\" and .xdp != null)] | length == 1"; }
! attached late0
ok "which is not attached"
ip -n "$lab-b" link add late0 type veth peer name late1
ip -n "$lab-b" link set late0 up
eventually 30 attached late0
ok "when it appears, it is"
worker() { shows b status '[.[0].interfaces[] | select(.name == "late0") | .worker != null] == [true]'; }
eventually 30 worker
ok "and gets a worker of its own"
ip -n "$lab-b" link del late0
gone() { ! attached late0; }
eventually 30 gone
ok "when it goes, show status says so"
flow_fails 23 TELNETTAG && eventually 20 flow 5432 DATABASETAG 3
ok "and the other one goes on"

# ------------------------------------------------------------- other interfaces
kill "$daemon_b"
wait "$daemon_b"
ip -n "$lab-b" link add other0 type veth peer name other1
ip -n "$lab-b" link set other0 up
nsenter --net="/run/netns/$lab-b" "$xipsecd" --instance "$lab-b" --policy "$tmp/b/policy.yaml" \
	--interface other0 >>"$tmp/b.log" 2>&1 </dev/null &
daemon_b=$!
pids="$pids $daemon_b"
let_go() { attached other0 && ! ip -n "$lab-b" -d link show eth0 | grep -q prog/xdp; }
eventually 20 let_go
ok "started with another interface, a daemon lets go of the one before"

# ------------------------------------------------------------- a start that fails
kill "$daemon_b"
wait "$daemon_b"
timeout 20 nsenter --net="/run/netns/$lab-b" "$xipsecd" --instance "$lab-b" --policy "$tmp/b/policy.yaml" \
	--interface other0 --interface lo >"$tmp/fails.out" 2>&1 </dev/null
equal "an interface that is named and cannot be filtered keeps the daemon from starting" 4 $?
grep -q "what is attached stays in force; xipsecd --teardown" "$tmp/fails.out" &&
	ip -n "$lab-b" -d link show other0 | grep -q prog/xdp
ok "what it attached is not taken away, and it says so"
exit $((failures > 0))
