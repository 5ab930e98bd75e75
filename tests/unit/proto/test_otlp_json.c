/* OTLP/JSON: each rule of the encoding, round trips against the generated code, hostile text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "lib/otlp_random.h"
#include "proto/json_read.h"
#include "proto/json_write.h"
#include "proto/otlp_json.h"

static struct leat_budget budget;

static enum leat_json_result read_json(enum leat_signal s, const char *json, size_t len,
                                       struct leat_buf **buf, struct leat_err *err)
{
    struct leat_otlp_count count, checked;
    enum leat_json_result r;
    const char *why;
    uint8_t *exact = leat_try(len != 0 ? len : 1); /* so that one byte too far is seen */

    memcpy(exact, json, len);
    r = leat_otlp_from_json(s, leat_bytes(exact, len), &budget, buf, &count, err);
    leat_free(exact);
    if (r != LEAT_JSON_OK) {
        assert_null(*buf);
        assert_int_equal(count.items, 0);
        return r;
    }
    assert_int_equal(leat_otlp_check(s, leat_bytes((*buf)->data, (*buf)->len), &checked, &why),
                     LEAT_OTLP_OK);
    assert_int_equal(checked.items, count.items);
    assert_int_equal(checked.resources, count.resources);
    assert_int_equal((*buf)->cap, (*buf)->len);
    return r;
}

/* Reads `json` and writes it again; the result must be `want`. */
static void again(enum leat_signal s, const char *json, const char *want)
{
    struct leat_bytes part;
    struct leat_err err = {""};
    struct leat_buf *buf;
    struct leat_text t;

    if (read_json(s, json, strlen(json), &buf, &err) != LEAT_JSON_OK)
        fail_msg("%s: %s", json, err.text);
    leat_text_init(&t, 1 << 20);
    part = leat_bytes(buf->data, buf->len);
    leat_otlp_to_json(s, &part, 1, &t);
    assert_true(leat_text_ok(&t));
    assert_string_equal(leat_text_get(&t), want);
    leat_text_done(&t);
    leat_buf_unref(buf);
    assert_int_equal(leat_budget_used(&budget), 0);
}

#define LOG(X)   "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{" X "}]}]}]}"
#define VALUE(X) LOG("\"body\":{" X "}")
#define POINT(X)                                                                                   \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":[{" X       \
    "}]}}]}]}]}"
#define HISTOGRAM(X)                                                                               \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{\"dataPoints\":[{" X   \
    "}]}}]}]}]}"
#define SPAN(X) "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" X "}]}]}]}"

static void log_again(const char *json, const char *want)
{
    again(LEAT_LOGS, json, want);
}

/* The error must say this, at this byte. */
static void refused(enum leat_signal s, const char *json, const char *what)
{
    struct leat_err err = {""};
    struct leat_buf *buf;

    assert_int_equal(read_json(s, json, strlen(json), &buf, &err), LEAT_JSON_BAD);
    if (strstr(err.text, what) == NULL)
        fail_msg("%s\nsays:  %s\nwants: %s", json, err.text, what);
    assert_int_equal(leat_budget_used(&budget), 0);
}

static void test_empty(void **state)
{
    (void)state;
    log_again("{}", "{}");
    log_again(" { } \r\n\t", "{}");
    log_again("{\"resourceLogs\":[]}", "{}");
    log_again("{\"resourceLogs\":null}", "{}");
    log_again("{\"resourceLogs\":[{}]}", "{\"resourceLogs\":[{}]}");
    log_again("{\"resourceLogs\":[null]}", "{\"resourceLogs\":[{}]}");
    refused(LEAT_LOGS, "", "byte 0: expected an object");
    refused(LEAT_LOGS, "[]", "byte 0: expected an object");
    refused(LEAT_LOGS, "null", "byte 0: expected an object");
    refused(LEAT_LOGS, "{} {}", "byte 3: more text after");
    refused(LEAT_LOGS, "\xef\xbb\xbf{}", "byte 0: expected an object");
}

static void test_ids(void **state)
{
    (void)state;
    log_again(
        LOG("\"traceId\":\"5B8EFFF798038103D269B633813FC60c\",\"spanId\":\"EEE19b7ec3c1b174\""),
        LOG("\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\""));
    log_again(LOG("\"traceId\":\"\",\"spanId\":null"), LOG(""));
    log_again(
        LOG("\"traceId\":\"00000000000000000000000000000000\",\"spanId\":\"0000000000000000\""),
        LOG(""));
    log_again(LOG("\"spanId\":\"\\u0065ee19b7ec3c1b174\""), LOG("\"spanId\":\"eee19b7ec3c1b174\""));
    refused(LEAT_LOGS, LOG("\"traceId\":\"5b8e\""),
            "byte 57 (LogRecord.traceId): a trace id has 32 hex digits");
    refused(LEAT_LOGS, LOG("\"spanId\":\"7uGbfsPBsXQ=\""), "a span id has 16 hex digits");
    refused(LEAT_LOGS, LOG("\"spanId\":\"eee19b7ec3c1b17g\""), "(LogRecord.spanId): not hex");
    refused(LEAT_LOGS, LOG("\"spanId\":\"eee19b7ec3c1b17@\""), "(LogRecord.spanId): not hex");
    refused(LEAT_LOGS, LOG("\"spanId\":5"), "expected a string");
}

static void test_integers(void **state)
{
    static const char *const same[] = {"\"5\"", "5", "5.0", "50e-1", "0.5e1", "5E0", "\"5.00\""};

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char json[200];
        snprintf(json, sizeof json, LOG("\"timeUnixNano\":%s"), same[i]);
        log_again(json, LOG("\"timeUnixNano\":\"5\""));
        snprintf(json, sizeof json, LOG("\"flags\":%s"), same[i]);
        log_again(json, LOG("\"flags\":5"));
        snprintf(json, sizeof json, VALUE("\"intValue\":%s"), same[i]);
        log_again(json, VALUE("\"intValue\":\"5\""));
    }
    log_again(LOG("\"timeUnixNano\":18446744073709551615"),
              LOG("\"timeUnixNano\":\"18446744073709551615\""));
    log_again(LOG("\"timeUnixNano\":\"1234567890123456789\""),
              LOG("\"timeUnixNano\":\"1234567890123456789\""));
    log_again(VALUE("\"intValue\":\"-9223372036854775808\""),
              VALUE("\"intValue\":\"-9223372036854775808\""));
    log_again(VALUE("\"intValue\":9223372036854775807"),
              VALUE("\"intValue\":\"9223372036854775807\""));
    log_again(VALUE("\"intValue\":-0"), VALUE("\"intValue\":\"0\""));
    log_again(VALUE("\"intValue\":0e99"), VALUE("\"intValue\":\"0\""));
    log_again(LOG("\"flags\":4294967295"), LOG("\"flags\":4294967295"));
    log_again(LOG("\"flags\":0,\"timeUnixNano\":\"0\""), LOG(""));
    refused(LEAT_LOGS, LOG("\"timeUnixNano\":18446744073709551616"), "integer out of range");
    refused(LEAT_LOGS, LOG("\"timeUnixNano\":-1"), "(LogRecord.timeUnixNano): integer out of");
    refused(LEAT_LOGS, LOG("\"timeUnixNano\":1e20"), "integer out of range");
    refused(LEAT_LOGS, LOG("\"timeUnixNano\":1e999999999"), "integer out of range");
    refused(LEAT_LOGS, LOG("\"flags\":4294967296"), "integer out of range");
    refused(LEAT_LOGS, VALUE("\"intValue\":9223372036854775808"), "integer out of range");
    refused(LEAT_LOGS, VALUE("\"intValue\":\"-9223372036854775809\""), "integer out of range");
    refused(LEAT_LOGS, VALUE("\"intValue\":1.5"), "(AnyValue.intValue): number is not an integer");
    refused(LEAT_LOGS, VALUE("\"intValue\":1e-1"), "number is not an integer");
    refused(LEAT_LOGS, VALUE("\"intValue\":1.00000000000000000000000000001"), "not an integer");
    refused(LEAT_LOGS, VALUE("\"intValue\":\"\""), "string is not a number");
    refused(LEAT_LOGS, VALUE("\"intValue\":\" 5\""), "string is not a number");
    refused(LEAT_LOGS, VALUE("\"intValue\":\"5x\""), "string is not a number");
    refused(LEAT_LOGS, VALUE("\"intValue\":true"), "expected a number");
    refused(LEAT_LOGS, VALUE("\"intValue\":007"), "leading zero");
    refused(LEAT_LOGS, VALUE("\"intValue\":+7"), "expected a number");
}

static void test_signed_32(void **state)
{
#define BUCKETS(X)                                                                                 \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"exponentialHistogram\":{"           \
    "\"dataPoints\":[{" X "}]}}]}]}]}"
    (void)state;
    again(LEAT_METRICS,
          BUCKETS("\"scale\":-5,\"positive\":{\"offset\":2147483647,\"bucketCounts\":[\"1\",2,0]},"
                  "\"negative\":{\"offset\":\"-2147483648\"}"),
          BUCKETS("\"scale\":-5,\"positive\":{\"offset\":2147483647,\"bucketCounts\":[\"1\",\"2\","
                  "\"0\"]},\"negative\":{\"offset\":-2147483648}"));
    refused(LEAT_METRICS, BUCKETS("\"scale\":2147483648"), "integer out of range");
    refused(LEAT_METRICS, BUCKETS("\"scale\":-2147483649"), "integer out of range");
}

static void test_enums(void **state)
{
    (void)state;
    again(LEAT_TRACES, SPAN("\"kind\":\"SPAN_KIND_SERVER\""), SPAN("\"kind\":2"));
    again(LEAT_TRACES, SPAN("\"kind\":3,\"status\":{\"code\":\"STATUS_CODE_ERROR\"}"),
          SPAN("\"kind\":3,\"status\":{\"code\":2}"));
    again(LEAT_TRACES, SPAN("\"kind\":77"), SPAN("\"kind\":77"));
    again(LEAT_TRACES, SPAN("\"kind\":-1"), SPAN("\"kind\":-1"));
    log_again(LOG("\"severityNumber\":\"SEVERITY_NUMBER_FATAL4\""), LOG("\"severityNumber\":24"));
    refused(LEAT_TRACES, SPAN("\"kind\":\"SERVER\""), "(Span.kind): not a name of this enum");
    refused(LEAT_TRACES, SPAN("\"kind\":2147483648"), "integer out of range");
}

static void test_keys(void **state)
{
    (void)state;
    log_again("{\"resource_logs\":[{\"scope_logs\":[{\"log_records\":[{\"time_unix_nano\":\"3\","
              "\"severity_text\":\"x\"}]}]}]}",
              LOG("\"timeUnixNano\":\"3\",\"severityText\":\"x\""));
    log_again(LOG("\"tim\\u0065UnixNano\" : 4 , \"flags\" :1"),
              LOG("\"timeUnixNano\":\"4\",\"flags\":1"));
    /* any order */
    log_again(LOG("\"flags\":1,\"timeUnixNano\":4,\"eventName\":\"e\",\"body\":{}"),
              LOG("\"flags\":1,\"timeUnixNano\":\"4\",\"eventName\":\"e\",\"body\":{}"));
    /* unknown, at any depth, also names of other messages or in another case */
    log_again(
        LOG("\"x\":{\"a\":[1,-2.5e3,\"\\\"\",true,false,null,{},[],{\"b\":[[{}]]}]},\"flags\":1,"
            "\"kind\":9,\"\":0,\"TimeUnixNano\":5"),
        LOG("\"flags\":1"));
}

static void test_doubles(void **state)
{
    (void)state;
    again(LEAT_METRICS, POINT("\"asDouble\":1.5"), POINT("\"asDouble\":1.5"));
    again(LEAT_METRICS, POINT("\"asDouble\":\"-2.5e-3\""), POINT("\"asDouble\":-0.0025"));
    again(LEAT_METRICS, POINT("\"asDouble\":\"NaN\""), POINT("\"asDouble\":\"NaN\""));
    again(LEAT_METRICS, POINT("\"asDouble\":\"Infinity\""), POINT("\"asDouble\":\"Infinity\""));
    again(LEAT_METRICS, POINT("\"asDouble\":\"-Infinity\""), POINT("\"asDouble\":\"-Infinity\""));
    again(LEAT_METRICS, POINT("\"asDouble\":0"), POINT("\"asDouble\":0"));
    again(LEAT_METRICS, POINT("\"asDouble\":-0.0"), POINT("\"asDouble\":-0"));
    again(LEAT_METRICS, POINT("\"asDouble\":0.1"), POINT("\"asDouble\":0.1"));
    again(LEAT_METRICS, POINT("\"asDouble\":0.30000000000000004"),
          POINT("\"asDouble\":0.30000000000000004"));
    again(LEAT_METRICS, POINT("\"asDouble\":1.7976931348623157e308"),
          POINT("\"asDouble\":1.7976931348623157e+308"));
    again(LEAT_METRICS, POINT("\"asDouble\":5e-324"), POINT("\"asDouble\":5e-324"));
    again(LEAT_METRICS, POINT("\"asDouble\":1e21"), POINT("\"asDouble\":1e+21"));
    again(LEAT_METRICS, POINT("\"asDouble\":123456789012345680000"),
          POINT("\"asDouble\":123456789012345680000"));
    again(LEAT_METRICS, POINT("\"asDouble\":1e-999"), POINT("\"asDouble\":0"));
    refused(LEAT_METRICS, POINT("\"asDouble\":1e309"), "number out of range for a double");
    refused(LEAT_METRICS, POINT("\"asDouble\":1."), "no digit after the decimal point");
    refused(LEAT_METRICS, POINT("\"asDouble\":1e"), "no digit in the exponent");
    refused(LEAT_METRICS, POINT("\"asDouble\":.5"), "expected a number");
    refused(LEAT_METRICS, POINT("\"asDouble\":NaN"), "expected a number");
    refused(LEAT_METRICS, POINT("\"asDouble\":\"nan\""), "string is not a number");
}

static void test_presence(void **state)
{
    (void)state;
    again(LEAT_METRICS, HISTOGRAM("\"count\":0,\"sum\":0,\"min\":0"),
          HISTOGRAM("\"sum\":0,\"min\":0"));
    again(LEAT_METRICS, POINT("\"asInt\":0"), POINT("\"asInt\":\"0\""));
    log_again(VALUE("\"stringValue\":\"\""), VALUE("\"stringValue\":\"\""));
    log_again(VALUE("\"boolValue\":false"), VALUE("\"boolValue\":false"));
    log_again(VALUE("\"arrayValue\":{}"), VALUE("\"arrayValue\":{}"));
    log_again(VALUE(""), VALUE(""));
}

static void test_null(void **state)
{
    (void)state;
    log_again(
        LOG("\"timeUnixNano\":null,\"severityNumber\":null,\"severityText\":null,\"body\":null,"
            "\"attributes\":null,\"flags\":null,\"x\":null"),
        LOG(""));
    log_again(VALUE("\"stringValue\":null"), VALUE(""));
    log_again(VALUE("\"boolValue\":null,\"doubleValue\":null"), VALUE(""));
    refused(LEAT_LOGS, LOG("\"flags\":nul"), "not a JSON value");
    refused(LEAT_LOGS, LOG("\"flags\":Null"), "expected a number");
}

static void test_repeated_keys(void **state)
{
    (void)state;
    log_again(LOG("\"flags\":5,\"flags\":6"), LOG("\"flags\":6"));
    log_again(LOG("\"flags\":5,\"flags\":0"), LOG(""));
    log_again(LOG("\"flags\":5,\"flags\":null"), LOG(""));
    log_again(LOG("\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"traceId\":\"\""), LOG(""));
    log_again(VALUE("\"stringValue\":\"a\",\"intValue\":1"), VALUE("\"intValue\":\"1\""));
    log_again(LOG("\"attributes\":[{\"key\":\"a\"}],\"flags\":1,\"attributes\":[{\"key\":\"b\"}]"),
              LOG("\"attributes\":[{\"key\":\"a\"},{\"key\":\"b\"}],\"flags\":1"));
    log_again("{\"resourceLogs\":[{\"resource\":{\"droppedAttributesCount\":1},\"resource\":{"
              "\"attributes\":[{\"key\":\"a\"}]}}]}",
              "{\"resourceLogs\":[{\"resource\":{\"droppedAttributesCount\":1,"
              "\"attributes\":[{\"key\":\"a\"}]}}]}");
}

static void test_lists(void **state)
{
    (void)state;
    again(LEAT_METRICS,
          HISTOGRAM("\"bucketCounts\":[1,\"2\",0,null],\"explicitBounds\":[0.5,\"NaN\",null,1e3]"),
          HISTOGRAM("\"bucketCounts\":[\"1\",\"2\",\"0\",\"0\"],"
                    "\"explicitBounds\":[0.5,\"NaN\",0,1000]"));
    again(LEAT_METRICS, HISTOGRAM("\"bucketCounts\":[ ],\"explicitBounds\":[]"), HISTOGRAM(""));
    log_again("{\"resourceLogs\":[{\"resource\":{\"entityRefs\":[{\"type\":\"t\",\"idKeys\":[\"a\","
              "\"\",null]}]}}]}",
              "{\"resourceLogs\":[{\"resource\":{\"entityRefs\":[{\"type\":\"t\",\"idKeys\":[\"a\","
              "\"\",\"\"]}]}}]}");
    refused(LEAT_LOGS, "{\"resourceLogs\":{}}",
            "(ExportLogsServiceRequest.resourceLogs): expected "
            "an array");
    refused(LEAT_LOGS, "{\"resourceLogs\":[{},]}",
            "byte 20 (ExportLogsServiceRequest.resourceLogs)");
    refused(LEAT_LOGS, "{\"resourceLogs\":[1]}", "expected an object");
    refused(LEAT_LOGS, "{\"resourceLogs\":[{}}", "expected ',' or ']'");
    refused(LEAT_LOGS, "{\"resourceLogs\":[{}],}", "byte 21: expected a string");
    refused(LEAT_LOGS, "{\"resourceLogs\":[{}] \"a\":1}", "expected ',' or '}'");
    refused(LEAT_LOGS, "{\"resourceLogs\" [{}]}", "expected ':'");
    refused(LEAT_LOGS, "{/* */}", "expected a string");
}

static void test_strings(void **state)
{
    char json[400], want[400];

    (void)state;
    log_again(
        VALUE("\"stringValue\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\""),
        VALUE("\"stringValue\":\"\\\"\\\\/\\u0008\\u000c\\n\\r\\tA\xc3\xa9\xe2\x82\xac"
              "\xf0\x9f\x98\x80\""));
    log_again(VALUE("\"stringValue\":\"h\xc3\xa9\xf0\x9f\x98\x80\""),
              VALUE("\"stringValue\":\"h\xc3\xa9\xf0\x9f\x98\x80\""));
    /* lone surrogates */
    log_again(VALUE("\"stringValue\":\"\\ud83d \\ude00 \\ud83d\\u0041\\ud83d\""),
              VALUE("\"stringValue\":\"\xef\xbf\xbd \xef\xbf\xbd \xef\xbf\xbd"
                    "A\xef\xbf\xbd\""));
    /* every length around the steps of the quick ways, plain and with an escape at the end */
    for (int len = 0; len < 130; len++) {
        for (int escape = 0; escape < 2; escape++) {
            snprintf(json, sizeof json,
                     LOG("\"attributes\":[{\"key\":\"%.*s\",\"value\":{"
                         "\"stringValue\":\"%.*s%s\"}}]"),
                     len / 2 + 1,
                     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", len,
                     "0123456789012345678901234567890123456789012345678901234567890123456789"
                     "0123456789012345678901234567890123456789012345678901234567890123456789",
                     escape ? "\\u0041" : "");
            snprintf(want, sizeof want,
                     LOG("\"attributes\":[{\"key\":\"%.*s\",\"value\":{"
                         "\"stringValue\":\"%.*s%s\"}}]"),
                     len / 2 + 1,
                     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", len,
                     "0123456789012345678901234567890123456789012345678901234567890123456789"
                     "0123456789012345678901234567890123456789012345678901234567890123456789",
                     escape ? "A" : "");
            log_again(json, want);
        }
    }
    refused(LEAT_LOGS, VALUE("\"stringValue\":\"a\nb\""), "control character in a string");
    refused(LEAT_LOGS, VALUE("\"stringValue\":\"\\x41\""), "not a valid escape");
    refused(LEAT_LOGS, VALUE("\"stringValue\":\"\\u12g4\""), "not a valid escape");
    refused(LEAT_LOGS, VALUE("\"stringValue\":\"\xff\""),
            "byte 69 (AnyValue.stringValue): string is not valid UTF-8");
    refused(LEAT_LOGS, VALUE("\"stringValue\":\"\xed\xa0\x80\""), "not valid UTF-8");
    refused(LEAT_LOGS, VALUE("\"stringValue\":\"abc"), "string without end");
    refused(LEAT_LOGS, LOG("\"x\":\"\xc0\x80\""), "not valid UTF-8");
}

static void test_bytes(void **state)
{
    (void)state;
    log_again(VALUE("\"bytesValue\":\"AAH/\""), VALUE("\"bytesValue\":\"AAH/\""));
    log_again(VALUE("\"bytesValue\":\"AAH\\/AA==\""), VALUE("\"bytesValue\":\"AAH/AA==\""));
    log_again(VALUE("\"bytesValue\":\"AA\""), VALUE("\"bytesValue\":\"AA==\""));
    log_again(VALUE("\"bytesValue\":\"\""), VALUE("\"bytesValue\":\"\""));
    refused(LEAT_LOGS, VALUE("\"bytesValue\":\"A\""), "(AnyValue.bytesValue): not base64");
    refused(LEAT_LOGS, VALUE("\"bytesValue\":\"AA*=\""), "not base64");
}

/* An attribute in every shape that the quick way must leave alone. */
static void test_attributes(void **state)
{
    static const char *const shapes[][2] = {
        {"{\"key\":\"k\",\"value\":{\"boolValue\":true}}", NULL},
        {"{\"key\":\"k\",\"value\":{\"boolValue\":false}}", NULL},
        {"{\"key\":\"k\",\"value\":{\"intValue\":\"1234567890123456\"}}", NULL},
        {"{\"key\":\"k\",\"value\":{\"intValue\":\"1234567890123456789\"}}", NULL},
        {"{\"key\":\"k\",\"value\":{\"intValue\":\"-7\"}}", NULL},
        {"{\"key\":\"k\",\"value\":{\"doubleValue\":0.25}}", NULL},
        {"{\"key\":\"k\",\"value\":{\"intValue\":7}}",
         "{\"key\":\"k\",\"value\":{\"intValue\":\"7\"}}"},
        {"{\"key\":\"\",\"value\":{\"stringValue\":\"\"}}", "{\"value\":{\"stringValue\":\"\"}}"},
        {"{\"key\":\"k\",\"value\":{\"stringValue\":\"a\",\"x\":1}}",
         "{\"key\":\"k\",\"value\":{\"stringValue\":\"a\"}}"},
        {"{\"key\":\"k\",\"value\":{\"stringValue\":\"a\"},\"key\":\"l\"}",
         "{\"key\":\"l\",\"value\":{\"stringValue\":\"a\"}}"},
        {"{ \"key\" : \"k\", \"value\" : { \"stringValue\" : \"a\" } }",
         "{\"key\":\"k\",\"value\":{\"stringValue\":\"a\"}}"},
        {"{\"value\":{\"stringValue\":\"a\"},\"key\":\"k\"}", NULL},
        {"{\"key\":\"k\",\"value\":{}}", NULL},
    };
    char json[400], want[400];

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const char *out = shapes[i][1] != NULL ? shapes[i][1] : shapes[i][0];
        snprintf(json, sizeof json, LOG("\"attributes\":[%s,%s]"), shapes[i][0], shapes[i][0]);
        snprintf(want, sizeof want, LOG("\"attributes\":[%s,%s]"), out, out);
        log_again(json, want);
    }
    refused(LEAT_LOGS, LOG("\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":\"01\"}}]"),
            "(AnyValue.intValue): string is not a number");
}

static void nested(struct leat_text *t, int depth)
{
    leat_text_clear(t);
    leat_text_str(t, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":");
    for (int i = 1; i < depth; i++)
        leat_text_str(t, "{\"arrayValue\":{\"values\":[");
    leat_text_str(t, "{\"intValue\":\"1\"}");
    for (int i = 1; i < depth; i++)
        leat_text_str(t, "]}}");
    leat_text_str(t, "}]}]}]}");
}

static void test_depth(void **state)
{
    struct leat_text t;

    (void)state;
    leat_text_init(&t, 4 << 20);
    nested(&t, LEAT_OTLP_DEPTH);
    log_again(leat_text_get(&t), leat_text_get(&t));
    nested(&t, LEAT_OTLP_DEPTH + 1);
    refused(LEAT_LOGS, leat_text_get(&t), "values nested too deep (more than 64)");
    nested(&t, 100000);
    refused(LEAT_LOGS, leat_text_get(&t), "values nested too deep");
    leat_text_clear(&t);
    leat_text_str(&t, "{\"x\":");
    for (int i = 0; i < 1000000; i++)
        leat_text_char(&t, i % 2 ? '[' : '[');
    refused(LEAT_LOGS, leat_text_get(&t), "byte 517: nested too deep");
    leat_text_clear(&t);
    leat_text_str(&t, "{\"x\":");
    for (int i = 0; i < 100000; i++)
        leat_text_str(&t, "{\"a\":");
    refused(LEAT_LOGS, leat_text_get(&t), "nested too deep");
    leat_text_done(&t);
}

static void test_long_numbers(void **state)
{
    struct leat_text t;

    (void)state;
    leat_text_init(&t, 1 << 20);
    for (size_t digits = 100; digits < 100000; digits *= 9) {
        leat_text_clear(&t);
        leat_text_str(&t, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{"
                          "\"dataPoints\":[{\"asDouble\":0.");
        for (size_t i = 0; i < digits; i++)
            leat_text_char(&t, '1');
        leat_text_str(&t, "}]}}]}]}]}");
        if (digits < 1000)
            again(LEAT_METRICS, leat_text_get(&t), POINT("\"asDouble\":0.1111111111111111"));
        else
            refused(LEAT_METRICS, leat_text_get(&t), "more than 1024 characters");
    }
    leat_text_done(&t);
}

/* A request with a bit of everything. */
static const char everything[] =
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
    "\"stringValue\":\"shop\"}}]},\"scopeLogs\":[{\"scope\":{\"name\":\"s\"},\"logRecords\":[{"
    "\"timeUnixNano\":\"1700000000000000000\",\"severityNumber\":9,\"body\":{\"kvlistValue\":{"
    "\"values\":[{\"key\":\"a\",\"value\":{\"doubleValue\":1.25e2}},{\"key\":\"b\",\"value\":{"
    "\"bytesValue\":\"AAECAw==\"}},{\"key\":\"c\\u00e9\",\"value\":{\"boolValue\":true}}]}},"
    "\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"-12\"}}],\"flags\":1,\"traceId\":"
    "\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\",\"x\":[1,{\"y\":null}]}]"
    ",\"schemaUrl\":\"http://x\"}]}]}";

static void test_truncated(void **state)
{
    struct leat_err err;
    struct leat_buf *buf;

    (void)state;
    for (size_t len = 0; len < sizeof everything - 1; len++)
        assert_int_equal(read_json(LEAT_LOGS, everything, len, &buf, &err), LEAT_JSON_BAD);
    assert_int_equal(read_json(LEAT_LOGS, everything, sizeof everything - 1, &buf, &err),
                     LEAT_JSON_OK);
    leat_buf_unref(buf);
}

/* Every byte replaced by every interesting one: an answer, and never a crash. */
static void test_mutated(void **state)
{
    static const char with[] = "\"\\{}[]:,0-e.n\x01\xff ";
    char json[sizeof everything];
    struct leat_err err;
    struct leat_buf *buf;

    (void)state;
    for (size_t at = 0; at < sizeof everything - 1; at++) {
        for (size_t i = 0; i < sizeof with; i++) {
            memcpy(json, everything, sizeof json);
            json[at] = with[i];
            if (read_json(LEAT_LOGS, json, sizeof json - 1, &buf, &err) == LEAT_JSON_OK)
                leat_buf_unref(buf);
            assert_int_equal(leat_budget_used(&budget), 0);
        }
    }
}

static void test_memory(void **state)
{
    struct leat_otlp_count count;
    struct leat_bytes json = leat_bytes(everything, sizeof everything - 1);
    struct leat_budget small;
    struct leat_err err;
    struct leat_buf *buf;
    enum leat_json_result r = LEAT_JSON_BAD;

    (void)state;
    for (size_t limit = 0; limit < 2000; limit += 50) {
        leat_budget_init(&small, limit);
        r = leat_otlp_from_json(LEAT_LOGS, json, &small, &buf, &count, &err);
        assert_true(r == LEAT_JSON_OK || (r == LEAT_JSON_NO_MEMORY && limit < 1500));
        leat_buf_unref(buf);
        assert_int_equal(leat_budget_used(&small), 0);
    }
    assert_int_equal(r, LEAT_JSON_OK);
    for (uint64_t nth = 1; nth < 3; nth++) {
        struct leat_text t;
        size_t tries;

        leat_text_init(&t, 100000);
        leat_text_str(&t, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{"
                          "\"dataPoints\":[");
        for (int i = 0; i < 300; i++)
            leat_text_str(&t, "{},");
        leat_text_str(&t, "{\"exemplars\":[{}]}]}}]}]}]}");
        leat_mem_fail_at(nth);
        tries = leat_mem_tries();
        r = leat_otlp_from_json(LEAT_METRICS, leat_text_bytes(&t), &budget, &buf, &count, &err);
        leat_mem_fail_at(0);
        /* the second try is the growing or, when none was needed, the giving back of what is over
         */
        assert_true(r == LEAT_JSON_NO_MEMORY || (nth == 2 && leat_mem_tries() - tries == 2));
        leat_buf_unref(buf);
        assert_int_equal(leat_budget_used(&budget), 0);
        leat_text_done(&t);
    }
}

/* Lists of numbers become larger than their text: the buffer grows as it must, and only so. */
static void test_growth(void **state)
{
    struct leat_text t;
    struct leat_err err = {""};
    struct leat_buf *buf;

    (void)state;
    leat_text_init(&t, 1 << 20);
    leat_text_str(&t, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{"
                      "\"dataPoints\":[{\"bucketCounts\":[");
    for (int i = 0; i < 10000; i++)
        leat_text_str(&t, "1,");
    leat_text_str(&t, "1]}]}}]}]}]}");
    assert_int_equal(read_json(LEAT_METRICS, leat_text_get(&t), t.len, &buf, &err), LEAT_JSON_OK);
    assert_in_range(buf->len, 80008, 80040);
    leat_buf_unref(buf);
    leat_text_done(&t);
}

/* Two requests as one object; and every maximum ends in a sticking error or the whole text. */
static void test_parts(void **state)
{
    struct leat_bytes parts[3] = {leat_bytes("\x0a\x00\x0a\x03\x1a\x01x", 7), leat_bytes("", 0),
                                  leat_bytes("\x0a\x03\x1a\x01\xff", 5)};
    static const char want[] = "{\"resourceSpans\":[{},{\"schemaUrl\":\"x\"},"
                               "{\"schemaUrl\":\"\xef\xbf\xbd\"}]}";

    (void)state;
    for (size_t max = 0; max < 200; max++) {
        struct leat_text t;

        leat_text_init(&t, max);
        leat_otlp_to_json(LEAT_TRACES, parts, 3, &t);
        assert_int_equal(leat_text_ok(&t), max >= sizeof want - 1);
        assert_true(t.len <= max);
        if (leat_text_ok(&t))
            assert_string_equal(leat_text_get(&t), want);
        leat_text_done(&t);
    }
}

/* Fields whose zero is not the same as nothing (proto3 `optional`). */
static bool has_presence(const ProtobufCMessageDescriptor *d, const char *name)
{
    return strstr(d->short_name, "HistogramDataPoint") != NULL &&
           (strcmp(name, "sum") == 0 || strcmp(name, "min") == 0 || strcmp(name, "max") == 0);
}

/* The schema of the oracle has presence everywhere: takes away what proto3 would not write. */
static void strip_defaults(ProtobufCMessage *m)
{
    static const char zero[8];

    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        char *at = (char *)m + f->offset, *quantifier = (char *)m + f->quantifier_offset;
        bool oneof = f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
        size_t size =
            f->type == PROTOBUF_C_TYPE_DOUBLE || f->type == PROTOBUF_C_TYPE_FIXED64 ? 8 : 4;

        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            ProtobufCMessage **list = *(ProtobufCMessage ***)(void *)at;
            for (size_t n = 0;
                 f->type == PROTOBUF_C_TYPE_MESSAGE && n < *(size_t *)(void *)quantifier; n++)
                strip_defaults(list[n]);
        } else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
            if (*(void **)(void *)at != NULL &&
                (!oneof || *(uint32_t *)(void *)quantifier == f->id))
                strip_defaults(*(ProtobufCMessage **)(void *)at);
        } else if (oneof || has_presence(m->descriptor, f->name)) {
            continue;
        } else if (f->type == PROTOBUF_C_TYPE_STRING) {
            char **text = (char **)(void *)at;
            if (*text != NULL && *text != f->default_value && **text == 0) {
                leat_free(*text);
                *text = NULL;
            }
        } else if (f->type == PROTOBUF_C_TYPE_BYTES) {
            if (((ProtobufCBinaryData *)(void *)at)->len == 0)
                *(protobuf_c_boolean *)(void *)quantifier = 0;
        } else if (memcmp(at, zero, size) == 0) {
            *(protobuf_c_boolean *)(void *)quantifier = 0;
        }
    }
}

/* To JSON and back must give a message that the generated code packs to `want`. */
static void round_trip(enum leat_signal s, struct leat_bytes request, struct leat_bytes want)
{
    ProtobufCMessage *back;
    struct leat_text json, again_json, packed;
    struct leat_bytes part;
    struct leat_buf *buf;
    struct leat_err err = {""};

    leat_text_init(&json, OTLP_RANDOM_MAX);
    leat_text_init(&again_json, OTLP_RANDOM_MAX);
    leat_text_init(&packed, OTLP_RANDOM_MAX);
    leat_otlp_to_json(s, &request, 1, &json);
    assert_true(leat_text_ok(&json));
    if (read_json(s, leat_text_get(&json), json.len, &buf, &err) != LEAT_JSON_OK)
        fail_msg("%s", err.text);
    part = leat_bytes(buf->data, buf->len);
    leat_otlp_to_json(s, &part, 1, &again_json);
    assert_string_equal(leat_text_get(&json), leat_text_get(&again_json));
    back = otlp_random_unpack(s, part);
    assert_non_null(back);
    otlp_random_pack(back, &packed);
    assert_int_equal(packed.len, want.len);
    assert_memory_equal(packed.data, want.data, want.len);
    otlp_random_free(back);
    leat_buf_unref(buf);
    leat_text_done(&json);
    leat_text_done(&again_json);
    leat_text_done(&packed);
}

/* Random requests, as the generated code packs them and encoded in odd ways: fields in any order,
 * lists and sub-messages in pieces, unknown fields. */
static void test_round_trip(void **state)
{
    struct otlp_random rnd = {.state = 7};

    (void)state;
    for (int i = 0; i < 300; i++) {
        enum leat_signal s = (enum leat_signal)(i % LEAT_SIGNALS);
        ProtobufCMessage *m = otlp_random_request(&rnd, s, 3);
        struct leat_text wire, odd, want;

        leat_text_init(&wire, OTLP_RANDOM_MAX);
        leat_text_init(&odd, OTLP_RANDOM_MAX);
        leat_text_init(&want, OTLP_RANDOM_MAX);
        otlp_random_pack(m, &wire);
        otlp_random_scramble(&rnd, otlp_random_type(s), leat_text_bytes(&wire), true, &odd);
        otlp_random_free(m);
        m = otlp_random_unpack(s, leat_text_bytes(&wire)); /* made of memory that can be freed */
        strip_defaults(m);
        otlp_random_pack(m, &want);
        round_trip(s, leat_text_bytes(&wire), leat_text_bytes(&want));
        round_trip(s, leat_text_bytes(&odd), leat_text_bytes(&want));
        otlp_random_free(m);
        leat_text_done(&wire);
        leat_text_done(&odd);
        leat_text_done(&want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),     cmocka_unit_test(test_ids),
        cmocka_unit_test(test_integers),  cmocka_unit_test(test_signed_32),
        cmocka_unit_test(test_enums),     cmocka_unit_test(test_keys),
        cmocka_unit_test(test_doubles),   cmocka_unit_test(test_presence),
        cmocka_unit_test(test_null),      cmocka_unit_test(test_repeated_keys),
        cmocka_unit_test(test_lists),     cmocka_unit_test(test_strings),
        cmocka_unit_test(test_bytes),     cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_depth),     cmocka_unit_test(test_long_numbers),
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_mutated),
        cmocka_unit_test(test_memory),    cmocka_unit_test(test_growth),
        cmocka_unit_test(test_parts),     cmocka_unit_test(test_round_trip),
    };
    leat_budget_init(&budget, 64 << 20);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
