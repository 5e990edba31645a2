# SPDX-License-Identifier: BSD-2-Clause
# The tables of filter.md; used together with stats.awk.

function cell(text) { printf " %s |", text }
function head(title,	s)
{
	printf "\n| %s |", title
	for (s = 1; s <= sizes; s++)
		if (measured[s])
			cell(thousands(size[s]))
	printf "\n| --- |"
	for (s = 1; s <= sizes; s++)
		if (measured[s])
			printf " ---: |"
	print ""
}
# A factor as one reads it: 1.4, 23, 410.
function times(f) { return sprintf(f < 10 ? "%.1f" : "%.0f", f) "×" }
function number(v) { return thousands(int(v + 0.5)) }

function value(what, name, count,	v)
{
	if (!has(name, count))
		return "–"
	if (what == "cost")
		return number(ns[name, count]) " (" number(middle[name, count]) ")"
	if (what == "rate")
		return sprintf(ns[name, count] < 1000 ? "%.2f" : "%.4f", 1000 / ns[name, count])
	if (what == "limit")
		return has("limit", count) ? times(ns[name, count] / ns["limit", count]) : "–"
	if (what == "load")
		return (name, count) in load ? sprintf("%.2f", load[name, count]) : "–"
	if (!has(floor[name], count))
		return "–"
	v = number(lookup(name, count))
	if (has("xipsec", count) && lookup("xipsec", count) > 0 && name !~ /^xipsec/)
		v = v " (" times(lookup(name, count) / lookup("xipsec", count)) ")"
	return v
}
# table TITLE WHAT: every row that has anything; floors only where they mean something.
function table(title, what,	r, s, name)
{
	head(title)
	for (r = 1; r <= rows; r++) {
		name = names[r]
		if (!any[name] || (floor[name] == "-" && (what == "lookup" || what == "load")))
			continue
		printf "| %s |", label[name]
		for (s = 1; s <= sizes; s++)
			if (measured[s])
				cell(value(what, name, size[s]))
		print ""
	}
}
END {
	figures()
	for (at in samples)
		if (!least || samples[at] < least)
			least = samples[at]
	for (r = 1; r <= rows; r++)
		for (s = 1; s <= sizes; s++)
			if (has(names[r], size[s]))
				any[names[r]] = measured[s] = 1
	print "# What a filter lookup costs\n"
	print "Made by `make bench-filter`; [docs/benchmark.md](../../docs/benchmark.md) has the method. Lower quartiles of "
	print (least < most ? least " to " : "") most " interleaved rounds; every packet is a new flow and is dropped. The number of filters is on top;"
	print "each column is a run of its own.\n"
	print "* machine: " about["machine"]
	print "* date: " about["date"] ", commit " about["commit"] " (of the last run)"
	print "* mitigations: " about["mitigations"]
	print "* peers: " about["peers"]
	print "\n![lookup cost against number of filters](filter.svg)"
	print "\n## CPU time of a dropped packet, ns (sender and receiver)"
	print "\nIn brackets the median: how much others on the same hardware add."
	table("", "cost")
	print "\n## What the lookup costs of that, ns (times xipsec's)"
	print "\nThe row's figure without its own floor: the same hook with one rule that drops everything (xdp-filter: parse and drop)."
	table("", "lookup")
	print "\n## Packets a second of one core, millions"
	table("", "rate")
	print "\n## Times the cost of parse and drop in XDP"
	table("", "limit")
	print "\n## Seconds to load"
	print "\nFrom text to in force, by each one's own program."
	table("", "load")
	spread()
	print_notes()
}
function spread(	at, worst, where, part, wide)
{
	for (at in ns) {
		part = (high[at] - low[at]) / ns[at]
		all++
		wide += part > 0.15
		if (part > worst) { worst = part; where = at }
	}
	split(where, place, SUBSEP)
	printf "\nSamples spread (highest - lowest, over the median) by more than 15 %% in %d of %d cells, ", wide, all
	printf "most in %s at %s: %.0f %%.\n", place[1], thousands(place[2]), worst * 100
}
# The same remark about several sizes is one line.
function print_notes(	r, s, name, text, where)
{
	if (!notes)
		return
	print "\n## Remarks\n"
	for (r = 1; r <= rows; r++) {
		name = names[r]
		text = where = ""
		for (s = 1; s <= sizes; s++) {
			if (!((name, size[s]) in note))
				continue
			if (text != "" && text != note[name, size[s]]) {
				print "* `" name "` at " where ": " text
				where = ""
			}
			text = note[name, size[s]]
			where = where (where == "" ? "" : " / ") thousands(size[s])
		}
		if (text != "")
			print "* `" name "` at " where ": " text
	}
}
