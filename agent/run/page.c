/* The program's own metrics page. */
#include "run/page.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#define PAGE_BYTES ((size_t)64 * 1024 * 1024)

struct leat_page {
    struct leat_server_conf conf;
    struct leat_service service;
    struct leat_server *server;
    const struct leat_house *house;
};

static const struct leat_route routes[] = {
    {.path = "/metrics", .method = "GET"},
    {.path = "/", .method = "GET", .tag = 1},
};

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
        p->house->metrics(p->house->self, &text);
    }
    if (!leat_text_ok(&text))
        reply.status = 503;
    else
        reply.body = leat_text_bytes(&text);
    leat_call_reply(call, &reply);
    leat_text_done(&text);
}

struct leat_page *leat_page_new(const char *endpoint, struct leat_loop *loop,
                                const struct leat_house *house, struct leat_err *err)
{
    struct leat_page *p = leat_new(sizeof *p);
    struct leat_server_env env = {.loop = loop, .who = "metrics"};

    p->conf = (struct leat_server_conf){
        .endpoint = endpoint, .transport = "tcp", .keep_alives_enabled = true};
    p->house = house;
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
