/* SPDX-License-Identifier: GPL-2.0 */
/* Ctrl-C, SIGTERM and SIGHUP: the first one ends a run in order; a second one of the kind kills, as
 * usual. */
#ifndef HVTRACE_INTERRUPT_H
#define HVTRACE_INTERRUPT_H

#include <stdbool.h>

void interrupt__catch(void);
/* Since they are caught. */
bool interrupt__came(void);

#endif
