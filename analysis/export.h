/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reports as CSV files with a gnuplot script, and as JSON, one object a line.
 *
 * events.csv   vm,space,kind,count       kind: fill, writeback, eviction, discard, cold, refault,
 *                                        unseen, stale, uncaptured, access_ordered,
 *                                        ghost_dropped, lost. Space "host" holds what is
 *                                        counted by the host's tracepoints, never sampled:
 *                                        kvm_fault, kvm_map, frame_discard, page_out, page_in,
 *                                        cache_add, cache_drop, io, io_error, frameless, partial
 * reuse.csv    vm,space,kind,low_pages,high_pages,count
 *                                        kind refault: a log2 bucket of reuse distances, both
 *                                        ends included; kind cold and unseen: one row each,
 *                                        without ends
 * latency.csv  vm,op,low_ns,high_ns,count  op: read, write; low included, high not; the first
 *                                        bucket also holds all that is shorter, the last all
 *                                        that is longer
 * curve.csv    vm,space,order,size_pages,size_bytes,misses,accesses,miss_ratio,error
 * checks.csv   vm,at_s,before_pages,now_pages,seconds,smaller_per_s,predicted_per_s,error_per_s,
 *              observed_per_s,difference   one row a change of memory: see self_check.h
 * curve.gp     `gnuplot curve.gp` in the folder leaves curve.svg: all curves of the disk space
 *              (and of the mem space, beside it, when there are any) with their error bands
 *
 * Buckets without a count are left out. CSV fields are quoted as in RFC 4180.
 */
#ifndef HVTRACE_EXPORT_H
#define HVTRACE_EXPORT_H

#include <stddef.h>
#include <stdio.h>

#include "report.h"

struct export_fault {
	int err;	 /* -errno */
	char path[4096]; /* the file (or folder) it happened to */
};

/* Writes all files into dir, which is made (not its parents) if missing. 0, or -errno with the
 * file in fault; files written before it stay. */
int export__folder(const char *dir, struct vm_report *const *reports, size_t n,
		   struct export_fault *fault);

/* One table to a stream, flushed. -errno of the first write that failed. */
int export__events_csv(FILE *out, struct vm_report *const *reports, size_t n);
int export__reuse_csv(FILE *out, struct vm_report *const *reports, size_t n);
int export__latency_csv(FILE *out, struct vm_report *const *reports, size_t n);
int export__curve_csv(FILE *out, struct vm_report *const *reports, size_t n);
/* The curves without the heading. */
int export__curve_rows(FILE *out, struct vm_report *const *reports, size_t n);
int export__checks_csv(FILE *out, struct vm_report *const *reports, size_t n);
int export__gnuplot(FILE *out, struct vm_report *const *reports, size_t n);

/*
 * A report as JSON lines, each with "type" and "vm", flushed:
 *   {"type":"events","vm":..,"space":..,"order":..,"fill":N,...,"tracked":N,"ghosts":N}
 *   {"type":"reuse","vm":..,"space":..,"cold":N,"unseen":N,"buckets":[[low,high,count],...]}
 *   {"type":"latency","vm":..,"op":..,"buckets":[[low_ns,high_ns,count],...]}
 *   {"type":"curve","vm":..,"space":..,"order":..,"columns":["size_pages","misses","accesses",
 *    "miss_ratio","error"],"points":[[..],...]}; of a part of the past also "window_s",
 *    "half_life_s" or the like: see past__json()
 *   {"type":"check","vm":..,"at_s":..,...} as in checks.csv, and "differs"
 */
int export__json(FILE *out, const struct vm_report *report);
/* One of these. */
void export__check_json(FILE *out, const char *name, const struct check *c);
/* ..."columns" and "points" of a curve alone, to go into an object of any type. */
void export__json_points(FILE *out, const struct curve_point *points, size_t n);
/* A string as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void export__json_string(FILE *out, const char *s);
/* A CSV field, quoted when it has to be. */
void export__csv_field(FILE *out, const char *s);

#endif
