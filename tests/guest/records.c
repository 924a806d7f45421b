// SPDX-License-Identifier: GPL-2.0
/*
 * Records that are durable once they are acknowledged: each is a page, rewritten over and over in
 * versions that go up. A version is acknowledged, on another disk, when it is on stable storage.
 *
 *   records write direct|synced FILE FIRST RECORDS ACKS BLOCK SEED STOP
 *                     random records, until a file STOP is there; reads others back meanwhile
 *   records check FILE FIRST RECORDS ACKS BLOCK
 *                     every record is of the acknowledged version, or of a later one
 *   records last ACKS BLOCK RECORDS
 *                     the latest version that is acknowledged
 *
 * "direct" writes past the page cache, O_DSYNC; "synced" through it, with fsync(). Records begin at
 * page FIRST of FILE, their acknowledged versions at sector BLOCK of ACKS.
 */
#define _GNU_SOURCE
#include "sectors.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#define SECTORS (PAGE / SECTOR)

struct records {
	int fd, acks;
	bool direct;
	uint64_t first, n, block;
	uint64_t *version; /* acknowledged; whole sectors */
	char *page;
};

static uint64_t ack_bytes(const struct records *r)
{
	return (r->n + WORDS - 1) / WORDS * SECTOR;
}

static int start(struct records *r, const char *file, int flags, const char *acks, int ack_flags)
{
	if (posix_memalign((void **)&r->page, PAGE, PAGE) ||
	    posix_memalign((void **)&r->version, PAGE, ack_bytes(r)))
		return failed("memory");
	memset(r->version, 0, ack_bytes(r));
	r->acks = open(acks, ack_flags);
	if (r->acks < 0)
		return failed(acks);
	r->fd = file ? open(file, flags) : -1;
	return file && r->fd < 0 ? failed(file) : 0;
}

static int read_acks(struct records *r)
{
	if (pread(r->acks, r->version, ack_bytes(r), r->block * SECTOR) != (ssize_t)ack_bytes(r))
		return failed("acknowledgements");
	return 0;
}

static uint64_t sector(const struct records *r, uint64_t i)
{
	return (r->first + i) * SECTORS;
}

static int check_one(struct records *r, uint64_t i, uint64_t most)
{
	if (pread(r->fd, r->page, PAGE, sector(r, i) * SECTOR) != (ssize_t)PAGE)
		return failed("read");
	for (uint64_t s = 0; s < SECTORS; s++) {
		uint64_t v = sector_version(r->page + s * SECTOR, sector(r, i) + s);

		if (v >= r->version[i] && v <= most)
			continue;
		fprintf(stderr, "record %lu, sector %lu: version %ld, acknowledged %lu\n", i, s,
			(long)v, r->version[i]);
		return 1;
	}
	return 0;
}

static int write_one(struct records *r, uint64_t i, uint64_t version)
{
	for (uint64_t s = 0; s < SECTORS; s++)
		sector_fill(r->page + s * SECTOR, sector(r, i) + s, version);
	if (pwrite(r->fd, r->page, PAGE, sector(r, i) * SECTOR) != (ssize_t)PAGE)
		return failed("write");
	return !r->direct && fsync(r->fd) ? failed("fsync") : 0;
}

static int acknowledge(struct records *r, uint64_t i, uint64_t version)
{
	uint64_t b = i / WORDS;

	r->version[i] = version;
	if (pwrite(r->acks, r->version + b * WORDS, SECTOR, (r->block + b) * SECTOR) !=
	    (ssize_t)SECTOR)
		return failed("acknowledgement");
	return 0;
}

static int write_records(struct records *r, uint64_t seed, const char *stop)
{
	uint64_t rng = seeded(seed, r->first);
	int err = 0;

	for (uint64_t v = 1; !err && access(stop, F_OK); v++) {
		uint64_t i = v <= r->n ? v - 1 : below(&rng, r->n);

		err = write_one(r, i, v);
		if (!err)
			err = acknowledge(r, i, v);
		if (!r->direct)
			posix_fadvise(r->fd, 0, 0, POSIX_FADV_DONTNEED);
		i = below(&rng, r->n);
		if (!err)
			err = check_one(r, i, r->version[i]);
	}
	return err;
}

static int check_records(struct records *r)
{
	int err = read_acks(r);

	for (uint64_t i = 0; !err && i < r->n; i++)
		err = check_one(r, i, UINT64_MAX - 1);
	return err;
}

/* Versions count writes. */
static int last(struct records *r)
{
	uint64_t most = 0;

	if (read_acks(r))
		return 1;
	for (uint64_t i = 0; i < r->n; i++)
		most = r->version[i] > most ? r->version[i] : most;
	printf("%lu\n", most);
	return 0;
}

static int do_write(char **argv)
{
	struct records r = {
		.direct = !strcmp(argv[2], "direct"),
		.first = number(argv[4]),
		.n = number(argv[5]),
		.block = number(argv[7]),
	};
	int flags = O_RDWR | (r.direct ? O_DIRECT | O_DSYNC : 0);
	int err = start(&r, argv[3], flags, argv[6], O_RDWR | O_DIRECT | O_DSYNC);

	return err ? err : write_records(&r, number(argv[8]), argv[9]);
}

static int do_check(char **argv)
{
	struct records r = {
		.first = number(argv[3]),
		.n = number(argv[4]),
		.block = number(argv[6]),
	};
	int err = start(&r, argv[2], O_RDONLY, argv[5], O_RDONLY);

	return err ? err : check_records(&r);
}

static int do_last(char **argv)
{
	struct records r = {.block = number(argv[3]), .n = number(argv[4])};
	int err = start(&r, NULL, 0, argv[2], O_RDONLY);

	return err ? err : last(&r);
}

int main(int argc, char **argv)
{
	if (argc == 10 && !strcmp(argv[1], "write"))
		return do_write(argv);
	if (argc == 7 && !strcmp(argv[1], "check"))
		return do_check(argv);
	if (argc == 5 && !strcmp(argv[1], "last"))
		return do_last(argv);
	fprintf(stderr, "usage: records write|check|last ...\n");
	return 2;
}
