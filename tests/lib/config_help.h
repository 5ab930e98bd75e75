/* For tests of configuration: a tree as one line, the messages as text. */
#ifndef LEAT_TESTS_CONFIG_HELP_H
#define LEAT_TESTS_CONFIG_HELP_H

#include <stddef.h>

#include "config/diag.h"
#include "config/yaml.h"

/* {a: 1, b: [x, "y"], c: null}: quoted scalars in quotes. To be freed with free(). */
char *config_tree(const struct leat_node *node);
/* What leat_diags_print() writes; with `brief` only "line:column: error: sentence (hint)", one per
 * line. To be freed with free(). */
char *config_messages(const struct leat_diags *diags, int brief);

#endif
