/* Random but valid OTLP requests, made by protobuf-c from the schema files alone: what our own
 * walkers are compared with. The same seed makes the same requests. */
#ifndef LEAT_TESTS_OTLP_RANDOM_H
#define LEAT_TESTS_OTLP_RANDOM_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/signal.h"
#include "base/text.h"

#define OTLP_RANDOM_MAX (64u << 20) /* bytes of one request */

struct otlp_random {
    uint64_t state; /* the seed */
};

uint64_t otlp_random_next(struct otlp_random *r);
/* 0 … n - 1 */
uint32_t otlp_random_below(struct otlp_random *r, uint32_t n);

/* Export…ServiceRequest and the field of each of its levels that leads to the records. */
const ProtobufCMessageDescriptor *otlp_random_type(enum leat_signal signal);

/* A request with any of the schema's fields; every list that leads to records has up to `wide`
 * members. Free it with otlp_random_free(). */
ProtobufCMessage *otlp_random_request(struct otlp_random *r, enum leat_signal signal,
                                      uint32_t wide);
ProtobufCMessage *otlp_random_unpack(enum leat_signal signal, struct leat_bytes b); /* or NULL */
void otlp_random_free(ProtobufCMessage *m);                                         /* takes NULL */
void otlp_random_pack(const ProtobufCMessage *m, struct leat_text *out);

/* The same message encoded in another way: fields in another order (those of one number stay in
 * order), lists of numbers packed, unpacked and in pieces, Resource and InstrumentationScope in two
 * pieces, longer varints than needed, and unknown fields when `unknown`. Appended to `out`. */
void otlp_random_scramble(struct otlp_random *r, const ProtobufCMessageDescriptor *type,
                          struct leat_bytes in, bool unknown, struct leat_text *out);

/* One entry for each record: what its resource group, scope group and metric say without their
 * lists, and the record itself. For comparing requests that are grouped in different ways. The
 * number of records is returned. */
uint32_t otlp_random_flatten(ProtobufCMessage *request, struct leat_text *out);

#endif
