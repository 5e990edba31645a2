# Every error of a file is named in one run.
cat >several.yaml <<'Y'
policy: several
settings: {exemptions: 9, datapth: auto}
filter-lists:
  web:
    - {src: any, dst: me, dst-port: 443}
    - {source: any, dst: me}
rules:
  - {name: web, filter-list: wbe, action: permit}
  - {name: database, filter-list: web, action: requir}
Y
xipsec check several.yaml
Y=$?
xipsec print several.yaml
[ $Y -eq $? ] && exit $Y
