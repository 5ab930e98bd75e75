/* What the tests of the codecs share: one set of contexts with a budget, bodies, and expectations.
 */
#ifndef LEAT_TESTS_IO_CODEC_HELP_H
#define LEAT_TESTS_IO_CODEC_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/codec.h"

#define MIB   ((size_t)1024 * 1024)
#define LARGE (64 * MIB)

static struct leat_codecs *cs;
static struct leat_budget budget;

static inline int setup(void **state)
{
    (void)state;
    cs = leat_codecs_new();
    leat_budget_init(&budget, LARGE);
    leat_random_fake(11);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    leat_codecs_free(cs);
    assert_int_equal(leat_budget_used(&budget), 0);
    return 0;
}

/* Log-like text: words that repeat, numbers that do not. */
static inline uint8_t *make_body(size_t len)
{
    static const char *const words[] = {"checkout ", "GET /cart ", "status=200 ", "{\"user\":",
                                        "error: ",   "cache hit ", "latency_ms=", "\n"};
    uint8_t *body = leat_new(len + 32);

    for (size_t at = 0; at < len;) {
        uint64_t r = leat_random();
        int n = snprintf((char *)body + at, 32, "%s", words[r & 7]);
        at += (size_t)n;
        if ((r & 0x700) == 0) {
            memcpy(body + at, &r, 8);
            at += 8;
        }
    }
    return body;
}

static inline struct leat_buf *pack(enum leat_codec c, int level, struct leat_bytes in)
{
    struct leat_buf *out = NULL;
    struct leat_err err = {""};
    enum leat_codec_result r = leat_deflate(cs, c, level, &in, 1, &budget, &out, &err);

    if (r != LEAT_CODEC_OK)
        fail_msg("%s level %d: %s", leat_codec_name(c), level, err.text);
    assert_int_equal(out->len, out->cap);
    assert_string_equal(err.text, "");
    return out;
}

static inline struct leat_bytes bytes_of(const struct leat_buf *b)
{
    return leat_bytes(b->data, b->len);
}

static inline enum leat_codec_result unpack(enum leat_codec c, struct leat_bytes in, size_t max,
                                            struct leat_buf **ret)
{
    struct leat_err err = {""};
    size_t before = leat_budget_used(&budget);
    enum leat_codec_result r = leat_inflate(cs, c, in, max, &budget, ret, &err);

    if (r == LEAT_CODEC_OK) {
        assert_non_null(*ret);
        assert_int_equal((*ret)->len, (*ret)->cap);
        assert_int_equal(leat_budget_used(&budget), before + (*ret)->len);
        assert_string_equal(err.text, "");
    } else {
        assert_null(*ret);
        assert_int_equal(leat_budget_used(&budget), before);
        assert_string_not_equal(err.text, "");
    }
    return r;
}

static inline void expect(enum leat_codec c, struct leat_bytes in, size_t max,
                          enum leat_codec_result wanted)
{
    struct leat_buf *out;
    enum leat_codec_result r = unpack(c, in, max, &out);

    leat_buf_unref(out);
    assert_int_equal(r, wanted);
}

static inline void expect_body(enum leat_codec c, struct leat_bytes in, struct leat_bytes body)
{
    struct leat_buf *out;

    assert_int_equal(unpack(c, in, body.len, &out), LEAT_CODEC_OK);
    assert_int_equal(out->len, body.len);
    if (body.len > 0)
        assert_memory_equal(out->data, body.data, body.len);
    leat_buf_unref(out);
}

#define EACH(c)                                                                                    \
    for (enum leat_codec c = LEAT_CODEC_GZIP; c < LEAT_CODECS; c++)                                \
        if (leat_codec_built(c))

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
