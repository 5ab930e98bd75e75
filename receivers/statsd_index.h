/* Where things of a StatsD table are by their hash: open addressing over 64-bit slots, the hash in
 * one half and a reference in the other. Who looks compares the things themselves. */
#ifndef LEAT_RECEIVERS_STATSD_INDEX_H
#define LEAT_RECEIVERS_STATSD_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leat_budget;

struct leat_statsd_index {
    uint64_t *slots; /* hash, and the reference above it; 0: empty */
    uint32_t mask;   /* slots - 1 */
    uint32_t used, max;
    struct leat_budget *budget; /* may be NULL */
};

/* At most `max` entries. Begins small. */
void leat_statsd_index_init(struct leat_statsd_index *x, uint32_t max, struct leat_budget *budget);
void leat_statsd_index_done(struct leat_statsd_index *x);
void leat_statsd_index_clear(struct leat_statsd_index *x); /* empty and small again */
/* `ref` is not 0. false: full, no memory, or the budget spent; nothing changed. */
bool leat_statsd_index_add(struct leat_statsd_index *x, uint32_t hash, uint32_t ref);
void leat_statsd_index_remove(struct leat_statsd_index *x, uint32_t hash, uint32_t ref);
size_t leat_statsd_index_bytes(const struct leat_statsd_index *x);
size_t leat_statsd_index_bound(uint32_t max); /* bytes of one that is full, while it grows */

/* The next reference with this hash, or 0. *at: begin with the hash. */
static inline uint32_t leat_statsd_index_next(const struct leat_statsd_index *x, uint32_t hash,
                                              uint32_t *at)
{
    for (uint32_t i = *at & x->mask;; i = (i + 1) & x->mask) {
        uint64_t slot = x->slots[i];
        if (slot == 0)
            return 0;
        if ((uint32_t)slot == hash) {
            *at = i + 1;
            return (uint32_t)(slot >> 32);
        }
    }
}

#endif
