/* Every field of every record: verbosity detailed, in the order and with the labels of the
 * collector's debug exporter. */
#include <math.h>

#include "proto/json_write.h"
#include "proto/otlp_show.h"
#include "proto/otlp_text.h"
#include "proto/printable.h"

static void add(struct leat_text *t, struct leat_bytes b)
{
    leat_printable_add(t, b, SIZE_MAX);
}

/* --- lines */

static void line_bytes(struct leat_text *t, const char *label, struct leat_bytes b)
{
    leat_text_str(t, label);
    add(t, b);
    leat_text_char(t, '\n');
}

static void line_str(struct leat_text *t, const char *label, const char *text)
{
    line_bytes(t, label, leat_bytes_str(text));
}

static void line_hex(struct leat_text *t, const char *label, struct leat_bytes id)
{
    leat_text_str(t, label);
    leat_show_hex(t, id);
    leat_text_char(t, '\n');
}

static void line_time(struct leat_text *t, const char *label, uint64_t nanos)
{
    leat_text_str(t, label);
    leat_show_time(t, nanos);
    leat_text_char(t, '\n');
}

static void line_u64(struct leat_text *t, const char *label, uint64_t v)
{
    leat_text_str(t, label);
    leat_json_add_u64(t, v);
    leat_text_char(t, '\n');
}

static void line_i64(struct leat_text *t, const char *label, int64_t v)
{
    leat_text_str(t, label);
    leat_json_add_i64(t, v);
    leat_text_char(t, '\n');
}

static void line_double(struct leat_text *t, const char *label, double v)
{
    leat_text_str(t, label);
    leat_show_fixed(t, v);
    leat_text_char(t, '\n');
}

/* "label #index" */
static void line_index(struct leat_text *t, const char *label, uint64_t index)
{
    leat_text_str(t, label);
    line_u64(t, " #", index);
}

/* "Str(value)" */
static void add_typed(struct leat_text *t, struct leat_bytes value)
{
    leat_text_str(t, leat_show_type(value));
    leat_text_char(t, '(');
    leat_show_value(t, value);
    leat_text_char(t, ')');
}

/* A header and a line for each attribute; nothing when there are none. */
static void add_attributes(struct leat_text *t, const char *header, const char *indent,
                           struct leat_bytes m, uint32_t field)
{
    struct leat_wire w = leat_wire_of(m);
    struct leat_bytes pair;

    for (bool first = true; leat_text_ok(t) && leat_show_next(&w, field, &pair); first = false) {
        if (first)
            line_str(t, header, ":");
        leat_text_str(t, indent);
        leat_text_str(t, "     -> ");
        add(t, leat_show_bytes(pair, 1));
        leat_text_str(t, ": ");
        add_typed(t, leat_show_bytes(pair, 2));
        leat_text_char(t, '\n');
    }
}

/* --- logs. LogRecord: time 1, severity number 2 and text 3, body 5, attributes 6, flags 8, trace
 * id 9, span id 10, observed 11, event name 12 */

static void detail_log(struct leat_text *t, uint64_t index, struct leat_bytes log)
{
    uint64_t severity = leat_show_number(log, 2);
    struct leat_bytes event = leat_show_bytes(log, 12);

    line_index(t, "LogRecord", index);
    line_time(t, "ObservedTimestamp: ", leat_show_number(log, 11));
    line_time(t, "Timestamp: ", leat_show_number(log, 1));
    line_bytes(t, "SeverityText: ", leat_show_bytes(log, 3));
    leat_text_printf(t, "SeverityNumber: %s(%d)\n", leat_show_severity(severity),
                     (int)(uint32_t)severity);
    if (event.len != 0)
        line_bytes(t, "EventName: ", event);
    leat_text_str(t, "Body: ");
    add_typed(t, leat_show_bytes(log, 5));
    leat_text_char(t, '\n');
    add_attributes(t, "Attributes", "", log, 6);
    line_hex(t, "Trace ID: ", leat_show_bytes(log, 9));
    line_hex(t, "Span ID: ", leat_show_bytes(log, 10));
    line_u64(t, "Flags: ", leat_show_number(log, 8));
}

/* --- traces. Event: time 1, name 2, attributes 3, dropped 4; Link: trace id 1, span id 2, state 3,
 * attributes 4, dropped 5 */

static void add_events(struct leat_text *t, struct leat_bytes span)
{
    struct leat_wire w = leat_wire_of(span);
    struct leat_bytes e;

    for (uint64_t i = 0; leat_text_ok(t) && leat_show_next(&w, 11, &e); i++) {
        if (i == 0)
            leat_text_str(t, "Events:\n");
        line_index(t, "SpanEvent", i);
        line_bytes(t, "     -> Name: ", leat_show_bytes(e, 2));
        line_time(t, "     -> Timestamp: ", leat_show_number(e, 1));
        line_u64(t, "     -> DroppedAttributesCount: ", leat_show_number(e, 4));
        add_attributes(t, "     -> Attributes:", "     ", e, 3);
    }
}

static void add_links(struct leat_text *t, struct leat_bytes span)
{
    struct leat_wire w = leat_wire_of(span);
    struct leat_bytes l;

    for (uint64_t i = 0; leat_text_ok(t) && leat_show_next(&w, 13, &l); i++) {
        if (i == 0)
            leat_text_str(t, "Links:\n");
        line_index(t, "SpanLink", i);
        line_hex(t, "     -> Trace ID: ", leat_show_bytes(l, 1));
        line_hex(t, "     -> ID: ", leat_show_bytes(l, 2));
        line_bytes(t, "     -> TraceState: ", leat_show_bytes(l, 3));
        line_u64(t, "     -> DroppedAttributesCount: ", leat_show_number(l, 5));
        add_attributes(t, "     -> Attributes:", "     ", l, 4);
    }
}

static void detail_span(struct leat_text *t, uint64_t index, struct leat_bytes span)
{
    struct leat_bytes status = leat_show_bytes(span, 15), state = leat_show_bytes(span, 3);

    line_index(t, "Span", index);
    line_hex(t, "    Trace ID       : ", leat_show_bytes(span, 1));
    line_hex(t, "    Parent ID      : ", leat_show_bytes(span, 4));
    line_hex(t, "    ID             : ", leat_show_bytes(span, 2));
    line_bytes(t, "    Name           : ", leat_show_bytes(span, 5));
    line_str(t, "    Kind           : ", leat_show_kind(leat_show_number(span, 6)));
    if (state.len != 0)
        line_bytes(t, "    TraceState     : ", state);
    line_time(t, "    Start time     : ", leat_show_number(span, 7));
    line_time(t, "    End time       : ", leat_show_number(span, 8));
    line_str(t, "    Status code    : ", leat_show_status(leat_show_number(status, 3)));
    line_bytes(t, "    Status message : ", leat_show_bytes(status, 2));
    line_u64(t, "    DroppedAttributesCount: ", leat_show_number(span, 10));
    line_u64(t, "    DroppedEventsCount: ", leat_show_number(span, 12));
    line_u64(t, "    DroppedLinksCount: ", leat_show_number(span, 14));
    add_attributes(t, "Attributes", "", span, 9);
    add_events(t, span);
    add_links(t, span);
}

/* --- metrics */

/* Exemplar: time 2, double 3, span id 4, trace id 5, integer 6, attributes 7 */
static void add_exemplars(struct leat_text *t, struct leat_bytes point, uint32_t field)
{
    struct leat_wire w = leat_wire_of(point);
    struct leat_bytes e;
    double v;
    int64_t n;
    bool is_int;

    for (uint64_t i = 0; field != 0 && leat_text_ok(t) && leat_show_next(&w, field, &e); i++) {
        if (i == 0)
            leat_text_str(t, "Exemplars:\n");
        line_index(t, "Exemplar", i);
        line_hex(t, "     -> Trace ID: ", leat_show_bytes(e, 5));
        line_hex(t, "     -> Span ID: ", leat_show_bytes(e, 4));
        line_time(t, "     -> Timestamp: ", leat_show_number(e, 2));
        if (leat_show_point(e, 3, &v, &n, &is_int)) {
            if (is_int)
                line_i64(t, "     -> Value: ", n);
            else
                line_double(t, "     -> Value: ", v);
        }
        add_attributes(t, "     -> FilteredAttributes", "     ", e, 7);
    }
}

static void line_optional(struct leat_text *t, const char *label, struct leat_bytes m,
                          uint32_t field)
{
    struct leat_wire_field f;

    if (leat_show_field(m, field, &f))
        line_double(t, label, leat_show_double(m, field));
}

static void detail_number(struct leat_text *t, struct leat_bytes point)
{
    double v;
    int64_t n;
    bool is_int;

    if (!leat_show_point(point, 4, &v, &n, &is_int))
        return;
    if (is_int)
        line_i64(t, "Value: ", n);
    else
        line_double(t, "Value: ", v);
}

static void detail_histogram(struct leat_text *t, struct leat_bytes point)
{
    struct leat_show_list bounds = leat_show_list(point, 7, LEAT_FIXED64);
    struct leat_show_list counts = leat_show_list(point, 6, LEAT_FIXED64);
    uint64_t bits;
    double bound;

    line_u64(t, "Count: ", leat_show_number(point, 4));
    line_optional(t, "Sum: ", point, 5);
    line_optional(t, "Min: ", point, 11);
    line_optional(t, "Max: ", point, 12);
    for (uint64_t i = 0; leat_text_ok(t) && leat_show_list_next(&bounds, &bits); i++) {
        memcpy(&bound, &bits, sizeof bound);
        leat_text_printf(t, "ExplicitBounds #%llu", (unsigned long long)i);
        line_double(t, ": ", bound);
    }
    for (uint64_t i = 0; leat_text_ok(t) && leat_show_list_next(&counts, &bits); i++) {
        leat_text_printf(t, "Buckets #%llu", (unsigned long long)i);
        line_u64(t, ", Count: ", bits);
    }
}

static void line_bucket(struct leat_text *t, const char *open, double low, double high,
                        const char *close, uint64_t count)
{
    leat_text_str(t, open);
    leat_show_fixed(t, low);
    leat_text_str(t, ", ");
    leat_show_fixed(t, high);
    leat_text_str(t, close);
    line_u64(t, ", Count: ", count);
}

static double bound_of(const struct leat_show_buckets *b, size_t i)
{
    return exp((b->offset + (double)i) * b->factor);
}

static void detail_exponential(struct leat_text *t, struct leat_bytes point)
{
    struct leat_show_buckets negative, positive;

    line_u64(t, "Count: ", leat_show_number(point, 4));
    line_optional(t, "Sum: ", point, 5);
    line_optional(t, "Min: ", point, 12);
    line_optional(t, "Max: ", point, 13);
    leat_show_buckets(&negative, leat_show_bytes(point, 9), leat_show_number(point, 6), t);
    leat_show_buckets(&positive, leat_show_bytes(point, 8), leat_show_number(point, 6), t);
    for (size_t i = negative.count; i-- > 0 && leat_text_ok(t);)
        line_bucket(t, "Bucket [", -bound_of(&negative, i + 1), -bound_of(&negative, i), ")",
                    negative.counts[i]);
    if (leat_show_number(point, 7) != 0)
        line_u64(t, "Bucket [0, 0], Count: ", leat_show_number(point, 7));
    for (size_t i = 0; i < positive.count && leat_text_ok(t); i++)
        line_bucket(t, "Bucket (", bound_of(&positive, i), bound_of(&positive, i + 1), "]",
                    positive.counts[i]);
    leat_show_buckets_done(&negative);
    leat_show_buckets_done(&positive);
}

static void detail_summary(struct leat_text *t, struct leat_bytes point)
{
    struct leat_wire w = leat_wire_of(point);
    struct leat_bytes q;

    line_u64(t, "Count: ", leat_show_number(point, 4));
    line_double(t, "Sum: ", leat_show_double(point, 5));
    for (uint64_t i = 0; leat_text_ok(t) && leat_show_next(&w, 6, &q); i++) {
        leat_text_printf(t, "QuantileValue #%llu: Quantile ", (unsigned long long)i);
        leat_show_fixed(t, leat_show_double(q, 1));
        line_double(t, ", Value ", leat_show_double(q, 2));
    }
}

static void detail_point(struct leat_text *t, uint32_t kind, uint64_t index,
                         struct leat_bytes point)
{
    struct leat_show_point_fields fields = leat_show_point_fields(kind);
    const char *label = kind == LEAT_HISTOGRAM     ? "HistogramDataPoints"
                        : kind == LEAT_EXPONENTIAL ? "ExponentialHistogramDataPoints"
                        : kind == LEAT_SUMMARY     ? "SummaryDataPoints"
                                                   : "NumberDataPoints";

    line_index(t, label, index);
    add_attributes(t, "Data point attributes", "", point, fields.attributes);
    /* all kinds of points have their start at 2 and their time at 3 */
    line_time(t, "StartTimestamp: ", leat_show_number(point, 2));
    line_time(t, "Timestamp: ", leat_show_number(point, 3));
    if (kind == LEAT_HISTOGRAM)
        detail_histogram(t, point);
    else if (kind == LEAT_EXPONENTIAL)
        detail_exponential(t, point);
    else if (kind == LEAT_SUMMARY)
        detail_summary(t, point);
    else
        detail_number(t, point);
    add_exemplars(t, point, fields.exemplars);
}

static const char *metric_type(uint32_t kind)
{
    switch (kind) {
    case LEAT_GAUGE:
        return "Gauge";
    case LEAT_SUM:
        return "Sum";
    case LEAT_HISTOGRAM:
        return "Histogram";
    case LEAT_EXPONENTIAL:
        return "ExponentialHistogram";
    case LEAT_SUMMARY:
        return "Summary";
    default:
        return "Empty";
    }
}

/* Metric: name 1, description 2, unit 3, metadata 12 */
static void detail_metric(struct leat_text *t, uint64_t index, struct leat_bytes metric)
{
    struct leat_bytes data, point;
    uint32_t kind = leat_show_metric(metric, &data);
    struct leat_wire w = leat_wire_of(data);

    line_index(t, "Metric", index);
    leat_text_str(t, "Descriptor:\n");
    line_bytes(t, "     -> Name: ", leat_show_bytes(metric, 1));
    line_bytes(t, "     -> Description: ", leat_show_bytes(metric, 2));
    line_bytes(t, "     -> Unit: ", leat_show_bytes(metric, 3));
    line_str(t, "     -> DataType: ", metric_type(kind));
    add_attributes(t, "     -> Metadata", "     ", metric, 12);
    if (kind == LEAT_SUM)
        line_str(t, "     -> IsMonotonic: ", leat_show_number(data, 3) != 0 ? "true" : "false");
    if (kind == LEAT_SUM || kind == LEAT_HISTOGRAM || kind == LEAT_EXPONENTIAL)
        line_str(t, "     -> AggregationTemporality: ",
                 leat_show_temporality(leat_show_number(data, 2)));
    for (uint64_t i = 0; kind != 0 && leat_text_ok(t) && leat_show_next(&w, 1, &point); i++)
        detail_point(t, kind, i, point);
}

/* --- groups. Resource: attributes 1, entity refs 3; EntityRef: schema url 1, type 2, id keys 3,
 * description keys 4 */

static void add_keys(struct leat_text *t, const char *header, struct leat_bytes ref, uint32_t field)
{
    struct leat_wire w = leat_wire_of(ref);
    struct leat_bytes key;

    for (bool first = true; leat_text_ok(t) && leat_show_next(&w, field, &key); first = false) {
        if (first)
            leat_text_str(t, header);
        line_bytes(t, "               -> ", key);
    }
}

static void add_entity_refs(struct leat_text *t, struct leat_bytes resource)
{
    struct leat_wire w = leat_wire_of(resource);
    struct leat_bytes ref;

    for (uint64_t i = 0; leat_text_ok(t) && leat_show_next(&w, 3, &ref); i++) {
        if (i == 0)
            leat_text_str(t, "Resource entity refs:\n");
        leat_text_printf(t, "     -> Entity ref #%llu:\n", (unsigned long long)i);
        line_bytes(t, "          -> Type: ", leat_show_bytes(ref, 2));
        if (leat_show_bytes(ref, 1).len != 0)
            line_bytes(t, "          -> Schema URL: ", leat_show_bytes(ref, 1));
        add_keys(t, "          -> ID keys:\n", ref, 3);
        add_keys(t, "          -> Description keys:\n", ref, 4);
    }
}

static void detail_scope(enum leat_signal signal, struct leat_text *t, uint64_t index,
                         struct leat_bytes group)
{
    static void (*const record[LEAT_SIGNALS])(struct leat_text *, uint64_t, struct leat_bytes) = {
        detail_span, detail_metric, detail_log};
    static const char *const names[LEAT_SIGNALS] = {"ScopeSpans", "ScopeMetrics", "ScopeLogs"};
    struct leat_bytes scope = leat_show_bytes(group, 1), one;
    struct leat_wire w = leat_wire_of(group);

    line_index(t, names[signal], index);
    leat_text_str(t, names[signal]);
    line_bytes(t, " SchemaURL: ", leat_show_bytes(group, 3));
    leat_text_str(t, "InstrumentationScope ");
    add(t, leat_show_bytes(scope, 1));
    line_bytes(t, " ", leat_show_bytes(scope, 2));
    add_attributes(t, "InstrumentationScope attributes", "", scope, 3);
    for (uint64_t i = 0; leat_text_ok(t) && leat_show_next(&w, 2, &one); i++)
        record[signal](t, i, one);
}

static void detail_resource(enum leat_signal signal, struct leat_text *t, uint64_t index,
                            struct leat_bytes group)
{
    static const char *const names[LEAT_SIGNALS] = {"ResourceSpans", "ResourceMetrics",
                                                    "ResourceLog"};
    struct leat_bytes resource = leat_show_bytes(group, 1), scope;
    struct leat_wire w = leat_wire_of(group);

    line_index(t, names[signal], index);
    line_bytes(t, "Resource SchemaURL: ", leat_show_bytes(group, 3));
    add_attributes(t, "Resource attributes", "", resource, 1);
    add_entity_refs(t, resource);
    for (uint64_t i = 0; leat_text_ok(t) && leat_show_next(&w, 2, &scope); i++)
        detail_scope(signal, t, i, scope);
}

void leat_otlp_text_detailed(enum leat_signal signal, const struct leat_bytes *parts, size_t n,
                             struct leat_text *out)
{
    uint64_t index = 0;

    for (size_t i = 0; i < n; i++) {
        struct leat_wire w = leat_wire_of(parts[i]);
        struct leat_bytes group;
        for (; leat_text_ok(out) && leat_show_next(&w, 1, &group); index++)
            detail_resource(signal, out, index, group);
    }
}
