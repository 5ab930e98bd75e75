/* What a refusal says: whether the caller may come again, and whether it is told when. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum refusal {
    REFUSAL_TIMED,  /* to be tried again, with a delay: what OTLP wants under overload */
    REFUSAL_BARE,   /* to be tried again, without saying when */
    REFUSAL_WRONG,  /* anything else: the caller would throw its data away */
    REFUSAL_BROKEN, /* no answer: the stream or the connection ended */
    REFUSALS
};

/* The value of a grpc-status-details-bin header: base64 of a google.rpc.Status. Whether it has a
 * google.rpc.RetryInfo with a delay above zero. */
bool refusal_details_delay(const char *value, size_t len);
/* A failed gRPC call (status: grpc-status, -1: none came). Which may be tried again says the table
 * "OTLP/gRPC Response" of opentelemetry-proto docs/specification.md; 8 only with a RetryInfo. */
enum refusal refusal_of_grpc(int status, bool has_delay);
/* A failed HTTP request (0: none came): 429, 502, 503 and 504 may be tried again. */
enum refusal refusal_of_http(int status, bool has_delay);
