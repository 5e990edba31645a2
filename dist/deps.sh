#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Installs the packages that building and checking needs, from this machine's
# own Debian release and its own sources. Asks nothing, adds no source, touches
# no kernel, and installs nothing that starts a service: peers and VM kernels
# are unpacked under the build folder by the tests that want them.
set -eu

. /etc/os-release
case "${ID:-}:${VERSION_ID:-}" in
debian:12)	rt=libclang-rt-14-dev ;;
debian:13)	rt=libclang-rt-19-dev ;;
*)
	echo "deps: this is ${PRETTY_NAME:-an unknown system}; Debian 12 and 13 are known." >&2
	echo "deps: nothing was installed; 'make' says what is missing." >&2
	exit 0
	;;
esac

# compilers and what the sanitizers and fuzzers need
packages="gcc clang llvm $rt make libc6-dev linux-libc-dev pkgconf git bpftool"
# libraries
packages="$packages libbpf-dev libxdp-dev libelf-dev zlib1g-dev libssl-dev libyaml-dev
	libjansson-dev libmnl-dev libevent-dev libcap-ng-dev libsystemd-dev libpcap0.8-dev"
# tests: namespaces, captures, JSON, manual pages
packages="$packages libcmocka-dev liblzma-dev libcap2-bin iproute2 util-linux procps tcpdump iputils-ping
	ethtool jq openssl xz-utils mandoc debian-archive-keyring"
# virtual machines
packages="$packages qemu-system-x86 busybox-static kmod file python3 python3-requests
	python3-argcomplete python3-pkg-resources"
# only for `make bench-filter`: the peers, and a picture of the plot
if [ "${1:-}" = bench ]; then
	packages="$packages nftables iptables ipset xdp-tools librsvg2-bin"
fi

have()
{
	dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null |
		sed -n 's/ installed$//p' | sort -u
}

missing=$(printf '%s\n' $packages | sort -u | comm -23 - <(have))
if [ -z "$missing" ]; then
	echo "  DEPS    nothing is missing ($(printf '%s\n' $packages | wc -l) packages)"
	exit 0
fi
echo "  DEPS    to be installed from $PRETTY_NAME:" $missing
if [ "$(id -u)" -ne 0 ]; then
	echo "deps: installing needs root; run 'make deps' as root once" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# A policy-rc.d for the length of this run is not needed: none of these packages
# has a service. apt waits for another apt to end instead of failing.
apt="apt-get -q -o DPkg::Lock::Timeout=300"
$apt update
$apt install -y --no-install-recommends $missing
