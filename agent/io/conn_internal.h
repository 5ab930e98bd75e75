/* The inside of a connection, shared by conn, conn_peer, conn_tls, listen and dial. For these
 * five only. */
#ifndef LEAT_IO_CONN_INTERNAL_H
#define LEAT_IO_CONN_INTERNAL_H

#include "io/conn.h"
#include "io/loop_uv.h"

struct leat_tls;
struct leat_tls_filter;
struct leat_dialing;

/* How many connections of one listener are alive; outlives the listener while there are any. */
struct leat_conn_group {
    uint32_t conns, refs;
};

enum leat_conn_state {
    LEAT_CONN_NEW,       /* being made: look-up, connect, handshake, or `opened` still due */
    LEAT_CONN_OPEN,      /* the owner reads and writes */
    LEAT_CONN_FLUSHING,  /* closed by us: what was written still goes out */
    LEAT_CONN_LINGERING, /* our end is sent: waits for the peer's, throwing away what comes */
    LEAT_CONN_GONE,      /* the handle is closing; `closed` is due */
};

struct leat_conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    union {
        uv_connect_t connect; /* while dialling */
        uv_write_t write;
    } req;
    struct leat_loop *loop;
    const struct leat_conn_events *events;
    void *self;
    struct leat_task task;
    unsigned due;                   /* what the task is to do */
    struct leat_timer *timer;       /* connecting, handshake or closing takes too long */
    struct leat_tls_filter *filter; /* NULL: in the clear */
    struct leat_dialing *dialing;   /* until the dialled connection is open */
    struct leat_conn_group *group;  /* NULL: dialled */
    char *peer;
    char *why; /* why it ends; NULL: we closed it */
    uint64_t bytes_in, bytes_out;
    uint64_t client; /* see leat_conn_client() */
    size_t turn_got; /* bytes read since the other connections had their turn */
    size_t unsent;   /* while flushing: bytes queued at the last look */
    enum leat_conn_state state;
    bool live; /* the uv handle is initialised and not closed */
    bool paused, reading, eof;
    bool sending; /* `write` is under way */
    bool held;    /* leat_loop_hold() was called */
};

/* A connection without a socket, in state NEW. NULL: no memory, which a `peer` of NULL says too.
 * Takes `peer` over. */
struct leat_conn *leat_conn_new(struct leat_loop *l, char *peer);
/* Its handle gets this connected (or fresh: -1) socket; 0 or a uv error, then the socket is still
 * the caller's. */
int leat_conn_adopt(struct leat_conn *c, int fd, bool unix_socket);
/* The socket is connected: goes on with the handshake when `tls`, else `opened` is due. `name`:
 * what a client expects the peer to be. */
void leat_conn_connected(struct leat_conn *c, struct leat_tls *tls, bool server, const char *name);
/* Ends it with a sentence: at once, or after what is still to be sent (an alert). */
void leat_conn_fail(struct leat_conn *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void leat_conn_give_up(struct leat_conn *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void leat_conn_open_now(struct leat_conn *c);   /* state OPEN and the event */
void leat_conn_peer_ended(struct leat_conn *c); /* the peer's end came */
void leat_conn_update_reading(struct leat_conn *c);
/* False: no memory; then the connection has failed. */
bool leat_conn_set_timer(struct leat_conn *c, int64_t after);
void leat_conn_stop_timer(struct leat_conn *c);
/* Closes the handle of a failed attempt to connect; leat_dialing_reset() follows. */
void leat_conn_drop_handle(struct leat_conn *c);
/* Raw bytes to the socket; same results as leat_conn_write(). `pieces` are used up during the call,
 * the bytes they point at as there. */
int leat_conn_send(struct leat_conn *c, const struct leat_bytes *pieces, size_t n);
void leat_conn_defer_feed(struct leat_conn *c); /* leat_filter_feed() at the end of the turn */

/* --- conn_peer.c */
/* "192.0.2.1:4711", "[::1]:80", "unix"; the caller frees it. NULL: no memory. */
char *leat_conn_address(const struct sockaddr *addr);
/* Who has connected from there: see leat_conn_client(). */
uint64_t leat_conn_client_of(const struct sockaddr *addr);

/* --- conn_tls.c */
/* NULL and `err`: no memory. */
struct leat_tls_filter *leat_filter_new(struct leat_conn *c, struct leat_tls *tls, bool server,
                                        const char *name, struct leat_err *err);
void leat_filter_free(struct leat_tls_filter *f); /* takes NULL */
void leat_filter_start(struct leat_conn *c);      /* the client's first flight */
void leat_filter_read(struct leat_conn *c, const uint8_t *data, size_t len);
void leat_filter_feed(struct leat_conn *c); /* after a pause: what had come before it */
void leat_filter_eof(struct leat_conn *c);
int leat_filter_write(struct leat_conn *c, const struct leat_bytes *pieces, size_t n);
void leat_filter_sent(struct leat_conn *c); /* the raw write is done */
bool leat_filter_pending(const struct leat_tls_filter *f);
bool leat_filter_wants_raw(const struct leat_tls_filter *f); /* nothing waits for a resume */
void leat_filter_shutdown(struct leat_conn *c);              /* sends close_notify once */
const char *leat_filter_alpn(const struct leat_tls_filter *f);

/* --- dial.c */
void leat_dialing_timeout(struct leat_conn *c);
void leat_dialing_reset(struct leat_conn *c); /* the handle of a failed attempt has closed */
void leat_dialing_free(struct leat_conn *c);

#endif
