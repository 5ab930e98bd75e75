/* Peers for tests of the HTTP client: sockets on loopback whose behaviour is a few callbacks, and a
 * record of what the client's caller was told. */
#ifndef LEAT_TESTS_CLIENT_PEER_H
#define LEAT_TESTS_CLIENT_PEER_H

#include <nghttp2/nghttp2.h>

#include "base/text.h"
#include "io/client.h"
#include "io/conn.h"
#include "io/listen.h"

#define CLIENT_PEER_CONNS 64

struct client_peer;

struct client_peer_conn {
    struct client_peer *peer;
    int nth;                /* which connection, from 0 */
    struct leat_conn *conn; /* NULL: closed */
    bool ended, close_after;
    struct leat_text in, out;
    size_t parsed;            /* bytes of whole HTTP/1 requests in `in` */
    int requests;             /* HTTP/1 requests, or HTTP/2 streams that ended */
    nghttp2_session *session; /* HTTP/2 peers */
    struct leat_text body;    /* HTTP/2: DATA of all streams */
    struct leat_text headers; /* HTTP/2: "name: value\n" of all streams */
};

struct client_peer {
    struct leat_loop *loop;
    struct leat_listener *listener;
    char endpoint[64]; /* "127.0.0.1:port", or unix:///path */
    struct client_peer_conn conns[CLIENT_PEER_CONNS];
    int nconns, nclosed, requests;
    int32_t streams[256];                        /* HTTP/2: of requests, in order */
    void (*opened)(struct client_peer_conn *pc); /* may be NULL */
    void (*read)(struct client_peer_conn *pc);   /* raw peers; may be NULL */
    void (*request)(struct client_peer_conn *pc, int32_t stream); /* HTTP/1: stream 0 */
    void (*reset)(struct client_peer_conn *pc, int32_t stream, uint32_t code);
    void *arg;
    bool http1, http2;
    uint32_t max_streams; /* HTTP/2: told in SETTINGS; 0: no word */
    bool never_settings;
    const char *unix_path; /* NULL: TCP on 127.0.0.1 */
};

/* Set the callbacks, then start. `tls` may be NULL. */
void client_peer_start(struct client_peer *p, struct leat_loop *loop, struct leat_tls *tls);
void client_peer_stop(struct client_peer *p);   /* aborts what is open, waits, frees */
void client_peer_forget(struct client_peer *p); /* the connections; listens on */
void client_peer_stop_listening(struct client_peer *p);
void client_peer_send(struct client_peer_conn *pc, const void *data, size_t len);
void client_peer_text(struct client_peer_conn *pc, const char *text);
void client_peer_close(struct client_peer_conn *pc); /* after what was sent */
void client_peer_abort(struct client_peer_conn *pc);
void client_peer_h2_flush(struct client_peer_conn *pc);
/* A whole gRPC answer: message without its prefix, status, and more trailers (name, value, …). */
void client_peer_grpc(struct client_peer_conn *pc, int32_t stream, struct leat_bytes message,
                      const char *status, const char *const *more);

/* An answer of nothing but HEADERS: name and value pairs up to a NULL name, seven at most. */
void client_peer_headers_only(struct client_peer_conn *pc, int32_t stream,
                              const char *const nv[][2]);

/* One exchange and what came of it. */
struct client_sent {
    struct leat_exchange x;
    struct leat_bytes piece;
    int done;
    struct leat_answer a;               /* strings below */
    char why[512], type[160], kept[64]; /* kept: the first header asked for; "-": none */
    struct leat_text body, message, details;
    void (*then)(struct client_sent *s);
    void *arg;
};
void client_sent_init(struct client_sent *s, const char *path, const char *body);
void client_sent_done(struct client_sent *s);

#define CLIENT_UNTIL(loop, cond)                                                                   \
    do {                                                                                           \
        while (!(cond))                                                                            \
            leat_loop_turn(loop);                                                                  \
    } while (0)

/* A body larger than all buffers on the way (16 MiB of "x", NUL-terminated), for free(). Changed
 * before it is freed, so that who still looks at it is seen. */
char *client_big_body(void);
void client_big_free(char *body);

/* Ends the test with the sentence when nothing was made. */
void client_must(const void *made, const struct leat_err *err);

/* A self-signed certificate for 127.0.0.1 and localhost and its key, as PEM; made once. */
const char *client_cert_pem(void);
const char *client_key_pem(void);

#endif
