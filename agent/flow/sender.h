/* Stands before an exporter: queue, batching, retry, and the outcome told to the callers. Every
 * exporter has this from here, none has its own.
 *
 * Source of keys and semantics: collector exporterhelper (queuebatch/config.go,
 * configretry/backoff.go). Differences: what a joined request is rejected for costs only the part
 * to blame; a request that is too large is halved; a full queue's refusal names a delay. Limits of
 * the whole process are shared out evenly over its workers. */
#ifndef LEAT_FLOW_SENDER_H
#define LEAT_FLOW_SENDER_H

#include "flow/component.h"

struct leat_retry_conf {
    bool enabled;
    int64_t initial_interval, max_interval, max_elapsed_time; /* ns; max_elapsed_time 0: for ever */
    double multiplier, randomization_factor;
};

extern const struct leat_field leat_retry_fields[];
void leat_retry_check(const struct leat_retry_conf *conf, struct leat_check *c);

enum leat_sizer { LEAT_SIZER_REQUESTS, LEAT_SIZER_ITEMS, LEAT_SIZER_BYTES };

struct leat_queue_batch_conf {
    int64_t flush_timeout;
    int64_t min_size, max_size;
    int sizer; /* enum leat_sizer: items or bytes */
    bool has_sizer;
    struct leat_partition_conf {
        struct leat_strings metadata_keys;
    } partition;
};

#define LEAT_SENDER_SLOTS 1000

struct leat_queue_conf {
    bool enabled;
    /* 0, which no user can write: the exporter orders what is under way itself, and gets up to
     * LEAT_SENDER_SLOTS batches in the order of their turns. */
    uint32_t num_consumers;
    int64_t queue_size; /* in units of sizer */
    int sizer;          /* enum leat_sizer */
    bool has_sizer;
    bool block_on_overflow, wait_for_result;
    const char *storage;
    bool has_batch;
    struct leat_queue_batch_conf batch;
};

struct leat_sender_conf {
    int64_t timeout; /* ns per attempt; 0: none. The exporter applies it */
    struct leat_queue_conf sending_queue;
    struct leat_retry_conf retry_on_failure;
};
extern const struct leat_field leat_sender_fields[]; /* timeout, sending_queue, retry_on_failure */
void leat_sender_check(const struct leat_sender_conf *conf, struct leat_check *c);
enum leat_promise leat_sender_promise(const struct leat_sender_conf *conf);

struct leat_sender;

struct leat_sender_env {
    const char *id;
    enum leat_signal signal;
    struct leat_outlet exporter;
    struct leat_loop *loop;
    struct leat_budget *budget; /* for requests that are cut */
    struct leat_meter *meter;
    struct leat_ledger *ledger; /* the exporter's */
    unsigned workers;
};

struct leat_sender *leat_sender_new(const struct leat_sender_conf *conf,
                                    const struct leat_sender_env *env);
void leat_sender_take(void *sender, struct leat_batch *batch); /* an outlet like any other */
/* Sends what is held, collects no more, goes on trying; `drained` (may be NULL) when nothing is
 * left. */
void leat_sender_drain(struct leat_sender *s, void (*drained)(void *arg), void *arg);
/* Tries nothing again: what waits is told "retry" at once, attempts under way as soon as the
 * exporter ends them. */
void leat_sender_stop(struct leat_sender *s);
/* After leat_sender_stop(), and after the exporter was closed. Takes NULL. */
void leat_sender_free(struct leat_sender *s);

#endif
