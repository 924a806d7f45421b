// SPDX-License-Identifier: GPL-2.0
#include "mapping.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

struct mapping {
	char *base;
	__u64 bytes;
	__u64 done; /* handed out */
	__u64 from; /* of the window that is handed out */
};

/*
 * A page beyond the end of a file that was cut short raises SIGBUS. A signal handler finds only
 * what is global: hence this, and one mapping at a time.
 */
static struct {
	atomic_flag taken;
	uintptr_t start, end, page;
	volatile sig_atomic_t lost;
	struct sigaction old;
} guard = {.taken = ATOMIC_FLAG_INIT};

/* Zeros in place of what is gone: the reader goes on and is told at the window's end. */
static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr & ~(guard.page - 1);
	int saved = errno;

	if (at < guard.start || at >= guard.end ||
	    mmap((void *)at, guard.end - at, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		sigaction(sig, &guard.old, NULL); /* not ours: it comes again, and goes there */
	else
		guard.lost = true;
	errno = saved;
}

static int take_guard(const struct mapping *m)
{
	struct sigaction act = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

	if (atomic_flag_test_and_set(&guard.taken))
		return -EBUSY;
	guard.page = sysconf(_SC_PAGESIZE);
	guard.start = (uintptr_t)m->base;
	guard.end = guard.start + m->bytes;
	guard.lost = false;
	if (!sigaction(SIGBUS, &act, &guard.old))
		return 0;
	atomic_flag_clear(&guard.taken);
	return -errno;
}

static void leave_guard(void)
{
	sigaction(SIGBUS, &guard.old, NULL);
	guard.start = guard.end = 0;
	atomic_flag_clear(&guard.taken);
}

struct mapping *mapping__new(int fd, __u64 bytes)
{
	struct mapping *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->bytes = bytes;
	m->base = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (m->base == MAP_FAILED)
		goto no_map;
	if (take_guard(m))
		goto no_guard;
	madvise(m->base, bytes, MADV_SEQUENTIAL);
	return m;
no_guard:
	munmap(m->base, bytes);
no_map:
	free(m);
	return NULL;
}

void mapping__free(struct mapping *m)
{
	if (!m)
		return;
	leave_guard();
	if (m->from < m->bytes)
		munmap(m->base + m->from, m->bytes - m->from);
	free(m);
}

static bool populate(char *at, size_t n)
{
	if (!madvise(at, n, MADV_POPULATE_READ))
		return true;
	/* Others mean a kernel without: the pages come as they are touched. */
	return errno != EFAULT && errno != EHWPOISON;
}

int mapping__next(struct mapping *m, const void **data, size_t *n)
{
	char *at = m->base + m->done;
	__u64 left = m->bytes - m->done;

	if (guard.lost)
		return -EIO;
	if (m->done > m->from)
		munmap(m->base + m->from, m->done - m->from);
	m->from = m->done;
	guard.start = (uintptr_t)at;
	if (!left)
		return 0;
	*n = left < MAPPING_WINDOW ? left : MAPPING_WINDOW;
	if (!populate(at, *n))
		return -EIO;
	m->done += *n;
	*data = at;
	return 1;
}

__u64 mapping__done(const struct mapping *m)
{
	return m->done;
}
