/* Worker 0 sends what all workers have added up: in a pass an errand goes to each other worker and
 * brings its table back (it takes along the one it brought the time before, which has no values by
 * now but knows its series); what they hold is added to our own table, and this is sent. */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/mailbox.h"
#include "receivers/statsd.h"
#include "receivers/statsd_settings.h"

/* Goes to another worker and comes back; worker 0's, but for the time it is away. */
struct leat_statsd_errand {
    struct leat_mail mail;
    struct leat_statsd_lead *lead;
    struct leat_statsd *to;
    /* One of their two, never another worker's: no values on the way out, full on the way back. */
    struct leat_statsd_table *table;
    bool away;
    bool final;   /* brings what comes until the sockets are finished */
    bool the_end; /* lets go of everything that needs the rules */
};

/* Another worker's wish for a pass before its time; theirs, but for the time it is away. */
struct leat_statsd_plea {
    struct leat_mail mail;
    struct leat_statsd *from;
    struct leat_statsd *lead;
    bool away;
};

struct leat_statsd_lead {
    struct leat_statsd *r; /* NULL: freed, but for what is still away */
    const struct leat_env *env;
    struct leat_statsd_rules *rules;
    struct leat_statsd_sending *sending;
    struct leat_timer *interval;
    struct leat_statsd_errand **errands;
    size_t nerrands, out;       /* so many have not come back */
    bool passing, again;        /* a pass is under way; another is to follow */
    bool draining, final, told; /* the pass under way is the last; drained() was called */
    bool stopped;
};

static void maybe_free(struct leat_statsd_lead *l);

/* --- passes */

static void visit(struct leat_mail *mail);

static void send_errand(struct leat_statsd_lead *l, struct leat_statsd_errand *e)
{
    ++*l->env->under_way;
    e->away = true;
    e->mail.deliver = visit;
    leat_mailbox_send(e->to->env->mailbox, &e->mail);
}

void leat_statsd_lead_go(struct leat_statsd_lead *l)
{
    if (l->stopped)
        return;
    l->again = l->passing;
    if (l->passing)
        return;
    l->passing = true;
    l->final = l->draining;
    l->out = l->nerrands;
    for (size_t i = 0; i < l->nerrands; i++) {
        l->errands[i]->final = l->final;
        send_errand(l, l->errands[i]);
    }
    if (l->out == 0)
        leat_statsd_sending_begin(l->sending);
}

static void pass_over(void *arg)
{
    struct leat_statsd_lead *l = arg;
    bool last = l->final;

    leat_statsd_count(l->r, LEAT_STATSD_PASSES, 1);
    l->passing = l->final = false;
    if (last) {
        l->told = true;
        leat_statsd_drained(l->r);
    } else if (l->again) {
        leat_statsd_lead_go(l);
    }
}

static void on_interval(void *arg)
{
    struct leat_statsd_lead *l = arg;

    /* A pass that is still under way sends this interval's samples as well, or the next does. */
    if (!l->passing)
        leat_statsd_lead_go(l);
}

void leat_statsd_lead_drain(struct leat_statsd_lead *l)
{
    l->draining = true;
    leat_timer_stop(l->interval);
    leat_statsd_sending_hurry(l->sending);
    leat_statsd_lead_go(l);
}

/* --- errands: at home */

static void come_home(struct leat_mail *mail)
{
    struct leat_statsd_errand *e = LEAT_OWNER(mail, struct leat_statsd_errand, mail);
    struct leat_statsd_lead *l = e->lead;

    LEAT_CHECK(*l->env->under_way > 0);
    --*l->env->under_way;
    e->away = false;
    if (l->stopped) {
        maybe_free(l);
        return;
    }
    leat_statsd_meters_look(l->r);
    leat_statsd_table_merge(l->r->table, e->table, leat_clock_wall());
    leat_statsd_meters_skip(l->r);
    if (--l->out == 0)
        leat_statsd_sending_begin(l->sending);
}

size_t leat_statsd_lead_bytes(const struct leat_statsd_lead *l)
{
    size_t bytes = 0;

    for (size_t i = 0; i < l->nerrands; i++) {
        if (!l->errands[i]->away)
            bytes += leat_statsd_table_bytes(l->errands[i]->table);
    }
    return bytes;
}

/* --- errands: with the others, on their threads */

static void send_home(struct leat_statsd_errand *e)
{
    e->mail.deliver = come_home;
    leat_mailbox_send(e->lead->env->mailbox, &e->mail);
}

static void exchange(struct leat_statsd *r, struct leat_statsd_errand *e)
{
    struct leat_statsd_table *rested = e->table;

    if (r->table == NULL) { /* closed meanwhile */
        send_home(e);
        return;
    }
    leat_statsd_meters_look(r);
    e->table = r->table;
    r->table = rested;
    leat_statsd_meters_skip(r);
    send_home(e);
}

static void visit(struct leat_mail *mail)
{
    struct leat_statsd_errand *e = LEAT_OWNER(mail, struct leat_statsd_errand, mail);
    struct leat_statsd *r = e->to;

    if (e->the_end) {
        leat_statsd_let_go(r);
        send_home(e);
    } else if (e->final && r->receiving) {
        r->waiting = e;
    } else {
        exchange(r, e);
    }
}

void leat_statsd_answer(struct leat_statsd *r)
{
    struct leat_statsd_errand *e = r->waiting;

    r->waiting = NULL;
    if (e != NULL)
        exchange(r, e);
}

/* --- pleas */

static void plea_home(struct leat_mail *mail)
{
    struct leat_statsd_plea *p = LEAT_OWNER(mail, struct leat_statsd_plea, mail);

    --*p->from->env->under_way;
    p->away = false;
    if (p->from->plea == NULL)
        leat_free(p); /* closed meanwhile */
}

static void plea_heard(struct leat_mail *mail)
{
    struct leat_statsd_plea *p = LEAT_OWNER(mail, struct leat_statsd_plea, mail);

    if (p->lead->lead != NULL)
        leat_statsd_lead_go(p->lead->lead);
    p->mail.deliver = plea_home;
    leat_mailbox_send(p->from->env->mailbox, &p->mail);
}

void leat_statsd_plead(struct leat_statsd *r)
{
    struct leat_statsd_plea *p = r->plea;

    if (p->away)
        return;
    p->away = true;
    ++*r->env->under_way;
    p->mail.deliver = plea_heard;
    leat_mailbox_send(p->lead->env->mailbox, &p->mail);
}

/* --- the beginning and the end */

struct leat_statsd_lead *leat_statsd_lead_new(struct leat_statsd *r,
                                              struct leat_statsd_rules *rules, int64_t interval)
{
    struct leat_statsd_lead *l = leat_new(sizeof *l);

    l->r = r;
    l->env = r->env;
    l->rules = rules;
    l->sending = leat_statsd_sending_new(r, pass_over, l);
    l->interval = leat_timer_new(r->env->loop, on_interval, l);
    leat_timer_start(l->interval, interval, interval);
    return l;
}

void leat_statsd_lead_join(struct leat_statsd_lead *l, struct leat_statsd *r)
{
    struct leat_statsd_errand *e = leat_new(sizeof *e);

    e->lead = l;
    e->to = r;
    e->table = leat_statsd_table_new(l->rules, r->env->budget, leat_clock_wall());
    l->errands = leat_renew(l->errands, (l->nerrands + 1) * sizeof(struct leat_statsd_errand *));
    l->errands[l->nerrands++] = e;
    r->plea = leat_new(sizeof *r->plea);
    r->plea->from = r;
    r->plea->lead = l->r;
}

void leat_statsd_plea_free(struct leat_statsd *r)
{
    struct leat_statsd_plea *p = r->plea;

    r->plea = NULL;
    if (p != NULL && !p->away)
        leat_free(p);
}

void leat_statsd_lead_stop(struct leat_statsd_lead *l)
{
    l->stopped = true;
    leat_timer_free(l->interval);
    leat_statsd_sending_free(l->sending);
    l->sending = NULL;
    if (!l->told && !leat_statsd_table_idle(l->r->table))
        leat_error(l->env->id, "%u series were not sent by the end: what they hold is lost",
                   leat_statsd_table_series(l->r->table));
}

/* Each of the others is visited once more, so that nothing of theirs needs the rules. */
static void maybe_free(struct leat_statsd_lead *l)
{
    bool away = false;

    if (l->r != NULL)
        return;
    for (size_t i = 0; i < l->nerrands; i++) {
        struct leat_statsd_errand *e = l->errands[i];

        if (!e->away && !e->the_end) {
            e->the_end = true;
            send_errand(l, e);
        }
        away |= e->away;
    }
    if (away)
        return;
    for (size_t i = 0; i < l->nerrands; i++) {
        leat_statsd_table_free(l->errands[i]->table);
        leat_free(l->errands[i]);
    }
    leat_statsd_rules_free(l->rules);
    leat_free(l->errands);
    leat_free(l);
}

void leat_statsd_lead_free(struct leat_statsd_lead *l)
{
    l->r = NULL;
    maybe_free(l);
}
