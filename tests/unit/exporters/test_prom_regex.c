/* Regular expressions: what they match, what is refused, and that nothing makes them slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "exporters/prom_regex.h"

static bool matches(const char *regex, const char *text, size_t *steps)
{
    const char *why;
    struct leat_scrape_regex *r = leat_scrape_regex_new(leat_bytes_str(regex), &why);
    bool is;

    if (r == NULL)
        fail_msg("%s: %s", regex, why);
    is = leat_scrape_regex_match(r, leat_bytes_str(text), steps);
    leat_scrape_regex_free(r);
    return is;
}

/* Each expression, then what it matches, then (behind NULL) what it does not. */
static const char *const table[][12] = {
    {"", "", NULL, "a"},
    {"abc", "abc", NULL, "ab", "abcd", "xabc", ""},
    {".*", "", "a", "a\nb", "\xc3\xa4", "\xff", NULL},
    {".+", "a", NULL, ""},
    {".", "a", "\n", "\xc3\xa4", "\xe2\x82\xac", "\xff", NULL, "", "ab"},
    {"a|b", "a", "b", NULL, "", "ab", "c"},
    {"a|", "a", "", NULL, "b"},
    {"|a", "a", "", NULL, "b"},
    {"a|bc|d.", "a", "bc", "dx", NULL, "b", "d", "ab"},
    {"(a|b)c", "ac", "bc", NULL, "a", "c", "abc"},
    {"(?:a|b)*", "", "abba", NULL, "abc"},
    {"a*b+c?", "b", "aabbc", "bb", NULL, "a", "ac", "bcc"},
    {"a*?b+?c??", "b", "aabbc", NULL, "a", "bcc"},
    {"(ab){2}", "abab", NULL, "ab", "ababab", "aba"},
    {"a{2,3}", "aa", "aaa", NULL, "a", "aaaa", ""},
    {"a{2,}", "aa", "aaaaaa", NULL, "a", ""},
    {"a{0,2}", "", "a", "aa", NULL, "aaa"},
    {"a{0}", "", NULL, "a"},
    {"x{,2}", "x{,2}", NULL, "x", "xx"},
    {"a{1", "a{1", NULL, "a"},
    {"[a-c]", "a", "b", "c", NULL, "d", "", "-"},
    {"[^a-c]", "d", "\xc3\xa4", "\n", NULL, "a", "b", ""},
    {"[]a]", "]", "a", NULL, "[", "b"},
    {"[^]a]", "b", NULL, "]", "a"},
    {"[a-]", "a", "-", NULL, "b"},
    {"[\\]\\\\-]", "]", "\\", "-", NULL, "a"},
    {"[\xc3\xa4-\xc3\xbc]", "\xc3\xa4", "\xc3\xb6", NULL, "a", "\xc3"},
    {"[\\d_]+", "12_3", NULL, "a", ""},
    {"[^\\d]", "a", NULL, "1"},
    {"\\d+\\.\\d+", "1.25", NULL, "1", "1x2"},
    {"\\D\\W\\S", "a-b", NULL, "1-b", "aab", "a- "},
    {"\\w\\s\\w", "a b", "_\t1", NULL, "a-b", "ab"},
    {"a\\|b\\(\\)\\*", "a|b()*", NULL, "a"},
    {"\\n\\t", "\n\t", NULL, "nt"},
    {"^abc$", "abc", NULL, "ab", "abcd"},
    {"a^b", NULL, "ab", "a^b"},
    {"(^a|b$)+", "a", "b", "ab", NULL, "ba"},
    {"(a*)*", "", "aaa", NULL, "b"},
    {"(a*)+b", "b", "aab", NULL, "a"},
    {"(a|b|)*c", "c", "abac", NULL, "d"},
    {"()", "", NULL, "a"},
    {"(){1000}", "", NULL, "a"},
    {"((((((((((a))))))))))", "a", NULL, "b"},
    {"http_(requests|errors)_total", "http_requests_total", NULL, "http_x_total"},
};

static void what_matches(void **state)
{
    size_t steps = 0;

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const char *const *at = table[i] + 1;

        for (; *at != NULL; at++)
            if (!matches(table[i][0], *at, &steps))
                fail_msg("%s does not match '%s'", table[i][0], *at);
        for (at++; at < table[i] + 12 && *at != NULL; at++)
            if (matches(table[i][0], *at, &steps))
                fail_msg("%s matches '%s'", table[i][0], *at);
    }
    assert_true(steps > 0);
}

static void what_is_refused(void **state)
{
    static const char *const refused[] = {"(",
                                          ")",
                                          "a)",
                                          "(a",
                                          "[",
                                          "[a",
                                          "[]",
                                          "[\\",
                                          "\\",
                                          "a\\",
                                          "*",
                                          "+a",
                                          "a|*",
                                          "(?i)a",
                                          "(?",
                                          "(?P<x>a)",
                                          "a**",
                                          "a+*",
                                          "a{2}{3}{4}*",
                                          "\\pL",
                                          "\\b",
                                          "\\x41",
                                          "\\1",
                                          "[[:alpha:]]",
                                          "[b-a]",
                                          "a{1001}",
                                          "a{3,2}",
                                          "a{9999999999999999999}",
                                          "[\\q]",
                                          "(a{1000}){1000}",
                                          "((((){1000}){1000}){1000}){1000}"};
    char deep[256] = "", longer[300];
    const char *why;

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (leat_scrape_regex_new(leat_bytes_str(refused[i]), &why) != NULL)
            fail_msg("%s was taken", refused[i]);
    for (int i = 0; i < 40; i++)
        strcat(deep, "(");
    for (int i = 0; i < 40; i++)
        strcat(deep, ")+");
    assert_null(leat_scrape_regex_new(leat_bytes_str(deep), &why));
    memset(longer, 'a', sizeof longer);
    assert_null(leat_scrape_regex_new(leat_bytes(longer, 257), &why));
    leat_mem_fail_at(1);
    assert_null(leat_scrape_regex_new(leat_bytes_str("a"), &why));
    leat_mem_fail_at(0);
}

/* What makes others slow or large. */
static void nothing_is_slow(void **state)
{
    static const char *const regexes[] = {"(a+)+",
                                          "(a|a)*",
                                          "(a*)*(a*)*(a*)*",
                                          "(.*)*x",
                                          "((((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+",
                                          "(x|y)*x(x|y){20}"};
    char text[4097];

    (void)state;
    memset(text, 'a', 4096);
    text[4096] = '\0';
    for (size_t i = 0; i < sizeof regexes / sizeof *regexes; i++) {
        size_t steps = 0;

        matches(regexes[i], text, &steps);
        assert_true(steps <= (size_t)4100 * 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_matches),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(nothing_is_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
