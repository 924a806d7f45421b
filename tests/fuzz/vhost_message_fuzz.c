// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM that means no good. The input is a script of what it sends to a device that listens on a
 * socket: vhost-user messages with any descriptors, bytes that are none, what the guest writes to
 * its memory meanwhile, memory that is truncated, connections that end and begin anew.
 *
 * The device and its data side run in this thread, a few rounds of the loop after each step. What
 * must hold: it comes to an end, no descriptor and no mapping is left, what is handed to the data
 * side lies in guest memory, and answers are well-formed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../cache/vhost/blk.h"
#include "../../cache/vhost/closer.h"
#include "../../cache/vhost/vhost_dev.h"
#include "../vhost/wire.h"
#include "script.h"

#define QUEUES 2
#define RING_SIZE 16
#define HELD 4
#define DISK_BYTES (1ULL << 18)

/* Where the VMM has its memory. Of each ring: descriptors, available, used, headers; then data. */
#define HVA 0x7f0000000000ULL
#define RING_PAGES 4
#define RAM_PAGES 32

/* What a message's descriptors may be. */
enum { RAM, MORE_RAM, EMPTY, ODD, KICK, CALL, CLOSED, NO_FILE, LOG, FILES };

/* Two regions' files are of memory, and may be truncated. */
#define MEMORIES 4

static struct {
	struct loop *loop;
	struct loop_poll poll;
	unsigned rounds;

	/* The device and its data side. */
	struct vhost_dev *dev;
	struct blk_disk blk;
	struct vring *ring[QUEUES], *stopping[QUEUES];
	struct vring_chain held[QUEUES][HELD];
	unsigned nr_held[QUEUES];
	bool late, connected, freed;

	/* The VMM. */
	struct sockaddr_un address;
	int sock, file[FILES];
} s;

/* --- the data side --- */

static void check_segs(const struct vring_chain *c)
{
	const struct guest_memory *m = vhost_dev__memory(s.dev);

	check(c->nr_out <= VRING_SEGS && c->nr_in <= VRING_SEGS - c->nr_out);
	for (unsigned i = 0; i < c->nr_out + c->nr_in; i++) {
		__u64 there = c->seg[i].bytes;

		check(there && guest_memory__at(m, c->seg[i].gpa, &there) == c->seg[i].base);
		check(there == c->seg[i].bytes);
	}
}

static __u32 carry_out(const struct blk_request *r)
{
	static char taken[DISK_BYTES];
	__u32 done = 0;

	if (r->op == BLK_ID)
		return blk_request__put_id(r, &s.blk);
	for (unsigned i = 0; i < r->nr_data; i++) {
		if (r->op == BLK_READ)
			memset(r->data[i].base, 0xa5, r->data[i].bytes);
		else
			memcpy(taken + done, r->data[i].base, r->data[i].bytes);
		done += r->data[i].bytes;
	}
	return r->op == BLK_READ ? done : 0;
}

static __u32 serve(struct vring_chain *c)
{
	static struct blk_request r;
	int status = blk_request__parse(&s.blk, c, &r);

	if (status == -EBADMSG)
		return 0;
	return blk_request__finish(&r, status, status ? 0 : carry_out(&r));
}

static void answer_held(unsigned q, struct vring *r)
{
	for (; s.nr_held[q]; s.nr_held[q]--) {
		struct vring_chain *c = &s.held[q][s.nr_held[q] - 1];

		vring__push(r, c->head, serve(c));
	}
	vring__notify(r);
}

/* Requests stay in flight until the next round. */
static void serve_ring(unsigned q, struct vring *r)
{
	const char *reason;
	int got = 1;

	vring__disarm(r);
	answer_held(q, r);
	while (got && s.nr_held[q] < HELD) {
		struct vring_chain *c = &s.held[q][s.nr_held[q]];

		got = vring__pop(r, c, &reason);
		check(got >= 0 || reason);
		if (got == -EPROTO)
			break;
		if (got == -EBADMSG)
			vring__push(r, c->head, 0);
		if (got != 1)
			continue;
		check_segs(c);
		s.nr_held[q]++;
	}
	vring__arm(r);
}

static void on_start(void *ctx, struct vring *r)
{
	unsigned q = vring__index(r);

	check(q < QUEUES && !s.ring[q] && !s.stopping[q] && vhost_dev__memory(s.dev)->nr);
	s.ring[q] = r;
}

static void on_stop(void *ctx, struct vring *r)
{
	unsigned q = vring__index(r);

	check(q < QUEUES && s.ring[q] == r);
	answer_held(q, r);
	s.ring[q] = NULL;
	if (s.late)
		s.stopping[q] = r;
	else
		vhost_dev__stopped(s.dev, r);
}

static void on_memory(void *ctx)
{
	for (unsigned q = 0; q < QUEUES; q++)
		check(!s.ring[q] && !s.stopping[q]);
}

static void on_front_end(void *ctx, bool connected, pid_t pid)
{
	check(connected != s.connected);
	s.connected = connected;
}

static void on_warn(void *ctx, const char *line)
{
	check(*line && !strchr(line, '\n'));
}

static const struct vhost_dev_ops ops = {on_start, on_stop, on_memory, on_front_end, on_warn};

static bool poll_all(struct loop_poll *p)
{
	unsigned running = 0;

	for (unsigned q = 0; q < QUEUES; q++) {
		struct vring *r = s.stopping[q];

		s.stopping[q] = NULL;
		if (r)
			vhost_dev__stopped(s.dev, r);
		if (s.ring[q])
			serve_ring(q, s.ring[q]);
	}
	for (unsigned q = 0; q < QUEUES; q++)
		running += s.ring[q] || s.stopping[q];
	check(s.freed || running == vhost_dev__running(s.dev));
	if (!s.rounds--)
		loop__stop(s.loop);
	return false;
}

static void rounds(unsigned n)
{
	s.rounds = n;
	loop__run(s.loop);
}

/* --- what came is closed: here and now, so that a run is always the same --- */

struct closer *closer__new(struct loop *loop, void (*idle)(void *ctx), void *ctx)
{
	return malloc(1);
}

void closer__free(struct closer *c)
{
	free(c);
}

void closer__close(struct closer *c, int fd)
{
	if (fd >= 0)
		close(fd);
}

void closer__signal(struct closer *c, int fd)
{
	if (eventfd_write(fd, 1))
		check(errno == EAGAIN);
}

bool closer__is_idle(struct closer *c)
{
	return true;
}

/* --- the VMM --- */

static void send_bytes(const void *data, size_t n, const int *fds, unsigned nr_fds)
{
	union {
		char buffer[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec v = {(void *)data, n};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};

	if (nr_fds) {
		h.msg_control = control.buffer;
		h.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		control.align =
			(struct cmsghdr){CMSG_LEN(nr_fds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), fds, nr_fds * sizeof(int));
	}
	/* It may have been left, or not be read from. */
	if (sendmsg(s.sock, &h, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

/* On the wire, header and payload have nothing between them. */
static void send_as_it_is(const struct vu_msg *m, const int *fds, unsigned nr_fds)
{
	char buffer[sizeof(m->header) + VU_PAYLOAD];

	memcpy(buffer, &m->header, sizeof(m->header));
	memcpy(buffer + sizeof(m->header), m->bytes, m->header.bytes);
	send_bytes(buffer, sizeof(m->header) + m->header.bytes, fds, nr_fds);
}

static void send_message(__u32 request, const void *payload, __u32 bytes, int file)
{
	struct vu_msg m = {.header = {request, VU_VERSION, bytes}};

	memcpy(m.bytes, payload, bytes);
	send_as_it_is(&m, file < 0 ? NULL : &s.file[file], file >= 0);
	rounds(1);
}

static void send_u64(__u32 request, __u64 value, int file)
{
	send_message(request, &value, sizeof(value), file);
}

static void send_state(__u32 request, __u32 index, __u32 num)
{
	send_message(request, &(struct vu_state){index, num}, sizeof(struct vu_state), -1);
}

static void set_up_ring(unsigned q)
{
	__u64 at = HVA + q * RING_PAGES * GUEST_PAGE;
	struct vu_addr a = {q, 0, at, at + 2 * GUEST_PAGE, at + GUEST_PAGE, 0};

	send_state(VU_SET_VRING_NUM, q, RING_SIZE);
	send_state(VU_SET_VRING_BASE, q, 0);
	send_message(VU_SET_VRING_ADDR, &a, sizeof(a), -1);
	send_u64(VU_SET_VRING_CALL, q, CALL);
	send_u64(VU_SET_VRING_KICK, q, KICK);
	send_state(VU_SET_VRING_ENABLE, q, 1);
}

/* All that a VMM sends, as it should be, but for what `how` leaves out or has otherwise. */
static void set_up(__u8 how)
{
	struct vu_region ram = {0, RAM_PAGES * GUEST_PAGE, HVA, 0};
	struct vu_slot slot = {0, ram};
	struct vu_table table = {1, 0, {ram}};

	send_u64(VU_SET_FEATURES, VU_F_PROTOCOL_FEATURES | (how & 1 ? 3ULL << 28 : 0), -1);
	send_u64(VU_SET_PROTOCOL_FEATURES,
		 VU_P_MQ | VU_P_REPLY_ACK | VU_P_CONFIG | VU_P_INFLIGHT_SHMFD | VU_P_RESET_DEVICE |
			 VU_P_CONFIGURE_MEM_SLOTS,
		 -1);
	if (how & 2)
		send_message(VU_ADD_MEM_REG, &slot, sizeof(slot), RAM);
	else
		send_message(VU_SET_MEM_TABLE, &table, 8 + sizeof(ram), RAM);
	set_up_ring(0);
	if (how & 4)
		set_up_ring(1);
}

/* Any number of descriptors, more than may be as well. */
static void send_any(struct script *c)
{
	struct vu_msg m = {.header = {script__u8(c), VU_VERSION, 0}};
	__u8 flags = script__u8(c), fds = script__u8(c);
	int fd[16];

	m.header.bytes = script__u16(c) % 300;
	script__bytes(c, m.bytes, m.header.bytes);
	m.header.flags = flags & 0x80 ? flags : VU_VERSION | (flags & VU_NEED_REPLY);
	for (unsigned i = 0; i < 16; i++)
		fd[i] = s.file[((fds >> 4) + i) % FILES];
	send_as_it_is(&m, fd, fds & 15);
}

static void send_raw(struct script *c)
{
	__u8 bytes[256], n = script__u8(c);

	script__bytes(c, bytes, n);
	if (n)
		send_bytes(bytes, n, NULL, 0);
}

static void keep_log(struct msghdr *h, __u32 request)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(h);

	if (!c)
		return;
	check(request == VU_GET_INFLIGHT_FD && c->cmsg_len == CMSG_LEN(sizeof(int)));
	close(s.file[LOG]);
	memcpy(&s.file[LOG], CMSG_DATA(c), sizeof(int));
}

/* False: there is none, or not all of it. */
static bool read_reply(void)
{
	union {
		char buffer[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct vu_header header;
	struct iovec v = {&header, sizeof(header)};
	struct msghdr h = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = control.buffer,
			   .msg_controllen = sizeof(control.buffer)};
	char payload[512];

	if (recvmsg(s.sock, &h, MSG_DONTWAIT) != sizeof(header))
		return false;
	check(header.flags == (VU_VERSION | VU_REPLY) && header.bytes <= sizeof(payload));
	keep_log(&h, header.request);
	return !header.bytes || recv(s.sock, payload, header.bytes, MSG_DONTWAIT) == header.bytes;
}

static void read_replies(void)
{
	while (read_reply())
		;
}

static void write_memory(struct script *c)
{
	__u8 bytes[256], file = script__u8(c) % MEMORIES, n;
	off_t at = script__u32(c) % (RAM_PAGES * GUEST_PAGE);

	n = script__u8(c);
	script__bytes(c, bytes, n);
	check(pwrite(s.file[file], bytes, n, at) == n);
}

static void truncate_memory(struct script *c)
{
	__u8 file = script__u8(c) % MEMORIES, pages = script__u8(c) % (RAM_PAGES + 1);

	check(!ftruncate(s.file[file], (off_t)pages * GUEST_PAGE));
}

static void dial(void)
{
	s.sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(s.sock >= 0);
	check(!connect(s.sock, (struct sockaddr *)&s.address, sizeof(s.address)));
	rounds(2);
	check(s.connected);
}

static void hang_up(void)
{
	read_replies();
	close(s.sock);
	for (unsigned i = 0; i < 1000 && s.connected; i++)
		rounds(1);
	check(!s.connected && !vhost_dev__memory(s.dev)->nr);
}

enum { ANY, RAW, SET_UP, WRITE, TRUNCATE, READ, AGAIN, WAIT, STEPS };

static void step(struct script *c)
{
	switch (script__u8(c) % STEPS) {
	case ANY:
		send_any(c);
		break;
	case RAW:
		send_raw(c);
		break;
	case SET_UP:
		set_up(script__u8(c));
		break;
	case WRITE:
		write_memory(c);
		break;
	case TRUNCATE:
		truncate_memory(c);
		break;
	case READ:
		read_replies();
		break;
	case AGAIN:
		hang_up();
		dial();
		break;
	case WAIT:
		break;
	}
	rounds(3);
}

/* --- a run --- */

static int memory_file(size_t bytes)
{
	int fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	check(fd >= 0 && !ftruncate(fd, bytes));
	return fd;
}

/* A read, a write and a flush are there when a ring starts. */
static void fill_ring(unsigned q)
{
	const __u64 base = (__u64)q * RING_PAGES * GUEST_PAGE, data = 16 * GUEST_PAGE;
	const __u64 headers = base + 3 * GUEST_PAGE;
	struct {
		__u64 gpa;
		__u32 bytes;
		__u16 flags, next;
	} desc[8] = {
		{headers, 16, 1, 1},	  {data, 4096, 3, 2},	     {headers + 256, 1, 2, 0},
		{headers + 16, 16, 1, 4}, {data + 8192, 8192, 1, 5}, {headers + 257, 1, 2, 0},
		{headers + 32, 16, 1, 7}, {headers + 258, 1, 2, 0},
	};
	const __u64 header[6] = {0, 8, 1, 64, 4, 0};
	const __u16 avail[5] = {0, 3, 0, 3, 6};

	check(pwrite(s.file[RAM], desc, sizeof(desc), base) == sizeof(desc));
	check(pwrite(s.file[RAM], avail, sizeof(avail), base + GUEST_PAGE) == sizeof(avail));
	check(pwrite(s.file[RAM], header, sizeof(header), headers) == sizeof(header));
}

static void make_files(void)
{
	int pair[2];

	s.file[RAM] = memory_file(RAM_PAGES * GUEST_PAGE);
	s.file[MORE_RAM] = memory_file(8 * GUEST_PAGE);
	s.file[EMPTY] = memory_file(0);
	s.file[ODD] = memory_file(5000);
	s.file[KICK] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s.file[CALL] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	close(pair[1]);
	s.file[CLOSED] = pair[0];
	s.file[NO_FILE] = open("/dev/null", O_RDWR | O_CLOEXEC);
	s.file[LOG] = memory_file(16 * GUEST_PAGE);
	for (unsigned q = 0; q < QUEUES; q++)
		fill_ring(q);
}

/* Only a file that nobody has mapped can be sealed against writing. */
static void close_files(void)
{
	for (unsigned i = 0; i < MEMORIES; i++)
		check(!fcntl(s.file[i], F_ADD_SEALS, F_SEAL_WRITE));
	for (unsigned i = 0; i < FILES; i++)
		close(s.file[i]);
}

static void make_device(__u8 how)
{
	struct virtio_blk_config config;
	struct vhost_dev_opts o = {.sz = sizeof(o),
				   .socket = s.address.sun_path,
				   .queues = QUEUES,
				   .config = &config,
				   .config_bytes = sizeof(config),
				   .ops = &ops};
	char why[256];

	s.late = how & 1;
	s.blk = (struct blk_disk){.bytes = DISK_BYTES,
				  .block_bytes = 512,
				  .physical_bytes = 4096,
				  .queues = QUEUES,
				  .read_only = how & 2,
				  .discard = true,
				  .write_zeroes = true,
				  .id = "fuzz"};
	s.loop = o.loop = loop__new();
	check(s.loop);
	/* It never sleeps, so that a run ends. */
	loop__spin(s.loop, ~0ULL);
	o.features = blk_disk__features(&s.blk);
	blk_disk__config(&s.blk, &config);
	check(!vhost_dev__new(&s.dev, &o, why, sizeof(why)));
	s.poll = (struct loop_poll){.fn = poll_all};
	loop__add_poll(s.loop, &s.poll);
}

static void on_freed(void *ctx)
{
	s.freed = true;
}

static void free_device(void)
{
	vhost_dev__free(s.dev, on_freed, NULL);
	for (unsigned i = 0; i < 1000 && !s.freed; i++)
		rounds(1);
	check(s.freed && !s.connected);
	loop__free(s.loop);
}

static unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	check(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script c = {data, size};
	unsigned fds = count_fds();

	memset(&s, 0, sizeof(s));
	s.address.sun_family = AF_UNIX;
	snprintf(s.address.sun_path, sizeof(s.address.sun_path), "/tmp/vhost-message-fuzz.%d",
		 getpid());
	make_files();
	make_device(script__u8(&c));
	dial();
	while (c.left)
		step(&c);
	/* The VMM goes first, or the server. */
	if (size & 1)
		hang_up();
	free_device();
	if (!(size & 1))
		close(s.sock);
	close_files();
	check(count_fds() == fds);
	return 0;
}
