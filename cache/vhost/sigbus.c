// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "sigbus.h"

/* Never freed, as the handler may be looking at it; used again instead. */
struct sigbus_guard {
	struct sigbus_guard *next;
	_Atomic bool used;
	_Atomic unsigned version; /* odd: being changed */
	_Atomic uintptr_t start, end;
	void (*_Atomic fn)(void *ctx);
	void *_Atomic ctx;
};

/* Signals are the process's, so is this. */
static struct sigbus_guard *_Atomic guards;
static struct sigaction before;

struct range {
	uintptr_t start, end;
	void (*fn)(void *ctx);
	void *ctx;
};

/* False: it is being changed, so it is not what this thread is touching. */
static bool guard__range(struct sigbus_guard *g, struct range *r)
{
	unsigned version = atomic_load(&g->version);

	*r = (struct range){atomic_load(&g->start), atomic_load(&g->end), atomic_load(&g->fn),
			    atomic_load(&g->ctx)};
	return !(version & 1) && atomic_load(&g->version) == version;
}

static bool find_range(uintptr_t address, struct range *r)
{
	for (struct sigbus_guard *g = atomic_load(&guards); g; g = g->next)
		if (guard__range(g, r) && address >= r->start && address < r->end)
			return true;
	return false;
}

static bool replace_by_zeroes(const struct range *r)
{
	return mmap((void *)r->start, r->end - r->start, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	int err = errno;
	struct range r;

	if (info->si_code > 0 && find_range((uintptr_t)info->si_addr, &r)) {
		r.fn(r.ctx);
		if (!replace_by_zeroes(&r))
			sigaction(SIGBUS, &before, NULL);
	} else {
		/* Not ours. A fault happens again as soon as this returns; what was sent is sent
		 * again. */
		sigaction(SIGBUS, &before, NULL);
		if (info->si_code <= 0)
			raise(SIGBUS);
	}
	errno = err;
}

/* Each time, as others may have set one meanwhile. */
static void install(void)
{
	struct sigaction a = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_RESTART}, now;

	sigaction(SIGBUS, NULL, &now);
	if (now.sa_sigaction == on_sigbus)
		return;
	before = now;
	sigaction(SIGBUS, &a, NULL);
}

static struct sigbus_guard *claim_unused(void)
{
	for (struct sigbus_guard *g = atomic_load(&guards); g; g = g->next)
		if (!atomic_exchange(&g->used, true))
			return g;
	return NULL;
}

static struct sigbus_guard *add_another(void)
{
	struct sigbus_guard *g = calloc(1, sizeof(*g)), *first = atomic_load(&guards);

	if (!g)
		return NULL;
	atomic_store(&g->used, true);
	do
		g->next = first;
	while (!atomic_compare_exchange_weak(&guards, &first, g));
	return g;
}

static void guard__set(struct sigbus_guard *g, struct range r)
{
	atomic_fetch_add(&g->version, 1);
	atomic_store(&g->start, r.start);
	atomic_store(&g->end, r.end);
	atomic_store(&g->fn, r.fn);
	atomic_store(&g->ctx, r.ctx);
	atomic_fetch_add(&g->version, 1);
}

struct sigbus_guard *sigbus_guard__new(void *base, size_t bytes, void (*fn)(void *ctx), void *ctx)
{
	struct sigbus_guard *g = claim_unused();

	install();
	if (!g)
		g = add_another();
	if (g)
		guard__set(g, (struct range){(uintptr_t)base, (uintptr_t)base + bytes, fn, ctx});
	return g;
}

void sigbus_guard__free(struct sigbus_guard *g)
{
	if (!g)
		return;
	guard__set(g, (struct range){0});
	atomic_store(&g->used, false);
}
