#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# `xipsec replay` on captures as they come: cut short by a snap length, padded, too
# short, of link types that nobody reads, damaged. One line a packet, numbered as in
# the file, and never a verdict that the captured bytes do not bear out.
set -u
cd "$(dirname "$0")/../.." || exit 1
xipsec=$(realpath "${O:-.output}/xipsec") || exit 1
if [ "$(id -u)" -ne 0 ]; then
	echo "1..0 # SKIP needs root"
	exit 0
fi
tmp=$(mktemp -d) && cd "$tmp" || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0

cat >policy.yaml <<'Y'
policy: captures
filter-lists:
  service: [{src: 1.2.3.4, dst: 5.6.7.8, proto: udp, dst-port: 2}]
  zero: [{src: 0.0.0.0, dst: any}]
  others: [{src: any, dst: any}]
rules:
  - {name: service, filter-list: service, action: permit}
  - {name: zero, filter-list: zero, action: permit}
  - {name: others, filter-list: others, action: block}
Y
ethernet=020000000001020000000002
# UDP, 1.2.3.4:1 to 5.6.7.8:2, 16 bytes of payload
packet=4500002c00000000401100000102030405060708000100020018000061626364656667686162636465666768
frame=${ethernet}0800$packet

hex() { sed 's/../\\x&/g' <<<"$1" | xargs -0 printf '%b' | head -c $((${#1} / 2)); }
le32() { printf '%02x%02x%02x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }
# capture FILE LINKTYPE, then RECORD FILE HEX [LENGTH-ON-WIRE]
capture() { hex "d4c3b2a1020004000000000000000000ffff0000$(le32 "$2")" >"$1"; }
record() { hex "0000000000000000$(le32 $((${#2} / 2)))$(le32 "${3:-$((${#2} / 2))}")$2" >>"$1"; }

# verdicts NAME STATUS EXPECTED FILE ARG...: the verdicts in the order of the file
verdicts()
{
	local name=$1 status=$2 expected=$3 file=$4 rc got

	shift 4
	"$xipsec" replay policy.yaml "$file" --json "$@" >out 2>err
	rc=$?
	got=$(sed -n 's/^{"n":\([0-9]*\),"verdict":"\([a-z]*\)","filter":\([0-9a-z]*\),"rule":"*\([a-z]*\)"*\(,"reason":"\([a-z]*\)"\)*}$/\1 \2 \4 \6/p' out |
		sed 's/ null / /; s/ *$//' | tr '\n' ',')
	n=$((n + 1))
	if [ "$got" = "$expected" ] && [ $rc -eq "$status" ]; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		echo "# expected $expected and status $status"
		echo "# got      $got and status $rc"
		sed 's/^/# /' err
	fi
}

echo 1..9
capture whole 1
record whole "$frame"
verdicts "a whole packet meets its filter" 0 "0 permit service," whole --in

capture snap 1
record snap "${frame:0:92}" 58
record snap "${frame:0:80}" 58
record snap "${frame:0:68}" 58
record snap "${frame:0:48}" 58
record snap "${frame:0:28}" 58
record snap "${frame:0:10}" 58
cut="0 permit service,1 none truncated,2 none truncated,3 none truncated,4 none truncated,5 none truncated,"
verdicts "cut behind its headers a packet has its verdict, within them none (in)" 0 "$cut" snap --in
verdicts "cut behind its headers a packet has its verdict, within them none (out)" 0 "$cut" snap --out

capture odd 1
record odd "${ethernet}0806000108000604"
record odd "$frame"
record odd "${ethernet}0800${packet/45/44}"
record odd "${ethernet}0800"
record odd "0102030405"
record odd "${frame}000000000000"
odd="0 none,1 permit service,2 none malformed,3 none malformed,4 none,5 permit service,"
verdicts "frames that are not IP, malformed or tiny count as well (in)" 0 "$odd" odd --in
verdicts "frames that are not IP, malformed or tiny count as well (out)" 0 "$odd" odd --out

capture raw 101
record raw "$packet"
record raw "${packet:0:56}" 44
record raw "${packet:0:40}" 44
verdicts "packets captured without a link header" 0 "0 permit service,1 permit service,2 none truncated," raw --in

capture wlan 105
record wlan "$frame"
verdicts "a link type that nobody reads is an error" 2 "0 none," wlan --in

capture damaged 1
record damaged "$frame"
record damaged "$frame"
truncate -s -1 damaged
verdicts "a damaged capture is an error, what stands before the damage counts" 2 "0 permit service," damaged --in

capture empty 1
verdicts "an empty capture has no packets" 0 "" empty --in
