/* What StatsD samples are added up in until they are sent: one entry per series, and OTLP points
 * made of them.
 *
 * A series is a client, a type, a name and a set of tags, in whatever order they come. A table has
 * one owner at a time and knows no sockets and no threads: each worker feeds its own, and before
 * they are sent all are merged into one.
 *
 * Memory is bounded: by the cap on series, by leat_statsd_table_bound(), and by the budget. A
 * series beyond any of these is counted in the overflow series of its type, which is always there
 * (attribute otel.metric.overflow = true; OpenTelemetry metrics SDK, "Cardinality limits"):
 * statsd.overflow.counter has the sum, statsd.overflow.timing, .histogram and .distribution are
 * observed as their type is. Where values of different series mean nothing together (gauges, sets,
 * observer gauge) statsd.overflow.gauge and so on are sums that count samples; what overflows only
 * as it is merged counts as one sample for each gauge and set. */
#ifndef LEAT_RECEIVERS_STATSD_TABLE_H
#define LEAT_RECEIVERS_STATSD_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "proto/statsd.h"

struct leat_budget;
struct leat_buf;
struct leat_statsd_rules;
struct leat_statsd_table;

#define LEAT_STATSD_IDLE_PASSES  10  /* passes without a sample after which a series is forgotten */
#define LEAT_STATSD_GAUGE_PASSES 240 /* the same for gauges, whose value a delta may need */
#define LEAT_STATSD_CLIENTS      65535 /* addresses in a table; samples of others overflow */

/* Why samples (or events) that were read well are not in any point. */
enum leat_statsd_drop {
    LEAT_STATSD_DROP_TIMING,       /* not in timer_histogram_mapping, or disabled */
    LEAT_STATSD_DROP_HISTOGRAM,    /* the same */
    LEAT_STATSD_DROP_DISTRIBUTION, /* the same */
    LEAT_STATSD_DROP_FULL,         /* observer gauge: too many samples held */
    LEAT_STATSD_DROP_EVENT,        /* nobody takes them */
    LEAT_STATSD_DROP_CHECK,        /* the same */
    LEAT_STATSD_DROPS
};
/* Words for the label of a metric: "unmapped_timing", …, "full", "event", "service_check". */
extern const char *const leat_statsd_drop_names[LEAT_STATSD_DROPS];

/* Counts since the table was made (or since leat_statsd_table_merge() took them away). */
struct leat_statsd_stats {
    uint64_t lines;   /* that were not empty */
    uint64_t samples; /* values that were taken, overflow included */
    uint64_t notices; /* events and service checks that were read */
    uint64_t faults[LEAT_STATSD_FAULTS];
    uint64_t drops[LEAT_STATSD_DROPS];
    uint64_t overflow[LEAT_STATSD_TYPES]; /* samples that went to the overflow series */
};

/* Where bytes come from. */
struct leat_statsd_source {
    uint8_t client[16]; /* IPv6 address, IPv4 mapped into it; zeros: none, or all are one */
    int64_t now;        /* wall clock, ns: when they came */
    /* Takes an event or a service check, which lies in the bytes fed. NULL: dropped and counted. */
    void (*notice)(void *arg, const struct leat_statsd_source *from,
                   const struct leat_statsd_notice *notice);
    void *arg;
};

/* `rules` must outlive the table; `budget` (may be NULL) is charged with what the table takes
 * beyond its first few KiB: about 110 bytes for a series with 50 bytes of name and tags. Never
 * fails: address space is reserved, pages come as they are used. */
struct leat_statsd_table *leat_statsd_table_new(const struct leat_statsd_rules *rules,
                                                struct leat_budget *budget, int64_t now);
void leat_statsd_table_free(struct leat_statsd_table *t); /* takes NULL */

/* A datagram, or a run of whole lines of a stream. Nothing of `data` is needed afterwards. */
void leat_statsd_table_feed(struct leat_statsd_table *t, const struct leat_statsd_source *from,
                            struct leat_bytes data);
/* The same for datagrams of one client that were received together: faster where each has only a
 * line or two, because their lines are looked up together. */
void leat_statsd_table_feed_all(struct leat_statsd_table *t, const struct leat_statsd_source *from,
                                const struct leat_bytes *data, size_t count);

/* Sending: a pass goes once over all series, in chunks, each of one client. A series starts afresh
 * as its point is written; what comes in meanwhile is added up for the next pass. A pass is also
 * what series grow old by: one is due in each interval, whether there is something to send or not.
 */
struct leat_statsd_chunk {
    uint8_t client[16]; /* whose points these are */
    uint32_t points;    /* 0: the pass is over, nothing was written */
};
/* Room a chunk must be given at least: one point of any series fits. */
#define LEAT_STATSD_CHUNK_MIN ((size_t)64 * 1024)

/* Begins a pass; one that was under way begins again with what is left. */
void leat_statsd_table_begin(struct leat_statsd_table *t);
/* Appends an ExportMetricsServiceRequest to `out` (to its `len`, within its `cap`; at least
 * LEAT_STATSD_CHUNK_MIN must be free), of `max_points` points at most (0: as many as fit). Points
 * end at `now` (wall clock, ns). A table may be fed and merged into between two chunks. */
void leat_statsd_table_encode(struct leat_statsd_table *t, int64_t now, uint32_t max_points,
                              struct leat_buf *out, struct leat_statsd_chunk *ret);

/* Moves everything of `from` (made with the same rules) into `into`: counters, sets, observers and
 * overflow are added, of a gauge the value set last stays and the other's deltas are added to it
 * if they came later. Statistics move too. Afterwards nothing is to be sent in `from`, and it is
 * used again: it keeps the keys of its series, so that they have their place there before others
 * come, but no value, not even a gauge's. Those grow old as in a pass: a series without a sample in
 * so many merges is forgotten, one with a timestamp of its own at once. When the last is forgotten
 * all memory is given back. What is left of weights (statsd_observe.h) stays in `from`. */
void leat_statsd_table_merge(struct leat_statsd_table *into, struct leat_statsd_table *from,
                             int64_t now);

const struct leat_statsd_stats *leat_statsd_table_stats(const struct leat_statsd_table *t);
uint32_t leat_statsd_table_series(const struct leat_statsd_table *t); /* live, without overflow */
bool leat_statsd_table_idle(const struct leat_statsd_table *t);       /* nothing to send */
/* Samples that are points of their own fill half of their room: send before the interval ends. */
bool leat_statsd_table_wants_pass(const struct leat_statsd_table *t);
size_t leat_statsd_table_bytes(const struct leat_statsd_table *t); /* in use, as charged */
size_t leat_statsd_table_bound(const struct leat_statsd_table *t); /* that it will never exceed */

#endif
