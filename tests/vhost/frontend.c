// SPDX-License-Identifier: GPL-2.0
/* The set-up of a device. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/virtio_config.h>

#include "frontend.h"

#define WANTED                                                                                     \
	(VU_F_PROTOCOL_FEATURES | 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_EVENT_IDX |   \
	 1ULL << VIRTIO_RING_F_INDIRECT_DESC | 1ULL << VIRTIO_BLK_F_SIZE_MAX |                     \
	 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_RO | 1ULL << VIRTIO_BLK_F_BLK_SIZE |  \
	 1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_TOPOLOGY | 1ULL << VIRTIO_BLK_F_MQ |    \
	 1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES)
#define WANTED_PROTOCOL                                                                            \
	(VU_P_MQ | VU_P_REPLY_ACK | VU_P_CONFIG | VU_P_INFLIGHT_SHMFD | VU_P_CONFIGURE_MEM_SLOTS)
/* What goes with the features above: up to write zeroes. */
#define CONFIG (offsetof(struct virtio_blk_config, write_zeroes_may_unmap) + 4)
#define SLOT (2 * RAM_PAGE)

static int failed(struct frontend *f, int err, const char *what)
{
	if (err < 0)
		snprintf(f->why, sizeof(f->why), "%s: %s", what, strerror(-err));
	return err;
}

/* With a hole of a region's size before each but the first. */
static int make_ram(struct frontend *f)
{
	__u64 page = f->opts.hugetlb ? 2 << 20 : RAM_PAGE;
	__u64 each = (f->opts.memory / f->opts.regions + page - 1) / page * page;
	int err = 0;

	for (unsigned i = 0; i < f->opts.regions && !err; i++)
		err = ram__add(&f->ram, 2 * i * each, each, 0, f->opts.hugetlb);
	return failed(f, err, "cannot make guest memory");
}

static int make_queue(struct frontend *f, unsigned q)
{
	struct frontend_queue *fq = &f->queue[q];
	int err = driver_ring__init(&fq->ring, &f->ram, q, f->opts.size);

	if (err)
		return failed(f, err, "cannot make a ring");
	f->nr_queues++;
	fq->slots = ram__alloc(&f->ram, (__u64)f->opts.size * SLOT, RAM_PAGE);
	return fq->slots ? 0 : failed(f, -ENOMEM, "guest memory is too small for its rings");
}

int frontend__init(struct frontend *f, const struct frontend_opts *o)
{
	int err;

	memset(f, 0, sizeof(*f));
	f->opts = *o;
	f->opts.queues = o->queues ?: 1;
	f->opts.size = o->size ?: 128;
	f->opts.memory = o->memory ?: 64 << 20;
	f->opts.regions = o->regions ?: 1;
	f->sock = o->path ? -1 : o->fd;
	f->inflight_fd = -1;
	if (f->opts.queues > FRONTEND_QUEUES)
		return failed(f, -EINVAL, "too many queues");
	err = make_ram(f);
	for (unsigned q = 0; q < f->opts.queues && !err; q++)
		err = make_queue(f, q);
	return err;
}

void frontend__free(struct frontend *f)
{
	frontend__disconnect(f);
	while (f->nr_queues)
		driver_ring__free(&f->queue[--f->nr_queues].ring);
	if (f->inflight_fd >= 0)
		close(f->inflight_fd);
	f->inflight_fd = -1;
	ram__free(&f->ram);
}

int frontend__connect(struct frontend *f)
{
	if (f->sock >= 0)
		return 0;
	f->sock = link__connect(f->opts.path, f->opts.patience);
	return failed(f, f->sock < 0 ? f->sock : 0, f->opts.path);
}

void frontend__disconnect(struct frontend *f)
{
	if (f->sock >= 0)
		close(f->sock);
	f->sock = -1;
	for (unsigned q = 0; q < f->nr_queues; q++)
		f->queue[q].started = false;
}

static int negotiate_protocol(struct frontend *f)
{
	__u64 queues;
	int err = frontend__ask_u64(f, VU_GET_PROTOCOL_FEATURES, &f->protocol_offered);

	if (err)
		return err;
	f->protocol = 0;
	err = frontend__tell_u64(f, VU_SET_PROTOCOL_FEATURES,
				 f->protocol_offered & WANTED_PROTOCOL & ~f->opts.no_protocol);
	f->protocol = f->protocol_offered & WANTED_PROTOCOL & ~f->opts.no_protocol;
	if (err || !(f->protocol & VU_P_MQ))
		return err;
	err = frontend__ask_u64(f, VU_GET_QUEUE_NUM, &queues);
	f->queues_offered = queues;
	return err;
}

int frontend__negotiate(struct frontend *f)
{
	int err = frontend__ask_u64(f, VU_GET_FEATURES, &f->offered);

	if (err)
		return err;
	f->features = f->offered & WANTED & ~f->opts.no_features;
	if (f->features & VU_F_PROTOCOL_FEATURES)
		err = negotiate_protocol(f);
	if (!err)
		err = frontend__tell(f, &(struct vu_msg){.header.request = VU_SET_OWNER});
	if (!err)
		err = frontend__tell_u64(f, VU_SET_FEATURES, f->features);
	for (unsigned q = 0; q < f->nr_queues; q++)
		f->queue[q].ring.event_idx = f->features & 1ULL << VIRTIO_RING_F_EVENT_IDX;
	return err;
}

int frontend__read_config(struct frontend *f)
{
	struct vu_msg m = {.header.request = VU_GET_CONFIG};
	int err;

	if (!(f->protocol & VU_P_CONFIG))
		return 0;
	m.config.bytes = CONFIG;
	m.header.bytes = offsetof(struct vu_config, data) + CONFIG;
	err = link__ask(f->sock, &m);
	if (!err && (m.header.bytes < offsetof(struct vu_config, data) + CONFIG ||
		     m.config.bytes != CONFIG))
		err = -EBADMSG;
	if (!err)
		memcpy(&f->config, m.config.data, CONFIG);
	return failed(f, err, "GET_CONFIG");
}

static int get_inflight(struct frontend *f)
{
	struct vu_msg m = {.header = {VU_GET_INFLIGHT_FD, 0, sizeof(m.inflight)}};
	int err;

	m.inflight.queues = f->nr_queues;
	m.inflight.size = f->opts.size;
	err = link__ask(f->sock, &m);
	if (!err && m.nr_fds != 1) {
		link__close_fds(&m);
		err = -EBADMSG;
	}
	if (err)
		return failed(f, err, "GET_INFLIGHT_FD");
	f->inflight = m.inflight;
	f->inflight_fd = m.fd[0];
	return 0;
}

int frontend__share_inflight(struct frontend *f)
{
	struct vu_msg m = {.header = {VU_SET_INFLIGHT_FD, 0, sizeof(m.inflight)}, .nr_fds = 1};
	int err = 0;

	if (!(f->protocol & VU_P_INFLIGHT_SHMFD))
		return 0;
	if (f->inflight_fd < 0)
		err = get_inflight(f);
	if (err)
		return err;
	m.inflight = f->inflight;
	m.inflight.queues = f->nr_queues;
	m.inflight.size = f->opts.size;
	m.fd[0] = f->inflight_fd;
	return frontend__tell(f, &m);
}

int frontend__start_queue(struct frontend *f, unsigned q)
{
	struct driver_ring *r = &f->queue[q].ring;
	int err = frontend__tell_state(f, VU_SET_VRING_NUM, q, r->size);

	driver_ring__want_call(r, !f->opts.polling);
	/* What the used ring says was taken: rings without a log give up the rest. */
	if (!err)
		err = frontend__tell_state(f, VU_SET_VRING_BASE, q,
					   __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE));
	if (!err)
		err = frontend__set_addr(f, q);
	if (!err)
		err = frontend__tell_fd(f, VU_SET_VRING_ERR, q, r->err);
	if (!err)
		err = frontend__tell_fd(f, VU_SET_VRING_CALL, q, r->call);
	if (!err)
		err = frontend__tell_fd(f, VU_SET_VRING_KICK, q, r->kick);
	if (!err && f->features & VU_F_PROTOCOL_FEATURES)
		err = frontend__tell_state(f, VU_SET_VRING_ENABLE, q, 1);
	if (err)
		return err;
	f->queue[q].started = true;
	return 0;
}

int frontend__start(struct frontend *f)
{
	int err = 0;

	for (unsigned q = 0; q < f->nr_queues && !err; q++)
		err = frontend__start_queue(f, q);
	return err;
}

int frontend__stop_queue(struct frontend *f, unsigned q)
{
	struct vu_msg m = {.header = {VU_GET_VRING_BASE, 0, sizeof(m.state)}};
	int err;

	m.state.index = q;
	err = link__ask(f->sock, &m);
	f->queue[q].started = false;
	if (!err && m.state.index != q)
		err = -EBADMSG;
	return failed(f, err ?: (int)m.state.num, "GET_VRING_BASE");
}

int frontend__resume(struct frontend *f)
{
	int err = frontend__connect(f);

	if (!err)
		err = frontend__negotiate(f);
	if (!err)
		err = frontend__read_config(f);
	if (!err)
		err = frontend__share_inflight(f);
	if (!err)
		err = frontend__share_memory(f);
	if (!err && f->queues_offered && f->queues_offered < f->nr_queues)
		err = failed(f, -ERANGE, "the server has fewer queues");
	if (!err)
		err = frontend__start(f);
	/* What came while nobody was there to be kicked. */
	for (unsigned q = 0; q < f->nr_queues && !err; q++)
		driver_ring__force_kick(&f->queue[q].ring);
	return err;
}

int frontend__open(struct frontend *f, const struct frontend_opts *o)
{
	return frontend__init(f, o) ?: frontend__resume(f);
}
