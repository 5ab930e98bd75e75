/* What StatsD samples are added up in: the way of a line into its series. */
#include "receivers/statsd_table.h"

#include "base/budget.h"
#include "base/check.h"
#include "base/mem.h"
#include "receivers/statsd_series.h"

/* Lines that are looked up together: while one waits for memory the others do not. */
#define LINES 32
/* Bytes of keys and observers in one table: so many for each series that it may have, and some. */
#define POOL_EACH  ((size_t)1024)
#define POOL_MORE  ((size_t)4 * 1024 * 1024)
#define POOL_LEAST ((size_t)256 * 1024)
#define POOL_MAX   ((size_t)16 * 1024 * 1024 * 1024) /* references reach twice as far */
#define OVER_BYTES ((size_t)1024 * 1024)             /* the observers of the overflow series */

const char *const leat_statsd_drop_names[LEAT_STATSD_DROPS] = {
    [LEAT_STATSD_DROP_TIMING] = "unmapped_timing",
    [LEAT_STATSD_DROP_HISTOGRAM] = "unmapped_histogram",
    [LEAT_STATSD_DROP_DISTRIBUTION] = "unmapped_distribution",
    [LEAT_STATSD_DROP_FULL] = "full",
    [LEAT_STATSD_DROP_EVENT] = "event",
    [LEAT_STATSD_DROP_CHECK] = "service_check",
};

/* --- from birth to death */

/* What the budget will never allow is not reserved either. */
static size_t pool_bytes(const struct leat_statsd_rules *rules, const struct leat_budget *budget)
{
    size_t bytes = (size_t)rules->limit * POOL_EACH + POOL_MORE;

    if (budget != NULL && bytes > budget->limit)
        bytes = budget->limit > POOL_LEAST ? budget->limit : POOL_LEAST;
    return bytes < POOL_MAX ? bytes : POOL_MAX;
}

static uint32_t spellings_max(const struct leat_statsd_rules *rules)
{
    return rules->limit < UINT32_MAX / 4 ? rules->limit * 2 : UINT32_MAX / 2;
}

static void open_overflow(struct leat_statsd_table *t, int64_t now)
{
    leat_statsd_pool_init(&t->over_pool, OVER_BYTES, NULL);
    t->over_observers =
        (struct leat_statsd_observers){.pool = &t->over_pool, .rules = t->rules, .samples_max = 0};
    for (unsigned i = 0; i < LEAT_STATSD_TYPES; i++) {
        struct leat_statsd_series *s = &t->over[i];
        *s = (struct leat_statsd_series){.number = 0, .time = now};
        s->head.flags = LEAT_STATSD_OVER;
        s->head.tail = (uint16_t)(i << LEAT_STATSD_TAIL_BITS);
        if (i == LEAT_STATSD_COUNTER || (t->dropped >> i & 1) != 0 || leat_statsd_counts_only(t, i))
            continue;
        s->observer = leat_statsd_observe_new(&t->over_observers, i, leat_statsd_over_name(i));
        LEAT_CHECK(s->observer != 0);
    }
}

struct leat_statsd_table *leat_statsd_table_new(const struct leat_statsd_rules *rules,
                                                struct leat_budget *budget, int64_t now)
{
    struct leat_statsd_table *t = leat_new(sizeof *t);

    t->rules = rules;
    t->budget = budget;
    t->nclients = 1;
    t->floor = now;
    for (unsigned i = 0; i < 3; i++)
        t->keys[i] = leat_hash(leat_bytes(&(uint8_t){(uint8_t)i}, 1));
    leat_statsd_index_init(&t->spellings, spellings_max(rules), budget);
    leat_statsd_index_init(&t->canon, rules->limit, budget);
    leat_statsd_index_init(&t->addresses, LEAT_STATSD_CLIENTS, budget);
    leat_statsd_pool_init(&t->pool, pool_bytes(rules, budget), budget);
    t->observers = (struct leat_statsd_observers){
        .pool = &t->pool, .rules = rules, .samples_max = t->pool.max / 2};
    for (unsigned i = LEAT_STATSD_TIMING; i <= LEAT_STATSD_DISTRIBUTION; i++) {
        if (leat_statsd_rule(rules, i)->observer == LEAT_STATSD_OBSERVE_DISABLED)
            t->dropped |= 1U << i;
    }
    open_overflow(t, now);
    return t;
}

void leat_statsd_table_free(struct leat_statsd_table *t)
{
    if (t == NULL)
        return;
    leat_statsd_series_clear(t);
    leat_statsd_index_done(&t->spellings);
    leat_statsd_index_done(&t->canon);
    leat_statsd_index_done(&t->addresses);
    leat_statsd_pool_done(&t->pool);
    leat_statsd_pool_done(&t->over_pool);
    leat_free(t);
}

/* --- one value */

static void take_gauge(struct leat_statsd_series *s, double value, bool delta, int64_t now)
{
    if (s->head.flags & LEAT_STATSD_POINT) { /* DogStatsD knows no deltas */
        s->number = value;
        return;
    }
    if (delta) {
        s->number += value;
        if (s->head.flags & LEAT_STATSD_BASED)
            return;
    } else {
        s->number = value;
        s->head.flags |= LEAT_STATSD_BASED;
    }
    s->time = now;
}

static void take_overflow(struct leat_statsd_table *t, struct leat_statsd_series *s, unsigned type,
                          const struct leat_statsd_sample *sample)
{
    t->stats.overflow[type]++;
    if (leat_statsd_counts_only(t, type))
        s->number += 1;
    else if (type == LEAT_STATSD_COUNTER)
        s->number += sample->value * sample->weight;
    else
        leat_statsd_observe_add(&t->over_observers, s->observer, sample);
}

static inline void take_value(struct leat_statsd_table *t, struct leat_statsd_series *s,
                              unsigned type, const struct leat_statsd_sample *sample, bool sign)
{
    t->stats.samples++;
    s->head.flags |= LEAT_STATSD_TOUCHED;
    if (s->head.flags & LEAT_STATSD_OVER)
        take_overflow(t, s, type, sample);
    else if (type == LEAT_STATSD_COUNTER)
        s->number += sample->value * sample->weight;
    else if (type == LEAT_STATSD_GAUGE)
        take_gauge(s, sample->value, sign, sample->time);
    else
        t->stats.drops[LEAT_STATSD_DROP_FULL] +=
            !leat_statsd_observe_add(&t->observers, s->observer, sample);
}

/* --- one line */

/* A line on its way through the table. */
struct pending {
    uint64_t head;
    uint32_t hash;
    uint32_t ref; /* what was found by the hash alone; 0: nothing */
};

static void count_faults(struct leat_statsd_table *t, const struct leat_statsd_head *h)
{
    t->stats.faults[LEAT_STATSD_BAD_TAG] += leat_statsd_head_bad(h);
    t->stats.faults[LEAT_STATSD_NOT_UTF8] += (h->flags & LEAT_STATSD_UNCLEAN) != 0;
}

static __attribute__((noinline)) struct leat_statsd_series *
miss(struct leat_statsd_table *t, const struct leat_statsd_source *from,
     const struct leat_statsd_line *line)
{
    struct leat_statsd_key key = {
        .name = leat_bytes(line->name, line->name_len),
        .tail = leat_bytes(line->tail, line->tail_len),
        .address = from->client,
        .type = line->type,
        .stamped = (line->flags & LEAT_STATSD_STAMPED) != 0,
        .stamp = line->stamp,
        .floor = t->floor,
    };
    struct leat_statsd_series *s = leat_statsd_series_get(t, &key);

    t->stats.faults[LEAT_STATSD_BAD_TAG] += t->tags.bad;
    t->stats.faults[LEAT_STATSD_LONG_TAGS] += t->tags.many;
    t->stats.faults[LEAT_STATSD_NOT_UTF8] += t->tags.replaced;
    t->current = leat_statsd_client_find(t, from->client);
    return s;
}

/* What a head has that is no plain series: bad tags, another spelling, bytes that were replaced. */
#define ODD                                                                                        \
    ((uint64_t)LEAT_STATSD_BAD_MAX << (16 + LEAT_STATSD_NAME_BITS) |                               \
     (uint64_t)(LEAT_STATSD_ALIAS | LEAT_STATSD_UNCLEAN) << 48)

/* The series that the hash alone found, if it has the line's name and tail, and nothing else is to
 * be said about it: in most lines. NULL: find_series() knows. */
static inline __attribute__((always_inline)) struct leat_statsd_series *
quick_series(const struct leat_statsd_table *t, const struct leat_statsd_line *line,
             const struct pending *p)
{
    struct leat_statsd_series *s = leat_statsd_series_at(t, p->ref);
    const uint8_t *key = (const uint8_t *)(s + 1);

    if (((leat_statsd_head_of(&s->head) ^ p->head) & (LEAT_STATSD_HEAD_MASK | ODD)) != 0 ||
        !leat_statsd_same(key, line->name, line->name_len))
        return NULL;
    if (line->tail_len != 0 && !leat_statsd_same(key + line->name_len, line->tail, line->tail_len))
        return NULL;
    return s;
}

static struct leat_statsd_series *find_series(struct leat_statsd_table *t,
                                              const struct leat_statsd_source *from,
                                              const struct leat_statsd_line *line,
                                              const struct pending *p)
{
    struct leat_statsd_series *s = quick_series(t, line, p);
    struct leat_statsd_head *h;

    if (s != NULL)
        return s;
    h = leat_statsd_find(t, p->hash, p->head, leat_bytes(line->name, line->name_len),
                         leat_bytes(line->tail, line->tail_len));
    if (h == NULL)
        return miss(t, from, line);
    count_faults(t, h);
    return leat_statsd_series_of(t, h);
}

static __attribute__((noinline)) void take_more(struct leat_statsd_table *t,
                                                struct leat_statsd_series *s,
                                                const struct leat_statsd_line *line,
                                                struct leat_statsd_sample *sample)
{
    const uint8_t *at = line->values;
    bool sign;
    int code;

    while (*at != ':')
        at++;
    at++;
    while ((code = leat_statsd_more(line, &at, t->stats.faults, &sample->value, &sign)) != 0) {
        if (code > 0)
            take_value(t, s, line->type, sample, sign);
    }
}

/* Values of a type that is not mapped. */
static void drop_line(struct leat_statsd_table *t, const struct leat_statsd_line *line)
{
    uint64_t n = (line->flags & LEAT_STATSD_SKIP) == 0;
    const uint8_t *at = line->values;
    bool sign;
    double v;
    int code;

    if (line->flags & LEAT_STATSD_PACKED) {
        at = (const uint8_t *)memchr(at, ':', (size_t)(line->values_end - at)) + 1;
        while ((code = leat_statsd_more(line, &at, t->stats.faults, &v, &sign)) != 0)
            n += code > 0;
    }
    t->stats.drops[LEAT_STATSD_DROP_TIMING + (line->type - LEAT_STATSD_TIMING)] += n;
}

static void take_notice(struct leat_statsd_table *t, const struct leat_statsd_source *from,
                        const struct leat_statsd_line *line)
{
    struct leat_statsd_notice notice;

    if (!leat_statsd_notice_read(leat_bytes(line->name, (size_t)(line->values_end - line->name)),
                                 t->stats.faults, &notice))
        return;
    t->stats.notices++;
    if (from->notice != NULL)
        from->notice(from->arg, from, &notice);
    else
        t->stats.drops[notice.check ? LEAT_STATSD_DROP_CHECK : LEAT_STATSD_DROP_EVENT]++;
}

/* A line that is more than one value of a counter or gauge that is known. */
static __attribute__((noinline)) void take_other(struct leat_statsd_table *t,
                                                 const struct leat_statsd_source *from,
                                                 const struct leat_statsd_line *line,
                                                 const struct pending *p)
{
    struct leat_statsd_sample sample = {
        .value = line->value, .weight = line->weight, .time = from->now};
    struct leat_statsd_series *s;

    if (line->flags & LEAT_STATSD_NOTICE) {
        take_notice(t, from, line);
        return;
    }
    if (t->dropped >> line->type & 1) {
        drop_line(t, line);
        return;
    }
    if ((line->flags & (LEAT_STATSD_SKIP | LEAT_STATSD_PACKED)) == LEAT_STATSD_SKIP)
        return; /* no value: no series */
    s = find_series(t, from, line, p);
    if (line->type == LEAT_STATSD_SET)
        sample.hash =
            leat_hash(leat_bytes(line->values, (size_t)(line->values_end - line->values)));
    if ((line->flags & LEAT_STATSD_SKIP) == 0)
        take_value(t, s, line->type, &sample, (line->flags & LEAT_STATSD_SIGNED) != 0);
    if (line->flags & LEAT_STATSD_PACKED)
        take_more(t, s, line, &sample);
}

static inline void take_line(struct leat_statsd_table *t, const struct leat_statsd_source *from,
                             const struct leat_statsd_line *line, const struct pending *p)
{
    struct leat_statsd_series *s = NULL;

    if (line->type <= LEAT_STATSD_GAUGE &&
        (line->flags & (LEAT_STATSD_SKIP | LEAT_STATSD_PACKED)) == 0)
        s = quick_series(t, line, p);
    if (s == NULL) {
        take_other(t, from, line, p);
        return;
    }
    t->stats.samples++;
    s->head.flags |= LEAT_STATSD_TOUCHED;
    if (line->type == LEAT_STATSD_COUNTER)
        s->number += line->value * line->weight;
    else
        take_gauge(s, line->value, (line->flags & LEAT_STATSD_SIGNED) != 0, from->now);
}

/* --- many lines */

static void use_client(struct leat_statsd_table *t, const uint8_t address[16])
{
    if (t->current != 0 && memcmp(t->current_address, address, 16) == 0)
        return;
    memcpy(t->current_address, address, 16);
    t->current = leat_statsd_client_find(t, address);
}

/* For an event, which has no series, this means nothing. */
static inline void prepare(const struct leat_statsd_table *t, const struct leat_statsd_line *line,
                           struct pending *p)
{
    uint32_t lengths;

    memcpy(&lengths, (const uint8_t *)line + offsetof(struct leat_statsd_line, name_len),
           sizeof lengths); /* and tail_len */
    p->head =
        t->current | (uint64_t)lengths << 16 | (uint64_t)line->type << (32 + LEAT_STATSD_TAIL_BITS);
    p->hash = leat_statsd_spelling(t->keys, p->head, leat_bytes(line->name, line->name_len),
                                   leat_bytes(line->tail, line->tail_len));
    __builtin_prefetch(&t->spellings.slots[p->hash & t->spellings.mask]);
}

/* The record is on its way to the cache before it is needed. */
static inline void look_ahead(const struct leat_statsd_table *t,
                              const struct leat_statsd_line *line, struct pending *p)
{
    uint32_t at = p->hash, ref = leat_statsd_index_next(&t->spellings, p->hash, &at);
    const uint8_t *record = leat_statsd_at(&t->pool, ref);

    p->ref = ref;
    __builtin_prefetch(record, 1);
    __builtin_prefetch(record + 64);
    if (line->tail_len != 0)
        __builtin_prefetch(record + 128);
}

static void settle(struct leat_statsd_table *t, const struct leat_statsd_source *from,
                   const struct leat_statsd_line *lines, uint32_t n)
{
    struct pending pending[LINES];

    for (uint32_t i = 0; i < n; i++)
        prepare(t, &lines[i], &pending[i]);
    for (uint32_t i = 0; i < n; i++)
        look_ahead(t, &lines[i], &pending[i]);
    for (uint32_t i = 0; i < n; i++)
        take_line(t, from, &lines[i], &pending[i]);
    t->touched |= n != 0;
    leat_statsd_settle(&t->reader);
}

void leat_statsd_table_feed_all(struct leat_statsd_table *t, const struct leat_statsd_source *from,
                                const struct leat_bytes *data, size_t count)
{
    struct leat_statsd_line lines[LINES];
    struct leat_statsd_reader *r = &t->reader;
    uint32_t n = 0;

    use_client(t, from->client);
    leat_statsd_begin(r, leat_bytes(NULL, 0), t->stats.faults);
    for (size_t i = 0; i < count; i++) {
        leat_statsd_go_on(r, data[i]);
        while (r->at < r->end) {
            n += leat_statsd_read(r, lines + n, LINES - n);
            if (r->at == r->end && n < LINES)
                break;
            settle(t, from, lines, n);
            n = 0;
        }
    }
    settle(t, from, lines, n);
    t->stats.lines += r->lines;
}

void leat_statsd_table_feed(struct leat_statsd_table *t, const struct leat_statsd_source *from,
                            struct leat_bytes data)
{
    leat_statsd_table_feed_all(t, from, &data, 1);
}

/* --- what is in it */

const struct leat_statsd_stats *leat_statsd_table_stats(const struct leat_statsd_table *t)
{
    return &t->stats;
}

uint32_t leat_statsd_table_series(const struct leat_statsd_table *t)
{
    return t->series;
}

bool leat_statsd_table_idle(const struct leat_statsd_table *t)
{
    return !t->touched && !t->cursor.active;
}

bool leat_statsd_table_wants_pass(const struct leat_statsd_table *t)
{
    return t->observers.samples_full || t->observers.samples > t->observers.samples_max / 2;
}

size_t leat_statsd_table_bytes(const struct leat_statsd_table *t)
{
    return t->pool.charged + t->clients_room * sizeof *t->clients +
           leat_statsd_index_bytes(&t->spellings) + leat_statsd_index_bytes(&t->canon) +
           leat_statsd_index_bytes(&t->addresses);
}

size_t leat_statsd_table_bound(const struct leat_statsd_table *t)
{
    return sizeof *t + OVER_BYTES + t->pool.max +
           (LEAT_STATSD_CLIENTS + 1) * sizeof *t->clients * 3 / 2 +
           leat_statsd_index_bound(spellings_max(t->rules)) +
           leat_statsd_index_bound(t->rules->limit) + leat_statsd_index_bound(LEAT_STATSD_CLIENTS);
}
