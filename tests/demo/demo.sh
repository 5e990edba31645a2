#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The main job on real traffic. Two hosts, alice and bob, in network namespaces,
# joined through a wire that we listen on; one policy, loaded on both: a web port
# permitted, the telnet port blocked, a database port protected with no fallback.
#
#   alice [eth0] ----- veth ----- [alice] wire [bob] ----- veth ----- [eth0] bob
#
# The wire is a bridge in a third namespace: what an AF_XDP socket sends or takes
# is invisible to a capture on the host itself, but not to one between the hosts.
#
# Each claim prints what was expected and what was seen; one that does not hold
# makes the exit status 1. Names carry the process id, so runs do not disturb
# each other, and everything is removed at the end, also after Ctrl-C.
#
#   XI_DATAPATH=auto|afxdp|xfrm   what the policy asks for (auto)
#   XI_TAP=1                      print TAP for the test runner
#   XI_SLOW=N                     wait N times as long before giving up (emulated CPUs)
#   XI_KEEP=1                     leave the temporary folder (captures, logs)
set -u
cd "$(dirname "$0")/../.." || exit 1
export PATH=$PATH:/usr/sbin:/sbin
O=${O:-.output}
xipsec=$O/xipsec
xipsecd=$O/xipsecd
tcpflow=$O/tests/tools/tcpflow
datapath=${XI_DATAPATH:-auto}
bytes=1000000
slow=${XI_SLOW:-1}
nap=0.1
[ "$slow" -eq 1 ] || nap=0.5 # what is waited for needs the same CPU
run=$$
tmp=
wire=xi-wire-$run
alice_ip=10.86.0.1
bob_ip=10.86.0.2
pids=
daemons=
bpffs_ours=
n=0
failed=0

# ------------------------------------------------------------------ printing
say() { if [ -n "${XI_TAP:-}" ]; then sed 's/^/# /' <<<"$*"; else printf '%s\n' "$*"; fi; }
title() { say ""; say "--- $* ---"; }
show_file() { sed "s/^/$([ -n "${XI_TAP:-}" ] && echo '# ')    /"; }

# claim TEXT EXPECTED SEEN STATUS
claim()
{
	n=$((n + 1))
	if [ "$4" -eq 0 ]; then
		if [ -n "${XI_TAP:-}" ]; then echo "ok $n - $1"; else echo "  [ok]     $1: $3"; fi
	else
		failed=$((failed + 1))
		if [ -n "${XI_TAP:-}" ]; then echo "not ok $n - $1"; else echo "  [FAILED] $1"; fi
		say "           expected: $2"
		say "           seen:     $3"
	fi
}
is() { [ "$2" = "$3" ]; claim "$1" "$2" "${3:-nothing}" $?; }
at_least() { [ "${3:-0}" -ge "$2" ] 2>/dev/null; claim "$1" "at least $2" "${3:-nothing}" $?; }

# What cannot be survived: say it as a failed claim, show the logs, leave.
die()
{
	claim "$1" "${2:-success}" "${3:-failure}" 1
	for log in "$tmp"/*.log; do
		[ -s "$log" ] || continue
		say "last lines of ${log##*/}:"
		tail -n 15 "$log" | show_file
	done
	[ -n "${XI_TAP:-}" ] && echo "1..$n"
	exit 1
}

# ------------------------------------------------------------------- cleanup
# Only what this run made: daemons by process id, pins and sockets by instance.
cleanup()
{
	local pid host i

	trap '' INT TERM
	for pid in $pids; do kill -TERM "$pid" 2>/dev/null; done
	for i in $(seq 50); do
		kill -0 $pids 2>/dev/null || break
		sleep 0.1
	done
	for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done
	wait 2>/dev/null
	for host in $daemons; do
		on "$host" "$xipsecd" --teardown --instance "$host-$run" >/dev/null 2>&1
		rm -rf "/run/xipsec/$host-$run"
	done
	# The folder and the empty root of the children, when no other daemon is there.
	[ -z "$(ls /run/xipsec 2>/dev/null)" ] && rmdir /run/xipsec/.empty 2>/dev/null
	rmdir /run/xipsec 2>/dev/null
	for host in alice bob wire; do ip netns del "xi-$host-$run" 2>/dev/null; done
	[ -n "$bpffs_ours" ] && umount /sys/fs/bpf
	if [ -n "$tmp" ]; then
		if [ -n "${XI_KEEP:-}" ]; then say "kept: $tmp"; else rm -rf "$tmp"; fi
	fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# nsenter and not `ip netns exec`: the latter mounts a new /sys over /sys/fs/bpf.
on() { local host=$1; shift; nsenter --net="/run/netns/xi-$host-$run" "$@"; }
shows() { on "$1" "$xipsec" show "$2" --instance "$1-$run" --json; }

# until_true SECONDS COMMAND...: polls a condition.
until_true()
{
	local end=$((SECONDS + $1 * slow))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep "$nap"
	done
}

# ------------------------------------------------------------------- set up
[ "$(id -u)" -eq 0 ] || { echo "demo: needs root (namespaces, BPF)" >&2; exit 1; }
for tool in ip nsenter tcpdump jq bpftool; do
	command -v $tool >/dev/null || { echo "demo: $tool is missing; run 'make deps'" >&2; exit 1; }
done
for prog in "$xipsec" "$xipsecd" "$tcpflow"; do
	[ -x "$prog" ] || { echo "demo: $prog is not built; run 'make'" >&2; exit 1; }
done
tmp=$(mktemp -d)
# Stacked on an earlier sysfs mount it may not show: ask what is there now.
if [ "$(stat -f -c %T /sys/fs/bpf 2>/dev/null)" != bpf_fs ]; then
	mount -t bpf bpf /sys/fs/bpf && bpffs_ours=1
fi

title "two hosts and the wire between them"
hosts()
{
	local host

	for host in alice bob wire; do ip netns add "xi-$host-$run" || return 1; done
	ip -n "$wire" link add wire type bridge && ip -n "$wire" link set wire up || return 1
	for host in alice bob; do
		ip link add eth0 netns "xi-$host-$run" type veth peer name "$host" netns "$wire" &&
			ip -n "$wire" link set "$host" master wire up &&
			ip -n "xi-$host-$run" link set lo up &&
			ip -n "xi-$host-$run" link set eth0 up || return 1
	done
	ip -n "xi-alice-$run" addr add $alice_ip/24 dev eth0 &&
		ip -n "xi-bob-$run" addr add $bob_ip/24 dev eth0
}
hosts || die "the namespaces and their links are made"
say "alice $alice_ip, bob $bob_ip"

for host in alice bob; do
	mkdir -m 700 "$tmp/$host"
	(umask 077 && echo "a shared secret of run $run $RANDOM" >"$tmp/alice/db.psk")
	cat >"$tmp/$host/policy.yaml" <<POLICY
policy: demo
settings:
  exemptions: 3
  datapath: $datapath
main-mode:
  methods: [aes256-sha256-modp2048]
  lifetime: 8h
filter-lists:
  web:
    - {src: any, dst: me, proto: tcp, dst-port: 8080}
  telnet:
    - {src: any, dst: me, proto: tcp, dst-port: 23}
  database:
    - {src: $alice_ip, dst: $bob_ip, proto: tcp, dst-port: 5432, description: primary}
filter-actions:
  protect:
    negotiate:
      methods:
        - {esp: aes128gcm16, lifetime: 1h, lifetime-kb: 100000}
        - {esp: aes256-sha256}
      pfs: none
      inbound-passthrough: false
      fallback-to-clear: false
rules:
  - {name: web, filter-list: web, action: permit}
  - {name: telnet, filter-list: telnet, action: block}
  - name: database
    filter-list: database
    action: protect
    auth: [{psk-file: db.psk}]
POLICY
done
cp -p "$tmp/alice/db.psk" "$tmp/bob/db.psk"
sed -n '/^filter-lists/,$p' "$tmp/alice/policy.yaml" | show_file

title "a daemon on each"
for host in alice bob; do
	"$xipsec" check "$tmp/$host/policy.yaml" >"$tmp/check.log" 2>&1 ||
		die "xipsec check accepts $host's policy" "exit status 0" "$(cat "$tmp/check.log")"
	nsenter --net="/run/netns/xi-$host-$run" "$xipsecd" --instance "$host-$run" \
		--policy "$tmp/$host/policy.yaml" --interface eth0 --foreground \
		>"$tmp/$host.log" 2>&1 </dev/null &
	pids="$pids $!"
	daemons="$daemons $host"
done
for host in alice bob; do
	until_true 30 shows "$host" status || die "xipsecd answers on $host" "status in 30 s" "none"
	ip -d -n "xi-$host-$run" link show eth0 | grep -q xdp
	claim "an XDP program is attached on $host" "xdp on eth0" \
		"$(ip -d -n "xi-$host-$run" link show eth0 | grep -o 'prog/xdp.*id [0-9]*' | head -1)" $?
done

# Without the chatter of ARP and IPv6 neighbours, which comes whenever it likes, also
# in the moment between the last look and the end of tcpdump.
nsenter --net="/run/netns/$wire" tcpdump -i alice -s 0 -U -B 32768 -Z root \
	-w "$tmp/wire.pcap" 'ip or (ip6 and tcp)' >/dev/null 2>"$tmp/tcpdump.log" </dev/null &
tcpdump_pid=$!
pids="$pids $tcpdump_pid"
until_true 10 grep -q 'listening on' "$tmp/tcpdump.log" || die "tcpdump listens on the wire"

# ------------------------------------------------------------------ traffic
# flow NAME PORT SECONDS: bob serves, alice fetches; the client's answer is in
# $answer, its exit status in $status, the server's in $served.
flow()
{
	local tag=$1-$run-$RANDOM server

	answer='' status=1 served=1
	eval "tag_$1=$tag"
	on bob "$tcpflow" serve $bob_ip "$2" "$tag" $bytes "$3" >"$tmp/serve-$1" 2>&1 &
	server=$!
	pids="$pids $server"
	until_true 10 grep -q listening "$tmp/serve-$1" || die "a server listens on port $2"
	answer=$(on alice "$tcpflow" fetch $bob_ip "$2" "$tag" $bytes "$3" 2>&1)
	status=$?
	wait $server
	served=$?
}
filter_packets() # HOST RULE DIRECTION -> packets counted by the filters of a rule
{
	shows "$1" filters | jq -s --arg rule "$2" --arg dir "$3" \
		'[flatten[] | .. | objects | select(.rule? == $rule and .direction? == $dir) | .packets] | add // 0'
}
reason_packets() # HOST REASON -> packets counted for a reason
{
	shows "$1" stats | jq -s --arg reason "$2" \
		'[.. | objects | select(has($reason)) | .[$reason] | (.packets? // .)] | add // 0'
}
both="$bytes bytes each way, identical"

title "web, port 8080: permitted"
flow web 8080 $((20 * slow))
is "the permitted transfer" "$both" "$answer"
web_packets=$(filter_packets bob web in)
at_least "packets that rule 'web' permitted on bob (xipsec show filters)" 3 "$web_packets"

title "telnet, port 23: blocked"
before=$(filter_packets bob telnet in)
flow telnet 23 3
is "the blocked connection" "connect: timed out" "$answer"
is "what the server saw of it" "no connection" "$(tail -n 1 "$tmp/serve-telnet")"
is "packets counted by rule 'telnet' before" 0 "$before"
at_least "packets that rule 'telnet' dropped in bob's XDP program" 1 "$(filter_packets bob telnet in)"
at_least "drops for reason 'blocked' on bob (xipsec show stats)" 1 "$(reason_packets bob blocked)"
shows bob filters | jq -c -s 'flatten[] | .. | objects | select(.rule? == "telnet" and .direction? == "in")' |
	show_file

title "database, port 5432: protected, no fallback"
flow database 5432 $((30 * slow))
is "the protected transfer" "$both" "$answer"
at_least "packets held on alice until the SA was up" 1 "$(reason_packets alice held)"
is "held packets that came before bob's SA was ready" 0 "$(reason_packets bob invalid-spi)"

# ------------------------------------------------------------------ the wire
title "what was seen on the wire"
# tcpdump loses what it has not read when it ends, and reads once a second: let it
# come to rest first.
at_rest() { local size; size=$(stat -c %s "$tmp/wire.pcap"); sleep $((1 + slow)); [ "$(stat -c %s "$tmp/wire.pcap")" = "$size" ]; }
until_true 30 at_rest
kill -INT $tcpdump_pid
wait $tcpdump_pid 2>/dev/null
pcap=$tmp/wire.pcap
packets() { tcpdump -nn -r "$pcap" "$@" 2>/dev/null | wc -l; }
seen_tag() { grep -a -o -e "$1" "$pcap" | wc -l; }
is "packets that the capture missed" 0 "$(awk '/ captured$/ { n -= $1 } / received by filter$/ { n += $1 }
	/ dropped by interface$/ { n += $1 } END { print n + 0 }' "$tmp/tcpdump.log")"
at_least "packets that it has" 100 "$(awk '/ captured$/ { print $1 }' "$tmp/tcpdump.log")"
at_least "web: clear TCP packets of port 8080" 3 "$(packets tcp port 8080)"
at_least "web: lines of its payload in clear" $((2 * bytes / 64)) "$(seen_tag "$tag_web")"
at_least "telnet: connection requests that reached bob's interface" 1 \
	"$(packets "tcp dst port 23 and tcp[tcpflags] & tcp-syn != 0")"
is "telnet: answers from bob" 0 "$(packets tcp src port 23)"
is "database: TCP packets of port 5432 in clear" 0 "$(packets tcp port 5432)"
is "database: lines of its payload in clear" 0 "$(seen_tag "$tag_database")"
at_least "database: ESP packets" 10 "$(packets ip proto 50)"
at_least "database: bytes inside ESP" $((2 * bytes)) \
	"$(tcpdump -nn -r "$pcap" ip proto 50 2>/dev/null | sed -n 's/.*length \([0-9]*\).*/\1/p' |
		awk '{ n += $1 } END { print n + 0 }')"
at_least "IKE messages (main mode 6, quick mode 3)" 9 "$(packets udp port 500)"
say "two of the ESP packets:"
tcpdump -nn -x -c 2 -r "$pcap" ip proto 50 2>/dev/null | awk '/^[0-9]/ { left = 4 } left-- > 0' |
	show_file

# -------------------------------------------------------- the associations
title "security associations"
for host in alice bob; do
	say "$host: main mode, quick mode"
	on "$host" "$xipsec" show mm --instance "$host-$run" 2>&1 | show_file
	on "$host" "$xipsec" show qm --instance "$host-$run" 2>&1 | show_file
	shows "$host" mm | jq -c -s 'flatten[]' >"$tmp/$host.mm"
	shows "$host" qm | jq -c -s 'flatten[]' >"$tmp/$host.qm"
	is "$host: established main modes" 1 "$(jq -s 'map(select(.state == "established")) | length' "$tmp/$host.mm")"
	is "$host: quick modes" 1 "$(jq -s length "$tmp/$host.qm")"
	at_least "$host: bytes protected both ways" $((2 * bytes)) \
		"$(jq -s '[.[] | (.bytes_in // .bytes.in) + (.bytes_out // .bytes.out)] | add // 0' "$tmp/$host.qm")"
done
is "both name the same main mode" "$(jq -r .initiator_spi "$tmp/alice.mm")" "$(jq -r .initiator_spi "$tmp/bob.mm")"
is "alice's inbound SPI is bob's outbound one" "$(jq -r .spi_in "$tmp/alice.qm")" "$(jq -r .spi_out "$tmp/bob.qm")"
is "bob's inbound SPI is alice's outbound one" "$(jq -r .spi_in "$tmp/bob.qm")" "$(jq -r .spi_out "$tmp/alice.qm")"
spis() { jq -r '.spi_in, .spi_out' "$tmp/alice.qm" | tr -d '"' | sed 's/^0x0*//' | sort; }
on_wire() { tcpdump -nn -r "$pcap" ip proto 50 2>/dev/null | sed -n 's/.*spi=0x0*\([0-9a-f]*\).*/\1/p' | sort -u; }
is "the SPIs on the wire are these two" "$(spis | tr '\n' ' ')" "$(on_wire | tr '\n' ' ')"

title "one map, as bpftool shows it: xi_sa_in of bob"
bpftool map dump pinned "/sys/fs/bpf/xipsec/bob-$run/xi_sa_in" >"$tmp/map" 2>&1
show_file <"$tmp/map"
bpftool -j map dump pinned "/sys/fs/bpf/xipsec/bob-$run/xi_sa_in" 2>/dev/null |
	jq -r '.[] | (.formatted // .).key.spi | map(tostring | ltrimstr("0x")) | join(" ")' >"$tmp/map.spi"
is "entries in the map" 1 "$(wc -l <"$tmp/map.spi")"

title "result"
for log in alice bob; do
	say "$log's log:"
	tail -n 6 "$tmp/$log.log" | show_file
done
if [ -n "${XI_TAP:-}" ]; then
	echo "1..$n"
elif [ $failed -eq 0 ]; then
	echo "all $n claims hold ($SECONDS s)"
else
	echo "$failed of $n claims do not hold"
fi
[ $failed -eq 0 ]
