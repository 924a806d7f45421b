// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decoder.h"

struct stream {
	struct source in;
	const struct decoder *decoder; /* NULL: not packed */
	void *state;		       /* the decoder's */
	char *buf;
	size_t pos, len; /* the window */
	char why[120];
};

static const struct decoder *const decoders[] = {&decoder_gzip, &decoder_zstd, NULL};

/* The longest first bytes that a decoder looks at. */
#define MAGIC_BYTES 4

static int find_decoder(struct stream *s)
{
	int got = 1;

	while (got > 0 && source__left(&s->in) < MAGIC_BYTES)
		got = source__fill(&s->in);
	if (got < 0)
		return got;
	for (const struct decoder *const *d = decoders; *d && !s->decoder; d++)
		if ((*d)->match((unsigned char *)s->in.buf, s->in.len))
			s->decoder = *d;
	if (!s->decoder)
		return 0;
	s->state = s->decoder->new ();
	return s->state ? 0 : -ENOMEM;
}

struct stream *stream__open(const char *path)
{
	struct stream *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return NULL;
	err = source__open(&s->in, path);
	if (err) {
		free(s);
		errno = -err;
		return NULL;
	}
	s->buf = malloc(STREAM_BYTES);
	err = s->buf ? find_decoder(s) : -ENOMEM;
	if (err) {
		stream__close(s);
		errno = -err;
		return NULL;
	}
	return s;
}

void stream__close(struct stream *s)
{
	if (!s)
		return;
	if (s->decoder)
		s->decoder->free(s->state);
	source__close(&s->in);
	free(s->buf);
	free(s);
}

const char *stream__data(const struct stream *s, size_t *n)
{
	*n = s->len - s->pos;
	return s->buf + s->pos;
}

void stream__skip(struct stream *s, size_t n)
{
	s->pos += n;
}

static ssize_t read_plain(struct stream *s, char *to, size_t n)
{
	size_t ahead = source__left(&s->in);

	if (!ahead)
		return source__read(&s->in, to, n);
	if (ahead > n)
		ahead = n;
	memcpy(to, s->in.buf + s->in.pos, ahead);
	s->in.pos += ahead;
	return ahead;
}

static ssize_t read_packed(struct stream *s, char *to, size_t n)
{
	const char *how = NULL;
	ssize_t got = s->decoder->read(s->state, &s->in, to, n, &how);

	if (how)
		snprintf(s->why, sizeof(s->why), "damaged at byte %llu (%s); check it with %s -t",
			 source__at(&s->in), how, s->decoder->name);
	return got;
}

int stream__fill(struct stream *s)
{
	ssize_t got;

	s->len -= s->pos;
	memmove(s->buf, s->buf + s->pos, s->len);
	s->pos = 0;
	if (s->len == STREAM_BYTES)
		return -ENOBUFS;
	got = (s->decoder ? read_packed : read_plain)(s, s->buf + s->len, STREAM_BYTES - s->len);
	if (got < 0 && !s->why[0])
		snprintf(s->why, sizeof(s->why), "cannot be read: %s", strerror(-got));
	if (got <= 0)
		return got;
	s->len += got;
	return 1;
}

/* For fopencookie(3). */
static ssize_t read_cookie(void *cookie, char *to, size_t n)
{
	struct stream *s = cookie;
	int got = s->pos < s->len ? 1 : stream__fill(s);
	const char *data;
	size_t there;

	if (got <= 0) {
		errno = -got;
		return got ? -1 : 0;
	}
	data = stream__data(s, &there);
	if (n > there)
		n = there;
	memcpy(to, data, n);
	stream__skip(s, n);
	return n;
}

FILE *stream__file(struct stream *s)
{
	return fopencookie(s, "r", (cookie_io_functions_t){.read = read_cookie});
}

const char *stream__why(const struct stream *s)
{
	return s->why;
}

__u64 stream__done(const struct stream *s)
{
	return s->decoder ? source__at(&s->in) : s->in.done;
}

__u64 stream__total(const struct stream *s)
{
	return s->in.total;
}

int stream__plain_file(const struct stream *s)
{
	return s->in.whole && !s->decoder ? s->in.fd : -1;
}
