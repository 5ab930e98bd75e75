/* The OTLP messages as tables: which field has which number, type and name. One set of tables
 * serves the check of received bytes, JSON in both directions and text.
 *
 * Source: opentelemetry-proto, the .proto files under opentelemetry/proto. */
#ifndef LEAT_PROTO_OTLP_H
#define LEAT_PROTO_OTLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/signal.h"
#include "proto/wire.h"

/* Scalars by their type in the .proto files. */
enum leat_otlp_kind {
    LEAT_OTLP_NONE, /* no such field */
    LEAT_OTLP_BOOL,
    LEAT_OTLP_ENUM, /* a varint; `values` names the known ones */
    LEAT_OTLP_UINT32,
    LEAT_OTLP_UINT64,
    LEAT_OTLP_INT64,
    LEAT_OTLP_SINT32, /* zigzag */
    LEAT_OTLP_FIXED32,
    LEAT_OTLP_FIXED64,
    LEAT_OTLP_SFIXED64,
    LEAT_OTLP_DOUBLE,
    LEAT_OTLP_STRING,
    LEAT_OTLP_BLOB,     /* bytes; base64 in JSON */
    LEAT_OTLP_TRACE_ID, /* bytes: 0 or 16; hex in JSON */
    LEAT_OTLP_SPAN_ID,  /* bytes: 0 or 8; hex in JSON */
    LEAT_OTLP_MESSAGE,
    LEAT_OTLP_KINDS
};

/* The names of an enum's values 0 … count - 1. */
struct leat_otlp_enum {
    const char *const *names;
    uint32_t count;
};

/* Where the items (spans, data points, log records) are. */
enum leat_otlp_items {
    LEAT_OTLP_ASIDE,  /* not in this field */
    LEAT_OTLP_INSIDE, /* further down in this sub-message */
    LEAT_OTLP_ITEM,   /* each of these sub-messages is one */
};

#define LEAT_OTLP_KEY_MAX  32 /* the longest key, with its quotes and its colon */
#define LEAT_OTLP_MESSAGES 64 /* messages there may be in the tables */
#define LEAT_OTLP_FIELDS   17 /* fields of the largest of them, number 0 included */

struct leat_otlp_message;

struct leat_otlp_field {
    const char *name;            /* "trace_id"; NULL: no such field */
    const char *json;            /* "traceId" */
    char key[LEAT_OTLP_KEY_MAX]; /* "\"traceId\":", of key_len bytes, zeros behind */
    uint8_t key_len;
    uint8_t kind;  /* enum leat_otlp_kind */
    bool repeated; /* scalars of this kind may come packed or not */
    bool oneof;    /* of this message's oneof fields the last one on the wire counts */
    bool optional; /* has presence: 0 on the wire is not the same as absent (oneof too) */
    uint8_t items; /* enum leat_otlp_items */
    const struct leat_otlp_message *message; /* LEAT_OTLP_MESSAGE */
    const struct leat_otlp_enum *values;     /* LEAT_OTLP_ENUM */
    const char *bad_type;                    /* sentences for leat_otlp_check() */
    const char *bad_value;
};

struct leat_otlp_message {
    const char *name;                     /* "LogRecord", "Span.Event" */
    const struct leat_otlp_field *fields; /* by field number: 0 … top */
    uint32_t top;                         /* the highest field number */
    uint32_t id;                          /* its own, below LEAT_OTLP_MESSAGES */
    const char *bad_tag;                  /* sentence for leat_otlp_check() */
};

/* The messages that somebody has to know by name; all others are reached through their fields. */
extern const struct leat_otlp_message leat_otlp_any_value, leat_otlp_key_value, leat_otlp_resource,
    leat_otlp_scope, leat_otlp_span, leat_otlp_metric, leat_otlp_number_point,
    leat_otlp_histogram_point, leat_otlp_log_record;

/* Export…ServiceRequest and Export…ServiceResponse of each signal. */
extern const struct leat_otlp_message *const leat_otlp_request[LEAT_SIGNALS];
extern const struct leat_otlp_message *const leat_otlp_answer[LEAT_SIGNALS];

/* The field with this number, or NULL. */
static inline const struct leat_otlp_field *leat_otlp_field(const struct leat_otlp_message *m,
                                                            uint32_t number)
{
    return number <= m->top && m->fields[number].name != NULL ? &m->fields[number] : NULL;
}

/* The number of the field with this lowerCamelCase or snake_case name; 0: none. */
uint32_t leat_otlp_field_named(const struct leat_otlp_message *m, struct leat_bytes name);

/* The value with this name, or -1. */
int32_t leat_otlp_enum_named(const struct leat_otlp_enum *e, struct leat_bytes name);

/* The wire type of one (unpacked) value of this kind. */
enum leat_wire_type leat_otlp_wire_type(enum leat_otlp_kind kind);

#endif
