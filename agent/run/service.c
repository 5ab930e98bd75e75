/* The life of the program with one plan.
 *
 * The main thread owns nothing that carries data: it opens everything, starts the workers, waits
 * for a signal, and tells the workers to drain and to close. Workers answer by mail. */
#include "run/service.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop_uv.h"
#include "io/mailbox.h"
#include "run/admin.h"
#include "run/house.h"
#include "run/limits.h"
#include "run/memory.h"
#include "run/page.h"
#include "run/thrift.h"
#include "run/worker.h"

struct service;

/* A worker's word to the main thread. */
struct answer {
    struct leat_mail mail;
    struct service *service;
};

struct service {
    const struct leat_plan *plan;
    const struct leat_service_conf *conf;
    struct leat_loop *loop;
    struct leat_mailbox *mailbox;
    struct leat_timer *end_timer, *deadline_timer;
    struct leat_house_keeper *house;
    struct leat_page *page;
    struct leat_admin *admin;
    struct leat_thrift *thrift;
    struct leat_worker **workers;
    struct answer *answers;
    unsigned nworkers, waiting;
    uv_signal_t signals[3];
    unsigned nsignals;
    bool stopping, closing;
};

/* --- ending */

static void answer_later(void *arg)
{
    struct answer *a = arg;

    leat_mailbox_send(a->service->mailbox, &a->mail);
}

static void one_closed(struct leat_mail *mail)
{
    struct service *s = LEAT_OWNER(mail, struct answer, mail)->service;

    if (--s->waiting == 0)
        leat_loop_stop(s->loop);
}

static void close_all(struct service *s)
{
    if (s->closing)
        return;
    s->closing = true;
    leat_timer_stop(s->deadline_timer);
    s->waiting = s->nworkers;
    for (unsigned i = 0; i < s->nworkers; i++) {
        struct answer *a = &s->answers[s->nworkers + i];
        *a = (struct answer){.mail = {.deliver = one_closed}, .service = s};
        leat_worker_close(s->workers[i], answer_later, a);
    }
}

static void one_drained(struct leat_mail *mail)
{
    struct service *s = LEAT_OWNER(mail, struct answer, mail)->service;

    if (!s->closing && --s->waiting == 0)
        close_all(s);
}

static void deadline_passed(void *arg)
{
    struct service *s = arg;

    leat_error(NULL, "the orderly end took longer than leat.shutdown_timeout: giving up the rest");
    close_all(s);
}

static void stop(struct service *s, const char *why)
{
    if (s->stopping)
        return;
    s->stopping = true;
    leat_info(NULL, "stopping: %s", why);
    leat_house_set_state(s->house, LEAT_STOPPING);
    leat_timer_stop(s->end_timer);
    leat_timer_start(s->deadline_timer, s->plan->own.shutdown_timeout, 0);
    s->waiting = s->nworkers;
    for (unsigned i = 0; i < s->nworkers; i++) {
        s->answers[i] = (struct answer){.mail = {.deliver = one_drained}, .service = s};
        leat_worker_drain(s->workers[i], answer_later, &s->answers[i]);
    }
}

static void time_is_up(void *arg)
{
    stop(arg, "the time is up");
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct service *s = handle->data;

    if (number == SIGHUP) {
        leat_warn(NULL, "SIGHUP: Leat cannot reload its configuration yet; restart it");
    } else if (!s->stopping) {
        stop(s, number == SIGTERM ? "SIGTERM" : "interrupted; once more to end at once");
    } else if (!s->closing) {
        leat_warn(NULL, "second signal: ending at once");
        close_all(s);
    } else {
        _exit(1);
    }
}

/* --- starting */

static void listen_to_signals(struct service *s)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < 3; i++) {
        uv_signal_init(leat_loop_uv(s->loop), &s->signals[i]);
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], on_signal, numbers[i]);
        s->nsignals++;
    }
}

static size_t telemetry_held(void *arg)
{
    struct service *s = arg;
    size_t held = 0;

    for (unsigned i = 0; i < s->nworkers; i++)
        held += leat_budget_used(leat_worker_budget(s->workers[i]));
    return held;
}

static int make_workers(struct service *s, struct leat_err *err)
{
    const char *source;
    uint64_t memory;

    if (leat_memory_of(s->plan, &memory, &source, err) < 0)
        return -1;
    s->workers = leat_new_array(s->nworkers, sizeof(struct leat_worker *));
    s->thrift = leat_thrift_new(s->loop, memory, telemetry_held, s);
    for (unsigned i = 0; i < s->nworkers; i++) {
        s->workers[i] = leat_worker_new(s->plan, leat_house_of(s->house), i, s->nworkers,
                                        memory / s->nworkers, i ? s->workers[0] : NULL, err);
        if (s->workers[i] == NULL)
            return -1;
        leat_house_add_meter(s->house, leat_worker_meter(s->workers[i]));
    }
    leat_info(NULL, "%u worker%s, %llu MiB for telemetry (%s)", s->nworkers,
              s->nworkers == 1 ? "" : "s", (unsigned long long)(memory >> 20), source);
    return 0;
}

static int open_page(struct service *s, struct leat_err *err)
{
    const struct leat_metrics_settings *m = &s->plan->telemetry.metrics;
    char endpoint[300];
    struct leat_page_conf conf = {.who = "metrics", .endpoint = endpoint};

    if (!leat_settings_metrics_endpoint(m, endpoint, sizeof endpoint))
        return 0;
    conf.names = leat_settings_page(m);
    s->page = leat_page_new(&conf, leat_worker_loop(s->workers[0]), leat_house_of(s->house), err);
    if (s->page != NULL) {
        leat_info(NULL, "own metrics at http://%s/metrics", leat_page_text(s->page));
        return 0;
    }
    if (m->address != NULL || m->has_readers)
        return leat_fail_in(err, "service.telemetry.metrics");
    leat_warn(NULL, "no page of own metrics: %s", err->text);
    return 0;
}

static int open_admin(struct service *s, struct leat_err *err)
{
    struct leat_admin_conf conf = {.setting = s->plan->own.admin,
                                   .house = s->house,
                                   .sources = s->conf->sources,
                                   .nsources = s->conf->nsources};

    return leat_admin_open(&conf, leat_worker_loop(s->workers[0]), &s->admin, err);
}

static int open_all(struct service *s, struct leat_err *err)
{
    for (unsigned i = 0; i < s->nworkers; i++) {
        if (leat_graph_open(leat_worker_graph(s->workers[i]), err) < 0)
            return -1;
    }
    if (open_page(s, err) < 0 || open_admin(s, err) < 0)
        return -1;
    for (unsigned i = 0; i < s->nworkers; i++) {
        if (leat_graph_open_receivers(leat_worker_graph(s->workers[i]), err) < 0)
            return -1;
    }
    for (unsigned i = 0; i < s->nworkers; i++) {
        if (leat_worker_start(s->workers[i], err) < 0)
            return -1;
    }
    return 0;
}

static int start(struct service *s, struct leat_err *err)
{
    s->loop = leat_loop_new(err);
    s->mailbox = s->loop ? leat_mailbox_new(s->loop, err) : NULL;
    if (s->mailbox == NULL)
        return -1;
    s->end_timer = leat_timer_new(s->loop, time_is_up, s);
    s->deadline_timer = leat_timer_new(s->loop, deadline_passed, s);
    s->nworkers = s->plan->own.workers ? s->plan->own.workers : leat_limits_processors();
    s->answers = leat_new_array(2 * s->nworkers, sizeof *s->answers);
    s->house = leat_house_new(s->plan, s->nworkers);
    listen_to_signals(s);
    return make_workers(s, err) < 0 || open_all(s, err) < 0 ? -1 : 0;
}

static void ignore_close(uv_handle_t *h)
{
    (void)h;
}

static void finish(struct service *s)
{
    for (unsigned i = 0; i < s->nworkers && s->workers != NULL; i++) {
        if (s->workers[i] != NULL)
            leat_worker_join(s->workers[i]);
    }
    leat_page_free(s->page);
    leat_admin_free(s->admin);
    if (s->workers != NULL)
        leat_workers_shut(s->workers, s->nworkers);
    for (unsigned i = s->nworkers; i-- > 0 && s->workers != NULL;)
        leat_worker_free(s->workers[i]);
    for (unsigned i = 0; i < s->nsignals; i++)
        uv_close((uv_handle_t *)&s->signals[i], ignore_close);
    leat_thrift_free(s->thrift);
    leat_timer_free(s->end_timer);
    leat_timer_free(s->deadline_timer);
    if (s->mailbox != NULL)
        leat_mailbox_free(s->mailbox);
    if (s->loop != NULL)
        leat_loop_free(s->loop);
    leat_house_free(s->house);
    leat_free(s->workers);
    leat_free(s->answers);
}

int leat_service_run(const struct leat_plan *plan, const struct leat_service_conf *conf,
                     struct leat_err *err)
{
    struct service s = {.plan = plan, .conf = conf};

    if (start(&s, err) < 0) {
        finish(&s);
        return -1;
    }
    leat_house_set_state(s.house, LEAT_READY);
    leat_info(NULL, "ready: %zu pipeline%s", plan->npipelines, plan->npipelines == 1 ? "" : "s");
    if (conf->ready != NULL)
        conf->ready(conf->arg);
    if (conf->run_for > 0)
        leat_timer_start(s.end_timer, conf->run_for, 0);
    leat_loop_run(s.loop);
    finish(&s);
    leat_info(NULL, "stopped");
    return 0;
}
