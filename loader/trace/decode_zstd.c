// SPDX-License-Identifier: GPL-2.0
#include "decoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

struct zstd {
	ZSTD_DCtx *ctx;
	bool between; /* not within a frame */
	bool dry;     /* has no output left to give without more input */
};

static void *zstd__new(void)
{
	struct zstd *z = calloc(1, sizeof(*z));

	if (z)
		z->ctx = ZSTD_createDCtx();
	if (z && !z->ctx) {
		free(z);
		return NULL;
	}
	return z;
}

static void zstd__free(void *state)
{
	struct zstd *z = state;

	if (z)
		ZSTD_freeDCtx(z->ctx);
	free(z);
}

static int unpack_some(struct zstd *z, struct source *in, ZSTD_outBuffer *to, const char **why)
{
	ZSTD_inBuffer from = {.src = in->buf, .size = in->len, .pos = in->pos};
	size_t rc = ZSTD_decompressStream(z->ctx, to, &from);

	in->pos = from.pos;
	z->between = !rc;
	z->dry = to->pos < to->size;
	if (!ZSTD_isError(rc))
		return 0;
	*why = ZSTD_getErrorName(rc);
	return -EBADMSG;
}

static ssize_t zstd__read(void *state, struct source *in, void *out, size_t n, const char **why)
{
	struct zstd *z = state;
	ZSTD_outBuffer to = {.dst = out, .size = n};
	int err = 0;

	while (!err && !to.pos) {
		int got = 1;

		if (!source__left(in) && (z->between || z->dry))
			got = source__fill(in);
		if (got < 0 || (!got && z->between))
			return got;
		if (!got) {
			*why = "truncated";
			return -EBADMSG;
		}
		err = unpack_some(z, in, &to, why);
	}
	return to.pos ? (ssize_t)to.pos : err;
}

/* A frame, or one to be skipped: pzstd begins with such. */
static bool zstd__match(const unsigned char *head, size_t n)
{
	return n >= 4 && (!memcmp(head, "\x28\xb5\x2f\xfd", 4) ||
			  ((head[0] & 0xf0) == 0x50 && !memcmp(head + 1, "\x2a\x4d\x18", 3)));
}

const struct decoder decoder_zstd = {
	.name = "zstd",
	.match = zstd__match,
	.new = zstd__new,
	.free = zstd__free,
	.read = zstd__read,
};
