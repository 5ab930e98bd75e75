/* The other names of the collector's own metrics.
 *
 * A reader with without_type_suffix or without_units set to false exposes
 * otelcol_exporter_sent_spans as otelcol_exporter_sent_spans_total and otelcol_process_uptime as
 * otelcol_process_uptime_seconds; both forms are in dashboards and alert rules. (Source:
 * OpenTelemetry's Prometheus exporter for Go.) */
#ifndef LEAT_RUN_SUFFIX_H
#define LEAT_RUN_SUFFIX_H

#include <stdbool.h>

#include "base/text.h"

/* Copies a page in Prometheus text format with the names of otelcol_ metrics lengthened: by their
 * unit, and counters by _total. Names that have the ending already keep it. */
void leat_suffix_page(struct leat_bytes page, bool units, bool types, struct leat_text *out);

#endif
