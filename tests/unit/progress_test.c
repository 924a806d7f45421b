// SPDX-License-Identifier: GPL-2.0
/* The line of progress: what it says, and that only a terminal gets it. */
#define _GNU_SOURCE /* posix_openpt */
#include <fcntl.h>
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
#include "../../cli/progress.h"
#include "skips.h"

static void test_format(void **state)
{
	static const struct {
		struct progress_now now;
		const char *text;
	} cases[] = {
		{{1 << 20, 4 << 20, 100, 10}, "1MiB of 4MiB, 25 %, 10 refs/s, 30 s left"},
		{{1 << 20, 0, 5000000, 2}, "1MiB, 2.5M refs/s"},
		{{0, 100 << 20, 0, 0}, "0 of 100MiB, 0 %, 0 refs/s"},
		/* Too early for a guess. */
		{{4096, 1000 << 12, 10, 1}, "4KiB of 3.91MiB, 0 %, 10 refs/s"},
		{{10 << 20, 1000 << 20, 1000, 1},
		 "10MiB of 1000MiB, 1 %, 1000 refs/s, 1 min 39 s left"},
		{{10 << 20, 1000 << 20, 1000, 100},
		 "10MiB of 1000MiB, 1 %, 10 refs/s, 2 h 45 min left"},
		{{4095, 4096, 7, 1}, "4KiB of 4KiB, 99 %, 7.0 refs/s, 1 s left"},
		/* A file that grew. */
		{{8192, 4096, 7, 1}, "8KiB of 4KiB, 100 %, 7.0 refs/s, 0 s left"},
		{{1ULL << 62, 1ULL << 63, ~0ULL, 1e6},
		 "4EiB of 8EiB, 50 %, 18.4T refs/s, 277 h 46 min left"},
	};
	char text[PROGRESS_TEXT];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(progress__format(&cases[i].now, text), cases[i].text);
		assert_true(strlen(text) < 80);
	}
}

/* Shows a progress for 0.5 s with stderr on fd. */
static void show(int fd, bool quiet)
{
	int saved = dup(STDERR_FILENO);
	struct progress p;

	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	progress__begin(&p, quiet);
	for (int i = 0; i < 500; i++) {
		progress__show(&p, i << 20, 1000 << 20, i);
		usleep(1000);
	}
	progress__end(&p);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what))) {
		text++;
		n++;
	}
	return n;
}

/* What the terminal got so far, as a string. */
static size_t drain(int master, char *text, size_t room)
{
	size_t n = 0;
	ssize_t got;

	fcntl(master, F_SETFL, O_NONBLOCK);
	while ((got = read(master, text + n, room - 1 - n)) > 0)
		n += got;
	text[n] = '\0';
	return n;
}

static void test_terminal(void **state)
{
	static const char wiped[] = "\r\x1b[K";
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	double begun = cli__now(), seconds;
	char text[65536];
	size_t n;

	if (master < 0 || grantpt(master) || unlockpt(master))
		because("there are no pseudo terminals");
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	show(slave, false);
	seconds = cli__now() - begun;
	n = drain(master, text, sizeof(text));
	assert_in_range(count(text, "refs/s"), 1, seconds * 5);
	assert_true(count(text, "\n") == 0);
	assert_true(n > strlen(wiped));
	assert_string_equal(text + n - strlen(wiped), wiped);
	show(slave, true);
	assert_int_equal(drain(master, text, sizeof(text)), 0);
	close(slave);
	close(master);
}

static void test_no_terminal(void **state)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	show(fileno(f), false);
	assert_int_equal(lseek(fileno(f), 0, SEEK_END), 0);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_no_terminal),
	};

	return skips__status(cmocka_run_group_tests(tests, NULL, NULL));
}
