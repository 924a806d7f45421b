/* SPDX-License-Identifier: GPL-2.0 */
/* For fuzzers whose input is text: a NUL ends it, and the last byte is where memory ends, too. */
#ifndef TESTS_FUZZ_TEXT_H
#define TESTS_FUZZ_TEXT_H

#include "fuzz.h"

/* The fuzzer's own; text has size bytes without its NUL, which need not be the first one, and may
 * be changed. */
static void try_text(char *text, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	try_text(text, size);
	free(text);
	return 0;
}

#endif
