/* Memory that a burst left behind goes back to the kernel. */
#include "run/thrift.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"

#define EVERY   (10 * LEAT_SEC)
#define LOOKS   3                  /* in a row, before anything is given back */
#define WORTH   ((size_t)32 << 20) /* bytes unused, from which on it is worth it */
#define PROGRAM ((size_t)8 << 20)  /* of what is resident: code, libraries, stacks */

struct leat_thrift {
    struct leat_timer *timer;
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

static void look(void *arg)
{
    struct leat_thrift *t = arg;
    size_t before = leat_mem_resident(), after;

    if (!leat_thrift_look(&t->idle, before, leat_mem_live()))
        return;
    leat_mem_return();
    after = leat_mem_resident();
    leat_debug(NULL, "gave %zu MiB of unused memory back, %zu MiB are left",
               before > after ? (before - after) >> 20 : 0, after >> 20);
}

struct leat_thrift *leat_thrift_new(struct leat_loop *l)
{
    struct leat_thrift *t = leat_new(sizeof *t);

    t->timer = leat_timer_new(l, look, t);
    leat_timer_start(t->timer, EVERY, EVERY);
    return t;
}

void leat_thrift_free(struct leat_thrift *t)
{
    if (t == NULL)
        return;
    leat_timer_free(t->timer);
    leat_free(t);
}
