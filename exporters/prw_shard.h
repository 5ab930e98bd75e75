/* One shard of remote write: the request that is being built, and the one under way. */
#ifndef LEAT_EXPORTERS_PRW_SHARD_H
#define LEAT_EXPORTERS_PRW_SHARD_H

#include "exporters/prw_encode.h"
#include "exporters/prw_job.h"
#include "exporters/prw_send.h"

struct leat_budget;
struct leat_codecs;
struct leat_counter;
struct leat_gauge;
struct leat_meter;

struct leat_prw_shard {
    struct leat_prw_shared *shared;
    uint32_t number; /* of its message in the encoder */
    struct leat_prw_load building, sent;
    size_t charged; /* to the scratch budget, for all of the above */
    uint32_t added; /* counts up */
    bool sealed;    /* what is built takes no more */
    bool busy;      /* a request is under way */
    struct leat_prw_request request;
    struct leat_pair *headers;
    struct leat_text values; /* of the headers */
};

#define LEAT_PRW_STATUSES 16

/* What the shards of an exporter have in common; its owner fills in what is above the line. */
struct leat_prw_shared {
    const char *id;
    struct leat_budget *scratch;
    struct leat_codecs *codecs;
    struct leat_meter *meter;
    struct leat_prw_sending *sending;
    struct leat_prw_encoder *encoder;
    size_t max_encoded; /* bytes of all together */
    int codec, level;   /* io/codec.h */
    const struct leat_strings *metadata_keys;
    /* A job of which nothing is pending any more. */
    void (*job_ended)(void *arg, struct leat_prw_job *j);
    /* A request has ended, its load is settled, or released if it is to come again. */
    void (*request_ended)(void *arg, enum leat_prw_verdict verdict);
    void *arg;
    /* --- */
    char **keys; /* metadata_keys in lower case */
    size_t encoded;
    struct leat_counter *series, *samples, *exemplars, *dropped[LEAT_PRW_STATUSES];
    struct leat_gauge *busy;
};
void leat_prw_shared_open(struct leat_prw_shared *h);
void leat_prw_shared_close(struct leat_prw_shared *h);

void leat_prw_shard_open(struct leat_prw_shard *s, struct leat_prw_shared *shared, uint32_t number);
/* What is built is forgotten, its load released; its jobs and the request under way have ended. */
void leat_prw_shard_close(struct leat_prw_shard *s);

/* Adds what the encoder gave last. `point`: as leat_prw_load_add(). */
enum leat_prw_add leat_prw_shard_add(struct leat_prw_shard *s, struct leat_prw_job *job,
                                     uint32_t point);
/* Sends what is built, if there is something and nothing is under way. false: no memory now. */
bool leat_prw_shard_send(struct leat_prw_shard *s);
/* Takes what is built back: it comes again. Then the encoder may fall back. */
void leat_prw_shard_restart(struct leat_prw_shard *s);
/* Gives memory back that only the next request needs. */
void leat_prw_shard_rest(struct leat_prw_shard *s);

#endif
