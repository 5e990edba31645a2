#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# explain --live: the daemon says who decides, the BPF programs say the same on the
# list in force, nothing is counted, no negotiation begins, and an SA is named once
# there is one.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/daemon.sh
daemon_lab
plan 17

explain() # HOST ARGUMENTS...
{
	local host=$1
	shift
	ask "$host" explain --live --json "$@"
}
says() { jq -e "$1" >/dev/null 2>&1 <<<"$answer"; }

[ "$(explain a --in --local 10.91.0.1 --remote 10.91.0.2 --proto tcp >/dev/null 2>&1; echo $?)" = 3 ]
ok "without a daemon, explain --live says so with exit code 3"
daemon_start a && daemon_start b
ok "both daemons start"

# By the rules of the policy: nothing but these questions has anything to do with them yet.
counted() { ask "$1" show filters --json | jq -s '[.[] | select(.band == "rules") | .packets] | add'; }
answer=$(explain b --in --local 10.91.0.2 --remote 10.91.0.1 --proto tcp --local-port 23 --remote-port 40000)
says '.verdict == "block" and .rule == "telnet" and .live.program.verdict == "block"'
ok "the blocked port: model and programs say block"
says '.live.agree == true and .live.program.filter == .filter and .live.program.rule == "telnet"'
ok "by the same filter"
says '.live.program.fate == "drop" and .live.program.reason.name == "blocked"'
ok "and what becomes of it: dropped, as blocked"
says '.live.generation == .live.program.generation and .live.generation > 0'
ok "of the generation in force"
says '(.place | test("policy.yaml:[0-9]+:[0-9]+$"))'
ok "with the place in the policy's text"

answer=$(explain b --in --local 10.91.0.2 --remote 10.91.0.1 --proto tcp --local-port 8080)
says '.verdict == "permit" and .live.agree and .live.program.fate == "pass" and .live.tried.remote_port > 0'
ok "the permitted port passes, with some remote port"
answer=$(explain a --out --local 10.91.0.1 --remote 10.91.0.2 --proto tcp --remote-port 5432 --local-port 33333)
says '.verdict == "secure" and .live.program.fate == "worker" and .live.program.reason.name == "held"'
ok "the protected port: the first packet would be held"
says '.live.sa == null and (.live | has("sa"))'
ok "as no SA stands"
sleep 1
[ -z "$(ask a show mm --json)" ]
ok "asking did not start a negotiation"
answer=$(explain b --in --local 10.91.0.2 --remote 10.91.0.1 --proto tcp --local-port 5432 --remote-port 33333)
says '.live.program.fate == "drop" and .live.program.reason.name == "clear-inbound"'
ok "clear text to the protected port would be dropped"
equal "no filter has counted any of these" "0 0" "$(counted a) $(counted b)"

flow 5432 DATABASETAG
ok "the protected port works"
answer=$(explain a --out --local 10.91.0.1 --remote 10.91.0.2 --proto tcp --remote-port 5432 --local-port 33333)
says '.live.sa | .peer == "10.91.0.2" and .state == "established" and (.spi_out | test("^0x"))'
ok "now explain names the SA that would carry it"
says '.live.counters | .packets > 0 and .last_hit > 0'
ok "and what the filter has counted, and when last"
ask a explain --live --out --local 10.91.0.1 --remote 10.91.0.2 --proto tcp --remote-port 5432 >"$tmp/text.out"
grep -q '^secure: filter' "$tmp/text.out" && grep -q 'as the model says' "$tmp/text.out" && grep -q '^SA .*10.91.0.2' "$tmp/text.out"
ok "the same as text"
exit $((failures > 0))
