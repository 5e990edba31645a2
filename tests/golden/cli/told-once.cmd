# Two rules that meet in many filters are told of once, by every command that compiles.
cat >twice.yaml <<'Y'
policy: twice
filter-lists:
  l:
    - {src: 10.0.0.1-10.0.0.6, dst: me, proto: tcp, dst-port: 80}
    - {src: [10.1.0.0/16, 10.2.0.0/16], dst: any, proto: udp, dst-port: 1-20}
  m:
    - {src: [10.1.0.0/16, 10.2.0.0/16], dst: any, proto: udp, dst-port: 11-30}
rules:
  - {name: no, filter-list: l, action: block}
  - {name: yes, filter-list: l, action: permit}
  - {name: also, filter-list: m, action: permit}
Y
xipsec check twice.yaml
xipsec compile twice.yaml >/dev/null
xipsec explain twice.yaml --in --local 10.0.0.9 --remote 10.0.0.1 --proto tcp --local-port 80 --remote-port 1
