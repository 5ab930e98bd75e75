/* The collector's own names for what happens to telemetry. */
#include "flow/selfobs.h"

#include <stdio.h>

#include "base/meter.h"

/* "otelcol_" what "_" items: the counter of one signal with up to two labels. */
static struct leat_counter *counter(struct leat_meter *m, const char *what, enum leat_signal s,
                                    const char *help, struct leat_label a, struct leat_label b)
{
    char name[96];
    struct leat_metric id = {.name = name, .help = help, .labels = {a, b}};

    snprintf(name, sizeof name, "otelcol_%s_%s", what, leat_signal_items(s));
    return leat_meter_counter(m, &id);
}

void leat_receiver_obs_open(struct leat_receiver_obs *o, struct leat_meter *m, const char *id,
                            const char *transport)
{
    struct leat_label r = {"receiver", id}, t = {"transport", transport};

    for (unsigned i = 0; i < LEAT_SIGNALS; i++) {
        enum leat_signal s = (enum leat_signal)i;
        o->accepted[s] = counter(m, "receiver_accepted", s,
                                 "Items that were taken and passed into the pipeline.", r, t);
        o->refused[s] = counter(m, "receiver_refused", s,
                                "Items that could not be passed into the pipeline.", r, t);
        o->failed[s] = counter(m, "receiver_failed", s,
                               "Items that the receiver itself failed to take.", r, t);
    }
}

static struct leat_gauge *exporter_gauge(struct leat_meter *m, const char *name, const char *help,
                                         const char *id, enum leat_signal signal)
{
    struct leat_metric metric = {
        .name = name,
        .help = help,
        .labels = {{"exporter", id}, {"data_type", leat_signal_name(signal)}}};

    return leat_meter_gauge(m, &metric);
}

void leat_exporter_obs_open(struct leat_exporter_obs *o, struct leat_meter *m, const char *id,
                            enum leat_signal signal)
{
    struct leat_label e = {"exporter", id}, none = {NULL, NULL};

    o->sent = counter(m, "exporter_sent", signal, "Items the destination has taken.", e, none);
    o->send_failed = counter(m, "exporter_send_failed", signal,
                             "Items that could not be delivered, after all retries.", e, none);
    o->enqueue_failed = counter(m, "exporter_enqueue_failed", signal,
                                "Items the sending queue had no room for.", e, none);
    o->queue_size =
        exporter_gauge(m, "otelcol_exporter_queue_size",
                       "What is in the sending queue, in units of its sizer.", id, signal);
    o->queue_capacity =
        exporter_gauge(m, "otelcol_exporter_queue_capacity",
                       "Room of the sending queue, in units of its sizer.", id, signal);
    o->in_flight = exporter_gauge(m, "otelcol_exporter_in_flight_requests",
                                  "Requests being sent or waiting to be tried again.", id, signal);
}

void leat_processor_obs_open(struct leat_processor_obs *o, struct leat_meter *m, const char *id,
                             enum leat_signal signal)
{
    struct leat_metric metric = {
        .name = "otelcol_processor_incoming_items",
        .help = "Items passed to the processor.",
        .labels = {{"processor", id}, {"otel_signal", leat_signal_name(signal)}}};

    o->incoming = leat_meter_counter(m, &metric);
    metric.name = "otelcol_processor_outgoing_items";
    metric.help = "Items the processor passed on.";
    o->outgoing = leat_meter_counter(m, &metric);
}
