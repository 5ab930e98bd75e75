/* Random but valid OTLP requests, made by protobuf-c from the schema files alone. */
#include "lib/otlp_random.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"
#include "proto/wire.h"

#define VALUE_DEPTH 4   /* nested lists in a random attribute */
#define FIELDS      512 /* fields of one message that are shuffled; more stay in order */

static void *take(void *unused, size_t size)
{
    (void)unused;
    return leat_new(size == 0 ? 1 : size);
}

static void give(void *unused, void *memory)
{
    (void)unused;
    leat_free(memory);
}

static ProtobufCAllocator allocator = {take, give, NULL};

uint64_t otlp_random_next(struct otlp_random *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u); /* splitmix64 */

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t otlp_random_below(struct otlp_random *r, uint32_t n)
{
    return (uint32_t)((otlp_random_next(r) >> 32) * n >> 32);
}

const ProtobufCMessageDescriptor *otlp_random_type(enum leat_signal signal)
{
    static const ProtobufCMessageDescriptor *const types[LEAT_SIGNALS] = {
        &opentelemetry__proto__collector__trace__v1__export_trace_service_request__descriptor,
        &opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__descriptor,
        &opentelemetry__proto__collector__logs__v1__export_logs_service_request__descriptor,
    };
    return types[signal];
}

/* --- filling messages */

static bool is_type(const ProtobufCMessageDescriptor *d, const char *name)
{
    return strcmp(d->short_name, name) == 0;
}

/* Fields that lead to records, and the lists of records. */
static bool on_the_way(const ProtobufCFieldDescriptor *f)
{
    static const char *const names[] = {
        "resource_spans", "scope_spans",
        "spans",          "resource_metrics",
        "scope_metrics",  "metrics",
        "gauge",          "sum",
        "histogram",      "summary",
        "data_points",    "scope_logs",
        "resource_logs",  "exponential_histogram",
        "log_records",
    };

    for (size_t i = 0; f->type == PROTOBUF_C_TYPE_MESSAGE && i < sizeof names / sizeof *names;
         i++) {
        if (strcmp(f->name, names[i]) == 0)
            return true;
    }
    return false;
}

static bool is_wide(const ProtobufCFieldDescriptor *f)
{
    return on_the_way(f) && f->label == PROTOBUF_C_LABEL_REPEATED;
}

static ProtobufCMessage *make(struct otlp_random *r, const ProtobufCMessageDescriptor *d,
                              uint32_t wide, unsigned depth);

static char *random_text(struct otlp_random *r)
{
    uint32_t len =
        otlp_random_below(r, 40) == 0 ? 100 + otlp_random_below(r, 300) : otlp_random_below(r, 20);
    char *text = leat_new(len + 1);

    for (uint32_t i = 0; i < len; i++)
        text[i] = (char)(1 + otlp_random_below(r, 126));
    return text;
}

static ProtobufCBinaryData random_bytes(struct otlp_random *r, const char *name)
{
    const char *tail = strrchr(name, '_');
    ProtobufCBinaryData b = {otlp_random_below(r, 30), NULL};

    if (strcmp(name, "trace_id") == 0)
        b.len = otlp_random_below(r, 4) == 0 ? 0 : 16;
    else if (tail != NULL && strcmp(tail, "_id") == 0)
        b.len = otlp_random_below(r, 4) == 0 ? 0 : 8;
    b.data = take(NULL, b.len);
    for (size_t i = 0; i < b.len; i++)
        b.data[i] = (uint8_t)otlp_random_next(r);
    return b;
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

static void random_value(struct otlp_random *r, const ProtobufCFieldDescriptor *f, void *at,
                         uint32_t wide, unsigned depth)
{
    uint64_t number = otlp_random_next(r) >> otlp_random_below(r, 64);

    if (f->type == PROTOBUF_C_TYPE_STRING) {
        *(char **)at = random_text(r);
    } else if (f->type == PROTOBUF_C_TYPE_BYTES) {
        *(ProtobufCBinaryData *)at = random_bytes(r, f->name);
    } else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
        *(ProtobufCMessage **)at = make(r, f->descriptor, wide, depth);
    } else {
        if (f->type == PROTOBUF_C_TYPE_BOOL)
            number &= 1;
        memcpy(at, &number, size_of(f->type)); /* little-endian: the low bytes */
    }
}

static void random_list(struct otlp_random *r, const ProtobufCFieldDescriptor *f, char *m,
                        uint32_t wide, unsigned depth)
{
    size_t n = otlp_random_below(r, is_wide(f) ? wide + 1 : 4), size = size_of(f->type);
    char *list;

    if (n == 0)
        return;
    list = leat_new_array(n, size);
    for (size_t i = 0; i < n; i++)
        random_value(r, f, list + i * size, wide, depth);
    *(size_t *)(void *)(m + f->quantifier_offset) = n;
    *(void **)(void *)(m + f->offset) = list;
}

/* Sets one member of the oneof whose first member is field `first`, or none. */
static void random_oneof(struct otlp_random *r, const ProtobufCMessageDescriptor *d, unsigned first,
                         char *m, uint32_t wide, unsigned depth)
{
    const ProtobufCFieldDescriptor *members[16], *f;
    unsigned n = 0;

    for (unsigned i = first; i < d->n_fields; i++) {
        f = &d->fields[i];
        if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
            f->quantifier_offset == d->fields[first].quantifier_offset &&
            (f->type != PROTOBUF_C_TYPE_MESSAGE || depth < VALUE_DEPTH))
            members[n++] = f;
    }
    if (otlp_random_below(r, 16) == 0)
        return;
    f = members[otlp_random_below(r, n)];
    *(uint32_t *)(void *)(m + f->quantifier_offset) = f->id;
    random_value(r, f, m + f->offset, wide, depth);
}

static bool first_of_oneof(const ProtobufCMessageDescriptor *d, unsigned field)
{
    for (unsigned i = 0; i < field; i++) {
        if ((d->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
            d->fields[i].quantifier_offset == d->fields[field].quantifier_offset)
            return false;
    }
    return true;
}

static ProtobufCMessage *make(struct otlp_random *r, const ProtobufCMessageDescriptor *d,
                              uint32_t wide, unsigned depth)
{
    ProtobufCMessage *m = leat_new(d->sizeof_message);

    protobuf_c_message_init(d, m);
    depth += is_type(d, "AnyValue");
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        char *at = (char *)m;

        if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            if (first_of_oneof(d, i))
                random_oneof(r, d, i, at, wide, depth);
        } else if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            random_list(r, f, at, wide, depth);
        } else if (otlp_random_below(r, 4) != 0) {
            random_value(r, f, at + f->offset, wide, depth);
            if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
                *(protobuf_c_boolean *)(void *)(at + f->quantifier_offset) = 1;
        }
    }
    return m;
}

ProtobufCMessage *otlp_random_request(struct otlp_random *r, enum leat_signal signal, uint32_t wide)
{
    return make(r, otlp_random_type(signal), wide, 0);
}

ProtobufCMessage *otlp_random_unpack(enum leat_signal signal, struct leat_bytes b)
{
    return protobuf_c_message_unpack(otlp_random_type(signal), &allocator, b.len, b.data);
}

void otlp_random_free(ProtobufCMessage *m)
{
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, &allocator);
}

void otlp_random_pack(const ProtobufCMessage *m, struct leat_text *out)
{
    size_t size = protobuf_c_message_get_packed_size(m);

    LEAT_CHECK(leat_text_reserve(out, size + 1));
    protobuf_c_message_pack(m, (uint8_t *)out->data + out->len);
    out->len += size;
}

/* --- the same in other bytes */

/* A varint, at times longer than it has to be. */
static void put_varint(struct otlp_random *r, uint64_t v, struct leat_text *out)
{
    unsigned longer = otlp_random_below(r, 8) == 0 ? otlp_random_below(r, 3) : 0;

    while (v >= 0x80) {
        leat_text_char(out, (char)(v | 0x80));
        v >>= 7;
    }
    leat_text_char(out, (char)(longer > 0 ? v | 0x80 : v));
    for (; longer > 0; longer--)
        leat_text_char(out, (char)(longer > 1 ? 0x80 : 0));
}

static void put_field(struct otlp_random *r, const struct leat_wire_field *f, struct leat_text *out)
{
    uint8_t tag[10];

    if (f->field < 2000) /* protobuf-c takes tags of five bytes at most */
        put_varint(r, (uint64_t)f->field << 3 | (uint64_t)f->type, out);
    else
        leat_text_add(out, tag, (size_t)(leat_wire_put_tag(tag, f->field, f->type) - tag));
    if (f->type == LEAT_VARINT) {
        /* A longer one of ten bytes would not be a varint. */
        uint8_t number[10];
        leat_text_add(out, number, (size_t)(leat_wire_put_varint(number, f->number) - number));
    } else if (f->type == LEAT_BYTES) {
        put_varint(r, f->bytes.len, out);
        leat_text_add(out, f->bytes.data, f->bytes.len);
    } else {
        leat_text_add(out, &f->number, f->type == LEAT_FIXED64 ? 8 : 4);
    }
}

static void put_unknown(struct otlp_random *r, struct leat_text *out)
{
    static const enum leat_wire_type types[] = {LEAT_VARINT, LEAT_FIXED64, LEAT_BYTES,
                                                LEAT_FIXED32};
    struct leat_wire_field f = {.field = 100 + otlp_random_below(r, 1000),
                                .type = types[otlp_random_below(r, 4)],
                                .number = otlp_random_next(r),
                                .bytes = leat_bytes_str("never heard of")};

    if (otlp_random_below(r, 4) == 0)
        f.field = 536870911; /* the highest there is */
    put_field(r, &f, out);
}

/* A list of numbers: as it is, one by one, or in two packed pieces. */
static void put_list(struct otlp_random *r, const ProtobufCFieldDescriptor *d,
                     const struct leat_wire_field *f, struct leat_text *out)
{
    struct leat_wire w = leat_wire_of(f->bytes);
    struct leat_wire_field one = {.field = f->field}, piece = *f;
    uint32_t way = otlp_random_below(r, 3);

    one.type =
        size_of(d->type) == 8 && d->type != PROTOBUF_C_TYPE_UINT64 ? LEAT_FIXED64 : LEAT_VARINT;
    while (way > 0 && w.at != w.end) {
        if (one.type == LEAT_FIXED64) {
            memcpy(&one.number, w.at, 8);
            w.at += 8;
        } else {
            LEAT_CHECK(leat_wire_varint(&w, &one.number));
        }
        if (way == 1) {
            put_field(r, &one, out);
        } else if (otlp_random_below(r, 2) == 0) {
            piece.bytes = leat_bytes(f->bytes.data, (size_t)(w.at - f->bytes.data));
            put_field(r, &piece, out);
            piece.bytes = leat_bytes(w.at, (size_t)(w.end - w.at));
            break;
        }
    }
    if (way != 1)
        put_field(r, &piece, out);
}

static void put_message(struct otlp_random *r, const ProtobufCMessageDescriptor *d,
                        const struct leat_wire_field *f, bool unknown, struct leat_text *out)
{
    bool mergeable = is_type(d, "Resource") || is_type(d, "InstrumentationScope");
    struct leat_wire w = leat_wire_of(f->bytes);
    struct leat_wire_field piece = *f, inner;
    struct leat_text text;

    if (mergeable && otlp_random_below(r, 4) == 0 && leat_wire_next(&w, &inner) > 0) {
        leat_text_init(&text, OTLP_RANDOM_MAX);
        piece.bytes = leat_bytes(f->bytes.data, (size_t)(w.at - f->bytes.data));
        otlp_random_scramble(r, d, piece.bytes, unknown, &text);
        piece.bytes = leat_text_bytes(&text);
        put_field(r, &piece, out);
        leat_text_done(&text);
        piece.bytes = leat_bytes(w.at, (size_t)(w.end - w.at));
    }
    leat_text_init(&text, OTLP_RANDOM_MAX);
    otlp_random_scramble(r, d, piece.bytes, unknown, &text);
    piece.bytes = leat_text_bytes(&text);
    put_field(r, &piece, out);
    leat_text_done(&text);
}

static void shuffle(struct otlp_random *r, struct leat_wire_field *f, uint32_t n)
{
    for (uint32_t i = 0; n > 1 && i < 4 * n; i++) {
        uint32_t k = otlp_random_below(r, n - 1);
        struct leat_wire_field swap = f[k];

        if (f[k].field != f[k + 1].field) {
            f[k] = f[k + 1];
            f[k + 1] = swap;
        }
    }
}

void otlp_random_scramble(struct otlp_random *r, const ProtobufCMessageDescriptor *type,
                          struct leat_bytes in, bool unknown, struct leat_text *out)
{
    struct leat_wire_field *fields = leat_new_array(FIELDS, sizeof *fields);
    struct leat_wire w = leat_wire_of(in);
    uint32_t n;

    do {
        for (n = 0; n < FIELDS && leat_wire_next(&w, &fields[n]) > 0; n++) {
        }
        shuffle(r, fields, n);
        for (uint32_t i = 0; i < n; i++) {
            const struct leat_wire_field *f = &fields[i];
            const ProtobufCFieldDescriptor *d =
                protobuf_c_message_descriptor_get_field(type, f->field);

            if (unknown && otlp_random_below(r, 10) == 0)
                put_unknown(r, out);
            if (d != NULL && d->type == PROTOBUF_C_TYPE_MESSAGE)
                put_message(r, d->descriptor, f, unknown, out);
            else if (d != NULL && (d->flags & PROTOBUF_C_FIELD_FLAG_PACKED))
                put_list(r, d, f, out);
            else
                put_field(r, f, out);
        }
    } while (n == FIELDS);
    leat_free(fields);
}

/* --- comparing */

/* Appends `m` with length. */
static void put_packed(const ProtobufCMessage *m, struct leat_text *out)
{
    leat_text_printf(out, "%s %zu\n", m->descriptor->short_name,
                     protobuf_c_message_get_packed_size(m));
    otlp_random_pack(m, out);
}

/* The list below `m` that leads to the records, in *ret_holder the message that has it (below a
 * metric's oneof). */
static const ProtobufCFieldDescriptor *way_of(ProtobufCMessage *m, ProtobufCMessage **ret_holder)
{
    const ProtobufCMessageDescriptor *d = m->descriptor;
    char *at = (char *)m;

    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];

        *ret_holder = m;
        if (is_wide(f))
            return f;
        if (on_the_way(f) && *(uint32_t *)(void *)(at + f->quantifier_offset) == f->id)
            return way_of(*(ProtobufCMessage **)(void *)(at + f->offset), ret_holder);
    }
    return NULL;
}

/* `above`: what was said by the messages around `m`. */
static uint32_t flatten(ProtobufCMessage *m, struct leat_bytes above, struct leat_text *out)
{
    ProtobufCMessage *holder, **list;
    const ProtobufCFieldDescriptor *way = way_of(m, &holder);
    bool records =
        way != NULL && (strcmp(way->name, "spans") == 0 || strcmp(way->name, "data_points") == 0 ||
                        strcmp(way->name, "log_records") == 0);
    struct leat_text here;
    size_t *count, n;
    uint32_t items = 0;

    if (way == NULL)
        return 0;
    count = (size_t *)(void *)((char *)holder + way->quantifier_offset);
    list = *(ProtobufCMessage ***)(void *)((char *)holder + way->offset);
    n = *count;
    leat_text_init(&here, OTLP_RANDOM_MAX);
    leat_text_add(&here, above.data, above.len);
    *count = 0;
    put_packed(m, &here);
    *count = n;
    for (size_t i = 0; i < n; i++) {
        if (records) {
            leat_text_add(out, here.data, here.len);
            put_packed(list[i], out);
            items++;
        } else {
            items += flatten(list[i], leat_text_bytes(&here), out);
        }
    }
    leat_text_done(&here);
    return items;
}

uint32_t otlp_random_flatten(ProtobufCMessage *request, struct leat_text *out)
{
    return flatten(request, leat_bytes(NULL, 0), out);
}
