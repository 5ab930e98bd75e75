/* What stages that compute with metrics remember of each stream: a bounded table, charged to the
 * worker's budget, of which streams that are not seen any more are forgotten.
 *
 * A number costs LEAT_STREAM_BYTES and its place in the index, 70 bytes at most; a histogram its
 * buckets besides. Memory is given back as streams are forgotten. */
#ifndef LEAT_PROCESSORS_STREAMS_H
#define LEAT_PROCESSORS_STREAMS_H

#include "base/hash.h"

struct leat_budget;
struct leat_gauge;
struct leat_loop;

enum leat_stream_kind {
    LEAT_STREAM_VACANT, /* private: none */
    LEAT_STREAM_NEW,    /* nothing is known of it yet */
    LEAT_STREAM_INT,
    LEAT_STREAM_DOUBLE,
    LEAT_STREAM_HISTOGRAM,
    LEAT_STREAM_EXPONENTIAL,
};

struct leat_stream {
    struct leat_print id;
    uint64_t start, time; /* Unix ns */
    union {
        int64_t integer;
        double value;
        void *block; /* histograms: made by leat_streams_block(), freed with the stream */
    };
    uint32_t seen; /* private */
    uint8_t kind;  /* enum leat_stream_kind; set by the owner */
};
#define LEAT_STREAM_BYTES sizeof(struct leat_stream)

struct leat_streams;

/* At most `max` streams, and half of what `budget` has; those not found for `max_stale` ns (0:
 * never) are forgotten, within an eighth of that (a minute at most). `tracked` shows how many there
 * are. */
struct leat_streams *leat_streams_new(uint64_t max, int64_t max_stale, struct leat_budget *budget,
                                      struct leat_loop *loop, struct leat_gauge *tracked);
void leat_streams_free(struct leat_streams *s); /* takes NULL */

/* The stream, which has been seen now; NULL: it is not known. Valid until the next turn of the
 * loop. */
struct leat_stream *leat_streams_find(struct leat_streams *s, struct leat_print id);

enum leat_streams_answer {
    LEAT_STREAMS_YES,
    LEAT_STREAMS_FULL,     /* `max`, or half of the budget */
    LEAT_STREAMS_NO_MEMORY /* perhaps later */
};
/* One that is not known so far; its kind is LEAT_STREAM_NEW. */
enum leat_streams_answer leat_streams_add(struct leat_streams *s, struct leat_print id,
                                          struct leat_stream **ret);
void leat_streams_remove(struct leat_streams *s, struct leat_stream *stream);

/* Memory for a histogram's numbers, instead of the block it has (NULL: none): the same bytes up to
 * the smaller size. NULL in *ret: not changed. */
enum leat_streams_answer leat_streams_block(struct leat_streams *s, void *old, size_t size,
                                            void **ret);

void leat_streams_drop_block(struct leat_streams *s, void *block);

uint64_t leat_streams_count(const struct leat_streams *s);
size_t leat_streams_bytes(const struct leat_streams *s); /* what they take in memory */

#endif
