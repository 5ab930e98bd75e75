/* One thread with its loop, its memory and its copy of the pipelines. */
#include "run/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/budget.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/meter.h"
#include "base/share.h"

#define HOME_CHECK_NS (5 * INT64_C(1000000))

struct order {
    struct leat_mail mail;
    struct leat_worker *worker;
    void (*told)(void *arg);
    void *arg;
};

struct leat_worker {
    unsigned index;
    struct leat_loop *loop;
    struct leat_mailbox *mailbox;
    struct leat_budget budget, scratch;
    struct leat_codecs *codecs;
    struct leat_meter *meter;
    struct leat_graph *graph;
    struct leat_timer *home_timer;
    struct order drain, close;
    pthread_t thread;
    bool running, closed;
};

static double used_bytes(void *arg)
{
    return (double)leat_budget_used(arg);
}

static double limit_bytes(void *arg)
{
    return (double)((struct leat_budget *)arg)->limit;
}

static double peak_bytes(void *arg)
{
    return (double)leat_budget_peak(arg);
}

static double refused_times(void *arg)
{
    return (double)leat_budget_refused(arg);
}

static void meter_memory(struct leat_worker *w)
{
    struct leat_metric used = {.name = "leat_memory_used_bytes",
                               .help = "Telemetry held in memory, of leat.memory."};
    struct leat_metric limit = {.name = "leat_memory_limit_bytes",
                                .help = "How much telemetry may be held in memory."};
    struct leat_metric peak = {.name = "leat_memory_peak_bytes",
                               .help = "The most telemetry each worker has held in memory, "
                                       "added up."};
    struct leat_metric refused = {.name = "leat_memory_refused_total",
                                  .help = "Requests that there was no memory for."};

    leat_meter_probe(w->meter, &used, 0, used_bytes, &w->budget);
    leat_meter_probe(w->meter, &limit, 0, limit_bytes, &w->budget);
    leat_meter_probe(w->meter, &peak, 0, peak_bytes, &w->budget);
    leat_meter_probe(w->meter, &refused, 1, refused_times, &w->budget);
}

/* Parcels that worker 0 still holds come home by mail; only then is this worker closed. */
static void wait_for_parcels(void *arg)
{
    struct leat_worker *w = arg;

    if (leat_graph_under_way(w->graph) > 0) {
        leat_timer_start(w->home_timer, HOME_CHECK_NS, 0);
        return;
    }
    w->closed = true;
    w->close.told(w->close.arg);
}

struct leat_worker *leat_worker_new(const struct leat_plan *plan, const struct leat_house *house,
                                    unsigned index, unsigned count, size_t memory,
                                    struct leat_worker *first, struct leat_err *err)
{
    struct leat_worker *w = leat_new(sizeof *w);
    struct leat_graph_env env = {.plan = plan, .house = house, .worker = index, .workers = count};

    w->index = index;
    w->loop = leat_loop_new(err);
    w->mailbox = w->loop ? leat_mailbox_new(w->loop, err) : NULL;
    if (w->mailbox == NULL) {
        if (w->loop != NULL)
            leat_loop_free(w->loop);
        leat_free(w);
        return NULL;
    }
    leat_budget_init(&w->budget, memory);
    leat_budget_share_out(&w->budget);
    leat_budget_init(&w->scratch, memory);
    leat_budget_draw(&w->scratch, &w->budget);
    w->codecs = leat_codecs_new();
    w->meter = leat_meter_new();
    w->home_timer = leat_timer_new(w->loop, wait_for_parcels, w);
    meter_memory(w);
    env.loop = w->loop;
    env.mailbox = w->mailbox;
    env.budget = &w->budget;
    env.scratch = &w->scratch;
    env.codecs = w->codecs;
    env.meter = w->meter;
    env.first = first ? first->graph : NULL;
    env.first_mailbox = first ? first->mailbox : w->mailbox;
    w->graph = leat_graph_new(&env);
    return w;
}

struct leat_graph *leat_worker_graph(struct leat_worker *w)
{
    return w->graph;
}

struct leat_meter *leat_worker_meter(struct leat_worker *w)
{
    return w->meter;
}

struct leat_loop *leat_worker_loop(struct leat_worker *w)
{
    return w->loop;
}

struct leat_budget *leat_worker_budget(struct leat_worker *w)
{
    return &w->budget;
}

static void *run_thread(void *arg)
{
    struct leat_worker *w = arg;
    char name[16];

    snprintf(name, sizeof name, "leat-%u", w->index);
    pthread_setname_np(pthread_self(), name);
    leat_loop_run(w->loop);
    return NULL;
}

int leat_worker_start(struct leat_worker *w, struct leat_err *err)
{
    sigset_t all, old;
    int result;

    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    result = pthread_create(&w->thread, NULL, run_thread, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (result != 0)
        return leat_fail(err, "cannot start a thread: %s", strerror(result));
    w->running = true;
    return 0;
}

static void drain_here(struct leat_mail *mail)
{
    struct order *o = LEAT_OWNER(mail, struct order, mail);

    leat_graph_drain(o->worker->graph, o->told, o->arg);
}

static void close_here(struct leat_mail *mail)
{
    struct order *o = LEAT_OWNER(mail, struct order, mail);

    leat_graph_close(o->worker->graph);
    wait_for_parcels(o->worker);
}

static void give_order(struct leat_worker *w, struct order *o, void (*deliver)(struct leat_mail *),
                       void (*told)(void *arg), void *arg)
{
    o->worker = w;
    o->told = told;
    o->arg = arg;
    o->mail.deliver = deliver;
    leat_mailbox_send(w->mailbox, &o->mail);
}

void leat_worker_drain(struct leat_worker *w, void (*told)(void *arg), void *arg)
{
    give_order(w, &w->drain, drain_here, told, arg);
}

void leat_worker_close(struct leat_worker *w, void (*told)(void *arg), void *arg)
{
    give_order(w, &w->close, close_here, told, arg);
}

void leat_worker_join(struct leat_worker *w)
{
    if (!w->running)
        return;
    leat_loop_stop(w->loop);
    pthread_join(w->thread, NULL);
    w->running = false;
}

void leat_workers_shut(struct leat_worker *const *workers, unsigned n)
{
    uint32_t under_way;

    for (unsigned i = n; i-- > 0;) { /* worker 0, where parcels are, last */
        if (workers[i] == NULL || workers[i]->closed)
            continue;
        leat_graph_close(workers[i]->graph);
        workers[i]->closed = true;
    }
    do {
        under_way = 0;
        for (unsigned i = 0; i < n; i++) {
            if (workers[i] == NULL)
                continue;
            leat_loop_turn(workers[i]->loop);
            under_way += leat_graph_under_way(workers[i]->graph);
        }
    } while (under_way > 0);
}

void leat_worker_free(struct leat_worker *w)
{
    if (w == NULL)
        return;
    leat_graph_free(w->graph);
    leat_timer_free(w->home_timer);
    leat_mailbox_free(w->mailbox);
    leat_loop_free(w->loop);
    leat_codecs_free(w->codecs);
    leat_meter_free(w->meter);
    leat_budget_done(&w->budget);
    leat_free(w);
}
