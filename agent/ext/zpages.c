/* zpages extension: what runs here, as plain HTML pages under /debug/.
 *
 * Source of paths and keys: collector extension/zpagesextension. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "ext/house_text.h"
#include "flow/component.h"
#include "io/server.h"

#define PAGE_MAX ((size_t)16 << 20) /* bytes: the metrics of a very large configuration */

struct expvar_conf {
    bool enabled;
};

struct conf {
    struct leat_server_conf server;
    struct expvar_conf expvar;
};

static const struct leat_field expvar_fields[] = {
    LEAT_BOOL(struct expvar_conf, enabled, "false", "Serve /debug/expvarz: the metrics as text."),
    LEAT_END,
};

static const struct leat_field fields[] = {
    LEAT_INLINE(struct conf, server, leat_server_http_fields, struct leat_server_conf,
                "The HTTP server.", .def = "endpoint=localhost:55679"),
    LEAT_GROUP(struct conf, expvar, expvar_fields, struct expvar_conf, "The page of variables."),
    LEAT_END,
};

enum page { INDEX, SERVICE, PIPELINES, EXTENSIONS, FEATURES, TRACES, VARIABLES, PAGES };

static const struct leat_route routes[PAGES] = {
    {.path = "/debug", .tag = INDEX},
    {.path = "/debug/servicez", .tag = SERVICE},
    {.path = "/debug/pipelinez", .tag = PIPELINES},
    {.path = "/debug/extensionz", .tag = EXTENSIONS},
    {.path = "/debug/featurez", .tag = FEATURES},
    {.path = "/debug/tracez", .tag = TRACES},
    {.path = "/debug/expvarz", .tag = VARIABLES},
};

static const char *const titles[PAGES] = {"Pages",         "Service",    "Pipelines", "Extensions",
                                          "Feature gates", "Own traces", "Variables"};

struct zpages {
    const struct leat_env *env;
    const struct conf *conf;
    struct leat_service service;
    struct leat_server *server;
};

static void check(const void *conf_, struct leat_check *c)
{
    const struct conf *conf = conf_;

    leat_server_check(&conf->server, false, "", c);
}

/* --- pages */

static void put_row(struct leat_text *t, const char *name, const char *value)
{
    leat_text_str(t, "<tr><th>");
    leat_html_str(t, name);
    leat_text_str(t, "</th><td>");
    leat_html_str(t, value);
    leat_text_str(t, "</td></tr>\n");
}

static void put_index(struct leat_text *t)
{
    leat_text_str(t, "<ul>\n");
    for (int p = SERVICE; p < PAGES; p++)
        leat_text_printf(t, "<li><a href=\"%s\">%s</a></li>\n", routes[p].path, titles[p]);
    leat_text_str(t, "</ul>\n");
}

static void put_service(struct leat_text *t, const struct leat_house *house)
{
    leat_text_str(t, "<table>\n");
    put_row(t, "Program", "leat");
    put_row(t, "Version", house->version);
    put_row(t, "State", leat_house_state_name(house->state(house->self)));
    leat_text_str(t, "<tr><th>Started</th><td>");
    leat_house_since(t, house);
    leat_text_str(t, "</td></tr>\n<tr><th>Uptime</th><td>");
    leat_house_uptime(t, house);
    leat_text_printf(t, "</td></tr>\n<tr><th>Workers</th><td>%u</td></tr>\n</table>\n",
                     house->workers);
}

static void put_ids(struct leat_text *t, const char *const *ids)
{
    leat_text_str(t, "<td>");
    for (size_t i = 0; ids != NULL && ids[i] != NULL; i++) {
        leat_text_str(t, i > 0 ? ", " : "");
        leat_html_str(t, ids[i]);
    }
    leat_text_str(t, "</td>");
}

static void put_pipelines(struct leat_text *t, const struct leat_house *house)
{
    leat_text_str(t, "<table>\n<tr><th>Pipeline</th><th>Signal</th><th>Receivers</th>"
                     "<th>Processors</th><th>Exporters</th></tr>\n");
    for (uint32_t i = 0; i < house->npipelines; i++) {
        const struct leat_house_pipeline *p = &house->pipelines[i];
        leat_text_str(t, "<tr><td>");
        leat_html_str(t, p->id);
        leat_text_str(t, "</td><td>");
        leat_html_str(t, p->signal);
        leat_text_str(t, "</td>");
        put_ids(t, p->receivers);
        put_ids(t, p->processors);
        put_ids(t, p->exporters);
        leat_text_str(t, "</tr>\n");
    }
    leat_text_str(t, "</table>\n");
}

static void put_extensions(struct leat_text *t, const struct leat_house *house)
{
    leat_text_str(t, "<table>\n<tr><th>Extension</th><th>Type</th></tr>\n");
    for (uint32_t i = 0; i < house->ncomponents; i++) {
        const struct leat_house_component *c = &house->components[i];
        if (strcmp(c->kind, "extension") != 0)
            continue;
        put_row(t, c->id, c->type);
    }
    leat_text_str(t, "</table>\n");
}

static void put_variables(struct leat_text *t, const struct leat_house *house)
{
    struct leat_text metrics;

    leat_text_init(&metrics, PAGE_MAX);
    house->metrics(house->self, &metrics);
    leat_text_str(t, "<pre>\n");
    leat_html_str(t, leat_text_get(&metrics));
    leat_text_str(t, "</pre>\n");
    leat_text_done(&metrics);
}

static void put_body(struct leat_text *t, const struct zpages *self, enum page page)
{
    const struct leat_house *house = self->env->house;

    switch (page) {
    case SERVICE:
        put_service(t, house);
        break;
    case PIPELINES:
        put_pipelines(t, house);
        break;
    case EXTENSIONS:
        put_extensions(t, house);
        break;
    case FEATURES:
        leat_text_str(t, "<p>There are no feature gates here.</p>\n");
        break;
    case TRACES:
        leat_text_str(t, "<p>Traces of the program's own work are not kept; see its metrics and "
                         "its log.</p>\n");
        break;
    case VARIABLES:
        put_variables(t, house);
        break;
    default:
        put_index(t);
    }
}

static void put_page(struct leat_text *t, const struct zpages *self, enum page page)
{
    leat_text_printf(t,
                     "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                     "<title>leat: %s</title>\n<style>body{font-family:sans-serif;margin:2em}"
                     "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.3em .6em;"
                     "text-align:left;vertical-align:top}</style></head>\n<body><h1>%s</h1>\n",
                     titles[page], titles[page]);
    put_body(t, self, page);
    if (page != INDEX)
        leat_text_str(t, "<p><a href=\"/debug\">All pages</a></p>\n");
    leat_text_str(t, "</body></html>\n");
}

static void take(void *self_, struct leat_call *call)
{
    struct zpages *self = self_;
    enum page page = (enum page)leat_call_info(call)->route->tag;
    struct leat_reply reply = {.status = 200, .content_type = "text/html; charset=utf-8"};
    struct leat_text text;

    leat_text_init(&text, PAGE_MAX);
    put_page(&text, self, page);
    reply.body = leat_text_bytes(&text);
    if (!leat_text_ok(&text))
        reply = (struct leat_reply){.status = 503,
                                    .content_type = "text/plain",
                                    .body = leat_bytes_str("no memory for this page\n")};
    leat_call_reply(call, &reply);
    leat_text_done(&text);
}

/* --- life */

static int open_zpages(void *self_, const struct leat_env *env, struct leat_err *err)
{
    struct zpages *self = self_;
    struct leat_server_env server_env = {
        .loop = env->loop, .codecs = env->codecs, .auth = env->auth, .who = env->id};

    self->env = env;
    self->conf = env->conf;
    self->service = (struct leat_service){
        .self = self,
        .routes = routes,
        .nroutes = self->conf->expvar.enabled ? PAGES : VARIABLES, /* it is the last one */
        .take = take,
    };
    self->server = leat_server_new(&self->conf->server, &self->service, &server_env, err);
    if (self->server == NULL)
        return -1;
    leat_info(env->id, "listening on %s", leat_server_text(self->server));
    return 0;
}

static void close_zpages(void *self_)
{
    struct zpages *self = self_;

    leat_server_free(self->server);
}

const struct leat_component leat_extension_zpages = {
    .type = "zpages",
    .kind = LEAT_EXTENSION,
    .summary = "Shows what runs here, as plain pages under /debug/.",
    .fields = fields,
    .conf_size = sizeof(struct conf),
    .self_size = sizeof(struct zpages),
    .single = true,
    .check = check,
    .open = open_zpages,
    .close = close_zpages,
};
