/* Errors in words, cut when too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void sentences(void **state)
{
    struct leat_err err;

    (void)state;
    assert_int_equal(leat_fail(&err, "cannot %s %d", "open", 7), -1);
    assert_string_equal(err.text, "cannot open 7");
    assert_int_equal(leat_fail_in(&err, "otlp/edge"), -1);
    assert_string_equal(err.text, "otlp/edge: cannot open 7");
    assert_int_equal(leat_fail(NULL, "nobody reads this"), -1);
    assert_int_equal(leat_fail_in(NULL, "x"), -1);
}

static void long_ones_are_cut(void **state)
{
    struct leat_err err;
    char text[2000];

    (void)state;
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    leat_fail(&err, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    leat_fail_in(&err, text);
    assert_true(strlen(err.text) < sizeof err.text);
    assert_non_null(strstr(err.text, "a: a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences),
        cmocka_unit_test(long_ones_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
