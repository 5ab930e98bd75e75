/* The shapes that nearly all OTLP/JSON consists of, done without detours: short ASCII strings,
 * attributes without blanks, plain digits. What looks any different is for otlp_json.c to read, so
 * nothing here has an error of its own. */
#ifndef LEAT_PROTO_OTLP_JSON_QUICK_H
#define LEAT_PROTO_OTLP_JSON_QUICK_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "proto/otlp.h"
#include "proto/wire.h"

#define LEAT_QUICK_MAX  96  /* characters of a string that is copied while it is looked at */
#define LEAT_QUICK_ROOM 160 /* room for it and for what stands around it */
#define LEAT_QUICK_LEFT 48  /* text that must follow, so that not every step asks for the end */

/* leat_otlp_wire_type() without a call. */
static inline enum leat_wire_type leat_quick_type(const struct leat_otlp_field *f)
{
    if (f->kind >= LEAT_OTLP_STRING)
        return LEAT_BYTES;
    if (f->kind >= LEAT_OTLP_FIXED64)
        return LEAT_FIXED64;
    return f->kind == LEAT_OTLP_FIXED32 ? LEAT_FIXED32 : LEAT_VARINT;
}

/* Eight digits at once: bytes to pairs, pairs to fours, fours to eight. false: not all are digits.
 */
static inline bool leat_quick_eight_digits(const uint8_t *at, uint64_t *ret)
{
    uint64_t v;

    memcpy(&v, at, 8);
    if (((v + UINT64_C(0x4646464646464646)) | (v - UINT64_C(0x3030303030303030))) &
        UINT64_C(0x8080808080808080))
        return false;
    v = (v & UINT64_C(0x0f0f0f0f0f0f0f0f)) * 2561 >> 8;
    v = (v & UINT64_C(0x00ff00ff00ff00ff)) * 6553601 >> 16;
    *ret = (v & UINT64_C(0x0000ffff0000ffff)) * UINT64_C(42949672960001) >> 32;
    return true;
}

/* An integer of up to 19 plain digits, perhaps in quotes. Returns the character after it, or NULL.
 */
static inline const uint8_t *leat_quick_integer(const uint8_t *at, const uint8_t *end,
                                                bool *negative, uint64_t *ret)
{
    bool quoted = at < end && *at == '"';
    const uint8_t *digits;
    uint64_t v = 0, eight;

    at += quoted;
    *negative = at < end && *at == '-';
    at += *negative;
    digits = at;
    while (at - digits <= 8 && end - at >= 8 && leat_quick_eight_digits(at, &eight)) {
        v = v * 100000000 + eight;
        at += 8;
    }
    for (; at < end && *at >= '0' && *at <= '9' && at - digits < 19; at++)
        v = v * 10 + (uint64_t)(*at - '0');
    if (at == digits || at == end || (*digits == '0' && at - digits > 1) ||
        !(quoted ? *at == '"' : *at == ',' || *at == '}' || *at == ']'))
        return NULL;
    *ret = v;
    return at + quoted;
}

/* The doubles that JSON has no number for. Returns how many characters they took; 0: none is there.
 */
static inline size_t leat_quick_special(const uint8_t *at, const uint8_t *end, double *ret)
{
    static const struct {
        const char *text;
        double v;
    } special[] = {{"\"NaN\"", NAN}, {"\"Infinity\"", INFINITY}, {"\"-Infinity\"", -INFINITY}};

    for (size_t i = 0; at < end && *at == '"' && i < 3; i++) {
        size_t len = strlen(special[i].text);
        if ((size_t)(end - at) >= len && memcmp(at, special[i].text, len) == 0) {
            *ret = special[i].v;
            return len;
        }
    }
    return 0;
}

/* The two hex digits at `at`; more than 255: not hex digits. */
static inline unsigned leat_quick_hex(const uint8_t *at)
{
    unsigned v[2];

    for (int i = 0; i < 2; i++) {
        unsigned c = at[i], digit = c - '0', letter = (c | 0x20) - 'a';
        v[i] = digit < 10 ? digit : letter < 6 ? letter + 10 : 256;
    }
    return v[0] << 4 | v[1];
}

/* An id of `len` hex digits, at `at`, to `to`: 1, 0 when all of it is zero, or -1: not hex digits.
 */
static inline int leat_quick_id(const uint8_t *at, size_t len, uint8_t *to)
{
    unsigned any = 0;

    for (size_t i = 0; i < len / 2; i++) {
        unsigned v = leat_quick_hex(at + 2 * i);
        any |= v;
        to[i] = (uint8_t)v;
    }
    return any > 255 ? -1 : any != 0;
}

/* Copies the characters of a string from `from` on, as long as they are plain ASCII, up to
 * LEAT_QUICK_MAX; writes up to 15 bytes past them. Returns how many there were before the closing
 * quote, or SIZE_MAX: it is longer, is near the end of the text, or has something else in it. */
static inline size_t leat_quick_copy(const uint8_t *from, const uint8_t *end, uint8_t *to)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i blank = _mm_set1_epi8(' ');

    for (size_t n = 0; n < LEAT_QUICK_MAX && end - from >= (ptrdiff_t)n + 16; n += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(from + n));
        /* signed: bytes above ASCII are below the blank too */
        __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash));
        unsigned hit = (unsigned)_mm_movemask_epi8(_mm_or_si128(stop, _mm_cmplt_epi8(v, blank)));
        _mm_storeu_si128((__m128i *)(void *)(to + n), v);
        if (hit != 0) {
            n += (unsigned)__builtin_ctz(hit);
            return from[n] == '"' ? n : SIZE_MAX;
        }
    }
#else
    (void)from;
    (void)end;
    (void)to;
#endif
    return SIZE_MAX;
}

/* The value of an attribute from its type's name on, as an AnyValue at `to`; returns the character
 * after it, or NULL. */
static inline const uint8_t *leat_quick_value(const uint8_t *at, const uint8_t *end, uint8_t *to,
                                              size_t *ret_len)
{
    size_t len;
    uint64_t v = 0;

    if (memcmp(at, "stringValue\":\"", 14) == 0) {
        len = leat_quick_copy(at + 14, end, to + 2);
        if (len == SIZE_MAX)
            return NULL;
        to[0] = 1 << 3 | LEAT_BYTES;
        to[1] = (uint8_t)len;
        *ret_len = len + 2;
        return at + 14 + len + 1;
    }
    if (memcmp(at, "intValue\":\"", 11) == 0) {
        for (at += 11, len = 0; len < 16 && at[len] >= '0' && at[len] <= '9'; len++)
            v = v * 10 + (uint64_t)(at[len] - '0');
        if (len == 0 || at[len] != '"' || (at[0] == '0' && len > 1))
            return NULL;
        to[0] = 3 << 3 | LEAT_VARINT;
        *ret_len = (size_t)(leat_wire_put_varint(to + 1, v) - to);
        return at + len + 1;
    }
    if (memcmp(at, "boolValue\":true", 15) == 0) {
        to[0] = 2 << 3 | LEAT_VARINT;
        to[1] = 1;
        *ret_len = 2;
        return at + 15;
    }
    return NULL;
}

/* An attribute as SDKs write it, {"key":"…","value":{"stringValue":"…"}} without blanks, short and
 * in ASCII, from `at` on: as sub-message `field` (at most 15) at `to`, which has 2 *
 * LEAT_QUICK_ROOM bytes. Returns the character after it and in *ret_to the byte after what was
 * written; NULL: it is something else. */
static inline const uint8_t *leat_quick_attribute(const uint8_t *at, const uint8_t *end,
                                                  uint32_t field, uint8_t *to, uint8_t **ret_to)
{
    size_t key, value, len;

    if (end - at < LEAT_QUICK_LEFT || memcmp(at, "{\"key\":\"", 8) != 0)
        return NULL;
    key = leat_quick_copy(at + 8, end, to + 4);
    if (key == SIZE_MAX || key == 0)
        return NULL;
    at += 8 + key;
    if (end - at < LEAT_QUICK_LEFT || memcmp(at, "\",\"value\":{\"", 12) != 0)
        return NULL;
    at = leat_quick_value(at + 12, end, to + 4 + key + 2, &value);
    if (at == NULL || end - at < 2 || at[0] != '}' || at[1] != '}')
        return NULL;
    len = 2 + key + 2 + value;
    if (len > 127)
        return NULL;
    to[0] = (uint8_t)(field << 3 | LEAT_BYTES);
    to[1] = (uint8_t)len;
    to[2] = 1 << 3 | LEAT_BYTES;
    to[3] = (uint8_t)key;
    to[4 + key] = 2 << 3 | LEAT_BYTES;
    to[5 + key] = (uint8_t)value;
    *ret_to = to + 2 + len;
    return at + 2;
}

#endif
