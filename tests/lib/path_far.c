/* The other side in a thread of its own. */
#include "lib/path_far.h"

#include <unistd.h>

#include "base/check.h"

#define ENDED 1000000u

static void *run(void *arg)
{
    struct path_far *f = arg;

    f->loop = leat_loop_new(NULL);
    path_sink_open(&f->sink, f->loop);
    atomic_store(&f->sink_port, path_sink_port(&f->sink));
    f->play(f);
    atomic_store(&f->at, ENDED);
    while (atomic_load(&f->go) != ENDED) {
        leat_loop_turn(f->loop);
        usleep(50);
    }
    path_sink_close(&f->sink);
    leat_loop_free(f->loop);
    return NULL;
}

void path_far_start(struct path_far *f, void (*play)(struct path_far *f), void *arg)
{
    *f = (struct path_far){.play = play, .arg = arg};
    LEAT_CHECK(pthread_create(&f->thread, NULL, run, f) == 0);
    while (atomic_load(&f->sink_port) == 0)
        usleep(50);
}

void path_far_meet(struct path_far *f, unsigned point)
{
    atomic_store(&f->at, point);
    PATH_UNTIL(f->loop, atomic_load(&f->go) >= point);
}

void path_far_until(struct path_far *f, struct leat_loop *loop, unsigned point)
{
    PATH_UNTIL(loop, atomic_load(&f->at) >= point);
}

void path_far_go(struct path_far *f, unsigned point)
{
    atomic_store(&f->go, point);
}

void path_far_join(struct path_far *f, struct leat_loop *loop)
{
    PATH_UNTIL(loop, atomic_load(&f->at) == ENDED);
    atomic_store(&f->go, ENDED);
    pthread_join(f->thread, NULL);
}
