/* Messages at their place: order, excerpt, caret, JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/diag.h"

static char *printed(const struct leat_diags *d, int colour, int json)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    if (json)
        leat_diags_print_json(d, f);
    else
        leat_diags_print(d, f, colour);
    fclose(f);
    return text;
}

static void expect(const struct leat_diags *d, const char *want)
{
    char *got = printed(d, 0, 0);

    assert_string_equal(got, want);
    free(got);
}

static struct leat_place at(const char *source, uint32_t line, uint32_t column, uint32_t width)
{
    return (struct leat_place){source, line, column, width};
}

static void excerpt_and_hint(void **state)
{
    struct leat_diags *d = leat_diags_new();
    const char *text = "a: 1\nbatch:\n  tmeout: 5s\n";

    (void)state;
    leat_diags_source(d, "c.yaml", text, strlen(text));
    leat_diags_error(d, at("c.yaml", 3, 3, 6), "batch.tmeout", "did you mean 'timeout'?",
                     "unknown key '%s'", "tmeout");
    expect(d, "c.yaml:3:3: error: unknown key 'tmeout'\n"
              "    3 |   tmeout: 5s\n"
              "      |   ^~~~~~\n"
              "  hint: did you mean 'timeout'?\n");
    leat_diags_free(d);
}

static void order_and_once(void **state)
{
    struct leat_diags *d = leat_diags_new();

    (void)state;
    leat_diags_source(d, "b.yaml", "x\ny\n", 4);
    leat_diags_source(d, "a.yaml", "x\n", 2);
    leat_diags_error(d, (struct leat_place){0}, NULL, NULL, "nowhere");
    leat_diags_error(d, at("a.yaml", 1, 1, 0), "", NULL, "five");
    leat_diags_warn(d, at("b.yaml", 2, 1, 0), "", NULL, "three");
    leat_diags_error(d, at("b.yaml", 1, 1, 0), "", NULL, "one");
    leat_diags_error(d, at("b.yaml", 1, 1, 0), "", NULL, "two");
    leat_diags_error(d, at("b.yaml", 1, 1, 0), "", NULL, "one");
    leat_diags_error(d, at("b.yaml", 2, 1, 0), "", NULL, "four");
    leat_diags_warn(d, at("b.yaml", 2, 1, 0), "", NULL, "three");
    assert_int_equal(leat_diags_count(d), 6);
    assert_int_equal(leat_diags_errors(d), 5);
    assert_string_equal(leat_diags_at(d, 2)->text, "three");
    expect(d, "b.yaml:1:1: error: one\n    1 | x\n      | ^\n"
              "b.yaml:1:1: error: two\n    1 | x\n      | ^\n"
              "b.yaml:2:1: warning: three\n    2 | y\n      | ^\n"
              "b.yaml:2:1: error: four\n    2 | y\n      | ^\n"
              "a.yaml:1:1: error: five\n    1 | x\n      | ^\n"
              "error: nowhere\n");
    leat_diags_free(d);
}

static void tabs_utf8_and_ends(void **state)
{
    struct leat_diags *d = leat_diags_new();
    const char *text = "\ta\tb\r\n\xc3\xa4\xe2\x82\xac x\rlast\x01";

    (void)state;
    leat_diags_source(d, "t", text, strlen(text));
    leat_diags_error(d, at("t", 1, 4, 1), "", NULL, "b");
    leat_diags_error(d, at("t", 2, 4, 1), "", NULL, "x");
    leat_diags_error(d, at("t", 3, 6, 1), "", NULL, "behind the end");
    leat_diags_error(d, at("t", 4, 1, 1), "", NULL, "no such line");
    expect(d, "t:1:4: error: b\n    1 |     a   b\n      |         ^\n"
              "t:2:4: error: x\n    2 | \xc3\xa4\xe2\x82\xac x\n      |    ^\n"
              "t:3:6: error: behind the end\n    3 | last?\n      |      ^\n"
              "t:4:1: error: no such line\n");
    leat_diags_free(d);
}

static void long_line(void **state)
{
    struct leat_diags *d = leat_diags_new();
    char text[1000], *got, *caret, *line;

    (void)state;
    memset(text, '.', sizeof text);
    text[499] = 'X';
    leat_diags_source(d, "t", text, sizeof text);
    leat_diags_error(d, at("t", 1, 500, 1), "", NULL, "x");
    got = printed(d, 0, 0);
    line = strstr(got, " | ") + 3;
    assert_memory_equal(line, "\xe2\x80\xa6.", 4);
    caret = strstr(line, " | ") + 3;
    /* the ellipsis is three bytes and one cell */
    assert_int_equal(strcspn(caret, "^"), strcspn(line, "X") - 2);
    assert_true(strcspn(line, "\n") < 110);
    free(got);
    leat_diags_free(d);
}

static void hostile_words(void **state)
{
    struct leat_diags *d = leat_diags_new();
    char word[3000], *got;

    (void)state;
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    leat_diags_error(d, at("s", 1, 1, 1), "p", NULL, "%s", word);
    assert_int_equal(strlen(leat_diags_at(d, 0)->text), 1003);
    leat_diags_error(d, at("s", 2, 1, 1), "\033[2J", "h\"\\", "bell \a, escape \033, \xff\xc2\x85");
    assert_string_equal(leat_diags_at(d, 1)->text, "bell ?, escape ?, ???");
    got = printed(d, 0, 1);
    assert_non_null(strstr(got,
                           ",\n{\"severity\":\"error\",\"source\":\"s\",\"line\":2,\"column\":1,"
                           "\"path\":\"?[2J\",\"message\":\"bell ?, escape ?, ???\","
                           "\"hint\":\"h\\\"\\\\\"}\n]\n"));
    free(got);
    leat_diags_free(d);
}

static void many(void **state)
{
    struct leat_diags *d = leat_diags_new();
    char *got;

    (void)state;
    for (uint32_t i = 0; i < 1500; i++)
        leat_diags_error(d, at("s", i + 1, 1, 1), "", NULL, "bad");
    assert_int_equal(leat_diags_count(d), 1000);
    assert_int_equal(leat_diags_errors(d), 1500);
    got = printed(d, 0, 0);
    assert_non_null(strstr(got, "... and 500 more\n"));
    free(got);
    leat_diags_free(d);
}

static void colour_and_empty_json(void **state)
{
    struct leat_diags *d = leat_diags_new();
    char *got = printed(d, 0, 1);

    (void)state;
    assert_string_equal(got, "[]\n");
    free(got);
    leat_diags_warn(d, (struct leat_place){0}, "", "h", "w");
    got = printed(d, 1, 0);
    assert_string_equal(got, "\033[1;35mwarning:\033[0m w\n  \033[1;36mhint:\033[0m h\n");
    free(got);
    got = printed(d, 0, 1);
    assert_string_equal(got, "[\n{\"severity\":\"warning\",\"source\":null,\"line\":0,\"column\":0,"
                             "\"path\":\"\",\"message\":\"w\",\"hint\":\"h\"}\n]\n");
    free(got);
    leat_diags_free(d);
    leat_diags_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(excerpt_and_hint),      cmocka_unit_test(order_and_once),
        cmocka_unit_test(tabs_utf8_and_ends),    cmocka_unit_test(long_line),
        cmocka_unit_test(hostile_words),         cmocka_unit_test(many),
        cmocka_unit_test(colour_and_empty_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
