#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# fetch.sh LABEL: makes sure that virtme-ng and the kernel LABEL of kernels.txt
# are unpacked under $O/vm, and prints the path of the kernel image.
set -eu
cd "$(dirname "$0")/.."
O=${O:-.output}
mkdir -p "$O/vm"
vm=$(cd "$O/vm" && pwd)

read -r suite package <<<"$(awk -v l="$1" '$1 == l { print $2, $3 }' vmtest/kernels.txt)"
if [ -z "$suite" ]; then
	echo "fetch: no kernel '$1' in vmtest/kernels.txt" >&2
	exit 2
fi

virtme=$vm/virtme
if [ ! -e "$virtme/.ready-cached" ]; then
	rm -rf "$virtme"
	vmtest/apt-private.sh "$virtme" trixie virtme-ng
	# If a newer virtme-ng looks different, these two lines change nothing and all is as it
	# always was: slower, not wrong. The guest's init takes our few lines instead of udev.
	python=$virtme/usr/lib/python3/dist-packages/virtme
	sed -i "s,^if \[\[ -n \$udevd \]\]; then,. $PWD/vmtest/coldplug.sh\n&," "$python/guest/virtme-init"
	# The guest keeps what it has read of our root, which it cannot write: otherwise every
	# program that starts is fetched and translated again.
	sed -i 's/trans=virtio,access=any/&,cache=loose,msize=262144/' "$python/mkinitramfs.py"
	touch "$virtme/.ready-cached"
fi

dir=$vm/linux-$1
if [ ! -e "$dir/.ready" ]; then
	rm -rf "$dir"
	vmtest/apt-private.sh "$dir" "$suite" "$(vmtest/apt-private.sh --newest "$suite" "$package")"
	# Debian 13 packages modules under usr/lib; depmod and virtme want lib.
	[ -e "$dir/lib" ] || ln -s usr/lib "$dir/lib"
	for modules in "$dir"/lib/modules/*; do
		PATH=$PATH:/usr/sbin depmod -b "$dir" "${modules##*/}"
	done
	touch "$dir/.ready"
fi
ls "$dir"/boot/vmlinuz-*
