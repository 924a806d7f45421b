// SPDX-License-Identifier: GPL-2.0
/* What is watched for others' doings, and what comes of it. */
#define _GNU_SOURCE
#include "foreign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../bpf/foreign.h"
#include "../bpf/page_event.h"
#include "foreign_image.h"
#include "foreign_programs.h"

/* Told of in one poll: a VMM gives up memory as often as it likes, and as much, while others'
 * writes wait to be told. */
#define UNMAPS 1024
#define UNMAPPED_BYTES (1ULL << 36)

struct foreign {
	const struct foreign_ops *ops;
	void *ctx;
	struct foreign_programs *programs;
	struct foreign_image *images;
	size_t nr_images;
	struct {
		pid_t *pid;
		size_t nr;
	} vmms;
	__u64 lost, missed;	      /* told so far */
	__u64 unmaps, unmapped_bytes; /* in this poll */
	int epoll_fd, timer_fd;
	bool ticking;
};

/* --------------------------------------------------------------- ticks */

static bool tick_is_needed(const struct foreign *f)
{
	if (f->vmms.nr && !foreign_programs__has_kvm(f->programs))
		return true;
	for (size_t i = 0; i < f->nr_images; i++) {
		if (!later__is_empty(&f->images[i].later))
			return true;
	}
	return false;
}

static void set_timer(struct foreign *f)
{
	bool needed = tick_is_needed(f);
	const struct itimerspec second = {
		.it_value.tv_sec = needed,
		.it_interval.tv_sec = needed,
	};

	if (needed != f->ticking && !timerfd_settime(f->timer_fd, 0, &second, NULL))
		f->ticking = needed;
}

static void tell_due(struct foreign *f, const struct foreign_image *i)
{
	const struct ranges *due = &i->later.due;

	for (size_t k = 0; k < due->n; k++)
		f->ops->written(f->ctx, i->id, due->range[k].page,
				due->range[k].end - due->range[k].page);
}

static void tick(struct foreign *f)
{
	__u64 times;

	if (read(f->timer_fd, &times, sizeof(times)) != sizeof(times))
		return;
	for (size_t i = 0; i < f->nr_images; i++) {
		later__tick(&f->images[i].later);
		tell_due(f, &f->images[i]);
	}
	if (f->vmms.nr)
		foreign_programs__attach_kvm(f->programs);
}

/* --------------------------------------------------------------- events */

static __u64 end_of(__u64 first, __u64 bytes)
{
	return bytes > FOREIGN_ALL - first ? FOREIGN_ALL : first + bytes;
}

/* Bytes [first, end) of an image: whatever page they touch. */
static void tell_written(struct foreign *f, struct foreign_image *i, __u64 first, __u64 end,
			 bool again)
{
	__u64 page = first >> PAGE_SHIFT_4K;
	__u64 past = (end >> PAGE_SHIFT_4K) + !!(end % PAGE_BYTES);

	if (page >= past)
		return;
	f->ops->written(f->ctx, i->id, page, past - page);
	if (again)
		later__add(&i->later, page, past);
}

static void on_file(struct foreign *f, const struct foreign_event *e)
{
	for (size_t k = 0; k < f->nr_images; k++) {
		if (f->images[k].mapping == e->who)
			tell_written(f, &f->images[k], e->first, end_of(e->first, e->bytes),
				     e->kind == FOREIGN_FILE);
	}
}

static void on_disk(struct foreign *f, const struct foreign_event *e)
{
	for (size_t k = 0; k < f->nr_images; k++) {
		struct foreign_image *i = &f->images[k];
		__u64 first = e->first > i->first ? e->first : i->first;
		__u64 end = end_of(e->first, e->bytes);

		if (end > i->end)
			end = i->end;
		if (i->is_device && i->disk == e->who && first < end)
			tell_written(f, i, first - i->first, end - i->first, true);
	}
}

static int on_unmap(struct foreign *f, const struct foreign_event *e)
{
	f->ops->unmapped(f->ctx, e->who, e->first, e->bytes);
	f->unmaps++;
	f->unmapped_bytes = end_of(f->unmapped_bytes, e->bytes);
	return f->unmaps < UNMAPS && f->unmapped_bytes < UNMAPPED_BYTES ? 0 : -EAGAIN;
}

static int on_event(void *ctx, void *data, size_t size)
{
	const struct foreign_event *e = data;
	struct foreign *f = ctx;

	switch (e->kind) {
	case FOREIGN_DIRTY:
	case FOREIGN_FILE:
		on_file(f, e);
		break;
	case FOREIGN_DISK:
		on_disk(f, e);
		break;
	case FOREIGN_UNMAP:
		return on_unmap(f, e);
	}
	return 0;
}

static void check_lost(struct foreign *f)
{
	__u64 lost = foreign_programs__lost(f->programs), n = lost - f->lost;

	if (!n)
		return;
	f->lost = lost;
	f->ops->lost(f->ctx, n);
	for (size_t i = 0; i < f->nr_images; i++)
		later__add(&f->images[i].later, 0, FOREIGN_ALL >> PAGE_SHIFT_4K);
}

static void check_missed(struct foreign *f)
{
	__u64 missed = foreign_programs__missed(f->programs), n = missed - f->missed;

	f->missed = missed;
	if (n)
		f->ops->missed(f->ctx, n);
}

void foreign__poll(struct foreign *f)
{
	tick(f);
	f->unmaps = f->unmapped_bytes = 0;
	foreign_programs__consume(f->programs);
	check_lost(f);
	check_missed(f);
	set_timer(f);
}

/* ----------------------------------------------------------------- life */

static int watch(const struct foreign *f, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};

	return epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

static int open_fds(struct foreign *f, char *why, size_t size)
{
	int err = 0;

	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	f->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (f->epoll_fd < 0 || f->timer_fd < 0)
		err = -errno;
	if (!err)
		err = watch(f, f->timer_fd);
	if (!err)
		err = watch(f, foreign_programs__fd(f->programs));
	if (err)
		snprintf(why, size, "no event descriptors: %s; raise the limit (ulimit -n)",
			 strerror(-err));
	return err;
}

int foreign__new(struct foreign **out, const struct foreign_ops *ops, void *ctx, char *why,
		 size_t size)
{
	struct foreign *f = calloc(1, sizeof(*f));
	int err;

	if (!f) {
		snprintf(why, size, "no memory to watch writes by others");
		return -ENOMEM;
	}
	f->ops = ops;
	f->ctx = ctx;
	f->epoll_fd = f->timer_fd = -1;
	err = foreign_programs__new(&f->programs, on_event, f, why, size);
	if (!err)
		err = open_fds(f, why, size);
	if (err) {
		foreign__free(f);
		return err;
	}
	*out = f;
	return 0;
}

void foreign__free(struct foreign *f)
{
	if (!f)
		return;
	if (f->timer_fd >= 0)
		close(f->timer_fd);
	if (f->epoll_fd >= 0)
		close(f->epoll_fd);
	foreign_programs__free(f->programs);
	free(f->images);
	free(f->vmms.pid);
	free(f);
}

int foreign__fd(const struct foreign *f)
{
	return f->epoll_fd;
}

/* --------------------------------------------------------------- images */

/* What the programs are to look for on a disk: from the first image on it to the last. */
static int set_disk(struct foreign *f, __u32 disk)
{
	struct foreign_part part = {.first = FOREIGN_ALL};

	for (size_t k = 0; k < f->nr_images; k++) {
		const struct foreign_image *i = &f->images[k];

		if (!i->is_device || i->disk != disk)
			continue;
		part.first = i->first < part.first ? i->first : part.first;
		part.end = i->end > part.end ? i->end : part.end;
	}
	return foreign_programs__set_disk(f->programs, disk, &part);
}

/* Several may be of one file: read-only ones. */
static int set_file(struct foreign *f, __u64 mapping)
{
	bool watched = false;

	for (size_t k = 0; k < f->nr_images; k++)
		watched |= f->images[k].mapping == mapping;
	return foreign_programs__set_file(f->programs, mapping, watched);
}

static int set_programs(struct foreign *f, const struct foreign_image *i)
{
	int err = set_file(f, i->mapping);

	return !err && i->is_device ? set_disk(f, i->disk) : err;
}

static int find_mapping(struct foreign *f, struct foreign_image *i, int fd, char *why, size_t size)
{
	long page = sysconf(_SC_PAGESIZE);
	void *at = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	int err = at == MAP_FAILED ? -errno : 0;

	if (!err) {
		err = foreign_programs__identify(f->programs, at, &i->mapping, &i->magic);
		munmap(at, page);
	}
	if (err)
		snprintf(why, size,
			 "can't watch it for writes by others: %s; see that nobody "
			 "else writes to it",
			 strerror(-err));
	return err;
}

static int append(struct foreign *f, const struct foreign_image *i)
{
	struct foreign_image *more = reallocarray(f->images, f->nr_images + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	f->images = more;
	f->images[f->nr_images++] = *i;
	return 0;
}

int foreign__add_image(struct foreign *f, __u16 id, int fd, char *why, size_t size)
{
	struct foreign_image i;
	int err = foreign_image__init(&i, id, fd, why, size);

	if (!err)
		err = foreign_programs__attach(f->programs, why, size);
	if (!err)
		err = find_mapping(f, &i, fd, why, size);
	if (err)
		return err;
	err = append(f, &i);
	if (!err)
		err = set_programs(f, &i);
	if (err) {
		foreign__remove_image(f, id);
		snprintf(why, size,
			 "can't watch it for writes by others: %s (%d files or disks "
			 "can be)",
			 strerror(-err), FOREIGN_MAX);
		return err;
	}
	return foreign_image__has_gaps(&i, fd, foreign_programs__sees_direct(f->programs), why,
				       size);
}

void foreign__remove_image(struct foreign *f, __u16 id)
{
	struct foreign_image was;

	for (size_t k = 0; k < f->nr_images; k++) {
		if (f->images[k].id != id)
			continue;
		was = f->images[k];
		f->images[k] = f->images[--f->nr_images];
		set_programs(f, &was);
		return;
	}
}

/* ----------------------------------------------------------------- VMMs */

/* Its place among those watched, or their number. */
static size_t find_vmm(const struct foreign *f, pid_t vmm)
{
	size_t i = 0;

	while (i < f->vmms.nr && f->vmms.pid[i] != vmm)
		i++;
	return i;
}

static int append_vmm(struct foreign *f, pid_t vmm)
{
	pid_t *more = reallocarray(f->vmms.pid, f->vmms.nr + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	f->vmms.pid = more;
	f->vmms.pid[f->vmms.nr++] = vmm;
	return foreign_programs__set_vmm(f->programs, vmm, true);
}

int foreign__add_vmm(struct foreign *f, pid_t vmm, char *why, size_t size)
{
	int err;

	if (find_vmm(f, vmm) < f->vmms.nr)
		return 0;
	if (!foreign_programs__knows_pids(f->programs)) {
		snprintf(why, size,
			 "what memory process %d gives up is not seen from inside a pid namespace; "
			 "run on the host itself",
			 vmm);
		return -EXDEV;
	}
	err = append_vmm(f, vmm);
	if (!err)
		err = foreign_programs__attach_kvm(f->programs);
	if (err && err != -ENOENT) {
		snprintf(why, size, "can't watch what memory process %d gives up: %s", vmm,
			 strerror(-err));
		foreign__remove_vmm(f, vmm);
		return err;
	}
	set_timer(f); /* without KVM: to look for it */
	return 0;
}

void foreign__remove_vmm(struct foreign *f, pid_t vmm)
{
	size_t i = find_vmm(f, vmm);

	if (i == f->vmms.nr)
		return;
	f->vmms.pid[i] = f->vmms.pid[--f->vmms.nr];
	foreign_programs__set_vmm(f->programs, vmm, false);
	set_timer(f);
}
