/* Numbers, enums and booleans of OTLP/JSON, as the wire has them. */
#include "proto/otlp_json_scalar.h"

#include <math.h>
#include <string.h>

#include "proto/json_read.h"
#include "proto/otlp_json_digits.h"

/* The number that is there, or in the string that is there. */
static bool any_number(struct leat_json_read *in, struct leat_json_number *n)
{
    struct leat_json_read inner;
    struct leat_json_string s;
    const uint8_t *start;

    if (leat_json_read_peek(in) != '"')
        return leat_json_read_number(in, n);
    start = in->at;
    if (!leat_json_read_string(in, &s))
        return false;
    inner = leat_json_read_of(s.raw);
    if (s.raw.len == 0 || !(*s.raw.data == '-' || (*s.raw.data >= '0' && *s.raw.data <= '9')) ||
        !leat_json_read_number(&inner, n) || inner.at != inner.end)
        return leat_json_read_fail(in, start, "string is not a number");
    return true;
}

/* An integer as a number or a string. */
static bool integer(struct leat_json_read *in, enum leat_otlp_kind kind, uint64_t *ret)
{
    const uint8_t *start, *after = NULL;
    struct leat_json_number n;
    const char *why;

    leat_json_read_blank(in);
    start = in->at;
    if (in->end - start >= LEAT_DIGITS_LEFT)
        after = leat_digits_integer(start, &n.negative, ret);
    if (after != NULL) {
        in->at = after;
    } else {
        if (!any_number(in, &n))
            return false;
        why = leat_json_number_whole(&n, ret);
        if (why != NULL)
            return leat_json_read_fail(in, start, why);
    }
    if (!leat_scalar_in_range(kind, n.negative, *ret))
        return leat_json_read_fail(in, start, "integer out of range");
    *ret = leat_scalar_signed(kind, n.negative, *ret);
    return true;
}

/* The doubles that JSON has no number for. Returns how many characters they took; 0: none is there.
 */
static size_t special(const uint8_t *at, const uint8_t *end, double *ret)
{
    static const struct {
        const char *text;
        double v;
    } doubles[] = {{"\"NaN\"", NAN}, {"\"Infinity\"", INFINITY}, {"\"-Infinity\"", -INFINITY}};

    for (size_t i = 0; at < end && *at == '"' && i < 3; i++) {
        size_t len = strlen(doubles[i].text);
        if ((size_t)(end - at) >= len && memcmp(at, doubles[i].text, len) == 0) {
            *ret = doubles[i].v;
            return len;
        }
    }
    return 0;
}

static bool real(struct leat_json_read *in, uint64_t *ret)
{
    const uint8_t *start = in->at;
    struct leat_json_number n;
    const char *why;
    double v;

    in->at += special(start, in->end, &v);
    if (in->at == start) {
        if (!any_number(in, &n))
            return false;
        why = leat_json_number_double(&n, &v);
        if (why != NULL)
            return leat_json_read_fail(in, start, why);
    }
    memcpy(ret, &v, sizeof v);
    return true;
}

static bool boolean(struct leat_json_read *in, uint64_t *ret)
{
    uint8_t c = *in->at;

    if (c != 't' && c != 'f')
        return leat_json_read_fail(in, in->at, "expected true or false");
    *ret = c == 't';
    return leat_json_read_word(in, c == 't' ? "true" : "false");
}

/* The number of a value or its name. */
static bool enumeration(struct leat_json_read *in, const struct leat_otlp_field *f, uint64_t *ret)
{
    const uint8_t *start = in->at;
    struct leat_json_string s;
    int32_t v;

    if (*start != '"')
        return integer(in, LEAT_OTLP_ENUM, ret);
    if (!leat_json_read_string(in, &s))
        return false;
    v = s.escaped ? -1 : leat_otlp_enum_named(f->values, s.raw);
    if (v < 0)
        return leat_json_read_fail(in, start, "not a name of this enum");
    *ret = (uint64_t)v;
    return true;
}

bool leat_otlp_json_scalar(struct leat_json_read *in, const struct leat_otlp_field *f,
                           uint64_t *ret)
{
    switch ((enum leat_otlp_kind)f->kind) {
    case LEAT_OTLP_BOOL:
        return boolean(in, ret);
    case LEAT_OTLP_ENUM:
        return enumeration(in, f, ret);
    case LEAT_OTLP_DOUBLE:
        return real(in, ret);
    default:
        return integer(in, (enum leat_otlp_kind)f->kind, ret);
    }
}
