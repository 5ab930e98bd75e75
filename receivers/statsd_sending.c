/* What worker 0's table holds, in chunks into the pipeline. A chunk waits for its outcome; one that
 * is to be tried again is tried again as it is, while samples go on being added up behind it. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/origin.h"
#include "io/loop.h"
#include "receivers/statsd.h"

#define CHUNK          ((size_t)128 * 1024)
#define RETRY_MS       1000 /* where nobody says when to come again */
#define DRAIN_RETRY_MS 100

struct leat_statsd_sending {
    struct leat_statsd *r; /* NULL: freed, but for an outcome that is missing */
    const struct leat_env *env;
    struct leat_timer *step;
    void (*over)(void *arg);
    void *arg;
    bool hurried, under_way;         /* a chunk has no outcome yet */
    struct leat_buf *chunk;          /* encoded, and not taken yet; NULL: none */
    struct leat_statsd_chunk points; /* in it */
    struct leat_ack ack;
};

static void next_step(struct leat_statsd_sending *s, uint32_t after_ms)
{
    leat_timer_start(s->step, after_ms * LEAT_MS, 0);
}

static uint32_t retry_ms(const struct leat_statsd_sending *s, uint32_t wanted)
{
    if (s->hurried)
        return DRAIN_RETRY_MS;
    return wanted > RETRY_MS ? wanted : RETRY_MS;
}

static void forget_chunk(struct leat_statsd_sending *s)
{
    leat_buf_unref(s->chunk);
    s->chunk = NULL;
}

/* Taken or refused; the next one follows. */
static void chunk_done(struct leat_statsd_sending *s, const struct leat_status *st)
{
    uint32_t refused = st->outcome == LEAT_REJECTED ? s->points.points : st->rejected;

    if (st->outcome == LEAT_REJECTED)
        leat_error(s->env->id, "%u points were refused for good: %s", s->points.points,
                   st->why ? st->why : "no reason was given");
    leat_statsd_count(s->r, LEAT_STATSD_POINTS_REFUSED, refused);
    leat_statsd_count(s->r, LEAT_STATSD_POINTS_TAKEN, s->points.points - refused);
    forget_chunk(s);
    next_step(s, 0);
}

static void chunk_ended(struct leat_ack *ack)
{
    struct leat_statsd_sending *s = LEAT_OWNER(ack, struct leat_statsd_sending, ack);

    s->under_way = false;
    if (s->r == NULL) {
        leat_free(s);
    } else if (ack->worst.outcome == LEAT_RETRY) {
        leat_warn(s->env->id, "%u points were not taken and are sent again: %s", s->points.points,
                  ack->worst.why ? ack->worst.why : "the pipeline is busy");
        next_step(s, retry_ms(s, ack->worst.retry_after_ms));
    } else {
        chunk_done(s, &ack->worst);
    }
}

/* 0, or -1: no memory. */
static int send_chunk(struct leat_statsd_sending *s)
{
    struct leat_bytes request = leat_bytes(s->chunk->data, s->chunk->len);
    char peer[LEAT_STATSD_ADDRESS];
    struct leat_batch *b;

    leat_ack_init(&s->ack, chunk_ended);
    b = leat_batch_new(LEAT_METRICS, leat_buf_ref(s->chunk), request, s->points.points, &s->ack);
    if (b == NULL) {
        leat_buf_unref(s->chunk);
        return -1;
    }
    b->origin = leat_origin_new(leat_statsd_address(s->points.client, peer));
    s->under_way = true;
    leat_send(&s->env->next[LEAT_METRICS], b);
    return 0;
}

/* Encodes the next chunk. 1; 0: there is none, the pass is over; -1: no memory. */
static int make_chunk(struct leat_statsd_sending *s)
{
    struct leat_buf *b = leat_buf_new(s->env->budget, CHUNK);

    if (b == NULL)
        return -1;
    leat_statsd_table_encode(s->r->table, leat_clock_wall(), 0, b, &s->points);
    leat_statsd_meters_look(s->r);
    if (s->points.points == 0) {
        leat_buf_unref(b);
        return 0;
    }
    leat_buf_resize(&b, b->len); /* what is not used goes back; it may stay */
    s->chunk = b;
    return 1;
}

/* One chunk per turn of the loop, so that the sockets are not kept waiting. */
static void step(void *arg)
{
    struct leat_statsd_sending *s = arg;
    int have = s->chunk != NULL ? 1 : make_chunk(s);

    if (have == 0) {
        s->over(s->arg);
    } else if (have > 0 && s->env->next[LEAT_METRICS].take == NULL) {
        forget_chunk(s); /* only logs are wanted */
        next_step(s, 0);
    } else if (have < 0 || send_chunk(s) < 0) {
        leat_warn(s->env->id, "no memory to send what was added up; trying again");
        next_step(s, retry_ms(s, 0));
    }
}

struct leat_statsd_sending *leat_statsd_sending_new(struct leat_statsd *r, void (*over)(void *arg),
                                                    void *arg)
{
    struct leat_statsd_sending *s = leat_new(sizeof *s);

    s->r = r;
    s->env = r->env;
    s->over = over;
    s->arg = arg;
    s->step = leat_timer_new(r->env->loop, step, s);
    return s;
}

void leat_statsd_sending_begin(struct leat_statsd_sending *s)
{
    leat_statsd_table_begin(s->r->table);
    next_step(s, 0);
}

void leat_statsd_sending_hurry(struct leat_statsd_sending *s)
{
    s->hurried = true;
    if (leat_timer_running(s->step))
        next_step(s, 0); /* whatever it waits for */
}

void leat_statsd_sending_free(struct leat_statsd_sending *s)
{
    if (s == NULL)
        return;
    if (s->chunk != NULL) {
        leat_statsd_count(s->r, LEAT_STATSD_POINTS_LOST, s->points.points);
        leat_error(s->env->id, "%u points were not taken by the end and are lost",
                   s->points.points);
    }
    forget_chunk(s);
    leat_timer_free(s->step);
    s->r = NULL;
    if (!s->under_way)
        leat_free(s);
}
