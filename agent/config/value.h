/* One setting: its text to its member, and back. */
#ifndef LEAT_CONFIG_VALUE_H
#define LEAT_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "config/schema.h"

#define LEAT_TABLE_DEPTH 16 /* tables within tables */

/* A place in a table while it is walked: where overrides of defaults are looked for. The `def` of a
 * GROUP or INLINE holds them, by the path below it; an outer one wins. */
struct leat_scope {
    const struct leat_scope *outer;
    const struct leat_field *field; /* the GROUP or INLINE entered; NULL: the top */
};

/* The default of `field` within `scope`, as text; NULL: none. Uses `buf` when it is an override. */
const char *leat_value_default(const struct leat_scope *scope, const struct leat_field *field,
                               char *buf, size_t size);
/* Writes the member. Numbers, words, strings and lists of strings only. 0, or -1 and why it is
 * wrong: "must be …". */
int leat_value_parse(const struct leat_field *field, const char *text, void *member,
                     struct leat_arena *arena, struct leat_err *err);
/* What is expected, for messages: "a duration such as '10s'". */
const char *leat_value_expected(const struct leat_field *field);
/* The member as YAML, on one line. */
void leat_value_print(const struct leat_field *field, const void *member, struct leat_text *out);
/* Whether the user must write it: nothing around it has given it a default. */
bool leat_value_is_required(const struct leat_scope *scope, const struct leat_field *field);
/* `text` as a YAML string, quoted when it must be. */
void leat_value_yaml(const char *text, struct leat_text *out);
/* Defaults of a whole table into the struct. 0, or -1: no memory (or a table that
 * leat_schema_verify() would refuse). */
int leat_value_defaults(const struct leat_field *fields, const struct leat_scope *outer, void *conf,
                        struct leat_arena *arena);

#endif
