// SPDX-License-Identifier: GPL-2.0
#include "decoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct gzip {
	z_stream z;
	bool between; /* not within a member */
};

static void *gzip__new(void)
{
	struct gzip *g = calloc(1, sizeof(*g));

	/* 16: gzip's header, not zlib's. */
	if (g && inflateInit2(&g->z, 16 + MAX_WBITS) != Z_OK) {
		free(g);
		return NULL;
	}
	return g;
}

static void gzip__free(void *state)
{
	struct gzip *g = state;

	if (g)
		inflateEnd(&g->z);
	free(g);
}

/* Zeros pad a tape's last block; gzip(1) passes over them as well. */
static void skip_padding(struct source *in)
{
	while (source__left(in) && !in->buf[in->pos])
		in->pos++;
}

/* 1: another member begins; 0: the file is at its end. */
static int next_member(struct gzip *g, struct source *in)
{
	int got;

	do {
		skip_padding(in);
		got = source__left(in) ? 1 : source__fill(in);
	} while (got > 0 && !in->buf[in->pos]);
	if (got > 0) {
		inflateReset(&g->z);
		g->between = false;
	}
	return got;
}

static int inflate_some(struct gzip *g, struct source *in, const char **why)
{
	int rc;

	g->z.next_in = (unsigned char *)in->buf + in->pos;
	g->z.avail_in = source__left(in);
	rc = inflate(&g->z, Z_NO_FLUSH);
	in->pos = in->len - g->z.avail_in;
	if (rc == Z_STREAM_END)
		g->between = true;
	else if (rc == Z_MEM_ERROR)
		return -ENOMEM;
	else if (rc != Z_OK && rc != Z_BUF_ERROR) {
		*why = g->z.msg ? g->z.msg : "not gzip data";
		return -EBADMSG;
	}
	return 0;
}

static ssize_t gzip__read(void *state, struct source *in, void *out, size_t n, const char **why)
{
	struct gzip *g = state;
	int err = 0;

	g->z.next_out = out;
	g->z.avail_out = n;
	while (!err && g->z.avail_out == n) {
		int got = 1;

		if (g->between)
			got = next_member(g, in);
		else if (!source__left(in))
			got = source__fill(in);
		if (got < 0 || (!got && g->between))
			return got;
		if (!got) {
			*why = "truncated";
			return -EBADMSG;
		}
		err = inflate_some(g, in, why);
	}
	return g->z.avail_out < n ? (ssize_t)(n - g->z.avail_out) : err;
}

/* A member that is deflated: there is no other kind. */
static bool gzip__match(const unsigned char *head, size_t n)
{
	return n >= 3 && !memcmp(head, "\x1f\x8b\x08", 3);
}

const struct decoder decoder_gzip = {
	.name = "gzip",
	.match = gzip__match,
	.new = gzip__new,
	.free = gzip__free,
	.read = gzip__read,
};
