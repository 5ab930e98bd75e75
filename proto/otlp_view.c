/* Checks and counts OTLP export requests on their bytes. */
#include "proto/otlp_view.h"

#include "proto/otlp.h"
#include "proto/otlp_quick.h"
#include "proto/wire.h"

static bool refuse(struct leat_otlp_checker *c, enum leat_otlp_verdict verdict, const char *why)
{
    c->verdict = verdict;
    c->why = why;
    return false;
}

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

static bool sub_message(struct leat_otlp_checker *c, const struct leat_otlp_field *f,
                        struct leat_wire w, unsigned depth)
{
    if (f->message == &leat_otlp_any_value && ++depth > LEAT_OTLP_DEPTH)
        return refuse(c, LEAT_OTLP_TOO_DEEP, "AnyValue is nested more than 64 levels deep");
    if (f == c->top)
        c->count.resources++;
    if (f->items == LEAT_OTLP_ITEM) {
        if (c->count.items == LEAT_OTLP_RECORDS)
            return refuse(c, LEAT_OTLP_TOO_MANY, "more than 1000000 records in one request");
        c->count.items++;
    }
    return leat_otlp_check_message(c, f->message, w, depth);
}

/* The length-delimited value `w` of field `f`. */
static bool bytes_field(struct leat_otlp_checker *c, const struct leat_otlp_field *f,
                        struct leat_wire w, unsigned depth)
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
static bool walk_field(struct leat_otlp_checker *c, const struct leat_otlp_message *m,
                       struct leat_wire *w, unsigned depth)
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
 * takes three messages at most (value, list, pair), and there are eight around
 * the values at most. */
bool leat_otlp_check_message(struct leat_otlp_checker *c, const struct leat_otlp_message *m,
                             struct leat_wire w, unsigned depth)
{
    while (w.at != w.end) {
        leat_otlp_quick(c, m, &w, depth);
        if (w.at != w.end && !walk_field(c, m, &w, depth))
            return false;
    }
    return true;
}

enum leat_otlp_verdict leat_otlp_check(enum leat_signal signal, struct leat_bytes request,
                                       struct leat_otlp_count *ret, const char **ret_why)
{
    const struct leat_otlp_message *m = leat_otlp_request[signal];
    struct leat_otlp_checker c = {
        .verdict = LEAT_OTLP_OK, .top = &m->fields[1], .safe = request.data};

    if (request.len > LEAT_OTLP_SLACK)
        c.safe += request.len - LEAT_OTLP_SLACK;
    if (!leat_otlp_check_message(&c, m, leat_wire_of(request), 0)) {
        *ret = (struct leat_otlp_count){0, 0};
        *ret_why = c.why;
        return c.verdict;
    }
    *ret = c.count;
    *ret_why = NULL;
    return LEAT_OTLP_OK;
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
