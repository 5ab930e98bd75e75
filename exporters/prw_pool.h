/* The shards of remote write: batches are translated one after the other, each sample goes to the
 * shard of its series, and a shard has one request under way. So the samples of a series leave in
 * the order in which they came, however many requests are under way.
 *
 * A shard builds its next request while one is under way, and sends it when that has its final
 * answer; one that is idle sends at the end of the loop's turn. Where a shard can take no more, or
 * no memory is left for what is built, translation rests until a request ends.
 *
 * A destination that does not know 2.0 messages (415) gets 1.0 from then on: what it had not
 * answered yet is translated once more, from its OTLP; point by point, so of a histogram of which
 * some series were answered and some were not, all series come again. */
#ifndef LEAT_EXPORTERS_PRW_POOL_H
#define LEAT_EXPORTERS_PRW_POOL_H

#include <stddef.h>
#include <stdint.h>

struct leat_batch;
struct leat_budget;
struct leat_codecs;
struct leat_loop;
struct leat_meter;
struct leat_prw_encoder;
struct leat_prw_sending;
struct leat_strings;

/* Encoded bytes of all shards together, those of requests under way included: beyond it translation
 * rests, unless nothing is under way. */
#define LEAT_PRW_ENCODED ((size_t)16 * 1024 * 1024)

/* All outlives the pool, but for the first two, which are the pool's from now on. */
struct leat_prw_pool_env {
    struct leat_prw_sending *sending;
    struct leat_prw_encoder *encoder; /* with a message for each shard */
    const char *id;
    struct leat_loop *loop;
    struct leat_meter *meter;
    struct leat_codecs *codecs;
    struct leat_budget *scratch;
    uint32_t shards;
    int codec, level; /* io/codec.h */
    const struct leat_strings *metadata_keys;
};

struct leat_prw_pool;

struct leat_prw_pool *leat_prw_pool_new(const struct leat_prw_pool_env *env);
/* A batch of metrics; leat_batch_done() comes, never from inside this call. */
void leat_prw_pool_take(struct leat_prw_pool *p, struct leat_batch *b);
/* Calls drained(arg) when nothing is inside, from inside this call or later. */
void leat_prw_pool_drain(struct leat_prw_pool *p, void (*drained)(void *arg), void *arg);
/* What is inside is told LEAT_RETRY. Takes NULL. */
void leat_prw_pool_free(struct leat_prw_pool *p);

#endif
