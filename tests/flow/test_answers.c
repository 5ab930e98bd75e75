/* What callers of a complete program are answered: for what is wrong with their requests, and for
 * what the destination says. */
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

/* --- what is refused */

static void test_malformed_is_400(void **state)
{
    struct leat_bytes bad = leat_bytes_str("\x0a\x7f not that long");
    struct leat_rpc_status st;
    struct client_sent s;
    struct path_world w;

    (void)state;
    path_world_open(&w, PATH_CONFIRMED);
    path_world_ask(&w, &w.http, &s, LEAT_LOGS, bad);
    assert_int_equal(s.a.status, 400);
    assert_false(s.a.has_retry_after);
    assert_string_equal(s.type, "application/x-protobuf");
    path_read_status(&s, false, false, &st);
    assert_int_equal(st.code, LEAT_GRPC_INVALID_ARGUMENT);
    assert_true(strlen(st.message) > 10);
    client_sent_done(&s);
    path_world_ask(&w, &w.grpc, &s, LEAT_LOGS, bad);
    assert_int_equal(s.a.grpc_status, LEAT_GRPC_INVALID_ARGUMENT);
    assert_int_equal(s.details.len, 0);
    assert_true(s.message.len > 10);
    client_sent_done(&s);
    assert_int_equal(w.sinks[0].requests, 0);
    path_world_close(&w);
}

static void test_empty_requests_are_fine(void **state)
{
    struct client_sent s;
    struct path_world w;

    (void)state;
    path_world_open(&w, PATH_CONFIRMED);
    path_world_ask(&w, &w.http, &s, LEAT_LOGS, leat_bytes(NULL, 0));
    assert_int_equal(s.a.status, 200);
    assert_int_equal(s.body.len, 0);
    client_sent_done(&s);
    path_world_ask(&w, &w.grpc, &s, LEAT_LOGS, leat_bytes(NULL, 0));
    assert_int_equal(s.a.grpc_status, 0);
    assert_int_equal(s.body.len, 0);
    client_sent_done(&s);
    path_world_ask(&w, &w.http, &s, LEAT_LOGS,
                   path_world_request(&w, LEAT_LOGS, "none", 0)); /* a resource, no records */
    assert_int_equal(s.a.status, 200);
    client_sent_done(&s);
    assert_int_equal(w.sinks[0].requests, 0);
    assert_int_equal(path_program_metric(&w.program, "otelcol_receiver_accepted_log_records"), 0);
    path_world_close(&w);
}

static void by_hand(struct path_world *w, const char *method, const char *path, const char *type,
                    const char *encoding, uint32_t want)
{
    struct leat_rpc_status st;
    struct client_sent s;

    client_sent_init(&s, path, strcmp(method, "GET") ? "abc" : NULL);
    s.x.method = method;
    s.x.content_type = type;
    s.x.content_encoding = encoding;
    path_world_ask_by_hand(w, &w->http, &s);
    if (s.a.status != want)
        print_error("%s %s %s %s: %u %s\n", method, path, type ? type : "-",
                    encoding ? encoding : "-", s.a.status, leat_text_get(&s.body));
    assert_int_equal(s.a.status, want);
    assert_false(s.a.has_retry_after);
    if (want == 405) { /* as the collector: in plain words */
        assert_string_equal(s.type, "text/plain");
        assert_true(s.body.len > 0);
    } else {
        path_read_status(&s, false, false, &st);
        assert_true(st.message[0] != '\0');
    }
    client_sent_done(&s);
}

static void test_wrong_requests_over_http(void **state)
{
    static const char *const proto = "application/x-protobuf";
    struct path_world w;

    (void)state;
    path_world_open(
        &w, PATH_RECEIVER
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
    path_world_close(&w);
}

static void test_unwanted_signal_over_grpc(void **state)
{
    struct client_sent s;
    struct path_world w;

    (void)state;
    path_world_open(
        &w, PATH_RECEIVER
        "exporters: {otlp_http: {endpoint: $H}}\n"
        "service:\n  telemetry: {metrics: {level: none}}\n  pipelines: {logs: {receivers: "
        "[otlp], exporters: [otlp_http]}}\n");
    path_world_ask(&w, &w.grpc, &s, LEAT_TRACES, path_world_request(&w, LEAT_TRACES, "t", 1));
    assert_int_equal(s.a.grpc_status, LEAT_GRPC_UNIMPLEMENTED);
    client_sent_done(&s);
    path_world_close(&w);
}

static void test_too_large_is_413(void **state)
{
    struct leat_rpc_status st;
    struct client_sent s;
    struct path_world w;

    (void)state;
    path_world_open(&w, "receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0', "
                        "max_recv_msg_size_mib: 1}, http: {endpoint: '127.0.0.1:0', "
                        "max_request_body_size: 10000}}}}\n"
                        "exporters: {otlp_http: {endpoint: $H}}\n" PATH_ALL_TO("", "otlp_http"));
    path_world_ask(&w, &w.http, &s, LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "big", 2000));
    assert_int_equal(s.a.status, 413);
    assert_false(s.a.has_retry_after);
    path_read_status(&s, false, false, &st);
    assert_int_equal(st.code, LEAT_GRPC_RESOURCE_EXHAUSTED);
    client_sent_done(&s);
    path_world_ask(&w, &w.grpc, &s, LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "big", 80000));
    assert_int_equal(s.a.grpc_status, LEAT_GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(s.details.len, 0); /* no RetryInfo: not to be repeated */
    client_sent_done(&s);
    assert_int_equal(w.sinks[0].requests, 0);
    path_world_close(&w);
}

/* The memory for telemetry is spent: again later. */
static void test_spent_budget_is_503(void **state)
{
    struct leat_rpc_status st;
    struct client_sent s;
    struct path_world w;

    (void)state;
    path_world_open(&w, PATH_CONFIRMED);
    w.program.budget.limit = LEAT_CALL_COST + 1000;
    path_world_ask(&w, &w.http, &s, LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "big", 200));
    assert_int_equal(s.a.status, 503);
    assert_true(s.a.has_retry_after);
    path_read_status(&s, false, false, &st);
    assert_int_equal(st.code, LEAT_GRPC_UNAVAILABLE);
    client_sent_done(&s);
    path_world_ask(&w, &w.grpc, &s, LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "big", 200));
    assert_int_equal(s.a.grpc_status, LEAT_GRPC_UNAVAILABLE);
    path_read_status(&s, true, false, &st);
    assert_true(st.has_delay && st.delay_ms > 0);
    client_sent_done(&s);
    path_world_ask(&w, &w.http, &s, LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "small", 3));
    assert_int_equal(s.a.status, 200);
    client_sent_done(&s);
    path_world_close(&w);
}

/* --- what the destination says comes back */

/* Both clients hear it, whichever protocol the destination speaks. */
static void expect_back(const char *yaml, struct path_answer answer, uint32_t http, uint32_t grpc,
                        uint32_t delay_ms)
{
    struct leat_rpc_status st;
    struct client_sent s;
    struct path_world w;

    path_world_open(&w, yaml);
    w.sinks[0].answer = answer;
    path_world_ask(&w, &w.http, &s, LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "a", 3));
    assert_int_equal(s.a.status, http);
    assert_int_equal(s.a.has_retry_after, delay_ms != 0);
    assert_int_equal(s.a.retry_after_ms, (delay_ms + 999) / 1000 * 1000);
    path_read_status(&s, false, false, &st);
    assert_int_equal(st.code, grpc);
    assert_non_null(strstr(st.message, answer.text));
    client_sent_done(&s);
    path_world_ask(&w, &w.grpc, &s, LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "b", 3));
    assert_int_equal(s.a.grpc_status, grpc);
    assert_non_null(strstr(s.message.data, answer.text));
    assert_int_equal(s.details.len != 0, delay_ms != 0);
    if (delay_ms != 0) {
        path_read_status(&s, true, false, &st);
        assert_int_equal(st.delay_ms, delay_ms);
    }
    client_sent_done(&s);
    assert_int_equal(w.sinks[0].requests, 2);
    assert_int_equal(path_program_metric(&w.program, "otelcol_receiver_refused_log_records"), 6);
    assert_int_equal(path_program_metric(&w.program, "otelcol_receiver_accepted_log_records"), 0);
    path_world_close(&w);
}

static void test_busy_destination_comes_back(void **state)
{
    struct path_answer busy = {.http = 503, .grpc = 14, .delay_ms = 7000, .text = "too busy"};
    struct path_answer slow = {.http = 429, .grpc = 8, .delay_ms = 2000, .text = "slow down"};

    (void)state;
    expect_back(PATH_CONFIRMED, busy, 503, LEAT_GRPC_UNAVAILABLE, 7000);
    expect_back(PATH_CONFIRMED_GRPC, busy, 503, LEAT_GRPC_UNAVAILABLE, 7000);
    expect_back(PATH_CONFIRMED, slow, 429, LEAT_GRPC_RESOURCE_EXHAUSTED, 2000);
    expect_back(PATH_CONFIRMED_GRPC, slow, 429, LEAT_GRPC_RESOURCE_EXHAUSTED, 2000);
}

static void test_rejecting_destination_comes_back(void **state)
{
    struct path_answer bad = {.http = 400, .grpc = 3, .text = "bad data"};
    struct path_answer broken = {.http = 500, .grpc = 13, .text = "broken"};

    (void)state;
    expect_back(PATH_CONFIRMED, bad, 400, LEAT_GRPC_INVALID_ARGUMENT, 0);
    expect_back(PATH_CONFIRMED_GRPC, bad, 400, LEAT_GRPC_INVALID_ARGUMENT, 0);
    expect_back(PATH_CONFIRMED_GRPC, broken, 500, LEAT_GRPC_INTERNAL, 0);
}

static void expect_partial(const char *yaml)
{
    struct leat_otlp_partial partial;
    struct client_sent s;
    struct path_world w;

    path_world_open(&w, yaml);
    w.sinks[0].answer = (struct path_answer){.rejected = 2, .text = "two are too old"};
    path_world_ask(&w, &w.http, &s, LEAT_TRACES, path_world_request(&w, LEAT_TRACES, "a", 3));
    assert_int_equal(s.a.status, 200);
    assert_int_equal(
        leat_otlp_response_read(LEAT_TRACES, leat_text_bytes(&s.body), false, &partial), 0);
    assert_int_equal(partial.rejected, 2);
    assert_string_equal(partial.message, "two are too old");
    client_sent_done(&s);
    path_world_ask(&w, &w.grpc, &s, LEAT_TRACES, path_world_request(&w, LEAT_TRACES, "b", 3));
    assert_int_equal(s.a.grpc_status, 0);
    assert_int_equal(
        leat_otlp_response_read(LEAT_TRACES, leat_text_bytes(&s.body), false, &partial), 0);
    assert_int_equal(partial.rejected, 2);
    client_sent_done(&s);
    path_world_close(&w);
}

static void test_partial_success_comes_back(void **state)
{
    (void)state;
    expect_partial(PATH_CONFIRMED);
    expect_partial(PATH_CONFIRMED_GRPC);
}

static void test_retried_until_taken(void **state)
{
    struct client_sent s;
    struct path_world w;

    (void)state;
    path_world_open(
        &w, PATH_RECEIVER
        "exporters: {otlp_http: {endpoint: $H, retry_on_failure: {initial_interval: 1ms, "
        "max_interval: 5ms}, sending_queue: {wait_for_result: true}}}\n" PATH_ALL_TO("",
                                                                                     "otlp_http"));
    w.sinks[0].fail_first = 5;
    w.sinks[0].first = (struct path_answer){.http = 503, .grpc = 14, .text = "not yet"};
    path_world_ask(&w, &w.http, &s, LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "a", 3));
    assert_int_equal(s.a.status, 200);
    client_sent_done(&s);
    assert_int_equal(w.sinks[0].requests, 6);
    assert_true(path_seen_once(&w.sinks[0].seen, "a", 3));
    path_world_close(&w);
}

static void test_dead_destination_is_503(void **state)
{
    struct leat_rpc_status st;
    struct client_sent s;
    struct path_world w;

    (void)state;
    path_world_open(
        &w, PATH_RECEIVER
        "exporters: {otlp_grpc: {endpoint: '127.0.0.1:1', tls: {insecure: true}, "
        "retry_on_failure: {enabled: false}, sending_queue: {enabled: false}}}\n" PATH_ALL_TO(
            "", "otlp_grpc"));
    path_world_ask(&w, &w.grpc, &s, LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "a", 3));
    assert_int_equal(s.a.grpc_status, LEAT_GRPC_UNAVAILABLE);
    path_read_status(&s, true, false, &st);
    assert_true(st.has_delay);
    client_sent_done(&s);
    path_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };

    path_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
