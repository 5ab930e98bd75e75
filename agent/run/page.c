/* The program's own metrics page. */
#include "run/page.h"

#include "base/bytes.h"
#include "base/log.h"
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
};

static const struct leat_route routes[] = {
    {.path = "/metrics", .method = "GET"},
    {.path = "/", .method = "GET", .tag = 1},
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
    if (leat_call_info(call)->route->tag == 1) {
        leat_text_str(&text, "Leat's own metrics are at /metrics\n");
        reply.content_type = "text/plain";
    } else {
        metrics(p, &text);
    }
    if (!leat_text_ok(&text))
        reply.status = 503;
    else
        reply.body = leat_text_bytes(&text);
    leat_call_reply(call, &reply);
    leat_text_done(&text);
}

struct leat_page *leat_page_new(const char *endpoint,
                                const struct leat_prometheus_reader_settings *names,
                                struct leat_loop *loop, const struct leat_house *house,
                                struct leat_err *err)
{
    struct leat_page *p = leat_new(sizeof *p);
    struct leat_server_env env = {.loop = loop, .who = "metrics"};

    p->conf = (struct leat_server_conf){
        .endpoint = endpoint, .transport = "tcp", .keep_alives_enabled = true};
    p->house = house;
    p->with_types = names != NULL && !names->without_type_suffix;
    p->with_units = names != NULL && !names->without_units;
    p->service = (struct leat_service){
        .self = p, .routes = routes, .nroutes = sizeof routes / sizeof *routes, .take = take};
    p->server = leat_server_new(&p->conf, &p->service, &env, err);
    if (p->server == NULL) {
        leat_free(p);
        return NULL;
    }
    leat_info(NULL, "own metrics at http://%s/metrics", leat_server_text(p->server));
    return p;
}

void leat_page_free(struct leat_page *p)
{
    if (p == NULL)
        return;
    leat_server_free(p->server);
    leat_free(p);
}
