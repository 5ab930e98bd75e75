/* The settings of clients: confighttp and configgrpc keys as tables, and what tables cannot say. */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "io/client.h"
#include "io/client_request.h"
#include "io/codec.h"
#include "io/url.h"

#define KEY_MAX 256 /* bytes of a dotted path in a message */

#define CONF struct leat_client_conf

static const struct leat_field auth_fields[] = {
    LEAT_STRING(struct leat_client_auth_conf, authenticator, NULL,
                "Extension that adds credentials to each request.", .flags = LEAT_AUTH),
    LEAT_END,
};

static const struct leat_field compression_fields[] = {
    LEAT_INT(struct leat_compression_params_conf, level, "0",
             "Level on the codec's own scale; 0 is the codec's default."),
    LEAT_END,
};

static const struct leat_field keepalive_fields[] = {
    LEAT_DURATION(struct leat_keepalive_client_conf, time, "10s",
                  "A ping is sent after this long without a byte from the peer.", .min = 1e6,
                  .max = 1e18),
    LEAT_DURATION(struct leat_keepalive_client_conf, timeout, "10s",
                  "The connection is closed when a ping stays unanswered for this long.",
                  .min = 1e6, .max = 1e18),
    LEAT_BOOL(struct leat_keepalive_client_conf, permit_without_stream, "false",
              "Ping also while no request is under way."),
    LEAT_END,
};

#define CLIENT_FIELDS                                                                              \
    LEAT_GROUP(CONF, tls, leat_tls_client_fields, struct leat_tls_conf, "TLS of the connection."), \
        LEAT_MAP(CONF, headers, "Headers added to every request.", .flags = LEAT_SECRET),          \
        LEAT_GROUP(CONF, auth, auth_fields, struct leat_client_auth_conf,                          \
                   "Authentication of requests."),                                                 \
        LEAT_STRING(CONF, compression, NULL, "Compression of request bodies, \"none\" for none."), \
        LEAT_SIZE(CONF, read_buffer_size, "0", "Accepted; reads use one buffer per worker.",       \
                  .flags = LEAT_IGNORED),                                                          \
        LEAT_SIZE(CONF, write_buffer_size, "512KiB",                                               \
                  "Accepted; writes are gathered without a buffer.", .flags = LEAT_IGNORED),       \
        LEAT_STRINGS(CONF, middlewares, NULL, "Not supported: refused when not empty.")

const struct leat_field leat_client_http_fields[] = {
    LEAT_STRING(CONF, endpoint, NULL, "URL of the destination."),
    CLIENT_FIELDS,
    LEAT_GROUP(CONF, compression_params, compression_fields, struct leat_compression_params_conf,
               "Tuning of the compression."),
    LEAT_STRING(
        CONF, proxy_url, NULL,
        "HTTP proxy, an http:// URL; https:// endpoints are reached through a tunnel (CONNECT)."),
    LEAT_UINT(CONF, max_idle_conns, "100", "Idle connections kept; 0: no limit."),
    LEAT_UINT(CONF, max_idle_conns_per_host, "0",
              "Idle connections kept per destination; 0: as many as max_idle_conns."),
    LEAT_UINT(CONF, max_conns_per_host, "0",
              "Connections at one time per destination; 0: no limit."),
    LEAT_DURATION(CONF, idle_conn_timeout, "90s",
                  "An idle connection is closed after this long; 0: never.", .min = 0, .max = 1e18),
    LEAT_BOOL(CONF, disable_keep_alives, "false", "One connection per request."),
    LEAT_BOOL(CONF, force_attempt_http2, "true", "Offer HTTP/2 to https:// endpoints."),
    LEAT_DURATION(CONF, http2_read_idle_timeout, "0",
                  "An HTTP/2 ping is sent after this long without a byte from the peer; 0: never.",
                  .min = 0, .max = 1e18),
    LEAT_DURATION(CONF, http2_ping_timeout, "0",
                  "The connection is closed when a ping stays unanswered for this long; 0: 15s.",
                  .min = 0, .max = 1e18),
    LEAT_NO_EFFECT("cookies", "Answers' cookies are never kept."),
    LEAT_END,
};

const struct leat_field leat_client_grpc_fields[] = {
    LEAT_STRING(CONF, endpoint, NULL,
                "host:port, https://host:port, dns:///host:port or unix:///path.",
                .flags = LEAT_REQUIRED),
    CLIENT_FIELDS,
    LEAT_STRING(CONF, balancer_name, "round_robin",
                "round_robin: each new connection starts at the next address of the name; requests "
                "share the connections there are, up to four, made when streams run out (gRPC "
                "libraries keep one to each address). pick_first: at the first address."),
    LEAT_STRING(CONF, authority, NULL, "The :authority sent instead of the endpoint's."),
    LEAT_STRING(CONF, user_agent, NULL, "The User-Agent sent instead of leat's own."),
    LEAT_BOOL(CONF, wait_for_ready, "false",
              "Requests wait for a connection until their timeout instead of failing at once."),
    LEAT_GROUP(CONF, keepalive, keepalive_fields, struct leat_keepalive_client_conf,
               "Pings on quiet connections; off unless written.",
               .present = LEAT_PRESENT(CONF, has_keepalive)),
    LEAT_END,
};

static const char *key_of(char out[KEY_MAX], const char *key, const char *name)
{
    snprintf(out, KEY_MAX, "%s%s%s", key, *key ? "." : "", name);
    return out;
}

static void check_endpoint(const struct leat_client_conf *conf, bool grpc, const char *key,
                           struct leat_check *c)
{
    struct leat_url url = {.port = 0};
    struct leat_err err;

    if (conf->endpoint == NULL || *conf->endpoint == '\0')
        return;
    if ((grpc ? leat_url_parse_grpc : leat_url_parse)(conf->endpoint, &url, &err) != 0)
        leat_check_error(c, key, "%s", err.text);
    else if (url.dns_server)
        leat_check_warn(c, key,
                        "the name server in dns://server/host is not used: names are "
                        "looked up by the system's resolver");
    else if (grpc && url.tls && conf->tls.insecure)
        leat_check_warn(c, key, "https:// turns TLS on although tls.insecure is true");
    leat_url_done(&url);
}

static void check_compression(const struct leat_client_conf *conf, bool grpc, const char *key,
                              struct leat_check *c)
{
    const char *name = conf->compression;
    char path[KEY_MAX];
    struct leat_err err;
    int codec;

    if (name == NULL || *name == '\0' || strcmp(name, "none") == 0)
        return;
    codec = leat_codec_find(leat_bytes_str(name));
    if (codec < 0) {
        leat_check_error(c, key_of(path, key, "compression"),
                         "\"%s\" is no compression that is known or built in; use gzip, zstd, "
                         "snappy%s or none",
                         name, grpc ? "" : ", zlib, deflate, lz4, x-snappy-framed");
    } else if (grpc && codec != LEAT_CODEC_GZIP && codec != LEAT_CODEC_ZSTD &&
               codec != LEAT_CODEC_SNAPPY) {
        leat_check_error(c, key_of(path, key, "compression"),
                         "gRPC takes gzip, snappy, zstd or none, not \"%s\"", name);
    } else if (!grpc && conf->compression_params.level != 0 &&
               leat_codec_level_check((enum leat_codec)codec, (int)conf->compression_params.level,
                                      &err) != 0) {
        leat_check_error(c, key_of(path, key, "compression_params.level"), "%s", err.text);
    }
}

static void check_headers(const struct leat_client_conf *conf, const char *key,
                          struct leat_check *c)
{
    char path[KEY_MAX];
    struct leat_err err;

    for (uint32_t i = 0; i < conf->headers.count; i++) {
        const struct leat_pair *h = &conf->headers.items[i];
        if (leat_request_check_header(leat_bytes_str(h->key), leat_bytes_str(h->value), &err) != 0)
            leat_check_error(c, key_of(path, key, "headers"), "%s", err.text);
    }
}

static void check_http(const struct leat_client_conf *conf, const char *key, struct leat_check *c)
{
    struct leat_url url = {.port = 0};
    struct leat_err err;
    char path[KEY_MAX];

    if (conf->proxy_url == NULL || *conf->proxy_url == '\0')
        return;
    key_of(path, key, "proxy_url");
    if (leat_url_parse(conf->proxy_url, &url, &err) != 0)
        leat_check_error(c, path, "as a proxy: %s", err.text);
    else if (url.tls)
        leat_check_error(c, path, "a proxy must be an http:// URL");
    leat_url_done(&url);
}

int leat_client_header_check(struct leat_bytes name, struct leat_bytes value, struct leat_err *err)
{
    return leat_request_check_header(name, value, err);
}

/* Every address is in the clear: no certificates are to be read for it. */
static bool is_clear(const struct leat_client_conf *conf, bool grpc)
{
    return !grpc && conf->endpoint != NULL && strncasecmp(conf->endpoint, "http://", 7) == 0;
}

void leat_client_check(const struct leat_client_conf *conf, bool grpc, const char *key,
                       struct leat_check *c)
{
    char path[KEY_MAX];

    check_endpoint(conf, grpc, key_of(path, key, "endpoint"), c);
    if (!is_clear(conf, grpc))
        leat_tls_check(&conf->tls, false, key_of(path, key, "tls"), c);
    check_compression(conf, grpc, key, c);
    check_headers(conf, key, c);
    if (conf->middlewares.count > 0)
        leat_check_error(c, key_of(path, key, "middlewares"),
                         "middlewares are Go code of the collector and cannot be run here");
    if (!grpc)
        check_http(conf, key, c);
    else if (conf->balancer_name != NULL && strcmp(conf->balancer_name, "round_robin") != 0 &&
             strcmp(conf->balancer_name, "pick_first") != 0)
        leat_check_error(c, key_of(path, key, "balancer_name"),
                         "balancer_name must be round_robin or pick_first, not \"%s\"",
                         conf->balancer_name);
}
