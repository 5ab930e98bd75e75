/* OTLP/JSON of the usual shape, which is read in one go: at every border of it the result must be
 * the one of the same text with blanks in it, which is read step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>

#include "base/text.h"
#include "lib/otlp_json_help.h"
#include "lib/otlp_json_spaced.h"
#include "lib/otlp_random.h"
#include "proto/otlp.h"
#include "proto/otlp_view.h"

#define TEXT_MAX ((size_t)8 << 20)

/* Returns what became of it. */
static enum leat_json_result same(enum leat_signal s, struct leat_bytes json)
{
    struct leat_text spaced;
    struct leat_err err = {""}, other_err = {""};
    struct leat_buf *buf, *other;
    enum leat_json_result r = otlp_json_read(s, (const char *)json.data, json.len, &buf, &err);

    leat_text_init(&spaced, 4 * TEXT_MAX);
    otlp_json_spaced(json, &spaced);
    if (otlp_json_read(s, leat_text_get(&spaced), spaced.len, &other, &other_err) != r)
        fail_msg("%.*s: %s, but %s", (int)json.len, (const char *)json.data, err.text,
                 other_err.text);
    if (r == LEAT_JSON_OK) {
        assert_int_equal(buf->len, other->len);
        assert_memory_equal(buf->data, other->data, buf->len);
    } else {
        assert_string_equal(otlp_json_sentence(err.text), otlp_json_sentence(other_err.text));
    }
    leat_buf_unref(buf);
    leat_buf_unref(other);
    leat_text_done(&spaced);
    return r;
}

/* A record from which the reader learns what comes after what. */
#define FIRST                                                                                      \
    "\"timeUnixNano\":\"1700000000000000001\",\"severityNumber\":9,\"severityText\":\"INFO\","     \
    "\"body\":{\"stringValue\":\"b\"},\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":"     \
    "\"1\"}}],\"flags\":1,\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":"            \
    "\"eee19b7ec3c1b174\""
#define OPEN  "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{" FIRST "},{"
#define CLOSE "}]}]}]}"

/* Where a string can be in the second record: before and after it. */
static const char *const places[][2] = {
    {"\"severityText\":\"", "\""},
    {"\"body\":{\"stringValue\":\"", "\"}"},
    {"\"attributes\":[{\"key\":\"", "\",\"value\":{\"stringValue\":\"v\"}}]"},
    {"\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"", "\"}}]"},
    {"\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"", "\"}},{\"key\":\"l\"}]"},
    {"\"traceId\":\"", "\""},
};
#define PLACES (sizeof places / sizeof *places)

/* `n` times a letter that says where it is, then `odd`, then `m` letters more, in this place; then
 * the end of the request, or a record more. */
static enum leat_json_result string_in(size_t place, size_t n, const char *odd, size_t m, bool more)
{
    enum leat_json_result r;
    struct leat_text t;

    leat_text_init(&t, TEXT_MAX);
    leat_text_str(&t, OPEN "\"timeUnixNano\":\"1700000000000000001\",\"severityNumber\":9,");
    leat_text_str(&t, places[place][0]);
    for (size_t i = 0; i < n; i++)
        leat_text_char(&t, (char)('a' + i % 26));
    leat_text_str(&t, odd);
    for (size_t i = 0; i < m; i++)
        leat_text_char(&t, (char)('A' + i % 26));
    leat_text_str(&t, places[place][1]);
    leat_text_str(&t, more ? "},{" FIRST CLOSE : CLOSE);
    r = same(LEAT_LOGS, leat_text_bytes(&t));
    leat_text_done(&t);
    return r;
}

static void test_string_lengths(void **state)
{
    static const size_t large[] = {1000, 16380, 16381, 16382, 16383, 16384, 16385};

    (void)state;
    for (size_t place = 0; place < PLACES - 1; place++) {
        for (size_t n = 0; n < 300; n++) {
            assert_int_equal(string_in(place, n, "", 0, false), LEAT_JSON_OK);
            assert_int_equal(string_in(place, n, "", 0, true), LEAT_JSON_OK);
        }
        for (size_t i = 0; i < sizeof large / sizeof *large; i++)
            assert_int_equal(string_in(place, large[i], "", 0, i % 2), LEAT_JSON_OK);
    }
    assert_int_equal(string_in(3, 2200000, "", 0, true), LEAT_JSON_OK);
}

/* What ends a run of plain characters, at every place of a vector and its neighbours. */
static void test_string_borders(void **state)
{
    static const char *const good[] = {"\\\"", "\\\\",    "\\/",      "\\b",           "\\f",
                                       "\\n",  "\\r",     "\\t",      "\\u0041",       "\\n\\n",
                                       "\x7f", "\\u0000", "\xc3\xa9", "\\ud83d\\ude00"};
    static const char *const bad[] = {"\x01", "\x1f", "\n",           "\\x",    "\\",    "\\u12g4",
                                      "\"",   "\xff", "\xed\xa0\x80", "\\\x80", "\\\xff"};

    (void)state;
    for (size_t place = 0; place < PLACES - 1; place++) {
        for (size_t n = 0; n < 36; n++) {
            for (size_t i = 0; i < sizeof good / sizeof *good; i++)
                assert_int_equal(string_in(place, n, good[i], 20 * (n % 3), n % 2), LEAT_JSON_OK);
            for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                assert_int_equal(string_in(place, n, bad[i], 3, n % 2), LEAT_JSON_BAD);
        }
    }
}

static void test_escapes_mean(void **state)
{
    (void)state;
    otlp_json_again(LEAT_LOGS,
                    OPEN FIRST "},{\"body\":{\"stringValue\":\"\\\"a\\\\\\/\\b\\f\\n"
                               "\\r\\t0123456789abcdef\\n\"}" CLOSE,
                    OPEN FIRST "},{\"body\":{\"stringValue\":\"\\\"a\\\\/\\u0008\\u000c\\n"
                               "\\r\\t0123456789abcdef\\n\"}" CLOSE);
}

static void test_ids(void **state)
{
    char digits[33] = "0123456789abcdefABCDEF9876543210";

    (void)state;
    for (size_t n = 0; n < 40; n++)
        string_in(PLACES - 1, n, "", 0, true);
    assert_int_equal(string_in(PLACES - 1, 0, digits, 0, true), LEAT_JSON_OK);
    for (size_t i = 0; i < 32; i++) {
        for (unsigned c = 1; c < 256; c++) {
            char keep = digits[i];
            bool hex = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
            digits[i] = (char)c;
            assert_int_equal(string_in(PLACES - 1, 0, digits, 0, true),
                             hex ? LEAT_JSON_OK : LEAT_JSON_BAD);
            digits[i] = keep;
        }
    }
    assert_int_equal(string_in(PLACES - 1, 0, "00000000000000000000000000000000", 0, true),
                     LEAT_JSON_OK);
}

/* `number` as the value of every field that takes one. */
static void number_in(const char *number)
{
    static const char *const fields[][2] = {
        {"\"timeUnixNano\":", ""},
        {"\"timeUnixNano\":\"1\",\"severityNumber\":", ""},
        {"\"timeUnixNano\":\"1\",\"severityNumber\":9,\"severityText\":\"\",\"body\":{"
         "\"intValue\":",
         "}"},
        {"\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":", "}}]"},
        {"\"attributes\":[],\"flags\":", ""},
        {"\"attributes\":[],\"flags\":1,\"flags\":", ""},
    };
    struct leat_text t;

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        for (int more = 0; more < 2; more++) {
            leat_text_init(&t, TEXT_MAX);
            leat_text_str(&t, OPEN);
            leat_text_str(&t, fields[i][0]);
            leat_text_str(&t, number);
            leat_text_str(&t, fields[i][1]);
            leat_text_str(&t, more ? "},{" FIRST CLOSE : CLOSE);
            same(LEAT_LOGS, leat_text_bytes(&t));
            leat_text_done(&t);
        }
    }
}

static void test_digits(void **state)
{
    static const char *const shapes[][2] = {
        {"", ""},   {"\"", "\""}, {"-", ""},     {"\"-", "\""}, {"0", ""},           {"\"0", "\""},
        {"", ".0"}, {"", "e0"},   {"\"", ""},    {"", "\""},    {" ", " "},          {"\" ", "\""},
        {"+", ""},  {"--", ""},   {"\"", " \""}, {"", "}]}"},   {"\"\\u0031", "\""},
    };
    static const char *const values[] = {"99999999999999999999999", "12345678909876543210123",
                                         "18446744073709551616000"};
    char number[64];

    (void)state;
    for (int n = 0; n < 24; n++) {
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
                snprintf(number, sizeof number, "%s%.*s%s", shapes[i][0], n, values[v],
                         shapes[i][1]);
                number_in(number);
            }
        }
    }
}

/* One character that is no digit in a number of every length. */
static void test_not_digits(void **state)
{
    static const char odd[] = "/:.eE-+ \x01\x7f\x80\xb0\xff,}]\\";
    char number[32];

    (void)state;
    for (size_t n = 1; n < 22; n++) {
        for (size_t at = 0; at < n; at++) {
            for (size_t i = at % 2; i < sizeof odd - 1; i += 2) {
                memcpy(number, "\"1234567890123456789012", n + 1);
                number[1 + at] = odd[i];
                memcpy(number + 1 + n, "\"", 2);
                number_in(number);
            }
        }
    }
}

static void test_digits_mean(void **state)
{
    char json[400], want[400];

    (void)state;
    for (int n = 1; n < 20; n++) {
        const char *digits = "1234567890987654321";
        for (int quote = 0; quote < 2; quote++) {
            const char *q = quote ? "\"" : "";
            snprintf(json, sizeof json,
                     LOG("\"timeUnixNano\":%s%.*s%s,\"attributes\":[{\"key\":\"k\",\"value\":{"
                         "\"intValue\":%s-%.*s%s}}],\"eventName\":\"%080d\""),
                     q, n, digits, q, q, n, digits, q, 0);
            snprintf(want, sizeof want,
                     LOG("\"timeUnixNano\":\"%.*s\",\"attributes\":[{\"key\":\"k\",\"value\":{"
                         "\"intValue\":\"-%.*s\"}}],\"eventName\":\"%080d\""),
                     n, digits, n, digits, 0);
            otlp_json_again(LEAT_LOGS, json, want);
        }
    }
}

/* Members of a record in every order, some twice, null, unknown or missing: no guess may show. */
static void test_orders(void **state)
{
    static const char *const members[] = {
        "\"timeUnixNano\":\"1700000000000000001\"",
        "\"observedTimeUnixNano\":1700000000000000002",
        "\"severityNumber\":9",
        "\"severityNumber\":\"SEVERITY_NUMBER_INFO\"",
        "\"severityText\":\"INFO\"",
        "\"severityText\":\"\"",
        "\"body\":{\"stringValue\":\"text\"}",
        "\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"boolValue\":false}}]}}",
        "\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"b\"}}]",
        "\"attributes\":[{\"key\":\"a\",\"value\":{\"boolValue\":true}},null,{\"key\":\"c\"}]",
        "\"attributes\":[]",
        "\"flags\":1",
        "\"flags\":null",
        "\"traceId\":\"5b8efff798038103d269b633813fc60c\"",
        "\"spanId\":\"0000000000000000\"",
        "\"unknown\":{\"a\":[1,2]}",
        "\"event_name\":\"e\"",
        "\"time\":1",
    };
    struct otlp_random rnd = {.state = 11};

    (void)state;
    for (int i = 0; i < 400; i++) {
        struct leat_text t;

        leat_text_init(&t, TEXT_MAX);
        leat_text_str(&t, OPEN FIRST);
        for (uint32_t n = otlp_random_below(&rnd, 60); n > 0; n--) {
            bool next = otlp_random_below(&rnd, 6) == 0;
            leat_text_str(&t, next ? "},{" : ",");
            leat_text_str(&t, members[otlp_random_below(&rnd, sizeof members / sizeof *members)]);
        }
        leat_text_str(&t, CLOSE);
        assert_int_equal(same(LEAT_LOGS, leat_text_bytes(&t)), LEAT_JSON_OK);
        leat_text_done(&t);
    }
}

static void test_random(void **state)
{
    struct otlp_random rnd = {.state = 12};

    (void)state;
    for (int i = 0; i < 200; i++) {
        enum leat_signal s = (enum leat_signal)(i % LEAT_SIGNALS);
        ProtobufCMessage *m = otlp_random_request(&rnd, s, 3);
        struct leat_text wire, json;
        struct leat_bytes part;

        leat_text_init(&wire, OTLP_RANDOM_MAX);
        leat_text_init(&json, OTLP_RANDOM_MAX);
        otlp_random_pack(m, &wire);
        otlp_random_free(m);
        part = leat_text_bytes(&wire);
        leat_otlp_to_json(s, &part, 1, &json);
        assert_true(leat_text_ok(&json));
        if (json.len < TEXT_MAX)
            assert_int_equal(same(s, leat_text_bytes(&json)), LEAT_JSON_OK);
        leat_text_done(&wire);
        leat_text_done(&json);
    }
}

#define LETTERS  "0123456789abcdefghijklmnopq"
#define LONG_KEY "{\"key\":\"" LETTERS LETTERS LETTERS "\",\"value\":"

/* The text ends everywhere, and everywhere it goes on with blanks only, or with nonsense. */
static void test_ends(void **state)
{
    static const char *const texts[] = {
        OPEN FIRST "},{" FIRST CLOSE,
        OPEN "\"attributes\":[" LONG_KEY "{\"intValue\":\"1234567890123456789\"}}," LONG_KEY
             "{\"stringValue\":\"0123456789abcdefghijklmnopq\"}}," LONG_KEY
             "{\"boolValue\":false}}]" CLOSE,
    };
    static const char *const tails[] = {
        "", " ", "                                        ", "n", "null", ",", "\"", "}", "]"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (size_t len = 0; len <= strlen(texts[i]); len++) {
            for (size_t n = 0; n < sizeof tails / sizeof *tails; n++) {
                struct leat_text t;

                leat_text_init(&t, TEXT_MAX);
                leat_text_add(&t, texts[i], len);
                leat_text_str(&t, tails[n]);
                same(LEAT_LOGS, leat_text_bytes(&t));
                leat_text_done(&t);
            }
        }
    }
}

/* Each byte replaced by each interesting one. */
static void test_mutated(void **state)
{
    static const char with[] = "\"\\{}[]:,0-e.n\x01\xff ";
    char json[] = OPEN FIRST CLOSE;

    (void)state;
    for (size_t at = sizeof OPEN - 3; at < sizeof json - 1; at++) {
        char keep = json[at];
        for (size_t i = 0; i < sizeof with; i++) {
            json[at] = with[i];
            same(LEAT_LOGS, leat_bytes(json, sizeof json - 1));
        }
        json[at] = keep;
    }
}

/* Strings take more room than half of their text: the buffer grows between and inside of lists. */
static void test_growth(void **state)
{
    (void)state;
    for (int len = 0; len < 400; len += 13) {
        struct leat_text t;

        leat_text_init(&t, TEXT_MAX);
        leat_text_str(&t, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{}");
        for (int i = 0; i < 40; i++) {
            leat_text_printf(&t, ",{\"severityText\":\"%0*d\",\"attributes\":[", len + 1, i);
            for (int n = 0; n < 10; n++)
                leat_text_printf(&t, "%s{\"key\":\"%0*d\",\"value\":{\"stringValue\":\"%0*d\"}}",
                                 n > 0 ? "," : "", len + 1, i, len + 1, n);
            leat_text_str(&t, "]}");
        }
        leat_text_str(&t, "]}]}]}");
        assert_int_equal(same(LEAT_LOGS, leat_text_bytes(&t)), LEAT_JSON_OK);
        leat_text_done(&t);
    }
}

/* The room ends everywhere in a run of members that are no strings. */
static void test_room(void **state)
{
    static const char rest[] =
        "\"timeUnixNano\":\"1700000000000000001\",\"observedTimeUnixNano\":\"1700000000000000002\","
        "\"body\":{\"intValue\":\"1234567890123456789\"},\"flags\":7,\"traceId\":"
        "\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\"";

    (void)state;
    for (int len = 1; len < 1200; len++) {
        struct leat_text t;

        leat_text_init(&t, TEXT_MAX);
        leat_text_str(
            &t, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityText\":\"\",");
        leat_text_str(&t, rest);
        leat_text_printf(&t, "},{\"severityText\":\"%0*d\",", len, 0);
        leat_text_str(&t, rest);
        leat_text_str(&t, "},{" FIRST CLOSE);
        assert_int_equal(same(LEAT_LOGS, leat_text_bytes(&t)), LEAT_JSON_OK);
        leat_text_done(&t);
    }
}

/* The limit of values in one another holds for those that are read in one go. */
static void test_depth(void **state)
{
    static const char *const lists[] = {
        "[{\"key\":\"k\",\"value\":{\"intValue\":\"1\"}}]",
        "[{\"key\":\"k\"},{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}]",
        "[{\"key\":\"k\" ,\"value\":{\"intValue\":\"1\"}}]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (int depth = LEAT_OTLP_DEPTH - 1; depth <= LEAT_OTLP_DEPTH + 1; depth++) {
            struct leat_text t;

            leat_text_init(&t, TEXT_MAX);
            leat_text_str(&t, OPEN "\"body\":{\"kvlistValue\":{\"values\":");
            for (int n = 2; n < depth; n++)
                leat_text_str(&t, "[{\"key\":\"k\",\"value\":{\"kvlistValue\":{\"values\":");
            leat_text_str(&t, lists[i]);
            for (int n = 2; n < depth; n++)
                leat_text_str(&t, "}}}]");
            leat_text_str(&t, "}}" CLOSE);
            if (depth > LEAT_OTLP_DEPTH)
                otlp_json_refused(LEAT_LOGS, leat_text_get(&t), "values nested too deep");
            assert_int_equal(same(LEAT_LOGS, leat_text_bytes(&t)),
                             depth > LEAT_OTLP_DEPTH ? LEAT_JSON_BAD : LEAT_JSON_OK);
            leat_text_done(&t);
        }
    }
}

/* What the reader keeps for each message has room for all of them. */
static void walk(const struct leat_otlp_message *m, const struct leat_otlp_message **known)
{
    assert_true(m->id < LEAT_OTLP_MESSAGES);
    assert_true(m->top < LEAT_OTLP_FIELDS);
    if (known[m->id] != NULL) {
        assert_ptr_equal(known[m->id], m);
        return;
    }
    known[m->id] = m;
    for (uint32_t i = 0; i <= m->top; i++) {
        const struct leat_otlp_field *f = &m->fields[i];
        assert_int_equal(f->key_len, f->name == NULL ? 0 : strlen(f->json) + 3);
        assert_true(f->key_len < LEAT_OTLP_KEY_MAX);
        if (f->message != NULL)
            walk(f->message, known);
    }
}

static void test_tables(void **state)
{
    const struct leat_otlp_message *known[LEAT_OTLP_MESSAGES] = {NULL};

    (void)state;
    for (int s = 0; s < LEAT_SIGNALS; s++) {
        walk(leat_otlp_request[s], known);
        walk(leat_otlp_answer[s], known);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_string_lengths), cmocka_unit_test(test_string_borders),
        cmocka_unit_test(test_escapes_mean),   cmocka_unit_test(test_ids),
        cmocka_unit_test(test_digits),         cmocka_unit_test(test_not_digits),
        cmocka_unit_test(test_digits_mean),    cmocka_unit_test(test_orders),
        cmocka_unit_test(test_random),         cmocka_unit_test(test_ends),
        cmocka_unit_test(test_mutated),        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_room),           cmocka_unit_test(test_depth),
        cmocka_unit_test(test_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
