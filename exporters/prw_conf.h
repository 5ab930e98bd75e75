/* The settings of the exporter prometheus_remote_write.
 *
 * Source of keys and defaults: collector contrib exporter/prometheusremotewriteexporter, v0.159. */
#ifndef LEAT_EXPORTERS_PRW_CONF_H
#define LEAT_EXPORTERS_PRW_CONF_H

#include "flow/sender.h"
#include "io/client.h"

#define LEAT_PRW_SHARDS  256     /* requests under way at once */
#define LEAT_PRW_REQUEST 3000000 /* bytes of one, uncompressed */

enum leat_prw_message { LEAT_PRW_V1, LEAT_PRW_V2 };

struct leat_prw_queue_conf {
    struct leat_sender_conf sender; /* without retry: that is done per request, not per batch */
    uint32_t num_consumers;
};

struct leat_prw_switch_conf {
    bool enabled;
};

struct leat_prw_resource_conf {
    bool enabled, exclude_service_attributes;
};

struct leat_prw_conf {
    struct leat_client_conf client, http;
    bool has_http;
    const char *namespace;
    struct leat_pairs external_labels;
    bool add_metric_suffixes;
    int translation_strategy; /* enum leat_prom_strategy */
    bool has_translation_strategy;
    bool send_metadata, disable_scope_info;
    struct leat_prw_switch_conf target_info;
    struct leat_prw_resource_conf resource_to_telemetry_conversion;
    struct leat_prw_queue_conf remote_write_queue;
    struct leat_retry_conf retry_on_failure;
    int64_t max_batch_size_bytes;
    uint32_t max_batch_request_parallelism; /* 0: num_consumers */
    int protobuf_message;                   /* enum leat_prw_message */
    struct leat_strings include_metadata_keys;
    bool convert_explicit_histograms_to_nhcb, keep_classic_histograms;
    uint64_t series_cache_size;
};

extern const struct leat_field leat_prw_fields[];
void leat_prw_check(const void *conf, struct leat_check *c);

/* The client's settings: the block `http` where it is written. */
const struct leat_client_conf *leat_prw_client(const struct leat_prw_conf *conf);
/* How many requests are under way at once. */
uint32_t leat_prw_shards(const struct leat_prw_conf *conf);
/* The strategy, also where the older key says it. */
int leat_prw_strategy(const struct leat_prw_conf *conf);

#endif
