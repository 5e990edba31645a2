#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Unpacks Debian 12's Libreswan 4.10 under $O/peers/libreswan and prints the
# folder. Nothing is installed; the package would not go together with
# strongSwan's anyway.
set -eu
cd "$(dirname "$0")/../.."
O=${O:-.output}
dir=$O/peers/libreswan

if [ ! -e "$dir/.ready" ]; then
	O=$O vmtest/apt-private.sh "$dir" bookworm libreswan libldns3 libnss3-tools libnss3 libnspr4 \
		libevent-pthreads-2.1-7 libunbound8 libpam0g libcap-ng0 libseccomp2 libcurl4
	touch "$dir/.ready"
fi
cd "$dir" && pwd
