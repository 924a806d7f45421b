// SPDX-License-Identifier: GPL-2.0
/* Balloon, cgroup and cache: what is read, set, saved and put back, and what is said of faults. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cli/actuator/actuator.h"
#include "fake_qemu.h"
#include "line_server.h"

#define MIB 256ULL /* pages */

static bool has(const char *text, const char *part)
{
	return strstr(text, part);
}

/* --- a QEMU with a balloon --- */

static void balloon(void **state)
{
	struct fake_qemu q = {.actual = 128 << 20, .available = 64 << 20};
	struct actuator_state now;
	struct actuator *a;
	char why[512];
	json_t *saved, *large = json_pack("{s:I}", "bytes", (json_int_t)FAKE_QEMU_BYTES * 2);

	fake_qemu__start(&q);
	a = balloon__new(q.server.path, 2);
	saved = actuator__save(a, why, sizeof(why));
	assert_non_null(saved);
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), 0);
	assert_int_equal(now.now, 128 * MIB);
	assert_int_equal(now.most, 128 * MIB);
	assert_int_equal(now.least, 96 * MIB);
	assert_int_equal(actuator__pid(a), getpid());
	assert_int_equal(q.polling, 1);
	assert_int_equal(actuator__set(a, 100 * MIB, why, sizeof(why)), 0);
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), 0);
	assert_int_equal(now.now, 100 * MIB);
	q.refuses = true;
	assert_int_equal(actuator__set(a, 90 * MIB, why, sizeof(why)), -EREMOTEIO);
	assert_string_equal(why, "QEMU refused balloon: no");
	q.refuses = false;
	assert_int_equal(actuator__restore(a, saved, why, sizeof(why)), 0);
	assert_int_equal(q.told, 128 << 20);
	/* Statistics that did not come yet say nothing. */
	q.stale = true;
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), 0);
	assert_int_equal(now.least, 0);
	/* No balloon gives more than there is. */
	assert_int_equal(actuator__restore(a, large, why, sizeof(why)), 0);
	assert_int_equal(q.told, FAKE_QEMU_BYTES);
	json_decref(large);
	json_decref(saved);
	actuator__free(a);
	fake_qemu__stop(&q);
	/* Statistics are asked for no longer. */
	assert_int_equal(q.polling, 0);
}

/* Statistics that somebody else wants go on. */
static void balloon_polled(void **state)
{
	struct fake_qemu q = {.actual = 128 << 20, .available = 0, .polling = 7};
	struct actuator_state now;
	struct actuator *a;
	char why[512];

	fake_qemu__start(&q);
	a = balloon__new(q.server.path, 2);
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), 0);
	assert_int_equal(now.least, 128 * MIB);
	actuator__free(a);
	fake_qemu__stop(&q);
	assert_int_equal(q.polling, 7);
}

static void balloon_faults(void **state)
{
	struct fake_qemu q = {.no_balloon = true};
	json_t *bad = json_pack("{s:s}", "bytes", "many");
	struct actuator_state now;
	struct actuator *a;
	char why[512];

	fake_qemu__start(&q);
	a = balloon__new(q.server.path, 2);
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), -ENODEV);
	assert_true(has(why, "virtio-balloon-pci"));
	assert_null(actuator__save(a, why, sizeof(why)));
	assert_int_equal(actuator__restore(a, bad, why, sizeof(why)), -EINVAL);
	fake_qemu__stop(&q);
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), -ECONNRESET);
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), -ENOENT);
	json_decref(bad);
	actuator__free(a);
}

/* --- folders that look like cgroups --- */

static void put(const char *folder, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void holds(const char *folder, const char *name, const char *text)
{
	char path[128], got[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(got, sizeof(got), f));
	fclose(f);
	got[strcspn(got, "\n")] = '\0';
	assert_string_equal(got, text);
}

static void remove_folder(const char *folder)
{
	static const char *const names[] = {"memory.high",
					    "memory.current",
					    "memory.max",
					    "memory.soft_limit_in_bytes",
					    "memory.usage_in_bytes",
					    "memory.limit_in_bytes",
					    "cgroup.procs"};
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

static void cgroup_v2(void **state)
{
	char folder[] = "/tmp/hvtrace-cgroup.XXXXXX", why[512];
	struct actuator_state now;
	struct actuator *a;
	json_t *saved;

	assert_non_null(mkdtemp(folder));
	a = memory_cgroup__new(folder);
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), -ENODEV);
	assert_true(has(why, "memory controller"));
	put(folder, "memory.high", "max\n");
	put(folder, "memory.current", "67108864\n");
	put(folder, "memory.max", "134217728\n");
	put(folder, "cgroup.procs", "4242\n4243\n");
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), 0);
	assert_int_equal(now.now, 64 * MIB);
	assert_int_equal(now.most, 128 * MIB);
	assert_int_equal(actuator__pid(a), 4242);
	saved = actuator__save(a, why, sizeof(why));
	assert_non_null(saved);
	assert_int_equal(actuator__set(a, 32 * MIB, why, sizeof(why)), 0);
	holds(folder, "memory.high", "33554432");
	/* Until it is reclaimed the group holds it still; what it does not use is its nonetheless.
	 */
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), 0);
	assert_int_equal(now.now, 64 * MIB);
	put(folder, "memory.current", "16777216\n");
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), 0);
	assert_int_equal(now.now, 32 * MIB);
	assert_int_equal(actuator__restore(a, saved, why, sizeof(why)), 0);
	holds(folder, "memory.high", "max");
	json_decref(saved);
	put(folder, "memory.current", "lots\n");
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), -EPROTO);
	assert_true(has(why, "'lots'"));
	remove_folder(folder);
	assert_int_equal(actuator__set(a, 1, why, sizeof(why)), -ENOENT);
	actuator__free(a);
}

static void cgroup_v1(void **state)
{
	char folder[] = "/tmp/hvtrace-cgroup.XXXXXX", why[512];
	struct actuator_state now;
	struct actuator *a;
	json_t *saved;

	assert_non_null(mkdtemp(folder));
	put(folder, "memory.soft_limit_in_bytes", "9223372036854771712\n");
	put(folder, "memory.limit_in_bytes", "9223372036854771712\n");
	put(folder, "memory.usage_in_bytes", "67108864\n");
	a = memory_cgroup__new(folder);
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), 0);
	assert_int_equal(now.now, 64 * MIB);
	assert_int_equal(now.most, sysconf(_SC_PHYS_PAGES));
	saved = actuator__save(a, why, sizeof(why));
	assert_int_equal(actuator__set(a, 48 * MIB, why, sizeof(why)), 0);
	holds(folder, "memory.soft_limit_in_bytes", "50331648");
	assert_int_equal(actuator__restore(a, saved, why, sizeof(why)), 0);
	holds(folder, "memory.soft_limit_in_bytes", "-1");
	json_decref(saved);
	actuator__free(a);
	remove_folder(folder);
}

/* The host's own: needs root. What the kernel makes of what is written. */
static void cgroup_of_the_kernel(void **state)
{
	static const char *const roots[] = {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"};
	char folder[64], why[512];
	struct actuator_state now;
	struct actuator *a = NULL;
	json_t *saved = NULL;

	for (size_t i = 0; i < 2 && !saved; i++) {
		actuator__free(a);
		snprintf(folder, sizeof(folder), "%s/hvtrace-test.%d", roots[i], getpid());
		if (mkdir(folder, 0755))
			continue;
		a = memory_cgroup__new(folder);
		saved = actuator__save(a, why, sizeof(why));
		if (!saved)
			rmdir(folder);
	}
	if (!saved) {
		print_message("no memory cgroup can be made here: left out\n");
		actuator__free(a);
		return;
	}
	assert_int_equal(actuator__set(a, 48 * MIB, why, sizeof(why)), 0);
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), 0);
	assert_int_equal(now.now, 48 * MIB);
	assert_int_equal(actuator__restore(a, saved, why, sizeof(why)), 0);
	json_decref(saved);
	saved = actuator__save(a, why, sizeof(why));
	assert_true(json_is_null(json_object_get(saved, "limit")));
	json_decref(saved);
	actuator__free(a);
	rmdir(folder);
}

/* --- a server with one disk --- */

struct served {
	const char *cache;
	char last[512], line[512];
	long max;
};

static const char *served_reply(void *ctx, const char *line)
{
	struct served *s = ctx;

	snprintf(s->last, sizeof(s->last), "%s", line);
	if (!has(line, "\"stats\""))
		return has(line, "\"name\":\"web\"") ? "{\"ok\":true}\n"
						     : "{\"error\":\"there is no disk\"}\n";
	snprintf(s->line, sizeof(s->line),
		 "{\"cache\":{\"%s\":268435456},\"vms\":[{\"vm\":\"web\",\"pid\":77,"
		 "\"min_bytes\":1048576,\"max_bytes\":%ld,\"share\":100,\"target_bytes\":33554432,"
		 "\"cached_bytes\":16777216}]}\n",
		 s->cache, s->max);
	return s->line;
}

static void cache(void **state)
{
	struct served served = {.cache = "capacity_bytes"};
	struct line_server s = {.reply = served_reply, .ctx = &served};
	struct actuator *a, *other;
	struct actuator_state now;
	char why[512];
	json_t *saved;

	line_server__start(&s);
	a = cache_part__new(s.path, "web", 2);
	other = cache_part__new(s.path, "db", 2);
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), 0);
	assert_int_equal(now.now, 32 * MIB);
	assert_int_equal(now.most, 256 * MIB);
	assert_int_equal(actuator__pid(a), 77);
	served.max = 48 << 20;
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), 0);
	assert_int_equal(now.now, 48 * MIB);
	served.max = 512 << 20;
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), 0);
	assert_int_equal(now.now, 32 * MIB);
	served.max = 0;
	saved = actuator__save(a, why, sizeof(why));
	assert_non_null(saved);
	assert_int_equal(actuator__set(a, 64 * MIB, why, sizeof(why)), 0);
	assert_true(has(served.last, "\"min\":\"16384p\"") &&
		    has(served.last, "\"max\":\"16384p\""));
	assert_int_equal(actuator__set(a, 0, why, sizeof(why)), 0);
	assert_true(has(served.last, "\"min\":\"0p\"") && has(served.last, "\"max\":\"1p\""));
	assert_int_equal(actuator__restore(a, saved, why, sizeof(why)), 0);
	assert_true(has(served.last, "\"min\":\"256p\"") && has(served.last, "\"max\":\"0p\"") &&
		    has(served.last, "\"share\":100"));
	json_decref(saved);
	saved = json_pack("{s:i,s:i,s:i}", "min", 0, "max", 0, "share", 0);
	assert_int_equal(actuator__restore(a, saved, why, sizeof(why)), 0);
	assert_true(has(served.last, "\"share\":1}"));
	json_decref(saved);
	served.cache = "capacity";
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), -EPROTO);
	assert_true(has(why, "another version") && !now.now);
	assert_int_equal(actuator__read(other, &now, why, sizeof(why)), -ENODEV);
	assert_int_equal(actuator__set(other, 1, why, sizeof(why)), -EREMOTEIO);
	assert_string_equal(why, "there is no disk");
	line_server__stop(&s);
	assert_int_equal(actuator__read(a, &now, why, sizeof(why)), -ENOENT);
	assert_true(has(why, "is there a 'hvtrace serve --control'"));
	actuator__free(a);
	actuator__free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(balloon),
		cmocka_unit_test(balloon_polled),
		cmocka_unit_test(balloon_faults),
		cmocka_unit_test(cgroup_v2),
		cmocka_unit_test(cgroup_v1),
		cmocka_unit_test(cache),
		cmocka_unit_test(cgroup_of_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
