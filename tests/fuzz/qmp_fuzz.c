// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes from who should be QEMU. Whatever they are, a command ends with an error or an answer
 * that is one, and the reason is one line.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../cli/actuator/qmp.h"
#include "fuzz.h"

static void ask(struct qmp *q)
{
	char why[256] = "";
	json_t *result = NULL;
	int err = qmp__command(q, "query-balloon", json_pack("{s:i}", "value", 1), &result, why,
			       sizeof(why));

	check(err <= 0 && !err == (result != NULL));
	check(!err == !why[0] && !strchr(why, '\n'));
	json_decref(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Nobody is there to connect to again. */
	struct qmp *q = qmp__new("/nonexistent/qmp", 10);
	int pair[2];

	/* What fits into the socket at once. */
	if (size > 16384 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) {
		qmp__free(q);
		return 0;
	}
	check(q && send(pair[1], data, size, MSG_DONTWAIT) == (ssize_t)size);
	shutdown(pair[1], SHUT_WR);
	if (!qmp__adopt(q, pair[0])) {
		ask(q);
		ask(q);
	}
	qmp__free(q);
	close(pair[1]);
	return 0;
}
