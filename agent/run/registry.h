/* Every component there is. */
#ifndef LEAT_RUN_REGISTRY_H
#define LEAT_RUN_REGISTRY_H

#include "config/document.h"
#include "flow/component.h"

extern const struct leat_component *const leat_components[]; /* NULL at the end */

/* By the word in the YAML, old or new; *ret_old becomes true when it was an alias. NULL: unknown.
 */
const struct leat_component *leat_registry_find(enum leat_section section, const char *type,
                                                bool *ret_old);
/* A component of the collector that Leat does not have: what to use instead, or why. NULL: never
 * heard of it. */
const char *leat_registry_retired(enum leat_section section, const char *type);
enum leat_kind leat_kind_of_section(enum leat_section section);
const char *leat_kind_name(enum leat_kind kind); /* "receiver" … */
/* The nearest known word of that section, for "did you mean"; NULL: none. */
const char *leat_registry_nearest(enum leat_section section, const char *type);

#endif
