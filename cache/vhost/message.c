// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"

#define HEADER sizeof(struct vhost_header)
#define PAYLOAD sizeof(((struct vhost_msg *)0)->config)

/* Any payload fits. */
_Static_assert(PAYLOAD >= sizeof(struct vhost_table), "the largest one");

union control {
	char bytes[CMSG_SPACE(VHOST_FDS_CAME * sizeof(int))];
	struct cmsghdr align;
};

/* --- reading --- */

/* Too many are kept as well, until they are closed: nothing is received after them. */
static int keep_fds(struct vhost_msg *m, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len; at += sizeof(int))
			memcpy(&m->fd[m->nr_fds++], CMSG_DATA(c) + at, sizeof(int));
	}
	return h->msg_flags & MSG_CTRUNC || m->nr_fds > VHOST_FDS ? -EPROTO : 0;
}

/* Where the next bytes go, and how many: never beyond this message, whose fds these are. */
static struct iovec rest(struct vhost_msg *m)
{
	if (m->got < HEADER)
		return (struct iovec){(char *)&m->header + m->got, HEADER - m->got};
	return (struct iovec){(char *)&m->config + (m->got - HEADER),
			      HEADER + m->header.size - m->got};
}

static ssize_t receive(struct vhost_msg *m, int socket, const char **reason)
{
	union control control;
	struct iovec v = rest(m);
	struct msghdr h = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(socket, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0) {
		*reason = "reading from it failed";
		return -errno;
	}
	if (keep_fds(m, &h)) {
		*reason = h.msg_flags & MSG_CTRUNC
				  ? "its file descriptors did not come through: too many files are "
				    "open here (see ulimit -n)"
				  : "it sent too many file descriptors";
		return -EPROTO;
	}
	*reason = m->got ? "it went in the middle of a message" : "it went";
	return n ? n : -EPIPE;
}

static int check_header(const struct vhost_header *h, const char **reason)
{
	if ((h->flags & VHOST_VERSION_MASK) != VHOST_VERSION)
		*reason = "it speaks another version of the protocol";
	else if (h->flags & VHOST_REPLY)
		*reason = "it sent a reply, to nothing";
	else if (h->size > PAYLOAD)
		*reason = "it sent a message longer than any can be";
	else
		return 0;
	return -EPROTO;
}

int vhost_msg__read(struct vhost_msg *m, int socket, const char **reason)
{
	while (m->got < HEADER || m->got < HEADER + m->header.size) {
		ssize_t n = receive(m, socket, reason);

		if (n == -EAGAIN || n == -EINTR)
			return 0;
		if (n < 0)
			return n;
		m->got += n;
		if (m->got == HEADER && check_header(&m->header, reason))
			return -EPROTO;
	}
	return 1;
}

void vhost_msg__clear(struct vhost_msg *m, struct closer *c)
{
	for (unsigned i = 0; i < m->nr_fds; i++) {
		if (c)
			closer__close(c, m->fd[i]);
		else if (m->fd[i] >= 0)
			close(m->fd[i]);
	}
	memset(m, 0, sizeof(*m));
}

int vhost_msg__take_fd(struct vhost_msg *m, unsigned i)
{
	int fd = i < m->nr_fds ? m->fd[i] : -1;

	if (fd >= 0)
		m->fd[i] = -1;
	return fd;
}

/* --- answering --- */

static void attach_fd(struct msghdr *h, union control *control, int fd)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	h->msg_control = control;
	h->msg_controllen = CMSG_SPACE(sizeof(fd));
	c = CMSG_FIRSTHDR(h);
	*c = (struct cmsghdr){CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

int vhost_msg__reply(const struct vhost_msg *m, const void *payload, __u32 bytes, int socket,
		     int fd)
{
	struct vhost_header header = {m->header.request, VHOST_VERSION | VHOST_REPLY, bytes};
	struct iovec v[] = {{&header, HEADER}, {(void *)payload, bytes}};
	struct msghdr h = {.msg_iov = v, .msg_iovlen = 2};
	union control control;
	ssize_t n;

	if (fd >= 0)
		attach_fd(&h, &control, fd);
	n = sendmsg(socket, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	/* Short, as there was no room: so many answers nobody leaves lying about. */
	return (size_t)n == HEADER + bytes ? 0 : -EAGAIN;
}
