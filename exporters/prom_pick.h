/* Resource attributes that go onto every series (resource_constant_labels): chosen by globs, and
 * put among a point's own. */
#ifndef LEAT_EXPORTERS_PROM_PICK_H
#define LEAT_EXPORTERS_PROM_PICK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct leat_scrape_pick;
struct leat_strings;

/* NULL: both lists are empty. They must outlive it. */
struct leat_scrape_pick *leat_scrape_pick_new(const struct leat_strings *included,
                                              const struct leat_strings *excluded);
void leat_scrape_pick_free(struct leat_scrape_pick *p); /* takes NULL */
/* Once per resource. */
void leat_scrape_pick_resource(struct leat_scrape_pick *p, struct leat_bytes resource);
/* The point's attributes with those picked before them, as a message of its own with the same field
 * number; stays until the next call. False: no memory. */
bool leat_scrape_pick_point(struct leat_scrape_pick *p, struct leat_bytes point, uint32_t field,
                            struct leat_bytes *ret);

#endif
