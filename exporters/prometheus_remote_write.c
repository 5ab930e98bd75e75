/* Exporter of metrics to whatever takes Prometheus remote write, 1.0 or 2.0.
 *
 * One instance in worker 0 has all series, so that each is in order whatever connection its points
 * came by. What becomes of points: proto/prom_feed.h; what becomes of requests: prw_pool.h.
 *
 * Source of keys: prw_conf.h. Differences: series are dealt out to shards by their labels, so that
 * several requests may be under way without two samples of a series changing places; 429 and
 * Retry-After are heeded; max_elapsed_time is what it says; 2.0 needs no feature gate. */
#include <string.h>

#include "base/mem.h"
#include "exporters/prw_conf.h"
#include "exporters/prw_encode.h"
#include "exporters/prw_pool.h"
#include "exporters/prw_send.h"
#include "io/codec.h"

struct remote_write {
    struct leat_prw_pool *pool;
};

static struct leat_prw_encoder *make_encoder(const struct leat_prw_conf *conf, bool zstd,
                                             struct leat_err *err)
{
    struct leat_prw_label *labels = leat_new_array(conf->external_labels.count + 1, sizeof *labels);
    const struct leat_prw_resource_conf *resource = &conf->resource_to_telemetry_conversion;
    struct leat_prw_encode_conf encode = {
        .v2 = conf->protobuf_message == LEAT_PRW_V2,
        .strategy = leat_prw_strategy(conf),
        .namespace = conf->namespace,
        .external_labels = labels,
        .nexternal_labels = conf->external_labels.count,
        .no_scope = conf->disable_scope_info,
        .resource = resource->enabled,
        .exclude_service = resource->exclude_service_attributes,
        .target_info = conf->target_info.enabled,
        .metadata = conf->send_metadata,
        .custom_buckets = conf->convert_explicit_histograms_to_nhcb,
        .keep_classic = conf->keep_classic_histograms,
        .cache_bytes = (size_t)conf->series_cache_size,
        .squeeze = !zstd,
        .max_message =
            conf->max_batch_size_bytes > 0 ? (size_t)conf->max_batch_size_bytes : LEAT_PRW_REQUEST,
        .messages = leat_prw_shards(conf),
    };
    struct leat_prw_encoder *encoder;

    for (uint32_t i = 0; i < conf->external_labels.count; i++) {
        const struct leat_pair *l = &conf->external_labels.items[i];
        labels[i] = (struct leat_prw_label){l->key, l->value};
    }
    encoder = leat_prw_encoder_new(&encode, err);
    leat_free(labels);
    return encoder;
}

static void remote_write_close(void *self)
{
    leat_prw_pool_free(((struct remote_write *)self)->pool);
}

static int remote_write_open(void *self, const struct leat_env *env, struct leat_err *err)
{
    const struct leat_prw_conf *conf = env->conf;
    const struct leat_client_conf *client = leat_prw_client(conf);
    bool zstd = client->compression != NULL && strcmp(client->compression, "zstd") == 0;
    int64_t level = client->compression_params.level;
    struct leat_prw_sending_env sending_env = {
        .id = env->id,
        .client = {.loop = env->loop, .auth = env->auth, .who = env->id},
        .conf = client,
        .retry = &conf->retry_on_failure,
        .timeout = conf->remote_write_queue.sender.timeout,
        .meter = env->meter,
    };
    struct leat_prw_pool_env pool_env = {
        .id = env->id,
        .loop = env->loop,
        .meter = env->meter,
        .codecs = env->codecs,
        .scratch = env->scratch,
        .shards = leat_prw_shards(conf),
        .codec = zstd ? LEAT_CODEC_ZSTD : LEAT_CODEC_SNAPPY,
        .level = zstd && level != 0 ? (int)level : LEAT_LEVEL_DEFAULT,
        .metadata_keys = &conf->include_metadata_keys,
    };

    pool_env.encoder = make_encoder(conf, zstd, err);
    if (pool_env.encoder == NULL)
        return -1;
    pool_env.sending = leat_prw_sending_new(&sending_env, err);
    if (pool_env.sending == NULL) {
        leat_prw_encoder_free(pool_env.encoder);
        return -1;
    }
    ((struct remote_write *)self)->pool = leat_prw_pool_new(&pool_env);
    return 0;
}

static void remote_write_take(void *self, struct leat_batch *batch)
{
    leat_prw_pool_take(((struct remote_write *)self)->pool, batch);
}

static void remote_write_drain(void *self, void (*drained)(void *house), void *house)
{
    leat_prw_pool_drain(((struct remote_write *)self)->pool, drained, house);
}

static const char *const aliases[] = {"prometheusremotewrite", NULL};

const struct leat_component leat_exporter_prometheus_remote_write = {
    .type = "prometheus_remote_write",
    .aliases = aliases,
    .kind = LEAT_EXPORTER,
    .signals = LEAT_METRICS_BIT,
    .summary = "Sends metrics to Prometheus and whatever else takes remote write, 1.0 or 2.0.",
    .fields = leat_prw_fields,
    .conf_size = sizeof(struct leat_prw_conf),
    .self_size = sizeof(struct remote_write),
    .single = true,
    .sender = LEAT_SENDER(struct leat_prw_conf, remote_write_queue.sender),
    .check = leat_prw_check,
    .open = remote_write_open,
    .take = remote_write_take,
    .drain = remote_write_drain,
    .close = remote_write_close,
};
