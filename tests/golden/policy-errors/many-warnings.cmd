# A wall of warnings is cut off.
{
	printf 'policy: p\nrules: []\nfilter-lists:\n'
	for i in $(seq 150); do echo "  list$i: []"; done
} >many.yaml
xipsec check many.yaml 2>&1 | tail -n 2
xipsec check many.yaml 2>&1 | wc -l
