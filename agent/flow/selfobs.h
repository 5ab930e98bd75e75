/* The collector's own names for what happens to telemetry: dashboards and alerts keep working.
 *
 * Source: collector receiverhelper, exporterhelper and processorhelper documentation.md. */
#ifndef LEAT_FLOW_SELFOBS_H
#define LEAT_FLOW_SELFOBS_H

#include "base/signal.h"

struct leat_counter;
struct leat_gauge;
struct leat_meter;

/* otelcol_receiver_{accepted,refused,failed}_<items>{receiver, transport} */
struct leat_receiver_obs {
    struct leat_counter *accepted[LEAT_SIGNALS], *refused[LEAT_SIGNALS], *failed[LEAT_SIGNALS];
};
void leat_receiver_obs_open(struct leat_receiver_obs *o, struct leat_meter *m, const char *id,
                            const char *transport);

/* otelcol_exporter_{sent,send_failed,enqueue_failed}_<items>{exporter}, queue_size,
 * queue_capacity{exporter, data_type}, in_flight_requests */
struct leat_exporter_obs {
    struct leat_counter *sent, *send_failed, *enqueue_failed;
    struct leat_gauge *queue_size, *queue_capacity, *in_flight;
};
void leat_exporter_obs_open(struct leat_exporter_obs *o, struct leat_meter *m, const char *id,
                            enum leat_signal signal);

/* otelcol_processor_{incoming,outgoing}_items{processor, otel_signal} */
struct leat_processor_obs {
    struct leat_counter *incoming, *outgoing;
};
void leat_processor_obs_open(struct leat_processor_obs *o, struct leat_meter *m, const char *id,
                             enum leat_signal signal);

#endif
