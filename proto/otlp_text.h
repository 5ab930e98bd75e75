/* Telemetry for human eyes: the debug exporter's three verbosities (like the collector's text) and
 * the coloured view of the default pipeline. */
#ifndef LEAT_PROTO_OTLP_TEXT_H
#define LEAT_PROTO_OTLP_TEXT_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/signal.h"

struct leat_text;

/* In all of them control characters in the data are shown escaped, newlines too.
 *
 * verbosity basic: {"resource spans": 1, "spans": 2} and the like, one line, counted over all
 * parts. */
void leat_otlp_text_basic(enum leat_signal signal, const struct leat_bytes *parts, size_t n,
                          struct leat_text *out);
/* verbosity normal: one line per record. */
void leat_otlp_text_normal(enum leat_signal signal, const struct leat_bytes *parts, size_t n,
                           struct leat_text *out);
/* verbosity detailed: every field, as the collector's debug exporter prints them. */
void leat_otlp_text_detailed(enum leat_signal signal, const struct leat_bytes *parts, size_t n,
                             struct leat_text *out);
/* For a terminal: one compact line per record: time, service, what happened, duration or value or
 * severity, the trace id's first eight digits in a colour chosen by the id, so that spans and logs
 * of one trace look alike. ANSI colours only when `colour`. */
void leat_otlp_text_pretty(enum leat_signal signal, const struct leat_bytes *parts, size_t n,
                           bool colour, struct leat_text *out);

#endif
