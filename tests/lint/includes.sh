#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The rules of docs/architecture.md that a text search can hold: which folder
# may include what, a licence line in every file, no trace of a machine, and
# who may write BPF maps or destroy SAs. Lengths are reported, never failed.
set -u
cd "$(dirname "$0")/../.." || exit 1
n=0

# forbid WHAT PATTERN FILES...: no line of FILES matches PATTERN.
forbid()
{
	local what=$1 pattern=$2 hits
	shift 2
	n=$((n + 1))
	hits=$(grep -nE -e "$pattern" "$@" /dev/null 2>/dev/null)
	if [ -z "$hits" ]; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		sed 's/^/# /' <<<"$hits"
	fi
}

# list FOLDER... -> its C files (tracked or new, ignored ones not).
list() { git ls-files -co --exclude-standard -- "$@" | grep -E '\.(c|h|def)$'; }
inc='^[[:space:]]*#[[:space:]]*include[[:space:]]*'

echo "1..14"
ike=$(list ike)
forbid "ike/ includes its own headers, include/ and userspace/util only" \
	"$inc\"(policy|compile|datapath|sa|esp|daemon|view|cli|skel|bpf)/" $ike
forbid "ike/ knows no BPF, netlink or socket" \
	"$inc<(bpf|xdp|libmnl|linux/(bpf|netlink|rtnetlink|xfrm|if_)|sys/socket|netinet/|event)" $ike
forbid "ike/wire is pure: no engine, no crypto" "$inc\"ike/(engine|crypto|v1|v2|auth|limits)" \
	$(list ike/wire)
forbid "compile/ opens nothing: no descriptors, no BPF library" \
	"$inc<(fcntl|sys/(socket|stat|mman|ioctl)|bpf/|xdp/|libmnl|event)|[^_a-z](open|openat|fopen|socket|bpf_[a-z_]+)\(" \
	$(list userspace/compile)
forbid "policy/ reads text: no BPF, network or event loop" \
	"$inc<(bpf/|xdp/|libmnl|event|sys/socket)|$inc\"(compile|datapath|sa|esp|daemon|view|cli|ike)/" \
	$(list userspace/policy)
forbid "decode/ is for any program that has packets: ike/wire, ike/crypto and util only" \
	"$inc\"(policy|compile|datapath|sa|esp|daemon|view|cli|skel|ike/(engine|v1|v2|auth|limits))/" \
	$(list userspace/decode)
forbid "util/ depends on no other module" \
	"$inc\"(policy|compile|datapath|sa|esp|daemon|view|cli|ike)/" $(list userspace/util)
forbid "only datapath/ uses libbpf; esp/xsk may use libxdp" "$inc(<bpf/|\"skel/)" \
	$(list userspace | grep -v '^userspace/datapath/')
forbid "only datapath/ and esp/xsk.c use libxdp" "$inc<xdp/" \
	$(list userspace | grep -vE '^userspace/(datapath/|esp/xsk\.[ch])')
forbid "only datapath/ writes maps" 'bpf_map(__|_)(update|delete)_elem|bpf_map_lookup_and_delete' \
	$(list userspace ike | grep -v '^userspace/datapath/')
forbid "the other folders do not reach into the daemon, the views or the commands" \
	"$inc\"(daemon|view|cli)/" \
	$(list userspace/{policy,compile,datapath,sa,esp,decode,util} ike)
forbid "view/ reads: it does not load policies, touch maps or run exchanges" \
	"$inc\"(datapath|esp|daemon|ike)/" $(list userspace/view)

n=$((n + 1))
bare=$(git ls-files -co --exclude-standard | grep -E '\.(c|h|def|sh)$|(^|/)Makefile$' |
	while read -r f; do [ -e "$f" ] && ! head -n 5 "$f" | grep -q SPDX-License-Identifier && echo "$f"; done)
if [ -z "$bare" ]; then
	echo "ok $n - every source file names its licence"
else
	echo "not ok $n - every source file names its licence"
	sed 's/^/# /' <<<"$bare"
fi

# Paths of a developer's machine and hosts of package archives belong nowhere.
forbid "no path of a developer's machine and no package host" \
	'/(home|root|work)/[a-z]|/tmp/w/|deb\.debian\.[a-z]|(ftp|snapshot|security)\.debian\.[a-z]|debian\.org/debian' \
	$(git ls-files -co --exclude-standard | grep -vE '^tests/lint/includes\.sh$|\.(pcap|pcapng|bin)$')

echo "# longest files:"
list userspace ike bpf include tests | xargs wc -l 2>/dev/null | grep -v ' total$' |
	awk '$1 > 600 { print "#", $2 ": " $1 " lines, over 600" }'
echo "# functions over 60 lines:"
list userspace ike bpf | grep '\.[ch]$' | xargs awk '
	FNR == 1 { start = 0 }
	/^\{/ { start = FNR; name = prev }
	/^\}/ { if (start && FNR - start > 60) print "# " FILENAME ":" start ": " FNR - start " lines: " name; start = 0 }
	/^[^ \t#\/\*{}]/ { prev = $0 }'
exit 0
