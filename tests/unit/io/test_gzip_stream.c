/* gzip piece by piece: what comes out is one gzip stream of what went in, however it was cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/codec.h"
#include "io/gzip_stream.h"

#define LEN ((size_t)500000)

static uint8_t data[LEN];

static void fill(bool dull)
{
    leat_random_fake(7);
    for (size_t i = 0; i < LEN; i++)
        data[i] = dull ? (uint8_t) "up{job=\"x\"} 1\n"[i % 14] : (uint8_t)leat_random();
}

static void round_trip(size_t step)
{
    struct leat_gzip_stream *g = leat_gzip_stream_new();
    struct leat_codecs *codecs = leat_codecs_new();
    struct leat_err err = {""};
    struct leat_text out;
    struct leat_buf *plain;

    leat_text_init(&out, 2 * LEN);
    for (size_t at = 0; at < LEN; at += step) {
        size_t n = LEN - at < step ? LEN - at : step;

        leat_gzip_stream_add(g, leat_bytes(data + at, n), false, &out);
    }
    leat_gzip_stream_add(g, leat_bytes(NULL, 0), true, &out);
    assert_true(leat_text_ok(&out));
    assert_int_equal(
        leat_inflate(codecs, LEAT_CODEC_GZIP, leat_text_bytes(&out), LEN, NULL, &plain, &err),
        LEAT_CODEC_OK);
    assert_int_equal(plain->len, LEN);
    assert_memory_equal(plain->data, data, LEN);
    leat_buf_unref(plain);
    leat_gzip_stream_free(g);
    leat_codecs_free(codecs);
    leat_text_done(&out);
}

static void any_pieces(void **state)
{
    (void)state;
    for (int dull = 0; dull < 2; dull++) {
        fill(dull);
        round_trip(LEN);
        round_trip(65536);
        round_trip(777);
    }
}

static void what_does_not_fit_fails(void **state)
{
    struct leat_gzip_stream *g = leat_gzip_stream_new();
    struct leat_text out;

    (void)state;
    fill(false);
    leat_text_init(&out, 50000);
    leat_gzip_stream_add(g, leat_bytes(data, LEN), true, &out);
    assert_false(leat_text_ok(&out));
    leat_gzip_stream_free(g);
    leat_text_done(&out);
}

static void no_memory(void **state)
{
    struct leat_gzip_stream *g;

    (void)state;
    for (uint64_t nth = 1; nth <= 5; nth++) {
        leat_mem_fail_at(nth);
        g = leat_gzip_stream_new();
        assert_null(g);
    }
    leat_mem_fail_at(0);
    leat_gzip_stream_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_pieces),
        cmocka_unit_test(what_does_not_fit_fails),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
