/* The only file that names every component: a new one is its own file and two lines here. */
#include "run/registry.h"

#include <string.h>

extern const struct leat_component leat_receiver_otlp;
extern const struct leat_component leat_receiver_nop;
extern const struct leat_component leat_receiver_statsd;
extern const struct leat_component leat_processor_batch;
extern const struct leat_component leat_processor_memory_limiter;
extern const struct leat_component leat_processor_deltatocumulative;
extern const struct leat_component leat_processor_cumulativetodelta;
extern const struct leat_component leat_exporter_otlp_grpc;
extern const struct leat_component leat_exporter_otlp_http;
extern const struct leat_component leat_exporter_debug;
extern const struct leat_component leat_exporter_file;
extern const struct leat_component leat_exporter_prometheus_remote_write;
extern const struct leat_component leat_exporter_nop;
extern const struct leat_component leat_exporter_prometheus;
extern const struct leat_component leat_connector_forward;
extern const struct leat_component leat_extension_health_check;
extern const struct leat_component leat_extension_basicauth;
extern const struct leat_component leat_extension_bearertokenauth;
extern const struct leat_component leat_extension_zpages;
extern const struct leat_component leat_extension_pprof;

const struct leat_component *const leat_components[] = {
    &leat_receiver_otlp,
    &leat_receiver_nop,
    &leat_receiver_statsd,
    &leat_processor_batch,
    &leat_processor_memory_limiter,
    &leat_processor_deltatocumulative,
    &leat_processor_cumulativetodelta,
    &leat_exporter_otlp_grpc,
    &leat_exporter_otlp_http,
    &leat_exporter_debug,
    &leat_exporter_file,
    &leat_exporter_prometheus_remote_write,
    &leat_exporter_nop,
    &leat_exporter_prometheus,
    &leat_connector_forward,
    &leat_extension_health_check,
    &leat_extension_basicauth,
    &leat_extension_bearertokenauth,
    &leat_extension_zpages,
    &leat_extension_pprof,
    NULL,
};

/* What upstream has retired, and what replaces it. */
static const struct {
    enum leat_section section;
    const char *type, *advice;
} retired[] = {
    {LEAT_SECTION_EXPORTERS, "jaeger",
     "the collector retired it in 2023: Jaeger takes OTLP, use otlp_grpc with Jaeger's port 4317"},
    {LEAT_SECTION_EXPORTERS, "loki",
     "the collector retired it: Loki takes OTLP, use otlp_http with endpoint "
     "http://HOST:3100/otlp"},
    {LEAT_SECTION_EXPORTERS, "opencensus",
     "the collector retired it: use otlp_grpc, OpenCensus has become OpenTelemetry"},
    {LEAT_SECTION_RECEIVERS, "opencensus",
     "the collector retired it: use the otlp receiver, OpenCensus has become OpenTelemetry"},
    {LEAT_SECTION_EXPORTERS, "sapm", "the collector retired it: use otlp_http"},
    {LEAT_SECTION_EXPORTERS, "jaeger_thrift",
     "the collector retired it: Jaeger takes OTLP, use otlp_http with Jaeger's port 4318"},
    {LEAT_SECTION_EXPORTERS, "jaeger_thrift_http",
     "the collector retired it: Jaeger takes OTLP, use otlp_http with Jaeger's port 4318"},
    {LEAT_SECTION_EXPORTERS, "honeycomb",
     "the collector retired it: Honeycomb takes OTLP, use otlp_grpc with a header"},
    {LEAT_SECTION_EXPORTERS, "lightstep",
     "the collector retired it: Lightstep takes OTLP, use otlp_grpc"},
    {LEAT_SECTION_EXPORTERS, "newrelic",
     "the collector retired it: New Relic takes OTLP, use otlp_http"},
    {LEAT_SECTION_EXPORTERS, "elastic",
     "the collector retired it: Elastic APM takes OTLP, use otlp_grpc"},
    {LEAT_SECTION_EXPORTERS, "dynatrace",
     "the collector retired it: Dynatrace takes OTLP, use otlp_http"},
    {LEAT_SECTION_EXPORTERS, "stackdriver", "the collector retired it: googlecloud replaced it"},
    {LEAT_SECTION_RECEIVERS, "prometheus_exec",
     "the collector retired it: run the exporter beside it and scrape it with the prometheus "
     "receiver"},
    {LEAT_SECTION_PROCESSORS, "k8s_tagger",
     "the collector retired it: the k8s_attributes processor replaced it"},
    {LEAT_SECTION_PROCESSORS, "routing",
     "the collector retired the processor: the routing connector replaced it"},
    {LEAT_SECTION_PROCESSORS, "servicegraph",
     "the collector retired the processor: the servicegraph connector replaced it"},
    {LEAT_SECTION_PROCESSORS, "queued_retry",
     "the collector retired it: queue and retry are keys of each exporter (sending_queue, "
     "retry_on_failure)"},
    {LEAT_SECTION_PROCESSORS, "spanmetrics",
     "the collector retired the processor: the spanmetrics connector replaces it"},
    {LEAT_SECTION_EXTENSIONS, "memory_ballast",
     "the collector retired it, and Leat has no garbage collector: remove it; leat.memory bounds "
     "the memory"},
    {LEAT_SECTION_EXTENSIONS, "ballast",
     "the collector retired it, and Leat has no garbage collector: remove it; leat.memory bounds "
     "the memory"},
};

enum leat_kind leat_kind_of_section(enum leat_section section)
{
    static const enum leat_kind kinds[] = {
        [LEAT_SECTION_RECEIVERS] = LEAT_RECEIVER,   [LEAT_SECTION_PROCESSORS] = LEAT_PROCESSOR,
        [LEAT_SECTION_EXPORTERS] = LEAT_EXPORTER,   [LEAT_SECTION_CONNECTORS] = LEAT_CONNECTOR,
        [LEAT_SECTION_EXTENSIONS] = LEAT_EXTENSION,
    };

    return kinds[section];
}

const char *leat_kind_name(enum leat_kind kind)
{
    static const char *const names[] = {"receiver", "processor", "exporter", "connector",
                                        "extension"};

    return names[kind];
}

static bool is_alias(const struct leat_component *c, const char *type)
{
    for (const char *const *a = c->aliases; a != NULL && *a != NULL; a++) {
        if (strcmp(*a, type) == 0)
            return true;
    }
    return false;
}

/* Names of what this component does as well, or will be called: nothing to warn of. */
static bool is_newer(const char *type)
{
    return strcmp(type, "healthcheckv2") == 0 || strcmp(type, "delta_to_cumulative") == 0 ||
           strcmp(type, "cumulative_to_delta") == 0;
}

const struct leat_component *leat_registry_find(enum leat_section section, const char *type,
                                                bool *ret_old)
{
    enum leat_kind kind = leat_kind_of_section(section);

    for (const struct leat_component *const *c = leat_components; *c != NULL; c++) {
        if ((*c)->kind != kind)
            continue;
        *ret_old = is_alias(*c, type) && !is_newer(type);
        if (is_alias(*c, type) || strcmp((*c)->type, type) == 0)
            return *c;
    }
    return NULL;
}

const char *leat_registry_retired(enum leat_section section, const char *type)
{
    for (size_t i = 0; i < sizeof retired / sizeof *retired; i++) {
        if (retired[i].section == section && strcmp(retired[i].type, type) == 0)
            return retired[i].advice;
    }
    return NULL;
}

const char *leat_registry_nearest(enum leat_section section, const char *type)
{
    const char *words[64];
    size_t n = 0;
    enum leat_kind kind = leat_kind_of_section(section);

    for (const struct leat_component *const *c = leat_components; *c != NULL; c++) {
        if ((*c)->kind == kind && n < 63)
            words[n++] = (*c)->type;
    }
    words[n] = NULL;
    return leat_nearest(type, words);
}
