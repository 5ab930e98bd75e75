/* One shard of remote write: the request that is being built, and the one under way. */
#ifndef LEAT_EXPORTERS_PRW_SHARD_H
#define LEAT_EXPORTERS_PRW_SHARD_H

#include "exporters/prw_job.h"
#include "exporters/prw_send.h"
#include "flow/component.h"
#include "io/codec.h"
#include "proto/prom_write.h"

struct leat_prw_shard {
    struct leat_prw_shared *shared;
    struct leat_prom_write write;
    struct leat_prw_load building, sent;
    size_t charged; /* to the scratch budget, for all of the above */
    bool sealed;    /* what is built takes no more */
    bool busy;      /* a request is under way */
    struct leat_prw_request request;
    struct leat_pair *headers;
    struct leat_text values; /* of the headers */
};

#define LEAT_PRW_STATUSES 16

/* What the shards of an exporter have in common; its owner fills in what is above the line. */
struct leat_prw_shared {
    const struct leat_env *env;
    struct leat_prw_sending *sending;
    size_t max_request, max_encoded; /* bytes: of one, and of all together */
    enum leat_codec codec;
    int level;
    bool v2;
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

void leat_prw_shard_open(struct leat_prw_shard *s, struct leat_prw_shared *shared,
                         struct leat_prom_store *store);
/* What is built is forgotten, its load released; its jobs and the request under way have ended. */
void leat_prw_shard_close(struct leat_prw_shard *s);

enum leat_prw_add {
    LEAT_PRW_ADDED,
    LEAT_PRW_FULL, /* not before what is built was sent */
    LEAT_PRW_NO_MEMORY,
};
/* Adds a sample. `point`: as leat_prw_load_add(). */
enum leat_prw_add leat_prw_shard_add(struct leat_prw_shard *s, struct leat_prw_job *job,
                                     uint32_t point, struct leat_prom_series *series,
                                     const struct leat_prom_sample *sample,
                                     const struct leat_prom_family *family);
/* 1.0: adds metadata. */
enum leat_prw_add leat_prw_shard_family(struct leat_prw_shard *s, struct leat_prw_job *job,
                                        const struct leat_prom_family *family);
/* Sends what is built, if there is something and nothing is under way. false: no memory now. */
bool leat_prw_shard_send(struct leat_prw_shard *s);
/* Takes what is built back: it comes again, in a message of another store. */
void leat_prw_shard_restart(struct leat_prw_shard *s, struct leat_prom_store *store);
/* Gives memory back that only the next request needs. */
void leat_prw_shard_rest(struct leat_prw_shard *s);

#endif
