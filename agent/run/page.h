/* The program's own metrics page: GET /metrics in Prometheus text. */
#ifndef LEAT_RUN_PAGE_H
#define LEAT_RUN_PAGE_H

#include "flow/house.h"
#include "io/server.h"
#include "run/settings.h"

struct leat_page;

/* Serves house->metrics() at `endpoint` on this loop. `names`: which endings the names have; NULL:
 * the collector's default, none. NULL and `err`. */
struct leat_page *leat_page_new(const char *endpoint,
                                const struct leat_prometheus_reader_settings *names,
                                struct leat_loop *loop, const struct leat_house *house,
                                struct leat_err *err);
void leat_page_free(struct leat_page *p); /* takes NULL */

#endif
