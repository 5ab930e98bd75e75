/* The room in a queue: how much of it is taken, how much by whom, and who waits for some. */
#include "flow/room.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "flow/sender.h"

#define NOBODY LEAT_SHARES_IN_ALL /* number of what is no client's */
#define TURNS  (LEAT_SHARES_IN_ALL + 1)

struct leat_turn {
    struct leat_link link; /* in the order; all zero before the first use */
    struct leat_link batches;
};

int64_t leat_sizer_measure(int sizer, const struct leat_batch *b)
{
    switch (sizer) {
    case LEAT_SIZER_ITEMS:
        return b->items;
    case LEAT_SIZER_BYTES:
        return (int64_t)b->bytes;
    default:
        return 1;
    }
}

const char *leat_sizer_name(int sizer)
{
    static const char *const names[] = {"requests", "items", "bytes"};

    return names[sizer];
}

/* --- turns */

static void turns_init(struct leat_turns *t)
{
    t->of = leat_new_pages(TURNS * sizeof *t->of);
    leat_list_init(&t->order);
}

/* A share that somebody's batches are queued under is not given to another client. */
static void pin(struct leat_room *r, uint32_t number, int more)
{
    if (number != NOBODY)
        leat_shares_at(r->shares, number)->pins += (uint32_t)more;
}

static void turns_add(struct leat_room *r, struct leat_turns *t, uint32_t number,
                      struct leat_batch *b)
{
    struct leat_turn *turn = &t->of[number];

    if (turn->link.next == NULL) {
        leat_list_init(&turn->link);
        leat_list_init(&turn->batches);
    }
    if (leat_list_empty(&turn->batches)) {
        leat_list_append(&t->order, &turn->link);
        pin(r, number, 1);
    }
    leat_list_append(&turn->batches, &b->link);
}

/* The batch whose turn it is; NULL: there is none. */
static struct leat_batch *turns_first(const struct leat_turns *t)
{
    const struct leat_turn *turn = LEAT_OWNER(t->order.next, struct leat_turn, link);

    return leat_list_empty(&t->order) ? NULL
                                      : LEAT_OWNER(turn->batches.next, struct leat_batch, link);
}

/* Takes that batch out, and the next client has its turn. */
static struct leat_batch *turns_pop(struct leat_room *r, struct leat_turns *t)
{
    struct leat_batch *b = turns_first(t);
    struct leat_turn *turn = LEAT_OWNER(t->order.next, struct leat_turn, link);

    if (b == NULL)
        return NULL;
    leat_list_remove(&b->link);
    leat_list_remove(&turn->link);
    if (!leat_list_empty(&turn->batches))
        leat_list_append(&t->order, &turn->link);
    else
        pin(r, (uint32_t)(turn - t->of), -1);
    return b;
}

/* --- the room */

void leat_room_init(struct leat_room *r, int64_t capacity, int sizer)
{
    r->capacity = capacity;
    r->size = 0;
    r->sizer = sizer;
    r->shares = leat_shares_new(NULL);
    turns_init(&r->waiting);
    turns_init(&r->queue);
    leat_list_init(&r->first);
}

void leat_room_done(struct leat_room *r)
{
    LEAT_CHECK(r->size == 0 && leat_shares_held(r->shares) == 0 && !leat_room_awaited(r) &&
               !leat_room_queued(r));
    leat_shares_free(r->shares);
    leat_free_pages(r->waiting.of, TURNS * sizeof *r->waiting.of);
    leat_free_pages(r->queue.of, TURNS * sizeof *r->queue.of);
}

/* --- whose it is */

static uint64_t client_of(const struct leat_part *part)
{
    return leat_budget_client(part->buf->budget);
}

/* NULL: nobody's, or of several. */
static struct leat_budget *share_of(struct leat_room *r, const struct leat_batch *b)
{
    uint64_t client = client_of(&b->parts[0]);

    for (uint32_t i = 1; i < b->nparts; i++) {
        if (client_of(&b->parts[i]) != client)
            return NULL;
    }
    return client != LEAT_CLIENT_NONE ? leat_shares_find(r->shares, client) : NULL;
}

/* --- in and out */

static bool fits(const struct leat_room *r, const struct leat_batch *b)
{
    return r->size == 0 || leat_sizer_measure(r->sizer, b) <= r->capacity - r->size;
}

enum leat_room_answer leat_room_ask(struct leat_room *r, const struct leat_batch *b, char *why,
                                    size_t size)
{
    int64_t want = leat_sizer_measure(r->sizer, b);
    const struct leat_budget *share;
    size_t held;

    if (!fits(r, b)) {
        snprintf(why, size, "sending queue is full (%lld of %lld %s)", (long long)r->size,
                 (long long)r->capacity, leat_sizer_name(r->sizer));
        return LEAT_ROOM_FULL;
    }
    share = r->size != 0 ? share_of(r, b) : NULL;
    held = share != NULL ? leat_budget_used(share) : 0;
    if (held == 0 || leat_fair(held, (size_t)want, (size_t)(r->capacity - r->size)))
        return LEAT_ROOM_YES;
    snprintf(why, size,
             "this client already holds %zu of the %lld %s that the sending queue takes, and what "
             "is left is for others",
             held, (long long)r->capacity, leat_sizer_name(r->sizer));
    return LEAT_ROOM_UNFAIR;
}

static void charge(struct leat_room *r, struct leat_part *part, int64_t weight)
{
    uint64_t client = client_of(part);
    struct leat_budget *share;

    part->share = NOBODY;
    part->weight = 0;
    if (client == LEAT_CLIENT_NONE)
        return;
    share = leat_shares_find(r->shares, client);
    part->share = leat_shares_number(r->shares, share);
    part->weight = (uint32_t)weight;
    leat_budget_share_add(share, part->weight);
}

void leat_room_enter(struct leat_room *r, struct leat_batch *b)
{
    /* A request made of several clients' parts is one request, and of none of them. */
    bool shared = r->sizer == LEAT_SIZER_REQUESTS && b->nparts > 1 && share_of(r, b) == NULL;

    b->weight = (uint64_t)leat_sizer_measure(r->sizer, b);
    r->size += (int64_t)b->weight;
    for (uint32_t i = 0; i < b->nparts; i++) {
        struct leat_part *p = &b->parts[i];
        int64_t weight = r->sizer == LEAT_SIZER_ITEMS   ? p->items
                         : r->sizer == LEAT_SIZER_BYTES ? p->len
                                                        : i == 0 && !shared;
        charge(r, p, weight);
    }
}

void leat_room_leave(struct leat_room *r, const struct leat_batch *b)
{
    LEAT_CHECK((uint64_t)r->size >= b->weight);
    r->size -= (int64_t)b->weight;
    for (uint32_t i = 0; i < b->nparts; i++) {
        const struct leat_part *p = &b->parts[i];
        if (p->weight != 0)
            leat_budget_share_sub(leat_shares_at(r->shares, p->share), p->weight);
    }
}

/* --- queues */

void leat_room_queue(struct leat_room *r, struct leat_batch *b)
{
    uint32_t number = b->parts[0].share;

    for (uint32_t i = 1; i < b->nparts && number != NOBODY; i++) {
        if (b->parts[i].share != number)
            number = NOBODY;
    }
    turns_add(r, &r->queue, number, b);
}

void leat_room_queue_first(struct leat_room *r, struct leat_batch *b)
{
    leat_list_prepend(&r->first, &b->link);
}

bool leat_room_queued(const struct leat_room *r)
{
    return !leat_list_empty(&r->first) || !leat_list_empty(&r->queue.order);
}

struct leat_batch *leat_room_unqueue(struct leat_room *r)
{
    struct leat_link *l = leat_list_pop(&r->first);

    return l != NULL ? LEAT_OWNER(l, struct leat_batch, link) : turns_pop(r, &r->queue);
}

void leat_room_wait(struct leat_room *r, struct leat_batch *b)
{
    struct leat_budget *share = share_of(r, b);

    turns_add(r, &r->waiting, share ? leat_shares_number(r->shares, share) : NOBODY, b);
}

bool leat_room_awaited(const struct leat_room *r)
{
    return !leat_list_empty(&r->waiting.order);
}

struct leat_batch *leat_room_next(struct leat_room *r, bool any)
{
    const struct leat_batch *b = turns_first(&r->waiting);

    return b != NULL && (any || fits(r, b)) ? turns_pop(r, &r->waiting) : NULL;
}
