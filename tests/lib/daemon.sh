# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# For integration tests of the daemon: two hosts in namespaces, a bridge between
# them that is captured, a policy each, and TAP output. Source it, then call
# daemon_lab; everything is taken away at the end.
#
# Frames that AF_XDP sends are not seen on the sending interface, and those that
# XDP takes not on the receiving one; the bridge's ports see both.

O=${O:-.output}
xipsec=$O/xipsec
xipsecd=$O/xipsecd
tcpflow=$O/tests/tools/tcpflow
count=0
failures=0
lab=dmn$$
tmp=
pids=
nap=0.1
[ "${XI_SLOW:-1}" -eq 1 ] || nap=0.5

plan() { echo "1..$1"; }

ok() # NAME: the last command decides
{
	local rc=$?
	count=$((count + 1))
	if [ $rc -eq 0 ]; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		failures=$((failures + 1))
		[ -n "$tmp" ] && tail -n 4 "$tmp"/*.log 2>/dev/null | sed 's/^/# /'
	fi
	return 0
}

equal() # NAME EXPECTED SEEN
{
	[ "$2" = "$3" ] || echo "# expected '$2', seen '$3'"
	[ "$2" = "$3" ]
	ok "$1"
}

# Tries again until it holds: a bound for a broken run, not a measurement. XI_SLOW=N makes it
# N times as long (emulated CPUs), and asks less often: what is waited for needs the same CPU.
eventually() # SECONDS COMMAND...
{
	local until=$((SECONDS + $1 * ${XI_SLOW:-1}))
	shift
	while [ $SECONDS -lt $until ]; do
		"$@" && return 0
		sleep "$nap"
	done
	return 1
}

on() # HOST COMMAND...
{
	local host=$1
	shift
	nsenter --net="/run/netns/$lab-$host" "$@"
}

ask() # HOST ARGUMENTS... of xipsec
{
	local host=$1
	shift
	"$xipsec" --instance "$lab-$host" "$@"
}

# HOST VIEW EXPRESSION: the expression over the array of objects that show prints is true.
shows()
{
	local seen
	seen=$(ask "$1" show "$2" --json 2>/dev/null) && [ -n "$seen" ] &&
		jq -s -e "$3" >/dev/null 2>&1 <<<"$seen"
}

role_pid() { ask "$1" show status --json | jq -r ".roles[] | select(.role == \"$2\") | .pid // empty"; }

# All roles that the policy needs are up, the worker included.
is_up()
{
	shows "$1" status '.[0] | ([.roles[].ready] | all) and ([.interfaces[].worker != null] | all)'
}

daemon_start() # HOST [ARGUMENT]...
{
	local host=$1
	shift
	nsenter --net="/run/netns/$lab-$host" "$xipsecd" --instance "$lab-$host" \
		--policy "$tmp/$host/policy.yaml" --interface eth0 --foreground "$@" \
		>>"$tmp/$host.log" 2>&1 </dev/null &
	eval "daemon_$host=$!"
	eval "pids=\"\$pids \$daemon_$host\""
	eventually 20 is_up "$host"
}

address() { [ "$1" = a ] && echo 10.91.0.1 || echo 10.91.0.2; }

# Moves BYTES both ways between a client on a and a server on b; 0 = identical.
flow() # PORT TAG [SECONDS]
{
	local server rc seconds=${3:-$((15 * ${XI_SLOW:-1}))}
	: >"$tmp/serve.out"
	on b "$tcpflow" serve "$(address b)" "$1" "$2" 100000 "$seconds" >"$tmp/serve.out" 2>&1 &
	server=$!
	eventually 20 grep -q listening "$tmp/serve.out"
	on a "$tcpflow" fetch "$(address b)" "$1" "$2" 100000 "$seconds" >"$tmp/fetch.out" 2>&1
	rc=$?
	[ $rc -eq 0 ] || kill $server 2>/dev/null
	wait $server 2>/dev/null
	return $rc
}

# A listener is there, so that only the filter keeps the connection from coming about.
flow_fails() # PORT TAG
{
	flow "$1" "$2" 1
	[ $? -eq 3 ]
}

capture_start()
{
	nsenter --net="/run/netns/$lab-w" tcpdump -i to-a -s 128 -U --immediate-mode -B 16384 -Z root \
		-w "$tmp/wire.pcap" >/dev/null 2>"$tmp/tcpdump.out" </dev/null &
	capture=$!
	pids="$pids $capture"
	eventually 30 grep -q 'listening on' "$tmp/tcpdump.out"
}

capture_stop()
{
	sleep 1 # what is still in its ring
	kill -INT "$capture"
	wait "$capture" 2>/dev/null
}

# A capture with holes proves nothing: then this is no number.
captured()
{
	grep -q '^0 packets dropped by kernel' "$tmp/tcpdump.out" ||
		{ echo "the capture lost packets"; return; }
	tcpdump -nn -r "$tmp/wire.pcap" "$@" 2>/dev/null | wc -l
}

daemon_clean()
{
	trap - EXIT INT TERM
	for pid in $pids; do
		kill "$pid" 2>/dev/null
	done
	for pid in $pids; do
		wait "$pid" 2>/dev/null
	done
	for host in a b; do
		[ -e "/run/netns/$lab-$host" ] &&
			on "$host" "$xipsecd" --teardown --instance "$lab-$host" >/dev/null 2>&1
		rm -rf "/run/xipsec/$lab-$host"
	done
	for host in a b w; do
		ip netns del "$lab-$host" 2>/dev/null
	done
	[ -n "$tmp" ] && rm -rf "$tmp"
}

policy() # HOST: the same protected ports, seen from either side
{
	mkdir -p "$tmp/$1"
	echo "a secret that two hosts share" >"$tmp/$1/psk"
	chmod 600 "$tmp/$1/psk"
	cat >"$tmp/$1/policy.yaml" <<-EOF
		policy: lab-$1
		main-mode:
		  methods: [aes256-sha256-modp2048]
		filter-lists:
		  web:
		    - {src: any, dst: me, proto: tcp, dst-port: 8080}
		  telnet:
		    - {src: any, dst: me, proto: tcp, dst-port: 23}
		  database:
		    - {src: $([ "$1" = a ] && echo me || echo 10.91.0.0/24), dst: $([ "$1" = a ] && echo 10.91.0.0/24 || echo me), proto: tcp, dst-port: 5432-5433}
		filter-actions:
		  require:
		    negotiate:
		      methods:
		        - {esp: aes128gcm16}
		rules:
		  - {name: web, filter-list: web, action: permit}
		  - {name: telnet, filter-list: telnet, action: block}
		  - {name: database, filter-list: database, action: require, auth: [{psk-file: psk}]}
	EOF
}

daemon_lab()
{
	if [ "$(id -u)" != 0 ]; then
		echo "1..0 # SKIP needs root"
		exit 0
	fi
	for tool in ip nsenter tcpdump jq "$xipsec" "$xipsecd" "$tcpflow" "$O/tests/tools/ctlask"; do
		command -v "$tool" >/dev/null || {
			echo "1..0 # SKIP needs $tool"
			exit 0
		}
	done
	trap daemon_clean EXIT
	trap 'exit 130' INT TERM
	tmp=$(mktemp -d)
	for host in a b w; do
		ip netns add "$lab-$host" || exit 1
		ip -n "$lab-$host" link set lo up
	done
	ip -n "$lab-w" link add br0 type bridge forward_delay 0
	ip -n "$lab-w" link set br0 up
	for host in a b; do
		ip -n "$lab-$host" link add eth0 type veth peer name "to-$host" netns "$lab-w"
		ip -n "$lab-w" link set dev "to-$host" master br0 up
		ip -n "$lab-$host" link set eth0 up
		ip -n "$lab-$host" addr add "$(address $host)/24" dev eth0
		policy $host
	done
}
