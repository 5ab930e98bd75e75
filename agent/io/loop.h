/* One worker's event loop, its timers, and work put off to the end of the current turn. Everything
 * here is for the loop's own thread, except leat_loop_stop(). */
#ifndef LEAT_IO_LOOP_H
#define LEAT_IO_LOOP_H

#include <stdint.h>

#include "base/list.h"

struct leat_err;

struct leat_loop;

struct leat_loop *leat_loop_new(struct leat_err *err); /* NULL: the kernel refused */
void leat_loop_run(struct leat_loop *l);  /* until leat_loop_stop(); may be called again */
void leat_loop_stop(struct leat_loop *l); /* from any thread */
/* Runs what is still closing to its end and frees. Whoever still holds a timer, connection or file
 * on it has a bug: checked, with the kind of the handle in the message. */
void leat_loop_free(struct leat_loop *l);
/* One turn without waiting; true: something is still alive. For tests. */
int leat_loop_turn(struct leat_loop *l);

/* Timers go by leat_clock_mono(), so under a fake clock they fire in the turn after it was set on.
 * A timer started by one that fires waits for the next turn, whatever its length. */
struct leat_timer;
struct leat_timer *leat_timer_new(struct leat_loop *l, void (*fire)(void *arg), void *arg);
/* For what comes and goes with traffic. NULL: no memory. Starting a timer needs none. */
struct leat_timer *leat_timer_try_new(struct leat_loop *l, void (*fire)(void *arg), void *arg);
void leat_timer_free(struct leat_timer *t); /* takes NULL; may be called from `fire` */
void leat_timer_start(struct leat_timer *t, int64_t after,
                      int64_t every); /* ns; every 0: once. Restarts */
void leat_timer_stop(struct leat_timer *t);
int leat_timer_running(const struct leat_timer *t);
/* Housekeeping: this timer does not keep leat_loop_turn() alive. */
void leat_timer_background(struct leat_timer *t);

/* Runs once at the end of this turn of the loop (before it waits again). Adding a task twice is one
 * run. Tasks added by tasks run in the same pass, up to some thousands; the rest in the next turn,
 * without waiting. A task may free itself while it runs; cancel it before freeing it otherwise. */
struct leat_task {
    struct leat_link link; /* private */
    void (*run)(struct leat_task *t);
    int queued; /* private */
};
void leat_loop_defer(struct leat_loop *l, struct leat_task *t);
void leat_task_cancel(struct leat_task *t);

#endif
