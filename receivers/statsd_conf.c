/* The StatsD receiver's settings: what they are called, and what is wrong with them.
 *
 * Source of keys and defaults: collector receiver/statsdreceiver (config.go, factory.go). */
#include "receivers/statsd_conf.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "io/file.h"
#include "io/listen.h"

#define INTERVAL_MIN (10 * LEAT_MS)

static const struct leat_statsd_transport transports[] = {
    {"udp", false, AF_UNSPEC},    {"udp4", false, AF_INET}, {"udp6", false, AF_INET6},
    {"tcp", true, AF_UNSPEC},     {"tcp4", true, AF_INET},  {"tcp6", true, AF_INET6},
    {"unixgram", false, AF_UNIX}, {"unix", true, AF_UNIX},
};
static const char *const transport_words[] = {"udp",  "udp4",     "udp6", "tcp", "tcp4",
                                              "tcp6", "unixgram", "unix", NULL};
static const char *const counter_words[] = LEAT_STATSD_COUNTER_WORDS;
static const char *const timer_words[] = LEAT_STATSD_TIMER_WORDS;
static const char *const observer_words[] = LEAT_STATSD_OBSERVER_WORDS;

static const struct leat_field bucket_fields[] = {
    LEAT_STRING(struct leat_statsd_buckets_conf, matcher_pattern, NULL,
                "Regular expression (POSIX extended) that is looked for in the metric's name.",
                .flags = LEAT_REQUIRED),
    LEAT_STRINGS(struct leat_statsd_buckets_conf, buckets, NULL,
                 "Upper bounds of the buckets, rising.", .flags = LEAT_REQUIRED),
    LEAT_END,
};

static const struct leat_field histogram_fields[] = {
    LEAT_UINT(
        struct leat_statsd_histogram_conf, max_size, "160",
        "Buckets of an exponential histogram, on each side of zero; above 2048 counts as 2048.",
        .min = 2, .max = 16384),
    LEAT_LIST(struct leat_statsd_histogram_conf, explicit_buckets, bucket_fields,
              struct leat_statsd_buckets_conf,
              "Metrics that become histograms with these buckets instead; the first that matches "
              "counts."),
    LEAT_END,
};

static const struct leat_field summary_fields[] = {
    LEAT_STRINGS(struct leat_statsd_summary_conf, percentiles, "0, 10, 50, 90, 95, 100",
                 "Percentiles of the summary, 0 to 100."),
    LEAT_END,
};

static const struct leat_field mapping_fields[] = {
    LEAT_ENUM(struct leat_statsd_mapping_conf, statsd_type, NULL, timer_words,
              "Which samples: timing (ms; timer is another word for it), histogram (h) or "
              "distribution (d).",
              .flags = LEAT_REQUIRED),
    LEAT_ENUM(struct leat_statsd_mapping_conf, observer_type, NULL, observer_words,
              "What is made of them: gauge (each sample is a point), summary, histogram, or "
              "disabled (dropped and counted).",
              .flags = LEAT_REQUIRED),
    LEAT_GROUP(struct leat_statsd_mapping_conf, histogram, histogram_fields,
               struct leat_statsd_histogram_conf, "With observer_type histogram."),
    LEAT_GROUP(struct leat_statsd_mapping_conf, summary, summary_fields,
               struct leat_statsd_summary_conf, "With observer_type summary."),
    LEAT_END,
};

static const struct leat_field table_fields[] = {
    LEAT_BOOL(struct leat_statsd_conf, enable_metric_type, "false",
              "Adds the attribute metric_type: counter, gauge, timing, histogram, distribution or "
              "set."),
    LEAT_BOOL(struct leat_statsd_conf, enable_simple_tags, "false",
              "Takes tags without a value, which becomes empty; else such a tag is dropped and "
              "counted."),
    LEAT_BOOL(struct leat_statsd_conf, is_monotonic_counter, "false",
              "Marks the sums that counters become as monotonic."),
    LEAT_ENUM(
        struct leat_statsd_conf, counter_type, "int", counter_words,
        "Values of counters, rounded after adding up: int (to the nearest, and the rest counts "
        "in the next interval), float (not at all), or stochastic_int (up or down by chance, so "
        "that the mean is right)."),
    LEAT_UINT(struct leat_statsd_conf, aggregation_cardinality_limit, "100000",
              "Series at a time. Samples of further ones are added up in one series of their type "
              "with the attribute otel.metric.overflow.",
              .min = 1, .max = 10000000),
    LEAT_LIST(
        struct leat_statsd_conf, timer_histogram_mapping, mapping_fields,
        struct leat_statsd_mapping_conf,
        "What becomes of timers, histograms and distributions. Without this key each sample "
        "becomes a point of a gauge. With it, a type that is not named is dropped and counted; "
        "but histogram and distribution stand for each other, and of a type that is named "
        "twice the last counts.",
        .present = LEAT_PRESENT(struct leat_statsd_conf, has_timer_histogram_mapping)),
    LEAT_END,
};

const struct leat_field leat_statsd_fields[] = {
    LEAT_STRING(struct leat_statsd_receiver_conf, endpoint, "localhost:8125",
                "Where to listen: host:port, or the path of a Unix socket. \"localhost\" is both "
                "loopback addresses, an empty host is every address of both families."),
    LEAT_ENUM(struct leat_statsd_receiver_conf, transport, "udp", transport_words,
              "udp and tcp (both IP families), udp4, udp6, tcp4, tcp6, unixgram (Unix datagrams), "
              "unix (lines over a Unix stream). A sender of Unix datagrams waits, or is refused, "
              "while net.unix.max_dgram_qlen packets are unread."),
    LEAT_STRING(struct leat_statsd_receiver_conf, socket_permissions, "0622",
                "Who may send to a Unix socket, in octal."),
    LEAT_SIZE(struct leat_statsd_receiver_conf, socket_buffer_size, "0",
              "Bytes of packets that may wait in the kernel while Leat is busy (SO_RCVBUF). The "
              "kernel allows net.core.rmem_max. 0: 4 MiB for UDP, the kernel's choice for streams.",
              .max = 1073741824, .unit = "bytes"),
    LEAT_DURATION(struct leat_statsd_receiver_conf, aggregation_interval, "60s",
                  "How often what has been added up is sent on."),
    LEAT_BOOL(struct leat_statsd_receiver_conf, enable_ip_only_aggregation, "false",
              "Series are kept apart by the sender's IP address and never by its port, whatever "
              "this says."),
    LEAT_BOOL(struct leat_statsd_receiver_conf, ignore_host, "false",
              "Samples of all senders are added up together."),
    LEAT_INLINE(struct leat_statsd_receiver_conf, table, table_fields, struct leat_statsd_conf,
                "Aggregation."),
    LEAT_END,
};

const struct leat_statsd_transport *
leat_statsd_transport(const struct leat_statsd_receiver_conf *conf)
{
    return &transports[conf->transport];
}

uint32_t leat_statsd_permissions(const struct leat_statsd_receiver_conf *conf)
{
    return (uint32_t)leat_file_mode(conf->socket_permissions);
}

static void check_endpoint(const struct leat_statsd_receiver_conf *conf, struct leat_check *c)
{
    const struct leat_statsd_transport *t = leat_statsd_transport(conf);
    char host[256];
    uint16_t port;
    struct leat_err err;

    if (conf->endpoint == NULL || conf->endpoint[0] == '\0')
        leat_check_error(c, "endpoint", "must not be empty");
    else if (t->family == AF_UNIX && !leat_check_written(c, "endpoint"))
        leat_check_error(c, "transport", "%s needs 'endpoint', the path of the socket, beside it",
                         t->name);
    else if (t->family != AF_UNIX && leat_endpoint_split(conf->endpoint, host, &port, &err) < 0)
        leat_check_error(c, "endpoint", "%s", err.text);
}

void leat_statsd_check(const void *conf_, struct leat_check *c)
{
    const struct leat_statsd_receiver_conf *conf = conf_;
    struct leat_statsd_rules *rules;
    struct leat_err err;

    check_endpoint(conf, c);
    if (leat_file_mode(conf->socket_permissions) < 0)
        leat_check_error(c, "socket_permissions", "must be permissions in octal, like 0622");
    if (conf->aggregation_interval < INTERVAL_MIN)
        leat_check_error(c, "aggregation_interval", "must be at least 10ms");
    rules = leat_statsd_rules_new(&conf->table, &err);
    if (rules == NULL)
        leat_check_error(c, "timer_histogram_mapping", "%s", err.text);
    leat_statsd_rules_free(rules);
}
