/* ${…} in values: environment, files, YAML.
 *
 * Source: collector confmap (resolver, expand, env-vars RFC): ${env:NAME}, ${NAME},
 * ${env:NAME:-default}, ${file:path}, ${yaml:text}, $$; a value that is nothing but one ${…} is
 * typed as YAML, else texts are joined. Values may hold further ${…}. */
#ifndef LEAT_CONFIG_EXPAND_H
#define LEAT_CONFIG_EXPAND_H

#include <stdbool.h>

#include "config/yaml.h"

/* The tree with everything expanded; errors are reported at the "${" and leave a null. */
struct leat_node *leat_expand(struct leat_node *root, struct leat_arena *arena,
                              struct leat_diags *diags);
/* [a-zA-Z_][a-zA-Z0-9_]* */
bool leat_env_name_ok(const char *name, size_t len);

#endif
