/* JSON strings: what is escaped, what is replaced, wherever it stands in a long run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_quote.h"

static void expect(struct leat_bytes in, const char *want)
{
    struct leat_text t;

    leat_text_init(&t, 1000);
    leat_json_quote(&t, in);
    assert_true(leat_text_ok(&t));
    assert_string_equal(leat_text_get(&t), want);
    leat_text_done(&t);
}

static void escapes(void **state)
{
    (void)state;
    expect(leat_bytes(NULL, 0), "\"\"");
    expect(leat_bytes_str("plain \xc3\xa4 /'"), "\"plain \xc3\xa4 /'\"");
    expect(leat_bytes_str("a\"b\\c\n\r\t\x01\x1f\x7f\xc3\xa4"),
           "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u001f\\u007f\xc3\xa4\"");
    expect(leat_bytes("a\0b", 3), "\"a\\u0000b\"");
}

static void bad_utf8_is_replaced(void **state)
{
    (void)state;
    expect(leat_bytes_str("\xff"), "\"\xef\xbf\xbd\"");
    expect(leat_bytes_str("\xc3"), "\"\xef\xbf\xbd\"");                 /* cut short */
    expect(leat_bytes_str("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\""); /* overlong */
    expect(leat_bytes_str("\xc3\x28"), "\"\xef\xbf\xbd(\"");
}

/* Sixteen bytes are looked at together: each kind of byte at each place of them. */
static void at_every_place(void **state)
{
    static const struct {
        char c;
        const char *form;
    } kinds[] = {{'"', "\\\""},       {'\\', "\\\\"}, {'\n', "\\n"}, {'\x1f', "\\u001f"},
                 {'\x7f', "\\u007f"}, {' ', " "},     {'~', "~"},    {'\xff', "\xef\xbf\xbd"}};
    char in[41], want[64];

    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (size_t at = 0; at < 40; at++) {
            memset(in, 'x', 40);
            in[40] = '\0';
            snprintf(want, sizeof want, "\"%.*s%s%s\"", (int)at, in, kinds[k].form, in + at + 1);
            in[at] = kinds[k].c;
            expect(leat_bytes(in, 40), want);
        }
    }
}

static void the_maximum_is_kept(void **state)
{
    (void)state;
    for (size_t max = 0; max < 8; max++) {
        struct leat_text t;

        leat_text_init(&t, max);
        leat_json_quote(&t, leat_bytes_str("abcd"));
        assert_int_equal(leat_text_ok(&t), max >= 6);
        assert_true(t.len <= max);
        leat_text_done(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes),
        cmocka_unit_test(bad_utf8_is_replaced),
        cmocka_unit_test(at_every_place),
        cmocka_unit_test(the_maximum_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
