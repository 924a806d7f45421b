// SPDX-License-Identifier: GPL-2.0
/* Any command line: a name that ends, fits, and cannot harm a terminal. */

#include "../../loader/vm_identity.h"
#include "fuzz.h"

static void check_text(const char *s, size_t size)
{
	size_t n = strnlen(s, size);

	if (n == size)
		abort();
	while (n--)
		if ((unsigned char)s[n] < ' ' || s[n] == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_identity id;
	char comm[16] = "";
	size_t n = size < 15 ? size : 15;

	/* The first bytes name the process, too. */
	memcpy(comm, data, n);
	vm_identity__parse(&id, 1, comm, (const char *)data, size);
	check_text(id.name, sizeof(id.name));
	check_text(id.vmm, sizeof(id.vmm));
	check_text(id.uuid, sizeof(id.uuid));
	if (!id.name[0] || !id.vmm[0])
		abort();
	return 0;
}
