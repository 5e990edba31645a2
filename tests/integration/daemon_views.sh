#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Two daemons, one policy each: what they let through, what they show of it, who
# their processes are, and that a policy which does not load changes nothing.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/daemon.sh
daemon_lab
plan 50

# ------------------------------------------------------------- start
[ "$(ask a show >/dev/null 2>&1; echo $?)" = 3 ]
ok "without a daemon, show says so with exit code 3"
daemon_start a
ok "the daemon of a starts"
daemon_start b
ok "the daemon of b starts"

# ------------------------------------------------------------- processes
field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
for role in keys ike esp; do
	pid=$(role_pid a $role)
	uid=$(field "$pid" Uid | cut -f1)
	[ "$uid" -ne 0 ] && [ "$(field "$pid" Uid | tr '\t' '\n' | sort -u | wc -l)" = 1 ]
	ok "role $role is not root (uid $uid)"
	caps=$(for set in CapInh CapPrm CapEff CapBnd CapAmb; do field "$pid" $set; done | sort -u)
	equal "role $role has no capability, not even in its bounding set" 0000000000000000 "$caps"
	equal "role $role cannot gain privileges" 1 "$(field "$pid" NoNewPrivs)"
	seen=$(ls -A "/proc/$pid/root/") && [ -z "$seen" ]
	ok "role $role sees an empty root directory"
done

timeout 5 nsenter --net="/run/netns/$lab-a" nc -u -l 10.91.0.1 4500 </dev/null >/dev/null 2>&1
equal "UDP 4500, which the filters exempt, is nobody else's" 1 $?

# ------------------------------------------------------------- traffic
capture_start
flow 8080 WEBTAG
ok "the permitted port works"
flow_fails 23 TELNETTAG
ok "the blocked port does not answer"
flow 5432 DATABASETAG
ok "the protected port works"
capture_stop
equal "no clear packet of the protected port on the wire" 0 "$(captured tcp portrange 5432-5433)"
[ "$(captured ip proto 50)" -gt 10 ]
ok "ESP on the wire instead"
equal "the blocked port sent nothing" 0 "$(captured tcp src port 23)"

# ------------------------------------------------------------- views
equal "show mm --json: one main mode, established, by preshared key" \
	"10.91.0.2 established initiator psk aes256 sha256 modp2048" \
	"$(ask a show mm --json | jq -r '[.peer, .state, .role, .auth, .cipher, .integrity, .group] | join(" ")')"
spi=$(ask a show qm --json | jq -r .spi_in)
shows b qm "length == 1 and .[0].spi_out == \"$spi\""
ok "show qm --json: a's inbound SPI is b's outbound one ($spi)"
shows a qm '.[0] | .bytes_in > 100000 and .bytes_out > 100000 and .backend == "afxdp"'
ok "show qm --json: bytes in both directions"
shows b filters '[.[] | select(.rule == "telnet" and .direction == "in") | .packets] | add > 0'
ok "show filters --json: the block filter counted the connection requests"
shows b stats '.[0] | .reasons.blocked.packets > 0 and .ike.mm_established == 1'
ok "show stats --json: the reason and the IKE counters"
ask a show qm | grep -q "esp transport with 10.91.0.2, rule database, initiator, established"
ok "show qm as text"
ask a show mm | awk 'NR == 2 && $1 == "10.91.0.2" && $3 == "established" { found = 1 } END { exit !found }'
ok "show mm as text"
mkdir "$tmp/elsewhere"
ask a dump >"$tmp/elsewhere/dump.yaml" && "$xipsec" check "$tmp/elsewhere/dump.yaml" &&
	sed "s,psk-file: $tmp/a/,psk-file: ," "$tmp/elsewhere/dump.yaml" >"$tmp/a/dump.yaml" &&
	"$xipsec" print "$tmp/a/policy.yaml" | cmp -s - "$tmp/a/dump.yaml"
ok "dump gives back the policy that is in force, to be kept in any folder"

# ------------------------------------------------------------- reload
cp "$tmp/b/policy.yaml" "$tmp/b/good.yaml"
echo "ruels: []" >>"$tmp/b/policy.yaml"
ask b reload >"$tmp/reload.out" 2>&1
equal "a policy that does not load is refused with exit code 2" 2 $?
grep -q "policy.yaml:[0-9]*:[0-9]*: error: unknown key 'ruels'" "$tmp/reload.out"
ok "and the message names the place"
mkfifo "$tmp/b/fifo"
timeout 10 "$xipsec" --instance "$lab-b" apply "$tmp/b/fifo" >"$tmp/apply.out" 2>&1
equal "a FIFO is refused as a policy" 2 $?
shows b status 'length == 1'
ok "and the daemon does not wait for somebody to write into it"
flow_fails 23 TELNETTAG && flow 8080 WEBTAG && flow 5432 DATABASETAG
ok "what was in force stays in force"
sed '/dst-port: 8080/s/8080/8081/' "$tmp/b/good.yaml" >"$tmp/b/policy.yaml"
sed -i 's/- {name: web, filter-list: web, action: permit}/- {name: web, filter-list: web, action: block}/' \
	"$tmp/b/policy.yaml"
ask b reload >/dev/null && flow_fails 8081 WEBTAG && flow 8080 WEBTAG
ok "a policy that loads is in force at once"

# ------------------------------------------------------------- signals, socket
echo "ruels: []" >>"$tmp/b/policy.yaml"
kill -HUP "$daemon_b"
refused() { grep -q "not reloaded, the running one stays in force" "$tmp/b.log"; }
eventually 30 refused
ok "SIGHUP with a policy that does not load says so in the log"
flow_fails 8081 WEBTAG && shows b status '.[0].generation == 2'
ok "and leaves the running one in force"
cp "$tmp/b/good.yaml" "$tmp/b/policy.yaml"
kill -HUP "$daemon_b"
eventually 30 shows b status '.[0].generation == 3'
ok "SIGHUP with one that loads puts it in force"

answer() { "$O/tests/tools/ctlask" "$lab-$1" "$2"; } # HOST QUESTION
answer a 'this is no JSON' | jq -e '.ok == false' >/dev/null
ok "the control socket refuses what is not JSON"
answer a '{"method":"acquire","rule":"nope","local":"10.91.0.1","remote":"10.91.0.2"}' |
	jq -e '.ok == false and (.error | test("no such rule"))' >/dev/null
ok "acquire for a rule that is not there is refused"
answer b '{"method":"acquire","rule":"database","local":"10.91.0.2","remote":"10.91.0.1","proto":6,"local_port":5433}' |
	jq -e .ok >/dev/null
ok "acquire is taken from the responder's side too"
eventually 30 shows b qm '[.[] | select(.role == "initiator" and .selectors.local_port == 5433)] | length == 1'
ok "and makes an SA pair that this side started"
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
nobody "$xipsec" --instance "$lab-a" show >"$tmp/su.out" 2>&1
equal "somebody else than root is told that nobody answers" 3 $?

# ------------------------------------------------------------- doctor
advice() { on a "$xipsec" doctor --json | jq -r ".interfaces[] | select(.name == \"$1\") | .advice"; }
[[ $(advice eth0) == "filtered by instance $lab-a, "* ]]
ok "doctor says whose an interface is"
tap=$(ask a show status --json | jq -r '.interfaces[] | select(.name == "eth0") | .worker')
equal "and that a worker's own is not filtered ($tap)" "of an ESP worker of xipsec, not filtered" "$(advice "$tap")"
equal "to somebody else than root it does not deny what only root can try" "null null null null null null" \
	"$(nobody "$xipsec" doctor --json |
		jq -r '[.features[] | select(.name | IN("BPF", "BPF_LOOP", "RINGBUF", "XDP", "XSKMAP", "TC")) | .have | tostring] | join(" ")')"
nobody "$xipsec" doctor >"$tmp/su.out" 2>&1
equal "nor that this machine would do, with exit code 1" "1 Whether xipsec can work here, only root can find out." \
	"$? $(tail -n 1 "$tmp/su.out")"

# ------------------------------------------------------------- the end
on a "$xipsec" --instance "$lab-a" teardown >/dev/null 2>&1
equal "teardown stops a running daemon and takes its filters away in one go" 0 $?
[ ! -e "/sys/fs/bpf/xipsec/$lab-a" ] && ! ip -n "$lab-a" -d link show eth0 | grep -q prog/xdp
ok "nothing is left of it"
exit $((failures > 0))
