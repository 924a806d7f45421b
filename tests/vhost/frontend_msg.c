// SPDX-License-Identifier: GPL-2.0
/* Messages of a front end. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "frontend.h"

static int noted(struct frontend *f, int err, __u32 request)
{
	if (err)
		snprintf(f->why, sizeof(f->why), "vhost-user request %u: %s", request,
			 err == -EREMOTEIO ? "refused" : strerror(-err));
	return err;
}

int frontend__tell(struct frontend *f, struct vu_msg *m)
{
	__u32 request = m->header.request;
	int err;

	if (!(f->protocol & VU_P_REPLY_ACK))
		return noted(f, link__send(f->sock, m), request);
	m->header.flags |= VU_NEED_REPLY;
	err = link__ask(f->sock, m);
	if (!err && m->header.bytes != sizeof(m->u64))
		err = -EBADMSG;
	if (!err && m->u64)
		err = -EREMOTEIO;
	return noted(f, err, request);
}

int frontend__tell_u64(struct frontend *f, __u32 request, __u64 value)
{
	struct vu_msg m = {.header = {request, 0, sizeof(m.u64)}, .u64 = value};

	return frontend__tell(f, &m);
}

int frontend__tell_state(struct frontend *f, __u32 request, __u32 index, __u32 num)
{
	struct vu_msg m = {.header = {request, 0, sizeof(m.state)}, .state = {index, num}};

	return frontend__tell(f, &m);
}

int frontend__tell_fd(struct frontend *f, __u32 request, unsigned index, int fd)
{
	struct vu_msg m = {.header = {request, 0, sizeof(m.u64)},
			   .u64 = index | (fd < 0 ? VU_NOFD : 0),
			   .fd = {fd},
			   .nr_fds = fd >= 0};

	return frontend__tell(f, &m);
}

int frontend__ask_u64(struct frontend *f, __u32 request, __u64 *value)
{
	struct vu_msg m = {.header.request = request};
	int err = link__ask(f->sock, &m);

	if (!err && m.header.bytes != sizeof(m.u64))
		err = -EBADMSG;
	*value = err ? 0 : m.u64;
	return noted(f, err, request);
}

int frontend__set_addr(struct frontend *f, unsigned q)
{
	const struct driver_ring *r = &f->queue[q].ring;
	struct vu_msg m = {.header = {VU_SET_VRING_ADDR, 0, sizeof(m.addr)}};

	m.addr = (struct vu_addr){.index = q,
				  .desc = (__u64)r->desc,
				  .avail = (__u64)r->avail,
				  .used = (__u64)r->used};
	return frontend__tell(f, &m);
}

static struct vu_region region_of(const struct ram_region *r)
{
	return (struct vu_region){r->gpa, r->bytes, (__u64)r->base, r->offset};
}

int frontend__add_region(struct frontend *f, unsigned region)
{
	struct vu_msg m = {.header = {VU_ADD_MEM_REG, 0, sizeof(m.slot)}, .nr_fds = 1};

	m.slot = (struct vu_slot){0, region_of(&f->ram.region[region])};
	m.fd[0] = f->ram.region[region].fd;
	return frontend__tell(f, &m);
}

int frontend__remove_region(struct frontend *f, unsigned region)
{
	struct vu_msg m = {.header = {VU_REM_MEM_REG, 0, sizeof(m.slot)}, .nr_fds = 1};

	m.slot = (struct vu_slot){0, region_of(&f->ram.region[region])};
	/* Of no use to the server, but QEMU sends it, too. */
	m.fd[0] = f->ram.region[region].fd;
	return frontend__tell(f, &m);
}

static int share_table(struct frontend *f)
{
	struct vu_msg m = {.header.request = VU_SET_MEM_TABLE};

	m.table.nr = m.nr_fds = f->ram.nr;
	for (unsigned i = 0; i < f->ram.nr; i++) {
		m.table.region[i] = region_of(&f->ram.region[i]);
		m.fd[i] = f->ram.region[i].fd;
	}
	m.header.bytes = offsetof(struct vu_table, region) + f->ram.nr * sizeof(struct vu_region);
	return frontend__tell(f, &m);
}

int frontend__share_memory(struct frontend *f)
{
	int err = 0;

	if (f->ram.nr <= VU_TABLE_REGIONS)
		return share_table(f);
	if (!(f->protocol & VU_P_CONFIGURE_MEM_SLOTS))
		return noted(f, -E2BIG, VU_SET_MEM_TABLE);
	for (unsigned i = 0; i < f->ram.nr && !err; i++)
		err = frontend__add_region(f, i);
	return err;
}

int frontend__sync(struct frontend *f)
{
	__u64 features;

	/* A question that is always answered, after what came before it. */
	return frontend__ask_u64(f, VU_GET_FEATURES, &features);
}
