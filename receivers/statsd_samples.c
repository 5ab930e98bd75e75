/* Observer "gauge": every sample is a point of its own. */
#include "receivers/statsd_kinds.h"

#define CHUNK_FIRST 4 /* samples; each next chunk has four times as many */
#define CHUNK_LAST  256

struct point {
    double value;
    int64_t time;
};

struct chunk {
    uint32_t next;
    uint16_t count, room;
    struct point points[];
};

struct samples {
    uint32_t kind;
    uint32_t first, last; /* chunks */
    uint32_t count;       /* in all of them */
    uint32_t done;        /* of the first chunk */
    uint32_t room;        /* of the next chunk */
    int64_t time;         /* of the last sample */
};

static struct samples *samples(const struct leat_statsd_observers *o, uint32_t ref)
{
    return leat_statsd_at(o->pool, ref);
}

static struct chunk *chunk(const struct leat_statsd_observers *o, uint32_t ref)
{
    return leat_statsd_at(o->pool, ref);
}

static size_t chunk_size(unsigned room)
{
    return sizeof(struct chunk) + room * sizeof(struct point);
}

static uint32_t open_samples(struct leat_statsd_observers *o, const struct leat_statsd_rule *rule,
                             const struct leat_statsd_bounds *bounds)
{
    uint32_t ref = leat_statsd_pool_take(o->pool, sizeof(struct samples));

    (void)rule;
    (void)bounds;
    if (ref != 0)
        *samples(o, ref) = (struct samples){.kind = LEAT_STATSD_SAMPLES, .room = CHUNK_FIRST};
    return ref;
}

static void drop_first(struct leat_statsd_observers *o, struct samples *s)
{
    struct chunk *c = chunk(o, s->first);
    uint32_t next = c->next;
    size_t size = chunk_size(c->room);

    leat_statsd_pool_give(o->pool, s->first, size);
    o->samples -= size;
    s->first = next;
    s->done = 0;
    if (next == 0)
        s->last = 0;
}

static void reset(struct leat_statsd_observers *o, uint32_t ref, bool rest)
{
    struct samples *s = samples(o, ref);

    (void)rest;
    while (s->first != 0)
        drop_first(o, s);
    s->count = 0;
    s->room = CHUNK_FIRST;
}

static void close_samples(struct leat_statsd_observers *o, uint32_t ref)
{
    reset(o, ref, true);
    leat_statsd_pool_give(o->pool, ref, sizeof(struct samples));
}

/* A further chunk at the end. */
static bool extend(struct leat_statsd_observers *o, struct samples *s)
{
    size_t size = chunk_size(s->room);
    uint32_t ref = size <= o->samples_max && o->samples <= o->samples_max - size
                       ? leat_statsd_pool_take(o->pool, size)
                       : 0;

    if (ref == 0) {
        o->samples_full = true;
        return false;
    }
    *chunk(o, ref) = (struct chunk){.room = (uint16_t)s->room};
    if (s->last != 0)
        chunk(o, s->last)->next = ref;
    else
        s->first = ref;
    s->last = ref;
    s->room = s->room < CHUNK_LAST ? s->room * 4 : CHUNK_LAST;
    o->samples += size;
    return true;
}

/* Two points of a series never have one time: a store would keep one of them only. */
static bool add(struct leat_statsd_observers *o, uint32_t ref,
                const struct leat_statsd_sample *sample)
{
    struct samples *s = samples(o, ref);
    struct chunk *c;

    if (s->last == 0 || chunk(o, s->last)->count == chunk(o, s->last)->room) {
        if (!extend(o, s))
            return false;
    }
    c = chunk(o, s->last);
    s->time = sample->time > s->time ? sample->time : s->time + 1;
    c->points[c->count++] = (struct point){sample->value, s->time};
    s->count++;
    return true;
}

/* --- merging: both are in the order of time, and so is what comes out */

/* Over the samples of one list. */
struct cursor {
    const struct leat_statsd_observers *o;
    uint32_t chunk, at;
};

static const struct point *here(struct cursor *c)
{
    while (c->chunk != 0 && c->at == chunk(c->o, c->chunk)->count) {
        c->chunk = chunk(c->o, c->chunk)->next;
        c->at = 0;
    }
    return c->chunk != 0 ? &chunk(c->o, c->chunk)->points[c->at] : NULL;
}

/* The first of `s`, or NULL; what is done with is given back. */
static const struct point *first(struct leat_statsd_observers *o, struct samples *s)
{
    while (s->first != 0 && s->done == chunk(o, s->first)->count)
        drop_first(o, s);
    return s->first != 0 ? &chunk(o, s->first)->points[s->done] : NULL;
}

static uint64_t merge(struct leat_statsd_observers *into, uint32_t ref,
                      const struct leat_statsd_observers *from, uint32_t from_ref)
{
    const struct samples *f = samples(from, from_ref);
    struct samples *s = samples(into, ref), mine = *s;
    struct cursor theirs = {from, f->first, f->done};
    const struct point *a = first(into, &mine), *b = here(&theirs);
    uint64_t lost = 0;

    if (a != NULL && b != NULL && b->time < s->time) {
        *s = (struct samples){.kind = LEAT_STATSD_SAMPLES, .room = CHUNK_FIRST};
        s->time = (a->time < b->time ? a->time : b->time) - 1;
    } else {
        a = NULL; /* all of theirs come after what is there */
    }
    while (a != NULL || b != NULL) {
        bool take = b == NULL || (a != NULL && a->time <= b->time);
        const struct point *p = take ? a : b;
        struct leat_statsd_sample one = {.value = p->value, .time = p->time};
        mine.done += take;
        theirs.at += !take;
        lost += !add(into, ref, &one);
        a = a != NULL ? first(into, &mine) : NULL;
        b = here(&theirs);
    }
    return lost;
}

uint32_t leat_statsd_samples_left(const struct leat_statsd_observers *o, uint32_t ref)
{
    return samples(o, ref)->count;
}

void leat_statsd_samples_pop(struct leat_statsd_observers *o, uint32_t ref)
{
    struct samples *s = samples(o, ref);

    s->count--;
    if (++s->done == chunk(o, s->first)->count)
        drop_first(o, s);
    if (s->first == 0)
        s->room = CHUNK_FIRST;
}

/* NumberDataPoint: as_double = 4. */
static void write(const struct leat_statsd_observers *o, uint32_t ref,
                  const struct leat_statsd_rule *rule, struct leat_make *m, int64_t *ret_time)
{
    const struct samples *s = samples(o, ref);
    const struct point *p = &chunk(o, s->first)->points[s->done];

    (void)rule;
    *ret_time = p->time;
    leat_make_double(m, 4, p->value);
}

const struct leat_statsd_observer_kind leat_statsd_samples = {
    .metric_field = 5, /* gauge */
    .attrs_field = 7,
    .open = open_samples,
    .close = close_samples,
    .add = add,
    .merge = merge,
    .reset = reset,
    .write = write,
};
