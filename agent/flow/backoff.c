/* The batches of one sender that wait to be tried again, and when each goes out. */
#include "flow/backoff.h"

#include "flow/batch.h"
#include "flow/retry.h"

static struct leat_batch *batch_of(struct leat_link *l)
{
    return LEAT_OWNER(l, struct leat_batch, link);
}

static struct leat_batch *first_of(const struct leat_link *list)
{
    return leat_list_empty(list) ? NULL : batch_of(list->next);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What comes last goes out last, as a rule. */
static void insert(struct leat_link *list, struct leat_batch *b)
{
    struct leat_link *at = list->prev;

    while (at != list && batch_of(at)->due > b->due)
        at = at->prev;
    leat_list_prepend(at, &b->link);
}

void leat_backoff_init(struct leat_backoff *w)
{
    leat_list_init(&w->ready);
    leat_list_init(&w->fixed);
    leat_list_init(&w->drawn);
    w->waiting = 0;
    w->ended = 0;
}

void leat_backoff_start(struct leat_batch *b, int64_t now)
{
    b->tries = 0;
    b->since = now;
    b->due = now;
}

int64_t leat_backoff_delay(const struct leat_retry_conf *conf, struct leat_batch *b, int64_t now,
                           int64_t told, bool *ret_probe)
{
    int64_t delay;

    *ret_probe = b->due > now;
    if (!*ret_probe)
        return leat_retry_delay(conf, b->tries, b->since, now, told);
    b->tries--;
    delay = later(b->due - now, told);
    if (conf->max_elapsed_time > 0 && now - b->since + delay > conf->max_elapsed_time)
        return -1;
    return delay;
}

void leat_backoff_wait(struct leat_backoff *w, struct leat_batch *b, int64_t now, int64_t delay,
                       int64_t told)
{
    b->due = now + delay;
    b->earliest = now + later(told, LEAT_PROBE);
    insert(b->due > b->earliest ? &w->drawn : &w->fixed, b);
    w->waiting++;
    w->ended = now;
}

void leat_backoff_ended(struct leat_backoff *w, int64_t now)
{
    w->ended = now;
}

void leat_backoff_wake(struct leat_backoff *w, int64_t now)
{
    struct leat_link *l;

    while ((l = leat_list_pop(&w->drawn)) != NULL) {
        struct leat_batch *b = batch_of(l);
        b->due = sooner(b->due, later(b->earliest, now));
        if (b->due <= now)
            leat_list_append(&w->ready, l);
        else
            insert(&w->fixed, b);
    }
}

/* When `b` would be tried for all the others. */
static int64_t probe_of(const struct leat_backoff *w, const struct leat_batch *b)
{
    return later(b->earliest, w->ended + LEAT_PROBE);
}

/* The first of the list that neither failed last nor must wait for its server; else who may be
 * tried first. NULL: none waits for a drawn delay. Mostly it is one of the first two. */
static struct leat_batch *next_probe(const struct leat_backoff *w)
{
    struct leat_batch *best = first_of(&w->drawn);

    for (struct leat_link *l = w->drawn.next; l != &w->drawn; l = l->next) {
        if (batch_of(l)->earliest < w->ended + LEAT_PROBE)
            return batch_of(l);
        if (batch_of(l)->earliest < best->earliest)
            best = batch_of(l);
    }
    return best;
}

int64_t leat_backoff_next(const struct leat_backoff *w, bool idle)
{
    int64_t next = INT64_MAX;

    if (!leat_list_empty(&w->ready))
        return INT64_MIN;
    if (!leat_list_empty(&w->fixed))
        next = first_of(&w->fixed)->due;
    if (!leat_list_empty(&w->drawn)) {
        next = sooner(next, first_of(&w->drawn)->due);
        if (idle)
            next = sooner(next, probe_of(w, next_probe(w)));
    }
    return next;
}

static struct leat_batch *take(struct leat_backoff *w, struct leat_batch *b)
{
    leat_list_remove(&b->link);
    w->waiting--;
    return b;
}

struct leat_batch *leat_backoff_take(struct leat_backoff *w, int64_t now, bool idle)
{
    struct leat_batch *fixed = first_of(&w->fixed), *drawn = first_of(&w->drawn), *probe;

    if (!leat_list_empty(&w->ready))
        return take(w, first_of(&w->ready));
    if (fixed != NULL && fixed->due <= now && (drawn == NULL || fixed->due <= drawn->due))
        return take(w, fixed);
    if (drawn != NULL && drawn->due <= now)
        return take(w, drawn);
    probe = idle ? next_probe(w) : NULL;
    return probe != NULL && probe_of(w, probe) <= now ? take(w, probe) : NULL;
}

struct leat_batch *leat_backoff_pop(struct leat_backoff *w)
{
    struct leat_link *l;

    if ((l = leat_list_pop(&w->ready)) == NULL && (l = leat_list_pop(&w->fixed)) == NULL &&
        (l = leat_list_pop(&w->drawn)) == NULL)
        return NULL;
    w->waiting--;
    return batch_of(l);
}
