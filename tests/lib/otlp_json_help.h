/* OTLP/JSON under test: read from a copy of exactly its length, under a budget that must come back
 * to nothing, the outcome checked against the wire's own check. */
#ifndef TESTS_OTLP_JSON_HELP_H
#define TESTS_OTLP_JSON_HELP_H

#include "base/budget.h"
#include "base/buf.h"
#include "base/err.h"
#include "proto/otlp_json.h"

extern struct leat_budget otlp_json_budget; /* 64 MiB */

/* Reads; on LEAT_JSON_OK the caller unrefs `*buf`, else it is NULL. */
enum leat_json_result otlp_json_read(enum leat_signal s, const char *json, size_t len,
                                     struct leat_buf **buf, struct leat_err *err);

/* Reads `json` and writes it again; the result must be `want`. */
void otlp_json_again(enum leat_signal s, const char *json, const char *want);

/* `json` must be refused as bad and the error say `what`. */
void otlp_json_refused(enum leat_signal s, const char *json, const char *what);

/* A request with one thing in it. */
#define LOG(X)   "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{" X "}]}]}]}"
#define VALUE(X) LOG("\"body\":{" X "}")
#define POINT(X)                                                                                   \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":[{" X       \
    "}]}}]}]}]}"
#define HISTOGRAM(X)                                                                               \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{\"dataPoints\":[{" X   \
    "}]}}]}]}]}"
#define SPAN(X) "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" X "}]}]}]}"

#endif
