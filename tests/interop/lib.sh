# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Two namespaces joined by a veth pair: a packaged IKE daemon in one, our engine
# (tests/tools/ikepeer) in the other. Sourced by the tests beside it. The
# sourcing file defines stop_theirs and sets theirs_log.

ours=192.0.2.1
theirs=192.0.2.2
psk=interop-test-psk
prefix=${PREFIX_NS:-h-ike$$}
work=
theirs_log=
peer_pid=

tap_n=0
ok() { tap_n=$((tap_n + 1)); echo "ok $tap_n - $1"; }
not_ok() { tap_n=$((tap_n + 1)); echo "not ok $tap_n - $1"; }
# check NAME COMMAND...: one TAP line; the logs follow when it fails.
check()
{
	local name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name"; show_logs; fi
}
note() { echo "# $*"; }
show_logs()
{
	[ -e "$work/peer.log" ] && sed 's/^/# ours:   /' "$work/peer.log"
	[ -e "$theirs_log" ] && tail -n 60 "$theirs_log" | sed 's/^/# theirs: /'
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for()
{
	local tenths=$(($1 * 10))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tenths=$((tenths - 1))
		[ $tenths -gt 0 ] || return 1
		sleep 0.1
	done
}

setup_namespaces()
{
	work=$(mktemp -d)
	ip netns add "${prefix}a" && ip netns add "${prefix}b" || return 1
	ip link add "${prefix}a" netns "${prefix}a" type veth peer name "${prefix}b" netns "${prefix}b"
	ip -n "${prefix}a" addr add $ours/24 dev "${prefix}a"
	ip -n "${prefix}b" addr add $theirs/24 dev "${prefix}b"
	for side in a b; do
		ip -n "$prefix$side" link set lo up
		ip -n "$prefix$side" link set "$prefix$side" up
	done
}

cleanup()
{
	stop_theirs
	[ -n "$peer_pid" ] && kill "$peer_pid" 2>/dev/null
	for side in a b; do ip netns del "$prefix$side" 2>/dev/null; done
	[ -n "$work" ] && rm -rf "$work"
}

# start_peer ARGUMENTS...: ours, in the background.
start_peer()
{
	: >"$work/peer.log"
	nsenter --net="/run/netns/${prefix}a" "$ikepeer" --local $ours --remote $theirs "$@" >"$work/peer.log" 2>&1 &
	peer_pid=$!
	wait_for 5 grep -q '^ready' "$work/peer.log"
}

# The exit status of ours.
wait_peer()
{
	local rc
	wait "$peer_pid"
	rc=$?
	peer_pid=
	return $rc
}

stop_peer()
{
	[ -n "$peer_pid" ] || return 0
	kill "$peer_pid" 2>/dev/null
	wait "$peer_pid" 2>/dev/null
	peer_pid=
}
