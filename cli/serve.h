/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of hvtrace serve share. All of it belongs to the control loop's thread. */
#ifndef HVTRACE_SERVE_H
#define HVTRACE_SERVE_H

#include <stdbool.h>

#include "../analysis/engine.h"
#include "../cache/serve/server.h"
#include "../loader/foreign.h"
#include "control.h"
#include "http.h"
#include "identity.h"
#include "loop_timer.h"
#include "serve_options.h"
#include "served.h"

struct serve {
	struct serve_options opts;
	int argc; /* what they came from */
	char **argv;
	struct loop *loop;
	struct server *server;
	struct engine *engine;
	struct served_list disks;
	struct server_cache cache; /* as of the last account */
	struct control *control;   /* NULL: none */
	struct http *http;	   /* NULL: none */

	struct foreign *foreign; /* NULL: writes by others are not seen */
	struct loop_fd foreign_fd;
	char blind[SERVE_WHY]; /* why they are not */
	pid_t *vmms;	       /* of whom it knows */
	size_t nr_vmms;

	struct identity identity;  /* to run as */
	struct socket_owner owner; /* of the disks' sockets */
	struct loop_fd signals;
	bool ending, reloading;
	struct loop_timer tick, table, end;
	double started, since; /* the begin of all (0: not yet), and of the interval */
	__u64 tables, refused_events;
	__u64 missed_unmaps; /* times that memory was given up by VMMs, which nobody could tell */
	bool redraw;	     /* on a terminal: one table, drawn over and over */
	int status;
};

/* A line on stderr, unless --quiet. */
void serve__note(const struct serve *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Take over what the server knows by now. */
void serve__account(struct serve *s);
/* End in order. */
void serve__stop(struct serve *s);

/* --- disks (serve_disks.c) --- */

/* -errno, with a sentence in why. */
int serve__add_disk(struct serve *s, const struct disk_spec *d, double wait, char *why,
		    size_t size);
/* -ENOENT. fn (may be NULL) when it is gone. */
int serve__remove_disk(struct serve *s, const char *name, void (*fn)(void *ctx), void *ctx);
/* The cache's capacity, in pages. -errno, with a sentence in why. */
int serve__resize(struct serve *s, __u64 pages, char *why, size_t size);
/* Of the server: a disk's id is free. */
void serve__disk_gone(struct serve *s, __u16 id);
/* What is given of min, max and share. -errno, with a sentence in why. */
int serve__set_disk(struct serve *s, const struct disk_spec *d, char *why, size_t size);

/* --- writes by others (serve_foreign.c) --- */

void serve__open_foreign(struct serve *s);
void serve__close_foreign(struct serve *s);
void serve__watch_image(struct serve *s, struct served *d);
void serve__watch_vmms(struct serve *s);

/* --- what it tells (serve_show.c) --- */

/* All is set up. */
void serve__tell_set_up(const struct serve *s);
void serve__tell_disk(const struct serve *s, const struct served *d);
/* What was found out of disks since; each once. */
void serve__tell_findings(struct serve *s);
/* The interval ends. false: stdout is gone. */
bool serve__end_interval(struct serve *s);
/* All is over: an exit status. */
int serve__report(struct serve *s);

/* --- asked from outside --- */

extern const struct control_command serve_commands[];
extern const size_t nr_serve_commands;
/* All figures, as of the last account. NULL: out of memory. */
json_t *serve__stats(const struct serve *s);
/* What disks there are and how they are set. */
json_t *serve__vms(const struct serve *s);
/* Prometheus text. */
void serve__metrics(void *serve, FILE *out);
/* SIGHUP: the configuration file again. */
void serve__reload(struct serve *s);

#endif
