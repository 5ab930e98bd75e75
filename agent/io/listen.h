/* Listening sockets: TCP (SO_REUSEPORT, one per worker) and Unix. */
#ifndef LEAT_IO_LISTEN_H
#define LEAT_IO_LISTEN_H

#include "base/err.h"
#include "io/conn.h"

struct leat_tls;
struct leat_listener;

struct leat_listen_conf {
    const char *endpoint; /* "localhost:4317" (both loopbacks), "0.0.0.0:4317", ":4317", "[::]:0", a
                             path when unix */
    bool unix_socket;
    int family; /* which addresses "localhost", "" and names mean: AF_UNSPEC (both), AF_INET,
                   AF_INET6 */
    uint32_t permissions; /* of a Unix socket; 0: 0660 */
    struct leat_tls *tls; /* NULL: in the clear; must outlive the listener */
    uint32_t max_conns;   /* 0: no limit; above it new connections are closed at once and counted */
    /* Workers that give the same key share one port even where the endpoint says port 0: the first
     * binds, the others follow. They share out its connections too: each goes to the worker that
     * has the fewest. NULL: no sharing. */
    const char *share;
    uint64_t
        buffer; /* SO_RCVBUF of accepted connections, as far as the kernel goes; 0: its choice */
};

/* Starts listening on all addresses the endpoint means; `accept` gets each new connection and must
 * call leat_conn_handle() on it (or leat_conn_abort()) before it returns. A part of the file
 * descriptors is kept back from accepted connections (listen.c): above it they are closed at once,
 * a few, and then accepting pauses and tries again, without spinning. NULL and `err`: a sentence
 * with address and reason. */
struct leat_listener *leat_listen(struct leat_loop *l, const struct leat_listen_conf *conf,
                                  void (*accept)(void *self, struct leat_conn *c), void *self,
                                  struct leat_err *err);
void leat_listener_free(
    struct leat_listener *l); /* stops listening; connections live on. Takes NULL */
uint16_t leat_listener_port(const struct leat_listener *l); /* the port bound, 0 for Unix */
/* "127.0.0.1:4317, [::1]:4317" for messages. */
const char *leat_listener_text(const struct leat_listener *l);

uint64_t
leat_listener_refused(const struct leat_listener *l); /* max_conns, no memory, no descriptors */
uint32_t leat_listener_conns(const struct leat_listener *l); /* alive now, or on their way here */

/* Splits "host:port". host "" means all addresses. -1 and `err`: not of that form. `host` must hold
 * 256 bytes. */
int leat_endpoint_split(const char *endpoint, char *host, uint16_t *ret_port, struct leat_err *err);

#endif
