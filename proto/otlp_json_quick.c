/* Runs of members and of attributes of the usual shape: the inside of the JSON reader.
 *
 * What reads a value is a function of its own, taking and giving both cursors in registers; what is
 * part of one is INLINE, because a cursor whose address is taken stays in memory. */
#include "proto/otlp_json_quick.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "proto/otlp_json_digits.h"
#include "proto/otlp_json_scalar.h"
#include "proto/wire.h"

#define TEXT_SLACK 32  /* bytes of text behind the last place where a string is looked at */
#define ROOM_SLACK 64  /* room behind the last place where a string is copied to */
#define LENGTH_MAX 127 /* what a length of one byte says */
#define INLINE     static inline __attribute__((always_inline))

_Static_assert(LEAT_QUICK_ROOM >= ROOM_SLACK + 32, "a member without a string needs no look");

/* Where the text is read, NULL when it is something else that stands there, and where the bytes are
 * written. */
struct cursor {
    const uint8_t *at;
    uint8_t *to;
};

static const struct cursor other = {NULL, NULL};

/* How far both may go. At `value` LEAT_QUICK_LEFT bytes can be read, enough for any key and value
 * that is not a string; strings look where they are. */
struct bounds {
    const uint8_t *value, *string;
    uint8_t *to_value, *to_string;
    bool values; /* an AnyValue may be read */
};

/* false: too near to the end of either. */
static bool bounds_of(const struct leat_quick *q, bool values, struct bounds *ret)
{
    if (q->end - q->at < LEAT_QUICK_LEFT || q->to_end - q->to < LEAT_QUICK_ROOM)
        return false;
    *ret = (struct bounds){q->end - LEAT_QUICK_LEFT, q->end - TEXT_SLACK,
                           q->to_end - LEAT_QUICK_ROOM, q->to_end - ROOM_SLACK, values};
    return true;
}

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

/* The characters that stand for themselves or another one after a backslash. */
static const uint8_t escapes[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};

/* Copies the characters of a string as long as they are ASCII; writes up to 15 bytes past them.
 * Returns the closing quote and the end of the copy, or `other`: there is not enough text or room
 * behind it, or something else is in the string. */
INLINE struct cursor copy(struct cursor c, const struct bounds *b)
{
#ifdef __SSE2__
    /* With this bit turned the quote is ' ', and nothing else is: signed, all that ends a run of
     * plain characters is below '!' then, except the backslash. */
    const __m128i turn = _mm_set1_epi8('"' ^ ' '), mark = _mm_set1_epi8('!');
    const __m128i slash = _mm_set1_epi8('\\');

    while (c.at <= b->string && c.to <= b->to_string) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)c.at);
        __m128i low = _mm_cmpgt_epi8(mark, _mm_xor_si128(v, turn));
        unsigned hit;
        _mm_storeu_si128((__m128i *)(void *)c.to, v);
        hit = (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(v, slash)));
        if (hit == 0) {
            c.at += 16;
            c.to += 16;
            continue;
        }
        c.at += (unsigned)__builtin_ctz(hit);
        c.to += (unsigned)__builtin_ctz(hit);
        if (*c.at == '"')
            return c;
#else
    while (c.at <= b->string && c.to <= b->to_string) {
        if (*c.at == '"')
            return c;
        if (*c.at >= ' ' && *c.at < 0x80 && *c.at != '\\') {
            *c.to++ = *c.at++;
            continue;
        }
#endif
        if (*c.at != '\\' || escapes[c.at[1]] == 0)
            break;
        *c.to++ = escapes[c.at[1]];
        c.at += 2;
    }
    return other;
}

/* As below, where the length takes more than one byte. */
static __attribute__((noinline)) uint8_t *enclose_long(uint8_t *start, uint8_t *to)
{
    size_t len = (size_t)(to - start) - 2, more = leat_wire_varint_size(len) - 1;

    memmove(start + 2 + more, start + 2, len);
    leat_wire_put_varint(start + 1, len);
    return to + more;
}

/* Puts tag (of one byte) and length in front of what was written from two bytes behind `start` on.
 * Returns the end of it. */
INLINE uint8_t *enclose(uint8_t *start, uint8_t tag, uint8_t *to)
{
    start[0] = tag;
    start[1] = (uint8_t)(to - start - 2);
    return to - start <= 2 + LENGTH_MAX ? to : enclose_long(start, to);
}

/* All of the following read a value at `c`, where LEAT_QUICK_LEFT bytes can be read, and write it.
 * They return where both go on; there TEXT_SLACK - 16 bytes can be read. */

/* A string, as field `tag`; left out when it is empty and not `always`. */
INLINE struct cursor string(struct cursor c, const struct bounds *b, uint8_t tag, bool always)
{
    uint8_t *start = c.to;

    if (*c.at != '"')
        return other;
    c = copy((struct cursor){c.at + 1, start + 2}, b);
    if (c.at == NULL)
        return other;
    c.at++;
    c.to = c.to != start + 2 || always ? enclose(start, tag, c.to) : start;
    return c;
}

INLINE struct cursor id(struct cursor c, size_t digits, uint8_t tag, bool always)
{
    int found;

    if (c.at[0] != '"' || c.at[1 + digits] != '"')
        return other;
    found = leat_digits_id(c.at + 1, digits, c.to + 2);
    if (found < 0 || (found == 0 && always))
        return other;
    c.to[0] = tag;
    c.to[1] = (uint8_t)(digits / 2);
    if (found != 0)
        c.to += 2 + digits / 2;
    c.at += 2 + digits;
    return c;
}

/* What an AnyValue of an integer or a boolean holds, from its brace up to the other one. */
static __attribute__((noinline)) struct cursor any_number(struct cursor c)
{
    bool negative, yes;
    uint64_t v;

    if (IS(c.at, "{\"intValue\":")) {
        c.at = leat_digits_integer(c.at + 12, &negative, &v);
        if (c.at == NULL || !leat_scalar_in_range(LEAT_OTLP_INT64, negative, v))
            return other;
        *c.to = 3 << 3 | LEAT_VARINT;
        c.to = leat_wire_put_varint(c.to + 1, negative ? -v : v);
        return c;
    }
    if (!IS(c.at, "{\"boolValue\":"))
        return other;
    yes = memcmp(c.at + 13, "true", 4) == 0;
    if (!yes && memcmp(c.at + 13, "false", 5) != 0)
        return other;
    c.to[0] = 2 << 3 | LEAT_VARINT;
    c.to[1] = yes;
    return (struct cursor){c.at + (yes ? 17 : 18), c.to + 2};
}

/* As above, or of a string. */
INLINE struct cursor any_value(struct cursor c, const struct bounds *b)
{
    if (!IS(c.at, "{\"stringValue\":\""))
        return any_number(c);
    return string((struct cursor){c.at + 15, c.to}, b, 1 << 3 | LEAT_BYTES, true);
}

/* An attribute, {"key":"…","value":{"stringValue":"…"}}, as sub-message `tag`. */
INLINE struct cursor attribute(struct cursor c, const struct bounds *b, uint8_t tag)
{
    uint8_t *start = c.to, *value;

    if (!IS(c.at, "{\"key\":\""))
        return other;
    c = copy((struct cursor){c.at + 8, start + 4}, b);
    value = c.to;
    if (c.at == NULL || value == start + 4 || value - start > 4 + LENGTH_MAX || c.at > b->value ||
        !IS(c.at, "\",\"value\":"))
        return other;
    start[2] = 1 << 3 | LEAT_BYTES;
    start[3] = (uint8_t)(value - start - 4);
    c = any_value((struct cursor){c.at + 10, value + 2}, b);
    if (c.at == NULL || c.at[0] != '}' || c.at[1] != '}')
        return other;
    if (c.to - start > 2 + LENGTH_MAX) {
        c.to = enclose(value, 2 << 3 | LEAT_BYTES, c.to);
        c.to = enclose(start, tag, c.to);
    } else {
        start[0] = tag;
        start[1] = (uint8_t)(c.to - start - 2);
        value[0] = 2 << 3 | LEAT_BYTES;
        value[1] = (uint8_t)(c.to - value - 2);
    }
    c.at += 2;
    return c;
}

/* Attributes as long as they are of this shape. */
static struct cursor attributes(struct cursor c, const struct bounds *b, uint8_t tag, bool *behind)
{
    *behind = false;
    do {
        struct cursor after = attribute(c, b, tag);
        if (after.at == NULL)
            return c;
        c = after;
        if (*c.at != ',') {
            *behind = true;
            return c;
        }
        c.at++;
    } while (c.at <= b->value && c.to <= b->to_value);
    return c;
}

bool leat_quick_attributes(struct leat_quick *q, uint32_t number)
{
    struct bounds b;
    struct cursor c = {q->at, q->to};
    bool behind;

    if (number > LEAT_QUICK_TAG_MAX || !bounds_of(q, true, &b))
        return false;
    c = attributes(c, &b, (uint8_t)(number << 3 | LEAT_BYTES), &behind);
    q->at = c.at;
    q->to = c.to;
    return behind;
}

/* --- members, by the kind of their field */

typedef struct cursor read_value(struct cursor c, const struct bounds *b,
                                 const struct leat_otlp_field *f, uint32_t number, bool always);

static struct cursor read_string(struct cursor c, const struct bounds *b,
                                 const struct leat_otlp_field *f, uint32_t number, bool always)
{
    (void)f;
    return string(c, b, (uint8_t)(number << 3 | LEAT_BYTES), always);
}

static struct cursor read_trace_id(struct cursor c, const struct bounds *b,
                                   const struct leat_otlp_field *f, uint32_t number, bool always)
{
    (void)b;
    (void)f;
    return id(c, LEAT_DIGITS_TRACE_ID, (uint8_t)(number << 3 | LEAT_BYTES), always);
}

static struct cursor read_span_id(struct cursor c, const struct bounds *b,
                                  const struct leat_otlp_field *f, uint32_t number, bool always)
{
    (void)b;
    (void)f;
    return id(c, LEAT_DIGITS_SPAN_ID, (uint8_t)(number << 3 | LEAT_BYTES), always);
}

static struct cursor read_any_value(struct cursor c, const struct bounds *b,
                                    const struct leat_otlp_field *f, uint32_t number, bool always)
{
    uint8_t *start = c.to;

    (void)always;
    if (!b->values || f->message != &leat_otlp_any_value)
        return other;
    c = any_value((struct cursor){c.at, start + 2}, b);
    if (c.at == NULL || *c.at != '}')
        return other;
    c.to = enclose(start, (uint8_t)(number << 3 | LEAT_BYTES), c.to);
    c.at++;
    return c;
}

static struct cursor read_integer(struct cursor c, const struct bounds *b,
                                  const struct leat_otlp_field *f, uint32_t number, bool always)
{
    enum leat_otlp_kind kind = (enum leat_otlp_kind)f->kind;
    bool negative;
    uint64_t v;

    (void)b;
    c.at = leat_digits_integer(c.at, &negative, &v);
    if (c.at == NULL || !leat_scalar_in_range(kind, negative, v))
        return other;
    if (v != 0 || always) {
        *c.to = (uint8_t)(number << 3 | leat_scalar_type(f));
        c.to = leat_scalar_put(c.to + 1, f, leat_scalar_signed(kind, negative, v));
    }
    return c;
}

/* In quotes it would be a name. */
static struct cursor read_enum(struct cursor c, const struct bounds *b,
                               const struct leat_otlp_field *f, uint32_t number, bool always)
{
    return *c.at != '"' ? read_integer(c, b, f, number, always) : other;
}

/* A time: nanoseconds since 1970 have 19 digits, and most write them in quotes. */
static struct cursor read_fixed64(struct cursor c, const struct bounds *b,
                                  const struct leat_otlp_field *f, uint32_t number, bool always)
{
    uint64_t first = leat_digits_eight(c.at + 1), second = leat_digits_eight(c.at + 9);
    uint64_t last = leat_digits_eight(c.at + 12);

    if (c.at[0] != '"' || c.at[20] != '"' || c.at[1] == '0' ||
        (leat_digits_others(first) | leat_digits_others(second) | leat_digits_others(last)) != 0)
        return read_integer(c, b, f, number, always);
    last >>= 40; /* the three digits that are left */
    last = (last & 0xff) * 100 + (last >> 8 & 0xff) * 10 + (last >> 16);
    last += (leat_digits_number(first) * 100000000 + leat_digits_number(second)) * 1000;
    *c.to = (uint8_t)(number << 3 | LEAT_FIXED64);
    memcpy(c.to + 1, &last, 8); /* little-endian hosts only, as in wire.h */
    return (struct cursor){c.at + 21, c.to + 9};
}

static struct cursor read_none(struct cursor c, const struct bounds *b,
                               const struct leat_otlp_field *f, uint32_t number, bool always)
{
    (void)c;
    (void)b;
    (void)f;
    (void)number;
    (void)always;
    return other;
}

static read_value *const readers[LEAT_OTLP_KINDS] = {
    [LEAT_OTLP_NONE] = read_none,       [LEAT_OTLP_BOOL] = read_none,
    [LEAT_OTLP_ENUM] = read_enum,       [LEAT_OTLP_UINT32] = read_integer,
    [LEAT_OTLP_UINT64] = read_integer,  [LEAT_OTLP_INT64] = read_integer,
    [LEAT_OTLP_SINT32] = read_integer,  [LEAT_OTLP_FIXED32] = read_integer,
    [LEAT_OTLP_FIXED64] = read_fixed64, [LEAT_OTLP_SFIXED64] = read_integer,
    [LEAT_OTLP_DOUBLE] = read_none,     [LEAT_OTLP_STRING] = read_string,
    [LEAT_OTLP_BLOB] = read_none,       [LEAT_OTLP_TRACE_ID] = read_trace_id,
    [LEAT_OTLP_SPAN_ID] = read_span_id, [LEAT_OTLP_MESSAGE] = read_any_value,
};

/* The attributes of a member from the bracket on: true when they and the other bracket are passed;
 * false: *list says how far it went. */
static bool whole_list(struct cursor *c, const struct bounds *b, uint32_t number,
                       enum leat_quick_list *list)
{
    struct cursor in = {c->at + 1, c->to};
    bool behind;

    if (!b->values || c->at[0] != '[' || c->at[1] != '{')
        return false;
    *c = attributes(in, b, (uint8_t)(number << 3 | LEAT_BYTES), &behind);
    if (behind && *c->at == ']') {
        c->at++;
        return true;
    }
    *list = behind ? LEAT_QUICK_BEHIND : LEAT_QUICK_BEFORE;
    return false;
}

bool leat_quick_members(struct leat_quick *q, struct leat_quick_object *o, bool values,
                        struct leat_quick_rest *rest)
{
    const struct leat_otlp_field *fields = o->m->fields;
    const uint8_t *next = o->next;
    struct cursor c = {q->at, q->to}, after;
    uint32_t last = o->last, seen = o->seen;
    struct bounds b;
    bool behind = false;

    *rest = (struct leat_quick_rest){0, LEAT_QUICK_WHOLE};
    if (!bounds_of(q, values, &b))
        return false;
    do {
        uint32_t n = next[last], bit = UINT32_C(1) << n;
        const struct leat_otlp_field *f = &fields[n];
        if (n == 0 || !is_key(c.at, f))
            break;
        c.at += f->key_len;
        if (!f->repeated) {
            after = readers[f->kind](c, &b, f, n, f->optional | ((seen & bit) != 0));
            if (after.at == NULL) {
                rest->number = n;
                break;
            }
            c = after;
        } else if (f->message != &leat_otlp_key_value || !whole_list(&c, &b, n, &rest->list)) {
            rest->number = n;
            break;
        }
        last = n;
        seen |= bit;
        if (*c.at != ',') {
            behind = true;
            break;
        }
        c.at++;
    } while (c.at <= b.value && c.to <= b.to_value);
    q->at = c.at;
    q->to = c.to;
    o->last = last;
    o->seen = seen;
    return behind;
}
