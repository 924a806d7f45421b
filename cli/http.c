// SPDX-License-Identifier: GPL-2.0
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "cli.h"
#include "loop_timer.h"

/* Without the library (the static build: it would need all of GnuTLS) there is no server. */
#pragma weak MHD_start_daemon
#pragma weak MHD_stop_daemon
#pragma weak MHD_get_daemon_info
#pragma weak MHD_get_timeout
#pragma weak MHD_run
#pragma weak MHD_create_response_from_buffer
#pragma weak MHD_add_response_header
#pragma weak MHD_queue_response
#pragma weak MHD_destroy_response

/* A scraper or two, and somebody with a browser. */
#define CONNECTIONS 16
#define IDLE_SECONDS 10

struct http {
	struct http_opts opts;
	struct MHD_Daemon *daemon;
	struct loop_fd fd; /* MHD's epoll instance */
	struct loop_timer timer;
	char address[64];
};

/* --- addresses --- */

static int parse_v4(const char *host, __u64 port, struct http_address *out)
{
	out->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
	if (inet_pton(AF_INET, host, &out->v4.sin_addr) != 1 ||
	    ntohl(out->v4.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		return -EINVAL;
	return 0;
}

int http_address__parse(const char *text, struct http_address *out)
{
	const char *colon = strrchr(text, ':'), *host = "127.0.0.1";
	char buf[INET_ADDRSTRLEN];
	__u64 port;

	*out = (struct http_address){0};
	if (!cli__parse_count(colon ? colon + 1 : text, 0, 65535, &port))
		return -EINVAL;
	if (colon && !strncmp(text, "[::1]", colon - text) && colon - text == 5) {
		out->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
						.sin6_port = htons(port),
						.sin6_addr = IN6ADDR_LOOPBACK_INIT};
		return 0;
	}
	if (colon) {
		if (colon - text >= (long)sizeof(buf))
			return -EINVAL;
		memcpy(buf, text, colon - text);
		buf[colon - text] = 0;
		host = buf;
	}
	return parse_v4(host, port, out);
}

/* --- pages --- */

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type,
			      char *text, size_t len, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(len, text, mode);
	enum MHD_Result result;

	if (!r) {
		if (mode == MHD_RESPMEM_MUST_FREE)
			free(text);
		return MHD_NO;
	}
	MHD_add_response_header(r, "Content-Type", type);
	result = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *c, unsigned status, char *text)
{
	return answer(c, status, "text/plain; charset=utf-8", text, strlen(text),
		      MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result answer_page(struct http *h, struct MHD_Connection *c)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	bool whole;

	if (!out)
		return MHD_NO;
	h->opts.page(h->opts.ctx, out);
	whole = !ferror(out);
	if (fclose(out) || !whole) {
		free(text);
		return MHD_NO;
	}
	return answer(c, MHD_HTTP_OK, h->opts.type, text, len, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_bytes, void **state)
{
	static char not_found[] = "not found\n", not_allowed[] = "only GET and HEAD\n";
	struct http *h = ctx;

	/* The head comes first, then (with bytes) what is uploaded, which nobody wants, then the
	 * end: that is when an answer can be given. */
	if (!*state || *upload_bytes) {
		*state = h;
		*upload_bytes = 0;
		return MHD_YES;
	}
	if (strcmp(method, "GET") && strcmp(method, "HEAD"))
		return answer_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, not_allowed);
	if (strcmp(url, h->opts.path))
		return answer_text(c, MHD_HTTP_NOT_FOUND, not_found);
	return answer_page(h, c);
}

/* --- in the loop --- */

static void run(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(h->daemon);
	if (MHD_get_timeout(h->daemon, &ms) == MHD_YES)
		loop_timer__set(&h->timer, ms / 1e3, 0);
	else
		loop_timer__stop(&h->timer);
}

static void on_epoll(struct loop_fd *f, __u32 events)
{
	run((struct http *)((char *)f - offsetof(struct http, fd)));
}

static void on_timer(struct loop_timer *t)
{
	run((struct http *)((char *)t - offsetof(struct http, timer)));
}

static int start_daemon(struct http *h)
{
	errno = 0;
	h->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | (h->opts.address.any.sa_family == AF_INET6 ? MHD_USE_IPv6 : 0), 0,
		NULL, NULL, on_request, h, MHD_OPTION_SOCK_ADDR, &h->opts.address.any,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
		IDLE_SECONDS, MHD_OPTION_END);
	return h->daemon ? 0 : errno ? -errno : -EIO;
}

/* The port may have been left to the kernel. */
static void tell_address(struct http *h)
{
	struct http_address a = h->opts.address;
	socklen_t len = sizeof(a);

	getsockname(MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_LISTEN_FD)->listen_fd, &a.any,
		    &len);
	if (a.any.sa_family == AF_INET6)
		snprintf(h->address, sizeof(h->address), "[::1]:%u", ntohs(a.v6.sin6_port));
	else
		snprintf(h->address, sizeof(h->address), "%s:%u", inet_ntoa(a.v4.sin_addr),
			 ntohs(a.v4.sin_port));
}

static int watch(struct http *h)
{
	int err = loop_timer__open(&h->timer, h->opts.loop, on_timer);

	if (err)
		return err;
	h->fd.fn = on_epoll;
	h->fd.fd = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	return loop__watch(h->opts.loop, &h->fd, EPOLLIN);
}

int http__new(struct http **out, const struct http_opts *o, char *why, size_t size)
{
	struct http *h = calloc(1, sizeof(*h));
	int err;

	*out = NULL;
	if (!MHD_start_daemon) {
		free(h);
		snprintf(why, size,
			 "this build has no HTTP server; use the dynamically linked one");
		return -ENOSYS;
	}
	if (!h) {
		snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	h->opts = *o;
	err = start_daemon(h) ?: watch(h);
	if (err) {
		snprintf(why, size, "cannot listen for HTTP: %s%s", strerror(-err),
			 err == -EADDRINUSE ? "; choose another port" : "");
		http__free(h);
		return err;
	}
	tell_address(h);
	*out = h;
	return 0;
}

void http__free(struct http *h)
{
	if (!h)
		return;
	loop_timer__close(&h->timer);
	if (h->daemon) {
		if (h->fd.fn)
			loop__unwatch(h->opts.loop, &h->fd);
		MHD_stop_daemon(h->daemon);
	}
	free(h);
}

const char *http__address(const struct http *h)
{
	return h->address;
}
