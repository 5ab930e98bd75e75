/* OTLP receiver: gRPC and HTTP, protobuf and JSON.
 *
 * Source of keys and defaults: collector receiver/otlpreceiver (config.go, factory.go). */
#include "receivers/otlp.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "flow/origin.h"

#define GRPC_DEFAULT_MESSAGE ((size_t)4 * 1024 * 1024)
#define HTTP_DEFAULT_BODY    ((size_t)20 * 1024 * 1024)

struct http_conf {
    struct leat_server_conf server;
    const char *traces_url_path, *metrics_url_path, *logs_url_path;
};

struct protocols_conf {
    bool has_grpc, has_http;
    struct leat_server_conf grpc;
    struct http_conf http;
};

struct otlp_conf {
    struct protocols_conf protocols;
};

static const struct leat_field http_fields[] = {
    LEAT_INLINE(struct http_conf, server, leat_server_http_fields, struct leat_server_conf,
                "The HTTP server.",
                .def = "endpoint=localhost:4318 read_timeout=0s read_header_timeout=0s "
                       "write_timeout=0s idle_timeout=0s"),
    LEAT_STRING(struct http_conf, traces_url_path, "/v1/traces", "Path that takes traces."),
    LEAT_STRING(struct http_conf, metrics_url_path, "/v1/metrics", "Path that takes metrics."),
    LEAT_STRING(struct http_conf, logs_url_path, "/v1/logs", "Path that takes logs."),
    LEAT_END,
};

static const struct leat_field protocol_fields[] = {
    LEAT_GROUP(struct protocols_conf, grpc, leat_server_grpc_fields, struct leat_server_conf,
               "OTLP over gRPC; on when this key is there.",
               .def = "endpoint=localhost:4317 read_buffer_size=524288",
               .present = LEAT_PRESENT(struct protocols_conf, has_grpc)),
    LEAT_GROUP(struct protocols_conf, http, http_fields, struct http_conf,
               "OTLP over HTTP; on when this key is there.",
               .present = LEAT_PRESENT(struct protocols_conf, has_http)),
    LEAT_END,
};

static const struct leat_field fields[] = {
    LEAT_GROUP(struct otlp_conf, protocols, protocol_fields, struct protocols_conf,
               "Which protocols are served."),
    LEAT_END,
};

static void check(const void *conf_, struct leat_check *c)
{
    const struct otlp_conf *conf = conf_;

    if (!conf->protocols.has_grpc && !conf->protocols.has_http)
        leat_check_error(c, "protocols",
                         "names no protocol: write 'grpc:' or 'http:' (or both) under it");
    if (conf->protocols.has_grpc)
        leat_server_check(&conf->protocols.grpc, true, "protocols.grpc", c);
    if (conf->protocols.has_http)
        leat_server_check(&conf->protocols.http.server, false, "protocols.http", c);
}

static bool keep_header(void *origin, struct leat_bytes name, struct leat_bytes value)
{
    return leat_origin_add(origin, name, value) == 0;
}

int leat_otlp_keep_origin(struct leat_call *call, struct leat_batch *batch)
{
    batch->origin = leat_origin_new(leat_call_info(call)->peer);
    if (batch->origin == NULL)
        return -1;
    leat_call_headers(call, keep_header, batch->origin);
    return 0;
}

/* A leading slash is added where the setting has none. */
static void make_paths(struct leat_otlp_receiver *self, const struct http_conf *http)
{
    const char *given[] = {http->traces_url_path, http->metrics_url_path, http->logs_url_path};

    for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
        size_t size = strlen(given[s]) + 2;

        self->paths[s] = leat_new(size);
        snprintf(self->paths[s], size, "%s%s", given[s][0] == '/' ? "" : "/", given[s]);
    }
}

static const char *const grpc_paths[] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};

/* A signal that no pipeline wants has no route: 404, UNIMPLEMENTED. The HTTP port takes gRPC as
 * well. */
static size_t make_routes(struct leat_otlp_receiver *self, enum leat_otlp_transport t,
                          const struct http_conf *http, size_t max_body)
{
    struct leat_route *routes = self->routes[t];
    size_t n = 0;

    if (t == LEAT_OTLP_HTTP)
        make_paths(self, http);
    for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
        if (self->env->next[s].take == NULL)
            continue;
        routes[n++] = (struct leat_route){.path = grpc_paths[s],
                                          .method = "POST",
                                          .grpc = true,
                                          .wants_body = true,
                                          .max_body = max_body,
                                          .tag = s};
        if (t == LEAT_OTLP_HTTP)
            routes[n++] = (struct leat_route){.path = self->paths[s],
                                              .method = "POST",
                                              .wants_body = true,
                                              .max_body = max_body,
                                              .tag = s};
    }
    return n;
}

static int serve(struct leat_otlp_receiver *self, enum leat_otlp_transport t,
                 const struct leat_server_conf *conf, const struct http_conf *http, size_t max_body,
                 struct leat_err *err)
{
    static const char *const names[] = {"grpc", "http"};
    const struct leat_env *env = self->env;
    struct leat_server_env server_env = {
        .loop = env->loop,
        .budget = env->budget,
        .codecs = env->codecs,
        .auth = env->auth,
        .meter = env->meter,
        .who = env->id,
        .grpc_only = t == LEAT_OTLP_GRPC,
    };

    self->include_metadata[t] = conf->include_metadata;
    self->services[t] = (struct leat_service){
        .self = self,
        .routes = self->routes[t],
        .nroutes = make_routes(self, t, http, max_body),
        .call_size = leat_otlp_call_size(),
        .take = leat_otlp_call_take,
        .refuse = leat_otlp_call_refuse,
    };
    self->servers[t] = leat_server_new(conf, &self->services[t], &server_env, err);
    if (self->servers[t] == NULL)
        return -1;
    if (env->worker == 0)
        leat_info(env->id, "listening on %s (%s)", leat_server_text(self->servers[t]), names[t]);
    return 0;
}

static void otlp_close(void *self_)
{
    struct leat_otlp_receiver *self = self_;

    self->drained = NULL;
    for (int t = 0; t < LEAT_OTLP_TRANSPORTS; t++) {
        leat_server_free(self->servers[t]);
        self->servers[t] = NULL;
    }
    for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
        leat_free(self->paths[s]);
        self->paths[s] = NULL;
    }
}

static size_t or_default(uint64_t value, size_t fallback)
{
    return value ? (size_t)value : fallback;
}

static int otlp_open(void *self_, const struct leat_env *env, struct leat_err *err)
{
    struct leat_otlp_receiver *self = self_;
    const struct protocols_conf *p = &((const struct otlp_conf *)env->conf)->protocols;
    size_t message =
        or_default((uint64_t)p->grpc.max_recv_msg_size_mib << 20, GRPC_DEFAULT_MESSAGE);
    size_t body = or_default(p->http.server.max_request_body_size, HTTP_DEFAULT_BODY);

    self->env = env;
    leat_receiver_obs_open(&self->obs[LEAT_OTLP_GRPC], env->meter, env->id, "grpc");
    leat_receiver_obs_open(&self->obs[LEAT_OTLP_HTTP], env->meter, env->id, "http");
    if ((p->has_grpc && serve(self, LEAT_OTLP_GRPC, &p->grpc, NULL, message, err) < 0) ||
        (p->has_http && serve(self, LEAT_OTLP_HTTP, &p->http.server, &p->http, body, err) < 0)) {
        otlp_close(self);
        return -1;
    }
    return 0;
}

static void one_drained(void *arg)
{
    struct leat_otlp_receiver *self = arg;

    if (--self->undrained == 0 && self->drained != NULL)
        self->drained(self->house);
}

static void otlp_drain(void *self_, void (*drained)(void *house), void *house)
{
    struct leat_otlp_receiver *self = self_;

    self->drained = drained;
    self->house = house;
    self->undrained = 1;
    for (int t = 0; t < LEAT_OTLP_TRANSPORTS; t++) {
        if (self->servers[t] == NULL)
            continue;
        self->undrained++;
        leat_server_drain(self->servers[t], one_drained, self);
    }
    one_drained(self);
}

const struct leat_component leat_receiver_otlp = {
    .type = "otlp",
    .kind = LEAT_RECEIVER,
    .signals = LEAT_ALL_SIGNALS,
    .summary = "Takes OTLP over gRPC and HTTP, protobuf and JSON.",
    .fields = fields,
    .conf_size = sizeof(struct otlp_conf),
    .self_size = sizeof(struct leat_otlp_receiver),
    .check = check,
    .open = otlp_open,
    .drain = otlp_drain,
    .close = otlp_close,
};
