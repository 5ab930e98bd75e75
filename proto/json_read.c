/* Strict JSON read in one pass, without building anything. */
#include "proto/json_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define EXPONENT_MAX 100000 /* larger exponents are all the same: zero or out of range */

bool leat_json_read_fail(struct leat_json_read *j, const uint8_t *at, const char *wrong)
{
    if (j->wrong == NULL) {
        j->wrong = wrong;
        j->wrong_at = at;
    }
    return false;
}

bool leat_json_read_more_slowly(struct leat_json_read *j, uint8_t close)
{
    uint8_t c = leat_json_read_peek(j);

    if (c == ',') {
        j->at++;
        return true;
    }
    if (c != close)
        return leat_json_read_fail(j, j->at,
                                   close == ']' ? "expected ',' or ']' after an array element"
                                                : "expected ',' or '}' after an object member");
    j->at++;
    return false;
}

bool leat_json_read_word(struct leat_json_read *j, const char *word)
{
    size_t len = strlen(word);

    leat_json_read_blank(j);
    if ((size_t)(j->end - j->at) < len || memcmp(j->at, word, len) != 0)
        return leat_json_read_fail(j, j->at, "not a JSON value");
    j->at += len;
    return true;
}

/* --- strings */

static int hex4(const uint8_t *s)
{
    int v = 0;

    for (int i = 0; i < 4; i++) {
        uint8_t c = s[i], low = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v << 4 | (c - '0');
        else if (low >= 'a' && low <= 'f')
            v = v << 4 | (low - 'a' + 10);
        else
            return -1;
    }
    return v;
}

/* Checks the escape at `at` (a backslash) and returns the character after it, or NULL. */
static const uint8_t *check_escape(struct leat_json_read *j, const uint8_t *at)
{
    if (j->end - at >= 2 && at[1] != 0 && strchr("\"\\/bfnrt", at[1]) != NULL)
        return at + 2;
    if (j->end - at >= 6 && at[1] == 'u' && hex4(at + 2) >= 0)
        return at + 6;
    leat_json_read_fail(j, at, j->end - at < 2 ? "string without end" : "not a valid escape");
    return NULL;
}

/* The first quote, backslash or control character from `at` on, or `end`. *high collects whether
 * bytes above ASCII were passed. */
static const uint8_t *plain_run(const uint8_t *at, const uint8_t *end, unsigned *high)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);

    while (end - at >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash));
        unsigned hit, tops = (unsigned)_mm_movemask_epi8(v);
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
        hit = (unsigned)_mm_movemask_epi8(stop);
        if (hit != 0) {
            *high |= tops & (hit ^ (hit - 1));
            return at + __builtin_ctz(hit);
        }
        *high |= tops;
        at += 16;
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && *at >= 0x20)
        *high |= *at++ & 0x80u;
    return at;
}

bool leat_json_read_string(struct leat_json_read *j, struct leat_json_string *ret)
{
    const uint8_t *start, *at;
    unsigned high = 0;

    if (leat_json_read_peek(j) != '"')
        return leat_json_read_fail(j, j->at, "expected a string");
    at = start = j->at + 1;
    ret->escaped = false;
    for (;;) {
        at = plain_run(at, j->end, &high);
        if (at == j->end)
            return leat_json_read_fail(j, j->at, "string without end");
        if (*at == '"')
            break;
        if (*at != '\\')
            return leat_json_read_fail(j, at, "control character in a string");
        ret->escaped = true;
        at = check_escape(j, at);
        if (at == NULL)
            return false;
    }
    ret->raw = leat_bytes(start, (size_t)(at - start));
    if (high != 0 && !leat_bytes_utf8(ret->raw))
        return leat_json_read_fail(j, j->at, "string is not valid UTF-8");
    j->at = at + 1;
    return true;
}

static uint8_t *put_utf8(uint8_t *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (uint8_t)c;
    } else if (c < 0x800) {
        *out++ = (uint8_t)(0xc0 | c >> 6);
        *out++ = (uint8_t)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (uint8_t)(0xe0 | c >> 12);
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *out++ = (uint8_t)(0x80 | (c & 0x3f));
    } else {
        *out++ = (uint8_t)(0xf0 | c >> 18);
        *out++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *out++ = (uint8_t)(0x80 | (c & 0x3f));
    }
    return out;
}

/* Reads \uXXXX at `at`, with its second half where there is one. */
static const uint8_t *unicode_escape(const uint8_t *at, const uint8_t *end, uint32_t *ret)
{
    int first = hex4(at + 2), second;

    *ret = (uint32_t)first;
    at += 6;
    if (first < 0xd800 || first > 0xdfff)
        return at;
    *ret = 0xfffd;
    if (first >= 0xdc00 || end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return at;
    second = hex4(at + 2);
    if (second < 0xdc00 || second > 0xdfff)
        return at;
    *ret = 0x10000 + ((uint32_t)(first - 0xd800) << 10) + (uint32_t)(second - 0xdc00);
    return at + 6;
}

static uint8_t plain_escape(uint8_t c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

size_t leat_json_unescape(struct leat_bytes raw, uint8_t *out, size_t room)
{
    const uint8_t *at = raw.data, *end = raw.data + raw.len;
    uint8_t *to = out;

    while (at < end) {
        const uint8_t *slash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((slash != NULL ? slash : end) - at);
        size_t left = room - (size_t)(to - out);
        uint32_t c;

        if (plain > left) {
            for (plain = left; plain > 0 && (at[plain] & 0xc0) == 0x80; plain--)
                ;
            slash = NULL;
        }
        memmove(to, at, plain);
        to += plain;
        at += plain;
        if (slash == NULL || left - plain < (at[1] == 'u' ? 4 : 1))
            break;
        if (at[1] == 'u') {
            at = unicode_escape(at, end, &c);
            to = put_utf8(to, c);
        } else {
            *to++ = plain_escape(at[1]);
            at += 2;
        }
    }
    return (size_t)(to - out);
}

/* --- numbers */

static bool is_digit(const struct leat_json_read *j, const uint8_t *at)
{
    return at < j->end && *at >= '0' && *at <= '9';
}

/* Adds digits to the mantissa; `step` is what each digit does to the exponent: 0 left of the point,
 * -1 right of it. Digits that do not fit count in the exponent. */
static const uint8_t *digits(struct leat_json_read *j, const uint8_t *at,
                             struct leat_json_number *n, bool *full, int step)
{
    for (; is_digit(j, at); at++) {
        uint64_t v, d = (uint64_t)(*at - '0');
        if (!*full && !__builtin_mul_overflow(n->mantissa, 10, &v) &&
            !__builtin_add_overflow(v, d, &v)) {
            n->mantissa = v;
            n->exponent += step;
            continue;
        }
        *full = true;
        n->inexact |= d != 0;
        n->exponent += step + 1;
    }
    return at;
}

static const uint8_t *exponent(struct leat_json_read *j, const uint8_t *at,
                               struct leat_json_number *n)
{
    bool down = false;
    int32_t e = 0;

    if (at < j->end && (*at == '+' || *at == '-'))
        down = *at++ == '-';
    if (!is_digit(j, at))
        return NULL;
    for (; is_digit(j, at); at++) {
        if (e < EXPONENT_MAX)
            e = e * 10 + (*at - '0');
    }
    n->exponent += down ? -e : e;
    return at;
}

bool leat_json_read_number(struct leat_json_read *j, struct leat_json_number *n)
{
    const uint8_t *at, *start;
    bool full = false;

    leat_json_read_blank(j);
    start = at = j->at;
    *n = (struct leat_json_number){.negative = at < j->end && *at == '-'};
    at += n->negative;
    if (!is_digit(j, at))
        return leat_json_read_fail(j, start, "expected a number");
    if (*at == '0')
        at++;
    else
        at = digits(j, at, n, &full, 0);
    if (is_digit(j, at))
        return leat_json_read_fail(j, start, "number with a leading zero");
    if (at < j->end && *at == '.') {
        if (!is_digit(j, at + 1))
            return leat_json_read_fail(j, at, "no digit after the decimal point");
        at = digits(j, at + 1, n, &full, -1);
    }
    if (at < j->end && (*at == 'e' || *at == 'E')) {
        const uint8_t *e = exponent(j, at + 1, n);
        if (e == NULL)
            return leat_json_read_fail(j, at, "no digit in the exponent");
        at = e;
    }
    if (at - start > LEAT_JSON_NUMBER_MAX)
        return leat_json_read_fail(j, start, "number of more than 1024 characters");
    n->text = leat_bytes(start, (size_t)(at - start));
    j->at = at;
    return true;
}

const char *leat_json_number_whole(const struct leat_json_number *n, uint64_t *ret)
{
    uint64_t v = n->mantissa;
    int32_t e = n->exponent;

    for (; e < 0 && v != 0 && v % 10 == 0; e++)
        v /= 10;
    if (v != 0 && (e < 0 || (n->inexact && n->exponent <= 0)))
        return "number is not an integer";
    for (; e > 0 && v != 0; e--) {
        if (n->inexact || __builtin_mul_overflow(v, 10, &v))
            return "integer out of range";
    }
    *ret = v;
    return NULL;
}

const char *leat_json_number_double(const struct leat_json_number *n, double *ret)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    char text[LEAT_JSON_NUMBER_MAX + 1];
    double v;

    /* Both factors exact, so one rounding: the nearest double (Clinger 1990). */
    if (!n->inexact && n->mantissa <= UINT64_C(1) << 53 && n->exponent >= -22 &&
        n->exponent <= 22) {
        v = (double)n->mantissa;
        v = n->exponent < 0 ? v / powers[-n->exponent] : v * powers[n->exponent];
        *ret = n->negative ? -v : v;
        return NULL;
    }
    memcpy(text, n->text.data, n->text.len);
    text[n->text.len] = '\0';
    v = strtod(text, NULL);
    if (isinf(v))
        return "number out of range for a double";
    *ret = v;
    return NULL;
}

/* --- passing over */

struct nest {
    uint64_t object[LEAT_JSON_SKIP_DEPTH / 64]; /* bit n: level n is an object */
    uint32_t depth;
};

static bool in_object(const struct nest *n)
{
    return n->object[(n->depth - 1) / 64] >> (n->depth - 1) % 64 & 1;
}

static bool enter(struct leat_json_read *j, struct nest *n, bool object)
{
    uint64_t bit = UINT64_C(1) << n->depth % 64, *word = &n->object[n->depth / 64];

    if (n->depth == LEAT_JSON_SKIP_DEPTH)
        return leat_json_read_fail(j, j->at, "nested too deep");
    *word = object ? *word | bit : *word & ~bit;
    n->depth++;
    j->at++;
    return true;
}

static bool skip_scalar(struct leat_json_read *j, uint8_t c)
{
    struct leat_json_string s;
    struct leat_json_number n;

    switch (c) {
    case '"':
        return leat_json_read_string(j, &s);
    case 't':
        return leat_json_read_word(j, "true");
    case 'f':
        return leat_json_read_word(j, "false");
    case 'n':
        return leat_json_read_word(j, "null");
    case 0:
        return leat_json_read_fail(j, j->at, "the text ends in the middle of a value");
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return leat_json_read_number(j, &n);
        return leat_json_read_fail(j, j->at, "not a JSON value");
    }
}

static bool skip_key(struct leat_json_read *j)
{
    struct leat_json_string key;

    return leat_json_read_string(j, &key) &&
           leat_json_read_char(j, ':', "expected ':' after a key");
}

bool leat_json_read_skip(struct leat_json_read *j)
{
    struct nest n;

    n.depth = 0;
    for (;;) {
        uint8_t c = leat_json_read_peek(j);
        bool object = c == '{';

        if (object || c == '[') {
            if (!enter(j, &n, object))
                return false;
            if (leat_json_read_peek(j) != (object ? '}' : ']')) {
                if (object && !skip_key(j))
                    return false;
                continue;
            }
            j->at++;
            n.depth--;
        } else if (!skip_scalar(j, c)) {
            return false;
        }
        while (n.depth > 0 && !leat_json_read_more(j, in_object(&n) ? '}' : ']')) {
            if (j->wrong != NULL)
                return false;
            n.depth--;
        }
        if (n.depth == 0)
            return true;
        if (in_object(&n) && !skip_key(j))
            return false;
    }
}
