/* The protobuf wire format, read and written by hand: bounded, no allocation, nothing a peer
 * declares is believed.
 *
 * Source: protobuf.dev, "Encoding". Inline, because this is the data path. */
#ifndef LEAT_PROTO_WIRE_H
#define LEAT_PROTO_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

enum leat_wire_type { LEAT_VARINT = 0, LEAT_FIXED64 = 1, LEAT_BYTES = 2, LEAT_FIXED32 = 5 };

/* A cursor over one message. */
struct leat_wire {
    const uint8_t *at, *end;
};

/* One field: by its type either `number` (varint, fixed64, fixed32) or `bytes` is set. */
struct leat_wire_field {
    uint32_t field;
    enum leat_wire_type type;
    uint64_t number;
    struct leat_bytes bytes;
};

static inline struct leat_wire leat_wire_of(struct leat_bytes message)
{
    /* NULL + 0 is not defined */
    return (struct leat_wire){message.data,
                              message.len == 0 ? message.data : message.data + message.len};
}

/* Reads a varint of at most ten bytes. false: cut off or too long. */
static inline bool leat_wire_varint(struct leat_wire *w, uint64_t *ret)
{
    uint64_t v = 0;

    if (w->at < w->end && *w->at < 0x80) {
        *ret = *w->at++;
        return true;
    }
    for (unsigned shift = 0; shift < 70 && w->at < w->end; shift += 7) {
        uint8_t b = *w->at++;
        if (shift == 63 && b > 1)
            return false;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *ret = v;
            return true;
        }
    }
    return false;
}

/* Reads the next field. 1: read; 0: the message ends here; -1: not well-formed (groups, field 0 and
 * lengths past the end included). */
static inline int leat_wire_next(struct leat_wire *w, struct leat_wire_field *f)
{
    uint64_t tag, len;

    if (w->at == w->end)
        return 0;
    if (!leat_wire_varint(w, &tag) || tag >> 3 == 0 || tag >> 32 != 0)
        return -1;
    f->field = (uint32_t)(tag >> 3);
    f->type = (enum leat_wire_type)(tag & 7);
    switch (f->type) {
    case LEAT_VARINT:
        return leat_wire_varint(w, &f->number) ? 1 : -1;
    case LEAT_FIXED64:
        if (w->end - w->at < 8)
            return -1;
        memcpy(&f->number, w->at, 8); /* little-endian hosts only: checked in wire.c */
        w->at += 8;
        return 1;
    case LEAT_BYTES:
        if (!leat_wire_varint(w, &len) || len > (uint64_t)(w->end - w->at))
            return -1;
        f->bytes = leat_bytes(w->at, (size_t)len);
        w->at += len;
        return 1;
    case LEAT_FIXED32: {
        uint32_t v;
        if (w->end - w->at < 4)
            return -1;
        memcpy(&v, w->at, 4);
        f->number = v;
        w->at += 4;
        return 1;
    }
    default:
        return -1;
    }
}

/* How long a varint of this value is; 1 to 10. */
static inline size_t leat_wire_varint_size(uint64_t v)
{
    return v == 0 ? 1 : (size_t)(70 - __builtin_clzll(v)) / 7;
}

/* Writes a varint and returns the byte after it. The caller has made room. */
static inline uint8_t *leat_wire_put_varint(uint8_t *at, uint64_t v)
{
    while (v >= 0x80) {
        *at++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *at++ = (uint8_t)v;
    return at;
}

static inline uint8_t *leat_wire_put_tag(uint8_t *at, uint32_t field, enum leat_wire_type type)
{
    return leat_wire_put_varint(at, (uint64_t)field << 3 | (uint64_t)type);
}

/* Tag, length and bytes. */
static inline uint8_t *leat_wire_put_bytes(uint8_t *at, uint32_t field, struct leat_bytes b)
{
    at = leat_wire_put_tag(at, field, LEAT_BYTES);
    at = leat_wire_put_varint(at, b.len);
    if (b.len != 0)
        memcpy(at, b.data, b.len);
    return at + b.len;
}

#endif
