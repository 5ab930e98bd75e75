/* Reading the store of a scrape page, piece by piece, while it changes: each family is met at most
 * once, in the order of their names, with its series together; each series is read from one point
 * as a whole; a series that was there all the time is met. */
#ifndef LEAT_EXPORTERS_PROM_CURSOR_H
#define LEAT_EXPORTERS_PROM_CURSOR_H

#include <stdbool.h>

#include "base/list.h"

struct leat_scrape_family; /* proto/prom_text.h */
struct leat_scrape_family_node;
struct leat_scrape_item;
struct leat_scrape_series;
struct leat_scrape_store;

/* A place in the store. */
struct leat_scrape_cursor {
    struct leat_link link;                  /* private */
    struct leat_scrape_family_node *family; /* where it is; NULL: before the first */
    struct leat_scrape_item *item;          /* the next one in it; NULL: none */
};
void leat_scrape_cursor_open(struct leat_scrape_store *s, struct leat_scrape_cursor *c);
void leat_scrape_cursor_close(struct leat_scrape_store *s, struct leat_scrape_cursor *c);
/* Goes to the next family; false: there is none. What it returns stays until the next call. */
bool leat_scrape_cursor_family(struct leat_scrape_store *s, struct leat_scrape_cursor *c,
                               struct leat_scrape_family *ret);
/* The next series of that family; false: there is none. What it returns stays until the store is
 * touched. */
bool leat_scrape_cursor_series(struct leat_scrape_cursor *c, struct leat_scrape_series *ret);

#endif
