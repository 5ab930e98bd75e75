/* A complete program on one loop with real sockets: OTLP in over both protocols, batched, out over
 * both protocols, every record once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/codec.h"
#include "lib/path_world.h"
#include "proto/otlp_json.h"

/* --- everything in, everything out */

static void pass_many(const char *yaml)
{
    enum { EACH = 40 };
    static struct client_sent sent[2 * LEAT_SIGNALS * EACH];
    static struct leat_text bodies[2 * LEAT_SIGNALS * EACH];
    struct path_world w;
    char name[32];
    int n = 0;

    path_world_open(&w, yaml);
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
    path_world_drain(&w);
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
    path_world_close(&w);
}

static void test_batched_out_over_http(void **state)
{
    (void)state;
    pass_many(PATH_RECEIVER
              "processors: {batch: {timeout: 5ms, send_batch_size: 50}}\n"
              "exporters: {otlp_http: {endpoint: $H}}\n" PATH_ALL_TO("batch", "otlp_http"));
}

static void test_batched_out_over_grpc(void **state)
{
    (void)state;
    pass_many(PATH_RECEIVER
              "processors: {batch: {timeout: 5ms, send_batch_size: 50, send_batch_max_size: 60}}\n"
              "exporters: {otlp_grpc: {endpoint: $G, tls: {insecure: true}}}\n" PATH_ALL_TO(
                  "batch", "otlp_grpc"));
}

static void test_confirmed_out_over_grpc_uncompressed(void **state)
{
    (void)state;
    pass_many(PATH_RECEIVER
              "exporters: {otlp_grpc: {endpoint: $G, tls: {insecure: true}, compression: "
              "none, sending_queue: {wait_for_result: true}}}\n" PATH_ALL_TO("", "otlp_grpc"));
}

static void test_confirmed_out_as_json(void **state)
{
    (void)state;
    pass_many(PATH_RECEIVER "exporters: {otlp_http: {endpoint: $H, encoding: json, sending_queue: "
                            "{enabled: false}}}\n" PATH_ALL_TO("", "otlp_http"));
}

static void test_joined_in_the_queue(void **state)
{
    (void)state;
    pass_many(PATH_RECEIVER
              "exporters: {otlp_http: {endpoint: $H, sending_queue: {sizer: items, queue_size: "
              "100000, batch: {min_size: 100, max_size: 100, flush_timeout: 5ms}}}}\n" PATH_ALL_TO(
                  "", "otlp_http"));
}

static void test_fan_out_reaches_both(void **state)
{
    struct path_world w;
    struct client_sent s;

    (void)state;
    path_world_open(&w, PATH_RECEIVER
                    "processors: {batch: {timeout: 1ms}}\n"
                    "exporters: {otlp_http/a: {endpoint: $H}, otlp_http/b: {endpoint: $I, "
                    "sending_queue: {wait_for_result: true}}}\n" PATH_ALL_TO(
                        "batch", "otlp_http/a, otlp_http/b"));
    path_world_ask(&w, &w.grpc, &s, LEAT_METRICS, path_world_request(&w, LEAT_METRICS, "m", 5));
    assert_int_equal(s.a.grpc_status, 0);
    client_sent_done(&s);
    path_world_drain(&w);
    assert_true(path_seen_once(&w.sinks[0].seen, "m", 5));
    assert_true(path_seen_once(&w.sinks[1].seen, "m", 5));
    path_world_close(&w);
}

static void test_through_a_forward_connector(void **state)
{
    struct path_world w;
    struct client_sent s;

    (void)state;
    path_world_open(
        &w, PATH_RECEIVER
        "processors: {batch: {timeout: 1ms}}\nconnectors: {forward: }\n"
        "exporters: {otlp_http: {endpoint: $H, sending_queue: {wait_for_result: true}}}\n"
        "service:\n  telemetry: {metrics: {level: none}}\n  pipelines:\n"
        "    traces/in: {receivers: [otlp], processors: [batch], exporters: [forward]}\n"
        "    traces/out: {receivers: [forward], processors: [batch], exporters: "
        "[otlp_http]}\n");
    w.sinks[0].answer = (struct path_answer){.http = 400, .grpc = 3, .text = "no"};
    path_world_ask(&w, &w.http, &s, LEAT_TRACES, path_world_request(&w, LEAT_TRACES, "t", 5));
    assert_int_equal(s.a.status, 400); /* the promise is the one of what is behind it */
    client_sent_done(&s);
    w.sinks[0].answer = (struct path_answer){0};
    path_world_ask(&w, &w.http, &s, LEAT_TRACES, path_world_request(&w, LEAT_TRACES, "t", 5));
    assert_int_equal(s.a.status, 200);
    client_sent_done(&s);
    assert_true(path_seen_once(&w.sinks[0].seen, "t", 5));
    path_world_close(&w);
}

/* --- encodings of what comes in */

static void test_compressed_requests(void **state)
{
    static const enum leat_codec codecs[] = {LEAT_CODEC_GZIP, LEAT_CODEC_ZSTD, LEAT_CODEC_SNAPPY};
    struct leat_budget budget;
    struct path_world w;

    (void)state;
    path_world_open(&w, PATH_CONFIRMED);
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
        plain = path_world_request(&w, LEAT_LOGS, name, 50);
        assert_int_equal(
            leat_deflate(own, codecs[i / 2], LEAT_LEVEL_DEFAULT, &plain, 1, &budget, &packed, &err),
            LEAT_CODEC_OK);
        path_client_send(c, &probe, LEAT_LOGS, leat_bytes(NULL, 0)); /* for its path */
        client_sent_init(&s, probe.x.path, NULL);
        s.piece = leat_bytes(packed->data, packed->len);
        s.x.npieces = 1;
        s.x.content_type = probe.x.content_type;
        s.x.content_encoding = leat_codec_name(codecs[i / 2]);
        path_world_ask_by_hand(&w, c, &s);
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
    path_world_close(&w);
}

static void test_json_is_answered_in_json(void **state)
{
    struct path_world w;
    struct client_sent s;
    struct leat_text json;
    struct leat_bytes plain;
    struct leat_rpc_status st;

    (void)state;
    path_world_open(&w, PATH_CONFIRMED);
    leat_text_init(&json, 1 << 20);
    plain = path_world_request(&w, LEAT_TRACES, "j", 9);
    leat_otlp_to_json(LEAT_TRACES, &plain, 1, &json);
    client_sent_init(&s, "/v1/traces", NULL);
    s.piece = leat_text_bytes(&json);
    s.x.npieces = 1;
    s.x.content_type = "application/json; charset=utf-8";
    path_world_ask_by_hand(&w, &w.http, &s);
    assert_int_equal(s.a.status, 200);
    assert_string_equal(s.type, "application/json");
    assert_string_equal(s.body.data, "{}");
    assert_true(path_seen_once(&w.sinks[0].seen, "j", 9));
    client_sent_done(&s);
    leat_text_done(&json);

    client_sent_init(&s, "/v1/traces", "{\"resourceSpans\": [");
    s.x.content_type = "application/json";
    path_world_ask_by_hand(&w, &w.http, &s);
    assert_int_equal(s.a.status, 400);
    assert_string_equal(s.type, "application/json");
    path_read_status(&s, false, true, &st);
    assert_int_equal(st.code, LEAT_GRPC_INVALID_ARGUMENT);
    assert_true(st.message[0] != '\0');
    client_sent_done(&s);
    path_world_close(&w);
}

/* --- what the callers say of themselves */

static void test_tenants_are_batched_apart(void **state)
{
    static const char *const tenants[] = {"red", "blue", "red", "blue"};
    struct client_sent s[4];
    struct leat_text bodies[4];
    struct path_world w;
    char name[16];

    (void)state;
    path_world_open(
        &w, "receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0', include_metadata: "
            "true}, http: {endpoint: '127.0.0.1:0', include_metadata: true}}}}\n"
            "processors: {batch: {timeout: 1h, send_batch_size: 10, metadata_keys: [X-Tenant]}}\n"
            "exporters: {otlp_http: {endpoint: $H}}\n" PATH_ALL_TO("batch", "otlp_http"));
    for (int i = 0; i < 4; i++) {
        struct leat_pair header = {"x-tenant", (char *)(uintptr_t)tenants[i]};
        struct path_client *c = i < 2 ? &w.http : &w.grpc;
        leat_text_init(&bodies[i], 65536);
        snprintf(name, sizeof name, "r%d", i);
        path_request(LEAT_LOGS, name, 5, &bodies[i]);
        client_sent_init(
            &s[i], i < 2 ? "/v1/logs" : "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            NULL);
        s[i].piece = leat_text_bytes(&bodies[i]);
        s[i].x.npieces = 1;
        s[i].x.content_type = i < 2 ? "application/x-protobuf" : NULL;
        s[i].x.headers = &header;
        s[i].x.nheaders = 1;
        path_world_ask_by_hand(&w, c, &s[i]);
        assert_int_equal(s[i].a.status, 200);
        assert_int_equal(s[i].a.grpc_status, 0);
        client_sent_done(&s[i]);
        leat_text_done(&bodies[i]);
    }
    PATH_UNTIL(w.loop, w.sinks[0].taken == 2); /* two full batches, each of one tenant */
    assert_int_equal(w.sinks[0].seen.total, 20);
    path_world_close(&w);
    assert_int_equal(w.sinks[0].taken, 2);
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
                      PATH_RECEIVER
                      "exporters: {nop: }\n" PATH_ALL_TO("", "nop")); /* for a free port */
    port = path_program_port(&p, "otlp", LEAT_OTLP_GRPC);
    assert_int_not_equal(port, path_program_port(&p, "otlp", LEAT_OTLP_HTTP));
    path_program_drain(&p);
    path_program_close(&p);
    yaml = leat_format("receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:%u'}, http: "
                       "{endpoint: '127.0.0.1:%u'}}}}\nexporters: {nop: }\n" PATH_ALL_TO("", "nop"),
                       port, port);
    assert_int_equal(path_program_try(&p, loop, yaml, &err), -1);
    assert_non_null(strstr(err.text, "in use"));
    leat_free(yaml);
    path_program_close(&p);
    leat_loop_free(loop);
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
        cmocka_unit_test(test_tenants_are_batched_apart),
        cmocka_unit_test(test_one_port_is_not_given_twice),
    };

    path_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
