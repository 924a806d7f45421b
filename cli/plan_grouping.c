// SPDX-License-Identifier: GPL-2.0
/* Groups of a file or of cgroups, to the hosts whose they are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup_list.h"
#include "cli.h"
#include "plan_groups.h"

/* The host of a setting; NULL: the only one there is. */
static int find_host(const struct plan_vms *v, const char *name, const char *what,
		     struct plan_host **out)
{
	size_t host;

	if (!name && v->nr_hosts > 1)
		return cli__failed("there are %zu hosts, and the %s are not said to be of one of "
				   "them, such as '%s'",
				   v->nr_hosts, what, v->hosts[0].name);
	host = name ? plan_vms__find_host(v, name) : 0;
	if (host == v->nr_hosts)
		return cli__failed("there is no host '%s'; give its VMs as '%s=INPUT'", name, name);
	*out = &v->hosts[host];
	return CLI_DONE;
}

/* A folder that is bounded bounds its VMs. */
static int read_cgroup(const struct plan_vms *v, struct plan_host *host, const char *folder,
		       struct group_list *list)
{
	const char **names = calloc(v->nr + 1, sizeof(*names));
	struct cgroup_tree tree;
	char why[PLAN_WHY];
	size_t n = 0;
	int err;

	for (size_t i = 0; i < v->nr && names; i++)
		if (&v->hosts[v->vms[i].host] == host)
			names[n++] = v->vms[i].name;
	err = names ? cgroup_tree__read(&tree, folder, names, n, why, sizeof(why)) : -ENOMEM;
	free(names);
	if (err)
		return cli__failed("%s", err == -ENOMEM ? "out of memory" : why);
	*list = tree.list;
	if (tree.shrunk)
		cli__note("%zu reservation%s in '%s' count less than they say: siblings have more "
			  "than their parent",
			  tree.shrunk, tree.shrunk == 1 ? "" : "s", folder);
	if (tree.limit < GROUPS_NO_LIMIT && !host->given) {
		host->given = true;
		host->memory = tree.limit;
	}
	return CLI_DONE;
}

static int take_grouping(struct plan_vms *v, struct plan_grouping *g)
{
	struct plan_host *host = NULL;
	int status = find_host(v, g->host, g->cgroup ? "cgroups" : "groups", &host);

	if (status || host->groups)
		return status;
	if (g->cgroup)
		status = read_cgroup(v, host, g->cgroup, &g->list);
	if (status)
		return status;
	host->groups = malloc(sizeof(*host->groups));
	if (!host->groups)
		return cli__failed("out of memory");
	*host->groups = g->list;
	g->list = (struct group_list){0};
	return CLI_DONE;
}

int plan_groupings__take(struct plan_vms *v, struct plan_options *o)
{
	int status = CLI_DONE;

	for (size_t i = 0; i < o->nr_groupings && !status; i++)
		status = take_grouping(v, &o->groupings[i]);
	return status;
}
