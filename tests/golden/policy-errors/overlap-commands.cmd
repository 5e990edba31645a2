# What cannot be loaded is an error of every command that says what will be, and explain warns.
xipsec compile overlap-too-much.yaml; echo "status $?"
xipsec compile overlap-too-much.yaml --json; echo "status $?"
xipsec compile overlap-too-much.yaml --stats; echo "status $?"
xipsec explain overlap-too-much.yaml --in --remote 10.0.0.1 --local 10.0.0.2 --proto tcp --json |
	grep -o '"verdict":"[a-z]*"' | head -n 1
xipsec explain overlap-too-much.yaml --in --remote 10.0.0.1 --local 10.0.0.2 --proto tcp >/dev/null
