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
