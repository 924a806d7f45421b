// SPDX-License-Identifier: GPL-2.0
/* hvtrace mrc on recordings of VMs that come and go: whose events are whose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cli/cli.h"
#include "../../loader/recording.h"

struct fixture {
	char trace[64], csv[64];
	FILE *out;
	struct recording_writer *w;
	__u64 time;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int err, fd;

	strcpy(f->trace, "/tmp/mrc-trace-XXXXXX");
	strcpy(f->csv, "/tmp/mrc-csv-XXXXXX");
	fd = mkstemp(f->csv);
	assert_true(fd >= 0);
	close(fd);
	fd = mkstemp(f->trace);
	assert_true(fd >= 0);
	f->out = fdopen(fd, "w");
	f->w = recording_writer__new(f->out, PE_SAMPLE_ALL, &err);
	assert_non_null(f->w);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	recording_writer__free(f->w);
	fclose(f->out);
	unlink(f->trace);
	unlink(f->csv);
	free(f);
	return 0;
}

static void put_vm(struct fixture *f, __u16 id, __u32 pid, const char *name)
{
	struct recording_vm vm = {.id = id, .pid = pid, .generation = pid, .vmm = "qemu"};

	snprintf(vm.name, sizeof(vm.name), "%s", name);
	assert_int_equal(recording_writer__vm(f->w, &vm), 0);
}

static void put_counters(struct fixture *f, __u16 id)
{
	struct vm_counters c = {.fills = 1};

	assert_int_equal(recording_writer__counters(f->w, id, &c), 0);
}

static void put_fills(struct fixture *f, __u16 id, int n)
{
	for (int i = 0; i < n; i++) {
		struct page_event e = {.time = f->time++,
				       .page = i,
				       .frame = i,
				       .count = 1,
				       .vm = id,
				       .kind = PAGE_FILL};

		assert_int_equal(recording_writer__events(f->w, &e, 1), 0);
	}
}

/* hvtrace mrc with these words, and with its words on stdout thrown away. */
static int mrc(struct fixture *f, char **argv)
{
	FILE *saved = stdout;
	int argc = 0, status;

	while (argv[argc])
		argc++;
	optind = 0;
	opterr = 0;
	stdout = fopen("/dev/null", "w");
	status = cmd_mrc(argc, argv);
	fclose(stdout);
	stdout = saved;
	return status;
}

/* The rows of size 0, in the order of the file, as "name fills;". */
static const char *names_and_fills(struct fixture *f)
{
	static char rows[512];
	char line[512], name[128];
	unsigned long fills;
	FILE *csv = fopen(f->csv, "r");

	rows[0] = 0;
	while (fgets(line, sizeof(line), csv))
		if (sscanf(line, "%127[^,],disk,%*[^,],0,0,%*[^,],%lu", name, &fills) == 2)
			sprintf(rows + strlen(rows), "%s %lu;", name, fills);
	fclose(csv);
	return rows;
}

static const char *analyse(struct fixture *f, int expected_status)
{
	char *argv[] = {"mrc", "--sizes", "0", "--csv", f->csv, f->trace, NULL};

	assert_int_equal(mrc(f, argv), expected_status);
	return names_and_fills(f);
}

static void finish(struct fixture *f)
{
	struct recording_loss loss = {0};

	assert_int_equal(recording_writer__finish(f->w, &loss), 0);
}

/* A slot is given to another VM after the last words of the first. */
static void slot_reused(void **state)
{
	struct fixture *f = *state;

	put_fills(f, 1, 5);
	put_vm(f, 1, 10, "web");
	put_fills(f, 1, 6);
	put_vm(f, 1, 10, "web");
	put_counters(f, 1);
	/* The next VM's events may be there before its name. */
	put_fills(f, 1, 3);
	put_vm(f, 1, 20, "db");
	put_fills(f, 1, 4);
	put_counters(f, 1);
	finish(f);
	assert_string_equal(analyse(f, CLI_DONE), "web 11;db 7;");
}

static void same_name(void **state)
{
	struct fixture *f = *state;

	put_vm(f, 1, 10, "web");
	put_vm(f, 2, 20, "web");
	put_fills(f, 1, 2);
	put_fills(f, 2, 3);
	put_counters(f, 1);
	put_counters(f, 2);
	finish(f);
	assert_string_equal(analyse(f, CLI_DONE), "web:10 2;web:20 3;");
}

/* Cut off: VMs without their last words, and one whose name was never written. */
static void cut_off(void **state)
{
	struct fixture *f = *state;

	put_vm(f, 1, 10, "web");
	put_fills(f, 1, 2);
	put_fills(f, 9, 3);
	assert_int_equal(recording_writer__flush(f->w), 0);
	assert_string_equal(analyse(f, CLI_FAILED), "web 2;vm-9 3;");
}

/* A generation that ends without a word, as after lost data. */
static void end_not_told(void **state)
{
	struct fixture *f = *state;

	put_vm(f, 1, 10, "web");
	put_fills(f, 1, 2);
	put_vm(f, 1, 20, "db");
	put_fills(f, 1, 5);
	put_counters(f, 1);
	finish(f);
	assert_string_equal(analyse(f, CLI_DONE), "web 2;db 5;");
}

static void put(struct fixture *f, enum page_event_kind kind, enum page_space space, __u64 page)
{
	struct page_event e = {.time = f->time++,
			       .page = page,
			       .frame = page,
			       .count = 1,
			       .vm = 1,
			       .kind = kind,
			       .space = space};

	assert_int_equal(recording_writer__events(f->w, &e, 1), 0);
}

/* Pages 1, 2, 3 and 1 again, which alone was evicted. */
static void put_refault(struct fixture *f, enum page_space space)
{
	put(f, PAGE_FILL, space, 1);
	put(f, PAGE_FILL, space, 2);
	put(f, PAGE_FILL, space, 3);
	put(f, PAGE_EVICT, space, 1);
	put(f, PAGE_FILL, space, 1);
}

/* The misses of one curve at ascending sizes, as "order 4 4 3 ". */
static const char *misses(struct fixture *f, const char *vm, const char *space)
{
	static char found[512];
	char line[512], prefix[128], order[16];
	FILE *csv = fopen(f->csv, "r");
	double n;

	snprintf(prefix, sizeof(prefix), "%s,%s,", vm, space);
	found[0] = 0;
	while (fgets(line, sizeof(line), csv)) {
		if (strncmp(line, prefix, strlen(prefix)))
			continue;
		assert_int_equal(
			sscanf(line + strlen(prefix), "%15[^,],%*[^,],%*[^,],%lf", order, &n), 2);
		sprintf(found + strlen(found), "%s %g", found[0] ? "" : order, n);
	}
	fclose(csv);
	return found;
}

/* Two other pages were accessed since, but none was evicted. */
static void by_access(void **state)
{
	struct fixture *f = *state;
	char *argv[] = {"mrc",	 "--order", "eviction", "--sizes", "0,1p,2p,3p",
			"--csv", f->csv,    f->trace,	NULL};

	put_vm(f, 1, 10, "web");
	put_refault(f, SPACE_DISK);
	put_refault(f, SPACE_MEM);
	put_counters(f, 1);
	finish(f);
	assert_int_equal(mrc(f, argv), CLI_DONE);
	assert_string_equal(misses(f, "web", "disk"), "eviction 4 3 3 3");
	assert_string_equal(misses(f, "web", "mem"), "eviction 4 3 3 3");
	argv[2] = "access";
	assert_int_equal(mrc(f, argv), CLI_DONE);
	assert_string_equal(misses(f, "web", "disk"), "access 4 4 4 3");
	assert_string_equal(misses(f, "web", "mem"), "access 4 4 4 3");
}

/* More events than are handed on at once. */
static void by_access_long(void **state)
{
	struct fixture *f = *state;
	char *argv[] = {"mrc",	 "--order", "access", "--sizes", "0,49p,50p",
			"--csv", f->csv,    f->trace, NULL};

	put_vm(f, 1, 10, "web");
	for (int i = 0; i < 5000; i++)
		put(f, PAGE_FILL, SPACE_MEM, i % 50);
	put_counters(f, 1);
	finish(f);
	assert_int_equal(mrc(f, argv), CLI_DONE);
	assert_string_equal(misses(f, "web", "mem"), "access 5000 5000 50");
}

static void policies(void **state)
{
	struct fixture *f = *state;
	char *argv[] = {"mrc",	    "--order", "access", "--policy", "fifo,opt", "--sizes",
			"1p,2p,3p", "--csv",   f->csv,	 f->trace,   NULL};

	put_vm(f, 1, 10, "web");
	put_refault(f, SPACE_DISK);
	put_counters(f, 1);
	finish(f);
	assert_int_equal(mrc(f, argv), CLI_DONE);
	assert_string_equal(misses(f, "web", "disk"), "access 4 4 3");
	assert_string_equal(misses(f, "web:fifo", "disk"), "access 4 4 3");
	/* Knows that 1 comes back. */
	assert_string_equal(misses(f, "web:opt", "disk"), "access 4 3 3");
}

/* A policy cannot be had from a part of the pages, nor from evictions. */
static void policies_refused(void **state)
{
	struct fixture *f = *state;
	char *argv[] = {"mrc", "--policy", "fifo", "--order", "access", f->trace, NULL};
	char *evictions[] = {"mrc", "--policy", "fifo", f->trace, NULL};

	put_vm(f, 1, 10, "web");
	put_fills(f, 1, 2);
	assert_int_equal(recording_writer__threshold(f->w, PE_SAMPLE_ALL / 2), 0);
	put_counters(f, 1);
	finish(f);
	assert_int_equal(mrc(f, argv), CLI_FAILED);
	assert_int_equal(mrc(f, evictions), CLI_USAGE);
}

static void copy_file(const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
	assert_int_equal(system(command), 0);
}

/* One VM recorded twice: the recordings' names tell the curves apart. */
static void two_recordings(void **state)
{
	struct fixture *f = *state;
	char second[80], expected[256];
	char *argv[] = {"mrc", "--sizes", "0", "--csv", f->csv, f->trace, second, NULL};

	snprintf(second, sizeof(second), "%s.2", f->trace);
	put_vm(f, 1, 10, "web");
	put_fills(f, 1, 2);
	put_counters(f, 1);
	finish(f);
	copy_file(f->trace, second);
	assert_int_equal(mrc(f, argv), CLI_DONE);
	snprintf(expected, sizeof(expected), "web@%s 2;web@%s 2;", f->trace + strlen("/tmp/"),
		 second + strlen("/tmp/"));
	assert_string_equal(names_and_fills(f), expected);
	unlink(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(slot_reused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(same_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cut_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(end_not_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(by_access, set_up, tear_down),
		cmocka_unit_test_setup_teardown(by_access_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(policies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(policies_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_recordings, set_up, tear_down),
	};

	cli__set_command("mrc");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
