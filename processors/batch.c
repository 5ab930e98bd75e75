/* batch processor: joins small requests, cuts large ones.
 *
 * Source of keys and semantics: collector processor/batchprocessor. Where the pipeline's promise is
 * only "held in memory", callers are answered at once and what the next stage refuses is kept and
 * offered again; while that is so, new data is refused. Where the promise is more, the callers wait
 * and hear the real outcome. Nothing is dropped here. */
#include <strings.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/meter.h"
#include "base/share.h"
#include "base/text.h"
#include "flow/component.h"
#include "flow/ledger.h"
#include "flow/origin.h"
#include "io/loop.h"

#define RETRY_MS        1000
#define KEY_BYTES       ((size_t)64 * 1024) /* more than an origin holds */
#define NO_METADATA_MAX 1
#define DRAIN_RETRY_MS  100
#define MOST_SHELVES    100000 /* combinations of metadata values, when no limit is set */

struct batch_conf {
    int64_t timeout;
    uint32_t send_batch_size, send_batch_max_size;
    struct leat_strings metadata_keys;
    uint32_t metadata_cardinality_limit;
};

static const struct leat_field fields[] = {
    LEAT_DURATION(struct batch_conf, timeout, "200ms",
                  "A batch is passed on at the latest this long after its first item; 0: at once.",
                  .min = 0, .max = 86400e9),
    LEAT_UINT(struct batch_conf, send_batch_size, "8192",
              "A batch is passed on as soon as it has so many items; 0: size does not count.",
              .max = 4294967295.0),
    LEAT_UINT(struct batch_conf, send_batch_max_size, "0",
              "Larger batches are cut; 0: never. Not below send_batch_size.", .max = 4294967295.0),
    LEAT_STRINGS(struct batch_conf, metadata_keys, NULL,
                 "Requests with different values of these request headers are batched apart."),
    LEAT_UINT(struct batch_conf, metadata_cardinality_limit, "1000",
              "So many combinations of values are taken; others are rejected. 0: 100000."),
    LEAT_END,
};

struct batcher;
struct flight;

/* What is being joined for one combination of metadata values. Stays for the life of the processor:
 * the number of combinations is bounded. */
struct shelf {
    struct batcher *owner;
    struct leat_batch *batch; /* NULL: empty */
    struct flight *flight;    /* for `batch`, made before any caller is answered; may be NULL */
    struct leat_timer *timer;
};

/* A batch on its way that we answer for ourselves. */
struct flight {
    struct leat_ack ack;
    struct leat_link link;
    struct batcher *owner;
    struct leat_batch *batch; /* kept until the next stage has taken it */
};

struct batcher {
    const struct batch_conf *conf;
    const struct leat_env *env;
    enum leat_signal signal;
    struct leat_map *shelves;
    struct leat_link flights; /* under way */
    struct leat_link again;   /* refused, to be offered again */
    struct leat_timer *again_timer;
    bool draining, closed;
    void (*drained)(void *house);
    void *house;
    struct leat_histogram *send_size;
    struct leat_counter *size_trigger, *timeout_trigger;
    struct leat_gauge *cardinality;
};

static void check(const void *conf_, struct leat_check *c)
{
    const struct batch_conf *conf = conf_;

    if (conf->send_batch_max_size != 0 && conf->send_batch_max_size < conf->send_batch_size)
        leat_check_error(c, "send_batch_max_size", "must not be below send_batch_size (%u)",
                         conf->send_batch_size);
    for (uint32_t i = 0; i < conf->metadata_keys.count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (strcasecmp(conf->metadata_keys.items[i], conf->metadata_keys.items[k]) == 0)
                leat_check_error(c, "metadata_keys",
                                 "the key '%s' stands here twice (case does not count)",
                                 conf->metadata_keys.items[i]);
        }
    }
}

/* --- passing on */

static void check_drained(struct batcher *b)
{
    void (*drained)(void *house) = b->drained;

    if (!b->draining || drained == NULL || !leat_list_empty(&b->flights) ||
        !leat_list_empty(&b->again))
        return;
    b->drained = NULL;
    drained(b->house);
}

static void flight_told(struct leat_ack *ack);

static void hold(struct batcher *b, const struct leat_batch *batch)
{
    leat_ledger_hold(b->env->ledger, b->signal, batch->items, (int64_t)batch->bytes);
}

static void let_go(struct batcher *b, const struct leat_batch *batch)
{
    leat_ledger_hold(b->env->ledger, b->signal, -(int64_t)batch->items, -(int64_t)batch->bytes);
}

/* Keeps what was not taken. It came back: for the books that is "in" once more. */
static void keep(struct batcher *b, struct flight *f, int64_t delay)
{
    leat_ledger_pass(b->env->ledger, f->batch, LEAT_IN);
    hold(b, f->batch);
    leat_list_append(&b->again, &f->link);
    if (!leat_timer_running(b->again_timer))
        leat_timer_start(b->again_timer, delay, 0);
}

static void offer(struct batcher *b, struct flight *f)
{
    struct leat_batch *copy;

    leat_ack_init(&f->ack, flight_told);
    f->ack.patient = leat_batch_is_patient(f->batch);
    copy = leat_batch_again(f->batch, &f->ack);
    if (copy == NULL) {
        leat_ledger_pass(b->env->ledger, f->batch, LEAT_OUT);
        keep(b, f, RETRY_MS * LEAT_MS);
        return;
    }
    leat_list_append(&b->flights, &f->link);
    leat_send(&b->env->next[b->signal], copy);
}

/* What is still here nobody will bring on: who waits is told, the rest is lost and counted. */
static void give_up(struct batcher *b, struct leat_batch *batch)
{
    uint64_t lost = 0;

    for (uint32_t i = 0; i < batch->nparts; i++) {
        if (batch->parts[i].ack == NULL)
            lost += batch->parts[i].items;
    }
    let_go(b, batch);
    leat_ledger_count(b->env->ledger, b->signal, LEAT_FATE_REJECTED, lost);
    leat_ledger_count(b->env->ledger, b->signal, LEAT_REFUSED, batch->items - lost);
    if (lost > 0)
        leat_error(b->env->id, "%llu %s lost: the program ended before the next stage took them",
                   (unsigned long long)lost, leat_signal_items(b->signal));
    leat_batch_done(batch, leat_retry(14, RETRY_MS, "shutting down"));
}

/* The next stage's word on a batch whose callers were answered long ago. */
static void flight_told(struct leat_ack *ack)
{
    struct flight *f = LEAT_OWNER(ack, struct flight, ack);
    struct batcher *b = f->owner;

    leat_list_remove(&f->link);
    if (ack->worst.outcome == LEAT_RETRY && b->closed) {
        leat_ledger_pass(b->env->ledger, f->batch, LEAT_IN);
        hold(b, f->batch);
        give_up(b, f->batch);
        leat_free(f);
        return;
    }
    if (ack->worst.outcome == LEAT_RETRY) {
        uint32_t ms = ack->worst.retry_after_ms ? ack->worst.retry_after_ms : RETRY_MS;
        keep(b, f, (b->draining ? DRAIN_RETRY_MS : ms) * LEAT_MS);
        return;
    }
    leat_batch_done(f->batch, ack->worst);
    leat_free(f);
    check_drained(b);
}

static void offer_again(void *arg)
{
    struct batcher *b = arg;
    struct leat_link now;

    leat_list_init(&now);
    while (!leat_list_empty(&b->again))
        leat_list_append(&now, leat_list_pop(&b->again));
    while (!leat_list_empty(&now)) {
        struct flight *f = LEAT_OWNER(leat_list_pop(&now), struct flight, link);
        let_go(b, f->batch);
        offer(b, f);
    }
}

/* With a flight the callers have been answered, and the batch is ours to bring on. */
static void pass_on(struct batcher *b, struct leat_batch *batch, struct flight *f)
{
    leat_histogram_add(b->send_size, batch->items);
    if (f == NULL) {
        leat_send(&b->env->next[b->signal], batch);
        return;
    }
    f->owner = b;
    f->batch = batch;
    leat_list_init(&f->link);
    offer(b, f);
}

/* Takes the first `items` items off, with a flight of their own if `batch` has one. False: no
 * memory. */
static bool cut_off(struct batcher *b, struct leat_batch *batch, uint32_t items, bool flies,
                    struct leat_batch **ret, struct flight **ret_flight)
{
    *ret_flight = flies ? leat_try_zeroed(sizeof(struct flight)) : NULL;
    if (flies && *ret_flight == NULL)
        return false;
    if (leat_batch_cut(batch, items, b->env->scratch, ret) == 0)
        return true;
    leat_free(*ret_flight);
    return false;
}

/* Passes on in pieces of at most send_batch_max_size. What cannot be cut for want of memory goes on
 * whole. */
static void flush(struct shelf *s)
{
    struct batcher *b = s->owner;
    struct leat_batch *batch = s->batch, *head;
    struct flight *f = s->flight, *head_flight;
    uint32_t max = b->conf->send_batch_max_size;

    leat_timer_stop(s->timer);
    if (batch == NULL)
        return;
    s->batch = NULL;
    s->flight = NULL;
    let_go(b, batch);
    while (max != 0 && batch->items > max && cut_off(b, batch, max, f != NULL, &head, &head_flight))
        pass_on(b, head, head_flight);
    pass_on(b, batch, f);
}

static void timeout_passed(void *arg)
{
    struct shelf *s = arg;

    leat_count(s->owner->timeout_trigger, 1);
    flush(s);
}

/* --- taking */

static void refuse(struct batcher *b, struct leat_batch *batch, struct leat_status st)
{
    leat_ledger_end(b->env->ledger, batch, &st);
    leat_batch_done(batch, st);
}

static struct shelf *shelf_new(struct batcher *b, struct leat_bytes key)
{
    struct shelf *s = leat_try_zeroed(sizeof *s);

    if (s == NULL || (s->timer = leat_timer_try_new(b->env->loop, timeout_passed, s)) == NULL ||
        leat_map_set(b->shelves, key, s, NULL) < 0) {
        if (s != NULL)
            leat_timer_free(s->timer);
        leat_free(s);
        return NULL;
    }
    s->owner = b;
    leat_gauge_set(b->cardinality, (int64_t)leat_map_count(b->shelves));
    return s;
}

static struct shelf *shelf_for(struct batcher *b, const struct leat_batch *batch)
{
    const struct leat_strings *keys = &b->conf->metadata_keys;
    struct leat_text key;
    struct shelf *s = NULL;

    leat_text_init(&key, KEY_BYTES);
    leat_origin_key(batch->origin, keys->items, keys->count, &key);
    if (leat_text_ok(&key))
        s = leat_map_get(b->shelves, leat_text_bytes(&key));
    if (s == NULL && leat_text_ok(&key))
        s = shelf_new(b, leat_text_bytes(&key));
    leat_text_done(&key);
    return s;
}

/* All the memory that putting `batch` on the shelf and bringing it on will need: once its callers
 * are answered nothing may fail any more. -1: there is none. */
static int make_room(struct shelf *s, const struct leat_batch *batch)
{
    bool held = s->owner->env->promise == LEAT_PROMISE_HELD;

    if (s->batch != NULL && leat_batch_reserve(s->batch, batch->nparts) < 0)
        flush(s);
    if (held && s->flight == NULL)
        s->flight = leat_try_zeroed(sizeof *s->flight);
    return held && s->flight == NULL ? -1 : 0;
}

/* Answers the callers where memory is all that was promised. (An answer never brings its caller's
 * next request from within.) */
static void put(struct shelf *s, struct leat_batch *batch)
{
    struct batcher *b = s->owner;

    hold(b, batch);
    if (b->env->promise == LEAT_PROMISE_HELD)
        leat_batch_hold(batch);
    if (s->batch == NULL)
        s->batch = batch;
    else
        LEAT_CHECK(leat_batch_join(s->batch, batch) == 0);
}

static size_t most_shelves(const struct batch_conf *conf)
{
    if (conf->metadata_keys.count == 0)
        return NO_METADATA_MAX;
    return conf->metadata_cardinality_limit ? conf->metadata_cardinality_limit : MOST_SHELVES;
}

/* While the next stage takes nothing, those who hold little are let in still: it is not they who
 * have filled it. What they may hold is bounded by the worker's budget. */
static bool is_light(const struct leat_batch *batch)
{
    for (uint32_t i = 0; i < batch->nparts; i++) {
        if (!leat_budget_is_light(batch->parts[i].buf->budget))
            return false;
    }
    return true;
}

static void batch_take(void *self, struct leat_batch *batch)
{
    struct batcher *b = self;
    const struct batch_conf *conf = b->conf;
    struct shelf *s;

    if (!leat_list_empty(&b->again) && !is_light(batch)) {
        refuse(b, batch, leat_retry(14, RETRY_MS, "the next stage takes no more data for now"));
        return;
    }
    s = shelf_for(b, batch);
    if (s == NULL && leat_map_count(b->shelves) >= most_shelves(conf)) {
        refuse(b, batch, leat_rejected(3, "too many batcher metadata-value combinations"));
        return;
    }
    if (s == NULL || make_room(s, batch) < 0) {
        refuse(b, batch, leat_retry(14, RETRY_MS, "no memory to batch with"));
        return;
    }
    put(s, batch);
    if (b->draining || conf->timeout == 0) {
        flush(s);
    } else if (conf->send_batch_size != 0 && s->batch->items >= conf->send_batch_size) {
        leat_count(b->size_trigger, 1);
        flush(s);
    } else if (!leat_timer_running(s->timer)) {
        leat_timer_start(s->timer, conf->timeout, 0);
    }
}

/* --- life */

static void open_meters(struct batcher *b)
{
    static const double bounds[] = {10,   25,    50,    75,    100,   250,   500,  750,
                                    1000, 2000,  3000,  4000,  5000,  6000,  7000, 8000,
                                    9000, 10000, 20000, 30000, 50000, 100000};
    struct leat_metric id = {.labels = {{"processor", b->env->id}}};
    struct leat_meter *m = b->env->meter;

    id.name = "otelcol_processor_batch_batch_send_size";
    id.help = "Items in the batches that were passed on.";
    b->send_size = leat_meter_histogram(m, &id, bounds, sizeof bounds / sizeof *bounds);
    id.name = "otelcol_processor_batch_batch_size_trigger_send";
    id.help = "Batches passed on because they were large enough.";
    b->size_trigger = leat_meter_counter(m, &id);
    id.name = "otelcol_processor_batch_timeout_trigger_send";
    id.help = "Batches passed on because of their age.";
    b->timeout_trigger = leat_meter_counter(m, &id);
    id.name = "otelcol_processor_batch_metadata_cardinality";
    id.help = "Combinations of metadata values there are.";
    b->cardinality = leat_meter_gauge(m, &id);
}

static int batch_open(void *self, const struct leat_env *env, struct leat_err *err)
{
    struct batcher *b = self;

    (void)err;
    b->conf = env->conf;
    b->env = env;
    while (env->next[b->signal].take == NULL)
        b->signal = (enum leat_signal)(b->signal + 1);
    b->shelves = leat_map_new(most_shelves(b->conf));
    leat_list_init(&b->flights);
    leat_list_init(&b->again);
    b->again_timer = leat_timer_new(env->loop, offer_again, b);
    open_meters(b);
    return 0;
}

static void batch_drain(void *self, void (*drained)(void *house), void *house)
{
    struct batcher *b = self;
    struct leat_bytes key;
    size_t cursor = 0;
    void *s;

    b->draining = true;
    while (leat_map_next(b->shelves, &cursor, &key, &s))
        flush(s);
    if (!leat_list_empty(&b->again))
        leat_timer_start(b->again_timer, 0, 0);
    b->drained = drained;
    b->house = house;
    check_drained(b);
}

static void free_shelf(void *shelf)
{
    struct shelf *s = shelf;

    leat_timer_free(s->timer);
    if (s->batch != NULL)
        give_up(s->owner, s->batch);
    leat_free(s->flight);
    leat_free(s);
}

/* What is still under way ends here too: the next stages close after us and tell every flight. */
static void batch_close(void *self)
{
    struct batcher *b = self;

    b->closed = true;
    b->drained = NULL;
    leat_timer_free(b->again_timer);
    leat_map_free(b->shelves, free_shelf);
    while (!leat_list_empty(&b->again)) {
        struct flight *f = LEAT_OWNER(leat_list_pop(&b->again), struct flight, link);
        give_up(b, f->batch);
        leat_free(f);
    }
}

const struct leat_component leat_processor_batch = {
    .type = "batch",
    .kind = LEAT_PROCESSOR,
    .signals = LEAT_ALL_SIGNALS,
    .summary = "Joins small requests into larger ones, and cuts too large ones.",
    .fields = fields,
    .conf_size = sizeof(struct batch_conf),
    .self_size = sizeof(struct batcher),
    .check = check,
    .open = batch_open,
    .take = batch_take,
    .drain = batch_drain,
    .close = batch_close,
};
