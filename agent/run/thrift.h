/* Memory that a burst left behind goes back to the kernel.
 *
 * Freed memory is kept, because the next request wants it (base/mem.h). After a burst that is much
 * more than is ever used again, and the process looks as large as it was then. So every ten seconds
 * the main thread looks, and when three times in a row most of what the process keeps lay unused,
 * it is given back. */
#ifndef LEAT_RUN_THRIFT_H
#define LEAT_RUN_THRIFT_H

#include <stdbool.h>
#include <stddef.h>

struct leat_loop;
struct leat_thrift;

/* `used` tells how many bytes of telemetry are held now (by any worker), of at most `limit`. */
struct leat_thrift *leat_thrift_new(struct leat_loop *l, size_t limit, size_t (*used)(void *arg),
                                    void *arg);
void leat_thrift_free(struct leat_thrift *t); /* takes NULL */

/* One look: `resident` bytes in memory, `live` of them in use. True: it is time to give back. *idle
 * counts the looks in a row that found much unused; 0 at first. */
bool leat_thrift_look(unsigned *idle, size_t resident, size_t live);
/* The same under pressure. */
bool leat_thrift_press(size_t limit, size_t resident, size_t live);

#endif
