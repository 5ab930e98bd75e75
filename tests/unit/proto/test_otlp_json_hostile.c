/* OTLP/JSON from a peer that means harm or has bad luck: depth, length, cuts, changed bytes, no
 * memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "lib/otlp_json_help.h"
#include "proto/otlp_view.h"

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
    otlp_json_again(LEAT_LOGS, leat_text_get(&t), leat_text_get(&t));
    nested(&t, LEAT_OTLP_DEPTH + 1);
    otlp_json_refused(LEAT_LOGS, leat_text_get(&t), "values nested too deep (more than 64)");
    nested(&t, 100000);
    otlp_json_refused(LEAT_LOGS, leat_text_get(&t), "values nested too deep");
    leat_text_clear(&t);
    leat_text_str(&t, "{\"x\":");
    for (int i = 0; i < 1000000; i++)
        leat_text_char(&t, i % 2 ? '[' : '[');
    otlp_json_refused(LEAT_LOGS, leat_text_get(&t), "byte 517: nested too deep");
    leat_text_clear(&t);
    leat_text_str(&t, "{\"x\":");
    for (int i = 0; i < 100000; i++)
        leat_text_str(&t, "{\"a\":");
    otlp_json_refused(LEAT_LOGS, leat_text_get(&t), "nested too deep");
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
            otlp_json_again(LEAT_METRICS, leat_text_get(&t),
                            POINT("\"asDouble\":0.1111111111111111"));
        else
            otlp_json_refused(LEAT_METRICS, leat_text_get(&t), "more than 1024 characters");
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
        assert_int_equal(otlp_json_read(LEAT_LOGS, everything, len, &buf, &err), LEAT_JSON_BAD);
    assert_int_equal(otlp_json_read(LEAT_LOGS, everything, sizeof everything - 1, &buf, &err),
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
            if (otlp_json_read(LEAT_LOGS, json, sizeof json - 1, &buf, &err) == LEAT_JSON_OK)
                leat_buf_unref(buf);
            assert_int_equal(leat_budget_used(&otlp_json_budget), 0);
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
        r = leat_otlp_from_json(LEAT_METRICS, leat_text_bytes(&t), &otlp_json_budget, &buf, &count,
                                &err);
        leat_mem_fail_at(0);
        /* the second try is the growing or, when none was needed, the giving back of what is over
         */
        assert_true(r == LEAT_JSON_NO_MEMORY || (nth == 2 && leat_mem_tries() - tries == 2));
        leat_buf_unref(buf);
        assert_int_equal(leat_budget_used(&otlp_json_budget), 0);
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
    assert_int_equal(otlp_json_read(LEAT_METRICS, leat_text_get(&t), t.len, &buf, &err),
                     LEAT_JSON_OK);
    assert_in_range(buf->len, 80008, 80040);
    leat_buf_unref(buf);
    leat_text_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depth),     cmocka_unit_test(test_long_numbers),
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_mutated),
        cmocka_unit_test(test_memory),    cmocka_unit_test(test_growth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
