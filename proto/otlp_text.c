/* Telemetry for human eyes: counts, and one line per record (verbosities basic and normal of the
 * debug exporter). Every field is in otlp_text_detailed.c, the terminal in otlp_text_pretty.c. */
#include "proto/otlp_text.h"

#include "proto/otlp_show.h"
#include "proto/otlp_view.h"
#include "proto/printable.h"

/* --- basic */

static uint32_t count_metrics(struct leat_bytes request)
{
    struct leat_wire resources = leat_wire_of(request), scopes;
    struct leat_bytes resource, scope;
    uint32_t n = 0;

    while (leat_show_next(&resources, 1, &resource)) {
        scopes = leat_wire_of(resource);
        while (leat_show_next(&scopes, 2, &scope))
            n += leat_show_count(scope, 2);
    }
    return n;
}

void leat_otlp_text_basic(enum leat_signal signal, const struct leat_bytes *parts, size_t n,
                          struct leat_text *out)
{
    static const char *const items[LEAT_SIGNALS] = {"spans", "data points", "log records"};
    static const char *const names[LEAT_SIGNALS] = {"spans", "metrics", "logs"};
    uint64_t resources = 0, records = 0, metrics = 0;

    for (size_t i = 0; i < n; i++) {
        struct leat_otlp_count count = leat_otlp_count(signal, parts[i]);
        resources += count.resources;
        records += count.items;
        metrics += signal == LEAT_METRICS ? count_metrics(parts[i]) : 0;
    }
    leat_text_printf(out, "{\"resource %s\": %llu, ", names[signal], (unsigned long long)resources);
    if (signal == LEAT_METRICS)
        leat_text_printf(out, "\"metrics\": %llu, ", (unsigned long long)metrics);
    leat_text_printf(out, "\"%s\": %llu}\n", items[signal], (unsigned long long)records);
}

/* --- normal */

static void add(struct leat_text *t, struct leat_bytes b)
{
    leat_printable_add(t, b, SIZE_MAX);
}

/* key=value, with `between` in the middle; `before` in front of the first. */
static void add_attributes(struct leat_text *t, struct leat_bytes m, uint32_t field,
                           const char *before, const char *between)
{
    struct leat_wire w = leat_wire_of(m);
    struct leat_bytes pair;

    for (const char *sep = before; leat_text_ok(t) && leat_show_next(&w, field, &pair);
         sep = between) {
        leat_text_str(t, sep);
        add(t, leat_show_bytes(pair, 1));
        leat_text_char(t, '=');
        leat_show_value(t, leat_show_bytes(pair, 2));
    }
}

static void add_resource(struct leat_text *t, const char *name, uint64_t index,
                         struct leat_bytes group)
{
    struct leat_bytes url = leat_show_bytes(group, 3);

    leat_text_printf(t, "%s #%llu", name, (unsigned long long)index);
    if (url.len != 0) {
        leat_text_str(t, " [");
        add(t, url);
        leat_text_char(t, ']');
    }
    add_attributes(t, leat_show_bytes(group, 1), 1, " ", " ");
    leat_text_char(t, '\n');
}

static void add_scope(struct leat_text *t, const char *name, uint64_t index,
                      struct leat_bytes group)
{
    struct leat_bytes scope = leat_show_bytes(group, 1), url = leat_show_bytes(group, 3);
    struct leat_bytes scope_name = leat_show_bytes(scope, 1), version = leat_show_bytes(scope, 2);

    leat_text_printf(t, "%s #%llu", name, (unsigned long long)index);
    if (scope_name.len + version.len != 0)
        leat_text_char(t, ' ');
    add(t, scope_name);
    if (version.len != 0) {
        leat_text_char(t, '@');
        add(t, version);
    }
    if (url.len != 0) {
        leat_text_str(t, " [");
        add(t, url);
        leat_text_char(t, ']');
    }
    add_attributes(t, scope, 3, " ", " ");
    leat_text_char(t, '\n');
}

/* LogRecord: body 5, attributes 6. */
static void normal_log(struct leat_text *t, struct leat_bytes log)
{
    leat_show_value(t, leat_show_bytes(log, 5));
    leat_text_char(t, ' ');
    add_attributes(t, log, 6, "", " ");
    leat_text_char(t, '\n');
}

/* Span: trace id 1, span id 2, name 5, attributes 9. */
static void normal_span(struct leat_text *t, struct leat_bytes span)
{
    add(t, leat_show_bytes(span, 5));
    leat_text_char(t, ' ');
    leat_show_hex(t, leat_show_bytes(span, 1));
    leat_text_char(t, ' ');
    leat_show_hex(t, leat_show_bytes(span, 2));
    add_attributes(t, span, 9, " ", " ");
    leat_text_char(t, '\n');
}

static void normal_metric(struct leat_text *t, struct leat_bytes metric)
{
    struct leat_bytes data, point;
    uint32_t kind = leat_show_metric(metric, &data);
    struct leat_wire w = leat_wire_of(data);

    while (kind != 0 && leat_text_ok(t) && leat_show_next(&w, 1, &point)) {
        add(t, leat_show_bytes(metric, 1));
        leat_text_char(t, '{');
        add_attributes(t, point, leat_show_point_fields(kind).attributes, "", ",");
        leat_text_str(t, "} ");
        leat_show_point_line(t, kind, point, true);
        leat_text_char(t, '\n');
    }
}

static void normal_group(enum leat_signal signal, struct leat_bytes resource, struct leat_text *t)
{
    static void (*const record[LEAT_SIGNALS])(struct leat_text *, struct leat_bytes) = {
        normal_span, normal_metric, normal_log};
    static const char *const names[LEAT_SIGNALS] = {"ScopeTraces", "ScopeMetrics", "ScopeLog"};
    struct leat_wire scopes = leat_wire_of(resource), records;
    struct leat_bytes scope, one;

    for (uint64_t j = 0; leat_text_ok(t) && leat_show_next(&scopes, 2, &scope); j++) {
        add_scope(t, names[signal], j, scope);
        records = leat_wire_of(scope);
        while (leat_text_ok(t) && leat_show_next(&records, 2, &one))
            record[signal](t, one);
    }
}

void leat_otlp_text_normal(enum leat_signal signal, const struct leat_bytes *parts, size_t n,
                           struct leat_text *out)
{
    static const char *const names[LEAT_SIGNALS] = {"ResourceTraces", "ResourceMetrics",
                                                    "ResourceLog"};
    uint64_t index = 0;

    for (size_t i = 0; i < n; i++) {
        struct leat_wire w = leat_wire_of(parts[i]);
        struct leat_bytes group;
        for (; leat_text_ok(out) && leat_show_next(&w, 1, &group); index++) {
            add_resource(out, names[signal], index, group);
            normal_group(signal, group, out);
        }
    }
}
