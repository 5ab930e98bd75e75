/* The head of a request: which headers it has, from settings, authenticator and exchange, in the
 * form of either HTTP version. For io only. */
#ifndef LEAT_IO_CLIENT_REQUEST_H
#define LEAT_IO_CLIENT_REQUEST_H

#include <nghttp2/nghttp2.h>

#include "base/text.h"
#include "io/client.h"

#define LEAT_REQUEST_HEADERS 160   /* headers of one request */
#define LEAT_REQUEST_SCRATCH 32768 /* bytes of names and values that an authenticator adds */

struct leat_request {
    /* the client's, set once */
    const char *scheme, *authority, *user_agent;
    bool grpc;
    struct leat_pairs conf; /* names in lower case, without host */
    const struct leat_authenticator *auth;
    /* made anew for each request; valid until the next */
    nghttp2_nv nv[LEAT_REQUEST_HEADERS];
    size_t n, npseudo;
    size_t used;
    char scratch[LEAT_REQUEST_SCRATCH];
    struct leat_err *err; /* while building */
};

/* 0, or -1 and `err` (without the value): bytes that HTTP forbids, or a header that is the client's
 * own. */
int leat_request_check_header(struct leat_bytes name, struct leat_bytes value,
                              struct leat_err *err);
/* Fills `nv`, pseudo-headers first. `path`: as it is sent; `body`: bytes; `timeout`: ns left, 0:
 * none. -1 and `err`: no credentials, a header that must not be sent, too many. */
int leat_request_build(struct leat_request *r, const struct leat_exchange *x, const char *path,
                       size_t body, int64_t timeout, struct leat_err *err);
/* The same as HTTP/1.1 text. `proxied`: host and port of the URL when the request goes to a proxy,
 * which wants it as http://host:port/path; NULL otherwise. -1: no memory. */
int leat_request_text(const struct leat_request *r, const char *proxied, bool close,
                      struct leat_text *out);

#endif
