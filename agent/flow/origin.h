/* Where a batch came from: the request headers that a receiver with include_metadata keeps for
 * later stages, and the peer's address. Ref-counted, one thread. */
#ifndef LEAT_FLOW_ORIGIN_H
#define LEAT_FLOW_ORIGIN_H

#include "base/bytes.h"

struct leat_text;

#define LEAT_ORIGIN_BYTES ((size_t)16 * 1024) /* of names and values in one origin */

struct leat_origin;

struct leat_origin *leat_origin_new(const char *peer);             /* NULL: no memory */
struct leat_origin *leat_origin_copy(const struct leat_origin *o); /* NULL: no memory */
struct leat_origin *leat_origin_ref(struct leat_origin *o);        /* takes NULL */
void leat_origin_unref(struct leat_origin *o);                     /* takes NULL */
/* Names are compared without case; several values of one name are kept in order. -1: full or no
 * memory. */
int leat_origin_add(struct leat_origin *o, struct leat_bytes name, struct leat_bytes value);
/* The i-th value of a name; false: there is none. `o` may be NULL. */
bool leat_origin_get(const struct leat_origin *o, const char *name, size_t i,
                     struct leat_bytes *ret);
const char *leat_origin_peer(const struct leat_origin *o); /* "" when unknown; takes NULL */
/* A key made of the values of these names, for grouping: an absent name and an empty value differ.
 */
void leat_origin_key(const struct leat_origin *o, const char *const *names, size_t n,
                     struct leat_text *out);

#endif
