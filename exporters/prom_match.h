/* Which series a scrape asks for: the match[] parameters of its query, Prometheus' selectors.
 *
 * A selector is a name, matchers in braces, or both: up{job="x",instance!="y",path=~"/api/.+"}. A
 * series is chosen when one of the selectors fits. Whole metrics are chosen: a name may be that of
 * a family or of any of its samples, and `le` and `quantile` are no labels of theirs.
 *
 * Of RE2's expressions exporters/prom_regex.h says what is known. */
#ifndef LEAT_EXPORTERS_PROM_MATCH_H
#define LEAT_EXPORTERS_PROM_MATCH_H

#include <stdbool.h>

#include "base/bytes.h"
#include "proto/prom_text.h"

struct leat_err;
struct leat_scrape_match;

/* Reads the match[] parameters of a URL's query. 0, and *ret is NULL when there are none; -1 and
 * `err`: one of them is no selector, or they are too many. */
int leat_scrape_match_new(struct leat_bytes query, struct leat_scrape_match **ret,
                          struct leat_err *err);
void leat_scrape_match_free(struct leat_scrape_match *m); /* takes NULL */
/* Of a family's series some may be chosen. */
bool leat_scrape_match_family(struct leat_scrape_match *m, const struct leat_scrape_family *f);
/* Of the family that was asked for last: this series is chosen. */
bool leat_scrape_match_series(struct leat_scrape_match *m, const struct leat_scrape_series *s);
/* What its expressions have cost so far, in steps of some nanoseconds. */
size_t leat_scrape_match_steps(const struct leat_scrape_match *m);

#endif
