// SPDX-License-Identifier: GPL-2.0
/* Messages, exit statuses and option values: the same manners in all subcommands. */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Messages come from everywhere in a subcommand: its name is the one thing kept globally. */
static const char *command;
static bool stdout_failed;

void cli__set_command(const char *name)
{
	command = name;
}

static void say(const char *fmt, va_list args)
{
	fflush(stdout);
	fprintf(stderr, "hvtrace%s%s: ", command ? " " : "", command ?: "");
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

int cli__failed(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	return CLI_FAILED;
}

int cli__usage(const char *fmt, ...)
{
	char line[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	cli__note("%s; see 'hvtrace%s%s --help'", line, command ? " " : "", command ?: "");
	return CLI_USAGE;
}

void cli__note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
}

int cli__bad_option(int opt, char **argv)
{
	const char *word = argv[optind - 1];
	char letter[3] = {'-', optopt, 0};
	bool is_long = !strncmp(word, "--", 2);

	if (!is_long && optopt > 0 && optopt < 256 && isgraph(optopt))
		word = letter;
	if (opt == ':')
		return cli__usage("option '%s' needs a value", word);
	if (is_long && optopt)
		return cli__usage("option '%.*s' takes no value", (int)strcspn(word, "="), word);
	return cli__usage("unknown or ambiguous option '%s'", word);
}

int cli__flush(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return stdout_failed ? CLI_FAILED : CLI_DONE;
	if (!stdout_failed && errno != EPIPE)
		cli__note("cannot write to standard output: %s", strerror(errno));
	stdout_failed = true;
	return CLI_FAILED;
}

int cli__close(FILE *out, const char *path)
{
	bool whole = !ferror(out);

	if (!fclose(out) && whole)
		return CLI_DONE;
	return cli__failed("cannot write '%s': %s", path, strerror(errno));
}

bool cli__parse_count(const char *text, __u64 min, __u64 max, __u64 *out)
{
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end || v < min || v > max)
		return false;
	*out = v;
	return true;
}

bool cli__parse_seconds(const char *text, double *out)
{
	char *end;
	double v;

	/* No signs, "inf", "nan" or hexadecimals, which strtod would take. */
	if (!text[0] || text[strspn(text, "0123456789.")])
		return false;
	v = strtod(text, &end);
	if (*end || !(v > 0) || v > 1e9)
		return false;
	*out = v;
	return true;
}

bool cli__parse_share(const char *text, double *out)
{
	size_t n = strcspn(text, "/%");
	char first[32];
	double v, by = 1;

	if (n >= sizeof(first))
		return false;
	snprintf(first, sizeof(first), "%.*s", (int)n, text);
	if (!cli__parse_seconds(first, &v))
		return false;
	if (text[n] == '%')
		by = text[n + 1] ? 0 : 100;
	else if (text[n] == '/' && !cli__parse_seconds(text + n + 1, &by))
		by = 0;
	*out = v / by;
	return by > 0 && *out > 0 && *out <= 1;
}

bool cli__parse_sample(const char *text, __u64 *out)
{
	if (!strcmp(text, "auto")) {
		*out = 0;
		return true;
	}
	/* Beyond 1 in 2^32 nothing would be left to see of any VM. */
	return !strncmp(text, "1/", 2) && cli__parse_count(text + 2, 1, 1ULL << 32, out);
}

double cli__now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}
