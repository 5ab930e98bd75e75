/* Accepts the OTLP messages that come by the thousand, as SDKs write them.
 *
 * Everywhere `p` is at a field and `e` is the end of the message that holds it. Where a length has
 * one byte (or none), a field is stepped over without asking whether the message has as many bytes:
 * `p` is then past `e`, the loop ends, and a message whose last field does not end at `e` is not
 * accepted. So there is one comparison to a field. LEAT_OTLP_SLACK readable bytes behind the
 * message make it safe; a record in the last bytes of a request is looked at in a copy that has
 * them.
 *
 * SDKs write fields in the order of their numbers, so the hot messages first expect each field once
 * in its place (a jump that is always right) and then take what is left in any order. Between two
 * comparisons of `p` with `e` it moves by at most 160 bytes. */
#include "proto/otlp_quick.h"

#include <string.h>

/* Tags of one byte: field number and wire type. */
#define V(field) ((field) << 3 | LEAT_VARINT)
#define D(field) ((field) << 3 | LEAT_FIXED64)
#define B(field) ((field) << 3 | LEAT_BYTES)
#define F(field) ((field) << 3 | LEAT_FIXED32)

#define LAST_MAX 1024 /* bytes of a record that is copied to be looked at */

typedef bool quick_message(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e);

/* Where the bytes of the field at `p` start, in *ret_end where they end (not past `e`). NULL: they
 * do not, or are more than 16383. */
static inline const uint8_t *quick_open(const uint8_t *p, const uint8_t *e, const uint8_t **ret_end)
{
    size_t n = p[1];

    p += 2;
    if (n >= 0x80) {
        if (*p >= 0x80)
            return NULL;
        n = (n & 0x7f) | (size_t)*p++ << 7;
    }
    if (p > e || n > (size_t)(e - p))
        return NULL;
    *ret_end = p + n;
    return p;
}

/* All of the following return the byte after the field at `p`, or MISS, which ends the loop. */
#define MISS(e) ((e) + 1)

static inline const uint8_t *quick_string(const uint8_t *p, const uint8_t *e)
{
    const uint8_t *end;

    if (p[1] < 0x80)
        return p + 2 + p[1];
    return quick_open(p, e, &end) == NULL ? MISS(e) : end;
}

/* An id that is empty or has `n` bytes. */
static inline const uint8_t *quick_id(const uint8_t *p, const uint8_t *e, size_t n)
{
    return p[1] == n || p[1] == 0 ? p + 2 + p[1] : MISS(e);
}

static inline const uint8_t *quick_varint(const uint8_t *p, const uint8_t *e)
{
    struct leat_wire w = {p + 1, p + 11};
    uint64_t v;

    if (p[1] < 0x80)
        return p + 2;
    memcpy(&v, p + 1, 8);
    v = ~v & 0x8080808080808080u; /* set in the bytes that end a varint; the lowest is the first */
    if (v != 0)
        return p + 2 + __builtin_ctzll(v) / 8;
    return leat_wire_varint(&w, &v) ? w.at : MISS(e);
}

/* A packed list of 8-byte numbers. */
static inline const uint8_t *quick_packed(const uint8_t *p, const uint8_t *e)
{
    const uint8_t *end;

    p = quick_open(p, e, &end);
    return p != NULL && (end - p) % 8 == 0 ? end : MISS(e);
}

static inline const uint8_t *quick_sub(struct leat_otlp_checker *c, quick_message *quick,
                                       const uint8_t *p, const uint8_t *e)
{
    const uint8_t *end;

    p = quick_open(p, e, &end);
    return p != NULL && quick(c, p, end) ? end : MISS(e);
}

/* An AnyValue that is empty or one scalar, from `p` to `e`. */
static inline bool quick_value(const uint8_t *p, const uint8_t *e)
{
    if (p == e)
        return true;
    switch (p[0]) {
    case B(1): /* string_value */
    case B(7): /* bytes_value */
        return quick_string(p, e) == e;
    case V(2): /* bool_value */
    case V(3): /* int_value */
        return quick_varint(p, e) == e;
    case D(4): /* double_value */
        return p + 9 == e;
    default:
        return false;
    }
}

/* A field that is an AnyValue. */
static inline const uint8_t *quick_value_field(struct leat_otlp_checker *c, const uint8_t *p,
                                               const uint8_t *e)
{
    const uint8_t *end;

    p = quick_open(p, e, &end);
    if (p == NULL)
        return MISS(e);
    if (!quick_value(p, end) &&
        !leat_otlp_check_message(c, &leat_otlp_any_value, (struct leat_wire){p, end}, 1))
        return MISS(e);
    return end;
}

/* Four bytes as one number; the first is the lowest. */
static inline uint32_t quick_four(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, 4); /* little-endian: wire.c */
    return v;
}

#define FOUR(a, b, c, d)                                                                           \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* The shape of nearly all attributes: a KeyValue field of this tag, shorter than 128 bytes, has
 * first the key, then the value, and that is one scalar. NULL: it is another shape.
 *
 * It begins with: tag, its length, tag of the key, length of the key; and after the key: tag of the
 * value, its length, tag of the string, its length. Each length has to be what the one around it
 * leaves for it, which bounds it without a further look; the four bytes are compared at once. */
static inline const uint8_t *quick_short_attr(uint8_t tag, const uint8_t *p)
{
    uint32_t n = p[1], key = p[3], value = n - key - 4;
    const uint8_t *v = p + 4 + key;

    if ((quick_four(p) & FOUR(0xff, 0x80, 0xff, 0x80)) != FOUR(tag, 0, B(1), 0) || n < key + 6)
        return NULL;
    /* The tags, and `value` and `value` - 2 between them: no sum here is carried over. */
    if (quick_four(v) == FOUR(B(2), 0, B(1), 0) - FOUR(0, 0, 0, 2) + value * FOUR(0, 1, 0, 1))
        return p + 2 + n;
    if ((quick_four(v) & FOUR(0xff, 0xff, 0xff, 0)) ==
            FOUR(B(2), 0, V(3), 0) + value * FOUR(0, 1, 0, 0) &&
        quick_varint(v + 2, p + 2 + n) == p + 2 + n)
        return p + 2 + n;
    return v[0] == B(2) && v[1] == value && quick_value(v + 2, p + 2 + n) ? p + 2 + n : NULL;
}

/* Any other KeyValue field. */
static const uint8_t *slow_attr(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e)
{
    const uint8_t *end;

    p = quick_open(p, e, &end);
    return p != NULL &&
                   leat_otlp_check_message(c, &leat_otlp_key_value, (struct leat_wire){p, end}, 0)
               ? end
               : MISS(e);
}

/* A KeyValue field and those of the same number that follow. */
static inline const uint8_t *quick_attrs(struct leat_otlp_checker *c, const uint8_t *p,
                                         const uint8_t *e)
{
    const uint8_t tag = *p, *next;

    do {
        next = quick_short_attr(tag, p);
        p = next != NULL ? next : slow_attr(c, p, e);
    } while (p < e && *p == tag);
    return p;
}

/* The messages, from `p` to `e`. */

static bool log_record_fields(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e)
{
    while (p < e) {
        switch (p[0]) {
        case D(1):  /* time_unix_nano */
        case D(11): /* observed_time_unix_nano */
            p += 9;
            break;
        case V(2): /* severity_number */
        case V(7): /* dropped_attributes_count */
            p = quick_varint(p, e);
            break;
        case B(3):  /* severity_text */
        case B(12): /* event_name */
            p = quick_string(p, e);
            break;
        case B(5): /* body */
            p = quick_value_field(c, p, e);
            break;
        case B(6): /* attributes */
            p = quick_attrs(c, p, e);
            break;
        case F(8): /* flags */
            p += 5;
            break;
        case B(9): /* trace_id */
            p = quick_id(p, e, 16);
            break;
        case B(10): /* span_id */
            p = quick_id(p, e, 8);
            break;
        default:
            return false;
        }
    }
    return p == e;
}

static bool quick_log_record(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e)
{
    if (p[0] == D(1))
        p += 9;
    if (p[0] == V(2))
        p = quick_varint(p, e);
    if (p < e && p[0] == B(3))
        p = quick_string(p, e);
    if (p < e && p[0] == B(5))
        p = quick_value_field(c, p, e);
    if (p < e && p[0] == B(6))
        p = quick_attrs(c, p, e);
    if (p < e && p[0] == F(8))
        p += 5;
    if (p[0] == B(9))
        p = quick_id(p, e, 16);
    if (p[0] == B(10))
        p = quick_id(p, e, 8);
    if (p[0] == D(11))
        p += 9;
    return p == e || log_record_fields(c, p, e);
}

static bool event_fields(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e)
{
    while (p < e) {
        switch (p[0]) {
        case D(1): /* time_unix_nano */
            p += 9;
            break;
        case B(2): /* name */
            p = quick_string(p, e);
            break;
        case B(3): /* attributes */
            p = quick_attrs(c, p, e);
            break;
        case V(4): /* dropped_attributes_count */
            p = quick_varint(p, e);
            break;
        default:
            return false;
        }
    }
    return p == e;
}

static bool quick_event(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e)
{
    if (p[0] == D(1))
        p += 9;
    if (p < e && p[0] == B(2))
        p = quick_string(p, e);
    if (p < e && p[0] == B(3))
        p = quick_attrs(c, p, e);
    return p == e || event_fields(c, p, e);
}

static bool quick_link(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e)
{
    while (p < e) {
        switch (p[0]) {
        case B(1): /* trace_id */
            p = quick_id(p, e, 16);
            break;
        case B(2): /* span_id */
            p = quick_id(p, e, 8);
            break;
        case B(3): /* trace_state */
            p = quick_string(p, e);
            break;
        case B(4): /* attributes */
            p = quick_attrs(c, p, e);
            break;
        case V(5): /* dropped_attributes_count */
            p = quick_varint(p, e);
            break;
        case F(6): /* flags */
            p += 5;
            break;
        default:
            return false;
        }
    }
    return p == e;
}

static bool quick_status(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e)
{
    (void)c;
    while (p < e) {
        switch (p[0]) {
        case B(2): /* message */
            p = quick_string(p, e);
            break;
        case V(3): /* code */
            p = quick_varint(p, e);
            break;
        default:
            return false;
        }
    }
    return p == e;
}

static bool quick_exemplar(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e)
{
    while (p < e) {
        switch (p[0]) {
        case D(2): /* time_unix_nano */
        case D(3): /* as_double */
        case D(6): /* as_int */
            p += 9;
            break;
        case B(4): /* span_id */
            p = quick_id(p, e, 8);
            break;
        case B(5): /* trace_id */
            p = quick_id(p, e, 16);
            break;
        case B(7): /* filtered_attributes */
            p = quick_attrs(c, p, e);
            break;
        default:
            return false;
        }
    }
    return p == e;
}

static bool span_fields(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e)
{
    while (p < e) {
        switch (p[0]) {
        case B(1): /* trace_id */
            p = quick_id(p, e, 16);
            break;
        case B(2): /* span_id */
        case B(4): /* parent_span_id */
            p = quick_id(p, e, 8);
            break;
        case B(3): /* trace_state */
        case B(5): /* name */
            p = quick_string(p, e);
            break;
        case V(6):  /* kind */
        case V(10): /* dropped_attributes_count */
        case V(12): /* dropped_events_count */
        case V(14): /* dropped_links_count */
            p = quick_varint(p, e);
            break;
        case D(7): /* start_time_unix_nano */
        case D(8): /* end_time_unix_nano */
            p += 9;
            break;
        case B(9): /* attributes */
            p = quick_attrs(c, p, e);
            break;
        case B(11): /* events */
            p = quick_sub(c, quick_event, p, e);
            break;
        case B(13): /* links */
            p = quick_sub(c, quick_link, p, e);
            break;
        case B(15): /* status */
            p = quick_sub(c, quick_status, p, e);
            break;
        case F(0) | 0x80: /* flags: field 16 has a tag of two bytes */
            p = p[1] == 1 ? p + 6 : MISS(e);
            break;
        default:
            return false;
        }
    }
    return p == e;
}

static bool quick_span(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e)
{
    if (p[0] == B(1))
        p = quick_id(p, e, 16);
    if (p[0] == B(2))
        p = quick_id(p, e, 8);
    if (p[0] == B(4))
        p = quick_id(p, e, 8);
    if (p < e && p[0] == B(5))
        p = quick_string(p, e);
    if (p < e && p[0] == V(6))
        p = quick_varint(p, e);
    if (p[0] == D(7))
        p += 9;
    if (p[0] == D(8))
        p += 9;
    if (p < e && p[0] == B(9))
        p = quick_attrs(c, p, e);
    while (p < e && p[0] == B(11))
        p = quick_sub(c, quick_event, p, e);
    while (p < e && p[0] == B(13))
        p = quick_sub(c, quick_link, p, e);
    if (p < e && p[0] == B(15))
        p = quick_sub(c, quick_status, p, e);
    if (p < e && p[0] == (F(0) | 0x80) && p[1] == 1) /* flags, see below */
        p += 6;
    return p == e || span_fields(c, p, e);
}

static bool number_point_fields(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e)
{
    while (p < e) {
        switch (p[0]) {
        case D(2): /* start_time_unix_nano */
        case D(3): /* time_unix_nano */
        case D(4): /* as_double */
        case D(6): /* as_int */
            p += 9;
            break;
        case B(5): /* exemplars */
            p = quick_sub(c, quick_exemplar, p, e);
            break;
        case B(7): /* attributes */
            p = quick_attrs(c, p, e);
            break;
        case V(8): /* flags */
            p = quick_varint(p, e);
            break;
        default:
            return false;
        }
    }
    return p == e;
}

static bool quick_number_point(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e)
{
    if (p[0] == B(7)) /* the schema names them first */
        p = quick_attrs(c, p, e);
    if (p < e && p[0] == D(2))
        p += 9;
    if (p[0] == D(3))
        p += 9;
    if (p[0] == D(4) || p[0] == D(6))
        p += 9;
    if (p < e && p[0] == B(7))
        p = quick_attrs(c, p, e);
    return p == e || number_point_fields(c, p, e);
}

static bool quick_histogram_point(struct leat_otlp_checker *c, const uint8_t *p, const uint8_t *e)
{
    while (p < e) {
        switch (p[0]) {
        case D(2):  /* start_time_unix_nano */
        case D(3):  /* time_unix_nano */
        case D(4):  /* count */
        case D(5):  /* sum */
        case D(11): /* min */
        case D(12): /* max */
            p += 9;
            break;
        case B(6): /* bucket_counts */
        case B(7): /* explicit_bounds */
            p = quick_packed(p, e);
            break;
        case B(8): /* exemplars */
            p = quick_sub(c, quick_exemplar, p, e);
            break;
        case B(9): /* attributes */
            p = quick_attrs(c, p, e);
            break;
        case V(10): /* flags */
            p = quick_varint(p, e);
            break;
        default:
            return false;
        }
    }
    return p == e;
}

static quick_message *quick_for(const struct leat_otlp_message *m)
{
    if (m == &leat_otlp_log_record)
        return quick_log_record;
    if (m == &leat_otlp_span)
        return quick_span;
    if (m == &leat_otlp_number_point)
        return quick_number_point;
    return m == &leat_otlp_histogram_point ? quick_histogram_point : NULL;
}

/* A record in the last bytes of a request, from `p` to `e`: looked at in a copy. */
static bool quick_last(struct leat_otlp_checker *c, quick_message *quick, const uint8_t *p,
                       const uint8_t *e)
{
    const uint8_t *safe = c->safe;
    uint8_t copy[LAST_MAX + LEAT_OTLP_SLACK];
    size_t len = (size_t)(e - p);
    bool good;

    if (len > LAST_MAX)
        return false;
    memcpy(copy, p, len);
    memset(copy + len, 0, LEAT_OTLP_SLACK);
    c->safe = copy + len;
    good = quick(c, copy, copy + len);
    c->safe = safe;
    return good;
}

/* The field at `w`, not past it: where its bytes start, in *ret_end where they end. NULL: it is no
 * good, or longer than any that is looked at here. */
static const uint8_t *open_item(const struct leat_otlp_checker *c, const struct leat_wire *w,
                                const uint8_t **ret_end)
{
    struct leat_wire next = {w->at + 1, w->end};
    uint64_t len;

    if (w->at < c->safe)
        return quick_open(w->at, w->end, ret_end);
    if (!leat_wire_varint(&next, &len) || len > (uint64_t)(w->end - next.at))
        return NULL;
    *ret_end = next.at + len;
    return next.at;
}

/* Goes on over the items of type `m` in fields of this tag. */
static void quick_items(struct leat_otlp_checker *c, const struct leat_otlp_message *m, uint8_t tag,
                        struct leat_wire *w)
{
    quick_message *quick = quick_for(m);
    const uint8_t *p, *end;

    while (quick != NULL && w->at < w->end && *w->at == tag) {
        p = open_item(c, w, &end);
        if (p == NULL || c->count.items == LEAT_OTLP_RECORDS)
            return;
        if (end <= c->safe ? !quick(c, p, end) : !quick_last(c, quick, p, end))
            return;
        c->count.items++;
        w->at = end;
    }
}

/* The same for attributes. */
static void quick_pairs(const struct leat_otlp_checker *c, uint8_t tag, struct leat_wire *w)
{
    while (w->at < c->safe && w->at < w->end && *w->at == tag) {
        const uint8_t *next = quick_short_attr(tag, w->at);

        if (next == NULL || next > w->end)
            return;
        w->at = next;
    }
}

void leat_otlp_quick(struct leat_otlp_checker *c, const struct leat_otlp_message *m,
                     struct leat_wire *w, unsigned depth)
{
    uint8_t tag = *w->at;
    const struct leat_otlp_field *f = c->safe != NULL ? leat_otlp_field(m, tag >> 3) : NULL;

    if (f == NULL || tag >= 0x80 || (tag & 7) != LEAT_BYTES)
        return;
    if (f->items == LEAT_OTLP_ITEM)
        quick_items(c, f->message, tag, w);
    else if (f->message == &leat_otlp_key_value && depth < LEAT_OTLP_DEPTH)
        quick_pairs(c, tag, w);
}
