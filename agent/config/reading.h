/* A document while it is read: what document.c and pipelines.c share. */
#ifndef LEAT_CONFIG_READING_H
#define LEAT_CONFIG_READING_H

#include "base/arena.h"
#include "base/map.h"
#include "config/document.h"

struct leat_reading {
    struct leat_arena *arena;
    struct leat_diags *diags;
    struct leat_document *doc;
    struct leat_map *ids[LEAT_SECTIONS]; /* id to its instance */
};

/* Memory of the document; NULL: reported. */
void *leat_reading_take(struct leat_reading *r, size_t count, size_t size);
struct leat_instance *leat_reading_find(const struct leat_reading *r, enum leat_section s,
                                        const char *id);
/* `node` must be a mapping or a null; reports otherwise. */
bool leat_reading_map(struct leat_reading *r, const struct leat_node *node, const char *path);
/* Reports keys that are not among `known`. */
void leat_reading_keys(struct leat_reading *r, const struct leat_node *node, const char *path,
                       const char *const *known);
/* The references in a list, looked up in `section` and, when `also` is another one, there too. */
void leat_reading_refs(struct leat_reading *r, const struct leat_node *list, const char *path,
                       enum leat_section section, enum leat_section also, struct leat_ref **ret,
                       size_t *ret_count);

/* service.pipelines, with the checks of connectors. */
void leat_reading_pipelines(struct leat_reading *r, const struct leat_node *pipelines);
/* Pipelines that feed themselves through connectors. */
void leat_reading_cycles(struct leat_reading *r);

#endif
