/* Selectors of match[]: what they choose, and what is refused with which sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "exporters/prom_match.h"

/* The parameter as a client would write it. */
static void encode(struct leat_text *out, const char *selector)
{
    leat_text_str(out, "match%5B%5D=");
    for (; *selector != '\0'; selector++)
        if (strchr("%&+=#", *selector) != NULL)
            leat_text_printf(out, "%%%02X", (unsigned char)*selector);
        else
            leat_text_char(out, *selector == ' ' ? '+' : *selector);
}

static bool chooses(const char *selector, const char *name, enum leat_scrape_kind kind,
                    const char *labels)
{
    struct leat_scrape_family f = {.name = leat_bytes_str(name), .kind = kind};
    struct leat_scrape_series s = {.labels = leat_bytes_str(labels)};
    struct leat_scrape_match *m;
    struct leat_err err = {""};
    struct leat_text query;
    bool chosen;

    leat_text_init(&query, 1 << 16);
    encode(&query, selector);
    if (leat_scrape_match_new(leat_text_bytes(&query), &m, &err) < 0)
        fail_msg("%s", err.text);
    chosen = leat_scrape_match_family(m, &f) && leat_scrape_match_series(m, &s);
    leat_scrape_match_free(m);
    leat_text_done(&query);
    return chosen;
}

#define SERIES "up", LEAT_SCRAPE_GAUGE, "instance=\"a:1\",job=\"x\",path=\"/a\\\\b\\\"c\\n\""
#define YES(s) assert_true(chooses(s, SERIES))
#define NO(s)  assert_false(chooses(s, SERIES))

static void what_is_chosen(void **state)
{
    (void)state;
    YES("up");
    YES("  up  ");
    NO("down");
    YES("{job=\"x\"}");
    YES("up{job=\"x\"}");
    YES("up{job='x',}");
    YES("up { job = `x` , instance != \"b\" }");
    NO("up{job=\"y\"}");
    NO("up{job!=\"x\"}");
    YES("up{job!=\"y\"}");
    YES("{__name__=\"up\"}");
    YES("{__name__=~\"u.\"}");
    YES("{\"up\"}");
    YES("{\"up\",job=\"x\"}");
    YES("{\"job\"=\"x\"}");
    NO("{__name__!=\"up\",job=\"x\"}");
    /* expressions are anchored */
    YES("{job=~\"x\"}");
    NO("{instance=~\"a\"}");
    YES("{instance=~\"a.*\"}");
    YES("{instance=~\"b|a:[0-9]+\"}");
    NO("{instance=~\"b|a\"}");
    NO("up{instance!~\"a.*\"}");
    YES("up{instance!~\"a\"}");
    YES("{instance=~\"\\\\w:\\\\w\"}");
    /* labels that are not there are empty */
    YES("up{none=\"\"}");
    NO("up{none!=\"\"}");
    YES("up{none=~\".*\"}");
    NO("up{none=~\".+\"}");
    /* what is escaped */
    YES("{path=\"/a\\\\b\\\"c\\n\"}");
    YES("{path=~\"/a.b.c.\"}");
    NO("{path=\"/a\"}");
}

static void names_of_samples(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        static const char *const names[] = {"h", "h_bucket", "h_sum", "h_count"};

        assert_true(chooses(names[i], "h", LEAT_SCRAPE_HISTOGRAM, ""));
        assert_int_equal(chooses(names[i], "h", LEAT_SCRAPE_SUMMARY, ""), i != 1);
        assert_int_equal(chooses(names[i], "h", LEAT_SCRAPE_GAUGE, ""), i == 0);
    }
    assert_true(chooses("{__name__=~\"h_.*\"}", "h", LEAT_SCRAPE_HISTOGRAM, ""));
}

static void any_of_several(void **state)
{
    struct leat_scrape_family f = {.name = leat_bytes_str("b")};
    struct leat_scrape_series s = {.labels = leat_bytes_str("x=\"1\"")};
    struct leat_scrape_match *m;
    struct leat_err err = {""};

    (void)state;
    assert_int_equal(
        leat_scrape_match_new(leat_bytes_str("a=1&match[]=a&other&match%5b]=b{x=\"1\"}&match[]=c"),
                              &m, &err),
        0);
    assert_true(leat_scrape_match_family(m, &f));
    assert_true(leat_scrape_match_series(m, &s));
    s.labels = leat_bytes_str("x=\"2\"");
    assert_false(leat_scrape_match_series(m, &s));
    f.name = leat_bytes_str("d");
    assert_false(leat_scrape_match_family(m, &f));
    leat_scrape_match_free(m);
    assert_int_equal(leat_scrape_match_new(leat_bytes_str("a=b&match=up"), &m, &err), 0);
    assert_null(m);
}

static void what_is_refused(void **state)
{
    static const char *const table[][2] = {
        {"", "a name is missing"},
        {"{}", "must not fit the empty value"},
        {"{a=\"\"}", "must not fit the empty value"},
        {"{a=~\".*\"}", "must not fit the empty value"},
        {"{a=~\"x*\"}", "must not fit the empty value"},
        {"{a!~\"x+\"}", "must not fit the empty value"},
        {"up{", "} is missing"},
        {"up}", "behind the selector"},
        {"up{a}", "one of = != =~ !~"},
        {"up{a=}", "a value in quotes"},
        {"up{a=b}", "a value in quotes"},
        {"up{a=\"b}", "an unfinished string"},
        {"up{a=\"b\\", "an unfinished string"},
        {"up{a=\"b\\q\"}", "an escape"},
        {"up{a=\"b\" c=\"d\"}", ", or }"},
        {"up{=\"b\"}", "a label's name"},
        {"up{,}", "a label's name"},
        {"1up", "a name is missing"},
        {"up[5m]", "behind the selector"},
        {"rate(up)", "behind the selector"},
        {"{a=~\"(\"}", "a ( without its )"},
        {"{a=~\"\\\\pL\"}", "an escape"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct leat_scrape_match *m;
        struct leat_err err = {""};
        struct leat_text query;

        leat_text_init(&query, 1 << 16);
        encode(&query, table[i][0]);
        if (leat_scrape_match_new(leat_text_bytes(&query), &m, &err) == 0)
            fail_msg("%s was taken", table[i][0]);
        if (strstr(err.text, table[i][1]) == NULL)
            fail_msg("%s: %s", table[i][0], err.text);
        assert_null(m);
        leat_text_done(&query);
    }
}

static bool is_taken(const char *piece, size_t times, const char *end)
{
    struct leat_scrape_match *m;
    struct leat_err err = {""};
    struct leat_text query;
    bool taken;

    leat_text_init(&query, 1 << 20);
    for (size_t i = 0; i < times; i++)
        leat_text_str(&query, piece);
    leat_text_str(&query, end);
    taken = leat_scrape_match_new(leat_text_bytes(&query), &m, &err) == 0;
    leat_scrape_match_free(m);
    leat_text_done(&query);
    return taken;
}

static void limits(void **state)
{
    (void)state;
    assert_true(is_taken("match[]=up&", 32, ""));
    assert_false(is_taken("match[]=up&", 33, ""));
    assert_true(is_taken("a", 0, "match[]=up{a=\"1\",a=\"2\",a=\"3\"}"));
    assert_false(is_taken("match[]=up{a=\"b\",", 1,
                          "a=\"b\",a=\"b\",a=\"b\",a=\"b\",a=\"b\",a="
                          "\"b\",a=\"b\",a=\"b\",a=\"b\",a=\"b\",a="
                          "\"b\",a=\"b\",a=\"b\",a=\"b\",a=\"b\",a=\"b\"}"));
}

/* One that would need a million states, did it remember them. */
static void expressions_stay_small(void **state)
{
    struct leat_scrape_family f = {.name = leat_bytes_str("up")};
    struct leat_scrape_series s = {.labels = leat_bytes(NULL, 0)};
    struct leat_scrape_match *m;
    struct leat_err err = {""};
    char labels[300] = "a=\"";

    (void)state;
    assert_int_equal(
        leat_scrape_match_new(leat_bytes_str("match[]={a=~\"(x|y)*x(x|y){20}\"}"), &m, &err), 0);
    assert_true(leat_scrape_match_family(m, &f));
    leat_random_fake(5);
    for (int i = 0; i < 2000; i++) {
        for (size_t k = 3; k < 203; k++)
            labels[k] = (leat_random() & 1) != 0 ? 'x' : 'y';
        strcpy(labels + 203, "\"");
        s.labels = leat_bytes_str(labels);
        assert_int_equal(leat_scrape_match_series(m, &s), labels[203 - 21] == 'x');
    }
    assert_in_range(leat_scrape_match_steps(m), 2000 * 200, 2000 * 200 * 60);
    leat_scrape_match_free(m);
}

static void no_memory(void **state)
{
    struct leat_scrape_match *m;
    struct leat_err err;
    uint64_t nth = 0;
    int rc;

    (void)state;
    do {
        leat_mem_fail_at(++nth);
        rc = leat_scrape_match_new(leat_bytes_str("match[]=up{a=~\"b\"}&match[]=x"), &m, &err);
        leat_mem_fail_at(0);
    } while (rc < 0 && nth < 100);
    assert_in_range(nth, 5, 99);
    leat_scrape_match_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_chosen), cmocka_unit_test(names_of_samples),
        cmocka_unit_test(any_of_several), cmocka_unit_test(what_is_refused),
        cmocka_unit_test(limits),         cmocka_unit_test(expressions_stay_small),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
