/* Metrics into the store of a scrape page and out of it, for tests. */
#ifndef LEAT_TESTS_PROM_HELP_H
#define LEAT_TESTS_PROM_HELP_H

#include "base/budget.h"
#include "exporters/prom_cursor.h"
#include "exporters/prom_store.h"
#include "lib/prom_parse.h"
#include "proto/prom_text.h"

struct scrape_rig {
    struct leat_budget budget;
    struct leat_scrape_store_conf conf;
    struct leat_scrape_store *store;
    uint64_t dropped[LEAT_SCRAPE_DROPS];
    uint64_t fail_at; /* the n-th allocation while a request is taken fails; 0: none */
    struct leat_scrape_style style;
    struct leat_text page;
    struct prom_parsed parsed; /* of the last scrape_rig_page() */
};

/* Clocks stand still at 1000 s. Defaults: 5 min, exemplars, 1000 series, 4 MiB. What is to differ
 * is set between the two. */
void scrape_rig_init(struct scrape_rig *r);
void scrape_rig_start(struct scrape_rig *r);
void scrape_rig_done(struct scrape_rig *r); /* checks that nothing stays charged */

/* A request of this JSON; returns how many points were dropped. */
uint32_t scrape_rig_json(struct scrape_rig *r, const char *json);
/* One metric of one resource: shop/i-1, which the labels of all series show as instance and job.
 * `metric` is the inside of a Metric object, in JSON. */
uint32_t scrape_rig_metric(struct scrape_rig *r, const char *metric, ...)
    __attribute__((format(printf, 2, 3)));
enum { PROM_DELTA = 1, PROM_CUMULATIVE = 2 };
/* One point each, without scope; times in ns. */
uint32_t scrape_rig_sum(struct scrape_rig *r, const char *name, int temporality, bool monotonic,
                        int start, int time, int v);
uint32_t scrape_rig_gauge(struct scrape_rig *r, const char *name, const char *key,
                          const char *value, int time, double v); /* with one attribute */
/* "h"; `rest` is what else is in the point, in JSON. */
uint32_t scrape_rig_histogram(struct scrape_rig *r, int temporality, int time, const char *rest);
#define PROM_HISTOGRAM                                                                             \
    "\"count\":\"6\",\"sum\":10,\"bucketCounts\":[1,2,3],\"explicitBounds\":[0.5,1]"

/* Writes and parses the page; ends the test when it is not sound. */
void scrape_rig_page(struct scrape_rig *r);
/* The value of a sample on the page as it is now, by name and own labels ("" or "a=b,c=d", without
 * those of resource and scope, which stand around them); NAN: it is not there. */
double scrape_rig_value(struct scrape_rig *r, const char *name, const char *labels);

/* The same, compared. */
#define PROM_IS(r, name, labels, v)                                                                \
    do {                                                                                           \
        double is = scrape_rig_value(r, name, labels), wanted = v;                                 \
        if (!(is == wanted) && !(isnan(is) && isnan(wanted)))                                      \
            fail_msg("%s{%s} is %g, not %g:\n%s", name, labels, is, wanted,                        \
                     leat_text_get(&(r)->page));                                                   \
    } while (0)

#endif
