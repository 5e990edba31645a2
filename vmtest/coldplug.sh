# SPDX-License-Identifier: BSD-2-Clause
# Sourced by the guest's init in place of udev: naming the console ports takes
# no time, while cold-plugging every device under emulation takes a minute.
# Modules that a test needs are loaded on demand by the kernel.
for port in /sys/class/virtio-ports/*; do
	[ -e "$port/name" ] || continue
	mkdir -p /dev/virtio-ports
	ln -sf "../${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"
done
udevd=
