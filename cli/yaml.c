// SPDX-License-Identifier: GPL-2.0
#include "yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "text_file.h"

/* Thousands of disks or VMs take less. */
#define FILE_MAX (4UL << 20)

struct yaml_file {
	const char *name;
	yaml_document_t document;
	bool empty;
};

static yaml_node_t *node_of(struct yaml_at at)
{
	return yaml_document_get_node(&at.file->document, at.node);
}

int yaml__wrong(struct yaml_at at, char *why, size_t size, const char *fmt, ...)
{
	const yaml_node_t *node = node_of(at);
	va_list args;
	int n;

	n = snprintf(why, size, "%s:%zu: ", at.file->name, node ? node->start_mark.line + 1 : 1);
	if (n < 0 || (size_t)n >= size)
		return -EINVAL;
	va_start(args, fmt);
	vsnprintf(why + n, size - n, fmt, args);
	va_end(args);
	return -EINVAL;
}

/* --- a file --- */

/* libyaml tells the place twice: where it noticed, and in the middle of what (context). */
static int not_yaml(const yaml_parser_t *p, const char *name, char *why, size_t size)
{
	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR)
		snprintf(why, size, "%s:%zu: not YAML: %s at byte %zu", name, p->mark.line + 1,
			 p->problem, p->problem_offset);
	else
		snprintf(why, size, "%s:%zu: not YAML: %s%s%s", name, p->problem_mark.line + 1,
			 p->context ?: "", p->context ? ": " : "", p->problem ?: "cannot be read");
	return -EINVAL;
}

/* Nothing after the first document. */
static int check_end(yaml_parser_t *p, const char *name, char *why, size_t size)
{
	yaml_document_t next;
	const yaml_node_t *root;
	int err = 0;

	if (!yaml_parser_load(p, &next))
		return not_yaml(p, name, why, size);
	root = yaml_document_get_root_node(&next);
	if (root) {
		snprintf(why, size, "%s:%zu: a second document begins; leave it out", name,
			 next.start_mark.line + 1);
		err = -EINVAL;
	}
	yaml_document_delete(&next);
	return err;
}

/* yaml_parser_load() leaves nothing to delete when it fails. */
static int load(struct yaml_file *f, yaml_parser_t *p, char *why, size_t size)
{
	if (!yaml_parser_load(p, &f->document)) {
		memset(&f->document, 0, sizeof(f->document));
		return not_yaml(p, f->name, why, size);
	}
	f->empty = !yaml_document_get_root_node(&f->document);
	return f->empty ? 0 : check_end(p, f->name, why, size);
}

/* --- places in it --- */

static bool is_null(const yaml_node_t *node)
{
	static const char *const words[] = {"", "~", "null"};

	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp((const char *)node->data.scalar.value, words[i]))
			return true;
	return false;
}

int yaml__text(struct yaml_at at, const char *what, const char **out, char *why, size_t size)
{
	const yaml_node_t *node = node_of(at);
	const char *text;

	if (node->type != YAML_SCALAR_NODE)
		return yaml__wrong(at, why, size, "%s is a %s, not one value", what,
				   node->type == YAML_MAPPING_NODE ? "map" : "list");
	text = (const char *)node->data.scalar.value;
	if (strlen(text) != node->data.scalar.length)
		return yaml__wrong(at, why, size, "%s has a NUL character", what);
	*out = text;
	return 0;
}

bool yaml__is_map(struct yaml_at at)
{
	const yaml_node_t *node = node_of(at);

	return node && node->type == YAML_MAPPING_NODE;
}

/* Is the name of this pair that of one before? */
static bool is_second(struct yaml_at at, const yaml_node_pair_t *pair, const char *name)
{
	const yaml_node_pair_t *p = node_of(at)->data.mapping.pairs.start;

	for (; p < pair; p++) {
		const yaml_node_t *key = yaml_document_get_node(&at.file->document, p->key);

		if (!strcmp((const char *)key->data.scalar.value, name))
			return true;
	}
	return false;
}

static int take_pair(struct yaml_at at, const yaml_node_pair_t *pair, yaml_pair fn, void *ctx,
		     char *why, size_t size)
{
	struct yaml_at key = {at.file, pair->key}, value = {at.file, pair->value};
	const char *name;
	int err = yaml__text(key, "a name", &name, why, size);

	if (err)
		return err;
	if (is_second(at, pair, name))
		return yaml__wrong(key, why, size, "%s is there twice", name);
	return fn(ctx, name, value, why, size);
}

int yaml__each_pair(struct yaml_at at, yaml_pair fn, void *ctx, char *why, size_t size)
{
	const yaml_node_t *node = node_of(at);
	int err = 0;

	if (!node || is_null(node))
		return 0;
	if (node->type != YAML_MAPPING_NODE)
		return yaml__wrong(at, why, size, "not a map of 'name: value' lines");
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
	     p < node->data.mapping.pairs.top && !err; p++)
		err = take_pair(at, p, fn, ctx, why, size);
	return err;
}

int yaml__each_element(struct yaml_at at, yaml_element fn, void *ctx, char *why, size_t size)
{
	const yaml_node_t *node = node_of(at);
	int err = 0;

	if (!node || is_null(node))
		return 0;
	if (node->type != YAML_SEQUENCE_NODE)
		return yaml__wrong(at, why, size, "not a list of '- ' lines");
	for (const yaml_node_item_t *i = node->data.sequence.items.start;
	     i < node->data.sequence.items.top && !err; i++)
		err = fn(ctx, (struct yaml_at){at.file, *i}, why, size);
	return err;
}

int yaml__refused(struct yaml_at at, int err, const char *reason, char *why, size_t size)
{
	yaml__wrong(at, why, size, "%s", reason);
	return err == -ENOMEM ? err : -EINVAL;
}

int yaml__set(struct yaml_at at, const char *name, yaml_setter set, void *ctx, char *why,
	      size_t size)
{
	char reason[YAML_WHY] = "";
	const char *text;
	int err = yaml__text(at, name, &text, why, size);

	if (err)
		return err;
	err = set(ctx, name, text, reason, sizeof(reason));
	return err ? yaml__refused(at, err, reason, why, size) : 0;
}

/* --- all of it --- */

/* The name and the text outlive the file. */
static int parse(struct yaml_file *f, const char *text, size_t len, char *why, size_t size)
{
	yaml_parser_t parser;
	int err = -ENOMEM;

	if (yaml_parser_initialize(&parser)) {
		yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
		err = load(f, &parser, why, size);
		yaml_parser_delete(&parser);
	}
	return err;
}

int yaml__take_text(const char *name, const char *text, size_t len, yaml_pair fn, void *ctx,
		    char *why, size_t size)
{
	struct yaml_file f = {.name = name};
	int err = parse(&f, text, len, why, size);

	/* Numbers begin at 1, the root is the first. */
	if (!err)
		err = yaml__each_pair((struct yaml_at){&f, f.empty ? 0 : 1}, fn, ctx, why, size);
	if (f.document.nodes.start)
		yaml_document_delete(&f.document);
	if (err == -ENOMEM)
		snprintf(why, size, "%s: out of memory", name);
	return err;
}

int yaml__take_file(const char *file, yaml_pair fn, void *ctx, char *why, size_t size)
{
	size_t len = 0;
	char *text = NULL;
	int err = text_file__read(file, FILE_MAX, &text, &len);

	if (err)
		snprintf(why, size, "cannot read configuration '%s': %s", file, strerror(-err));
	else
		err = yaml__take_text(file, text, len, fn, ctx, why, size);
	free(text);
	return err;
}
