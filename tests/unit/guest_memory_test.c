// SPDX-License-Identifier: GPL-2.0
/* Guest memory: regions of files, addresses in them, and files that are cut short underneath. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cache/loop.h"
#include "../../cache/vhost/memory.h"
#include "random.h"

#define PAGE GUEST_PAGE
#define HVA 0x7f0000000000ULL
#define FAR (1ULL << 32)

static int new_file(unsigned pages)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)pages * PAGE), 0);
	return fd;
}

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* The file is of no use afterwards. */
static int add_file(struct guest_memory *m, __u64 gpa, __u64 bytes, __u64 hva, __u64 offset, int fd)
{
	int err = guest_memory__add(m, gpa, bytes, hva, offset, fd);

	close(fd);
	return err;
}

/* So many pages at a page number of guest memory, from a page of a new file on. */
static int add(struct guest_memory *m, __u64 page, __u64 pages, unsigned skip)
{
	return add_file(m, page * PAGE, pages * PAGE, HVA + page * PAGE, (__u64)skip * PAGE,
			new_file(skip + pages));
}

static void test_lookup(void **state)
{
	struct guest_memory m = {0};
	__u64 bytes = 100, all = 1 << 20;
	char *at;

	assert_int_equal(add(&m, 16, 4, 1), 0);
	assert_int_equal(add(&m, 0, 8, 0), 0);
	assert_int_equal(guest_memory__pages(&m), 12);
	at = guest_memory__at(&m, 0, &bytes);
	assert_non_null(at);
	assert_int_equal(bytes, 100);
	assert_ptr_equal(guest_memory__at(&m, 5 * PAGE + 1, &all), at + 5 * PAGE + 1);
	assert_int_equal(all, 3 * PAGE - 1);
	assert_null(guest_memory__at(&m, 8 * PAGE, &all));
	assert_null(guest_memory__at(&m, 20 * PAGE, &all));
	assert_null(guest_memory__at(&m, -1ULL, &all));
	all = 1 << 20;
	assert_non_null(guest_memory__at_hva(&m, HVA + 19 * PAGE, &all));
	assert_int_equal(all, PAGE);
	assert_null(guest_memory__at_hva(&m, HVA + 20 * PAGE, &all));
	assert_null(guest_memory__at_hva(&m, 0, &all));
	guest_memory__clear(&m);
	assert_int_equal(guest_memory__pages(&m), 0);
	assert_null(guest_memory__at(&m, 0, &all));
}

static void test_offset(void **state)
{
	struct guest_memory m = {0};
	int fd = new_file(8);
	__u64 bytes = 1;
	char c = 0;

	assert_int_equal(guest_memory__add(&m, 0, 2 * PAGE, HVA, 3 * PAGE, fd), 0);
	*(char *)guest_memory__at(&m, PAGE + 7, &bytes) = 'x';
	assert_int_equal(pread(fd, &c, 1, 4 * PAGE + 7), 1);
	assert_int_equal(c, 'x');
	close(fd);
	guest_memory__clear(&m);
}

static void test_hints(void **state)
{
	struct guest_memory m = {0};

	assert_int_equal(add(&m, 2, 4, 0), 0);
	assert_null(guest_memory__hint(&m, PAGE));
	assert_null(guest_memory__hint(&m, 6 * PAGE));
	assert_int_equal(atomic_load(guest_memory__hint(&m, 5 * PAGE)), 0);
	atomic_store(guest_memory__hint(&m, 5 * PAGE + 100), 77);
	assert_int_equal(atomic_load(guest_memory__hint(&m, 6 * PAGE - 1)), 77);
	assert_int_equal(atomic_load(guest_memory__hint(&m, 4 * PAGE)), 0);
	guest_memory__clear(&m);
}

static void test_refused(void **state)
{
	struct guest_memory m = {0};
	int fds = open_fds(), pipes[2], disk_file;

	assert_int_equal(add(&m, 4, 4, 0), 0);
	assert_int_equal(add(&m, 7, 4, 0), -EINVAL);
	assert_int_equal(add(&m, 2, 3, 0), -EINVAL);
	assert_int_equal(add(&m, 0, 100, 0), -EINVAL);
	assert_int_equal(add(&m, 5, 1, 0), -EINVAL);
	assert_int_equal(add(&m, 20, 0, 0), -EINVAL);
	/* Not of whole pages, beyond the file, around the end of all addresses. */
	assert_int_equal(add_file(&m, 100, PAGE, HVA, 0, new_file(1)), -EINVAL);
	assert_int_equal(add_file(&m, 0, 100, HVA, 0, new_file(1)), -EINVAL);
	assert_int_equal(add_file(&m, 0, PAGE, HVA, 100, new_file(2)), -EINVAL);
	assert_int_equal(add_file(&m, 0, PAGE, HVA, PAGE, new_file(1)), -EINVAL);
	assert_int_equal(add_file(&m, -PAGE, PAGE, HVA, 0, new_file(1)), -EINVAL);
	assert_int_equal(add_file(&m, 0, PAGE, -PAGE, 0, new_file(1)), -EINVAL);
	assert_int_equal(add_file(&m, 0, PAGE, HVA, -PAGE, new_file(1)), -EINVAL);
	assert_int_equal(pipe(pipes), 0);
	/* None of memory. */
	assert_int_equal(guest_memory__add(&m, 0, PAGE, HVA, 0, pipes[0]), -EMEDIUMTYPE);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(guest_memory__add(&m, 0, PAGE, HVA, 0, -1), -EMEDIUMTYPE);
	disk_file = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(disk_file >= 0);
	assert_int_equal(ftruncate(disk_file, PAGE), 0);
	assert_int_equal(guest_memory__add(&m, 0, PAGE, HVA, 0, disk_file), -EMEDIUMTYPE);
	close(disk_file);
	/* Nothing was added, nothing stays open. */
	assert_int_equal(m.nr, 1);
	assert_int_equal(open_fds(), fds);
	guest_memory__clear(&m);
}

/* Of a file each page is guest memory once. */
static void test_alias(void **state)
{
	struct guest_memory m = {0};
	int fd = new_file(8);

	assert_int_equal(guest_memory__add(&m, 0, 4 * PAGE, HVA, 2 * PAGE, fd), 0);
	for (__u64 first = 0; first <= 6; first++) {
		__u64 gpa = (first + 1) * FAR;

		assert_int_equal(guest_memory__add(&m, gpa, 2 * PAGE, HVA + gpa, first * PAGE, fd),
				 first % 6 ? -EINVAL : 0);
	}
	assert_int_equal(guest_memory__pages(&m), 8);
	assert_int_equal(guest_memory__remove(&m, 0, 4 * PAGE, HVA), 0);
	assert_int_equal(guest_memory__add(&m, 0, 4 * PAGE, HVA, 2 * PAGE, fd), 0);
	guest_memory__clear(&m);
	close(fd);
}

static void test_too_much(void **state)
{
	struct guest_memory m = {0};
	int fd = memfd_create("guest", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, GUEST_MAX_BYTES + PAGE), 0);
	assert_int_equal(add_file(&m, 0, GUEST_MAX_BYTES + PAGE, HVA, 0, fd), -ENOSPC);
	for (unsigned i = 0; i < GUEST_REGIONS; i++)
		assert_int_equal(add(&m, 2 * i, 1, 0), 0);
	assert_int_equal(add(&m, 2 * GUEST_REGIONS, 1, 0), -ENOSPC);
	guest_memory__clear(&m);
}

static void test_remove(void **state)
{
	struct guest_memory m = {0};
	__u64 bytes = 1;

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(add(&m, 10 * i, 5, 0), 0);
	assert_int_equal(guest_memory__remove(&m, 0, 4 * PAGE, HVA), -ENOENT);
	assert_int_equal(guest_memory__remove(&m, 0, 5 * PAGE, HVA + PAGE), -ENOENT);
	assert_int_equal(guest_memory__remove(&m, 100 * PAGE, PAGE, HVA), -ENOENT);
	assert_int_equal(guest_memory__remove(&m, 10 * PAGE, 5 * PAGE, HVA + 10 * PAGE), 0);
	assert_int_equal(guest_memory__remove(&m, 10 * PAGE, 5 * PAGE, HVA + 10 * PAGE), -ENOENT);
	assert_null(guest_memory__at(&m, 10 * PAGE, &bytes));
	assert_non_null(guest_memory__at(&m, 20 * PAGE, &bytes));
	assert_int_equal(add(&m, 6, 14, 0), 0);
	guest_memory__clear(&m);
}

/* Regions at random against a table of pages. */
#define PAGES 512

static bool model_add(bool *there, __u64 page, __u64 pages)
{
	for (__u64 i = page; i < page + pages; i++)
		if (there[i])
			return false;
	memset(there + page, true, pages);
	return true;
}

static void test_model(void **state)
{
	struct random r = {random__seed()};
	struct guest_memory m = {0};
	bool there[PAGES + 16] = {0};

	for (int i = 0; i < 2000; i++) {
		__u64 page = random__below(&r, PAGES), bytes = 1;

		if (random__one_in(&r, 3) && m.nr) {
			struct guest_region g = m.region[random__below(&r, m.nr)];

			assert_int_equal(guest_memory__remove(&m, g.gpa, g.bytes, g.hva), 0);
			memset(there + g.gpa / PAGE, false, g.bytes / PAGE);
		} else {
			__u64 pages = 1 + random__below(&r, 16);
			int err = add(&m, page, pages, 0);

			assert_int_equal(!err, model_add(there, page, pages));
		}
		page = random__below(&r, PAGES);
		assert_int_equal(!!guest_memory__at(&m, page * PAGE, &bytes), there[page]);
		assert_int_equal(!!guest_memory__hint(&m, page * PAGE), there[page]);
		assert_int_equal(!!guest_memory__at_hva(&m, HVA + page * PAGE, &bytes),
				 there[page]);
	}
	guest_memory__clear(&m);
}

/* --- files that are cut short --- */

static atomic_int broke;

static void count_broke(struct guest_memory *m)
{
	atomic_fetch_add(&broke, 1);
}

static char *cut_memory(struct guest_memory *m)
{
	int fd = new_file(4);
	__u64 bytes = 1;
	char *at;

	atomic_store(&broke, 0);
	m->broke = count_broke;
	assert_int_equal(guest_memory__add(m, 0, 4 * PAGE, HVA, 0, fd), 0);
	at = guest_memory__at(m, 0, &bytes);
	memset(at, 'x', 4 * PAGE);
	assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
	close(fd);
	return at;
}

static void test_cut(void **state)
{
	struct guest_memory m = {0};

	for (int i = 0; i < 3; i++) {
		volatile char *at = cut_memory(&m);

		assert_int_equal(at[2 * PAGE - 1], 'x');
		assert_false(guest_memory__broken(&m));
		assert_int_equal(at[2 * PAGE], 0);
		assert_true(guest_memory__broken(&m));
		at[3 * PAGE] = 'y';
		assert_int_equal(at[3 * PAGE], 'y');
		assert_int_equal(atomic_load(&broke), 1);
		guest_memory__clear(&m);
		assert_false(guest_memory__broken(&m));
	}
}

struct touch {
	struct loop_msg msg;
	volatile char *at;
	sem_t done;
};

static void touch(struct loop_msg *m)
{
	struct touch *t = (struct touch *)m;

	*t->at = 'z';
	sem_post(&t->done);
}

/* A loop's thread has its signals blocked, but not this one. */
static void test_cut_in_a_loop(void **state)
{
	struct guest_memory m = {0};
	struct touch t = {.msg.fn = touch, .at = cut_memory(&m) + 3 * PAGE};
	struct loop *l = loop__new();

	assert_non_null(l);
	assert_int_equal(sem_init(&t.done, 0, 0), 0);
	assert_int_equal(loop__start(l, "touch"), 0);
	loop__post(l, &t.msg);
	sem_wait(&t.done);
	loop__stop(l);
	loop__join(l);
	loop__free(l);
	assert_true(guest_memory__broken(&m));
	guest_memory__clear(&m);
}

static void touch_elsewhere(void)
{
	int fd = new_file(1);
	volatile char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	assert_int_equal(ftruncate(fd, 0), 0);
	exit(p[0]);
}

static void send_to_itself(void)
{
	raise(SIGBUS);
	exit(0);
}

/* What is not guest memory ends the process as before. */
static void dies(void (*fn)(void))
{
	struct guest_memory m = {0};
	pid_t child = fork();
	int status;

	if (!child) {
		/* The test library has one of its own. */
		signal(SIGBUS, SIG_DFL);
		add(&m, 0, 4, 0);
		fn();
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

static void test_not_ours(void **state)
{
	dies(touch_elsewhere);
	dies(send_to_itself);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),	 cmocka_unit_test(test_offset),
		cmocka_unit_test(test_hints),	 cmocka_unit_test(test_refused),
		cmocka_unit_test(test_alias),	 cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_remove),	 cmocka_unit_test(test_model),
		cmocka_unit_test(test_cut),	 cmocka_unit_test(test_cut_in_a_loop),
		cmocka_unit_test(test_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
