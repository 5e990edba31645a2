# Entries that are for nothing in part are many; the one that is for nothing altogether is told all the same.
{
	echo 'policy: crowd'
	echo 'filter-lists:'
	echo '  wide:'
	for i in $(seq 1 60) 99; do
		echo "    - {src: 10.0.$i.0/24, dst: 192.0.2.0/24, proto: tcp, dst-port: 80}"
	done
	echo '  halves:'
	for i in $(seq 1 60); do
		echo "    - {src: [10.0.$i.0/25, 10.0.$i.128/25], dst: 192.0.2.0/24, proto: tcp, dst-port: 80, mirrored: false}"
	done
	echo '    - {src: [10.0.99.0/25, 10.0.99.128/25], dst: 192.0.2.0/24, proto: tcp, dst-port: 80}'
	echo 'rules:'
	echo '  - {name: wide, filter-list: wide, action: permit}'
	echo '  - {name: halves, filter-list: halves, action: block}'
} >crowd.yaml
xipsec check crowd.yaml 2>said
grep -v ' note: unreachable: ' said
grep -c ' note: unreachable: ' said
