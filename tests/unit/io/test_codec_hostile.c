/* Codecs: hostile streams, lying sizes, spent budgets and no memory. */
#include "base/budget.h"
#include "base/buf.h"
#include "codec_help.h"

/* A stream that ends early, at each byte, is no stream. */
static void cut_off_at_each_byte(void **state)
{
    static const char text[] = "cut off, cut off, cut off: at each and every byte of this body";
    struct leat_bytes body = leat_bytes(text, sizeof text);

    (void)state;
    EACH(c)
    {
        struct leat_buf *packed = pack(c, LEAT_LEVEL_DEFAULT, body);
        for (size_t n = 0; n < packed->len; n++) {
            if (c == LEAT_CODEC_SNAPPY_FRAMED && n == 10)
                continue;                    /* the identifier alone is an empty stream */
            uint8_t *part = leat_new(n + 1); /* its own block, so that reading on is seen */
            part = leat_renew(part, n ? n : 1);
            memcpy(part, packed->data, n);
            expect(c, leat_bytes(part, n), 4096, LEAT_CODEC_BAD);
            leat_free(part);
        }
        leat_buf_unref(packed);
    }
}

static void trailing_bytes_are_refused(void **state)
{
    static const char text[] = "something that is followed by something else";

    (void)state;
    EACH(c)
    {
        struct leat_buf *packed = pack(c, LEAT_LEVEL_DEFAULT, leat_bytes_str(text));
        for (size_t extra = 1; extra <= 20; extra++) {
            uint8_t *longer = leat_new(packed->len + extra);
            memcpy(longer, packed->data, packed->len);
            for (int filler = 0; filler < 2; filler++) {
                memset(longer + packed->len, filler ? 'x' : 0, extra);
                expect(c, leat_bytes(longer, packed->len + extra), 4096, LEAT_CODEC_BAD);
            }
            leat_free(longer);
        }
        leat_buf_unref(packed);
    }
}

/* One flipped bit must not change the body unnoticed where the format has a checksum, and must
 * never do harm. */
static void flipped_bits(void **state)
{
    size_t len = 700;
    uint8_t *body = make_body(len);

    (void)state;
    EACH(c)
    {
        struct leat_buf *packed = pack(c, LEAT_LEVEL_DEFAULT, leat_bytes(body, len));
        for (size_t i = 0; i < packed->len * 8; i++) {
            struct leat_buf *out;
            packed->data[i / 8] ^= (uint8_t)(1 << i % 8);
            if (unpack(c, bytes_of(packed), 100000, &out) == LEAT_CODEC_OK &&
                (c == LEAT_CODEC_GZIP || c == LEAT_CODEC_ZLIB || c == LEAT_CODEC_LZ4 ||
                 c == LEAT_CODEC_SNAPPY_FRAMED)) {
                bool same = out->len == len && memcmp(out->data, body, len) == 0;
                bool nothing = out->len == 0; /* the chunk has become one to be skipped */
                assert_true(same || (nothing && c == LEAT_CODEC_SNAPPY_FRAMED));
            }
            leat_buf_unref(out);
            packed->data[i / 8] ^= (uint8_t)(1 << i % 8);
        }
        leat_buf_unref(packed);
    }
    leat_free(body);
}

static void lying_gzip_trailers(void **state)
{
    size_t len = 50000;
    uint8_t *body = make_body(len);

    (void)state;
    for (size_t i = 1; i <= 8; i++) {
        struct leat_buf *packed = pack(LEAT_CODEC_GZIP, LEAT_LEVEL_DEFAULT, leat_bytes(body, len));
        packed->data[packed->len - i] ^= 0x80;
        expect(LEAT_CODEC_GZIP, bytes_of(packed), LARGE, LEAT_CODEC_BAD);
        leat_buf_unref(packed);
    }
    leat_free(body);
}

/* A body of zeros that inflates a thousand times must not cost more than the cap and a step. */
static void bombs(void **state)
{
    static const size_t cap = 100000;
    size_t len = 20 * MIB;
    uint8_t *zeros = leat_new(len);

    (void)state;
    EACH(c)
    {
        struct leat_buf *packed = pack(c, LEAT_LEVEL_DEFAULT, leat_bytes(zeros, len));
        uint8_t *in = leat_new(packed->len);
        size_t n = packed->len;
        memcpy(in, packed->data, n);
        leat_buf_unref(packed);
        atomic_store(&budget.peak, 0);
        expect(c, leat_bytes(in, n), cap, LEAT_CODEC_TOO_LARGE);
        assert_true(atomic_load(&budget.peak) <= cap);
        leat_free(in);
    }
    leat_free(zeros);
}

/* What is only declared must not be allocated. */
static void lying_sizes(void **state)
{
    static const uint8_t block[] = {0xff, 0xff, 0xff, 0x0f, 0x00, 'a'}; /* 32 MiB in six bytes */
    static const uint8_t much[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 'a'};
    /* single segment with an 8-byte content size of 16 MiB, then nothing */
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0};
    /* content size of 16 MiB; the header checksum is wrong, too */
    static const uint8_t lz4[] = {4, 0x22, 0x4d, 0x18, 0x68, 0x40, 0, 0, 0, 1, 0, 0, 0, 0, 9, 0};
    struct leat_buf *packed = pack(LEAT_CODEC_GZIP, LEAT_LEVEL_DEFAULT, leat_bytes_str("short"));

    (void)state;
    atomic_store(&budget.peak, 0);
    memset(packed->data + packed->len - 4, 0x0f, 4);
    expect(LEAT_CODEC_GZIP, bytes_of(packed), LARGE, LEAT_CODEC_BAD);
    leat_buf_unref(packed);
    if (leat_codec_built(LEAT_CODEC_SNAPPY)) {
        expect(LEAT_CODEC_SNAPPY, leat_bytes(block, sizeof block), LARGE, LEAT_CODEC_BAD);
        expect(LEAT_CODEC_SNAPPY, leat_bytes(much, sizeof much), LARGE, LEAT_CODEC_TOO_LARGE);
    }
    if (leat_codec_built(LEAT_CODEC_ZSTD)) {
        expect(LEAT_CODEC_ZSTD, leat_bytes(frame, sizeof frame), LARGE, LEAT_CODEC_BAD);
        expect(LEAT_CODEC_ZSTD, leat_bytes(frame, sizeof frame), MIB, LEAT_CODEC_TOO_LARGE);
    }
    if (leat_codec_built(LEAT_CODEC_LZ4)) {
        expect(LEAT_CODEC_LZ4, leat_bytes(lz4, sizeof lz4), LARGE, LEAT_CODEC_BAD);
        expect(LEAT_CODEC_LZ4, leat_bytes(lz4, sizeof lz4), MIB, LEAT_CODEC_TOO_LARGE);
    }
    assert_true(atomic_load(&budget.peak) < 4096);
}

/* With every budget from nothing to enough the answer is "later" or the body, never less. */
static void budget_spent_at_each_step(void **state)
{
    size_t len = 30000;
    uint8_t *body = make_body(len);

    (void)state;
    EACH(c)
    {
        struct leat_buf *packed = pack(c, LEAT_LEVEL_DEFAULT, leat_bytes(body, len)), *out;
        struct leat_bytes in = leat_bytes(body, len);
        size_t refused = 0, done = 0;
        for (size_t limit = 0; limit < 140000; limit += 500) {
            struct leat_budget small;
            enum leat_codec_result r;
            leat_budget_init(&small, limit);
            r = leat_inflate(cs, c, bytes_of(packed), len, &small, &out, NULL);
            assert_true(r == LEAT_CODEC_OK || r == LEAT_CODEC_NO_MEMORY);
            assert_true(r == LEAT_CODEC_NO_MEMORY || limit >= len);
            refused += r != LEAT_CODEC_OK;
            leat_buf_unref(out);
            assert_int_equal(leat_budget_used(&small), 0);
            r = leat_deflate(cs, c, LEAT_LEVEL_DEFAULT, &in, 1, &small, &out, NULL);
            assert_true(r == LEAT_CODEC_OK || r == LEAT_CODEC_NO_MEMORY);
            done += r == LEAT_CODEC_OK;
            leat_buf_unref(out);
            assert_int_equal(leat_budget_used(&small), 0);
        }
        assert_true(refused > 0 && done > 0);
        leat_buf_unref(packed);
    }
    leat_free(body);
}

/* Makes the n-th allocation fail for each n, with contexts that are new every time. */
static void no_memory_at_each_step(void **state)
{
    size_t len = 300000;
    uint8_t *body = make_body(len);
    struct leat_bytes in = leat_bytes(body, len);

    (void)state;
    EACH(c)
    {
        struct leat_buf *packed = pack(c, LEAT_LEVEL_DEFAULT, in), *out;
        enum leat_codec_result r;
        uint64_t n = 0;
        do {
            struct leat_codecs *fresh = leat_codecs_new();
            leat_mem_fail_at(++n);
            r = leat_inflate(fresh, c, bytes_of(packed), len, &budget, &out, NULL);
            leat_mem_fail_at(0);
            assert_true(r == LEAT_CODEC_OK || r == LEAT_CODEC_NO_MEMORY);
            leat_buf_unref(out);
            if (r != LEAT_CODEC_OK) { /* and the same contexts still work */
                assert_int_equal(leat_inflate(fresh, c, bytes_of(packed), len, &budget, &out, NULL),
                                 LEAT_CODEC_OK);
                leat_buf_unref(out);
            }
            leat_codecs_free(fresh);
        } while (r != LEAT_CODEC_OK);
        assert_true(n > 1);
        n = 0;
        do {
            struct leat_codecs *fresh = leat_codecs_new();
            leat_mem_fail_at(++n);
            r = leat_deflate(fresh, c, LEAT_LEVEL_DEFAULT, &in, 1, &budget, &out, NULL);
            leat_mem_fail_at(0);
            assert_true(r == LEAT_CODEC_OK || r == LEAT_CODEC_NO_MEMORY);
            leat_buf_unref(out);
            leat_codecs_free(fresh);
        } while (r != LEAT_CODEC_OK);
        assert_true(n > 1);
        leat_buf_unref(packed);
    }
    leat_free(body);
}

static void contexts_survive_bad_bodies(void **state)
{
    size_t len = 100000;
    uint8_t *body = make_body(len);

    (void)state;
    EACH(c)
    {
        struct leat_buf *packed = pack(c, LEAT_LEVEL_DEFAULT, leat_bytes(body, len));
        for (int i = 0; i < 5; i++) {
            expect(c, leat_bytes(packed->data, packed->len / 2), len, LEAT_CODEC_BAD);
            expect(c, bytes_of(packed), 1000, LEAT_CODEC_TOO_LARGE);
            expect_body(c, bytes_of(packed), leat_bytes(body, len));
        }
        leat_buf_unref(packed);
    }
    leat_free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cut_off_at_each_byte),
        TEST(trailing_bytes_are_refused),
        TEST(flipped_bits),
        TEST(lying_gzip_trailers),
        TEST(bombs),
        TEST(lying_sizes),
        TEST(budget_spent_at_each_step),
        TEST(no_memory_at_each_step),
        TEST(contexts_survive_bad_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
