/* SPDX-License-Identifier: GPL-2.0 */
/* The settings of hvtrace plan: by option, and by a file under the same names. */
#ifndef HVTRACE_PLAN_OPTIONS_H
#define HVTRACE_PLAN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "../bpf/page_event.h"
#include "../analysis/plan/hosts_csv.h"
#include "group_list.h"
#include "plan_facts.h"

#define PLAN_WHY 512

/* Where VMs come from. */
struct plan_input {
	char *path;
	char *host; /* NULL: the one without a name */
	char *name; /* of the one VM in it; NULL: as it says */
	bool socket, fresh;
	struct plan_facts facts; /* of all that are in it */
};

/* What is said of a VM by its name. */
struct plan_wish {
	char *name;
	struct plan_facts facts;
};

struct plan_memory {
	char *host; /* NULL: the one without a name */
	__u64 pages;
};

/* The groups of a host's VMs: as listed, or as a cgroup tree has them. */
struct plan_grouping {
	char *host; /* NULL: the only one */
	struct group_list list;
	char *cgroup; /* a folder; NULL: the list */
};

/* Until when to look for a better packing, by default. */
#define PLAN_PACK_SECONDS 60

struct plan_words {
	char **v;
	size_t n;
};

struct plan_options {
	struct plan_input *inputs;
	size_t nr_inputs;
	struct plan_wish *wishes; /* the earlier ones win */
	size_t nr_wishes;
	struct plan_memory *memory; /* the earlier ones win */
	size_t nr_memory;
	struct plan_grouping *groupings; /* the earlier ones win */
	size_t nr_groupings;
	struct hosts_csv hosts;
	char *hosts_file; /* NULL: none */
	char *failover;	  /* the host that fails; NULL: none does */
	bool pack;	  /* VMs, on the fewest of the hosts */
	double pack_time; /* seconds; 0: PLAN_PACK_SECONDS */
	unsigned int tax; /* on idle memory, percent */
	bool has_tax;
	struct plan_facts defaults; /* of VMs of which nothing else is known */
	struct plan_words without, only;
	__u64 granule; /* pages; 0: one that fits */
	bool greedy, guess, json, quiet;
	bool one_space; /* only the curves of: */
	enum page_space space;
	char *csv, *picture, *config; /* NULL: none */
};

void plan_options__free(struct plan_options *o);
/* 0, -1 to end well (help was printed), or an exit status after a line that says what is wrong.
 * Reads the file, too. */
int plan_options__parse(struct plan_options *o, int argc, char **argv);

/* Each -EINVAL or -ENOMEM with a sentence in why; strings are copied. */
/* [HOST=]PATH, of a control socket if so. */
int plan_options__add_input(struct plan_options *o, const char *text, bool socket, char *why,
			    size_t size);
void plan_input__free(struct plan_input *in);
/* Takes over what is in it. */
int plan_options__take_input(struct plan_options *o, struct plan_input *in, char *why, size_t size);
/* [HOST=]SIZE. */
int plan_options__add_memory(struct plan_options *o, const char *text, char *why, size_t size);
int plan_options__put_memory(struct plan_options *o, const char *host, const char *text, char *why,
			     size_t size);
/* -ENOMEM. */
int plan_options__put_pages(struct plan_options *o, const char *host, __u64 pages);
/* name may end in @HOST. */
int plan_options__add_wish(struct plan_options *o, const char *name, const struct plan_facts *facts,
			   char *why, size_t size);
/* NAME,FACT=VALUE,... of --vm, and INPUT,FACT=VALUE,... of --add-vm. */
int plan_options__add_vm(struct plan_options *o, const char *text, char *why, size_t size);
int plan_options__add_new(struct plan_options *o, const char *text, char *why, size_t size);
int plan_options__set_granule(struct plan_options *o, const char *text, char *why, size_t size);

/* Takes over the list. host NULL: the only one. */
int plan_options__add_groups(struct plan_options *o, const char *host, struct group_list *list,
			     char *why, size_t size);
/* "75%" or "75". What was said first wins. */
int plan_options__set_tax(struct plan_options *o, const char *text, char *why, size_t size);

/* Read the file of hosts. An exit status, after a line if it is not CLI_DONE. */
int plan_hosts__read(struct plan_options *o);

/* A file's text (len bytes). -EINVAL, "FILE:LINE: ..." in why; -ENOMEM. What options say wins: have
 * them first. */
int plan_config__parse(struct plan_options *o, const char *file, const char *text, size_t len,
		       char *why, size_t size);
/* Read it. -errno. */
int plan_config__read(struct plan_options *o, const char *file, char *why, size_t size);

#endif
