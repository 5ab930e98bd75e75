/* What the StatsD receiver tells of itself. */
#include <string.h>

#include "base/mem.h"
#include "base/meter.h"
#include "receivers/statsd.h"

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

static void open_table_meters(struct leat_statsd *r)
{
    struct leat_statsd_meters *m = &r->meters;

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

void leat_statsd_meters_open(struct leat_statsd *r)
{
    const struct leat_statsd_transport *t = leat_statsd_transport(r->conf);
    struct leat_statsd_meters *m = &r->meters;

    leat_receiver_obs_open(&m->obs, r->env->meter, r->env->id, t->name);
    open_table_meters(r);
    m->bytes = counter(r, "leat_statsd_bytes_total", "Bytes received.", NULL, NULL);
    m->passes = counter(r, "leat_statsd_passes_total",
                        "How often all that was added up has been sent.", NULL, NULL);
    m->lost_points = counter(r, "leat_statsd_lost_points_total",
                             "Points that no destination took before the end.", NULL, NULL);
    m->notices_dropped =
        counter(r, "leat_statsd_events_refused_total",
                "Events and service checks that there was no room for.", NULL, NULL);
    if (!t->stream) {
        m->packets = counter(r, "leat_statsd_packets_total", "Packets received.", NULL, NULL);
        m->truncated =
            counter(r, "leat_statsd_truncated_packets_total",
                    "Packets of more than 64 KiB: their last lines are lost.", NULL, NULL);
        return;
    }
    m->long_lines =
        counter(r, "leat_statsd_skipped_lines_total",
                "Lines that were too long, or that there was no memory for.", NULL, NULL);
    m->cut_lines =
        counter(r, "leat_statsd_cut_lines_total",
                "Lines whose end was missing when a connection failed or was ended.", NULL, NULL);
    m->connections = gauge(r, "leat_statsd_connections", "Open connections.");
}

void leat_statsd_meters_address(struct leat_statsd *r, size_t nth, const char *where)
{
    if (nth < sizeof r->meters.kernel_drops / sizeof *r->meters.kernel_drops)
        r->meters.kernel_drops[nth] = counter(
            r, "leat_statsd_kernel_drops_total",
            "Packets the kernel had no room for (see socket_buffer_size).", "socket", where);
}

static void bring(struct leat_counter *c, uint64_t *seen, uint64_t now)
{
    if (now == *seen)
        return;
    leat_count(c, now - *seen);
    *seen = now;
}

void leat_statsd_meters_look(struct leat_statsd *r)
{
    const struct leat_statsd_stats *s = leat_statsd_table_stats(r->table);
    struct leat_statsd_meters *m = &r->meters;

    bring(m->lines, &m->seen.lines, s->lines);
    bring(m->samples, &m->seen.samples, s->samples);
    bring(m->notices, &m->seen.notices, s->notices);
    for (int i = 0; i < LEAT_STATSD_FAULTS; i++)
        bring(m->faults[i], &m->seen.faults[i], s->faults[i]);
    for (int i = 0; i < LEAT_STATSD_DROPS; i++)
        bring(m->drops[i], &m->seen.drops[i], s->drops[i]);
    for (int i = 0; i < LEAT_STATSD_TYPES; i++)
        bring(m->overflow[i], &m->seen.overflow[i], s->overflow[i]);
    leat_gauge_set(m->series, leat_statsd_table_series(r->table));
    leat_gauge_set(m->table_bytes, (int64_t)leat_statsd_table_bytes(r->table));
}

void leat_statsd_meters_skip(struct leat_statsd *r)
{
    r->meters.seen = *leat_statsd_table_stats(r->table);
    leat_gauge_set(r->meters.series, leat_statsd_table_series(r->table));
    leat_gauge_set(r->meters.table_bytes, (int64_t)leat_statsd_table_bytes(r->table));
}
