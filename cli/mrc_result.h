/* SPDX-License-Identifier: GPL-2.0 */
/* What hvtrace mrc found: the traces it read, and the curves of each. */
#ifndef HVTRACE_MRC_RESULT_H
#define HVTRACE_MRC_RESULT_H

#include "../analysis/report.h"
#include "../loader/recording.h"
#include "mrc_every.h"
#include "mrc_options.h"
#include "policy_set.h"

/* Of a foreign trace. */
struct trace_facts {
	bool timed;
	__u64 span;	       /* ns, when timed */
	__u64 bad;	       /* records skipped */
	double seconds;	       /* that reading it took */
	double distinct_error; /* of counts.cold: pages told apart */
	struct mrc_counts counts;
};

/* One curve: of a VM in a recording, or of a foreign trace. */
struct mrc_result {
	struct recording_vm vm;			     /* of a recording */
	__u64 span;				     /* ns from its first event to its last */
	struct trace_facts trace;		     /* of a foreign trace */
	struct vm_report *report;		     /* what is drawn */
	struct vm_report *at;			     /* with the sizes of the table */
	struct vm_report *fine;			     /* with what sizes are read off */
	struct policy_curves *policies[PAGE_SPACES]; /* NULL: none */
};

/* One TRACE. */
struct mrc_source {
	const char *path;
	const char *format;
	char *name;		 /* to call it by: no other one has it */
	bool own;		 /* a recording */
	bool done;		 /* there is something to tell */
	__u64 events, threshold; /* of a recording */
	struct recording_loss loss;
	struct mrc_result *results;
	size_t nr;
	struct mrc_every *every; /* the same for all */
	bool alone;		 /* there is no other */
};

struct mrc_sources {
	struct mrc_source *v;
	size_t n;
	struct mrc_every every;
};

/* One for each path, with its name; false: out of memory. */
bool mrc_sources__init(struct mrc_sources *s, const struct mrc_options *o);
void mrc_sources__free(struct mrc_sources *s);
/* One more result, all zero; NULL: out of memory. */
struct mrc_result *mrc_source__add(struct mrc_source *s);

/* Reading one: an exit status, after a line if it is not CLI_DONE. `s` has what was found all the
 * same: a recording is good up to where it is damaged. */
struct trace;
int mrc_recording__read(struct mrc_source *s, const struct mrc_options *o, struct trace *t);
int mrc_trace__read(struct mrc_source *s, const struct mrc_options *o, struct trace *t);

/* Read all of them: an exit status, after a line for each that cannot be read. */
int mrc_sources__read(struct mrc_sources *s, const struct mrc_options *o);
/* Names that VMs share get the pid, or the trace's name, to them. -ENOMEM. */
int mrc_sources__settle_names(struct mrc_sources *s);
/* As the options want it: an exit status, after a line if it is not CLI_DONE. */
int mrc_sources__write_csv(const struct mrc_sources *s, const struct mrc_options *o);
int mrc_sources__tell(const struct mrc_sources *s, const struct mrc_options *o);

#endif
