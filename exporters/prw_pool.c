/* The shards of remote write, and the translation that feeds them. */
#include "exporters/prw_pool.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/meter.h"
#include "exporters/prw_shard.h"
#include "flow/origin.h"
#include "io/loop.h"

#define ITEMS_PER_TURN 16384 /* samples and the like, before sockets have their turn */
#define MEMORY_RETRY   (100 * LEAT_MS)
#define KEY_BYTES      ((size_t)16 * 1024)
#define RETRY_MS       1000

struct leat_prw_pool {
    struct leat_prw_shared shared;
    struct leat_prw_shard *shard;
    uint32_t shards;
    struct leat_prom_feed_conf conf;
    struct leat_prom_feed *feed;
    struct leat_link waiting;    /* batches that are no jobs yet */
    struct leat_link again;      /* jobs to be translated once more, before those */
    struct leat_link translated; /* jobs that wait for answers */
    struct leat_prw_job *job;    /* being translated; NULL: none */
    bool has_item;               /* `item` has found no place yet */
    enum leat_prom_feed_result item_is;
    struct leat_prom_item item;
    bool falling; /* back to 1.0, as soon as nothing is under way */
    bool closing;
    struct leat_task task;
    struct leat_timer *timer;
    void (*drained)(void *arg);
    void *drained_arg;
    struct leat_counter *drops[LEAT_PROM_DROPS], *failed;
    struct leat_gauge *series, *bytes, *encoded;
};

enum step { STEP_ON, STEP_IDLE, STEP_BLOCKED, STEP_NO_MEMORY };

/* --- jobs */

static void job_ended(void *arg, struct leat_prw_job *j)
{
    (void)arg;
    leat_prw_job_end(j, false);
}

static struct leat_batch *first_batch(const struct leat_prw_pool *p)
{
    return leat_list_empty(&p->waiting) ? NULL
                                        : LEAT_OWNER(p->waiting.next, struct leat_batch, link);
}

/* NULL: no memory. */
static struct leat_prw_job *make_job(struct leat_prw_pool *p, struct leat_batch *b)
{
    const struct leat_strings *keys = p->shared.metadata_keys;
    struct leat_prw_job *j = NULL;
    struct leat_text key;

    leat_text_init(&key, KEY_BYTES);
    if (keys->count > 0)
        leat_origin_key(b->origin, keys->items, keys->count, &key);
    if (leat_text_ok(&key))
        j = leat_prw_job_new(b, &key);
    leat_text_done(&key);
    return j;
}

static void begin_part(struct leat_prw_pool *p)
{
    const struct leat_part *part = &p->job->batch->parts[p->job->part];

    leat_prom_feed_begin(p->feed, leat_bytes(part->data, part->len), leat_clock_mono());
}

static enum step next_job(struct leat_prw_pool *p)
{
    struct leat_link *l = leat_list_pop(&p->again);
    struct leat_batch *b;

    if (l != NULL) {
        p->job = LEAT_OWNER(l, struct leat_prw_job, link);
    } else {
        b = first_batch(p);
        if (b == NULL)
            return STEP_IDLE;
        p->job = make_job(p, b);
        if (p->job == NULL)
            return STEP_NO_MEMORY;
        leat_list_remove(&b->link);
    }
    begin_part(p);
    return STEP_ON;
}

static void part_done(struct leat_prw_pool *p)
{
    struct leat_prw_job *j = p->job;

    if (++j->part < j->batch->nparts) {
        begin_part(p);
        return;
    }
    p->job = NULL;
    leat_list_append(&p->translated, &j->link);
    if (--j->pending == 0)
        leat_prw_job_end(j, false);
}

/* --- items */

static const char *advice(enum leat_prom_drop why)
{
    return why == LEAT_PROM_DROP_TEMPORALITY ? " (delta; the processor deltatocumulative before "
                                               "this exporter makes it cumulative)"
                                             : "";
}

static void drop_point(struct leat_prw_pool *p)
{
    struct leat_prw_job *j = p->job;
    const struct leat_prom_item *i = &p->item;
    char why[200];

    snprintf(why, sizeof why, "metric \"%.*s\" cannot be written: %s%s",
             i->metric.len > 80 ? 80 : (int)i->metric.len, (const char *)i->metric.data,
             leat_prom_drop_text(i->drop), advice(i->drop));
    leat_prw_job_drop(j, why);
    if (j->point >= j->walked) {
        leat_count(p->drops[i->drop], 1);
        leat_count(p->failed, 1);
    }
    j->point++;
}

static struct leat_prw_shard *shard_of(struct leat_prw_pool *p, uint32_t hash)
{
    return &p->shard[(uint64_t)hash * p->shards >> 32];
}

static enum leat_prw_add add_once(struct leat_prw_pool *p, struct leat_prw_shard *s)
{
    const struct leat_prom_item *i = &p->item;
    uint32_t point = i->metric.len != 0 ? p->job->point : LEAT_PRW_NO_POINT;

    if (p->item_is == LEAT_PROM_FEED_FAMILY)
        return leat_prw_shard_family(s, p->job, &i->family);
    if (point != LEAT_PRW_NO_POINT && leat_prw_job_has_answer(p->job, point))
        return LEAT_PRW_ADDED; /* before everything began again */
    return leat_prw_shard_add(s, p->job, point, i->series, &i->sample,
                              p->shared.v2 ? &i->family : NULL);
}

/* Puts the item where it belongs; a shard that is full sends first, if it may. */
static enum step place(struct leat_prw_pool *p)
{
    const struct leat_prom_item *i = &p->item;
    struct leat_prw_shard *s;
    enum leat_prw_add r;

    if (p->item_is == LEAT_PROM_FEED_DROPPED) {
        drop_point(p);
        return STEP_ON;
    }
    s = shard_of(p, p->item_is == LEAT_PROM_FEED_FAMILY ? (uint32_t)leat_hash(i->family.name)
                                                        : i->series->hash);
    r = add_once(p, s);
    if (r == LEAT_PRW_FULL && !s->busy) {
        if (!leat_prw_shard_send(s))
            return STEP_NO_MEMORY;
        r = add_once(p, s);
    }
    if (r != LEAT_PRW_ADDED)
        return r == LEAT_PRW_FULL ? STEP_BLOCKED : STEP_NO_MEMORY;
    if (p->item_is == LEAT_PROM_FEED_SAMPLE && i->metric.len != 0 && i->last)
        p->job->point++;
    return STEP_ON;
}

static enum step one_step(struct leat_prw_pool *p)
{
    enum step step;

    if (p->job == NULL)
        return next_job(p);
    if (!p->has_item) {
        p->item_is = leat_prom_feed_next(p->feed, &p->item);
        if (p->item_is == LEAT_PROM_FEED_NO_MEMORY)
            return STEP_NO_MEMORY;
        if (p->item_is == LEAT_PROM_FEED_END) {
            part_done(p);
            return STEP_ON;
        }
    }
    step = place(p);
    p->has_item = step != STEP_ON;
    return step;
}

/* --- 1.0 after all */

static void fall(struct leat_prw_pool *p)
{
    if (p->falling)
        return;
    p->falling = true;
    leat_warn(p->shared.env->id,
              "the destination does not know remote write 2.0: it gets prometheus.WriteRequest "
              "(1.0) from now on");
    leat_prw_sending_recall(p->shared.sending);
}

static void set_message(struct leat_prw_pool *p, enum leat_prom_message message)
{
    struct leat_prom_feed_conf *c = &p->conf;

    c->message = message;
    p->shared.v2 = message == LEAT_PROM_WRITE_2;
    if (p->shared.v2) {
        c->metadata = true;
        return;
    }
    c->map.custom_buckets = false;
    c->labels.utf8 = false;
    if (leat_prom_strategy_is_utf8(c->naming.strategy))
        c->naming.strategy =
            c->naming.strategy == LEAT_PROM_UTF8 ? LEAT_PROM_ESCAPE : LEAT_PROM_ESCAPE_SUFFIXES;
}

/* What has no answer yet is translated once more, in the same order. */
static void begin_again(struct leat_prw_pool *p)
{
    struct leat_prom_feed *old = p->feed;
    struct leat_link jobs, *l;

    set_message(p, LEAT_PROM_WRITE_1);
    p->feed = leat_prom_feed_new(&p->conf);
    for (uint32_t i = 0; i < p->shards; i++)
        leat_prw_shard_restart(&p->shard[i], leat_prom_feed_store(p->feed));
    leat_prom_feed_free(old);
    if (p->job != NULL)
        leat_list_append(&p->translated, &p->job->link);
    p->job = NULL;
    p->has_item = false;
    leat_list_init(&jobs);
    while ((l = leat_list_pop(&p->translated)) != NULL) {
        leat_prw_job_again(LEAT_OWNER(l, struct leat_prw_job, link));
        leat_list_append(&jobs, l);
    }
    while ((l = leat_list_pop(&p->again)) != NULL)
        leat_list_append(&jobs, l);
    while ((l = leat_list_pop(&jobs)) != NULL)
        leat_list_append(&p->again, l);
    p->falling = false;
}

/* --- turns */

static bool is_inside(const struct leat_prw_pool *p)
{
    return p->job != NULL || !leat_list_empty(&p->waiting) || !leat_list_empty(&p->again) ||
           !leat_list_empty(&p->translated);
}

static enum step translate(struct leat_prw_pool *p)
{
    enum step step = STEP_ON;

    for (unsigned n = 0; n < ITEMS_PER_TURN && step == STEP_ON; n++)
        step = one_step(p);
    return step;
}

static void show_memory(struct leat_prw_pool *p)
{
    struct leat_prom_store_stats st = leat_prom_store_stats(leat_prom_feed_store(p->feed));

    leat_gauge_set(p->series, (int64_t)st.series);
    leat_gauge_set(p->bytes, (int64_t)st.bytes);
    leat_gauge_set(p->encoded, (int64_t)p->shared.encoded);
}

/* Nothing is inside: memory that was kept for more goes back. */
static void rest(struct leat_prw_pool *p)
{
    void (*drained)(void *arg) = p->drained;

    for (uint32_t i = 0; i < p->shards; i++)
        leat_prw_shard_rest(&p->shard[i]);
    p->drained = NULL;
    if (drained != NULL)
        drained(p->drained_arg);
}

static void turn(struct leat_prw_pool *p)
{
    enum step step;

    if (p->falling && leat_prw_sending_busy(p->shared.sending) > 0)
        return;
    if (p->falling)
        begin_again(p);
    step = translate(p);
    for (uint32_t i = 0; i < p->shards; i++) {
        if (!leat_prw_shard_send(&p->shard[i]))
            step = STEP_NO_MEMORY;
    }
    if (step == STEP_ON)
        leat_timer_start(p->timer, 0, 0);
    else if (step == STEP_NO_MEMORY)
        leat_timer_start(p->timer, MEMORY_RETRY, 0);
    if (!is_inside(p))
        rest(p);
    show_memory(p);
}

static void on_task(struct leat_task *t)
{
    turn(LEAT_OWNER(t, struct leat_prw_pool, task));
}

static void on_timer(void *arg)
{
    turn(arg);
}

static void request_ended(void *arg, enum leat_prw_verdict verdict)
{
    struct leat_prw_pool *p = arg;

    if (p->closing)
        return;
    if (verdict == LEAT_PRW_UNKNOWN_MESSAGE)
        fall(p);
    leat_loop_defer(p->shared.env->loop, &p->task);
}

void leat_prw_pool_take(struct leat_prw_pool *p, struct leat_batch *b)
{
    leat_list_append(&p->waiting, &b->link);
    leat_loop_defer(p->shared.env->loop, &p->task);
}

void leat_prw_pool_drain(struct leat_prw_pool *p, void (*drained)(void *arg), void *arg)
{
    p->drained = drained;
    p->drained_arg = arg;
    if (!is_inside(p))
        rest(p);
}

/* --- life */

static void open_meters(struct leat_prw_pool *p)
{
    const struct leat_env *env = p->shared.env;
    struct leat_metric id = {.labels = {{"exporter", env->id}}};

    id.name = "otelcol_exporter_prometheusremotewrite_consumers";
    id.help = "Requests that may be under way at once.";
    leat_gauge_set(leat_meter_gauge(env->meter, &id), p->shards);
    id.name = "leat_prometheus_remote_write_cached_series";
    id.help = "Series whose labels are kept encoded.";
    p->series = leat_meter_gauge(env->meter, &id);
    id.name = "leat_prometheus_remote_write_cache_bytes";
    id.help = "Bytes of the series whose labels are kept encoded.";
    p->bytes = leat_meter_gauge(env->meter, &id);
    id.name = "leat_prometheus_remote_write_encoded_bytes";
    id.help = "Bytes of requests that are built or under way.";
    p->encoded = leat_meter_gauge(env->meter, &id);
    id.name = "otelcol_exporter_prometheusremotewrite_failed_translations";
    id.help = "Data points that cannot be written in Prometheus' terms.";
    p->failed = leat_meter_counter(env->meter, &id);
    id.name = "leat_prometheus_remote_write_dropped_points_total";
    id.help = "Data points that cannot be written in Prometheus' terms, by reason.";
    for (unsigned i = LEAT_PROM_KEPT + 1; i < LEAT_PROM_DROPS; i++) {
        id.labels[1] = (struct leat_label){"reason", leat_prom_drop_text((enum leat_prom_drop)i)};
        p->drops[i] = leat_meter_counter(env->meter, &id);
    }
}

struct leat_prw_pool *leat_prw_pool_new(const struct leat_prw_pool_env *env)
{
    struct leat_prw_pool *p = leat_new(sizeof *p);

    p->shared = (struct leat_prw_shared){
        .env = env->env,
        .sending = env->sending,
        .max_request = env->max_request,
        .max_encoded = LEAT_PRW_ENCODED,
        .codec = env->codec,
        .level = env->level,
        .metadata_keys = env->metadata_keys,
        .job_ended = job_ended,
        .request_ended = request_ended,
        .arg = p,
    };
    p->conf = env->feed;
    set_message(p, env->feed.message);
    p->feed = leat_prom_feed_new(&p->conf);
    p->shards = env->shards;
    leat_list_init(&p->waiting);
    leat_list_init(&p->again);
    leat_list_init(&p->translated);
    p->task.run = on_task;
    leat_list_init(&p->task.link);
    p->timer = leat_timer_new(env->env->loop, on_timer, p);
    leat_prw_shared_open(&p->shared);
    p->shard = leat_new_array(p->shards, sizeof *p->shard);
    for (uint32_t i = 0; i < p->shards; i++)
        leat_prw_shard_open(&p->shard[i], &p->shared, leat_prom_feed_store(p->feed));
    open_meters(p);
    return p;
}

static void end_jobs(struct leat_link *jobs)
{
    while (!leat_list_empty(jobs))
        leat_prw_job_end(LEAT_OWNER(jobs->next, struct leat_prw_job, link), true);
}

void leat_prw_pool_free(struct leat_prw_pool *p)
{
    struct leat_link *l;

    if (p == NULL)
        return;
    p->closing = true;
    leat_prw_sending_free(p->shared.sending);
    for (uint32_t i = 0; i < p->shards; i++)
        leat_prw_shard_close(&p->shard[i]);
    end_jobs(&p->translated);
    if (p->job != NULL)
        leat_prw_job_end(p->job, true);
    end_jobs(&p->again);
    while ((l = leat_list_pop(&p->waiting)) != NULL)
        leat_batch_done(LEAT_OWNER(l, struct leat_batch, link),
                        leat_retry(14, RETRY_MS, "shutting down"));
    leat_prw_shared_close(&p->shared);
    leat_prom_feed_free(p->feed);
    leat_task_cancel(&p->task);
    leat_timer_free(p->timer);
    leat_free(p->shard);
    leat_free(p);
}
