/* One HTTP/2 peer's good behaviour: frames that cost us work and bring nothing are glitches, paid
 * from a purse that time refills, and what the peer has a right to say. Knows no requests. For io
 * only. */
#ifndef LEAT_IO_GUARD_H
#define LEAT_IO_GUARD_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leat_guard {
    bool server;      /* ours is the server's side */
    int64_t glitches; /* in thousandths, left before the connection is ended */
    int64_t refilled; /* mono ns */
    size_t skip, nhd; /* bytes to the next frame header; how many of it are in `hd` */
    uint8_t hd[9];
};

void leat_guard_init(struct leat_guard *g, bool server, int64_t now);
/* Takes for the frames in these bytes, the connection's next, before `session` sees them. A stream
 * without user data is one where nobody listens. False: too many. */
bool leat_guard_bytes(struct leat_guard *g, nghttp2_session *session, const uint8_t *data,
                      size_t len);
bool leat_guard_take(struct leat_guard *g, unsigned glitches);
/* Bytes still to come of a DATA frame without padding that those bytes ended in; 0: of none. */
size_t leat_guard_data(const struct leat_guard *g, int32_t *ret_stream);
/* Puts so much back, at most up to a full purse. */
void leat_guard_give(struct leat_guard *g, unsigned glitches);

#endif
