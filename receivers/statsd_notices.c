/* Events and service checks on their way into a logs pipeline. They are not added up: what a turn
 * of the loop brings of one client is one request. What the pipeline does not take is tried again,
 * as far as there is room. */
#include <string.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/origin.h"
#include "io/loop.h"
#include "receivers/statsd.h"
#include "receivers/statsd_logs.h"

#define REQUEST_MAX    ((size_t)256 * 1024)
#define HELD_MAX       1024 /* requests that have no outcome yet; besides, they are charged */
#define RETRY_MS       1000
#define DRAIN_RETRY_MS 100

struct held {
    struct leat_link link;
    struct leat_statsd_notices *owner; /* NULL: freed, only the outcome is missing */
    struct leat_ack ack;
    struct leat_buf *buf;
    uint32_t records;
    bool waiting; /* to be tried again */
    uint8_t client[16];
};

struct leat_statsd_notices {
    struct leat_statsd *r;
    struct leat_statsd_logs logs;
    uint8_t client[16]; /* of what is in `logs` */
    struct leat_link held;
    uint32_t nheld;
    struct leat_timer *again;
    bool draining;
};

static void drop(struct leat_statsd_notices *n, uint32_t records, const char *why)
{
    leat_statsd_count(n->r, LEAT_STATSD_NOTICES_REFUSED, records);
    leat_warn(n->r->env->id, "%u events or service checks are lost: %s", records, why);
}

static void free_held(struct held *h)
{
    if (h->owner != NULL) {
        leat_list_remove(&h->link);
        h->owner->nheld--;
    }
    leat_buf_unref(h->buf);
    leat_free(h);
}

static void maybe_drained(struct leat_statsd_notices *n)
{
    if (!n->draining || n->nheld > 0)
        return;
    n->draining = false;
    leat_statsd_drained(n->r);
}

static void wait_a_while(struct leat_statsd_notices *n, struct held *h, uint32_t ms)
{
    h->waiting = true;
    ms = n->draining ? DRAIN_RETRY_MS : ms > RETRY_MS ? ms : RETRY_MS;
    if (!leat_timer_running(n->again))
        leat_timer_start(n->again, (int64_t)ms * 1000000, 0);
}

static void ended(struct leat_ack *ack)
{
    struct held *h = LEAT_OWNER(ack, struct held, ack);
    struct leat_statsd_notices *n = h->owner;
    struct leat_status st = ack->worst;

    if (n != NULL && st.outcome == LEAT_RETRY) {
        wait_a_while(n, h, st.retry_after_ms);
        return;
    }
    if (n != NULL && st.outcome == LEAT_REJECTED)
        drop(n, h->records, st.why ? st.why : "the pipeline refuses them");
    else if (n != NULL)
        leat_statsd_count(n->r, LEAT_STATSD_NOTICES_TAKEN, h->records);
    free_held(h);
    if (n != NULL)
        maybe_drained(n);
}

static void send_held(struct leat_statsd_notices *n, struct held *h)
{
    char peer[LEAT_STATSD_ADDRESS];
    struct leat_batch *b;

    leat_ack_init(&h->ack, ended);
    h->waiting = false;
    b = leat_batch_new(LEAT_LOGS, leat_buf_ref(h->buf), leat_bytes(h->buf->data, h->buf->len),
                       h->records, &h->ack);
    if (b == NULL) {
        leat_buf_unref(h->buf);
        wait_a_while(n, h, RETRY_MS);
        return;
    }
    b->origin = leat_origin_new(leat_statsd_address(h->client, peer));
    leat_send(&n->r->env->next[LEAT_LOGS], b);
}

/* All that wait, each once. Who is refused again waits for the next time. */
static void again(void *arg)
{
    struct leat_statsd_notices *n = arg;
    struct leat_link turn = {&turn, &turn}, *l;

    while ((l = leat_list_pop(&n->held)) != NULL)
        leat_list_append(&turn, l);
    while ((l = leat_list_pop(&turn)) != NULL) {
        struct held *h = LEAT_OWNER(l, struct held, link);

        leat_list_append(&n->held, l);
        if (h->waiting)
            send_held(n, h);
    }
}

static struct held *hold(struct leat_statsd_notices *n, struct leat_bytes request)
{
    struct held *h = n->nheld < HELD_MAX ? leat_try_zeroed(sizeof *h) : NULL;

    if (h == NULL)
        return NULL;
    h->buf = leat_buf_new(n->r->env->budget, request.len);
    if (h->buf == NULL) {
        leat_free(h);
        return NULL;
    }
    memcpy(h->buf->data, request.data, request.len);
    h->buf->len = request.len;
    h->owner = n;
    h->records = n->logs.records;
    memcpy(h->client, n->client, sizeof h->client);
    leat_list_append(&n->held, &h->link);
    n->nheld++;
    return h;
}

void leat_statsd_notices_send(struct leat_statsd_notices *n)
{
    struct held *h;

    if (n->logs.records == 0)
        return;
    h = hold(n, leat_statsd_logs_end(&n->logs));
    if (h == NULL)
        drop(n, n->logs.records, "there is no room until the pipeline has taken others");
    leat_statsd_logs_clear(&n->logs);
    if (h != NULL)
        send_held(n, h);
}

void leat_statsd_notices_take(void *arg, const struct leat_statsd_source *from,
                              const struct leat_statsd_notice *notice)
{
    struct leat_statsd *r = arg;
    struct leat_statsd_notices *n = r->out;

    if (memcmp(n->client, from->client, sizeof n->client) != 0)
        leat_statsd_notices_send(n);
    memcpy(n->client, from->client, sizeof n->client);
    if (leat_statsd_logs_add(&n->logs, notice, from->now) == 0)
        return;
    leat_statsd_notices_send(n);
    if (leat_statsd_logs_add(&n->logs, notice, from->now) < 0)
        drop(n, 1, "no memory");
}

struct leat_statsd_notices *leat_statsd_notices_new(struct leat_statsd *r, bool simple_tags)
{
    struct leat_statsd_notices *n = leat_new(sizeof *n);

    n->r = r;
    leat_list_init(&n->held);
    leat_statsd_logs_init(&n->logs, REQUEST_MAX, simple_tags);
    n->again = leat_timer_new(r->env->loop, again, n);
    return n;
}

void leat_statsd_notices_drain(struct leat_statsd_notices *n)
{
    leat_statsd_notices_send(n);
    n->draining = true;
    if (leat_timer_running(n->again))
        leat_timer_start(n->again, 0, 0);
    maybe_drained(n);
}

void leat_statsd_notices_free(struct leat_statsd_notices *n)
{
    struct leat_link *l;

    if (n == NULL)
        return;
    while ((l = leat_list_pop(&n->held)) != NULL) {
        struct held *h = LEAT_OWNER(l, struct held, link);

        drop(n, h->records, "no destination took them before the end");
        h->owner = NULL;
        if (h->waiting)
            free_held(h);
    }
    leat_timer_free(n->again);
    leat_statsd_logs_done(&n->logs);
    leat_free(n);
}
