/* What the parts of the client share: the client, its connections, and exchanges under way. For
 * client*.c only.
 *
 * A call waits (client->waiting), is on a connection (conn->calls), or is over (client->over) and
 * about to be told. Only client.c's task tells, so no `done` ever runs inside a protocol callback.
 */
#ifndef LEAT_IO_CLIENT_PARTS_H
#define LEAT_IO_CLIENT_PARTS_H

#include "base/list.h"
#include "io/client.h"
#include "io/client_answer.h"
#include "io/client_h1.h"
#include "io/client_request.h"
#include "io/conn.h"
#include "io/grpc.h"
#include "io/guard.h"
#include "io/h2.h"
#include "io/url.h"

enum leat_call_state {
    LEAT_CALL_WAITING, /* for a connection */
    LEAT_CALL_SENT,    /* on a connection, the answer is awaited */
    LEAT_CALL_ENDING,  /* the result is known, the connection may still hold the pieces */
    LEAT_CALL_OVER,    /* to be told */
};

struct leat_client_call {
    struct leat_link link;     /* waiting, calls or over */
    struct leat_link deadline; /* client->deadlines */
    struct leat_exchange *x;
    struct leat_client *client;
    struct leat_client_conn *on; /* NULL: on none */
    enum leat_call_state state;
    bool resend;           /* ENDING: goes back to waiting instead of over */
    bool again;            /* is the second try: wants a connection that nobody has used */
    bool answered, unsent; /* the peer has ended its answer; the request never went out */
    int64_t until, since;  /* deadline (0: none), and when it was put on a connection */
    int32_t stream;        /* HTTP/2 */
    struct leat_task flushed;
    struct leat_incoming in;
    struct leat_h2_body body;
    size_t body_len;
    uint8_t prefix[LEAT_GRPC_PREFIX];
    size_t npieces; /* HTTP: [0] is for the request's head; gRPC: the prefix */
    struct leat_bytes pieces[];
};

enum leat_client_conn_state {
    LEAT_CONN_OPENING, /* connecting, or waiting for the peer's SETTINGS */
    LEAT_CONN_READY,
    LEAT_CONN_RETIRED, /* takes no more calls, ends with the last one */
    LEAT_CONN_CLOSING, /* `closed` will come */
};

enum leat_client_tunnel {
    LEAT_TUNNEL_NONE,
    LEAT_TUNNEL_ASKED, /* CONNECT is sent, the proxy's answer is awaited */
    LEAT_TUNNEL_OPEN,
};

struct leat_client_conn {
    struct leat_h2 *h2;         /* first, as io/h2.h wants; NULL: HTTP/1 */
    struct leat_link link;      /* client->conns */
    struct leat_client *client; /* NULL: let go, only waits for `closed` */
    struct leat_conn *conn;
    enum leat_client_conn_state state;
    bool connected;
    struct leat_link calls;
    uint32_t ncalls;
    uint64_t served;
    struct leat_timer *timer;
    int64_t timer_at, opened_at, idle_at, heard_at, ping_at; /* 0: not running, no ping out */
    char why[256];                                           /* why we close it; "": no reason */
    enum leat_client_tunnel tunnel;
    struct leat_text tunnel_answer;
    /* HTTP/1 */
    struct leat_h1_answer h1;
    struct leat_text head;
    /* HTTP/2 */
    nghttp2_session *session;
    struct leat_guard guard;
    uint32_t max_streams;
    int32_t in_headers; /* stream whose header block is not complete; 0: none */
};

struct leat_client {
    struct leat_loop *loop;
    const struct leat_client_conf *conf;
    bool grpc, no_keep_alive;
    size_t max_answer;
    const char *keep[LEAT_ANSWER_KEPT];
    char *who, *peer;           /* peer: "host:port" for sentences */
    struct leat_url url, proxy; /* proxy.host NULL: none */
    char *own_path;             /* of the URL */
    struct leat_tls *tls;       /* NULL: in the clear */
    struct leat_codecs *codecs; /* made when first needed */
    struct leat_request *request;
    struct leat_text path;
    enum { LEAT_SPEAKS_UNKNOWN, LEAT_SPEAKS_H1, LEAT_SPEAKS_H2 } speaks;
    uint32_t rotate;
    int64_t ping_after, ping_timeout, idle_timeout; /* 0: never */
    bool ping_idle;
    uint32_t max_conns, max_idle; /* 0: no limit */
    struct leat_link waiting, conns, deadlines, over, refused;
    uint32_t nconns; /* in `conns` */
    struct leat_timer *timer;
    int64_t timer_at;         /* 0: not running */
    int64_t dial_at, backoff; /* not before; 0: at once */
    char dial_why[256];       /* of the last failed attempt */
    struct leat_task task;
    bool ending;
    bool *gone; /* set when freed from inside `done` */
};

/* --- client.c */
/* The call's result is in call->in and nothing refers to its pieces: it will be told. */
void leat_client_call_over(struct leat_client_call *call);
/* Takes it off its connection and lets it wait for a new one, its answer forgotten. */
void leat_client_call_again(struct leat_client_call *call);
/* A connection that never had a call is gone: who waited for it is told, or waits on. */
void leat_client_dial_failed(struct leat_client *c, const char *why);
/* A new deadline, instead of the one it had. */
void leat_client_call_until(struct leat_client_call *call, int64_t until);
/* Hands waiting calls to connections, and dials. */
void leat_client_pump(struct leat_client *c);
/* The next pump comes from the loop, not from here. */
void leat_client_pump_soon(struct leat_client *c);

/* The client's timer and its task. */
void leat_client_fire(void *arg);
void leat_client_run(struct leat_task *t);

/* --- client_setup.c */
void leat_client_done(struct leat_client *c); /* frees what leat_client_new() made */

/* --- client_conn.c */
struct leat_client_conn *leat_client_dial(struct leat_client *c); /* NULL: no memory */
/* Room for one more call. */
bool leat_client_conn_free(const struct leat_client_conn *cc);
/* Puts a call on it; what fails is noted in the call, which is over then. */
void leat_client_conn_start(struct leat_client_conn *cc, struct leat_client_call *call);
/* Ends a call that is on it (call->in.net is set): ENDING first, over when its pieces are free. */
void leat_client_conn_drop(struct leat_client_conn *cc, struct leat_client_call *call);
/* No more calls; closes when there are none. */
void leat_client_conn_retire(struct leat_client_conn *cc);
/* Closes at once. The calls on it end when it is closed. `why`: NULL: no reason. */
void leat_client_conn_abort(struct leat_client_conn *cc, const char *why);
/* The client ends: all calls over, nothing refers to their pieces when this returns. */
void leat_client_conn_leave(struct leat_client_conn *cc);
/* A call has left: idle, or to be closed. */
void leat_client_conn_rest(struct leat_client_conn *cc);
/* Ready for calls. */
void leat_client_conn_ready(struct leat_client_conn *cc);
/* The peer has answered a ping. */
void leat_client_conn_alive(struct leat_client_conn *cc);
/* Arms the timer of pings and idle time. */
void leat_client_conn_tick(struct leat_client_conn *cc);

/* --- client_tunnel.c */
/* Asks the proxy for a tunnel; the connection is in the clear until it is open. */
void leat_client_tunnel_start(struct leat_client_conn *cc);
void leat_client_tunnel_read(struct leat_client_conn *cc, struct leat_bytes data);

/* --- client_h1.c */
void leat_client_h1_start(struct leat_client_conn *cc, struct leat_client_call *call);
void leat_client_h1_read(struct leat_client_conn *cc, struct leat_bytes data);
void leat_client_h1_ended(struct leat_client_conn *cc);

/* --- client_h2.c */
int leat_client_h2_open(struct leat_client_conn *cc); /* -1: no memory */
void leat_client_h2_done(struct leat_client_conn *cc);
void leat_client_h2_start(struct leat_client_conn *cc, struct leat_client_call *call);
void leat_client_h2_cancel(struct leat_client_conn *cc, struct leat_client_call *call);
void leat_client_h2_read(struct leat_client_conn *cc, struct leat_bytes data);
void leat_client_h2_ping(struct leat_client_conn *cc);

#endif
