/* Goes through an OTLP metrics request and hands out, one by one, what remote write is to send of
 * it: samples with their series, metadata, target_info. Stops and goes on at any item. */
#ifndef LEAT_PROTO_PROM_FEED_H
#define LEAT_PROTO_PROM_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "proto/prom_labels.h"
#include "proto/prom_map.h"
#include "proto/prom_name.h"
#include "proto/prom_series.h"
#include "proto/prom_write.h"

/* Outlives the feed, with everything it points to. */
struct leat_prom_feed_conf {
    enum leat_prom_message message;
    struct leat_prom_naming naming;
    struct leat_prom_label_conf labels;
    struct leat_prom_map_conf map;
    bool target_info;
    bool metadata;      /* 1.0: families; 2.0: help and unit (the type is always said) */
    size_t cache_bytes; /* leat_prom_store_new() */
};

enum leat_prom_feed_result {
    LEAT_PROM_FEED_SAMPLE,  /* series, sample, and in 2.0 family */
    LEAT_PROM_FEED_FAMILY,  /* 1.0: family */
    LEAT_PROM_FEED_DROPPED, /* one data point, `drop` says why */
    LEAT_PROM_FEED_END,
    LEAT_PROM_FEED_NO_MEMORY, /* call again later: it goes on at the same place */
};

/* Valid until the next call. */
struct leat_prom_item {
    struct leat_prom_series *series; /* its hash says which shard */
    struct leat_prom_sample sample;
    struct leat_prom_family family;
    enum leat_prom_drop drop;
    struct leat_bytes metric; /* the OTLP name, for logs; empty: target_info */
    bool last;                /* the data point's last sample: the point is whole now */
};

struct leat_prom_feed;

/* Ends the process when there is no memory. */
struct leat_prom_feed *leat_prom_feed_new(const struct leat_prom_feed_conf *conf);
void leat_prom_feed_free(struct leat_prom_feed *f);
struct leat_prom_store *leat_prom_feed_store(struct leat_prom_feed *f);

/* Begins with a checked metrics request, which must stay until END. `now`: monotonic ns; a family's
 * metadata is said again after a minute. Forgets what was left of the request before. */
void leat_prom_feed_begin(struct leat_prom_feed *f, struct leat_bytes request, int64_t now);
enum leat_prom_feed_result leat_prom_feed_next(struct leat_prom_feed *f,
                                               struct leat_prom_item *ret);
/* Exemplars that were left out: beyond LEAT_PROM_EXEMPLARS to a point. Counts up. */
uint64_t leat_prom_feed_exemplars_dropped(const struct leat_prom_feed *f);

#endif
