// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* setresuid */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../loader/probe.h"

#define MAX 64
#define NOBODY 65534

static const struct probe_result *find(const struct probe_result *r, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(r[i].name, name))
			return &r[i];
	return NULL;
}

/* Every check has one result; a bad one says what to do, a good one has nothing to say. */
static void every_result_is_whole(void **state)
{
	struct probe_result r[MAX];
	size_t i, n = probe__run(r, MAX);

	assert_in_range(n, 15, MAX - 1);
	for (i = 0; i < n; i++) {
		assert_ptr_equal(find(r, n, r[i].name), &r[i]);
		assert_true(r[i].found[0]);
		assert_int_equal(!r[i].fix[0], r[i].verdict == PROBE_OK);
		/* nothing was cut */
		assert_true(strlen(r[i].found) < sizeof(r[i].found) - 1);
		assert_true(strlen(r[i].fix) < sizeof(r[i].fix) - 1);
	}
	assert_non_null(find(r, n, "root"));
	assert_non_null(find(r, n, "block_bio_queue"));
	assert_non_null(find(r, n, "huge pages"));
	assert_non_null(find(r, n, "io_uring"));
}

static void room_is_respected(void **state)
{
	struct probe_result r[4];

	memset(r, 0x5a, sizeof(r));
	assert_int_equal(probe__run(r, 0), 0);
	assert_int_equal(probe__run(r, 3), 3);
	assert_string_equal(r[0].name, "root");
	assert_int_equal(((unsigned char *)&r[3])[0], 0x5a);
}

static void fatal_is_the_first_one(void **state)
{
	struct probe_result r[] = {
		{.name = "a", .verdict = PROBE_OK},
		{.name = "b", .verdict = PROBE_MISSING},
		{.name = "c", .verdict = PROBE_FATAL},
		{.name = "d", .verdict = PROBE_FATAL},
	};

	assert_ptr_equal(probe__fatal(r, 4), &r[2]);
	assert_null(probe__fatal(r, 2));
	assert_null(probe__fatal(r, 0));
}

static void tracepoints_are_counted_in_btf(void **state)
{
	assert_int_equal(probe__tracepoint_args("no_such_tracepoint"), -ENOENT);
	assert_int_equal(probe__tracepoint_args(""), -ENOENT);
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		print_message("no BTF here: nothing to count\n");
		return;
	}
	/* include/trace/events/block.h, sched.h: unchanged since 5.11 */
	assert_int_equal(probe__tracepoint_args("block_bio_queue"), 1);
	assert_int_equal(probe__tracepoint_args("block_bio_complete"), 2);
	assert_int_equal(probe__tracepoint_args("sched_process_exit") > 0, 1);
}

static int unprivileged(void)
{
	struct probe_result r[MAX];
	const struct probe_result *fatal;
	size_t n;

	if (!getuid() && (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY)))
		return 1;
	n = probe__run(r, MAX);
	fatal = probe__fatal(r, n);
	if (!fatal || strcmp(fatal->name, "root") || !strstr(fatal->fix, "root"))
		return 2;
	return strcmp(find(r, n, "BPF")->found, "needs root to check") ? 3 : 0;
}

static void without_privileges_root_is_asked_for(void **state)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(unprivileged());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_result_is_whole),
		cmocka_unit_test(room_is_respected),
		cmocka_unit_test(fatal_is_the_first_one),
		cmocka_unit_test(tracepoints_are_counted_in_btf),
		cmocka_unit_test(without_privileges_root_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
