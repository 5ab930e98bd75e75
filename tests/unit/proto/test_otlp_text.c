/* The views for human eyes, against what the collector's debug exporter prints for such data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "lib/otlp_random.h"
#include "proto/otlp_json.h"
#include "proto/otlp_text.h"
#include "proto/otlp_view.h"

enum view { BASIC, NORMAL, DETAILED, PRETTY, COLOUR };

static void view(enum view v, enum leat_signal s, const struct leat_bytes *parts, size_t n,
                 struct leat_text *out)
{
    switch (v) {
    case BASIC:
        leat_otlp_text_basic(s, parts, n, out);
        break;
    case NORMAL:
        leat_otlp_text_normal(s, parts, n, out);
        break;
    case DETAILED:
        leat_otlp_text_detailed(s, parts, n, out);
        break;
    default:
        leat_otlp_text_pretty(s, parts, n, v == COLOUR, out);
    }
}

static void shows(enum view v, enum leat_signal s, const char *json, const char *want)
{
    struct leat_otlp_count count;
    struct leat_bytes part;
    struct leat_text out;
    struct leat_buf *buf;
    struct leat_err err;

    if (leat_otlp_from_json(s, leat_bytes_str(json), NULL, &buf, &count, &err) != LEAT_JSON_OK)
        fail_msg("%s", err.text);
    part = leat_bytes(buf->data, buf->len);
    leat_text_init(&out, 1 << 20);
    view(v, s, &part, 1, &out);
    assert_true(leat_text_ok(&out));
    assert_string_equal(leat_text_get(&out), want);
    leat_text_done(&out);
    leat_buf_unref(buf);
}

static const char logs[] =
    "{\"resourceLogs\":[{\"schemaUrl\":\"http://r\",\"resource\":{\"attributes\":[{\"key\":"
    "\"service.name\",\"value\":{\"stringValue\":\"shop\"}},{\"key\":\"n\",\"value\":{\"intValue\":"
    "2}}],"
    "\"entityRefs\":[{\"type\":\"service\",\"schemaUrl\":\"http://"
    "e\",\"idKeys\":[\"service.name\"],"
    "\"descriptionKeys\":[\"n\"]}]},\"scopeLogs\":[{\"scope\":{\"name\":\"lib\",\"version\":\"1."
    "2\","
    "\"attributes\":[{\"key\":\"a\",\"value\":{\"boolValue\":true}}]},\"schemaUrl\":\"http://s\","
    "\"logRecords\":[{\"timeUnixNano\":\"1581452773000000789\",\"severityNumber\":9,"
    "\"severityText\":"
    "\"Info\",\"eventName\":\"ev\",\"body\":{\"stringValue\":\"it "
    "\\u001b[2J\\nhappened\"},\"attributes\":[{\"key\":"
    "\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"z\",\"value\":{\"doubleValue\":1e-7}}"
    ","
    "{\"key\":\"b\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1},{},{\"bytesValue\":"
    "\"AAE=\"}]}}}"
    "]}}},{\"key\":\"e\",\"value\":{}},{\"key\":\"d\",\"value\":{\"doubleValue\":2.50}}],\"flags\":"
    "1,"
    "\"traceId\":\"0804020100000000000000000000000a\",\"spanId\":\"0102040800000000\"},{"
    "\"observedTimeUnixNano\":\"1581452773500000000\"}]}]}]}";

static void test_logs(void **state)
{
    (void)state;
    shows(BASIC, LEAT_LOGS, logs, "{\"resource logs\": 1, \"log records\": 2}\n");
    shows(NORMAL, LEAT_LOGS, logs,
          "ResourceLog #0 [http://r] service.name=shop n=2\n"
          "ScopeLog #0 lib@1.2 [http://s] a=true\n"
          "it \\x1b[2J\\nhappened m={\"b\":[1,null,\"AAE=\"],\"z\":1e-7} e= d=2.5\n"
          " \n");
    shows(DETAILED, LEAT_LOGS, logs,
          "ResourceLog #0\n"
          "Resource SchemaURL: http://r\n"
          "Resource attributes:\n"
          "     -> service.name: Str(shop)\n"
          "     -> n: Int(2)\n"
          "Resource entity refs:\n"
          "     -> Entity ref #0:\n"
          "          -> Type: service\n"
          "          -> Schema URL: http://e\n"
          "          -> ID keys:\n"
          "               -> service.name\n"
          "          -> Description keys:\n"
          "               -> n\n"
          "ScopeLogs #0\n"
          "ScopeLogs SchemaURL: http://s\n"
          "InstrumentationScope lib 1.2\n"
          "InstrumentationScope attributes:\n"
          "     -> a: Bool(true)\n"
          "LogRecord #0\n"
          "ObservedTimestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "Timestamp: 2020-02-11 20:26:13.000000789 +0000 UTC\n"
          "SeverityText: Info\n"
          "SeverityNumber: Info(9)\n"
          "EventName: ev\n"
          "Body: Str(it \\x1b[2J\\nhappened)\n"
          "Attributes:\n"
          "     -> m: Map({\"b\":[1,null,\"AAE=\"],\"z\":1e-7})\n"
          "     -> e: Empty()\n"
          "     -> d: Double(2.5)\n"
          "Trace ID: 0804020100000000000000000000000a\n"
          "Span ID: 0102040800000000\n"
          "Flags: 1\n"
          "LogRecord #1\n"
          "ObservedTimestamp: 2020-02-11 20:26:13.5 +0000 UTC\n"
          "Timestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "SeverityText: \n"
          "SeverityNumber: Unspecified(0)\n"
          "Body: Empty()\n"
          "Trace ID: \n"
          "Span ID: \n"
          "Flags: 0\n");
    shows(PRETTY, LEAT_LOGS, logs,
          "20:26:13.000 shop Info it \\x1b[2J\\nhappened 08040201 m={\"b\":[1,null,\"AAE=\"],"
          "\"z\":1e-7} e= d=2.5\n"
          "20:26:13.500 shop \n");
}

static const char spans[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
    "\"stringValue\":\"shop\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":"
    "\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"1112131415161718\",\"parentSpanId\":"
    "\"2112131415161718\",\"traceState\":\"ot=th:0\",\"name\":\"GET /\",\"kind\":2,"
    "\"startTimeUnixNano\":\"1581452772000000321\",\"endTimeUnixNano\":\"1581452773000000789\","
    "\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}],\"droppedAttributesCount\":"
    "1,"
    "\"events\":[{\"name\":\"e\",\"timeUnixNano\":\"1581452773000000123\","
    "\"droppedAttributesCount\":2,"
    "\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}]},{}],\"links\":[{"
    "\"traceId\":"
    "\"0102030405060708090a0b0c0d0e0f10\",\"traceState\":\"x\",\"attributes\":[{\"key\":\"k\","
    "\"value\":{"
    "\"stringValue\":\"v\"}}]}],\"status\":{\"code\":2,\"message\":\"cancelled\"}},{\"name\":\"B\","
    "\"startTimeUnixNano\":\"1581452772000000000\",\"endTimeUnixNano\":\"1581452772012300000\"}]}]}"
    "]}";

static void test_spans(void **state)
{
    (void)state;
    shows(BASIC, LEAT_TRACES, spans, "{\"resource spans\": 1, \"spans\": 2}\n");
    shows(NORMAL, LEAT_TRACES, spans,
          "ResourceTraces #0 service.name=shop\n"
          "ScopeTraces #0\n"
          "GET / 0102030405060708090a0b0c0d0e0f10 1112131415161718 k=v\n"
          "B  \n");
    shows(DETAILED, LEAT_TRACES, spans,
          "ResourceSpans #0\n"
          "Resource SchemaURL: \n"
          "Resource attributes:\n"
          "     -> service.name: Str(shop)\n"
          "ScopeSpans #0\n"
          "ScopeSpans SchemaURL: \n"
          "InstrumentationScope  \n"
          "Span #0\n"
          "    Trace ID       : 0102030405060708090a0b0c0d0e0f10\n"
          "    Parent ID      : 2112131415161718\n"
          "    ID             : 1112131415161718\n"
          "    Name           : GET /\n"
          "    Kind           : Server\n"
          "    TraceState     : ot=th:0\n"
          "    Start time     : 2020-02-11 20:26:12.000000321 +0000 UTC\n"
          "    End time       : 2020-02-11 20:26:13.000000789 +0000 UTC\n"
          "    Status code    : Error\n"
          "    Status message : cancelled\n"
          "    DroppedAttributesCount: 1\n"
          "    DroppedEventsCount: 0\n"
          "    DroppedLinksCount: 0\n"
          "Attributes:\n"
          "     -> k: Str(v)\n"
          "Events:\n"
          "SpanEvent #0\n"
          "     -> Name: e\n"
          "     -> Timestamp: 2020-02-11 20:26:13.000000123 +0000 UTC\n"
          "     -> DroppedAttributesCount: 2\n"
          "     -> Attributes::\n"
          "          -> k: Str(v)\n"
          "SpanEvent #1\n"
          "     -> Name: \n"
          "     -> Timestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "     -> DroppedAttributesCount: 0\n"
          "Links:\n"
          "SpanLink #0\n"
          "     -> Trace ID: 0102030405060708090a0b0c0d0e0f10\n"
          "     -> ID: \n"
          "     -> TraceState: x\n"
          "     -> DroppedAttributesCount: 0\n"
          "     -> Attributes::\n"
          "          -> k: Str(v)\n"
          "Span #1\n"
          "    Trace ID       : \n"
          "    Parent ID      : \n"
          "    ID             : \n"
          "    Name           : B\n"
          "    Kind           : Unspecified\n"
          "    Start time     : 2020-02-11 20:26:12 +0000 UTC\n"
          "    End time       : 2020-02-11 20:26:12.0123 +0000 UTC\n"
          "    Status code    : Unset\n"
          "    Status message : \n"
          "    DroppedAttributesCount: 0\n"
          "    DroppedEventsCount: 0\n"
          "    DroppedLinksCount: 0\n");
    shows(PRETTY, LEAT_TRACES, spans,
          "20:26:12.000 shop GET / 1.00s ERROR cancelled 01020304 k=v\n"
          "20:26:12.000 shop B 12.3ms\n");
}

static const char metrics[] =
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":["
    "{\"name\":\"g\",\"unit\":\"By\",\"metadata\":[{\"key\":\"k\",\"value\":{\"intValue\":1}}],"
    "\"gauge\":{"
    "\"dataPoints\":[{\"asInt\":\"-3\",\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":"
    "\"b\"}},{"
    "\"key\":\"c\",\"value\":{\"intValue\":1}}]},{\"asDouble\":1.23}]}},"
    "{\"name\":\"s\",\"unit\":\"1\",\"sum\":{\"isMonotonic\":true,\"aggregationTemporality\":2,"
    "\"dataPoints\":[{\"asDouble\":1e21,\"exemplars\":[{\"spanId\":\"1112131415161718\",\"asInt\":"
    "\"15\","
    "\"filteredAttributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}]}]}]}},"
    "{\"name\":\"h\",\"histogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{\"count\":3,"
    "\"sum\":15,"
    "\"min\":0,\"max\":\"Infinity\",\"bucketCounts\":[1,2],\"explicitBounds\":[0.5]}]}},"
    "{\"name\":\"x\",\"exponentialHistogram\":{\"dataPoints\":[{\"count\":5,\"scale\":0,"
    "\"zeroCount\":1,"
    "\"positive\":{\"offset\":0,\"bucketCounts\":[1,1]},\"negative\":{\"offset\":-1,"
    "\"bucketCounts\":[2,3]}}]}},"
    "{\"name\":\"q\",\"summary\":{\"dataPoints\":[{\"count\":1,\"sum\":15,\"quantileValues\":[{"
    "\"quantile\":0.01,\"value\":15}]}]}},"
    "{\"name\":\"none\"}]}]}]}";

static void test_metrics(void **state)
{
    (void)state;
    shows(BASIC, LEAT_METRICS, metrics,
          "{\"resource metrics\": 1, \"metrics\": 6, \"data points\": 6}\n");
    shows(NORMAL, LEAT_METRICS, metrics,
          "ResourceMetrics #0\n"
          "ScopeMetrics #0\n"
          "g{a=b,c=1} -3\n"
          "g{} 1.23\n"
          "s{} 1e+21\n"
          "h{} count=3 sum=15 min=0 max=+Inf le0.5=1 2\n"
          "x{} count=5 le-1=3 le-0.5=2 zero=1 le2=1 le4=1\n"
          "q{} count=1 sum=15.000000 q0.01=15\n");
    shows(PRETTY, LEAT_METRICS, metrics,
          "--:--:--.--- - g -3 By a=b c=1\n"
          "--:--:--.--- - g 1.23 By\n"
          "--:--:--.--- - s 1e+21\n"
          "--:--:--.--- - h count=3 sum=15 min=0 max=+Inf\n"
          "--:--:--.--- - x count=5\n"
          "--:--:--.--- - q count=1 sum=15.000000 q0.01=15\n");
}

static void test_metrics_detailed(void **state)
{
    (void)state;
    shows(DETAILED, LEAT_METRICS, metrics,
          "ResourceMetrics #0\n"
          "Resource SchemaURL: \n"
          "ScopeMetrics #0\n"
          "ScopeMetrics SchemaURL: \n"
          "InstrumentationScope  \n"
          "Metric #0\n"
          "Descriptor:\n"
          "     -> Name: g\n"
          "     -> Description: \n"
          "     -> Unit: By\n"
          "     -> DataType: Gauge\n"
          "     -> Metadata:\n"
          "          -> k: Int(1)\n"
          "NumberDataPoints #0\n"
          "Data point attributes:\n"
          "     -> a: Str(b)\n"
          "     -> c: Int(1)\n"
          "StartTimestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "Timestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "Value: -3\n"
          "NumberDataPoints #1\n"
          "StartTimestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "Timestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "Value: 1.230000\n"
          "Metric #1\n"
          "Descriptor:\n"
          "     -> Name: s\n"
          "     -> Description: \n"
          "     -> Unit: 1\n"
          "     -> DataType: Sum\n"
          "     -> IsMonotonic: true\n"
          "     -> AggregationTemporality: Cumulative\n"
          "NumberDataPoints #0\n"
          "StartTimestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "Timestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "Value: 1000000000000000000000.000000\n"
          "Exemplars:\n"
          "Exemplar #0\n"
          "     -> Trace ID: \n"
          "     -> Span ID: 1112131415161718\n"
          "     -> Timestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "     -> Value: 15\n"
          "     -> FilteredAttributes:\n"
          "          -> k: Str(v)\n"
          "Metric #2\n"
          "Descriptor:\n"
          "     -> Name: h\n"
          "     -> Description: \n"
          "     -> Unit: \n"
          "     -> DataType: Histogram\n"
          "     -> AggregationTemporality: Delta\n"
          "HistogramDataPoints #0\n"
          "StartTimestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "Timestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "Count: 3\n"
          "Sum: 15.000000\n"
          "Min: 0.000000\n"
          "Max: +Inf\n"
          "ExplicitBounds #0: 0.500000\n"
          "Buckets #0, Count: 1\n"
          "Buckets #1, Count: 2\n"
          "Metric #3\n"
          "Descriptor:\n"
          "     -> Name: x\n"
          "     -> Description: \n"
          "     -> Unit: \n"
          "     -> DataType: ExponentialHistogram\n"
          "     -> AggregationTemporality: Unspecified\n"
          "ExponentialHistogramDataPoints #0\n"
          "StartTimestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "Timestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "Count: 5\n"
          "Bucket [-2.000000, -1.000000), Count: 3\n"
          "Bucket [-1.000000, -0.500000), Count: 2\n"
          "Bucket [0, 0], Count: 1\n"
          "Bucket (1.000000, 2.000000], Count: 1\n"
          "Bucket (2.000000, 4.000000], Count: 1\n"
          "Metric #4\n"
          "Descriptor:\n"
          "     -> Name: q\n"
          "     -> Description: \n"
          "     -> Unit: \n"
          "     -> DataType: Summary\n"
          "SummaryDataPoints #0\n"
          "StartTimestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "Timestamp: 1970-01-01 00:00:00 +0000 UTC\n"
          "Count: 1\n"
          "Sum: 15.000000\n"
          "QuantileValue #0: Quantile 0.010000, Value 15.000000\n"
          "Metric #5\n"
          "Descriptor:\n"
          "     -> Name: none\n"
          "     -> Description: \n"
          "     -> Unit: \n"
          "     -> DataType: Empty\n");
}

/* Indices and counts go on over the parts of a batch. */
/* C1 controls and what turns the direction of text, in a body and inside a map. */
static void test_nothing_steers(void **state)
{
    static const char json[] = "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{"
                               "\"kvlistValue\":{\"values\":["
                               "{\"key\":\"k\\u009b\",\"value\":{\"stringValue\":"
                               "\"\\u009b31m\\u202e\\u007f\\u001b\\n\\\"\\\\\\u00e4\"}}]"
                               "}}},{\"body\":{\"stringValue\":\"\\u009b31m\"}}]}]}]}";

    (void)state;
    shows(NORMAL, LEAT_LOGS, json,
          "ResourceLog #0\nScopeLog #0\n"
          "{\"k\\u009b\":\"\\u009b31m\\u202e\\u007f\\u001b\\n\\\"\\\\\xc3\xa4\"} \n"
          "\\xc2\\x9b31m \n");
}

static void test_parts(void **state)
{
    /* {resourceLogs: [{}, {}]} and {resourceLogs: [{}]} */
    struct leat_bytes parts[2] = {leat_bytes("\x0a\x00\x0a\x00", 4), leat_bytes("\x0a\x00", 2)};
    struct leat_text out;

    (void)state;
    leat_text_init(&out, 10000);
    leat_otlp_text_basic(LEAT_LOGS, parts, 2, &out);
    leat_otlp_text_normal(LEAT_LOGS, parts, 2, &out);
    assert_string_equal(leat_text_get(&out), "{\"resource logs\": 3, \"log records\": 0}\n"
                                             "ResourceLog #0\nResourceLog #1\nResourceLog #2\n");
    leat_text_done(&out);
}

static void count_colours(const char *text, size_t *traces, size_t *all)
{
    *traces = *all = 0;
    for (const char *at = text; (at = strchr(at, '\x1b')) != NULL; at++) {
        *traces += strncmp(at, "\x1b[38;5;", 7) == 0;
        ++*all;
    }
}

/* With colour: the same letters, only sequences of ours between them, each one ended. */
static void test_colour(void **state)
{
    struct leat_otlp_count count;
    struct leat_bytes part;
    struct leat_text out;
    struct leat_buf *buf;
    struct leat_err err;
    size_t traces, all;

    (void)state;
    assert_int_equal(leat_otlp_from_json(LEAT_LOGS, leat_bytes_str(logs), NULL, &buf, &count, &err),
                     LEAT_JSON_OK);
    part = leat_bytes(buf->data, buf->len);
    leat_text_init(&out, 1 << 20);
    leat_otlp_text_pretty(LEAT_LOGS, &part, 1, true, &out);
    count_colours(leat_text_get(&out), &traces, &all);
    assert_int_equal(traces, 1);
    assert_int_equal(all % 2, 0);
    assert_non_null(strstr(leat_text_get(&out), "\\x1b[2J\\nhappened"));
    assert_null(strstr(leat_text_get(&out), "\x1b[2J"));
    leat_text_done(&out);
    leat_buf_unref(buf);
}

/* Random data in scrambled encodings: every view ends, is bounded by its maximum, leaks nothing. */
static void test_random(void **state)
{
    struct otlp_random rnd = {.state = 11};

    (void)state;
    for (int i = 0; i < 60; i++) {
        enum leat_signal s = (enum leat_signal)(i % LEAT_SIGNALS);
        ProtobufCMessage *m = otlp_random_request(&rnd, s, 2);
        struct leat_text wire, odd, plain, other;
        struct leat_bytes a, b;

        leat_text_init(&wire, OTLP_RANDOM_MAX);
        leat_text_init(&odd, OTLP_RANDOM_MAX);
        otlp_random_pack(m, &wire);
        otlp_random_scramble(&rnd, otlp_random_type(s), leat_text_bytes(&wire), true, &odd);
        a = leat_text_bytes(&wire);
        b = leat_text_bytes(&odd);
        for (int v = BASIC; v <= COLOUR; v++) {
            leat_text_init(&plain, OTLP_RANDOM_MAX);
            leat_text_init(&other, 300);
            view((enum view)v, s, &a, 1, &plain);
            assert_true(leat_text_ok(&plain));
            view((enum view)v, s, &b, 1, &other);
            assert_true(other.len <= 300);
            leat_text_done(&plain);
            leat_text_done(&other);
        }
        otlp_random_free(m);
        leat_text_done(&wire);
        leat_text_done(&odd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logs),    cmocka_unit_test(test_spans),
        cmocka_unit_test(test_metrics), cmocka_unit_test(test_metrics_detailed),
        cmocka_unit_test(test_parts),   cmocka_unit_test(test_nothing_steers),
        cmocka_unit_test(test_colour),  cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
