/* Comparing, UTF-8, hex and base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static void comparing(void **state)
{
    (void)state;
    assert_true(leat_bytes_is(leat_bytes_str("abc"), "abc"));
    assert_false(leat_bytes_is(leat_bytes_str("abc"), "abd"));
    assert_false(leat_bytes_is(leat_bytes("ab\0", 3), "ab"));
    assert_true(leat_bytes_is(leat_bytes(NULL, 0), ""));
    assert_int_equal(leat_bytes_str(NULL).len, 0);
    assert_int_equal(leat_bytes_compare(leat_bytes(NULL, 0), leat_bytes_str("")), 0);
    assert_int_equal(leat_bytes_compare(leat_bytes_str("ab"), leat_bytes_str("ab")), 0);
    assert_true(leat_bytes_compare(leat_bytes_str("a"), leat_bytes_str("ab")) < 0);
    assert_true(leat_bytes_compare(leat_bytes_str("b"), leat_bytes_str("ab")) > 0);
    assert_true(leat_bytes_compare(leat_bytes_str("\xff"), leat_bytes_str("a")) > 0);
    assert_true(leat_bytes_is_nocase(leat_bytes_str("Content-TYPE"), "content-type"));
    assert_false(leat_bytes_is_nocase(leat_bytes_str("content"), "content-type"));
    assert_false(leat_bytes_is_nocase(leat_bytes_str("content-type"), "content"));
    assert_false(leat_bytes_is_nocase(leat_bytes("a\0", 2), "a"));
    assert_false(leat_bytes_is_nocase(leat_bytes_str("["), "{")); /* letters only */
    assert_true(leat_bytes_eq_secret(leat_bytes_str("secret"), leat_bytes_str("secret")));
    assert_false(leat_bytes_eq_secret(leat_bytes_str("secret"), leat_bytes_str("secrex")));
    assert_false(leat_bytes_eq_secret(leat_bytes_str("secret"), leat_bytes_str("secre")));
    assert_true(leat_bytes_eq_secret(leat_bytes(NULL, 0), leat_bytes(NULL, 0)));
}

static void trimming(void **state)
{
    char text[] = "X-\xc3\x84 @[Az";

    (void)state;
    assert_true(leat_bytes_is(leat_bytes_trim(leat_bytes_str(" \t a b\t ")), "a b"));
    assert_int_equal(leat_bytes_trim(leat_bytes_str(" \t ")).len, 0);
    assert_int_equal(leat_bytes_trim(leat_bytes(NULL, 0)).len, 0);
    leat_lower(text, sizeof text - 1);
    assert_string_equal(text, "x-\xc3\x84 @[az");
}

static void first_sequence(void **state)
{
    (void)state;
    assert_int_equal(leat_utf8_len(leat_bytes(NULL, 0)), 0);
    assert_int_equal(leat_utf8_len(leat_bytes_str("ab")), 1);
    assert_int_equal(leat_utf8_len(leat_bytes_str("\xc3\xa4x")), 2);
    assert_int_equal(leat_utf8_len(leat_bytes_str("\xe2\x82\xacx")), 3);
    assert_int_equal(leat_utf8_len(leat_bytes_str("\xf0\x9f\x98\x80x")), 4);
    assert_int_equal(leat_utf8_len(leat_bytes("\xf0\x9f\x98\x80", 3)), 0);
    assert_int_equal(leat_utf8_len(leat_bytes_str("\x80")), 0);
}

/* RFC 3629 section 3 and 4, said again in the plainest way. */
static bool oracle(uint32_t v, const uint8_t *s, size_t n)
{
    uint8_t out[4];
    size_t len = v < 0x80 ? 1 : v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;

    if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff) || len != n)
        return false;
    out[0] = (uint8_t)(len == 1   ? v
                       : len == 2 ? 0xc0 | v >> 6
                       : len == 3 ? 0xe0 | v >> 12
                                  : 0xf0 | v >> 18);
    for (size_t i = 1; i < len; i++)
        out[i] = (uint8_t)(0x80 | (v >> (6 * (len - 1 - i)) & 0x3f));
    return memcmp(out, s, n) == 0;
}

/* Every three-byte sequence, and the four-byte ones at their edges. */
static void utf8(void **state)
{
    uint8_t s[4];

    (void)state;
    for (uint32_t a = 0xc0; a < 0x100; a++) {
        for (uint32_t b = 0; b < 0x100; b++) {
            s[0] = (uint8_t)a;
            s[1] = (uint8_t)b;
            assert_int_equal(leat_bytes_utf8(leat_bytes(s, 2)),
                             oracle((a & 0x1f) << 6 | (b & 0x3f), s, 2));
            for (uint32_t c = a < 0xe0 ? 0x80 : 0x7e; c < 0xc2; c++) {
                s[2] = (uint8_t)c;
                if (b < 0x80)
                    continue; /* then they are two of which one is bad */
                assert_int_equal(leat_bytes_utf8(leat_bytes(s, 3)),
                                 oracle((a & 0xf) << 12 | (b & 0x3f) << 6 | (c & 0x3f), s, 3));
                s[3] = 0x80;
                assert_int_equal(leat_bytes_utf8(leat_bytes(s, 4)),
                                 oracle((a & 7) << 18 | (b & 0x3f) << 12 | (c & 0x3f) << 6, s, 4));
            }
        }
    }
}

static void utf8_in_longer_text(void **state)
{
    char text[40];

    (void)state;
    for (size_t at = 0; at < 20; at++) {
        memset(text, 'a', sizeof text);
        memcpy(text + at, "\xe2\x82\xac", 3);
        assert_true(leat_bytes_utf8(leat_bytes(text, 30)));
        assert_false(leat_bytes_utf8(leat_bytes(text, at + 2)));
        text[at + 2] = 'a';
        assert_false(leat_bytes_utf8(leat_bytes(text, 30)));
    }
    assert_true(leat_bytes_utf8(leat_bytes(NULL, 0)));
    assert_true(leat_bytes_utf8(leat_bytes("\0", 1)));
}

static void hex(void **state)
{
    char text[8];
    uint8_t out[4];

    (void)state;
    leat_hex_encode(leat_bytes("\x00\xff\x1a", 3), text);
    assert_memory_equal(text, "00ff1a", 6);
    assert_int_equal(leat_hex_decode(leat_bytes_str("00Ff1A"), out), 3);
    assert_memory_equal(out, "\x00\xff\x1a", 3);
    assert_int_equal(leat_hex_decode(leat_bytes_str("abc"), out), -1);
    assert_int_equal(leat_hex_decode(leat_bytes_str("0g"), out), -1);
    assert_int_equal(leat_hex_decode(leat_bytes_str("@0"), out), -1);
    assert_int_equal(leat_hex_decode(leat_bytes(NULL, 0), out), 0);
    for (int c = 0; c < 256; c++) {
        uint8_t pair[2] = {'0', (uint8_t)c};
        bool digit = c && strchr("0123456789abcdefABCDEF", c) != NULL;
        assert_int_equal(leat_hex_decode(leat_bytes(pair, 2), out), digit ? 1 : -1);
    }
}

static void base64(void **state)
{
    /* RFC 4648 section 10 */
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    char text[16];
    uint8_t out[16];

    (void)state;
    for (size_t i = 0; i < 7; i++) {
        struct leat_bytes plain = leat_bytes_str(pairs[i][0]), coded = leat_bytes_str(pairs[i][1]);
        size_t bare = strcspn(pairs[i][1], "=");
        assert_int_equal(leat_base64_encode(plain, text), coded.len);
        assert_memory_equal(text, coded.data, coded.len);
        assert_int_equal(leat_base64_decode(coded, out), plain.len);
        assert_memory_equal(out, plain.data, plain.len);
        assert_int_equal(leat_base64_decode(leat_bytes(coded.data, bare), out), plain.len);
    }
    assert_int_equal(leat_base64_decode(leat_bytes_str("Z"), out), -1);
    assert_int_equal(leat_base64_decode(leat_bytes_str("Zg="), out), -1);
    assert_int_equal(leat_base64_decode(leat_bytes_str("Z==="), out), -1);
    assert_int_equal(leat_base64_decode(leat_bytes_str("===="), out), -1);
    assert_int_equal(leat_base64_decode(leat_bytes_str("Zg==Zg=="), out), -1);
    assert_int_equal(leat_base64_decode(leat_bytes_str("Zm9v=mFy"), out), -1);
    assert_int_equal(leat_base64_decode(leat_bytes_str("Zm-_"), out), -1);
    assert_int_equal(leat_base64_decode(leat_bytes_str("Zm 9"), out), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),
        cmocka_unit_test(trimming),
        cmocka_unit_test(first_sequence),
        cmocka_unit_test(utf8),
        cmocka_unit_test(utf8_in_longer_text),
        cmocka_unit_test(hex),
        cmocka_unit_test(base64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
