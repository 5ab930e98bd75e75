/* Snappy blocks made by pieces, against the library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/codec.h"
#include "lib/otlp_random.h"
#include "proto/prom_squeeze.h"

#define MOST ((size_t)1 << 20)

static struct leat_codecs *codecs;
static struct leat_squeeze q;
static struct leat_text plain;

static void add(const void *data, size_t len)
{
    assert_true(leat_squeeze_reserve(&q, len, 1));
    assert_int_equal(q.raw, plain.len);
    leat_squeeze_add(&q, data, len);
    leat_text_add(&plain, data, len);
}

static void again(size_t from, size_t len)
{
    uint8_t *copy = leat_new(len);

    memcpy(copy, plain.data + from, len);
    assert_true(leat_squeeze_reserve(&q, len, 1));
    leat_squeeze_again(&q, from, len);
    leat_text_add(&plain, copy, len);
    leat_free(copy);
}

/* The library reads what went in, and so does undo. */
static size_t check(void)
{
    struct leat_bytes block = leat_squeeze_finish(&q);
    struct leat_text undone;
    struct leat_buf *out;
    struct leat_err err;

    assert_int_equal(leat_inflate(codecs, LEAT_CODEC_SNAPPY, block, MOST, NULL, &out, &err),
                     LEAT_CODEC_OK);
    assert_int_equal(out->len, plain.len);
    if (plain.len > 0)
        assert_memory_equal(out->data, plain.data, plain.len);
    leat_buf_unref(out);
    leat_text_init(&undone, MOST);
    assert_true(leat_squeeze_undo(block, &undone));
    assert_int_equal(undone.len, plain.len);
    if (plain.len > 0)
        assert_memory_equal(undone.data, plain.data, plain.len);
    leat_text_done(&undone);
    return block.len;
}

static int setup(void **state)
{
    (void)state;
    codecs = leat_codecs_new();
    leat_squeeze_init(&q, MOST);
    leat_text_init(&plain, MOST);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    leat_codecs_free(codecs);
    leat_squeeze_done(&q);
    leat_text_done(&plain);
    return 0;
}

static void nothing(void **state)
{
    (void)state;
    assert_int_equal(check(), 1);
}

/* Literals of every length, in one piece and in several. */
static void literals(void **state)
{
    uint8_t data[300];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)i;
    for (size_t len = 1; len <= sizeof data; len++) {
        leat_squeeze_clear(&q, len % 2 == 0);
        leat_text_clear(&plain);
        add(data, len);
        check();
        add(data, len / 2 + 1); /* a block may be finished more than once */
        check();
    }
}

/* Neighbours that were neighbours before are one copy. */
static void neighbours(void **state)
{
    static const char text[] = "job=\"shop\",instance=\"a\",zone=\"eu-west-1\",";
    size_t len = sizeof text - 1;

    (void)state;
    add(text, len);
    again(0, 11);
    again(11, 13);
    again(24, len - 24);
    assert_int_equal(check(), 1 + 1 + len + 3);
}

static void long_copies(void **state)
{
    uint8_t data[1000];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
    add(data, sizeof data);
    for (size_t len = 1; len <= 200; len++)
        again(len, len);
    check();
}

static void as_far_as_it_may(void **state)
{
    static uint8_t data[LEAT_SQUEEZE_REACH];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i ^ i >> 8);
    add(data, sizeof data);
    again(0, 10);
    again(10, 90);
    check();
}

static void any_pieces(void **state)
{
    struct otlp_random r = {11};
    uint8_t data[400];

    (void)state;
    for (int round = 0; round < 300; round++) {
        uint32_t pieces = otlp_random_below(&r, 60);
        leat_squeeze_clear(&q, round % 3 != 0);
        leat_text_clear(&plain);
        for (uint32_t i = 0; i < pieces; i++) {
            size_t len = 1 + otlp_random_below(&r, sizeof data - 1);
            size_t back = plain.len < LEAT_SQUEEZE_REACH ? plain.len : LEAT_SQUEEZE_REACH;
            for (size_t k = 0; k < len; k++)
                data[k] = (uint8_t)otlp_random_next(&r);
            if (back > len && otlp_random_below(&r, 3) > 0)
                again(plain.len - len - otlp_random_below(&r, (uint32_t)(back - len)), len);
            else
                add(data, len);
        }
        check();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(literals, setup, teardown),
        cmocka_unit_test_setup_teardown(neighbours, setup, teardown),
        cmocka_unit_test_setup_teardown(long_copies, setup, teardown),
        cmocka_unit_test_setup_teardown(as_far_as_it_may, setup, teardown),
        cmocka_unit_test_setup_teardown(any_pieces, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
