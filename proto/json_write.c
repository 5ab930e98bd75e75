/* JSON numbers and bytes written into a leat_text, and doubles in their shortest form. */
#include "proto/json_write.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void leat_json_add_hex(struct leat_text *t, struct leat_bytes b)
{
    if (b.len > t->max || !leat_text_reserve(t, 2 * b.len)) {
        t->failed = true;
        return;
    }
    leat_hex_encode(b, t->data + t->len);
    t->len += 2 * b.len;
    t->data[t->len] = '\0';
}

void leat_json_add_base64(struct leat_text *t, struct leat_bytes b)
{
    if (b.len > t->max || !leat_text_reserve(t, 4 * ((b.len + 2) / 3))) {
        t->failed = true;
        return;
    }
    t->len += leat_base64_encode(b, t->data + t->len);
    t->data[t->len] = '\0';
}

/* --- numbers */

/* Writes the digits of v so that they end before `end`; returns the first. */
static char *digits_of(uint64_t v, char *end)
{
    do {
        *--end = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    return end;
}

void leat_json_add_u64(struct leat_text *t, uint64_t v)
{
    char buf[20], *at = digits_of(v, buf + sizeof buf);

    leat_text_add(t, at, (size_t)(buf + sizeof buf - at));
}

void leat_json_add_quoted_u64(struct leat_text *t, uint64_t v)
{
    char buf[22], *end = buf + sizeof buf, *at;

    *--end = '"';
    at = digits_of(v, end);
    *--at = '"';
    leat_text_add(t, at, (size_t)(end + 1 - at));
}

void leat_json_add_quoted_i64(struct leat_text *t, int64_t v)
{
    char buf[23], *end = buf + sizeof buf, *at;

    *--end = '"';
    at = digits_of(v < 0 ? -(uint64_t)v : (uint64_t)v, end);
    if (v < 0)
        *--at = '-';
    *--at = '"';
    leat_text_add(t, at, (size_t)(end + 1 - at));
}

void leat_json_add_i64(struct leat_text *t, int64_t v)
{
    char buf[21], *at = digits_of(v < 0 ? -(uint64_t)v : (uint64_t)v, buf + sizeof buf);

    if (v < 0)
        *--at = '-';
    leat_text_add(t, at, (size_t)(buf + sizeof buf - at));
}

/* Fills in a mantissa of at most 19 digits, v = mantissa * 10^exponent. */
static void set_digits(struct leat_decimal *d, uint64_t mantissa, int exponent)
{
    char buf[20], *at;

    for (; mantissa != 0 && mantissa % 10 == 0; exponent++)
        mantissa /= 10;
    at = digits_of(mantissa, buf + sizeof buf);
    d->count = (uint32_t)(buf + sizeof buf - at);
    memcpy(d->digits, at, d->count);
    d->point = exponent + (int)d->count;
}

/* Most measured values have few decimals: when v * 10^k is an integer m below 10^15 and m / 10^k is
 * v again, m has the shortest digits (up to 15 digits always survive a round trip, so no two of
 * them mean the same double). */
static bool few_decimals(struct leat_decimal *d, double v)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

    for (int k = 0; k < 10; k++) {
        double m = v * powers[k];
        if (m >= 1e15)
            return false;
        m = (double)(uint64_t)(m + 0.5);
        if (m / powers[k] == v) {
            set_digits(d, (uint64_t)m, -k);
            return true;
        }
    }
    return false;
}

struct leat_decimal leat_decimal_of(double v)
{
    struct leat_decimal d = {.negative = signbit(v) != 0};
    char text[40];
    uint64_t mantissa = 0;
    int precision = 15, exponent;

    v = fabs(v);
    if (few_decimals(&d, v))
        return d;
    if (v < DBL_MIN)
        precision = 1; /* denormal: it has fewer bits */
    for (; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, v);
        if (strtod(text, NULL) == v)
            break;
    }
    for (const char *at = text; *at != 'e'; at++) {
        if (*at != '.')
            mantissa = mantissa * 10 + (uint64_t)(*at - '0');
    }
    if (precision > 17)
        precision = 17;
    exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    set_digits(&d, mantissa, exponent - (precision - 1));
    return d;
}

static void add_zeros(struct leat_text *t, int count)
{
    for (; count > 0; count--)
        leat_text_char(t, '0');
}

static void add_exponent(struct leat_text *t, int e, unsigned min_digits)
{
    char buf[20], *at = digits_of((uint64_t)abs(e), buf + sizeof buf);

    leat_text_str(t, e < 0 ? "e-" : "e+");
    add_zeros(t, (int)min_digits - (int)(buf + sizeof buf - at));
    leat_text_add(t, at, (size_t)(buf + sizeof buf - at));
}

void leat_decimal_add(struct leat_text *t, const struct leat_decimal *d, int low, int high,
                      unsigned exp_digits)
{
    bool zero = d->count == 1 && d->digits[0] == '0';
    int count = (int)d->count;

    if (d->negative)
        leat_text_char(t, '-');
    if (!zero && (d->point - 1 < low || d->point - 1 >= high)) {
        leat_text_char(t, d->digits[0]);
        if (count > 1)
            leat_text_char(t, '.');
        leat_text_add(t, d->digits + 1, d->count - 1);
        add_exponent(t, d->point - 1, exp_digits);
    } else if (d->point <= 0) {
        leat_text_str(t, "0.");
        add_zeros(t, -d->point);
        leat_text_add(t, d->digits, d->count);
    } else if (count <= d->point) {
        leat_text_add(t, d->digits, d->count);
        add_zeros(t, d->point - count);
    } else {
        leat_text_add(t, d->digits, (size_t)d->point);
        leat_text_char(t, '.');
        leat_text_add(t, d->digits + d->point, (size_t)(count - d->point));
    }
}

void leat_json_add_double(struct leat_text *t, double v)
{
    struct leat_decimal d;

    if (!isfinite(v)) {
        leat_text_str(t, isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    d = leat_decimal_of(v);
    leat_decimal_add(t, &d, -6, 21, 1);
}
