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
#include "fake_qemu.h"

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
	assert_true(journal__is_due(j));
	assert_int_equal(journal__restore(j, told, count, why, sizeof(why)), 0);
	assert_true(holds(in(*state, "memory.high"), "1048576"));
	assert_int_equal(journal__write(j, true, why, sizeof(why)), 0);
	assert_true(journal__full(j) && !journal__is_due(j));
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

static void note(struct journal *j, const char *vm, struct fake_qemu *q, long told)
{
	struct actuator *a;
	char why[256];

	fake_qemu__start(q);
	a = balloon__new(q->server.path, 2);
	assert_int_equal(journal__note(j, vm, NULL, a, why, sizeof(why)), 0);
	actuator__free(a);
	q->told = told;
	q->actual = told;
	q->peak = 0;
}

/* Guests give memory in their time; until then nobody gets it back. */
static void balloons(void **state)
{
	struct fake_qemu small = {.actual = 64 << 20, .pace = 8 << 20};
	struct fake_qemu large = {.actual = 100 << 20, .other = &small};
	int count[2] = {0};
	struct journal *j;
	char why[256];

	assert_int_equal(journal__open(&j, ((struct place *)*state)->path, why, sizeof(why)), 0);
	note(j, "large", &large, 64 << 20);
	note(j, "small", &small, 100 << 20);
	assert_int_equal(journal__write(j, false, why, sizeof(why)), 0);
	assert_int_equal(journal__restore(j, told, count, why, sizeof(why)), 0);
	assert_true(count[0] == 2 && !count[1]);
	assert_true(small.told == 64 << 20 && large.told == 100 << 20);
	assert_int_equal(large.peak, 164 << 20);
	fake_qemu__stop(&small);
	fake_qemu__stop(&large);
	journal__close(j);
}

/* Another VM listens there by now. */
static void another(void **state)
{
	struct fake_qemu q = {.actual = 64 << 20};
	const struct place *p = *state;
	int count[2] = {0};
	struct journal *j;
	char why[256], text[256];

	fake_qemu__start(&q);
	snprintf(text, sizeof(text),
		 "{\"vms\":[{\"vm\":\"web\",\"kind\":\"balloon\",\"place\":\"%s\",\"pid\":1,"
		 "\"saved\":{\"bytes\":104857600}}]}",
		 q.server.path);
	put(p->path, text);
	assert_int_equal(journal__open(&j, p->path, why, sizeof(why)), 0);
	assert_int_equal(journal__restore(j, told, count, why, sizeof(why)), 0);
	assert_int_equal(count[1], 1);
	assert_int_equal(q.told, 64 << 20);
	assert_false(journal__full(j));
	fake_qemu__stop(&q);
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

/* The only child of this process. */
static pid_t only_child(void)
{
	char path[64];
	pid_t pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "r");
	if (f && fscanf(f, "%d", &pid) != 1)
		pid = 0;
	if (f)
		fclose(f);
	return pid;
}

/* What ends all processes of a terminal, or of a service, is none of its business. */
static void shake(pid_t watchman)
{
	while (getsid(watchman) != watchman)
		usleep(1000);
	kill(watchman, SIGINT);
	kill(watchman, SIGTERM);
	kill(watchman, SIGHUP);
}

/* Killed before anything was written, and without a chance to say anything after. */
static int die(const struct place *p, bool noted)
{
	struct actuator *a = memory_cgroup__new(p->folder);
	struct journal *j = NULL;
	char why[256];
	int err = -EBUSY;

	/* The watchman of before lets go when it has seen that there is nothing to do. */
	for (int i = 0; i < 100 && err == -EBUSY; i++) {
		err = journal__open(&j, p->path, why, sizeof(why));
		usleep(20000);
	}
	if (err || journal__watch(j) || !only_child())
		return 1;
	shake(only_child());
	if (noted && (journal__note(j, "web", NULL, a, why, sizeof(why)) ||
		      journal__write(j, false, why, sizeof(why))))
		return 1;
	if (actuator__set(a, 1, why, sizeof(why)))
		return 1;
	raise(SIGKILL);
	return 1;
}

static void watchman(void **state)
{
	for (int noted = 0; noted < 2; noted++) {
		pid_t child;
		int status;

		put(in(*state, "memory.high"), "1048576");
		child = fork();
		assert_true(child >= 0);
		if (!child)
			_exit(die(*state, noted));
		waitpid(child, &status, 0);
		assert_true(WIFSIGNALED(status));
	}
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
		cmocka_unit_test_setup_teardown(balloons, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(watchman, set_up, tear_down),
		cmocka_unit_test_setup_teardown(dismissed, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
