/* Exporter of metrics to whatever takes Prometheus remote write, 1.0 or 2.0.
 *
 * One instance in worker 0 has all series, so that each is in order whatever connection its points
 * came by. What becomes of points: proto/prom_feed.h; what becomes of requests: prw_pool.h.
 *
 * Source of keys: prw_conf.h. Differences: series are dealt out to shards by their labels, so that
 * several requests may be under way without two samples of a series changing places; 429 and
 * Retry-After are heeded; max_elapsed_time is what it says; 2.0 needs no feature gate. */
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "exporters/prw_conf.h"
#include "exporters/prw_pool.h"
#include "proto/prom_label.h"

struct remote_write {
    struct leat_prw_pool *pool;
    struct leat_prom_label *labels; /* external_labels */
    struct leat_text names;
};

#define NAMES_MAX ((size_t)1024 * 1024) /* bytes of names of external labels */

/* "__name" stays as it is: what begins so is for those who know why. */
static bool label_name(struct leat_bytes key, bool utf8, struct leat_text *out)
{
    if (utf8)
        return leat_prom_label_name(LEAT_PROM_LABEL_UTF8, key, out);
    if (key.len > 2 && memcmp(key.data, "__", 2) == 0) {
        size_t len = out->len;
        leat_text_str(out, "__");
        if (leat_prom_label_name(LEAT_PROM_LABEL_PAGE, leat_bytes(key.data + 2, key.len - 2), out))
            return true;
        out->len = len;
        return false;
    }
    return leat_prom_label_name(LEAT_PROM_LABEL_WRITE, key, out);
}

static int make_labels(struct remote_write *w, const struct leat_prw_conf *conf, bool utf8,
                       struct leat_err *err)
{
    const struct leat_pairs *pairs = &conf->external_labels;
    size_t at = 0;

    w->labels = leat_new_array(pairs->count + 1, sizeof *w->labels);
    leat_text_init(&w->names, NAMES_MAX);
    for (uint32_t i = 0; i < pairs->count; i++) {
        size_t before = w->names.len;
        if (!label_name(leat_bytes_str(pairs->items[i].key), utf8, &w->names))
            return leat_fail(err, "external_labels: no label can be called '%s'",
                             pairs->items[i].key);
        w->labels[i].name.len = w->names.len - before;
        w->labels[i].value = leat_bytes_str(pairs->items[i].value);
    }
    for (uint32_t i = 0; i < pairs->count; at += w->labels[i++].name.len)
        w->labels[i].name.data = (const uint8_t *)leat_text_get(&w->names) + at;
    return 0;
}

static struct leat_prom_feed_conf feed_conf(const struct remote_write *w,
                                            const struct leat_prw_conf *conf)
{
    enum leat_prom_strategy strategy = (enum leat_prom_strategy)leat_prw_strategy(conf);

    return (struct leat_prom_feed_conf){
        .message = conf->protobuf_message == LEAT_PRW_V2 ? LEAT_PROM_WRITE_2 : LEAT_PROM_WRITE_1,
        .naming = {.strategy = strategy, .namespace = leat_bytes_str(conf->namespace)},
        .labels = {.utf8 = leat_prom_strategy_is_utf8(strategy),
                   .no_scope = conf->disable_scope_info,
                   .resource = conf->resource_to_telemetry_conversion.enabled,
                   .exclude_service =
                       conf->resource_to_telemetry_conversion.exclude_service_attributes,
                   .constants = w->labels,
                   .constant_count = conf->external_labels.count},
        .map = {.custom_buckets = conf->convert_explicit_histograms_to_nhcb,
                .keep_classic = conf->keep_classic_histograms},
        .target_info = conf->target_info.enabled,
        .metadata = conf->send_metadata,
        .cache_bytes = (size_t)conf->series_cache_size,
    };
}

static void remote_write_close(void *self)
{
    struct remote_write *w = self;

    leat_prw_pool_free(w->pool);
    leat_free(w->labels);
    leat_text_done(&w->names);
}

static int remote_write_open(void *self, const struct leat_env *env, struct leat_err *err)
{
    struct remote_write *w = self;
    const struct leat_prw_conf *conf = env->conf;
    const struct leat_client_conf *client = leat_prw_client(conf);
    bool zstd = client->compression != NULL && strcmp(client->compression, "zstd") == 0;
    struct leat_prw_sending_env sending_env = {
        .id = env->id,
        .client = {.loop = env->loop, .auth = env->auth, .who = env->id},
        .conf = client,
        .retry = &conf->retry_on_failure,
        .timeout = conf->remote_write_queue.sender.timeout,
        .meter = env->meter,
    };
    struct leat_prw_pool_env pool_env = {
        .env = env,
        .shards = leat_prw_shards(conf),
        .max_request = (size_t)conf->max_batch_size_bytes,
        .codec = zstd ? LEAT_CODEC_ZSTD : LEAT_CODEC_SNAPPY,
        .level = zstd && client->compression_params.level != 0
                     ? (int)client->compression_params.level
                     : LEAT_LEVEL_DEFAULT,
        .metadata_keys = &conf->include_metadata_keys,
    };

    if (pool_env.max_request == 0)
        pool_env.max_request = LEAT_PRW_REQUEST;
    if (make_labels(w, conf,
                    leat_prom_strategy_is_utf8((enum leat_prom_strategy)leat_prw_strategy(conf)),
                    err) != 0 ||
        (pool_env.sending = leat_prw_sending_new(&sending_env, err)) == NULL) {
        remote_write_close(w);
        return -1;
    }
    pool_env.feed = feed_conf(w, conf);
    w->pool = leat_prw_pool_new(&pool_env);
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
