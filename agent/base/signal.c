/* The names of the three kinds of telemetry. */
#include "base/signal.h"

static const char *const names[] = {"traces", "metrics", "logs"};
static const char *const items[] = {"spans", "metric_points", "log_records"};

const char *leat_signal_name(enum leat_signal s)
{
    return names[s];
}

const char *leat_signal_items(enum leat_signal s)
{
    return items[s];
}
