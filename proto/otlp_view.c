/* Checks and counts OTLP export requests on their bytes.
 *
 * Two ways through the same messages. walk() follows the tables of otlp.h: it knows every message
 * and says what is wrong. The quick_…() functions know by heart how SDKs write the messages that
 * come by the thousand; they either accept a message or know nothing, and then walk() decides. So a
 * byte is looked at three times at most, and what is refused, and why, is for walk() alone to say.
 */
#include "proto/otlp_view.h"

#include "proto/otlp.h"
#include "proto/wire.h"

struct check {
    struct leat_otlp_count count;
    const struct leat_otlp_field *top; /* the request's only field */
    enum leat_otlp_verdict verdict;
    const char *why;
};

static bool walk(struct check *c, const struct leat_otlp_message *m, struct leat_wire w,
                 unsigned depth);

static bool refuse(struct check *c, enum leat_otlp_verdict verdict, const char *why)
{
    c->verdict = verdict;
    c->why = why;
    return false;
}

/* --- quick: `p` is a message or field, `e` the end of what holds it */

/* Tags of one byte: field number and wire type. */
#define V(field) ((field) << 3 | LEAT_VARINT)
#define D(field) ((field) << 3 | LEAT_FIXED64)
#define B(field) ((field) << 3 | LEAT_BYTES)
#define F(field) ((field) << 3 | LEAT_FIXED32)

/* The bytes of the field at `p`, which has a tag of one byte and at least one byte after it: where
 * they start, and in *ret_end where they end. NULL: past `e`, or longer than 16383. */
static inline const uint8_t *quick_bytes(const uint8_t *p, const uint8_t *e,
                                         const uint8_t **ret_end)
{
    size_t n = p[1];

    p += 2;
    if (n >= 0x80) {
        if (p == e || *p >= 0x80)
            return NULL;
        n = (n & 0x7f) | (size_t)*p++ << 7;
    }
    if (n > (size_t)(e - p))
        return NULL;
    *ret_end = p + n;
    return p;
}

/* The byte after the varint at `p`, which has a byte at least. NULL: not a whole varint. */
static inline const uint8_t *quick_varint(const uint8_t *p, const uint8_t *e)
{
    struct leat_wire w = {p, e};
    uint64_t v;

    if (*p < 0x80)
        return p + 1;
    return leat_wire_varint(&w, &v) ? w.at : NULL;
}

/* `p` after `n` more bytes, NULL: there are not as many. */
static inline const uint8_t *quick_fixed(const uint8_t *p, const uint8_t *e, size_t n)
{
    return n <= (size_t)(e - p) ? p + n : NULL;
}

/* An AnyValue that is empty or one scalar, from `p` to `e`. */
static inline bool quick_value(const uint8_t *p, const uint8_t *e)
{
    const uint8_t *end;

    if (e - p < 2)
        return p == e;
    switch (p[0]) {
    case B(1): /* string_value */
    case B(7): /* bytes_value */
        return quick_bytes(p, e, &end) != NULL && end == e;
    case V(2): /* bool_value */
    case V(3): /* int_value */
        return quick_varint(p + 1, e) == e;
    case D(4): /* double_value */
        return e - p == 9;
    default:
        return false;
    }
}

/* The AnyValue field at `p`: the byte after it, or NULL. */
static inline const uint8_t *quick_value_field(struct check *c, const uint8_t *p, const uint8_t *e)
{
    const uint8_t *end;

    p = quick_bytes(p, e, &end);
    if (p == NULL)
        return NULL;
    if (!quick_value(p, end) && !walk(c, &leat_otlp_any_value, (struct leat_wire){p, end}, 1))
        return NULL;
    return end;
}

/* A KeyValue with first the key, then the value, from `p` to `e`. */
static inline bool quick_pair(const uint8_t *p, const uint8_t *e)
{
    const uint8_t *end;

    if (e - p < 2 || p[0] != B(1) || quick_bytes(p, e, &end) == NULL)
        return false;
    if (e - end < 2 || end[0] != B(2))
        return false;
    p = quick_bytes(end, e, &end);
    return p != NULL && end == e && quick_value(p, end);
}

/* The KeyValue field at `p`: the byte after it, or NULL. */
static inline const uint8_t *quick_attr(struct check *c, const uint8_t *p, const uint8_t *e)
{
    const uint8_t *end;

    p = quick_bytes(p, e, &end);
    if (p == NULL)
        return NULL;
    if (!quick_pair(p, end) && !walk(c, &leat_otlp_key_value, (struct leat_wire){p, end}, 0))
        return NULL;
    return end;
}

static inline const uint8_t *quick_string(const uint8_t *p, const uint8_t *e)
{
    const uint8_t *end;

    return quick_bytes(p, e, &end) == NULL ? NULL : end;
}

/* An id field that is empty or has `n` bytes. */
static inline const uint8_t *quick_id(const uint8_t *p, const uint8_t *e, size_t n)
{
    return p[1] == n || p[1] == 0 ? quick_fixed(p, e, 2 + (size_t)p[1]) : NULL;
}

/* A packed list of 8-byte numbers. */
static inline const uint8_t *quick_packed(const uint8_t *p, const uint8_t *e)
{
    const uint8_t *end;

    p = quick_bytes(p, e, &end);
    return p != NULL && (end - p) % 8 == 0 ? end : NULL;
}

/* The messages, from `p` to `e`. Each field has a tag and at least one byte behind it. */

static bool quick_log_record(struct check *c, const uint8_t *p, const uint8_t *e)
{
    while (p != NULL && e - p >= 2) {
        switch (p[0]) {
        case D(1):  /* time_unix_nano */
        case D(11): /* observed_time_unix_nano */
            p = quick_fixed(p, e, 9);
            break;
        case V(2): /* severity_number */
        case V(7): /* dropped_attributes_count */
            p = quick_varint(p + 1, e);
            break;
        case B(3):  /* severity_text */
        case B(12): /* event_name */
            p = quick_string(p, e);
            break;
        case B(5): /* body */
            p = quick_value_field(c, p, e);
            break;
        case B(6): /* attributes */
            p = quick_attr(c, p, e);
            break;
        case F(8): /* flags */
            p = quick_fixed(p, e, 5);
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

static bool quick_event(struct check *c, const uint8_t *p, const uint8_t *e)
{
    while (p != NULL && e - p >= 2) {
        switch (p[0]) {
        case D(1): /* time_unix_nano */
            p = quick_fixed(p, e, 9);
            break;
        case B(2): /* name */
            p = quick_string(p, e);
            break;
        case B(3): /* attributes */
            p = quick_attr(c, p, e);
            break;
        case V(4): /* dropped_attributes_count */
            p = quick_varint(p + 1, e);
            break;
        default:
            return false;
        }
    }
    return p == e;
}

static bool quick_link(struct check *c, const uint8_t *p, const uint8_t *e)
{
    while (p != NULL && e - p >= 2) {
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
            p = quick_attr(c, p, e);
            break;
        case V(5): /* dropped_attributes_count */
            p = quick_varint(p + 1, e);
            break;
        case F(6): /* flags */
            p = quick_fixed(p, e, 5);
            break;
        default:
            return false;
        }
    }
    return p == e;
}

static bool quick_status(struct check *c, const uint8_t *p, const uint8_t *e)
{
    (void)c;
    while (p != NULL && e - p >= 2) {
        switch (p[0]) {
        case B(2): /* message */
            p = quick_string(p, e);
            break;
        case V(3): /* code */
            p = quick_varint(p + 1, e);
            break;
        default:
            return false;
        }
    }
    return p == e;
}

static bool quick_exemplar(struct check *c, const uint8_t *p, const uint8_t *e)
{
    while (p != NULL && e - p >= 2) {
        switch (p[0]) {
        case D(2): /* time_unix_nano */
        case D(3): /* as_double */
        case D(6): /* as_int */
            p = quick_fixed(p, e, 9);
            break;
        case B(4): /* span_id */
            p = quick_id(p, e, 8);
            break;
        case B(5): /* trace_id */
            p = quick_id(p, e, 16);
            break;
        case B(7): /* filtered_attributes */
            p = quick_attr(c, p, e);
            break;
        default:
            return false;
        }
    }
    return p == e;
}

typedef bool quick_message(struct check *c, const uint8_t *p, const uint8_t *e);

/* The field at `p`, a sub-message that `quick` knows: the byte after it, or NULL. */
static inline const uint8_t *quick_sub(struct check *c, quick_message *quick, const uint8_t *p,
                                       const uint8_t *e)
{
    const uint8_t *end;

    p = quick_bytes(p, e, &end);
    return p != NULL && quick(c, p, end) ? end : NULL;
}

static bool quick_span(struct check *c, const uint8_t *p, const uint8_t *e)
{
    while (p != NULL && e - p >= 2) {
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
            p = quick_varint(p + 1, e);
            break;
        case D(7): /* start_time_unix_nano */
        case D(8): /* end_time_unix_nano */
            p = quick_fixed(p, e, 9);
            break;
        case B(9): /* attributes */
            p = quick_attr(c, p, e);
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
            p = p[1] == 1 ? quick_fixed(p, e, 6) : NULL;
            break;
        default:
            return false;
        }
    }
    return p == e;
}

static bool quick_number_point(struct check *c, const uint8_t *p, const uint8_t *e)
{
    while (p != NULL && e - p >= 2) {
        switch (p[0]) {
        case D(2): /* start_time_unix_nano */
        case D(3): /* time_unix_nano */
        case D(4): /* as_double */
        case D(6): /* as_int */
            p = quick_fixed(p, e, 9);
            break;
        case B(5): /* exemplars */
            p = quick_sub(c, quick_exemplar, p, e);
            break;
        case B(7): /* attributes */
            p = quick_attr(c, p, e);
            break;
        case V(8): /* flags */
            p = quick_varint(p + 1, e);
            break;
        default:
            return false;
        }
    }
    return p == e;
}

static bool quick_histogram_point(struct check *c, const uint8_t *p, const uint8_t *e)
{
    while (p != NULL && e - p >= 2) {
        switch (p[0]) {
        case D(2):  /* start_time_unix_nano */
        case D(3):  /* time_unix_nano */
        case D(4):  /* count */
        case D(5):  /* sum */
        case D(11): /* min */
        case D(12): /* max */
            p = quick_fixed(p, e, 9);
            break;
        case B(6): /* bucket_counts */
        case B(7): /* explicit_bounds */
            p = quick_packed(p, e);
            break;
        case B(8): /* exemplars */
            p = quick_sub(c, quick_exemplar, p, e);
            break;
        case B(9): /* attributes */
            p = quick_attr(c, p, e);
            break;
        case V(10): /* flags */
            p = quick_varint(p + 1, e);
            break;
        default:
            return false;
        }
    }
    return p == e;
}

/* true: `m` from w.at to w.end is in order. false: nothing is known. */
static bool quick(struct check *c, const struct leat_otlp_message *m, struct leat_wire w)
{
    if (m == &leat_otlp_log_record)
        return quick_log_record(c, w.at, w.end);
    if (m == &leat_otlp_span)
        return quick_span(c, w.at, w.end);
    if (m == &leat_otlp_number_point)
        return quick_number_point(c, w.at, w.end);
    if (m == &leat_otlp_histogram_point)
        return quick_histogram_point(c, w.at, w.end);
    return false;
}

/* --- by the tables */

static bool skip(struct leat_wire *w, enum leat_wire_type type)
{
    uint64_t v;

    switch (type) {
    case LEAT_VARINT:
        return leat_wire_varint(w, &v);
    case LEAT_FIXED64:
        v = 8;
        break;
    case LEAT_FIXED32:
        v = 4;
        break;
    case LEAT_BYTES:
        if (!leat_wire_varint(w, &v))
            return false;
        break;
    default:
        return false;
    }
    if (v > (uint64_t)(w->end - w->at))
        return false;
    w->at += v;
    return true;
}

/* The values of a packed list; `type` is that of one of them. */
static bool packed(struct leat_wire w, enum leat_wire_type type)
{
    while (w.at != w.end) {
        if (!skip(&w, type))
            return false;
    }
    return true;
}

static bool sub_message(struct check *c, const struct leat_otlp_field *f, struct leat_wire w,
                        unsigned depth)
{
    if (f->message == &leat_otlp_any_value && ++depth > LEAT_OTLP_DEPTH)
        return refuse(c, LEAT_OTLP_TOO_DEEP, "AnyValue is nested more than 64 levels deep");
    if (f == c->top)
        c->count.resources++;
    if (f->items == LEAT_OTLP_ITEM) {
        if (c->count.items == LEAT_OTLP_RECORDS)
            return refuse(c, LEAT_OTLP_TOO_MANY, "more than 1000000 records in one request");
        c->count.items++;
        if (quick(c, f->message, w))
            return true;
    }
    return walk(c, f->message, w, depth);
}

/* The length-delimited value `w` of field `f`. */
static bool bytes_field(struct check *c, const struct leat_otlp_field *f, struct leat_wire w,
                        unsigned depth)
{
    size_t len = (size_t)(w.end - w.at);
    enum leat_wire_type type;

    switch ((enum leat_otlp_kind)f->kind) {
    case LEAT_OTLP_MESSAGE:
        return sub_message(c, f, w, depth);
    case LEAT_OTLP_STRING: /* bytes pass as they are: whether they are UTF-8 is not our concern */
    case LEAT_OTLP_BLOB:
        return true;
    case LEAT_OTLP_TRACE_ID:
        return len == 0 || len == 16 || refuse(c, LEAT_OTLP_MALFORMED, f->bad_value);
    case LEAT_OTLP_SPAN_ID:
        return len == 0 || len == 8 || refuse(c, LEAT_OTLP_MALFORMED, f->bad_value);
    default:
        if (!f->repeated)
            return refuse(c, LEAT_OTLP_MALFORMED, f->bad_type);
        type = leat_otlp_wire_type((enum leat_otlp_kind)f->kind);
        return packed(w, type) || refuse(c, LEAT_OTLP_MALFORMED, f->bad_value);
    }
}

/* The next field of `w`, which is not at its end. */
static bool walk_field(struct check *c, const struct leat_otlp_message *m, struct leat_wire *w,
                       unsigned depth)
{
    const struct leat_otlp_field *f;
    enum leat_wire_type type;
    struct leat_wire value;
    uint64_t tag, len;

    if (!leat_wire_varint(w, &tag) || tag >> 3 == 0 || tag >> 32 != 0)
        return refuse(c, LEAT_OTLP_MALFORMED, m->bad_tag);
    f = leat_otlp_field(m, (uint32_t)(tag >> 3));
    type = (enum leat_wire_type)(tag & 7);
    if (f == NULL)
        return skip(w, type) || refuse(c, LEAT_OTLP_MALFORMED, m->bad_tag);
    if (type != LEAT_BYTES) {
        if (type != leat_otlp_wire_type((enum leat_otlp_kind)f->kind))
            return refuse(c, LEAT_OTLP_MALFORMED, f->bad_type);
        return skip(w, type) || refuse(c, LEAT_OTLP_MALFORMED, f->bad_value);
    }
    if (!leat_wire_varint(w, &len) || len > (uint64_t)(w->end - w->at))
        return refuse(c, LEAT_OTLP_MALFORMED, f->bad_value);
    value = (struct leat_wire){w->at, w->at + len};
    w->at = value.end;
    return bytes_field(c, f, value, depth);
}

/* `depth`: how many AnyValues are around or at `m`. It bounds the recursion: each level of values
 * takes three messages at most (value, list, pair), and what is above the values is five. */
static bool walk(struct check *c, const struct leat_otlp_message *m, struct leat_wire w,
                 unsigned depth)
{
    while (w.at != w.end) {
        if (!walk_field(c, m, &w, depth))
            return false;
    }
    return true;
}

enum leat_otlp_verdict leat_otlp_check(enum leat_signal signal, struct leat_bytes request,
                                       struct leat_otlp_count *ret, const char **ret_why)
{
    const struct leat_otlp_message *m = leat_otlp_request[signal];
    struct check c = {.verdict = LEAT_OTLP_OK, .top = &m->fields[1]};

    if (!walk(&c, m, leat_wire_of(request), 0))
        c.count = (struct leat_otlp_count){0, 0};
    *ret = c.count;
    *ret_why = c.why;
    return c.verdict;
}

/* --- counting what was checked */

uint32_t leat_otlp_items_in(const struct leat_otlp_message *m, struct leat_bytes message)
{
    struct leat_wire w = leat_wire_of(message);
    struct leat_wire_field f;
    uint32_t n = 0;

    while (leat_wire_next(&w, &f) > 0) {
        const struct leat_otlp_field *known = leat_otlp_field(m, f.field);

        if (known == NULL || known->items == LEAT_OTLP_ASIDE)
            continue;
        n += known->items == LEAT_OTLP_ITEM ? 1 : leat_otlp_items_in(known->message, f.bytes);
    }
    return n;
}

struct leat_otlp_count leat_otlp_count(enum leat_signal signal, struct leat_bytes request)
{
    const struct leat_otlp_message *m = leat_otlp_request[signal];
    struct leat_wire w = leat_wire_of(request);
    struct leat_otlp_count count = {0, 0};
    struct leat_wire_field f;

    while (leat_wire_next(&w, &f) > 0) {
        if (f.field != 1)
            continue;
        count.resources++;
        count.items += leat_otlp_items_in(m->fields[1].message, f.bytes);
    }
    return count;
}
