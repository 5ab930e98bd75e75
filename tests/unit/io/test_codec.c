/* Codecs: round trips, and streams that others made. */
#include "base/buf.h"
#include "base/err.h"
#include "codec_help.h"

#include <zlib.h>
#ifdef LEAT_HAVE_ZSTD
#include <zstd.h>
#endif

static void names(void **state)
{
    (void)state;
    assert_int_equal(leat_codec_find(leat_bytes_str("")), LEAT_CODEC_NONE);
    assert_int_equal(leat_codec_find(leat_bytes_str("identity")), LEAT_CODEC_NONE);
    assert_int_equal(leat_codec_find(leat_bytes_str("GZip")), LEAT_CODEC_GZIP);
    assert_int_equal(leat_codec_find(leat_bytes_str("deflate")), LEAT_CODEC_ZLIB);
    assert_int_equal(leat_codec_find(leat_bytes_str("zlib")), LEAT_CODEC_ZLIB);
    assert_int_equal(leat_codec_find(leat_bytes_str("br")), -1);
    assert_int_equal(leat_codec_find(leat_bytes_str("gzi")), -1);
    EACH(c) assert_int_equal(leat_codec_find(leat_bytes_str(leat_codec_name(c))), c);
    assert_string_equal(leat_codec_name(LEAT_CODEC_NONE), "");
}

static void levels(void **state)
{
    struct leat_err err;

    (void)state;
    for (enum leat_codec c = LEAT_CODEC_NONE; c < LEAT_CODECS; c++)
        assert_int_equal(leat_codec_level_check(c, LEAT_LEVEL_DEFAULT, &err), 0);
    assert_int_equal(leat_codec_level_check(LEAT_CODEC_GZIP, -1, &err), 0);
    assert_int_equal(leat_codec_level_check(LEAT_CODEC_GZIP, 9, &err), 0);
    assert_int_equal(leat_codec_level_check(LEAT_CODEC_GZIP, 10, &err), -1);
    assert_string_equal(err.text, "gzip has no level 10; it has -2 to 9");
    assert_int_equal(leat_codec_level_check(LEAT_CODEC_SNAPPY, 1, &err), -1);
    assert_int_equal(leat_codec_level_check(LEAT_CODEC_NONE, 1, &err), -1);
}

static void none_copies(void **state)
{
    struct leat_bytes parts[] = {leat_bytes_str("ab"), leat_bytes(NULL, 0), leat_bytes_str("c")};
    struct leat_buf *out;

    (void)state;
    assert_int_equal(
        leat_deflate(cs, LEAT_CODEC_NONE, LEAT_LEVEL_DEFAULT, parts, 3, &budget, &out, NULL),
        LEAT_CODEC_OK);
    assert_int_equal(out->len, 3);
    expect_body(LEAT_CODEC_NONE, bytes_of(out), leat_bytes_str("abc"));
    expect(LEAT_CODEC_NONE, bytes_of(out), 2, LEAT_CODEC_TOO_LARGE);
    leat_buf_unref(out);
}

static void round_trips(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 100, 65535, 65536, 65537, 131072, 3 * MIB};

    (void)state;
    EACH(c)
    {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes + 20; i++) {
            size_t len = i < 9 ? sizes[i] : (size_t)(leat_random() % (i < 15 ? 3 * MIB : 5000));
            uint8_t *body = make_body(len);
            struct leat_buf *packed = pack(c, LEAT_LEVEL_DEFAULT, leat_bytes(body, len));
            expect_body(c, bytes_of(packed), leat_bytes(body, len));
            if (len > 0)
                expect(c, bytes_of(packed), len - 1, LEAT_CODEC_TOO_LARGE);
            leat_buf_unref(packed);
            leat_free(body);
        }
    }
}

/* What cannot be compressed must fit into the bound as well. */
static void round_trip_of_noise(void **state)
{
    size_t len = 300001;
    uint64_t *noise = leat_new(len + 8);

    (void)state;
    for (size_t i = 0; i <= len / 8; i++)
        noise[i] = leat_random();
    EACH(c)
    {
        struct leat_buf *packed = pack(c, LEAT_LEVEL_DEFAULT, leat_bytes(noise, len));
        expect_body(c, bytes_of(packed), leat_bytes(noise, len));
        leat_buf_unref(packed);
    }
    leat_free(noise);
}

static void round_trip_of_every_level(void **state)
{
    size_t len = 100000;
    uint8_t *body = make_body(len);

    (void)state;
    EACH(c)
    {
        for (int level = -2; level <= 22; level++) {
            struct leat_buf *packed;
            if (leat_codec_level_check(c, level, NULL) < 0)
                continue;
            packed = pack(c, level, leat_bytes(body, len));
            expect_body(c, bytes_of(packed), leat_bytes(body, len));
            leat_buf_unref(packed);
        }
    }
    leat_free(body);
}

/* Cuts `body` into parts of random lengths, some of them empty. */
static size_t cut_up(struct leat_bytes body, struct leat_bytes *parts, size_t max, size_t longest)
{
    size_t n = 0, at = 0;

    while (at < body.len && n + 1 < max) {
        size_t take = (size_t)(leat_random() % (longest + 1));
        if (take > body.len - at)
            take = body.len - at;
        parts[n++] = leat_bytes(take ? body.data + at : NULL, take);
        at += take;
    }
    parts[n++] = leat_bytes(body.data + at, body.len - at);
    return n;
}

static void parts_are_one_stream(void **state)
{
    static const size_t longest[] = {1, 300, 70000, 200000};
    struct leat_bytes parts[512];
    size_t len = 500000;
    uint8_t *body = make_body(len);

    (void)state;
    EACH(c)
    {
        for (size_t i = 0; i < 4; i++) {
            size_t n = cut_up(leat_bytes(body, len), parts, 512, longest[i]);
            struct leat_buf *packed;
            assert_int_equal(
                leat_deflate(cs, c, LEAT_LEVEL_DEFAULT, parts, n, &budget, &packed, NULL),
                LEAT_CODEC_OK);
            expect_body(c, bytes_of(packed), leat_bytes(body, len));
            leat_buf_unref(packed);
        }
    }
    leat_free(body);
}

static void no_parts_are_an_empty_body(void **state)
{
    (void)state;
    EACH(c)
    {
        struct leat_buf *packed;
        assert_int_equal(leat_deflate(cs, c, LEAT_LEVEL_DEFAULT, NULL, 0, &budget, &packed, NULL),
                         LEAT_CODEC_OK);
        expect_body(c, bytes_of(packed), leat_bytes(NULL, 0));
        leat_buf_unref(packed);
    }
}

static void several_members(void **state)
{
    static const enum leat_codec codecs[] = {LEAT_CODEC_GZIP, LEAT_CODEC_ZSTD, LEAT_CODEC_LZ4};
    size_t len = 200000;
    uint8_t *body = make_body(len);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct leat_buf *a, *b;
        uint8_t *both;
        if (!leat_codec_built(codecs[i]))
            continue;
        for (size_t cut = 0; cut <= len; cut += len / 4) {
            a = pack(codecs[i], LEAT_LEVEL_DEFAULT, leat_bytes(body, cut));
            b = pack(codecs[i], LEAT_LEVEL_DEFAULT, leat_bytes(body + cut, len - cut));
            both = leat_new(a->len + b->len);
            memcpy(both, a->data, a->len);
            memcpy(both + a->len, b->data, b->len);
            expect_body(codecs[i], leat_bytes(both, a->len + b->len), leat_bytes(body, len));
            expect(codecs[i], leat_bytes(both, a->len + b->len - 1), len, LEAT_CODEC_BAD);
            expect(codecs[i], leat_bytes(both, a->len + b->len), len - 1, LEAT_CODEC_TOO_LARGE);
            leat_free(both);
            leat_buf_unref(a);
            leat_buf_unref(b);
        }
    }
    leat_free(body);
}

/* A stream made by zlib itself, with the given window bits (15 zlib, 31 gzip, -15 raw). */
static size_t by_zlib(int bits, int level, struct leat_bytes in, uint8_t *out, size_t room)
{
    z_stream z = {0};

    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (uint8_t *)(uintptr_t)in.data;
    z.avail_in = (unsigned)in.len;
    z.next_out = out;
    z.avail_out = (unsigned)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    room -= z.avail_out;
    deflateEnd(&z);
    return room;
}

static void zlib_and_we_understand_each_other(void **state)
{
    size_t len = 700000, room = len + 1000;
    uint8_t *body = make_body(len), *packed = leat_new(room), *plain = leat_new(len);

    (void)state;
    for (int level = 0; level <= 9; level++) {
        size_t n = by_zlib(31, level, leat_bytes(body, len), packed, room);
        expect_body(LEAT_CODEC_GZIP, leat_bytes(packed, n), leat_bytes(body, len));
        n = by_zlib(15, level, leat_bytes(body, len), packed, room);
        expect_body(LEAT_CODEC_ZLIB, leat_bytes(packed, n), leat_bytes(body, len));
        n = by_zlib(-15, level, leat_bytes(body, len), packed, room);
        expect(LEAT_CODEC_ZLIB, leat_bytes(packed, n), len, LEAT_CODEC_BAD);
    }
    for (int level = -2; level <= 9; level++) {
        struct leat_buf *ours = pack(LEAT_CODEC_GZIP, level, leat_bytes(body, len));
        z_stream z = {.next_in = ours->data, .avail_in = (unsigned)ours->len};
        assert_int_equal(inflateInit2(&z, 31), Z_OK);
        z.next_out = plain;
        z.avail_out = (unsigned)len;
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        assert_int_equal(z.avail_out, 0);
        assert_int_equal(z.avail_in, 0);
        inflateEnd(&z);
        assert_memory_equal(plain, body, len);
        leat_buf_unref(ours);
    }
    leat_free(body);
    leat_free(packed);
    leat_free(plain);
}

static void gzip_headers_with_everything(void **state)
{
    static const char text[] = "a body behind a long header";
    uint8_t packed[400];
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)text, .avail_in = sizeof text};
    gz_header header = {.extra = (uint8_t *)(uintptr_t) "EX\3\0abc",
                        .extra_len = 7,
                        .name = (uint8_t *)(uintptr_t) "body.log",
                        .comment = (uint8_t *)(uintptr_t) "by hand",
                        .hcrc = 1};

    (void)state;
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, 0), Z_OK);
    assert_int_equal(deflateSetHeader(&z, &header), Z_OK);
    z.next_out = packed;
    z.avail_out = sizeof packed;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    expect_body(LEAT_CODEC_GZIP, leat_bytes(packed, z.total_out), leat_bytes(text, sizeof text));
    for (size_t n = 0; n < z.total_out; n++)
        expect(LEAT_CODEC_GZIP, leat_bytes(packed, n), 4096, LEAT_CODEC_BAD);
    deflateEnd(&z);
}

static void snappy_knows_both_forms(void **state)
{
    struct leat_bytes body = leat_bytes_str("framed or not, framed or not, framed or not");
    struct leat_buf *framed;

    (void)state;
    if (!leat_codec_built(LEAT_CODEC_SNAPPY))
        skip();
    framed = pack(LEAT_CODEC_SNAPPY_FRAMED, LEAT_LEVEL_DEFAULT, body);
    expect_body(LEAT_CODEC_SNAPPY, bytes_of(framed), body);
    leat_buf_unref(framed);
}

/* A framed stream by hand: the checksum of "123456789" is the published 0xe3069283. */
static void snappy_framed_by_hand(void **state)
{
    uint32_t crc = UINT32_C(0xe3069283), mask = (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
    uint8_t s[64] = {0xff, 6, 0, 0,    's', 'N', 'a', 'P', 'p',  'Y', 0xfe, 2, 0,
                     0,    0, 0, 0x80, 1,   0,   0,   'z', 0x01, 13,  0,    0};
    size_t len = 25;

    (void)state;
    if (!leat_codec_built(LEAT_CODEC_SNAPPY))
        skip();
    for (int i = 0; i < 4; i++)
        s[len++] = (uint8_t)(mask >> (8 * i));
    memcpy(s + len, "123456789", 9);
    len += 9;
    expect_body(LEAT_CODEC_SNAPPY_FRAMED, leat_bytes(s, len), leat_bytes_str("123456789"));
    s[16] = 0x7f; /* a chunk that may not be skipped */
    expect(LEAT_CODEC_SNAPPY_FRAMED, leat_bytes(s, len), 100, LEAT_CODEC_BAD);
    s[16] = 0x80;
    s[len - 1] ^= 1;
    expect(LEAT_CODEC_SNAPPY_FRAMED, leat_bytes(s, len), 100, LEAT_CODEC_BAD);
}

#ifdef LEAT_HAVE_ZSTD
static void zstd_windows_and_skippable_frames(void **state)
{
    static const uint8_t skippable[] = {0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'};
    size_t len = 9 * MIB, room = ZSTD_compressBound(len) + sizeof skippable, n;
    uint8_t *body = make_body(len), *packed = leat_new(room);
    ZSTD_CCtx *c = ZSTD_createCCtx();

    (void)state;
    for (int log = 22; log <= 24; log++) { /* 4, 8 and 16 MiB, of a size that is not declared */
        ZSTD_inBuffer in = {body, len, 0};
        ZSTD_outBuffer out = {packed, room, 0};
        ZSTD_CCtx_reset(c, ZSTD_reset_session_and_parameters);
        ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, log);
        ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
        while (in.pos < in.size)
            ZSTD_compressStream2(c, &out, &in, ZSTD_e_continue);
        assert_int_equal(ZSTD_compressStream2(c, &out, &in, ZSTD_e_end), 0);
        if (log > 23)
            expect(LEAT_CODEC_ZSTD, leat_bytes(packed, out.pos), len, LEAT_CODEC_BAD);
        else
            expect_body(LEAT_CODEC_ZSTD, leat_bytes(packed, out.pos), leat_bytes(body, len));
    }
    memcpy(packed, skippable, sizeof skippable);
    expect_body(LEAT_CODEC_ZSTD, leat_bytes(packed, sizeof skippable), leat_bytes(NULL, 0));
    n = ZSTD_compress(packed + sizeof skippable, room - sizeof skippable, body, 2 * MIB, 19);
    expect_body(LEAT_CODEC_ZSTD, leat_bytes(packed, sizeof skippable + n),
                leat_bytes(body, 2 * MIB));
    ZSTD_freeCCtx(c);
    leat_free(body);
    leat_free(packed);
}
#endif

static void codecs_left_out_say_so(void **state)
{
    struct leat_err err = {""};
    struct leat_buf *out;

    (void)state;
    for (enum leat_codec c = LEAT_CODEC_GZIP; c < LEAT_CODECS; c++) {
        if (leat_codec_built(c))
            continue;
        assert_int_equal(leat_codec_find(leat_bytes_str(leat_codec_name(c))), -1);
        assert_int_equal(leat_inflate(cs, c, leat_bytes_str("x"), 9, NULL, &out, &err),
                         LEAT_CODEC_BAD);
        assert_non_null(strstr(err.text, "without"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names),
        TEST(levels),
        TEST(none_copies),
        TEST(round_trips),
        TEST(round_trip_of_noise),
        TEST(round_trip_of_every_level),
        TEST(parts_are_one_stream),
        TEST(no_parts_are_an_empty_body),
        TEST(several_members),
        TEST(zlib_and_we_understand_each_other),
        TEST(gzip_headers_with_everything),
        TEST(snappy_knows_both_forms),
        TEST(snappy_framed_by_hand),
#ifdef LEAT_HAVE_ZSTD
        TEST(zstd_windows_and_skippable_frames),
#endif
        TEST(codecs_left_out_say_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
