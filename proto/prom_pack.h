/* A remote-write request of 1.0 as a snappy block: labels that stood in it before are copies. */
#ifndef LEAT_PROTO_PROM_PACK_H
#define LEAT_PROTO_PROM_PACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/text.h"
#include "proto/prom_series.h"

struct leat_prom_pack;

/* `max`: bytes of memory for the block. Ends the process when there is no memory. */
struct leat_prom_pack *leat_prom_pack_new(const struct leat_prom_store *store, size_t max);
void leat_prom_pack_free(struct leat_prom_pack *p);           /* takes NULL */
size_t leat_prom_pack_size(const struct leat_prom_pack *p);   /* uncompressed */
size_t leat_prom_pack_memory(const struct leat_prom_pack *p); /* of the block, and beside it */

/* Adds `head`, the labels of a series that came from the store since its last put, and `tail`.
 * false: no memory, nothing changed. Behind `head` and `tail` so many bytes more can be read: */
#define LEAT_PROM_PACK_SLACK 32u
bool leat_prom_pack_series(struct leat_prom_pack *p, struct leat_bytes head,
                           const struct leat_prom_series *series, struct leat_bytes tail);
/* Adds bytes as they are. false: as above. */
bool leat_prom_pack_add(struct leat_prom_pack *p, struct leat_bytes bytes);
/* The block, valid until the next call. */
struct leat_bytes leat_prom_pack_finish(struct leat_prom_pack *p);
/* Puts into `out` what the block stands for. false: no memory. */
bool leat_prom_pack_undo(struct leat_prom_pack *p, struct leat_text *out);
/* Begins the next request. `keep`: memory is kept for it. */
void leat_prom_pack_clear(struct leat_prom_pack *p, bool keep);

#endif
