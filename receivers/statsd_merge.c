/* Everything of one StatsD table moved into another. */
#include "receivers/statsd_series.h"

static void merge_gauge(struct leat_statsd_series *to, const struct leat_statsd_series *from)
{
    bool from_set = (from->head.flags & LEAT_STATSD_BASED) != 0;
    bool to_set = (to->head.flags & LEAT_STATSD_BASED) != 0;
    bool later = from->time >= to->time;

    if (from->head.flags & LEAT_STATSD_POINT) {
        to->number = from->number;
        return;
    }
    if (from_set && (later || !to_set)) {
        /* What `to` has is older, or deltas only, which count if they came after the setting. */
        to->number = from->number + (!to_set && !later ? to->number : 0);
        to->head.flags |= LEAT_STATSD_BASED;
        to->time = from->time;
    } else if (!from_set && (later || !to_set)) {
        to->number += from->number;
        if (!to_set && later)
            to->time = from->time;
    }
}

/* Into the overflow series of its type: what was one series counts as one sample, where samples
 * are all that is counted. */
static void merge_over(struct leat_statsd_table *into, struct leat_statsd_series *to,
                       const struct leat_statsd_table *from, const struct leat_statsd_series *s,
                       unsigned type)
{
    into->stats.overflow[type]++;
    if (type == LEAT_STATSD_COUNTER)
        to->number += s->number;
    else if (!leat_statsd_counts_only(into, type))
        leat_statsd_observe_merge(&into->over_observers, to->observer, &from->observers,
                                  s->observer);
    else if (type != LEAT_STATSD_GAUGE && type != LEAT_STATSD_SET)
        to->number += leat_statsd_samples_left(&from->observers, s->observer);
    else
        to->number += 1;
}

static void merge_values(struct leat_statsd_table *into, struct leat_statsd_series *to,
                         const struct leat_statsd_table *from, const struct leat_statsd_series *s)
{
    unsigned type = leat_statsd_head_type(&s->head);

    to->head.flags |= LEAT_STATSD_TOUCHED;
    if (to->head.flags & LEAT_STATSD_OVER)
        merge_over(into, to, from, s, type);
    else if (type == LEAT_STATSD_COUNTER)
        to->number += s->number;
    else if (type == LEAT_STATSD_GAUGE)
        merge_gauge(to, s);
    else
        into->stats.drops[LEAT_STATSD_DROP_FULL] += leat_statsd_observe_merge(
            &into->observers, to->observer, &from->observers, s->observer);
}

static void merge_series(struct leat_statsd_table *into, const struct leat_statsd_table *from,
                         const struct leat_statsd_series *s)
{
    const uint8_t *address = from->clients[s->head.client].address;
    struct leat_statsd_key key = {
        .name = leat_statsd_head_name_bytes(&s->head),
        .tail = leat_statsd_head_tail_bytes(&s->head),
        .address = address,
        .type = (uint8_t)leat_statsd_head_type(&s->head),
        .stamped = (s->head.flags & LEAT_STATSD_POINT) != 0,
        .stamp = s->time / INT64_C(1000000000),
        .floor = s->time,
    };
    uint32_t client = leat_statsd_client_find(into, address);
    uint64_t head = leat_statsd_head_number(client, key.name.len, key.tail.len, key.type);
    struct leat_statsd_head *h =
        client != 0
            ? leat_statsd_find(into, leat_statsd_spelling(into->keys, head, key.name, key.tail),
                               head, key.name, key.tail)
            : NULL;

    merge_values(into,
                 h != NULL ? leat_statsd_series_of(into, h) : leat_statsd_series_get(into, &key),
                 from, s);
}

static void merge_overflow(struct leat_statsd_table *into, struct leat_statsd_table *from,
                           int64_t now)
{
    for (unsigned i = 0; i < LEAT_STATSD_TYPES; i++) {
        struct leat_statsd_series *to = &into->over[i], *s = &from->over[i];
        if ((s->head.flags & LEAT_STATSD_TOUCHED) == 0) {
            s->time = now;
            continue;
        }
        to->head.flags |= LEAT_STATSD_TOUCHED;
        if (i == LEAT_STATSD_COUNTER || leat_statsd_counts_only(into, i))
            to->number += s->number;
        else
            leat_statsd_observe_merge(&into->over_observers, to->observer, &from->over_observers,
                                      s->observer);
        leat_statsd_series_settle(from, s, 0, now);
    }
}

static void merge_stats(struct leat_statsd_stats *into, struct leat_statsd_stats *from)
{
    into->lines += from->lines;
    into->samples += from->samples;
    into->notices += from->notices;
    for (size_t i = 0; i < LEAT_STATSD_FAULTS; i++)
        into->faults[i] += from->faults[i];
    for (size_t i = 0; i < LEAT_STATSD_DROPS; i++)
        into->drops[i] += from->drops[i];
    for (size_t i = 0; i < LEAT_STATSD_TYPES; i++)
        into->overflow[i] += from->overflow[i];
    *from = (struct leat_statsd_stats){.lines = 0};
}

/* What was merged begins anew and only its key stays. true: that goes too. */
static bool let_go(struct leat_statsd_table *from, struct leat_statsd_series *s, int64_t now)
{
    if ((s->head.flags & LEAT_STATSD_TOUCHED) == 0)
        return leat_statsd_series_rest(from, s, now);
    leat_statsd_series_settle(from, s, 0, now);
    if (leat_statsd_head_type(&s->head) == LEAT_STATSD_GAUGE &&
        (s->head.flags & LEAT_STATSD_POINT) == 0) {
        /* The value is the other table's now, and may be changed there: no base for deltas here. */
        s->number = 0;
        s->time = now;
        s->head.flags &= (uint8_t)~LEAT_STATSD_BASED;
    }
    return (s->head.flags & LEAT_STATSD_POINT) != 0;
}

static void merge_client(struct leat_statsd_table *into, struct leat_statsd_table *from, uint32_t c,
                         int64_t now)
{
    uint32_t ref = from->clients[c].count != 0 ? from->clients[c].first : 0, before = 0;

    while (ref != 0) {
        struct leat_statsd_series *s = leat_statsd_series_at(from, ref);
        uint32_t next = s->next;
        if (s->head.flags & LEAT_STATSD_TOUCHED)
            merge_series(into, from, s);
        if (let_go(from, s, now))
            leat_statsd_series_forget(from, ref, before);
        else
            before = ref;
        ref = next;
    }
}

void leat_statsd_table_merge(struct leat_statsd_table *into, struct leat_statsd_table *from,
                             int64_t now)
{
    for (uint32_t c = 1; c < from->nclients; c++)
        merge_client(into, from, c, now);
    merge_overflow(into, from, now);
    merge_stats(&into->stats, &from->stats);
    into->touched |= from->touched;
    from->touched = from->observers.samples_full = false;
    from->floor = now;
    from->cursor = (struct leat_statsd_cursor){.active = false};
    if (from->series == 0)
        leat_statsd_series_clear(from); /* gives the memory back */
}
