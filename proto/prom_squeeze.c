/* Writes a snappy block by pieces of which it is known where they stood before. */
#include "proto/prom_squeeze.h"

#include <string.h>

#include "base/check.h"
#include "proto/wire.h"

#define FRONT       ((size_t)5) /* room for the length, which is known at the end */
#define LITERAL_MAX 60u         /* bytes that a tag of one byte can announce */
#define COPY_MAX    64u
#define COPY_BYTES  3u
#define LITERAL     0u
#define COPY_2      2u /* a copy with an offset of two bytes */

void leat_squeeze_init(struct leat_squeeze *q, size_t max)
{
    *q = (struct leat_squeeze){.raw = 0};
    leat_text_init(&q->out, max);
}

void leat_squeeze_done(struct leat_squeeze *q)
{
    leat_text_done(&q->out);
    leat_squeeze_clear(q, true);
}

void leat_squeeze_clear(struct leat_squeeze *q, bool keep)
{
    if (keep)
        leat_text_clear(&q->out);
    else
        leat_text_done(&q->out);
    q->raw = q->literal = q->copy_from = q->copy_len = 0;
}

size_t leat_squeeze_memory(const struct leat_squeeze *q)
{
    return q->out.cap;
}

bool leat_squeeze_reserve(struct leat_squeeze *q, size_t bytes, size_t pieces)
{
    /* Each piece may end a copy and begin a literal; long ones take more tags. */
    size_t most = FRONT + bytes + bytes / LITERAL_MAX + pieces * (COPY_BYTES + 2) + COPY_BYTES +
                  LEAT_SQUEEZE_SLACK;

    if (!leat_text_reserve(&q->out, most)) {
        q->out.failed = false;
        return false;
    }
    if (q->out.len == 0)
        q->out.len = FRONT;
    return true;
}

static inline uint8_t *at_end(struct leat_squeeze *q)
{
    return (uint8_t *)q->out.data + q->out.len;
}

static inline void put_copy(struct leat_squeeze *q, size_t offset, size_t len)
{
    uint8_t *at = at_end(q);

    at[0] = (uint8_t)((len - 1) << 2 | COPY_2);
    at[1] = (uint8_t)offset;
    at[2] = (uint8_t)(offset >> 8);
    q->out.len += COPY_BYTES;
}

/* Writes the copy that waited. It ends where the next piece will begin. */
static inline void settle_copy(struct leat_squeeze *q)
{
    size_t offset = q->raw - q->copy_len - q->copy_from;

    for (; q->copy_len > COPY_MAX; q->copy_len -= COPY_MAX)
        put_copy(q, offset, COPY_MAX);
    if (q->copy_len > 0)
        put_copy(q, offset, q->copy_len);
    q->copy_len = 0;
    q->literal = 0;
}

/* In steps of a fixed size, which need no call: reads and writes up to 31 bytes too many. */
static inline void copy_quick(uint8_t *to, const uint8_t *from, size_t len)
{
    for (size_t i = 0; i < len; i += LEAT_SQUEEZE_SLACK)
        memcpy(to + i, from + i, LEAT_SQUEEZE_SLACK);
}

static inline void copy(uint8_t *to, const uint8_t *from, size_t len, bool quick)
{
    if (quick)
        copy_quick(to, from, len);
    else
        memcpy(to, from, len);
}

/* The open literal takes as much as it can. Returns how much. */
static inline size_t continue_literal(struct leat_squeeze *q, const uint8_t *data, size_t len,
                                      bool quick)
{
    uint8_t *tag = (uint8_t *)q->out.data + q->literal;
    size_t has = (size_t)(*tag >> 2) + 1, n = LITERAL_MAX - has;

    if (n > len)
        n = len;
    copy(at_end(q), data, n, quick);
    q->out.len += n;
    *tag = (uint8_t)((has + n - 1) << 2 | LITERAL);
    return n;
}

static inline void begin_literal(struct leat_squeeze *q, const uint8_t *data, size_t len,
                                 bool quick)
{
    uint8_t *at = at_end(q);

    q->literal = q->out.len;
    *at = (uint8_t)((len - 1) << 2 | LITERAL);
    copy(at + 1, data, len, quick);
    q->out.len += 1 + len;
}

static inline __attribute__((always_inline)) void add(struct leat_squeeze *q, const uint8_t *from,
                                                      size_t len, bool quick)
{
    size_t n;

    if (q->copy_len > 0)
        settle_copy(q);
    q->raw += len;
    if (q->literal != 0) {
        n = continue_literal(q, from, len, quick);
        from += n;
        len -= n;
    }
    for (; len > 0; from += n, len -= n) {
        n = len < LITERAL_MAX ? len : LITERAL_MAX;
        begin_literal(q, from, n, quick);
    }
}

void leat_squeeze_add(struct leat_squeeze *q, const void *data, size_t len)
{
    add(q, data, len, false);
}

void leat_squeeze_add_quick(struct leat_squeeze *q, const void *data, size_t len)
{
    add(q, data, len, true);
}

void leat_squeeze_again(struct leat_squeeze *q, size_t from, size_t len)
{
    LEAT_CHECK(from < q->raw && q->raw - from <= LEAT_SQUEEZE_REACH);
    if (q->copy_len > 0 && q->copy_from + q->copy_len == from) {
        q->copy_len += len;
        q->raw += len;
        return;
    }
    if (q->copy_len > 0)
        settle_copy(q);
    q->copy_from = from;
    q->copy_len = len;
    q->raw += len;
}

bool leat_squeeze_undo(struct leat_bytes block, struct leat_text *out)
{
    struct leat_wire w = leat_wire_of(block);
    uint64_t len;

    if (!leat_wire_varint(&w, &len) || !leat_text_reserve(out, len))
        return false;
    while (w.at < w.end) {
        size_t n = (size_t)(*w.at >> 2) + 1;
        if ((*w.at & 3) == LITERAL) {
            leat_text_add(out, w.at + 1, n);
            w.at += 1 + n;
        } else {
            size_t offset = (size_t)w.at[1] | (size_t)w.at[2] << 8;
            leat_text_add(out, out->data + out->len - offset, n);
            w.at += COPY_BYTES;
        }
    }
    return leat_text_ok(out);
}

struct leat_bytes leat_squeeze_finish(struct leat_squeeze *q)
{
    size_t width = leat_wire_varint_size(q->raw);
    uint8_t *at;

    if (q->out.len == 0)
        return leat_bytes("\0", 1); /* nothing, in one byte */
    if (q->copy_len > 0)
        settle_copy(q);
    at = (uint8_t *)q->out.data + FRONT - width;
    leat_wire_put_varint(at, q->raw);
    return leat_bytes(at, q->out.len - (FRONT - width));
}
