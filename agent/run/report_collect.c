/* The report of this program, out of its meters. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/signal.h"
#include "ext/house_text.h"
#include "run/house.h"
#include "run/report.h"

static const char *label(const struct leat_metric *id, const char *name)
{
    for (int i = 0; i < LEAT_METER_LABELS && id->labels[i].name != NULL; i++) {
        if (strcmp(id->labels[i].name, name) == 0)
            return id->labels[i].value;
    }
    return "";
}

static struct leat_report_row *row_of(struct leat_report *r, const struct leat_metric *id)
{
    return leat_report_row(r, label(id, "kind"), label(id, "component"), label(id, "pipeline"),
                           label(id, "signal"));
}

/* --- the ledger: leat_items_total, leat_bytes_total */

/* Which number of a row a fate counts for; -1: none. */
static int number_of(const char *fate, bool bytes)
{
    static const struct {
        const char *fate;
        int items, bytes;
    } fates[] = {
        {"in", LEAT_ITEMS_IN, LEAT_BYTES_IN},          {"out", LEAT_ITEMS_OUT, LEAT_BYTES_OUT},
        {"delivered", LEAT_ITEMS_OUT, LEAT_BYTES_OUT}, {"filtered", LEAT_DROPPED_ITEMS, -1},
        {"sampled_out", LEAT_DROPPED_ITEMS, -1},       {"rejected", LEAT_ERROR_ITEMS, -1},
        {"refused", LEAT_REFUSED_ITEMS, -1},
    };

    for (size_t i = 0; i < sizeof fates / sizeof *fates; i++) {
        if (strcmp(fates[i].fate, fate) == 0)
            return bytes ? fates[i].bytes : fates[i].items;
    }
    return -1;
}

static void take_fate(struct leat_report *r, const struct leat_metric *id, double value, bool bytes)
{
    int number = number_of(label(id, "fate"), bytes);
    struct leat_report_row *row = number < 0 ? NULL : row_of(r, id);

    if (row != NULL)
        row->total[number] += (uint64_t)value;
}

static void take_items(struct leat_report *r, const struct leat_metric *id, double value)
{
    take_fate(r, id, value, false);
}

static void take_bytes(struct leat_report *r, const struct leat_metric *id, double value)
{
    take_fate(r, id, value, true);
}

static void take_held(struct leat_report *r, const struct leat_metric *id, double value)
{
    struct leat_report_row *row = row_of(r, id);

    if (row != NULL)
        row->held = (int64_t)value;
}

static void take_held_bytes(struct leat_report *r, const struct leat_metric *id, double value)
{
    struct leat_report_row *row = row_of(r, id);

    if (row != NULL)
        row->held_bytes = (int64_t)value;
}

/* --- the collector's names: they come after the ledger's, which has made the rows */

static struct leat_report_row *exporter_of(struct leat_report *r, const struct leat_metric *id)
{
    return leat_report_find(r, "exporter", label(id, "exporter"), "", label(id, "data_type"));
}

static void take_queue_size(struct leat_report *r, const struct leat_metric *id, double value)
{
    struct leat_report_row *row = exporter_of(r, id);

    if (row != NULL)
        row->queue_size = (int64_t)value;
}

static void take_queue_capacity(struct leat_report *r, const struct leat_metric *id, double value)
{
    struct leat_report_row *row = exporter_of(r, id);

    if (row == NULL)
        return;
    row->queue_capacity = (int64_t)value;
    row->has_queue = value > 0;
}

static void take_in_flight(struct leat_report *r, const struct leat_metric *id, double value)
{
    struct leat_report_row *row = exporter_of(r, id);

    if (row != NULL)
        row->in_flight = (int64_t)value;
}

/* otelcol_receiver_refused_<items>: of both transports. */
static void take_refused(struct leat_report *r, const struct leat_metric *id, double value)
{
    const char *items = id->name + strlen("otelcol_receiver_refused_");
    struct leat_report_row *row;

    for (int s = 0; s < LEAT_SIGNALS; s++) {
        if (strcmp(items, leat_signal_items((enum leat_signal)s)) != 0)
            continue;
        row = leat_report_find(r, "receiver", label(id, "receiver"), "",
                               leat_signal_name((enum leat_signal)s));
        if (row != NULL)
            row->total[LEAT_REFUSED_ITEMS] += (uint64_t)value;
    }
}

static void take_rss(struct leat_report *r, const struct leat_metric *id, double value)
{
    (void)id;
    r->rss = (uint64_t)value;
}

static void take_cpu(struct leat_report *r, const struct leat_metric *id, double value)
{
    (void)id;
    r->cpu = value;
}

/* --- all of them */

static void take_series(void *arg, const struct leat_metric *id, double value)
{
    static const struct {
        const char *name;
        size_t len; /* of the name that must agree; 0: all of it */
        void (*take)(struct leat_report *r, const struct leat_metric *id, double value);
    } known[] = {
        {"leat_items_total", 0, take_items},
        {"leat_bytes_total", 0, take_bytes},
        {"leat_items_held", 0, take_held},
        {"leat_bytes_held", 0, take_held_bytes},
        {"otelcol_exporter_queue_size", 0, take_queue_size},
        {"otelcol_exporter_queue_capacity", 0, take_queue_capacity},
        {"otelcol_exporter_in_flight_requests", 0, take_in_flight},
        {"otelcol_receiver_refused_", sizeof "otelcol_receiver_refused_" - 1, take_refused},
        {"otelcol_process_memory_rss", 0, take_rss},
        {"otelcol_process_cpu_seconds", 0, take_cpu},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].len ? strncmp(known[i].name, id->name, known[i].len) == 0
                         : strcmp(known[i].name, id->name) == 0)
            known[i].take(arg, id, value);
    }
}

static void take_budget(void *arg, const struct leat_metric *id, double value)
{
    struct leat_report_budget *b = arg;

    if (strcmp(id->name, "leat_memory_used_bytes") == 0)
        b->used = (uint64_t)value;
    else if (strcmp(id->name, "leat_memory_limit_bytes") == 0)
        b->limit = (uint64_t)value;
    else if (strcmp(id->name, "leat_memory_peak_bytes") == 0)
        b->peak = (uint64_t)value;
    else if (strcmp(id->name, "leat_memory_refused_total") == 0)
        b->refused = (uint64_t)value;
}

struct leat_report *leat_report_collect(const struct leat_house_keeper *keeper, int64_t born)
{
    const struct leat_house *house = leat_house_of(keeper);
    struct leat_report *r = leat_report_new();
    char started[LEAT_CLOCK_TEXT];

    leat_free(r->version);
    leat_free(r->state);
    leat_free(r->started);
    r->version = leat_strdup(house->version);
    r->state = leat_strdup(leat_house_state_name(house->state(house->self)));
    r->started = leat_strdup(leat_clock_text(house->started, started));
    r->pid = (uint64_t)getpid();
    r->workers = house->workers;
    leat_house_visit(keeper, 0, take_series, r);
    for (unsigned i = 0; i < house->workers; i++) {
        struct leat_report_budget *b = leat_report_add_budget(r);
        if (b != NULL)
            leat_house_visit(keeper, 2 + i, take_budget, b);
    }
    r->uptime = (double)(leat_clock_mono() - born) / LEAT_SEC;
    return r;
}
