/* Writes protobuf for tests: also what is not well-formed. */
#ifndef LEAT_TESTS_OTLP_WRITE_H
#define LEAT_TESTS_OTLP_WRITE_H

#include "base/text.h"
#include "proto/wire.h"

static inline void otlp_write_varint(struct leat_text *t, uint64_t v)
{
    uint8_t b[10];

    leat_text_add(t, b, (size_t)(leat_wire_put_varint(b, v) - b));
}

static inline void otlp_write_tag(struct leat_text *t, uint32_t field, unsigned type)
{
    otlp_write_varint(t, (uint64_t)field << 3 | type);
}

static inline void otlp_write_bytes(struct leat_text *t, uint32_t field, struct leat_bytes b)
{
    otlp_write_tag(t, field, LEAT_BYTES);
    otlp_write_varint(t, b.len);
    leat_text_add(t, b.data, b.len);
}

static inline void otlp_write_text(struct leat_text *t, uint32_t field, const char *text)
{
    otlp_write_bytes(t, field, leat_bytes_str(text));
}

static inline void otlp_write_number(struct leat_text *t, uint32_t field, uint64_t v)
{
    otlp_write_tag(t, field, LEAT_VARINT);
    otlp_write_varint(t, v);
}

/* What is in `t` becomes a sub-message. */
static inline void otlp_write_wrap(struct leat_text *t, uint32_t field)
{
    struct leat_text all;

    leat_text_init(&all, t->max);
    otlp_write_bytes(&all, field, leat_text_bytes(t));
    leat_text_done(t);
    *t = all;
}

/* A KeyValue with a string. */
static inline void otlp_write_attr(struct leat_text *t, uint32_t field, const char *key,
                                   const char *value)
{
    struct leat_text pair;

    leat_text_init(&pair, 1 << 20);
    otlp_write_text(&pair, 1, value);
    otlp_write_wrap(&pair, 2);
    otlp_write_text(&pair, 1, key);
    otlp_write_bytes(t, field, leat_text_bytes(&pair));
    leat_text_done(&pair);
}

/* Enough behind the records that the quick way through them is taken. */
static inline void otlp_write_padding(struct leat_text *t)
{
    static const char blanks[300];

    otlp_write_bytes(t, 1000, leat_bytes(blanks, sizeof blanks));
}

#endif
