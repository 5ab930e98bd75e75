/* The StatsD receiver's inside: one worker's instance, and what its files do for each other.
 *
 * Each worker has a socket and a table of its own. Worker 0 leads: once per interval it has the
 * tables of the others brought to it, adds them to its own, and sends. */
#ifndef LEAT_RECEIVERS_STATSD_H
#define LEAT_RECEIVERS_STATSD_H

#include "flow/component.h"
#include "flow/selfobs.h"
#include "receivers/statsd_conf.h"
#include "receivers/statsd_table.h"

struct leat_dgram;
struct leat_statsd_errand;
struct leat_statsd_lead;
struct leat_statsd_plea;
struct leat_statsd_notices;
struct leat_statsd_streams;

/* What is counted for the program's own metrics. */
struct leat_statsd_meters {
    struct leat_receiver_obs obs;
    struct leat_counter *packets, *bytes, *truncated, *lines, *samples, *notices;
    struct leat_counter *faults[LEAT_STATSD_FAULTS], *drops[LEAT_STATSD_DROPS],
        *overflow[LEAT_STATSD_TYPES];
    struct leat_counter *kernel_drops[8]; /* per address */
    struct leat_counter *long_lines, *cut_lines, *notices_dropped, *passes, *lost_points;
    struct leat_gauge *series, *table_bytes, *connections;
    struct leat_statsd_stats seen; /* of the table, at the last look */
};

struct leat_statsd {
    const struct leat_env *env;
    const struct leat_statsd_receiver_conf *conf;
    const struct leat_statsd_rules *rules; /* worker 0's */
    struct leat_statsd_table *table;       /* NULL: closed */
    struct leat_statsd_source source;
    struct leat_statsd_meters meters;
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

/* --- statsd_meters.c */
void leat_statsd_meters_open(struct leat_statsd *r);
/* The drops at an address that the kernel knows by `where`. */
void leat_statsd_meters_address(struct leat_statsd *r, size_t nth, const char *where);
/* Brings the meters up to what the table has counted. */
void leat_statsd_meters_look(struct leat_statsd *r);
/* The table's counts have changed by what other workers have told already, or it is another. */
void leat_statsd_meters_skip(struct leat_statsd *r);

/* --- statsd_lead.c */
/* Worker 0: sends every interval. The rules are its own from now on. */
struct leat_statsd_lead *leat_statsd_lead_new(struct leat_statsd *r,
                                              struct leat_statsd_rules *rules);
/* Others, while they open: their tables are fetched from now on. */
void leat_statsd_lead_join(struct leat_statsd_lead *l, struct leat_statsd *r);
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

/* --- statsd_notices.c: events and service checks on their way into a logs pipeline */
struct leat_statsd_notices *leat_statsd_notices_new(struct leat_statsd *r);
void leat_statsd_notices_free(struct leat_statsd_notices *n); /* takes NULL; what is held is lost */
void leat_statsd_notices_take(void *r, const struct leat_statsd_source *from,
                              const struct leat_statsd_notice *notice);
void leat_statsd_notices_send(struct leat_statsd_notices *n);  /* what has been taken */
void leat_statsd_notices_drain(struct leat_statsd_notices *n); /* then leat_statsd_drained() */

/* --- statsd_stream.c: lines over TCP and Unix streams */
/* NULL and `err`. */
struct leat_statsd_streams *leat_statsd_streams_open(struct leat_statsd *r, struct leat_err *err);
const char *leat_statsd_streams_text(const struct leat_statsd_streams *s);
/* Accepts nothing new, waits for the others to be silent (a second at most) and ends them; then
 * leat_statsd_finished(). */
void leat_statsd_streams_drain(struct leat_statsd_streams *s);
void leat_statsd_streams_free(struct leat_statsd_streams *s); /* takes NULL */

/* The sender's address as text for leat_origin_new(), "" when it is unknown. */
#define LEAT_STATSD_ADDRESS 48
const char *leat_statsd_address(const uint8_t client[16], char out[LEAT_STATSD_ADDRESS]);

#endif
