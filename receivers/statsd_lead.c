/* Worker 0 sends what all workers have added up.
 *
 * A pass: an errand goes to each other worker and brings its table back (it takes an empty one
 * along); their contents are added to our own table, and this is sent in chunks. A chunk waits for
 * its outcome; one that is to be tried again is tried again as it is, while samples go on being
 * added up behind it. */
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/meter.h"
#include "flow/origin.h"
#include "io/mailbox.h"
#include "receivers/statsd.h"

#define CHUNK          ((size_t)256 * 1024)
#define RETRY_MS       1000 /* where nobody says when to come again */
#define DRAIN_RETRY_MS 100

/* Goes to another worker and comes back; worker 0's, but for the time it is away. */
struct leat_statsd_errand {
    struct leat_mail mail;
    struct leat_statsd_lead *lead;
    struct leat_statsd *to;
    struct leat_statsd_table *table; /* theirs: empty on the way out, full on the way back */
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
    struct leat_timer *interval, *step;
    struct leat_statsd_errand **errands;
    size_t nerrands, out;            /* so many have not come back */
    bool passing, again;             /* a pass is under way; another is to follow */
    bool draining, final, told;      /* the pass under way is the last; drained() was called */
    bool sending, stopped;           /* a chunk has no outcome yet */
    struct leat_buf *chunk;          /* encoded, and not taken yet; NULL: none */
    struct leat_statsd_chunk points; /* in it */
    struct leat_ack ack;
};

/* --- chunks */

static void next_step(struct leat_statsd_lead *l, uint32_t after_ms)
{
    leat_timer_start(l->step, after_ms * LEAT_MS, 0);
}

static uint32_t retry_ms(const struct leat_statsd_lead *l, uint32_t wanted)
{
    if (l->draining)
        return DRAIN_RETRY_MS;
    return wanted > RETRY_MS ? wanted : RETRY_MS;
}

static void forget_chunk(struct leat_statsd_lead *l)
{
    leat_buf_unref(l->chunk);
    l->chunk = NULL;
}

static void maybe_free(struct leat_statsd_lead *l);

static void chunk_ended(struct leat_ack *ack)
{
    struct leat_statsd_lead *l = LEAT_OWNER(ack, struct leat_statsd_lead, ack);
    struct leat_status st = ack->worst;
    struct leat_receiver_obs *obs;

    l->sending = false;
    if (l->stopped) {
        maybe_free(l);
        return;
    }
    obs = &l->r->meters.obs;
    if (st.outcome == LEAT_RETRY) {
        leat_warn(l->env->id, "%u points were not taken and are sent again: %s", l->points.points,
                  st.why ? st.why : "the pipeline is busy");
        next_step(l, retry_ms(l, st.retry_after_ms));
        return;
    }
    if (st.outcome == LEAT_REJECTED) {
        leat_count(obs->refused[LEAT_METRICS], l->points.points);
        leat_error(l->env->id, "%u points were refused for good: %s", l->points.points,
                   st.why ? st.why : "no reason was given");
    } else {
        leat_count(obs->accepted[LEAT_METRICS], l->points.points - st.rejected);
        leat_count(obs->refused[LEAT_METRICS], st.rejected);
    }
    forget_chunk(l);
    next_step(l, 0);
}

/* 0, or -1: no memory. */
static int send_chunk(struct leat_statsd_lead *l)
{
    struct leat_bytes request = leat_bytes(l->chunk->data, l->chunk->len);
    char peer[LEAT_STATSD_ADDRESS];
    struct leat_batch *b;

    leat_ack_init(&l->ack, chunk_ended);
    b = leat_batch_new(LEAT_METRICS, leat_buf_ref(l->chunk), request, l->points.points, &l->ack);
    if (b == NULL) {
        leat_buf_unref(l->chunk);
        return -1;
    }
    b->origin = leat_origin_new(leat_statsd_address(l->points.client, peer));
    l->sending = true;
    leat_send(&l->env->next[LEAT_METRICS], b);
    return 0;
}

/* Encodes the next chunk. 1; 0: there is none, the pass is over; -1: no memory. */
static int make_chunk(struct leat_statsd_lead *l)
{
    struct leat_buf *b = leat_buf_new(l->env->budget, CHUNK);

    if (b == NULL)
        return -1;
    leat_statsd_table_encode(l->r->table, leat_clock_wall(), 0, b, &l->points);
    leat_statsd_meters_look(l->r);
    if (l->points.points == 0) {
        leat_buf_unref(b);
        return 0;
    }
    leat_buf_resize(&b, b->len); /* what is not used goes back; it may stay */
    l->chunk = b;
    return 1;
}

static void end_pass(struct leat_statsd_lead *l);

/* One chunk per turn of the loop, so that the sockets are not kept waiting. */
static void step(void *arg)
{
    struct leat_statsd_lead *l = arg;
    int have = l->chunk != NULL ? 1 : make_chunk(l);

    if (have == 0) {
        end_pass(l);
    } else if (have > 0 && l->env->next[LEAT_METRICS].take == NULL) {
        forget_chunk(l); /* only logs are wanted */
        next_step(l, 0);
    } else if (have < 0 || send_chunk(l) < 0) {
        leat_warn(l->env->id, "no memory to send what was added up; trying again");
        next_step(l, retry_ms(l, 0));
    }
}

/* --- passes */

static void visit(struct leat_mail *mail);

static void send_errand(struct leat_statsd_lead *l, struct leat_statsd_errand *e)
{
    ++*l->env->under_way;
    e->away = true;
    e->mail.deliver = visit;
    leat_mailbox_send(e->to->env->mailbox, &e->mail);
}

static void begin_sending(struct leat_statsd_lead *l)
{
    leat_statsd_table_begin(l->r->table);
    next_step(l, 0);
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
        begin_sending(l);
}

static void end_pass(struct leat_statsd_lead *l)
{
    bool last = l->final;

    leat_count(l->r->meters.passes, 1);
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
    if (l->passing && leat_timer_running(l->step))
        next_step(l, 0); /* whatever it waits for */
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
        begin_sending(l);
}

/* --- errands: with the others, on their threads */

static void send_home(struct leat_statsd_errand *e)
{
    e->mail.deliver = come_home;
    leat_mailbox_send(e->lead->env->mailbox, &e->mail);
}

static void exchange(struct leat_statsd *r, struct leat_statsd_errand *e)
{
    struct leat_statsd_table *empty = e->table;

    if (r->table == NULL) { /* closed meanwhile */
        send_home(e);
        return;
    }
    leat_statsd_meters_look(r);
    e->table = r->table;
    r->table = empty;
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
                                              struct leat_statsd_rules *rules)
{
    struct leat_statsd_lead *l = leat_new(sizeof *l);

    l->r = r;
    l->env = r->env;
    l->rules = rules;
    l->step = leat_timer_new(r->env->loop, step, l);
    l->interval = leat_timer_new(r->env->loop, on_interval, l);
    leat_timer_start(l->interval, r->conf->aggregation_interval, r->conf->aggregation_interval);
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
    leat_timer_free(l->step);
    if (l->chunk != NULL) {
        leat_count(l->r->meters.lost_points, l->points.points);
        leat_error(l->env->id, "%u points were not taken by the end and are lost",
                   l->points.points);
    }
    forget_chunk(l);
    if (!l->told && !leat_statsd_table_idle(l->r->table))
        leat_error(l->env->id, "%u series were not sent by the end: what they hold is lost",
                   leat_statsd_table_series(l->r->table));
}

/* Each of the others is visited once more, so that nothing of theirs needs the rules. */
static void maybe_free(struct leat_statsd_lead *l)
{
    bool away = l->sending;

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
