/* Numbers, enums and booleans of OTLP/JSON, as the wire has them: integers also as strings and as
 * 5.0 or 5e0, enums by number or name, doubles also as "NaN", "Infinity" and "-Infinity". */
#ifndef LEAT_PROTO_OTLP_JSON_SCALAR_H
#define LEAT_PROTO_OTLP_JSON_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

struct leat_json_read; /* proto/json_read.h */
struct leat_otlp_field;

/* The value at the cursor, which is not at the end of the text, for a field that is not of bytes:
 * as its varint (zigzag done) or its fixed bits. false: the error is in `in`. */
bool leat_otlp_json_scalar(struct leat_json_read *in, const struct leat_otlp_field *f,
                           uint64_t *ret);

#endif
