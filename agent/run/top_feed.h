/* Asks an admin socket for reports (run/report.h). */
#ifndef LEAT_RUN_TOP_FEED_H
#define LEAT_RUN_TOP_FEED_H

#include "run/report.h"

struct leat_loop;
struct leat_top_feed;

/* `told` gets each answer: a report, which it then owns, or NULL and why there is none. NULL and
 * `err`: the path cannot be one. */
struct leat_top_feed *leat_top_feed_new(struct leat_loop *loop, const char *path,
                                        void (*told)(void *arg, struct leat_report *r,
                                                     const char *why),
                                        void *arg, struct leat_err *err);
void leat_top_feed_ask(struct leat_top_feed *f);  /* nothing while an answer is still awaited */
void leat_top_feed_free(struct leat_top_feed *f); /* takes NULL; not from `told` */

/* One report, or two of them `interval` ns apart and the second with rates. Waits for them. NULL
 * and `err`. */
struct leat_report *leat_top_ask(const char *path, int64_t interval, struct leat_err *err);

#endif
