/* The shards of remote write, and the translation that feeds them. */
#include "exporters/prw_pool.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/meter.h"
#include "exporters/prw_encode.h"
#include "exporters/prw_shard.h"
#include "io/loop.h"

#define ITEMS_PER_TURN 16384 /* samples and the like, before sockets have their turn */
#define MEMORY_RETRY   (100 * LEAT_MS)
#define REST_AFTER     LEAT_SEC
#define RETRY_MS       1000

struct leat_prw_pool {
    struct leat_prw_shared shared;
    struct leat_prw_shard *shard;
    uint32_t shards;
    struct leat_loop *loop;
    struct leat_prw_encoder *encoder;
    struct leat_link waiting;    /* batches that are no jobs yet */
    struct leat_link again;      /* jobs to be translated once more, before those */
    struct leat_link translated; /* jobs that wait for answers */
    struct leat_prw_job *job;    /* being translated; NULL: none */
    bool has_item;               /* `item` has found no place yet */
    struct leat_prw_item item;
    bool falling; /* back to 1.0, as soon as nothing is under way */
    bool closing;
    struct leat_task task;
    struct leat_timer *timer;
    void (*drained)(void *arg);
    void *drained_arg;
    struct leat_counter *drops[LEAT_PRW_DROPS], *failed;
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

static void begin_part(struct leat_prw_pool *p)
{
    const struct leat_part *part = &p->job->batch->parts[p->job->part];

    leat_prw_encoder_begin(p->encoder, leat_bytes(part->data, part->len), leat_clock_mono());
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
        p->job = leat_prw_job_new(b, p->shared.metadata_keys);
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
    if (leat_prw_job_let_go(j))
        leat_prw_job_end(j, false);
}

/* --- items */

static void drop_point(struct leat_prw_pool *p)
{
    struct leat_prw_job *j = p->job;
    const struct leat_prw_item *i = &p->item;
    char why[200];

    snprintf(why, sizeof why, "metric \"%.*s\" cannot be written: %s%s",
             i->metric.len > 80 ? 80 : (int)i->metric.len, (const char *)i->metric.data,
             leat_prw_drop_text(i->drop), leat_prw_drop_advice(i->drop));
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
    uint32_t point = p->item.of_point ? p->job->point : LEAT_PRW_NO_POINT;

    if (p->item.of_point && leat_prw_job_has_answer(p->job, point))
        return LEAT_PRW_ADDED; /* before everything began again */
    return leat_prw_shard_add(s, p->job, point);
}

/* Puts the item where it belongs; a shard that is full sends first, if it may. */
static enum step place(struct leat_prw_pool *p)
{
    struct leat_prw_shard *s = shard_of(p, p->item.hash);
    enum leat_prw_add r = add_once(p, s);

    if (r == LEAT_PRW_FULL && !s->busy) {
        if (!leat_prw_shard_send(s))
            return STEP_NO_MEMORY;
        r = add_once(p, s);
    }
    if (r != LEAT_PRW_ADDED)
        return r == LEAT_PRW_FULL ? STEP_BLOCKED : STEP_NO_MEMORY;
    if (p->item.of_point && p->item.last)
        p->job->point++;
    return STEP_ON;
}

static enum step one_step(struct leat_prw_pool *p)
{
    enum step step;

    if (p->job == NULL)
        return next_job(p);
    if (!p->has_item)
        leat_prw_encoder_next(p->encoder, &p->item);
    switch (p->item.kind) {
    case LEAT_PRW_ITEM_NO_MEMORY:
        return STEP_NO_MEMORY;
    case LEAT_PRW_ITEM_END:
        part_done(p);
        return STEP_ON;
    case LEAT_PRW_ITEM_DROPPED:
        drop_point(p);
        return STEP_ON;
    default:
        step = place(p);
        p->has_item = step != STEP_ON;
        return step;
    }
}

/* --- 1.0 after all */

static void fall(struct leat_prw_pool *p)
{
    if (p->falling)
        return;
    p->falling = true;
    leat_warn(p->shared.id,
              "the destination does not know remote write 2.0: it gets prometheus.WriteRequest "
              "(1.0) from now on");
    leat_prw_sending_recall(p->shared.sending);
}

/* What has no answer yet is translated once more, in the same order. */
static void begin_again(struct leat_prw_pool *p)
{
    struct leat_link jobs, *l;

    for (uint32_t i = 0; i < p->shards; i++)
        leat_prw_shard_restart(&p->shard[i]);
    leat_prw_encoder_fall(p->encoder);
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
    size_t series, bytes;

    leat_prw_encoder_cache(p->encoder, &series, &bytes);
    leat_gauge_set(p->series, (int64_t)series);
    leat_gauge_set(p->bytes, (int64_t)bytes);
    leat_gauge_set(p->encoded, (int64_t)p->shared.encoded);
}

static void tell_drained(struct leat_prw_pool *p)
{
    void (*drained)(void *arg) = p->drained;

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
    else if (!is_inside(p))
        leat_timer_start(p->timer, REST_AFTER, 0);
    show_memory(p);
    if (!is_inside(p))
        tell_drained(p);
}

static void on_task(struct leat_task *t)
{
    turn(LEAT_OWNER(t, struct leat_prw_pool, task));
}

/* Nothing is inside and nothing came for a while: memory that was kept for more goes back. */
static void on_timer(void *arg)
{
    struct leat_prw_pool *p = arg;

    if (is_inside(p)) {
        turn(p);
        return;
    }
    for (uint32_t i = 0; i < p->shards; i++)
        leat_prw_shard_rest(&p->shard[i]);
    show_memory(p);
}

static void request_ended(void *arg, enum leat_prw_verdict verdict)
{
    struct leat_prw_pool *p = arg;

    if (p->closing)
        return;
    if (verdict == LEAT_PRW_UNKNOWN_MESSAGE)
        fall(p);
    leat_loop_defer(p->loop, &p->task);
}

void leat_prw_pool_take(struct leat_prw_pool *p, struct leat_batch *b)
{
    leat_list_append(&p->waiting, &b->link);
    leat_loop_defer(p->loop, &p->task);
}

void leat_prw_pool_drain(struct leat_prw_pool *p, void (*drained)(void *arg), void *arg)
{
    p->drained = drained;
    p->drained_arg = arg;
    if (!is_inside(p))
        tell_drained(p);
}

/* --- life */

static void open_meters(struct leat_prw_pool *p)
{
    struct leat_meter *m = p->shared.meter;
    struct leat_metric id = {.labels = {{"exporter", p->shared.id}}};

    id.name = "otelcol_exporter_prometheusremotewrite_consumers";
    id.help = "Requests that may be under way at once.";
    leat_gauge_set(leat_meter_gauge(m, &id), p->shards);
    id.name = "leat_prometheus_remote_write_cached_series";
    id.help = "Series whose labels are kept encoded.";
    p->series = leat_meter_gauge(m, &id);
    id.name = "leat_prometheus_remote_write_cache_bytes";
    id.help = "Bytes of the series whose labels are kept encoded.";
    p->bytes = leat_meter_gauge(m, &id);
    id.name = "leat_prometheus_remote_write_encoded_bytes";
    id.help = "Bytes of requests that are built or under way.";
    p->encoded = leat_meter_gauge(m, &id);
    id.name = "otelcol_exporter_prometheusremotewrite_failed_translations";
    id.help = "Data points that cannot be written in Prometheus' terms.";
    p->failed = leat_meter_counter(m, &id);
    id.name = "leat_prometheus_remote_write_dropped_points_total";
    id.help = "Data points that cannot be written in Prometheus' terms, by reason.";
    for (unsigned i = 0; i < LEAT_PRW_DROPS; i++) {
        if (leat_prw_drop_text(i) == NULL)
            continue;
        id.labels[1] = (struct leat_label){"reason", leat_prw_drop_text(i)};
        p->drops[i] = leat_meter_counter(m, &id);
    }
}

struct leat_prw_pool *leat_prw_pool_new(const struct leat_prw_pool_env *env)
{
    struct leat_prw_pool *p = leat_new(sizeof *p);

    p->shared = (struct leat_prw_shared){
        .id = env->id,
        .scratch = env->scratch,
        .codecs = env->codecs,
        .meter = env->meter,
        .sending = env->sending,
        .encoder = env->encoder,
        .max_encoded = LEAT_PRW_ENCODED,
        .codec = env->codec,
        .level = env->level,
        .metadata_keys = env->metadata_keys,
        .job_ended = job_ended,
        .request_ended = request_ended,
        .arg = p,
    };
    p->encoder = env->encoder;
    p->loop = env->loop;
    p->shards = env->shards;
    leat_list_init(&p->waiting);
    leat_list_init(&p->again);
    leat_list_init(&p->translated);
    p->task.run = on_task;
    leat_list_init(&p->task.link);
    p->timer = leat_timer_new(env->loop, on_timer, p);
    leat_prw_shared_open(&p->shared);
    p->shard = leat_new_array(p->shards, sizeof *p->shard);
    for (uint32_t i = 0; i < p->shards; i++)
        leat_prw_shard_open(&p->shard[i], &p->shared, i);
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
    leat_prw_encoder_free(p->encoder);
    leat_task_cancel(&p->task);
    leat_timer_free(p->timer);
    leat_free(p->shard);
    leat_free(p);
}
