// SPDX-License-Identifier: GPL-2.0
/* Requests about the device as a whole: features and configuration. */
#include <errno.h>
#include <string.h>

#include "device.h"

/* virtio 1.1, 6 */
#define VIRTIO_INDIRECT_DESC (1ULL << 28)
#define VIRTIO_EVENT_IDX (1ULL << 29)
#define VIRTIO_VERSION_1 (1ULL << 32)

/* VHOST_F_LOG_ALL (26) is not among them: pages written for the guest are not noted, so QEMU does
 * not migrate a guest that has such a device. */
#define TRANSPORT                                                                                  \
	(VIRTIO_INDIRECT_DESC | VIRTIO_EVENT_IDX | VIRTIO_VERSION_1 | VHOST_F_PROTOCOL_FEATURES)

#define PROTOCOL                                                                                   \
	(VHOST_PROTOCOL_MQ | VHOST_PROTOCOL_REPLY_ACK | VHOST_PROTOCOL_CONFIG |                    \
	 VHOST_PROTOCOL_INFLIGHT_SHMFD | VHOST_PROTOCOL_RESET_DEVICE | VHOST_PROTOCOL_MEM_SLOTS)

static __u64 offered(const struct vhost_dev *d)
{
	return d->offered | TRANSPORT;
}

int vhost_request__nothing(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	return 0;
}

int vhost_request__get_features(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	return vhost_dev__reply_u64(d, offered(d), why);
}

int vhost_request__set_features(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	if (m->u64 & ~offered(d)) {
		*why = "a feature that was not offered";
		return -EINVAL;
	}
	d->features = m->u64;
	return 0;
}

int vhost_request__get_protocol_features(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	return vhost_dev__reply_u64(d, PROTOCOL, why);
}

int vhost_request__set_protocol_features(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	if (m->u64 & ~PROTOCOL) {
		*why = "a feature that was not offered";
		return -EINVAL;
	}
	d->protocol = m->u64;
	return 0;
}

int vhost_request__get_queue_num(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	return vhost_dev__reply_u64(d, d->nr_rings, why);
}

/* Front ends ask for as much as they know of, which may be more than there is: zeroes. An empty
 * answer means an error. */
int vhost_request__get_config(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	struct vhost_config *c = &m->config;

	if (m->header.size != VHOST_CONFIG_HEADER + (__u64)c->size ||
	    c->offset > sizeof(c->bytes) || c->size > sizeof(c->bytes) - c->offset)
		return vhost_dev__reply(d, NULL, 0, -1, why);
	memcpy(c->bytes, d->config + c->offset, c->size);
	return vhost_dev__reply(d, c, m->header.size, -1, why);
}

/* The one thing to be written would be the write cache's mode, which is not offered. */
int vhost_request__set_config(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	*why = "the configuration can't be written";
	return -EPERM;
}

int vhost_request__reset_device(struct vhost_dev *d, struct vhost_msg *m, const char **why)
{
	for (unsigned i = 0; i < d->nr_rings; i++)
		vhost_ring__reset(&d->ring[i]);
	d->features = 0;
	return 0;
}
