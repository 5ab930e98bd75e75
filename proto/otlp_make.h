/* Makes OTLP requests: demo data, StatsD points, events as log records. A writer that nests
 * messages and fills in their lengths when they close. */
#ifndef LEAT_PROTO_OTLP_MAKE_H
#define LEAT_PROTO_OTLP_MAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct leat_text;

#define LEAT_MAKE_DEPTH 16

/* Writes into a leat_text (errors stick there). */
struct leat_make {
    struct leat_text *out;
    size_t open[LEAT_MAKE_DEPTH]; /* where the length of each open message goes */
    uint32_t depth;
};

void leat_make_init(struct leat_make *m, struct leat_text *out);
void leat_make_open(struct leat_make *m, uint32_t field); /* begins a sub-message */
void leat_make_close(struct leat_make *m);                /* ends the innermost one */
void leat_make_varint(struct leat_make *m, uint32_t field, uint64_t v);
void leat_make_fixed64(struct leat_make *m, uint32_t field, uint64_t v);
void leat_make_double(struct leat_make *m, uint32_t field, double v);
void leat_make_bytes(struct leat_make *m, uint32_t field, struct leat_bytes b);
void leat_make_string(struct leat_make *m, uint32_t field, const char *s);
/* A repeated field of varints, packed; nothing when n is 0. */
void leat_make_packed_varints(struct leat_make *m, uint32_t field, const uint64_t *v, uint32_t n);
/* Whole fields of another message, tags included, as they stand. */
void leat_make_raw(struct leat_make *m, struct leat_bytes fields);
/* A KeyValue {key, value.string_value / int_value / double_value / bool_value} as sub-message
 * `field`. */
void leat_make_attr_string(struct leat_make *m, uint32_t field, const char *key, const char *value);
void leat_make_attr_int(struct leat_make *m, uint32_t field, const char *key, int64_t value);
void leat_make_attr_double(struct leat_make *m, uint32_t field, const char *key, double value);
void leat_make_attr_bool(struct leat_make *m, uint32_t field, const char *key, bool value);

#endif
