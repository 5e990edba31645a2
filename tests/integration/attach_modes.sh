#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Every way of attaching that can be had here, with real packets, and the change
# from each to the next by kill -9 and a new start, while blocked packets are sent
# both ways all the time: not one of them may arrive. Then strangers: programs of
# others that were there before, and those that push themselves before us.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/daemon.sh
. tests/lib/attach.sh
daemon_lab
attach_policy

has_tcx() { on b "$dptool" - tcx eth0 out >/dev/null 2>&1; }
has_tcx && best=tcx || best=clsact
ways="native/$best
native/clsact --tc clsact
tc/$best --xdp off
tc/clsact --xdp off --tc clsact
generic/clsact --xdp generic --tc clsact
native/$best
tc/$best --xdp off
generic/$best --xdp generic
native/$best --xdp native"
[ -z "${XI_QUICK:-}" ] || ways=$(head -n 3 <<<"$ways") # an emulated CPU
plan $((3 + 5 * $(wc -l <<<"$ways") + 10))

# Someone else's clsact filter, which must outlive all of this.
on b tc qdisc add dev eth0 clsact
on b tc filter add dev eth0 egress prio 77 bpf bytecode '1,6 0 0 0' classid 1:1

tc_hooks() # in|out: our programs there, by TCX and clsact
{
	{ has_tcx && on b "$dptool" - tcx eth0 "$1"
	  on b tc filter show dev eth0 "$([ "$1" = in ] && echo ingress || echo egress)"; } | grep -c xi_tc_
}

knocking=
while read -r way arguments; do
	# shellcheck disable=SC2086 # several
	attach_start --interface eth0 $arguments && eventually 60 is_how eth0 "filtered $way"
	ok "in and out by $way${arguments:+, as told by $arguments}"
	if [ -z "$knocking" ]; then
		knocking=yes
		knock_start 10.91.0.2
		ok "blocked packets are sent both ways from now on"
	fi
	in=$([ "${way%%/*}" = tc ] && echo 1 || echo 0)
	equal "one program at TC egress, $in at TC ingress" "1 $in" "$(tc_hooks out) $(tc_hooks in)"
	flow 8080 WEBTAG
	ok "the permitted port works"
	flow_fails 23 TELNETTAG
	ok "the blocked port does not answer"
	before=$(hits secret)
	more() { [ "$(hits secret)" -gt "$before" ]; }
	eventually 60 more
	ok "what leaves is filtered"
	attach_kill KILL
done <<<"$ways"

equal "not one blocked packet came in" 0 "$(arrived KNOCK in)"
equal "and none went out" 0 "$(arrived SECRET out)"

# ---------------------------------------------------------------- strangers
attach_start --interface eth0
if has_tcx; then
	: >"$tmp/stranger"
	nsenter --net="/run/netns/$lab-b" "$dptool" - stranger eth0 out 0 >"$tmp/stranger" &
	stranger=$!
	pids="$pids $stranger"
	eventually 30 grep -q ready "$tmp/stranger"
	why eth0 | grep 'another program (stranger, id [0-9]*) runs before the filters at TC egress' >/dev/null
	ok "a program that pushed itself before ours is told of"
	kill $stranger
	wait $stranger 2>/dev/null
	! why eth0 | grep stranger >/dev/null
	ok "and no more when it is gone"
else
	for name in "a program that pushed itself before ours is told of" "and no more when it is gone"; do
		count=$((count + 1))
		echo "ok $count - $name # SKIP no TCX in this kernel"
	done
fi
ip -n "$lab-b" link set dev eth0 xdp off
# The log first: until it is noticed, status says what was.
eventually 60 grep -q 'eth0: somebody took our program away (what arrives is not filtered' "$tmp/b.log"
ok "that an XDP program was taken away is noticed"
eventually 60 is_how eth0 "filtered native/$best"
ok "and it is put back"
flow_fails 23 TELNETTAG
ok "the blocked port does not answer"
on b tc filter show dev eth0 egress | grep "pref 77 bpf" >/dev/null
ok "someone else's TC filter is still there"
ask b show status | grep '^eth0 *filtered' >/dev/null
ok "show status says it in words"
attach_kill TERM
on b "$xipsecd" --teardown --instance "$lab-b" >/dev/null 2>&1
equal "after a teardown nothing of ours is left" "0 0" "$(tc_hooks out) $(tc_hooks in)"
on b tc filter show dev eth0 egress | grep "pref 77 bpf" >/dev/null
ok "but what is not ours is"
eventually 60 grep -q KNOCK "$tmp/in" && eventually 30 grep -q SECRET "$tmp/out"
ok "the blocked packets were sent all the time: now they arrive"
exit $((failures > 0))
