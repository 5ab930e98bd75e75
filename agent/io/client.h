/* An HTTP client for one destination: HTTP/1.1 and HTTP/2, gRPC, a pool of connections that are
 * made when needed. Knows no telemetry. */
#ifndef LEAT_IO_CLIENT_H
#define LEAT_IO_CLIENT_H

#include "base/bytes.h"
#include "base/list.h"
#include "config/schema.h"
#include "io/tls.h"

struct leat_auth_finder;
struct leat_err;
struct leat_loop;

/* The keys of confighttp and configgrpc clients in one struct, with a table for each. `compression`
 * is none by default: a component whose default differs says so in its INLINE ("compression=gzip").
 * The client itself compresses nothing: that is its caller's. */
struct leat_client_conf {
    const char *endpoint; /* HTTP: a URL; gRPC: host:port, http://, https://, unix://, dns:/// */
    struct leat_tls_conf tls;
    struct leat_pairs headers; /* secret values */
    struct leat_client_auth_conf {
        const char *authenticator;
    } auth;
    const char *compression; /* NULL, "", "none" or a codec's name */
    struct leat_compression_params_conf {
        int64_t level;
    } compression_params;
    uint64_t read_buffer_size, write_buffer_size;
    struct leat_strings middlewares;
    /* HTTP */
    const char *proxy_url;
    uint32_t max_idle_conns, max_idle_conns_per_host, max_conns_per_host;
    int64_t idle_conn_timeout;
    bool disable_keep_alives, force_attempt_http2;
    int64_t http2_read_idle_timeout, http2_ping_timeout;
    /* gRPC */
    const char *balancer_name, *authority, *user_agent;
    bool wait_for_ready;
    bool has_keepalive;
    struct leat_keepalive_client_conf {
        int64_t time, timeout;
        bool permit_without_stream;
    } keepalive;
};
extern const struct leat_field
    leat_client_http_fields[]; /* confighttp client keys over struct leat_client_conf */
extern const struct leat_field leat_client_grpc_fields[]; /* configgrpc client keys */
/* What the tables cannot say. `key`: the dotted path of the settings below the component, "" when
 * they stand at its own level. An unset endpoint is no error here. */
void leat_client_check(const struct leat_client_conf *conf, bool grpc, const char *key,
                       struct leat_check *c);

#define LEAT_ANSWER_KEPT  4  /* headers of an answer that a client's owner may ask for */
#define LEAT_ANSWER_VALUE 31 /* bytes of such a value; a longer one is as good as absent */

/* A header that is not known before it is sent: 0, or -1 and `err` (without the value): bytes that
 * HTTP forbids, or a header that the client sets itself. */
int leat_client_header_check(struct leat_bytes name, struct leat_bytes value, struct leat_err *err);

struct leat_client_env {
    struct leat_loop *loop;
    const struct leat_auth_finder *auth; /* NULL: none */
    const char *who;
    bool grpc;         /* HTTP/2 only, gRPC framing and trailers */
    size_t max_answer; /* bytes of an answer's body that are kept; more is LEAT_NET_TOO_LARGE */
    /* Headers of answers that are kept: names in lower case (60 bytes at most), NULL at the end if
     * there are fewer than LEAT_ANSWER_KEPT. They outlive the client. */
    const char *keep[LEAT_ANSWER_KEPT];
};

struct leat_client;
/* `url`: overrides conf->endpoint (per-signal endpoints of OTLP/HTTP); NULL: conf->endpoint. It may
 * be unix:///path for HTTP too, which leat_client_check() does not let a user write. `conf` must
 * outlive the client. Nothing is connected before it is needed. NULL and `err`: a setting is
 * wrong, a certificate cannot be read, the authenticator is not there. */
struct leat_client *leat_client_new(const struct leat_client_conf *conf, const char *url,
                                    const struct leat_client_env *env, struct leat_err *err);
/* Exchanges under way end with LEAT_NET_CANCELLED first, from inside this call; it may be made from
 * `done`. Takes NULL. */
void leat_client_free(struct leat_client *c);

enum leat_net_result {
    LEAT_NET_OK,     /* an HTTP answer came, whatever its status */
    LEAT_NET_FAILED, /* no name, refused, reset, TLS, protocol error: `why` */
    LEAT_NET_TIMEOUT,
    LEAT_NET_TOO_LARGE, /* answer headers, trailers or body over their bounds */
    LEAT_NET_CANCELLED,
};

/* Valid during `done`. */
struct leat_answer {
    enum leat_net_result net;
    const char *why;                      /* sentence with host and port; NULL when OK */
    uint32_t status;                      /* HTTP */
    struct leat_bytes content_type, body; /* gRPC: the message without its prefix */
    bool has_retry_after;
    uint32_t retry_after_ms; /* from seconds or an HTTP date */
    bool has_grpc_status;    /* else derived from the HTTP status */
    uint32_t grpc_status;
    struct leat_bytes grpc_message; /* decoded; cut at 1 KiB */
    struct leat_bytes grpc_details; /* decoded grpc-status-details-bin; cut at 4 KiB */
    /* Of the headers asked for by leat_client_env.keep, in its order; of one that came more than
     * once the last value. `data` NULL: it did not come. */
    struct leat_bytes kept[LEAT_ANSWER_KEPT];
};

struct leat_exchange {
    /* the caller's */
    const char *method; /* NULL: POST; gRPC: NULL */
    const char *path;   /* "/v1/traces", "/opentelemetry…/Export"; NULL: the URL's own path */
    const struct leat_bytes *pieces; /* the body (gRPC: the message); valid until `done` */
    size_t npieces;
    const char *content_type;        /* gRPC: NULL */
    const char *content_encoding;    /* gRPC: grpc-encoding; NULL or "": none */
    const struct leat_pair *headers; /* more headers, names in lower case; valid until `done` */
    size_t nheaders;
    int64_t timeout; /* ns for the whole exchange, connecting included; 0: none */
    void (*done)(struct leat_exchange *x, const struct leat_answer *a);
    /* Memory for the client's own part: leat_client_room() bytes, aligned for anything, the
     * client's until `done`. NULL: the client allocates it. */
    void *room;
    /* the client's */
    struct leat_client_call *call;
    struct leat_link link;
};
/* For an exchange of at most so many pieces. */
size_t leat_client_room(size_t npieces);
/* Sends; `done` runs exactly once, never from inside this call, and afterwards the client holds
 * nothing of `x`. A request that met an idle connection which the peer had just closed, or a stream
 * that the peer refused unprocessed (GOAWAY, REFUSED_STREAM), is sent once more by the client
 * itself. */
void leat_client_send(struct leat_client *c, struct leat_exchange *x);
void leat_client_cancel(struct leat_client *c,
                        struct leat_exchange *x); /* `done` follows with CANCELLED */

#endif
