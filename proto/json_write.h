/* JSON numbers and bytes written into a leat_text, and doubles in their shortest form. */
#ifndef LEAT_PROTO_JSON_WRITE_H
#define LEAT_PROTO_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/text.h"

/* A number as ECMAScript writes it (1e21 and above, and below 1e-6, with an exponent), or "NaN",
 * "Infinity", "-Infinity" in quotes. */
void leat_json_add_double(struct leat_text *t, double v);
void leat_json_add_u64(struct leat_text *t, uint64_t v); /* plain digits */
void leat_json_add_i64(struct leat_text *t, int64_t v);
void leat_json_add_quoted_u64(struct leat_text *t, uint64_t v); /* digits in quotes */
void leat_json_add_quoted_i64(struct leat_text *t, int64_t v);
/* Bytes as hex or base64, without quotes. */
void leat_json_add_hex(struct leat_text *t, struct leat_bytes b);
void leat_json_add_base64(struct leat_text *t, struct leat_bytes b);

/* The fewest significant digits that read back as the same finite double: 0.d1d2… * 10^point. */
struct leat_decimal {
    char digits[20]; /* not terminated; at least one; no trailing zeros unless zero itself */
    uint32_t count;
    int32_t point;
    bool negative;
};

struct leat_decimal leat_decimal_of(double v);

/* Appends it with an exponent (of at least `exp_digits` digits, always signed) when `point` - 1 is
 * below `low` or at least `high`, else without. */
void leat_decimal_add(struct leat_text *t, const struct leat_decimal *d, int low, int high,
                      unsigned exp_digits);

#endif
