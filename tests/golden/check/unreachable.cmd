# What can never decide, and what takes it: both places, for people and for scripts.
xipsec check unreachable.yaml
xipsec check unreachable.yaml --json | head -n 2
