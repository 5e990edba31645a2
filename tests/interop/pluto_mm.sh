#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Main mode with an unmodified Libreswan 4.10 (pluto), both roles, preshared
# key. pluto cannot install ESP where the kernel has none; what became of the
# quick mode is reported in words.
set -u
cd "$(dirname "$0")/../.." || exit 1
O=${O:-.output}
ikepeer=$PWD/$O/tests/tools/ikepeer
. tests/interop/lib.sh

skip_all() { echo "1..0 # SKIP $1"; exit 0; }
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
[ -x "$ikepeer" ] || { echo "Bail out! $ikepeer is not built"; exit 1; }
swan_root=$(O=$O tests/interop/fetch-libreswan.sh 2>"$O/fetch-libreswan.log") ||
	skip_all "Libreswan's packages cannot be had: $(tail -n1 "$O/fetch-libreswan.log")"

pluto_pid=
# Runs a command with the unpacked Libreswan's libraries.
libreswan() { LD_LIBRARY_PATH=$swan_root/usr/lib/$(uname -m)-linux-gnu "$@"; }
whack() { libreswan "$swan_root/usr/libexec/ipsec/whack" --ctlsocket "$work/run/pluto.ctl" "$@"; }

# start_pluto IKE: a transport-mode connection "peer"; pluto runs its helpers by
# absolute path, so its folder lies over /usr/libexec in its mount namespace.
start_pluto()
{
	mkdir -p "$work/run" "$work/nss"
	theirs_log=$work/pluto.log
	: >"$theirs_log"
	libreswan "$swan_root/usr/bin/certutil" -N -d "sql:$work/nss" --empty-password || return 1
	cat >"$work/ipsec.conf" <<X
config setup
	nssdir=$work/nss
	ikev1-policy=accept
conn peer
	left=$theirs
	right=$ours
	authby=secret
	ikev2=no
	ike=$1
	esp=aes128-sha1
	pfs=no
	type=transport
	auto=add
X
	# pluto starts this helper with an empty environment: it has to be told again
	# where its libraries are.
	printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' \
		"$swan_root/usr/lib/$(uname -m)-linux-gnu" "$swan_root/usr/libexec/ipsec/addconn" >"$work/addconn"
	chmod 755 "$work/addconn"
	printf '%s %s : PSK "%s"\n' $theirs $ours "$psk" >"$work/ipsec.secrets"
	SWAN_ROOT=$swan_root W=$work LD_LIBRARY_PATH=$swan_root/usr/lib/$(uname -m)-linux-gnu \
	nsenter --net="/run/netns/${prefix}b" unshare -m bash -c '
		mount --make-rprivate / && mount -t tmpfs none /run && mkdir /run/pluto &&
		mount --bind "$SWAN_ROOT/usr/libexec" /usr/libexec &&
		mount --bind "$W/addconn" /usr/libexec/ipsec/addconn &&
		exec /usr/libexec/ipsec/pluto --nofork --no-dnssec --config "$W/ipsec.conf" \
			--rundir "$W/run" --secretsfile "$W/ipsec.secrets" --nssdir "$W/nss" \
			--logfile "$W/pluto.log"' >"$work/pluto.out" 2>&1 &
	pluto_pid=$!
	wait_for 15 grep -q 'added IKEv1 connection' "$theirs_log"
}

stop_theirs()
{
	[ -n "$pluto_pid" ] || return 0
	kill "$pluto_pid" 2>/dev/null
	wait "$pluto_pid" 2>/dev/null
	pluto_pid=
	rm -rf "$work/run" "$work/nss"
}

pluto_established() { grep -qE 'ISAKMP SA established|IKE SA established' "$theirs_log"; }

tell_quick_mode()
{
	note "quick mode: Libreswan says: $(grep -E '#2' "$theirs_log" | sed 's/^[^#]*//' | tail -n 2 | tr '\n' ';' | cut -c1-200)"
	note "quick mode: ours says: $(grep -E '^(installed|acquire)' "$work/peer.log" | tr '\n' ';')"
}

# ours_starts OURS THEIRS
ours_starts()
{
	start_pluto "$2" &&
	start_peer --psk $psk --mm "$1" --qm aes128-sha1 --initiate --until mm --seconds 20 --stay 2000 &&
	wait_for 10 pluto_established
}

theirs_starts()
{
	start_pluto "$2" &&
	start_peer --psk $psk --mm "$1" --qm aes128-sha1 --until mm --seconds 20 --stay 2000 &&
	whack --name peer --initiate --asynchronous >/dev/null 2>&1
	wait_for 10 pluto_established
}

trap cleanup EXIT
trap 'exit 130' INT TERM
setup_namespaces || { echo "Bail out! no network namespaces"; exit 1; }

echo "1..8"
for suite in "aes256-sha256-modp2048 aes256-sha2_256;modp2048" "3des-sha1-modp1536 3des-sha1;modp1536"; do
	read -r mm ike <<<"$suite"
	check "$mm: we start, Libreswan has the main mode" ours_starts "$mm" "$ike"
	check "$mm: we start, we have it too" wait_peer
	tell_quick_mode
	stop_theirs
	check "$mm: Libreswan starts, it has the main mode" theirs_starts "$mm" "$ike"
	check "$mm: Libreswan starts, we have it too" wait_peer
	tell_quick_mode
	stop_theirs
done
