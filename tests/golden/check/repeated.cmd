# A rule that has the same filter twice: a note, with both places.
xipsec check repeated.yaml
