/* Which form of the page a scraper gets: Accept and Accept-Encoding. */
#ifndef LEAT_EXPORTERS_PROM_ACCEPT_H
#define LEAT_EXPORTERS_PROM_ACCEPT_H

#include "base/bytes.h"
#include "proto/prom_text.h"

/* Chooses as client_golang does: the first form of the header that we have, the largest q first;
 * the text format 0.0.4 when there is none. `open`: OpenMetrics is offered. Sets style->open and
 * style->quotes, and returns the Content-Type. */
const char *leat_scrape_accept(struct leat_bytes header, bool open,
                               struct leat_scrape_style *style);

/* Accept-Encoding allows gzip. */
bool leat_scrape_accept_gzip(struct leat_bytes header);

#endif
