/* The page that is scraped: one answer is a cursor through the store, read by the client's pace. */
#include "exporters/prom_page.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/meter.h"
#include "exporters/prom_accept.h"
#include "exporters/prom_cursor.h"
#include "exporters/prom_match.h"
#include "io/gzip_stream.h"
#include "io/loop.h"
#include "io/server.h"

#define SCRAPES_MAX  40                  /* answers under way at a time */
#define SCRAPE_TIME  (300 * LEAT_SEC)    /* and for so long: a place is not kept for who dawdles */
#define PIECE        ((size_t)64 * 1024) /* bytes of text made at a time … */
#define PIECE_VISITS 2000u               /* … or so many series looked at */
#define PIECE_STEPS  ((size_t)500000)    /* … or so much work for selectors */
#define PIECE_MAX    ((size_t)6 * 1024 * 1024)
#define HEADERS      2

enum { METRICS, FEDERATE };
static const struct leat_route routes[] = {
    {.path = "/metrics", .method = "GET", .tag = METRICS},
    {.path = "/federate", .method = "GET", .tag = FEDERATE},
};

struct leat_scrape_page {
    struct leat_scrape_page_conf conf;
    struct leat_scrape_store *store;
    struct leat_service service;
    struct leat_server *server;
    struct leat_timer *timer;
    unsigned scrapes;
};

struct scrape {
    struct leat_scrape_page *page;
    struct leat_scrape_style style;
    struct leat_scrape_cursor cursor;
    struct leat_scrape_family family;
    bool inside;                     /* in that family */
    bool headed;                     /* its head is written */
    struct leat_scrape_match *match; /* NULL: everything */
    struct leat_gzip_stream *gzip;   /* NULL: as it is */
    struct leat_text plain;          /* what is to be compressed */
    int64_t begun;                   /* monotonic ns */
};

/* --- one answer */

static void scrape_free(void *self)
{
    struct scrape *x = self;

    leat_scrape_cursor_close(x->page->store, &x->cursor);
    x->page->scrapes--;
    leat_scrape_match_free(x->match);
    leat_gzip_stream_free(x->gzip);
    leat_text_done(&x->plain);
    leat_free(x);
}

static size_t steps_of(const struct scrape *x)
{
    return x->match != NULL ? leat_scrape_match_steps(x->match) : 0;
}

/* Goes to the next family; false: the page ends. */
static bool next_family(struct scrape *x)
{
    if (!leat_scrape_cursor_family(x->page->store, &x->cursor, &x->family))
        return false;
    x->inside = x->match == NULL || leat_scrape_match_family(x->match, &x->family);
    x->headed = false;
    return true;
}

static void write_series(struct scrape *x, const struct leat_scrape_series *s,
                         struct leat_text *out)
{
    if (x->match != NULL && !leat_scrape_match_series(x->match, s))
        return;
    if (!x->headed)
        leat_scrape_head_write(&x->style, &x->family, out);
    x->headed = true;
    leat_scrape_series_write(&x->style, &x->family, s, out);
}

/* Appends up to a piece of the page; true: this was the end of it. */
static bool write_piece(struct scrape *x, struct leat_text *out)
{
    struct leat_scrape_series series;
    size_t from = out->len, steps = steps_of(x);
    unsigned visits = 0;

    for (; visits < PIECE_VISITS && out->len - from < PIECE && leat_text_ok(out) &&
           steps_of(x) - steps < PIECE_STEPS;
         visits++) {
        if (x->inside && leat_scrape_cursor_series(&x->cursor, &series)) {
            write_series(x, &series, out);
        } else if (!next_family(x)) {
            leat_scrape_end_write(&x->style, out);
            return true;
        }
    }
    return false;
}

static enum leat_reply_more scrape_next(void *self, struct leat_text *out)
{
    struct scrape *x = self;
    size_t from = out->len;
    bool last;

    if (leat_clock_mono() - x->begun > SCRAPE_TIME)
        return LEAT_REPLY_CUT;
    if (x->gzip == NULL) {
        last = write_piece(x, out);
    } else {
        leat_text_clear(&x->plain);
        last = write_piece(x, &x->plain);
        leat_gzip_stream_add(x->gzip, leat_text_bytes(&x->plain), last, out);
    }
    if (!leat_text_ok(out) || !leat_text_ok(&x->plain))
        return LEAT_REPLY_CUT;
    if (x->page->conf.sent != NULL)
        leat_count(x->page->conf.sent, out->len - from);
    return last ? LEAT_REPLY_LAST : LEAT_REPLY_MORE;
}

/* --- requests */

static void refuse(struct leat_call *call, uint32_t status, uint32_t retry_s, const char *text)
{
    struct leat_reply reply = {.status = status,
                               .content_type = "text/plain; charset=utf-8",
                               .body = leat_bytes_str(text),
                               .retry_after_s = retry_s};

    leat_call_reply(call, &reply);
}

/* NULL: answered. */
static struct scrape *scrape_new(struct leat_scrape_page *p, struct leat_call *call,
                                 const char **ret_type)
{
    bool gzip = leat_scrape_accept_gzip(leat_call_header(call, "accept-encoding"));
    struct scrape *x = p->scrapes < SCRAPES_MAX ? leat_try_zeroed(sizeof *x) : NULL;

    if (x != NULL && gzip)
        x->gzip = leat_gzip_stream_new();
    if (x == NULL || (gzip && x->gzip == NULL)) {
        leat_free(x);
        refuse(call, 503, 1, "too many scrapes at a time: try again later\n");
        return NULL;
    }
    x->page = p;
    x->begun = leat_clock_mono();
    x->style.stamped = p->conf.stamped;
    x->style.created = p->conf.created;
    *ret_type = leat_scrape_accept(leat_call_header(call, "accept"), p->conf.open, &x->style);
    leat_text_init(&x->plain, PIECE_MAX);
    leat_scrape_cursor_open(p->store, &x->cursor);
    p->scrapes++;
    if (p->conf.scrapes != NULL)
        leat_count(p->conf.scrapes, 1);
    return x;
}

static void take(void *self, struct leat_call *call)
{
    static const struct leat_pair headers[HEADERS] = {{"vary", "accept, accept-encoding"},
                                                      {"content-encoding", "gzip"}};
    struct leat_scrape_page *p = self;
    struct leat_reply_source source = {.next = scrape_next, .done = scrape_free};
    struct leat_reply reply = {.status = 200, .headers = headers, .nheaders = 1, .source = &source};
    struct leat_scrape_match *match;
    struct leat_err err = {""};

    if (leat_scrape_match_new(leat_call_info(call)->query, &match, &err) < 0) {
        refuse(call, 400, 0, err.text);
        return;
    }
    if (match == NULL && leat_call_info(call)->route->tag == FEDERATE) {
        refuse(call, 400, 0, "which series? give one or more match[]=SELECTOR, or ask /metrics\n");
        return;
    }
    p->conf.expire(p->conf.arg);
    source.self = scrape_new(p, call, &reply.content_type);
    if (source.self == NULL) {
        leat_scrape_match_free(match);
        return;
    }
    ((struct scrape *)source.self)->match = match;
    if (((struct scrape *)source.self)->gzip != NULL)
        reply.nheaders = HEADERS;
    leat_call_reply(call, &reply);
}

/* --- life */

static void on_timer(void *arg)
{
    struct leat_scrape_page *p = arg;

    p->conf.expire(p->conf.arg);
}

struct leat_scrape_page *leat_scrape_page_new(const struct leat_scrape_page_conf *conf,
                                              const struct leat_server_env *env,
                                              struct leat_scrape_store *store, struct leat_err *err)
{
    struct leat_scrape_page *p = leat_new(sizeof *p);

    p->conf = *conf;
    p->store = store;
    p->service = (struct leat_service){
        .self = p, .routes = routes, .nroutes = sizeof routes / sizeof *routes, .take = take};
    p->server = leat_server_new(conf->server, &p->service, env, err);
    if (p->server == NULL) {
        leat_free(p);
        return NULL;
    }
    p->timer = leat_timer_new(env->loop, on_timer, p);
    leat_timer_background(p->timer);
    leat_timer_start(p->timer, conf->every, conf->every);
    return p;
}

const char *leat_scrape_page_text(const struct leat_scrape_page *p)
{
    return leat_server_text(p->server);
}

void leat_scrape_page_drain(struct leat_scrape_page *p, void (*drained)(void *arg), void *arg)
{
    leat_server_drain(p->server, drained, arg);
}

void leat_scrape_page_free(struct leat_scrape_page *p)
{
    if (p == NULL)
        return;
    leat_server_free(p->server);
    leat_timer_free(p->timer);
    leat_free(p);
}
