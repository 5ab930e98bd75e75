/* gRPC over HTTP/2: what is on the wire besides HTTP/2 itself. Bytes in, values out.
 *
 * Source: grpc/grpc doc/PROTOCOL-HTTP2.md. */
#ifndef LEAT_IO_GRPC_H
#define LEAT_IO_GRPC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct leat_text;

#define LEAT_GRPC_PREFIX 5

/* Codes used by io itself; the numbers are the protocol's. */
enum leat_grpc_code {
    LEAT_GRPC_OK = 0,
    LEAT_GRPC_CANCELLED = 1,
    LEAT_GRPC_UNKNOWN = 2,
    LEAT_GRPC_INVALID_ARGUMENT = 3,
    LEAT_GRPC_DEADLINE_EXCEEDED = 4,
    LEAT_GRPC_PERMISSION_DENIED = 7,
    LEAT_GRPC_RESOURCE_EXHAUSTED = 8,
    LEAT_GRPC_ABORTED = 10,
    LEAT_GRPC_OUT_OF_RANGE = 11,
    LEAT_GRPC_UNIMPLEMENTED = 12,
    LEAT_GRPC_INTERNAL = 13,
    LEAT_GRPC_UNAVAILABLE = 14,
    LEAT_GRPC_DATA_LOSS = 15,
    LEAT_GRPC_UNAUTHENTICATED = 16,
};

/* The five bytes before a message. -1: the flag is neither 0 nor 1. */
int leat_grpc_prefix_read(const uint8_t at[LEAT_GRPC_PREFIX], bool *ret_compressed,
                          uint32_t *ret_len);
void leat_grpc_prefix_write(uint8_t at[LEAT_GRPC_PREFIX], bool compressed, uint32_t len);
/* "5S", "100m" … to nanoseconds. -1: not of that form. */
int leat_grpc_timeout_read(struct leat_bytes text, int64_t *ret);
char *leat_grpc_timeout_write(int64_t nanoseconds, char out[16]);
/* grpc-message: percent-encoding both ways; bounded by the text's maximum. */
void leat_grpc_message_write(const char *message, struct leat_text *out);
void leat_grpc_message_read(struct leat_bytes value, struct leat_text *out);
/* What a plain HTTP status means when there is no grpc-status (grpc
 * doc/http-grpc-status-mapping.md). */
uint32_t leat_grpc_of_http(uint32_t status);

#endif
