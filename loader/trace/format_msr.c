// SPDX-License-Identifier: GPL-2.0
/*
 * Traces of MSR Cambridge (Narayanan et al., FAST '08), as SNIA IOTTA has them:
 * Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime, with times in Windows' ticks of
 * 100 ns, offset and size in bytes, Type Read or Write. A disk is a host's name and a number.
 */
#include <errno.h>

#include "parser.h"

static int take_number(struct parser *s, struct text *line, const char *which, __u64 *v)
{
	struct text field = text__field(line, ',');
	const char *wrong = text__number(&field, v);

	if (!wrong && field.p < field.end)
		wrong = "is not a whole number";
	return wrong ? parser__bad_number(s, which, wrong, &field) : 0;
}

/* Hostname,DiskNumber as one. */
static int take_disk(struct parser *s, struct text *line, struct text *disk)
{
	__u64 number;

	*disk = text__field(line, ',');
	if (disk->p == disk->end)
		return parser__bad(s, "host name is missing");
	if (take_number(s, line, "disk number", &number))
		return -EINVAL;
	disk->end = line->p;
	return 0;
}

static int take_type(struct parser *s, struct text *line)
{
	struct text type = text__field(line, ',');
	char quote[TEXT_QUOTE];

	if (text__is_nocase(&type, "read") || text__is_nocase(&type, "write"))
		return 0;
	return parser__bad(s, "type '%s' is neither Read nor Write", text__quote(&type, quote));
}

static bool is_aside(struct parser *s, const struct text *line)
{
	bool first = !s->begun;

	if (line->p == line->end)
		return true;
	s->begun = true;
	return first && text__starts(line, "Timestamp");
}

static int msr__parse(struct parser *s, const char *p, size_t n, struct request *r)
{
	struct text line = {.p = p, .end = p + n}, disk;
	__u64 offset, size, response;
	long volume;

	if (is_aside(s, &line))
		return PARSED_NOTHING;
	if (take_number(s, &line, "time", &r->time) || take_disk(s, &line, &disk) ||
	    take_type(s, &line) || take_number(s, &line, "offset", &offset) ||
	    take_number(s, &line, "size", &size) ||
	    take_number(s, &line, "response time", &response))
		return -EINVAL;
	if (line.p < line.end)
		return parser__bad(s, "a column too many");
	volume = parser__volume(s, disk.p, disk.end - disk.p);
	return volume < 0 ? volume : parser__bytes(s, volume, offset, size, r);
}

const struct trace_format format_msr = {
	.name = "msr",
	.tick = 100,
	.parse = msr__parse,
};
