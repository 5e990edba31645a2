# Wrong arguments end with status 2 and name what is wrong, before any file is read.
packet='--local 192.0.2.1 --remote 192.0.2.2'
try()
{
	xipsec "$@" 2>&1 | sed -n 1p
	echo "status ${PIPESTATUS[0]}"
}
try explain none.yaml --in --out $packet --proto tcp
try explain none.yaml --in $packet --proto tcp --local-port 65536
try explain none.yaml --in $packet --proto icmp --icmp-type x
try explain none.yaml --in $packet --proto gre --local-port 5
try explain none.yaml --in --local 192.0.2.1 --remote 2001:db8::1 --proto tcp
try replay none.yaml none.pcap
try replay none.yaml none.pcap --in --out
try replay none.yaml none.pcap --in --repeat 0
try replay none.yaml none.pcap --in --me here
try replay none.yaml none.pcap --in
try monitor --verdict nothing
try monitor --sample 0
try monitor --events udp
try monitor ether[125:4] = 0
