/* Where a client connects to, from what a person writes: a URL, or a gRPC target.
 *
 * Sources: RFC 3986 (the parts HTTP uses), grpc doc/naming.md (dns, unix, passthrough). */
#ifndef LEAT_IO_URL_H
#define LEAT_IO_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct leat_url {
    bool has_scheme;  /* the text said http:// or https:// */
    bool tls;         /* https:// */
    bool unix_socket; /* host is a path */
    bool dns_server;  /* dns://server/host: the server was left out */
    uint16_t port;    /* 0 when unix_socket */
    char *host;       /* without brackets */
    char *authority; /* for Host and :authority: host, brackets where needed, port unless default */
    char *path;      /* "" or what follows the authority, "/" at its start, without a fragment */
};

/* "http://host/path", "https://[::1]:4318". No port: 80 or 443. 0; -1 and `err`: a sentence that
 * says what is expected, `ret` is untouched. */
int leat_url_parse(const char *text, struct leat_url *ret, struct leat_err *err);
/* "host:port", "http://host:port", "https://host:port", "dns:///host:port" (no port: 443),
 * "dns://server/host:port", "passthrough:///host:port", "unix:path", "unix:///path". */
int leat_url_parse_grpc(const char *text, struct leat_url *ret, struct leat_err *err);
void leat_url_done(struct leat_url *u); /* takes a zeroed one */

/* The URL's path with `more` ("/v1/traces") behind it, one slash between them; a query of the URL
 * stays at the end. `more` NULL: the URL's own path, "/" when it has none. To be freed. */
char *leat_url_join(const struct leat_url *u, const char *more);

#endif
