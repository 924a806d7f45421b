// SPDX-License-Identifier: GPL-2.0
/* Traces of other tools: each format, each way to be malformed, packed, piped, told by content. */
#define _GNU_SOURCE /* memfd_create */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <cmocka.h>

#include "../../loader/recording.h"
#include "../../loader/trace/trace.h"
#include "random.h"

/* ---------------------------------------------------------------- bytes and files */

struct bytes {
	char *p;
	size_t n, room;
};

static struct bytes bytes__of(const void *p, size_t n)
{
	struct bytes b = {.p = malloc(n ? n : 1), .n = n};

	assert_non_null(b.p);
	memcpy(b.p, p, n);
	return b;
}

static struct bytes bytes__text(const char *text)
{
	return bytes__of(text, strlen(text));
}

/* Not copied. */
static struct bytes text_bytes(const char *text)
{
	return (struct bytes){.p = (char *)text, .n = strlen(text)};
}

static void bytes__add(struct bytes *b, const void *p, size_t n)
{
	if (b->n + n > b->room) {
		b->room = 2 * (b->n + n);
		b->p = realloc(b->p, b->room);
		assert_non_null(b->p);
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void bytes__number(struct bytes *b, __u64 v, size_t n)
{
	for (size_t i = 0; i < n; i++, v >>= 8)
		bytes__add(b, &(char){v}, 1);
}

static struct bytes gzip_of(struct bytes b)
{
	size_t room = b.n + b.n / 100 + 1024;
	struct bytes out = {.p = malloc(room)};
	z_stream z = {.next_in = (void *)b.p, .avail_in = b.n, .avail_out = room};

	assert_non_null(out.p);
	z.next_out = (void *)out.p;
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out.n = z.total_out;
	deflateEnd(&z);
	return out;
}

static struct bytes zstd_of(struct bytes b)
{
	struct bytes out = {.p = malloc(ZSTD_compressBound(b.n))};

	assert_non_null(out.p);
	out.n = ZSTD_compress(out.p, ZSTD_compressBound(b.n), b.p, b.n, 3);
	assert_false(ZSTD_isError(out.n));
	return out;
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t put = write(fd, p, n);

		assert_true(put > 0);
		p += put;
		n -= put;
	}
}

/* A file that has no name elsewhere: a path as good as any. */
static int file_of(struct bytes b, char path[32])
{
	int fd = memfd_create("trace", MFD_CLOEXEC);

	assert_true(fd >= 0);
	write_all(fd, b.p, b.n);
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

/* ---------------------------------------------------------------- what is read */

struct got {
	struct bytes pages, times; /* times: none when the trace has none */
	size_t n;
	int rc; /* of the last call */
	char format[16];
	bool timed;
	__u64 bad, done, total;
	struct trace_fault fault;
};

static void got__free(struct got *g)
{
	free(g->pages.p);
	free(g->times.p);
}

static __u64 got__page(const struct got *g, size_t i)
{
	return ((__u64 *)g->pages.p)[i];
}

static __u64 got__time(const struct got *g, size_t i)
{
	assert_true(g->timed);
	return ((__u64 *)g->times.p)[i];
}

static void got__add(struct got *g, const struct trace_batch *b)
{
	assert_true(b->n > 0);
	assert_int_equal(!!b->times, g->timed);
	bytes__add(&g->pages, b->pages, b->n * sizeof(*b->pages));
	if (b->times)
		bytes__add(&g->times, b->times, b->n * sizeof(*b->times));
	g->n += b->n;
}

static struct got read_path(const char *path, const char *format, bool skip_bad)
{
	struct trace_opts opts = {.sz = sizeof(opts), .format = format, .skip_bad = skip_bad};
	struct got g = {.rc = 1};
	struct trace *t = trace__open(path, &opts, &g.fault);
	struct trace_batch b;

	if (!t) {
		g.rc = -errno;
		assert_true(g.fault.reason[0]);
		return g;
	}
	snprintf(g.format, sizeof(g.format), "%s", trace__format(t));
	g.timed = trace__timed(t);
	while ((g.rc = trace__next(t, &b)) > 0)
		got__add(&g, &b);
	assert_int_equal(trace__next(t, &b), g.rc); /* it stays so */
	g.bad = trace__bad(t);
	g.done = trace__bytes_done(t);
	g.total = trace__bytes_total(t);
	g.fault = *trace__fault(t);
	trace__close(t);
	return g;
}

static struct got read_bytes(struct bytes b, const char *format, bool skip_bad)
{
	char path[32];
	int fd = file_of(b, path);
	struct got g = read_path(path, format, skip_bad);

	close(fd);
	return g;
}

/* In pieces of odd sizes, as a pipe may give them. */
static struct got read_pipe(struct bytes b, const char *format)
{
	int fds[2], before = dup(STDIN_FILENO), status;
	struct got g;
	pid_t child;

	assert_false(pipe(fds));
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		for (size_t at = 0, n; at < b.n; at += n) {
			n = b.n - at < 40009 ? b.n - at : 40009;
			write_all(fds[1], b.p + at, n);
		}
		_exit(0);
	}
	close(fds[1]);
	dup2(fds[0], STDIN_FILENO);
	close(fds[0]);
	g = read_path("-", format, false);
	dup2(before, STDIN_FILENO);
	close(before);
	assert_int_equal(waitpid(child, &status, 0), child);
	return g;
}

static void assert_same(const struct got *a, const struct got *b)
{
	assert_int_equal(a->rc, b->rc);
	assert_string_equal(a->format, b->format);
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->times.n, b->times.n);
	assert_memory_equal(a->pages.p, b->pages.p, a->pages.n);
	if (a->times.n)
		assert_memory_equal(a->times.p, b->times.p, a->times.n);
}

static void assert_pages(const struct got *g, const __u64 *pages, size_t n)
{
	if (g->rc)
		print_message("%s\n", g->fault.reason);
	assert_int_equal(g->rc, 0);
	assert_int_equal(g->n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(got__page(g, i), pages[i]);
}

#define ASSERT_PAGES(g, ...)                                                                       \
	do {                                                                                       \
		const __u64 pages_[] = {__VA_ARGS__};                                              \
		assert_pages(g, pages_, sizeof(pages_) / sizeof(*pages_));                         \
	} while (0)

static void assert_fault(const struct got *g, int rc, __u64 record, const char *what)
{
	assert_int_equal(g->rc, rc);
	assert_int_equal(g->fault.record, record);
	if (!strstr(g->fault.reason, what))
		fail_msg("'%s' is not in '%s'", what, g->fault.reason);
	assert_null(strchr(g->fault.reason, '\n'));
	if (record)
		assert_non_null(strstr(g->fault.reason, "--skip-bad"));
}

/* `bad` follows a good first record and a good one follows it: told where, or left out. */
static void assert_malformed(struct bytes b, const char *format, __u64 record, const char *what)
{
	struct got g = read_bytes(b, format, false);

	assert_fault(&g, -EINVAL, record, what);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.bad, 0);
	got__free(&g);
	g = read_bytes(b, format, true);
	assert_int_equal(g.rc, 0);
	assert_int_equal(g.n, 2);
	assert_int_equal(g.bad, 1);
	got__free(&g);
}

struct bad_line {
	const char *line, *what;
};

/* Each between two copies of a good line that is one reference. */
static void assert_bad_lines(const char *format, const char *good, const struct bad_line *bad,
			     size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char text[400];

		snprintf(text, sizeof(text), "%s\n%s\n%s\n", good, bad[i].line, good);
		assert_malformed(text_bytes(text), format, 2, bad[i].what);
	}
}

#define ASSERT_BAD_LINES(format, good, ...)                                                        \
	do {                                                                                       \
		const struct bad_line bad_[] = {__VA_ARGS__};                                      \
		assert_bad_lines(format, good, bad_, sizeof(bad_) / sizeof(*bad_));                \
	} while (0)

static struct got read_text(const char *text, const char *format)
{
	return read_bytes(text_bytes(text), format, false);
}

/* ---------------------------------------------------------------- u64 */

/* Several of a mapping's windows, and a last one that is not full. */
#define MANY_WORDS (700 * 1000)

static struct bytes many_words(void)
{
	struct bytes b = {.p = malloc(MANY_WORDS * 8), .n = MANY_WORDS * 8};
	struct random r = {.state = random__seed()};

	assert_non_null(b.p);
	for (size_t i = 0; i < MANY_WORDS; i++)
		((__u64 *)b.p)[i] = random__next(&r);
	return b;
}

static void assert_is(struct got g, struct bytes words, const char *format)
{
	assert_int_equal(g.rc, 0);
	assert_string_equal(g.format, format);
	assert_false(g.timed);
	assert_int_equal(g.n, words.n / 8);
	assert_memory_equal(g.pages.p, words.p, words.n);
	got__free(&g);
}

static void u64_is_read_from_a_file_a_pipe_and_packed(void **state)
{
	struct bytes b = many_words(), gz = gzip_of(b), zst = zstd_of(b);

	assert_is(read_bytes(b, NULL, false), b, "u64");
	assert_is(read_bytes(b, "u64", false), b, "u64");
	assert_is(read_pipe(b, NULL), b, "u64");
	assert_is(read_bytes(gz, NULL, false), b, "u64");
	assert_is(read_bytes(zst, NULL, false), b, "u64");
	free(b.p);
	free(gz.p);
	free(zst.p);
}

/* A file on stdin, too, may be read in part already. */
static void u64_is_read_from_where_stdin_stands(void **state)
{
	struct bytes b = many_words(), rest = {.p = b.p + 24, .n = b.n - 24};
	int before = dup(STDIN_FILENO), fd;
	char path[32];

	fd = file_of(b, path);
	dup2(fd, STDIN_FILENO);
	lseek(STDIN_FILENO, 0, SEEK_SET);
	assert_is(read_path("-", NULL, false), b, "u64");
	lseek(STDIN_FILENO, 24, SEEK_SET);
	assert_is(read_path("-", NULL, false), rest, "u64");
	dup2(before, STDIN_FILENO);
	close(before);
	close(fd);
	free(b.p);
}

/* What marks a text's encoding is a number here. */
static void u64_may_begin_like_a_marked_text(void **state)
{
	struct bytes b = {0};

	for (int i = 0; i < 4; i++)
		bytes__number(&b, 0xbfbbef, 8);
	assert_is(read_bytes(b, NULL, false), b, "u64");
	assert_is(read_pipe(b, "u64"), b, "u64");
	free(b.p);
}

static void truncated_u64_is_malformed(void **state)
{
	struct bytes b = many_words();
	struct got g;

	b.n = 5 * 8 + 3;
	g = read_bytes(b, "u64", false);
	assert_fault(&g, -EINVAL, 6, "truncated, 3 of 8 bytes");
	assert_int_equal(g.n, 5);
	got__free(&g);
	g = read_pipe(b, "u64");
	assert_fault(&g, -EINVAL, 6, "truncated, 3 of 8 bytes");
	assert_int_equal(g.n, 5);
	got__free(&g);
	g = read_bytes(b, "u64", true);
	assert_int_equal(g.rc, 0);
	assert_int_equal(g.bad, 1);
	assert_int_equal(g.n, 5);
	got__free(&g);
	b.n = 7;
	g = read_bytes(b, "u64", false);
	assert_fault(&g, -EINVAL, 1, "truncated, 7 of 8 bytes");
	got__free(&g);
	free(b.p);
}

static void bytes_done_reach_the_total(void **state)
{
	struct bytes b = many_words(), gz = gzip_of(b);
	struct got g = read_bytes(b, NULL, false);

	assert_int_equal(g.total, b.n);
	assert_int_equal(g.done, b.n);
	got__free(&g);
	g = read_bytes(gz, NULL, false);
	assert_int_equal(g.total, gz.n);
	assert_int_equal(g.done, gz.n);
	got__free(&g);
	g = read_pipe(gz, NULL);
	assert_int_equal(g.total, 0);
	assert_int_equal(g.done, gz.n);
	got__free(&g);
	free(b.p);
	free(gz.p);
}

static __u64 sum_of(const struct trace_batch *b)
{
	__u64 sum = 0;

	for (size_t i = 0; i < b->n; i++)
		sum += *(volatile const __u64 *)&b->pages[i];
	return sum;
}

/* Only one of them can be mapped; nothing else may differ. */
static void two_traces_at_once(void **state)
{
	struct trace_opts opts = {.sz = sizeof(opts)};
	struct bytes b = many_words();
	char path[32];
	int fd = file_of(b, path);
	struct trace *first = trace__open(path, &opts, NULL);
	struct trace_batch batch;

	assert_non_null(first);
	assert_int_equal(trace__next(first, &batch), 1);
	assert_is(read_path(path, NULL, false), b, "u64");
	assert_memory_equal(batch.pages, b.p, batch.n * 8);
	/* The first one is still on guard. */
	assert_false(ftruncate(fd, 4096));
	sum_of(&batch);
	assert_int_equal(trace__next(first, &batch), -EIO);
	trace__close(first);
	close(fd);
	free(b.p);
}

static void a_file_cut_short_meanwhile_is_an_error(void **state)
{
	struct trace_opts opts = {.sz = sizeof(opts)};
	struct bytes b = many_words();
	char path[32];
	int fd = file_of(b, path);
	struct trace *t = trace__open(path, &opts, NULL);
	struct trace_batch batch;

	assert_non_null(t);
	assert_int_equal(trace__next(t, &batch), 1);
	assert_false(ftruncate(fd, 4096));
	sum_of(&batch); /* of pages that are gone */
	assert_int_equal(trace__next(t, &batch), -EIO);
	assert_non_null(strstr(trace__fault(t)->reason, "cut short"));
	assert_int_equal(trace__next(t, &batch), -EIO);
	trace__close(t);
	close(fd);
	free(b.p);
}

static void a_file_cut_short_between_windows_is_an_error(void **state)
{
	struct trace_opts opts = {.sz = sizeof(opts)};
	struct bytes b = many_words();
	char path[32];
	int fd = file_of(b, path), rc;
	struct trace *t = trace__open(path, &opts, NULL);
	struct trace_batch batch;

	assert_non_null(t);
	assert_int_equal(trace__next(t, &batch), 1);
	assert_false(ftruncate(fd, batch.n * 8 + 4096));
	while ((rc = trace__next(t, &batch)) > 0)
		sum_of(&batch);
	assert_int_equal(rc, -EIO);
	trace__close(t);
	close(fd);
	free(b.p);
}

/* ---------------------------------------------------------------- csv */

static void csv_has_time_and_page(void **state)
{
	struct got g = read_text("time,page\n"
				 "# a comment\n"
				 "1.5,7\n"
				 "1.500000001;0x10\r\n"
				 "\n"
				 "2\t18446744073709551615\n"
				 "3.25   9  \n"
				 "4 , 10",
				 NULL);

	ASSERT_PAGES(&g, 7, 16, 18446744073709551615ULL, 9, 10);
	assert_string_equal(g.format, "csv");
	assert_int_equal(got__time(&g, 0), 0);
	assert_int_equal(got__time(&g, 1), 1);
	assert_int_equal(got__time(&g, 2), 500000000);
	assert_int_equal(got__time(&g, 3), 1750000000);
	assert_int_equal(got__time(&g, 4), 2500000000);
	got__free(&g);
}

static void csv_may_have_pages_alone(void **state)
{
	struct got g = read_text("page\n5\n 0xff\n\n12345678901234567890\n", NULL);

	ASSERT_PAGES(&g, 5, 255, 12345678901234567890ULL);
	assert_string_equal(g.format, "csv");
	assert_false(g.timed);
	got__free(&g);
}

static void csv_of_other_systems(void **state)
{
	struct got g = read_text("\xef\xbb\xbf"
				 "1;2\r\n2;3\r\n",
				 NULL);

	ASSERT_PAGES(&g, 2, 3);
	assert_int_equal(got__time(&g, 1), 1000000000);
	got__free(&g);
}

static void times_never_fall(void **state)
{
	struct got g = read_text("10,1\n12,2\n11,3\n9,4\n13,5\n", NULL);

	ASSERT_PAGES(&g, 1, 2, 3, 4, 5);
	assert_int_equal(got__time(&g, 1), 2000000000);
	assert_int_equal(got__time(&g, 2), 2000000000);
	assert_int_equal(got__time(&g, 3), 2000000000);
	assert_int_equal(got__time(&g, 4), 3000000000);
	got__free(&g);
}

static void malformed_csv(void **state)
{
	ASSERT_BAD_LINES("csv", "1.5,7", {"1.5", "page is missing"}, {"1.5,", "page is missing"},
			 {"1.5,-7", "page is negative"}, {"-1.5,7", "time is negative"},
			 {"x,7", "time is not a number"}, {"1.5x,7", "time is not a number"},
			 {"1.5,7x", "page is not a whole number"},
			 {"1.5,7.5", "page is not a whole number"}, {"1.5,0x", "page"},
			 {"1.5,18446744073709551616", "page does not fit 64 bits"},
			 {"1.5,0x10000000000000000", "page does not fit 64 bits"},
			 {"99999999999,7", "time is too large for seconds"}, {"1,2,3", "column"},
			 {"1.5,\x01\x02", "page is not a number, at \'\?\?\'"});
	ASSERT_BAD_LINES("csv", "7", {"-7", "page is negative"}, {"7,", "column"}, {"x", "page"},
			 {"99999999999999999999", "page does not fit"});
}

static void a_last_line_without_end_counts(void **state)
{
	struct got g = read_text("1,2\n2,x", "csv");

	assert_fault(&g, -EINVAL, 2, "page is not a number");
	got__free(&g);
}

static void a_line_longer_than_any_is_malformed(void **state)
{
	struct bytes b = bytes__text("1,2\n");
	char *zeros = malloc(1 << 20);

	assert_non_null(zeros);
	memset(zeros, '0', 1 << 20);
	bytes__add(&b, zeros, 1 << 20);
	bytes__add(&b, "\n3,4\n", 5);
	assert_malformed(b, "csv", 2, "longer than 65536 bytes");
	free(zeros);
	free(b.p);
}

/* Lines that lie across the ends of every buffer, in any pieces. */
static void csv_of_any_length_is_the_same_packed_or_piped(void **state)
{
	struct random r = {.state = random__seed()};
	struct bytes b = {0}, gz, zst;
	struct got g, other;
	size_t n = 100000;

	for (size_t i = 0; i < n; i++) {
		char line[64];

		bytes__add(&b, line,
			   snprintf(line, sizeof(line), "%zu.%llu,%llu\n", i,
				    random__below(&r, 1000),
				    random__next(&r) >> random__below(&r, 64)));
	}
	g = read_bytes(b, NULL, false);
	assert_int_equal(g.rc, 0);
	assert_int_equal(g.n, n);
	gz = gzip_of(b);
	zst = zstd_of(b);
	other = read_pipe(b, NULL);
	assert_same(&g, &other);
	got__free(&other);
	other = read_bytes(gz, NULL, false);
	assert_same(&g, &other);
	got__free(&other);
	other = read_pipe(zst, NULL);
	assert_same(&g, &other);
	got__free(&other);
	got__free(&g);
	free(b.p);
	free(gz.p);
	free(zst.p);
}

/* ---------------------------------------------------------------- oracleGeneral */

static void oracle__add(struct bytes *b, __u32 time, __u64 object, __u32 size, __s64 next)
{
	bytes__number(b, time, 4);
	bytes__number(b, object, 8);
	bytes__number(b, size, 4);
	bytes__number(b, next, 8);
}

static void oracle_general(void **state)
{
	struct bytes b = {0};
	struct got g;

	oracle__add(&b, 100, 7, 512, 3);
	oracle__add(&b, 100, ~0ULL, 1 << 20, -1);
	oracle__add(&b, 101, 9, 0, -1); /* without a size */
	oracle__add(&b, 4294967295U, 7, 512, INT64_MAX);
	g = read_bytes(b, NULL, false);
	ASSERT_PAGES(&g, 7, ~0ULL, 7);
	assert_string_equal(g.format, "oracleGeneral");
	assert_int_equal(got__time(&g, 0), 0);
	assert_int_equal(got__time(&g, 2), 4294967195ULL * 1000000000);
	got__free(&g);
	b.n -= 10;
	g = read_bytes(b, "oracleGeneral", false);
	assert_fault(&g, -EINVAL, 4, "truncated, 14 of 24 bytes");
	assert_int_equal(g.n, 2);
	got__free(&g);
	free(b.p);
}

static void oracle_general_may_begin_like_a_marked_text(void **state)
{
	struct bytes b = {0};
	struct got g;

	oracle__add(&b, 0xbfbbef, 7, 512, -1);
	oracle__add(&b, 0xbfbbf0, 8, 512, -1);
	g = read_bytes(b, NULL, false);
	ASSERT_PAGES(&g, 7, 8);
	assert_string_equal(g.format, "oracleGeneral");
	got__free(&g);
	free(b.p);
}

static void malformed_oracle_general(void **state)
{
	struct bytes b = {0};

	oracle__add(&b, 100, 7, 512, -1);
	oracle__add(&b, 100, 7, 512, -3);
	oracle__add(&b, 100, 7, 512, -2);
	assert_malformed(b, "oracleGeneral", 2, "next access -3 is negative");
	free(b.p);
}

/* ---------------------------------------------------------------- vscsi */

struct vscsi {
	__u16 command, version;
	__u32 length;
	__u64 block, time;
};

static void vscsi__add(struct bytes *b, int version, struct vscsi v)
{
	if (version == 2) {
		bytes__number(b, v.command, 2);
		bytes__number(b, v.version, 2);
	}
	bytes__number(b, 0x80000001, 4);
	bytes__number(b, v.length, 4);
	bytes__number(b, 1, 4);
	if (version == 1) {
		bytes__number(b, v.command, 2);
		bytes__number(b, v.version, 2);
	}
	bytes__number(b, v.block, 8);
	bytes__number(b, v.time, 8);
	if (version == 2)
		bytes__number(b, 77, 8);
}

static void vscsi(void **state)
{
	for (int version = 1; version <= 2; version++) {
		__u16 v = version << 8 | 5;
		struct bytes b = {0};
		struct got g;

		vscsi__add(&b, version, (struct vscsi){0x28, v, 4096, 8, 1000});
		vscsi__add(&b, version, (struct vscsi){0x2a, v, 512, 23, 1001});
		vscsi__add(&b, version, (struct vscsi){0x88, v, 1024, 31, 1001}); /* two pages */
		vscsi__add(&b, version, (struct vscsi){0x8a, v, 0, 31, 1002});
		vscsi__add(&b, version, (struct vscsi){0x35, v, 4096, 80, 1003}); /* flushes */
		vscsi__add(&b, version, (struct vscsi){0x0a, v, 8192, 80, 1004});
		g = read_bytes(b, NULL, false);
		ASSERT_PAGES(&g, 1, 2, 3, 4, 10, 11);
		assert_string_equal(g.format, "vscsi");
		assert_int_equal(got__time(&g, 0), 0);
		assert_int_equal(got__time(&g, 2), 1000);
		assert_int_equal(got__time(&g, 5), 4000);
		got__free(&g);
		b.n--;
		g = read_bytes(b, NULL, false);
		assert_fault(&g, -EINVAL, 6, version == 1 ? "31 of 32" : "39 of 40");
		got__free(&g);
		free(b.p);
	}
}

static void assert_bad_vscsi(struct vscsi v, const char *what)
{
	for (int version = 1; version <= 2; version++) {
		struct vscsi good = {0x28, version << 8, 4096, 8, 1000}, bad = v;
		struct bytes b = {0};

		bad.version *= version;
		vscsi__add(&b, version, good);
		vscsi__add(&b, version, bad);
		vscsi__add(&b, version, good);
		/* One bad record in so many does not hide the format. */
		for (int i = 0; i < 8; i++)
			vscsi__add(&b, version, (struct vscsi){0, version << 8, 0, 0, 0});
		assert_malformed(b, NULL, 2, what);
		free(b.p);
	}
}

static void malformed_vscsi(void **state)
{
	assert_bad_vscsi((struct vscsi){0x28, 0x700, 4096, 8, 1000}, "version 0x");
	assert_bad_vscsi((struct vscsi){0x28, 0x100, 4095, 8, 1000}, "length 4095");
	assert_bad_vscsi((struct vscsi){0x28, 0x100, 1U << 31, 8, 1000}, "above 1 GiB");
	assert_bad_vscsi((struct vscsi){0x28, 0x100, 512, 1ULL << 60, 1000}, "beyond any disk");
	assert_bad_vscsi((struct vscsi){0x28, 0x100, 512, 1ULL << 52, 1000}, "beyond any disk");
	assert_bad_vscsi((struct vscsi){0x28, 0x100, 512, 8, ~0ULL}, "centuries");
}

/* The largest request there may be, in many batches; a sector more is too much. */
static void a_request_of_1_gib_is_whole(void **state)
{
	struct bytes b = {0};
	struct got g;

	vscsi__add(&b, 2, (struct vscsi){0x28, 0x200, 1 << 30, 8, 5});
	vscsi__add(&b, 2, (struct vscsi){0x28, 0x200, 4096, 0, 6});
	g = read_bytes(b, NULL, false);
	assert_int_equal(g.rc, 0);
	assert_int_equal(g.n, (1 << 18) + 1);
	for (size_t i = 0; i < 1 << 18; i++) {
		assert_int_equal(got__page(&g, i), i + 1);
		assert_int_equal(got__time(&g, i), 0);
	}
	assert_int_equal(got__page(&g, 1 << 18), 0);
	assert_int_equal(got__time(&g, 1 << 18), 1000);
	got__free(&g);
	free(b.p);
}

/* ---------------------------------------------------------------- blkparse */

/* The format is that of blkparse 1.2: two devices of which one lies on a partition of the other,
 * and the figures at its end. */
static const char blkparse_text[] =
	"  8,0    0        3     0.000000000  1234  Q   R 800 + 8 [fio]\n"
	"  8,0    0        4     0.001234567  1234  G   R 800 + 8 [fio]\n"
	"  8,0    0        9     0.007407402  1234  C   R 800 + 8 [0]\n"
	"  8,0    0       10     0.008641969  1234  Q  WS 808 + 9 [a process]\n"
	"  8,0    0       11     0.009876536  1234  M  WS 808 + 8 [fio]\n"
	"  8,0    1       12     0.011111103  1234  A  RA 2056 + 8 <- (8,3) 8\n"
	"  8,0    1       13     0.012345670  1234  Q  RA 2056 + 8 ( 123) [fio]\n"
	"  8,0    0       14     0.013580237  1234  Q FWS [fio]\n"
	"  8,0    0       15     0.014814804  1234  Q   D 4096 + 2048 [fio]\n"
	"  8,0    0       17     0.017283938  1234  Q   R 36 [fio]\n"
	"253,0    0       18     0.018518505  1234  Q  RM 16 + 16 [fio]\n"
	"253,0    0       19     0.019753072  1234  X   R 16 / 80 [fio]\n"
	"  8,0    0       20     0.020987639  1234  A  RM 2400 + 16 <- (253,0) 16\n"
	"  8,0    1       20     0.020987640  1234  C   R 800 + 8 [0]\n"
	"  8,0    0       21     0.022222206  1234  A  RM 4448 + 16 <- (8,3) 2400\n"
	"  8,0    1       21     0.022222207  1234  Q   W 4448 + 8 [fio]\n"
	"  8,0    0       22     0.023456773  1234  Q  RM 4448 + 16 [fio]\n"
	"  8,0    0        0     0.024691340     0  m   N cfq1234S / insert_request\n"
	"  8,0    0       24     0.025925907  1234  Q   W 0 + 8 [fio]\n"
	"CPU0 (sda):\n"
	" Reads Queued:           4,      136KiB\t Writes Queued:           3,     1028KiB\n"
	"\n"
	"Throughput (R/W): 2720KiB/s / 0KiB/s\n"
	"Events (sda): 20 entries\n"
	"Skips: 0 forward (0 -   0.0%)\n"
	"Input file sda.blktrace.0 added\n";

#define DISK(n) ((__u64)(n) << 48)

static void blkparse(void **state)
{
	struct got g = read_text(blkparse_text, NULL);

	/* The request to 253,0 is not counted again where it arrives; one of another CPU is. */
	ASSERT_PAGES(&g, 100, 101, 102, 257, DISK(1) | 2, DISK(1) | 3, 556, 0);
	assert_string_equal(g.format, "blkparse");
	assert_int_equal(got__time(&g, 2), 8641969);
	assert_int_equal(got__time(&g, 7), 25925907);
	got__free(&g);
}

static void a_stack_of_devices_counts_on_its_top(void **state)
{
	struct got g = read_text("  9,0  0 1 0.1 1 Q R 8 + 8 [x]\n"
				 "253,0  0 2 0.2 1 A R 80 + 8 <- (9,0) 8\n"
				 "253,0  0 3 0.3 1 Q R 80 + 8 [x]\n"
				 "  8,0  0 4 0.4 1 A R 800 + 8 <- (253,0) 80\n"
				 "  8,0  0 5 0.5 1 Q R 800 + 8 [x]\n"
				 "  8,0  0 6 0.6 1 Q R 800 + 8 [x]\n"
				 "  8,0  0 7 0.7 1 A R 160 + 8 <- (9,0) 8\n"
				 "  8,0  0 8 0.8 1 Q R 240 + 8 [x]\n"
				 "  8,0  0 9 0.9 1 Q R 160 + 8 [x]\n",
				 NULL);

	/* A request that is not the remapped one ends the wait for that. */
	ASSERT_PAGES(&g, 1, DISK(1) | 100, DISK(1) | 30, DISK(1) | 20);
	got__free(&g);
}

static void malformed_blkparse(void **state)
{
	ASSERT_BAD_LINES(
		"blkparse", "  8,0 0 3 0.5 12 Q R 800 + 8 [x]",
		{"  8;0 0 3 0.5 12 Q R 800 + 8 [x]", "no device"},
		{"  8,99999999999 0 3 0.5 12 Q R 800 + 8 [x]", "no device"},
		{"something else", "no device"}, {"  8,0 x 3 0.5 12 Q R 800 + 8 [x]", "CPU is"},
		{"  8,0 5000 3 0.5 12 Q R 800 + 8 [x]", "CPU 5000"},
		{"  8,0 0 x 0.5 12 Q R 800 + 8 [x]", "sequence number"},
		{"  8,0 0 3 -0.5 12 Q R 800 + 8 [x]", "time is negative"},
		{"  8,0 0 3 0.5 pid Q R 800 + 8 [x]", "process id"},
		{"  8,0 0 3 0.5 12 Q", "ends before its action"}, {"  8,0 0 3", "time is missing"},
		{"  8,0 0 3 0.5 12 Q R x + 8 [x]", "sector is not a number"},
		{"  8,0 0 3 0.5 12 Q R 800 + -8 [x]", "number of sectors is negative"},
		{"  8,0 0 3 0.5 12 Q R 800 + 2097153 [x]", "above 1 GiB"},
		{"  8,0 0 3 0.5 12 Q R 99999999999999999 + 8 [x]", "beyond any disk"},
		{"  8,0 0 3 0.5 12 A R 800 + 8 [x]", "from where"},
		{"  8,0 0 3 0.5 12 A R 800 + 8 <- (x) 5", "remap is from"});
}

/* ---------------------------------------------------------------- msr */

static void msr(void **state)
{
	struct got g = read_text("128166372003061629,hm,0,Read,383496192,32768,413\n"
				 "128166372016382155,hm,1,Write,2822144,4096,1\n"
				 "128166372026382245,proj,0,write,4095,2,1\r\n"
				 "128166372026382245,proj,0,Write,4095,0,1\n"
				 "128166372036382245,hm,0,Read,0,1,1\n",
				 NULL);

	ASSERT_PAGES(&g, 93627, 93628, 93629, 93630, 93631, 93632, 93633, 93634, DISK(1) | 689,
		     DISK(2) | 0, DISK(2) | 1, 0);
	assert_string_equal(g.format, "msr");
	assert_int_equal(got__time(&g, 7), 0);
	assert_int_equal(got__time(&g, 8), 1332052600);
	assert_int_equal(got__time(&g, 11), 3332061600);
	got__free(&g);
	g = read_text("Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime\n"
		      "1,hm,0,Read,8192,512,1\n",
		      NULL);
	ASSERT_PAGES(&g, 2);
	got__free(&g);
}

static void malformed_msr(void **state)
{
	ASSERT_BAD_LINES("msr", "5,hm,0,Read,8192,512,1", {"x,hm,0,Read,8192,512,1", "time"},
			 {"5,,0,Read,8192,512,1", "host name"},
			 {"5,hm,zero,Read,8192,512,1", "disk number"},
			 {"5,hm,0,Trim,8192,512,1", "type 'Trim'"},
			 {"5,hm,0,Read,-8192,512,1", "offset is negative"},
			 {"5,hm,0,Read,8192,51 2,1", "size is not a whole number"},
			 {"5,hm,0,Read,8192,512,", "response time is missing"},
			 {"5,hm,0,Read,8192,512", "response time is missing"},
			 {"5,hm,0,Read,8192,512,1,1", "column"}, {"5", "host name is missing"},
			 {"5,hm,0,Read,8192,1073741825,1", "above 1 GiB"},
			 {"5,hm,0,Read,1152921504606846976,512,1", "beyond any disk"},
			 {"5,hm,0,Read,1152921504606846975,2,1", "beyond any disk"},
			 {"18446744073709551615,hm,0,Read,8192,512,1", "centuries"});
}

static void add_disk(struct bytes *b, int disk)
{
	char line[64];

	bytes__add(
		b, line,
		snprintf(line, sizeof(line), "5,host%d,%d,Read,4096,512,1\n", disk / 3, disk % 3));
}

static void more_disks_than_numbers_are_malformed(void **state)
{
	struct bytes b = {0};
	struct got g;

	for (int i = 0; i < 65536; i++)
		add_disk(&b, i);
	for (int i = 65535; i >= 0; i--)
		add_disk(&b, i);
	add_disk(&b, 65536);
	g = read_bytes(b, NULL, false);
	assert_fault(&g, -EINVAL, 2 * 65536 + 1, "more than 65536 disks");
	assert_int_equal(g.n, 2 * 65536);
	for (size_t i = 0; i < 65536; i++) {
		assert_int_equal(got__page(&g, i), DISK(i) | 1);
		assert_int_equal(got__page(&g, g.n - 1 - i), DISK(i) | 1);
	}
	got__free(&g);
	free(b.p);
}

/* ---------------------------------------------------------------- told by content */

static void assert_format(struct bytes b, const char *format)
{
	struct got g = read_bytes(b, NULL, false);

	if (g.rc)
		print_message("%s\n", g.fault.reason);
	assert_string_equal(g.format, format);
	got__free(&g);
}

/* Page numbers in order, from anywhere, are not taken for times and next accesses. */
static void counting_page_numbers_are_u64(void **state)
{
	static const __u64 from[] = {0,		 1,	     1ULL << 20, 1ULL << 32,
				     1ULL << 33, 1ULL << 48, 1ULL << 56, ~0ULL << 20};

	for (size_t i = 0; i < sizeof(from) / sizeof(*from); i++)
		for (int step = 1; step <= 3; step++) {
			struct bytes b = {0};

			for (__u64 k = 0; k < 30000; k++)
				bytes__number(&b, from[i] + step * k, 8);
			assert_format(b, "u64");
			free(b.p);
		}
}

static void what_is_no_trace_is_refused(void **state)
{
	struct got g = read_text("", NULL);

	assert_fault(&g, -EINVAL, 0, "is empty");
	g = read_text("", "csv");
	assert_int_equal(g.rc, 0);
	assert_int_equal(g.n, 0);
	g = read_text("the quick brown fox\njumps over\n", NULL);
	assert_fault(&g, -EINVAL, 0, "text of no known format");
	g = read_text("1,2,3,4\n2,3,4,5\n", NULL);
	assert_fault(&g, -EINVAL, 0, "--format csv, blkparse or msr");
	g = read_bytes((struct bytes){.p = "\0\1\2\3\4\5\6\7\0", .n = 9}, NULL, false);
	assert_fault(&g, -EINVAL, 0, "9 bytes are no whole page numbers");
	g = read_text("1,2\n", "tar");
	assert_fault(&g, -EINVAL, 0, "no format 'tar'");
	assert_non_null(strstr(g.fault.reason, "oracleGeneral"));
	g = read_path("/nonexistent/trace", NULL, false);
	assert_fault(&g, -ENOENT, 0, "cannot be opened: No such file");
	g = read_path("/", NULL, false);
	assert_fault(&g, -EISDIR, 0, "irectory");
}

/* A damaged line does not hide what the others show. */
static void malformed_records_do_not_hide_the_format(void **state)
{
	struct got g = read_text("1,2\n\x01\x02\n3,4\n5,100\n6,200\n7,300\n8,400\n9,500\n10,600\n"
				 "11,700\n12,800\n13,900\n",
				 NULL);

	assert_fault(&g, -EINVAL, 2, "line 2: time is not a number");
	assert_string_equal(g.format, "csv");
	got__free(&g);
}

static void a_name_can_tell_u64(void **state)
{
	char path[] = "/tmp/trace_test_XXXXXX.u64";
	struct bytes b = bytes__text("1,2\n3,4\n5,6\n7,8\n");
	int fd = mkstemps(path, 4);
	struct got g;

	assert_true(fd >= 0);
	write_all(fd, b.p, b.n);
	g = read_path(path, NULL, false);
	assert_string_equal(g.format, "u64");
	assert_int_equal(g.n, 2);
	got__free(&g);
	g = read_path(path, "csv", false);
	ASSERT_PAGES(&g, 2, 4, 6, 8);
	got__free(&g);
	unlink(path);
	close(fd);
	free(b.p);
}

static void every_format_has_a_name(void **state)
{
	const char *const *names = trace__formats();
	size_t n = 0;

	for (; names[n]; n++) {
		struct got g = read_text("", names[n]);

		assert_int_equal(g.rc, strcmp(names[n], "own") ? 0 : -EINVAL);
		assert_string_equal(g.format, names[n]);
		got__free(&g);
	}
	assert_int_equal(n, 7);
}

/* ---------------------------------------------------------------- packed */

static struct bytes join(struct bytes a, struct bytes b)
{
	struct bytes both = bytes__of(a.p, a.n);

	bytes__add(&both, b.p, b.n);
	return both;
}

typedef struct bytes (*pack_fn)(struct bytes b);
static const pack_fn packs[] = {gzip_of, zstd_of};

static void members_and_frames_follow_on(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct bytes a = packs[i](text_bytes("1,2\n3,"));
		struct bytes none = packs[i](text_bytes(""));
		struct bytes b = packs[i](text_bytes("4\n5,6\n"));
		struct bytes an = join(a, none), all = join(an, b);
		struct got g = read_bytes(all, NULL, false);

		ASSERT_PAGES(&g, 2, 4, 6);
		got__free(&g);
		free(a.p);
		free(b.p);
		free(none.p);
		free(an.p);
		free(all.p);
	}
}

static void padding_and_frames_to_skip_are_passed_over(void **state)
{
	struct bytes text = text_bytes("1,2\n3,4\n"), gz = gzip_of(text), zst = zstd_of(text);
	struct bytes skip = bytes__of("\x50\x2a\x4d\x18\4\0\0\0abcd", 12), all = join(skip, zst);
	struct got g = read_bytes(all, NULL, false);

	ASSERT_PAGES(&g, 2, 4);
	got__free(&g);
	bytes__add(&gz, "\0\0\0\0\0", 5);
	g = read_bytes(gz, NULL, false);
	ASSERT_PAGES(&g, 2, 4);
	got__free(&g);
	free(gz.p);
	free(zst.p);
	free(skip.p);
	free(all.p);
}

static void assert_damaged(struct bytes b, const char *what)
{
	struct got g = read_bytes(b, "csv", true); /* not a record's fault: cannot be skipped */

	assert_fault(&g, -EBADMSG, 0, "damaged at byte ");
	assert_non_null(strstr(g.fault.reason, what));
	got__free(&g);
}

static struct bytes long_csv(void)
{
	struct bytes b = {0};
	char line[32];

	for (int i = 0; i < 50000; i++)
		bytes__add(&b, line, snprintf(line, sizeof(line), "%d,%d\n", i, i * 7919 % 65521));
	return b;
}

static void damaged_compression_is_an_error(void **state)
{
	static const char *const checks[] = {"gzip -t", "zstd -t"};
	struct bytes text = long_csv();

	for (int i = 0; i < 2; i++) {
		struct bytes packed = packs[i](text), more;

		more = join(packed, text_bytes("garbage"));
		assert_damaged(more, checks[i]);
		free(more.p);
		packed.n -= 5;
		assert_damaged(packed, "truncated");
		packed.n = packed.n / 2;
		assert_damaged(packed, "truncated");
		free(packed.p);
		packed = packs[i](text);
		for (size_t at = packed.n / 2; at < packed.n / 2 + 64; at++)
			packed.p[at] ^= 0x5a;
		assert_damaged(packed, checks[i]);
		free(packed.p);
	}
	free(text.p);
}

/* What was sound before the damage is not lost. */
static void references_before_the_damage_are_given(void **state)
{
	struct bytes text = long_csv(), gz = gzip_of(text);
	struct got g;

	gz.n -= 100;
	g = read_bytes(gz, "csv", false);
	assert_int_equal(g.rc, -EBADMSG);
	assert_true(g.n > 40000);
	got__free(&g);
	free(text.p);
	free(gz.p);
}

/* ---------------------------------------------------------------- own recordings */

static struct bytes make_recording(void)
{
	struct page_event ev[2] = {{.page = 5, .count = 1, .time = 1000}, {.page = 6, .count = 1}};
	struct recording_loss loss = {.events = 2};
	struct bytes b = {0};
	int err = 0;
	FILE *out = open_memstream(&b.p, &b.n);
	struct recording_writer *w;

	assert_non_null(out);
	w = recording_writer__new(out, 1, &err);
	assert_non_null(w);
	assert_int_equal(recording_writer__events(w, ev, 2), 0);
	assert_int_equal(recording_writer__finish(w, &loss), 0);
	recording_writer__free(w);
	fclose(out);
	return b;
}

static int count_events(void *ctx, const struct page_event *events, size_t n)
{
	*(size_t *)ctx += n;
	return 0;
}

static void assert_recording(struct bytes b, int want, size_t events)
{
	struct recording_handlers h = {.events = count_events};
	struct trace_opts opts = {.sz = sizeof(opts)};
	struct recording_fault fault;
	size_t n = 0;
	char path[32];
	int fd = file_of(b, path);
	struct trace *t = trace__open(path, &opts, NULL);

	assert_non_null(t);
	assert_string_equal(trace__format(t), "own");
	assert_false(trace__timed(t));
	assert_non_null(trace__recording(t));
	assert_int_equal(recording__read(trace__recording(t), &h, &n, &fault), want);
	assert_int_equal(n, events);
	trace__close(t);
	close(fd);
}

static void own_recordings_are_known(void **state)
{
	struct bytes b = make_recording(), gz = gzip_of(b), zst = zstd_of(b);

	assert_recording(b, 0, 2);
	assert_recording(gz, 0, 2);
	assert_recording(zst, 0, 2);
	b.n -= 3;
	assert_recording(b, -EBADMSG, 2);
	free(b.p);
	free(gz.p);
	free(zst.p);
}

/* ---------------------------------------------------------------- random */

/* Requests of any place and size, against the pages that each byte of them lies in. */
static void random_requests_touch_the_pages_of_their_bytes(void **state)
{
	struct random r = {.state = random__seed()};
	struct bytes text = {0}, want = {0};
	struct got g;

	for (__u64 i = 0; i < 3000; i++) {
		__u64 offset = random__next(&r) >> (4 + random__below(&r, 60));
		__u64 size = random__below(&r, 3) ? random__below(&r, 20000) : 0;
		__u64 last = ~0ULL;
		char line[128];

		for (__u64 byte = offset; byte < offset + size; byte++)
			if (byte / 4096 != last) {
				last = byte / 4096;
				bytes__number(&want, last, 8);
			}
		bytes__add(&text, line,
			   snprintf(line, sizeof(line), "%llu,h,0,%s,%llu,%llu,1\n", i,
				    i & 1 ? "Read" : "Write", offset, size));
	}
	g = read_bytes(text, NULL, false);
	assert_int_equal(g.rc, 0);
	assert_int_equal(g.n, want.n / 8);
	assert_memory_equal(g.pages.p, want.p, want.n);
	got__free(&g);
	free(text.p);
	free(want.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(u64_is_read_from_a_file_a_pipe_and_packed),
		cmocka_unit_test(u64_is_read_from_where_stdin_stands),
		cmocka_unit_test(u64_may_begin_like_a_marked_text),
		cmocka_unit_test(truncated_u64_is_malformed),
		cmocka_unit_test(bytes_done_reach_the_total),
		cmocka_unit_test(two_traces_at_once),
		cmocka_unit_test(a_file_cut_short_meanwhile_is_an_error),
		cmocka_unit_test(a_file_cut_short_between_windows_is_an_error),
		cmocka_unit_test(csv_has_time_and_page),
		cmocka_unit_test(csv_may_have_pages_alone),
		cmocka_unit_test(csv_of_other_systems),
		cmocka_unit_test(times_never_fall),
		cmocka_unit_test(malformed_csv),
		cmocka_unit_test(a_last_line_without_end_counts),
		cmocka_unit_test(a_line_longer_than_any_is_malformed),
		cmocka_unit_test(csv_of_any_length_is_the_same_packed_or_piped),
		cmocka_unit_test(oracle_general),
		cmocka_unit_test(oracle_general_may_begin_like_a_marked_text),
		cmocka_unit_test(malformed_oracle_general),
		cmocka_unit_test(vscsi),
		cmocka_unit_test(malformed_vscsi),
		cmocka_unit_test(a_request_of_1_gib_is_whole),
		cmocka_unit_test(blkparse),
		cmocka_unit_test(a_stack_of_devices_counts_on_its_top),
		cmocka_unit_test(malformed_blkparse),
		cmocka_unit_test(msr),
		cmocka_unit_test(malformed_msr),
		cmocka_unit_test(more_disks_than_numbers_are_malformed),
		cmocka_unit_test(counting_page_numbers_are_u64),
		cmocka_unit_test(what_is_no_trace_is_refused),
		cmocka_unit_test(malformed_records_do_not_hide_the_format),
		cmocka_unit_test(a_name_can_tell_u64),
		cmocka_unit_test(every_format_has_a_name),
		cmocka_unit_test(members_and_frames_follow_on),
		cmocka_unit_test(padding_and_frames_to_skip_are_passed_over),
		cmocka_unit_test(damaged_compression_is_an_error),
		cmocka_unit_test(references_before_the_damage_are_given),
		cmocka_unit_test(own_recordings_are_known),
		cmocka_unit_test(random_requests_touch_the_pages_of_their_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
