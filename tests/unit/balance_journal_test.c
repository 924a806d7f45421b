// SPDX-License-Identifier: GPL-2.0
/* What was is put back: at the end, by the watchman, by who comes later. Cgroups are folders. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cli/balance_journal.h"

#define FOLDER "/tmp/hvtrace-journal.XXXXXX"

struct place {
	char folder[64], path[80];
};

static const char *in(const struct place *p, const char *name)
{
	static char path[2][128];
	static int at;

	at = !at;
	snprintf(path[at], sizeof(path[at]), "%s/%s", p->folder, name);
	return path[at];
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static bool holds(const char *path, const char *text)
{
	char got[64] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	if (!fgets(got, sizeof(got), f))
		got[0] = '\0';
	fclose(f);
	return !strcmp(got, text);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->folder, FOLDER);
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/journal", p->folder);
	put(in(p, "memory.high"), "1048576");
	put(in(p, "memory.current"), "524288");
	put(in(p, "memory.max"), "max");
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", p->folder);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

static void told(void *ctx, const char *vm, const char *kind, const char *fault)
{
	int *count = ctx;

	count[fault != NULL]++;
}

/* Opened, with the VM's limit noted, and changed. */
static struct journal *begin(const struct place *p)
{
	struct actuator *a = memory_cgroup__new(p->folder);
	struct journal *j;
	char why[256];

	assert_int_equal(journal__open(&j, p->path, why, sizeof(why)), 0);
	assert_false(journal__full(j));
	assert_int_equal(journal__note(j, "web", NULL, a, why, sizeof(why)), 0);
	assert_int_equal(journal__write(j, false, why, sizeof(why)), 0);
	assert_true(journal__full(j));
	assert_int_equal(actuator__set(a, 1, why, sizeof(why)), 0);
	actuator__free(a);
	assert_true(holds(in(p, "memory.high"), "4096"));
	return j;
}

static void at_the_end(void **state)
{
	struct journal *j = begin(*state), *other;
	int count[2] = {0};
	char why[256];

	assert_int_equal(journal__open(&other, ((struct place *)*state)->path, why, sizeof(why)),
			 -EBUSY);
	assert_non_null(strstr(why, "another balance"));
	assert_int_equal(journal__restore(j, told, count, why, sizeof(why)), 0);
	assert_true(count[0] == 1 && !count[1]);
	assert_true(holds(in(*state, "memory.high"), "1048576"));
	assert_false(journal__full(j));
	journal__close(j);
}

static void later(void **state)
{
	struct journal *j = begin(*state);
	int count[2] = {0};
	char why[256];

	journal__close(j);
	assert_int_equal(journal__open(&j, ((struct place *)*state)->path, why, sizeof(why)), 0);
	assert_true(journal__full(j) && !journal__keeps(j));
	assert_int_equal(journal__restore(j, told, count, why, sizeof(why)), 0);
	assert_true(holds(in(*state, "memory.high"), "1048576"));
	assert_int_equal(journal__write(j, true, why, sizeof(why)), 0);
	assert_true(journal__full(j) && journal__keeps(j));
	journal__close(j);
}

/* A VM that is gone has nothing to be put back; what cannot be reached now stays in the journal. */
static void gone(void **state)
{
	struct journal *j = begin(*state);
	int count[2] = {0};
	char why[256];

	unlink(in(*state, "memory.high"));
	assert_int_equal(journal__restore(j, told, count, why, sizeof(why)), 1);
	assert_int_equal(count[1], 1);
	assert_true(journal__full(j));
	journal__clear(j);
	assert_false(journal__full(j));
	journal__close(j);
}

static void damaged(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{\"vms\":{}}",
		"{\"vms\":[1,{},{\"kind\":\"balloon\"}]}",
		"{\"vms\":[{\"kind\":\"cgroup\",\"place\":\"/nonexistent\"}]}",
	};
	static const int results[] = {-EIO, -EIO, -EIO, -EIO, 3, 0};
	const struct place *p = *state;
	struct journal *j;
	char why[256];

	assert_int_equal(journal__open(&j, p->path, why, sizeof(why)), 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int count[2] = {0};

		put(p->path, texts[i]);
		assert_int_equal(journal__restore(j, told, count, why, sizeof(why)), results[i]);
		assert_true(results[i] >= 0 || strstr(why, "no journal of balance"));
	}
	journal__close(j);
}

static bool wait_until(const char *path, const char *text)
{
	for (int i = 0; i < 200; i++) {
		if (holds(path, text))
			return true;
		usleep(50000);
	}
	return false;
}

/* Killed without a chance to say anything. */
static void watchman(void **state)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child) {
		struct journal *j;
		char why[256];

		if (journal__open(&j, ((struct place *)*state)->path, why, sizeof(why)) ||
		    journal__watch(j))
			_exit(1);
		/* Notes go to nobody's log. */
		journal__close(j);
		_exit(0);
	}
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	child = fork();
	if (!child) {
		struct actuator *a = memory_cgroup__new(((struct place *)*state)->folder);
		struct journal *j = NULL;
		char why[256];
		int err = -EBUSY;

		/* The watchman of before lets go when it has seen that there is nothing to do. */
		for (int i = 0; i < 100 && err == -EBUSY; i++) {
			err = journal__open(&j, ((struct place *)*state)->path, why, sizeof(why));
			usleep(20000);
		}
		if (err || journal__watch(j) ||
		    journal__note(j, "web", NULL, a, why, sizeof(why)) ||
		    journal__write(j, false, why, sizeof(why)) ||
		    actuator__set(a, 1, why, sizeof(why)))
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_true(wait_until(in(*state, "memory.high"), "1048576"));
}

/* One that is told that all is well does nothing. */
static void dismissed(void **state)
{
	struct journal *j;
	char why[256];

	assert_int_equal(journal__open(&j, ((struct place *)*state)->path, why, sizeof(why)), 0);
	assert_int_equal(journal__watch(j), 0);
	put(((struct place *)*state)->path, "{\"vms\":[]}");
	put(in(*state, "memory.high"), "4096");
	journal__dismiss(j);
	assert_true(holds(in(*state, "memory.high"), "4096"));
	assert_true(journal__full(j));
	journal__close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(at_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(watchman, set_up, tear_down),
		cmocka_unit_test_setup_teardown(dismissed, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
