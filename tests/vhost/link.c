// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "link.h"

static int set_patience(int sock)
{
	struct timeval t = {.tv_sec = LINK_SECONDS};

	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)))
		return -errno;
	return 0;
}

static int connect_once(const struct sockaddr_un *a)
{
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (sock < 0)
		return -errno;
	err = connect(sock, (const void *)a, sizeof(*a)) ? -errno : set_patience(sock);
	if (err) {
		close(sock);
		return err;
	}
	return sock;
}

int link__connect(const char *path, double seconds)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int sock;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	strcpy(a.sun_path, path);
	while ((sock = connect_once(&a)) == -ENOENT || sock == -ECONNREFUSED) {
		if ((seconds -= 0.01) < 0)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	return sock;
}

int link__pair(int end[2])
{
	int err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end))
		return -errno;
	/* The other end is for who serves it to set. */
	err = set_patience(end[0]);
	if (err) {
		close(end[0]);
		close(end[1]);
	}
	return err;
}

int link__send_raw(int sock, const void *data, size_t bytes, const int *fds, unsigned nr_fds)
{
	union {
		char buffer[CMSG_SPACE(64 * sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = {(void *)data, bytes};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (nr_fds > 64)
		return -E2BIG;
	if (nr_fds) {
		h.msg_control = control.buffer;
		h.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		control.align =
			(struct cmsghdr){CMSG_LEN(nr_fds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), fds, nr_fds * sizeof(int));
	}
	while (iov.iov_len) {
		n = sendmsg(sock, &h, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		iov.iov_base = (char *)iov.iov_base + n;
		iov.iov_len -= n;
		h.msg_controllen = 0;
	}
	return 0;
}

int link__send(int sock, struct vu_msg *m)
{
	char buffer[sizeof(m->header) + VU_PAYLOAD];

	if (m->header.bytes > VU_PAYLOAD)
		return -E2BIG;
	m->header.flags |= VU_VERSION;
	memcpy(buffer, &m->header, sizeof(m->header));
	memcpy(buffer + sizeof(m->header), m->bytes, m->header.bytes);
	return link__send_raw(sock, buffer, sizeof(m->header) + m->header.bytes, m->fd, m->nr_fds);
}

static void take_fds(struct vu_msg *m, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		m->nr_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(m->fd, CMSG_DATA(c), m->nr_fds * sizeof(int));
	}
}

static int recv_all(int sock, void *to, size_t bytes, struct vu_msg *m)
{
	union {
		char buffer[CMSG_SPACE(VU_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {to, bytes};

	while (iov.iov_len) {
		struct msghdr h = {.msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = control.buffer,
				   .msg_controllen = sizeof(control.buffer)};
		ssize_t n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC);

		if (n <= 0)
			return !n ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
		take_fds(m, &h);
		iov.iov_base = (char *)iov.iov_base + n;
		iov.iov_len -= n;
	}
	return 0;
}

int link__recv(int sock, struct vu_msg *m)
{
	int err;

	m->nr_fds = 0;
	err = recv_all(sock, &m->header, sizeof(m->header), m);
	if (!err && (m->header.bytes > VU_PAYLOAD || (m->header.flags & 3) != VU_VERSION))
		err = -EBADMSG;
	if (!err)
		err = recv_all(sock, m->bytes, m->header.bytes, m);
	if (err)
		link__close_fds(m);
	return err;
}

void link__close_fds(struct vu_msg *m)
{
	while (m->nr_fds)
		close(m->fd[--m->nr_fds]);
}

int link__ask(int sock, struct vu_msg *m)
{
	__u32 request = m->header.request;
	int err = link__send(sock, m);

	if (!err)
		err = link__recv(sock, m);
	if (!err && (m->header.request != request || !(m->header.flags & VU_REPLY))) {
		link__close_fds(m);
		err = -EBADMSG;
	}
	return err;
}

int link__hung_up(int sock, int milliseconds)
{
	struct pollfd p = {.fd = sock, .events = POLLRDHUP};
	int n = poll(&p, 1, milliseconds);

	return n < 0 ? -errno : n && p.revents & (POLLHUP | POLLRDHUP | POLLERR);
}
