// SPDX-License-Identifier: GPL-2.0
/*
 * faulty-file [-l ERRNO] BACKING FILE: storage that fails or stalls on command.
 *
 * Mounts a file over FILE, an existing one, with the bytes of BACKING, and says "ready". Then
 * commands, one a line, from stdin; to each it answers with a line, "ok" when it is in force:
 *
 *   fail OPS ERRNO [OFFSET BYTES]   answer with that error, by name (EIO); in that range only
 *   delay OPS MS [OFFSET BYTES]     answer later
 *   stall OPS [OFFSET BYTES]        do not answer before go or ok
 *   short OPS MOST [OFFSET BYTES]   read or write no more than so many bytes (the kernel makes an
 *                                   EIO of an asynchronous write that is short)
 *   ok                              all is well again; what was stalled goes on
 *   go                              what was stalled goes on, what comes will stall
 *   held                            answers with the number of requests that wait
 *
 * OPS is all or some of read,write,sync,allocate with commas (allocate: discarding and zeroing);
 * for each the last command about it counts. sync has no range. When stdin ends, or at SIGTERM,
 * it unmounts and ends: a test uses a FIFO, opened for both (`<>fifo`).
 *
 * -l ERRNO: locks fail with that error, by name; without it the kernel has them itself.
 *
 * It does one thing at a time: what waits is kept, and answered later.
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum op { READ, WRITE, SYNC, ALLOCATE, OPS };
static const char *const op_names[OPS] = {"read", "write", "sync", "allocate"};

struct rule {
	enum { NONE, FAIL, DELAY, STALL, SHORT } kind;
	uint64_t arg; /* errno, ms or bytes */
	uint64_t offset, bytes;
};

struct request {
	struct request *next;
	fuse_req_t req;
	enum op op;
	int mode; /* of fallocate() */
	uint64_t offset, bytes;
	uint64_t due; /* ms; 0: when told */
	char data[];  /* to write */
};

struct faulty {
	int fd;
	struct fuse_session *session;
	struct rule rule[OPS];
	struct request *held, **held_end;
	char line[256];
	size_t line_bytes;
	bool ended;
	uint64_t lock_errno;
};

static volatile sig_atomic_t told_to_end;

static void end_signal(int sig)
{
	told_to_end = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "faulty-file: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

/* --- requests --- */

static void do_read(const struct faulty *f, const struct request *r)
{
	char *data = malloc(r->bytes + 1);
	ssize_t n = data ? pread(f->fd, data, r->bytes, r->offset) : -1;

	if (n < 0)
		fuse_reply_err(r->req, errno);
	else
		fuse_reply_buf(r->req, data, n);
	free(data);
}

static void do_write(const struct faulty *f, const struct request *r)
{
	ssize_t n = pwrite(f->fd, r->data, r->bytes, r->offset);

	if (n < 0)
		fuse_reply_err(r->req, errno);
	else
		fuse_reply_write(r->req, n);
}

static void carry_out(const struct faulty *f, const struct request *r)
{
	switch (r->op) {
	case READ:
		do_read(f, r);
		break;
	case WRITE:
		do_write(f, r);
		break;
	case SYNC:
		fuse_reply_err(r->req, fdatasync(f->fd) ? errno : 0);
		break;
	default:
		fuse_reply_err(r->req, fallocate(f->fd, r->mode, r->offset, r->bytes) ? errno : 0);
	}
}

static void hold(struct faulty *f, struct request *r, uint64_t due)
{
	r->due = due;
	r->next = NULL;
	*f->held_end = r;
	f->held_end = &r->next;
}

/* All that are due; `stalled`, too. In the order they came. */
static void release(struct faulty *f, bool stalled)
{
	struct request **at = &f->held, *r;
	uint64_t now = now_ms();

	while ((r = *at)) {
		if (r->due ? r->due > now : !stalled) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		carry_out(f, r);
		free(r);
	}
	f->held_end = at;
}

static bool applies(const struct rule *rule, const struct request *r)
{
	return rule->kind != NONE && (r->op == SYNC || (r->offset < rule->offset + rule->bytes &&
							rule->offset < r->offset + r->bytes));
}

/* Takes r over. */
static void handle(struct faulty *f, struct request *r)
{
	const struct rule *rule = &f->rule[r->op];

	switch (applies(rule, r) ? rule->kind : NONE) {
	case DELAY:
		hold(f, r, now_ms() + rule->arg);
		return;
	case STALL:
		hold(f, r, 0);
		return;
	case FAIL:
		fuse_reply_err(r->req, rule->arg);
		free(r);
		return;
	case SHORT:
		r->bytes = r->bytes < rule->arg ? r->bytes : rule->arg;
		break;
	default:
		break;
	}
	carry_out(f, r);
	free(r);
}

static void come(fuse_req_t req, enum op op, int mode, uint64_t offset, uint64_t bytes,
		 const char *data)
{
	size_t copied = data ? bytes : 0;
	struct request *r = malloc(sizeof(*r) + copied);

	if (!r) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	*r = (struct request){.req = req, .op = op, .mode = mode, .offset = offset, .bytes = bytes};
	if (copied)
		memcpy(r->data, data, copied);
	handle(fuse_req_userdata(req), r);
}

/* --- the file system: one file, its root --- */

static void on_init(void *userdata, struct fuse_conn_info *conn)
{
	/* Those that stall are not to hold up the others. */
	conn->max_background = 4096;
	conn->congestion_threshold = 4096;
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct faulty *f = fuse_req_userdata(req);
	struct stat st;

	if (fstat(f->fd, &st)) {
		fuse_reply_err(req, errno);
		return;
	}
	st.st_ino = ino;
	st.st_nlink = 1;
	fuse_reply_attr(req, &st, 0);
}

static void on_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int what,
		       struct fuse_file_info *fi)
{
	struct faulty *f = fuse_req_userdata(req);

	if (what & FUSE_SET_ATTR_SIZE && ftruncate(f->fd, attr->st_size))
		fuse_reply_err(req, errno);
	else
		on_getattr(req, ino, fi);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t bytes, off_t offset,
		    struct fuse_file_info *fi)
{
	come(req, READ, 0, offset, bytes, NULL);
}

static void on_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t bytes, off_t offset,
		     struct fuse_file_info *fi)
{
	come(req, WRITE, 0, offset, bytes, data);
}

static void on_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	come(req, SYNC, 0, 0, 0, NULL);
}

static void on_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t bytes,
			 struct fuse_file_info *fi)
{
	come(req, ALLOCATE, mode, offset, bytes, NULL);
}

static void fail_lock(fuse_req_t req)
{
	const struct faulty *f = fuse_req_userdata(req);

	fuse_reply_err(req, f->lock_errno);
}

static void on_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock)
{
	fail_lock(req);
}

static void on_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock,
		     int sleep)
{
	fail_lock(req);
}

static const struct fuse_lowlevel_ops plain_ops = {
	.init = on_init,
	.getattr = on_getattr,
	.setattr = on_setattr,
	.open = on_open,
	.read = on_read,
	.write = on_write,
	.fsync = on_fsync,
	.fallocate = on_fallocate,
};

/* --- commands --- */

/* "read,write" or "all" to bits; 0: no such. */
static unsigned parse_ops(char *text)
{
	unsigned bits = 0;
	char *save;

	for (char *name = strtok_r(text, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		unsigned bit = strcmp(name, "all") ? 0 : (1U << OPS) - 1;

		for (int i = 0; i < OPS; i++)
			bit |= strcmp(name, op_names[i]) ? 0 : 1U << i;
		if (!bit)
			return 0;
		bits |= bit;
	}
	return bits;
}

static bool parse_number(const char *text, uint64_t *out)
{
	char *end;

	*out = text ? strtoull(text, &end, 0) : 0;
	return text && *text && !*end;
}

static bool parse_errno(const char *name, uint64_t *out)
{
	for (int i = 1; name && i < 134; i++) {
		const char *is = strerrorname_np(i);

		if (!is || strcmp(is, name))
			continue;
		*out = i;
		return true;
	}
	return false;
}

static bool parse_range(const char *offset, const char *bytes, struct rule *rule)
{
	rule->bytes = UINT64_MAX;
	return !offset ||
	       (parse_number(offset, &rule->offset) && parse_number(bytes, &rule->bytes));
}

/* The words of a line, NULL after the last; at most five and the command. */
static bool add_rule(struct faulty *f, int kind, char **word)
{
	struct rule rule = {.kind = kind};
	int range = kind == STALL ? 2 : 3;
	unsigned bits = word[1] ? parse_ops(word[1]) : 0;

	if (!bits || !parse_range(word[range], word[range] ? word[range + 1] : NULL, &rule))
		return false;
	if (kind == FAIL && !parse_errno(word[2], &rule.arg))
		return false;
	if ((kind == DELAY || kind == SHORT) && !parse_number(word[2], &rule.arg))
		return false;
	for (int i = 0; i < OPS; i++)
		if (bits & 1U << i)
			f->rule[i] = rule;
	return true;
}

static unsigned count_held(const struct faulty *f)
{
	unsigned n = 0;

	for (const struct request *r = f->held; r; r = r->next)
		n++;
	return n;
}

static bool obey(struct faulty *f, char **word)
{
	static const char *const kinds[] = {
		[FAIL] = "fail", [DELAY] = "delay", [STALL] = "stall", [SHORT] = "short"};

	for (int kind = FAIL; kind <= SHORT; kind++)
		if (!strcmp(word[0], kinds[kind]))
			return add_rule(f, kind, word);
	if (!strcmp(word[0], "ok"))
		memset(f->rule, 0, sizeof(f->rule));
	if (!strcmp(word[0], "ok") || !strcmp(word[0], "go"))
		release(f, true);
	return !strcmp(word[0], "ok") || !strcmp(word[0], "go");
}

static void command(struct faulty *f, char *line)
{
	char *word[8] = {NULL}, *save = NULL, *w = strtok_r(line, " \t", &save);

	for (int i = 0; i < 7 && w; i++, w = strtok_r(NULL, " \t", &save))
		word[i] = w;
	if (!word[0])
		return;
	if (!strcmp(word[0], "held"))
		printf("%u\n", count_held(f));
	else
		puts(obey(f, word) ? "ok" : "what? see the comment at the top of faulty_file.c");
	fflush(stdout);
}

static void read_commands(struct faulty *f)
{
	ssize_t n = read(0, f->line + f->line_bytes, sizeof(f->line) - 1 - f->line_bytes);
	char *end;

	if (n <= 0) {
		f->ended = n == 0 || errno != EINTR;
		return;
	}
	f->line_bytes += n;
	while ((end = memchr(f->line, '\n', f->line_bytes))) {
		*end++ = '\0';
		command(f, f->line);
		f->line_bytes -= end - f->line;
		memmove(f->line, end, f->line_bytes);
	}
	if (f->line_bytes == sizeof(f->line) - 1)
		f->line_bytes = 0;
}

/* --- */

static int next_due(const struct faulty *f)
{
	uint64_t now = now_ms(), first = UINT64_MAX;

	for (const struct request *r = f->held; r; r = r->next)
		if (r->due && r->due < first)
			first = r->due;
	if (first == UINT64_MAX)
		return -1;
	return first > now ? first - now : 0;
}

static void serve_kernel(struct faulty *f, struct fuse_buf *buf)
{
	int n = fuse_session_receive_buf(f->session, buf);

	if (n > 0)
		fuse_session_process_buf(f->session, buf);
	else if (n != -EINTR && n != -EAGAIN)
		f->ended = true;
}

static void run(struct faulty *f)
{
	struct fuse_buf buf = {.mem = NULL};
	struct pollfd p[2] = {{.fd = fuse_session_fd(f->session), .events = POLLIN},
			      {.fd = 0, .events = POLLIN}};

	while (!f->ended && !told_to_end && !fuse_session_exited(f->session)) {
		if (poll(p, 2, next_due(f)) < 0 && errno != EINTR)
			die("poll");
		if (p[0].revents)
			serve_kernel(f, &buf);
		if (p[1].revents)
			read_commands(f);
		p[0].revents = p[1].revents = 0;
		release(f, false);
	}
	free(buf.mem);
}

static struct fuse_session *mount_at(struct faulty *f, const char *file)
{
	/* Servers run as users of their own. */
	char *options = geteuid() ? "fsname=faulty" : "fsname=faulty,allow_other";
	char *argv[] = {"faulty-file", "-o", options, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_lowlevel_ops ops = plain_ops;
	struct fuse_session *s;

	if (f->lock_errno) {
		ops.getlk = on_getlk;
		ops.setlk = on_setlk;
	}
	s = fuse_session_new(&args, &ops, sizeof(ops), f);
	fuse_opt_free_args(&args);
	if (!s || fuse_session_mount(s, file)) {
		fprintf(stderr, "faulty-file: can't mount at %s; is it an existing file?\n", file);
		exit(1);
	}
	return s;
}

int main(int argc, char **argv)
{
	struct faulty f = {.held_end = &f.held};
	struct sigaction end = {.sa_handler = end_signal};
	bool ok = true;
	int c;

	while ((c = getopt(argc, argv, "l:")) != -1)
		ok &= c == 'l' && parse_errno(optarg, &f.lock_errno);
	if (!ok || argc - optind != 2) {
		fprintf(stderr, "usage: faulty-file [-l ERRNO] BACKING FILE <COMMANDS\n");
		return 2;
	}
	f.fd = open(argv[optind], O_RDWR | O_CLOEXEC);
	if (f.fd < 0)
		die(argv[optind]);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	f.session = mount_at(&f, argv[optind + 1]);
	puts("ready");
	fflush(stdout);
	run(&f);
	fuse_session_unmount(f.session);
	fuse_session_destroy(f.session);
	return 0;
}
