/* The three kinds of telemetry. */
#ifndef LEAT_BASE_SIGNAL_H
#define LEAT_BASE_SIGNAL_H

enum leat_signal { LEAT_TRACES, LEAT_METRICS, LEAT_LOGS, LEAT_SIGNALS };

/* A set of them. */
#define LEAT_TRACES_BIT  (1u << LEAT_TRACES)
#define LEAT_METRICS_BIT (1u << LEAT_METRICS)
#define LEAT_LOGS_BIT    (1u << LEAT_LOGS)
#define LEAT_ALL_SIGNALS (LEAT_TRACES_BIT | LEAT_METRICS_BIT | LEAT_LOGS_BIT)

/* "traces", "metrics", "logs"; what one item is called in the collector's metric names: "spans",
 * "metric_points", "log_records". */
const char *leat_signal_name(enum leat_signal s);
const char *leat_signal_items(enum leat_signal s);

#endif
