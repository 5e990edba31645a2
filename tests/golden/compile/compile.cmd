# The effective filters for people and for scripts.
xipsec compile branch.yaml
xipsec compile branch.yaml --json
