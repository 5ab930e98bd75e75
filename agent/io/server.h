/* An HTTP server on one port: HTTP/1.1, HTTP/2 (ALPN and prior knowledge) and gRPC, told apart by
 * what the client says.
 *
 * It collects one whole request body in one charged buffer, inflates it under a cap, and hands over
 * a call; the service answers it once, now or later. Knows no telemetry. */
#ifndef LEAT_IO_SERVER_H
#define LEAT_IO_SERVER_H

#include "base/bytes.h"
#include "config/schema.h"
#include "io/tls.h"

struct leat_auth_finder;
struct leat_budget;
struct leat_buf;
struct leat_codecs;
struct leat_err;
struct leat_loop;
struct leat_meter;
struct leat_text;

/* What a call costs besides its body while it is open: itself, its HTTP/2 stream, the batch made of
 * it, the attempt and the stream to the destination. Charged to the budget when its headers are
 * through; measured by the row "tiny" of bench/overload.py. */
#define LEAT_CALL_COST ((size_t)3 * 1024)
/* The part of it that stays charged with the body when the call is answered and the body is still
 * held: the batch and its place in a queue. */
#define LEAT_BODY_COST ((size_t)256)

struct leat_cors_conf {
    struct leat_strings allowed_origins, allowed_headers, exposed_headers;
    uint32_t max_age; /* seconds */
};

/* The keys of confighttp and configgrpc servers in one struct, with a table for each. */
struct leat_server_conf {
    const char *endpoint;
    const char *transport; /* "tcp", "unix" */
    bool has_tls;
    struct leat_tls_conf tls;
    struct leat_auth_conf {
        const char *authenticator;
        struct leat_strings request_params;
    } auth;
    bool include_metadata;
    struct leat_strings middlewares;
    /* HTTP */
    struct leat_cors_conf cors;
    uint64_t max_request_body_size;
    bool has_compression_algorithms;
    struct leat_strings compression_algorithms;
    struct leat_pairs response_headers;
    int64_t read_timeout, read_header_timeout, write_timeout, idle_timeout;
    bool keep_alives_enabled;
    /* gRPC */
    uint32_t max_recv_msg_size_mib, max_concurrent_streams;
    uint64_t read_buffer_size, write_buffer_size;
    struct leat_keepalive_server_conf {
        struct leat_keepalive_params_conf {
            int64_t max_connection_idle, max_connection_age, max_connection_age_grace, time,
                timeout;
        } server_parameters;
        bool has_enforcement;
        struct leat_keepalive_policy_conf {
            int64_t min_time;
            bool permit_without_stream;
        } enforcement_policy;
    } keepalive;
};
extern const struct leat_field
    leat_server_http_fields[]; /* confighttp server keys over struct leat_server_conf */
extern const struct leat_field leat_server_grpc_fields[]; /* configgrpc server keys */
void leat_server_check(const struct leat_server_conf *conf, bool grpc, const char *key,
                       struct leat_check *c);

/* The most bytes a body may have, before and after inflating, by the settings or their defaults. */
size_t leat_server_max_body(const struct leat_server_conf *conf, bool grpc);

struct leat_call;

struct leat_route {
    const char *path;   /* exact, or ending in an asterisk: any that begins so */
    const char *method; /* "POST", "GET"; gRPC is always POST. NULL: any */
    bool grpc;          /* a gRPC method: content-type application/grpc */
    bool wants_body;    /* else a body is read and thrown away */
    size_t max_body; /* bytes after inflating, and of the compressed body; 0: as the settings say */
    uint32_t tag;    /* the service's own */
};

/* Why the server itself refuses a request before the service sees it. */
struct leat_refusal {
    enum leat_refusal_reason {
        LEAT_REFUSED_NOT_FOUND,    /* 404, UNIMPLEMENTED */
        LEAT_REFUSED_METHOD,       /* 405 */
        LEAT_REFUSED_CONTENT_TYPE, /* 415: the service may also refuse so itself */
        LEAT_REFUSED_ENCODING,     /* 400; gRPC UNIMPLEMENTED with grpc-accept-encoding */
        LEAT_REFUSED_TOO_LARGE,    /* 413, RESOURCE_EXHAUSTED (no delay: not to be repeated) */
        LEAT_REFUSED_MALFORMED,    /* 400, INVALID_ARGUMENT: bad framing or compressed bytes */
        LEAT_REFUSED_OVERLOAD,     /* 503, UNAVAILABLE with a delay: budget spent, no memory */
        LEAT_REFUSED_SHARE,        /* the same: what is left is for other clients */
        LEAT_REFUSED_AUTH,         /* 401, UNAUTHENTICATED */
        LEAT_REFUSED_TIMEOUT,      /* 408, DEADLINE_EXCEEDED: the body did not come in time */
        LEAT_REFUSED_SHUTDOWN,     /* 503, UNAVAILABLE */
    } reason;
    uint32_t http_status, grpc_status;
    uint32_t retry_after_ms; /* 0: none */
    const char *text;        /* sentence for the caller */
};

struct leat_service {
    void *self;
    const struct leat_route *routes;
    size_t nroutes;
    size_t
        call_size; /* bytes of the service's own state in each call, zeroed, aligned for anything */
    /* A whole request. The service owns the call until it replies. */
    void (*take)(void *self, struct leat_call *call);
    /* The server refuses; the service must reply at once (so that the body of the answer is in its
     * own terms). NULL: plain text. Headers and route may be missing. */
    void (*refuse)(void *self, struct leat_call *call, const struct leat_refusal *why);
};

struct leat_server_env {
    struct leat_loop *loop;
    struct leat_budget *budget;          /* calls and bodies are charged here; NULL: to nobody */
    struct leat_codecs *codecs;          /* the worker's; NULL: no compressed requests */
    const struct leat_auth_finder *auth; /* NULL: none */
    struct leat_meter *meter;            /* NULL: not metered */
    const char *who;                     /* component id, for logs and as share key of the port */
    uint32_t permissions;                /* of a Unix socket; 0: 0660 */
    bool keep_headers;                   /* the service asks for others than the server needs */
    bool grpc_only;                      /* HTTP/1 gets a sentence that says which port it wants */
};

struct leat_server;
/* NULL and `err`: address in use, bad certificate, unknown authenticator. `conf`, the service's
 * routes and what `env` points at must outlive the server. */
struct leat_server *leat_server_new(const struct leat_server_conf *conf,
                                    const struct leat_service *service,
                                    const struct leat_server_env *env, struct leat_err *err);
uint16_t leat_server_port(const struct leat_server *s);
const char *leat_server_text(const struct leat_server *s); /* addresses, for messages */
/* Stops accepting; connections are told to go (GOAWAY, Connection: close); `drained` runs when the
 * last call was answered and its answer written. */
void leat_server_drain(struct leat_server *s, void (*drained)(void *arg), void *arg);
/* Closes everything at once; calls not yet answered stay valid for their reply, which goes nowhere.
 * Takes NULL. */
void leat_server_free(struct leat_server *s);

/* --- calls */
struct leat_call_info {
    const struct leat_route *route; /* NULL when refused before routing */
    bool grpc;
    bool http2;
    struct leat_bytes method, path, query, content_type; /* content type without parameters */
    const char *peer;                                    /* "127.0.0.1:4711" */
    int64_t deadline; /* monotonic ns of grpc-timeout; INT64_MAX: none */
};
const struct leat_call_info *leat_call_info(const struct leat_call *call);
void *leat_call_state(struct leat_call *call);     /* the service's call_size bytes */
struct leat_call *leat_call_of_state(void *state); /* and back */
struct leat_bytes leat_call_header(const struct leat_call *call,
                                   const char *name); /* lower case; len 0: absent */
/* Visits all request headers (names in lower case) until `visit` returns false. */
void leat_call_headers(const struct leat_call *call,
                       bool (*visit)(void *arg, struct leat_bytes name, struct leat_bytes value),
                       void *arg);
/* The plain body; the caller gets the reference. NULL: no body (length 0), or taken before. */
struct leat_buf *leat_call_take_body(struct leat_call *call);

/* A body that is made while it is sent: a long one needs no more memory than one piece of it, and a
 * slow reader holds up nobody. HTTP only: chunked, DATA frames, or until the end of an HTTP/1.0
 * connection. */
struct leat_reply_source {
    void *self;
    /* Appends the next piece, tens of kilobytes at best, to `out`; asked for when the one before
     * was written, at most once per turn of the loop. Nothing appended: asked again next turn. */
    enum leat_reply_more {
        LEAT_REPLY_MORE,
        LEAT_REPLY_LAST, /* this was all */
        LEAT_REPLY_CUT,  /* it cannot go on: the client is shown that the body is not whole */
    } (*next)(void *self, struct leat_text *out);
    /* Once, after which `self` is not used: all was made, the client or the server has gone, or
     * nobody wanted a body (HEAD). */
    void (*done)(void *self);
};

struct leat_reply {
    uint32_t status;                        /* HTTP */
    const char *content_type;               /* NULL: none */
    struct leat_bytes body;                 /* HTTP body, or the gRPC message; copied */
    const struct leat_reply_source *source; /* instead of `body`; the struct is copied */
    uint32_t grpc_status;                   /* gRPC */
    const char *grpc_message;               /* NULL: none */
    struct leat_bytes grpc_details;         /* grpc-status-details-bin, raw bytes */
    uint32_t retry_after_s;                 /* Retry-After; 0: none */
    const struct leat_pair *headers;        /* more headers, names in lower case */
    size_t nheaders;
};
/* Ends the call: it must not be touched afterwards. Also when the client is gone or its deadline
 * passed (the server has then answered for itself; the reply goes nowhere). */
void leat_call_reply(struct leat_call *call, const struct leat_reply *reply);

#endif
