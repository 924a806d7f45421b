// SPDX-License-Identifier: GPL-2.0
/*
 * What blkparse prints by default (blkparse(1), DEFAULT OUTPUT):
 *
 *	  8,0    3        1     0.000000000   697  Q   W 223490 + 8 [kjournald]
 *	device cpu sequence   time            pid  action RWBS sector + sectors
 *
 * A request counts once, where it enters: as it is queued (Q), reads and writes. When a device and
 * another that it lies on are both traced, a request to the upper one is remapped (A) to the lower
 * one and queued there again, by the same CPU: such a Q does not count. A remap from a device
 * without requests of its own (a partition of a disk that is traced alone) leaves the Q as it is.
 */
#include <errno.h>
#include <stdlib.h>

#include "parser.h"

struct event {
	__u64 device; /* major << 32 | minor */
	__u64 cpu, time;
	struct text action, rwbs;
	struct text rest; /* of the line */
};

static bool take_device(struct text *t, __u64 *device)
{
	__u64 major, minor;

	if (text__number(t, &major) || !text__take(t, ',') || text__number(t, &minor) ||
	    major >> 32 || minor >> 32)
		return false;
	*device = major << 32 | minor;
	return true;
}

/* A number and the blanks around it. */
static const char *take_column(struct text *t, __u64 *v)
{
	const char *wrong;

	text__skip_blanks(t);
	wrong = text__number(t, v);
	if (!wrong && t->p < t->end && *t->p != ' ' && *t->p != '\t')
		return "is not a whole number";
	return wrong;
}

static int take_cpu(struct parser *s, struct text *t, __u64 *cpu)
{
	const char *wrong = take_column(t, cpu);

	if (wrong)
		return parser__bad_number(s, "CPU", wrong, t);
	if (*cpu >= PARSER_CPUS)
		return parser__bad(s, "CPU %llu is beyond any host", *cpu);
	return 0;
}

static int take_time(struct parser *s, struct text *t, __u64 *time)
{
	const char *wrong;

	text__skip_blanks(t);
	wrong = text__seconds(t, time);
	return wrong ? parser__bad_number(s, "time", wrong, t) : 0;
}

static int take_event(struct parser *s, struct text *t, struct event *e)
{
	__u64 sequence, pid;
	const char *wrong;

	if (!take_device(t, &e->device))
		return parser__bad(s, "no device (major,minor) where one should be");
	if (take_cpu(s, t, &e->cpu))
		return -EINVAL;
	wrong = take_column(t, &sequence);
	if (wrong)
		return parser__bad_number(s, "sequence number", wrong, t);
	if (take_time(s, t, &e->time))
		return -EINVAL;
	wrong = take_column(t, &pid);
	if (wrong)
		return parser__bad_number(s, "process id", wrong, t);
	text__skip_blanks(t);
	e->action = text__word(t);
	text__skip_blanks(t);
	e->rwbs = text__word(t);
	text__skip_blanks(t);
	e->rest = *t;
	if (e->action.p == e->action.end || e->rwbs.p == e->rwbs.end)
		return parser__bad(s, "the line ends before its action");
	return 0;
}

/* Sector and sectors; PARSED_NONE for what has none: flushes, and commands that are no reads or
 * writes of blocks. */
static int take_sectors(struct parser *s, struct text *t, __u64 *sector, __u64 *n)
{
	const char *wrong;

	if (t->p == t->end || *t->p == '[')
		return PARSED_NONE;
	wrong = take_column(t, sector);
	if (wrong)
		return parser__bad_number(s, "sector", wrong, t);
	text__skip_blanks(t);
	if (!text__take(t, '+'))
		return PARSED_NONE;
	wrong = take_column(t, n);
	return wrong ? parser__bad_number(s, "number of sectors", wrong, t) : PARSED_REFS;
}

static bool is_seen(const struct parser *s, __u64 device)
{
	return volumes__find(s->volumes, &device, sizeof(device)) >= 0 ||
	       volumes__find(s->below, &device, sizeof(device)) >= 0;
}

/* SECTOR + SECTORS <- (MAJOR,MINOR) SECTOR */
static int remap(struct parser *s, struct event *e)
{
	struct remap *to = &s->remaps[e->cpu];
	__u64 sector = 0, n, from;
	int err = take_sectors(s, &e->rest, &sector, &n);
	bool chained = to->below && to->device == e->device;

	if (err < 0)
		return err;
	text__skip_blanks(&e->rest);
	if (!text__starts(&e->rest, "<- ("))
		return parser__bad(s, "a remap does not say from where");
	e->rest.p += 4;
	if (!take_device(&e->rest, &from))
		return parser__bad(s, "no device (major,minor) that the remap is from");
	/* A partition of a lower device: the request is remapped twice. */
	*to = (struct remap){e->device, sector, chained || is_seen(s, from)};
	return PARSED_NONE;
}

/* The request comes from a device above, where it counted. */
static bool is_from_above(const struct remap *to, const struct event *e, __u64 sector)
{
	return to->below && to->device == e->device && to->sector == sector;
}

/* Discards are D alone, what moves no data is N. A flush may be of a write: it has no sectors. */
static bool is_read_or_write(const struct text *rwbs)
{
	for (const char *p = rwbs->p; p < rwbs->end; p++)
		if (*p == 'R' || *p == 'W')
			return true;
	return false;
}

/* Devices below are remembered: others may lie below them in turn. */
static int below(struct parser *s, const struct event *e)
{
	long number = volumes__number(s->below, &e->device, sizeof(e->device));

	return number == -ENOMEM ? -ENOMEM : PARSED_NONE;
}

static int queued(struct parser *s, struct event *e, struct request *r)
{
	struct remap to = s->remaps[e->cpu];
	__u64 sector, n;
	long volume;
	int got;

	s->remaps[e->cpu].below = false;
	if (!is_read_or_write(&e->rwbs))
		return PARSED_NONE;
	got = take_sectors(s, &e->rest, &sector, &n);
	if (got != PARSED_REFS)
		return got;
	if (is_from_above(&to, e, sector))
		return below(s, e);
	volume = parser__volume(s, &e->device, sizeof(e->device));
	r->time = e->time;
	return volume < 0 ? volume : parser__sectors(s, volume, sector, n, r);
}

/* The figures at the end: a line that begins one of their tables, or one within. */
static bool is_summary(struct parser *s, const struct text *line)
{
	static const char *const begins[] = {"CPU",	 "Total (", "Throughput (",
					     "Events (", "Skips: ", "Input file "};

	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
		if (text__starts(line, begins[i]))
			s->summary = true;
	return s->summary;
}

static int blkparse__parse(struct parser *s, const char *p, size_t n, struct request *r)
{
	struct text line = {.p = p, .end = p + n};
	struct event e;
	int err;

	text__skip_blanks(&line);
	if (line.p == line.end || (!text__at_digit(&line) && is_summary(s, &line)))
		return PARSED_NOTHING;
	err = take_event(s, &line, &e);
	if (err)
		return err;
	s->summary = false;
	if (!s->remaps)
		s->remaps = calloc(PARSER_CPUS, sizeof(*s->remaps));
	if (!s->remaps)
		return -ENOMEM;
	if (text__is(&e.action, "Q"))
		return queued(s, &e, r);
	return text__is(&e.action, "A") ? remap(s, &e) : PARSED_NONE;
}

const struct trace_format format_blkparse = {
	.name = "blkparse",
	.tick = 1,
	.parse = blkparse__parse,
};
