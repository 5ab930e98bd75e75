/* What the files of the store share. For prom_store*.c only.
 *
 * prom_store.c        requests in; limits and expiry
 * prom_store_cursor.c reading it: exporters/prom_cursor.h
 * prom_store_index.c  families sorted by name, series by what identifies them
 * prom_store_item.c   one series: its memory, and how a point changes it */
#ifndef LEAT_EXPORTERS_PROM_STORE_INTERNAL_H
#define LEAT_EXPORTERS_PROM_STORE_INTERNAL_H

#include "base/hash.h"
#include "base/list.h"
#include "exporters/prom_store.h"
#include "proto/metric_point.h"
#include "proto/prom_text.h"

#define LEAT_SCRAPE_HEIGHT 20 /* levels of the list of families: enough for a million */

struct leat_scrape_family_node {
    struct leat_scrape_family family; /* its texts lie behind the node */
    struct leat_link items;
    uint32_t pins;  /* cursors that stand on it */
    bool gone;      /* out of the list, kept for those */
    bool told;      /* its conflict was logged */
    size_t charged; /* bytes */
    uint32_t height;
    struct leat_scrape_family_node *next[]; /* `height` of them */
};

/* Bounds that several series have in common. */
struct leat_scrape_shared {
    uint32_t refs;
    struct leat_print key;
    size_t charged;
    struct leat_scrape_marks marks;
    uint32_t room[]; /* of the marks */
};

struct leat_scrape_item {
    struct leat_link in_family, in_age;
    struct leat_scrape_family_node *family;
    struct leat_scrape_item *info; /* target_info of its resource, one reference; NULL: none */
    uint32_t refs;                 /* of a target_info: series that hold it */
    struct leat_print key;         /* of name and labels */
    struct leat_print stream;      /* the last OTLP stream that had them */
    bool has_stream, filled;
    int64_t updated; /* monotonic ns */
    size_t charged;
    struct leat_scrape_series s; /* its texts and arrays are the item's own */
    struct leat_scrape_shared *shared;
};

/* Series by one of their prints. */
struct leat_scrape_table {
    bool by_stream;
    struct leat_scrape_item **slots;
    size_t cap, count;
};

struct leat_scrape_store {
    struct leat_scrape_store_conf conf;
    struct leat_prom_labels *labels;
    struct leat_scrape_family_node *first[LEAT_SCRAPE_HEIGHT];
    struct leat_scrape_table by_key, by_stream;
    struct leat_map *shared; /* by the bytes of their print */
    struct leat_link ages;   /* series, the longest without update first */
    struct leat_link cursors;
    size_t series, families, bytes;
    struct leat_point_room room;
    struct leat_text name, block, scratch; /* reused from point to point */
};

/* --- prom_store.c */
bool leat_scrape_charge(struct leat_scrape_store *s, size_t bytes); /* false: nothing was charged */
void leat_scrape_discharge(struct leat_scrape_store *s, size_t bytes);
/* The item leaves every list and is freed, and its family with it when that is empty. */
void leat_scrape_remove(struct leat_scrape_store *s, struct leat_scrape_item *item);

/* --- prom_store_cursor.c */
/* No cursor stands before this item any more. */
void leat_scrape_cursors_pass(struct leat_scrape_store *s, const struct leat_scrape_item *item);

/* --- prom_store_index.c */
struct leat_scrape_family_node *leat_scrape_find(const struct leat_scrape_store *s,
                                                 struct leat_bytes name);
/* The first family behind this name; an empty name: the first of all. */
struct leat_scrape_family_node *leat_scrape_after(const struct leat_scrape_store *s,
                                                  struct leat_bytes name);
/* A new family; the texts of `f` are copied. NULL: no memory. */
struct leat_scrape_family_node *leat_scrape_family_add(struct leat_scrape_store *s,
                                                       const struct leat_scrape_family *f);
/* Takes it out of the list and frees it, at once or with its last pin. */
void leat_scrape_family_remove(struct leat_scrape_store *s, struct leat_scrape_family_node *f);
void leat_scrape_unpin(struct leat_scrape_store *s, struct leat_scrape_family_node *f);

struct leat_scrape_item *leat_scrape_table_find(const struct leat_scrape_table *t,
                                                struct leat_print print);
int leat_scrape_table_add(struct leat_scrape_table *t,
                          struct leat_scrape_item *item); /* -1: no memory */
void leat_scrape_table_remove(struct leat_scrape_table *t, const struct leat_scrape_item *item);

/* --- prom_store_item.c */
/* Not yet in any list. NULL: no memory; *ret_why. */
struct leat_scrape_item *leat_scrape_item_new(struct leat_scrape_store *s, struct leat_bytes labels,
                                              enum leat_scrape_drop *ret_why);
void leat_scrape_item_free(struct leat_scrape_store *s, struct leat_scrape_item *item);
/* Other labels in the place of its own. False: no memory. */
bool leat_scrape_item_relabel(struct leat_scrape_store *s, struct leat_scrape_item *item,
                              struct leat_bytes labels);
/* Makes `p` its point, or adds it when it is a delta. False: dropped, the item is unchanged. */
bool leat_scrape_item_fold(struct leat_scrape_store *s, struct leat_scrape_item *item,
                           const struct leat_point *p, bool delta, enum leat_scrape_drop *ret_why);

#endif
