/* The page that is scraped: /metrics, and /federate with selectors, over HTTP. */
#ifndef LEAT_EXPORTERS_PROM_PAGE_H
#define LEAT_EXPORTERS_PROM_PAGE_H

#include <stdbool.h>
#include <stdint.h>

struct leat_counter;
struct leat_err;
struct leat_scrape_store;
struct leat_server_conf;
struct leat_server_env;

struct leat_scrape_page_conf {
    const struct leat_server_conf *server;
    bool open;                           /* OpenMetrics for those who ask for it */
    bool stamped, created;               /* see struct leat_scrape_style */
    struct leat_counter *scrapes, *sent; /* answers begun, and their bytes; NULL: not counted */
    void (*expire)(void *arg);           /* removes what has expired: before each scrape, and … */
    void *arg;
    int64_t every; /* … so often, in ns */
};

struct leat_scrape_page;

/* NULL and `err`: it cannot listen. What is pointed at must outlive the page. */
struct leat_scrape_page *leat_scrape_page_new(const struct leat_scrape_page_conf *conf,
                                              const struct leat_server_env *env,
                                              struct leat_scrape_store *store,
                                              struct leat_err *err);
const char *leat_scrape_page_text(const struct leat_scrape_page *p); /* addresses, for messages */
/* As leat_server_drain(). */
void leat_scrape_page_drain(struct leat_scrape_page *p, void (*drained)(void *arg), void *arg);
void leat_scrape_page_free(
    struct leat_scrape_page *p); /* takes NULL; scrapes under way are cut off */

#endif
