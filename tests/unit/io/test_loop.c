/* The loop: timers on the clock of the tests, tasks at the end of the turn, stopping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/loop_uv.h"

static char said[256];

struct ticker {
    const char *word;
    struct leat_timer *timer;
    bool frees_itself;
};

static void say(void *arg)
{
    struct ticker *t = arg;

    strncat(said, t->word, sizeof said - strlen(said) - 1);
    if (t->frees_itself)
        leat_timer_free(t->timer);
}

static void timers_fire_in_order_of_time(void **state)
{
    struct leat_loop *l = leat_loop_new(NULL);
    struct ticker t[4] = {
        {"a", NULL, false}, {"b", NULL, false}, {"c", NULL, false}, {"d", NULL, true}};

    (void)state;
    said[0] = '\0';
    leat_clock_fake(LEAT_SEC, 0);
    for (int i = 0; i < 4; i++)
        t[i].timer = leat_timer_new(l, say, &t[i]);
    leat_timer_start(t[0].timer, 3 * LEAT_SEC, 0);
    leat_timer_start(t[1].timer, LEAT_SEC, 0);
    leat_timer_start(t[2].timer, LEAT_SEC, 2 * LEAT_SEC);
    leat_timer_start(t[3].timer, 2 * LEAT_SEC, LEAT_SEC);
    assert_true(leat_loop_turn(l));
    assert_string_equal(said, "");
    leat_clock_step(LEAT_SEC);
    leat_loop_turn(l);
    assert_string_equal(said, "bc");
    assert_false(leat_timer_running(t[1].timer));
    assert_true(leat_timer_running(t[2].timer));
    leat_clock_step(10 * LEAT_SEC); /* an interval that was missed is not made up for */
    leat_loop_turn(l);
    assert_string_equal(said, "bcdac");
    leat_loop_turn(l);
    assert_string_equal(said, "bcdac");
    leat_timer_stop(t[2].timer);
    leat_timer_stop(t[2].timer);
    assert_false(leat_loop_turn(l));
    for (int i = 0; i < 3; i++)
        leat_timer_free(t[i].timer);
    leat_timer_free(NULL);
    leat_clock_real();
    leat_loop_free(l);
}

/* Against a plain array, with many timers that are started, restarted and stopped at random. */
static void heap_keeps_its_order(void **state)
{
    enum { N = 200 };
    struct leat_loop *l = leat_loop_new(NULL);
    struct ticker t[N];
    int64_t at[N], now = LEAT_SEC;

    (void)state;
    leat_clock_fake(now, 0);
    leat_random_fake(7);
    for (int i = 0; i < N; i++) {
        t[i] = (struct ticker){"", NULL, false};
        t[i].timer = leat_timer_new(l, say, &t[i]);
        at[i] = 0;
    }
    for (int round = 0; round < 3000; round++) {
        int i = (int)(leat_random() % N);
        int64_t after = (int64_t)(leat_random() % 1000) + 1;

        if (leat_random() % 4 == 0) {
            leat_timer_stop(t[i].timer);
            at[i] = 0;
        } else {
            leat_timer_start(t[i].timer, after, 0);
            at[i] = now + after;
        }
        leat_clock_step(3);
        now += 3;
        leat_loop_turn(l);
        for (int k = 0; k < N; k++) {
            if (at[k] != 0 && at[k] <= now)
                at[k] = 0;
            assert_int_equal(leat_timer_running(t[k].timer), at[k] != 0);
        }
    }
    for (int i = 0; i < N; i++)
        leat_timer_free(t[i].timer);
    leat_clock_real();
    leat_loop_free(l);
}

struct restarter {
    struct leat_timer *timer;
    int fired;
};

static void restart(void *arg)
{
    struct restarter *r = arg;

    r->fired++;
    leat_timer_start(r->timer, 0, 0);
}

static void a_timer_of_no_length_does_not_hold_the_loop(void **state)
{
    struct leat_loop *l = leat_loop_new(NULL);
    struct restarter r = {0};

    (void)state;
    r.timer = leat_timer_new(l, restart, &r);
    leat_timer_start(r.timer, 0, 0);
    leat_loop_turn(l);
    assert_int_equal(r.fired, 1);
    leat_loop_turn(l);
    assert_int_equal(r.fired, 2);
    leat_timer_free(r.timer);
    leat_loop_free(l);
}

static void housekeeping_keeps_nobody_alive(void **state)
{
    struct leat_loop *l = leat_loop_new(NULL);
    struct restarter r = {0};

    (void)state;
    r.timer = leat_timer_new(l, restart, &r);
    leat_timer_start(r.timer, LEAT_SEC, 0);
    assert_true(leat_loop_turn(l));
    leat_timer_background(r.timer);
    assert_false(leat_loop_turn(l));
    leat_timer_start(r.timer, LEAT_SEC, 0);
    assert_false(leat_loop_turn(l));
    leat_timer_free(r.timer);
    leat_loop_free(l);
}

struct job {
    struct leat_task task;
    struct leat_loop *loop;
    struct leat_task *then;
    int runs;
};

static void run_job(struct leat_task *t)
{
    struct job *j = LEAT_OWNER(t, struct job, task);

    j->runs++;
    if (j->then != NULL)
        leat_loop_defer(j->loop, j->then);
}

static void tasks_run_once_and_in_the_same_pass(void **state)
{
    struct leat_loop *l = leat_loop_new(NULL);
    struct job b = {.task.run = run_job, .loop = l};
    struct job a = {.task.run = run_job, .loop = l, .then = &b.task};
    struct job c = {.task.run = run_job, .loop = l};

    (void)state;
    leat_loop_defer(l, &a.task);
    leat_loop_defer(l, &a.task);
    leat_loop_defer(l, &c.task);
    leat_task_cancel(&c.task);
    leat_task_cancel(&c.task);
    leat_loop_turn(l);
    assert_int_equal(a.runs, 1);
    assert_int_equal(b.runs, 1);
    assert_int_equal(c.runs, 0);
    leat_loop_free(l);
}

/* A task that adds itself for ever must not keep timers and sockets waiting. */
static void endless_tasks_let_the_loop_turn(void **state)
{
    struct leat_loop *l = leat_loop_new(NULL);
    struct job j = {.task.run = run_job, .loop = l};
    struct restarter r = {0};
    int before;

    (void)state;
    j.then = &j.task;
    r.timer = leat_timer_new(l, restart, &r);
    leat_timer_start(r.timer, 0, 0);
    leat_loop_defer(l, &j.task);
    assert_true(leat_loop_turn(l));
    before = j.runs;
    assert_true(before > 0);
    leat_loop_turn(l);
    assert_true(j.runs > before);
    assert_int_equal(r.fired, 2);
    leat_task_cancel(&j.task);
    leat_timer_free(r.timer);
    leat_loop_free(l);
}

struct stopper {
    struct leat_loop *loop;
    struct job *job;
};

static void defer_and_stop(void *arg)
{
    struct stopper *s = arg;

    leat_loop_defer(s->loop, &s->job->task);
    leat_loop_stop(s->loop);
}

/* The loop must not go to sleep over a task that a timer put off: here nothing would wake it. */
static void tasks_run_before_the_loop_waits(void **state)
{
    struct leat_loop *l = leat_loop_new(NULL);
    struct job j = {.task.run = run_job, .loop = l};
    struct stopper s = {l, &j};
    struct leat_timer *t = leat_timer_new(l, defer_and_stop, &s);

    (void)state;
    leat_timer_start(t, LEAT_MS, 0);
    leat_loop_run(l);
    assert_int_equal(j.runs, 1);
    leat_timer_free(t);
    leat_loop_free(l);
}

static void *stop_from_afar(void *arg)
{
    leat_loop_stop(arg);
    return NULL;
}

static void can_be_stopped_by_another_thread_and_run_again(void **state)
{
    struct leat_loop *l = leat_loop_new(NULL);

    (void)state;
    for (int i = 0; i < 50; i++) {
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, stop_from_afar, l), 0);
        leat_loop_run(l);
        pthread_join(thread, NULL);
    }
    leat_loop_free(l);
}

static void a_forgotten_timer_is_named(void **state)
{
    char text[512] = "";
    int pipes[2], status;
    pid_t child;
    ssize_t n;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        struct leat_loop *l = leat_loop_new(NULL);

        signal(SIGABRT, SIG_DFL);
        dup2(pipes[1], STDERR_FILENO);
        leat_timer_new(l, say, NULL);
        leat_loop_free(l);
        _exit(0);
    }
    close(pipes[1]);
    n = read(pipes[0], text, sizeof text - 1);
    assert_true(n > 0);
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_non_null(strstr(text, "no timer is left open"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_of_time),
        cmocka_unit_test(heap_keeps_its_order),
        cmocka_unit_test(a_timer_of_no_length_does_not_hold_the_loop),
        cmocka_unit_test(housekeeping_keeps_nobody_alive),
        cmocka_unit_test(tasks_run_once_and_in_the_same_pass),
        cmocka_unit_test(endless_tasks_let_the_loop_turn),
        cmocka_unit_test(tasks_run_before_the_loop_waits),
        cmocka_unit_test(can_be_stopped_by_another_thread_and_run_again),
        cmocka_unit_test(a_forgotten_timer_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
