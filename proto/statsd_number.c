/* Decimal numbers of StatsD lines. */
#include "proto/json_read.h"
#include "proto/statsd.h"

#define NUMBER_MAX    1024 /* characters */
#define EXPONENT_MAX  100000
#define MANTISSA_FULL (UINT64_MAX / 10 - 1)

struct scan {
    const uint8_t *at, *end;
    struct leat_json_number n;
    bool any;
};

static bool is_digit(const struct scan *s)
{
    return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

/* `step` is what a digit that is taken does to the exponent: 0 before the point, -1 behind it. */
static void digits(struct scan *s, int step)
{
    for (; is_digit(s); s->at++) {
        unsigned d = *s->at - (unsigned)'0';
        s->any = true;
        if (s->n.mantissa < MANTISSA_FULL) {
            s->n.mantissa = s->n.mantissa * 10 + d;
            s->n.exponent += step;
            continue;
        }
        s->n.inexact |= d != 0;
        s->n.exponent += step + 1;
    }
}

static bool exponent(struct scan *s)
{
    bool down = false, any = false;
    int32_t e = 0;

    if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
        down = *s->at++ == '-';
    for (; is_digit(s); s->at++) {
        any = true;
        if (e < EXPONENT_MAX)
            e = e * 10 + (*s->at - '0');
    }
    s->n.exponent += down ? -e : e;
    return any;
}

static bool is_infinite(struct leat_bytes word)
{
    return leat_bytes_is_nocase(word, "inf") || leat_bytes_is_nocase(word, "infinity") ||
           leat_bytes_is_nocase(word, "nan");
}

enum leat_statsd_number leat_statsd_number(struct leat_bytes text, double *ret)
{
    struct scan s;

    if (text.len == 0 || text.len > NUMBER_MAX)
        return LEAT_STATSD_NO_NUMBER;
    s = (struct scan){.at = text.data, .end = text.data + text.len, .n = {.text = text}};
    s.n.negative = *s.at == '-';
    s.at += s.n.negative || *s.at == '+';
    if (is_infinite(leat_bytes(s.at, (size_t)(s.end - s.at))))
        return LEAT_STATSD_INFINITE;
    digits(&s, 0);
    if (s.at < s.end && *s.at == '.') {
        s.at++;
        digits(&s, -1);
    }
    if (!s.any)
        return LEAT_STATSD_NO_NUMBER;
    if (s.at < s.end && (*s.at == 'e' || *s.at == 'E')) {
        s.at++;
        if (!exponent(&s))
            return LEAT_STATSD_NO_NUMBER;
    }
    if (s.at != s.end)
        return LEAT_STATSD_NO_NUMBER;
    return leat_json_number_double(&s.n, ret) == NULL ? LEAT_STATSD_NUMBER : LEAT_STATSD_INFINITE;
}
