# A command's usage is there in both ways that people try, and what a version does
# not have is said in the list, not only when it is called.
xipsec help check >one && xipsec check --help >other && cmp one other && cat one
xipsec help | grep -c 'not in this version'
for command in confirm rollback; do
	xipsec $command >/dev/null 2>&1
	echo "$command: status $?"
done
xipsec nothing --help 2>&1 | sed -n 1p
