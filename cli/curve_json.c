// SPDX-License-Identifier: GPL-2.0
#include "curve_json.h"

#include <math.h>

#include "../analysis/size.h"

json_t *curve_json__figure(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *points_json(const struct curve_point *p, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_pack("[I,f,f,f,f]", (json_int_t)p[i].size,
						   p[i].misses, p[i].accesses,
						   curve_point__ratio(&p[i]), p[i].error));
	return a;
}

json_t *curve_json__new(const char *vm, enum page_space space, const struct space_report *r,
			double accesses_per_s)
{
	return json_pack("{s:s,s:s,s:s,s:[s,s,s,s,s],s:o,s:o}", "vm", vm, "space",
			 page_space__name(space), "order", r->order ?: "eviction", "columns",
			 "size_pages", "misses", "accesses", "miss_ratio", "error", "points",
			 points_json(r->curve, r->nr_points), "accesses_per_s",
			 curve_json__figure(accesses_per_s));
}

bool curve_json__sizes(const json_t *request, __u64 **sizes, size_t *n)
{
	const json_t *arg = json_object_get(request, "sizes");
	const char *text = json_string_value(arg);

	*sizes = NULL;
	*n = 0;
	return !arg || (text && !size__parse_list(text, sizes, n));
}
