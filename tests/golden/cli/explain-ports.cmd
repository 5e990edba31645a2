# A port that is left out is not port 0: it is not known, and the answer says what that leaves out.
cat >ports.yaml <<'Y'
policy: ports
filter-lists:
  web: [{src: any, dst: me, proto: tcp, dst-port: 80}]
  any: [{src: any, dst: me}]
rules:
  - {name: web, filter-list: web, action: permit}
  - {name: any, filter-list: any, action: block}
Y
packet="--in --local 10.0.0.1 --remote 10.0.0.9"
xipsec explain ports.yaml $packet --proto tcp
xipsec explain ports.yaml $packet --proto tcp --remote-port 1024 --json
xipsec explain ports.yaml $packet --proto tcp --local-port 80
xipsec explain ports.yaml $packet --proto tcp --local-port 0 --remote-port 0
xipsec explain ports.yaml $packet --proto tcp --later-fragment
xipsec explain ports.yaml $packet --proto icmp
# What depends on an ICMP type or on the class of an interface, and what does not.
cat >icmp.yaml <<'Y'
policy: icmp
filter-lists:
  ping: [{src: any, dst: me, proto: icmp, icmp-type: 8}]
  icmp: [{src: any, dst: me, proto: icmp}]
  low: [{src: any, dst: me, proto: tcp, dst-port: 0-1023}]
  high: [{src: any, dst: me, proto: tcp, dst-port: 1024-65535}]
rules:
  - {name: ping, filter-list: ping, action: block}
  - {name: icmp, filter-list: icmp, action: permit}
  - {name: low, filter-list: low, action: permit}
  - {name: high, filter-list: high, action: permit, connection-type: lan}
Y
xipsec explain icmp.yaml $packet --proto icmp
xipsec explain icmp.yaml $packet --proto icmp --icmp-type 0
xipsec explain icmp.yaml $packet --proto tcp --interface lan
xipsec explain icmp.yaml $packet --proto tcp --local-port 1024 --json
# Near misses: one field is wrong, and why.
xipsec explain icmp.yaml --near $packet --proto icmp --icmp-type 0 --me 10.0.0.2
xipsec explain icmp.yaml --near $packet --proto tcp --local-port 80 --interface remote-access
xipsec explain icmp.yaml $packet --proto tcp --icmp-type 0
xipsec explain icmp.yaml --live $packet --proto tcp
