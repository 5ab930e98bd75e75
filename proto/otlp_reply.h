/* What is said about a request: Export…ServiceResponse with partial success, and google.rpc.Status
 * with RetryInfo, in protobuf and JSON, written for our callers and read from our destinations.
 *
 * Source: opentelemetry-proto collector/…_service.proto, google/rpc/status.proto,
 * google/rpc/error_details.proto. What a destination sends is read by the wire reader, not by
 * protobuf-c. */
#ifndef LEAT_PROTO_OTLP_REPLY_H
#define LEAT_PROTO_OTLP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/signal.h"

struct leat_text;

struct leat_otlp_partial {
    uint64_t rejected; /* records */
    char message[256]; /* cut when longer; valid UTF-8 */
};

struct leat_rpc_status {
    uint32_t code; /* gRPC status code */
    char message[256];
    bool has_delay; /* RetryInfo was there */
    uint32_t delay_ms;
};

/* An Export response body; `partial` NULL or all zero: full success (protobuf: empty, JSON: "{}").
 */
void leat_otlp_response(enum leat_signal signal, const struct leat_otlp_partial *partial, bool json,
                        struct leat_text *out);
/* A google.rpc.Status; with has_delay a RetryInfo in its details. */
void leat_rpc_status_write(const struct leat_rpc_status *st, bool json, struct leat_text *out);

/* 0, or -1: not readable. Missing fields are zero. Bounded whatever the bytes say. */
int leat_otlp_response_read(enum leat_signal signal, struct leat_bytes body, bool json,
                            struct leat_otlp_partial *ret);
int leat_rpc_status_read(struct leat_bytes body, bool json, struct leat_rpc_status *ret);

/* gRPC status code <-> HTTP status (collector: receiver/otlpreceiver internal/errors and statusutil
 * tables). */
uint32_t leat_grpc_to_http(uint32_t code);
uint32_t leat_http_to_grpc(uint32_t status);
/* Whether the same request may be sent again after this code; RESOURCE_EXHAUSTED only when a delay
 * came with it (OTLP specification, "Failures"). */
bool leat_grpc_may_retry(uint32_t code, bool has_delay);
/* "UNAVAILABLE" … */
const char *leat_grpc_code_name(uint32_t code);

#endif
