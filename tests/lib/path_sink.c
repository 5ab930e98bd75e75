/* A destination: an OTLP server on a free port. */
#include "lib/path_sink.h"

#include <stdio.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "io/codec.h"
#include "proto/otlp_json.h"
#include "proto/otlp_reply.h"
#include "proto/otlp_view.h"

static const char *const paths[2 * LEAT_SIGNALS] = {
    "/v1/traces",
    "/v1/metrics",
    "/v1/logs",
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};

static void reply_taken(struct path_sink *s, struct leat_call *call, const struct path_answer *a)
{
    const struct leat_call_info *info = leat_call_info(call);
    enum leat_signal signal = (enum leat_signal)info->route->tag;
    struct leat_otlp_partial partial = {.rejected = a->rejected};
    struct leat_reply r = {.status = 200, .content_type = "application/x-protobuf"};
    struct leat_buf *body = leat_call_take_body(call), *json;
    struct leat_otlp_count count;
    struct leat_text text;
    struct leat_err err;

    if (body != NULL && leat_bytes_is(info->content_type, "application/json")) {
        LEAT_CHECK(leat_otlp_from_json(signal, leat_bytes(body->data, body->len), &s->budget, &json,
                                       &count, &err) == LEAT_JSON_OK);
        leat_buf_unref(body);
        body = json;
    }
    if (body != NULL)
        path_seen_request(&s->seen, signal, leat_bytes(body->data, body->len));
    leat_buf_unref(body);
    s->taken++;
    leat_text_init(&text, 4096);
    snprintf(partial.message, sizeof partial.message, "%s", a->text ? a->text : "");
    if (a->rejected != 0)
        leat_otlp_response(signal, &partial, false, &text);
    r.body = leat_text_bytes(&text);
    leat_call_reply(call, &r);
    leat_text_done(&text);
}

static void reply(struct path_sink *s, struct leat_call *call, const struct path_answer *a)
{
    bool grpc = leat_call_info(call)->grpc;
    struct leat_rpc_status st = {
        .code = a->grpc, .has_delay = a->delay_ms != 0, .delay_ms = a->delay_ms};
    struct leat_reply r = {.status = a->http,
                           .content_type = "application/x-protobuf",
                           .grpc_status = a->grpc,
                           .grpc_message = a->text};
    struct leat_text text;

    if (a->http == 0 && a->grpc == 0) {
        reply_taken(s, call, a);
        return;
    }
    leat_text_init(&text, 4096);
    snprintf(st.message, sizeof st.message, "%s", a->text ? a->text : "");
    leat_rpc_status_write(&st, false, &text);
    if (!grpc) {
        r.body = leat_text_bytes(&text);
        r.retry_after_s = (a->delay_ms + 999) / 1000;
    } else if (st.has_delay) {
        r.grpc_details = leat_text_bytes(&text);
    }
    leat_call_reply(call, &r);
    leat_text_done(&text);
}

static void take(void *self, struct leat_call *call)
{
    struct path_sink *s = self;

    s->by_signal[leat_call_info(call)->route->tag]++;
    s->requests++;
    if (s->hold) {
        LEAT_CHECK(s->nheld < 256);
        s->held[s->nheld++] = call;
        return;
    }
    reply(s, call, s->requests <= s->fail_first ? &s->first : &s->answer);
}

void path_sink_open(struct path_sink *s, struct leat_loop *loop)
{
    struct leat_server_env env = {.loop = loop, .budget = &s->budget, .who = s->name};
    struct leat_err err;

    *s = (struct path_sink){.loop = loop};
    snprintf(s->name, sizeof s->name, "sink %p", (void *)s); /* no other shares its port */
    path_seen_init(&s->seen);
    leat_budget_init(&s->budget, 1 << 28);
    s->codecs = leat_codecs_new();
    env.codecs = s->codecs;
    s->conf = (struct leat_server_conf){.endpoint = "127.0.0.1:0",
                                        .transport = "tcp",
                                        .max_request_body_size = 1 << 26,
                                        .max_recv_msg_size_mib = 64,
                                        .keep_alives_enabled = true,
                                        .idle_timeout = 3600 * LEAT_SEC};
    for (unsigned i = 0; i < 2 * LEAT_SIGNALS; i++)
        s->routes[i] = (struct leat_route){.path = paths[i],
                                           .method = "POST",
                                           .grpc = i >= LEAT_SIGNALS,
                                           .wants_body = true,
                                           .max_body = 1 << 26,
                                           .tag = i % LEAT_SIGNALS};
    s->service = (struct leat_service){
        .self = s, .routes = s->routes, .nroutes = 2 * LEAT_SIGNALS, .call_size = 8, .take = take};
    s->server = leat_server_new(&s->conf, &s->service, &env, &err);
    if (s->server == NULL)
        fprintf(stderr, "%s\n", err.text);
    LEAT_CHECK(s->server != NULL);
}

uint16_t path_sink_port(const struct path_sink *s)
{
    return leat_server_port(s->server);
}

void path_sink_release(struct path_sink *s)
{
    uint32_t n = s->nheld;

    s->hold = false;
    s->nheld = 0;
    for (uint32_t i = 0; i < n; i++)
        reply(s, s->held[i], &s->answer);
}

void path_sink_close(struct path_sink *s)
{
    path_sink_release(s);
    leat_server_free(s->server);
    leat_codecs_free(s->codecs);
    path_seen_done(&s->seen);
}
