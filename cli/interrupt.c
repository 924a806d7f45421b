// SPDX-License-Identifier: GPL-2.0
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

/* The only way a signal handler can speak to a loop. */
static volatile sig_atomic_t came;

static void on_signal(int sig)
{
	came = 1;
}

void interrupt__catch(void)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

bool interrupt__came(void)
{
	return came;
}
