/* The settings of the exporter prometheus_remote_write. */
#include "exporters/prw_conf.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "io/codec.h"

#define DAY_NS 86400e9
#define CONF   struct leat_prw_conf

/* In the order of enum leat_prom_strategy, which is checked where it is used. */
enum { ESCAPE_SUFFIXES, ESCAPE, UTF8_SUFFIXES, UTF8 };
static const char *const strategies[] = {"UnderscoreEscapingWithSuffixes",
                                         "UnderscoreEscapingWithoutSuffixes",
                                         "NoUTF8EscapingWithSuffixes", "NoTranslation", NULL};
static const char *const messages[] = {"prometheus.WriteRequest", "io.prometheus.write.v2.Request",
                                       NULL};

static const struct leat_field switch_fields[] = {
    LEAT_BOOL(struct leat_prw_switch_conf, enabled, "true", "On or off."),
    LEAT_END,
};

static const struct leat_field resource_fields[] = {
    LEAT_BOOL(struct leat_prw_resource_conf, enabled, "false",
              "Every series gets the attributes of its resource as labels."),
    LEAT_BOOL(struct leat_prw_resource_conf, exclude_service_attributes, "false",
              "Without service.name, service.namespace and service.instance.id, which are in job "
              "and instance already."),
    LEAT_END,
};

static const struct leat_field queue_fields[] = {
    {.name = "enabled",
     .type = LEAT_F_BOOL,
     .offset = LEAT_AT(struct leat_prw_queue_conf, sender.sending_queue.enabled, bool),
     .def = "true",
     .doc = "Off: the caller waits until the destination has answered."},
    {.name = "queue_size",
     .type = LEAT_F_INT,
     .offset = LEAT_AT(struct leat_prw_queue_conf, sender.sending_queue.queue_size, int64_t),
     .def = "10000",
     .doc = "Room of the queue in requests of the pipeline.",
     .min = 0,
     .max = 1e15},
    LEAT_UINT(struct leat_prw_queue_conf, num_consumers, "5",
              "How many requests are under way at once, each with its own share of the series, so "
              "that the samples of a series stay in order; at most 256.",
              .min = 1, .max = 100000),
    LEAT_END,
};

const struct leat_field leat_prw_fields[] = {
    LEAT_INLINE(CONF, client, leat_client_http_fields, struct leat_client_conf, "The HTTP client.",
                .def = "compression=snappy"),
    LEAT_GROUP(CONF, http, leat_client_http_fields, struct leat_client_conf,
               "The HTTP client's settings in a block of their own, used instead of those beside "
               "it.",
               .def = "compression=snappy", .present = LEAT_PRESENT(CONF, has_http)),
    LEAT_STRING(CONF, namespace, NULL, "Stands before the name of every metric, with a _."),
    LEAT_MAP(CONF, external_labels, "Labels of every series that has none of that name."),
    LEAT_BOOL(CONF, add_metric_suffixes, "true",
              "Write translation_strategy: UnderscoreEscapingWithoutSuffixes instead of false.",
              .flags = LEAT_DEPRECATED),
    LEAT_ENUM(CONF, translation_strategy, "UnderscoreEscapingWithSuffixes", strategies,
              "How names of metrics and labels are made; the last two keep UTF-8 and need "
              "protobuf_message io.prometheus.write.v2.Request.",
              .present = LEAT_PRESENT(CONF, has_translation_strategy)),
    LEAT_BOOL(CONF, send_metadata, "false",
              "Send type, help and unit of metrics; 2.0 messages always hold them."),
    LEAT_GROUP(CONF, target_info, switch_fields, struct leat_prw_switch_conf,
               "The series target_info, which holds the attributes of each resource."),
    LEAT_BOOL(CONF, disable_scope_info, "false",
              "Leave the labels otel_scope_name, otel_scope_version … out."),
    LEAT_GROUP(CONF, resource_to_telemetry_conversion, resource_fields,
               struct leat_prw_resource_conf, "Attributes of resources as labels."),
    LEAT_GROUP(CONF, remote_write_queue, queue_fields, struct leat_prw_queue_conf,
               "What waits for the destination, and how much is sent at once."),
    LEAT_INT(CONF, max_batch_size_bytes, "3000000",
             "A request is sent before it grows beyond this, uncompressed; one data point may be "
             "larger. 0: 3000000.",
             .min = 0, .max = 1e9, .unit = "bytes"),
    LEAT_UINT(CONF, max_batch_request_parallelism, "0",
              "Requests under way at once; 0: as many as remote_write_queue.num_consumers.",
              .min = 0, .max = 100000),
    LEAT_ENUM(CONF, protobuf_message, "prometheus.WriteRequest", messages,
              "The message: of remote write 1.0 or 2.0. A destination that answers 415 to 2.0 gets "
              "1.0 from then on."),
    LEAT_STRINGS(CONF, include_metadata_keys, NULL,
                 "Headers of the requests that came in (kept by include_metadata of their "
                 "receiver) which go out again; what differs in them is sent apart."),
    LEAT_BOOL(CONF, convert_explicit_histograms_to_nhcb, "false",
              "Send histograms as native histograms with custom buckets; needs 2.0 messages."),
    LEAT_BOOL(CONF, keep_classic_histograms, "false",
              "With the setting above: send their _bucket, _sum and _count series too."),
    LEAT_SIZE(CONF, series_cache_size, "64MiB",
              "The most memory for the encoded labels of series that were sent lately, in two "
              "generations; it is used as series come. Those beyond it cost more work each time, "
              "nothing else.",
              .min = 1 << 20, .max = 8e9),
    LEAT_NO_EFFECT(
        "export_created_metric",
        "series _created are not made; 2.0 messages say the start time with each series"),
    LEAT_NO_EFFECT("wal",
                   "the queue is in memory; what it holds is lost when the program is killed. A "
                   "queue on disk comes later. remote_write_queue.enabled: false makes callers "
                   "keep their data until it is delivered"),
    {.name = "timeout",
     .type = LEAT_F_DURATION,
     .offset = LEAT_AT(CONF, remote_write_queue.sender.timeout, int64_t),
     .def = "5s",
     .doc = "Limit of one attempt; 0: none.",
     .min = 0,
     .max = DAY_NS},
    LEAT_GROUP(CONF, retry_on_failure, leat_retry_fields, struct leat_retry_conf,
               "When a request that failed is sent again: after network errors, 429 and 5xx, and "
               "not before the moment that the destination asks for.",
               .def = "initial_interval=50ms max_interval=200ms max_elapsed_time=1m"),
    LEAT_END,
};

const struct leat_client_conf *leat_prw_client(const struct leat_prw_conf *conf)
{
    return conf->has_http ? &conf->http : &conf->client;
}

uint32_t leat_prw_shards(const struct leat_prw_conf *conf)
{
    uint32_t n = conf->max_batch_request_parallelism;

    if (n == 0)
        n = conf->remote_write_queue.num_consumers;
    return n < LEAT_PRW_SHARDS ? n : LEAT_PRW_SHARDS;
}

int leat_prw_strategy(const struct leat_prw_conf *conf)
{
    if (!conf->has_translation_strategy && !conf->add_metric_suffixes)
        return ESCAPE;
    return conf->translation_strategy;
}

/* --- what the table cannot say */

/* Headers that say what the message is. */
static bool is_reserved(const char *name)
{
    static const char *const reserved[] = {"content-encoding", "content-type", "user-agent",
                                           "x-prometheus-remote-write-version"};

    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (strcasecmp(name, reserved[i]) == 0)
            return true;
    }
    return false;
}

/* What stands beside the block is not even looked at. */
static void check_beside(const struct leat_prw_conf *conf, struct leat_check *c)
{
    static const char *const keys[] = {"endpoint", "tls",         "headers",
                                       "auth",     "compression", "proxy_url"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys && conf->has_http; i++) {
        if (leat_check_written(c, keys[i]))
            leat_check_warn(c, keys[i], "has no effect beside the block 'http': write it there");
    }
}

static void check_client(const struct leat_prw_conf *conf, struct leat_check *c)
{
    const struct leat_client_conf *client = leat_prw_client(conf);
    const char *compression = client->compression;

    if (client->endpoint == NULL || client->endpoint[0] == '\0')
        leat_check_error(c, conf->has_http ? "http.endpoint" : "endpoint",
                         "is required: the URL that takes remote write, as "
                         "http://HOST:9090/api/v1/write");
    leat_client_check(client, false, conf->has_http ? "http" : "", c);
    if (compression != NULL && compression[0] != '\0' && strcmp(compression, "snappy") != 0 &&
        strcmp(compression, "zstd") != 0)
        leat_check_error(c, conf->has_http ? "http.compression" : "compression",
                         "must be snappy, which all destinations take, or zstd, which some do");
    for (uint32_t i = 0; i < client->headers.count; i++) {
        if (is_reserved(client->headers.items[i].key))
            leat_check_error(c, conf->has_http ? "http.headers" : "headers",
                             "the header %s says what the message is and is set by the exporter",
                             client->headers.items[i].key);
    }
}

static void check_metadata_keys(const struct leat_prw_conf *conf, struct leat_check *c)
{
    const struct leat_strings *keys = &conf->include_metadata_keys;
    struct leat_err err;

    for (uint32_t i = 0; i < keys->count; i++) {
        if (is_reserved(keys->items[i]))
            leat_check_error(c, "include_metadata_keys",
                             "the header %s says what the message is and is set by the exporter",
                             keys->items[i]);
        else if (leat_client_header_check(leat_bytes_str(keys->items[i]), leat_bytes_str("x"),
                                          &err) != 0)
            leat_check_error(c, "include_metadata_keys", "%s", err.text);
    }
}

static void check_message(const struct leat_prw_conf *conf, struct leat_check *c)
{
    bool v2 = conf->protobuf_message == LEAT_PRW_V2;

    if (!v2 && leat_prw_strategy(conf) >= UTF8_SUFFIXES)
        leat_check_error(c, "translation_strategy",
                         "%s keeps UTF-8, which remote write 1.0 has no room for: set "
                         "protobuf_message: io.prometheus.write.v2.Request",
                         strategies[leat_prw_strategy(conf)]);
    if (!v2 && conf->convert_explicit_histograms_to_nhcb)
        leat_check_error(c, "convert_explicit_histograms_to_nhcb",
                         "needs protobuf_message: io.prometheus.write.v2.Request");
    if (conf->keep_classic_histograms && !conf->convert_explicit_histograms_to_nhcb)
        leat_check_warn(c, "keep_classic_histograms",
                        "has no effect without convert_explicit_histograms_to_nhcb: true");
}

static void check_labels(const struct leat_prw_conf *conf, struct leat_check *c)
{
    for (uint32_t i = 0; i < conf->external_labels.count; i++) {
        const struct leat_pair *l = &conf->external_labels.items[i];
        if (l->key[0] == '\0' || l->value == NULL || l->value[0] == '\0')
            leat_check_error(c, "external_labels", "the label '%s' needs a name and a value",
                             l->key);
    }
}

static void check_queue(const struct leat_prw_conf *conf, struct leat_check *c)
{
    const struct leat_queue_conf *q = &conf->remote_write_queue.sender.sending_queue;

    if (q->enabled && q->queue_size == 0)
        leat_check_error(c, "remote_write_queue.queue_size",
                         "must be above 0, or nothing gets through; enabled: false for no queue");
    if (conf->max_batch_request_parallelism == 0 &&
        leat_check_written(c, "max_batch_request_parallelism"))
        leat_check_error(c, "max_batch_request_parallelism", "must be above 0");
    else if (conf->max_batch_request_parallelism > LEAT_PRW_SHARDS)
        leat_check_warn(c, "max_batch_request_parallelism", "is taken as %d, the most there are",
                        LEAT_PRW_SHARDS);
    else if (conf->max_batch_request_parallelism == 0 &&
             conf->remote_write_queue.num_consumers > LEAT_PRW_SHARDS)
        leat_check_warn(c, "remote_write_queue.num_consumers", "is taken as %d, the most there are",
                        LEAT_PRW_SHARDS);
}

void leat_prw_check(const void *conf_, struct leat_check *c)
{
    const struct leat_prw_conf *conf = conf_;

    check_client(conf, c);
    check_beside(conf, c);
    check_metadata_keys(conf, c);
    check_message(conf, c);
    check_labels(conf, c);
    check_queue(conf, c);
    leat_retry_check(&conf->retry_on_failure, c);
}
