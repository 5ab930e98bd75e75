/* Runs of members and of attributes of the usual shape: the inside of the JSON reader.
 *
 * What reads a value is a function of its own, taking and giving both cursors in registers; what is
 * part of one is INLINE, because a cursor whose address is taken stays in memory. */
#include "proto/otlp_json_quick.h"

#define STRING_MAX 112 /* a string of that many characters is copied while it is looked at */
#define LENGTH_MAX 127 /* what a length of one byte can say */
#define TAG_MAX    15  /* fields up to this number have a tag of one byte */
#define INLINE     static inline __attribute__((always_inline))

/* Where the text is read, NULL when it is something else that stands there, and where the bytes are
 * written. */
struct cursor {
    const uint8_t *at;
    uint8_t *to;
};

static const struct cursor other = {NULL, NULL};

/* Whether TEXT, a literal of 8 to 16 characters, is at `at`. */
#define IS(AT, TEXT) same(AT, TEXT, sizeof TEXT - 1)

INLINE bool same(const uint8_t *at, const char *text, size_t len)
{
    uint64_t first, last, want_first, want_last;

    memcpy(&first, at, 8);
    memcpy(&want_first, text, 8);
    memcpy(&last, at + len - 8, 8);
    memcpy(&want_last, text + len - 8, 8);
    return ((first ^ want_first) | (last ^ want_last)) == 0;
}

/* Whether the key of this field is at `at`, where LEAT_OTLP_KEY_MAX bytes can be read. */
INLINE bool is_key(const uint8_t *at, const struct leat_otlp_field *f)
{
#ifdef __SSE2__
    const __m128i *text = (const __m128i *)(const void *)at;
    const __m128i *key = (const __m128i *)(const void *)f->key;
    __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128(text), _mm_loadu_si128(key));
    __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128(text + 1), _mm_loadu_si128(key + 1));
    uint64_t equal = (uint64_t)(unsigned)_mm_movemask_epi8(low) |
                     (uint64_t)(unsigned)_mm_movemask_epi8(high) << 16;

    return (unsigned)__builtin_ctzll(~equal) >= f->key_len;
#else
    return memcmp(at, f->key, f->key_len) == 0;
#endif
}

/* Copies the characters of a string from `from` on, as long as they are plain ASCII; writes up to
 * 15 bytes past them. At least LEAT_QUICK_LEFT bytes of text are before `end`. Returns the closing
 * quote, fewer than STRING_MAX + 16 characters on, or NULL: it is further away or near the end of
 * the text, or something else is in the string. */
INLINE const uint8_t *copy(const uint8_t *from, const uint8_t *end, uint8_t *to)
{
#ifdef __SSE2__
    /* With this bit turned the quote is ' ', and nothing else is: signed, all that ends a run of
     * plain characters is below '!' then, except the backslash. */
    const __m128i turn = _mm_set1_epi8('"' ^ ' '), mark = _mm_set1_epi8('!');
    const __m128i slash = _mm_set1_epi8('\\');
    const uint8_t *last = end - 16 - from > STRING_MAX ? from + STRING_MAX : end - 16;

    for (; from <= last; from += 16, to += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)from);
        __m128i low = _mm_cmpgt_epi8(mark, _mm_xor_si128(v, turn));
        unsigned hit;
        _mm_storeu_si128((__m128i *)(void *)to, v);
        hit = (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(v, slash)));
        if (hit != 0) {
            from += (unsigned)__builtin_ctz(hit);
            return *from == '"' ? from : NULL;
        }
    }
    return NULL;
#else
    const uint8_t *last = end - from > STRING_MAX + 15 ? from + STRING_MAX + 15 : end - 1;

    for (; from <= last && *from != '"'; from++) {
        if (*from == '\\' || *from < ' ' || *from > 0x7f)
            return NULL;
        *to++ = *from;
    }
    return from <= last ? from : NULL;
#endif
}

/* All of the following read a value at `c`, where LEAT_QUICK_LEFT bytes can be read, and write it.
 * They return where both go on. */

/* A string, as field `tag` (of one byte); left out when it is empty and not `always`. */
INLINE struct cursor string(struct cursor c, const uint8_t *end, uint8_t tag, bool always)
{
    const uint8_t *start = c.at + 1, *quote;

    if (*c.at != '"')
        return other;
    quote = copy(start, end, c.to + 2);
    if (quote == NULL)
        return other;
    c.to[0] = tag;
    c.to[1] = (uint8_t)(quote - start);
    if (quote != start || always)
        c.to += 2 + (quote - start);
    c.at = quote + 1;
    return c;
}

INLINE struct cursor id(struct cursor c, size_t digits, uint8_t tag, bool always)
{
    int found;

    if (c.at[0] != '"' || c.at[1 + digits] != '"')
        return other;
    found = leat_quick_id(c.at + 1, digits, c.to + 2);
    if (found < 0 || (found == 0 && always))
        return other;
    c.to[0] = tag;
    c.to[1] = (uint8_t)(digits / 2);
    if (found != 0)
        c.to += 2 + digits / 2;
    c.at += 2 + digits;
    return c;
}

/* What an AnyValue of one plain scalar holds, from brace to brace; without tag and length. */
static struct cursor any_value(struct cursor c, const uint8_t *end)
{
    bool negative, yes;
    uint64_t v;

    if (IS(c.at, "{\"stringValue\":\"")) {
        c.at += 15;
        c = string(c, end, 1 << 3 | LEAT_BYTES, true);
    } else if (IS(c.at, "{\"intValue\":")) {
        c.at = leat_quick_integer(c.at + 12, &negative, &v);
        if (c.at == NULL || !leat_quick_in_range(LEAT_OTLP_INT64, negative, v))
            return other;
        *c.to++ = 3 << 3 | LEAT_VARINT;
        c.to = leat_wire_put_varint(c.to, negative ? -v : v);
    } else if (IS(c.at, "{\"boolValue\":")) {
        yes = memcmp(c.at + 13, "true", 4) == 0;
        if (!yes && memcmp(c.at + 13, "false", 5) != 0)
            return other;
        *c.to++ = 2 << 3 | LEAT_VARINT;
        *c.to++ = yes;
        c.at += yes ? 17 : 18;
    } else {
        return other;
    }
    if (c.at == NULL || c.at == end || *c.at != '}')
        return other;
    c.at++;
    return c;
}

/* An attribute, {"key":"…","value":{"stringValue":"…"}}, as sub-message `tag`. */
INLINE struct cursor attribute(struct cursor c, const uint8_t *end, uint8_t tag)
{
    uint8_t *start = c.to, *value;
    const uint8_t *key = c.at + 8, *quote;

    if (!IS(c.at, "{\"key\":\""))
        return other;
    quote = copy(key, end, start + 4);
    if (quote == NULL || quote == key || end - quote < LEAT_QUICK_LEFT ||
        !IS(quote, "\",\"value\":"))
        return other;
    value = start + 4 + (quote - key) + 2;
    c = any_value((struct cursor){quote + 10, value}, end);
    if (c.at == NULL || c.at == end || *c.at != '}' || c.to - start > 2 + LENGTH_MAX)
        return other;
    start[0] = tag;
    start[1] = (uint8_t)(c.to - start - 2);
    start[2] = 1 << 3 | LEAT_BYTES;
    start[3] = (uint8_t)(quote - key);
    value[-2] = 2 << 3 | LEAT_BYTES;
    value[-1] = (uint8_t)(c.to - value);
    c.at++;
    return c;
}

bool leat_quick_attributes(struct leat_quick *q, uint32_t number)
{
    const uint8_t *end = q->end;
    uint8_t tag = (uint8_t)(number << 3 | LEAT_BYTES);
    struct cursor c;
    bool behind = false;

    if (number > TAG_MAX)
        return false;
    while (end - q->at >= LEAT_QUICK_LEFT && q->to_end - q->to >= LEAT_QUICK_ROOM) {
        c = attribute((struct cursor){q->at, q->to}, end, tag);
        behind = c.at != NULL;
        if (!behind)
            break;
        q->at = c.at;
        q->to = c.to;
        if (c.at == end || *c.at != ',')
            break;
        q->at++;
        behind = false;
    }
    return behind;
}

/* --- members, by the kind of their field. With `values` an AnyValue may be read. */

typedef struct cursor read_value(struct cursor c, const uint8_t *end,
                                 const struct leat_otlp_field *f, uint32_t number, bool always,
                                 bool values);

static struct cursor read_string(struct cursor c, const uint8_t *end,
                                 const struct leat_otlp_field *f, uint32_t number, bool always,
                                 bool values)
{
    (void)f;
    (void)values;
    return string(c, end, (uint8_t)(number << 3 | LEAT_BYTES), always);
}

static struct cursor read_trace_id(struct cursor c, const uint8_t *end,
                                   const struct leat_otlp_field *f, uint32_t number, bool always,
                                   bool values)
{
    (void)end;
    (void)f;
    (void)values;
    return id(c, LEAT_QUICK_TRACE_DIGITS, (uint8_t)(number << 3 | LEAT_BYTES), always);
}

static struct cursor read_span_id(struct cursor c, const uint8_t *end,
                                  const struct leat_otlp_field *f, uint32_t number, bool always,
                                  bool values)
{
    (void)end;
    (void)f;
    (void)values;
    return id(c, LEAT_QUICK_SPAN_DIGITS, (uint8_t)(number << 3 | LEAT_BYTES), always);
}

static struct cursor read_any_value(struct cursor c, const uint8_t *end,
                                    const struct leat_otlp_field *f, uint32_t number, bool always,
                                    bool values)
{
    uint8_t *start = c.to;

    (void)always;
    if (!values || f->message != &leat_otlp_any_value)
        return other;
    c.to += 2;
    c = any_value(c, end);
    if (c.at == NULL || c.to - start > 2 + LENGTH_MAX)
        return other;
    start[0] = (uint8_t)(number << 3 | LEAT_BYTES);
    start[1] = (uint8_t)(c.to - start - 2);
    return c;
}

static struct cursor read_integer(struct cursor c, const uint8_t *end,
                                  const struct leat_otlp_field *f, uint32_t number, bool always,
                                  bool values)
{
    enum leat_otlp_kind kind = (enum leat_otlp_kind)f->kind;
    bool negative;
    uint64_t v;

    (void)end;
    (void)values;
    c.at = leat_quick_integer(c.at, &negative, &v);
    if (c.at == NULL || !leat_quick_in_range(kind, negative, v))
        return other;
    if (v != 0 || always) {
        *c.to++ = (uint8_t)(number << 3 | leat_quick_type(f));
        c.to = leat_quick_put(c.to, f, leat_quick_signed(kind, negative, v));
    }
    return c;
}

/* In quotes it would be a name. */
static struct cursor read_enum(struct cursor c, const uint8_t *end, const struct leat_otlp_field *f,
                               uint32_t number, bool always, bool values)
{
    return *c.at != '"' ? read_integer(c, end, f, number, always, values) : other;
}

/* A time: nanoseconds since 1970 have 19 digits, and most write them in quotes. */
static struct cursor read_fixed64(struct cursor c, const uint8_t *end,
                                  const struct leat_otlp_field *f, uint32_t number, bool always,
                                  bool values)
{
    uint64_t first, second, last;

    first = leat_quick_eight(c.at + 1);
    second = leat_quick_eight(c.at + 9);
    last = leat_quick_eight(c.at + 12);
    if (c.at[0] != '"' || c.at[20] != '"' || c.at[1] == '0' ||
        (leat_quick_others(first) | leat_quick_others(second) | leat_quick_others(last)) != 0)
        return read_integer(c, end, f, number, always, values);
    last >>= 40; /* the three digits that are left */
    last = (last & 0xff) * 100 + (last >> 8 & 0xff) * 10 + (last >> 16);
    last += (leat_quick_number(first) * 100000000 + leat_quick_number(second)) * 1000;
    *c.to = (uint8_t)(number << 3 | LEAT_FIXED64);
    memcpy(c.to + 1, &last, 8); /* little-endian hosts only, as in wire.h */
    return (struct cursor){c.at + 21, c.to + 9};
}

static read_value *const readers[LEAT_OTLP_KINDS] = {
    [LEAT_OTLP_ENUM] = read_enum,       [LEAT_OTLP_UINT32] = read_integer,
    [LEAT_OTLP_UINT64] = read_integer,  [LEAT_OTLP_INT64] = read_integer,
    [LEAT_OTLP_SINT32] = read_integer,  [LEAT_OTLP_FIXED32] = read_integer,
    [LEAT_OTLP_FIXED64] = read_fixed64, [LEAT_OTLP_SFIXED64] = read_integer,
    [LEAT_OTLP_STRING] = read_string,   [LEAT_OTLP_TRACE_ID] = read_trace_id,
    [LEAT_OTLP_SPAN_ID] = read_span_id, [LEAT_OTLP_MESSAGE] = read_any_value,
};

bool leat_quick_members(struct leat_quick *q, struct leat_quick_object *o, bool values,
                        uint32_t *number)
{
    struct cursor c = {q->at, q->to}, after;
    const uint8_t *at_last;
    uint8_t *to_last;
    bool behind = false;

    *number = 0;
    if (q->end - q->at < LEAT_QUICK_LEFT || q->to_end - q->to < LEAT_QUICK_ROOM)
        return false;
    at_last = q->end - LEAT_QUICK_LEFT;
    to_last = q->to_end - LEAT_QUICK_ROOM;
    while (!behind) {
        uint32_t n = o->next[o->last];
        const struct leat_otlp_field *f = &o->m->fields[n];
        if (n == 0 || !is_key(c.at, f))
            break;
        c.at += f->key_len;
        after = other;
        if (!f->repeated && n <= TAG_MAX && readers[f->kind] != NULL)
            after = readers[f->kind](c, q->end, f, n, f->optional || (o->seen >> n & 1), values);
        if (after.at == NULL) {
            *number = n;
            break;
        }
        c = after;
        o->last = n;
        o->seen |= UINT32_C(1) << n;
        behind = c.at > at_last || c.to > to_last || *c.at != ',';
        c.at += !behind;
    }
    q->at = c.at;
    q->to = c.to;
    return behind;
}
