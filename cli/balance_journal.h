/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What was, before balance changed it: a file, from which it is put back at the end, by a watchman
 * if balance dies, or by `balance --restore` if that dies, too. One balance has a journal at a
 * time.
 */
#ifndef HVTRACE_BALANCE_JOURNAL_H
#define HVTRACE_BALANCE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "actuator/actuator.h"

struct journal;

/* Lock it; its folder is made if it is the default's. -EBUSY: another balance has it; -errno; with
 * a sentence in why, as below. */
int journal__open(struct journal **out, const char *path, char *why, size_t size);
/* Unlocks it. What is in it stays. NULL is fine. */
void journal__close(struct journal *j);
/* Is there anything in it? */
bool journal__full(const struct journal *j);

/* Note what the actuator is set to; nothing is written yet. */
int journal__note(struct journal *j, const char *vm, const char *disk, struct actuator *a,
		  char *why, size_t size);
/* All that was noted is on the disk when this returns. `keep`: it is for who asks for it only; what
 * is in it is not to be put back for its own sake. */
int journal__write(struct journal *j, bool keep, char *why, size_t size);
/* Is there anything in it that is to be put back for its own sake? */
bool journal__is_due(const struct journal *j);

/* Called for each VM: what went wrong, or NULL. */
typedef void (*journal_told)(void *ctx, const char *vm, const char *kind, const char *fault);
/* Put back what is in the file, and remove it. A VM that is another one by now is left alone. The
 * number of VMs for which that failed; -errno: the file cannot be read. */
int journal__restore(struct journal *j, journal_told told, void *ctx, char *why, size_t size);
/* There is nothing to put back any more. */
void journal__clear(struct journal *j);

/* A process that restores if this one dies before journal__dismiss(). -errno. */
int journal__watch(struct journal *j);
void journal__dismiss(struct journal *j);

#endif
