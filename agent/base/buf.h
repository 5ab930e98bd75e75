/* Ref-counted bytes, charged to a budget: what a received body lives in from socket to socket. */
#ifndef LEAT_BASE_BUF_H
#define LEAT_BASE_BUF_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"

struct leat_buf {
    atomic_uint refs;
    struct leat_budget *budget; /* NULL: charged to nobody */
    size_t cap;                 /* bytes charged and allocated behind `data` */
    size_t len;                 /* bytes filled; the owner of the only reference writes it */
    size_t more;                /* charged besides, for what is kept because of these bytes */
    uint8_t data[];
};

/* An empty buffer with room for `cap` bytes and one reference. NULL when the budget is spent or
 * there is no memory. */
struct leat_buf *leat_buf_new(struct leat_budget *budget, size_t cap);
struct leat_buf *leat_buf_ref(struct leat_buf *b);
void leat_buf_unref(struct leat_buf *b); /* takes NULL */

/* Hands `bytes` over that the caller has charged to this buffer's budget: given back with it. */
void leat_buf_carry(struct leat_buf *b, size_t bytes);

/* Changes the room of a buffer that has one reference only; the bytes filled stay (cap must not be
 * below len). 0 and *ret replaced, or -1: budget spent or no memory, *ret is as it was. */
int leat_buf_resize(struct leat_buf **ret, size_t cap);

#endif
