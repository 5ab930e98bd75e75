/* health_check extension: 200 while the program is ready, 503 while it starts or stops.
 *
 * Source of keys: collector contrib extension/healthcheckextension and, for type healthcheckv2 with
 * use_v2, extension/healthcheckv2extension (HTTP only). */
#include <string.h>

#include "base/json_quote.h"
#include "base/log.h"
#include "base/mem.h"
#include "ext/house_text.h"
#include "flow/component.h"
#include "io/server.h"

#define ANSWER_MAX ((size_t)4 << 20) /* bytes: the tree of a very large configuration */

struct page_conf {
    bool enabled;
    const char *path;
};

struct http_conf { /* of healthcheckv2 */
    struct leat_server_conf server;
    struct page_conf status, config;
};

struct bodies_conf {
    const char *healthy, *unhealthy;
};

struct conf {
    struct leat_server_conf server;
    const char *path;
    struct bodies_conf response_body;
    bool use_v2, has_http, has_grpc;
    struct http_conf http;
    const struct leat_node *grpc;
};

static const struct leat_field bodies_fields[] = {
    LEAT_STRING(struct bodies_conf, healthy, NULL, "Body of a 200, instead of the JSON."),
    LEAT_STRING(struct bodies_conf, unhealthy, NULL, "Body of a 503, instead of the JSON."),
    LEAT_END,
};

static const struct leat_field status_fields[] = {
    LEAT_BOOL(struct page_conf, enabled, "true", "Whether the page is served."),
    LEAT_STRING(struct page_conf, path, "/status", "The path of the page."),
    LEAT_NO_EFFECT("include_attributes", "components give no attributes"),
    LEAT_END,
};

static const struct leat_field config_fields[] = {
    LEAT_BOOL(struct page_conf, enabled, "false",
              "Must be false: the configuration is not shown over HTTP; 'leat print-config' shows "
              "it."),
    LEAT_STRING(struct page_conf, path, "/config", "Has no effect."),
    LEAT_NO_EFFECT("include_attributes", "the configuration is not shown over HTTP"),
    LEAT_END,
};

static const struct leat_field http_fields[] = {
    LEAT_INLINE(struct http_conf, server, leat_server_http_fields, struct leat_server_conf,
                "The HTTP server.", .def = "endpoint=localhost:13133"),
    LEAT_GROUP(struct http_conf, status, status_fields, struct page_conf, "The health page."),
    LEAT_GROUP(struct http_conf, config, config_fields, struct page_conf,
               "A page with the configuration: not served here."),
    LEAT_END,
};

static const struct leat_field fields[] = {
    LEAT_INLINE(struct conf, server, leat_server_http_fields, struct leat_server_conf,
                "The HTTP server.", .def = "endpoint=localhost:13133"),
    LEAT_STRING(struct conf, path, "/",
                "The path that is asked; with '?verbose' it answers with every pipeline."),
    LEAT_GROUP(struct conf, response_body, bodies_fields, struct bodies_conf,
               "Bodies of one's own."),
    LEAT_NO_EFFECT("check_collector_pipeline",
                   "nor has it in the collector; exporters that fail are seen in the metrics "
                   "otelcol_exporter_send_failed_*"),
    LEAT_BOOL(struct conf, use_v2, "false",
              "Serve by the settings under http, as healthcheckv2 does."),
    LEAT_GROUP(struct conf, http, http_fields, struct http_conf, "With use_v2: the HTTP server.",
               .present = LEAT_PRESENT(struct conf, has_http)),
    LEAT_NODE(struct conf, grpc, "The health service over gRPC: not offered here.",
              .present = LEAT_PRESENT(struct conf, has_grpc)),
    LEAT_NO_EFFECT("component_health",
                   "the answer is about the program as a whole, not about its components"),
    LEAT_END,
};

struct health {
    const struct leat_env *env;
    const struct conf *conf;
    struct leat_route route;
    struct leat_service service;
    struct leat_server *server;
};

static void check_v2(const struct conf *conf, struct leat_check *c)
{
    if (!conf->has_http) {
        leat_check_error(c, "use_v2", "needs 'http:' beside it, with the server's settings");
        return;
    }
    if (!conf->http.status.enabled)
        leat_check_error(c, "http.status.enabled",
                         "is false, so nothing would be served: remove the extension instead");
    if (conf->http.config.enabled)
        leat_check_error(c, "http.config.enabled",
                         "the configuration is not shown over HTTP; 'leat print-config' shows it");
    if (conf->http.status.path == NULL || *conf->http.status.path != '/')
        leat_check_error(c, "http.status.path", "must start with '/'");
    leat_server_check(&conf->http.server, false, "http", c);
}

static void check(const void *conf_, struct leat_check *c)
{
    const struct conf *conf = conf_;

    if (conf->has_grpc)
        leat_check_error(c, "grpc",
                         "health over gRPC is not offered; ask http://HOST:13133/ (Kubernetes: "
                         "httpGet probes)");
    if (conf->use_v2) {
        check_v2(conf, c);
        return;
    }
    if (conf->has_http)
        leat_check_error(c, "http", "is read only with 'use_v2: true'");
    if (conf->path == NULL || *conf->path != '/')
        leat_check_error(c, "path", "must start with '/'");
    leat_server_check(&conf->server, false, "", c);
}

/* --- answers */

static void put_ids(struct leat_text *t, const char *name, const char *const *ids)
{
    leat_json_quote(t, leat_bytes_str(name));
    leat_text_str(t, ":[");
    for (size_t i = 0; ids != NULL && ids[i] != NULL; i++) {
        leat_text_str(t, i > 0 ? "," : "");
        leat_json_quote(t, leat_bytes_str(ids[i]));
    }
    leat_text_char(t, ']');
}

static void put_pipelines(struct leat_text *t, const struct leat_house *house)
{
    leat_text_str(t, ",\"pipelines\":{");
    for (uint32_t i = 0; i < house->npipelines; i++) {
        const struct leat_house_pipeline *p = &house->pipelines[i];
        leat_text_str(t, i > 0 ? "," : "");
        leat_json_quote(t, leat_bytes_str(p->id));
        leat_text_str(t, ":{");
        put_ids(t, "receivers", p->receivers);
        leat_text_char(t, ',');
        put_ids(t, "processors", p->processors);
        leat_text_char(t, ',');
        put_ids(t, "exporters", p->exporters);
        leat_text_char(t, '}');
    }
    leat_text_char(t, '}');
}

/* The collector's three members, and with `verbose` what there is to know. */
static void put_v1(struct leat_text *t, const struct leat_house *house, enum leat_house_state state,
                   bool verbose)
{
    leat_text_printf(t, "{\"status\":\"Server %s\",\"upSince\":\"",
                     state == LEAT_READY ? "available" : "not available");
    leat_house_since(t, house);
    leat_text_str(t, "\",\"uptime\":\"");
    leat_house_uptime(t, house);
    leat_text_char(t, '"');
    if (verbose) {
        leat_text_printf(t, ",\"state\":\"%s\",\"version\":", leat_house_state_name(state));
        leat_json_quote(t, leat_bytes_str(house->version));
        leat_text_printf(t, ",\"workers\":%u", house->workers);
        put_pipelines(t, house);
    }
    leat_text_char(t, '}');
}

static void put_v2(struct leat_text *t, const struct leat_house *house, enum leat_house_state state,
                   bool verbose)
{
    static const char *const names[] = {"StatusStarting", "StatusOK", "StatusStopping"};

    leat_text_str(t, "{\"start_time\":\"");
    leat_house_since(t, house);
    leat_text_printf(t, "\",\"healthy\":%s,\"status\":\"%s\"",
                     state == LEAT_READY ? "true" : "false", names[state]);
    if (verbose)
        put_pipelines(t, house);
    leat_text_char(t, '}');
}

/* Whether `name` is among the query's parameters; *ret_value gets what follows its '='. */
static bool has_param(struct leat_bytes query, const char *name, struct leat_bytes *ret_value)
{
    while (query.len > 0) {
        const uint8_t *end = memchr(query.data, '&', query.len);
        struct leat_bytes pair =
            leat_bytes(query.data, end != NULL ? (size_t)(end - query.data) : query.len);
        const uint8_t *equals = memchr(pair.data, '=', pair.len);
        size_t len = equals != NULL ? (size_t)(equals - pair.data) : pair.len;
        if (leat_bytes_is(leat_bytes(pair.data, len), name)) {
            *ret_value =
                equals != NULL ? leat_bytes(equals + 1, pair.len - len - 1) : leat_bytes(NULL, 0);
            return true;
        }
        query = end != NULL ? leat_bytes(end + 1, query.len - pair.len - 1) : leat_bytes(NULL, 0);
    }
    return false;
}

static bool is_pipeline(const struct leat_house *house, struct leat_bytes id)
{
    for (uint32_t i = 0; i < house->npipelines; i++) {
        if (leat_bytes_is(id, house->pipelines[i].id))
            return true;
    }
    return false;
}

static const char *own_body(const struct conf *conf, bool ready)
{
    if (conf->use_v2)
        return NULL;
    return ready ? conf->response_body.healthy : conf->response_body.unhealthy;
}

static void take(void *self_, struct leat_call *call)
{
    struct health *self = self_;
    const struct leat_house *house = self->env->house;
    const struct leat_call_info *info = leat_call_info(call);
    enum leat_house_state state = house->state(house->self);
    struct leat_bytes value = {0};
    bool verbose = has_param(info->query, "verbose", &value) && !leat_bytes_is(value, "false");
    const char *own = verbose ? NULL : own_body(self->conf, state == LEAT_READY);
    struct leat_reply reply = {.status = state == LEAT_READY ? 200 : 503,
                               .content_type = own != NULL ? "text/plain" : "application/json"};
    struct leat_text text;

    leat_text_init(&text, ANSWER_MAX);
    if (has_param(info->query, "pipeline", &value) && !is_pipeline(house, value))
        reply.status = 404;
    if (own != NULL)
        leat_text_str(&text, own);
    else if (self->conf->use_v2)
        put_v2(&text, house, state, verbose);
    else
        put_v1(&text, house, state, verbose);
    reply.body = leat_text_ok(&text) ? leat_text_bytes(&text) : leat_bytes(NULL, 0);
    leat_call_reply(call, &reply);
    leat_text_done(&text);
}

/* --- life */

static int open_health(void *self_, const struct leat_env *env, struct leat_err *err)
{
    struct health *self = self_;
    const struct conf *conf = env->conf;
    struct leat_server_env server_env = {
        .loop = env->loop, .codecs = env->codecs, .auth = env->auth, .who = env->id};

    self->env = env;
    self->conf = conf;
    self->route = (struct leat_route){.path = conf->use_v2 ? conf->http.status.path : conf->path};
    self->service =
        (struct leat_service){.self = self, .routes = &self->route, .nroutes = 1, .take = take};
    self->server = leat_server_new(conf->use_v2 ? &conf->http.server : &conf->server,
                                   &self->service, &server_env, err);
    if (self->server == NULL)
        return -1;
    leat_info(env->id, "listening on %s", leat_server_text(self->server));
    return 0;
}

static void close_health(void *self_)
{
    struct health *self = self_;

    leat_server_free(self->server);
}

static const char *const aliases[] = {"healthcheckv2", NULL};

const struct leat_component leat_extension_health_check = {
    .type = "health_check",
    .aliases = aliases,
    .kind = LEAT_EXTENSION,
    .summary = "Answers health probes over HTTP: 200 when ready, 503 while starting or stopping.",
    .fields = fields,
    .conf_size = sizeof(struct conf),
    .self_size = sizeof(struct health),
    .single = true,
    .check = check,
    .open = open_health,
    .close = close_health,
};
