#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/glob.h"

static bool fits(const char *pattern, const char *text, unsigned flags)
{
    return leat_glob(pattern, leat_bytes_str(text), flags);
}

static void asterisks(void **state)
{
    (void)state;
    assert_true(fits("", "", 0) && fits("*", "", 0) && fits("**", "abc", 0));
    assert_true(fits("a*c", "ac", 0) && fits("a*c", "abbc", 0) && fits("*.x*y", "k.xbcy", 0));
    assert_true(fits("*ab", "aab", 0)); /* one step back */
    assert_false(fits("a*c", "acb", 0) || fits("", "a", 0) || fits("a", "", 0));
}

static void question_marks(void **state)
{
    (void)state;
    assert_true(fits("host.?d", "host.id", LEAT_GLOB_ONE));
    assert_true(fits("?d",
                     "\xc3\xa9"
                     "d",
                     LEAT_GLOB_ONE)); /* a character, not a byte */
    assert_true(fits("?d",
                     "\xff"
                     "d",
                     LEAT_GLOB_ONE)); /* or a byte that is none */
    assert_false(fits("?", "", LEAT_GLOB_ONE));
    assert_false(fits("a?", "ab", 0));
    assert_true(fits("a?", "a?", 0));
}

static void cases(void **state)
{
    (void)state;
    assert_true(fits("HTTPS://*.Example.com", "https://a.example.COM", LEAT_GLOB_FOLD));
    assert_false(fits("A", "a", 0));
    assert_false(fits("[", "{", LEAT_GLOB_FOLD)); /* letters only */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asterisks),
        cmocka_unit_test(question_marks),
        cmocka_unit_test(cases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
