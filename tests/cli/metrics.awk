# SPDX-License-Identifier: GPL-2.0
# Is it Prometheus' text format (0.0.4), as promtool would have it? Families have HELP and TYPE once
# and stay together, samples are of the family and occur once, histograms are cumulative and end
# with +Inf, which is their count.

function wrong(what)
{
	print NR ": " what ": " $0 > "/dev/stderr"
	failed = 1
}

/^$/ { wrong("empty line"); next }

/^# HELP / {
	if ($3 in helped)
		wrong("second HELP")
	if (NF < 4)
		wrong("HELP without a text")
	helped[$3] = 1
	next
}

/^# TYPE / {
	if ($3 in type)
		wrong("second TYPE")
	if (!($3 in helped))
		wrong("TYPE without HELP")
	if ($4 !~ /^(counter|gauge|histogram)$/)
		wrong("unknown type")
	if ($4 == "counter" && $3 !~ /_total$/)
		wrong("a counter's name ends with _total")
	type[$3] = $4
	family = $3
	next
}

!/^[a-z_][a-z0-9_]*({([a-z_]+="([^"\\]|\\.)*",?)+})? [-+0-9.e]+$/ { wrong("no sample"); next }

{
	name = $0
	sub(/[{ ].*/, "", name)
	series = $0
	sub(/ [^ ]*$/, "", series)
	if (series in seen)
		wrong("sample twice")
	seen[series] = 1
	base = name
	if (type[family] == "histogram")
		sub(/_(bucket|sum|count)$/, "", base)
	if (base != family)
		wrong("not of the family " family)
	if (type[family] == "counter" && $NF < 0)
		wrong("negative counter")
	samples++
}

name ~ /_bucket$/ {
	le = series
	sub(/.*le="/, "", le)
	sub(/".*/, "", le)
	of = series
	sub(/,?le="[^"]*"/, "", of)
	if (of == last_of && ($NF < last || (le != "+Inf" && le + 0 <= last_le)))
		wrong("buckets are not cumulative")
	last = $NF
	last_of = of
	last_le = le + 0
	if (le == "+Inf") {
		sub(/_bucket/, "_count", of)
		all[of] = $NF
	}
}

name ~ /_count$/ && type[family] == "histogram" {
	if (!(series in all) || all[series] != $NF)
		wrong("the count is not that of +Inf")
}

END {
	if (!samples)
		wrong("nothing in it")
	exit failed
}
