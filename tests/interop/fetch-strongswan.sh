#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Unpacks Debian 12's strongSwan 5.9.8 under $O/peers/strongswan and prints the
# folder. Nothing is installed: a daemon that would start by itself and take
# UDP port 500 has no place on the machine that runs the tests.
set -eu
cd "$(dirname "$0")/../.."
O=${O:-.output}
dir=$O/peers/strongswan

if [ ! -e "$dir/.ready" ]; then
	O=$O vmtest/apt-private.sh "$dir" bookworm libstrongswan libstrongswan-standard-plugins \
		strongswan-libcharon charon-systemd strongswan-swanctl
	touch "$dir/.ready"
fi
cd "$dir" && pwd
