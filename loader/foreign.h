/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rings of a served disk do not show: writes to its image by others, and guest memory that
 * the VMM gave up. Seen through tracepoints, so as root (CAP_BPF, CAP_PERFMON) only.
 *
 * "Others" are all but this process. A write is told when it is issued (when a page is dirtied, if
 * it goes through the page cache), and a direct one once more after a second or two, for whoever
 * read the page while it was on its way. Seen are:
 *   block devices  writes and discards through the device, its partitions, the disk it is a
 *                  partition of, devices stacked upon it; not commands passed through (SG_IO), nor
 *                  those of request-based multipath, nor writes below a device that is stacked
 *                  itself;
 *   image files    writes through the page cache (mmap, too), and direct ones, on ext4, XFS,
 *                  btrfs, F2FS and GFS2; holes and truncation on ext4 only; no cloned ranges.
 */
#ifndef HVTRACE_FOREIGN_H
#define HVTRACE_FOREIGN_H

#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>

struct foreign;

/* Called from foreign__poll() only. */
struct foreign_ops {
	/* Somebody else writes to an image: count pages from page on; may be past its end. */
	void (*written)(void *ctx, __u16 id, __u64 page, __u64 count);
	/* A VMM gave up what backs these of its addresses, bytes. */
	void (*unmapped)(void *ctx, pid_t vmm, __u64 hva, __u64 bytes);
	/* So many writes were lost: any page of any image may have been written. Whatever is cached
	 * or known of frames is to be dropped. */
	void (*lost)(void *ctx, __u64 n);
	/* So many times memory was given up without a word: some frames may not hold what they are
	 * thought to. */
	void (*missed)(void *ctx, __u64 n);
};

/* Load and attach. -errno, with a sentence in why that says what is missing: -EPERM, -ENOSYS, ...
 */
int foreign__new(struct foreign **out, const struct foreign_ops *ops, void *ctx, char *why,
		 size_t size);
void foreign__free(struct foreign *f); /* NULL is fine */

/* For epoll: readable when foreign__poll() has something to do. */
int foreign__fd(const struct foreign *f);
void foreign__poll(struct foreign *f);

/* Watch an image (a file or a block device, as opened for serving; fd stays open and the caller's)
 * before anything of it is cached. 0: all that is listed above is seen. 1: some is not, and why is
 * a sentence about that. -errno, why: nothing is. */
int foreign__add_image(struct foreign *f, __u16 id, int fd, char *why, size_t size);
void foreign__remove_image(struct foreign *f, __u16 id); /* before fd is closed */

/* Watch a VMM's memory, by the process id that SO_PEERCRED tells. 0, also when there is no KVM yet
 * (it is waited for); -errno, with a sentence in why. Twice is as good as once. */
int foreign__add_vmm(struct foreign *f, pid_t vmm, char *why, size_t size);
void foreign__remove_vmm(struct foreign *f, pid_t vmm);

#endif
