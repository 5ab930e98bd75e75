/* A queue with many senders and one receiver (the intrusive queue of D. Vyukov: a sender exchanges
 * the head and then links its predecessor), and a wake-up for the receiver's loop. */
#include "io/mailbox.h"

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"
#include "io/loop_uv.h"

/* Mails delivered before the loop looks at its sockets again. */
#define MAILS_PER_WAKE 1024

struct leat_mailbox {
    _Atomic(struct leat_mail *) head; /* the newest mail: senders */
    struct leat_mail *tail;           /* the oldest one: the receiver */
    struct leat_mail stub;            /* stands in the queue when it would be empty */
    uv_async_t wake;
};

static void push(struct leat_mailbox *m, struct leat_mail *mail)
{
    struct leat_mail *before;

    atomic_store_explicit(&mail->next, NULL, memory_order_relaxed);
    before = atomic_exchange_explicit(&m->head, mail, memory_order_acq_rel);
    atomic_store_explicit(&before->next, mail, memory_order_release);
}

static struct leat_mail *next_of(struct leat_mail *mail)
{
    return atomic_load_explicit(&mail->next, memory_order_acquire);
}

/* NULL: empty, or a sender stands between its two steps; it will wake us after the second. */
static struct leat_mail *pop(struct leat_mailbox *m)
{
    struct leat_mail *tail = m->tail, *next = next_of(tail);

    if (tail == &m->stub) {
        if (next == NULL)
            return NULL;
        m->tail = tail = next;
        next = next_of(tail);
    }
    if (next == NULL) {
        if (tail != atomic_load_explicit(&m->head, memory_order_acquire))
            return NULL;
        push(m, &m->stub); /* so that the last mail has a successor and can leave */
        next = next_of(tail);
        if (next == NULL)
            return NULL;
    }
    m->tail = next;
    return tail;
}

/* True: there may be more. */
static bool deliver(struct leat_mailbox *m)
{
    struct leat_mail *mail;

    for (int n = 0; n < MAILS_PER_WAKE; n++) {
        mail = pop(m);
        if (mail == NULL)
            return false;
        mail->deliver(mail);
    }
    return true;
}

static void on_wake(uv_async_t *wake)
{
    if (deliver(wake->data))
        uv_async_send(wake);
}

struct leat_mailbox *leat_mailbox_new(struct leat_loop *l, struct leat_err *err)
{
    struct leat_mailbox *m = leat_new(sizeof *m);
    int rc = uv_async_init(leat_loop_uv(l), &m->wake, on_wake);

    if (rc != 0) {
        leat_fail(err, "cannot make a mailbox: %s", uv_strerror(rc));
        leat_free(m);
        return NULL;
    }
    m->wake.data = m;
    uv_unref((uv_handle_t *)&m->wake); /* waiting for mail keeps nobody alive */
    atomic_init(&m->head, &m->stub);
    m->tail = &m->stub;
    return m;
}

static void on_close(uv_handle_t *wake)
{
    leat_free(wake->data);
}

void leat_mailbox_free(struct leat_mailbox *m)
{
    if (m == NULL)
        return;
    while (deliver(m))
        ;
    uv_close((uv_handle_t *)&m->wake, on_close);
}

void leat_mailbox_send(struct leat_mailbox *m, struct leat_mail *mail)
{
    push(m, mail);
    uv_async_send(&m->wake);
}
