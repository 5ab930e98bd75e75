/* The series of a scrape page: the latest point of each, found by the labels it comes out with.
 *
 * What comes in is folded into them (deltas are accumulated), what is not updated expires, and both
 * the number of series and their bytes are bounded. Read with exporters/prom_cursor.h. One thread.
 */
#ifndef LEAT_EXPORTERS_PROM_STORE_H
#define LEAT_EXPORTERS_PROM_STORE_H

#include <stddef.h>

#include "proto/prom_labels.h"
#include "proto/prom_name.h"

struct leat_budget;

/* Why a data point is not on the page. */
enum leat_scrape_drop {
    LEAT_SCRAPE_DROP_TEMPORALITY, /* a sum that is delta and not monotonic, or no temporality at all
                                   */
    LEAT_SCRAPE_DROP_OLD,         /* not newer than what is shown */
    LEAT_SCRAPE_DROP_CONFLICT,    /* its name belongs to another type */
    LEAT_SCRAPE_DROP_NAME,        /* nothing is left of its name */
    LEAT_SCRAPE_DROP_LABELS,      /* labels that collide, are reserved or too many */
    LEAT_SCRAPE_DROP_BOUNDS,      /* bounds or quantiles that do not rise */
    LEAT_SCRAPE_DROP_TOO_LARGE,   /* one series would be more than LEAT_SCRAPE_SERIES_MAX of text */
    LEAT_SCRAPE_DROP_LIMIT,       /* a new series beyond max_series or max_bytes */
    LEAT_SCRAPE_DROP_MEMORY,      /* no memory, or the budget is spent */
    LEAT_SCRAPE_DROPS,
};
const char *leat_scrape_drop_name(enum leat_scrape_drop why); /* as a label: "type_conflict" … */

/* Text of one series on the page, all its lines. */
#define LEAT_SCRAPE_SERIES_MAX ((size_t)1 << 20)
#define LEAT_SCRAPE_MARKS_MAX  2048 /* buckets or quantiles of one series */

struct leat_scrape_store_conf {
    struct leat_prom_naming naming;
    struct leat_prom_label_conf labels;
    bool exemplars;     /* are kept */
    int64_t expiration; /* ns without an update; 0: never */
    size_t max_series, max_bytes;
    struct leat_budget *budget; /* charged for what is held; NULL: nobody */
    const char *who;            /* component id, for the log */
};

struct leat_scrape_store;

/* `conf` is copied, what it points at must outlive the store. */
struct leat_scrape_store *leat_scrape_store_new(const struct leat_scrape_store_conf *conf);
void leat_scrape_store_free(struct leat_scrape_store *s); /* takes NULL; no cursor may be open */

/* Folds a checked request in. Adds to dropped[LEAT_SCRAPE_DROPS]; returns how many points were
 * dropped. */
uint32_t leat_scrape_store_take(struct leat_scrape_store *s, struct leat_bytes request,
                                uint64_t dropped[LEAT_SCRAPE_DROPS]);
/* Removes what has expired. */
void leat_scrape_store_expire(struct leat_scrape_store *s);

size_t leat_scrape_store_series(const struct leat_scrape_store *s);
size_t leat_scrape_store_families(const struct leat_scrape_store *s);
size_t leat_scrape_store_bytes(const struct leat_scrape_store *s);

#endif
