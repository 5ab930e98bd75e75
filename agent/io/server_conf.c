/* The settings of a server: confighttp's and configgrpc's keys.
 *
 * Source: collector config/confighttp/server.go, config/configgrpc/configgrpc.go. */
#include <stdio.h>

#include "io/codec.h"
#include "io/listen.h"
#include "io/server.h"

#define S struct leat_server_conf

/* Reply headers from the settings are copied into each reply. */
#define RESPONSE_HEADERS_MAX 64

static const char *const encodings[] = {
    "", "gzip", "zstd", "zlib", "snappy", "deflate", "lz4", "x-snappy-framed", NULL};

static const struct leat_field auth_fields[] = {
    LEAT_STRING(struct leat_auth_conf, authenticator, NULL,
                "Id of the extension that checks each request.", .flags = LEAT_AUTH),
    LEAT_STRINGS(struct leat_auth_conf, request_params, NULL,
                 "Query parameters that the authenticator sees as headers, where no header of the "
                 "name is there."),
    LEAT_END,
};

static const struct leat_field cors_fields[] = {
    LEAT_STRINGS(struct leat_cors_conf, allowed_origins, NULL,
                 "Origins whose scripts may send here; an asterisk stands for any characters. "
                 "Without any, CORS is off."),
    LEAT_STRINGS(struct leat_cors_conf, allowed_headers, NULL,
                 "Request headers such a script may set; \"*\" for all."),
    LEAT_STRINGS(struct leat_cors_conf, exposed_headers, NULL,
                 "Reply headers such a script may read."),
    LEAT_UINT(struct leat_cors_conf, max_age, "0",
              "How long a browser may remember the answer; 0: its own default.", .unit = "seconds"),
    LEAT_END,
};

#define LEAT_SERVER_COMMON                                                                         \
    LEAT_STRING(S, endpoint, NULL, "Where to listen: host:port, or a path with transport unix.",   \
                .flags = LEAT_REQUIRED),                                                           \
        {.name = "transport",                                                                      \
         .type = LEAT_F_STRING,                                                                    \
         .offset = LEAT_AT(S, transport, const char *),                                            \
         .def = "tcp",                                                                             \
         .doc = "\"tcp\" or \"unix\"."},                                                           \
        {.name = "tls",                                                                            \
         .type = LEAT_F_GROUP,                                                                     \
         .offset = LEAT_AT(S, tls, struct leat_tls_conf),                                          \
         .group = leat_tls_server_fields,                                                          \
         .present = LEAT_PRESENT(S, has_tls),                                                      \
         .doc = "Certificate and key; without it the port is in the clear."},                      \
        LEAT_GROUP(S, auth, auth_fields, struct leat_auth_conf, "Who may send requests."),         \
        LEAT_NO_EFFECT("dialer", "a server calls nobody"),                                         \
        LEAT_BOOL(S, include_metadata, "false",                                                    \
                  "Request headers are kept for processors (from_context: metadata.*)."),          \
        LEAT_STRINGS(S, middlewares, NULL, "No middleware extensions exist here; must be empty.")

const struct leat_field leat_server_http_fields[] = {
    LEAT_SERVER_COMMON,
    LEAT_GROUP(S, cors, cors_fields, struct leat_cors_conf, "Requests from scripts in browsers."),
    LEAT_SIZE(S, max_request_body_size, "0",
              "Largest request body, as sent and again when decompressed; 0: 20 MiB.",
              .unit = "bytes"),
    {.name = "compression_algorithms",
     .type = LEAT_F_STRINGS,
     .offset = LEAT_AT(S, compression_algorithms, struct leat_strings),
     .choices = encodings,
     .present = LEAT_PRESENT(S, has_compression_algorithms),
     .doc = "Encodings a request body may have; absent: all that are built in; an empty list: "
            "none."},
    LEAT_MAP(S, response_headers, "Headers added to each reply."),
    LEAT_DURATION(
        S, read_timeout, "0s",
        "Bound on reading a whole request; 0: none, but a body that hardly moves for 30 s "
        "is given up.",
        .min = 0, .max = 1e18),
    LEAT_DURATION(S, read_header_timeout, "1m",
                  "Bound on reading the headers of a request; 0: 30 s.", .min = 0, .max = 1e18),
    LEAT_DURATION(S, write_timeout, "30s",
                  "Bound on a reply that the client does not read; 0: 30 s.", .min = 0,
                  .max = 1e18),
    LEAT_DURATION(S, idle_timeout, "1m", "Connections without a request end then; 0: never.",
                  .min = 0, .max = 1e18),
    LEAT_BOOL(S, keep_alives_enabled, "true", "Connections serve more than one request."),
    LEAT_END,
};

static const struct leat_field params_fields[] = {
    LEAT_DURATION(struct leat_keepalive_params_conf, max_connection_idle, "0s",
                  "Connections without a request are ended then; 0: never.", .min = 0, .max = 1e18),
    LEAT_DURATION(struct leat_keepalive_params_conf, max_connection_age, "0s",
                  "Connections are ended at this age (give or take a tenth), so that clients "
                  "spread anew; 0: never.",
                  .min = 0, .max = 1e18),
    LEAT_DURATION(struct leat_keepalive_params_conf, max_connection_age_grace, "0s",
                  "Requests still open so long after that are cut off; 0: never.", .min = 0,
                  .max = 1e18),
    LEAT_DURATION(struct leat_keepalive_params_conf, time, "2h",
                  "A silent client is pinged after this.", .min = 0, .max = 1e18),
    LEAT_DURATION(struct leat_keepalive_params_conf, timeout, "20s",
                  "And given up when it does not answer for this long.", .min = 0, .max = 1e18),
    LEAT_END,
};

static const struct leat_field policy_fields[] = {
    LEAT_DURATION(struct leat_keepalive_policy_conf, min_time, "5m",
                  "Clients that ping more often are sent away (too_many_pings).", .min = 0,
                  .max = 1e18),
    LEAT_BOOL(struct leat_keepalive_policy_conf, permit_without_stream, "false",
              "Pings are allowed while no request is open."),
    LEAT_END,
};

static const struct leat_field keepalive_fields[] = {
    LEAT_GROUP(struct leat_keepalive_server_conf, server_parameters, params_fields,
               struct leat_keepalive_params_conf, "Age and silence of connections."),
    {.name = "enforcement_policy",
     .type = LEAT_F_GROUP,
     .offset = LEAT_AT(struct leat_keepalive_server_conf, enforcement_policy,
                       struct leat_keepalive_policy_conf),
     .group = policy_fields,
     .present = LEAT_PRESENT(struct leat_keepalive_server_conf, has_enforcement),
     .doc = "How often clients may ping. Absent: only floods are stopped."},
    LEAT_END,
};

const struct leat_field leat_server_grpc_fields[] = {
    LEAT_SERVER_COMMON,
    LEAT_UINT(S, max_recv_msg_size_mib, "0",
              "Largest message, as sent and again when decompressed; 0: 4 MiB.", .unit = "MiB",
              .max = 2047),
    LEAT_UINT(S, max_concurrent_streams, "0",
              "Requests open at a time on one connection; 0: 1000."),
    LEAT_SIZE(S, read_buffer_size, "512KiB",
              "Has no effect: bytes are read straight to where they stay.", .flags = LEAT_IGNORED),
    LEAT_SIZE(S, write_buffer_size, "32KiB", "Has no effect: replies are gathered per turn.",
              .flags = LEAT_IGNORED),
    LEAT_GROUP(S, keepalive, keepalive_fields, struct leat_keepalive_server_conf,
               "Life of connections."),
    LEAT_END,
};

/* --- what the tables cannot say */

static const char *at(char out[128], const char *key, const char *name)
{
    snprintf(out, 128, "%s%s%s", key, *key ? "." : "", name);
    return out;
}

static bool is_token(const char *text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (const char *p = text; *p != '\0'; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              strchr(others, *p) != NULL))
            return false;
    return *text != '\0';
}

static bool is_value(const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
            return false;
    return true;
}

static void check_http(const struct leat_server_conf *conf, const char *key, struct leat_check *c)
{
    char path[128];

    for (uint32_t i = 0; i < conf->compression_algorithms.count; i++) {
        const char *name = conf->compression_algorithms.items[i];

        if (*name != '\0' && leat_codec_find(leat_bytes_str(name)) < 0)
            leat_check_error(c, at(path, key, "compression_algorithms"),
                             "this program was built without %s", name);
    }
    if (conf->response_headers.count > RESPONSE_HEADERS_MAX)
        leat_check_error(c, at(path, key, "response_headers"), "at most %d headers",
                         RESPONSE_HEADERS_MAX);
    for (uint32_t i = 0; i < conf->response_headers.count; i++)
        if (!is_token(conf->response_headers.items[i].key) ||
            !is_value(conf->response_headers.items[i].value))
            leat_check_error(c, at(path, key, "response_headers"), "%s is no header",
                             conf->response_headers.items[i].key);
    if (conf->cors.allowed_origins.count == 0 &&
        (conf->cors.allowed_headers.count != 0 || conf->cors.exposed_headers.count != 0))
        leat_check_warn(c, at(path, key, "cors"), "without allowed_origins CORS is off");
}

void leat_server_check(const struct leat_server_conf *conf, bool grpc, const char *key,
                       struct leat_check *c)
{
    bool unix_socket = conf->transport != NULL && strcmp(conf->transport, "unix") == 0;
    struct leat_err err = {""};
    char path[128], host[256];
    uint16_t port;

    if (conf->endpoint == NULL || *conf->endpoint == '\0')
        leat_check_error(c, at(path, key, "endpoint"), "an endpoint is needed: host:port");
    else if (!unix_socket && leat_endpoint_split(conf->endpoint, host, &port, &err) < 0)
        leat_check_error(c, at(path, key, "endpoint"), "%s", err.text);
    if (conf->transport != NULL && !unix_socket && strncmp(conf->transport, "tcp", 3) != 0)
        leat_check_error(c, at(path, key, "transport"), "%s is not known: tcp or unix",
                         conf->transport);
    if (conf->middlewares.count != 0)
        leat_check_error(c, at(path, key, "middlewares"), "no middleware extensions exist here");
    if (conf->has_tls)
        leat_tls_check(&conf->tls, true, at(path, key, "tls"), c);
    if (!grpc)
        check_http(conf, key, c);
}
