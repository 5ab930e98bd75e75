/* An HTTP client for one destination: exchanges, their deadlines, and which connection gets them.
 */
#include "io/client.h"

#include <stdio.h>
#include <string.h>

#include "io/auth.h"
#include "io/client_parts.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "io/grpc.h"

#define H2_CONNS_MAX       4        /* connections that share the streams */
#define BACKOFF_MIN        LEAT_SEC /* between attempts that nobody's request fails by */
#define BACKOFF_MAX        (30 * LEAT_SEC)
#define CONTENT_LENGTH_MAX ((size_t)UINT32_MAX) /* a gRPC message's length has 32 bits */

/* --- the timer: deadlines of calls, and the next attempt to connect */

static void arm(struct leat_client *c)
{
    int64_t at = leat_list_empty(&c->waiting) ? 0 : c->dial_at, now;

    if (!leat_list_empty(&c->deadlines)) {
        struct leat_client_call *first =
            LEAT_OWNER(c->deadlines.next, struct leat_client_call, deadline);
        if (at == 0 || first->until < at)
            at = first->until;
    }
    if (at == 0 || (c->timer_at != 0 && c->timer_at <= at))
        return; /* it looks again when it fires */
    now = leat_clock_mono();
    c->timer_at = at;
    leat_timer_start(c->timer, at > now ? at - now : 0, 0);
}

void leat_client_call_until(struct leat_client_call *call, int64_t until)
{
    struct leat_client *c = call->client;
    struct leat_link *l = c->deadlines.prev;

    leat_list_remove(&call->deadline);
    call->until = until;
    if (until == 0)
        return;
    /* Mostly they all have the same timeout: the last place is the right one. */
    while (l != &c->deadlines && LEAT_OWNER(l, struct leat_client_call, deadline)->until > until)
        l = l->prev;
    leat_list_prepend(l, &call->deadline);
    arm(c);
}

static const char *doing(const struct leat_client_call *call, const struct leat_client *c)
{
    if (call->state == LEAT_CALL_WAITING)
        return c->dial_why[0] ? c->dial_why : "no connection";
    return call->in.begun ? "the answer is incomplete" : "no answer";
}

static void expire(struct leat_client_call *call)
{
    struct leat_client *c = call->client;
    struct leat_client_conn *cc = call->on;

    leat_list_remove(&call->deadline);
    if (call->state == LEAT_CALL_ENDING) {
        /* It was dropped a while ago and its bytes are still in a write that does not end. */
        leat_client_conn_abort(cc, "the peer reads nothing");
        return;
    }
    leat_incoming_fail(&call->in, LEAT_NET_TIMEOUT, "%s: timed out after %.10g s: %s", c->peer,
                       (double)call->x->timeout / 1e9, doing(call, c));
    if (call->state == LEAT_CALL_WAITING) {
        leat_client_call_over(call);
        return;
    }
    /* Not a byte since it was sent: the peer may be gone without a word. */
    if (cc->heard_at <= call->since)
        leat_client_conn_retire(cc);
    leat_client_conn_drop(cc, call);
}

void leat_client_fire(void *arg)
{
    struct leat_client *c = arg;
    int64_t now = leat_clock_mono();

    c->timer_at = 0;
    while (!leat_list_empty(&c->deadlines)) {
        struct leat_client_call *call =
            LEAT_OWNER(c->deadlines.next, struct leat_client_call, deadline);
        if (call->until > now)
            break;
        expire(call);
    }
    leat_client_pump(c);
    arm(c);
}

/* --- the ends of calls */

static void leave_conn(struct leat_client_call *call)
{
    leat_list_remove(&call->link);
    if (call->on != NULL)
        call->on->ncalls--;
    call->on = NULL;
}

void leat_client_call_over(struct leat_client_call *call)
{
    struct leat_client *c = call->client;

    leave_conn(call);
    leat_list_remove(&call->deadline);
    call->state = LEAT_CALL_OVER;
    leat_list_append(&c->over, &call->link);
    if (!c->ending)
        leat_loop_defer(c->loop, &c->task);
}

void leat_client_call_again(struct leat_client_call *call)
{
    struct leat_client *c = call->client;

    leave_conn(call);
    leat_incoming_done(&call->in);
    leat_incoming_init(&call->in, c->peer, c->grpc, c->max_answer, c->keep);
    call->state = LEAT_CALL_WAITING;
    call->resend = false;
    call->again = true;
    leat_list_prepend(&c->waiting, &call->link);
    leat_client_pump_soon(c);
}

static void tell_refused(struct leat_client *c, struct leat_exchange *x)
{
    struct leat_answer a = {.net = c->ending ? LEAT_NET_CANCELLED : LEAT_NET_FAILED,
                            .why = c->ending ? "the client was closed" : "no memory for a request"};

    x->done(x, &a);
}

static void tell_call(struct leat_client_call *call)
{
    struct leat_exchange *x = call->x;
    struct leat_incoming in = call->in; /* x's owner may free the call's memory with x */
    struct leat_answer a = leat_incoming_answer(&in);

    x->call = NULL;
    if (x->room == NULL)
        leat_free(call);
    x->done(x, &a);
    leat_incoming_done(&in);
}

/* Tells one; false: there is none. */
static bool tell_one(struct leat_client *c)
{
    struct leat_link *l = leat_list_pop(&c->over);

    if (l != NULL) {
        tell_call(LEAT_OWNER(l, struct leat_client_call, link));
        return true;
    }
    l = leat_list_pop(&c->refused);
    if (l != NULL)
        tell_refused(c, LEAT_OWNER(l, struct leat_exchange, link));
    return l != NULL;
}

/* Looks no further than `most`: thousands may wait, and this is asked again for each that ends. */
static size_t count_to(const struct leat_link *head, size_t most)
{
    size_t n = 0;

    for (const struct leat_link *l = head->next; l != head && n < most; l = l->next)
        n++;
    return n;
}

static size_t count(const struct leat_link *head)
{
    return count_to(head, SIZE_MAX);
}

/* Tells those that are over by now; what ends meanwhile has its turn later, so that a caller who
 * sends again at once cannot hold the loop. */
void leat_client_run(struct leat_task *t)
{
    struct leat_client *c = LEAT_OWNER(t, struct leat_client, task);
    bool gone = false;
    size_t n;

    leat_client_pump(c);
    n = count(&c->over) + count(&c->refused);
    c->gone = &gone;
    while (n-- > 0 && tell_one(c)) {
        if (gone)
            return;
    }
    c->gone = NULL;
    if (!leat_list_empty(&c->over) || !leat_list_empty(&c->refused))
        leat_loop_defer(c->loop, &c->task);
}

/* --- which connection */

void leat_client_pump_soon(struct leat_client *c)
{
    if (!c->ending)
        leat_loop_defer(c->loop, &c->task);
}

static uint32_t count_conns(const struct leat_client *c, enum leat_client_conn_state state)
{
    uint32_t n = 0;

    for (struct leat_link *l = c->conns.next; l != &c->conns; l = l->next)
        n += LEAT_OWNER(l, struct leat_client_conn, link)->state == state;
    return n;
}

static struct leat_client_conn *pick(struct leat_client *c, const struct leat_client_call *call)
{
    for (struct leat_link *l = c->conns.next; l != &c->conns; l = l->next) {
        struct leat_client_conn *cc = LEAT_OWNER(l, struct leat_client_conn, link);
        if (leat_client_conn_free(cc) && (!call->again || cc->h2 != NULL || cc->served == 0))
            return cc;
    }
    return NULL;
}

/* How many more connections the waiting calls need. */
static uint32_t wanted(struct leat_client *c)
{
    uint32_t opening = count_conns(c, LEAT_CONN_OPENING), ready = count_conns(c, LEAT_CONN_READY);
    uint32_t total = opening + ready + count_conns(c, LEAT_CONN_RETIRED);
    uint32_t room = c->max_conns == 0      ? UINT32_MAX
                    : c->max_conns > total ? c->max_conns - total
                                           : 0;
    size_t need;

    if (c->grpc || (c->tls != NULL && c->speaks != LEAT_SPEAKS_H1)) {
        /* Its streams may be enough for all: one at a time. */
        need = !leat_list_empty(&c->waiting) && opening == 0 && opening + ready < H2_CONNS_MAX;
    } else {
        need = count_to(&c->waiting, (size_t)opening + room);
        need = need > opening ? need - opening : 0;
    }
    return need < room ? (uint32_t)need : room;
}

static void fail_waiting(struct leat_client *c, size_t n, const char *why)
{
    while (n-- > 0 && !leat_list_empty(&c->waiting)) {
        struct leat_client_call *call = LEAT_OWNER(c->waiting.next, struct leat_client_call, link);
        leat_incoming_fail(&call->in, LEAT_NET_FAILED, "%s", why);
        leat_client_call_over(call);
    }
}

static void dial(struct leat_client *c)
{
    uint32_t n;

    if (leat_list_empty(&c->waiting) || c->ending)
        return;
    if (c->dial_at != 0 && leat_clock_mono() < c->dial_at) {
        arm(c);
        return;
    }
    for (n = wanted(c); n > 0; n--) {
        if (leat_client_dial(c) == NULL) {
            fail_waiting(c, n, "no memory for a connection");
            return;
        }
    }
}

static int build_path(struct leat_client *c, const char *more)
{
    char *joined;

    leat_text_clear(&c->path);
    if (more == NULL) {
        leat_text_str(&c->path, c->own_path);
    } else if (c->url.path[0] == '\0') {
        leat_text_str(&c->path, more);
    } else {
        joined = leat_url_join(&c->url, more);
        leat_text_str(&c->path, joined);
        leat_free(joined);
    }
    return leat_text_ok(&c->path) ? 0 : -1;
}

static void start(struct leat_client_conn *cc, struct leat_client_call *call)
{
    if (build_path(cc->client, call->x->path) != 0) {
        leat_incoming_fail(&call->in, LEAT_NET_FAILED, "%s: the path is too long, or no memory",
                           cc->client->peer);
        leat_client_call_over(call);
        return;
    }
    leat_client_conn_start(cc, call);
}

void leat_client_pump(struct leat_client *c)
{
    struct leat_link *l, *next;

    for (l = c->waiting.next; l != &c->waiting && !c->ending; l = next) {
        struct leat_client_call *call = LEAT_OWNER(l, struct leat_client_call, link);
        struct leat_client_conn *cc = pick(c, call);
        next = l->next;
        if (cc != NULL)
            start(cc, call);
        else if (!call->again)
            break;
    }
    dial(c);
}

void leat_client_dial_failed(struct leat_client *c, const char *why)
{
    uint32_t opening = count_conns(c, LEAT_CONN_OPENING), ready = count_conns(c, LEAT_CONN_READY);
    size_t waiting = count(&c->waiting), n = waiting > opening ? waiting - opening : 0;

    snprintf(c->dial_why, sizeof c->dial_why, "%s", why);
    if (c->grpc && c->conf->wait_for_ready) {
        c->backoff = c->backoff == 0 ? BACKOFF_MIN : c->backoff * 8 / 5;
        if (c->backoff > BACKOFF_MAX)
            c->backoff = BACKOFF_MAX;
        c->dial_at = leat_clock_mono() + c->backoff * 4 / 5 +
                     (int64_t)(leat_random() % (uint64_t)(c->backoff * 2 / 5));
        return;
    }
    if (ready > 0 && c->speaks == LEAT_SPEAKS_H2) {
        c->dial_at = leat_clock_mono() + BACKOFF_MIN; /* the others will do meanwhile */
        return;
    }
    fail_waiting(c, ready > 0 && n > 1 ? 1 : n, why);
}

/* --- exchanges */

size_t leat_client_room(size_t npieces)
{
    LEAT_CHECK(npieces < (SIZE_MAX - sizeof(struct leat_client_call)) / sizeof(struct leat_bytes));
    return sizeof(struct leat_client_call) + (npieces + 1) * sizeof(struct leat_bytes);
}

static struct leat_client_call *call_new(struct leat_client *c, struct leat_exchange *x)
{
    struct leat_client_call *call = x->room;
    size_t n = x->npieces + 1;

    if (call == NULL)
        call = leat_try(leat_client_room(x->npieces));
    if (call == NULL)
        return NULL;
    memset(call, 0, sizeof *call);
    call->x = x;
    call->client = c;
    leat_list_init(&call->link);
    leat_list_init(&call->deadline);
    leat_list_init(&call->flushed.link);
    leat_incoming_init(&call->in, c->peer, c->grpc, c->max_answer, c->keep);
    call->npieces = n;
    call->pieces[0] = leat_bytes(NULL, 0);
    for (size_t i = 0; i < x->npieces; i++) {
        call->pieces[i + 1] = x->pieces[i];
        call->body_len += x->pieces[i].len;
    }
    return call;
}

static int prefix(struct leat_client_call *call)
{
    const char *encoding = call->x->content_encoding;

    if (call->body_len > CONTENT_LENGTH_MAX)
        return leat_incoming_fail(&call->in, LEAT_NET_FAILED,
                                  "the request is larger than a gRPC message can be");
    leat_grpc_prefix_write(call->prefix, encoding != NULL && *encoding != '\0',
                           (uint32_t)call->body_len);
    call->pieces[0] = leat_bytes(call->prefix, sizeof call->prefix);
    return 0;
}

void leat_client_send(struct leat_client *c, struct leat_exchange *x)
{
    struct leat_client_call *call = c->ending ? NULL : call_new(c, x);

    x->call = call;
    if (call == NULL) {
        leat_list_append(&c->refused, &x->link);
        leat_client_pump_soon(c);
        return;
    }
    if (c->grpc && prefix(call) != 0) {
        leat_client_call_over(call);
        return;
    }
    leat_list_append(&c->waiting, &call->link);
    if (x->timeout > 0)
        leat_client_call_until(call, leat_clock_mono() + x->timeout);
    leat_client_pump(c);
}

void leat_client_cancel(struct leat_client *c, struct leat_exchange *x)
{
    struct leat_client_call *call = x->call;

    if (call == NULL)
        return; /* about to be told that it was refused */
    LEAT_CHECK(call->client == c && call->x == x);
    if (call->state == LEAT_CALL_ENDING || call->state == LEAT_CALL_OVER) {
        call->in.net = LEAT_NET_OK; /* whatever came of it, it is cancelled now */
        call->resend = false;
    }
    leat_incoming_fail(&call->in, LEAT_NET_CANCELLED, "the request was cancelled");
    if (call->state == LEAT_CALL_WAITING)
        leat_client_call_over(call);
    else if (call->state == LEAT_CALL_SENT)
        leat_client_conn_drop(call->on, call);
}

/* --- the end */

void leat_client_free(struct leat_client *c)
{
    struct leat_link *l;

    if (c == NULL)
        return;
    LEAT_CHECK(!c->ending);
    c->ending = true;
    while (!leat_list_empty(&c->conns))
        leat_client_conn_leave(LEAT_OWNER(c->conns.next, struct leat_client_conn, link));
    while ((l = c->waiting.next) != &c->waiting) {
        struct leat_client_call *call = LEAT_OWNER(l, struct leat_client_call, link);
        leat_incoming_fail(&call->in, LEAT_NET_CANCELLED, "the client was closed");
        leat_client_call_over(call);
    }
    while (tell_one(c)) {
    }
    if (c->gone != NULL)
        *c->gone = true;
    leat_client_done(c);
}
