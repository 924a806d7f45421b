// SPDX-License-Identifier: GPL-2.0
/* What a front end may ask: a table, the checks that it stands for, answers. */
#include <errno.h>
#include <string.h>

#include "device.h"

/* A request concerns: */
enum scope {
	DEVICE,	   /* nothing that a running ring uses */
	ALL_RINGS, /* something that all running rings use */
	RING,	   /* the ring that its state or address names, */
	RING_FD	   /* or that its fd is for */
};

struct request {
	const char *name; /* NULL: there is no such request */
	vhost_handler *handle;
	__u16 min, max; /* bytes of payload */
	__u8 fds;	/* at least; others are closed */
	enum scope scope;
	bool running_too; /* the ring need not stop for it */
	bool answers;	  /* itself, so there is no acknowledgement */
	__u64 protocol;	  /* to be agreed on before */
};

#define NOTHING .max = 0
#define U64 .min = sizeof(__u64), .max = sizeof(__u64)
#define STATE .min = sizeof(struct vhost_state), .max = sizeof(struct vhost_state)
#define ADDR .min = sizeof(struct vhost_addr), .max = sizeof(struct vhost_addr)
#define SLOT .min = sizeof(struct vhost_slot), .max = sizeof(struct vhost_slot)
#define TABLE .min = offsetof(struct vhost_table, region), .max = sizeof(struct vhost_table)
#define CONFIG .min = VHOST_CONFIG_HEADER, .max = sizeof(struct vhost_config)
#define INFLIGHT .min = VHOST_INFLIGHT_BYTES, .max = sizeof(struct vhost_inflight)

/* clang-format off */
static const struct request requests[VHOST_REQUESTS] = {
	[VHOST_GET_FEATURES] = {"GET_FEATURES", vhost_request__get_features, .answers = true},
	[VHOST_SET_FEATURES] = {"SET_FEATURES", vhost_request__set_features, U64,
				.scope = ALL_RINGS},
	[VHOST_SET_OWNER] = {"SET_OWNER", vhost_request__nothing, NOTHING},
	/* Deprecated: back ends understood different things by it, and may ignore it. */
	[VHOST_RESET_OWNER] = {"RESET_OWNER", vhost_request__nothing, NOTHING},
	[VHOST_GET_PROTOCOL_FEATURES] = {"GET_PROTOCOL_FEATURES",
					 vhost_request__get_protocol_features, .answers = true},
	[VHOST_SET_PROTOCOL_FEATURES] = {"SET_PROTOCOL_FEATURES",
					 vhost_request__set_protocol_features, U64},
	[VHOST_GET_QUEUE_NUM] = {"GET_QUEUE_NUM", vhost_request__get_queue_num, .answers = true},
	[VHOST_GET_CONFIG] = {"GET_CONFIG", vhost_request__get_config, CONFIG, .answers = true,
			      .protocol = VHOST_PROTOCOL_CONFIG},
	[VHOST_SET_CONFIG] = {"SET_CONFIG", vhost_request__set_config, CONFIG,
			      .protocol = VHOST_PROTOCOL_CONFIG},
	[VHOST_RESET_DEVICE] = {"RESET_DEVICE", vhost_request__reset_device, .scope = ALL_RINGS,
				.protocol = VHOST_PROTOCOL_RESET_DEVICE},

	[VHOST_SET_MEM_TABLE] = {"SET_MEM_TABLE", vhost_request__set_mem_table, TABLE,
				 .scope = ALL_RINGS},
	[VHOST_GET_MAX_MEM_SLOTS] = {"GET_MAX_MEM_SLOTS", vhost_request__get_max_mem_slots,
				     .answers = true, .protocol = VHOST_PROTOCOL_MEM_SLOTS},
	[VHOST_ADD_MEM_REG] = {"ADD_MEM_REG", vhost_request__add_mem_reg, SLOT, .fds = 1,
			       .scope = ALL_RINGS, .protocol = VHOST_PROTOCOL_MEM_SLOTS},
	[VHOST_REM_MEM_REG] = {"REM_MEM_REG", vhost_request__rem_mem_reg, SLOT,
			       .scope = ALL_RINGS, .protocol = VHOST_PROTOCOL_MEM_SLOTS},
	[VHOST_GET_INFLIGHT_FD] = {"GET_INFLIGHT_FD", vhost_request__get_inflight_fd, INFLIGHT,
				   .answers = true, .protocol = VHOST_PROTOCOL_INFLIGHT_SHMFD},
	[VHOST_SET_INFLIGHT_FD] = {"SET_INFLIGHT_FD", vhost_request__set_inflight_fd, INFLIGHT,
				   .fds = 1, .scope = ALL_RINGS,
				   .protocol = VHOST_PROTOCOL_INFLIGHT_SHMFD},

	[VHOST_SET_VRING_NUM] = {"SET_VRING_NUM", vhost_request__set_vring_num, STATE,
				 .scope = RING},
	[VHOST_SET_VRING_ADDR] = {"SET_VRING_ADDR", vhost_request__set_vring_addr, ADDR,
				  .scope = RING},
	[VHOST_SET_VRING_BASE] = {"SET_VRING_BASE", vhost_request__set_vring_base, STATE,
				  .scope = RING},
	[VHOST_GET_VRING_BASE] = {"GET_VRING_BASE", vhost_request__get_vring_base, STATE,
				  .scope = RING, .answers = true},
	[VHOST_SET_VRING_KICK] = {"SET_VRING_KICK", vhost_request__set_vring_kick, U64,
				  .scope = RING_FD},
	[VHOST_SET_VRING_CALL] = {"SET_VRING_CALL", vhost_request__set_vring_call, U64,
				  .scope = RING_FD, .running_too = true},
	[VHOST_SET_VRING_ERR] = {"SET_VRING_ERR", vhost_request__set_vring_err, U64,
				 .scope = RING_FD},
	[VHOST_SET_VRING_ENABLE] = {"SET_VRING_ENABLE", vhost_request__set_vring_enable, STATE,
				    .scope = RING},
};
/* clang-format on */

static const struct request *find_request(__u32 number)
{
	if (number >= VHOST_REQUESTS || !requests[number].name)
		return NULL;
	return &requests[number];
}

/* --- answers --- */

int vhost_dev__reply(struct vhost_dev *d, const void *payload, __u32 bytes, int fd,
		     const char **why)
{
	int err = vhost_msg__reply(&d->msg, payload, bytes, d->socket.fd, fd);

	if (!err)
		return 0;
	*why = "the answer could not be sent";
	vhost_dev__lose(d);
	return err;
}

int vhost_dev__reply_u64(struct vhost_dev *d, __u64 value, const char **why)
{
	return vhost_dev__reply(d, &value, sizeof(value), -1, why);
}

static bool wants_ack(const struct vhost_dev *d)
{
	return d->protocol & VHOST_PROTOCOL_REPLY_ACK && d->msg.header.flags & VHOST_NEED_REPLY;
}

/* The front end hears of it, or is left: it would go on as if it had been done. */
static void refuse(struct vhost_dev *d, const struct request *r, const char *why)
{
	bool can_tell = wants_ack(d) && !(r && r->answers);

	if (r)
		vhost_dev__warn(d, "%s: %s", r->name, why);
	else
		vhost_dev__warn(d, "request %u: %s", d->msg.header.request, why);
	if (!can_tell || vhost_dev__reply_u64(d, 1, &why))
		vhost_dev__lose(d);
}

static void done(struct vhost_dev *d)
{
	vhost_msg__clear(&d->msg, d->closer);
	vhost_dev__resume(d);
	d->quiet = false;
}

/* --- checks --- */

/* The number it names; 0, which there always is, if it names none. */
static __u32 ring_of(const struct vhost_msg *m, enum scope scope)
{
	if (scope == RING)
		return m->state.index;
	return scope == RING_FD ? m->u64 & VHOST_VRING_INDEX : 0;
}

static const char *check(const struct vhost_dev *d, const struct request *r)
{
	if (!r)
		return "there is no such request, or it was not offered";
	if (r->protocol & ~d->protocol)
		return "its protocol feature was not agreed on";
	if (d->msg.header.size < r->min || d->msg.header.size > r->max)
		return "its payload has not the length of such a request's";
	if (d->msg.nr_fds < r->fds)
		return "its file descriptor is missing";
	if (ring_of(&d->msg, r->scope) >= d->nr_rings)
		return "there is no such ring";
	return NULL;
}

/* --- carrying them out --- */

static void carry_out(struct vhost_dev *d)
{
	const struct request *r = find_request(d->msg.header.request);
	const char *why = NULL;
	int err = r->handle(d, &d->msg, &why);

	if (err)
		refuse(d, r, why);
	else if (!r->answers && wants_ack(d) && vhost_dev__reply_u64(d, 0, &why))
		vhost_dev__lose(d);
	done(d);
}

static unsigned rings_to_stop(const struct vhost_msg *m, const struct request *r)
{
	if (r->scope == DEVICE || r->running_too)
		return VHOST_NO_RING;
	return r->scope == ALL_RINGS ? VHOST_ALL_RINGS : ring_of(m, r->scope);
}

void vhost_dev__request(struct vhost_dev *d)
{
	const struct request *r = find_request(d->msg.header.request);
	const char *why = check(d, r);

	if (!why) {
		vhost_dev__quiesce(d, rings_to_stop(&d->msg, r), carry_out);
		return;
	}
	refuse(d, r, why);
	done(d);
}
