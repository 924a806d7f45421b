// SPDX-License-Identifier: GPL-2.0
/*
 * VMware vscsiStats, little-endian:
 *
 *	version 1: sn:4 length:4 segments:4 command:2 version:2 block:8 time:8
 *	version 2: command:2 version:2 sn:4 length:4 segments:4 block:8 time:8 response:8
 *
 * length is in bytes, block in sectors of 512, time in us; the version is the upper byte of its
 * field, the command the lower byte of its own.
 */
#include "parser.h"

/* Reads and writes of 6, 10, 12 and 16 bytes (SCSI Block Commands); others move no data of the
 * disk, or none that would be kept. */
static bool moves_pages(__u8 command)
{
	switch (command) {
	case 0x08:
	case 0x28:
	case 0xa8:
	case 0x88:
	case 0x0a:
	case 0x2a:
	case 0xaa:
	case 0x8a:
		return true;
	default:
		return false;
	}
}

static int vscsi__request(struct parser *s, __u8 command, __u64 block, __u32 length,
			  struct request *r)
{
	if (!moves_pages(command))
		return PARSED_NONE;
	if (length % SECTOR_BYTES)
		return parser__bad(s, "length %u is not of whole sectors", length);
	return parser__sectors(s, 0, block, length / SECTOR_BYTES, r);
}

static int vscsi__bad_version(struct parser *s, __u16 version)
{
	return parser__bad(s, "version 0x%x is not that of the trace", version);
}

static int vscsi_v1__parse(struct parser *s, const char *p, size_t n, struct request *r)
{
	if (get16(p + 14) >> 8 != 1)
		return vscsi__bad_version(s, get16(p + 14));
	r->time = get64(p + 24);
	return vscsi__request(s, get16(p + 12), get64(p + 16), get32(p + 4), r);
}

static int vscsi_v2__parse(struct parser *s, const char *p, size_t n, struct request *r)
{
	if (get16(p + 2) >> 8 != 2)
		return vscsi__bad_version(s, get16(p + 2));
	r->time = get64(p + 24);
	return vscsi__request(s, get16(p), get64(p + 16), get32(p + 8), r);
}

const struct trace_format format_vscsi_v1 = {
	.name = "vscsi",
	.record = 32,
	.tick = 1000,
	.parse = vscsi_v1__parse,
};

const struct trace_format format_vscsi_v2 = {
	.name = "vscsi",
	.record = 40,
	.tick = 1000,
	.parse = vscsi_v2__parse,
};
