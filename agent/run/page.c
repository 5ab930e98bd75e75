/* The program's own pages. */
#include "run/page.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/text.h"
#include "run/suffix.h"

#define PAGE_BYTES ((size_t)64 * 1024 * 1024)

struct leat_page {
    struct leat_server_conf conf;
    struct leat_service service;
    struct leat_server *server;
    const struct leat_house *house;
    bool with_types, with_units;
    void (*status)(void *arg, struct leat_text *out);
    void *arg;
};

enum { METRICS, HINT, STATUS };

static const struct leat_route routes[] = {
    {.path = "/metrics", .method = "GET", .tag = METRICS},
    {.path = "/", .method = "GET", .tag = HINT},
    {.path = "/status", .method = "GET", .tag = STATUS}, /* the last: not on every page */
};

static void metrics(const struct leat_page *p, struct leat_text *out)
{
    struct leat_text plain;

    if (!p->with_types && !p->with_units) {
        p->house->metrics(p->house->self, out);
        return;
    }
    leat_text_init(&plain, PAGE_BYTES);
    p->house->metrics(p->house->self, &plain);
    if (leat_text_ok(&plain))
        leat_suffix_page(leat_text_bytes(&plain), p->with_units, p->with_types, out);
    else
        out->failed = true;
    leat_text_done(&plain);
}

static void take(void *self, struct leat_call *call)
{
    struct leat_page *p = self;
    struct leat_text text;
    struct leat_reply reply = {.status = 200, .content_type = "text/plain; version=0.0.4"};

    leat_text_init(&text, PAGE_BYTES);
    switch (leat_call_info(call)->route->tag) {
    case HINT:
        leat_text_str(&text, "Leat's own metrics are at /metrics\n");
        if (p->status != NULL)
            leat_text_str(&text, "What it is doing, in JSON, is at /status\n");
        reply.content_type = "text/plain";
        break;
    case STATUS:
        p->status(p->arg, &text);
        reply.content_type = "application/json";
        break;
    default:
        metrics(p, &text);
    }
    if (!leat_text_ok(&text))
        reply.status = 503;
    else
        reply.body = leat_text_bytes(&text);
    leat_call_reply(call, &reply);
    leat_text_done(&text);
}

struct leat_page *leat_page_new(const struct leat_page_conf *conf, struct leat_loop *loop,
                                const struct leat_house *house, struct leat_err *err)
{
    struct leat_page *p = leat_new(sizeof *p);
    struct leat_server_env env = {
        .loop = loop, .who = conf->who, .permissions = conf->unix_socket ? 0600 : 0};

    p->conf = (struct leat_server_conf){.endpoint = conf->endpoint,
                                        .transport = conf->unix_socket ? "unix" : "tcp",
                                        .keep_alives_enabled = true};
    p->house = house;
    p->with_types = conf->names != NULL && !conf->names->without_type_suffix;
    p->with_units = conf->names != NULL && !conf->names->without_units;
    p->status = conf->status;
    p->arg = conf->arg;
    p->service =
        (struct leat_service){.self = p,
                              .routes = routes,
                              .nroutes = sizeof routes / sizeof *routes - (conf->status == NULL),
                              .take = take};
    p->server = leat_server_new(&p->conf, &p->service, &env, err);
    if (p->server == NULL) {
        leat_free(p);
        return NULL;
    }
    return p;
}

const char *leat_page_text(const struct leat_page *p)
{
    return leat_server_text(p->server);
}

void leat_page_free(struct leat_page *p)
{
    if (p == NULL)
        return;
    leat_server_free(p->server);
    leat_free(p);
}
