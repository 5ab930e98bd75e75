/* The other side in a thread of its own, so that what the program allocates can be counted, and
 * made to fail, apart: a sink, and clients that load the program. */
#ifndef LEAT_TESTS_PATH_FAR_H
#define LEAT_TESTS_PATH_FAR_H

#include <pthread.h>
#include <stdatomic.h>

#include "lib/path_program.h"
#include "lib/path_sink.h"

struct path_far {
    pthread_t thread;
    struct leat_loop *loop;
    struct path_sink sink;
    void (*play)(struct path_far *f); /* runs in the thread, with the loop and the open sink */
    void *arg;
    atomic_uint sink_port; /* known after path_far_start() */
    /* Where the two sides meet: the far side calls path_far_meet(n), the near side
     * path_far_until(n). */
    atomic_uint at, go;
};

void path_far_start(struct path_far *f, void (*play)(struct path_far *f), void *arg);
/* Far side: waits, its loop turning, until the near side has seen this point. Points count up from
 * 1. */
void path_far_meet(struct path_far *f, unsigned point);
/* Near side: turns its loop until the far side is at this point; path_far_go() lets it go on. */
void path_far_until(struct path_far *f, struct leat_loop *loop, unsigned point);
void path_far_go(struct path_far *f, unsigned point);
/* Near side: after the far side has ended its play, which must have closed its clients. */
void path_far_join(struct path_far *f, struct leat_loop *loop);

#endif
