/* The series of a StatsD table: made, recognised under other spellings, grown old, forgotten. */
#include "receivers/statsd_series.h"

#include "base/budget.h"
#include "base/check.h"
#include "base/mem.h"

#define CLIENTS_FIRST 16

struct leat_bytes leat_statsd_over_name(unsigned type)
{
    static const char *const names[LEAT_STATSD_TYPES] = {
        [LEAT_STATSD_COUNTER] = "statsd.overflow.counter",
        [LEAT_STATSD_GAUGE] = "statsd.overflow.gauge",
        [LEAT_STATSD_TIMING] = "statsd.overflow.timing",
        [LEAT_STATSD_HISTOGRAM] = "statsd.overflow.histogram",
        [LEAT_STATSD_DISTRIBUTION] = "statsd.overflow.distribution",
        [LEAT_STATSD_SET] = "statsd.overflow.set",
    };

    return leat_bytes_str(names[type]);
}

/* --- clients */

static uint32_t address_hash(const uint8_t address[16])
{
    return (uint32_t)(leat_hash_quick(leat_bytes(address, 16)) >> 32) | 1;
}

uint32_t leat_statsd_client_find(const struct leat_statsd_table *t, const uint8_t address[16])
{
    uint32_t hash = address_hash(address), at = hash, c;

    while ((c = leat_statsd_index_next(&t->addresses, hash, &at)) != 0) {
        if (memcmp(t->clients[c].address, address, 16) == 0)
            return c;
    }
    return 0;
}

static bool more_clients(struct leat_statsd_table *t)
{
    uint32_t room = t->clients_room != 0 ? t->clients_room * 2 : CLIENTS_FIRST;
    size_t own = t->clients_room * sizeof *t->clients, size;
    struct leat_statsd_client *clients;

    if (room > LEAT_STATSD_CLIENTS + 1)
        room = LEAT_STATSD_CLIENTS + 1;
    if (room <= t->clients_room)
        return false;
    size = room * sizeof *clients - own;
    if (t->budget != NULL && !leat_budget_grow(t->budget, own, size))
        return false;
    clients = leat_try_resize(t->clients, own + size);
    if (clients == NULL) {
        if (t->budget != NULL)
            leat_budget_give(t->budget, size);
        return false;
    }
    t->clients = clients;
    t->clients_room = room;
    return true;
}

/* 0: no room. */
static uint32_t client_make(struct leat_statsd_table *t, const uint8_t address[16])
{
    uint32_t c = t->clients_free;

    if (c == 0 && (t->nclients < t->clients_room || more_clients(t)))
        c = t->nclients;
    if (c == 0 || !leat_statsd_index_add(&t->addresses, address_hash(address), c))
        return 0;
    if (c == t->clients_free)
        t->clients_free = t->clients[c].first;
    else
        t->nclients++;
    t->clients[c] = (struct leat_statsd_client){.first = 0};
    memcpy(t->clients[c].address, address, 16);
    return c;
}

static void client_drop(struct leat_statsd_table *t, uint32_t c)
{
    leat_statsd_index_remove(&t->addresses, address_hash(t->clients[c].address), c);
    t->clients[c].first = t->clients_free;
    t->clients_free = c;
    if (t->current == c)
        t->current = 0;
}

/* --- spellings */

static uint32_t canon_hash(const struct leat_statsd_tags *tags, uint32_t client, unsigned type)
{
    uint64_t h = leat_statsd_tags_hash(tags) ^ (uint64_t)client << 8 ^ type;

    return (uint32_t)(h * UINT64_C(0xd6e8feb86659fd93) >> 32) | 1;
}

/* What a spelling's head says besides what is compared: of the tags that were just read. */
static void fill_head(struct leat_statsd_head *h, uint64_t head,
                      const struct leat_statsd_tags *tags, uint8_t flags)
{
    unsigned bad = tags->bad + tags->many;

    memcpy(h, &head, sizeof head);
    bad = bad < LEAT_STATSD_BAD_MAX ? bad : LEAT_STATSD_BAD_MAX;
    h->name = (uint16_t)(h->name | bad << LEAT_STATSD_NAME_BITS);
    h->flags = (uint8_t)(flags | (tags->replaced ? LEAT_STATSD_UNCLEAN : 0));
    h->idle = 0;
}

static void fill_key(struct leat_statsd_head *h, const struct leat_statsd_key *key)
{
    uint8_t *to = (uint8_t *)h + (h->flags & LEAT_STATSD_ALIAS ? sizeof(struct leat_statsd_alias)
                                                               : sizeof(struct leat_statsd_series));

    memcpy(to, key->name.data, key->name.len);
    if (key->tail.len != 0)
        memcpy(to + key->name.len, key->tail.data, key->tail.len);
}

/* Notes that a series is also spelled so. Where there is no room it is found the slow way. */
static void add_alias(struct leat_statsd_table *t, uint32_t ref, const struct leat_statsd_key *key,
                      uint64_t head, uint32_t hash)
{
    size_t size = sizeof(struct leat_statsd_alias) + key->name.len + key->tail.len;
    struct leat_statsd_series *s = leat_statsd_series_at(t, ref);
    struct leat_statsd_alias *a;
    uint32_t alias;

    if (t->aliases >= t->rules->limit)
        return;
    alias = leat_statsd_pool_take(&t->pool, size);
    if (alias == 0)
        return;
    if (!leat_statsd_index_add(&t->spellings, hash, alias)) {
        leat_statsd_pool_give(&t->pool, alias, size);
        return;
    }
    a = leat_statsd_at(&t->pool, alias);
    fill_head(&a->head, head, &t->tags, LEAT_STATSD_ALIAS);
    fill_key(&a->head, key);
    a->next = s->aliases;
    a->series = ref;
    s->aliases = alias;
    t->aliases++;
}

/* The series that is the same as the tags just read. */
static uint32_t find_canon(struct leat_statsd_table *t, uint32_t hash, uint32_t client,
                           unsigned type)
{
    uint32_t at = hash, ref;

    while ((ref = leat_statsd_index_next(&t->canon, hash, &at)) != 0) {
        const struct leat_statsd_head *h = &leat_statsd_series_at(t, ref)->head;
        if (h->client != client || leat_statsd_head_type(h) != type)
            continue;
        leat_statsd_tags_read(&t->other, leat_statsd_head_name_bytes(h),
                              leat_statsd_head_tail_bytes(h), t->rules->simple_tags);
        if (leat_statsd_tags_equal(&t->tags, &t->other))
            return ref;
    }
    return 0;
}

/* --- series */

static size_t series_size(size_t name, size_t tail)
{
    return sizeof(struct leat_statsd_series) + name + tail;
}

/* With its observer, but nowhere noted yet. 0: no room. */
static uint32_t make(struct leat_statsd_table *t, const struct leat_statsd_key *key)
{
    size_t size = series_size(key->name.len, key->tail.len);
    uint32_t ref = leat_statsd_pool_take(&t->pool, size);
    struct leat_statsd_series *s;

    if (ref == 0)
        return 0;
    s = leat_statsd_series_at(t, ref);
    *s = (struct leat_statsd_series){
        .number = 0, .time = key->stamped ? key->stamp * INT64_C(1000000000) : key->floor};
    if (key->type < LEAT_STATSD_TIMING)
        return ref;
    s->observer = leat_statsd_observe_new(&t->observers, key->type, t->tags.name);
    if (s->observer != 0)
        return ref;
    leat_statsd_pool_give(&t->pool, ref, size);
    return 0;
}

static void unmake(struct leat_statsd_table *t, uint32_t ref, unsigned type, size_t size)
{
    if (type >= LEAT_STATSD_TIMING)
        leat_statsd_observe_free(&t->observers, leat_statsd_series_at(t, ref)->observer);
    leat_statsd_pool_give(&t->pool, ref, size);
}

static bool note(struct leat_statsd_table *t, uint32_t ref, uint32_t hash, uint32_t canon)
{
    if (!leat_statsd_index_add(&t->spellings, hash, ref))
        return false;
    if (leat_statsd_index_add(&t->canon, canon, ref))
        return true;
    leat_statsd_index_remove(&t->spellings, hash, ref);
    return false;
}

static void link_series(struct leat_statsd_table *t, uint32_t ref, uint32_t client)
{
    struct leat_statsd_client *c = &t->clients[client];

    leat_statsd_series_at(t, ref)->next = c->first;
    c->first = ref;
    c->count++;
    t->series++;
}

/* NULL: no room. */
static struct leat_statsd_series *add_series(struct leat_statsd_table *t,
                                             const struct leat_statsd_key *key, uint32_t client)
{
    uint32_t known = client, ref, hash;
    struct leat_statsd_series *s;
    uint64_t head;

    if (t->series >= t->rules->limit)
        return NULL;
    ref = make(t, key);
    if (ref == 0)
        return NULL;
    if (client == 0)
        client = client_make(t, key->address);
    head = leat_statsd_head_number(client, key->name.len, key->tail.len, key->type);
    hash = leat_statsd_spelling(t->keys, head, key->name, key->tail);
    if (client == 0 || !note(t, ref, hash, canon_hash(&t->tags, client, key->type))) {
        unmake(t, ref, key->type, series_size(key->name.len, key->tail.len));
        if (client != known)
            client_drop(t, client);
        return NULL;
    }
    s = leat_statsd_series_at(t, ref);
    fill_head(&s->head, head, &t->tags, key->stamped ? LEAT_STATSD_POINT : 0);
    fill_key(&s->head, key);
    link_series(t, ref, client);
    return s;
}

struct leat_statsd_series *leat_statsd_series_get(struct leat_statsd_table *t,
                                                  const struct leat_statsd_key *key)
{
    uint32_t client = leat_statsd_client_find(t, key->address), ref, hash;
    struct leat_statsd_series *s;
    struct leat_statsd_head *h;
    uint64_t head;

    leat_statsd_tags_read(&t->tags, key->name, key->tail, t->rules->simple_tags);
    if (client != 0) {
        head = leat_statsd_head_number(client, key->name.len, key->tail.len, key->type);
        hash = leat_statsd_spelling(t->keys, head, key->name, key->tail);
        h = leat_statsd_find(t, hash, head, key->name, key->tail);
        if (h != NULL)
            return leat_statsd_series_of(t, h);
        ref = find_canon(t, canon_hash(&t->tags, client, key->type), client, key->type);
        if (ref != 0) {
            add_alias(t, ref, key, head, hash);
            return leat_statsd_series_at(t, ref);
        }
    }
    s = add_series(t, key, client);
    return s != NULL ? s : &t->over[key->type];
}

void leat_statsd_series_settle(struct leat_statsd_table *t, struct leat_statsd_series *s,
                               double left, int64_t now)
{
    unsigned type = leat_statsd_head_type(&s->head);
    bool over = (s->head.flags & LEAT_STATSD_OVER) != 0;

    if (type == LEAT_STATSD_COUNTER || (over && leat_statsd_counts_only(t, type)))
        s->number = left;
    else if (type != LEAT_STATSD_GAUGE)
        leat_statsd_observe_reset(leat_statsd_observers_of(t, s), s->observer, false);
    if (type != LEAT_STATSD_GAUGE || over)
        s->time = now;
    s->head.flags &= (uint8_t)~LEAT_STATSD_TOUCHED;
    s->head.idle = 0;
}

bool leat_statsd_series_rest(struct leat_statsd_table *t, struct leat_statsd_series *s, int64_t now)
{
    unsigned type = leat_statsd_head_type(&s->head);

    if (s->head.idle == 0 && type >= LEAT_STATSD_TIMING)
        leat_statsd_observe_reset(&t->observers, s->observer, true);
    if (type != LEAT_STATSD_GAUGE && (s->head.flags & LEAT_STATSD_POINT) == 0)
        s->time = now;
    return ++s->head.idle >=
           (type == LEAT_STATSD_GAUGE ? LEAT_STATSD_GAUGE_PASSES : LEAT_STATSD_IDLE_PASSES);
}

static void forget_spelling(struct leat_statsd_table *t, const struct leat_statsd_head *h,
                            uint32_t ref)
{
    uint64_t head = leat_statsd_head_of(h) & LEAT_STATSD_HEAD_MASK;
    uint32_t hash = leat_statsd_spelling(t->keys, head, leat_statsd_head_name_bytes(h),
                                         leat_statsd_head_tail_bytes(h));

    leat_statsd_index_remove(&t->spellings, hash, ref);
}

static void forget_aliases(struct leat_statsd_table *t, struct leat_statsd_series *s)
{
    while (s->aliases != 0) {
        uint32_t ref = s->aliases;
        struct leat_statsd_alias *a = leat_statsd_at(&t->pool, ref);
        s->aliases = a->next;
        forget_spelling(t, &a->head, ref);
        leat_statsd_pool_give(&t->pool, ref,
                              sizeof *a + leat_statsd_head_name(&a->head) +
                                  leat_statsd_head_tail(&a->head));
        t->aliases--;
    }
}

void leat_statsd_series_forget(struct leat_statsd_table *t, uint32_t ref, uint32_t before)
{
    struct leat_statsd_series *s = leat_statsd_series_at(t, ref);
    struct leat_statsd_client *c = &t->clients[s->head.client];
    unsigned type = leat_statsd_head_type(&s->head);
    uint32_t client = s->head.client;

    forget_aliases(t, s);
    forget_spelling(t, &s->head, ref);
    leat_statsd_tags_read(&t->other, leat_statsd_head_name_bytes(&s->head),
                          leat_statsd_head_tail_bytes(&s->head), t->rules->simple_tags);
    leat_statsd_index_remove(&t->canon, canon_hash(&t->other, client, type), ref);
    if (before != 0)
        leat_statsd_series_at(t, before)->next = s->next;
    else
        c->first = s->next;
    t->series--;
    unmake(t, ref, type,
           series_size(leat_statsd_head_name(&s->head), leat_statsd_head_tail(&s->head)));
    if (--c->count == 0)
        client_drop(t, client);
}

void leat_statsd_series_clear(struct leat_statsd_table *t)
{
    leat_statsd_index_clear(&t->spellings);
    leat_statsd_index_clear(&t->canon);
    leat_statsd_index_clear(&t->addresses);
    leat_statsd_pool_reset(&t->pool);
    t->observers.samples = 0;
    t->observers.samples_full = false;
    if (t->budget != NULL)
        leat_budget_give(t->budget, t->clients_room * sizeof *t->clients);
    leat_free(t->clients);
    t->clients = NULL;
    t->nclients = 1;
    t->clients_room = t->clients_free = 0;
    t->series = t->aliases = t->current = 0;
    t->cursor = (struct leat_statsd_cursor){.active = false};
}
