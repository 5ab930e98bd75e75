/* One worker's event loop: libuv below, our own timers (on the clock that tests can set) and
 * deferred tasks above. */
#include "io/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/loop_uv.h"

/* Tasks and timers run in one pass before the loop looks at its sockets again. */
#define TASKS_PER_PASS  4096
#define TIMERS_PER_PASS 4096

struct leat_timer {
    struct leat_loop *loop;
    void (*fire)(void *arg);
    void *arg;
    int64_t at, every;
    uint64_t seq; /* start order: equal times fire in it */
    size_t place; /* index in the heap + 1; 0: not running */
    int background;
};

struct leat_loop {
    uv_loop_t uv;
    uv_async_t stop;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle; /* active while tasks are left over: the loop does not wait then */
    uv_timer_t wake;
    struct leat_link tasks;
    struct leat_timer **heap; /* binary heap by `at`, then `seq` */
    size_t nheap, heap_cap;
    size_t ntimers;    /* made and not freed */
    size_t foreground; /* running timers that keep leat_loop_turn() alive */
    uint64_t seq;
    int files;
    size_t finishing; /* things on their way out that end by themselves */
    bool ending;      /* leat_loop_free() has begun */
    uint8_t *read_buffer;
    void *tls_scratch;
};

/* --- timers */

static int earlier(const struct leat_timer *a, const struct leat_timer *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void heap_put(struct leat_loop *l, size_t i, struct leat_timer *t)
{
    l->heap[i] = t;
    t->place = i + 1;
}

static void heap_up(struct leat_loop *l, size_t i, struct leat_timer *t)
{
    for (; i > 0 && earlier(t, l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap_put(l, i, l->heap[(i - 1) / 2]);
    heap_put(l, i, t);
}

static void heap_down(struct leat_loop *l, size_t i, struct leat_timer *t)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < l->nheap && earlier(l->heap[child + 1], l->heap[child]))
            child++;
        if (child >= l->nheap || !earlier(l->heap[child], t))
            break;
        heap_put(l, i, l->heap[child]);
        i = child;
    }
    heap_put(l, i, t);
}

static void heap_remove(struct leat_loop *l, struct leat_timer *t)
{
    size_t i = t->place - 1;
    struct leat_timer *last = l->heap[--l->nheap];

    t->place = 0;
    if (last == t)
        return;
    if (i > 0 && earlier(last, l->heap[(i - 1) / 2]))
        heap_up(l, i, last);
    else
        heap_down(l, i, last);
}

/* A place in the heap for each timer there is, so that starting one needs no memory. */
static bool room_for_timer(struct leat_loop *l)
{
    size_t cap = l->heap_cap != 0 ? 2 * l->heap_cap : 16;
    struct leat_timer **heap;

    if (l->ntimers < l->heap_cap)
        return true;
    heap = leat_try_resize(l->heap, cap * sizeof(struct leat_timer *));
    if (heap == NULL)
        return false;
    l->heap = heap;
    l->heap_cap = cap;
    return true;
}

struct leat_timer *leat_timer_try_new(struct leat_loop *l, void (*fire)(void *arg), void *arg)
{
    struct leat_timer *t = room_for_timer(l) ? leat_try_zeroed(sizeof *t) : NULL;

    if (t == NULL)
        return NULL;
    t->loop = l;
    t->fire = fire;
    t->arg = arg;
    l->ntimers++;
    return t;
}

struct leat_timer *leat_timer_new(struct leat_loop *l, void (*fire)(void *arg), void *arg)
{
    struct leat_timer *t = leat_timer_try_new(l, fire, arg);

    if (t == NULL)
        leat_out_of_memory(sizeof *t);
    return t;
}

void leat_timer_free(struct leat_timer *t)
{
    if (t == NULL)
        return;
    leat_timer_stop(t);
    t->loop->ntimers--;
    leat_free(t);
}

void leat_timer_background(struct leat_timer *t)
{
    if (t->place != 0 && !t->background)
        t->loop->foreground--;
    t->background = 1;
}

static void timer_insert(struct leat_timer *t, int64_t at)
{
    struct leat_loop *l = t->loop;

    t->at = at;
    t->seq = ++l->seq;
    heap_up(l, l->nheap++, t);
    if (!t->background)
        l->foreground++;
}

void leat_timer_start(struct leat_timer *t, int64_t after, int64_t every)
{
    int64_t now = leat_clock_mono();

    leat_timer_stop(t);
    t->every = every <= 0 ? 0 : every < INT64_MAX / 4 ? every : INT64_MAX / 4;
    if (after < 0)
        after = 0;
    timer_insert(t, after > INT64_MAX - now ? INT64_MAX : now + after);
}

void leat_timer_stop(struct leat_timer *t)
{
    if (t->place == 0)
        return;
    heap_remove(t->loop, t);
    if (!t->background)
        t->loop->foreground--;
}

int leat_timer_running(const struct leat_timer *t)
{
    return t->place != 0;
}

/* Timers started by the ones that fire here wait for the next pass, so that a timer of zero length
 * does not hold the loop. */
static void run_timers(struct leat_loop *l)
{
    uint64_t last_seq = l->seq;
    int64_t now;

    if (l->nheap == 0)
        return;
    now = leat_clock_mono();
    for (int n = 0; n < TIMERS_PER_PASS && l->nheap > 0; n++) {
        struct leat_timer *t = l->heap[0];

        if (t->at > now || t->seq > last_seq)
            break;
        leat_timer_stop(t);
        if (t->every > 0)
            timer_insert(t, t->at + t->every > now ? t->at + t->every : now + t->every);
        t->fire(t->arg); /* may free t */
    }
}

/* --- tasks */

void leat_loop_defer(struct leat_loop *l, struct leat_task *t)
{
    if (t->queued)
        return;
    t->queued = 1;
    leat_list_append(&l->tasks, &t->link);
}

void leat_task_cancel(struct leat_task *t)
{
    if (!t->queued)
        return;
    t->queued = 0;
    leat_list_remove(&t->link);
}

static void run_tasks(struct leat_loop *l)
{
    struct leat_link *first;

    for (int n = 0; n < TASKS_PER_PASS && (first = leat_list_pop(&l->tasks)) != NULL; n++) {
        struct leat_task *t = LEAT_OWNER(first, struct leat_task, link);

        t->queued = 0;
        t->run(t);
    }
}

/* --- the turn */

static void on_wake(uv_timer_t *wake)
{
    (void)wake;
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

/* Decides how long the loop may wait: not at all while tasks are left, or when the last thing that
 * leat_loop_free() waits for has just ended; else up to the next timer. */
static void arm(struct leat_loop *l)
{
    if (leat_list_empty(&l->tasks) && (!l->ending || l->finishing > 0))
        uv_idle_stop(&l->idle);
    else
        uv_idle_start(&l->idle, on_idle);
    if (l->nheap > 0) {
        int64_t wait = l->heap[0]->at - leat_clock_mono();
        uint64_t ms = wait <= 0 ? 0 : ((uint64_t)wait + LEAT_MS - 1) / (uint64_t)LEAT_MS;

        uv_timer_start(&l->wake, on_wake, ms, 0);
    } else {
        uv_timer_stop(&l->wake);
    }
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct leat_loop *l = prepare->data;

    run_timers(l);
    run_tasks(l);
    arm(l);
}

static void on_check(uv_check_t *check)
{
    run_tasks(check->data);
}

static void on_stop(uv_async_t *stop)
{
    uv_stop(stop->loop);
}

/* A peer that is gone must be an error of the write, not the end of the process. */
static void ignore_sigpipe(void)
{
    struct sigaction old;

    if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

struct leat_loop *leat_loop_new(struct leat_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct leat_loop *l = leat_new(sizeof *l);
    int rc = uv_loop_init(&l->uv);

    pthread_once(&once, ignore_sigpipe);
    if (rc == 0 && (rc = uv_async_init(&l->uv, &l->stop, on_stop)) != 0)
        uv_loop_close(&l->uv);
    if (rc != 0) {
        leat_fail(err, "cannot make an event loop: %s", uv_strerror(rc));
        leat_free(l);
        return NULL;
    }
    leat_list_init(&l->tasks);
    uv_prepare_init(&l->uv, &l->prepare);
    uv_check_init(&l->uv, &l->check);
    uv_idle_init(&l->uv, &l->idle);
    uv_timer_init(&l->uv, &l->wake);
    l->prepare.data = l->check.data = l;
    uv_prepare_start(&l->prepare, on_prepare);
    uv_check_start(&l->check, on_check);
    uv_unref((uv_handle_t *)&l->prepare);
    uv_unref((uv_handle_t *)&l->check);
    uv_unref((uv_handle_t *)&l->idle);
    uv_unref((uv_handle_t *)&l->wake);
    uv_unref((uv_handle_t *)&l->stop);
    return l;
}

/* The stop handle is what keeps a running loop alive; leat_loop_turn() does not count it. */
static void run(struct leat_loop *l, uv_run_mode mode)
{
    uv_ref((uv_handle_t *)&l->stop);
    uv_run(&l->uv, mode);
    uv_unref((uv_handle_t *)&l->stop);
}

void leat_loop_run(struct leat_loop *l)
{
    run(l, UV_RUN_DEFAULT);
}

void leat_loop_stop(struct leat_loop *l)
{
    uv_async_send(&l->stop);
}

int leat_loop_turn(struct leat_loop *l)
{
    run(l, UV_RUN_NOWAIT);
    return uv_loop_alive(&l->uv) || l->foreground > 0 || !leat_list_empty(&l->tasks);
}

/* --- the end */

struct census {
    const struct leat_loop *loop;
    size_t closing;
    const char *open; /* kind of a handle that nobody has closed */
};

static void count_handle(uv_handle_t *h, void *arg)
{
    struct census *c = arg;
    const struct leat_loop *l = c->loop;

    if (h == (const uv_handle_t *)&l->stop || h == (const uv_handle_t *)&l->prepare ||
        h == (const uv_handle_t *)&l->check || h == (const uv_handle_t *)&l->idle ||
        h == (const uv_handle_t *)&l->wake)
        return;
    if (uv_is_closing(h))
        c->closing++;
    else
        c->open = uv_handle_type_name(uv_handle_get_type(h));
}

static void check_nothing_left(const struct leat_loop *l, const char *open)
{
    char text[96];

    if (l->ntimers > 0)
        open = "timer";
    if (l->files > 0)
        open = "file";
    if (open == NULL)
        return;
    snprintf(text, sizeof text, "no %s is left open on a loop that is freed", open);
    leat_check_failed(text, __FILE__, __LINE__);
}

static void close_own(struct leat_loop *l)
{
    uv_close((uv_handle_t *)&l->stop, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->check, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void leat_loop_free(struct leat_loop *l)
{
    struct census c;

    if (l == NULL)
        return;
    l->ending = true;
    for (;;) {
        c = (struct census){.loop = l};
        uv_walk(&l->uv, count_handle, &c);
        if (c.closing == 0 && l->finishing == 0 && leat_list_empty(&l->tasks))
            break;
        run(l, UV_RUN_ONCE);
    }
    check_nothing_left(l, c.open);
    close_own(l);
    LEAT_CHECK(uv_loop_close(&l->uv) == 0);
    leat_free(l->heap);
    leat_free(l->read_buffer);
    leat_free(l->tls_scratch);
    leat_free(l);
}

/* --- for the rest of io */

uv_loop_t *leat_loop_uv(struct leat_loop *l)
{
    return &l->uv;
}

uint8_t *leat_loop_read_buffer(struct leat_loop *l)
{
    if (l->read_buffer == NULL)
        l->read_buffer = leat_try(LEAT_READ_BUFFER);
    return l->read_buffer;
}

void *leat_loop_scratch(struct leat_loop *l, size_t size)
{
    if (l->tls_scratch == NULL)
        l->tls_scratch = leat_try_zeroed(size);
    return l->tls_scratch;
}

void leat_loop_hold(struct leat_loop *l)
{
    l->finishing++;
}

void leat_loop_release(struct leat_loop *l)
{
    LEAT_CHECK(l->finishing > 0);
    l->finishing--;
}

void leat_loop_count_files(struct leat_loop *l, int change)
{
    l->files += change;
}
