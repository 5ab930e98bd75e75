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

#define LEAT_QUICK_LEFT 96 /* text that must follow, so that not every step asks for the end */
#define LEAT_QUICK_ROOM                                                                            \
    320 /* room for an attribute of two strings, and what is written past them */

#define LEAT_QUICK_TRACE_DIGITS 32
#define LEAT_QUICK_SPAN_DIGITS  16

/* leat_otlp_wire_type() without a call. */
static inline enum leat_wire_type leat_quick_type(const struct leat_otlp_field *f)
{
    if (f->kind >= LEAT_OTLP_STRING)
        return LEAT_BYTES;
    if (f->kind >= LEAT_OTLP_FIXED64)
        return LEAT_FIXED64;
    return f->kind == LEAT_OTLP_FIXED32 ? LEAT_FIXED32 : LEAT_VARINT;
}

#define LEAT_QUICK_EACH(BYTE) (UINT64_C(0x0101010101010101) * (BYTE))

/* Eight characters as the values of eight digits; those that are none are 10 or more. */
static inline uint64_t leat_quick_eight(const uint8_t *at)
{
    uint64_t v;

    memcpy(&v, at, 8);
    return v ^ LEAT_QUICK_EACH('0');
}

/* The top bits of those that are no digits; exact up to the first of them. */
static inline uint64_t leat_quick_others(uint64_t eight)
{
    return ((eight + LEAT_QUICK_EACH(0x80 - 10)) | eight) & LEAT_QUICK_EACH(0x80);
}

/* The number that eight digits are: to pairs, pairs to fours, fours to eight. */
static inline uint64_t leat_quick_number(uint64_t eight)
{
    eight = eight * (10 << 8 | 1) >> 8 & UINT64_C(0x00ff00ff00ff00ff);
    eight = eight * (100 << 16 | 1) >> 16 & UINT64_C(0x0000ffff0000ffff);
    return eight * (UINT64_C(10000) << 32 | 1) >> 32;
}

/* The digits at `at`, eight at most, where eight bytes can be read: returns how many, their value
 * in *ret. */
static inline __attribute__((always_inline)) unsigned leat_quick_digits(const uint8_t *at,
                                                                        uint64_t *ret)
{
    uint64_t v = leat_quick_eight(at), others = leat_quick_others(v);
    unsigned bits = 64;

    if (others != 0) {
        bits = (unsigned)__builtin_ctzll(others) & ~7u;
        v = v << 8 << (56 - bits); /* zeros in front, nothing behind */
    }
    *ret = leat_quick_number(v);
    return bits / 8;
}

/* Goes on after eight digits, of which *v is the value, up to 19. Returns the character after them,
 * or NULL: there are more. */
static inline const uint8_t *leat_quick_more_digits(const uint8_t *at, uint64_t *v)
{
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    uint64_t next;
    unsigned n = leat_quick_digits(at, &next), max = 7;

    at += n;
    if (n == 8) {
        *v = *v * 100000000 + next;
        n = leat_quick_digits(at, &next);
        at += n;
        max = 3;
    }
    if (n > max)
        return NULL;
    *v = *v * powers[n] + next;
    return at;
}

/* An integer of up to 19 plain digits, perhaps in quotes, where LEAT_QUICK_LEFT bytes can be read.
 * Returns the character after it, or NULL. */
static inline __attribute__((always_inline)) const uint8_t *
leat_quick_integer(const uint8_t *at, bool *negative, uint64_t *ret)
{
    bool quoted = *at == '"';
    unsigned n;

    at += quoted;
    *negative = *at == '-';
    at += *negative;
    n = leat_quick_digits(at, ret);
    if (n == 0 || (*at == '0' && n > 1))
        return NULL;
    at += n;
    if (n == 8) {
        at = leat_quick_more_digits(at, ret);
        if (at == NULL)
            return NULL;
    }
    if (quoted ? *at != '"' : *at != ',' && *at != '}' && *at != ']')
        return NULL;
    return at + quoted;
}

/* The range of each integer kind: -min to max. */
static inline bool leat_quick_in_range(enum leat_otlp_kind kind, bool negative, uint64_t v)
{
    static const struct {
        uint64_t min, max;
    } range[LEAT_OTLP_KINDS] = {
        [LEAT_OTLP_ENUM] = {(uint64_t)INT32_MAX + 1, INT32_MAX},
        [LEAT_OTLP_UINT32] = {0, UINT32_MAX},
        [LEAT_OTLP_UINT64] = {0, UINT64_MAX},
        [LEAT_OTLP_INT64] = {(uint64_t)INT64_MAX + 1, INT64_MAX},
        [LEAT_OTLP_SINT32] = {(uint64_t)INT32_MAX + 1, INT32_MAX},
        [LEAT_OTLP_FIXED32] = {0, UINT32_MAX},
        [LEAT_OTLP_FIXED64] = {0, UINT64_MAX},
        [LEAT_OTLP_SFIXED64] = {(uint64_t)INT64_MAX + 1, INT64_MAX},
    };

    return v <= (negative ? range[kind].min : range[kind].max);
}

/* What stands for this integer on the wire. */
static inline uint64_t leat_quick_signed(enum leat_otlp_kind kind, bool negative, uint64_t v)
{
    if (negative)
        v = -v;
    return kind == LEAT_OTLP_SINT32 ? (uint32_t)(v << 1) ^ (uint32_t) - (v >> 63) : v;
}

/* A scalar of this field, which is not of bytes: to `to`, which has 8 or 10 bytes. Returns the byte
 * after it. */
static inline uint8_t *leat_quick_put(uint8_t *to, const struct leat_otlp_field *f, uint64_t v)
{
    size_t size;

    if (leat_quick_type(f) == LEAT_VARINT)
        return leat_wire_put_varint(to, v);
    size = leat_quick_type(f) == LEAT_FIXED64 ? 8 : 4;
    memcpy(to, &v, 8); /* little-endian hosts only, as in wire.h */
    return to + size;
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

#ifdef __SSE2__
/* The eight bytes that 16 hex digits stand for; false: not hex digits. */
static inline bool leat_quick_hex16(const uint8_t *at, uint64_t *ret)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i low = _mm_or_si128(v, _mm_set1_epi8(0x20)); /* signed: above ASCII is below all */
    __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8('0' - 1)),
                                  _mm_cmplt_epi8(v, _mm_set1_epi8('9' + 1)));
    __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(low, _mm_set1_epi8('a' - 1)),
                                   _mm_cmplt_epi8(low, _mm_set1_epi8('f' + 1)));
    __m128i nibble = _mm_add_epi8(_mm_and_si128(v, _mm_set1_epi8(0x0f)),
                                  _mm_and_si128(letter, _mm_set1_epi8(9)));
    __m128i pair = _mm_or_si128(_mm_slli_epi16(nibble, 4), _mm_srli_epi16(nibble, 8));

    pair = _mm_packus_epi16(_mm_and_si128(pair, _mm_set1_epi16(0x00ff)), _mm_setzero_si128());
    _mm_storel_epi64((__m128i *)(void *)ret, pair);
    return _mm_movemask_epi8(_mm_or_si128(digit, letter)) == 0xffff;
}
#else
static inline bool leat_quick_hex16(const uint8_t *at, uint64_t *ret)
{
    uint8_t out[8];
    unsigned all = 0;

    for (size_t i = 0; i < 8; i++) {
        unsigned v = leat_quick_hex(at + 2 * i);
        all |= v;
        out[i] = (uint8_t)v;
    }
    memcpy(ret, out, 8);
    return all <= 255;
}
#endif

/* An id of 16 or 32 hex digits, at `at`, to `to`, which may be the same place: 1, 0 when all of it
 * is zero, or -1: not hex digits. */
static inline int leat_quick_id(const uint8_t *at, size_t len, uint8_t *to)
{
    uint64_t first, second = 0;

    if (!leat_quick_hex16(at, &first) || (len > 16 && !leat_quick_hex16(at + 16, &second)))
        return -1;
    memcpy(to, &first, 8);
    if (len > 16)
        memcpy(to + 8, &second, 8);
    return (first | second) != 0;
}

/* Where the text is read and where the bytes are written. */
struct leat_quick {
    const uint8_t *at, *end;
    uint8_t *to, *to_end;
};

/* The object that is being read. */
struct leat_quick_object {
    const struct leat_otlp_message *m;
    uint8_t *next; /* LEAT_OTLP_FIELDS guesses: which field comes after field n; 0: not known */
    uint32_t last; /* number of the member before; 0: none */
    uint32_t seen; /* bit n: field n was there */
};

/* Members of the usual shape, as many as stand here one after the other with the keys that are
 * expected; with `values` also AnyValues. true: the cursor is behind one. false: it is before
 * something else, which is the value of *number when that is not 0. */
bool leat_quick_members(struct leat_quick *q, struct leat_quick_object *o, bool values,
                        uint32_t *number);

/* Attributes of the usual shape, {"key":"…","value":{"stringValue":"…"}} without blanks, short and
 * in ASCII, as many as stand here one after the other, as sub-messages `number`. true: the cursor
 * is behind one; false: it is before something else, or there is not enough room. */
bool leat_quick_attributes(struct leat_quick *q, uint32_t number);

#endif
