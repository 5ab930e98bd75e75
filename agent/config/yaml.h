/* YAML text to nodes that know their line: several sources merged, ${…} expanded, by the
 * collector's rules.
 *
 * Source: collector confmap documentation (merge: maps by key, lists and scalars replaced, a null
 * replaces; expansion:
 * ${env:NAME}, ${env:NAME:-default}, ${NAME}, ${file:path}, ${yaml:text}, $$; an expanded whole
 * value is typed as YAML, a string setting gets the text as it was written). Bounds: 16 MiB a
 * source, depth 64, 1,000 expansions. */
#ifndef LEAT_CONFIG_YAML_H
#define LEAT_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "config/diag.h"

enum leat_node_kind { LEAT_NODE_NULL, LEAT_NODE_SCALAR, LEAT_NODE_LIST, LEAT_NODE_MAP };

struct leat_node {
    enum leat_node_kind kind;
    struct leat_place at;
    struct leat_place key; /* of the key it stands under; of `at` when it has none */
    const char *text;      /* scalar: after expansion, NUL-terminated; "" otherwise */
    bool quoted;   /* scalar that must be taken as a string: was quoted, or text was joined from
                      pieces */
    bool expanded; /* came, wholly or in part, out of ${…} */
    size_t count;  /* list: items; map: entries */
    struct leat_node **items; /* list: the items; map: the values */
    struct leat_key *keys;    /* map: one per value */
};

struct leat_key {
    const char *text;
    struct leat_place at;
};

/* Reads and merges. `sources`: as on the command line ("conf.yaml", "file:…", "env:NAME",
 * "yaml:…"); `sets`: "a.b=c". NULL when nothing usable came out (errors are in `diags`); a node
 * otherwise, perhaps with errors beside it. Nodes live in `arena`. */
struct leat_node *leat_yaml_load(const char *const *sources, size_t nsources,
                                 const char *const *sets, size_t nsets, struct leat_arena *arena,
                                 struct leat_diags *diags);
/* One text, no merge; `source` names it in messages. Expands. */
struct leat_node *leat_yaml_parse(const char *source, const char *text, size_t len,
                                  struct leat_arena *arena, struct leat_diags *diags);
/* Plain scalars that YAML reads as something else than text: true, 12, 0x1f, 1.5. */
bool leat_node_is_typed(const struct leat_node *node);
/* The value under `key` of a map; NULL: no map, or not there. *ret_key (may be NULL) gets the key.
 */
struct leat_node *leat_node_get(const struct leat_node *map, const char *key,
                                const struct leat_key **ret_key);

#endif
