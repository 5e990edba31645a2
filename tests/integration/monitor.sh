#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xipsec monitor between two hosts: each packet once, with the rule that decided,
# chosen by pcap filter and by name; listeners that are slow or killed.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/daemon.sh
daemon_lab
udpflow=$O/tests/tools/udpflow
plan 57

cat >"$tmp/b/policy.yaml" <<-EOF
	policy: lab-b
	main-mode:
	  methods: [aes256-sha256-modp2048]
	filter-lists:
	  game:
	    - {src: any, dst: me, proto: udp, dst-port: 7000-7001}
	  named:
	    - {src: any, dst: me, proto: udp, dst-port: 7004}
	  unwanted:
	    - {src: any, dst: me, proto: udp, dst-port: 7002}
	  database:
	    - {src: 10.91.0.0/24, dst: me, proto: tcp, dst-port: 5432-5433}
	  far:
	    - {src: me, dst: 10.91.0.7, proto: udp, dst-port: 7003}
	filter-actions:
	  require:
	    negotiate:
	      methods:
	        - {esp: aes128gcm16}
	rules:
	  - {name: game, filter-list: game, action: permit}
	  - {name: "odd, name", filter-list: named, action: block}
	  - {name: unwanted, filter-list: unwanted, action: block}
	  - {name: database, filter-list: database, action: require, auth: [{psk-file: psk}]}
	  - {name: far, filter-list: far, action: require, auth: [{psk-file: psk}]}
EOF

# NAME ARGUMENT...: `xipsec monitor --json` on b, into NAME.out; ready when this returns.
monitor()
{
	local name=$1
	shift
	: >"$tmp/$name.err"
	"$xipsec" --instance "$lab-b" monitor --json "$@" >"$tmp/$name.out" 2>"$tmp/$name.err" </dev/null &
	eval "pid_$name=$!"
	pids="$pids $!"
	eventually 30 grep -q listening "$tmp/$name.err"
}

# Ends it when nothing more comes, and waits until it is gone.
monitor_end()
{
	local pid=pid_$1 before=
	until [ "$before" = "$(stat -c %s "$tmp/$1.out")" ]; do
		before=$(stat -c %s "$tmp/$1.out")
		sleep 0.5
	done
	kill -INT "${!pid}" 2>/dev/null
	wait "${!pid}"
}

# NAME EXPRESSION: over the array of all lines.
saw() { jq -s -e "$2" "$tmp/$1.out" >/dev/null 2>&1; }
lines() { jq -s "[.[] | select($2)] | length" "$tmp/$1.out"; }

sampling() { bpftool map dump pinned "/sys/fs/bpf/xipsec/$lab-b/xi_ctl" -j 2>/dev/null |
	jq -e '.[0] | (.formatted.value // .value).flags / 16 | floor % 2 == 1' >/dev/null; }
not_sampling() { ! sampling; }

# PORT COUNT: datagrams from a to b.
datagrams() { on a "$udpflow" stream 10.91.0.2 "$1" MONITORTAG "$2" 1 >/dev/null 2>&1; }

"$xipsec" --instance "$lab-b" monitor >"$tmp/early.out" 2>&1
equal "without a daemon, monitor says so with exit code 3" 3 $?
daemon_start b
ok "the daemon starts"
# Answers that a port is closed would be packets of their own and end the sender's stream.
on b "$udpflow" serve 10.91.0.2 7000 100000 600 >/dev/null 2>&1 &
pids="$pids $!"
on b "$udpflow" serve 10.91.0.2 7001 100000 600 >/dev/null 2>&1 &
pids="$pids $!"
not_sampling
ok "while nobody listens nothing is sampled"

# ------------------------------------------------------------- everything
monitor all 'udp or tcp'
ok "a listener starts"
sampling
ok "sampling is on"
! grep -q 'does not choose samples' "$tmp/b.log"
ok "and the kernel chooses the samples"
datagrams 7000 1000
equal "a thousand datagrams were sent" 0 $?
datagrams 7002 3
on a "$tcpflow" fetch 10.91.0.2 5432 CLEARTAG 100 1 >/dev/null 2>&1
monitor_end all
equal "the listener ends in order when interrupted" 0 $?
equal "a thousand permitted packets are a thousand lines" 1000 \
	"$(lines all '.local_port == 7000 and .verdict == "permit" and .fate == "passed" and .rule == "game"')"
equal "blocked ones have rule and reason" 3 \
	"$(lines all '.local_port == 7002 and .verdict == "block" and .fate == "dropped" and .reason == "blocked" and .rule == "unwanted"')"
saw all '[.[] | select(.local_port == 5432)] | length > 0 and all(.verdict == "secure" and
	.fate == "dropped" and .reason == "clear-inbound" and .rule == "database" and .proto == 6)'
ok "what came in clear and must be protected is shown with its rule and that reason"
saw all 'all(.[]; .type != "packet" or (.interface == "eth0" and .hook == "xdp-ingress" or .direction == "out"))'
ok "interface and hook are named"
id=$("$xipsec" compile "$tmp/b/policy.yaml" --json |
	jq -r 'select(.rule == "unwanted" and .direction == "in" and .local_port == "7002" and .remote == "0.0.0.0/0") | .id')
saw all "[.[] | select(.local_port == 7002)] | all(.filter == $id)"
ok "the filter is the one that compile prints ($id)"
saw all '[.[] | select(.local_port == 7000)] | all(.remote == "10.91.0.1" and .local == "10.91.0.2" and
	.direction == "in" and .length == .frame_length - 14 and .generation == 1)'
ok "addresses, direction, length and generation"
eventually 20 not_sampling
ok "when it has gone, sampling is off"

# ------------------------------------------------------------- chosen
monitor port udp dst port 7001 and host 10.91.0.1
monitor blocked --verdict block,secure
monitor rule --rule game --in
monitor reason --reason blocked
monitor dropped --dropped
monitor tenth --sample 10 'udp port 7000'
monitor counted --count 5 'udp port 7001'
ok "seven listeners at once"
datagrams 7000 1000
datagrams 7001 20
datagrams 7002 7
wait "$pid_counted"
equal "--count 5 ends by itself" 5 "$(wc -l <"$tmp/counted.out")"
for name in port blocked rule reason dropped tenth; do
	monitor_end $name
done
equal "the pcap filter selects exactly its packets" "20 20" \
	"$(lines port '.local_port == 7001') $(lines port true)"
equal "--verdict selects exactly its packets" "7 7" \
	"$(lines blocked '.verdict == "block" and .local_port == 7002') $(lines blocked true)"
equal "--rule selects exactly its packets" "1020 1020" "$(lines rule '.rule == "game"') $(lines rule true)"
equal "--reason selects exactly its packets" "7 7" \
	"$(lines reason '.reason == "blocked"') $(lines reason true)"
equal "--dropped selects exactly its packets" "7 7" \
	"$(lines dropped '.fate == "dropped"') $(lines dropped true)"
# One in ten on each CPU, where the first turn and the last may not be whole.
cpus=$(getconf _NPROCESSORS_CONF)
seen=$(lines tenth '.local_port == 7000')
[ "$seen" -ge $((100 - cpus)) ] && [ "$seen" -le $((100 + cpus)) ]
ok "--sample 10 shows a hundred of a thousand ($seen)"

# ------------------------------------------------------------- text, wrong usage
: >"$tmp/text.err"
on b "$xipsec" --instance "$lab-b" monitor --count 1 udp port 7002 >"$tmp/text.out" 2>"$tmp/text.err" &
text=$!
eventually 30 grep -q listening "$tmp/text.err"
datagrams 7002 1
wait $text
grep -qE '^[0-9:.]+ in  eth0 +block  udp 10.91.0.1:[0-9]+ > 10.91.0.2:7002, [0-9]+ bytes; rule unwanted, filter '"$id"'; dropped: blocked$' \
	"$tmp/text.out"
ok "as text it is one line of words"
ask b monitor 'tcp prot 80' >"$tmp/wrong.out" 2>&1
equal "what is no pcap filter is refused with exit code 2" 2 $?
ask b monitor --verdict blocked >"$tmp/wrong.out" 2>&1
equal "so is a verdict that there is not" 2 $?
ask b monitor 'ether[200] = 1' >"$tmp/wrong.out" 2>&1 || grep -q 'first 128 bytes' "$tmp/wrong.out"
ok "and a filter that looks further than a sample goes says so"
"$O/tests/tools/ctlask" "$lab-b" '{"method":"monitor","filter":[[6,0,0]]}' | jq -e '.ok == false' >/dev/null
ok "the daemon refuses a program that is none"

# ------------------------------------------------------------- names of rules
monitor odd --rule 'nobody,odd\, name,exempt:ike'
equal "a rule that is not there is told, one with a comma in its name and a built-in one are found" \
	"warning: there is no rule 'nobody' in the policy in force" "$(grep -v listening "$tmp/odd.err")"
datagrams 7002 2
datagrams 7004 3
monitor_end odd
equal "and --rule selects exactly the packets of the rule with a comma" "3 3" \
	"$(lines odd '.rule == "odd, name"') $(lines odd true)"

# ------------------------------------------------------------- too much for the kernel
# Filters that are long, and so many of them that they do not fit one program.
long="udp dst port 7002"
for i in $(seq 1 210); do
	long="$long or udp[$((i % 40 + 8)):2] + $i = udp[$((i % 30 + 10)):2]"
done
for i in 1 2 3 4 5 6 7; do
	monitor long$i --reason malformed "$long"
done
monitor beside 'udp port 7001'
grep -q 'does not choose samples' "$tmp/b.log"
ok "filters that the kernel does not take are named in the log"
datagrams 7001 20
datagrams 7000 20
ask b monitor >"$tmp/wrong.out" 2>&1
[ $? = 1 ] && grep -q 'as many listeners as there may be' "$tmp/wrong.out"
ok "one listener more than there may be is refused"
for i in 1 2 3 4 5 6 7; do
	monitor_end long$i
done
monitor_end beside
equal "then the daemon chooses, and chooses the same" "20 20" \
	"$(lines beside '.local_port == 7001') $(lines beside true)"

# ------------------------------------------------------------- slow and dead
monitor slow 'udp port 7000'
kill -STOP "$pid_slow"
monitor fast --count 6000 'udp port 7000'
for _ in 1 2 3 4 5 6; do
	datagrams 7000 1000 &
	sender=$!
	pids="$pids $sender"
done
wait "$pid_fast"
equal "one that stands still does not keep another from seeing all" 6000 "$(lines fast '.type == "packet"')"
kill -CONT "$pid_slow"
eventually 30 grep -q '"lost"' "$tmp/slow.out"
sleep 1
datagrams 7000 1
monitor_end slow
saw slow 'any(.[]; .type == "lost")'
ok "it lost some"
equal "and is told exactly how many" 6001 \
	"$(jq -s '[.[] | if .type == "lost" then .samples else 1 end] | add' "$tmp/slow.out")"

monitor killed
kill -KILL "$pid_killed"
wait "$pid_killed" 2>/dev/null
eventually 20 not_sampling
ok "sampling goes off when a listener is killed"

# ------------------------------------------------------------- events and changes
monitor events --events
sed -i 's/name: game,/name: play,/' "$tmp/b/policy.yaml"
datagrams 7002 1
ask b reload >/dev/null
datagrams 7000 1
monitor_end events
saw events '[.[] | select(.type == "packet")] == [] and
	([.[] | select(.event == "drop" and .reason == "blocked" and .rule == "unwanted")] | length) == 1 and
	([.[] | select(.type == "policy" and .generation == 2 and .policy == "lab-b")] | length) == 1'
ok "--events shows drops and policies, and no packets"
monitor renamed --rule play
datagrams 7000 2
monitor_end renamed
equal "names are those of the policy in force" 2 "$(lines renamed '.rule == "play" and .generation == 2')"

# Nobody is there to negotiate with: of a flow the worker holds 64 packets.
ip -n "$lab-b" neigh add 10.91.0.7 lladdr 02:00:00:00:00:07 dev eth0 nud permanent
monitor held
on b "$udpflow" stream 10.91.0.7 7003 HELDTAG 100 1 >/dev/null
sleep 2
monitor_end held
saw held '[.[] | select(.event == "need-sa")] | length > 0 and
	all(.rule == "far" and .remote == "10.91.0.7" and .remote_port == 7003 and .direction == "out")'
ok "a packet without an SA is an event"
equal "and is shown as held" 100 \
	"$(lines held '.type == "packet" and .rule == "far" and .fate == "held" and .verdict == "secure"')"
equal "what the worker does not hold is told with its reason" 36 \
	"$(jq -s '[.[] | select(.type == "worker" and .reason == "hold-full" and .interface == "eth0") | .packets] | add' "$tmp/held.out")"

# ------------------------------------------------------------- fragments
monitor pieces --in 'ip and udp[2:2] = 7000'
on a "$udpflow" fill 10.91.0.2 7000 PIECESTAG 4000
monitor_end pieces
saw pieces '[.[] | select(.fragment == "first")] | length == 1'
ok "the first fragment is shown"
# Before 6.6 nothing reassembles before the verdict.
if dpkg --compare-versions "$(uname -r)" ge 6.6; then
	saw pieces '[.[] | select(.hook == "nf-ingress")] | length == 1 and (.[0] | .rule == "play" and
		.verdict == "permit" and .fate == "passed" and .local_port == 7000 and .length == 4028)'
	ok "and what was put together, with its verdict"
else
	ok "and what was put together # SKIP this kernel does not put it together for us"
fi

# ------------------------------------------------------------- a switch
cp "$tmp/b/policy.yaml" "$tmp/b/play.yaml"
sed 's/name: play,/name: game,/' "$tmp/b/policy.yaml" >"$tmp/b/game.yaml"
generation=$(ask b show status --json | jq .generation)
monitor switched --in 'udp dst port 7000'
datagrams 7000 2000 &
sender=$!
for policy in game play game play game play game play; do
	ask b apply "$tmp/b/$policy.yaml" >/dev/null || echo "# $policy was not applied"
	sleep 0.1
done
wait $sender
monitor_end switched
equal "packets in the middle of policy changes are lines as well" 2000 \
	"$(lines switched '.type == "packet" and .verdict == "permit"')"
saw switched "[.[] | select(.type == \"packet\")] | (map(.generation) | unique | length) > 3 and
	all(.stale or .rule == if (.generation - $generation) % 2 == 1 then \"game\" else \"play\" end)"
ok "each bears the name of its own generation's rule"
equal "and none is without one" 0 "$(lines switched .stale)"
not_sampling
ok "in the end nothing is sampled"

# Other numbers for the same rules, and a rule that comes and goes between them.
sed 's/^rules:/&\n  - {name: first, filter-list: named, action: permit}/; /odd, name/d' "$tmp/b/play.yaml" >"$tmp/b/first.yaml"
"$xipsec" check "$tmp/b/first.yaml" >/dev/null 2>&1
ok "a policy with the rules at other places"
monitor numbered --rule play 'udp dst port 7000'
datagrams 7000 2000 &
sender=$!
for policy in first play first play first play; do
	ask b apply "$tmp/b/$policy.yaml" >/dev/null || echo "# $policy was not applied"
	datagrams 7004 20
	sleep 0.1
done
wait $sender
monitor_end numbered
equal "--rule finds its rule whatever its number is" "2000 2000" \
	"$(lines numbered '.rule == "play"') $(lines numbered '.type == "packet"')"

# ------------------------------------------------------------- few among many
monitor few --rule 'odd\, name'
kill -STOP "$daemon_b"
datagrams 7000 20000
datagrams 7004 5
kill -CONT "$daemon_b"
monitor_end few
equal "what other rules decide takes no room from those that are asked for" "5 0" \
	"$(lines few '.rule == "odd, name"') $(lines few '.type == "lost"')"

# ------------------------------------------------------------- the daemon goes
monitor orphan
kill -KILL "$daemon_b"
wait "$daemon_b" "$pid_orphan" 2>/dev/null
equal "a listener whose daemon dies says so with exit code 3" 3 $?
grep -q 'ended the connection' "$tmp/orphan.err"
ok "and in words"
# The filters stay, and with them what was on.
daemon_start b && not_sampling
ok "the next daemon turns sampling off"
monitor last --count 1 'udp port 7000'
datagrams 7000 1
wait "$pid_last"
equal "and takes listeners" 1 "$(wc -l <"$tmp/last.out")"
monitor stopped
ask b stop >/dev/null
wait "$pid_stopped"
equal "an orderly end of the daemon is told in the same way" 3 $?
not_sampling
ok "and leaves nothing on"
exit $((failures > 0))
