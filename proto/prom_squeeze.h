/* Writes a snappy block by pieces of which it is known where they stood before.
 *
 * A remote-write request is mostly labels that were in it already. A compressor has to find that
 * out from the bytes; who writes the labels knows it. So a label that comes again becomes a copy
 * without being looked at, and a request is never there uncompressed.
 *
 * Source: google/snappy, format_description.txt. */
#ifndef LEAT_PROTO_PROM_SQUEEZE_H
#define LEAT_PROTO_PROM_SQUEEZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/text.h"

#define LEAT_SQUEEZE_REACH 65535u /* bytes: copies from farther back are no shorter */

struct leat_squeeze {
    size_t raw; /* bytes so far, uncompressed: where the next piece will stand */
    /* private */
    struct leat_text out;
    size_t literal;             /* where the open literal's tag is; 0: none */
    size_t copy_from, copy_len; /* not written yet: the next piece may continue it */
};

/* `max`: bytes of memory, at most 2^31. Allocates nothing. */
void leat_squeeze_init(struct leat_squeeze *q, size_t max);
void leat_squeeze_done(struct leat_squeeze *q);
/* Empty again; `keep`: with its memory. */
void leat_squeeze_clear(struct leat_squeeze *q, bool keep);
size_t leat_squeeze_memory(const struct leat_squeeze *q);

/* Room for pieces of so many bytes and pieces in all: adding them cannot fail then. false: no
 * memory, or above max; nothing changed. */
bool leat_squeeze_reserve(struct leat_squeeze *q, size_t bytes, size_t pieces);
/* Adds bytes as they are. */
void leat_squeeze_add(struct leat_squeeze *q, const void *data, size_t len);
/* The same for a piece behind which LEAT_SQUEEZE_SLACK bytes more can be read. */
#define LEAT_SQUEEZE_SLACK 32u
void leat_squeeze_add_quick(struct leat_squeeze *q, const void *data, size_t len);
/* Adds `len` bytes that are the same as those from `from` on, which was `raw` once, at most
 * LEAT_SQUEEZE_REACH ago. */
void leat_squeeze_again(struct leat_squeeze *q, size_t from, size_t len);
/* The block, valid until the next call. More may be added afterwards. */
struct leat_bytes leat_squeeze_finish(struct leat_squeeze *q);
/* Appends to `out` (empty) what a block from here stands for; for no other block. false: no memory.
 */
bool leat_squeeze_undo(struct leat_bytes block, struct leat_text *out);

#endif
