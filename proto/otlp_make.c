/* Makes OTLP requests: a writer that nests messages and fills in their lengths when they close. */
#include "proto/otlp_make.h"

#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "proto/wire.h"

/* The longest tag and the longest varint together. */
#define HEAD_MAX 15

void leat_make_init(struct leat_make *m, struct leat_text *out)
{
    *m = (struct leat_make){.out = out};
}

static uint8_t *room(struct leat_make *m, size_t more)
{
    if (!leat_text_reserve(m->out, more))
        return NULL;
    return (uint8_t *)m->out->data + m->out->len;
}

static void filled(struct leat_make *m, const uint8_t *end)
{
    m->out->len = (size_t)(end - (const uint8_t *)m->out->data);
    m->out->data[m->out->len] = '\0';
}

void leat_make_open(struct leat_make *m, uint32_t field)
{
    uint8_t *at = room(m, HEAD_MAX);

    LEAT_CHECK(m->depth < LEAT_MAKE_DEPTH);
    if (at != NULL) {
        at = leat_wire_put_tag(at, field, LEAT_BYTES);
        *at++ = 0; /* most messages are shorter than 128 bytes */
        filled(m, at);
    }
    m->open[m->depth++] = m->out->len;
}

void leat_make_close(struct leat_make *m)
{
    size_t start, len, wide;
    uint8_t *at;

    LEAT_CHECK(m->depth > 0);
    start = m->open[--m->depth];
    if (!leat_text_ok(m->out))
        return;
    len = m->out->len - start;
    wide = leat_wire_varint_size(len);
    at = room(m, wide - 1);
    if (at == NULL)
        return;
    filled(m, at + wide - 1);
    at = (uint8_t *)m->out->data + start;
    if (wide > 1)
        memmove(at + wide - 1, at, len);
    leat_wire_put_varint(at - 1, len);
}

void leat_make_varint(struct leat_make *m, uint32_t field, uint64_t v)
{
    uint8_t *at = room(m, HEAD_MAX);

    if (at == NULL)
        return;
    at = leat_wire_put_tag(at, field, LEAT_VARINT);
    filled(m, leat_wire_put_varint(at, v));
}

void leat_make_fixed64(struct leat_make *m, uint32_t field, uint64_t v)
{
    uint8_t *at = room(m, HEAD_MAX);

    if (at == NULL)
        return;
    at = leat_wire_put_tag(at, field, LEAT_FIXED64);
    memcpy(at, &v, sizeof v); /* little-endian hosts only, as in wire.h */
    filled(m, at + sizeof v);
}

void leat_make_double(struct leat_make *m, uint32_t field, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    leat_make_fixed64(m, field, bits);
}

void leat_make_bytes(struct leat_make *m, uint32_t field, struct leat_bytes b)
{
    uint8_t *at;

    if (b.len > m->out->max) {
        m->out->failed = true;
        return;
    }
    at = room(m, HEAD_MAX + b.len);
    if (at != NULL)
        filled(m, leat_wire_put_bytes(at, field, b));
}

void leat_make_string(struct leat_make *m, uint32_t field, const char *s)
{
    leat_make_bytes(m, field, leat_bytes_str(s));
}

void leat_make_packed_varints(struct leat_make *m, uint32_t field, const uint64_t *v, uint32_t n)
{
    size_t len = 0;
    uint8_t *at;

    if (n == 0)
        return;
    for (uint32_t i = 0; i < n; i++)
        len += leat_wire_varint_size(v[i]);
    at = room(m, HEAD_MAX + len);
    if (at == NULL)
        return;
    at = leat_wire_put_tag(at, field, LEAT_BYTES);
    at = leat_wire_put_varint(at, len);
    for (uint32_t i = 0; i < n; i++)
        at = leat_wire_put_varint(at, v[i]);
    filled(m, at);
}

void leat_make_raw(struct leat_make *m, struct leat_bytes fields)
{
    leat_text_add(m->out, fields.data, fields.len);
}

/* KeyValue: key = 1, value = 2. */
static void attr_open(struct leat_make *m, uint32_t field, const char *key)
{
    leat_make_open(m, field);
    leat_make_string(m, 1, key);
    leat_make_open(m, 2);
}

static void attr_close(struct leat_make *m)
{
    leat_make_close(m);
    leat_make_close(m);
}

/* AnyValue: string_value = 1, bool_value = 2, int_value = 3, double_value = 4. */
void leat_make_attr_string(struct leat_make *m, uint32_t field, const char *key, const char *value)
{
    attr_open(m, field, key);
    leat_make_string(m, 1, value);
    attr_close(m);
}

void leat_make_attr_int(struct leat_make *m, uint32_t field, const char *key, int64_t value)
{
    attr_open(m, field, key);
    leat_make_varint(m, 3, (uint64_t)value);
    attr_close(m);
}

void leat_make_attr_double(struct leat_make *m, uint32_t field, const char *key, double value)
{
    attr_open(m, field, key);
    leat_make_double(m, 4, value);
    attr_close(m);
}

void leat_make_attr_bool(struct leat_make *m, uint32_t field, const char *key, bool value)
{
    attr_open(m, field, key);
    leat_make_varint(m, 2, value);
    attr_close(m);
}
