/* OTLP protobuf bytes to JSON, from the wire: no message is ever built. The other direction is
 * otlp_json.c.
 *
 * A message whose fields stand as one would write them is passed once. One where a list is in
 * pieces or a field is there twice is passed once per field number, so that the result is always an
 * object with each key once. */
#include "base/check.h"
#include "base/json_quote.h"
#include "base/mem.h"
#include "proto/json_write.h"
#include "proto/otlp.h"
#include "proto/otlp_json.h"
#include "proto/otlp_json_scalar.h"
#include "proto/otlp_view.h"
#include "proto/wire.h"

#define LEVELS_MAX (3 * LEAT_OTLP_DEPTH + 16) /* messages within one another in checked bytes */

struct writer {
    struct leat_text *out;
    uint32_t level;
    size_t merge_left; /* bytes that may yet be copied to join sub-messages sent in pieces */
};

static void write_message(struct writer *w, const struct leat_otlp_message *m,
                          struct leat_bytes bytes);

/* --- values */

/* leat_text_add() for a few bytes when there is room, which there mostly is. What comes last in a
 * request goes through leat_text_add(), which puts the NUL behind it all. */
static inline void put(struct leat_text *t, const char *data, size_t len)
{
    if (t->failed || t->cap - t->len <= len || t->max - t->len < len) {
        leat_text_add(t, data, len);
        return;
    }
    memcpy(t->data + t->len, data, len);
    t->len += len;
}

static inline void put_char(struct leat_text *t, char c)
{
    put(t, &c, 1);
}

static void add_number(struct leat_text *t, enum leat_otlp_kind kind, uint64_t v)
{
    uint32_t low = (uint32_t)v;
    double real;

    switch (kind) {
    case LEAT_OTLP_BOOL:
        leat_text_str(t, v != 0 ? "true" : "false");
        break;
    case LEAT_OTLP_ENUM:
        leat_json_add_i64(t, (int32_t)low);
        break;
    case LEAT_OTLP_SINT32:
        leat_json_add_i64(t, (int32_t)(low >> 1 ^ -(low & 1)));
        break;
    case LEAT_OTLP_UINT32:
    case LEAT_OTLP_FIXED32:
        leat_json_add_u64(t, low);
        break;
    case LEAT_OTLP_UINT64:
    case LEAT_OTLP_FIXED64:
        leat_json_add_quoted_u64(t, v);
        break;
    case LEAT_OTLP_INT64:
    case LEAT_OTLP_SFIXED64:
        leat_json_add_quoted_i64(t, (int64_t)v);
        break;
    default:
        memcpy(&real, &v, sizeof real);
        leat_json_add_double(t, real);
    }
}

static void add_bytes(struct leat_text *t, enum leat_otlp_kind kind, struct leat_bytes b)
{
    if (kind == LEAT_OTLP_STRING) {
        leat_json_quote(t, b);
        return;
    }
    leat_text_char(t, '"');
    if (kind == LEAT_OTLP_BLOB)
        leat_json_add_base64(t, b);
    else
        leat_json_add_hex(t, b);
    leat_text_char(t, '"');
}

static void add_value(struct writer *w, const struct leat_otlp_field *f,
                      const struct leat_wire_field *v)
{
    if (f->kind == LEAT_OTLP_MESSAGE)
        write_message(w, f->message, v->bytes);
    else if (v->type == LEAT_BYTES)
        add_bytes(w->out, (enum leat_otlp_kind)f->kind, v->bytes);
    else
        add_number(w->out, (enum leat_otlp_kind)f->kind, v->number);
}

/* Takes the next number out of a packed list. */
static bool next_packed(struct leat_wire *list, enum leat_wire_type type, struct leat_wire_field *v)
{
    size_t size = type == LEAT_FIXED64 ? 8 : 4;

    v->type = type;
    v->number = 0;
    if (type == LEAT_VARINT)
        return list->at < list->end && leat_wire_varint(list, &v->number);
    if ((size_t)(list->end - list->at) < size)
        return false;
    memcpy(&v->number, list->at, size);
    list->at += size;
    return true;
}

/* Adds the elements that one field holds: itself, or those of a packed list. */
static void add_elements(struct writer *w, const struct leat_otlp_field *f,
                         const struct leat_wire_field *v, bool *first)
{
    enum leat_wire_type type = leat_scalar_type(f);
    struct leat_wire list = leat_wire_of(v->bytes);
    struct leat_wire_field one;

    if (v->type != LEAT_BYTES || type == LEAT_BYTES) {
        if (!*first)
            put_char(w->out, ',');
        *first = false;
        add_value(w, f, v);
        return;
    }
    while (next_packed(&list, type, &one)) {
        if (!*first)
            put_char(w->out, ',');
        *first = false;
        add_number(w->out, (enum leat_otlp_kind)f->kind, one.number);
    }
}

/* --- fields */

/* A known field with a value of its type. */
static const struct leat_otlp_field *known(const struct leat_otlp_message *m,
                                           const struct leat_wire_field *v)
{
    const struct leat_otlp_field *f = leat_otlp_field(m, v->field);

    if (f == NULL)
        return NULL;
    if (v->type != leat_scalar_type(f) && !(f->repeated && v->type == LEAT_BYTES))
        return NULL;
    return f;
}

static bool all_zero(struct leat_bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        if (b.data[i] != 0)
            return false;
    }
    return true;
}

/* Left out, because to be absent means the same. */
static bool is_default(const struct leat_otlp_field *f, const struct leat_wire_field *v)
{
    if (f->optional || f->kind == LEAT_OTLP_MESSAGE)
        return false;
    if (v->type != LEAT_BYTES)
        return v->number == 0;
    if (f->kind == LEAT_OTLP_TRACE_ID || f->kind == LEAT_OTLP_SPAN_ID)
        return all_zero(v->bytes);
    return v->bytes.len == 0;
}

static void add_key(struct writer *w, const struct leat_otlp_field *f, bool *first)
{
    if (!*first)
        put_char(w->out, ',');
    put(w->out, f->key, f->key_len);
    *first = false;
}

/* Every list in one piece, everything else at most once. */
static bool is_tidy(const struct leat_otlp_message *m, struct leat_bytes bytes)
{
    struct leat_wire in = leat_wire_of(bytes);
    struct leat_wire_field v;
    uint32_t seen = 0, last = 0;
    bool oneof = false;

    while (leat_wire_next(&in, &v) > 0) {
        const struct leat_otlp_field *f = known(m, &v);
        if (f == NULL)
            continue;
        if ((seen >> v.field & 1 && !(f->repeated && v.field == last)) || (f->oneof && oneof))
            return false;
        oneof |= f->oneof;
        seen |= UINT32_C(1) << v.field;
        last = v.field;
    }
    return true;
}

static void write_tidy(struct writer *w, const struct leat_otlp_message *m, struct leat_bytes bytes)
{
    struct leat_wire in = leat_wire_of(bytes);
    struct leat_wire_field v;
    bool first = true, first_element = true;
    uint32_t list = 0;

    while (leat_wire_next(&in, &v) > 0 && leat_text_ok(w->out)) {
        const struct leat_otlp_field *f = known(m, &v);
        if (f == NULL)
            continue;
        if (list != 0 && list != v.field) {
            put_char(w->out, ']');
            list = 0;
        }
        if (!f->repeated) {
            if (!is_default(f, &v)) {
                add_key(w, f, &first);
                add_value(w, f, &v);
            }
            continue;
        }
        if (list == 0) {
            add_key(w, f, &first);
            put_char(w->out, '[');
            first_element = true;
            list = v.field;
        }
        add_elements(w, f, &v, &first_element);
    }
    if (list != 0)
        put_char(w->out, ']');
}

/* --- untidy messages */

/* Finds the next field `number` from `in` on. */
static const struct leat_otlp_field *next_of(const struct leat_otlp_message *m,
                                             struct leat_wire *in, uint32_t number,
                                             struct leat_wire_field *v)
{
    while (leat_wire_next(in, v) > 0) {
        const struct leat_otlp_field *f = v->field == number ? known(m, v) : NULL;
        if (f != NULL)
            return f;
    }
    return NULL;
}

/* A sub-message in several pieces is their concatenation. */
static void write_merged(struct writer *w, const struct leat_otlp_message *m, uint32_t number,
                         struct leat_bytes bytes, size_t total)
{
    struct leat_wire in = leat_wire_of(bytes);
    struct leat_wire_field v;
    uint8_t *joined = NULL;
    size_t len = 0;

    if (total <= w->merge_left)
        joined = leat_try(total + 1);
    if (joined == NULL) {
        w->out->failed = true;
        return;
    }
    w->merge_left -= total;
    while (next_of(m, &in, number, &v) != NULL) {
        if (v.bytes.len != 0)
            memcpy(joined + len, v.bytes.data, v.bytes.len);
        len += v.bytes.len;
    }
    write_message(w, m->fields[number].message, leat_bytes(joined, len));
    w->merge_left += total;
    leat_free(joined);
}

static void write_single(struct writer *w, const struct leat_otlp_message *m, uint32_t number,
                         struct leat_bytes bytes, bool *first)
{
    const struct leat_otlp_field *f = &m->fields[number];
    struct leat_wire in = leat_wire_of(bytes);
    struct leat_wire_field v, last = {0};
    size_t total = 0, count = 0;

    for (; next_of(m, &in, number, &v) != NULL; count++) {
        last = v;
        total += v.type == LEAT_BYTES ? v.bytes.len : 0;
    }
    if (count == 0 || is_default(f, &last))
        return;
    add_key(w, f, first);
    if (f->kind == LEAT_OTLP_MESSAGE && count > 1 && !f->oneof)
        write_merged(w, m, number, bytes, total);
    else
        add_value(w, f, &last);
}

static void write_list(struct writer *w, const struct leat_otlp_message *m, uint32_t number,
                       struct leat_bytes bytes, bool *first)
{
    struct leat_wire in = leat_wire_of(bytes);
    struct leat_wire_field v;
    bool first_element = true;

    if (next_of(m, &in, number, &v) == NULL)
        return;
    add_key(w, &m->fields[number], first);
    put_char(w->out, '[');
    do
        add_elements(w, &m->fields[number], &v, &first_element);
    while (leat_text_ok(w->out) && next_of(m, &in, number, &v) != NULL);
    put_char(w->out, ']');
}

/* The oneof field that counts: the last one. 0: none. */
static uint32_t oneof_of(const struct leat_otlp_message *m, struct leat_bytes bytes)
{
    struct leat_wire in = leat_wire_of(bytes);
    struct leat_wire_field v;
    uint32_t number = 0;

    while (leat_wire_next(&in, &v) > 0) {
        const struct leat_otlp_field *f = known(m, &v);
        if (f != NULL && f->oneof)
            number = v.field;
    }
    return number;
}

static void write_untidy(struct writer *w, const struct leat_otlp_message *m,
                         struct leat_bytes bytes)
{
    uint32_t oneof = oneof_of(m, bytes);
    bool first = true;

    for (uint32_t number = 1; number <= m->top; number++) {
        const struct leat_otlp_field *f = leat_otlp_field(m, number);
        if (f == NULL || (f->oneof && number != oneof))
            continue;
        if (f->repeated)
            write_list(w, m, number, bytes, &first);
        else
            write_single(w, m, number, bytes, &first);
    }
}

/* Recursive: as deep as the bytes, which were checked; bounded here again. */
static void write_message(struct writer *w, const struct leat_otlp_message *m,
                          struct leat_bytes bytes)
{
    if (w->level == LEVELS_MAX) {
        w->out->failed = true;
        return;
    }
    w->level++;
    put_char(w->out, '{');
    if (is_tidy(m, bytes))
        write_tidy(w, m, bytes);
    else
        write_untidy(w, m, bytes);
    put_char(w->out, '}');
    w->level--;
}

void leat_otlp_to_json(enum leat_signal signal, const struct leat_bytes *parts, size_t n,
                       struct leat_text *out)
{
    const struct leat_otlp_message *m = leat_otlp_request[signal];
    struct writer w = {.out = out};
    bool first = true, first_element = true;

    leat_text_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        struct leat_wire in = leat_wire_of(parts[i]);
        struct leat_wire_field v;

        w.merge_left = parts[i].len; /* pieces within pieces: refuse what has no end */
        while (leat_text_ok(out) && next_of(m, &in, 1, &v) != NULL) {
            if (first) {
                add_key(&w, &m->fields[1], &first);
                leat_text_char(out, '[');
            }
            add_elements(&w, &m->fields[1], &v, &first_element);
        }
    }
    leat_text_str(out, first ? "}" : "]}");
}
