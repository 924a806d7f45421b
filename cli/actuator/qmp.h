/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU's machine protocol (docs/interop/qmp-spec.txt of QEMU) over a UNIX socket, as of
 * -qmp unix:PATH,server=on,wait=off. Connects when there is something to say, and again after an
 * error: QEMU may have been restarted. QEMU speaks to one client of a socket at a time.
 */
#ifndef HVTRACE_QMP_H
#define HVTRACE_QMP_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

struct qmp;

/* Does not connect yet. No command takes longer than so many seconds. NULL: out of memory. */
struct qmp *qmp__new(const char *path, double seconds);
void qmp__free(struct qmp *q); /* NULL is fine */
/* Speak over this connected socket, which is taken over; when it fails, it fails. -ENOMEM. */
int qmp__adopt(struct qmp *q, int fd);

/*
 * Have a command carried out; arguments may be NULL, and are consumed. *result (may be NULL) is the
 * caller's. What went wrong is a sentence in why:
 * -ENODEV: QEMU has no such device; -EREMOTEIO: QEMU refused; -ETIMEDOUT: no answer in time;
 * -EPROTO: what came is not QMP; else -errno of the connection.
 */
int qmp__command(struct qmp *q, const char *name, json_t *arguments, json_t **result, char *why,
		 size_t size);
/* The VMM's process while connected; 0: not known. */
pid_t qmp__peer(const struct qmp *q);

#endif
