/* What flow tests stand on. */
#include "lib/flow_rig.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/meter.h"
#include "base/share.h"
#include "flow/ledger.h"
#include "flow/sender.h"
#include "lib/path_records.h"

#define PATIENCE (10 * LEAT_SEC)

static struct leat_budget everything = {.limit = SIZE_MAX};

/* --- callers */

static void caller_done(struct leat_ack *ack)
{
    struct rig_caller *c = LEAT_OWNER(ack, struct rig_caller, ack);

    c->told++;
    c->status = ack->worst;
    snprintf(c->why, sizeof c->why, "%s", ack->worst.why ? ack->worst.why : "");
    c->status.why = c->why;
}

void rig_caller_init(struct rig_caller *c)
{
    *c = (struct rig_caller){0};
    leat_ack_init(&c->ack, caller_done);
}

struct leat_batch *rig_logs(const char *name, uint32_t items, struct rig_caller *c)
{
    return rig_logs_of(LEAT_CLIENT_NONE, name, items, c);
}

struct leat_batch *rig_logs_of(uint64_t client, const char *name, uint32_t items,
                               struct rig_caller *c)
{
    struct leat_text text;
    struct leat_buf *buf;
    struct leat_batch *b;

    leat_text_init(&text, 1 << 24);
    path_request(LEAT_LOGS, name, items, &text);
    if (client != LEAT_CLIENT_NONE && everything.shares == NULL)
        leat_budget_share_out(&everything);
    buf = leat_buf_new(leat_budget_of(&everything, client, NULL), text.len);
    memcpy(buf->data, text.data, text.len);
    buf->len = text.len;
    leat_text_done(&text);
    b = leat_batch_new(LEAT_LOGS, buf, leat_bytes(buf->data, buf->len), items, c ? &c->ack : NULL);
    LEAT_CHECK(b != NULL);
    return b;
}

/* --- sinks */

typedef void (*body_visit)(void *arg, struct leat_bytes body);

static void each_body(const struct leat_batch *b, body_visit visit, void *arg)
{
    for (uint32_t i = 0; i < b->nparts; i++)
        path_names(LEAT_LOGS, leat_bytes(b->parts[i].data, b->parts[i].len), visit, arg);
}

static void add_body(void *arg, struct leat_bytes body)
{
    struct rig_sink *s = arg;
    size_t len = strlen(s->bodies);

    snprintf(s->bodies + len, sizeof s->bodies - len, "%.*s ", LEAT_FMT(body));
}

static void end(struct rig_sink *s, struct leat_batch *b, struct leat_status st)
{
    if (st.outcome == LEAT_DELIVERED)
        each_body(b, add_body, s);
    leat_batch_done(b, st);
}

static void sink_take(void *self, struct leat_batch *b)
{
    struct rig_sink *s = self;
    struct leat_status st = s->batches < s->fail_first ? s->first_answer : s->answer;

    if (s->batches < 64)
        s->sizes[s->batches] = b->items;
    s->batches++;
    s->items += b->items;
    if (s->hold) {
        leat_list_append(&s->held, &b->link);
        return;
    }
    if (s->judge != NULL)
        st = s->judge(s, b);
    end(s, b, st);
}

void rig_sink_init(struct rig_sink *s)
{
    memset(s, 0, sizeof *s);
    leat_list_init(&s->held);
    s->outlet = (struct leat_outlet){sink_take, s};
    s->answer = leat_delivered();
}

void rig_sink_end(struct rig_sink *s, struct leat_status st)
{
    struct leat_link *l = leat_list_pop(&s->held);

    LEAT_CHECK(l != NULL);
    end(s, LEAT_OWNER(l, struct leat_batch, link), st);
}

struct search {
    const char *body;
    bool found;
};

static void compare(void *arg, struct leat_bytes body)
{
    struct search *s = arg;

    s->found = s->found || leat_bytes_is(body, s->body);
}

bool rig_has(const struct leat_batch *b, const char *body)
{
    struct search s = {body, false};

    each_body(b, compare, &s);
    return s.found;
}

/* --- surroundings */

void rig_open(struct rig *r)
{
    struct leat_err err;

    memset(r, 0, sizeof *r);
    r->loop = leat_loop_new(&err);
    LEAT_CHECK(r->loop != NULL);
    leat_budget_init(&r->budget, 1 << 24);
    r->meter = leat_meter_new();
    leat_ledger_open(&r->ledger, r->meter, "exporter", "test/1", "", LEAT_ALL_SIGNALS);
    r->env = (struct leat_env){.id = "test/1",
                               .pipeline = "",
                               .loop = r->loop,
                               .budget = &r->budget,
                               .scratch = &r->budget,
                               .meter = r->meter,
                               .ledger = &r->ledger,
                               .workers = 1};
}

struct leat_sender *rig_sender(struct rig *r, const struct rig_sink *s,
                               const struct leat_sender_conf *conf)
{
    struct leat_sender_env env = {
        .id = "test/1",
        .signal = LEAT_LOGS,
        .exporter = s->outlet,
        .loop = r->loop,
        .budget = &r->budget,
        .meter = r->meter,
        .ledger = &r->ledger,
        .workers = 1,
    };

    return leat_sender_new(conf, &env);
}

void rig_close(struct rig *r)
{
    LEAT_CHECK(leat_budget_used(&everything) == 0);
    LEAT_CHECK(everything.shares == NULL || leat_shares_held(everything.shares) == 0);
    leat_budget_done(&everything);
    LEAT_CHECK(leat_budget_used(&r->budget) == 0);
    for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
        LEAT_CHECK(leat_ledger_gap(&r->ledger, (enum leat_signal)s) == 0);
        LEAT_CHECK((leat_gauge_get(r->ledger.held[s]) == 0) ==
                   (leat_gauge_get(r->ledger.held_bytes[s]) == 0));
        LEAT_CHECK(leat_gauge_get(r->ledger.held_bytes[s]) >= 0);
    }
    leat_loop_free(r->loop);
    leat_meter_free(r->meter);
}

void rig_until(struct rig *r, const volatile uint32_t *flag, uint32_t value)
{
    int64_t begin = leat_clock_mono();

    while (*flag < value) {
        leat_loop_turn(r->loop);
        usleep(200);
        LEAT_CHECK(leat_clock_mono() - begin < PATIENCE);
    }
}

void rig_until_told(struct rig *r, const struct rig_caller *c)
{
    rig_until(r, (const volatile uint32_t *)(const volatile void *)&c->told, 1);
}
