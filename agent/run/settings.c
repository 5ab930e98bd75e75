/* The settings of the program itself. */
#include "run/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/yaml.h"
#include "io/listen.h"

#define MAX_FIELD ((size_t)64 * 1024) /* bytes of a field added to every line */

static const char *const levels[] = {"debug",  "info",  "warn",  "error",
                                     "dpanic", "panic", "fatal", NULL};
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
    LEAT_ENUM(struct leat_log_settings, level, "info", levels,
              "The least level that is written; those above error stand for error."),
    LEAT_ENUM(struct leat_log_settings, encoding, "console", encodings, "How a line looks."),
    LEAT_BOOL(struct leat_log_settings, development, "false", "Accepted; has no effect here."),
    LEAT_STRINGS(struct leat_log_settings, output_paths, "stderr",
                 "Where the lines go: stderr, stdout or files."),
    LEAT_STRINGS(struct leat_log_settings, error_output_paths, "stderr",
                 "Accepted; Leat writes all its lines to output_paths."),
    LEAT_NODE(struct leat_log_settings, initial_fields, "A mapping of fields added to every line."),
    LEAT_BOOL(struct leat_log_settings, disable_caller, "false", "Accepted; has no effect here."),
    LEAT_BOOL(struct leat_log_settings, disable_stacktrace, "false",
              "Accepted; has no effect here."),
    LEAT_BOOL(struct leat_log_settings, disable_zap_resource, "false",
              "Accepted; lines never carry the resource."),
    LEAT_GROUP(struct leat_log_settings, sampling, sampling_fields,
               struct leat_log_sampling_settings, "Repeated messages."),
    LEAT_NO_EFFECT("processors", "Leat does not export its own logs yet: they go to output_paths"),
    LEAT_END,
};

static const struct leat_field prometheus_fields[] = {
    LEAT_STRING(struct leat_prometheus_reader_settings, host, "localhost", "Address to listen on."),
    LEAT_UINT(struct leat_prometheus_reader_settings, port, "8888", "Port to listen on.",
              .max = 65535),
    LEAT_BOOL(struct leat_prometheus_reader_settings, without_scope_info, "true",
              "Accepted; Leat's own metrics have no scope labels."),
    LEAT_BOOL(struct leat_prometheus_reader_settings, without_type_suffix, "true",
              "False: names of otelcol_ counters end in _total."),
    LEAT_BOOL(struct leat_prometheus_reader_settings, without_units, "true",
              "False: names of otelcol_ metrics end in their unit."),
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
    LEAT_NODE(
        struct leat_telemetry_settings, resource,
        "Attributes of the program itself, shown as target_info: a mapping, or a list of name "
        "and value under attributes. Null takes one away."),
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
    LEAT_STRING(struct leat_own_settings, admin, NULL,
                "Path of the socket that 'leat top' reads; none: no socket. Default: PID.sock in "
                "$XDG_RUNTIME_DIR/leat, /run/leat or /tmp/leat-UID."),
    LEAT_END,
};

/* --- resource */

static void resource_error(struct leat_diags *diags, struct leat_place at, const char *sentence)
{
    leat_diags_error(diags, at, "service.telemetry.resource", NULL, "%s", sentence);
}

static void add_attribute(struct leat_telemetry_settings *s, const char *name, struct leat_place at,
                          const struct leat_node *value, struct leat_diags *diags)
{
    if (value == NULL || value->kind >= LEAT_NODE_LIST) {
        resource_error(diags, at, "an attribute of the resource must be a text, a number or null");
        return;
    }
    s->attributes.items[s->attributes.count++] = (struct leat_pair){
        .key = name, .value = value->kind == LEAT_NODE_NULL ? NULL : value->text};
}

static void read_attributes(struct leat_telemetry_settings *s, const struct leat_node *list,
                            struct leat_diags *diags)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct leat_node *name = leat_node_get(list->items[i], "name", NULL);
        if (name == NULL || name->kind != LEAT_NODE_SCALAR)
            resource_error(diags, list->items[i]->at,
                           "an attribute of the resource is written {name: …, value: …}");
        else
            add_attribute(s, name->text, name->at, leat_node_get(list->items[i], "value", NULL),
                          diags);
    }
}

/* Of the newer form; where the resource comes from and its schema are of no use here. */
static bool is_form_key(const char *key)
{
    return strcmp(key, "schema_url") == 0 || strcmp(key, "detectors") == 0 ||
           strcmp(key, "detection/development") == 0;
}

static void read_resource(struct leat_telemetry_settings *s, const struct leat_node *n,
                          struct leat_arena *arena, struct leat_diags *diags)
{
    const struct leat_node *list = leat_node_get(n, "attributes", NULL);

    if (n->kind != LEAT_NODE_MAP) {
        resource_error(diags, n->at, "'resource' must be a mapping");
        return;
    }
    list = list != NULL && list->kind == LEAT_NODE_LIST ? list : NULL;
    s->attributes.items = leat_arena_take(arena, (n->count + (list != NULL ? list->count : 0)) *
                                                     sizeof *s->attributes.items);
    if (s->attributes.items == NULL) {
        resource_error(diags, n->at, "the configuration is too large for its memory");
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        if (n->items[i] == list)
            read_attributes(s, list, diags);
        else if (!is_form_key(n->keys[i].text))
            add_attribute(s, n->keys[i].text, n->keys[i].at, n->items[i], diags);
    }
}

void leat_settings_read(struct leat_telemetry_settings *s, const struct leat_node *node,
                        struct leat_arena *arena, struct leat_diags *diags)
{
    const struct leat_node *extra = s->logs.initial_fields;
    const struct leat_node *at =
        leat_node_get(leat_node_get(node, "metrics", NULL), "address", NULL);
    char host[256];
    uint16_t port;
    struct leat_err err;

    if (s->metrics.address != NULL && at != NULL &&
        leat_endpoint_split(s->metrics.address, host, &port, &err) < 0)
        leat_diags_error(diags, at->at, "service.telemetry.metrics.address", NULL, "%s", err.text);
    if (s->resource != NULL)
        read_resource(s, s->resource, arena, diags);
    if (extra != NULL && extra->kind != LEAT_NODE_MAP)
        leat_diags_error(diags, extra->at, "service.telemetry.logs.initial_fields", NULL,
                         "'initial_fields' must be a mapping");
}

/* --- the log */

/* Values that are no text are written as they are in YAML's own one-line form. */
static void put_flow(const struct leat_node *n, struct leat_text *out)
{
    if (n->kind < LEAT_NODE_LIST) {
        leat_text_str(out, n->text);
        return;
    }
    leat_text_char(out, n->kind == LEAT_NODE_LIST ? '[' : '{');
    for (size_t i = 0; i < n->count; i++) {
        leat_text_str(out, i == 0 ? "" : ", ");
        if (n->kind == LEAT_NODE_MAP)
            leat_text_printf(out, "%s: ", n->keys[i].text);
        put_flow(n->items[i], out); /* ends at LEAT_TREE_DEPTH */
    }
    leat_text_char(out, n->kind == LEAT_NODE_LIST ? ']' : '}');
}

static char *flow(const struct leat_node *n)
{
    struct leat_text out;
    char *copy;

    leat_text_init(&out, MAX_FIELD);
    put_flow(n, &out);
    copy = leat_strdup(leat_text_get(&out));
    leat_text_done(&out);
    return copy;
}

/* "file:///var/log/leat.log" is a path as well. */
static const char *path_of(const char *path)
{
    return strncmp(path, "file://", 7) == 0 ? path + 7 : path;
}

int leat_settings_open_log(const struct leat_log_settings *s, struct leat_err *err)
{
    const struct leat_node *extra = s->initial_fields;
    size_t n = extra != NULL && extra->kind == LEAT_NODE_MAP ? extra->count : 0;
    const char **fields = leat_new_array(2 * n + 1, sizeof *fields);
    const char **paths = leat_new_array(s->output_paths.count + 1, sizeof *paths);
    struct leat_log_conf conf = {
        .level = s->level > LEAT_LOG_ERROR ? LEAT_LOG_ERROR : (enum leat_log_level)s->level,
        .encoding = (enum leat_log_encoding)s->encoding,
        .paths = paths,
        .npaths = s->output_paths.count,
        .fields = fields,
        .nfields = (uint32_t)n,
        .sampling = s->sampling.enabled,
        .tick = s->sampling.tick,
        .initial = s->sampling.initial,
        .thereafter = s->sampling.thereafter,
    };
    int result;

    for (size_t i = 0; i < n; i++) {
        fields[2 * i] = extra->keys[i].text;
        fields[2 * i + 1] = flow(extra->items[i]);
    }
    for (uint32_t i = 0; i < s->output_paths.count; i++)
        paths[i] = path_of(s->output_paths.items[i]);
    result = leat_log_setup(&conf, err);
    leat_free(paths);
    for (size_t i = 0; i < n; i++)
        leat_free((void *)(uintptr_t)fields[2 * i + 1]);
    leat_free(fields);
    return result;
}

const struct leat_prometheus_reader_settings *
leat_settings_page(const struct leat_metrics_settings *s)
{
    const struct leat_reader_settings *readers = s->readers.items;

    for (uint32_t i = 0; i < s->readers.count; i++) {
        if (readers[i].has_pull && readers[i].pull.exporter.has_prometheus)
            return &readers[i].pull.exporter.prometheus;
    }
    return NULL;
}

bool leat_settings_metrics_endpoint(const struct leat_metrics_settings *s, char *out, size_t size)
{
    const struct leat_prometheus_reader_settings *page = leat_settings_page(s);

    if (s->level == 0)
        return false;
    if (s->address != NULL)
        snprintf(out, size, "%s", s->address);
    else if (page != NULL)
        snprintf(out, size, strchr(page->host, ':') ? "[%s]:%u" : "%s:%u", page->host, page->port);
    else
        snprintf(out, size, "localhost:8888");
    return s->address != NULL || page != NULL || !s->has_readers;
}
