/* The StatsD receiver's inside: one worker's instance, and what its files do for each other.
 *
 * Each worker has a socket and a table of its own. Worker 0 leads: once per interval it has the
 * tables of the others brought to it, adds them to its own, and sends. */
#ifndef LEAT_RECEIVERS_STATSD_H
#define LEAT_RECEIVERS_STATSD_H

#include "flow/component.h"
#include "receivers/statsd_table.h"

struct leat_dgram;
struct leat_statsd_errand;
struct leat_statsd_lead;
struct leat_statsd_meters;
struct leat_statsd_notices;
struct leat_statsd_plea;
struct leat_statsd_receiver_conf;
struct leat_statsd_sending;
struct leat_statsd_streams;

struct leat_statsd {
    const struct leat_env *env;
    const struct leat_statsd_receiver_conf *conf;
    const struct leat_statsd_rules *rules; /* worker 0's */
    struct leat_statsd_table *table;       /* NULL: closed */
    struct leat_statsd_source source;
    struct leat_statsd_meters *meters;
    struct leat_dgram *dgram;
    struct leat_statsd_streams *streams;
    struct leat_statsd_notices *out;    /* NULL: no pipeline takes logs */
    struct leat_statsd_lead *lead;      /* worker 0 */
    struct leat_statsd_errand *waiting; /* others: who waits for what the sockets still bring */
    struct leat_statsd_plea *plea;      /* others: asks for a pass before its time */
    bool receiving;                     /* the sockets may still bring something */
    uint32_t undrained;
    void (*drained)(void *house);
    void *house;
};

/* --- statsd.c */
/* Whole lines, or a datagram, from `from` (an IP address of 4 or 16 bytes, or nothing). */
void leat_statsd_feed(struct leat_statsd *r, struct leat_bytes from, struct leat_bytes data);
/* After one or several feeds: counts, and sends what must not wait. */
void leat_statsd_fed(struct leat_statsd *r);
/* Frees sockets, table and what is on its way; again does nothing. */
void leat_statsd_let_go(struct leat_statsd *r);
/* The sockets will bring nothing more: what is inside is sent. */
void leat_statsd_finished(struct leat_statsd *r);
/* One of those that drain is done. */
void leat_statsd_drained(struct leat_statsd *r);
/* The sender's address as text for leat_origin_new(), "" when it is unknown. */
#define LEAT_STATSD_ADDRESS 48
const char *leat_statsd_address(const uint8_t client[16], char out[LEAT_STATSD_ADDRESS]);

/* --- statsd_meters.c: the program's own metrics */
enum leat_statsd_count {
    LEAT_STATSD_PACKETS,
    LEAT_STATSD_BYTES,
    LEAT_STATSD_TRUNCATED,     /* packets */
    LEAT_STATSD_SKIPPED_LINES, /* too long, or no memory */
    LEAT_STATSD_CUT_LINES,     /* without their end */
    LEAT_STATSD_PASSES,
    LEAT_STATSD_POINTS_TAKEN,
    LEAT_STATSD_POINTS_REFUSED,
    LEAT_STATSD_POINTS_LOST, /* not taken by the end */
    LEAT_STATSD_NOTICES_TAKEN,
    LEAT_STATSD_NOTICES_REFUSED, /* by the pipeline, or for want of room */
    LEAT_STATSD_COUNTS
};
struct leat_statsd_meters *leat_statsd_meters_new(struct leat_statsd *r);
void leat_statsd_meters_free(struct leat_statsd_meters *m); /* takes NULL */
void leat_statsd_count(struct leat_statsd *r, enum leat_statsd_count what, uint64_t n);
void leat_statsd_count_connections(struct leat_statsd *r, int change);
/* The nth address of the dgram is known by `where` from now on. */
void leat_statsd_meters_address(struct leat_statsd *r, size_t nth, const char *where);
void leat_statsd_count_drops(struct leat_statsd *r, size_t nth, uint64_t n);
/* Brings the metrics up to what the table has counted. */
void leat_statsd_meters_look(struct leat_statsd *r);
/* The table's counts have changed by what other workers have told already, or it is another. */
void leat_statsd_meters_skip(struct leat_statsd *r);

/* --- statsd_lead.c: worker 0 and the others */
/* Sends every `interval`. The rules are its own from now on. */
struct leat_statsd_lead *leat_statsd_lead_new(struct leat_statsd *r,
                                              struct leat_statsd_rules *rules, int64_t interval);
/* Others, while they open: their tables are fetched from now on. */
void leat_statsd_lead_join(struct leat_statsd_lead *l, struct leat_statsd *r);
/* Of the others' tables that are with it. */
size_t leat_statsd_lead_bytes(const struct leat_statsd_lead *l);
/* Sends now, or once more when a pass is under way. */
void leat_statsd_lead_go(struct leat_statsd_lead *l);
/* Sends all that any worker holds when its sockets are finished; then leat_statsd_drained(). */
void leat_statsd_lead_drain(struct leat_statsd_lead *l);
/* Sends nothing more, and says what is lost by that. */
void leat_statsd_lead_stop(struct leat_statsd_lead *l);
/* After the table: is freed, and the rules with it, when all others have let go of them. */
void leat_statsd_lead_free(struct leat_statsd_lead *l);
/* Others: wants a pass before its time. */
void leat_statsd_plead(struct leat_statsd *r);
void leat_statsd_plea_free(struct leat_statsd *r);
/* Others: the sockets are finished or the table is gone; answers who waits for it. */
void leat_statsd_answer(struct leat_statsd *r);

/* --- statsd_sending.c: what is in the table, in chunks into the pipeline */
/* `over` runs when a pass is over, never from inside these calls. */
struct leat_statsd_sending *leat_statsd_sending_new(struct leat_statsd *r, void (*over)(void *arg),
                                                    void *arg);
void leat_statsd_sending_begin(struct leat_statsd_sending *s); /* a pass */
void leat_statsd_sending_hurry(struct leat_statsd_sending *s); /* short delays from now on */
/* Takes NULL. Counts and says what was not taken. */
void leat_statsd_sending_free(struct leat_statsd_sending *s);

/* --- statsd_notices.c: events and service checks on their way into a logs pipeline */
struct leat_statsd_notices *leat_statsd_notices_new(struct leat_statsd *r, bool simple_tags);
void leat_statsd_notices_free(struct leat_statsd_notices *n); /* takes NULL; what is held is lost */
void leat_statsd_notices_take(void *r, const struct leat_statsd_source *from,
                              const struct leat_statsd_notice *notice);
void leat_statsd_notices_send(struct leat_statsd_notices *n);  /* what has been taken */
void leat_statsd_notices_drain(struct leat_statsd_notices *n); /* then leat_statsd_drained() */

/* --- statsd_stream.c: lines over TCP and Unix streams */
/* NULL and `err`. */
struct leat_statsd_streams *leat_statsd_streams_open(struct leat_statsd *r, struct leat_err *err);
const char *leat_statsd_streams_text(const struct leat_statsd_streams *s);
/* Accepts those that wait to be, waits for all to be silent (a second at most) and ends them; then
 * leat_statsd_finished(). */
void leat_statsd_streams_drain(struct leat_statsd_streams *s);
void leat_statsd_streams_free(struct leat_statsd_streams *s); /* takes NULL */

#endif
