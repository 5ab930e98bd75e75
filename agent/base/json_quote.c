/* A JSON string written into a leat_text. */
#include "base/json_quote.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The first byte from `at` on that cannot stand in a JSON string as it is, or is not ASCII. */
static const uint8_t *plain_run(const uint8_t *at, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20), del = _mm_set1_epi8(0x7f);

    while (end - at >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash));
        unsigned hit;
        /* signed: bytes from 0x80 on are below the space too */
        stop = _mm_or_si128(stop, _mm_cmplt_epi8(v, space));
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(v, del));
        hit = (unsigned)_mm_movemask_epi8(stop);
        if (hit != 0)
            return at + __builtin_ctz(hit);
        at += 16;
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && *at >= 0x20 && *at < 0x7f)
        at++;
    return at;
}

static void add_escape(struct leat_text *t, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    const char *form = "";

    switch (c) {
    case '"':
        form = "\\\"";
        break;
    case '\\':
        form = "\\\\";
        break;
    case '\n':
        form = "\\n";
        break;
    case '\r':
        form = "\\r";
        break;
    case '\t':
        form = "\\t";
        break;
    default:
        leat_text_str(t, "\\u00");
        leat_text_char(t, digits[c >> 4]);
        leat_text_char(t, digits[c & 15]);
        return;
    }
    leat_text_str(t, form);
}

/* Adds one character of several bytes; returns its length. */
static size_t add_wide(struct leat_text *t, const uint8_t *at, const uint8_t *end)
{
    size_t len = leat_utf8_len(leat_bytes(at, (size_t)(end - at)));

    if (len != 0) {
        leat_text_add(t, at, len);
        return len;
    }
    leat_text_str(t, "\xef\xbf\xbd");
    return 1;
}

/* Nothing to escape, and there is room. */
static void add_plain(struct leat_text *t, struct leat_bytes s)
{
    char *to = t->data + t->len;

    to[0] = '"';
    if (s.len != 0)
        memcpy(to + 1, s.data, s.len);
    to[s.len + 1] = '"';
    to[s.len + 2] = '\0';
    t->len += s.len + 2;
}

void leat_json_quote(struct leat_text *t, struct leat_bytes s)
{
    const uint8_t *at = s.data, *end = s.len != 0 ? at + s.len : at;

    const uint8_t *stop = plain_run(at, end);

    if (stop == end && s.len < t->max && leat_text_reserve(t, s.len + 2)) {
        add_plain(t, s);
        return;
    }
    leat_text_char(t, '"');
    while (at < end && leat_text_ok(t)) {
        stop = plain_run(at, end);
        leat_text_add(t, at, (size_t)(stop - at));
        at = stop;
        if (at == end)
            break;
        if (*at >= 0x80)
            at += add_wide(t, at, end);
        else
            add_escape(t, *at++);
    }
    leat_text_char(t, '"');
}
