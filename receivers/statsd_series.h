/* The inside of a StatsD table: its series, how they are found, and whose they are. */
#ifndef LEAT_RECEIVERS_STATSD_SERIES_H
#define LEAT_RECEIVERS_STATSD_SERIES_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/hash.h"
#include "proto/statsd_tags.h"
#include "receivers/statsd_index.h"
#include "receivers/statsd_observe.h"
#include "receivers/statsd_pool.h"
#include "receivers/statsd_rules.h"
#include "receivers/statsd_table.h"

enum leat_statsd_series_flag {
    LEAT_STATSD_TOUCHED = 1 << 0, /* has something to send */
    LEAT_STATSD_ALIAS = 1 << 1,   /* is no series but another spelling of one */
    LEAT_STATSD_UNCLEAN = 1 << 2, /* this spelling is not UTF-8 */
    LEAT_STATSD_POINT = 1 << 3,   /* has a timestamp of its own: forgotten when sent */
    LEAT_STATSD_BASED = 1 << 4,   /* gauge: was set, not only changed by deltas */
    LEAT_STATSD_OVER = 1 << 5,    /* counts what has no series */
};

/* How a series, or another spelling of one, is recognised. With its name and tail, as they stood
 * in the line that was there first, it is a whole key. In 8 bytes, which are compared at once. */
struct leat_statsd_head {
    uint16_t client;
    uint16_t name; /* NAME_BITS of length; above: how many tags of this spelling are bad */
    uint16_t tail; /* TAIL_BITS of length; above: the type */
    uint8_t flags; /* not compared, as the rest */
    uint8_t idle;  /* passes without a sample */
};
#define LEAT_STATSD_NAME_BITS 10
#define LEAT_STATSD_TAIL_BITS 13
#define LEAT_STATSD_BAD_MAX   63 /* bad tags are counted up to this, for each line */
/* Little-endian hosts only, as in wire.h. */
#define LEAT_STATSD_HEAD_MASK UINT64_C(0x0000ffff03ffffff)

struct leat_statsd_series {
    struct leat_statsd_head head;
    uint32_t next;    /* of the same client */
    uint32_t aliases; /* the first */
    union {
        double number;     /* counter: the sum; gauge: the value */
        uint32_t observer; /* others */
    };
    /* Where its point begins; of a gauge, when it was set (or last changed, unless BASED); with
     * POINT, its timestamp. ns */
    int64_t time;
    /* behind it: name, tail */
};

struct leat_statsd_alias {
    struct leat_statsd_head head;
    uint32_t next; /* of the same series */
    uint32_t series;
    /* behind it: name, tail */
};

struct leat_statsd_client {
    uint8_t address[16];
    uint32_t first; /* series */
    uint32_t count;
};

/* Where a pass is. */
struct leat_statsd_cursor {
    bool active, over; /* over: at the overflow series */
    uint32_t client;
    uint32_t before, at; /* series */
};

struct leat_statsd_table {
    const struct leat_statsd_rules *rules;
    struct leat_budget *budget;         /* may be NULL */
    uint64_t keys[3];                   /* of the hash of spellings */
    struct leat_statsd_index spellings; /* by what stands in a line */
    struct leat_statsd_index canon;     /* by leat_statsd_tags_hash() */
    struct leat_statsd_index addresses; /* clients */
    struct leat_statsd_pool pool;
    struct leat_statsd_observers observers;
    struct leat_statsd_client *clients; /* the first is nobody */
    uint32_t nclients, clients_room, clients_free;
    uint32_t series, aliases;
    uint32_t current; /* the client of the last feed; 0: not known here */
    uint8_t current_address[16];
    int64_t floor; /* when a series that begins now begins */
    struct leat_statsd_cursor cursor;
    struct leat_statsd_stats stats;
    unsigned dropped; /* types that are not mapped: 1 << type, or'ed */
    bool touched;     /* something was added since the last pass began */
    struct leat_statsd_series over[LEAT_STATSD_TYPES];
    struct leat_statsd_pool over_pool; /* of their observers, so that they are always there */
    struct leat_statsd_observers over_observers;
    struct leat_statsd_tags tags, other; /* scratch */
    struct leat_statsd_reader reader;
};

/* What a line, or a series of another table, is looked up by. */
struct leat_statsd_key {
    struct leat_bytes name, tail;
    uint32_t client; /* 0: none has it yet, so no series has */
    const uint8_t *address;
    uint8_t type;
    bool stamped;
    int64_t stamp; /* seconds */
    int64_t floor; /* when its point begins if it is new */
};

static inline struct leat_statsd_series *leat_statsd_series_at(const struct leat_statsd_table *t,
                                                               uint32_t ref)
{
    return leat_statsd_at(&t->pool, ref);
}

static inline unsigned leat_statsd_head_type(const struct leat_statsd_head *h)
{
    return h->tail >> LEAT_STATSD_TAIL_BITS;
}
static inline size_t leat_statsd_head_name(const struct leat_statsd_head *h)
{
    return h->name & ((1 << LEAT_STATSD_NAME_BITS) - 1);
}
static inline size_t leat_statsd_head_tail(const struct leat_statsd_head *h)
{
    return h->tail & ((1 << LEAT_STATSD_TAIL_BITS) - 1);
}
static inline unsigned leat_statsd_head_bad(const struct leat_statsd_head *h)
{
    return h->name >> LEAT_STATSD_NAME_BITS;
}
/* What stands behind a series or an alias. */
static inline const uint8_t *leat_statsd_head_key(const struct leat_statsd_head *h)
{
    return (const uint8_t *)h + (h->flags & LEAT_STATSD_ALIAS ? sizeof(struct leat_statsd_alias)
                                                              : sizeof(struct leat_statsd_series));
}
static inline struct leat_bytes leat_statsd_head_name_bytes(const struct leat_statsd_head *h)
{
    return leat_bytes(leat_statsd_head_key(h), leat_statsd_head_name(h));
}
static inline struct leat_bytes leat_statsd_head_tail_bytes(const struct leat_statsd_head *h)
{
    return leat_bytes(leat_statsd_head_key(h) + leat_statsd_head_name(h), leat_statsd_head_tail(h));
}

/* A key's head as a number, for comparing. */
static inline uint64_t leat_statsd_head_number(uint32_t client, size_t name, size_t tail,
                                               unsigned type)
{
    return client | (uint64_t)name << 16 | (uint64_t)(tail | type << LEAT_STATSD_TAIL_BITS) << 32;
}

static inline uint64_t leat_statsd_head_of(const struct leat_statsd_head *h)
{
    uint64_t number;

    memcpy(&number, h, sizeof number);
    return number;
}

static inline uint64_t leat_statsd_word(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, 8);
    return word;
}

#ifdef __SSE2__
static inline bool leat_statsd_same_16(const uint8_t *a, const uint8_t *b)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)a);
    __m128i y = _mm_loadu_si128((const __m128i *)(const void *)b);

    return _mm_movemask_epi8(_mm_cmpeq_epi8(x, y)) == 0xffff;
}
#else
static inline bool leat_statsd_same_16(const uint8_t *a, const uint8_t *b)
{
    return leat_statsd_word(a) == leat_statsd_word(b) &&
           leat_statsd_word(a + 8) == leat_statsd_word(b + 8);
}
#endif

/* Equal bytes; without a call, and some may be compared twice. */
static inline __attribute__((always_inline)) bool leat_statsd_same(const uint8_t *a,
                                                                   const uint8_t *b, size_t len)
{
    if (len >= 16) {
        if (!leat_statsd_same_16(a + len - 16, b + len - 16))
            return false;
        for (; len > 16; len -= 16, a += 16, b += 16) {
            if (!leat_statsd_same_16(a, b))
                return false;
        }
        return true;
    }
    if (len >= 8)
        return leat_statsd_word(a) == leat_statsd_word(b) &&
               leat_statsd_word(a + len - 8) == leat_statsd_word(b + len - 8);
    for (size_t i = 0; i < len; i++) {
        if (a[i] != b[i])
            return false;
    }
    return true;
}

/* Whether a series or an alias has this spelling. */
static inline bool leat_statsd_head_is(const struct leat_statsd_head *h, uint64_t head,
                                       struct leat_bytes name, struct leat_bytes tail)
{
    const uint8_t *key = leat_statsd_head_key(h);

    return ((leat_statsd_head_of(h) ^ head) & LEAT_STATSD_HEAD_MASK) == 0 &&
           leat_statsd_same(key, name.data, name.len) &&
           leat_statsd_same(key + name.len, tail.data, tail.len);
}

/* --- the hash of a spelling: by multiplication, as leat_hash_quick(), but without a call, for it
 * is made of every line. Its keys come from the process's. */
__extension__ typedef unsigned __int128 leat_statsd_wide;

static inline uint64_t leat_statsd_fold(uint64_t a, uint64_t b)
{
    leat_statsd_wide product = (leat_statsd_wide)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t leat_statsd_mix(const uint64_t keys[3], uint64_t h, const uint8_t *at,
                                       size_t len)
{
    const uint8_t *end = at + len;
    uint32_t head, foot;

    if (len >= 16) {
        for (; len > 16; len -= 16, at += 16)
            h = leat_statsd_fold(leat_statsd_word(at) ^ keys[0], leat_statsd_word(at + 8) ^ h);
        return leat_statsd_fold(leat_statsd_word(end - 16) ^ keys[1],
                                leat_statsd_word(end - 8) ^ h);
    }
    if (len >= 8)
        return leat_statsd_fold(leat_statsd_word(at) ^ keys[1], leat_statsd_word(end - 8) ^ h);
    if (len >= 4) {
        memcpy(&head, at, 4);
        memcpy(&foot, end - 4, 4);
        return leat_statsd_fold(head ^ keys[1], foot ^ h);
    }
    if (len == 0)
        return h;
    head = (uint32_t)at[0] << 16 | (uint32_t)at[len / 2] << 8 | at[len - 1];
    return leat_statsd_fold(head ^ keys[1], h);
}

static inline uint32_t leat_statsd_spelling(const uint64_t keys[3], uint64_t head,
                                            struct leat_bytes name, struct leat_bytes tail)
{
    uint64_t h = leat_statsd_mix(keys, head ^ keys[2], name.data, name.len);

    if (tail.len != 0)
        h = leat_statsd_mix(keys, h, tail.data, tail.len);
    return (uint32_t)(leat_statsd_fold(h ^ keys[0], keys[1]) >> 32) | 1; /* never an empty slot */
}

/* The series or alias with this spelling, or NULL. */
static inline struct leat_statsd_head *leat_statsd_find(const struct leat_statsd_table *t,
                                                        uint32_t hash, uint64_t head,
                                                        struct leat_bytes name,
                                                        struct leat_bytes tail)
{
    uint32_t at = hash, ref;

    while ((ref = leat_statsd_index_next(&t->spellings, hash, &at)) != 0) {
        struct leat_statsd_head *h = leat_statsd_at(&t->pool, ref);
        if (leat_statsd_head_is(h, head, name, tail))
            return h;
    }
    return NULL;
}

/* The series itself, of a series or an alias. */
static inline struct leat_statsd_series *leat_statsd_series_of(const struct leat_statsd_table *t,
                                                               struct leat_statsd_head *h)
{
    if (h->flags & LEAT_STATSD_ALIAS)
        return leat_statsd_series_at(t, ((struct leat_statsd_alias *)(void *)h)->series);
    return (struct leat_statsd_series *)(void *)h;
}

/* The series of a key that no spelling was found for: one that is there under another spelling
 * (which is noted), or a new one; where there is no room, the overflow series of its type. */
struct leat_statsd_series *leat_statsd_series_get(struct leat_statsd_table *t,
                                                  const struct leat_statsd_key *key);
/* What a series had was taken over (sent, or merged): it begins anew, a counter with `left`. A
 * gauge keeps its value and its time, for later deltas. */
void leat_statsd_series_settle(struct leat_statsd_table *t, struct leat_statsd_series *s,
                               double left, int64_t now);
/* Nothing has come for a series (no overflow series) since the last pass. true: it has been so for
 * long enough to be forgotten. */
bool leat_statsd_series_rest(struct leat_statsd_table *t, struct leat_statsd_series *s,
                             int64_t now);
/* Takes a series out; `before` is the one before it in its client's list, or 0. Its client goes
 * with its last series. */
void leat_statsd_series_forget(struct leat_statsd_table *t, uint32_t ref, uint32_t before);

/* Forgets everything. */
void leat_statsd_series_clear(struct leat_statsd_table *t);

/* A client's number, or 0. */
uint32_t leat_statsd_client_find(const struct leat_statsd_table *t, const uint8_t address[16]);

/* The observers that a series' own is among. */
static inline struct leat_statsd_observers *
leat_statsd_observers_of(struct leat_statsd_table *t, const struct leat_statsd_series *s)
{
    return s->head.flags & LEAT_STATSD_OVER ? &t->over_observers : &t->observers;
}

/* An overflow series' name: "statsd.overflow.counter", … */
struct leat_bytes leat_statsd_over_name(unsigned type);

/* Of an overflow series: it counts samples, because their values cannot be put together. */
static inline bool leat_statsd_counts_only(const struct leat_statsd_table *t, unsigned type)
{
    if (type == LEAT_STATSD_COUNTER)
        return false;
    return type == LEAT_STATSD_GAUGE || type == LEAT_STATSD_SET ||
           leat_statsd_rule(t->rules, type)->observer == LEAT_STATSD_OBSERVE_GAUGE;
}

#endif
