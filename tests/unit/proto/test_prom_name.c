/* Metric and label names for Prometheus: against what the translator upstream makes, and what must
 * hold for any bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "lib/otlp_random.h"
#include "lib/prom_golden.h"

#define COUNT(A) (sizeof(A) / sizeof *(A))
#define MAX      4096
#define FORMS    20000

static struct leat_text out;

static bool translate(enum leat_prom_strategy s, struct leat_bytes namespace,
                      struct leat_bytes name, struct leat_bytes unit, enum golden_type type)
{
    struct leat_prom_naming naming = {s, namespace};
    struct leat_prom_metric metric = {name, unit, type == GAUGE, type == COUNTER};

    leat_text_clear(&out);
    return leat_prom_name(&naming, &metric, &out);
}

static void names(enum leat_prom_strategy s, const char *namespace, const char *name,
                  const char *unit, enum golden_type type, const char *want)
{
    bool ok =
        translate(s, leat_bytes_str(namespace), leat_bytes_str(name), leat_bytes_str(unit), type);

    if (ok != (want != NULL) || (ok && strcmp(leat_text_get(&out), want) != 0))
        fail_msg("strategy %d, \"%s\" of unit \"%s\", type %d: \"%s\" and not \"%s\"", (int)s, name,
                 unit, (int)type, ok ? leat_text_get(&out) : "(error)", want ? want : "(error)");
}

static void test_as_upstream(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(golden_names); i++) {
        const struct golden_name *g = &golden_names[i];
        names(g->strategy, g->namespace, g->name, g->unit, g->type, g->want);
    }
}

static void test_labels_as_upstream(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(golden_labels); i++) {
        const struct golden_label *g = &golden_labels[i];
        bool ok;

        leat_text_clear(&out);
        ok = leat_prom_label_name(g->rule, leat_bytes_str(g->key), &out);
        if (ok != (g->want != NULL) || (ok && strcmp(leat_text_get(&out), g->want) != 0))
            fail_msg("rule %d, \"%s\": \"%s\"", (int)g->rule, g->key, leat_text_get(&out));
    }
}

static void test_units_as_upstream(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(golden_units); i++) {
        leat_text_clear(&out);
        leat_prom_unit(golden_units[i].strategy, leat_bytes_str(golden_units[i].unit), &out);
        assert_string_equal(leat_text_get(&out), golden_units[i].want);
    }
}

/* Where upstream makes what Prometheus refuses. */
static void test_better(void **state)
{
    (void)state;
    names(LEAT_PROM_ESCAPE_SUFFIXES, "my-ns", "a", "", OTHER, "my_ns_a");
    names(LEAT_PROM_ESCAPE_SUFFIXES, "--", "a", "", OTHER, "a");
    names(LEAT_PROM_ESCAPE_SUFFIXES, "--", "", "", OTHER, NULL);
    names(LEAT_PROM_ESCAPE, "1ns", "a", "", OTHER, "_1ns_a");
    names(LEAT_PROM_UTF8, "", "", "", OTHER, NULL);
    names(LEAT_PROM_UTF8_SUFFIXES, "", "", "", OTHER, NULL);
    names(LEAT_PROM_UTF8, "n\xff", "a\xc3(", "", OTHER, "n\xef\xbf\xbd_a\xef\xbf\xbd(");
    names(LEAT_PROM_UTF8_SUFFIXES, "", "a", "\xff", OTHER, "a_\xef\xbf\xbd");
    names(LEAT_PROM_UTF8_SUFFIXES, "", "w\xc3\xa9total", "", COUNTER, "w_total");
    names(LEAT_PROM_UTF8_SUFFIXES, "", "\xc3\xa9total", "", COUNTER, "\xc3\xa9total_total");
    leat_text_clear(&out);
    assert_true(leat_prom_label_name(LEAT_PROM_LABEL_UTF8, leat_bytes_str("a\xff.b"), &out));
    assert_string_equal(leat_text_get(&out), "a\xef\xbf\xbd.b");
}

static void test_strategy(void **state)
{
    enum leat_prom_strategy s = LEAT_PROM_UTF8;

    (void)state;
    assert_true(leat_prom_strategy_of("UnderscoreEscapingWithSuffixes", &s));
    assert_int_equal(s, LEAT_PROM_ESCAPE_SUFFIXES);
    assert_true(leat_prom_strategy_of("UnderscoreEscapingWithoutSuffixes", &s));
    assert_int_equal(s, LEAT_PROM_ESCAPE);
    assert_true(leat_prom_strategy_of("NoUTF8EscapingWithSuffixes", &s));
    assert_int_equal(s, LEAT_PROM_UTF8_SUFFIXES);
    assert_true(leat_prom_strategy_of("NoTranslation", &s));
    assert_int_equal(s, LEAT_PROM_UTF8);
    assert_true(leat_prom_strategy_is_utf8(s));
    assert_false(leat_prom_strategy_of("notranslation", &s));
    assert_false(leat_prom_strategy_of("", &s));
}

static void test_info_name(void **state)
{
    static const struct {
        enum leat_prom_strategy strategy;
        const char *namespace, *want;
    } table[] = {
        {LEAT_PROM_ESCAPE_SUFFIXES, "", "target_info"},
        {LEAT_PROM_ESCAPE_SUFFIXES, "shop", "shop_target_info"},
        {LEAT_PROM_ESCAPE, "my-ns", "my_ns_target_info"},
        {LEAT_PROM_UTF8, "my-ns", "my-ns_target_info"},
        {LEAT_PROM_UTF8_SUFFIXES, "", "target_info"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct leat_prom_naming naming = {table[i].strategy, leat_bytes_str(table[i].namespace)};

        leat_text_clear(&out);
        assert_true(leat_prom_info_name(&naming, &out));
        assert_string_equal(leat_text_get(&out), table[i].want);
    }
}

/* What is there before stays; what does not fit leaves nothing behind. */
static void test_appends(void **state)
{
    struct leat_prom_naming naming = {LEAT_PROM_ESCAPE_SUFFIXES, leat_bytes_str("ns")};
    struct leat_prom_metric metric = {leat_bytes_str("1a.b"), leat_bytes_str("By/s"), false, true};
    const char *want = "ns_1a_b_bytes_per_second_total";
    struct leat_text small;

    (void)state;
    for (size_t max = 0; max <= 3 + strlen(want); max++) {
        leat_text_init(&small, max);
        leat_text_str(&small, "pre");
        if (leat_prom_name(&naming, &metric, &small)) {
            assert_int_equal(max, 3 + strlen(want));
            assert_memory_equal(small.data + 3, want, strlen(want));
        } else {
            assert_false(leat_text_ok(&small));
            assert_int_equal(small.len, max < 3 ? 0 : 3);
        }
        leat_text_done(&small);
        leat_text_init(&small, max);
        if (!leat_prom_label_name(LEAT_PROM_LABEL_WRITE, leat_bytes_str("9..b"), &small))
            assert_int_equal(small.len, 0);
        else
            assert_string_equal(leat_text_get(&small), "key_9_b");
        leat_text_done(&small);
    }
}

/* --- for any bytes */

static bool is_metric_name(struct leat_bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        uint8_t c = b.data[i];
        if (!leat_prom_alnum(c) && c != '_' && c != ':')
            return false;
    }
    return b.len != 0 && !(b.data[0] >= '0' && b.data[0] <= '9');
}

static bool is_label_name(struct leat_bytes b)
{
    return is_metric_name(b) && memchr(b.data, ':', b.len) == NULL;
}

/* A word of the digits of `n`, from characters that mean something. */
static struct leat_bytes word_of(uint32_t n, char *buf)
{
    static const char *const pieces[] = {"",  "a", "_", ".", "9", "\xc3\xa9", "total", "\xff",
                                         ":", "s", "/", "1", "{", "ratio",    "_B",    "%"};
    size_t len = 0;

    for (; n != 0; n >>= 4) {
        memcpy(buf + len, pieces[n & 15], strlen(pieces[n & 15]));
        len += strlen(pieces[n & 15]);
    }
    return leat_bytes(buf, len);
}

static void check_name(enum leat_prom_strategy s, struct leat_bytes namespace,
                       struct leat_bytes name, struct leat_bytes unit, enum golden_type type)
{
    static char once[MAX];
    size_t len;

    if (!translate(s, namespace, name, unit, type)) {
        assert_true(leat_text_ok(&out));
        assert_int_equal(out.len, 0);
        return;
    }
    if (leat_prom_strategy_is_utf8(s))
        assert_true(out.len != 0 && leat_bytes_utf8(leat_text_bytes(&out)));
    else
        assert_true(is_metric_name(leat_text_bytes(&out)));
    if (namespace.len != 0 || unit.len > 1)
        return; /* they are added again each time */
    len = out.len;
    memcpy(once, out.data, len);
    assert_true(translate(s, namespace, leat_bytes(once, len), unit, type));
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, once, len);
}

static void check_label(enum leat_prom_label_rule rule, struct leat_bytes key)
{
    static char once[MAX];
    bool ok;
    size_t len;

    leat_text_clear(&out);
    ok = leat_prom_label_name(rule, key, &out);
    if (leat_prom_label_is_name(rule, key)) {
        assert_true(ok);
        assert_true(leat_bytes_eq(key, leat_text_bytes(&out)));
    }
    if (!ok) {
        assert_int_equal(out.len, 0);
        return;
    }
    if (rule == LEAT_PROM_LABEL_UTF8)
        assert_true(out.len != 0 && leat_bytes_utf8(leat_text_bytes(&out)));
    else
        assert_true(is_label_name(leat_text_bytes(&out)));
    len = out.len;
    memcpy(once, out.data, len);
    leat_text_clear(&out);
    assert_true(leat_prom_label_name(rule, leat_bytes(once, len), &out));
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, once, len);
}

/* Every name of up to four pieces. */
static void test_every_short_name(void **state)
{
    char buf[64];

    (void)state;
    for (uint32_t n = 0; n < 1u << 16; n++) {
        struct leat_bytes name = word_of(n, buf);
        struct leat_bytes unit = leat_bytes_str(n & 1 ? "1" : "s");

        for (int s = LEAT_PROM_ESCAPE_SUFFIXES; s <= LEAT_PROM_UTF8; s++)
            check_name((enum leat_prom_strategy)s, leat_bytes(NULL, 0), name, unit,
                       (enum golden_type)(n % 3));
        for (int r = LEAT_PROM_LABEL_WRITE; r <= LEAT_PROM_LABEL_UTF8; r++)
            check_label((enum leat_prom_label_rule)r, name);
    }
}

static void test_random_names(void **state)
{
    struct otlp_random r = {42};
    char namespace[256], name[256], unit[256];

    (void)state;
    for (uint32_t i = 0; i < FORMS; i++) {
        struct leat_bytes n = word_of((uint32_t)otlp_random_next(&r), name);

        for (size_t at = 0; at < n.len; at++) {
            if (otlp_random_below(&r, 8) == 0)
                name[at] = (char)otlp_random_next(&r);
        }
        check_name(
            (enum leat_prom_strategy)otlp_random_below(&r, 4),
            word_of(otlp_random_below(&r, 2) ? 0 : (uint32_t)otlp_random_next(&r), namespace), n,
            word_of((uint32_t)otlp_random_next(&r), unit),
            (enum golden_type)otlp_random_below(&r, 3));
        check_label((enum leat_prom_label_rule)otlp_random_below(&r, 3), n);
    }
}

static int setup(void **state)
{
    (void)state;
    leat_text_init(&out, MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    leat_text_done(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_upstream),       cmocka_unit_test(test_labels_as_upstream),
        cmocka_unit_test(test_units_as_upstream), cmocka_unit_test(test_better),
        cmocka_unit_test(test_strategy),          cmocka_unit_test(test_info_name),
        cmocka_unit_test(test_appends),           cmocka_unit_test(test_every_short_name),
        cmocka_unit_test(test_random_names),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
