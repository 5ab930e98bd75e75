/* OTLP metrics in, messages of remote write out: several messages are written at once, and who
 * calls says into which one each item goes. What becomes of points: proto/prom_feed.h. */
#ifndef LEAT_EXPORTERS_PRW_ENCODE_H
#define LEAT_EXPORTERS_PRW_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct leat_err;

struct leat_prw_label {
    const char *name, *value;
};

struct leat_prw_encode_conf {
    bool v2;
    int strategy; /* enum leat_prom_strategy */
    const char *namespace;
    /* The array is copied; the texts outlive the encoder, as the namespace does. */
    const struct leat_prw_label *external_labels;
    uint32_t nexternal_labels;
    bool no_scope, resource, exclude_service, target_info, metadata;
    bool custom_buckets, keep_classic;
    size_t cache_bytes;
    size_t max_message; /* bytes */
    uint32_t messages;  /* written at once */
    bool squeeze;       /* they go out as snappy blocks */
};

struct leat_prw_encoder;

/* NULL and `err`: an external label whose name cannot be one. */
struct leat_prw_encoder *leat_prw_encoder_new(const struct leat_prw_encode_conf *conf,
                                              struct leat_err *err);
void leat_prw_encoder_free(struct leat_prw_encoder *e); /* takes NULL */
/* Is 2.0 what it writes? */
bool leat_prw_encoder_is_v2(const struct leat_prw_encoder *e);
/* From now on 1.0. All that was written and not finished is forgotten; begin anew. */
void leat_prw_encoder_fall(struct leat_prw_encoder *e);

/* --- reading */

enum leat_prw_item_kind {
    LEAT_PRW_ITEM_SAMPLE,
    LEAT_PRW_ITEM_FAMILY,  /* 1.0: metadata */
    LEAT_PRW_ITEM_DROPPED, /* a data point, for a reason */
    LEAT_PRW_ITEM_END,
    LEAT_PRW_ITEM_NO_MEMORY, /* again later */
};

struct leat_prw_item {
    enum leat_prw_item_kind kind;
    uint32_t hash;            /* of the series: what is equal belongs into the same messages */
    bool of_point;            /* a sample of a data point; else of target_info */
    bool last;                /* the last sample of its point */
    unsigned drop;            /* why: below LEAT_PRW_DROPS */
    struct leat_bytes metric; /* the name in OTLP; until the next call */
};

/* Begins with a checked metrics request, which stays until END. `now`: monotonic ns. */
void leat_prw_encoder_begin(struct leat_prw_encoder *e, struct leat_bytes request, int64_t now);
void leat_prw_encoder_next(struct leat_prw_encoder *e, struct leat_prw_item *ret);

#define LEAT_PRW_DROPS 16
/* The word for it, and what to do about it or ""; NULL: there is no such reason. */
const char *leat_prw_drop_text(unsigned drop);
const char *leat_prw_drop_advice(unsigned drop);

/* --- writing */

enum leat_prw_add {
    LEAT_PRW_ADDED,
    LEAT_PRW_FULL, /* not before what is there was sent */
    LEAT_PRW_NO_MEMORY,
};
/* Writes the item that leat_prw_encoder_next() gave last into a message. */
enum leat_prw_add leat_prw_encoder_add(struct leat_prw_encoder *e, uint32_t message);

struct leat_prw_written {
    uint32_t series, samples, histograms, exemplars;
    bool squeezed; /* it is a snappy block already */
};
bool leat_prw_encoder_empty(const struct leat_prw_encoder *e, uint32_t message);
/* Bytes of memory that a message holds, finished or not. */
size_t leat_prw_encoder_memory(const struct leat_prw_encoder *e, uint32_t message);
/* The message as bytes, until the next call for it. false: no memory, nothing changed. */
bool leat_prw_encoder_finish(struct leat_prw_encoder *e, uint32_t message, struct leat_bytes *ret,
                             struct leat_prw_written *ret_what);
/* Begins the next one. `keep`: memory is kept for it. */
void leat_prw_encoder_clear(struct leat_prw_encoder *e, uint32_t message, bool keep);

/* Series in the cache, and its bytes. */
void leat_prw_encoder_cache(const struct leat_prw_encoder *e, size_t *ret_series,
                            size_t *ret_bytes);

#endif
