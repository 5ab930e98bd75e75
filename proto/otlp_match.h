/* Reads checked OTLP requests: record by record, attribute by attribute. Copies nothing; everything
 * returned points into the request. */
#ifndef LEAT_PROTO_OTLP_MATCH_H
#define LEAT_PROTO_OTLP_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/signal.h"
#include "proto/otlp.h"
#include "proto/wire.h"

/* An AnyValue. `field` says what it is. */
enum leat_otlp_value_field {
    LEAT_OTLP_EMPTY = 0,
    LEAT_OTLP_VALUE_STRING = 1, /* bytes */
    LEAT_OTLP_VALUE_BOOL = 2,   /* number: 0, 1 */
    LEAT_OTLP_VALUE_INT = 3,    /* number: an int64_t */
    LEAT_OTLP_VALUE_DOUBLE = 4, /* number: the bits of a double */
    LEAT_OTLP_VALUE_ARRAY = 5,  /* bytes: an ArrayValue */
    LEAT_OTLP_VALUE_LIST = 6,   /* bytes: a KeyValueList */
    LEAT_OTLP_VALUE_BYTES = 7,  /* bytes */
};

struct leat_otlp_value {
    enum leat_otlp_value_field field;
    uint64_t number;
    struct leat_bytes bytes;
};

struct leat_otlp_value leat_otlp_string(struct leat_bytes text);
struct leat_otlp_value leat_otlp_int(int64_t v);
struct leat_otlp_value leat_otlp_double(double v);
struct leat_otlp_value leat_otlp_bool(bool v);
double leat_otlp_double_of(const struct leat_otlp_value *v); /* of a VALUE_DOUBLE */

/* Reads an AnyValue; of several members the last one counts. */
struct leat_otlp_value leat_otlp_value_read(struct leat_bytes any_value);

/* The next sub-message, string or bytes field with this number; false: there is none. */
bool leat_otlp_next(struct leat_wire *w, uint32_t field, struct leat_bytes *ret);
/* The last one with this number in `message`, empty when there is none: for fields that are not
 * repeated. */
struct leat_bytes leat_otlp_get(struct leat_bytes message, uint32_t field);

/* The next KeyValue in the attributes of `w`, a message whose attributes have this number. */
bool leat_otlp_next_attr(struct leat_wire *w, uint32_t field, struct leat_bytes *ret_key,
                         struct leat_otlp_value *ret_value);
/* The first attribute with this key; false: there is none. */
bool leat_otlp_attr(struct leat_bytes message, uint32_t field, struct leat_bytes key,
                    struct leat_otlp_value *ret);

/* The number of the field "attributes" in messages of this type; 0: it has none. */
uint32_t leat_otlp_attrs_field(const struct leat_otlp_message *m);

/* Steps through a request: each record with what is around it. */
#define LEAT_OTLP_LEVELS 5 /* request, resource group, scope group, metric, its data */

struct leat_otlp_walk {
    const struct leat_otlp_message *record_type; /* Span, LogRecord, NumberDataPoint … */
    struct leat_bytes record;
    struct leat_bytes resource_group, resource; /* ResourceSpans … and its Resource */
    struct leat_bytes scope_group, scope;       /* ScopeSpans … and its InstrumentationScope */
    struct leat_bytes metric, data;             /* Metric, and its Gauge, Sum … */
    uint32_t data_field;                        /* which one: its number in Metric */

    /* Count from 1 as each begins; a metric as its data does (a oneof that is there twice: twice).
     */
    uint32_t resource_number, scope_number, metric_number;

    struct leat_wire at[LEAT_OTLP_LEVELS]; /* private from here on */
    const struct leat_otlp_message *type[LEAT_OTLP_LEVELS];
    unsigned depth;
    uint8_t record_tag; /* of the record, where it stands at `depth`; 0: no short one */
};

void leat_otlp_walk_init(struct leat_otlp_walk *w, enum leat_signal signal,
                         struct leat_bytes request);
/* Goes to the next record. false: there is none. Groups without records are passed over. */
bool leat_otlp_walk_next(struct leat_otlp_walk *w);

/* The string attribute service.name of a Resource, or empty. */
struct leat_bytes leat_otlp_service_name(struct leat_bytes resource);

#endif
