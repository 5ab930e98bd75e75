/* The wire reader and writer, at the edges of what the format allows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proto/wire.h"

static int next(const char *bytes, size_t len, struct leat_wire_field *f)
{
    struct leat_wire w = leat_wire_of(leat_bytes(bytes, len));

    return leat_wire_next(&w, f);
}

static void varints_come_back(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t v = (UINT64_C(1) << bit) + (uint64_t)(int64_t)delta, back = 0;
            uint8_t b[10];
            size_t n = (size_t)(leat_wire_put_varint(b, v) - b);
            struct leat_wire w = {b, b + n};

            assert_int_equal(n, leat_wire_varint_size(v));
            assert_true(leat_wire_varint(&w, &back));
            assert_true(back == v);
            assert_ptr_equal(w.at, b + n);
            w = (struct leat_wire){b, b + n - 1};
            assert_false(leat_wire_varint(&w, &back));
        }
    }
}

static void varints_have_ten_bytes_and_64_bits_at_most(void **state)
{
    static const uint8_t all[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00};
    static const uint8_t zero[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    uint8_t over[sizeof all];
    struct leat_wire w = {all, all + sizeof all};
    uint64_t v = 0;

    (void)state;
    assert_true(leat_wire_varint(&w, &v));
    assert_true(v == UINT64_MAX);
    w = (struct leat_wire){zero, zero + sizeof zero};
    assert_true(leat_wire_varint(&w, &v));
    assert_true(v == 0);
    memcpy(over, all, sizeof all);
    over[9] = 2;
    w = (struct leat_wire){over, over + sizeof over};
    assert_false(leat_wire_varint(&w, &v));
    over[9] = 0x81;
    w = (struct leat_wire){over, over + sizeof over};
    assert_false(leat_wire_varint(&w, &v));
}

static void fields_are_read(void **state)
{
    struct leat_wire_field f;

    (void)state;
    assert_int_equal(next("", 0, &f), 0);
    assert_int_equal(next(NULL, 0, &f), 0);
    assert_int_equal(next("\x08\x96\x01", 3, &f), 1);
    assert_int_equal(f.field, 1);
    assert_int_equal(f.type, LEAT_VARINT);
    assert_int_equal(f.number, 150);
    assert_int_equal(next("\x11\1\0\0\0\0\0\0\x80", 9, &f), 1);
    assert_true(f.field == 2 && f.type == LEAT_FIXED64 && f.number == 0x8000000000000001u);
    assert_int_equal(next("\x1d\1\0\0\x80", 5, &f), 1);
    assert_true(f.field == 3 && f.type == LEAT_FIXED32 && f.number == 0x80000001u);
    assert_int_equal(next("\x22\2hi", 4, &f), 1);
    assert_true(f.field == 4 && f.type == LEAT_BYTES && leat_bytes_is(f.bytes, "hi"));
    assert_int_equal(next("\xf8\xff\xff\xff\x0f\0", 6, &f), 1);
    assert_int_equal(f.field, 536870911);
}

static void what_is_not_well_formed_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\x08", 1},                                          /* no number */
        {"\x08\x80", 2},                                      /* half a number */
        {"\x11\0\0\0\0\0\0\0", 8},                            /* seven bytes */
        {"\x1d\0\0\0", 4},                                    /* three bytes */
        {"\x22\3hi", 4},                                      /* one byte less than said */
        {"\x22", 1},                                          /* no length */
        {"\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* the longest length */
        {"\0\0", 2},                                          /* field 0 */
        {"\x0b\x0c", 2},                                      /* a group */
        {"\x0e\0", 2},                                        /* wire type 6 */
        {"\x80\x80\x80\x80\x10\0", 6},                        /* field 536870912 */
    };
    struct leat_wire_field f;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(next(bad[i].bytes, bad[i].len, &f), -1);
}

static void bytes_are_written(void **state)
{
    uint8_t b[32];
    uint8_t *end = leat_wire_put_bytes(b, 16, leat_bytes_str("hello"));

    (void)state;
    assert_int_equal(end - b, 8);
    assert_memory_equal(b, "\x82\x01\x05hello", 8);
    end = leat_wire_put_bytes(b, 1, leat_bytes(NULL, 0));
    assert_int_equal(end - b, 2);
    assert_memory_equal(b, "\x0a\0", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_come_back),
        cmocka_unit_test(varints_have_ten_bytes_and_64_bits_at_most),
        cmocka_unit_test(fields_are_read),
        cmocka_unit_test(what_is_not_well_formed_is_refused),
        cmocka_unit_test(bytes_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
