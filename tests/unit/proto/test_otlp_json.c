/* OTLP/JSON: each rule of the encoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/text.h"
#include "lib/otlp_json_help.h"

static void log_again(const char *json, const char *want)
{
    otlp_json_again(LEAT_LOGS, json, want);
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
    otlp_json_refused(LEAT_LOGS, "", "byte 0: expected an object");
    otlp_json_refused(LEAT_LOGS, "[]", "byte 0: expected an object");
    otlp_json_refused(LEAT_LOGS, "null", "byte 0: expected an object");
    otlp_json_refused(LEAT_LOGS, "{} {}", "byte 3: more text after");
    otlp_json_refused(LEAT_LOGS, "\xef\xbb\xbf{}", "byte 0: expected an object");
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
    log_again(
        LOG("\"traceId\":\"00000000000000000000000000000001\",\"spanId\":\"0000000000000001\""),
        LOG("\"traceId\":\"00000000000000000000000000000001\",\"spanId\":\"0000000000000001\""));
    log_again(LOG("\"traceId\":\"10000000000000000000000000000000\""),
              LOG("\"traceId\":\"10000000000000000000000000000000\""));
    log_again(LOG("\"spanId\":\"\\u0065ee19b7ec3c1b174\""), LOG("\"spanId\":\"eee19b7ec3c1b174\""));
    otlp_json_refused(LEAT_LOGS, LOG("\"traceId\":\"5b8e\""),
                      "byte 57 (LogRecord.traceId): a trace id has 32 hex digits");
    otlp_json_refused(LEAT_LOGS, LOG("\"spanId\":\"7uGbfsPBsXQ=\""), "a span id has 16 hex digits");
    otlp_json_refused(LEAT_LOGS, LOG("\"spanId\":\"eee19b7ec3c1b17g\""),
                      "(LogRecord.spanId): not hex");
    otlp_json_refused(LEAT_LOGS, LOG("\"spanId\":\"eee19b7ec3c1b17@\""),
                      "(LogRecord.spanId): not hex");
    otlp_json_refused(LEAT_LOGS, LOG("\"spanId\":5"), "expected a string");
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
    otlp_json_refused(LEAT_LOGS, LOG("\"timeUnixNano\":18446744073709551616"),
                      "integer out of range");
    otlp_json_refused(LEAT_LOGS, LOG("\"timeUnixNano\":-1"),
                      "(LogRecord.timeUnixNano): integer out of");
    otlp_json_refused(LEAT_LOGS, LOG("\"timeUnixNano\":1e20"), "integer out of range");
    otlp_json_refused(LEAT_LOGS, LOG("\"timeUnixNano\":1e999999999"), "integer out of range");
    otlp_json_refused(LEAT_LOGS, LOG("\"flags\":4294967296"), "integer out of range");
    otlp_json_refused(LEAT_LOGS, VALUE("\"intValue\":9223372036854775808"), "integer out of range");
    otlp_json_refused(LEAT_LOGS, VALUE("\"intValue\":\"-9223372036854775809\""),
                      "integer out of range");
    otlp_json_refused(LEAT_LOGS, VALUE("\"intValue\":1.5"),
                      "(AnyValue.intValue): number is not an integer");
    otlp_json_refused(LEAT_LOGS, VALUE("\"intValue\":1e-1"), "number is not an integer");
    otlp_json_refused(LEAT_LOGS, VALUE("\"intValue\":1.00000000000000000000000000001"),
                      "not an integer");
    otlp_json_refused(LEAT_LOGS, VALUE("\"intValue\":\"\""), "string is not a number");
    otlp_json_refused(LEAT_LOGS, VALUE("\"intValue\":\" 5\""), "string is not a number");
    otlp_json_refused(LEAT_LOGS, VALUE("\"intValue\":\"5x\""), "string is not a number");
    otlp_json_refused(LEAT_LOGS, VALUE("\"intValue\":true"), "expected a number");
    otlp_json_refused(LEAT_LOGS, VALUE("\"intValue\":007"), "leading zero");
    otlp_json_refused(LEAT_LOGS, VALUE("\"intValue\":+7"), "expected a number");
}

static void test_signed_32(void **state)
{
#define BUCKETS(X)                                                                                 \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"exponentialHistogram\":{"           \
    "\"dataPoints\":[{" X "}]}}]}]}]}"
    (void)state;
    otlp_json_again(
        LEAT_METRICS,
        BUCKETS("\"scale\":-5,\"positive\":{\"offset\":2147483647,\"bucketCounts\":[\"1\",2,0]},"
                "\"negative\":{\"offset\":\"-2147483648\"}"),
        BUCKETS("\"scale\":-5,\"positive\":{\"offset\":2147483647,\"bucketCounts\":[\"1\",\"2\","
                "\"0\"]},\"negative\":{\"offset\":-2147483648}"));
    otlp_json_refused(LEAT_METRICS, BUCKETS("\"scale\":2147483648"), "integer out of range");
    otlp_json_refused(LEAT_METRICS, BUCKETS("\"scale\":-2147483649"), "integer out of range");
}

static void test_enums(void **state)
{
    (void)state;
    otlp_json_again(LEAT_TRACES, SPAN("\"kind\":\"SPAN_KIND_SERVER\""), SPAN("\"kind\":2"));
    otlp_json_again(LEAT_TRACES, SPAN("\"kind\":3,\"status\":{\"code\":\"STATUS_CODE_ERROR\"}"),
                    SPAN("\"kind\":3,\"status\":{\"code\":2}"));
    otlp_json_again(LEAT_TRACES, SPAN("\"kind\":77"), SPAN("\"kind\":77"));
    otlp_json_again(LEAT_TRACES, SPAN("\"kind\":-1"), SPAN("\"kind\":-1"));
    log_again(LOG("\"severityNumber\":\"SEVERITY_NUMBER_FATAL4\""), LOG("\"severityNumber\":24"));
    otlp_json_refused(LEAT_TRACES, SPAN("\"kind\":\"SERVER\""),
                      "(Span.kind): not a name of this enum");
    otlp_json_refused(LEAT_TRACES, SPAN("\"kind\":2147483648"), "integer out of range");
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
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":1.5"), POINT("\"asDouble\":1.5"));
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":\"-2.5e-3\""), POINT("\"asDouble\":-0.0025"));
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":\"NaN\""), POINT("\"asDouble\":\"NaN\""));
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":\"Infinity\""),
                    POINT("\"asDouble\":\"Infinity\""));
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":\"-Infinity\""),
                    POINT("\"asDouble\":\"-Infinity\""));
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":0"), POINT("\"asDouble\":0"));
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":-0.0"), POINT("\"asDouble\":-0"));
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":0.1"), POINT("\"asDouble\":0.1"));
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":0.30000000000000004"),
                    POINT("\"asDouble\":0.30000000000000004"));
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":1.7976931348623157e308"),
                    POINT("\"asDouble\":1.7976931348623157e+308"));
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":5e-324"), POINT("\"asDouble\":5e-324"));
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":1e21"), POINT("\"asDouble\":1e+21"));
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":123456789012345680000"),
                    POINT("\"asDouble\":123456789012345680000"));
    otlp_json_again(LEAT_METRICS, POINT("\"asDouble\":1e-999"), POINT("\"asDouble\":0"));
    otlp_json_refused(LEAT_METRICS, POINT("\"asDouble\":1e309"),
                      "number out of range for a double");
    otlp_json_refused(LEAT_METRICS, POINT("\"asDouble\":1."), "no digit after the decimal point");
    otlp_json_refused(LEAT_METRICS, POINT("\"asDouble\":1e"), "no digit in the exponent");
    otlp_json_refused(LEAT_METRICS, POINT("\"asDouble\":.5"), "expected a number");
    otlp_json_refused(LEAT_METRICS, POINT("\"asDouble\":NaN"), "expected a number");
    otlp_json_refused(LEAT_METRICS, POINT("\"asDouble\":\"nan\""), "string is not a number");
}

static void test_presence(void **state)
{
    (void)state;
    otlp_json_again(LEAT_METRICS, HISTOGRAM("\"count\":0,\"sum\":0,\"min\":0"),
                    HISTOGRAM("\"sum\":0,\"min\":0"));
    otlp_json_again(LEAT_METRICS, POINT("\"asInt\":0"), POINT("\"asInt\":\"0\""));
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
    otlp_json_refused(LEAT_LOGS, LOG("\"flags\":nul"), "not a JSON value");
    otlp_json_refused(LEAT_LOGS, LOG("\"flags\":Null"), "expected a number");
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
    otlp_json_again(
        LEAT_METRICS,
        HISTOGRAM("\"bucketCounts\":[1,\"2\",0,null],\"explicitBounds\":[0.5,\"NaN\",null,1e3]"),
        HISTOGRAM("\"bucketCounts\":[\"1\",\"2\",\"0\",\"0\"],"
                  "\"explicitBounds\":[0.5,\"NaN\",0,1000]"));
    otlp_json_again(LEAT_METRICS, HISTOGRAM("\"bucketCounts\":[ ],\"explicitBounds\":[]"),
                    HISTOGRAM(""));
    log_again("{\"resourceLogs\":[{\"resource\":{\"entityRefs\":[{\"type\":\"t\",\"idKeys\":[\"a\","
              "\"\",null]}]}}]}",
              "{\"resourceLogs\":[{\"resource\":{\"entityRefs\":[{\"type\":\"t\",\"idKeys\":[\"a\","
              "\"\",\"\"]}]}}]}");
    otlp_json_refused(LEAT_LOGS, "{\"resourceLogs\":{}}",
                      "(ExportLogsServiceRequest.resourceLogs): expected "
                      "an array");
    otlp_json_refused(LEAT_LOGS, "{\"resourceLogs\":[{},]}",
                      "byte 20 (ExportLogsServiceRequest.resourceLogs)");
    otlp_json_refused(LEAT_LOGS, "{\"resourceLogs\":[1]}", "expected an object");
    otlp_json_refused(LEAT_LOGS, "{\"resourceLogs\":[{}}", "expected ',' or ']'");
    otlp_json_refused(LEAT_LOGS, "{\"resourceLogs\":[{}],}", "byte 21: expected a string");
    otlp_json_refused(LEAT_LOGS, "{\"resourceLogs\":[{}] \"a\":1}", "expected ',' or '}'");
    otlp_json_refused(LEAT_LOGS, "{\"resourceLogs\" [{}]}", "expected ':'");
    otlp_json_refused(LEAT_LOGS, "{/* */}", "expected a string");
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
    otlp_json_refused(LEAT_LOGS, VALUE("\"stringValue\":\"a\nb\""),
                      "control character in a string");
    otlp_json_refused(LEAT_LOGS, VALUE("\"stringValue\":\"\\x41\""), "not a valid escape");
    otlp_json_refused(LEAT_LOGS, VALUE("\"stringValue\":\"\\u12g4\""), "not a valid escape");
    otlp_json_refused(LEAT_LOGS, VALUE("\"stringValue\":\"\xff\""),
                      "byte 69 (AnyValue.stringValue): string is not valid UTF-8");
    otlp_json_refused(LEAT_LOGS, VALUE("\"stringValue\":\"\xed\xa0\x80\""), "not valid UTF-8");
    otlp_json_refused(LEAT_LOGS, VALUE("\"stringValue\":\"abc"), "string without end");
    otlp_json_refused(LEAT_LOGS, LOG("\"x\":\"\xc0\x80\""), "not valid UTF-8");
}

static void test_bytes(void **state)
{
    (void)state;
    log_again(VALUE("\"bytesValue\":\"AAH/\""), VALUE("\"bytesValue\":\"AAH/\""));
    log_again(VALUE("\"bytesValue\":\"AAH\\/AA==\""), VALUE("\"bytesValue\":\"AAH/AA==\""));
    log_again(VALUE("\"bytesValue\":\"AA\""), VALUE("\"bytesValue\":\"AA==\""));
    log_again(VALUE("\"bytesValue\":\"\""), VALUE("\"bytesValue\":\"\""));
    otlp_json_refused(LEAT_LOGS, VALUE("\"bytesValue\":\"A\""),
                      "(AnyValue.bytesValue): not base64");
    otlp_json_refused(LEAT_LOGS, VALUE("\"bytesValue\":\"AA*=\""), "not base64");
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
    otlp_json_refused(LEAT_LOGS,
                      LOG("\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":\"01\"}}]"),
                      "(AnyValue.intValue): string is not a number");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),    cmocka_unit_test(test_ids),
        cmocka_unit_test(test_integers), cmocka_unit_test(test_signed_32),
        cmocka_unit_test(test_enums),    cmocka_unit_test(test_keys),
        cmocka_unit_test(test_doubles),  cmocka_unit_test(test_presence),
        cmocka_unit_test(test_null),     cmocka_unit_test(test_repeated_keys),
        cmocka_unit_test(test_lists),    cmocka_unit_test(test_strings),
        cmocka_unit_test(test_bytes),    cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
