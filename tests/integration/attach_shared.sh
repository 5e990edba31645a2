#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Other people's XDP programs on the same interface. Where libxdp's dispatcher
# loads: in both orders of loading, both see packets, and the going of one leaves
# the other. Everywhere: one that does not share is left alone, and TC ingress
# filters behind it.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/daemon.sh
. tests/lib/attach.sh
daemon_lab
attach_policy
other="$O/tests/tools/xdpother"
teardown() { on b "$xipsecd" --teardown --instance "$lab-b" >/dev/null 2>&1; }
order() { on b "$other" eth0 list 2>/dev/null | tr '\n' ' '; }
seen() { on b "$other" eth0 count 2>/dev/null || echo 0; }
filters() # WHAT: that they do
{
	flow 8080 WEBTAG && flow_fails 23 TELNETTAG
	ok "$1"
}
sees() # WHAT: the other one sees a permitted flow
{
	local before

	before=$(seen)
	flow 8080 WEBTAG && [ "$(seen)" -gt "$before" ]
	ok "$1"
}
in_mode() { ask b show status --json | jq -r '.interfaces[] | select(.name == "eth0") | .in'; }

attach_start --interface eth0
started=$?
mode=$(in_mode)
attach_kill TERM
teardown
if [ "$mode" = dispatcher ]; then
	kinds="plain frags"
	plan 41
else
	kinds=
	plan 12
	echo "# libxdp's dispatcher does not load here or does not take our program: no sharing"
fi

[ $started = 0 ]
ok "the daemon starts"

for kind in $kinds; do
	attach_start --interface eth0
	equal "the filters first: attached by the dispatcher" dispatcher "$(in_mode)"
	on b "$other" eth0 load 50 pass "$kind"
	ok "then another program ($kind)"
	equal "which runs behind them" "xi_xdp_ingress other_$kind " "$(order)"
	filters "the filters filter"
	sees "the other one sees what they let through"
	attach_kill KILL
	attach_start --interface eth0
	equal "a daemon that is started again finds both" "xi_xdp_ingress other_$kind " "$(order)"
	filters "and the filters filter"
	on b "$other" eth0 unload
	ok "the other one goes"
	equal "and ours stays" "xi_xdp_ingress " "$(order)"
	filters "and filters"
	attach_kill TERM
	teardown

	on b "$other" eth0 load 50 pass "$kind"
	ok "the other one first ($kind)"
	attach_start --interface eth0
	equal "then the filters, before it" "xi_xdp_ingress other_$kind " "$(order)"
	filters "the filters filter"
	sees "the other one sees what they let through"
	attach_kill TERM
	teardown
	equal "the filters go, the other one stays" "other_$kind " "$(order)"
	[ "$kind" = plain ] && on b "$other" eth0 unload
done

if [ -n "$kinds" ]; then
	# One before us that ends the chain: nothing to be done, but to be said.
	on b "$other" eth0 unload
	on b "$other" eth0 load 10 end frags
	attach_start --interface eth0
	why eth0 | grep 'another program (other_frags, id [0-9]*) runs before the filters at XDP' >/dev/null
	ok "one that keeps packets from the filters is told of"
	equal "it does run before them" "other_frags xi_xdp_ingress " "$(order)"
	flow_fails 23 TELNETTAG
	ok "and what it keeps from them is filtered at TC ingress"
	attach_kill TERM
	teardown
	on b "$other" eth0 unload
fi

if [ -z "$kinds" ]; then
	on b "$other" eth0 load 50 pass plain
	attach_start --interface eth0
	equal "beside another one that would share: TC ingress" tc "$(in_mode)"
	filters "the filters filter"
	sees "the other one sees what arrives"
	why eth0 | grep 'filtered at TC ingress' >/dev/null
	ok "and the reason is given in words"
	attach_kill TERM
	teardown
	on b "$other" eth0 unload
fi

# ----------------------------------------------------------- one that is alone
on b "$other" eth0 load 0 pass alone
attach_start --interface eth0
equal "behind one that does not share it is TC ingress" tc "$(in_mode)"
equal "the other one is left where it is" "other_plain " "$(order)"
filters "the filters filter"
sees "the other one sees what arrives"
why eth0 | grep 'another XDP program (other_plain, id [0-9]*) is attached and does not share: filtered at TC ingress' >/dev/null
ok "and the reason is given in words"

# ------------------------------------------------- one that takes our place
attach_kill TERM
teardown
ip -n "$lab-b" link set dev eth0 xdp off
attach_start --interface eth0
# In one step: the daemon attaches again where it finds nothing.
on b "$other" eth0 load 0 pass instead
is_tc() { [ "$(in_mode)" = tc ] && [ "$(order)" = "other_plain " ]; }
eventually 60 is_tc
ok "one that takes our place at XDP while we run gets TC ingress behind it"
filters "the filters filter"
exit $((failures > 0))
