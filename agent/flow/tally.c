/* What a sender counts and says of its batches: how each ended, waits, or was not let in. */
#include "flow/tally.h"

#include "base/clock.h"
#include "base/log.h"
#include "flow/ledger.h"

#define WARN_EVERY (10 * LEAT_SEC)

static const char *const drop_names[] = {"rejected", "retries_exhausted", "partial_success",
                                         "shutdown", "deadline"};
static const char *const refusal_names[] = {"queue_full", "client_share", "shutdown"};

/* What becomes of the items: those whose caller waits are the caller's again, the others are lost
 * here. */
static void account(struct leat_tally *t, const struct leat_batch *b, const struct leat_status *st,
                    enum leat_drop reason)
{
    struct leat_ledger *l = t->ledger;
    uint64_t lost = 0;

    leat_ledger_hold(l, b->signal, -(int64_t)b->items, -(int64_t)b->bytes);
    if (st->outcome != LEAT_RETRY) {
        leat_ledger_end(l, b, st);
        lost = st->outcome == LEAT_REJECTED ? b->items : st->rejected;
    } else {
        for (uint32_t i = 0; i < b->nparts; i++) {
            if (b->parts[i].ack == NULL)
                lost += b->parts[i].items;
        }
        leat_ledger_count(l, b->signal, LEAT_FATE_REJECTED, lost);
        leat_ledger_count(l, b->signal, LEAT_REFUSED, b->items - lost);
    }
    leat_count(st->outcome == LEAT_DELIVERED ? t->obs.sent : t->obs.send_failed, b->items);
    leat_count(t->drops[reason], lost);
}

static void report(const struct leat_tally *t, const struct leat_batch *b,
                   const struct leat_status *st, enum leat_drop reason)
{
    const char *why = st->why ? st->why : "no reason given";
    const char *items = leat_signal_items(b->signal);

    if (st->outcome == LEAT_DELIVERED && st->rejected > 0)
        leat_warn(t->id, "the destination took the request but rejected %u of %u %s: %s",
                  st->rejected, b->items, items, why);
    else if (st->outcome == LEAT_DELIVERED && st->why != NULL)
        leat_warn(t->id, "the destination took all %u %s, and warns: %s", b->items, items, why);
    else if (st->outcome == LEAT_REJECTED)
        leat_error(t->id, "%u %s dropped: the destination rejects them for good: %s", b->items,
                   items, why);
    else if (st->outcome == LEAT_RETRY && reason == LEAT_DROP_DEADLINE)
        leat_warn(t->id, "%u %s go back to a caller who would not wait for the next try: %s",
                  b->items, items, why);
    else if (st->outcome == LEAT_RETRY && reason == LEAT_DROP_EXHAUSTED)
        leat_error(t->id, "%u %s not delivered, no more retries left: %s", b->items, items, why);
    else if (st->outcome == LEAT_RETRY)
        leat_error(t->id, "%u %s not delivered before the program ended: %s", b->items, items, why);
}

void leat_tally_end(struct leat_tally *t, const struct leat_batch *b, const struct leat_status *st,
                    enum leat_drop reason)
{
    account(t, b, st, reason);
    report(t, b, st, reason);
}

/* A probe that fails is no news: the batch was said to wait when it failed itself. */
void leat_tally_wait(const struct leat_tally *t, const struct leat_batch *b, int64_t delay,
                     const char *why, bool probe)
{
    const char *items = leat_signal_items(b->signal);

    if (why == NULL)
        why = "no reason given";
    if (probe)
        leat_debug(t->id, "the destination still takes nothing, %u %s go on waiting: %s", b->items,
                   items, why);
    else
        leat_warn(t->id, "sending %u %s failed, will try again in %.1f s at the latest: %s",
                  b->items, items, (double)delay / LEAT_SEC, why);
}

void leat_tally_refuse(struct leat_tally *t, const struct leat_batch *b,
                       const struct leat_status *st, enum leat_refusal reason)
{
    leat_count(t->obs.enqueue_failed, b->items);
    leat_count(t->refusals[reason], b->items);
    leat_ledger_end(t->ledger, b, st);
}

/* Not for every request: who sends too many would fill the log with them. */
void leat_tally_warn_refused(struct leat_tally *t, enum leat_room_answer answer, const char *why)
{
    int64_t now = leat_clock_mono();

    if (now < t->warn_after)
        return;
    t->warn_after = now + WARN_EVERY;
    if (answer == LEAT_ROOM_FULL)
        leat_warn(t->id, "%s: callers are told to retry", why);
    else
        leat_warn(t->id, "a client that sends more than its share is told to retry: %s", why);
}

/* One of the counters of items that differ in their reason. */
static struct leat_counter *counter(const struct leat_sender_env *env, const char *name,
                                    const char *help, const char *reason)
{
    struct leat_metric id = {.name = name,
                             .help = help,
                             .labels = {{"exporter", env->id},
                                        {"data_type", leat_signal_name(env->signal)},
                                        {"reason", reason}}};

    return leat_meter_counter(env->meter, &id);
}

static void open_counters(struct leat_tally *t, const struct leat_sender_env *env)
{
    for (unsigned i = 0; i < LEAT_DROPS; i++)
        t->drops[i] = counter(env, "leat_exporter_dropped_items_total",
                              "Items lost at an exporter, by reason.", drop_names[i]);
    for (unsigned i = 0; i < LEAT_REFUSALS; i++)
        t->refusals[i] =
            counter(env, "leat_exporter_refused_items_total",
                    "Items an exporter's queue did not take, by reason.", refusal_names[i]);
}

void leat_tally_open(struct leat_tally *t, const struct leat_sender_env *env)
{
    t->id = env->id;
    t->ledger = env->ledger;
    t->warn_after = 0;
    leat_exporter_obs_open(&t->obs, env->meter, env->id, env->signal);
    open_counters(t, env);
}
