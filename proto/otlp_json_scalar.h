/* Numbers, enums and booleans of OTLP/JSON, as the wire has them: integers also as strings and as
 * 5.0 or 5e0, enums by number or name, doubles also as "NaN", "Infinity" and "-Infinity". */
#ifndef LEAT_PROTO_OTLP_JSON_SCALAR_H
#define LEAT_PROTO_OTLP_JSON_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/otlp.h"
#include "proto/wire.h"

struct leat_json_read; /* proto/json_read.h */

/* The value at the cursor, which is not at the end of the text, for a field that is not of bytes:
 * as its varint (zigzag done) or its fixed bits. false: the error is in `in`. */
bool leat_otlp_json_scalar(struct leat_json_read *in, const struct leat_otlp_field *f,
                           uint64_t *ret);

/* leat_otlp_wire_type() without a call. */
static inline enum leat_wire_type leat_scalar_type(const struct leat_otlp_field *f)
{
    if (f->kind >= LEAT_OTLP_STRING)
        return LEAT_BYTES;
    if (f->kind >= LEAT_OTLP_FIXED64)
        return LEAT_FIXED64;
    return f->kind == LEAT_OTLP_FIXED32 ? LEAT_FIXED32 : LEAT_VARINT;
}

/* The range of each integer kind: -min to max. */
static inline bool leat_scalar_in_range(enum leat_otlp_kind kind, bool negative, uint64_t v)
{
    static const struct {
        uint64_t min, max;
    } range[LEAT_OTLP_KINDS] = {
        [LEAT_OTLP_ENUM] = {(uint64_t)INT32_MAX + 1, INT32_MAX},
        [LEAT_OTLP_UINT32] = {0, UINT32_MAX},
        [LEAT_OTLP_UINT64] = {0, UINT64_MAX},
        [LEAT_OTLP_INT64] = {(uint64_t)INT64_MAX + 1, INT64_MAX},
        [LEAT_OTLP_SINT32] = {(uint64_t)INT32_MAX + 1, INT32_MAX},
        [LEAT_OTLP_FIXED32] = {0, UINT32_MAX},
        [LEAT_OTLP_FIXED64] = {0, UINT64_MAX},
        [LEAT_OTLP_SFIXED64] = {(uint64_t)INT64_MAX + 1, INT64_MAX},
    };

    return v <= (negative ? range[kind].min : range[kind].max);
}

/* What stands for this integer on the wire. */
static inline uint64_t leat_scalar_signed(enum leat_otlp_kind kind, bool negative, uint64_t v)
{
    if (negative)
        v = -v;
    return kind == LEAT_OTLP_SINT32 ? (uint32_t)(v << 1) ^ (uint32_t) - (v >> 63) : v;
}

/* A scalar of this field, which is not of bytes: to `to`, which has 8 or 10 bytes. Returns the byte
 * after it. */
static inline uint8_t *leat_scalar_put(uint8_t *to, const struct leat_otlp_field *f, uint64_t v)
{
    size_t size;

    if (leat_scalar_type(f) == LEAT_VARINT)
        return leat_wire_put_varint(to, v);
    size = leat_scalar_type(f) == LEAT_FIXED64 ? 8 : 4;
    memcpy(to, &v, 8); /* little-endian hosts only, as in wire.h */
    return to + size;
}

#endif
