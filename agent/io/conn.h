/* A byte stream to a peer: TCP or Unix socket, in the clear or under TLS, from listen or from dial.
 *
 * Events come on the loop's thread. A connection ends with exactly one `closed` event, after which
 * it is gone; after leat_conn_close() or _abort() nothing but `closed` comes. Events never come
 * from inside leat_conn_* calls. */
#ifndef LEAT_IO_CONN_H
#define LEAT_IO_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "io/loop.h"

struct leat_conn;
struct leat_tls;

struct leat_conn_events {
    /* Ready for data: connected, TLS handshake done. Comes first (or `closed` does). */
    void (*opened)(void *self);
    /* `data` is valid during the call. The handler may close the connection in it. */
    void (*read)(void *self, const uint8_t *data, size_t len);
    /* May be NULL. Asked before each read of a connection in the clear: a place where the next
     * bytes should go directly (a body of known length); `read` follows with data == that place.
     * Or at NULL for the loop's own buffer, of which at most len bytes are filled (0: all of it).
     */
    struct leat_conn_room {
        uint8_t *at;
        size_t len;
    } (*room)(void *self);
    /* The peer has ended its side; nothing more is read. NULL: the connection is closed then. */
    void (*ended)(void *self);
    /* The write that was pending is with the kernel: its pieces may go. */
    void (*written)(void *self);
    /* Last event. `why`: a sentence, valid during the call; NULL when we closed it ourselves. */
    void (*closed)(void *self, const char *why);
};

/* Sets who gets the events. Must be done before the loop's next turn. */
void leat_conn_handle(struct leat_conn *c, const struct leat_conn_events *events, void *self);

/* Writes all pieces in order, gathered; not before `opened`. 1: taken, the pieces may go at once;
 * 0: pending, the bytes they point at must stay valid until `written` (or `closed`), and no other
 * write may be made before; -1: the connection has failed or was closed, `closed` will come. The
 * array itself may go in any case. */
int leat_conn_write(struct leat_conn *c, const struct leat_bytes *pieces, size_t n);
bool leat_conn_pending(const struct leat_conn *c); /* a write is pending */

void leat_conn_pause(struct leat_conn *c); /* no `read` until resumed; the peer feels it by TCP */
void leat_conn_resume(struct leat_conn *c);
/* From now on it speaks TLS as a client, with a peer of this name (SNI and verification) behind
 * what was reached so far; `peer` is for sentences. Only when open, in the clear, with no write
 * pending, and when all that was read so far has been used. `opened` comes once more, or `closed`.
 * `tls` must outlive the connection. */
void leat_conn_start_tls(struct leat_conn *c, struct leat_tls *tls, const char *name,
                         const char *peer);
/* Ends it after what was written (TLS: close_notify). `closed` follows when the peer has ended too,
 * at the latest a second after the last byte; before `opened` it is the same as abort. */
void leat_conn_close(struct leat_conn *c);
void leat_conn_abort(struct leat_conn *c); /* at once; `closed` follows */

struct leat_loop *leat_conn_loop(const struct leat_conn *c);
/* Accepted: "192.0.2.1:4711", "[::1]:80", "unix". Dialled: as it was asked for, "jaeger:4317", or
 * the path. */
const char *leat_conn_peer(const struct leat_conn *c);
/* Who has connected to us, as base/share.h counts clients: the address, of IPv6 its first 64 bits
 * (a host picks the others itself), so that more connections are not a larger share. Loopback and
 * Unix sockets: the connection, since the address says nothing. Dialled: nobody. */
uint64_t leat_conn_client(const struct leat_conn *c);
/* The protocol chosen by ALPN ("h2"), or NULL. */
const char *leat_conn_alpn(const struct leat_conn *c);
bool leat_conn_is_tls(const struct leat_conn *c);
/* Bytes of the socket: under TLS, ciphertext. */
uint64_t leat_conn_bytes_in(const struct leat_conn *c);
uint64_t leat_conn_bytes_out(const struct leat_conn *c);

#endif
