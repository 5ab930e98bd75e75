/* Memory that a burst left behind goes back to the kernel. */
#include "run/thrift.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"

#define EVERY   (10 * LEAT_SEC)
#define PRESSED (LEAT_SEC / 20)
#define CALM    LEAT_SEC           /* between looks whether there is pressure */
#define LOOKS   3                  /* in a row, before anything is given back */
#define WORTH   ((size_t)32 << 20) /* bytes unused, from which on it is worth it */
#define HOLES   ((size_t)3 << 20)  /* the same, under pressure */
#define PROGRAM ((size_t)8 << 20)  /* of what is resident: code, libraries, stacks */

struct leat_thrift {
    struct leat_timer *timer;
    size_t limit;
    size_t (*used)(void *arg);
    void *arg;
    int64_t looked; /* mono ns, for idleness */
    unsigned idle;
};

bool leat_thrift_look(unsigned *idle, size_t resident, size_t live)
{
    size_t used = live + PROGRAM, unused = resident > used ? resident - used : 0;

    /* What is in use may double and double again without a new page. */
    *idle = unused >= WORTH && unused / 4 >= live ? *idle + 1 : 0;
    if (*idle < LOOKS)
        return false;
    *idle = 0;
    return true;
}

bool leat_thrift_press(size_t limit, size_t resident, size_t live)
{
    size_t used = live + PROGRAM;

    return resident > limit + PROGRAM / 2 && resident > used && resident - used >= HOLES;
}

/* False: it was hardly worth it. */
static bool give_back(size_t before)
{
    size_t after, gained;

    leat_mem_return();
    after = leat_mem_resident();
    gained = before > after ? before - after : 0;
    if (gained < HOLES / 2)
        return false;
    leat_debug(NULL, "gave %zu MiB of unused memory back, %zu MiB are left", gained >> 20,
               after >> 20);
    return true;
}

static void look_at_idleness(struct leat_thrift *t)
{
    size_t resident = leat_mem_resident();

    if (leat_thrift_look(&t->idle, resident, leat_mem_live()))
        give_back(resident);
}

/* False: the holes are too small to be given back. */
static bool look_at_pressure(struct leat_thrift *t)
{
    size_t resident = leat_mem_resident();

    return !leat_thrift_press(t->limit, resident, leat_mem_live()) || give_back(resident);
}

static void look(void *arg)
{
    struct leat_thrift *t = arg;
    bool pressed = t->used(t->arg) > t->limit / 2;
    int64_t now = leat_clock_mono(), next = CALM;

    if (pressed && look_at_pressure(t))
        next = PRESSED;
    if (now - t->looked >= EVERY) {
        t->looked = now;
        look_at_idleness(t);
    }
    leat_timer_start(t->timer, next, 0);
}

struct leat_thrift *leat_thrift_new(struct leat_loop *l, size_t limit, size_t (*used)(void *arg),
                                    void *arg)
{
    struct leat_thrift *t = leat_new(sizeof *t);

    t->timer = leat_timer_new(l, look, t);
    t->limit = limit;
    t->used = used;
    t->arg = arg;
    t->looked = leat_clock_mono();
    leat_timer_start(t->timer, CALM, 0);
    return t;
}

void leat_thrift_free(struct leat_thrift *t)
{
    if (t == NULL)
        return;
    leat_timer_free(t->timer);
    leat_free(t);
}
