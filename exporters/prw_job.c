/* A batch on its way to the destination, and what a request holds of batches. */
#include "exporters/prw_job.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "config/schema.h"
#include "flow/origin.h"
#include "io/grpc.h"

#define RETRY_MS      1000
#define KEY_BYTES     ((size_t)16 * 1024)
#define ENTRIES_FIRST 16
#define ENTRIES_MAX   16384 /* batches in one request */
#define POINTS_FIRST  256
#define POINTS_MAX    ((size_t)64 * 1024 * 1024) /* bytes of their list */
#define VARINT_MAX    5

/* --- jobs */

/* false: no memory. */
static bool make_key(struct leat_prw_job *j, const struct leat_strings *keys)
{
    struct leat_text key;
    bool ok;

    if (keys->count == 0)
        return true;
    leat_text_init(&key, KEY_BYTES);
    leat_origin_key(j->batch->origin, keys->items, keys->count, &key);
    ok = leat_text_ok(&key);
    if (ok && key.len != 0) {
        j->key_len = key.len;
        j->key = leat_text_take(&key);
    }
    leat_text_done(&key);
    return ok;
}

struct leat_prw_job *leat_prw_job_new(struct leat_batch *batch, const struct leat_strings *keys)
{
    struct leat_prw_job *j = leat_try_zeroed(sizeof *j);

    if (j == NULL)
        return NULL;
    leat_list_init(&j->link);
    j->batch = batch;
    j->pending = 1;
    if (!make_key(j, keys)) {
        leat_free(j);
        return NULL;
    }
    return j;
}

void leat_prw_job_again(struct leat_prw_job *j)
{
    LEAT_CHECK(j->pending <= 1);
    j->pending = 1;
    j->comes_again = false;
    j->walked = j->point > j->walked ? j->point : j->walked;
    j->part = j->point = 0;
    j->dropped = 0;
}

bool leat_prw_job_has_answer(const struct leat_prw_job *j, uint32_t point)
{
    if (point >= j->walked || j->needs_all)
        return false;
    return j->needed == NULL || (j->needed[point / 8] & 1u << (point & 7u)) == 0;
}

static void note_why(struct leat_prw_job *j, uint32_t code, const char *why)
{
    if (j->why[0] != '\0')
        return;
    j->code = code;
    snprintf(j->why, sizeof j->why, "%s", why != NULL ? why : "no reason given");
}

void leat_prw_job_drop(struct leat_prw_job *j, const char *why)
{
    note_why(j, LEAT_GRPC_INVALID_ARGUMENT, why);
    j->dropped++;
}

bool leat_prw_job_let_go(struct leat_prw_job *j)
{
    LEAT_CHECK(j->pending > 0);
    return --j->pending == 0 && !j->comes_again;
}

bool leat_prw_job_same_key(const struct leat_prw_job *a, const struct leat_prw_job *b)
{
    return leat_bytes_eq(leat_bytes(a->key, a->key_len), leat_bytes(b->key, b->key_len));
}

static bool is_awaited(const struct leat_batch *b)
{
    for (uint32_t i = 0; i < b->nparts; i++) {
        if (b->parts[i].ack != NULL)
            return true;
    }
    return false;
}

/* Who waits gets the whole batch back if some of it was not delivered: what was delivered is sent
 * once more then, which changes nothing. Where nobody waits only the rest is lost. */
static struct leat_status status_of(const struct leat_prw_job *j, bool cut_short)
{
    const struct leat_batch *b = j->batch;
    uint32_t lost = j->dropped + j->rejected + j->given_up;
    const char *why = j->why[0] != '\0' ? j->why : NULL;
    struct leat_status st = leat_delivered();

    if (cut_short)
        return leat_retry(LEAT_GRPC_UNAVAILABLE, RETRY_MS, "shutting down");
    if (lost > b->items)
        lost = b->items;
    if (j->given_up > 0 && (lost == b->items || is_awaited(b)))
        return leat_retry(j->code, RETRY_MS, why);
    if (lost == b->items && b->items > 0) {
        st = leat_rejected(j->code, why);
        st.not_content = true; /* sent in smaller pieces it would fare no better */
        return st;
    }
    st.rejected = lost;
    st.why = why;
    return st;
}

void leat_prw_job_end(struct leat_prw_job *j, bool cut_short)
{
    struct leat_batch *batch = j->batch;
    struct leat_status st = status_of(j, cut_short);
    char why[sizeof j->why + 32];

    if (st.why == j->why) {
        snprintf(why, sizeof why, "%s%s",
                 st.outcome == LEAT_DELIVERED && j->given_up > 0 ? "no more retries left: " : "",
                 j->why);
        st.why = why;
    }
    leat_list_remove(&j->link);
    leat_free(j->lost);
    leat_free(j->needed);
    leat_free(j->key);
    leat_free(j);
    leat_batch_done(batch, st);
}

/* Each is lost once only, however many of its samples are. */
static void lose(struct leat_prw_job *j, uint32_t point, bool given_up)
{
    uint32_t items = j->batch->items;
    uint8_t bit = (uint8_t)(1u << (point & 7u));

    if (point >= items || j->rejected + j->given_up >= items)
        return;
    if (j->lost == NULL)
        j->lost = leat_try_zeroed(items / 8 + 1);
    if (j->lost != NULL && (j->lost[point / 8] & bit) != 0)
        return;
    if (j->lost != NULL)
        j->lost[point / 8] |= bit;
    if (given_up)
        j->given_up++;
    else
        j->rejected++;
}

/* --- loads */

void leat_prw_load_init(struct leat_prw_load *l)
{
    *l = (struct leat_prw_load){.n = 0};
}

void leat_prw_load_done(struct leat_prw_load *l)
{
    leat_free(l->entries);
    leat_free(l->points);
    leat_prw_load_init(l);
}

size_t leat_prw_load_memory(const struct leat_prw_load *l)
{
    return l->cap * sizeof *l->entries + l->size;
}

static bool grow_points(struct leat_prw_load *l)
{
    size_t size = l->size == 0 ? POINTS_FIRST : l->size * 2;
    uint8_t *more = size <= POINTS_MAX ? leat_try_resize(l->points, size) : NULL;

    if (more == NULL)
        return false;
    l->points = more;
    l->size = size;
    return true;
}

static bool grow_entries(struct leat_prw_load *l)
{
    uint32_t cap = l->cap == 0 ? ENTRIES_FIRST : l->cap * 2;
    struct leat_prw_entry *more =
        cap <= ENTRIES_MAX ? leat_try_resize(l->entries, cap * sizeof *more) : NULL;

    if (more == NULL)
        return false;
    l->entries = more;
    l->cap = cap;
    return true;
}

bool leat_prw_load_reserve(struct leat_prw_load *l)
{
    if (l->size - l->len < VARINT_MAX && !grow_points(l))
        return false;
    return l->n < l->cap || grow_entries(l);
}

static void add_varint(struct leat_prw_load *l, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        l->points[l->len++] = (uint8_t)(v | 0x80);
    l->points[l->len++] = (uint8_t)v;
}

void leat_prw_load_add(struct leat_prw_load *l, struct leat_prw_job *job, uint32_t point)
{
    struct leat_prw_entry *e = l->n > 0 ? &l->entries[l->n - 1] : NULL;

    if (e == NULL || e->job != job) {
        e = &l->entries[l->n++];
        *e = (struct leat_prw_entry){.job = job, .points_at = l->len};
        job->pending++;
    }
    if (point == LEAT_PRW_NO_POINT || (e->any && e->last == point))
        return;
    add_varint(l, e->any ? point - e->last : point);
    e->any = true;
    e->last = point;
    l->npoints++;
}

static uint32_t read_varint(const struct leat_prw_load *l, size_t *at)
{
    uint32_t v = 0;

    for (unsigned shift = 0;; shift += 7) {
        uint8_t c = l->points[(*at)++];
        v |= (uint32_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return v;
    }
}

static size_t end_of(const struct leat_prw_load *l, const struct leat_prw_entry *e)
{
    return e + 1 == l->entries + l->n ? l->len : e[1].points_at;
}

/* The first points of an entry; returns how many are still to be lost. */
static uint64_t lose_entry(const struct leat_prw_load *l, const struct leat_prw_entry *e,
                           uint64_t lost, bool given_up)
{
    size_t at = e->points_at, stop = end_of(l, e);
    uint32_t point = 0;

    while (at < stop && lost > 0) {
        point += read_varint(l, &at);
        lose(e->job, point, given_up);
        lost--;
    }
    return lost;
}

static void need_entry(const struct leat_prw_load *l, const struct leat_prw_entry *e)
{
    struct leat_prw_job *j = e->job;
    size_t at = e->points_at, stop = end_of(l, e);
    uint32_t point = 0;

    if (j->needed == NULL)
        j->needed = leat_try_zeroed(j->batch->items / 8 + 1);
    if (j->needed == NULL)
        j->needs_all = true;
    while (at < stop && j->needed != NULL) {
        point += read_varint(l, &at);
        if (point < j->batch->items)
            j->needed[point / 8] |= (uint8_t)(1u << (point & 7u));
    }
}

static void clear(struct leat_prw_load *l)
{
    l->n = 0;
    l->npoints = 0;
    l->len = 0;
}

void leat_prw_load_settle(struct leat_prw_load *l, uint64_t lost, bool given_up, uint32_t code,
                          const char *why, void (*ended)(void *arg, struct leat_prw_job *j),
                          void *arg)
{
    for (uint32_t i = 0; i < l->n; i++) {
        struct leat_prw_entry *e = &l->entries[i];
        struct leat_prw_job *j = e->job;
        if (lost > 0 && e->any)
            note_why(j, code, why);
        lost = lose_entry(l, e, lost, given_up);
        if (leat_prw_job_let_go(j))
            ended(arg, j);
    }
    clear(l);
}

void leat_prw_load_release(struct leat_prw_load *l)
{
    for (uint32_t i = 0; i < l->n; i++) {
        need_entry(l, &l->entries[i]);
        l->entries[i].job->comes_again = true;
        leat_prw_job_let_go(l->entries[i].job);
    }
    clear(l);
}
