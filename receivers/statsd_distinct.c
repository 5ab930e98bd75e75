/* How many different values a set had: told apart exactly up to a bound, then estimated
 * (HyperLogLog: Flajolet and others, 2007; with linear counting for the low range). */
#include <math.h>

#include "receivers/statsd_kinds.h"

#define FIRST_ROOM 8
#define LAST_ROOM  2048 /* three of four places are used */
#define BITS       12
#define REGISTERS  (1 << BITS)

struct distinct {
    uint32_t kind;
    uint32_t list;  /* reference: hashes, 0 where there is none; or registers */
    uint32_t count; /* hashes */
    uint32_t room;  /* 0: registers */
};

static struct distinct *distinct(const struct leat_statsd_observers *o, uint32_t ref)
{
    return leat_statsd_at(o->pool, ref);
}

static uint64_t *hashes(const struct leat_statsd_observers *o, const struct distinct *d)
{
    return leat_statsd_at(o->pool, d->list);
}

static uint8_t *registers(const struct leat_statsd_observers *o, const struct distinct *d)
{
    return leat_statsd_at(o->pool, d->list);
}

static size_t list_size(const struct distinct *d)
{
    return d->room != 0 ? d->room * sizeof(uint64_t) : REGISTERS;
}

static uint32_t open_distinct(struct leat_statsd_observers *o, const struct leat_statsd_rule *rule,
                              const struct leat_statsd_bounds *bounds)
{
    uint32_t ref = leat_statsd_pool_take(o->pool, sizeof(struct distinct)), list;

    (void)rule;
    (void)bounds;
    if (ref == 0)
        return 0;
    list = leat_statsd_pool_take(o->pool, FIRST_ROOM * sizeof(uint64_t));
    if (list == 0) {
        leat_statsd_pool_give(o->pool, ref, sizeof(struct distinct));
        return 0;
    }
    *distinct(o, ref) =
        (struct distinct){.kind = LEAT_STATSD_DISTINCT, .list = list, .room = FIRST_ROOM};
    memset(leat_statsd_at(o->pool, list), 0, FIRST_ROOM * sizeof(uint64_t));
    return ref;
}

static void close_distinct(struct leat_statsd_observers *o, uint32_t ref)
{
    leat_statsd_pool_give(o->pool, distinct(o, ref)->list, list_size(distinct(o, ref)));
    leat_statsd_pool_give(o->pool, ref, sizeof(struct distinct));
}

static void reset(struct leat_statsd_observers *o, uint32_t ref, bool rest)
{
    struct distinct *d = distinct(o, ref);

    if (d->room == 0 || (rest && d->room > FIRST_ROOM)) {
        uint32_t list = leat_statsd_pool_take(o->pool, FIRST_ROOM * sizeof(uint64_t));
        if (list != 0) {
            leat_statsd_pool_give(o->pool, d->list, list_size(d));
            d->list = list;
            d->room = FIRST_ROOM;
        }
    }
    d->count = 0;
    memset(leat_statsd_at(o->pool, d->list), 0, list_size(d));
}

static void note(uint8_t *list, uint64_t hash)
{
    uint64_t rest = hash >> BITS | UINT64_C(1) << (64 - BITS);
    uint8_t rank = (uint8_t)(__builtin_ctzll(rest) + 1);

    if (list[hash % REGISTERS] < rank)
        list[hash % REGISTERS] = rank;
}

/* false: it was there. A place is free. */
static bool place(uint64_t *list, uint32_t room, uint64_t hash)
{
    uint32_t i = (uint32_t)(hash >> 32) & (room - 1);

    while (list[i] != 0) {
        if (list[i] == hash)
            return false;
        i = (i + 1) & (room - 1);
    }
    list[i] = hash;
    return true;
}

/* A larger list, or registers. */
static bool grow(struct leat_statsd_observers *o, struct distinct *d)
{
    uint32_t room = d->room < LAST_ROOM ? d->room * 2 : 0;
    size_t size = room != 0 ? room * sizeof(uint64_t) : REGISTERS;
    uint32_t list = leat_statsd_pool_take(o->pool, size);

    if (list == 0)
        return false;
    memset(leat_statsd_at(o->pool, list), 0, size);
    for (uint32_t i = 0; i < d->room; i++) {
        uint64_t hash = hashes(o, d)[i];
        if (hash != 0 && room != 0)
            place(leat_statsd_at(o->pool, list), room, hash);
        else if (hash != 0)
            note(leat_statsd_at(o->pool, list), hash);
    }
    leat_statsd_pool_give(o->pool, d->list, list_size(d));
    d->list = list;
    d->room = room;
    return true;
}

/* A list that cannot grow takes values until one place is left, which ends the search. */
static bool insert(struct leat_statsd_observers *o, struct distinct *d, uint64_t hash)
{
    hash += hash == 0;
    if (d->room != 0 && d->count >= d->room - d->room / 4 && !grow(o, d) && d->count + 1 >= d->room)
        return false;
    if (d->room == 0)
        note(registers(o, d), hash);
    else
        d->count += place(hashes(o, d), d->room, hash);
    return true;
}

static bool add(struct leat_statsd_observers *o, uint32_t ref,
                const struct leat_statsd_sample *sample)
{
    return insert(o, distinct(o, ref), sample->hash);
}

static uint64_t merge(struct leat_statsd_observers *into, uint32_t ref,
                      const struct leat_statsd_observers *from, uint32_t from_ref)
{
    const struct distinct *e = distinct(from, from_ref);
    struct distinct *d = distinct(into, ref);
    uint64_t lost = 0;

    for (uint32_t i = 0; i < e->room; i++) {
        if (hashes(from, e)[i] != 0)
            lost += !insert(into, d, hashes(from, e)[i]);
    }
    if (e->room != 0)
        return lost;
    while (d->room != 0) {
        if (!grow(into, d))
            return 1;
    }
    for (size_t i = 0; i < REGISTERS; i++) {
        if (registers(into, d)[i] < registers(from, e)[i])
            registers(into, d)[i] = registers(from, e)[i];
    }
    return 0;
}

static uint64_t estimate(const uint8_t *list)
{
    double sum = 0, raw;
    uint32_t zeros = 0;

    for (size_t i = 0; i < REGISTERS; i++) {
        sum += ldexp(1, -list[i]);
        zeros += list[i] == 0;
    }
    raw = 0.7213 / (1 + 1.079 / REGISTERS) * REGISTERS * REGISTERS / sum;
    if (raw <= 2.5 * REGISTERS && zeros != 0)
        raw = REGISTERS * log((double)REGISTERS / zeros);
    return (uint64_t)(raw + 0.5);
}

/* NumberDataPoint: as_int = 6. */
static void write(const struct leat_statsd_observers *o, uint32_t ref,
                  const struct leat_statsd_rule *rule, struct leat_make *m, int64_t *ret_time)
{
    const struct distinct *d = distinct(o, ref);

    (void)rule;
    (void)ret_time;
    leat_make_fixed64(m, 6, d->room != 0 ? d->count : estimate(registers(o, d)));
}

const struct leat_statsd_observer_kind leat_statsd_distinct = {
    .metric_field = 5, /* gauge */
    .attrs_field = 7,
    .open = open_distinct,
    .close = close_distinct,
    .add = add,
    .merge = merge,
    .reset = reset,
    .write = write,
};
