/* Mail between threads: all of it arrives, in the order of each sender. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/mem.h"
#include "io/mailbox.h"

#define SENDERS 4
#define MAILS   5000

struct letter {
    struct leat_mail mail;
    int sender, number;
    struct post *post;
};

struct post {
    struct leat_loop *loop;
    struct leat_mailbox *box;
    int got[SENDERS], out_of_order, total, stop_at;
};

static void deliver(struct leat_mail *mail)
{
    struct letter *l = LEAT_OWNER(mail, struct letter, mail);
    struct post *p = l->post;

    if (p->got[l->sender]++ != l->number)
        p->out_of_order++;
    if (++p->total == p->stop_at)
        leat_loop_stop(p->loop);
    leat_free(l);
}

static void send(struct post *p, int sender, int number)
{
    struct letter *l = leat_new(sizeof *l);

    l->mail.deliver = deliver;
    l->sender = sender;
    l->number = number;
    l->post = p;
    leat_mailbox_send(p->box, &l->mail);
}

struct sender {
    struct post *post;
    int number;
};

static void *send_all(void *arg)
{
    struct sender *s = arg;

    for (int i = 0; i < MAILS; i++)
        send(s->post, s->number, i);
    return NULL;
}

static void many_senders_one_receiver(void **state)
{
    struct post p = {.stop_at = SENDERS * MAILS};
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];

    (void)state;
    p.loop = leat_loop_new(NULL);
    p.box = leat_mailbox_new(p.loop, NULL);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){&p, i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    leat_loop_run(p.loop);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(p.got[i], MAILS);
    assert_int_equal(p.out_of_order, 0);
    leat_mailbox_free(p.box);
    leat_loop_free(p.loop);
}

static void what_is_inside_is_delivered_before_the_end(void **state)
{
    struct post p = {0};

    (void)state;
    p.loop = leat_loop_new(NULL);
    p.box = leat_mailbox_new(p.loop, NULL);
    assert_false(leat_loop_turn(p.loop)); /* waiting for mail keeps nobody alive */
    for (int i = 0; i < 3000; i++)
        send(&p, 0, i);
    assert_int_equal(p.total, 0); /* never from inside the call */
    leat_mailbox_free(p.box);
    assert_int_equal(p.total, 3000);
    assert_int_equal(p.out_of_order, 0);
    leat_mailbox_free(NULL);
    leat_loop_free(p.loop);
}

/* More than one wake-up's worth comes without another send. */
static void a_long_queue_is_emptied(void **state)
{
    struct post p = {0};

    (void)state;
    p.loop = leat_loop_new(NULL);
    p.box = leat_mailbox_new(p.loop, NULL);
    for (int i = 0; i < 3000; i++)
        send(&p, 0, i);
    p.stop_at = 3000;
    leat_loop_run(p.loop);
    assert_int_equal(p.total, 3000);
    leat_mailbox_free(p.box);
    leat_loop_free(p.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_senders_one_receiver),
        cmocka_unit_test(what_is_inside_is_delivered_before_the_end),
        cmocka_unit_test(a_long_queue_is_emptied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
