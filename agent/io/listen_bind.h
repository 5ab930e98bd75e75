/* The sockets of one endpoint, bound once per process and shared by its workers. For listen and
 * dgram only. */
#ifndef LEAT_IO_LISTEN_BIND_H
#define LEAT_IO_LISTEN_BIND_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"

#define LEAT_BIND_MAX 8 /* addresses of one endpoint */

struct leat_bind_share;

struct leat_bind {
    int fds[LEAT_BIND_MAX]; /* listening (streams), non-blocking */
    size_t n;
    uint16_t port; /* 0: Unix */
    struct leat_bind_share *share;
};

struct leat_bind_ask {
    const char *endpoint; /* host:port, or a path */
    const char *share;    /* see leat_listen_conf */
    int type;             /* SOCK_STREAM, SOCK_DGRAM */
    int family;           /* AF_UNSPEC: both of IP; AF_INET; AF_INET6; AF_UNIX: a path */
    uint32_t permissions; /* of a Unix socket; 0: 0660 */
    uint64_t buffer; /* bytes the kernel may hold for us, as far as it lets us; 0: its choice */
};

/* -1 and `err`. */
int leat_bind(struct leat_bind *b, const struct leat_bind_ask *ask, struct leat_err *err);
/* Closes the sockets; the last one of a Unix socket removes its file. */
void leat_bind_done(struct leat_bind *b);
/* Where all who share this address have their seats (listen_seat.h). */
struct leat_link *leat_bind_seats(const struct leat_bind *b);
char *leat_bind_text(const struct leat_bind *b); /* all addresses; the caller frees it */
char *leat_bind_address(const struct leat_bind *b, size_t nth); /* of fds[nth]; likewise */

#endif
