/* Reads checked OTLP requests: record by record, attribute by attribute. */
#include "proto/otlp_match.h"

#include <string.h>

#include "base/check.h"

struct leat_otlp_value leat_otlp_string(struct leat_bytes text)
{
    return (struct leat_otlp_value){.field = LEAT_OTLP_VALUE_STRING, .bytes = text};
}

struct leat_otlp_value leat_otlp_int(int64_t v)
{
    return (struct leat_otlp_value){.field = LEAT_OTLP_VALUE_INT, .number = (uint64_t)v};
}

struct leat_otlp_value leat_otlp_double(double v)
{
    struct leat_otlp_value value = {.field = LEAT_OTLP_VALUE_DOUBLE};

    memcpy(&value.number, &v, sizeof v);
    return value;
}

struct leat_otlp_value leat_otlp_bool(bool v)
{
    return (struct leat_otlp_value){.field = LEAT_OTLP_VALUE_BOOL, .number = v};
}

double leat_otlp_double_of(const struct leat_otlp_value *v)
{
    double d;

    memcpy(&d, &v->number, sizeof d);
    return d;
}

struct leat_otlp_value leat_otlp_value_read(struct leat_bytes any_value)
{
    struct leat_otlp_value v = {.field = LEAT_OTLP_EMPTY};
    struct leat_wire w = leat_wire_of(any_value);
    struct leat_wire_field f = {0};

    while (leat_wire_next(&w, &f) > 0) {
        if (f.field > LEAT_OTLP_VALUE_BYTES)
            continue;
        v.field = (enum leat_otlp_value_field)f.field;
        v.number = f.type == LEAT_BYTES ? 0 : f.number;
        v.bytes = f.type == LEAT_BYTES ? f.bytes : leat_bytes(NULL, 0);
    }
    if (v.field == LEAT_OTLP_VALUE_BOOL)
        v.number = v.number != 0;
    return v;
}

bool leat_otlp_next(struct leat_wire *w, uint32_t field, struct leat_bytes *ret)
{
    struct leat_wire_field f;

    while (leat_wire_next(w, &f) > 0) {
        if (f.field == field && f.type == LEAT_BYTES) {
            *ret = f.bytes;
            return true;
        }
    }
    return false;
}

struct leat_bytes leat_otlp_get(struct leat_bytes message, uint32_t field)
{
    struct leat_wire w = leat_wire_of(message);
    struct leat_bytes found = leat_bytes(NULL, 0);

    while (leat_otlp_next(&w, field, &found)) {
    }
    return found;
}

bool leat_otlp_next_attr(struct leat_wire *w, uint32_t field, struct leat_bytes *ret_key,
                         struct leat_otlp_value *ret_value)
{
    struct leat_bytes pair;

    if (!leat_otlp_next(w, field, &pair))
        return false;
    *ret_key = leat_otlp_get(pair, 1);
    *ret_value = leat_otlp_value_read(leat_otlp_get(pair, 2));
    return true;
}

bool leat_otlp_attr(struct leat_bytes message, uint32_t field, struct leat_bytes key,
                    struct leat_otlp_value *ret)
{
    struct leat_wire w = leat_wire_of(message);
    struct leat_bytes pair;

    while (leat_otlp_next(&w, field, &pair)) {
        if (!leat_bytes_eq(leat_otlp_get(pair, 1), key))
            continue;
        *ret = leat_otlp_value_read(leat_otlp_get(pair, 2));
        return true;
    }
    return false;
}

uint32_t leat_otlp_attrs_field(const struct leat_otlp_message *m)
{
    return leat_otlp_field_named(m, leat_bytes_str("attributes"));
}

/* --- record by record */

void leat_otlp_walk_init(struct leat_otlp_walk *w, enum leat_signal signal,
                         struct leat_bytes request)
{
    *w = (struct leat_otlp_walk){.depth = 0};
    w->type[0] = leat_otlp_request[signal];
    w->at[0] = leat_wire_of(request);
}

/* Goes into `message`, in field `field` of the level above. */
static void enter(struct leat_otlp_walk *w, uint32_t field, struct leat_bytes message)
{
    const struct leat_otlp_message *type = leat_otlp_field(w->type[w->depth], field)->message;

    LEAT_CHECK(w->depth + 1 < LEAT_OTLP_LEVELS);
    w->depth++;
    w->record_tag = 0;
    w->type[w->depth] = type;
    w->at[w->depth] = leat_wire_of(message);
    if (w->depth == 1) {
        w->resource_group = message;
        w->resource = leat_otlp_get(message, 1);
        w->resource_number++;
    } else if (w->depth == 2) {
        w->scope_group = message;
        w->scope = leat_otlp_get(message, 1);
        w->scope_number++;
    } else if (w->depth == 3) {
        w->metric = message;
    } else {
        w->data = message;
        w->data_field = field;
        w->metric_number++;
    }
}

/* Most records follow one of their kind: its tag of one byte, and a length of one or two. */
static inline bool next_of_kind(struct leat_otlp_walk *w)
{
    struct leat_wire *at = &w->at[w->depth];
    const uint8_t *p = at->at;
    size_t len;

    if (at->end - p < 3 || *p != w->record_tag || w->record_tag == 0)
        return false;
    len = p[1];
    p += 2;
    if (len >= 0x80) {
        if (*p >= 0x80)
            return false;
        len = (len & 0x7f) | (size_t)*p++ << 7;
    }
    if (len > (size_t)(at->end - p))
        return false;
    w->record = leat_bytes(p, len);
    at->at = p + len;
    return true;
}

bool leat_otlp_walk_next(struct leat_otlp_walk *w)
{
    struct leat_wire_field f;

    if (next_of_kind(w))
        return true;
    for (;;) {
        const struct leat_otlp_field *known;

        if (leat_wire_next(&w->at[w->depth], &f) <= 0) {
            if (w->depth == 0)
                return false;
            w->depth--;
            w->record_tag = 0;
            continue;
        }
        known = leat_otlp_field(w->type[w->depth], f.field);
        if (known == NULL || known->items == LEAT_OTLP_ASIDE)
            continue;
        if (known->items == LEAT_OTLP_ITEM) {
            w->record_type = known->message;
            w->record = f.bytes;
            w->record_tag = f.field < 16 ? (uint8_t)(f.field << 3 | LEAT_BYTES) : 0;
            return true;
        }
        enter(w, f.field, f.bytes);
    }
}

struct leat_bytes leat_otlp_service_name(struct leat_bytes resource)
{
    struct leat_otlp_value v;

    if (!leat_otlp_attr(resource, 1, leat_bytes_str("service.name"), &v) ||
        v.field != LEAT_OTLP_VALUE_STRING)
        return leat_bytes(NULL, 0);
    return v.bytes;
}
