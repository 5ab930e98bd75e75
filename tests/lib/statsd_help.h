/* A StatsD table for tests: fed with text, read back as text. */
#ifndef LEAT_TESTS_STATSD_HELP_H
#define LEAT_TESTS_STATSD_HELP_H

#include "receivers/statsd_settings.h"
#include "receivers/statsd_table.h"

#define STATSD_NOW INT64_C(1700000000000000000)

struct statsd_rig {
    struct leat_statsd_conf conf;
    struct leat_statsd_mapping_conf mapping[8];
    struct leat_statsd_rules *rules;
    struct leat_statsd_table *t;
    int64_t now;
    uint32_t max_points; /* of a chunk; 0: no limit */
    char *text;          /* what was read last */
};

/* One type, mapped: "timing", "histogram", …, see statsd_settings.h. Returns it for more to be set.
 */
struct leat_statsd_mapping_conf *statsd_map(struct statsd_rig *r, int type, int observer);
/* The table, of what `conf` says by now. */
void statsd_open(struct statsd_rig *r);
struct leat_statsd_table *statsd_more(struct statsd_rig *r); /* another with the same rules */
void statsd_done(struct statsd_rig *r);
/* A datagram of the client with this number. */
void statsd_feed_to(struct statsd_rig *r, struct leat_statsd_table *t, uint8_t client,
                    const char *text);
void statsd_feed(struct statsd_rig *r, const char *text);
/* A whole pass, each chunk checked as a request; the points as lines, sorted:
 *   [client@]name sum|gauge|histogram|exponential|summary … {key=value,…} */
const char *statsd_pass(struct statsd_rig *r);
/* The sum of all counters and counts in the text of the last pass whose name begins so. */
double statsd_sum(const struct statsd_rig *r, const char *name);

#endif
