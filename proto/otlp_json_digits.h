/* Digits, decimal and hex, as many at a time as a register holds. Nothing here has an error of its
 * own: what is not as expected is for others to read. */
#ifndef LEAT_PROTO_OTLP_JSON_DIGITS_H
#define LEAT_PROTO_OTLP_JSON_DIGITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LEAT_DIGITS_LEFT     32 /* bytes that must be there to be read from where an integer begins */
#define LEAT_DIGITS_TRACE_ID 32 /* hex digits of an id */
#define LEAT_DIGITS_SPAN_ID  16

#define LEAT_DIGITS_EACH(BYTE) (UINT64_C(0x0101010101010101) * (BYTE))

/* Eight characters as the values of eight digits; those that are none are 10 or more. */
static inline uint64_t leat_digits_eight(const uint8_t *at)
{
    uint64_t v;

    memcpy(&v, at, 8);
    return v ^ LEAT_DIGITS_EACH('0');
}

/* The top bits of those that are no digits; exact up to the first of them. */
static inline uint64_t leat_digits_others(uint64_t eight)
{
    return ((eight + LEAT_DIGITS_EACH(0x80 - 10)) | eight) & LEAT_DIGITS_EACH(0x80);
}

/* The number that eight digits are: to pairs, pairs to fours, fours to eight. */
static inline uint64_t leat_digits_number(uint64_t eight)
{
    eight = eight * (10 << 8 | 1) >> 8 & UINT64_C(0x00ff00ff00ff00ff);
    eight = eight * (100 << 16 | 1) >> 16 & UINT64_C(0x0000ffff0000ffff);
    return eight * (UINT64_C(10000) << 32 | 1) >> 32;
}

/* The digits at `at`, eight at most, where eight bytes can be read: returns how many, their value
 * in *ret. */
static inline __attribute__((always_inline)) unsigned leat_digits_some(const uint8_t *at,
                                                                       uint64_t *ret)
{
    uint64_t v = leat_digits_eight(at), others = leat_digits_others(v);
    unsigned bits = 64;

    if (others != 0) {
        bits = (unsigned)__builtin_ctzll(others) & ~7u;
        v = v << 8 << (56 - bits); /* zeros in front, nothing behind */
    }
    *ret = leat_digits_number(v);
    return bits / 8;
}

/* Goes on after eight digits, of which *v is the value, up to 19. Returns the character after them,
 * or NULL: there are more. */
static inline const uint8_t *leat_digits_more(const uint8_t *at, uint64_t *v)
{
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    uint64_t next;
    unsigned n = leat_digits_some(at, &next), max = 7;

    at += n;
    if (n == 8) {
        *v = *v * 100000000 + next;
        n = leat_digits_some(at, &next);
        at += n;
        max = 3;
    }
    if (n > max)
        return NULL;
    *v = *v * powers[n] + next;
    return at;
}

/* An integer of up to 19 plain digits, perhaps in quotes, where LEAT_DIGITS_LEFT bytes can be read.
 * Returns the character after it, or NULL. */
static inline __attribute__((always_inline)) const uint8_t *
leat_digits_integer(const uint8_t *at, bool *negative, uint64_t *ret)
{
    bool quoted = *at == '"';
    unsigned n;

    if (at[0] >= '0' && at[0] <= '9' && (at[1] == ',' || at[1] == '}')) { /* flags, counts */
        *negative = false;
        *ret = (uint64_t)(at[0] - '0');
        return at + 1;
    }
    at += quoted;
    *negative = *at == '-';
    at += *negative;
    n = leat_digits_some(at, ret);
    if (n == 0 || (*at == '0' && n > 1))
        return NULL;
    at += n;
    if (n == 8) {
        at = leat_digits_more(at, ret);
        if (at == NULL)
            return NULL;
    }
    if (quoted ? *at != '"' : *at != ',' && *at != '}' && *at != ']')
        return NULL;
    return at + quoted;
}

/* The two hex digits at `at`; more than 255: not hex digits. */
static inline unsigned leat_digits_hex2(const uint8_t *at)
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
static inline bool leat_digits_hex16(const uint8_t *at, uint64_t *ret)
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
static inline bool leat_digits_hex16(const uint8_t *at, uint64_t *ret)
{
    uint8_t out[8];
    unsigned all = 0;

    for (size_t i = 0; i < 8; i++) {
        unsigned v = leat_digits_hex2(at + 2 * i);
        all |= v;
        out[i] = (uint8_t)v;
    }
    memcpy(ret, out, 8);
    return all <= 255;
}
#endif

/* An id of 16 or 32 hex digits, at `at`, to `to`, which may be the same place: 1, 0 when all of it
 * is zero, or -1: not hex digits. */
static inline int leat_digits_id(const uint8_t *at, size_t len, uint8_t *to)
{
    uint64_t first, second = 0;

    if (!leat_digits_hex16(at, &first) || (len > 16 && !leat_digits_hex16(at + 16, &second)))
        return -1;
    memcpy(to, &first, 8);
    if (len > 16)
        memcpy(to + 8, &second, 8);
    return (first | second) != 0;
}

#endif
