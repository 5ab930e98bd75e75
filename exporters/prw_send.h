/* Sends requests of remote write until each has its final answer: retries in place, so that who
 * sends one after the other keeps their order.
 *
 * Source: Prometheus remote write 1.0 and 2.0 ("Retries & Backoff", "Required Written Response
 * Headers", "Unsupported Message"). Differences: 429 is always retried, and what it asks for is
 * waited. After an outage everybody is tried at once, as flow/backoff.h says. */
#ifndef LEAT_EXPORTERS_PRW_SEND_H
#define LEAT_EXPORTERS_PRW_SEND_H

#include "flow/batch.h"
#include "io/client.h"

struct leat_buf;
struct leat_meter;
struct leat_retry_conf;

enum leat_prw_verdict {
    LEAT_PRW_TAKEN,           /* all, or what `missing` says not */
    LEAT_PRW_REJECTED,        /* for good: 4xx, or an answer that is none; `missing` as above */
    LEAT_PRW_GIVEN_UP,        /* not delivered, and no more tries */
    LEAT_PRW_UNKNOWN_MESSAGE, /* the destination does not know 2.0 messages; nothing was taken */
    LEAT_PRW_CANCELLED,       /* leat_prw_sending_stop(), or leat_prw_sending_recall() */
};

enum leat_prw_kind { LEAT_PRW_SAMPLES, LEAT_PRW_HISTOGRAMS, LEAT_PRW_EXEMPLARS, LEAT_PRW_KINDS };

/* How a request ended. Valid during `done`. */
struct leat_prw_result {
    enum leat_prw_verdict verdict;
    uint32_t status; /* HTTP; 0: no answer */
    uint32_t code;   /* gRPC status code for the callers */
    const char *why; /* NULL: nothing to say */
    /* What the destination says it did not take; 1.0: nothing known, all that was sent. */
    uint64_t missing[LEAT_PRW_KINDS];
};

struct leat_prw_request {
    /* the caller's */
    struct leat_buf *body; /* compressed; valid until `done` */
    bool v2;
    const struct leat_pair *headers; /* more headers; valid until `done` */
    size_t nheaders;
    uint64_t sent[LEAT_PRW_KINDS];
    uint32_t items; /* data points, for the log */
    void (*done)(struct leat_prw_request *r, const struct leat_prw_result *res);
    /* private */
    struct leat_prw_sending *sending; /* NULL: not under way */
    struct leat_exchange exchange;
    struct leat_bytes piece;
    struct leat_batch wait; /* no batch: its place in the order of those who wait */
};

struct leat_prw_sending_env {
    const char *id;
    struct leat_client_env client;       /* `keep` and `max_answer` are filled in */
    const struct leat_client_conf *conf; /* outlives it, as `retry` does */
    const struct leat_retry_conf *retry;
    int64_t timeout; /* of one attempt, ns */
    struct leat_meter *meter;
};

struct leat_prw_sending;
/* NULL and `err`: as leat_client_new(). */
struct leat_prw_sending *leat_prw_sending_new(const struct leat_prw_sending_env *env,
                                              struct leat_err *err);
/* Tries nothing again and ends whatever is under way with CANCELLED, from inside this call. */
void leat_prw_sending_stop(struct leat_prw_sending *s);
void leat_prw_sending_free(struct leat_prw_sending *s); /* stops first; takes NULL */

/* Sends; `done` runs once, never from inside this call. `headers` hold what says which message it
 * is but Content-Type and Content-Encoding (`encoding`), which are made here. */
void leat_prw_send(struct leat_prw_sending *s, struct leat_prw_request *r, const char *encoding);
/* What waits to be tried again ends with CANCELLED, from inside this call; what is on the wire goes
 * on. */
void leat_prw_sending_recall(struct leat_prw_sending *s);
/* Requests that have not ended. */
uint32_t leat_prw_sending_busy(const struct leat_prw_sending *s);

#endif
