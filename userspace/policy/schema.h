/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From nodes to structs by tables: a map of the policy text is described by an
 * array of struct field, one row a key. A setter writes one member and reports
 * what is wrong with its node; reading goes on after an error so that one run
 * shows all of them.
 */
#ifndef POLICY_SCHEMA_H
#define POLICY_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/types.h>

#include "policy/policy.h"
#include "policy/scalar.h"
#include "policy/yaml_doc.h"

#define LOAD_ERRORS_MAX	  40
#define LOAD_WARNINGS_MAX 100

/* Names of one kind, sorted for lookup: lists, actions and rules can be many. */
struct name_entry {
	const char *name; /* borrowed */
	size_t index;
};

struct name_index {
	struct name_entry *entries;
	size_t count;
};

/* One load. Setters write into `policy`; whoever reads the text owns the loader. */
struct loader {
	struct policy *policy;
	struct diag *diag;
	size_t errors, warnings; /* ours, whatever was in diag before */
	bool no_memory;
	struct name_index lists, actions;
	const struct node *rules; /* read last: they refer to the others */
};

struct field {
	const char *key;
	void (*set)(struct loader *load, const struct node *value, void *to,
		    const struct field *field);
	size_t offset;	 /* of the member that is set */
	const void *arg; /* what the setter wants: choices, limits, a subordinate table */
	bool required;
	size_t at; /* offset of a struct diag_loc that gets the value's place; 0: of none */
};

struct table {
	const char *what; /* "a rule", for messages */
	const struct field *fields;
	size_t count;
};

#define TABLE(name, what_, ...)                                                                    \
	static const struct field name##_fields[] = {__VA_ARGS__};                                 \
	static const struct table name = {what_, name##_fields,                                    \
					  sizeof(name##_fields) / sizeof(*name##_fields)}

struct limits {
	uint32_t min, max;
};

struct choices {
	const char *what;
	const char *const *names; /* the index is the value */
	size_t count;
};

struct diag_loc load_loc(const struct loader *load, const struct node *node);
void load_error(struct loader *load, const struct node *node, const char *hint, const char *fmt,
		...) __attribute__((format(printf, 4, 5)));
void load_warning(struct loader *load, const struct node *node, const char *hint, const char *fmt,
		  ...) __attribute__((format(printf, 4, 5)));
/* The same for things whose node is gone. */
void load_error_at(struct loader *load, const struct diag_loc *loc, const char *hint,
		   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void load_warning_at(struct loader *load, const struct diag_loc *loc, const char *hint,
		     const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Takes what a scalar parser returned: 0, -EINVAL with a complaint, -ENOMEM. True on 0. */
bool load_result(struct loader *load, const struct node *node, int err,
		 const struct complaint *why);

/* Reads a map into `to`. False when something in it, or missing from it, was wrong. */
bool load_map(struct loader *load, const struct node *map, const struct table *table, void *to);
/* The node has this kind; else an error ("... must be a list"). */
bool load_expect(struct loader *load, const struct node *node, enum node_kind kind,
		 const char *what);
/* A scalar with at least one character, or NULL and an error. */
const char *load_text(struct loader *load, const struct node *node, const char *what);
/* A copy of a name: up to POL_NAME_MAX bytes, no space at its ends. NULL and an error else. */
char *load_name(struct loader *load, const struct node *node, const char *what);
/* A zeroed array, or NULL and no_memory set; count 0 gives NULL without error. */
void *load_array(struct loader *load, size_t count, size_t size);
char *load_strdup(struct loader *load, const char *text);

/* Setters for tables. */
void set_name(struct loader *load, const struct node *value, void *to, const struct field *field);
void set_bool(struct loader *load, const struct node *value, void *to, const struct field *field);
void set_duration(struct loader *load, const struct node *value, void *to,
		  const struct field *field); /* uint32_t; arg: struct limits */
void set_number(struct loader *load, const struct node *value, void *to,
		const struct field *field); /* uint32_t or int; arg: struct limits */
void set_choice(struct loader *load, const struct node *value, void *to,
		const struct field *field); /* enum or int; arg: struct choices */
void set_map(struct loader *load, const struct node *value, void *to,
	     const struct field *field); /* arg: struct table */
/* Keeps the node for whoever checks several keys together; the member is a node pointer. */
void set_node(struct loader *load, const struct node *value, void *to, const struct field *field);

/* Adds up to `count` names and sorts. -ENOMEM. */
int name_index_build(struct name_index *index, size_t count,
		     const char *(*name)(const void *, size_t), const void *of);
/* The index of the name, or -1. */
ssize_t name_index_find(const struct name_index *index, const char *name);
/* A name that was probably meant, or NULL. */
const char *name_index_near(const struct name_index *index, const char *name);

/* The sections, one file each. */
void load_filter_lists(struct loader *load, const struct node *value, void *to,
		       const struct field *field);
void load_actions(struct loader *load, const struct node *value, void *to,
		  const struct field *field);
void load_rules(struct loader *load, const struct node *rules);

/* Reads an address file into side->addrs. Reports at the node, or inside the file. */
void load_address_file(struct loader *load, const struct node *node, struct pol_side *side);

/* What can only be judged with the whole policy at hand. Only called without errors. */
void check_policy(struct loader *load);

#endif
