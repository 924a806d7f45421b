/* SPDX-License-Identifier: GPL-2.0 */
/* The bytes of a file or pipe as they are, read ahead into a buffer. */
#ifndef HVTRACE_SOURCE_H
#define HVTRACE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>

#define SOURCE_BYTES (128 * 1024)

struct source {
	int fd;
	bool whole;  /* a regular file, read from its beginning */
	__u64 total; /* bytes of a regular file, else 0 */
	__u64 done;  /* bytes read */
	size_t pos;  /* of the first byte in buf that is not taken yet */
	size_t len;  /* bytes in buf */
	char *buf;
};

/* "-" is stdin. -errno. */
int source__open(struct source *s, const char *path);
void source__close(struct source *s);
/* As read(2), past the buffer. */
ssize_t source__read(struct source *s, void *data, size_t n);
/* Adds what one read gives to the bytes not taken yet. 1; 0: the end; -errno. */
int source__fill(struct source *s);

static inline size_t source__left(const struct source *s)
{
	return s->len - s->pos;
}

/* Place in the file of the first byte that is not taken yet. */
static inline __u64 source__at(const struct source *s)
{
	return s->done - source__left(s);
}

#endif
