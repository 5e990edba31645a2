# Who decides about a packet, and on what the others lost.
flow() { xipsec explain branch.yaml "$@" || echo "status $?"; }
flow --in --local 192.0.2.1 --remote 198.51.100.8 --proto tcp --local-port 443 --remote-port 40000
flow --in --local 192.0.2.1 --remote 203.0.113.5 --proto tcp --local-port 443 --remote-port 40000
flow --in --local 192.0.2.1 --remote 203.0.113.5 --proto tcp --local-port 443 --interface remote-access
flow --in --local 192.0.2.1 --remote 203.0.113.5 --proto udp --local-port 53
flow --out --local 192.0.2.1 --remote 10.2.3.4 --proto tcp --remote-port 5432 --json
flow --out --local 192.0.2.1 --remote 10.2.3.4 --proto tcp --remote-port 5432 --me 192.0.2.2
flow --in --local 192.0.2.1 --remote 10.2.3.4 --proto icmp --icmp-type 8
flow --in --local 192.0.2.1 --remote 203.0.113.5 --proto tcp --later-fragment --json
flow --out --local 2001:db8::1 --remote ff02::1 --proto udp --remote-port 5353
flow --in --local 192.0.2.1 --remote 2001:db8::1 --proto tcp
flow --in --local 192.0.2.1 --remote 10.0.0.1 --proto icmp --local-port 7
flow --local 192.0.2.1 --remote 10.0.0.1 --proto tcp
