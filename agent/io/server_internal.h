/* What the files of the server share: the server, its connections and its calls. For server*.c
 * only.
 *
 * server.c       life of server and connections, which protocol, the clock tick, calls' public side
 * server_call.c  a request's way in: headers, route, admission, body, inflating
 * server_refuse.c the server's own refusals
 * server_head.c  where a call keeps its request headers
 * server_reply.c what every reply carries: headers, CORS, plain texts
 * server_stream.c bodies that are made while they are sent
 * server_h1.c server_h1_parse.c       HTTP/1.1
 * server_h2.c server_h2_out.c         HTTP/2
 * server_wheel.c which connections the tick must look at
 * server_conf.c  the settings */
#ifndef LEAT_IO_SERVER_INTERNAL_H
#define LEAT_IO_SERVER_INTERNAL_H

#include "base/text.h"
#include "io/conn.h"
#include "io/grpc.h"
#include "io/guard.h"
#include "io/h2.h"
#include "io/h2_memory.h"
#include "io/listen.h"
#include "io/server.h"

/* All request headers of one request, names, values and 32 bytes each (RFC 9113 section 6.5.2), and
 * their number. */
#define LEAT_HEAD_MAX    ((size_t)64 * 1024)
#define LEAT_HEADS_MAX   128
#define LEAT_HEAD_ROOM   512 /* kept inside the call; more needs a buffer */
#define LEAT_OUT_ROOM    320 /* a reply's bytes kept inside the call */
#define LEAT_REPLY_HEADS 96  /* headers of one reply; more are left out */
/* Bounds that hold where the settings say "none". */
#define LEAT_HEADER_TIMEOUT                                                                        \
    (30 * LEAT_SEC) /* from the first byte of a request to its headers' end */
#define LEAT_STALL_WINDOW  (30 * LEAT_SEC) /* in each such window a body must bring … */
#define LEAT_STALL_BYTES   4096            /* … so many bytes, or its rest */
#define LEAT_WRITE_TIMEOUT (30 * LEAT_SEC) /* one write to a peer that does not read */
#define LEAT_REST_AFTER    (2 * LEAT_SEC) /* without a call, an HTTP/2 session's memory goes back */
#define LEAT_NEVER         INT64_MAX

struct leat_peer;

/* What HTTP/1 and HTTP/2 do differently. */
struct leat_session_kind {
    int (*open)(struct leat_peer *p); /* makes the session; -1: no memory */
    void (*read)(struct leat_peer *p, const uint8_t *data, size_t len);
    struct leat_conn_room (*room)(struct leat_peer *p);
    void (*ended)(struct leat_peer *p);
    void (*written)(struct leat_peer *p);
    void (*closed)(struct leat_peer *p); /* the connection is gone: free the session */
    void (*drain)(struct leat_peer *p);  /* tell the peer to go */
    /* Ends calls whose time is over; returns when to look again. */
    int64_t (*tick)(struct leat_peer *p, int64_t now);
    /* Sends a reply, and sees to it that leat_call_free() is called when it is with the kernel. */
    void (*reply)(struct leat_call *c, const struct leat_reply *r);
};
extern const struct leat_session_kind leat_server_h1, leat_server_h2;

/* One connection. Lives until it is closed and its last call was freed. */
struct leat_peer {
    struct leat_link link;
    struct leat_link slot;                /* of the server's wheel, by `due` */
    int64_t due;                          /* when tick() must look at it */
    struct leat_server *server;           /* NULL: freed before us */
    struct leat_conn *conn;               /* NULL: closed */
    const struct leat_session_kind *kind; /* NULL: not known yet */
    void *session;                        /* of that kind */
    struct leat_link calls;
    size_t ncalls;
    int64_t born;
    bool ended;      /* it has ended its side: closed with its last call */
    uint64_t client; /* who that is; what it holds is charged to its share */
    struct leat_budget *share;
    size_t npreface; /* bytes of the HTTP/2 preface seen while the kind is not known */
    char name[64];
};

/* Why the server ended a connection against its peer's will. */
enum leat_ended {
    LEAT_ENDED_FLOOD,    /* frames that bring nothing, resets, pings: the guard's purse is empty */
    LEAT_ENDED_HEADERS,  /* header blocks far too long, or without an end */
    LEAT_ENDED_PROTOCOL, /* broken HTTP/2 */
    LEAT_ENDED_STALLED,  /* it reads nothing, or does not answer our pings */
    LEAT_ENDED_N
};

enum leat_call_phase {
    LEAT_CALL_HEAD,    /* headers come in */
    LEAT_CALL_BODY,    /* admitted, the body comes in */
    LEAT_CALL_SERVICE, /* with the service */
    LEAT_CALL_REPLIED, /* its reply is on the way out */
};

struct leat_call {
    struct leat_call_info info;
    struct leat_link link; /* peer->calls */
    struct leat_peer *peer;
    enum leat_call_phase phase;
    bool gone;       /* nobody is there for the reply any more */
    bool head_only;  /* HEAD: headers without a body */
    bool discard;    /* the body is not wanted */
    bool compressed; /* gRPC: the message's flag */
    bool too_long;   /* headers beyond the caps */
    bool no_memory;  /* headers that could not be kept */
    bool open;       /* a header record is being written */
    bool skip;       /* the header being written is not kept */
    bool preflight;
    uint8_t nprefix;
    uint8_t prefix[LEAT_GRPC_PREFIX];
    int codec; /* enum leat_codec of the body */
    int32_t stream;
    uint32_t refused_status; /* the HTTP status of a refusal, for headers that go with it */
    const char *challenge;   /* WWW-Authenticate */
    /* body */
    struct leat_buf *body;
    size_t charged; /* to `budget`, for the call itself */
    struct leat_budget *budget;
    size_t limit;      /* of the body, compressed and plain */
    uint64_t declared; /* Content-Length, or the gRPC prefix; UINT64_MAX: unknown */
    uint64_t got;
    int64_t begun, window_at;
    uint64_t window_got;
    /* headers: records in `head`, or in `more` when that is not NULL */
    struct leat_buf *more;
    uint32_t head_len, record; /* bytes used; where the open record begins */
    uint32_t nheads;
    size_t head_total;
    /* reply */
    struct leat_task flushed;
    struct leat_h2_body out;
    struct leat_bytes out_piece;
    nghttp2_nv trailers[2];
    uint8_t *out_more;        /* when out_room is too small */
    struct leat_stream *made; /* the reply's body is made while it is sent; NULL: it is not */
    /* not zeroed */
    uint8_t head[LEAT_HEAD_ROOM];
    uint8_t out_room[LEAT_OUT_ROOM];
};

/* --- server_wheel.c */
#define LEAT_WHEEL_SLOTS 256
struct leat_wheel {
    struct leat_link slots[LEAT_WHEEL_SLOTS];
    int64_t every, at; /* length of a tick; the last tick that was, counted from mono time 0 */
};
void leat_wheel_init(struct leat_wheel *w, int64_t every);
/* Puts it, or puts it elsewhere; found in the tick of `due`, or before. */
void leat_wheel_put(struct leat_wheel *w, struct leat_link *l, int64_t due);
/* Moves those whose tick has come to `found`. Some are not due yet: they are to be put again. */
void leat_wheel_turn(struct leat_wheel *w, int64_t now, struct leat_link *found);

struct leat_server {
    const struct leat_server_conf *conf;
    struct leat_service service;
    struct leat_server_env env;
    const struct leat_authenticator *auth;
    struct leat_tls *tls;
    struct leat_listener *listener;
    uint16_t port;
    char *text;
    struct leat_timer *tick;
    int64_t tick_every;
    struct leat_wheel wheel;
    struct leat_link peers;
    size_t ncalls;
    bool keep_heads; /* all request headers are kept */
    bool draining;
    bool ticking, freed; /* freed inside its own tick */
    void (*drained)(void *arg);
    void *drained_arg;
    struct leat_task drained_task;
    unsigned codecs;                    /* bits 1 << enum leat_codec that HTTP requests may use */
    struct leat_pair *response_headers; /* names in lower case */
    uint32_t nresponse_headers;
    struct leat_gauge *connections; /* NULL: not metered */
    struct leat_counter *refused[LEAT_REFUSED_SHUTDOWN + 1], *ended[LEAT_ENDED_N];
};

/* --- server.c */
void leat_peer_due(struct leat_peer *p, int64_t when); /* tick() looks then, or before */
/* Where something of this peer's is charged; NULL: to nobody. */
struct leat_budget *leat_peer_budget(struct leat_peer *p);
int64_t leat_server_header_timeout(const struct leat_server *s);
int64_t leat_server_write_timeout(const struct leat_server *s);
void leat_server_count_ended(struct leat_server *s, enum leat_ended why); /* s may be NULL */

/* --- server_call.c */
/* NULL: no memory, or too many calls are open. */
struct leat_call *leat_call_new(struct leat_peer *p, bool http2, int32_t stream);
void leat_call_free(struct leat_call *c);
/* The client has gone: frees the call, or leaves it to the service until that replies. */
void leat_call_gone(struct leat_call *c);
void leat_call_discharge(struct leat_call *c); /* gives back what the call itself was charged */
/* Headers are complete: routes and admits. `no_body`: the request ends here. False: it was
 * answered, and may be freed. */
bool leat_call_admit(struct leat_call *c, uint64_t content_length, bool no_body);
/* Where the next `len` bytes of the body may be read to, or fewer of them; len 0: no such place. */
struct leat_conn_room leat_call_room(const struct leat_call *c, size_t len);
/* Body bytes as they are on the wire; from that place they are not copied. False: it was answered,
 * and may be freed. */
bool leat_call_body(struct leat_call *c, const uint8_t *data, size_t len);
/* The request is complete: goes to the service, or is answered. */
void leat_call_end(struct leat_call *c);
/* Refuses a call whose body or deadline is overdue at `now`: false, it may be freed. *ret_due: when
 * to look again. Only for phases HEAD and BODY. */
bool leat_call_in_time(struct leat_call *c, int64_t now, int64_t *ret_due);

/* --- server_refuse.c */
/* The server's own answer, by way of the service. The call may be freed. `status` 0: the reason's
 * own. */
void leat_call_refuse(struct leat_call *c, enum leat_refusal_reason reason, uint32_t status,
                      const char *fmt, ...) __attribute__((format(printf, 4, 5)));
const char *leat_refusal_label(enum leat_refusal_reason reason);

/* --- server_head.c: a header is opened, gets bytes of its name, then of its value, and is closed
 */
void leat_head_open(struct leat_call *c);
void leat_head_name(struct leat_call *c, const uint8_t *data, size_t len);
void leat_head_middle(struct leat_call *c); /* the name is complete */
void leat_head_value(struct leat_call *c, const uint8_t *data, size_t len);
void leat_head_close(struct leat_call *c);
void leat_head_add(struct leat_call *c, struct leat_bytes name, struct leat_bytes value);
void leat_head_abandon(struct leat_call *c); /* forgets the header that is open, if one is */
/* The call's own bytes of a value, to be changed in place; len 0: absent. */
struct leat_bytes leat_head_find(const struct leat_call *c, const char *name);
/* Adds each of these parameters that the query has as a header of that name, decoded; `query` is
 * one of the call's own values. What c->info points at may move. */
void leat_head_add_params(struct leat_call *c, struct leat_bytes query,
                          const struct leat_strings *names);

/* --- server_reply.c */
/* The headers of a reply besides status, content-type and content-length; *n of them in `out`,
 * which has room for LEAT_REPLY_HEADS. Values live as long as call and reply; `scratch` holds
 * numbers. */
size_t leat_reply_heads(struct leat_call *c, const struct leat_reply *r, struct leat_pair *out,
                        char scratch[64]);
/* A place for `len` bytes of the reply, in the call or allocated. NULL: no memory. */
uint8_t *leat_reply_room(struct leat_call *c, size_t len);
const char *leat_http_reason(uint32_t status);
const char *leat_http_date(void); /* valid until the next call on this thread */
bool leat_cors_origin(const struct leat_server *s, struct leat_bytes origin);
void leat_cors_preflight(struct leat_call *c); /* answers it */

/* --- server_stream.c: the body of a reply, piece by piece. `go_on` of the call's protocol is run
 * in the turn after leat_stream_wait(). */
struct leat_stream {
    struct leat_reply_source source; /* done NULL: it has been told */
    struct leat_timer *timer;
    struct leat_text piece; /* what is being sent: valid until the next leat_stream_fill() */
    bool over;              /* the piece is the last */
    struct leat_call *call;
    void (*go_on)(struct leat_call *c);
    struct leat_task hungry, flushed; /* HTTP/2: all was handed over; and is with the kernel */
};
/* Takes the source over. -1: no memory, the source was told. */
int leat_stream_open(struct leat_call *c, const struct leat_reply_source *source,
                     void (*go_on)(struct leat_call *c));
void leat_stream_wait(struct leat_call *c);
/* Makes the next piece, as an HTTP/1.1 chunk when `chunked`. CUT: it failed, or has been ended. */
enum leat_reply_more leat_stream_fill(struct leat_call *c, bool chunked);
/* Nothing more is asked of the source. The piece stays until the call is freed. */
void leat_stream_end(struct leat_call *c); /* there may be none */
void leat_stream_free(struct leat_call *c);

/* --- server_h2.c and server_h2_out.c: an HTTP/2 session. */
struct leat_h2s {
    struct leat_h2 *pump; /* first: where its callbacks look */
    struct leat_peer *p;
    nghttp2_session *session;
    struct leat_h2_memory memory; /* the session's */
    bool rests;                   /* it has given its large blocks back */
    struct leat_guard guard;
    int64_t last_ping;
    uint32_t ping_strikes;
    struct leat_call *opening; /* its header block is coming in */
    int64_t opening_since;     /* a header block is coming in, for `opening_stream` */
    int32_t opening_stream;
    int64_t idle_since, last_read, age_at, over_at; /* LEAT_NEVER: not */
    int64_t notice_at;                              /* shutdown notice was sent; 0: not */
    int64_t ping_at;                                /* our ping is unanswered since; 0: none */
    size_t bomb;                                    /* bytes of the header block coming in */
    int64_t write_since;                            /* a write is pending since */
    bool leaving;                                   /* the final GOAWAY was submitted */
    bool direct;                                    /* the last read was one into a body */
    bool blamed;                                    /* counted as ended for its behaviour */
};

/* Ends the connection with GOAWAY(ENHANCE_YOUR_CALM). */
void leat_h2s_abuse(struct leat_h2s *h, enum leat_ended why, const char *what);
void leat_h2s_reply(struct leat_call *c, const struct leat_reply *r);
void leat_h2s_drain(struct leat_peer *p);
int64_t leat_h2s_tick(struct leat_peer *p, int64_t now);

#endif
