#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# kill -9 of every role and then of the parent, with traffic under way and a
# capture running: what is blocked stays blocked, what must be protected is never
# seen in clear, and everything works again when the process is back.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/daemon.sh
daemon_lab
plan 34

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
"$xipsec" --instance "$lab-b" teardown
equal "teardown, from outside of the namespace, ends with exit code 0" 0 $?
flow 23 TELNETTAG
ok "and takes the filters away"
[ ! -e "/sys/fs/bpf/xipsec/$lab-b" ]
ok "with everything that was pinned"
[ ! -e "/run/xipsec/$lab-b" ]
ok "and what lay under /run"
exit $((failures > 0))
