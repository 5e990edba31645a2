# What the spaces of a list look like; sizes of tables and times change from build to build.
xipsec compile branch.yaml --stats | sed -n '/^direction/,/^filters that/p'
xipsec compile branch.yaml --stats | grep -cE '^read in [0-9.]+ ms, compiled in [0-9.]+ ms$'
xipsec compile branch.yaml --stats --json | tail -n 1 | grep -o '"spaces":\[{[^}]*}'
