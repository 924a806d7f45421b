// SPDX-License-Identifier: GPL-2.0
/* Requests about one ring; its number was checked, and it is stopped (but for its call fd). */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "device.h"
#include "given_fd.h"

static struct vhost_ring *ring_of_state(struct vhost_dev *d, const struct vhost_msg *m)
{
	return &d->ring[m->state.index];
}

static struct vhost_ring *ring_of_fd(struct vhost_dev *d, const struct vhost_msg *m)
{
	return &d->ring[m->u64 & VHOST_VRING_INDEX];
}

int vhost_request__set_vring_num(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	struct vhost_ring *r = ring_of_state(d, m);

	if (!vring__size_is_valid(m->state.num)) {
		*why = "a ring's size is a power of two up to 32768";
		return -EINVAL;
	}
	r->vring->size = m->state.num;
	vhost_ring__set_up_anew(r);
	return 0;
}

int vhost_request__set_vring_addr(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	struct vhost_ring *r = &d->ring[m->addr.index];

	/* Flags: only that of the dirty log, which is not offered. */
	if (m->addr.flags) {
		*why = "a flag of a feature that was not offered";
		return -EINVAL;
	}
	r->vring->desc_at = m->addr.desc;
	r->vring->avail_at = m->addr.avail;
	r->vring->used_at = m->addr.used;
	r->addressed = true;
	vhost_ring__set_up_anew(r);
	return 0;
}

int vhost_request__set_vring_base(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	struct vhost_ring *r = ring_of_state(d, m);

	if (m->state.num > 0xffff) {
		*why = "an index has 16 bits";
		return -EINVAL;
	}
	vring__set_base(r->vring, m->state.num);
	vhost_ring__set_up_anew(r);
	return 0;
}

static void take_kick(struct vhost_ring *r, int fd)
{
	if (r->vring->kick >= 0)
		close(r->vring->kick);
	r->vring->kick = fd;
}

/* This stops it, for the front end. */
int vhost_request__get_vring_base(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	struct vhost_ring *r = ring_of_state(d, m);
	struct vhost_state s = {m->state.index, r->vring->next_avail};

	take_kick(r, -1);
	r->kicked = false;
	vhost_ring__set_up_anew(r);
	return vhost_dev__reply(d, &s, sizeof(s), -1, why);
}

/* The message's fd, which must not block: -1 if it is said that there is none. -EBADF. To write to
 * anything but an eventfd could raise SIGPIPE (a socket or pipe that nobody reads) or change a file
 * in this process's name; one that hung up would wake its loop for ever, and closing it could take
 * any time. */
static int ring_fd(struct vhost_msg *m, int *fd, const char **why)
{
	*fd = -1;
	if (m->u64 & VHOST_VRING_NO_FD)
		return 0;
	if (!m->nr_fds) {
		*why = "its file descriptor is missing";
		return -EBADF;
	}
	if (!given_fd__is_eventfd(m->fd[0])) {
		*why = "its file descriptor is not an eventfd";
		return -EBADF;
	}
	*fd = vhost_msg__take_fd(m, 0);
	fcntl(*fd, F_SETFL, fcntl(*fd, F_GETFL) | O_NONBLOCK);
	return 0;
}

int vhost_request__set_vring_kick(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	struct vhost_ring *r = ring_of_fd(d, m);
	int fd, err = ring_fd(m, &fd, why);

	if (err)
		return err;
	take_kick(r, fd);
	r->kicked = true;
	vhost_ring__set_up_anew(r);
	return 0;
}

int vhost_request__set_vring_call(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	struct vring *v = ring_of_fd(d, m)->vring;
	int fd, err = ring_fd(m, &fd, why);

	if (err)
		return err;
	vring__set_call(v, fd);
	/* What was used before may have been told to the old one only, or to none. */
	closer__signal(d->closer, v->call);
	return 0;
}

int vhost_request__set_vring_err(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	struct vring *v = ring_of_fd(d, m)->vring;
	int fd, err = ring_fd(m, &fd, why);

	if (err)
		return err;
	if (v->err >= 0)
		close(v->err);
	v->err = fd;
	return 0;
}

int vhost_request__set_vring_enable(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	struct vhost_ring *r = ring_of_state(d, m);

	if (m->state.num > 1) {
		*why = "a ring is enabled (1) or not (0)";
		return -EINVAL;
	}
	r->enabled = m->state.num;
	return 0;
}
