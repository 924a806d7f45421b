/* SPDX-License-Identifier: GPL-2.0 */
/* What the subcommands share: how they start, speak and end. */
#ifndef HVTRACE_CLI_H
#define HVTRACE_CLI_H

#include <stdbool.h>
#include <getopt.h>
#include <stdio.h>
#include <linux/types.h>

/* Exit statuses. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* argv[0] is the subcommand's name. Each returns an exit status. */
int cmd_live(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_mrc(int argc, char **argv);
int cmd_plot(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_ctl(int argc, char **argv);
int cmd_balance(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

/* Whose messages they are ("live"); NULL: of hvtrace itself. */
void cli__set_command(const char *name);
/* One line on stderr, "hvtrace COMMAND: ...". The first two return the exit status to pass on. */
int cli__failed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cli__usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cli__note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What getopt_long() complains of with '?' or ':' (with opterr = 0). Returns CLI_USAGE. */
int cli__bad_option(int opt, char **argv);
/* Push stdout out. CLI_DONE, or CLI_FAILED with a line that says why (none for a closed pipe:
 * the reader knows). Says it once. */
int cli__flush(void);

/* Close a file that was written. CLI_DONE, or CLI_FAILED with a line that says why. */
int cli__close(FILE *out, const char *path);

/* Values of options. false: not one, or out of range. */
bool cli__parse_count(const char *text, __u64 min, __u64 max, __u64 *out);
/* Seconds, decimals allowed, > 0. */
bool cli__parse_seconds(const char *text, double *out);
/* A share of a whole, above 0 and up to 1: "0.01", "1/100" or "1%". */
bool cli__parse_share(const char *text, double *out);
/* "1/N" gives N; "auto" gives 0. */
bool cli__parse_sample(const char *text, __u64 *out);

/* CLOCK_MONOTONIC in seconds. */
double cli__now(void);

#endif
