/* SPDX-License-Identifier: GPL-2.0 */
/* A compression format: what a stream reads a packed file through. */
#ifndef HVTRACE_DECODER_H
#define HVTRACE_DECODER_H

#include "source.h"

struct decoder {
	const char *name; /* of the tool, too: NAME -t checks a file */
	bool (*match)(const unsigned char *head, size_t n); /* by a file's first bytes */
	void *(*new)(void);				    /* NULL: out of memory */
	void (*free)(void *state);
	/* Up to n unpacked bytes; 0: the end; -EBADMSG: damaged, *why says how, the source stands
	 * where; other -errno. */
	ssize_t (*read)(void *state, struct source *in, void *out, size_t n, const char **why);
};

extern const struct decoder decoder_gzip; /* RFC 1952, one member after another */
extern const struct decoder decoder_zstd; /* RFC 8878, one frame after another */

#endif
