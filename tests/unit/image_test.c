// SPDX-License-Identifier: GPL-2.0
/*
 * Images that are not opened: what is not raw, and what others may write to without a lock. Loop
 * devices when root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cache/storage/storage.h"
#include "loop_device.h"
#include "skips.h"

#define BYTES (1UL << 20)

static char path[] = "/tmp/hvtrace_image.XXXXXX";
static char why[512];

static int set_up(void **state)
{
	int fd;

	strcpy(strrchr(path, '.'), ".XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0 || ftruncate(fd, BYTES))
		return -1;
	return close(fd);
}

static int tear_down(void **state)
{
	return unlink(path);
}

static int try(const char *image, bool read_only, bool shared)
{
	struct storage_opts o = {
		.sz = sizeof(o), .path = image, .read_only = read_only, .shared = shared};
	struct storage *s = NULL;
	int err = storage__open(&s, &o, why, sizeof(why));

	if (!err)
		storage__close(s);
	return err;
}

static void check_busy(const char *image, bool read_only, const char *says)
{
	assert_int_equal(try(image, read_only, false), -EBUSY);
	if (!strstr(why, says))
		fail_msg("\"%s\" does not say \"%s\"", why, says);
}

/* --- formats --- */

static void put(const void *bytes, size_t n, off_t at)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), n);
	close(fd);
}

static void formats(void **state)
{
	static const struct {
		const char *name, *begins;
		size_t bytes;
		off_t at;
	} cases[] = {
		{"qcow2", "QFI\xfb\0\0\0\3", 8, 0},
		{"vmdk", "KDMV\1", 5, 0},
		{"vmdk", "COWD\1", 5, 0},
		{"vmdk", "# Disk DescriptorFile\nversion=1\n", 32, 0},
		{"vhdx", "vhdxfile", 8, 0},
		{"vdi", "\x7f\x10\xda\xbe", 4, 64},
		{"qed", "QED", 4, 0},
		{"vpc", "conectix", 8, 0},
	};
	static const char zeroes[128];
	char convert[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(zeroes, sizeof(zeroes), 0);
		put(cases[i].begins, cases[i].bytes, cases[i].at);
		snprintf(convert, sizeof(convert), "`qemu-img convert -f %s -O raw /tmp",
			 cases[i].name);
		for (int ro = 0; ro < 2; ro++) {
			assert_int_equal(try(path, ro, false), -EMEDIUMTYPE);
			assert_non_null(strstr(why, path));
			assert_non_null(strstr(why, convert));
			assert_null(strchr(why, '\n'));
		}
		/* Elsewhere it is what a guest wrote. */
		put(zeroes, sizeof(zeroes), 0);
		put(cases[i].begins, cases[i].bytes, cases[i].at + 512);
		assert_int_equal(try(path, false, false), 0);
		put(zeroes, sizeof(zeroes), 512);
	}
	put("QFI", 4, 0);
	assert_int_equal(try(path, false, false), 0);
}

/* The least there is to an image. */
static void one_sector(void **state)
{
	assert_int_equal(truncate(path, 512), 0);
	/* File systems without direct I/O to single sectors refuse it for its size. */
	if (try(path, false, false))
		assert_non_null(strstr(why, "not a multiple of its block size"));
	put("QFI\xfb", 4, 0);
	assert_true(try(path, false, false) < 0);
}

/* --- open for writing --- */

static void writers(void **state)
{
	static const char says[] = "another process has it open for writing, and did not lock it; "
				   "end that first: `fuser -v ";
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char *p;

	check_busy(path, false, says);
	check_busy(path, true, says);
	assert_int_equal(try(path, false, true), 0);
	p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	close(fd);
	check_busy(path, false, says);
	munmap(p, BYTES);
	assert_int_equal(try(path, false, false), 0);
	/* Readers are let be. */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(try(path, false, false), 0);
	close(fd);
}

/* Nothing is left of the look for writers. */
static void no_lease_is_left(void **state)
{
	struct storage_opts o = {.sz = sizeof(o), .path = path, .read_only = true};
	struct storage *s;
	int fd;

	assert_int_equal(storage__open(&s, &o, why, sizeof(why)), 0);
	/* Would wait for who has a lease to give it back, and say EWOULDBLOCK. */
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	storage__close(s);
}

/* --- loop devices --- */

static void loop_devices(void **state)
{
	struct loop_device l, upper;
	char says[128];

	loop_device__need();
	l = loop_device__new(path, false);
	snprintf(says, sizeof(says), "end that first: `losetup -d %s`", l.path);
	check_busy(path, false, says);
	check_busy(path, true, says);
	assert_int_equal(try(path, false, true), -EBUSY);
	/* The device itself is nobody else's, until there is one over it. */
	assert_int_equal(try(l.path, false, false), 0);
	upper = loop_device__new(l.path, false);
	snprintf(says, sizeof(says), "end that first: `losetup -d %s`", upper.path);
	check_busy(l.path, false, says);
	loop_device__free(&upper);
	loop_device__free(&l);

	l = loop_device__new(path, true);
	assert_int_equal(try(path, false, false), 0);
	loop_device__free(&l);
}

static void held_devices(void **state)
{
	struct loop_device l;
	int holder;

	loop_device__need();
	l = loop_device__new(path, false);
	holder = open(l.path, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(holder >= 0);
	check_busy(l.path, false, "is in use");
	check_busy(l.path, true, "is in use");
	close(holder);
	assert_int_equal(try(l.path, true, false), 0);
	loop_device__free(&l);
}

/* --- told to end --- */

static int asked;

static bool after_three(void)
{
	return ++asked == 3;
}

static void told_to_end(void **state)
{
	struct storage_opts o = {
		.sz = sizeof(o), .path = path, .patience = 1000, .told_to_end = after_three};
	struct storage_opts first = {.sz = sizeof(first), .path = path};
	struct storage *s, *other;

	assert_int_equal(storage__open(&s, &first, why, sizeof(why)), 0);
	assert_int_equal(storage__open(&other, &o, why, sizeof(why)), -EINTR);
	assert_int_equal(asked, 3);
	assert_non_null(strstr(why, "another process"));
	storage__close(s);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(formats),	    CASE(one_sector),	CASE(writers),	   CASE(no_lease_is_left),
		CASE(loop_devices), CASE(held_devices), CASE(told_to_end),
	};

	alarm(60);
	return skips__status(cmocka_run_group_tests(tests, NULL, NULL));
}
