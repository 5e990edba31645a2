/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list of flat JSON objects, read where it lies: there may be a million filters,
 * and a tree of values for each costs more than all the rest of showing them.
 * What is not as simple as that is refused; the caller makes a tree then.
 */
#ifndef VIEW_FLAT_H
#define VIEW_FLAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum flat_kind { FLAT_NONE, FLAT_NULL, FLAT_BOOL, FLAT_INTEGER, FLAT_STRING, FLAT_OTHER };

struct flat_value {
	enum flat_kind kind;
	const char *text; /* of a string, not terminated */
	size_t len;
	json_int_t number; /* of an integer; 0 or 1 of a bool */
};

#define FLAT_KEYS_MAX 32

struct flat_object {
	struct {
		const char *key;
		size_t len;
		struct flat_value value;
	} pairs[FLAT_KEYS_MAX];
	size_t count;
	const char *begin, *end; /* its own text */
	json_t *held;		 /* strings that had escapes */
};

/* The text between the brackets of a list. */
struct flat_list {
	const char *at, *end;
};

/*
 * The list in an answer of the daemon that is nothing but a list. False: it is
 * something else.
 */
bool flat_answer(const char *text, size_t len, struct flat_list *ret);
/* The next object. 0: there is none; -EINVAL: it is not flat, or no JSON; -ENOMEM. */
int flat_next(struct flat_list *list, struct flat_object *object);
/* For an object that flat_next() has filled, or one of zeros. */
void flat_object_free(struct flat_object *object);
/* The value of a key. *hint: where it was in the object before; any number will do. */
struct flat_value flat_get(const struct flat_object *object, const char *key, unsigned *hint);
/* The same form for a value of a tree. */
struct flat_value flat_of(const json_t *value);

#endif
