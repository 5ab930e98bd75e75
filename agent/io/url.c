/* Where a client connects to, from what a person writes: a URL, or a gRPC target. */
#include "io/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define HOST_MAX 255  /* RFC 1035 2.3.4 */
#define TEXT_MAX 4096 /* bytes of a URL */
#define UNIX_MAX 107  /* sun_path without its NUL */

#define HTTP_FORM "a URL such as http://host:4318 or https://host/path"
#define GRPC_FORM "host:port, https://host:port or unix:///path"

static bool is_text(const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len > TEXT_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
            return false;
    }
    return true;
}

/* Digits up to the end of the text, 1 to 65535. */
static int read_port(const char *text, size_t len, uint16_t *ret)
{
    uint32_t port = 0;

    if (len == 0 || len > 5)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    if (port == 0 || port > 65535)
        return -1;
    *ret = (uint16_t)port;
    return 0;
}

static bool host_ok(const char *host, size_t len, bool bracketed)
{
    if (len == 0 || len > HOST_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)host[i];
        if (strchr("/?#@[]\\<>\"^`{|}", ch) != NULL || (ch == ':' && !bracketed))
            return false;
    }
    return true;
}

/* "host", "host:port", "[v6]:port" of `len` bytes; *ret_port stays 0 when there is none. */
static int read_authority(const char *text, size_t len, char **ret_host, uint16_t *ret_port)
{
    const char *host = text, *rest, *end = text + len;
    size_t host_len;
    bool bracketed = len > 0 && text[0] == '[';

    *ret_port = 0;
    if (bracketed) {
        rest = memchr(text, ']', len);
        if (rest == NULL)
            return -1;
        host = text + 1;
        host_len = (size_t)(rest - host);
        rest++;
        if (memchr(host, ':', host_len) == NULL)
            return -1;
    } else {
        rest = memchr(text, ':', len);
        if (rest == NULL)
            rest = end;
        host_len = (size_t)(rest - host);
    }
    if (!host_ok(host, host_len, bracketed))
        return -1;
    if (rest != end && (*rest != ':' || read_port(rest + 1, (size_t)(end - rest - 1), ret_port)))
        return -1;
    *ret_host = leat_strndup(host, host_len);
    return 0;
}

static char *make_authority(const char *host, uint16_t port, uint16_t default_port)
{
    bool v6 = strchr(host, ':') != NULL;
    const char *open = v6 ? "[" : "", *shut = v6 ? "]" : "";
    size_t len = v6 ? strcspn(host, "%") : strlen(host); /* a zone is no business of the peer */

    if (port == default_port)
        return leat_format("%s%.*s%s", open, (int)len, host, shut);
    return leat_format("%s%.*s%s:%u", open, (int)len, host, shut, port);
}

/* Moves past "http://" or "https://"; false: neither. */
static bool read_scheme(const char **text, bool *ret_tls)
{
    if (strncasecmp(*text, "http://", 7) == 0)
        *text += 7;
    else if (strncasecmp(*text, "https://", 8) == 0)
        *text += 8, *ret_tls = true;
    else
        return false;
    return true;
}

int leat_url_parse(const char *text, struct leat_url *ret, struct leat_err *err)
{
    struct leat_url u = {.has_scheme = true};
    const char *at = text, *path;
    size_t path_len;
    uint16_t standard;

    if (text == NULL || *text == '\0')
        return leat_fail(err, "endpoint must be " HTTP_FORM ", not empty");
    if (!is_text(text))
        return leat_fail(err, "endpoint must be " HTTP_FORM ", without spaces");
    if (!read_scheme(&at, &u.tls))
        return leat_fail(
            err, "endpoint must be " HTTP_FORM "; \"%.100s\" has no http:// or https://", text);
    path = at + strcspn(at, "/?#");
    if (memchr(at, '@', (size_t)(path - at)) != NULL)
        return leat_fail(err,
                         "endpoint must hold no user or password: set them by an authenticator "
                         "or in headers");
    if (read_authority(at, (size_t)(path - at), &u.host, &u.port) != 0)
        return leat_fail(err, "endpoint must be " HTTP_FORM ", \"%.100s\" is not", text);
    standard = u.tls ? 443 : 80;
    if (u.port == 0)
        u.port = standard;
    u.authority = make_authority(u.host, u.port, standard);
    path_len = strcspn(path, "#");
    if (path_len > 0 && path[0] == '?')
        u.path = leat_format("/%.*s", (int)path_len, path);
    else
        u.path = leat_strndup(path, path_len);
    *ret = u;
    return 0;
}

static int parse_unix(const char *path, struct leat_url *ret, struct leat_err *err)
{
    if (strncmp(path, "//", 2) == 0)
        path += 2;
    if (*path == '\0' || strlen(path) > UNIX_MAX)
        return leat_fail(err, "endpoint must be unix:///path with a path of 1 to %d bytes",
                         UNIX_MAX);
    *ret = (struct leat_url){.unix_socket = true,
                             .host = leat_strdup(path),
                             .authority = leat_strdup("localhost"),
                             .path = leat_strdup("")};
    return 0;
}

/* "dns:host", "dns:///host", "dns://server/host": moves to host. -1: none of these. */
static int skip_resolver(const char **at, bool *ret_server)
{
    const char *slash;

    if (strncmp(*at, "//", 2) != 0)
        return 0;
    slash = strchr(*at + 2, '/');
    if (slash == NULL)
        return -1;
    *ret_server = slash != *at + 2;
    *at = slash + 1;
    return 0;
}

int leat_url_parse_grpc(const char *text, struct leat_url *ret, struct leat_err *err)
{
    struct leat_url u = {.has_scheme = false};
    const char *at = text;
    bool dns = false;
    size_t len;

    if (text == NULL || *text == '\0')
        return leat_fail(err, "endpoint must be " GRPC_FORM ", not empty");
    if (!is_text(text))
        return leat_fail(err, "endpoint must be " GRPC_FORM ", without spaces");
    if (strncmp(at, "unix:", 5) == 0)
        return parse_unix(at + 5, ret, err);
    u.has_scheme = read_scheme(&at, &u.tls);
    if (!u.has_scheme && strncmp(at, "dns:", 4) == 0 &&
        read_port(at + 4, strlen(at + 4), &u.port)) {
        at += 4, dns = true;
        if (skip_resolver(&at, &u.dns_server) != 0)
            return leat_fail(err, "endpoint must be dns:///host:port, \"%.100s\" is not", text);
    } else if (!u.has_scheme && strncmp(at, "passthrough:///", 15) == 0) {
        at += 15;
    }
    len = strlen(at);
    if (u.has_scheme && len > 0 && at[len - 1] == '/')
        len--;
    if (read_authority(at, len, &u.host, &u.port) != 0)
        return leat_fail(err, "endpoint must be " GRPC_FORM ", \"%.100s\" is not", text);
    if (u.port == 0 && dns)
        u.port = 443;
    if (u.port == 0) {
        leat_free(u.host);
        return leat_fail(err, "endpoint must be host:port, \"%.100s\" has no port", text);
    }
    u.authority = make_authority(u.host, u.port, 0);
    u.path = leat_strdup("");
    *ret = u;
    return 0;
}

void leat_url_done(struct leat_url *u)
{
    leat_free(u->host);
    leat_free(u->authority);
    leat_free(u->path);
    *u = (struct leat_url){.port = 0};
}

char *leat_url_join(const struct leat_url *u, const char *more)
{
    size_t len = strcspn(u->path, "?");
    const char *query = u->path + len;

    if (more == NULL)
        return leat_format("%.*s%s%s", (int)len, u->path, len == 0 ? "/" : "", query);
    while (len > 0 && u->path[len - 1] == '/')
        len--;
    return leat_format("%.*s%s%s%s", (int)len, u->path, more[0] == '/' ? "" : "/", more, query);
}
