#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Main mode and quick mode with an unmodified strongSwan 5.9.8, both roles,
# preshared key. The keys of the quick mode are compared with those in charon's
# log. Where this kernel has no ESP, charon cannot install them: it keeps the
# main mode, and what became of the quick mode is reported in words.
set -u
cd "$(dirname "$0")/../.." || exit 1
O=${O:-.output}
ikepeer=$PWD/$O/tests/tools/ikepeer
. tests/interop/lib-strongswan.sh

skip_all() { echo "1..0 # SKIP $1"; exit 0; }
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
[ -x "$ikepeer" ] || { echo "Bail out! $ikepeer is not built"; exit 1; }
swan_root=$(O=$O tests/interop/fetch-strongswan.sh 2>"$O/fetch-strongswan.log") ||
	skip_all "strongSwan's packages cannot be had: $(tail -n1 "$O/fetch-strongswan.log")"
trap cleanup EXIT
trap 'exit 130' INT TERM
setup_namespaces || { echo "Bail out! no network namespaces"; exit 1; }

# main mode, quick mode, PFS group
suites="aes256-sha256-modp2048:aes128gcm16:none
	aes128-sha1-modp1536:aes256-sha256:modp2048
	3des-sha1-modp1024:3des-sha1:none
	aes192-sha384-modp3072:aes256gcm16:modp1024"
echo "1..26"

# What became of the quick mode, said honestly: it depends on the kernel.
tell_quick_mode()
{
	if grep -q 'CHILD_SA web.* established' "$work/charon.log"; then
		note "quick mode: strongSwan installed the SA"
	else
		note "quick mode: strongSwan says: $(grep -iE 'failed to install|unable to|no acceptable|not supported|NO_PROPOSAL|received .*error notify' \
			"$work/charon.log" | sed 's/^[^]]*\] //' | sort -u | head -n 3 | tr '\n' ';')"
	fi
	note "quick mode: ours says: $(grep -E '^(installed|acquire)' "$work/peer.log" | tr '\n' ';')"
}

swan_established() { swanctl --list-sas 2>/dev/null | grep -q 'ESTABLISHED, IKEv1'; }

# start_both MM QM PFS ARGUMENTS-OF-OURS...
start_both()
{
	local esp=$2

	[ "$3" = none ] || esp=$2-$3
	start_charon "$1" "$esp" &&
	start_peer --psk $psk --mm "$1" --qm "$2" --pfs "$3" --show-keys --until qm --seconds 20 \
		--stay 1500 "${@:4}"
}

ours_starts()
{
	start_both "$@" --initiate && wait_for 10 swan_established
}

theirs_starts()
{
	start_both "$@" || return 1
	swanctl --initiate --child web --timeout 5 >"$work/initiate.out" 2>&1
	wait_for 5 swan_established
}

for suite in $suites; do
	IFS=: read -r mm qm pfs <<<"$suite"
	what="$mm, $qm, pfs $pfs"
	check "$what: we start, strongSwan has the main mode" ours_starts "$mm" "$qm" "$pfs"
	check "$what: we start, we have main and quick mode" wait_peer
	check "$what: we start, the quick-mode keys are the same" same_keys ours-start
	tell_quick_mode
	stop_charon
	check "$what: strongSwan starts, it has the main mode" theirs_starts "$mm" "$qm" "$pfs"
	check "$what: strongSwan starts, we have main and quick mode" wait_peer
	check "$what: strongSwan starts, the quick-mode keys are the same" same_keys theirs-start
	tell_quick_mode
	stop_charon
done

# Different keys: no main mode on either side.
wrong_key()
{
	start_charon aes256-sha256-modp2048 aes128gcm16 another-key || return 1
	start_peer --psk $psk --initiate --seconds 4 || return 1
	wait_peer
	! swan_established && ! grep -q ' established with' "$work/peer.log"
}
check "different keys: no main mode" wrong_key
stop_charon

# Our own delete, with HASH(1): strongSwan must take it.
our_delete()
{
	start_charon aes256-sha256-modp2048 aes128gcm16 || return 1
	start_peer --psk $psk --initiate --seconds 20 || return 1
	wait_for 10 swan_established || return 1
	stop_peer # SIGTERM: it sends its deletes
	wait_for 5 grep -q 'received DELETE for IKE_SA' "$work/charon.log"
}
check "our delete is understood" our_delete
stop_charon
