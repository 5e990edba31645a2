#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# kill -9 of every role and then of the parent, with traffic under way and a
# capture running: what is blocked stays blocked, what must be protected is never
# seen in clear, and everything works again when the process is back. What was
# left in force belongs to its network namespace, and is not taken over from another.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/daemon.sh
daemon_lab
plan 43

daemon_start a && daemon_start b
ok "both daemons start"
capture_start

# Somebody who keeps knocking at the other protected port all the time.
nsenter --net="/run/netns/$lab-a" bash -c "while :; do '$tcpflow' fetch 10.91.0.2 5433 RESTLESS 1000 1; done" \
	>/dev/null 2>&1 &
restless=$!
pids="$pids $restless"

flow 5432 DATABASETAG
ok "the protected port works"

works_again() { flow 5432 DATABASETAG 3; }
changed() { [ "$(role_pid "$1" "$2")" != "$3" ] && is_up "$1"; }
for host in a b; do
	for role in keys ike esp; do
		pid=$(role_pid $host $role)
		kill -9 "$pid"
		flow_fails 23 TELNETTAG
		ok "$role of $host killed: the blocked port stays blocked"
		eventually 20 changed $host $role "$pid"
		ok "it is started again"
		eventually 30 works_again
		ok "and the protected port works"
	done
done
shows a status '.[0] | [.roles[] | select(.role != "parent") | .restarts] == [1, 1, 1]'
ok "show status counts the restarts"

# ------------------------------------------------------------- the parent
children=$(for role in keys ike esp; do role_pid b $role; done)
{ kill -9 "$daemon_b" && wait "$daemon_b"; } 2>/dev/null
none_left() { for pid in $children; do [ ! -e "/proc/$pid" ] || return 1; done; }
eventually 30 none_left
ok "parent of b killed: its children end"
ask b show >/dev/null 2>&1
equal "show says that nobody is there" 3 $?
flow_fails 23 TELNETTAG && flow 8080 WEBTAG && flow_fails 5432 DATABASETAG
ok "the filters stay in force: blocked, permitted, protected traffic dropped"
daemon_start b
ok "a new daemon starts and takes over what is there"
eventually 60 works_again
ok "and the protected port works again"

kill "$restless"
capture_stop
equal "in all that time no clear packet of the protected ports was on the wire" 0 \
	"$(captured tcp portrange 5432-5433)"
equal "and the blocked port never answered" 0 "$(captured tcp src port 23)"

# ------------------------------------------------------------- the end
kill -TERM "$daemon_b"
wait "$daemon_b"
equal "an orderly stop ends with exit code 0" 0 $?
flow_fails 23 TELNETTAG && flow_fails 5432 DATABASETAG
ok "it leaves the filters in force"

# ------------------------------------------------------ in another namespace
timeout 60 nsenter --net="/run/netns/$lab-a" "$xipsecd" --instance "$lab-b" \
	--policy "$tmp/b/policy.yaml" --interface eth0 --foreground >"$tmp/elsewhere.log" 2>&1 </dev/null
equal "a daemon of that name in another namespace is refused" 1 $?
grep -q "instance '$lab-b' filters another network namespace" "$tmp/elsewhere.log" &&
	grep -q -e "--instance" "$tmp/elsewhere.log" && grep -q teardown "$tmp/elsewhere.log" &&
	[ "$(wc -l <"$tmp/elsewhere.log")" = 1 ]
ok "in one sentence that names the ways out"
flow_fails 23 TELNETTAG && flow 8080 WEBTAG
ok "and the filters are as they were"
"$xipsec" --instance "$lab-b" teardown
equal "teardown, from outside of the namespace, ends with exit code 0" 0 $?
flow 23 TELNETTAG
ok "and takes the filters away"
[ ! -e "/sys/fs/bpf/xipsec/$lab-b" ]
ok "with everything that was pinned"
[ ! -e "/run/xipsec/$lab-b" ]
ok "and what lay under /run"

# The namespace is deleted with the filters in it: the name is free again. The number that eth0
# had there is that of an interface here that is not to be filtered.
number() { on "$1" cat /proc/net/igmp | awk '$2 == "eth0" {print $1}'; }
was=$(number a)
kill -TERM "$daemon_a"
wait "$daemon_a"
ip netns del "$lab-a"
[ -e "/sys/fs/bpf/xipsec/$lab-a/xi_ctl" ] && [ -n "$was" ] && [ "$was" = "$(number b)" ]
ok "a namespace is deleted, and what was pinned for it is there"
ip -n "$lab-b" link add eth9 up type veth peer name peer9
ip -n "$lab-b" link set peer9 up
nsenter --net="/run/netns/$lab-b" "$xipsecd" --instance "$lab-a" --policy "$tmp/a/policy.yaml" \
	--interface eth9 --foreground >"$tmp/moved.log" 2>&1 </dev/null &
daemon_a=$!
pids="$pids $daemon_a"
filtered() { ip -n "$lab-b" link show "$1" | grep -q xdp; }
moved_up() { is_up a && filtered eth9; }
eventually 20 moved_up
ok "a daemon of that name starts in another one"
! grep "eth0" "$tmp/moved.log"
ok "and does not take interfaces of the same number for its own"
kill -TERM "$daemon_a"
wait "$daemon_a"
equal "it ends with exit code 0" 0 $?
ask a teardown && ! filtered eth9
ok "teardown goes to where it was started last"
[ ! -e "/sys/fs/bpf/xipsec/$lab-a" ]
ok "and leaves nothing pinned"
exit $((failures > 0))
