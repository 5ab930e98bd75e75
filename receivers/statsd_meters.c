/* What the StatsD receiver tells of itself. */
#include "base/mem.h"
#include "base/meter.h"
#include "flow/selfobs.h"
#include "receivers/statsd.h"
#include "receivers/statsd_conf.h"

#define ADDRESSES 8

struct leat_statsd_meters {
    struct leat_counter *counts[LEAT_STATSD_COUNTS]; /* NULL: not of this transport */
    struct leat_counter *lines, *samples, *notices;
    struct leat_counter *faults[LEAT_STATSD_FAULTS], *drops[LEAT_STATSD_DROPS],
        *overflow[LEAT_STATSD_TYPES];
    struct leat_counter *kernel_drops[ADDRESSES];
    struct leat_gauge *series, *table_bytes, *connections;
    struct leat_statsd_stats seen; /* of the table, at the last look */
};

enum { ANY = 0, PACKETS = 1, STREAMS = 2 };

static const struct {
    const char *name, *help;
    int of;
} counts[LEAT_STATSD_COUNTS] = {
    [LEAT_STATSD_PACKETS] = {"leat_statsd_packets_total", "Packets received.", PACKETS},
    [LEAT_STATSD_BYTES] = {"leat_statsd_bytes_total", "Bytes received.", ANY},
    [LEAT_STATSD_TRUNCATED] = {"leat_statsd_truncated_packets_total",
                               "Packets of more than 64 KiB: their last lines are lost.", PACKETS},
    [LEAT_STATSD_SKIPPED_LINES] = {"leat_statsd_skipped_lines_total",
                                   "Lines that were too long, or that there was no memory for.",
                                   STREAMS},
    [LEAT_STATSD_CUT_LINES] = {"leat_statsd_cut_lines_total",
                               "Lines whose end was missing when a connection failed or was ended.",
                               STREAMS},
    [LEAT_STATSD_PASSES] = {"leat_statsd_passes_total",
                            "How often all that was added up has been sent.", ANY},
    [LEAT_STATSD_POINTS_LOST] = {"leat_statsd_lost_points_total",
                                 "Points that no destination took before the end.", ANY},
};

static struct leat_counter *counter(struct leat_statsd *r, const char *name, const char *help,
                                    const char *label, const char *value)
{
    struct leat_metric id = {
        .name = name, .help = help, .labels = {{"receiver", r->env->id}, {label, value}}};

    return leat_meter_counter(r->env->meter, &id);
}

static struct leat_gauge *gauge(struct leat_statsd *r, const char *name, const char *help)
{
    struct leat_metric id = {.name = name, .help = help, .labels = {{"receiver", r->env->id}}};

    return leat_meter_gauge(r->env->meter, &id);
}

static void open_table_meters(struct leat_statsd *r, struct leat_statsd_meters *m)
{
    m->lines = counter(r, "leat_statsd_lines_total", "Lines that were not empty.", NULL, NULL);
    m->samples = counter(r, "leat_statsd_samples_total", "Values that were taken.", NULL, NULL);
    m->notices = counter(r, "leat_statsd_events_total", "Events and service checks that were read.",
                         NULL, NULL);
    for (int i = 0; i < LEAT_STATSD_FAULTS; i++)
        m->faults[i] =
            counter(r, "leat_statsd_parse_failures_total",
                    "Lines, values and parts that were not understood (not_utf8: were mended).",
                    "reason", leat_statsd_fault_names[i]);
    for (int i = 0; i < LEAT_STATSD_DROPS; i++)
        m->drops[i] =
            counter(r, "leat_statsd_dropped_total", "What was read well and is sent nowhere.",
                    "reason", leat_statsd_drop_names[i]);
    for (int i = 0; i < LEAT_STATSD_TYPES; i++)
        m->overflow[i] =
            counter(r, "leat_statsd_overflow_samples_total",
                    "Values added up in the overflow series, because there are too many series.",
                    "type", leat_statsd_type_names[i]);
    m->series = gauge(r, "leat_statsd_series", "Series in the tables of all workers.");
    m->table_bytes = gauge(r, "leat_statsd_table_bytes", "Bytes of these tables.");
}

struct leat_statsd_meters *leat_statsd_meters_new(struct leat_statsd *r)
{
    const struct leat_statsd_transport *t = leat_statsd_transport(r->conf);
    struct leat_statsd_meters *m = leat_new(sizeof *m);
    struct leat_receiver_obs obs;

    for (int i = 0; i < LEAT_STATSD_COUNTS; i++) {
        if (counts[i].name != NULL && counts[i].of != (t->stream ? PACKETS : STREAMS))
            m->counts[i] = counter(r, counts[i].name, counts[i].help, NULL, NULL);
    }
    leat_receiver_obs_open(&obs, r->env->meter, r->env->id, t->name);
    m->counts[LEAT_STATSD_POINTS_TAKEN] = obs.accepted[LEAT_METRICS];
    m->counts[LEAT_STATSD_POINTS_REFUSED] = obs.refused[LEAT_METRICS];
    m->counts[LEAT_STATSD_NOTICES_TAKEN] = obs.accepted[LEAT_LOGS];
    m->counts[LEAT_STATSD_NOTICES_REFUSED] = obs.refused[LEAT_LOGS];
    if (t->stream)
        m->connections = gauge(r, "leat_statsd_connections", "Open connections.");
    open_table_meters(r, m);
    return m;
}

void leat_statsd_meters_free(struct leat_statsd_meters *m)
{
    leat_free(m);
}

void leat_statsd_count(struct leat_statsd *r, enum leat_statsd_count what, uint64_t n)
{
    leat_count(r->meters->counts[what], n);
}

void leat_statsd_count_connections(struct leat_statsd *r, int change)
{
    leat_gauge_add(r->meters->connections, change);
}

void leat_statsd_meters_address(struct leat_statsd *r, size_t nth, const char *where)
{
    if (nth < ADDRESSES)
        r->meters->kernel_drops[nth] = counter(
            r, "leat_statsd_kernel_drops_total",
            "Packets the kernel had no room for (see socket_buffer_size).", "socket", where);
}

void leat_statsd_count_drops(struct leat_statsd *r, size_t nth, uint64_t n)
{
    if (nth < ADDRESSES)
        leat_count(r->meters->kernel_drops[nth], n);
}

static void bring(struct leat_counter *c, uint64_t *seen, uint64_t now)
{
    if (now == *seen)
        return;
    leat_count(c, now - *seen);
    *seen = now;
}

static void set_gauges(struct leat_statsd *r)
{
    size_t bytes = leat_statsd_table_bytes(r->table);

    if (r->lead != NULL)
        bytes += leat_statsd_lead_bytes(r->lead);
    leat_gauge_set(r->meters->series, leat_statsd_table_series(r->table));
    leat_gauge_set(r->meters->table_bytes, (int64_t)bytes);
}

void leat_statsd_meters_look(struct leat_statsd *r)
{
    const struct leat_statsd_stats *s = leat_statsd_table_stats(r->table);
    struct leat_statsd_meters *m = r->meters;

    bring(m->lines, &m->seen.lines, s->lines);
    bring(m->samples, &m->seen.samples, s->samples);
    bring(m->notices, &m->seen.notices, s->notices);
    for (int i = 0; i < LEAT_STATSD_FAULTS; i++)
        bring(m->faults[i], &m->seen.faults[i], s->faults[i]);
    for (int i = 0; i < LEAT_STATSD_DROPS; i++)
        bring(m->drops[i], &m->seen.drops[i], s->drops[i]);
    for (int i = 0; i < LEAT_STATSD_TYPES; i++)
        bring(m->overflow[i], &m->seen.overflow[i], s->overflow[i]);
    set_gauges(r);
}

void leat_statsd_meters_skip(struct leat_statsd *r)
{
    r->meters->seen = *leat_statsd_table_stats(r->table);
    set_gauges(r);
}
