/* YAML text to nodes, before any ${…} is looked at. The only user of the YAML library.
 *
 * Source: YAML 1.2.2; merge keys as in YAML 1.1's "<<". The library sees events only, never builds
 * a document: anchors, aliases and duplicate keys are handled here, where they are counted. */
#ifndef LEAT_CONFIG_TREE_H
#define LEAT_CONFIG_TREE_H

#include "config/yaml.h"

#define LEAT_TREE_SOURCE (16u * 1024 * 1024) /* bytes of one source */
#define LEAT_TREE_DEPTH  64                  /* collections within collections, aliases followed */
#define LEAT_TREE_NODES  100000              /* nodes of one source, aliases followed */

struct leat_tree_origin {
    const char *source;      /* names the text in messages; must outlive the nodes */
    uint32_t line, column;   /* where the text starts in `source`; 0: at its beginning */
    struct leat_place fixed; /* with a `source` of its own: where every node is said to stand */
    bool quiet;              /* mistakes are not reported: the caller tries something else */
};

/* NULL: not well-formed, reported unless `quiet`. An empty text is a null. */
struct leat_node *leat_tree_read(const struct leat_tree_origin *origin, const char *text,
                                 size_t len, struct leat_arena *arena, struct leat_diags *diags);
/* `node` under a path of keys (NULL at the end of `keys`), all standing at `at`. */
struct leat_node *leat_tree_wrap(struct leat_node *node, const char *const *keys, size_t nkeys,
                                 struct leat_place at, struct leat_arena *arena);
/* `later` over `earlier`: maps by key, everything else replaced. Either may be NULL;
 * changes `earlier`. NULL: no memory. */
struct leat_node *leat_tree_merge(struct leat_node *earlier, struct leat_node *later,
                                  struct leat_arena *arena);

/* Appends to a list or a map (then with a key). Grows by doubling. False: no memory. */
bool leat_tree_append(struct leat_node *parent, const struct leat_key *key, struct leat_node *value,
                      struct leat_arena *arena);

#endif
