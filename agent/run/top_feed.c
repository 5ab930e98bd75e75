/* Asks an admin socket for reports. */
#include "run/top_feed.h"

#include "base/clock.h"
#include "base/mem.h"
#include "io/client.h"
#include "io/loop.h"

#define TIMEOUT_NS (5 * LEAT_SEC)

struct leat_top_feed {
    struct leat_client_conf conf;
    char *url;
    struct leat_client *client;
    struct leat_exchange exchange;
    bool asking, ending;
    void (*told)(void *arg, struct leat_report *r, const char *why);
    void *arg;
};

static void answered(struct leat_exchange *x, const struct leat_answer *a)
{
    struct leat_top_feed *f = LEAT_OWNER(x, struct leat_top_feed, exchange);
    struct leat_report *r = NULL;
    struct leat_err err = {""};

    f->asking = false;
    if (f->ending)
        return;
    if (a->net != LEAT_NET_OK)
        leat_fail(&err, "%s", a->why);
    else if (a->status != 200)
        leat_fail(&err, "the answer was HTTP status %u", a->status);
    else
        r = leat_report_read(a->body, &err);
    f->told(f->arg, r, r == NULL ? err.text : NULL);
}

struct leat_top_feed *leat_top_feed_new(struct leat_loop *loop, const char *path,
                                        void (*told)(void *arg, struct leat_report *r,
                                                     const char *why),
                                        void *arg, struct leat_err *err)
{
    struct leat_top_feed *f = leat_new(sizeof *f);
    struct leat_client_env env = {.loop = loop, .who = "top", .max_answer = LEAT_REPORT_BYTES};

    f->told = told;
    f->arg = arg;
    f->url = leat_format("unix:%s", path);
    f->conf.endpoint = f->url;
    f->client = leat_client_new(&f->conf, NULL, &env, err);
    if (f->client != NULL)
        return f;
    leat_free(f->url);
    leat_free(f);
    return NULL;
}

void leat_top_feed_ask(struct leat_top_feed *f)
{
    if (f->asking)
        return;
    f->asking = true;
    f->exchange = (struct leat_exchange){
        .method = "GET", .path = "/status", .timeout = TIMEOUT_NS, .done = answered};
    leat_client_send(f->client, &f->exchange);
}

void leat_top_feed_free(struct leat_top_feed *f)
{
    if (f == NULL)
        return;
    f->ending = true;
    leat_client_free(f->client);
    leat_free(f->url);
    leat_free(f);
}

/* --- once */

struct once {
    struct leat_loop *loop;
    struct leat_top_feed *feed;
    struct leat_timer *timer;
    int64_t interval;
    struct leat_report *first, *result;
    struct leat_err *err;
};

static void again(void *arg)
{
    struct once *o = arg;

    leat_top_feed_ask(o->feed);
}

static void once_told(void *arg, struct leat_report *r, const char *why)
{
    struct once *o = arg;

    if (r != NULL && o->interval > 0 && o->first == NULL) {
        o->first = r;
        leat_timer_start(o->timer, o->interval, 0);
        return;
    }
    if (r == NULL)
        leat_fail(o->err, "%s", why);
    else if (o->first != NULL)
        leat_report_rate(r, o->first);
    o->result = r;
    leat_loop_stop(o->loop);
}

struct leat_report *leat_top_ask(const char *path, int64_t interval, struct leat_err *err)
{
    struct once o = {.interval = interval, .err = err, .loop = leat_loop_new(err)};

    if (o.loop == NULL)
        return NULL;
    o.timer = leat_timer_new(o.loop, again, &o);
    o.feed = leat_top_feed_new(o.loop, path, once_told, &o, err);
    if (o.feed != NULL) {
        leat_top_feed_ask(o.feed);
        leat_loop_run(o.loop);
    }
    leat_top_feed_free(o.feed);
    leat_timer_free(o.timer);
    leat_loop_free(o.loop);
    leat_report_free(o.first);
    return o.result;
}
