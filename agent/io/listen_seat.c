/* Shares accepted connections out among workers. */
#include "io/listen_seat.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/mailbox.h"

/* A connection stays where it was accepted unless the worker with the fewest has fewer by more than
 * this part of them: few long-lived ones are shared out evenly, thousands are not moved for an
 * evenness that nobody would notice. */
#define SLACK 8

struct leat_seat {
    struct leat_link link;   /* in its table; the one chosen last is at the end */
    struct leat_link *table; /* while open */
    struct leat_mailbox *mailbox;
    void (*arrive)(void *self, int fd, const struct sockaddr *addr);
    void *self;
    uint32_t max_conns, conns;
    bool open;
};

/* On its way from one worker to another. */
struct arrival {
    struct leat_mail mail;
    struct leat_seat *to;
    int fd;
    union {
        struct sockaddr any;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
    } addr;
};

/* Of all tables, seats' counts and their `open`: connections come and go by the thousand, not by
 * the million. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct leat_seat *leat_seat_new(struct leat_loop *l, struct leat_link *table, uint32_t max_conns,
                                void (*arrive)(void *self, int fd, const struct sockaddr *addr),
                                void *self, struct leat_err *err)
{
    struct leat_mailbox *mailbox = leat_mailbox_new(l, err);
    struct leat_seat *s;

    if (mailbox == NULL)
        return NULL;
    s = leat_new(sizeof *s);
    s->mailbox = mailbox;
    s->table = table;
    s->arrive = arrive;
    s->self = self;
    s->max_conns = max_conns;
    s->open = true;
    pthread_mutex_lock(&lock);
    leat_list_append(table, &s->link);
    pthread_mutex_unlock(&lock);
    return s;
}

void leat_seat_close(struct leat_seat *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&lock);
    leat_list_remove(&s->link);
    s->open = false; /* nobody sends to it from here on */
    s->conns++;      /* holds it */
    pthread_mutex_unlock(&lock);
    leat_mailbox_free(s->mailbox); /* delivers what is inside */
    leat_seat_leave(s);
}

void leat_seat_leave(struct leat_seat *s)
{
    bool last;

    if (s == NULL)
        return;
    pthread_mutex_lock(&lock);
    last = --s->conns == 0 && !s->open;
    pthread_mutex_unlock(&lock);
    if (last)
        leat_free(s);
}

uint32_t leat_seat_conns(struct leat_seat *s)
{
    uint32_t n;

    pthread_mutex_lock(&lock);
    n = s->conns;
    pthread_mutex_unlock(&lock);
    return n;
}

static bool has_room(const struct leat_seat *s)
{
    return s->max_conns == 0 || s->conns < s->max_conns;
}

static bool is_better(const struct leat_seat *s, const struct leat_seat *than)
{
    return has_room(s) && (than == NULL || s->conns < than->conns);
}

/* The one with the fewest, of equals the one that was chosen longest ago; `own` when that is about
 * as good. NULL: all are full. */
static struct leat_seat *choose(struct leat_seat *own)
{
    struct leat_seat *least = NULL;

    for (struct leat_link *l = own->table->next; l != own->table; l = l->next) {
        struct leat_seat *s = LEAT_OWNER(l, struct leat_seat, link);

        if (is_better(s, least))
            least = s;
    }
    if (least == NULL)
        return NULL;
    if (has_room(own) && own->conns <= least->conns + least->conns / SLACK)
        return own;
    leat_list_remove(&least->link);
    leat_list_append(own->table, &least->link);
    return least;
}

static void deliver(struct leat_mail *mail)
{
    struct arrival *a = LEAT_OWNER(mail, struct arrival, mail);

    if (a->to->open) {
        a->to->arrive(a->to->self, a->fd, &a->addr.any);
    } else {
        close(a->fd);
        leat_seat_leave(a->to);
    }
    leat_free(a);
}

static struct arrival *new_arrival(int fd, const struct sockaddr *addr)
{
    struct arrival *a = leat_try_zeroed(sizeof *a);

    if (a == NULL)
        return NULL;
    a->mail.deliver = deliver;
    a->fd = fd;
    if (addr->sa_family == AF_INET6)
        memcpy(&a->addr.in6, addr, sizeof a->addr.in6);
    else if (addr->sa_family == AF_INET)
        memcpy(&a->addr.in4, addr, sizeof a->addr.in4);
    else
        a->addr.any.sa_family = addr->sa_family;
    return a;
}

enum leat_seat_result leat_seat_give(struct leat_seat *own, int fd, const struct sockaddr *addr)
{
    struct arrival *a = NULL;
    struct leat_seat *s;

    pthread_mutex_lock(&lock);
    s = choose(own);
    if (s != NULL && s != own) {
        a = new_arrival(fd, addr);
        if (a == NULL)
            s = has_room(own) ? own : NULL;
    }
    if (s != NULL)
        s->conns++;
    if (a != NULL) {
        a->to = s;
        leat_mailbox_send(s->mailbox, &a->mail); /* under the lock: it cannot close before */
    }
    pthread_mutex_unlock(&lock);
    if (s == NULL)
        return LEAT_SEAT_FULL;
    return a != NULL ? LEAT_SEAT_AWAY : LEAT_SEAT_OWN;
}
