#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# SAs and policy changes: what the new policy allows goes on without losing a
# packet, what it does not allow ends at once on both hosts, and at no moment is
# anything in clear that must not be.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/daemon.sh
daemon_lab
plan 30

udpflow=$O/tests/tools/udpflow

# Beside the lab's rules: datagrams to port 5440 of b, under a name that sorts elsewhere.
policy_is() # HOST CIPHER [ACTION of port 5440]
{
	policy "$1"
	sed -i "s/{esp: aes128gcm16}/{esp: $2}/" "$tmp/$1/policy.yaml"
	sed -i "/^filter-actions:/i\\
  stream:\\
    - {src: $([ "$1" = a ] && echo me || echo 10.91.0.1), dst: $([ "$1" = a ] && echo 10.91.0.2 || echo me), proto: udp, dst-port: 5440}" \
		"$tmp/$1/policy.yaml"
	case ${3:-require} in
	require) echo "  - {name: stream, filter-list: stream, action: require, auth: [{psk-file: psk}]}" ;;
	block) echo "  - {name: stream, filter-list: stream, action: block}" ;;
	none) ;;
	esac >>"$tmp/$1/policy.yaml"
}

# HOST PORT: "SPI CIPHER RULE" of the SAs for that port of b.
sas()
{
	ask "$1" show qm --json | jq -r "select([.selectors.local_port, .selectors.remote_port] |
		index($2)) | [.spi_in, .cipher, .rule // \"-\"] | join(\" \")"
}
has_sa() { [ -n "$(sas "$1" "$2")" ]; }
none() { local seen && seen=$(ask "$1" show "$2" --json) && [ -z "$seen" ]; } # HOST VIEW
# The established main modes between 10.91.0.1 and 10.91.0.2.
main_modes()
{
	local seen && seen=$(ask "$1" show mm --json) && jq -r 'select(.established and
		([.local, .peer] | sort) == ["10.91.0.1", "10.91.0.2"]) | .initiator_spi' <<<"$seen"
}
no_main_mode() { local seen && seen=$(main_modes "$1") && [ -z "$seen" ]; }
no_sa() { ask "$1" show qm --json >/dev/null && [ -z "$(sas "$1" "$2")" ]; }
has_cipher() { [ "$(sas "$1" "$2" | cut -d' ' -f2)" = "$3" ]; }

policy_is a aes128gcm16 && policy_is b aes128gcm16
daemon_start a && daemon_start b
ok "both daemons start"
capture_start

datagrams() # COUNT: all of them arrive
{
	: >"$tmp/udp.out"
	on b "$udpflow" serve 10.91.0.2 5440 "$1" 8 >"$tmp/udp.out" 2>&1 &
	local server=$!
	eventually 20 grep -q listening "$tmp/udp.out"
	on a "$udpflow" stream 10.91.0.2 5440 STREAMTAG "$1" 2
	wait $server
}

datagrams 1 && flow 5432 DATABASETAG
ok "protected datagrams and a protected connection"

# ------------------------------------------------------------- the same again
before_a=$(sas a 5440; sas a 5432) before_b=$(sas b 5440; sas b 5432)
[ "$(wc -l <<<"$before_a")" = 2 ] && grep -q "aes128gcm16 stream" <<<"$before_a"
ok "two SAs, each named by its rule"
datagrams 2000 &
stream=$!
six_reloads()
{
	for _ in 1 2 3 4 5 6; do
		ask a reload >/dev/null && ask b reload >/dev/null && sleep 0.3 || return 1
	done
}
six_reloads
ok "six reloads of the same policy on both hosts while datagrams are sent"
wait $stream
ok "not one of 2000 datagrams was lost"
equal "a: SPIs, ciphers and names of rules are as before" "$before_a" "$(sas a 5440; sas a 5432)"
equal "b: the same" "$before_b" "$(sas b 5440; sas b 5432)"
shows a mm 'length == 1 and .[0].state == "established"' && shows a stats '.[0].ike.mm_established == 1'
ok "and the main mode is the first one still"

# ------------------------------------------------------------- rules move
policy_is a aes128gcm16
sed -i 's/^rules:/rules:\n  - {name: first, filter-list: extra, action: permit}/
	s/^filter-actions:/  extra:\n    - {src: me, dst: 10.91.0.7}\nfilter-actions:/' "$tmp/a/policy.yaml"
ask a reload >/dev/null
equal "another rule before them: the SAs keep SPIs, ciphers and names" "$before_a" "$(sas a 5440; sas a 5432)"
sed -i 's/name: stream,/name: renamed,/' "$tmp/a/policy.yaml"
ask a reload >/dev/null
equal "a rule with a new name: the SA goes over to it" \
	"$(grep stream <<<"$before_a" | sed 's/stream/renamed/')" "$(sas a 5440)"

# ------------------------------------------------------------- addresses
ip -n "$lab-b" addr add 10.91.0.3/24 dev eth0
wanted='{"method":"acquire","rule":"database","local":"10.91.0.1","remote":"10.91.0.3","proto":6,"remote_port":5433}'
acquired()
{
	"$O/tests/tools/ctlask" "$lab-a" "$wanted" >/dev/null && eventually 2 has_sa b 5433
}
eventually 20 acquired
ok "a second address of b: an SA with it"
equal "b: the others are untouched" "$before_b" "$(sas b 5440; sas b 5432)"
ip -n "$lab-b" addr del 10.91.0.3/24 dev eth0
eventually 30 no_sa b 5433
ok "without the address the SA is gone"
equal "and the others are untouched again" "$before_b" "$(sas b 5440; sas b 5432)"

# ------------------------------------------------------------- another cipher
main_mode=$(main_modes a)
policy_is a aes256gcm16 && policy_is b aes256gcm16
ask a reload >/dev/null
no_sa a 5440 && no_sa a 5432
ok "another cipher: the SAs of a are gone when reload returns"
eventually 30 no_sa b 5440 && eventually 30 no_sa b 5432
ok "and those of b, which has the old policy still: it was told"
grep -q "ended: the policy asks for other terms now" "$tmp/a.log"
ok "the log of a says why"
[ -n "$main_mode" ] && [ "$(main_modes a)" = "$main_mode" ]
ok "the main mode stays: its terms are the same"
ask b reload >/dev/null && eventually 20 flow 5432 DATABASETAG 3
ok "with the new policy on b too, the next connection works"
has_cipher a 5432 aes256gcm16 && has_cipher b 5432 aes256gcm16
ok "under the new cipher"

# ------------------------------------------------------------- blocked
datagrams 1
ok "datagrams work again"
policy_is b aes256gcm16 block
ask b reload >/dev/null
no_sa b 5440 && has_sa b 5432
ok "blocked on b: that SA is gone, the other stays"
eventually 30 no_sa a 5440 && has_sa a 5432
ok "on a too"
grep -q "ended: the policy blocks its traffic now" "$tmp/b.log"
ok "the log of b says why"

# ------------------------------------------------------------- no rule at all
for host in a b; do
	policy_is $host aes256gcm16 none
	sed -i '/name: database/d' "$tmp/$host/policy.yaml"
done
ask a reload >/dev/null 2>&1
none a qm && eventually 30 none a mm
ok "no rule negotiates any more: a has neither SA nor main mode"
eventually 30 none b qm && eventually 30 no_main_mode b
ok "b has deleted both, which its policy still allows"
capture_stop
equal "in all that time no clear packet of the protected ports was on the wire" 0 \
	"$(captured 'tcp portrange 5432-5433 or udp port 5440')"
[ "$(captured ip proto 50)" -gt 2000 ]
ok "but ESP was"
ask b reload >/dev/null 2>&1 && flow 5432 DATABASETAG
ok "without a rule the port is open in clear, as the policy says"
for host in a b; do policy_is $host aes256gcm16; done
ask a reload >/dev/null && ask b reload >/dev/null && eventually 20 flow 5432 DATABASETAG 3 && has_sa a 5432
ok "and protected again with one"
exit $((failures > 0))
