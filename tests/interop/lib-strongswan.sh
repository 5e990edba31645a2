# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# strongSwan's charon in the peer's namespace. It is unpacked, not installed: it
# runs in a mount namespace of its own in which its folder lies over /usr/lib/ipsec.
. tests/interop/lib.sh

charon_pid=
stop_theirs() { stop_charon; }

# Runs a program of the unpacked strongSwan where it believes itself installed.
strongswan()
{
	STRONGSWAN_CONF=$work/strongswan.conf SWANCTL_DIR=$work/swanctl \
	SWAN_ROOT=$swan_root exec nsenter --net="/run/netns/${prefix}b" unshare -m bash -c '
		mount --make-rprivate / &&
		mkdir -p /usr/lib/ipsec &&
		mount --bind "$SWAN_ROOT/usr/lib/ipsec" /usr/lib/ipsec &&
		exec "$SWAN_ROOT/usr/sbin/$0" "$@"' "$@"
}

# start_charon PROPOSALS ESP-PROPOSALS: a main-mode connection "peer" with child "web".
start_charon()
{
	local sub

	for sub in conf.d x509 x509ca x509crl x509ocsp x509aa x509ac pubkey private rsa ecdsa pkcs8 \
		   pkcs12 bliss; do
		mkdir -p "$work/swanctl/$sub"
	done
	cat >"$work/strongswan.conf" <<X
charon-systemd {
  load = random nonce openssl sha1 sha2 hmac kdf gcm aes gmp kernel-netlink socket-default vici
  plugins { vici { socket = unix://$work/vici.sock } }
  journal { default = -1 }
  filelog {
    log { path = $work/charon.log
          default = 1
          ike = 2
          chd = 4
          flush_line = yes }
  }
}
swanctl {
  load = random openssl
  plugins { vici { socket = unix://$work/vici.sock } }
}
X
	cat >"$work/swanctl/swanctl.conf" <<X
connections {
  peer {
    version = 1
    local_addrs = $theirs
    remote_addrs = $ours
    proposals = $1
    local { auth = psk
            id = $theirs }
    remote { auth = psk
             id = $ours }
    children { web { mode = transport
                     local_ts = dynamic
                     remote_ts = dynamic
                     esp_proposals = $2 } }
  }
}
secrets { ike-1 { id-1 = $ours
                  id-2 = $theirs
                  secret = "${3:-$psk}" } }
X
	theirs_log=$work/charon.log
	: >"$theirs_log"
	(strongswan charon-systemd) >"$work/charon.out" 2>&1 &
	charon_pid=$!
	if ! wait_for 10 test -S "$work/vici.sock"; then
		note "charon did not start:"
		sed 's/^/# /' "$work/charon.out"
		return 1
	fi
	swanctl --load-all >"$work/swanctl.out" 2>&1 || sed 's/^/# swanctl: /' "$work/swanctl.out"
}

stop_charon()
{
	[ -n "$charon_pid" ] || return 0
	kill "$charon_pid" 2>/dev/null
	wait "$charon_pid" 2>/dev/null
	charon_pid=
	rm -f "$work/vici.sock"
}

# In a subshell: strongswan() does exec.
swanctl() { (strongswan swanctl "$@"); }

# charon_key "encryption initiator": the last key of that name in charon's log, in hex.
charon_key()
{
	awk -v want="$1 key =>" '
		index($0, want) { key = ""; on = 1; next }
		on && match($0, /\] +[0-9]+: /) {
			split(substr($0, RSTART + RLENGTH, 48), byte, " ")
			for (i = 1; i in byte; i++) key = key tolower(byte[i])
			next
		}
		{ on = 0 }
		END { print key }' "$work/charon.log"
}

# same_keys ours-start|theirs-start: the quick-mode keys of both sides, both directions.
same_keys()
{
	local out=initiator in=responder

	[ "$1" = ours-start ] || { out=responder; in=initiator; }
	[ -n "$(charon_key "encryption initiator")" ] &&
	grep -q "^keys out $(charon_key "encryption $out") $(charon_key "integrity $out")\$" "$work/peer.log" &&
	grep -q "^keys in $(charon_key "encryption $in") $(charon_key "integrity $in")\$" "$work/peer.log"
}
