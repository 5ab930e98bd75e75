/* Where an accepted connection goes: to the worker that has the fewest of this address. For listen
 * and conn only.
 *
 * A seat is one listener's place among those of all workers that share an address. Whoever accepts
 * a connection gives it to a seat once, before anything is read from it. */
#ifndef LEAT_IO_LISTEN_SEAT_H
#define LEAT_IO_LISTEN_SEAT_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/list.h"
#include "io/loop.h"

struct leat_seat;

/* `table` holds the seats of one address and outlives their closing. `max_conns` 0: no limit.
 * `arrive` gets the connections that others hand over, on this loop's thread; the socket is its
 * own, and the seat has counted it. NULL and `err`: the kernel refused. */
struct leat_seat *leat_seat_new(struct leat_loop *l, struct leat_link *table, uint32_t max_conns,
                                void (*arrive)(void *self, int fd, const struct sockaddr *addr),
                                void *self, struct leat_err *err);
/* On its loop's thread: nothing is handed to it any more, what was on its way is closed. It lives
 * on until its last connection leaves. Takes NULL. */
void leat_seat_close(struct leat_seat *s);

enum leat_seat_result {
    LEAT_SEAT_OWN,  /* stays here, and is counted */
    LEAT_SEAT_AWAY, /* is another worker's now */
    LEAT_SEAT_FULL, /* none has room: the socket is still the caller's */
};
/* Finds the seat for a connection that was accepted at `own`. */
enum leat_seat_result leat_seat_give(struct leat_seat *own, int fd, const struct sockaddr *addr);
/* A connection that was counted is gone; on the loop's thread. Takes NULL. */
void leat_seat_leave(struct leat_seat *s);
uint32_t leat_seat_conns(struct leat_seat *s); /* counted and not gone, those on their way too */

#endif
