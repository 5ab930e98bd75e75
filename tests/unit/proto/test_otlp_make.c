/* The request writer: canonical bytes, lengths of every width, sticking errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "proto/otlp_make.h"
#include "proto/wire.h"

struct fixture {
    struct leat_text out;
    struct leat_make m;
};

static struct fixture *begin(struct fixture *f, size_t max)
{
    leat_text_init(&f->out, max);
    leat_make_init(&f->m, &f->out);
    return f;
}

static void assert_bytes(const struct leat_text *t, const void *want, size_t len)
{
    assert_true(leat_text_ok(t));
    assert_int_equal(t->len, len);
    assert_memory_equal(t->data, want, len);
}

static void test_scalars(void **state)
{
    struct fixture f;
    static const uint8_t want[] = {0x08, 0x96, 0x01, 0x11, 1,   0,    0, 0,    0,    0,
                                   0,    0,    0x19, 0,    0,   0,    0, 0,    0,    0xf8,
                                   0x3f, 0x22, 2,    'h',  'i', 0x2a, 0, 0xa0, 0x06, 0};

    (void)state;
    begin(&f, 100);
    leat_make_varint(&f.m, 1, 150);
    leat_make_fixed64(&f.m, 2, 1);
    leat_make_double(&f.m, 3, 1.5);
    leat_make_string(&f.m, 4, "hi");
    leat_make_bytes(&f.m, 5, leat_bytes(NULL, 0));
    leat_make_varint(&f.m, 100, 0);
    assert_bytes(&f.out, want, sizeof want);
    leat_text_done(&f.out);
}

static void test_attributes(void **state)
{
    struct fixture f;
    static const uint8_t want[] = {0x0a, 7,    0x0a, 1,    'b',  0x12, 2,    0x10, 1,
                                   0x0a, 16,   0x0a, 1,    'i',  0x12, 11,   0x18, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};

    (void)state;
    begin(&f, 100);
    leat_make_attr_bool(&f.m, 1, "b", true);
    leat_make_attr_int(&f.m, 1, "i", -1);
    assert_bytes(&f.out, want, sizeof want);
    leat_text_clear(&f.out);
    leat_make_attr_string(&f.m, 1, "k", "v");
    assert_bytes(&f.out, "\x0a\x08\x0a\x01k\x12\x03\x0a\x01v", 10);
    leat_text_clear(&f.out);
    leat_make_attr_double(&f.m, 9, "k", 0);
    assert_bytes(&f.out, "\x4a\x0e\x0a\x01k\x12\x09\x21\0\0\0\0\0\0\0\0", 16);
    leat_text_done(&f.out);
}

/* Messages of every width of length, each checked through the reader. */
static void test_lengths(void **state)
{
    static const size_t sizes[] = {0, 1, 124, 125, 126, 127, 128, 16379, 16380, 16384, 2097152};
    static uint8_t body[2097152];

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct fixture f;
        struct leat_wire w;
        struct leat_wire_field field;
        size_t inner;

        begin(&f, sizes[i] + 100);
        leat_make_open(&f.m, 1);
        leat_make_open(&f.m, 2);
        leat_make_bytes(&f.m, 3, leat_bytes(body, sizes[i]));
        leat_make_close(&f.m);
        leat_make_varint(&f.m, 4, 7);
        leat_make_close(&f.m);
        w = leat_wire_of(leat_text_bytes(&f.out));
        assert_int_equal(leat_wire_next(&w, &field), 1);
        assert_int_equal(field.field, 1);
        inner = field.bytes.len;
        assert_int_equal(1 + leat_wire_varint_size(inner) + inner, f.out.len);
        w = leat_wire_of(field.bytes);
        assert_int_equal(leat_wire_next(&w, &field), 1);
        assert_int_equal(1 + leat_wire_varint_size(field.bytes.len) + field.bytes.len + 2, inner);
        assert_int_equal(leat_wire_next(&w, &field), 1);
        assert_int_equal(field.number, 7);
        assert_int_equal(leat_wire_next(&w, &field), 0);
        leat_text_done(&f.out);
    }
}

/* Whatever append hits the maximum or finds no memory: no crash, the error sticks. */
static void test_errors_stick(void **state)
{
    (void)state;
    for (size_t max = 0; max < 200; max++) {
        struct fixture f;

        begin(&f, max);
        leat_make_open(&f.m, 1);
        leat_make_attr_string(&f.m, 1, "key", "value");
        leat_make_attr_double(&f.m, 2, "key", 1);
        leat_make_bytes(&f.m, 3, leat_bytes("0123456789", 10));
        leat_make_close(&f.m);
        assert_true(f.out.len <= max);
        assert_int_equal(f.m.depth, 0);
        if (max < 50)
            assert_false(leat_text_ok(&f.out));
        if (max > 100)
            assert_true(leat_text_ok(&f.out));
        leat_text_done(&f.out);
    }
    for (uint64_t nth = 1; nth < 3; nth++) {
        struct fixture f;

        begin(&f, 100000);
        leat_mem_fail_at(nth);
        leat_make_open(&f.m, 1);
        for (int i = 0; i < 40; i++)
            leat_make_string(&f.m, 1, "0123456789");
        leat_make_close(&f.m);
        leat_mem_fail_at(0);
        assert_false(leat_text_ok(&f.out));
        leat_text_done(&f.out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_errors_stick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
