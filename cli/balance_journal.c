// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "balance_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../bpf/page_event.h"
#include "balance_options.h"
#include "cli.h"
#include "text_file.h"

#define FILE_MAX (16UL << 20)
/* A watchman goes on trying for so many seconds. */
#define WATCHMAN_TRIES 10

struct journal {
	char *path;
	int lock;
	json_t *vms;
	int watch; /* the watchman's pipe; -1: none */
	pid_t watchman;
};

/* --- the file and its lock --- */

static int make_folder(const char *path)
{
	char folder[PATH_MAX];
	char *slash;

	if (strcmp(path, BALANCE_JOURNAL))
		return 0;
	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	*slash = '\0';
	return mkdir(folder, 0755) && errno != EEXIST ? -errno : 0;
}

/* Of a file beside it: it is replaced when it is written. */
static int lock(struct journal *j)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s.lock", j->path) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	j->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (j->lock < 0)
		return -errno;
	if (!flock(j->lock, LOCK_EX | LOCK_NB))
		return 0;
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

int journal__open(struct journal **out, const char *path, char *why, size_t size)
{
	struct journal *j = calloc(1, sizeof(*j));
	int err = -ENOMEM;

	*out = NULL;
	if (j) {
		j->lock = j->watch = -1;
		j->path = strdup(path);
		j->vms = json_array();
		err = j->path && j->vms ? make_folder(path) ?: lock(j) : -ENOMEM;
	}
	if (!err) {
		*out = j;
		return 0;
	}
	if (err == -EBUSY)
		snprintf(why, size,
			 "another balance, or its watchman, has the journal '%s': wait for its "
			 "end, or give another --journal",
			 path);
	else
		snprintf(why, size, "cannot open the journal '%s': %s; give another --journal",
			 path, strerror(-err));
	journal__close(j);
	return err;
}

void journal__close(struct journal *j)
{
	if (!j)
		return;
	if (j->lock >= 0)
		close(j->lock);
	if (j->watch >= 0)
		close(j->watch);
	json_decref(j->vms);
	free(j->path);
	free(j);
}

bool journal__full(const struct journal *j)
{
	return !access(j->path, F_OK);
}

void journal__clear(struct journal *j)
{
	unlink(j->path);
}

/* --- what is in it --- */

int journal__note(struct journal *j, const char *vm, const char *disk, struct actuator *a,
		  char *why, size_t size)
{
	json_t *saved = actuator__save(a, why, size), *entry;

	if (!saved)
		return -EIO;
	entry = json_pack("{s:s,s:s,s:s,s:s*,s:i,s:o}", "vm", vm, "kind", actuator__kind(a),
			  "place", actuator__place(a), "disk", disk, "pid", (int)actuator__pid(a),
			  "saved", saved);
	if (entry && !json_array_append_new(j->vms, entry))
		return 0;
	snprintf(why, size, "out of memory");
	return -ENOMEM;
}

static int write_whole(const char *path, const json_t *all)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), err = 0;

	if (fd < 0)
		return -errno;
	if (json_dumpfd(all, fd, JSON_INDENT(1)) || fsync(fd))
		err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

int journal__write(struct journal *j, bool keep, char *why, size_t size)
{
	json_t *all = json_pack("{s:i,s:b,s:O}", "version", 1, "keep", keep, "vms", j->vms);
	char part[PATH_MAX];
	int err = all ? 0 : -ENOMEM;

	snprintf(part, sizeof(part), "%s.part", j->path);
	if (!err)
		err = write_whole(part, all);
	if (!err && rename(part, j->path))
		err = -errno;
	if (err)
		snprintf(why, size, "cannot write the journal '%s': %s", j->path, strerror(-err));
	json_decref(all);
	return err;
}

static json_t *read_file(const struct journal *j, char *why, size_t size)
{
	char *text = NULL;
	size_t len;
	int err = text_file__read(j->path, FILE_MAX, &text, &len);
	json_t *all = err ? NULL : json_loads(text, 0, NULL);

	free(text);
	if (json_is_array(json_object_get(all, "vms")))
		return all;
	if (err)
		snprintf(why, size, "cannot read the journal '%s': %s", j->path, strerror(-err));
	else
		snprintf(why, size,
			 "'%s' is no journal of balance, or damaged: remove it, or give another "
			 "--journal",
			 j->path);
	json_decref(all);
	return NULL;
}

bool journal__is_due(const struct journal *j)
{
	char why[BALANCE_WHY];
	json_t *all = read_file(j, why, sizeof(why));
	bool keep = json_is_true(json_object_get(all, "keep"));

	json_decref(all);
	return journal__full(j) && !keep;
}

/* --- putting back --- */

static struct actuator *actuator_of(const json_t *entry)
{
	const char *kind = json_string_value(json_object_get(entry, "kind"));
	const char *place = json_string_value(json_object_get(entry, "place"));
	const char *disk = json_string_value(json_object_get(entry, "disk"));

	if (!kind || !place)
		return NULL;
	if (!strcmp(kind, "balloon"))
		return balloon__new(place, BALANCE_PATIENCE);
	if (!strcmp(kind, "cgroup"))
		return memory_cgroup__new(place);
	return !strcmp(kind, "cache") && disk ? cache_part__new(place, disk, BALANCE_PATIENCE)
					      : NULL;
}

/* A limit says what it is; a balloon what there is of it, not what it was told. */
static bool is_as_it_was(struct actuator *a, const json_t *entry)
{
	char why[BALANCE_WHY];
	json_t *now =
		strcmp(actuator__kind(a), "balloon") ? actuator__save(a, why, sizeof(why)) : NULL;
	bool same = now && json_equal(now, json_object_get(entry, "saved"));

	json_decref(now);
	return same;
}

/* -ESTALE: another VM has its place. A guest behind a served disk may come and go, the disk stays.
 */
static int put_back(struct actuator *a, const json_t *entry, char *why, size_t size)
{
	pid_t pid = json_integer_value(json_object_get(entry, "pid"));
	struct actuator_state state;
	int err = actuator__read(a, &state, why, size);

	if (err || is_as_it_was(a, entry))
		return err;
	if (strcmp(actuator__kind(a), "balloon") || !pid || pid == actuator__pid(a))
		return actuator__restore(a, json_object_get(entry, "saved"), why, size);
	snprintf(why, size, "another VM is there by now: left alone");
	return -ESTALE;
}

/* One VM while it is put back. */
struct back {
	struct actuator *knob;
	__u64 was; /* pages; 0: not known */
	bool grows, failed;
	char why[BALANCE_WHY];
};

static __u64 pages_saved(const json_t *entry)
{
	return json_number_value(json_object_get(json_object_get(entry, "saved"), "bytes")) /
	       PAGE_BYTES;
}

static void begin_back(struct back *k, const json_t *entry)
{
	struct actuator_state state = {0};

	k->knob = actuator_of(entry);
	k->was = pages_saved(entry);
	if (k->knob && !actuator__read(k->knob, &state, k->why, sizeof(k->why)))
		k->grows = k->was > state.now;
}

static void end_back(struct back *k, const json_t *entry, journal_told told, void *ctx)
{
	const char *vm = json_string_value(json_object_get(entry, "vm"));
	int err = -EINVAL;

	snprintf(k->why, sizeof(k->why), "damaged");
	if (k->knob)
		err = put_back(k->knob, entry, k->why, sizeof(k->why));
	told(ctx, vm ?: "?", k->knob ? actuator__kind(k->knob) : "?", err ? k->why : NULL);
	/* What is gone need not be put back. */
	k->failed = err && err != -ESTALE && err != -ENOENT && err != -ECONNREFUSED;
}

/* A guest that shrinks has some time for it. */
static void wait_until_shrunk(struct back *k, double until)
{
	struct actuator_state state = {0};

	while (k->was && !k->failed && cli__now() < until &&
	       !actuator__read(k->knob, &state, k->why, sizeof(k->why)) && state.now > k->was)
		usleep(50000);
}

/* First those that give memory back, then those that get it: there is no more than there was. */
static int restore_all(const json_t *vms, struct back *backs, journal_told told, void *ctx)
{
	double until = cli__now() + BALANCE_PATIENCE;
	size_t n = json_array_size(vms);
	int failed = 0;

	for (size_t i = 0; i < n; i++)
		begin_back(&backs[i], json_array_get(vms, i));
	for (size_t i = 0; i < n; i++)
		if (!backs[i].grows)
			end_back(&backs[i], json_array_get(vms, i), told, ctx);
	for (size_t i = 0; i < n; i++)
		if (!backs[i].grows && backs[i].knob)
			wait_until_shrunk(&backs[i], until);
	for (size_t i = 0; i < n; i++)
		if (backs[i].grows)
			end_back(&backs[i], json_array_get(vms, i), told, ctx);
	for (size_t i = 0; i < n; i++) {
		failed += backs[i].failed;
		actuator__free(backs[i].knob);
	}
	return failed;
}

int journal__restore(struct journal *j, journal_told told, void *ctx, char *why, size_t size)
{
	json_t *all = read_file(j, why, size), *vms = json_object_get(all, "vms");
	struct back *backs = calloc(json_array_size(vms) + 1, sizeof(*backs));
	int failed = -EIO;

	if (all && backs)
		failed = restore_all(vms, backs, told, ctx);
	else if (all)
		snprintf(why, size, "out of memory");
	free(backs);
	json_decref(all);
	if (!failed)
		journal__clear(j);
	return failed;
}

/* --- the watchman --- */

static void say(void *ctx, const char *vm, const char *kind, const char *fault)
{
	cli__note("%s: %s%s%s", vm, kind, fault ? ": " : " put back as it was", fault ?: "");
}

static void keep_watch(struct journal *j, int from)
{
	char byte, why[BALANCE_WHY];
	ssize_t n;

	do
		n = read(from, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1 || !journal__is_due(j))
		_exit(0);
	cli__note("ended without a word: what it changed is put back");
	for (int i = 0; i < WATCHMAN_TRIES; i++) {
		if (!journal__restore(j, say, NULL, why, sizeof(why)))
			_exit(0);
		sleep(1);
	}
	cli__note("not all could be put back: try 'hvtrace balance --restore'");
	_exit(1);
}

/* In a session of its own, so that a terminal's Ctrl-C or hangup does not reach it. It inherits the
 * lock, so nobody else begins before it is done. */
int journal__watch(struct journal *j)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	fflush(NULL);
	j->watchman = fork();
	if (j->watchman < 0) {
		close(ends[0]);
		close(ends[1]);
		return -errno;
	}
	if (!j->watchman) {
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		setsid();
		close(ends[1]);
		keep_watch(j, ends[0]);
	}
	close(ends[0]);
	j->watch = ends[1];
	return 0;
}

void journal__dismiss(struct journal *j)
{
	if (j->watch < 0)
		return;
	if (write(j->watch, "", 1) != 1)
		cli__note("the watchman is gone");
	close(j->watch);
	j->watch = -1;
	waitpid(j->watchman, NULL, 0);
}
