/* A whole program of one worker inside a test. */
#include "lib/path_program.h"

#include <string.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/meter.h"
#include "base/share.h"
#include "base/text.h"
#include "flow/ledger.h"

#define PATIENCE (30 * LEAT_SEC)

void path_wait(struct leat_loop *loop, int64_t *begin, const char *what)
{
    int64_t now = leat_clock_mono();

    if (*begin == 0)
        *begin = now;
    if (now - *begin > PATIENCE)
        fprintf(stderr, "waited in vain for: %s\n", what);
    LEAT_CHECK(now - *begin <= PATIENCE);
    leat_loop_turn(loop);
    usleep(50);
}

void path_quiet(void)
{
    static const char *const nowhere[] = {"/dev/null"};
    struct leat_log_conf conf = {.level = LEAT_LOG_ERROR, .paths = nowhere, .npaths = 1};

    LEAT_CHECK(leat_log_setup(&conf, NULL) == 0);
}

struct leat_plan *path_plan(const char *yaml)
{
    struct leat_diags *diags = leat_diags_new();
    char *source = leat_format("yaml:%s", yaml);
    const char *sources[] = {source};
    struct leat_plan *plan = leat_plan_load(sources, 1, NULL, 0, diags);

    if (plan == NULL)
        leat_diags_print(diags, stderr, 0);
    LEAT_CHECK(plan != NULL);
    leat_diags_free(diags);
    leat_free(source);
    return plan;
}

int path_program_try(struct path_program *p, struct leat_loop *loop, const char *yaml,
                     struct leat_err *err)
{
    struct leat_graph_env env;

    memset(p, 0, sizeof *p);
    p->loop = loop;
    p->plan = path_plan(yaml);
    p->mailbox = leat_mailbox_new(loop, err);
    leat_budget_init(&p->budget, 1 << 28);
    leat_budget_share_out(&p->budget);
    leat_budget_init(&p->scratch, 1 << 28);
    leat_budget_draw(&p->scratch, &p->budget);
    p->codecs = leat_codecs_new();
    p->meter = leat_meter_new();
    env = (struct leat_graph_env){.plan = p->plan,
                                  .loop = loop,
                                  .mailbox = p->mailbox,
                                  .budget = &p->budget,
                                  .scratch = &p->scratch,
                                  .codecs = p->codecs,
                                  .meter = p->meter,
                                  .workers = 1,
                                  .first_mailbox = p->mailbox};
    p->graph = leat_graph_new(&env);
    return leat_graph_open(p->graph, err) < 0 ? -1 : leat_graph_open_receivers(p->graph, err);
}

void path_program_open(struct path_program *p, struct leat_loop *loop, const char *yaml)
{
    struct leat_err err = {""};

    if (path_program_try(p, loop, yaml, &err) == 0)
        return;
    fprintf(stderr, "%s\n", err.text);
    LEAT_CHECK(!"opening the graph");
}

uint16_t path_program_port(const struct path_program *p, const char *id, enum leat_otlp_transport t)
{
    const struct leat_otlp_receiver *r = leat_graph_find(p->graph, LEAT_RECEIVER, id);

    LEAT_CHECK(r != NULL && r->servers[t] != NULL);
    return leat_server_port(r->servers[t]);
}

static void told_drained(void *arg)
{
    struct path_program *p = arg;

    p->drained++;
}

void path_program_drain(struct path_program *p)
{
    leat_graph_drain(p->graph, told_drained, p);
    PATH_UNTIL(p->loop, p->drained);
}

static void check_books(void *arg, size_t nth, const char *id, const struct leat_ledger *l)
{
    (void)arg;
    (void)nth;
    for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
        if (l->held[s] == NULL)
            continue;
        if (leat_ledger_gap(l, (enum leat_signal)s) != 0 || leat_gauge_get(l->held[s]) != 0 ||
            leat_gauge_get(l->held_bytes[s]) != 0) {
            fprintf(stderr, "the books of %s: gap %lld, held %lld, %lld bytes\n", id,
                    (long long)leat_ledger_gap(l, (enum leat_signal)s),
                    (long long)leat_gauge_get(l->held[s]),
                    (long long)leat_gauge_get(l->held_bytes[s]));
            LEAT_CHECK(!"the books balance");
        }
    }
}

void path_program_close(struct path_program *p)
{
    if (!p->closed)
        leat_graph_close(p->graph);
    leat_graph_ledgers(p->graph, check_books, NULL);
    leat_graph_free(p->graph);
    leat_mailbox_free(p->mailbox);
    for (int i = 0; i < 10; i++) /* what is still closing gives its buffers back */
        leat_loop_turn(p->loop);
    LEAT_CHECK(leat_budget_used(&p->budget) == 0);
    LEAT_CHECK(leat_budget_used(&p->scratch) == 0);
    LEAT_CHECK(leat_shares_held(p->budget.shares) == 0);
    leat_budget_done(&p->budget);
    leat_codecs_free(p->codecs);
    leat_meter_free(p->meter);
    leat_plan_free(p->plan);
}

struct sum {
    const char *name;
    double value;
};

static void add(void *arg, const struct leat_metric *id, double value)
{
    struct sum *s = arg;

    if (strcmp(id->name, s->name) == 0)
        s->value += value;
}

double path_program_metric(const struct path_program *p, const char *name)
{
    struct leat_meter *meters[] = {p->meter};
    struct sum s = {name, 0};

    leat_meter_visit(meters, 1, add, &s);
    return s.value;
}

/* --- clients */

void path_client_open(struct path_client *c, struct leat_loop *loop, bool grpc, uint16_t port)
{
    struct leat_client_env env = {.loop = loop, .who = "test", .grpc = grpc, .max_answer = 65536};
    struct leat_err err = {""};

    *c = (struct path_client){.grpc = grpc};
    snprintf(c->url, sizeof c->url, "%s127.0.0.1:%u", grpc ? "" : "http://", port);
    c->conf.endpoint = c->url;
    c->conf.tls.insecure = true;
    c->conf.max_idle_conns = 100;
    c->conf.idle_conn_timeout = 90 * LEAT_SEC;
    c->client = leat_client_new(&c->conf, NULL, &env, &err);
    if (c->client == NULL)
        fprintf(stderr, "%s\n", err.text);
    LEAT_CHECK(c->client != NULL);
}

void path_client_close(struct path_client *c)
{
    leat_client_free(c->client);
}

void path_client_send(struct path_client *c, struct client_sent *s, enum leat_signal signal,
                      struct leat_bytes body)
{
    static const char *const paths[2][LEAT_SIGNALS] = {
        {"/v1/traces", "/v1/metrics", "/v1/logs"},
        {"/opentelemetry.proto.collector.trace.v1.TraceService/Export",
         "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
         "/opentelemetry.proto.collector.logs.v1.LogsService/Export"}};

    client_sent_init(s, paths[c->grpc][signal], NULL);
    s->piece = body;
    s->x.npieces = body.len != 0;
    s->x.content_type = c->grpc ? NULL : "application/x-protobuf";
    leat_client_send(c->client, &s->x);
}
