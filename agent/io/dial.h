/* Connections to a peer by name: looked up each time, all its addresses tried in turn. */
#ifndef LEAT_IO_DIAL_H
#define LEAT_IO_DIAL_H

#include "io/conn.h"

struct leat_tls;

struct leat_dial_conf {
    const char *host; /* name or address; a path when unix */
    uint16_t port;
    bool unix_socket;
    struct leat_tls *tls; /* NULL: in the clear; must outlive the call */
    const char *sni;      /* name for TLS (SNI and verification); NULL: host */
    int64_t timeout;      /* ns for look-up, connect and handshake together; 0: none */
    uint32_t rotate;      /* start at this address of the list (round robin over addresses) */
};

/* Returns at once with a connection that is still being made: `opened` or `closed` (with a
 * sentence) follows. NULL: no memory. */
struct leat_conn *leat_dial(struct leat_loop *l, const struct leat_dial_conf *conf);

#endif
