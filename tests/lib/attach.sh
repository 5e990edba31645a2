# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# For tests of how interfaces are attached: the lab of daemon.sh with a policy on
# b that only filters, and a stream of blocked packets each way that nobody may
# ever receive. Source it after daemon.sh.

udpflow=$O/tests/tools/udpflow
dptool=$O/tests/tools/dptool

attach_policy()
{
	cat >"$tmp/b/policy.yaml" <<-'Y'
		policy: attach
		filter-lists:
		  web: [{src: any, dst: me, proto: tcp, dst-port: 8080}]
		  telnet: [{src: any, dst: me, proto: tcp, dst-port: 23}]
		  knock: [{src: any, dst: me, proto: udp, dst-port: 2323}]
		  secret: [{src: me, dst: any, proto: udp, dst-port: 2424}]
		rules:
		  - {name: web, filter-list: web, action: permit}
		  - {name: telnet, filter-list: telnet, action: block}
		  - {name: knock, filter-list: knock, action: block}
		  - {name: secret, filter-list: secret, action: block}
	Y
}

# ARGUMENTS of the daemon on b; returns when it answers.
attach_start()
{
	nsenter --net="/run/netns/$lab-b" "$xipsecd" --instance "$lab-b" --policy "$tmp/b/policy.yaml" \
		--foreground "$@" >>"$tmp/b.log" 2>&1 </dev/null &
	daemon_b=$!
	pids="$pids $daemon_b"
	eventually 40 shows b status 'length == 1'
}

attach_kill() # SIGNAL
{
	kill "-$1" "$daemon_b"
	wait "$daemon_b" 2>/dev/null
}

# What show status says of an interface, as "STATE IN/OUT".
how()
{
	ask b show status --json |
		jq -r --arg name "$1" '.interfaces[] | select(.name == $name) | "\(.state) \(.in)/\(.out)"' |
		sed 's,dispatcher,native,'
}
is_how() { [ "$(how "$1")" = "$2" ]; }
why() { ask b show status --json | jq -r --arg name "$1" '.interfaces[] | select(.name == $name) | .why // ""'; }

# How often the filters of a rule were hit, both directions.
hits() { ask b show filters --json | jq -s --arg rule "$1" '[.[] | select(.rule == $rule) | .packets] | add // 0'; }

# Blocked packets both ways, all the time: to ADDRESS of b, and from b.
knock_start() # ADDRESS-OF-B
{
	nsenter --net="/run/netns/$lab-b" "$udpflow" serve "$1" 2323 100000 300 >"$tmp/in" 2>/dev/null &
	pids="$pids $!"
	nsenter --net="/run/netns/$lab-a" "$udpflow" serve 10.91.0.1 2424 100000 300 >"$tmp/out" 2>/dev/null &
	pids="$pids $!"
	eventually 30 grep -q listening "$tmp/in" && eventually 30 grep -q listening "$tmp/out" || return 1
	nsenter --net="/run/netns/$lab-a" "$udpflow" stream "$1" 2323 KNOCK 100000 5 >/dev/null 2>&1 &
	pids="$pids $!"
	# What TC egress drops comes back as an error, and ends the stream.
	nsenter --net="/run/netns/$lab-b" bash -c "while :; do '$udpflow' stream 10.91.0.1 2424 SECRET 1000 5; sleep 0.01; done" >/dev/null 2>&1 &
	pids="$pids $!"
}

arrived() { grep -c "$1" "$tmp/$2"; }
