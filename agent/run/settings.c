/* The settings of the program itself. */
#include "run/settings.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const encodings[] = {"console", "json", "logfmt", NULL};
static const char *const metric_levels[] = {"none", "basic", "normal", "detailed", NULL};

static const struct leat_field sampling_fields[] = {
    LEAT_BOOL(struct leat_log_sampling_settings, enabled, "true",
              "Limits how often one message is repeated."),
    LEAT_DURATION(struct leat_log_sampling_settings, tick, "10s", "The time over which is counted.",
                  .min = 1e6, .max = 86400e9),
    LEAT_UINT(struct leat_log_sampling_settings, initial, "10",
              "So many messages of one kind are written in a tick."),
    LEAT_UINT(struct leat_log_sampling_settings, thereafter, "100",
              "Of the others only every so manieth; 0: none."),
    LEAT_END,
};

static const struct leat_field log_fields[] = {
    LEAT_ENUM(struct leat_log_settings, level, "info", levels, "The least level that is written."),
    LEAT_ENUM(struct leat_log_settings, encoding, "console", encodings, "How a line looks."),
    LEAT_BOOL(struct leat_log_settings, development, "false", "Accepted; has no effect here."),
    LEAT_STRINGS(struct leat_log_settings, output_paths, "stderr",
                 "Where the lines go: stderr, stdout or files."),
    LEAT_STRINGS(struct leat_log_settings, error_output_paths, "stderr",
                 "Accepted; Leat writes all its lines to output_paths."),
    LEAT_MAP(struct leat_log_settings, initial_fields, "Fields added to every line."),
    LEAT_BOOL(struct leat_log_settings, disable_caller, "false", "Accepted; has no effect here."),
    LEAT_BOOL(struct leat_log_settings, disable_stacktrace, "false",
              "Accepted; has no effect here."),
    LEAT_GROUP(struct leat_log_settings, sampling, sampling_fields,
               struct leat_log_sampling_settings, "Repeated messages."),
    LEAT_NO_EFFECT("processors", "Leat does not export its own logs yet: they go to output_paths"),
    LEAT_END,
};

static const struct leat_field prometheus_fields[] = {
    LEAT_STRING(struct leat_prometheus_reader_settings, host, "localhost", "Address to listen on."),
    LEAT_UINT(struct leat_prometheus_reader_settings, port, "8888", "Port to listen on.",
              .max = 65535),
    LEAT_NO_EFFECT("without_scope_info", "Leat's own metrics have no scope labels"),
    LEAT_NO_EFFECT("without_type_suffix", "Leat exposes the collector's default names"),
    LEAT_NO_EFFECT("without_units", "Leat exposes the collector's default names"),
    LEAT_NO_EFFECT("with_resource_constant_labels", "Leat's own metrics have no resource labels"),
    LEAT_END,
};
static const struct leat_field exporter_fields[] = {
    LEAT_GROUP(struct leat_reader_exporter_settings, prometheus, prometheus_fields,
               struct leat_prometheus_reader_settings, "A page for Prometheus to scrape.",
               .present = LEAT_PRESENT(struct leat_reader_exporter_settings, has_prometheus)),
    LEAT_END,
};
static const struct leat_field pull_fields[] = {
    LEAT_GROUP(struct leat_pull_settings, exporter, exporter_fields,
               struct leat_reader_exporter_settings, "What can be read."),
    LEAT_END,
};
static const struct leat_field reader_fields[] = {
    LEAT_GROUP(struct leat_reader_settings, pull, pull_fields, struct leat_pull_settings,
               "A page to read the metrics from.",
               .present = LEAT_PRESENT(struct leat_reader_settings, has_pull)),
    LEAT_NO_EFFECT("periodic", "Leat does not push its own metrics yet: scrape its page"),
    LEAT_END,
};

static const struct leat_field metrics_fields[] = {
    LEAT_ENUM(struct leat_metrics_settings, level, "normal", metric_levels,
              "none switches the page off."),
    LEAT_STRING(struct leat_metrics_settings, address, NULL,
                "host:port of the page; replaced upstream by readers", .flags = LEAT_DEPRECATED),
    LEAT_LIST(struct leat_metrics_settings, readers, reader_fields, struct leat_reader_settings,
              "Who reads the metrics; the first Prometheus page counts.",
              .present = LEAT_PRESENT(struct leat_metrics_settings, has_readers)),
    LEAT_NO_EFFECT("views", "Leat's own metrics have no views"),
    LEAT_END,
};

const struct leat_field leat_telemetry_fields[] = {
    LEAT_GROUP(struct leat_telemetry_settings, logs, log_fields, struct leat_log_settings,
               "What the program writes of itself."),
    LEAT_GROUP(struct leat_telemetry_settings, metrics, metrics_fields,
               struct leat_metrics_settings, "What the program counts of itself."),
    LEAT_NO_EFFECT("traces", "Leat does not trace itself"),
    LEAT_MAP(struct leat_telemetry_settings, resource,
             "Attributes of the program itself, shown as target_info."),
    LEAT_END,
};

const struct leat_field leat_own_fields[] = {
    LEAT_UINT(struct leat_own_settings, workers, "0",
              "Threads that carry telemetry; 0: the processors or the CPU quota there is.",
              .max = 1024),
    LEAT_STRING(struct leat_own_settings, memory, NULL,
                "How much telemetry may be held in memory (200MiB) or a share of what the machine "
                "or its cgroup has (40%)."),
    LEAT_DURATION(struct leat_own_settings, shutdown_timeout, "20s",
                  "How long an orderly end may take before the rest is given up.", .min = 0,
                  .max = 86400e9),
    LEAT_END,
};

int leat_settings_open_log(const struct leat_log_settings *s, struct leat_err *err)
{
    const char **fields = leat_new_array(2 * s->initial_fields.count + 1, sizeof *fields);
    struct leat_log_conf conf = {
        .level = (enum leat_log_level)s->level,
        .encoding = (enum leat_log_encoding)s->encoding,
        .paths = (const char *const *)s->output_paths.items,
        .npaths = s->output_paths.count,
        .fields = fields,
        .nfields = s->initial_fields.count,
        .sampling = s->sampling.enabled,
        .tick = s->sampling.tick,
        .initial = s->sampling.initial,
        .thereafter = s->sampling.thereafter,
    };
    int result;

    for (uint32_t i = 0; i < s->initial_fields.count; i++) {
        fields[2 * i] = s->initial_fields.items[i].key;
        fields[2 * i + 1] = s->initial_fields.items[i].value;
    }
    result = leat_log_setup(&conf, err);
    leat_free(fields);
    return result;
}

bool leat_settings_metrics_endpoint(const struct leat_metrics_settings *s, char *out, size_t size)
{
    const struct leat_reader_settings *readers = s->readers.items;

    if (s->level == 0)
        return false;
    if (s->address != NULL) {
        snprintf(out, size, "%s", s->address);
        return true;
    }
    for (uint32_t i = 0; i < s->readers.count; i++) {
        const struct leat_reader_exporter_settings *e = &readers[i].pull.exporter;
        if (!readers[i].has_pull || !e->has_prometheus)
            continue;
        snprintf(out, size, strchr(e->prometheus.host, ':') ? "[%s]:%u" : "%s:%u",
                 e->prometheus.host, e->prometheus.port);
        return true;
    }
    snprintf(out, size, "localhost:8888");
    return !s->has_readers;
}
