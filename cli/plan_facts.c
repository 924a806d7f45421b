// SPDX-License-Identifier: GPL-2.0
#include "plan_facts.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/size.h"
#include "../analysis/span.h"

/* --- values as text: 0, or -EINVAL with what it should be in why --- */

static int wrong(const char *name, const char *text, const char *is_no, char *why, size_t size)
{
	snprintf(why, size, "%s '%s' is not %s", name, text, is_no);
	return -EINVAL;
}

static int take_size(const char *name, const char *text, double *out, char *why, size_t size)
{
	__u64 pages;

	if (size__parse(text, &pages))
		return wrong(name, text, "a size such as 64MiB or 4GiB", why, size);
	*out = pages;
	return 0;
}

/* Nanoseconds; 0 as well. */
static int take_time(const char *name, const char *text, double *out, char *why, size_t size)
{
	struct span span = {0};

	if (strcmp(text, "0") && (span__parse(text, &span) || span.refs))
		return wrong(name, text, "a time such as 150us, 5ms or 1h", why, size);
	*out = span.n;
	return 0;
}

static int take_seconds(const char *name, const char *text, double *out, char *why, size_t size)
{
	int err = take_time(name, text, out, why, size);

	if (!err && !*out)
		return wrong(name, text, "a time above 0", why, size);
	*out /= 1e9;
	return err;
}

static int take_ms(const char *name, const char *text, double *out, char *why, size_t size)
{
	int err = take_time(name, text, out, why, size);

	*out /= 1e6;
	return err;
}

/* Digits with a decimal point; what strtod would take beside that is none. */
static bool parse_number(const char *text, size_t len, double *out)
{
	char *end;

	if (!len || strspn(text, "0123456789.") < len)
		return false;
	*out = strtod(text, &end);
	return end == text + len && *out <= 1e15;
}

static int take_number(const char *name, const char *text, double *out, char *why, size_t size)
{
	if (!parse_number(text, strlen(text), out))
		return wrong(name, text, "a number of 0 or more", why, size);
	return 0;
}

static int take_weight(const char *name, const char *text, double *out, char *why, size_t size)
{
	if (!parse_number(text, strlen(text), out) || *out < 1e-6)
		return wrong(name, text, "a number above 0", why, size);
	return 0;
}

static int take_share(const char *name, const char *text, double *out, char *why, size_t size)
{
	size_t len = strlen(text);
	bool percent = len && text[len - 1] == '%';

	if (!parse_number(text, len - percent, out) || *out > (percent ? 100 : 1))
		return wrong(name, text, "a share of the accesses such as 0.02 or 2%", why, size);
	*out /= percent ? 100 : 1;
	return 0;
}

/* --- the table --- */

#define SIZE(member) offsetof(struct plan_facts, member), true
#define FIGURE(member) offsetof(struct plan_facts, member), false

static const struct fact {
	const char *name;
	int (*take)(const char *name, const char *text, double *out, char *why, size_t size);
	size_t offset;
	bool is_size; /* else a double */
} facts[PLAN_FACTS] = {
	[FACT_MEMORY] = {"memory", take_size, SIZE(memory)},
	[FACT_DIRECT] = {"direct", take_size, SIZE(direct)},
	[FACT_RATE] = {"rate", take_number, FIGURE(rate)},
	[FACT_OVER] = {"over", take_seconds, FIGURE(over)},
	[FACT_LATENCY] = {"latency", take_time, FIGURE(latency)},
	[FACT_WEIGHT] = {"weight", take_weight, FIGURE(weight)},
	[FACT_MIN] = {"min", take_size, SIZE(min)},
	[FACT_MAX] = {"max", take_size, SIZE(max)},
	[FACT_BASELINE] = {"baseline", take_size, SIZE(baseline)},
	[FACT_SLOWER_RATIO] = {"slower-ratio", take_share, FIGURE(slower_ratio)},
	[FACT_SLOWER_TIME] = {"slower-time", take_ms, FIGURE(slower_time)},
};

static double get(const struct plan_facts *f, const struct fact *fact)
{
	const void *at = (const char *)f + fact->offset;

	return fact->is_size ? *(const __u64 *)at : *(const double *)at;
}

bool plan_facts__given(const struct plan_facts *f, enum plan_fact fact)
{
	return f->given & 1U << fact;
}

void plan_facts__know(struct plan_facts *f, enum plan_fact fact, double value)
{
	void *at = (char *)f + facts[fact].offset;

	if (isnan(value))
		return;
	if (facts[fact].is_size)
		*(__u64 *)at = value;
	else
		*(double *)at = value;
	f->given |= 1U << fact;
}

int plan_facts__set(struct plan_facts *f, const char *name, const char *value, char *why,
		    size_t size)
{
	double v = 0;
	int i = 0, err;

	while (i < PLAN_FACTS && strcmp(facts[i].name, name))
		i++;
	if (i == PLAN_FACTS) {
		snprintf(why, size,
			 "a VM has no '%s'; it has memory, direct, rate, over, latency, weight, "
			 "min, max, baseline, slower-ratio and slower-time",
			 name);
		return -ENOENT;
	}
	if (plan_facts__given(f, i)) {
		snprintf(why, size, "'%s' is given twice", name);
		return -EEXIST;
	}
	err = facts[i].take(name, value, &v, why, size);
	if (!err)
		plan_facts__know(f, i, v);
	return err;
}

/* One of the two is said: the other one is not to say otherwise. */
static bool is_said(const struct plan_facts *f, enum plan_fact fact)
{
	if (fact == FACT_RATE || fact == FACT_OVER)
		return plan_facts__given(f, FACT_RATE) || plan_facts__given(f, FACT_OVER);
	return plan_facts__given(f, fact);
}

void plan_facts__fill(struct plan_facts *f, const struct plan_facts *from)
{
	const struct plan_facts before = *f;

	for (int i = 0; i < PLAN_FACTS; i++)
		if (!is_said(&before, i) && plan_facts__given(from, i))
			plan_facts__know(f, i, get(from, &facts[i]));
}
