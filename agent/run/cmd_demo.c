/* leat demo: sends the telemetry of a small imaginary shop over OTLP/gRPC. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/signal.h"
#include "io/client.h"
#include "io/grpc.h"
#include "io/loop_uv.h"
#include "run/cli.h"
#include "run/demo_shop.h"

#define EVERY_NS    (400 * LEAT_MS)
#define TIMEOUT_NS  (5 * LEAT_SEC)
#define METRICS_ODD 5 /* with every so manieth checkout */
#define MAX_TEXT    ((size_t)1024 * 1024)
#define MAX_ANSWER  ((size_t)64 * 1024)
#define DEFAULT_URL "localhost:4317"

static const char *const paths[] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};

struct demo {
    struct leat_loop *loop;
    struct leat_client *client;
    struct leat_timer *timer, *end;
    struct leat_shop shop;
    uv_signal_t signals[2];
    unsigned under_way;
    uint64_t sent, failed;
    bool ending;
};

struct request {
    struct leat_exchange exchange;
    struct demo *demo;
    struct leat_text text;
    struct leat_bytes piece;
};

static void end_when_done(struct demo *d)
{
    if (d->ending && d->under_way == 0)
        leat_loop_stop(d->loop);
}

static void request_done(struct leat_exchange *x, const struct leat_answer *a)
{
    struct request *r = LEAT_OWNER(x, struct request, exchange);
    struct demo *d = r->demo;

    if (a->net == LEAT_NET_OK && a->grpc_status == LEAT_GRPC_OK) {
        d->sent++;
    } else if (d->failed++ == 0) {
        if (a->net == LEAT_NET_OK)
            fprintf(stderr, "leat demo: the answer was gRPC status %u: %.*s\n", a->grpc_status,
                    LEAT_FMT(a->grpc_message));
        else
            fprintf(stderr, "leat demo: %s; is something listening there? (leat, for example)\n",
                    a->why);
    }
    leat_text_done(&r->text);
    leat_free(r);
    d->under_way--;
    end_when_done(d);
}

static void send_text(struct demo *d, enum leat_signal signal, struct leat_text *text)
{
    struct request *r = leat_new(sizeof *r);

    r->demo = d;
    r->text = *text;
    r->piece = leat_text_bytes(&r->text);
    r->exchange = (struct leat_exchange){.path = paths[signal],
                                         .pieces = &r->piece,
                                         .npieces = 1,
                                         .timeout = TIMEOUT_NS,
                                         .done = request_done};
    d->under_way++;
    leat_client_send(d->client, &r->exchange);
}

static void one_customer(void *arg)
{
    struct demo *d = arg;
    struct leat_text traces, logs, metrics;

    leat_text_init(&traces, MAX_TEXT);
    leat_text_init(&logs, MAX_TEXT);
    leat_shop_checkout(&d->shop, &traces, &logs);
    send_text(d, LEAT_TRACES, &traces);
    send_text(d, LEAT_LOGS, &logs);
    if (d->shop.orders % METRICS_ODD != 1)
        return;
    leat_text_init(&metrics, MAX_TEXT);
    leat_shop_count(&d->shop, &metrics);
    send_text(d, LEAT_METRICS, &metrics);
}

static void end(void *arg)
{
    struct demo *d = arg;

    d->ending = true;
    leat_timer_stop(d->timer);
    end_when_done(d);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    end(handle->data);
}

static void ignore_close(uv_handle_t *h)
{
    (void)h;
}

static int demo_run(struct demo *d, const struct leat_cli *cli, struct leat_err *err)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    struct leat_client_conf conf = {.endpoint = cli->endpoint ? cli->endpoint : DEFAULT_URL,
                                    .tls = {.insecure = true},
                                    .balancer_name = "round_robin"};
    struct leat_client_env env = {
        .loop = d->loop, .who = "demo", .grpc = true, .max_answer = MAX_ANSWER};

    d->client = leat_client_new(&conf, NULL, &env, err);
    if (d->client == NULL)
        return -1;
    d->timer = leat_timer_new(d->loop, one_customer, d);
    d->end = leat_timer_new(d->loop, end, d);
    leat_timer_start(d->timer, 0, EVERY_NS);
    if (cli->seconds > 0)
        leat_timer_start(d->end, (int64_t)(cli->seconds * LEAT_SEC), 0);
    for (int i = 0; i < 2; i++) {
        uv_signal_init(leat_loop_uv(d->loop), &d->signals[i]);
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], on_signal, numbers[i]);
    }
    leat_loop_run(d->loop);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&d->signals[i], ignore_close);
    leat_timer_free(d->timer);
    leat_timer_free(d->end);
    leat_client_free(d->client);
    return 0;
}

int leat_cmd_demo(const struct leat_cli *cli)
{
    struct demo d = {0};
    struct leat_err err = {{0}};
    int result = -1;

    signal(SIGPIPE, SIG_IGN);
    leat_shop_open(&d.shop);
    d.loop = leat_loop_new(&err);
    if (d.loop != NULL) {
        result = demo_run(&d, cli, &err);
        leat_loop_free(d.loop);
    }
    if (result < 0) {
        fprintf(stderr, "leat demo: %s\n", err.text);
        return LEAT_EXIT_FAILED;
    }
    fprintf(stderr, "leat demo: %llu requests sent, %llu failed\n", (unsigned long long)d.sent,
            (unsigned long long)d.failed);
    return d.sent > 0 ? LEAT_EXIT_OK : LEAT_EXIT_FAILED;
}
