/* Writes the messages of Prometheus remote write, 1.0 and 2.0: one request at a time, up to a
 * stated size.
 *
 * Source: prometheus/prompb, remote.proto, types.proto and io/prometheus/write/v2/types.proto;
 * Remote-Write specifications 1.0 and 2.0. */
#ifndef LEAT_PROTO_PROM_WRITE_H
#define LEAT_PROTO_PROM_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "proto/prom_map.h"
#include "proto/prom_series.h"
#include "proto/prom_squeeze.h"
#include "proto/prom_symbols.h"

/* Metadata of a metric family. */
struct leat_prom_family {
    enum leat_prom_type type;
    struct leat_bytes name, help, unit; /* 1.0 */
    uint32_t help_ref, unit_ref;        /* 2.0: leat_prom_store_text() */
};

struct leat_prom_write {
    /* What is in the request. */
    uint32_t series; /* TimeSeries: samples + histograms */
    uint32_t samples, histograms, exemplars, families;
    /* private */
    enum leat_prom_message version;
    struct leat_prom_store *store;
    size_t max;
    bool squeezes; /* 1.0: what would be in `body` is in `squeeze` */
    struct leat_squeeze squeeze;
    struct leat_prom_places places;   /* where each label stood last in the request, + 1 */
    uint32_t serial;                  /* of the store, of the ids in `places` */
    bool disorder;                    /* a sample is older than one of its series before it */
    struct leat_text body;            /* the series */
    struct leat_text tail;            /* of a series, behind its labels */
    struct leat_text scratch;         /* labels of an exemplar */
    struct leat_prom_symbols symbols; /* 2.0 */
};

enum leat_prom_write_result {
    LEAT_PROM_WRITE_OK,
    LEAT_PROM_WRITE_FULL, /* does not fit: finish this request, clear, add again */
    LEAT_PROM_WRITE_NO_MEMORY,
};

/* `max`: bytes of the message. A request has one series at least, so one that is larger than that
 * alone makes a larger request. The store outlives the writer. */
void leat_prom_write_init(struct leat_prom_write *w, struct leat_prom_store *store, size_t max);
void leat_prom_write_done(struct leat_prom_write *w);
/* Before the first add, 1.0 only: requests are made as snappy blocks, and are never there
 * uncompressed. `max` and leat_prom_write_size() still count them uncompressed. */
void leat_prom_write_squeeze(struct leat_prom_write *w);

/* Adds one sample of a series that came from the store since its last put. `family` may be NULL
 * (2.0 only). Other than OK: nothing is changed. */
enum leat_prom_write_result leat_prom_write_add(struct leat_prom_write *w,
                                                struct leat_prom_series *series,
                                                const struct leat_prom_sample *sample,
                                                const struct leat_prom_family *family);
/* 1.0: adds metadata. */
enum leat_prom_write_result leat_prom_write_family(struct leat_prom_write *w,
                                                   const struct leat_prom_family *family);

/* Bytes of the request as it is now. */
size_t leat_prom_write_size(const struct leat_prom_write *w);
/* Bytes of memory it holds. */
size_t leat_prom_write_memory(const struct leat_prom_write *w);
static inline bool leat_prom_write_empty(const struct leat_prom_write *w)
{
    return w->series == 0 && w->families == 0;
}

/* The request, valid until the next call; as a snappy block if *ret_squeezed. Symbols of 2.0 are
 * there once each, but for strings of exemplars that are also in labels, or were not written
 * lately. Samples of one series stand in the order of their times. false: no memory, nothing
 * changed. */
bool leat_prom_write_finish(struct leat_prom_write *w, struct leat_bytes *ret, bool *ret_squeezed);
/* Begins the next one. `keep`: memory is kept for it. */
void leat_prom_write_clear(struct leat_prom_write *w, bool keep);

#endif
