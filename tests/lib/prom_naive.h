/* The mapping of OTLP to Prometheus once more, as simple as can be: on what protobuf-c has read,
 * point by point, without a cache. Only names and labels come from the library. */
#ifndef LEAT_TESTS_PROM_NAIVE_H
#define LEAT_TESTS_PROM_NAIVE_H

#include "base/bytes.h"
#include "base/text.h"
#include "lib/otlp_random.h"
#include "proto/prom_feed.h"

/* Appends the lines that prom_read() (all details) makes of the requests for this OTLP request, in
 * any order, without 1.0's metadata; and counts what is dropped. */
void prom_naive(const struct leat_prom_feed_conf *conf, struct leat_bytes otlp,
                struct leat_text *lines, uint32_t dropped[LEAT_PROM_DROPS]);

/* A random metrics request in which most points can be sent: cumulative, bounds that increase,
 * scales around the allowed ones, exemplars within the bounds. */
ProtobufCMessage *prom_naive_request(struct otlp_random *r);

#endif
