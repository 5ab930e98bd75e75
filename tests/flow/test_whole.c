/* A complete program on one loop with real sockets: OTLP in over both protocols, batched, out over
 * both protocols; and the answers its callers get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/meter.h"
#include "base/text.h"
#include "flow/ledger.h"
#include "io/codec.h"
#include "io/grpc.h"
#include "lib/path_program.h"
#include "lib/path_sink.h"
#include "proto/otlp_json.h"
#include "proto/otlp_reply.h"

#define SINKS 2

/* Sinks, then a program whose YAML names their ports, then a client of each protocol. */
struct world {
    struct leat_loop *loop;
    struct path_sink sinks[SINKS];
    struct path_program program;
    struct path_client grpc, http;
    struct leat_text body;
    bool drained;
};

#define RECEIVER                                                                                   \
    "receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: "            \
    "'127.0.0.1:0'}}}}\n"
#define ALL_TO(processors, exporters)                                                              \
    "service:\n  telemetry: {metrics: {level: none}}\n  pipelines:\n"                              \
    "    traces: {receivers: [otlp], processors: [" processors "], exporters: [" exporters "]}\n"  \
    "    metrics: {receivers: [otlp], processors: [" processors "], exporters: [" exporters "]}\n" \
    "    logs: {receivers: [otlp], processors: [" processors "], exporters: [" exporters "]}\n"

/* `$H` and `$G` in the YAML become the first sink's address for HTTP and gRPC, `$I` the second's
 * for HTTP. */
static char *with_ports(struct world *w, const char *yaml)
{
    struct leat_text t;

    leat_text_init(&t, 65536);
    for (; *yaml != '\0'; yaml++) {
        if (yaml[0] == '$' && yaml[1] == 'H')
            leat_text_printf(&t, "http://127.0.0.1:%u", path_sink_port(&w->sinks[0]));
        else if (yaml[0] == '$' && yaml[1] == 'G')
            leat_text_printf(&t, "127.0.0.1:%u", path_sink_port(&w->sinks[0]));
        else if (yaml[0] == '$' && yaml[1] == 'I')
            leat_text_printf(&t, "http://127.0.0.1:%u", path_sink_port(&w->sinks[1]));
        else
            leat_text_char(&t, *yaml);
        yaml += yaml[0] == '$';
    }
    return leat_text_take(&t);
}

static void open_world(struct world *w, const char *yaml)
{
    char *filled;

    memset(w, 0, sizeof *w);
    w->loop = leat_loop_new(NULL);
    for (int i = 0; i < SINKS; i++)
        path_sink_open(&w->sinks[i], w->loop);
    filled = with_ports(w, yaml);
    path_program_open(&w->program, w->loop, filled);
    leat_free(filled);
    path_client_open(&w->grpc, w->loop, true,
                     path_program_port(&w->program, "otlp", LEAT_OTLP_GRPC));
    path_client_open(&w->http, w->loop, false,
                     path_program_port(&w->program, "otlp", LEAT_OTLP_HTTP));
    leat_text_init(&w->body, 1 << 24);
}

static void drain(struct world *w)
{
    w->drained = true;
    path_program_drain(&w->program);
}

static void close_world(struct world *w)
{
    path_client_close(&w->grpc);
    path_client_close(&w->http);
    if (!w->drained)
        drain(w);
    path_program_close(&w->program);
    for (int i = 0; i < SINKS; i++)
        path_sink_close(&w->sinks[i]);
    leat_text_done(&w->body);
    leat_loop_free(w->loop);
}

static struct leat_bytes request(struct world *w, enum leat_signal signal, const char *name,
                                 uint32_t items)
{
    leat_text_clear(&w->body);
    path_request(signal, name, items, &w->body);
    return leat_text_bytes(&w->body);
}

/* Sends one and waits for its answer. */
static void ask(struct world *w, struct path_client *c, struct client_sent *s,
                enum leat_signal signal, struct leat_bytes body)
{
    path_client_send(c, s, signal, body);
    PATH_UNTIL(w->loop, s->done);
    assert_int_equal(s->done, 1);
    assert_int_equal(s->a.net, LEAT_NET_OK);
}

/* The same with an exchange that was changed by hand. */
static void ask_by_hand(struct world *w, struct path_client *c, struct client_sent *s)
{
    leat_client_send(c->client, &s->x);
    PATH_UNTIL(w->loop, s->done);
    assert_int_equal(s->a.net, LEAT_NET_OK);
}

static void read_status(const struct client_sent *s, bool grpc, bool json,
                        struct leat_rpc_status *ret)
{
    struct leat_bytes bytes = leat_text_bytes(grpc ? &s->details : &s->body);

    memset(ret, 0, sizeof *ret);
    assert_int_equal(leat_rpc_status_read(bytes, json, ret), 0);
}

/* --- everything in, everything out */

static void pass_many(const char *yaml)
{
    enum { EACH = 40 };
    static struct client_sent sent[2 * LEAT_SIGNALS * EACH];
    static struct leat_text bodies[2 * LEAT_SIGNALS * EACH];
    struct world w;
    char name[32];
    int n = 0;

    open_world(&w, yaml);
    for (int i = 0; i < EACH; i++) {
        for (int k = 0; k < 2 * LEAT_SIGNALS; k++, n++) {
            enum leat_signal signal = (enum leat_signal)(k / 2);
            struct path_client *c = k % 2 ? &w.grpc : &w.http;
            snprintf(name, sizeof name, "r%d", n);
            leat_text_init(&bodies[n], 1 << 20);
            path_request(signal, name, 7, &bodies[n]);
            path_client_send(c, &sent[n], signal, leat_text_bytes(&bodies[n]));
        }
    }
    for (int i = 0; i < n; i++) {
        PATH_UNTIL(w.loop, sent[i].done);
        assert_int_equal(sent[i].a.net, LEAT_NET_OK);
        if (sent[i].a.status != 200)
            print_error("%u: %s\n", sent[i].a.status, sent[i].body.data);
        assert_int_equal(sent[i].a.status, 200);
        assert_int_equal(sent[i].a.grpc_status, 0);
        assert_int_equal(sent[i].a.body.len, 0);
    }
    drain(&w);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "r%d", i);
        assert_true(path_seen_once(&w.sinks[0].seen, name, 7));
        client_sent_done(&sent[i]);
        leat_text_done(&bodies[i]);
    }
    assert_int_equal(w.sinks[0].seen.total, (uint64_t)n * 7);
    assert_int_equal(path_program_metric(&w.program, "otelcol_receiver_accepted_spans"),
                     2 * EACH * 7);
    assert_int_equal(path_program_metric(&w.program, "otelcol_exporter_sent_log_records"),
                     2 * EACH * 7);
    close_world(&w);
}

static void test_batched_out_over_http(void **state)
{
    (void)state;
    pass_many(RECEIVER "processors: {batch: {timeout: 5ms, send_batch_size: 50}}\n"
                       "exporters: {otlp_http: {endpoint: $H}}\n" ALL_TO("batch", "otlp_http"));
}

static void test_batched_out_over_grpc(void **state)
{
    (void)state;
    pass_many(RECEIVER
              "processors: {batch: {timeout: 5ms, send_batch_size: 50, send_batch_max_size: 60}}\n"
              "exporters: {otlp_grpc: {endpoint: $G, tls: {insecure: true}}}\n" ALL_TO(
                  "batch", "otlp_grpc"));
}

static void test_confirmed_out_over_grpc_uncompressed(void **state)
{
    (void)state;
    pass_many(RECEIVER "exporters: {otlp_grpc: {endpoint: $G, tls: {insecure: true}, compression: "
                       "none, sending_queue: {wait_for_result: true}}}\n" ALL_TO("", "otlp_grpc"));
}

static void test_confirmed_out_as_json(void **state)
{
    (void)state;
    pass_many(RECEIVER "exporters: {otlp_http: {endpoint: $H, encoding: json, sending_queue: "
                       "{enabled: false}}}\n" ALL_TO("", "otlp_http"));
}

static void test_joined_in_the_queue(void **state)
{
    (void)state;
    pass_many(RECEIVER
              "exporters: {otlp_http: {endpoint: $H, sending_queue: {sizer: items, queue_size: "
              "100000, batch: {min_size: 100, max_size: 100, flush_timeout: 5ms}}}}\n" ALL_TO(
                  "", "otlp_http"));
}

static void test_fan_out_reaches_both(void **state)
{
    struct world w;
    struct client_sent s;

    (void)state;
    open_world(&w, RECEIVER "processors: {batch: {timeout: 1ms}}\n"
                            "exporters: {otlp_http/a: {endpoint: $H}, otlp_http/b: {endpoint: $I, "
                            "sending_queue: {wait_for_result: true}}}\n" ALL_TO(
                                "batch", "otlp_http/a, otlp_http/b"));
    ask(&w, &w.grpc, &s, LEAT_METRICS, request(&w, LEAT_METRICS, "m", 5));
    assert_int_equal(s.a.grpc_status, 0);
    client_sent_done(&s);
    drain(&w);
    assert_true(path_seen_once(&w.sinks[0].seen, "m", 5));
    assert_true(path_seen_once(&w.sinks[1].seen, "m", 5));
    close_world(&w);
}

static void test_through_a_forward_connector(void **state)
{
    struct world w;
    struct client_sent s;

    (void)state;
    open_world(&w, RECEIVER
               "processors: {batch: {timeout: 1ms}}\nconnectors: {forward: }\n"
               "exporters: {otlp_http: {endpoint: $H, sending_queue: {wait_for_result: true}}}\n"
               "service:\n  telemetry: {metrics: {level: none}}\n  pipelines:\n"
               "    traces/in: {receivers: [otlp], processors: [batch], exporters: [forward]}\n"
               "    traces/out: {receivers: [forward], processors: [batch], exporters: "
               "[otlp_http]}\n");
    w.sinks[0].answer = (struct path_answer){.http = 400, .grpc = 3, .text = "no"};
    ask(&w, &w.http, &s, LEAT_TRACES, request(&w, LEAT_TRACES, "t", 5));
    assert_int_equal(s.a.status, 400); /* the promise is the one of what is behind it */
    client_sent_done(&s);
    w.sinks[0].answer = (struct path_answer){0};
    ask(&w, &w.http, &s, LEAT_TRACES, request(&w, LEAT_TRACES, "t", 5));
    assert_int_equal(s.a.status, 200);
    client_sent_done(&s);
    assert_true(path_seen_once(&w.sinks[0].seen, "t", 5));
    close_world(&w);
}

/* --- encodings of what comes in */

#define CONFIRMED                                                                                  \
    RECEIVER "exporters: {otlp_http: {endpoint: $H, retry_on_failure: {enabled: false}, "          \
             "sending_queue: {wait_for_result: true}}}\n" ALL_TO("", "otlp_http")

static void test_compressed_requests(void **state)
{
    static const enum leat_codec codecs[] = {LEAT_CODEC_GZIP, LEAT_CODEC_ZSTD, LEAT_CODEC_SNAPPY};
    struct leat_budget budget;
    struct world w;

    (void)state;
    open_world(&w, CONFIRMED);
    leat_budget_init(&budget, 1 << 24);
    for (int i = 0; i < 6; i++) {
        struct path_client *c = i % 2 ? &w.grpc : &w.http;
        struct leat_codecs *own = leat_codecs_new();
        struct client_sent s, probe;
        struct leat_bytes plain;
        struct leat_buf *packed;
        struct leat_err err;
        char name[16];

        snprintf(name, sizeof name, "c%d", i);
        plain = request(&w, LEAT_LOGS, name, 50);
        assert_int_equal(
            leat_deflate(own, codecs[i / 2], LEAT_LEVEL_DEFAULT, &plain, 1, &budget, &packed, &err),
            LEAT_CODEC_OK);
        path_client_send(c, &probe, LEAT_LOGS, leat_bytes(NULL, 0)); /* for its path */
        client_sent_init(&s, probe.x.path, NULL);
        s.piece = leat_bytes(packed->data, packed->len);
        s.x.npieces = 1;
        s.x.content_type = probe.x.content_type;
        s.x.content_encoding = leat_codec_name(codecs[i / 2]);
        ask_by_hand(&w, c, &s);
        assert_int_equal(s.a.status, 200);
        assert_int_equal(s.a.grpc_status, 0);
        PATH_UNTIL(w.loop, probe.done);
        assert_true(path_seen_once(&w.sinks[0].seen, name, 50));
        client_sent_done(&s);
        client_sent_done(&probe);
        leat_buf_unref(packed);
        leat_codecs_free(own);
    }
    assert_int_equal(leat_budget_used(&budget), 0);
    close_world(&w);
}

static void test_json_is_answered_in_json(void **state)
{
    struct world w;
    struct client_sent s;
    struct leat_text json;
    struct leat_bytes plain;
    struct leat_rpc_status st;

    (void)state;
    open_world(&w, CONFIRMED);
    leat_text_init(&json, 1 << 20);
    plain = request(&w, LEAT_TRACES, "j", 9);
    leat_otlp_to_json(LEAT_TRACES, &plain, 1, &json);
    client_sent_init(&s, "/v1/traces", NULL);
    s.piece = leat_text_bytes(&json);
    s.x.npieces = 1;
    s.x.content_type = "application/json; charset=utf-8";
    ask_by_hand(&w, &w.http, &s);
    assert_int_equal(s.a.status, 200);
    assert_string_equal(s.type, "application/json");
    assert_string_equal(s.body.data, "{}");
    assert_true(path_seen_once(&w.sinks[0].seen, "j", 9));
    client_sent_done(&s);
    leat_text_done(&json);

    client_sent_init(&s, "/v1/traces", "{\"resourceSpans\": [");
    s.x.content_type = "application/json";
    ask_by_hand(&w, &w.http, &s);
    assert_int_equal(s.a.status, 400);
    assert_string_equal(s.type, "application/json");
    read_status(&s, false, true, &st);
    assert_int_equal(st.code, LEAT_GRPC_INVALID_ARGUMENT);
    assert_true(st.message[0] != '\0');
    client_sent_done(&s);
    close_world(&w);
}

/* --- ports */

/* One port for both protocols would give each connection to either of two servers. */
static void test_one_port_is_not_given_twice(void **state)
{
    struct path_program p;
    struct leat_loop *loop = leat_loop_new(NULL);
    struct leat_err err = {""};
    uint16_t port;
    char *yaml;

    (void)state;
    path_program_open(&p, loop,
                      RECEIVER "exporters: {nop: }\n" ALL_TO("", "nop")); /* for a free port */
    port = path_program_port(&p, "otlp", LEAT_OTLP_GRPC);
    assert_int_not_equal(port, path_program_port(&p, "otlp", LEAT_OTLP_HTTP));
    path_program_drain(&p);
    path_program_close(&p);
    yaml = leat_format("receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:%u'}, http: "
                       "{endpoint: '127.0.0.1:%u'}}}}\nexporters: {nop: }\n" ALL_TO("", "nop"),
                       port, port);
    assert_int_equal(path_program_try(&p, loop, yaml, &err), -1);
    assert_non_null(strstr(err.text, "in use"));
    leat_free(yaml);
    path_program_close(&p);
    leat_loop_free(loop);
}

/* --- what is refused */

static void test_malformed_is_400(void **state)
{
    struct leat_bytes bad = leat_bytes_str("\x0a\x7f not that long");
    struct leat_rpc_status st;
    struct client_sent s;
    struct world w;

    (void)state;
    open_world(&w, CONFIRMED);
    ask(&w, &w.http, &s, LEAT_LOGS, bad);
    assert_int_equal(s.a.status, 400);
    assert_false(s.a.has_retry_after);
    assert_string_equal(s.type, "application/x-protobuf");
    read_status(&s, false, false, &st);
    assert_int_equal(st.code, LEAT_GRPC_INVALID_ARGUMENT);
    assert_true(strlen(st.message) > 10);
    client_sent_done(&s);
    ask(&w, &w.grpc, &s, LEAT_LOGS, bad);
    assert_int_equal(s.a.grpc_status, LEAT_GRPC_INVALID_ARGUMENT);
    assert_int_equal(s.details.len, 0);
    assert_true(s.message.len > 10);
    client_sent_done(&s);
    assert_int_equal(w.sinks[0].requests, 0);
    close_world(&w);
}

static void test_empty_requests_are_fine(void **state)
{
    struct client_sent s;
    struct world w;

    (void)state;
    open_world(&w, CONFIRMED);
    ask(&w, &w.http, &s, LEAT_LOGS, leat_bytes(NULL, 0));
    assert_int_equal(s.a.status, 200);
    assert_int_equal(s.body.len, 0);
    client_sent_done(&s);
    ask(&w, &w.grpc, &s, LEAT_LOGS, leat_bytes(NULL, 0));
    assert_int_equal(s.a.grpc_status, 0);
    assert_int_equal(s.body.len, 0);
    client_sent_done(&s);
    ask(&w, &w.http, &s, LEAT_LOGS, request(&w, LEAT_LOGS, "none", 0)); /* a resource, no records */
    assert_int_equal(s.a.status, 200);
    client_sent_done(&s);
    assert_int_equal(w.sinks[0].requests, 0);
    assert_int_equal(path_program_metric(&w.program, "otelcol_receiver_accepted_log_records"), 0);
    close_world(&w);
}

static void by_hand(struct world *w, const char *method, const char *path, const char *type,
                    const char *encoding, uint32_t want)
{
    struct leat_rpc_status st;
    struct client_sent s;

    client_sent_init(&s, path, strcmp(method, "GET") ? "abc" : NULL);
    s.x.method = method;
    s.x.content_type = type;
    s.x.content_encoding = encoding;
    ask_by_hand(w, &w->http, &s);
    if (s.a.status != want)
        print_error("%s %s %s %s: %u %s\n", method, path, type ? type : "-",
                    encoding ? encoding : "-", s.a.status, leat_text_get(&s.body));
    assert_int_equal(s.a.status, want);
    assert_false(s.a.has_retry_after);
    if (want == 405) { /* as the collector: in plain words */
        assert_string_equal(s.type, "text/plain");
        assert_true(s.body.len > 0);
    } else {
        read_status(&s, false, false, &st);
        assert_true(st.message[0] != '\0');
    }
    client_sent_done(&s);
}

static void test_wrong_requests_over_http(void **state)
{
    static const char *const proto = "application/x-protobuf";
    struct world w;

    (void)state;
    open_world(&w, RECEIVER
               "exporters: {otlp_http: {endpoint: $H}}\n"
               "service:\n  telemetry: {metrics: {level: none}}\n  pipelines: {logs: {receivers: "
               "[otlp], exporters: [otlp_http]}}\n");
    by_hand(&w, "POST", "/v1/elsewhere", proto, NULL, 404);
    by_hand(&w, "POST", "/v1/traces", proto, NULL, 404); /* no pipeline for it */
    by_hand(&w, "GET", "/v1/logs", NULL, NULL, 405);
    by_hand(&w, "PUT", "/v1/logs", proto, NULL, 405);
    by_hand(&w, "POST", "/v1/logs", "text/plain", NULL, 415);
    by_hand(&w, "POST", "/v1/logs", NULL, NULL, 415);
    by_hand(&w, "POST", "/v1/logs", proto, "br", 400);
    by_hand(&w, "POST", "/v1/logs", proto, "gzip", 400); /* it is not gzip */
    assert_int_equal(w.sinks[0].requests, 0);
    close_world(&w);
}

static void test_unwanted_signal_over_grpc(void **state)
{
    struct client_sent s;
    struct world w;

    (void)state;
    open_world(&w, RECEIVER
               "exporters: {otlp_http: {endpoint: $H}}\n"
               "service:\n  telemetry: {metrics: {level: none}}\n  pipelines: {logs: {receivers: "
               "[otlp], exporters: [otlp_http]}}\n");
    ask(&w, &w.grpc, &s, LEAT_TRACES, request(&w, LEAT_TRACES, "t", 1));
    assert_int_equal(s.a.grpc_status, LEAT_GRPC_UNIMPLEMENTED);
    client_sent_done(&s);
    close_world(&w);
}

static void test_too_large_is_413(void **state)
{
    struct leat_rpc_status st;
    struct client_sent s;
    struct world w;

    (void)state;
    open_world(&w, "receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0', "
                   "max_recv_msg_size_mib: 1}, http: {endpoint: '127.0.0.1:0', "
                   "max_request_body_size: 10000}}}}\n"
                   "exporters: {otlp_http: {endpoint: $H}}\n" ALL_TO("", "otlp_http"));
    ask(&w, &w.http, &s, LEAT_LOGS, request(&w, LEAT_LOGS, "big", 2000));
    assert_int_equal(s.a.status, 413);
    assert_false(s.a.has_retry_after);
    read_status(&s, false, false, &st);
    assert_int_equal(st.code, LEAT_GRPC_RESOURCE_EXHAUSTED);
    client_sent_done(&s);
    ask(&w, &w.grpc, &s, LEAT_LOGS, request(&w, LEAT_LOGS, "big", 80000));
    assert_int_equal(s.a.grpc_status, LEAT_GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(s.details.len, 0); /* no RetryInfo: not to be repeated */
    client_sent_done(&s);
    assert_int_equal(w.sinks[0].requests, 0);
    close_world(&w);
}

/* The memory for telemetry is spent: again later. */
static void test_spent_budget_is_503(void **state)
{
    struct leat_rpc_status st;
    struct client_sent s;
    struct world w;

    (void)state;
    open_world(&w, CONFIRMED);
    w.program.budget.limit = 1000;
    ask(&w, &w.http, &s, LEAT_LOGS, request(&w, LEAT_LOGS, "big", 200));
    assert_int_equal(s.a.status, 503);
    assert_true(s.a.has_retry_after);
    read_status(&s, false, false, &st);
    assert_int_equal(st.code, LEAT_GRPC_UNAVAILABLE);
    client_sent_done(&s);
    ask(&w, &w.grpc, &s, LEAT_LOGS, request(&w, LEAT_LOGS, "big", 200));
    assert_int_equal(s.a.grpc_status, LEAT_GRPC_UNAVAILABLE);
    read_status(&s, true, false, &st);
    assert_true(st.has_delay && st.delay_ms > 0);
    client_sent_done(&s);
    ask(&w, &w.http, &s, LEAT_LOGS, request(&w, LEAT_LOGS, "small", 3));
    assert_int_equal(s.a.status, 200);
    client_sent_done(&s);
    close_world(&w);
}

/* --- what the destination says comes back */

#define CONFIRMED_GRPC                                                                             \
    RECEIVER                                                                                       \
    "exporters: {otlp_grpc: {endpoint: $G, tls: {insecure: true}, retry_on_failure: "              \
    "{enabled: false}, sending_queue: {wait_for_result: true}}}\n" ALL_TO("", "otlp_grpc")

/* Both clients hear it, whichever protocol the destination speaks. */
static void expect_back(const char *yaml, struct path_answer answer, uint32_t http, uint32_t grpc,
                        uint32_t delay_ms)
{
    struct leat_rpc_status st;
    struct client_sent s;
    struct world w;

    open_world(&w, yaml);
    w.sinks[0].answer = answer;
    ask(&w, &w.http, &s, LEAT_LOGS, request(&w, LEAT_LOGS, "a", 3));
    assert_int_equal(s.a.status, http);
    assert_int_equal(s.a.has_retry_after, delay_ms != 0);
    assert_int_equal(s.a.retry_after_ms, (delay_ms + 999) / 1000 * 1000);
    read_status(&s, false, false, &st);
    assert_int_equal(st.code, grpc);
    assert_non_null(strstr(st.message, answer.text));
    client_sent_done(&s);
    ask(&w, &w.grpc, &s, LEAT_LOGS, request(&w, LEAT_LOGS, "b", 3));
    assert_int_equal(s.a.grpc_status, grpc);
    assert_non_null(strstr(s.message.data, answer.text));
    assert_int_equal(s.details.len != 0, delay_ms != 0);
    if (delay_ms != 0) {
        read_status(&s, true, false, &st);
        assert_int_equal(st.delay_ms, delay_ms);
    }
    client_sent_done(&s);
    assert_int_equal(w.sinks[0].requests, 2);
    assert_int_equal(path_program_metric(&w.program, "otelcol_receiver_refused_log_records"), 6);
    assert_int_equal(path_program_metric(&w.program, "otelcol_receiver_accepted_log_records"), 0);
    close_world(&w);
}

static void test_busy_destination_comes_back(void **state)
{
    struct path_answer busy = {.http = 503, .grpc = 14, .delay_ms = 7000, .text = "too busy"};
    struct path_answer slow = {.http = 429, .grpc = 8, .delay_ms = 2000, .text = "slow down"};

    (void)state;
    expect_back(CONFIRMED, busy, 503, LEAT_GRPC_UNAVAILABLE, 7000);
    expect_back(CONFIRMED_GRPC, busy, 503, LEAT_GRPC_UNAVAILABLE, 7000);
    expect_back(CONFIRMED, slow, 429, LEAT_GRPC_RESOURCE_EXHAUSTED, 2000);
    expect_back(CONFIRMED_GRPC, slow, 429, LEAT_GRPC_RESOURCE_EXHAUSTED, 2000);
}

static void test_rejecting_destination_comes_back(void **state)
{
    struct path_answer bad = {.http = 400, .grpc = 3, .text = "bad data"};
    struct path_answer broken = {.http = 500, .grpc = 13, .text = "broken"};

    (void)state;
    expect_back(CONFIRMED, bad, 400, LEAT_GRPC_INVALID_ARGUMENT, 0);
    expect_back(CONFIRMED_GRPC, bad, 400, LEAT_GRPC_INVALID_ARGUMENT, 0);
    expect_back(CONFIRMED_GRPC, broken, 500, LEAT_GRPC_INTERNAL, 0);
}

static void expect_partial(const char *yaml)
{
    struct leat_otlp_partial partial;
    struct client_sent s;
    struct world w;

    open_world(&w, yaml);
    w.sinks[0].answer = (struct path_answer){.rejected = 2, .text = "two are too old"};
    ask(&w, &w.http, &s, LEAT_TRACES, request(&w, LEAT_TRACES, "a", 3));
    assert_int_equal(s.a.status, 200);
    assert_int_equal(
        leat_otlp_response_read(LEAT_TRACES, leat_text_bytes(&s.body), false, &partial), 0);
    assert_int_equal(partial.rejected, 2);
    assert_string_equal(partial.message, "two are too old");
    client_sent_done(&s);
    ask(&w, &w.grpc, &s, LEAT_TRACES, request(&w, LEAT_TRACES, "b", 3));
    assert_int_equal(s.a.grpc_status, 0);
    assert_int_equal(
        leat_otlp_response_read(LEAT_TRACES, leat_text_bytes(&s.body), false, &partial), 0);
    assert_int_equal(partial.rejected, 2);
    client_sent_done(&s);
    close_world(&w);
}

static void test_partial_success_comes_back(void **state)
{
    (void)state;
    expect_partial(CONFIRMED);
    expect_partial(CONFIRMED_GRPC);
}

static void test_retried_until_taken(void **state)
{
    struct client_sent s;
    struct world w;

    (void)state;
    open_world(
        &w, RECEIVER
        "exporters: {otlp_http: {endpoint: $H, retry_on_failure: {initial_interval: 1ms, "
        "max_interval: 5ms}, sending_queue: {wait_for_result: true}}}\n" ALL_TO("", "otlp_http"));
    w.sinks[0].fail_first = 5;
    w.sinks[0].first = (struct path_answer){.http = 503, .grpc = 14, .text = "not yet"};
    ask(&w, &w.http, &s, LEAT_LOGS, request(&w, LEAT_LOGS, "a", 3));
    assert_int_equal(s.a.status, 200);
    client_sent_done(&s);
    assert_int_equal(w.sinks[0].requests, 6);
    assert_true(path_seen_once(&w.sinks[0].seen, "a", 3));
    close_world(&w);
}

static void test_dead_destination_is_503(void **state)
{
    struct leat_rpc_status st;
    struct client_sent s;
    struct world w;

    (void)state;
    open_world(&w, RECEIVER
               "exporters: {otlp_grpc: {endpoint: '127.0.0.1:1', tls: {insecure: true}, "
               "retry_on_failure: {enabled: false}, sending_queue: {enabled: false}}}\n" ALL_TO(
                   "", "otlp_grpc"));
    ask(&w, &w.grpc, &s, LEAT_LOGS, request(&w, LEAT_LOGS, "a", 3));
    assert_int_equal(s.a.grpc_status, LEAT_GRPC_UNAVAILABLE);
    read_status(&s, true, false, &st);
    assert_true(st.has_delay);
    client_sent_done(&s);
    close_world(&w);
}

/* --- the end */

/* While requests are under way: no new ones are taken, those there are get their real answer. */
static void test_drain_waits_for_what_is_under_way(void **state)
{
    struct client_sent s[2];
    struct world w;

    (void)state;
    open_world(&w, CONFIRMED);
    w.sinks[0].hold = true;
    path_client_send(&w.http, &s[0], LEAT_LOGS, request(&w, LEAT_LOGS, "a", 3));
    PATH_UNTIL(w.loop, w.sinks[0].requests == 1);
    path_client_send(&w.grpc, &s[1], LEAT_LOGS, request(&w, LEAT_LOGS, "b", 3));
    PATH_UNTIL(w.loop, w.sinks[0].requests == 2);
    leat_graph_drain(w.program.graph, NULL, NULL);
    for (int i = 0; i < 100; i++)
        leat_loop_turn(w.loop);
    assert_int_equal(s[0].done + s[1].done, 0);
    path_sink_release(&w.sinks[0]);
    PATH_UNTIL(w.loop, s[0].done && s[1].done);
    assert_int_equal(s[0].a.status, 200);
    assert_int_equal(s[1].a.grpc_status, 0);
    assert_int_equal(s[1].a.net, LEAT_NET_OK);
    client_sent_done(&s[0]);
    client_sent_done(&s[1]);
    w.drained = true;
    close_world(&w);
}

/* Closed in the middle: everybody hears something, once, and nothing leaks. */
static void test_close_in_the_middle(void **state)
{
    enum { MANY = 30 };
    static struct client_sent s[MANY];
    static struct leat_text bodies[MANY];
    struct world w;
    char name[16];

    (void)state;
    open_world(&w, CONFIRMED);
    w.sinks[0].hold = true;
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "r%d", i);
        leat_text_init(&bodies[i], 1 << 20);
        path_request(LEAT_LOGS, name, 3, &bodies[i]);
        path_client_send(i % 2 ? &w.grpc : &w.http, &s[i], LEAT_LOGS, leat_text_bytes(&bodies[i]));
    }
    PATH_UNTIL(w.loop, w.sinks[0].requests == 10); /* as many as there are consumers */
    path_program_close(&w.program);
    for (int i = 0; i < MANY; i++) {
        PATH_UNTIL(w.loop, s[i].done);
        assert_int_equal(s[i].done, 1);
        assert_false(s[i].a.net == LEAT_NET_OK && s[i].a.status == 200 && s[i].a.grpc_status == 0);
        client_sent_done(&s[i]);
        leat_text_done(&bodies[i]);
    }
    path_client_close(&w.grpc);
    path_client_close(&w.http);
    for (int i = 0; i < SINKS; i++)
        path_sink_close(&w.sinks[i]);
    leat_text_done(&w.body);
    leat_loop_free(w.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batched_out_over_http),
        cmocka_unit_test(test_batched_out_over_grpc),
        cmocka_unit_test(test_confirmed_out_over_grpc_uncompressed),
        cmocka_unit_test(test_confirmed_out_as_json),
        cmocka_unit_test(test_joined_in_the_queue),
        cmocka_unit_test(test_fan_out_reaches_both),
        cmocka_unit_test(test_through_a_forward_connector),
        cmocka_unit_test(test_compressed_requests),
        cmocka_unit_test(test_json_is_answered_in_json),
        cmocka_unit_test(test_one_port_is_not_given_twice),
        cmocka_unit_test(test_malformed_is_400),
        cmocka_unit_test(test_empty_requests_are_fine),
        cmocka_unit_test(test_wrong_requests_over_http),
        cmocka_unit_test(test_unwanted_signal_over_grpc),
        cmocka_unit_test(test_too_large_is_413),
        cmocka_unit_test(test_spent_budget_is_503),
        cmocka_unit_test(test_busy_destination_comes_back),
        cmocka_unit_test(test_rejecting_destination_comes_back),
        cmocka_unit_test(test_partial_success_comes_back),
        cmocka_unit_test(test_retried_until_taken),
        cmocka_unit_test(test_dead_destination_is_503),
        cmocka_unit_test(test_drain_waits_for_what_is_under_way),
        cmocka_unit_test(test_close_in_the_middle),
    };

    path_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
