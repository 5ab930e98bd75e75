/* Pieces of telemetry as text, taken from their wire bytes: what the views of otlp_text.h have in
 * common. Bytes were checked before; what is not there is empty or zero. */
#ifndef LEAT_PROTO_OTLP_SHOW_H
#define LEAT_PROTO_OTLP_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/text.h"
#include "proto/wire.h"

/* The last field with this number; false: none. */
bool leat_show_field(struct leat_bytes m, uint32_t field, struct leat_wire_field *ret);
struct leat_bytes leat_show_bytes(struct leat_bytes m, uint32_t field);
uint64_t leat_show_number(struct leat_bytes m, uint32_t field);
double leat_show_double(struct leat_bytes m, uint32_t field);

/* The next sub-message or string `field`; false: no more. */
bool leat_show_next(struct leat_wire *w, uint32_t field, struct leat_bytes *ret);
uint32_t leat_show_count(struct leat_bytes m, uint32_t field);

/* A repeated number, packed or not. */
struct leat_show_list {
    struct leat_wire outer, packed;
    uint32_t field;
    enum leat_wire_type type; /* of one element */
};

struct leat_show_list leat_show_list(struct leat_bytes m, uint32_t field, enum leat_wire_type type);
bool leat_show_list_next(struct leat_show_list *l, uint64_t *ret);

/* An AnyValue as the collector's AsString(): strings as text, lists and maps as JSON. */
void leat_show_value(struct leat_text *t, struct leat_bytes value);
/* "Str", "Bool", "Int", "Double", "Map", "Slice", "Bytes" or "Empty". */
const char *leat_show_type(struct leat_bytes value);
/* "2020-02-11 20:26:13.000000789 +0000 UTC" */
void leat_show_time(struct leat_text *t, uint64_t nanos);
void leat_show_hex(struct leat_text *t, struct leat_bytes id); /* nothing when all zero */
/* With six decimals (%f), or as short as possible (%v), of the Go language. */
void leat_show_fixed(struct leat_text *t, double v);
void leat_show_short(struct leat_text *t, double v);

/* Names of enum values; "" when not known. */
const char *leat_show_severity(uint64_t v);
const char *leat_show_kind(uint64_t v);
const char *leat_show_status(uint64_t v);
const char *leat_show_temporality(uint64_t v);

/* The oneof that says what a metric is: its field number, its bytes in *ret; 0: none. */
uint32_t leat_show_metric(struct leat_bytes metric, struct leat_bytes *ret);
/* The value of a number point or exemplar: LEAT_FIXED64 field 4 (3) a double, or 6 an integer;
 * false: none. */
bool leat_show_point(struct leat_bytes point, uint32_t double_field, double *ret_double,
                     int64_t *ret_int, bool *ret_is_int);

enum { LEAT_GAUGE = 5, LEAT_SUM = 7, LEAT_HISTOGRAM = 9, LEAT_EXPONENTIAL = 10, LEAT_SUMMARY = 11 };

/* One side of an exponential histogram. `scale` as it is on the wire; when there is no memory `t`
 * has failed and the side is empty. */
struct leat_show_buckets {
    uint64_t *counts;
    size_t count;
    double offset, factor; /* bucket i starts at exp((offset + i) * factor) */
};

void leat_show_buckets(struct leat_show_buckets *b, struct leat_bytes side, uint64_t scale,
                       struct leat_text *t);
void leat_show_buckets_done(struct leat_show_buckets *b);

/* A data point's value or values in one line, as verbosity normal has it. */
void leat_show_point_line(struct leat_text *t, uint32_t metric, struct leat_bytes point,
                          bool buckets);

/* Where attributes are: Resource 1, InstrumentationScope 3, LogRecord 6 … */
struct leat_show_point_fields {
    uint32_t attributes, exemplars;
};
struct leat_show_point_fields leat_show_point_fields(uint32_t metric);

#endif
