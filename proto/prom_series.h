/* The series that were sent lately: their labels, encoded once.
 *
 * A bounded cache. Equal strings are kept once (symbols); a series is a list of references to them,
 * so that 100,000 series of ten labels need about ten megabytes. What is not asked for any more
 * leaves by generations: when the younger one has reached half of the maximum, the older one is
 * given back at once, and what is still used moves over one by one. So a maximum of twice what the
 * living series need keeps them all; below that they are made anew again and again, which costs a
 * few microseconds each and nothing else. */
#ifndef LEAT_PROTO_PROM_SERIES_H
#define LEAT_PROTO_PROM_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "proto/metric_id.h"
#include "proto/prom_labels.h"

enum leat_prom_message {
    LEAT_PROM_WRITE_1, /* prometheus.WriteRequest */
    LEAT_PROM_WRITE_2, /* io.prometheus.write.v2.Request */
};

#define LEAT_PROM_STORE_MIN    ((size_t)1 << 20)   /* bytes: two series of any size */
#define LEAT_PROM_SERIES_BYTES ((size_t)128 << 10) /* names and values of one series; a text */
#define LEAT_PROM_STORE_MAX    ((size_t)8 << 30)

/* A string of the current generation. In 1.0 a whole Label, field tag included; in 2.0 a string as
 * member of `symbols`, field tag included. */
struct leat_prom_symbol {
    uint32_t id;  /* counts from 0 in its generation */
    uint32_t len; /* of bytes, behind which 32 more can be read */
    uint8_t bytes[];
};

struct leat_prom_series {
    struct leat_print key; /* private */
    int64_t last;          /* of the newest sample, ms: the writer's */
    uint32_t hash;         /* of the labels, keyed per process: equal series, equal hash */
    uint32_t label_bytes;  /* 1.0: all its Labels, encoded */
    uint32_t nrefs;        /* 1.0: one to a label; 2.0: two, name and value */
    uint32_t next;         /* private: the one that was asked for after this, last time */
    uint32_t refs[];       /* leat_prom_symbol_at() */
};

struct leat_prom_store;

/* `max`: bytes of everything, not below LEAT_PROM_STORE_MIN. Ends the process when there is no
 * memory. */
struct leat_prom_store *leat_prom_store_new(enum leat_prom_message message, size_t max);
void leat_prom_store_free(struct leat_prom_store *s);
enum leat_prom_message leat_prom_store_message(const struct leat_prom_store *s);

/* The print by which the series of a point are looked up: of resource, scope, metric and the
 * attributes in the order in which they stand. Cheaper than leat_stream_print(), and the labels are
 * a function of it even if a key is there twice. */
struct leat_print leat_prom_stream(const struct leat_metric_ids *ids, const struct leat_point *p);

/* The series, or NULL: make its labels and put them. Series and symbols are valid until the next
 * put or text. */
struct leat_prom_series *leat_prom_store_get(struct leat_prom_store *s, struct leat_print stream,
                                             uint64_t part);
/* LARGE: more than LEAT_PROM_SERIES_BYTES. */
enum leat_prom_put { LEAT_PROM_PUT_OK, LEAT_PROM_PUT_LARGE, LEAT_PROM_PUT_NO_MEMORY };
enum leat_prom_put leat_prom_store_put(struct leat_prom_store *s, struct leat_print stream,
                                       uint64_t part, struct leat_prom_set labels,
                                       struct leat_prom_series **ret);

/* 2.0: a reference to a text (help, unit), valid until the serial changes, which this may do
 * itself. 0 is the empty text. */
enum leat_prom_put leat_prom_store_text(struct leat_prom_store *s, struct leat_bytes text,
                                        uint32_t *ret_ref);

/* Changes when a generation begins: references and ids of before mean nothing any more. */
uint32_t leat_prom_store_serial(const struct leat_prom_store *s);
/* Where the symbols are, for leat_prom_symbol_at(); changes with the serial. */
const uint8_t *leat_prom_store_symbols(const struct leat_prom_store *s);

#define LEAT_PROM_UNIT ((size_t)8) /* references count in these */
static inline const struct leat_prom_symbol *leat_prom_symbol_at(const uint8_t *symbols,
                                                                 uint32_t ref)
{
    return (const struct leat_prom_symbol *)(const void *)(symbols + ref * LEAT_PROM_UNIT);
}

struct leat_prom_store_stats {
    size_t series, symbols; /* of both generations */
    size_t bytes;           /* in use; at most the maximum */
    uint64_t generations;   /* counts up */
};
struct leat_prom_store_stats leat_prom_store_stats(const struct leat_prom_store *s);

#endif
