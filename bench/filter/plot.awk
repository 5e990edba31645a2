# SPDX-License-Identifier: BSD-2-Clause
#
# filter.svg, used together with stats.awk: CPU time of a dropped packet against the
# number of filters, both axes logarithmic, each line named at its right end.

function x(count) { return left + (log(count) - log(10)) / (log(100000) - log(10)) * width }
function y(v) { return top + height - (log(v) - log(bottom_ns)) / (log(top_ns) - log(bottom_ns)) * height }
function text(px, py, anchor, style, s)
{
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" %s>%s</text>\n", px, py, anchor, style, s
}
function line(x1, y1, x2, y2, style)
{
	printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1, y1, x2, y2, style
}
function axes(	v, s)
{
	for (v = 100; v <= top_ns; v *= 10) {
		line(left, y(v), left + width, y(v), "stroke=\"#ddd\"")
		text(left - 8, y(v) + 4, "end", "", v < 1000 ? v " ns" : v < 1000000 ? v / 1000 " µs" : v / 1000000 " ms")
	}
	for (s = 1; s <= 5; s++) {
		line(x(size[s]), top, x(size[s]), top + height, "stroke=\"#eee\"")
		text(x(size[s]), top + height + 18, "middle", "", thousands(size[s]))
	}
	line(left, top + height, left + width, top + height, "stroke=\"#333\"")
	line(left, top, left, top + height, "stroke=\"#333\"")
	text(left + width / 2, top + height + 40, "middle", "", "filters")
	text(left - 60, top - 34, "start", "font-size=\"17\" font-weight=\"bold\"", \
		"CPU time of one dropped packet, every packet a new flow")
	text(left - 60, top - 14, "start", "fill=\"#666\"", "sender and receiver on one core, veth; " about["machine"])
}
function plain(s) { gsub(/\*/, "", s); gsub(/&/, "\\&amp;", s); return s }

# One line; where it ends is kept, so that names can be moved apart.
function curve(name, colour, wide, dash, title,	s, points, n)
{
	for (s = 1; s <= 5; s++) {
		if (!has(name, size[s]))
			continue
		points = points sprintf("%.1f,%.1f ", x(size[s]), y(ns[name, size[s]]))
		endx = x(size[s]); endy = y(ns[name, size[s]]); n++
		printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\"/>\n", endx, endy, wide + 1, colour
	}
	if (!n)
		return
	printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"%s\"%s/>\n", points, colour, wide, \
		dash == "" ? "" : " stroke-dasharray=\"" dash "\""
	ends++
	tagx[ends] = endx; tagy[ends] = endy; tagc[ends] = colour; tagt[ends] = title; tagw[ends] = wide > 2
}
# Names stand right of the plot in the order of the lines' ends, 15 pixels apart at least.
function tags(	i, j, best, done, last)
{
	last = top - 20
	for (i = 1; i <= ends; i++) {
		best = 0
		for (j = 1; j <= ends; j++)
			if (!done[j] && (!best || tagy[j] < tagy[best]))
				best = j
		done[best] = 1
		order[i] = best
		put[best] = tagy[best] < last + 15 ? last + 15 : tagy[best]
		last = put[best]
	}
	for (i = ends; i >= 1; i--) { # nothing below the axis
		j = order[i]
		if (i == ends ? put[j] > top + height : put[j] > put[order[i + 1]] - 15)
			put[j] = i == ends ? top + height : put[order[i + 1]] - 15
	}
	for (i = 1; i <= ends; i++) {
		line(tagx[i] + 5, tagy[i], left + width + 22, put[i], "stroke=\"" tagc[i] "\" stroke-width=\"0.6\" stroke-dasharray=\"2,2\"")
		text(left + width + 26, put[i] + 4, "start", "fill=\"" tagc[i] "\"" (tagw[i] ? " font-weight=\"bold\"" : ""), tagt[i])
	}
}
END {
	figures()
	left = 80; top = 60; width = 560; height = 440
	bottom_ns = 40; top_ns = 200000
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"960\" height=\"560\" viewBox=\"0 0 960 560\" "
	print "font-family=\"sans-serif\" font-size=\"13\">"
	print "<rect width=\"960\" height=\"560\" fill=\"white\"/>"
	axes()
	curve("limit", "#888888", 1.5, "6,4", "XDP: parse and drop")
	curve("nft-floor", "#bbbbbb", 1.5, "6,4", "nftables: one drop rule")
	curve("nft-linear", "#7f3b08", 1.5, "", "nftables, linear")
	curve("ipt-nft", "#c08a4a", 1.5, "4,2", "iptables-nft, linear")
	curve("ipt-legacy", "#e08214", 1.5, "", "iptables-legacy, linear")
	curve("nft-concat", "#2166ac", 1.5, "", "nftables, concatenated intervals")
	curve("nft-vmap", "#67a9cf", 1.5, "4,2", "nftables, verdict map")
	curve("nft-src", "#1b7837", 1.5, "", "nftables, source intervals only")
	curve("ipset-src", "#762a83", 1.5, "", "ipset hash:net, source only")
	curve("ipset-port", "#af8dc3", 1.5, "4,2", "ipset hash:net,port")
	curve("xdp-filter", "#4d4d4d", 1.5, "2,2", "xdp-filter, exact sources only")
	curve("xipsec", "#d6001c", 3, "", "xipsec, all fields")
	tags()
	print "</svg>"
}
