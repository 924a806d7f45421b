// SPDX-License-Identifier: GPL-2.0
/* Reports, and what is written of them: CSV, JSON, gnuplot. */
#include <errno.h>
#include <locale.h>
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

#include "../../analysis/export.h"
#include "../../analysis/size.h"
#include "skips.h"

static const char nasty[] = "a,\"b\"\n`id` \\ <&> \xc3\xa9\xff\x01";

/* 4 pages evicted, 2 of them read again at distances 3 and 2; one more is evicted, and a fill is
 * unseen that has just this one above it. */
static struct engine *make_engine(void)
{
	const struct engine_opts opts = {.sz = sizeof(opts), .threshold = PE_SAMPLE_ALL};
	struct engine *e = engine__new(&opts);
	struct page_event ev[20];
	size_t n = 0;

	for (__u64 page = 0; page < 4; page++)
		ev[n++] = (struct page_event){
			.page = page, .frame = page, .count = 1, .vm = 1, .kind = PAGE_FILL};
	for (__u64 page = 0; page < 4; page++)
		ev[n++] = (struct page_event){
			.page = page, .frame = page, .count = 1, .vm = 1, .kind = PAGE_EVICT};
	for (__u64 page = 0; page < 2; page++)
		ev[n++] = (struct page_event){
			.page = page, .frame = 50 + page, .count = 1, .vm = 1, .kind = PAGE_FILL};
	ev[n++] = (struct page_event){
		.page = 1, .frame = 51, .count = 1, .vm = 1, .kind = PAGE_EVICT};
	ev[n++] =
		(struct page_event){.page = 0, .frame = 60, .count = 1, .vm = 1, .kind = PAGE_FILL};
	ev[n++] = (struct page_event){
		.page = 9, .frame = 9, .count = 1, .vm = 1, .space = SPACE_MEM, .kind = PAGE_EVICT};
	ev[n++] = (struct page_event){
		.page = 9, .frame = 9, .count = 1, .vm = 1, .space = SPACE_MEM, .kind = PAGE_FILL};
	assert_int_equal(engine__apply(e, ev, n), 0);
	return e;
}

static struct vm_report *make_report(const char *name)
{
	struct vm_counters c = {.kvm_faults = 11, .page_outs = 12, .ios = 13};
	struct engine *e = make_engine();
	struct vm_report *r;

	c.latency[0][0] = 5;
	c.latency[0][7] = 6;
	c.latency[1][95] = 7;
	r = vm_report__new(e, 1, name, &c, NULL, 0);
	engine__free(e);
	assert_non_null(r);
	return r;
}

/* What a writer writes, as a string. */
static char *written(int (*write)(FILE *, struct vm_report *const *, size_t), struct vm_report *r)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(write(out, &r, r ? 1 : 0), 0);
	fclose(out);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		print_error("no \"%s\" in:\n%s\n", part, text);
	assert_non_null(strstr(text, part));
}

static void test_report(void **state)
{
	struct vm_report *r = make_report("vm");
	const struct space_report *disk = &r->space[SPACE_DISK];

	assert_string_equal(r->name, "vm");
	assert_true(disk->seen && r->space[SPACE_MEM].seen);
	assert_int_equal(disk->counts.fills, 7);
	assert_int_equal(disk->counts.unseen, 1);
	assert_string_equal(disk->order, "eviction");
	assert_int_equal(disk->max_distance, 4);
	/* bcc's buckets: 2 to 3 is the second. */
	assert_int_equal(disk->reuse[0], 0);
	assert_int_equal(disk->reuse[1], 2);
	assert_int_equal(disk->reuse[2], 0);
	assert_int_equal(disk->nr_points, 5);
	assert_int_equal(disk->curve[4].size, 4);
	assert_float_equal(disk->curve[4].misses, 4, 0);
	assert_int_equal(r->space[SPACE_MEM].reuse[0], 1);
	vm_report__free(r);
	vm_report__free(NULL);
}

static void test_report_sizes(void **state)
{
	static const __u64 sizes[] = {0, 3, 1000};
	struct engine *e = make_engine();
	struct vm_report *r = vm_report__new(e, 1, "x", NULL, sizes, 3);

	assert_int_equal(r->space[SPACE_DISK].nr_points, 3);
	assert_int_equal(r->space[SPACE_DISK].curve[2].size, 1000);
	assert_false(r->has_counters);
	vm_report__free(r);
	/* A VM of which nothing was seen. */
	r = vm_report__new(e, 2, "y", NULL, NULL, 0);
	assert_false(r->space[SPACE_DISK].seen);
	assert_int_equal(r->space[SPACE_DISK].nr_points, 0);
	vm_report__free(r);
	engine__free(e);
}

static void test_csv(void **state)
{
	struct vm_report *r = make_report("vm 1");
	char *text = written(export__curve_csv, r);

	assert_string_equal(text, "vm,space,order,size_pages,size_bytes,misses,accesses,"
				  "miss_ratio,error\n"
				  "vm 1,disk,eviction,0,0,7,7,1,0\n"
				  "vm 1,disk,eviction,1,4096,6.50,7,0.928571,0.0714286\n"
				  "vm 1,disk,eviction,2,8192,6,7,0.857143,0\n"
				  "vm 1,disk,eviction,3,12288,5,7,0.714286,0\n"
				  "vm 1,disk,eviction,4,16384,4,7,0.571429,0\n"
				  "vm 1,mem,eviction,0,0,1,1,1,0\n"
				  "vm 1,mem,eviction,1,4096,0,1,0,0\n");
	free(text);
	text = written(export__events_csv, r);
	assert_int_equal(strncmp(text, "vm,space,kind,count\n", 20), 0);
	assert_has(text, "\nvm 1,disk,fill,7\n");
	assert_has(text, "\nvm 1,disk,refault,2\n");
	assert_has(text, "\nvm 1,disk,unseen,1\n");
	assert_has(text, "\nvm 1,mem,eviction,1\n");
	assert_has(text, "\nvm 1,host,kvm_fault,11\n");
	assert_has(text, "\nvm 1,host,page_out,12\n");
	free(text);
	text = written(export__reuse_csv, r);
	assert_string_equal(text, "vm,space,kind,low_pages,high_pages,count\n"
				  "vm 1,disk,refault,2,3,2\n"
				  "vm 1,disk,cold,,,4\n"
				  "vm 1,disk,unseen,,,1\n"
				  "vm 1,mem,refault,0,1,1\n"
				  "vm 1,mem,cold,,,0\n"
				  "vm 1,mem,unseen,,,0\n");
	free(text);
	text = written(export__latency_csv, r);
	assert_string_equal(text, "vm,op,low_ns,high_ns,count\n"
				  "vm 1,read,1024,1280,5\n"
				  "vm 1,read,3584,4096,6\n"
				  "vm 1,write,15032385536,17179869184,7\n");
	free(text);
	vm_report__free(r);
}

static void test_csv_quotes(void **state)
{
	struct vm_report *r = make_report("a,\"b\"\nc");
	char *text = written(export__reuse_csv, r);

	assert_has(text, "\n\"a,\"\"b\"\"\nc\",disk,cold,,,4\n");
	free(text);
	vm_report__free(r);
	/* Without any report there is a header. */
	text = written(export__reuse_csv, NULL);
	assert_string_equal(text, "vm,space,kind,low_pages,high_pages,count\n");
	free(text);
}

static char *json_string(const char *s)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	export__json_string(out, s);
	fclose(out);
	return text;
}

static void test_json_string(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"", "\"\""},
		{"plain", "\"plain\""},
		{"q\" b\\ n\n t\t \x7f", "\"q\\\" b\\\\ n\\u000a t\\u0009 \\u007f\""},
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8d",
		 "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8d\""},
		/* Cut off, overlong, a surrogate, beyond Unicode, a lone continuation. */
		{"x\xc3", "\"x\\ufffd\""},
		{"\xe2\x82", "\"\\ufffd\\ufffd\""},
		{"\xc0\x80", "\"\\ufffd\\ufffd\""},
		{"\xe0\x80\x80", "\"\\ufffd\\ufffd\\ufffd\""},
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
		{"\x80z", "\"\\ufffdz\""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = json_string(cases[i].in);

		assert_string_equal(text, cases[i].out);
		free(text);
	}
}

static int write_json(FILE *out, struct vm_report *const *reports, size_t n)
{
	return export__json(out, reports[0]);
}

/* Lines, each an object whose brackets match outside of strings. */
static int count_objects(const char *s)
{
	int depth = 0, objects = 0;
	bool in_string = false;

	for (; *s; s++) {
		if (in_string && *s == '\\')
			s++;
		else if (*s == '"')
			in_string = !in_string;
		else if (!in_string && (*s == '{' || *s == '['))
			depth++;
		else if (!in_string && (*s == '}' || *s == ']'))
			depth--;
		assert_false(in_string && *s == '\n');
		assert_true(depth >= 0);
		if (*s == '\n') {
			assert_int_equal(depth, 0);
			objects++;
		}
	}
	assert_false(in_string);
	return objects;
}

static void test_json(void **state)
{
	struct vm_report *r = make_report(nasty);
	char *text = written(write_json, r);

	/* events, reuse, curve of two spaces; host events; two latencies. */
	assert_int_equal(count_objects(text), 9);
	assert_has(text,
		   "{\"type\":\"reuse\",\"vm\":\"a,\\\"b\\\"\\u000a`id` \\\\ <&> \xc3\xa9\\ufffd"
		   "\\u0001\",\"space\":\"disk\",\"cold\":4,\"unseen\":1,\"buckets\":[[2,3,2]]}");
	assert_has(text, "\"op\":\"read\",\"buckets\":[[1024,1280,5],[3584,4096,6]]}");
	assert_has(text, "\"miss_ratio\",\"error\"],\"points\":[[0,7,7,1,0],[1,6.50,7,");
	assert_has(text, "\"space\":\"host\",\"kvm_fault\":11,");
	free(text);
	vm_report__free(r);
}

/* Of 100 misses a second with 32 MiB, 40 are left with 64 MiB, and 45 were predicted. */
static void test_checks(void **state)
{
	static const struct check check = {.at = 12.5,
					   .before = 8192,
					   .now = 16384,
					   .seconds = 90,
					   .smaller = 100,
					   .predicted = 45,
					   .error = 1,
					   .observed = 40};
	struct vm_report *r = make_report("a,b");
	char *text;

	r->checks = malloc(sizeof(check));
	assert_non_null(r->checks);
	*r->checks = check;
	r->nr_checks = 1;
	text = written(export__checks_csv, r);
	assert_string_equal(text, "vm,at_s,before_pages,now_pages,seconds,smaller_per_s,"
				  "predicted_per_s,error_per_s,observed_per_s,difference\n"
				  "\"a,b\",12.5,8192,16384,90,100,45,1,40,0.05\n");
	free(text);
	text = written(write_json, r);
	assert_int_equal(count_objects(text), 10);
	assert_has(text, "{\"type\":\"check\",\"vm\":\"a,b\",\"at_s\":12.5,");
	assert_has(text, ",\"difference\":0.05,\"differs\":false}\n");
	free(text);
	vm_report__free(r);
}

/* --- a folder --- */

static char dir[] = "/tmp/hvtrace-export-XXXXXX";

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static const char *path_in(const char *sub, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s/%s", dir, sub, name);
	return path;
}

static void test_folder(void **state)
{
	static const char *const names[] = {"events.csv", "reuse.csv",	"latency.csv",
					    "curve.csv",  "checks.csv", "curve.gp"};
	struct vm_report *r[2] = {make_report("one"), make_report(nasty)};
	struct export_fault fault = {0};
	struct stat st;

	/* Made if it is missing, written over if it is there. */
	for (int round = 0; round < 2; round++) {
		assert_int_equal(export__folder(path_in("out", ""), r, 2, &fault), 0);
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			assert_int_equal(stat(path_in("out", names[i]), &st), 0);
			assert_true(st.st_size > 20);
		}
	}
	vm_report__free(r[0]);
	vm_report__free(r[1]);
}

static void test_folder_faults(void **state)
{
	struct vm_report *r = make_report("one");
	struct export_fault fault = {0};

	assert_int_equal(export__folder(path_in("no", "parent"), &r, 1, &fault), -ENOENT);
	assert_string_equal(fault.path, path_in("no", "parent"));
	assert_int_equal(fault.err, -ENOENT);

	assert_int_equal(export__folder("/dev/null", &r, 1, &fault), -ENOTDIR);
	assert_string_equal(fault.path, "/dev/null/events.csv");

	/* A full disk behind the fourth file. */
	assert_int_equal(mkdir(path_in("full", ""), 0777), 0);
	assert_int_equal(symlink("/dev/full", path_in("full", "curve.csv")), 0);
	assert_int_equal(export__folder(path_in("full", ""), &r, 1, &fault), -ENOSPC);
	assert_string_equal(strrchr(fault.path, '/'), "/curve.csv");
	vm_report__free(r);
}

/* More than a buffer: the error comes from a write in the middle. */
static void test_full_early(void **state)
{
	struct vm_report *r = make_report("one"), *many[200];
	FILE *out = fopen("/dev/full", "w");

	for (int i = 0; i < 200; i++)
		many[i] = r;
	assert_int_equal(export__events_csv(out, many, 200), -ENOSPC);
	fclose(out);
	vm_report__free(r);
}

static void test_gnuplot(void **state)
{
	struct vm_report *r[3] = {make_report("one"), make_report(nasty), make_report("$x")};
	struct export_fault fault = {0};
	char command[256], line[512];
	bool svg = false, two = false;
	FILE *f;

	if (system("command -v gnuplot >/dev/null"))
		because("gnuplot is not installed (make deps)");
	assert_int_equal(export__folder(path_in("plot", ""), r, 3, &fault), 0);
	/* No word from gnuplot: neither an error nor a warning. */
	snprintf(command, sizeof(command), "cd %s/plot && [ -z \"$(gnuplot curve.gp 2>&1)\" ]",
		 dir);
	assert_int_equal(system(command), 0);
	f = fopen(path_in("plot", "curve.svg"), "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		svg |= strstr(line, "<svg") != NULL;
		two |= strstr(line, "paged out by the host") != NULL;
	}
	fclose(f);
	assert_true(svg && two);
	for (int i = 0; i < 3; i++)
		vm_report__free(r[i]);
	/* Nothing seen: still a picture. */
	assert_int_equal(export__folder(path_in("plot", ""), NULL, 0, &fault), 0);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),	      cmocka_unit_test(test_report_sizes),
		cmocka_unit_test(test_csv),	      cmocka_unit_test(test_csv_quotes),
		cmocka_unit_test(test_json_string),   cmocka_unit_test(test_json),
		cmocka_unit_test(test_checks),	      cmocka_unit_test(test_folder),
		cmocka_unit_test(test_folder_faults), cmocka_unit_test(test_full_early),
		cmocka_unit_test(test_gnuplot),
	};

	return skips__status(cmocka_run_group_tests(tests, make_dir, remove_dir));
}
