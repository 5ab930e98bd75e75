/* What a running program says of itself at GET /status of its admin socket: made from its meters,
 * written as JSON, read back by `leat top`, and turned into rates by comparing two of them.
 *
 * The document, schema 1. Keys are only ever added; one whose meaning changes gets a new schema.
 *
 * - schema: 1
 * - version: "0.1.0"
 * - pid: process id, as the program sees it
 * - state: "starting", "ready", "stopping"
 * - started: RFC 3339, UTC
 * - uptime_seconds: by a clock that is never set
 * - config: sources as given to --config; of yaml: only the scheme. []: it runs without
 * - workers: threads that carry telemetry
 * - rss_bytes, cpu_seconds
 * - budgets: one per worker: used_bytes, limit_bytes, peak_bytes, refused (how often a body or a
 *   copy was refused because the budget was spent)
 * - components: one per receiver, processor, connector and exporter, for each signal it carries; a
 *   processor for each pipeline
 *
 * A component:
 *
 * - kind, id: "exporter", "otlp_grpc/edge"
 * - pipeline: "traces/edge"; "" but for processors
 * - signal: "traces", "metrics", "logs"
 * - items_in, items_out: spans, data points, log records; what an exporter delivered is out
 * - bytes_in, bytes_out: of OTLP, uncompressed
 * - refused: items handed back with "retry"; of a receiver: whose caller was not told "taken"
 * - errors: items lost here for good: rejected by the destination, or given up
 * - dropped: items taken out on purpose: filtered, sampled out
 * - held, held_bytes: items inside now, and their bytes of OTLP
 * - queue_size, queue_capacity: of an exporter's sending queue, in units of its sizer
 * - in_flight: requests of that exporter being sent or waiting to be tried again; these three are
 *   absent without a queue
 *
 * `leat top --once --output json` writes the same with interval_seconds, and in each component
 * items_in_rate, items_out_rate, bytes_in_rate, bytes_out_rate, refused_rate, errors_rate: per
 * second over that interval, null where there is none (the component or the whole program has
 * started anew). */
#ifndef LEAT_RUN_REPORT_H
#define LEAT_RUN_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/text.h"

#define LEAT_REPORT_SCHEMA 1
#define LEAT_REPORT_BYTES  ((size_t)32 * 1024 * 1024) /* of one document, written or read */

struct leat_house_keeper;
struct leat_map;

enum leat_flow_number {
    LEAT_ITEMS_IN,
    LEAT_ITEMS_OUT,
    LEAT_BYTES_IN,
    LEAT_BYTES_OUT,
    LEAT_REFUSED_ITEMS,
    LEAT_ERROR_ITEMS,
    LEAT_RATED, /* those above only grow, and have rates */
    LEAT_DROPPED_ITEMS = LEAT_RATED,
    LEAT_FLOW_NUMBERS,
};

struct leat_report_row {
    char *kind, *id, *pipeline, *signal; /* printable; never NULL */
    uint64_t total[LEAT_FLOW_NUMBERS];
    double rate[LEAT_RATED]; /* per second; NAN: unknown */
    int64_t held, held_bytes;
    bool has_queue;
    int64_t queue_size, queue_capacity, in_flight;
};

struct leat_report_budget {
    uint64_t used, limit, peak, refused;
};

struct leat_report {
    char *version, *state, *started; /* printable; never NULL */
    char **config;
    size_t nconfig;
    uint64_t pid, workers, rss;
    double uptime, cpu, interval; /* seconds; interval 0: there are no rates */
    struct leat_report_budget *budgets;
    size_t nbudgets;
    struct leat_report_row **rows;
    size_t nrows;
    struct leat_map *by_key; /* private */
};

struct leat_report *leat_report_new(void);
void leat_report_free(struct leat_report *r); /* takes NULL */

struct leat_report_row *leat_report_find(const struct leat_report *r, const char *kind,
                                         const char *id, const char *pipeline,
                                         const char *signal); /* NULL: there is none */
/* The row of that name, made when there is none. NULL: there are too many. */
struct leat_report_row *leat_report_row(struct leat_report *r, const char *kind, const char *id,
                                        const char *pipeline, const char *signal);
void leat_report_add_config(struct leat_report *r, const char *source);
struct leat_report_budget *leat_report_add_budget(struct leat_report *r);
/* All workers' budgets together. */
struct leat_report_budget leat_report_budget(const struct leat_report *r);

/* Fills the report of this program. `born`: leat_clock_mono() when it started. Safe beside the
 * workers' threads. */
struct leat_report *leat_report_collect(const struct leat_house_keeper *house, int64_t born);

/* With rates when r->interval is above 0. */
void leat_report_write(const struct leat_report *r, struct leat_text *out);
/* NULL and `err`: no such document, or of another schema. Nothing in it is believed; texts become
 * printable. */
struct leat_report *leat_report_read(struct leat_bytes json, struct leat_err *err);

/* Sets now->interval and the rates by what has changed since `before`. A program that has started
 * anew has none, nor has a row that was not there or whose numbers went back. */
void leat_report_rate(struct leat_report *now, const struct leat_report *before);

#endif
