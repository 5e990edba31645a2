# SPDX-License-Identifier: BSD-2-Clause
#
# Reads filter.tsv for report.awk and plot.awk: ns[row, size] is the lower quartile of
# the samples (neighbours on the same hardware only ever add to a sample), middle[] their
# median; lookup(row, size) is what is left of the quartile without the row's own floor.
BEGIN { FS = "\t"; sizes = split("10 100 1000 10000 100000 1000000", size, " ") }
$1 == "about" { about[$2] = $3 }
$1 == "row" { names[++rows] = $2; floor[$2] = $3; label[$2] = $4 }
$1 == "load" { load[$3, $2] = $4 }
$1 == "note" { note[$3, $2] = $4; notes++ }
$1 == "sample" { at = $3 SUBSEP $2; each[at, ++samples[at]] = $6 / $5; if (samples[at] > most) most = samples[at] }

# Sorts the samples of a row and a size.
function sorted(at,	n, i, j, v)
{
	n = samples[at]
	for (i = 2; i <= n; i++) {
		v = each[at, i]
		for (j = i - 1; j > 0 && each[at, j] > v; j--)
			each[at, j + 1] = each[at, j]
		each[at, j + 1] = v
	}
	low[at] = each[at, 1]; high[at] = each[at, n]
	middle[at] = n % 2 ? each[at, (n + 1) / 2] : (each[at, n / 2] + each[at, n / 2 + 1]) / 2
	ns[at] = each[at, int((n + 3) / 4)]
}
function figures(	at)
{
	for (at in samples)
		sorted(at)
}
function has(name, count) { return (name SUBSEP count) in ns }
function lookup(name, count) { return ns[name, count] - ns[floor[name], count] }
function thousands(n) { return n < 1000 ? sprintf("%d", n) : sprintf("%d,%03d", n / 1000, n % 1000) }
