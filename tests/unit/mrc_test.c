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

/* The rows of size 0, in the order of the file, as "name fills;". */
static const char *analyse(struct fixture *f, int expected_status)
{
	static char rows[512];
	char *argv[] = {"mrc", "--sizes", "0", "--csv", f->csv, f->trace, NULL};
	char line[512], name[128];
	unsigned long fills;
	FILE *csv, *saved = stdout;

	optind = 0;
	opterr = 0;
	stdout = fopen("/dev/null", "w");
	assert_int_equal(cmd_mrc(6, argv), expected_status);
	fclose(stdout);
	stdout = saved;
	csv = fopen(f->csv, "r");
	rows[0] = 0;
	while (fgets(line, sizeof(line), csv))
		if (sscanf(line, "%127[^,],disk,%*[^,],0,0,%*[^,],%lu", name, &fills) == 2)
			sprintf(rows + strlen(rows), "%s %lu;", name, fills);
	fclose(csv);
	return rows;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(slot_reused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(same_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cut_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(end_not_told, set_up, tear_down),
	};

	cli__set_command("mrc");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
