/* Events and service checks as OTLP log records.
 *
 * Event: the title is the body, event.name "datadog.event"; text, host, aggregation key, priority,
 * source and alert type are attributes, the alert type sets the severity. Service check: the
 * message is the body (the name where there is none), event.name "datadog.service_check", the
 * status sets the severity. Tags are attributes. */
#ifndef LEAT_RECEIVERS_STATSD_LOGS_H
#define LEAT_RECEIVERS_STATSD_LOGS_H

#include "base/text.h"
#include "proto/otlp_make.h"
#include "proto/statsd.h"

/* One ExportLogsServiceRequest under construction, of one client. */
struct leat_statsd_logs {
    struct leat_text text; /* private until leat_statsd_logs_end() */
    struct leat_make make;
    uint32_t records;
    bool simple_tags;
    bool ended; /* nothing is added until it is cleared */
};

/* At most `max` bytes; allocates nothing. */
void leat_statsd_logs_init(struct leat_statsd_logs *l, size_t max, bool simple_tags);
void leat_statsd_logs_done(struct leat_statsd_logs *l);
/* Adds a record; `now` (wall clock, ns) is when it came. -1: no room or no memory, nothing was
 * added: end this request and begin the next. */
int leat_statsd_logs_add(struct leat_statsd_logs *l, const struct leat_statsd_notice *notice,
                         int64_t now);
/* The request, whole, valid until the next call; empty when there are no records, or no memory for
 * the last step. Adding goes on afresh after leat_statsd_logs_clear(). */
struct leat_bytes leat_statsd_logs_end(struct leat_statsd_logs *l);
void leat_statsd_logs_clear(struct leat_statsd_logs *l); /* empty again, keeps its memory */

#endif
