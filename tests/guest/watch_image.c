// SPDX-License-Identifier: GPL-2.0
/*
 * watch_image [-p PID]... FILE...: tells, a line each, what others write to images (files or block
 * devices; the first is 0) and what memory the VMMs give up, until it is killed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../loader/foreign.h"

static void on_written(void *ctx, __u16 id, __u64 page, __u64 count)
{
	while (count--)
		printf("written %u %llu\n", id, page++);
}

static void on_unmapped(void *ctx, pid_t vmm, __u64 hva, __u64 bytes)
{
	printf("unmapped %d %llu\n", vmm, bytes / 4096);
}

static void on_lost(void *ctx, __u64 n)
{
	printf("lost %llu\n", n);
}

static void on_missed(void *ctx, __u64 n)
{
	printf("missed %llu\n", n);
}

static void give_up(const char *what, const char *why)
{
	fprintf(stderr, "watch_image: %s: %s\n", what, why);
	exit(1);
}

static void add_vmm(struct foreign *f, const char *pid)
{
	char why[256] = "";

	if (foreign__add_vmm(f, atoi(pid), why, sizeof(why)))
		give_up(pid, why);
}

static void add_image(struct foreign *f, __u16 id, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	char why[256] = "no such image";

	if (fd < 0 || foreign__add_image(f, id, fd, why, sizeof(why)))
		give_up(path, why);
}

int main(int argc, char **argv)
{
	static const struct foreign_ops ops = {on_written, on_unmapped, on_lost, on_missed};
	struct pollfd p = {.events = POLLIN};
	char why[256] = "";
	struct foreign *f;
	int opt;

	if (foreign__new(&f, &ops, NULL, why, sizeof(why)))
		give_up("foreign", why);
	while ((opt = getopt(argc, argv, "p:")) == 'p')
		add_vmm(f, optarg);
	if (opt != -1)
		return 2;
	for (int i = optind; i < argc; i++)
		add_image(f, i - optind, argv[i]);
	p.fd = foreign__fd(f);
	for (puts("ready"); !fflush(stdout); foreign__poll(f))
		poll(&p, 1, -1);
	foreign__free(f);
	return 0;
}
