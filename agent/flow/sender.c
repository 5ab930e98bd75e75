/* Stands before an exporter: queue, batching, retry, and the outcome told to the callers.
 *
 * A batch is in exactly one place: `blocked` (no room in the queue yet), a collection (being joined
 * with others), `queue` (waits for a free slot), with the exporter, or `backoff` (waits to be tried
 * again; keeps its slot). So `busy` slots less those that wait are the attempts under way. */
#include "flow/sender.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/meter.h"
#include "base/text.h"
#include "flow/backoff.h"
#include "flow/ledger.h"
#include "flow/origin.h"
#include "flow/room.h"
#include "flow/tally.h"
#include "io/loop.h"

#define FULL_RETRY_MS   1000
#define MAX_COLLECTIONS 10000
#define KEY_BYTES       ((size_t)16 * 1024)
#define UNLIMITED       UINT32_MAX
#define MEMORY_RETRY_MS 100

/* What is being joined for one combination of metadata values. */
struct collection {
    struct leat_link link; /* in order of `batch->due` */
    struct leat_batch *batch;
    char *key;
    size_t key_len;
};

struct leat_sender {
    const struct leat_sender_conf *conf;
    struct leat_sender_env env;
    struct leat_attempt hook;
    struct leat_timer *timer;
    struct leat_backoff backoff;
    struct leat_link collections;
    struct leat_map *by_key;
    struct leat_room room; /* `blocked` and `queue` */
    int batch_sizer;
    uint32_t slots, busy;
    bool filling, draining, stopped;
    struct leat_tally tally;
    struct leat_task drained_task;
    void (*drained)(void *arg);
    void *drained_arg;
};

static void fill_slots(struct leat_sender *s);
static void admit_blocked(struct leat_sender *s);

/* --- the end of a batch */

static void check_drained(struct leat_sender *s)
{
    if (s->drained != NULL && s->busy == 0 && !leat_room_queued(&s->room) &&
        !leat_room_awaited(&s->room) && leat_list_empty(&s->collections))
        leat_loop_defer(s->env.loop, &s->drained_task);
}

static void finish(struct leat_sender *s, struct leat_batch *b, struct leat_status st,
                   enum leat_drop reason)
{
    leat_tally_end(&s->tally, b, &st, reason);
    leat_room_leave(&s->room, b);
    leat_gauge_set(s->tally.obs.queue_size, s->room.size);
    if (b->nparts > 1)
        st.rejected = 0; /* nobody can say whose records they were */
    leat_batch_done(b, st);
    admit_blocked(s);
    fill_slots(s);
    check_drained(s);
}

/* --- attempts */

static void free_slot(struct leat_sender *s)
{
    LEAT_CHECK(s->busy > 0);
    s->busy--;
    leat_gauge_add(s->tally.obs.in_flight, -1);
}

static void attempt(struct leat_sender *s, struct leat_batch *b)
{
    b->tries++;
    b->attempt = &s->hook;
    leat_send(&s->env.exporter, b);
}

static void start(struct leat_sender *s, struct leat_batch *b)
{
    s->busy++;
    leat_gauge_add(s->tally.obs.in_flight, 1);
    leat_backoff_start(b, leat_clock_mono());
    attempt(s, b);
}

/* The next batch goes out only through here, so that an exporter that answers at once does not nest
 * calls. */
static void fill_slots(struct leat_sender *s)
{
    struct leat_batch *b;

    if (s->filling)
        return;
    s->filling = true;
    while (s->busy < s->slots && (b = leat_room_unqueue(&s->room)) != NULL)
        start(s, b);
    s->filling = false;
}

static bool is_idle(const struct leat_sender *s)
{
    return s->busy == s->backoff.waiting;
}

static void arm_timer(struct leat_sender *s)
{
    int64_t due = leat_backoff_next(&s->backoff, is_idle(s)), now = leat_clock_mono();

    if (!leat_list_empty(&s->collections)) {
        struct collection *c = LEAT_OWNER(s->collections.next, struct collection, link);
        if (c->batch->due < due)
            due = c->batch->due;
    }
    if (due == INT64_MAX)
        leat_timer_stop(s->timer);
    else
        leat_timer_start(s->timer, due > now ? due - now : 0, 0);
}

static void try_later(struct leat_sender *s, struct leat_batch *b, struct leat_status st)
{
    int64_t now = leat_clock_mono(), told = st.retry_after_ms * LEAT_MS;
    bool probe;
    int64_t delay = leat_backoff_delay(&s->conf->retry_on_failure, b, now, told, &probe);

    if (delay >= 0 && delay > b->deadline - now) {
        free_slot(s); /* by then nobody waits for it */
        finish(s, b, st, LEAT_DROP_DEADLINE);
        return;
    }
    if (s->stopped || !s->conf->retry_on_failure.enabled || delay < 0) {
        free_slot(s);
        finish(s, b, st, s->stopped ? LEAT_DROP_SHUTDOWN : LEAT_DROP_EXHAUSTED);
        return;
    }
    leat_tally_wait(&s->tally, b, delay, st.why, probe);
    leat_backoff_wait(&s->backoff, b, now, delay, told);
}

/* leat_batch_cut(), and what it adds to the bytes that are held. */
static int cut(struct leat_sender *s, struct leat_batch *b, uint32_t items,
               struct leat_batch **ret_head)
{
    uint64_t before = b->bytes;

    if (leat_batch_cut(b, items, s->env.budget, ret_head) < 0)
        return -1;
    leat_ledger_hold(s->env.ledger, b->signal, 0,
                     (int64_t)((*ret_head)->bytes + b->bytes - before));
    return 0;
}

/* Both pieces go out next, each alone. The weight stays with the second, so that the queue's count
 * is right. */
static void resend_pieces(struct leat_sender *s, struct leat_batch *head, struct leat_batch *tail)
{
    head->weight = 0;
    free_slot(s);
    leat_room_queue_first(&s->room, tail);
    leat_room_queue_first(&s->room, head);
    fill_slots(s);
}

static void rejected(struct leat_sender *s, struct leat_batch *b, struct leat_status st)
{
    struct leat_batch *head = NULL;

    if (s->stopped) {
        free_slot(s);
        finish(s, b, st, LEAT_DROP_REJECTED);
        return;
    }
    if (st.too_large && b->items > 1) {
        if (cut(s, b, b->items / 2, &head) < 0) {
            try_later(s, b,
                      leat_retry(st.code, MEMORY_RETRY_MS, "out of memory for smaller pieces"));
            return;
        }
    } else if (b->nparts > 1 && !st.not_content) {
        head = leat_batch_take_parts(b, b->nparts / 2);
        if (head == NULL) {
            try_later(s, b,
                      leat_retry(st.code, MEMORY_RETRY_MS, "out of memory for smaller pieces"));
            return;
        }
    }
    if (head != NULL) {
        resend_pieces(s, head, b);
        return;
    }
    free_slot(s);
    finish(s, b, st, LEAT_DROP_REJECTED);
}

static void attempt_ended(struct leat_attempt *hook, struct leat_batch *b, struct leat_status st)
{
    struct leat_sender *s = LEAT_OWNER(hook, struct leat_sender, hook);

    if (st.outcome == LEAT_DELIVERED)
        leat_backoff_wake(&s->backoff, leat_clock_mono());
    else
        leat_backoff_ended(&s->backoff, leat_clock_mono());
    switch (st.outcome) {
    case LEAT_DELIVERED:
        free_slot(s);
        finish(s, b, st, LEAT_DROP_PARTIAL);
        break;
    case LEAT_REJECTED:
        rejected(s, b, st);
        break;
    case LEAT_RETRY:
        try_later(s, b, st);
        break;
    }
    if (s->backoff.waiting > 0)
        arm_timer(s);
}

/* --- joining */

/* Queues `b` in pieces of at most max_size. What cannot be cut for want of memory goes out whole.
 */
static void enqueue_cut(struct leat_sender *s, struct leat_batch *b)
{
    int64_t max = s->conf->sending_queue.batch.max_size, size;

    while (max > 0 && (size = leat_sizer_measure(s->batch_sizer, b)) > max && b->items > 1) {
        uint64_t items = s->batch_sizer == LEAT_SIZER_ITEMS
                             ? (uint64_t)max
                             : (uint64_t)((double)b->items * ((double)max / (double)size));
        struct leat_batch *head;
        if (items == 0)
            items = 1;
        if (cut(s, b, (uint32_t)items, &head) < 0)
            break;
        head->weight = 0;
        if (leat_sizer_measure(s->batch_sizer, head) > max && head->items > 1)
            enqueue_cut(s, head);
        else
            leat_room_queue(&s->room, head);
    }
    leat_room_queue(&s->room, b);
}

static void flush_collection(struct leat_sender *s, struct collection *c)
{
    struct leat_batch *b = c->batch;

    leat_list_remove(&c->link);
    leat_map_remove(s->by_key, leat_bytes(c->key, c->key_len));
    leat_free(c->key);
    leat_free(c);
    enqueue_cut(s, b);
}

static struct collection *collection_new(struct leat_sender *s, struct leat_text *key,
                                         struct leat_batch *b)
{
    struct collection *c = leat_try_zeroed(sizeof *c);

    if (c == NULL || !leat_text_ok(key) ||
        leat_map_set(s->by_key, leat_text_bytes(key), c, NULL) < 0) {
        leat_free(c);
        return NULL;
    }
    c->key_len = key->len;
    c->key = key->len != 0 ? leat_text_take(key) : NULL;
    c->batch = b;
    b->due = leat_clock_mono() + s->conf->sending_queue.batch.flush_timeout;
    leat_list_append(&s->collections, &c->link);
    arm_timer(s);
    return c;
}

/* Joins with what waits for company; without memory for that the batch goes on alone. */
static void collect(struct leat_sender *s, struct leat_batch *b)
{
    const struct leat_strings *keys = &s->conf->sending_queue.batch.partition.metadata_keys;
    struct leat_text key;
    struct collection *c;

    leat_text_init(&key, KEY_BYTES);
    leat_origin_key(b->origin, keys->items, keys->count, &key);
    c = leat_map_get(s->by_key, leat_text_bytes(&key));
    if (c == NULL) {
        c = collection_new(s, &key, b);
    } else {
        uint64_t weight = b->weight;
        if (leat_batch_join(c->batch, b) == 0)
            c->batch->weight += weight;
        else
            c = NULL;
    }
    leat_text_done(&key);
    if (c == NULL)
        enqueue_cut(s, b);
    else if (leat_sizer_measure(s->batch_sizer, c->batch) >= s->conf->sending_queue.batch.min_size)
        flush_collection(s, c);
}

/* --- taking */

static void admit(struct leat_sender *s, struct leat_batch *b)
{
    leat_room_enter(&s->room, b);
    leat_gauge_set(s->tally.obs.queue_size, s->room.size);
    if (!s->conf->sending_queue.wait_for_result)
        leat_batch_hold(b);
    if (s->conf->sending_queue.has_batch && !s->draining && !s->stopped)
        collect(s, b);
    else
        leat_room_queue(&s->room, b);
}

static void admit_blocked(struct leat_sender *s)
{
    struct leat_batch *b;

    while ((b = leat_room_next(&s->room, false)) != NULL)
        admit(s, b);
}

static void refuse(struct leat_sender *s, struct leat_batch *b, enum leat_refusal reason,
                   const char *why)
{
    struct leat_status st = leat_retry(14, FULL_RETRY_MS, why);

    leat_tally_refuse(&s->tally, b, &st, reason);
    leat_batch_done(b, st);
}

/* False: refused. */
static bool there_is_room(struct leat_sender *s, struct leat_batch *b)
{
    char why[160];
    enum leat_room_answer answer = leat_room_ask(&s->room, b, why, sizeof why);

    if (answer == LEAT_ROOM_YES)
        return true;
    leat_tally_warn_refused(&s->tally, answer, why);
    refuse(s, b, answer == LEAT_ROOM_FULL ? LEAT_REFUSED_FULL : LEAT_REFUSED_SHARE, why);
    return false;
}

void leat_sender_take(void *sender, struct leat_batch *b)
{
    struct leat_sender *s = sender;
    const struct leat_queue_conf *q = &s->conf->sending_queue;

    if (s->stopped) {
        refuse(s, b, LEAT_REFUSED_SHUTDOWN, "shutting down");
        return;
    }
    if (q->enabled && !q->block_on_overflow && !there_is_room(s, b))
        return;
    leat_ledger_hold(s->env.ledger, b->signal, b->items, (int64_t)b->bytes);
    b->weight = 0;
    if (!q->enabled) {
        leat_list_append(&s->room.first, &b->link); /* no room is needed: out at once */
    } else if (!q->block_on_overflow) {
        admit(s, b);
    } else {
        leat_room_wait(&s->room, b);
        admit_blocked(s);
    }
    fill_slots(s);
}

/* --- life */

static void on_timer(void *arg)
{
    struct leat_sender *s = arg;
    int64_t now = leat_clock_mono();
    struct leat_batch *b;
    struct leat_link due;

    leat_list_init(&due);
    while (!leat_list_empty(&s->collections)) {
        struct collection *c = LEAT_OWNER(s->collections.next, struct collection, link);
        if (c->batch->due > now)
            break;
        flush_collection(s, c);
    }
    /* All of them before the first goes out: one that fails at once must not come twice. */
    while ((b = leat_backoff_take(&s->backoff, now, is_idle(s))) != NULL)
        leat_list_append(&due, &b->link);
    while (!leat_list_empty(&due))
        attempt(s, LEAT_OWNER(leat_list_pop(&due), struct leat_batch, link));
    fill_slots(s);
    arm_timer(s);
}

static void tell_drained(struct leat_task *t)
{
    struct leat_sender *s = LEAT_OWNER(t, struct leat_sender, drained_task);
    void (*drained)(void *arg) = s->drained;

    s->drained = NULL;
    if (drained != NULL)
        drained(s->drained_arg);
}

static int64_t share_of(int64_t whole, unsigned workers)
{
    return (whole + workers - 1) / workers;
}

struct leat_sender *leat_sender_new(const struct leat_sender_conf *conf,
                                    const struct leat_sender_env *env)
{
    struct leat_sender *s = leat_new(sizeof *s);
    const struct leat_queue_conf *q = &conf->sending_queue;

    s->conf = conf;
    s->env = *env;
    s->hook.ended = attempt_ended;
    s->timer = leat_timer_new(env->loop, on_timer, s);
    leat_backoff_init(&s->backoff);
    leat_list_init(&s->collections);
    s->by_key = leat_map_new(MAX_COLLECTIONS);
    s->batch_sizer = q->batch.has_sizer || !q->has_sizer ? q->batch.sizer : q->sizer;
    leat_room_init(&s->room, share_of(q->queue_size, env->workers), q->sizer);
    s->slots = !q->enabled             ? UNLIMITED
               : q->num_consumers == 0 ? LEAT_SENDER_SLOTS
                                       : (uint32_t)share_of(q->num_consumers, env->workers);
    s->drained_task.run = tell_drained;
    leat_tally_open(&s->tally, env);
    leat_gauge_set(s->tally.obs.queue_capacity, q->enabled ? s->room.capacity : 0);
    return s;
}

static void flush_all(struct leat_sender *s)
{
    while (!leat_list_empty(&s->collections))
        flush_collection(s, LEAT_OWNER(s->collections.next, struct collection, link));
}

void leat_sender_drain(struct leat_sender *s, void (*drained)(void *arg), void *arg)
{
    s->draining = true;
    s->drained = drained;
    s->drained_arg = arg;
    flush_all(s);
    fill_slots(s);
    check_drained(s);
}

static void give_back(struct leat_sender *s, struct leat_batch *b)
{
    finish(s, b, leat_retry(14, FULL_RETRY_MS, "shutting down"), LEAT_DROP_SHUTDOWN);
}

void leat_sender_stop(struct leat_sender *s)
{
    struct leat_batch *b;

    s->stopped = true;
    s->slots = 0; /* nothing goes out any more */
    leat_timer_stop(s->timer);
    flush_all(s);
    while ((b = leat_room_next(&s->room, true)) != NULL)
        give_back(s, b);
    while ((b = leat_room_unqueue(&s->room)) != NULL)
        give_back(s, b);
    while ((b = leat_backoff_pop(&s->backoff)) != NULL) {
        free_slot(s);
        give_back(s, b);
    }
}

void leat_sender_free(struct leat_sender *s)
{
    if (s == NULL)
        return;
    LEAT_CHECK(s->stopped && s->busy == 0);
    leat_task_cancel(&s->drained_task);
    leat_timer_free(s->timer);
    leat_map_free(s->by_key, NULL);
    leat_room_done(&s->room);
    leat_free(s);
}
