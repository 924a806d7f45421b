// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend.h"

static void make_image(struct backend *b)
{
	int fd;

	snprintf(b->dir, sizeof(b->dir), "/tmp/vhost-test-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/socket", b->dir);
	snprintf(b->image, sizeof(b->image), "%s/image", b->dir);
	fd = open(b->image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, b->bytes), 0);
	b->disk = mmap(NULL, b->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(b->disk, MAP_FAILED);
	close(fd);
	b->shared = mmap(NULL, sizeof(*b->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(b->shared, MAP_FAILED);
}

static void serve_own(const struct backend *b)
{
	struct memdisk_opts o = {.path = b->path,
				 .disk = b->disk,
				 .bytes = b->bytes,
				 .queues = b->queues,
				 .read_only = b->read_only,
				 .no_features = b->no_features,
				 .shared = b->shared};

	/* exit() for the sake of the leak sanitizer. */
	exit(memdisk__serve(&o));
}

static void serve_reference(const struct backend *b)
{
	char blockdev[256], export[256];

	snprintf(blockdev, sizeof(blockdev),
		 "driver=file,node-name=disk,filename=%s,discard=unmap,read-only=%s", b->image,
		 b->read_only ? "on" : "off");
	snprintf(export, sizeof(export),
		 "type=vhost-user-blk,id=disk,node-name=disk,addr.type=unix,addr.path=%s,"
		 "writable=%s,num-queues=%u",
		 b->path, b->read_only ? "off" : "on", b->queues);
	execlp("qemu-storage-daemon", "qemu-storage-daemon", "--blockdev", blockdev, "--export",
	       export, NULL);
	fprintf(stderr, "cannot run qemu-storage-daemon: %s\n", strerror(errno));
	_exit(1);
}

void backend__restart(struct backend *b)
{
	fflush(NULL);
	b->pid = fork();
	assert_true(b->pid >= 0);
	if (b->pid)
		return;
	/* cmocka's handlers go on with the next test. */
	for (int *sig = (int[]){SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, 0}; *sig; sig++)
		signal(*sig, SIG_DFL);
	/* Not longer than the test. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (b->reference)
		serve_reference(b);
	else
		serve_own(b);
}

void backend__start(struct backend *b)
{
	b->queues = b->queues ?: BACKEND_QUEUES;
	b->bytes = b->bytes ?: BACKEND_BYTES;
	make_image(b);
	backend__restart(b);
}

static int end_with(struct backend *b, int sig)
{
	int status;

	assert_int_equal(kill(b->pid, sig), 0);
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	b->pid = 0;
	return status;
}

void backend__end(struct backend *b)
{
	int status = end_with(b, SIGTERM);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

void backend__kill(struct backend *b)
{
	int status = end_with(b, SIGKILL);

	/* Not before, of its own. */
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

void backend__free(struct backend *b)
{
	if (b->pid)
		backend__end(b);
	munmap(b->disk, b->bytes);
	munmap(b->shared, sizeof(*b->shared));
	unlink(b->image);
	unlink(b->path);
	assert_int_equal(rmdir(b->dir), 0);
}

void await(const atomic_uint *counter, unsigned n)
{
	/* Long: for a machine that does much else. */
	for (int i = 0; i < 60000 && *counter < n; i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	assert_in_range(*counter, n, UINT32_MAX);
}

void backend__open(struct backend *b, struct frontend *f, const struct frontend_opts *o)
{
	struct frontend_opts opts = o ? *o : (struct frontend_opts){};
	int err;

	opts.path = b->path;
	opts.patience = 20;
	err = frontend__open(f, &opts);
	if (err)
		print_error("%s\n", f->why);
	assert_int_equal(err, 0);
}

void put_pattern(void *page, __u64 number, __u64 salt)
{
	char *to = page;

	/* The page may be at any address. */
	for (__u64 i = 0; i < RAM_PAGE / sizeof(i); i++) {
		__u64 word = (number << 20 | i) ^ salt * 0x9e3779b97f4a7c15ULL;

		memcpy(to + i * sizeof(word), &word, sizeof(word));
	}
}

bool has_pattern(const void *page, __u64 number, __u64 salt)
{
	char want[RAM_PAGE];

	put_pattern(want, number, salt);
	return !memcmp(page, want, sizeof(want));
}

static int setup(void **state, bool reference)
{
	struct backend *b = calloc(1, sizeof(*b));

	b->reference = reference;
	backend__start(b);
	*state = b;
	return 0;
}

int setup_own(void **state)
{
	return setup(state, false);
}

int setup_reference(void **state)
{
	return setup(state, true);
}

int teardown(void **state)
{
	backend__free(*state);
	free(*state);
	return 0;
}
