/* Replies in both encodings, written, read back, and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h"
#include "proto/otlp_reply.h"

static void response(enum leat_signal s, uint64_t rejected, const char *message, bool json,
                     struct leat_text *out)
{
    struct leat_otlp_partial p = {.rejected = rejected};

    strcpy(p.message, message);
    leat_text_init(out, 10000);
    leat_otlp_response(s, &p, json, out);
    assert_true(leat_text_ok(out));
}

static void test_response_text(void **state)
{
    struct leat_text t;

    (void)state;
    response(LEAT_TRACES, 0, "", true, &t);
    assert_string_equal(leat_text_get(&t), "{}");
    leat_text_done(&t);
    response(LEAT_TRACES, 0, "", false, &t);
    assert_int_equal(t.len, 0);
    leat_text_done(&t);
    response(LEAT_TRACES, 5, "a \"b\"\n\x01", true, &t);
    assert_string_equal(leat_text_get(&t), "{\"partialSuccess\":{\"rejectedSpans\":\"5\","
                                           "\"errorMessage\":\"a \\\"b\\\"\\n\\u0001\"}}");
    leat_text_done(&t);
    response(LEAT_METRICS, 0, "warn", true, &t);
    assert_string_equal(leat_text_get(&t), "{\"partialSuccess\":{\"errorMessage\":\"warn\"}}");
    leat_text_done(&t);
    response(LEAT_METRICS, 7, "", true, &t);
    assert_string_equal(leat_text_get(&t), "{\"partialSuccess\":{\"rejectedDataPoints\":\"7\"}}");
    leat_text_done(&t);
    response(LEAT_LOGS, 7, "", true, &t);
    assert_string_equal(leat_text_get(&t), "{\"partialSuccess\":{\"rejectedLogRecords\":\"7\"}}");
    leat_text_done(&t);
}

/* The generated code reads what was written. */
static void test_response_oracle(void **state)
{
    Opentelemetry__Proto__Collector__Logs__V1__ExportLogsServiceResponse *r;
    struct leat_text t;

    (void)state;
    response(LEAT_LOGS, 300, "some", false, &t);
    r = opentelemetry__proto__collector__logs__v1__export_logs_service_response__unpack(
        NULL, t.len, (const uint8_t *)t.data);
    assert_non_null(r);
    assert_non_null(r->partial_success);
    assert_int_equal(r->partial_success->rejected_log_records, 300);
    assert_string_equal(r->partial_success->error_message, "some");
    opentelemetry__proto__collector__logs__v1__export_logs_service_response__free_unpacked(r, NULL);
    leat_text_done(&t);
}

static void test_response_round_trip(void **state)
{
    (void)state;
    for (int s = 0; s < LEAT_SIGNALS; s++) {
        for (int json = 0; json < 2; json++) {
            struct leat_otlp_partial p;
            struct leat_text t;

            response((enum leat_signal)s, 1234567890123, "h\xc3\xa9 \xf0\x9f\x98\x80 \\", json, &t);
            assert_int_equal(
                leat_otlp_response_read((enum leat_signal)s, leat_text_bytes(&t), json, &p), 0);
            assert_int_equal(p.rejected, 1234567890123);
            assert_string_equal(p.message, "h\xc3\xa9 \xf0\x9f\x98\x80 \\");
            leat_text_done(&t);
        }
    }
}

static void test_status(void **state)
{
    Google__Rpc__RetryInfo *info;
    Google__Rpc__Status *got;
    struct leat_rpc_status st = {
        .code = 14, .message = "busy", .has_delay = true, .delay_ms = 1500};
    struct leat_text t;

    (void)state;
    leat_text_init(&t, 1000);
    leat_rpc_status_write(&st, true, &t);
    assert_string_equal(
        leat_text_get(&t),
        "{\"code\":14,\"message\":\"busy\",\"details\":[{\"@type\":"
        "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"1.500s\"}]}");
    leat_text_clear(&t);
    leat_rpc_status_write(&st, false, &t);
    got = google__rpc__status__unpack(NULL, t.len, (const uint8_t *)t.data);
    assert_non_null(got);
    assert_int_equal(got->code, 14);
    assert_string_equal(got->message, "busy");
    assert_int_equal(got->n_details, 1);
    assert_string_equal(got->details[0]->type_url, "type.googleapis.com/google.rpc.RetryInfo");
    info = google__rpc__retry_info__unpack(NULL, got->details[0]->value.len,
                                           got->details[0]->value.data);
    assert_non_null(info);
    assert_int_equal(info->retry_delay->seconds, 1);
    assert_int_equal(info->retry_delay->nanos, 500000000);
    google__rpc__retry_info__free_unpacked(info, NULL);
    google__rpc__status__free_unpacked(got, NULL);
    leat_text_done(&t);
}

static void test_status_round_trip(void **state)
{
    static const uint32_t delays[] = {0, 1, 999, 1000, 30000, 604800000};

    (void)state;
    for (int json = 0; json < 2; json++) {
        for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
            struct leat_rpc_status st = {.code = 8, .has_delay = true, .delay_ms = delays[i]}, got;
            struct leat_text t;

            leat_text_init(&t, 1000);
            leat_rpc_status_write(&st, json, &t);
            assert_int_equal(leat_rpc_status_read(leat_text_bytes(&t), json, &got), 0);
            assert_int_equal(got.code, 8);
            assert_true(got.has_delay);
            assert_int_equal(got.delay_ms, delays[i]);
            leat_text_clear(&t);
            st.has_delay = false;
            leat_rpc_status_write(&st, json, &t);
            assert_int_equal(leat_rpc_status_read(leat_text_bytes(&t), json, &got), 0);
            assert_false(got.has_delay);
            leat_text_done(&t);
        }
    }
}

static int status_of(const char *json, struct leat_rpc_status *st)
{
    return leat_rpc_status_read(leat_bytes_str(json), true, st);
}

static void test_status_json(void **state)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "null",
                                      "{",
                                      "{}x",
                                      "{\"code\":}",
                                      "{\"code\":1,}",
                                      "{\"code\":1.5}",
                                      "{\"code\":\"x\"}",
                                      "{\"message\":5}",
                                      "{\"details\":{}}",
                                      "{\"details\":[1]}",
                                      "{\"message\":\"\xff\"}",
                                      "{\"message\":\"\\q\"}",
                                      "{\"message\":\"a\nb\"}"};
    struct leat_rpc_status st;

    (void)state;
    assert_int_equal(status_of("{}", &st), 0);
    assert_int_equal(st.code, 0);
    assert_int_equal(status_of(" { \"code\" : \"3\" , \"x\" : [ { } , [ 1 ] ] } \n", &st), 0);
    assert_int_equal(st.code, 3);
    assert_int_equal(status_of("{\"c\\u006fde\":4,\"message\":null,\"details\":null}", &st), 0);
    assert_int_equal(st.code, 4);
    assert_int_equal(status_of("{\"details\":[{\"@type\":\"other\",\"retryDelay\":\"1s\"}]}", &st),
                     0);
    assert_false(st.has_delay);
    assert_int_equal(status_of("{\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo"
                               "\",\"retryDelay\":\"0.0000001s\"}]}",
                               &st),
                     0);
    assert_true(st.has_delay);
    assert_int_equal(st.delay_ms, 1); /* never shorter than asked */
    assert_int_equal(status_of("{\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo"
                               "\",\"retryDelay\":\"1e300s\"}]}",
                               &st),
                     0);
    assert_int_equal(st.delay_ms, 604800000);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (status_of(bad[i], &st) != -1)
            fail_msg("read: %s", bad[i]);
    }
}

/* Long messages are cut between characters, in both encodings. */
static void test_cut(void **state)
{
    struct leat_otlp_partial p;
    struct leat_text t;

    (void)state;
    for (int escaped = 0; escaped < 2; escaped++) {
        leat_text_init(&t, 100000);
        leat_text_str(&t, "{\"partialSuccess\":{\"errorMessage\":\"a");
        for (int i = 0; i < 1000; i++)
            leat_text_str(&t, escaped ? "\\u20ac" : "\xe2\x82\xac");
        leat_text_str(&t, "\",\"rejectedSpans\":3}}");
        assert_int_equal(leat_otlp_response_read(LEAT_TRACES, leat_text_bytes(&t), true, &p), 0);
        assert_true(leat_bytes_utf8(leat_bytes_str(p.message)));
        assert_in_range(strlen(p.message), 250, 255);
        assert_int_equal(p.rejected, 3);
        leat_text_done(&t);
    }
    assert_int_equal(leat_otlp_response_read(
                         LEAT_TRACES, leat_bytes("\x0a\x06\x12\x04\xff\x01ok", 8), false, &p),
                     0);
    assert_string_equal(p.message, "? ok");
}

/* Everything cut short is unreadable or a shorter reply, and never more. */
static void test_truncated(void **state)
{
    struct leat_rpc_status st = {.code = 14,
                                 .message = "busy \"now\"",
                                 .has_delay = true,
                                 .delay_ms = 1500},
                           got;

    (void)state;
    for (int json = 0; json < 2; json++) {
        struct leat_text t;

        leat_text_init(&t, 1000);
        leat_rpc_status_write(&st, json, &t);
        for (size_t len = 0; len < t.len; len++) {
            uint8_t *exact = leat_try(len + 1);
            int r;

            memcpy(exact, t.data, len);
            exact = leat_try_resize(exact, len != 0 ? len : 1);
            r = leat_rpc_status_read(leat_bytes(exact, len), json, &got);
            if (json)
                assert_int_equal(r, -1);
            assert_false(got.has_delay);
            leat_free(exact);
        }
        leat_text_done(&t);
    }
}

static void test_hostile(void **state)
{
    static const struct {
        const char *data;
        size_t len;
    } bad[] = {
        {"\x0a\xff\xff\xff\xff\x0f", 6}, {"\x0a", 1}, {"\x08\x01", 2}, {"\x0a\x02\x0a\x00", 4},
        {"\x0a\x02\x10\x00", 4},         {"\x00", 1}, {"\x0b", 1},
    };
    struct leat_otlp_partial p;
    struct leat_rpc_status st;
    struct leat_text t;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            leat_otlp_response_read(LEAT_LOGS, leat_bytes(bad[i].data, bad[i].len), false, &p), -1);
    /* a count below zero, and unknown fields */
    assert_int_equal(
        leat_otlp_response_read(
            LEAT_LOGS,
            leat_bytes("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x78\x01", 15), false,
            &p),
        0);
    assert_int_equal(p.rejected, 0);
    leat_text_init(&t, 10000000);
    leat_text_str(&t, "{\"x\":");
    for (int i = 0; i < 1000000; i++)
        leat_text_char(&t, '[');
    assert_int_equal(leat_rpc_status_read(leat_text_bytes(&t), true, &st), -1);
    leat_text_clear(&t);
    leat_text_str(&t, "{\"details\":[");
    for (int i = 0; i < 100000; i++)
        leat_text_str(&t, "{\"@type\":\"x\"},");
    leat_text_str(&t, "{}],\"code\":5}");
    assert_int_equal(leat_rpc_status_read(leat_text_bytes(&t), true, &st), 0);
    assert_int_equal(st.code, 5);
    leat_text_done(&t);
}

static void test_codes(void **state)
{
    static const uint32_t http[] = {200, 503, 500, 400, 503, 500, 500, 403, 429,
                                    500, 503, 503, 404, 500, 503, 503, 401, 500};
    static const struct {
        uint32_t http, grpc;
    } back[] = {{200, 0}, {400, 3},  {401, 16}, {403, 7},  {404, 12}, {429, 8},
                {500, 2}, {502, 14}, {503, 14}, {504, 14}, {413, 2},  {302, 2}};

    (void)state;
    for (uint32_t code = 0; code < 18; code++)
        assert_int_equal(leat_grpc_to_http(code), http[code]);
    assert_int_equal(leat_grpc_to_http(UINT32_MAX), 500);
    for (size_t i = 0; i < sizeof back / sizeof *back; i++)
        assert_int_equal(leat_http_to_grpc(back[i].http), back[i].grpc);
    for (uint32_t code = 0; code < 18; code++) {
        bool again = code == 1 || code == 4 || code == 10 || code == 11 || code == 14 || code == 15;
        assert_int_equal(leat_grpc_may_retry(code, false), again);
        assert_int_equal(leat_grpc_may_retry(code, true), again || code == 8);
    }
    assert_string_equal(leat_grpc_code_name(14), "UNAVAILABLE");
    assert_string_equal(leat_grpc_code_name(16), "UNAUTHENTICATED");
    assert_string_equal(leat_grpc_code_name(17), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_response_text),
        cmocka_unit_test(test_response_oracle),
        cmocka_unit_test(test_response_round_trip),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_status_round_trip),
        cmocka_unit_test(test_status_json),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
