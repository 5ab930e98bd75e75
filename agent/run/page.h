/* The program's own pages, read-only: GET /metrics in Prometheus text, and where asked for GET
 * /status in JSON. */
#ifndef LEAT_RUN_PAGE_H
#define LEAT_RUN_PAGE_H

#include "flow/house.h"
#include "io/server.h"
#include "run/settings.h"

struct leat_page;

struct leat_page_conf {
    const char *who;      /* for the log */
    const char *endpoint; /* host:port, or a path */
    bool unix_socket;     /* a path: only this program's user may connect (0600) */
    /* Which endings the names of metrics have; NULL: the collector's default, none. */
    const struct leat_prometheus_reader_settings *names;
    void (*status)(void *arg, struct leat_text *out); /* NULL: no /status */
    void *arg;
};

/* Serves house->metrics() on this loop. conf->who must outlive the page. NULL and `err`. */
struct leat_page *leat_page_new(const struct leat_page_conf *conf, struct leat_loop *loop,
                                const struct leat_house *house, struct leat_err *err);
const char *leat_page_text(const struct leat_page *p); /* where it listens, for messages */
void leat_page_free(struct leat_page *p);              /* takes NULL */

#endif
