/* The settings of the program itself: service.telemetry and the top-level key `leat`. */
#ifndef LEAT_RUN_SETTINGS_H
#define LEAT_RUN_SETTINGS_H

#include "config/schema.h"

struct leat_log_settings {
    int level, encoding;
    bool development, disable_caller, disable_stacktrace, disable_zap_resource;
    struct leat_strings output_paths, error_output_paths;
    const struct leat_node *initial_fields; /* a map, or NULL */
    struct leat_log_sampling_settings {
        bool enabled;
        int64_t tick;
        uint32_t initial, thereafter;
    } sampling;
};

struct leat_prometheus_reader_settings {
    const char *host;
    uint32_t port;
    bool without_scope_info, without_type_suffix, without_units;
};
struct leat_reader_exporter_settings {
    bool has_prometheus;
    struct leat_prometheus_reader_settings prometheus;
};
struct leat_pull_settings {
    struct leat_reader_exporter_settings exporter;
};
struct leat_reader_settings {
    bool has_pull;
    struct leat_pull_settings pull;
};
struct leat_metrics_settings {
    int level; /* 0: none */
    const char *address;
    bool has_readers;
    struct leat_items readers; /* struct leat_reader_settings */
};

struct leat_telemetry_settings {
    struct leat_log_settings logs;
    struct leat_metrics_settings metrics;
    const struct leat_node *resource; /* as written; leat_settings_read() reads it */
    struct leat_pairs attributes;     /* of the program itself; value NULL: it has none */
};
extern const struct leat_field leat_telemetry_fields[];

struct leat_own_settings {
    uint32_t workers;         /* 0: as many as there are processors to use */
    const char *memory;       /* size or percentage of what there is; NULL: from elsewhere */
    int64_t shutdown_timeout; /* ns */
    const char *admin;        /* path of the admin socket, "none"; NULL: where `leat top` looks */
};
extern const struct leat_field leat_own_fields[];

/* Applies the log settings. -1 and `err`: an output cannot be opened. */
struct leat_err;
int leat_settings_open_log(const struct leat_log_settings *s, struct leat_err *err);
/* What the table cannot say: reads `resource`, in the form of {service.name: x} or {attributes:
 * [{name: …, value: …}]}, to `attributes`. */
struct leat_arena;
struct leat_diags;
void leat_settings_read(struct leat_telemetry_settings *s, const struct leat_node *node,
                        struct leat_arena *arena, struct leat_diags *diags);
/* The reader whose page is served; NULL: none was written. */
const struct leat_prometheus_reader_settings *
leat_settings_page(const struct leat_metrics_settings *s);
/* host:port of the metrics page in `out`; false: there is none. */
bool leat_settings_metrics_endpoint(const struct leat_metrics_settings *s, char *out, size_t size);

#endif
