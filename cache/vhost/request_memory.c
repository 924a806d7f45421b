// SPDX-License-Identifier: GPL-2.0
/* Requests about memory: the guest's, and that of the in-flight log. */
#include <errno.h>
#include <unistd.h>

#include "device.h"

static const char *why_not(int err)
{
	switch (err) {
	case -EINVAL:
		return "a region is not of whole pages, overlaps another (there or in its file) or "
		       "is "
		       "not in its file";
	case -EMEDIUMTYPE:
		return "a region's file is none of memory (memfd, tmpfs, hugetlbfs)";
	case -ENOSPC:
		return "more memory than a guest may have";
	case -ENOENT:
		return "there is no such region";
	default:
		return "a region can't be mapped";
	}
}

static int add_region(struct vhost_dev *d, const struct vhost_region *r, int fd, const char **why)
{
	int err = guest_memory__add(&d->memory, r->gpa, r->bytes, r->hva, r->offset, fd);

	if (err)
		*why = why_not(err);
	return err;
}

/* Rings that lay nowhere so far may do now; those that died don't come back by this. */
static void changed(struct vhost_dev *d)
{
	for (unsigned i = 0; i < d->nr_rings; i++)
		d->ring[i].misplaced = false;
	d->quiet = true;
	d->ops->memory(d->ctx);
}

int vhost_request__set_mem_table(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	struct vhost_table *t = &m->table;
	int err = 0;

	if (t->nr > VHOST_TABLE_REGIONS || t->nr != m->nr_fds ||
	    m->header.size < offsetof(struct vhost_table, region) + t->nr * sizeof(t->region[0])) {
		*why = "regions, their number and their file descriptors don't match";
		return -EINVAL;
	}
	guest_memory__clear(&d->memory);
	for (unsigned i = 0; i < t->nr && !err; i++)
		err = add_region(d, &t->region[i], m->fd[i], why);
	if (err)
		guest_memory__clear(&d->memory);
	changed(d);
	return err;
}

int vhost_request__get_max_mem_slots(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	return vhost_dev__reply_u64(d, GUEST_REGIONS, why);
}

int vhost_request__add_mem_reg(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	int err = add_region(d, &m->slot.region, m->fd[0], why);

	if (!err)
		changed(d);
	return err;
}

int vhost_request__rem_mem_reg(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	const struct vhost_region *r = &m->slot.region;
	int err = guest_memory__remove(&d->memory, r->gpa, r->bytes, r->hva);

	if (err)
		*why = why_not(err);
	else
		changed(d);
	return err;
}

/* --- the in-flight log --- */

static int check_inflight(const struct vhost_dev *d, const struct vhost_inflight *i,
			  const char **why)
{
	if (i->queues && i->queues <= d->nr_rings && vring__size_is_valid(i->size))
		return 0;
	*why = "a number or size of rings that can't be";
	return -EINVAL;
}

int vhost_request__get_inflight_fd(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	struct vhost_inflight *i = &m->inflight;
	int err = check_inflight(d, i, why), fd;

	if (err)
		return err;
	fd = inflight__create(i->queues, i->size);
	if (fd < 0) {
		*why = "no memory is left";
		return fd;
	}
	i->bytes = inflight__bytes(i->queues, i->size);
	i->offset = 0;
	err = vhost_dev__reply(d, i, m->header.size, fd, why);
	close(fd);
	return err;
}

int vhost_request__set_inflight_fd(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	const struct vhost_inflight *i = &m->inflight;
	struct inflight_map map;
	int err = check_inflight(d, i, why);

	if (err)
		return err;
	*why = "the log is not where it should be in its file";
	if (i->bytes < inflight__bytes(i->queues, i->size))
		return -EINVAL;
	err = inflight_map__open(&map, i->queues, i->size, i->offset, m->fd[0], vhost_dev__broken,
				 d);
	if (err)
		return err;
	inflight_map__close(&d->inflight);
	d->inflight = map;
	for (unsigned n = 0; n < d->nr_rings; n++)
		d->ring[n].vring->log = inflight_map__log(&map, n);
	return 0;
}
