# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The contestants. Each is a line of `row` and a function load_NAME that puts the
# filters of $dir into the namespace $ns, where the packets come in on the
# interface `wire`. It returns 1, with the reason on stderr, where this kernel or
# this contestant cannot do it.
#
# row NAME FLOOR SEEN TRAFFIC LIMIT LABEL
#   FLOOR    the row of the same hook with a single rule that drops everything
#   SEEN     ip or route: the first counter of the stack behind this hook
#   TRAFFIC  five (all fields decide), src (the source prefix alone), host (exact
#            source addresses), port (source prefix and destination port)
#   LIMIT    the largest number of filters it is run with

names=()
declare -A floor seen traffic limit label
row()
{
	names+=("$1")
	floor[$1]=$2 seen[$1]=$3 traffic[$1]=$4 limit[$1]=$5 label[$1]=$6
}

every=1000000
linear=${BENCH_LINEAR_MAX:-10000} # linear rules beyond that take milliseconds a packet
row limit        -            ip    five $every "XDP: parse and drop (the limit)"
row nft-floor    -            ip    five $every "nftables netdev, one drop rule"
row inet-floor   -            route five $every "nftables inet prerouting, one drop rule"
row legacy-floor -            route five $every "iptables-legacy raw, one drop rule"
row ipnft-floor  -            route five $every "iptables-nft raw, one drop rule"
row xipsec-floor -            ip    five $every "xipsec, one filter that drops all"
row xipsec       xipsec-floor ip    five $every "**xipsec**"
row nft-concat   nft-floor    ip    five $every "nftables netdev, concatenated interval set"
row nft-vmap     nft-floor    ip    five $every "nftables netdev, verdict map"
row nft-src      nft-floor    ip    src  $every "nftables netdev, interval set, source only"
row nft-linear   nft-floor    ip    five $linear "nftables netdev, linear"
row inet-concat  inet-floor   route five $every "nftables inet prerouting, concatenated interval set"
row inet-vmap    inet-floor   route five $every "nftables inet prerouting, verdict map"
row inet-src     inet-floor   route src  $every "nftables inet prerouting, interval set, source only"
row inet-linear  inet-floor   route five $linear "nftables inet prerouting, linear"
row ipset-src    legacy-floor route src  $every "ipset hash:net, source only (iptables-legacy raw)"
row ipset-port   legacy-floor route port $every "ipset hash:net,port, source and port (iptables-legacy raw)"
row ipset-five   legacy-floor route five $every "ipset hash:net,port,net (iptables-legacy raw)"
row ipt-legacy   legacy-floor route five $linear "iptables-legacy raw, linear"
row ipt-nft      ipnft-floor  route five $linear "iptables-nft raw, linear"
row xdp-filter   limit        ip    host 10000  "xdp-filter, exact source addresses"
for set in acl1 fw1 ipc1; do
	row "xipsec-$set" xipsec-floor ip set $every "xipsec, ClassBench $set"
	eval "load_xipsec-$set() { hold xipsec-$set classbench \"\$XI_DATA/classbench/${set}_\$size\"; }"
done

inside() { nsenter --net="/run/netns/$ns" "$@"; }

load_limit() { inside "$bin/flood" limit wire; }

# nft_table HOOK < what stands in the table; $verdict is the chain's rule
nft_table()
{
	local hook="type filter hook prerouting priority raw" family=inet

	[ "$1" = netdev ] && hook='type filter hook ingress device "wire" priority 0' family=netdev
	{
		echo "table $family bench {"
		cat
		echo "chain c { $hook; policy accept;"
		[ -z "${2:-}" ] || echo "$2"
		[ -z "${3:-}" ] || cat "$3"
		printf '}\n}\n'
	} | inside nft -f -
}

nft_floor() { nft_table "$1" drop </dev/null; }

# nft_elements TYPE FLAGS AWK-PROGRAM: a set's or map's inside
nft_elements()
{
	echo "type $1; flags interval; elements = {"
	awk "$2" "$dir/filters"
	printf '}\n}\n'
}
three='{ print $1 " . " $2 " . " ($3 == $4 ? $3 : $3 "-" $4)'

nft_concat()
{
	{ echo "set s {"; nft_elements "ipv4_addr . ipv4_addr . inet_service" "$three \",\" }"; } |
		nft_table "$1" "ip saddr . ip daddr . udp dport @s drop"
}

nft_vmap()
{
	{ echo "map m {"; nft_elements "ipv4_addr . ipv4_addr . inet_service : verdict" \
		"$three \" : drop,\" }"; } | nft_table "$1" "ip saddr . ip daddr . udp dport vmap @m"
}

nft_src()
{
	{ echo "set s {"; nft_elements ipv4_addr '{ print $1 "," }'; } |
		nft_table "$1" "ip saddr @s drop"
}

nft_linear()
{
	awk '{ print "ip saddr " $1 " ip daddr " $2 " udp dport " ($3 == $4 ? $3 : $3 "-" $4) " drop" }' \
		"$dir/filters" >"$dir/linear.$1"
	nft_table "$1" "" "$dir/linear.$1" </dev/null
}

load_nft-floor() { nft_floor netdev; }
load_nft-concat() { nft_concat netdev; }
load_nft-vmap() { nft_vmap netdev; }
load_nft-src() { nft_src netdev; }
load_nft-linear() { nft_linear netdev; }
load_inet-floor() { nft_floor inet; }
load_inet-concat() { nft_concat inet; }
load_inet-vmap() { nft_vmap inet; }
load_inet-src() { nft_src inet; }
load_inet-linear() { nft_linear inet; }

# raw_rules PROGRAM: rules from stdin into the raw table
raw_rules() { { echo "*raw"; cat; echo COMMIT; } | inside "$1-restore"; }

iptables_linear()
{
	awk '{ print "-A PREROUTING -s " $1 " -d " $2 " -p udp --dport " $3 ":" $4 " -j DROP" }' \
		"$dir/filters" | raw_rules "$1"
}

load_legacy-floor() { echo "-A PREROUTING -j DROP" | raw_rules iptables-legacy; }
load_ipnft-floor() { echo "-A PREROUTING -j DROP" | raw_rules iptables-nft; }
load_ipt-legacy() { iptables_linear iptables-legacy; }
load_ipt-nft() { iptables_linear iptables-nft; }

# ip_set TYPE DIMENSIONS AWK-PROGRAM
ip_set()
{
	{
		echo "create s $1 maxelem 10000000"
		awk "$3" "$dir/filters"
	} | inside ipset restore || return 1
	echo "-A PREROUTING -m set --match-set s $2 -j DROP" | raw_rules iptables-legacy
}

load_ipset-src() { ip_set hash:net src '{ print "add s " $1 }'; }
load_ipset-port() { ip_set hash:net,port src,dst '{ print "add s " $1 ",udp:" $3 "-" $4 }'; }
load_ipset-five()
{
	ip_set hash:net,port,net src,dst,dst '{ print "add s " $1 ",udp:" $3 "-" $4 "," $2 }'
}

# Its map has room for 10,000 and takes a few less. Adding by its own command takes
# 7 ms each, so all but the first go into its pinned map.
load_xdp-filter()
{
	local map=/sys/fs/bpf/xdp-filter/filter_ipv4

	inside xdp-filter load wire -f ipv4 -p allow || return 1
	inside xdp-filter ip -m src "$(head -n 1 "$dir/hosts")" || return 1
	head -n 9900 "$dir/hosts" | awk -F. -v map=$map '{
		print "map update pinned " map " key " $1, $2, $3, $4, "value 1 0 0 0 0 0 0 0 any" }' |
		inside bpftool batch file - >"$dir/xdp-filter.log"
}

# hold NAME KIND PATH: the holder of an xipsec datapath; $holder is its pid.
hold()
{
	local name=$1

	mkfifo "$dir/$name.in"
	nsenter --net="/run/netns/$ns" "$bin/hold" "bench-$name" wire "$2" "$3" <"$dir/$name.in" \
		>"$dir/$name.out" &
	pids+=($!)
	exec {fd}>"$dir/$name.in"
	asks[$name]=$fd
	for _ in $(seq 1200); do
		grep -q ^ready "$dir/$name.out" && break
		kill -0 "${pids[-1]}" 2>/dev/null || return 1
		sleep 0.1
	done
	took=$(awk '/^ready/ { print $3 }' "$dir/$name.out")
	mode=$(awk '/^ready/ { print $2 }' "$dir/$name.out")
}

load_xipsec-floor()
{
	{
		printf 'policy: floor\nfilter-lists:\n  all: [{src: any, dst: any}]\n'
		printf 'rules:\n  - {name: all, filter-list: all, action: block}\n'
	} >"$dir/floor.yaml"
	hold xipsec-floor policy "$dir/floor.yaml"
}

load_xipsec()
{
	{
		printf 'policy: bench\nfilter-lists:\n  bench:\n'
		awk '{ print "    - {src: " $1 ", dst: " $2 ", proto: udp, dst-port: " \
			($3 == $4 ? $3 : $3 "-" $4) ", mirrored: false}" }' "$dir/filters"
		printf 'rules:\n  - {name: bench, filter-list: bench, action: block}\n'
	} >"$dir/policy.yaml"
	hold xipsec policy "$dir/policy.yaml"
}
