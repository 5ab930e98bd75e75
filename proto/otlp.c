/* The OTLP messages as tables. */
#include "proto/otlp.h"

/* Rows of the tables. NAME is the message as people know it, J the JSON name. The sentences are
 * made here, once, so that a refusal can name the field and costs nothing. */
#define BAD(NAME, F, VALUE)                                                                        \
    .name = F, .bad_type = NAME "." F " has the wrong wire type", .bad_value = NAME "." F " " VALUE
#define KEY(J) .json = J, .key = "\"" J "\":", .key_len = sizeof J + 2
#define SCALAR(NAME, F, J, KIND, ...)                                                              \
    {                                                                                              \
        BAD(NAME, F, LEAT_OTLP_##KIND##_BAD), KEY(J), .kind = LEAT_OTLP_##KIND, __VA_ARGS__        \
    }
#define SUB(NAME, F, J, MESSAGE, ...)                                                              \
    {                                                                                              \
        BAD(NAME, F, "is cut short"), KEY(J), .kind = LEAT_OTLP_MESSAGE, .message = &(MESSAGE),    \
                                              __VA_ARGS__                                          \
    }
#define ONE      .repeated = false
#define REPEATED .repeated = true
#define PRESENT  .optional = true
#define INSIDE   .items = LEAT_OTLP_INSIDE
#define ITEM     .repeated = true, .items = LEAT_OTLP_ITEM
#define ONEOF    .oneof = true, .optional = true
#define TABLE(FIELDS, NAME)                                                                        \
    {                                                                                              \
        .name = NAME, .fields = FIELDS, .top = sizeof FIELDS / sizeof FIELDS[0] - 1,               \
        .id = __COUNTER__, .bad_tag = NAME " has a field that is not well-formed"                  \
    }

#define LEAT_OTLP_BOOL_BAD     "is not a whole varint"
#define LEAT_OTLP_ENUM_BAD     "is not a whole varint"
#define LEAT_OTLP_UINT32_BAD   "is not a whole varint"
#define LEAT_OTLP_UINT64_BAD   "is not a whole varint or packed list of them"
#define LEAT_OTLP_INT64_BAD    "is not a whole varint"
#define LEAT_OTLP_SINT32_BAD   "is not a whole varint"
#define LEAT_OTLP_FIXED32_BAD  "has not 4 bytes"
#define LEAT_OTLP_FIXED64_BAD  "has not 8 bytes, or a multiple of 8 when packed"
#define LEAT_OTLP_SFIXED64_BAD "has not 8 bytes"
#define LEAT_OTLP_DOUBLE_BAD   "has not 8 bytes, or a multiple of 8 when packed"
#define LEAT_OTLP_STRING_BAD   "is cut short"
#define LEAT_OTLP_BLOB_BAD     "is cut short"
#define LEAT_OTLP_TRACE_ID_BAD "is not a trace id of 16 bytes (or none)"
#define LEAT_OTLP_SPAN_ID_BAD  "is not a span id of 8 bytes (or none)"

/* --- enums */

static const char *const span_kind_names[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL",
                                              "SPAN_KIND_SERVER",      "SPAN_KIND_CLIENT",
                                              "SPAN_KIND_PRODUCER",    "SPAN_KIND_CONSUMER"};
static const struct leat_otlp_enum span_kind = {span_kind_names, 6};

static const char *const status_code_names[] = {"STATUS_CODE_UNSET", "STATUS_CODE_OK",
                                                "STATUS_CODE_ERROR"};
static const struct leat_otlp_enum status_code = {status_code_names, 3};

static const char *const temporality_names[] = {"AGGREGATION_TEMPORALITY_UNSPECIFIED",
                                                "AGGREGATION_TEMPORALITY_DELTA",
                                                "AGGREGATION_TEMPORALITY_CUMULATIVE"};
static const struct leat_otlp_enum temporality = {temporality_names, 3};

static const char *const severity_names[] = {
    "SEVERITY_NUMBER_UNSPECIFIED", "SEVERITY_NUMBER_TRACE",  "SEVERITY_NUMBER_TRACE2",
    "SEVERITY_NUMBER_TRACE3",      "SEVERITY_NUMBER_TRACE4", "SEVERITY_NUMBER_DEBUG",
    "SEVERITY_NUMBER_DEBUG2",      "SEVERITY_NUMBER_DEBUG3", "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO",        "SEVERITY_NUMBER_INFO2",  "SEVERITY_NUMBER_INFO3",
    "SEVERITY_NUMBER_INFO4",       "SEVERITY_NUMBER_WARN",   "SEVERITY_NUMBER_WARN2",
    "SEVERITY_NUMBER_WARN3",       "SEVERITY_NUMBER_WARN4",  "SEVERITY_NUMBER_ERROR",
    "SEVERITY_NUMBER_ERROR2",      "SEVERITY_NUMBER_ERROR3", "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL",       "SEVERITY_NUMBER_FATAL2", "SEVERITY_NUMBER_FATAL3",
    "SEVERITY_NUMBER_FATAL4"};
static const struct leat_otlp_enum severity = {severity_names, 25};

/* --- values and what all signals share */

/* These two and AnyValue hold one another. */
static const struct leat_otlp_message array_value, key_value_list;

static const struct leat_otlp_field any_value_fields[] = {
    [1] = SCALAR("AnyValue", "string_value", "stringValue", STRING, ONEOF),
    [2] = SCALAR("AnyValue", "bool_value", "boolValue", BOOL, ONEOF),
    [3] = SCALAR("AnyValue", "int_value", "intValue", INT64, ONEOF),
    [4] = SCALAR("AnyValue", "double_value", "doubleValue", DOUBLE, ONEOF),
    [5] = SUB("AnyValue", "array_value", "arrayValue", array_value, ONEOF),
    [6] = SUB("AnyValue", "kvlist_value", "kvlistValue", key_value_list, ONEOF),
    [7] = SCALAR("AnyValue", "bytes_value", "bytesValue", BLOB, ONEOF),
};
const struct leat_otlp_message leat_otlp_any_value = TABLE(any_value_fields, "AnyValue");

static const struct leat_otlp_field array_value_fields[] = {
    [1] = SUB("ArrayValue", "values", "values", leat_otlp_any_value, REPEATED),
};
static const struct leat_otlp_message array_value = TABLE(array_value_fields, "ArrayValue");

static const struct leat_otlp_field key_value_list_fields[] = {
    [1] = SUB("KeyValueList", "values", "values", leat_otlp_key_value, REPEATED),
};
static const struct leat_otlp_message key_value_list = TABLE(key_value_list_fields, "KeyValueList");

static const struct leat_otlp_field key_value_fields[] = {
    [1] = SCALAR("KeyValue", "key", "key", STRING, ONE),
    [2] = SUB("KeyValue", "value", "value", leat_otlp_any_value, ONE),
};
const struct leat_otlp_message leat_otlp_key_value = TABLE(key_value_fields, "KeyValue");

static const struct leat_otlp_field scope_fields[] = {
    [1] = SCALAR("InstrumentationScope", "name", "name", STRING, ONE),
    [2] = SCALAR("InstrumentationScope", "version", "version", STRING, ONE),
    [3] = SUB("InstrumentationScope", "attributes", "attributes", leat_otlp_key_value, REPEATED),
    [4] = SCALAR("InstrumentationScope", "dropped_attributes_count", "droppedAttributesCount",
                 UINT32, ONE),
};
const struct leat_otlp_message leat_otlp_scope = TABLE(scope_fields, "InstrumentationScope");

static const struct leat_otlp_field entity_ref_fields[] = {
    [1] = SCALAR("EntityRef", "schema_url", "schemaUrl", STRING, ONE),
    [2] = SCALAR("EntityRef", "type", "type", STRING, ONE),
    [3] = SCALAR("EntityRef", "id_keys", "idKeys", STRING, REPEATED),
    [4] = SCALAR("EntityRef", "description_keys", "descriptionKeys", STRING, REPEATED),
};
static const struct leat_otlp_message entity_ref = TABLE(entity_ref_fields, "EntityRef");

static const struct leat_otlp_field resource_fields[] = {
    [1] = SUB("Resource", "attributes", "attributes", leat_otlp_key_value, REPEATED),
    [2] = SCALAR("Resource", "dropped_attributes_count", "droppedAttributesCount", UINT32, ONE),
    [3] = SUB("Resource", "entity_refs", "entityRefs", entity_ref, REPEATED),
};
const struct leat_otlp_message leat_otlp_resource = TABLE(resource_fields, "Resource");

/* --- traces */

static const struct leat_otlp_field event_fields[] = {
    [1] = SCALAR("Span.Event", "time_unix_nano", "timeUnixNano", FIXED64, ONE),
    [2] = SCALAR("Span.Event", "name", "name", STRING, ONE),
    [3] = SUB("Span.Event", "attributes", "attributes", leat_otlp_key_value, REPEATED),
    [4] = SCALAR("Span.Event", "dropped_attributes_count", "droppedAttributesCount", UINT32, ONE),
};
static const struct leat_otlp_message event = TABLE(event_fields, "Span.Event");

static const struct leat_otlp_field link_fields[] = {
    [1] = SCALAR("Span.Link", "trace_id", "traceId", TRACE_ID, ONE),
    [2] = SCALAR("Span.Link", "span_id", "spanId", SPAN_ID, ONE),
    [3] = SCALAR("Span.Link", "trace_state", "traceState", STRING, ONE),
    [4] = SUB("Span.Link", "attributes", "attributes", leat_otlp_key_value, REPEATED),
    [5] = SCALAR("Span.Link", "dropped_attributes_count", "droppedAttributesCount", UINT32, ONE),
    [6] = SCALAR("Span.Link", "flags", "flags", FIXED32, ONE),
};
static const struct leat_otlp_message link = TABLE(link_fields, "Span.Link");

static const struct leat_otlp_field status_fields[] = {
    [2] = SCALAR("Status", "message", "message", STRING, ONE),
    [3] = SCALAR("Status", "code", "code", ENUM, .values = &status_code),
};
static const struct leat_otlp_message status = TABLE(status_fields, "Status");

static const struct leat_otlp_field span_fields[] = {
    [1] = SCALAR("Span", "trace_id", "traceId", TRACE_ID, ONE),
    [2] = SCALAR("Span", "span_id", "spanId", SPAN_ID, ONE),
    [3] = SCALAR("Span", "trace_state", "traceState", STRING, ONE),
    [4] = SCALAR("Span", "parent_span_id", "parentSpanId", SPAN_ID, ONE),
    [5] = SCALAR("Span", "name", "name", STRING, ONE),
    [6] = SCALAR("Span", "kind", "kind", ENUM, .values = &span_kind),
    [7] = SCALAR("Span", "start_time_unix_nano", "startTimeUnixNano", FIXED64, ONE),
    [8] = SCALAR("Span", "end_time_unix_nano", "endTimeUnixNano", FIXED64, ONE),
    [9] = SUB("Span", "attributes", "attributes", leat_otlp_key_value, REPEATED),
    [10] = SCALAR("Span", "dropped_attributes_count", "droppedAttributesCount", UINT32, ONE),
    [11] = SUB("Span", "events", "events", event, REPEATED),
    [12] = SCALAR("Span", "dropped_events_count", "droppedEventsCount", UINT32, ONE),
    [13] = SUB("Span", "links", "links", link, REPEATED),
    [14] = SCALAR("Span", "dropped_links_count", "droppedLinksCount", UINT32, ONE),
    [15] = SUB("Span", "status", "status", status, ONE),
    [16] = SCALAR("Span", "flags", "flags", FIXED32, ONE),
};
const struct leat_otlp_message leat_otlp_span = TABLE(span_fields, "Span");

static const struct leat_otlp_field scope_spans_fields[] = {
    [1] = SUB("ScopeSpans", "scope", "scope", leat_otlp_scope, ONE),
    [2] = SUB("ScopeSpans", "spans", "spans", leat_otlp_span, ITEM),
    [3] = SCALAR("ScopeSpans", "schema_url", "schemaUrl", STRING, ONE),
};
static const struct leat_otlp_message scope_spans = TABLE(scope_spans_fields, "ScopeSpans");

static const struct leat_otlp_field resource_spans_fields[] = {
    [1] = SUB("ResourceSpans", "resource", "resource", leat_otlp_resource, ONE),
    [2] = SUB("ResourceSpans", "scope_spans", "scopeSpans", scope_spans, INSIDE, REPEATED),
    [3] = SCALAR("ResourceSpans", "schema_url", "schemaUrl", STRING, ONE),
};
static const struct leat_otlp_message resource_spans =
    TABLE(resource_spans_fields, "ResourceSpans");

static const struct leat_otlp_field spans_request_fields[] = {
    [1] = SUB("ExportTraceServiceRequest", "resource_spans", "resourceSpans", resource_spans,
              INSIDE, REPEATED),
};
static const struct leat_otlp_message spans_request =
    TABLE(spans_request_fields, "ExportTraceServiceRequest");

static const struct leat_otlp_field spans_partial_fields[] = {
    [1] = SCALAR("ExportTracePartialSuccess", "rejected_spans", "rejectedSpans", INT64, ONE),
    [2] = SCALAR("ExportTracePartialSuccess", "error_message", "errorMessage", STRING, ONE),
};
static const struct leat_otlp_message spans_partial =
    TABLE(spans_partial_fields, "ExportTracePartialSuccess");

static const struct leat_otlp_field spans_answer_fields[] = {
    [1] =
        SUB("ExportTraceServiceResponse", "partial_success", "partialSuccess", spans_partial, ONE),
};
static const struct leat_otlp_message spans_answer =
    TABLE(spans_answer_fields, "ExportTraceServiceResponse");

/* --- metrics */

static const struct leat_otlp_field exemplar_fields[] = {
    [2] = SCALAR("Exemplar", "time_unix_nano", "timeUnixNano", FIXED64, ONE),
    [3] = SCALAR("Exemplar", "as_double", "asDouble", DOUBLE, ONEOF),
    [4] = SCALAR("Exemplar", "span_id", "spanId", SPAN_ID, ONE),
    [5] = SCALAR("Exemplar", "trace_id", "traceId", TRACE_ID, ONE),
    [6] = SCALAR("Exemplar", "as_int", "asInt", SFIXED64, ONEOF),
    [7] =
        SUB("Exemplar", "filtered_attributes", "filteredAttributes", leat_otlp_key_value, REPEATED),
};
static const struct leat_otlp_message exemplar = TABLE(exemplar_fields, "Exemplar");

static const struct leat_otlp_field number_point_fields[] = {
    [2] = SCALAR("NumberDataPoint", "start_time_unix_nano", "startTimeUnixNano", FIXED64, ONE),
    [3] = SCALAR("NumberDataPoint", "time_unix_nano", "timeUnixNano", FIXED64, ONE),
    [4] = SCALAR("NumberDataPoint", "as_double", "asDouble", DOUBLE, ONEOF),
    [5] = SUB("NumberDataPoint", "exemplars", "exemplars", exemplar, REPEATED),
    [6] = SCALAR("NumberDataPoint", "as_int", "asInt", SFIXED64, ONEOF),
    [7] = SUB("NumberDataPoint", "attributes", "attributes", leat_otlp_key_value, REPEATED),
    [8] = SCALAR("NumberDataPoint", "flags", "flags", UINT32, ONE),
};
const struct leat_otlp_message leat_otlp_number_point =
    TABLE(number_point_fields, "NumberDataPoint");

static const struct leat_otlp_field histogram_point_fields[] = {
    [2] = SCALAR("HistogramDataPoint", "start_time_unix_nano", "startTimeUnixNano", FIXED64, ONE),
    [3] = SCALAR("HistogramDataPoint", "time_unix_nano", "timeUnixNano", FIXED64, ONE),
    [4] = SCALAR("HistogramDataPoint", "count", "count", FIXED64, ONE),
    [5] = SCALAR("HistogramDataPoint", "sum", "sum", DOUBLE, PRESENT),
    [6] = SCALAR("HistogramDataPoint", "bucket_counts", "bucketCounts", FIXED64, REPEATED),
    [7] = SCALAR("HistogramDataPoint", "explicit_bounds", "explicitBounds", DOUBLE, REPEATED),
    [8] = SUB("HistogramDataPoint", "exemplars", "exemplars", exemplar, REPEATED),
    [9] = SUB("HistogramDataPoint", "attributes", "attributes", leat_otlp_key_value, REPEATED),
    [10] = SCALAR("HistogramDataPoint", "flags", "flags", UINT32, ONE),
    [11] = SCALAR("HistogramDataPoint", "min", "min", DOUBLE, PRESENT),
    [12] = SCALAR("HistogramDataPoint", "max", "max", DOUBLE, PRESENT),
};
const struct leat_otlp_message leat_otlp_histogram_point =
    TABLE(histogram_point_fields, "HistogramDataPoint");

static const struct leat_otlp_field buckets_fields[] = {
    [1] = SCALAR("ExponentialHistogramDataPoint.Buckets", "offset", "offset", SINT32, ONE),
    [2] = SCALAR("ExponentialHistogramDataPoint.Buckets", "bucket_counts", "bucketCounts", UINT64,
                 REPEATED),
};
static const struct leat_otlp_message buckets =
    TABLE(buckets_fields, "ExponentialHistogramDataPoint.Buckets");

static const struct leat_otlp_field exponential_point_fields[] = {
    [1] = SUB("ExponentialHistogramDataPoint", "attributes", "attributes", leat_otlp_key_value,
              REPEATED),
    [2] = SCALAR("ExponentialHistogramDataPoint", "start_time_unix_nano", "startTimeUnixNano",
                 FIXED64, ONE),
    [3] = SCALAR("ExponentialHistogramDataPoint", "time_unix_nano", "timeUnixNano", FIXED64, ONE),
    [4] = SCALAR("ExponentialHistogramDataPoint", "count", "count", FIXED64, ONE),
    [5] = SCALAR("ExponentialHistogramDataPoint", "sum", "sum", DOUBLE, PRESENT),
    [6] = SCALAR("ExponentialHistogramDataPoint", "scale", "scale", SINT32, ONE),
    [7] = SCALAR("ExponentialHistogramDataPoint", "zero_count", "zeroCount", FIXED64, ONE),
    [8] = SUB("ExponentialHistogramDataPoint", "positive", "positive", buckets, ONE),
    [9] = SUB("ExponentialHistogramDataPoint", "negative", "negative", buckets, ONE),
    [10] = SCALAR("ExponentialHistogramDataPoint", "flags", "flags", UINT32, ONE),
    [11] = SUB("ExponentialHistogramDataPoint", "exemplars", "exemplars", exemplar, REPEATED),
    [12] = SCALAR("ExponentialHistogramDataPoint", "min", "min", DOUBLE, PRESENT),
    [13] = SCALAR("ExponentialHistogramDataPoint", "max", "max", DOUBLE, PRESENT),
    [14] = SCALAR("ExponentialHistogramDataPoint", "zero_threshold", "zeroThreshold", DOUBLE, ONE),
};
static const struct leat_otlp_message exponential_point =
    TABLE(exponential_point_fields, "ExponentialHistogramDataPoint");

static const struct leat_otlp_field value_at_quantile_fields[] = {
    [1] = SCALAR("SummaryDataPoint.ValueAtQuantile", "quantile", "quantile", DOUBLE, ONE),
    [2] = SCALAR("SummaryDataPoint.ValueAtQuantile", "value", "value", DOUBLE, ONE),
};
static const struct leat_otlp_message value_at_quantile =
    TABLE(value_at_quantile_fields, "SummaryDataPoint.ValueAtQuantile");

static const struct leat_otlp_field summary_point_fields[] = {
    [2] = SCALAR("SummaryDataPoint", "start_time_unix_nano", "startTimeUnixNano", FIXED64, ONE),
    [3] = SCALAR("SummaryDataPoint", "time_unix_nano", "timeUnixNano", FIXED64, ONE),
    [4] = SCALAR("SummaryDataPoint", "count", "count", FIXED64, ONE),
    [5] = SCALAR("SummaryDataPoint", "sum", "sum", DOUBLE, ONE),
    [6] = SUB("SummaryDataPoint", "quantile_values", "quantileValues", value_at_quantile, REPEATED),
    [7] = SUB("SummaryDataPoint", "attributes", "attributes", leat_otlp_key_value, REPEATED),
    [8] = SCALAR("SummaryDataPoint", "flags", "flags", UINT32, ONE),
};
static const struct leat_otlp_message summary_point =
    TABLE(summary_point_fields, "SummaryDataPoint");

static const struct leat_otlp_field gauge_fields[] = {
    [1] = SUB("Gauge", "data_points", "dataPoints", leat_otlp_number_point, ITEM),
};
static const struct leat_otlp_message gauge = TABLE(gauge_fields, "Gauge");

static const struct leat_otlp_field sum_fields[] = {
    [1] = SUB("Sum", "data_points", "dataPoints", leat_otlp_number_point, ITEM),
    [2] = SCALAR("Sum", "aggregation_temporality", "aggregationTemporality", ENUM,
                 .values = &temporality),
    [3] = SCALAR("Sum", "is_monotonic", "isMonotonic", BOOL, ONE),
};
static const struct leat_otlp_message sum = TABLE(sum_fields, "Sum");

static const struct leat_otlp_field histogram_fields[] = {
    [1] = SUB("Histogram", "data_points", "dataPoints", leat_otlp_histogram_point, ITEM),
    [2] = SCALAR("Histogram", "aggregation_temporality", "aggregationTemporality", ENUM,
                 .values = &temporality),
};
static const struct leat_otlp_message histogram = TABLE(histogram_fields, "Histogram");

static const struct leat_otlp_field exponential_histogram_fields[] = {
    [1] = SUB("ExponentialHistogram", "data_points", "dataPoints", exponential_point, ITEM),
    [2] = SCALAR("ExponentialHistogram", "aggregation_temporality", "aggregationTemporality", ENUM,
                 .values = &temporality),
};
static const struct leat_otlp_message exponential_histogram =
    TABLE(exponential_histogram_fields, "ExponentialHistogram");

static const struct leat_otlp_field summary_fields[] = {
    [1] = SUB("Summary", "data_points", "dataPoints", summary_point, ITEM),
};
static const struct leat_otlp_message summary = TABLE(summary_fields, "Summary");

static const struct leat_otlp_field metric_fields[] = {
    [1] = SCALAR("Metric", "name", "name", STRING, ONE),
    [2] = SCALAR("Metric", "description", "description", STRING, ONE),
    [3] = SCALAR("Metric", "unit", "unit", STRING, ONE),
    [5] = SUB("Metric", "gauge", "gauge", gauge, INSIDE, ONEOF),
    [7] = SUB("Metric", "sum", "sum", sum, INSIDE, ONEOF),
    [9] = SUB("Metric", "histogram", "histogram", histogram, INSIDE, ONEOF),
    [10] = SUB("Metric", "exponential_histogram", "exponentialHistogram", exponential_histogram,
               INSIDE, ONEOF),
    [11] = SUB("Metric", "summary", "summary", summary, INSIDE, ONEOF),
    [12] = SUB("Metric", "metadata", "metadata", leat_otlp_key_value, REPEATED),
};
const struct leat_otlp_message leat_otlp_metric = TABLE(metric_fields, "Metric");

static const struct leat_otlp_field scope_metrics_fields[] = {
    [1] = SUB("ScopeMetrics", "scope", "scope", leat_otlp_scope, ONE),
    [2] = SUB("ScopeMetrics", "metrics", "metrics", leat_otlp_metric, INSIDE, REPEATED),
    [3] = SCALAR("ScopeMetrics", "schema_url", "schemaUrl", STRING, ONE),
};
static const struct leat_otlp_message scope_metrics = TABLE(scope_metrics_fields, "ScopeMetrics");

static const struct leat_otlp_field resource_metrics_fields[] = {
    [1] = SUB("ResourceMetrics", "resource", "resource", leat_otlp_resource, ONE),
    [2] = SUB("ResourceMetrics", "scope_metrics", "scopeMetrics", scope_metrics, INSIDE, REPEATED),
    [3] = SCALAR("ResourceMetrics", "schema_url", "schemaUrl", STRING, ONE),
};
static const struct leat_otlp_message resource_metrics =
    TABLE(resource_metrics_fields, "ResourceMetrics");

static const struct leat_otlp_field metrics_request_fields[] = {
    [1] = SUB("ExportMetricsServiceRequest", "resource_metrics", "resourceMetrics",
              resource_metrics, INSIDE, REPEATED),
};
static const struct leat_otlp_message metrics_request =
    TABLE(metrics_request_fields, "ExportMetricsServiceRequest");

static const struct leat_otlp_field metrics_partial_fields[] = {
    [1] = SCALAR("ExportMetricsPartialSuccess", "rejected_data_points", "rejectedDataPoints", INT64,
                 ONE),
    [2] = SCALAR("ExportMetricsPartialSuccess", "error_message", "errorMessage", STRING, ONE),
};
static const struct leat_otlp_message metrics_partial =
    TABLE(metrics_partial_fields, "ExportMetricsPartialSuccess");

static const struct leat_otlp_field metrics_answer_fields[] = {
    [1] = SUB("ExportMetricsServiceResponse", "partial_success", "partialSuccess", metrics_partial,
              ONE),
};
static const struct leat_otlp_message metrics_answer =
    TABLE(metrics_answer_fields, "ExportMetricsServiceResponse");

/* --- logs */

static const struct leat_otlp_field log_record_fields[] = {
    [1] = SCALAR("LogRecord", "time_unix_nano", "timeUnixNano", FIXED64, ONE),
    [2] = SCALAR("LogRecord", "severity_number", "severityNumber", ENUM, .values = &severity),
    [3] = SCALAR("LogRecord", "severity_text", "severityText", STRING, ONE),
    [5] = SUB("LogRecord", "body", "body", leat_otlp_any_value, ONE),
    [6] = SUB("LogRecord", "attributes", "attributes", leat_otlp_key_value, REPEATED),
    [7] = SCALAR("LogRecord", "dropped_attributes_count", "droppedAttributesCount", UINT32, ONE),
    [8] = SCALAR("LogRecord", "flags", "flags", FIXED32, ONE),
    [9] = SCALAR("LogRecord", "trace_id", "traceId", TRACE_ID, ONE),
    [10] = SCALAR("LogRecord", "span_id", "spanId", SPAN_ID, ONE),
    [11] = SCALAR("LogRecord", "observed_time_unix_nano", "observedTimeUnixNano", FIXED64, ONE),
    [12] = SCALAR("LogRecord", "event_name", "eventName", STRING, ONE),
};
const struct leat_otlp_message leat_otlp_log_record = TABLE(log_record_fields, "LogRecord");

static const struct leat_otlp_field scope_logs_fields[] = {
    [1] = SUB("ScopeLogs", "scope", "scope", leat_otlp_scope, ONE),
    [2] = SUB("ScopeLogs", "log_records", "logRecords", leat_otlp_log_record, ITEM),
    [3] = SCALAR("ScopeLogs", "schema_url", "schemaUrl", STRING, ONE),
};
static const struct leat_otlp_message scope_logs = TABLE(scope_logs_fields, "ScopeLogs");

static const struct leat_otlp_field resource_logs_fields[] = {
    [1] = SUB("ResourceLogs", "resource", "resource", leat_otlp_resource, ONE),
    [2] = SUB("ResourceLogs", "scope_logs", "scopeLogs", scope_logs, INSIDE, REPEATED),
    [3] = SCALAR("ResourceLogs", "schema_url", "schemaUrl", STRING, ONE),
};
static const struct leat_otlp_message resource_logs = TABLE(resource_logs_fields, "ResourceLogs");

static const struct leat_otlp_field logs_request_fields[] = {
    [1] = SUB("ExportLogsServiceRequest", "resource_logs", "resourceLogs", resource_logs, INSIDE,
              REPEATED),
};
static const struct leat_otlp_message logs_request =
    TABLE(logs_request_fields, "ExportLogsServiceRequest");

static const struct leat_otlp_field logs_partial_fields[] = {
    [1] = SCALAR("ExportLogsPartialSuccess", "rejected_log_records", "rejectedLogRecords", INT64,
                 ONE),
    [2] = SCALAR("ExportLogsPartialSuccess", "error_message", "errorMessage", STRING, ONE),
};
static const struct leat_otlp_message logs_partial =
    TABLE(logs_partial_fields, "ExportLogsPartialSuccess");

static const struct leat_otlp_field logs_answer_fields[] = {
    [1] = SUB("ExportLogsServiceResponse", "partial_success", "partialSuccess", logs_partial, ONE),
};
static const struct leat_otlp_message logs_answer =
    TABLE(logs_answer_fields, "ExportLogsServiceResponse");

/* --- by signal */

const struct leat_otlp_message *const leat_otlp_request[LEAT_SIGNALS] = {
    [LEAT_TRACES] = &spans_request,
    [LEAT_METRICS] = &metrics_request,
    [LEAT_LOGS] = &logs_request,
};
const struct leat_otlp_message *const leat_otlp_answer[LEAT_SIGNALS] = {
    [LEAT_TRACES] = &spans_answer,
    [LEAT_METRICS] = &metrics_answer,
    [LEAT_LOGS] = &logs_answer,
};

_Static_assert(__COUNTER__ <= LEAT_OTLP_MESSAGES, "TABLE() numbers the messages from 0 on");

uint32_t leat_otlp_field_named(const struct leat_otlp_message *m, struct leat_bytes name)
{
    for (uint32_t i = 1; name.len != 0 && i <= m->top; i++) {
        const struct leat_otlp_field *f = &m->fields[i];

        /* Both names begin alike; most fields end here. */
        if (f->name == NULL || (uint8_t)f->name[0] != name.data[0])
            continue;
        if (leat_bytes_is(name, f->json) || leat_bytes_is(name, f->name))
            return i;
    }
    return 0;
}

int32_t leat_otlp_enum_named(const struct leat_otlp_enum *e, struct leat_bytes name)
{
    for (uint32_t i = 0; i < e->count; i++) {
        if (leat_bytes_is(name, e->names[i]))
            return (int32_t)i;
    }
    return -1;
}

enum leat_wire_type leat_otlp_wire_type(enum leat_otlp_kind kind)
{
    switch (kind) {
    case LEAT_OTLP_BOOL:
    case LEAT_OTLP_ENUM:
    case LEAT_OTLP_UINT32:
    case LEAT_OTLP_UINT64:
    case LEAT_OTLP_INT64:
    case LEAT_OTLP_SINT32:
        return LEAT_VARINT;
    case LEAT_OTLP_FIXED32:
        return LEAT_FIXED32;
    case LEAT_OTLP_FIXED64:
    case LEAT_OTLP_SFIXED64:
    case LEAT_OTLP_DOUBLE:
        return LEAT_FIXED64;
    default:
        return LEAT_BYTES;
    }
}
