/* Numbers with units, as people write them: the only parser of each. */
#include "config/units.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_DIGITS   6  /* after the point, in a size */
#define NUMBER_LENGTH 64 /* characters of a number, sign and "_" included */

static const struct duration_unit {
    const char *name;
    uint64_t nanoseconds;
} duration_units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000}, /* U+00B5, micro sign */
    {"\xce\xbcs", 1000}, /* U+03BC, Greek letter mu */
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", UINT64_C(60000000000)},
    {"h", UINT64_C(3600000000000)},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The whole part of one term. The largest magnitude a duration has is 2^63. */
static int duration_whole(const char **p, uint64_t *ret)
{
    uint64_t v = 0;

    for (; is_digit(**p); (*p)++) {
        if (v > (UINT64_C(1) << 63) / 10)
            return -1;
        v = v * 10 + (uint64_t)(**p - '0');
        if (v > UINT64_C(1) << 63)
            return -1;
    }
    *ret = v;
    return 0;
}

/* The digits after the point; those that no longer fit are read and ignored, as Go does. */
static double duration_fraction(const char **p)
{
    uint64_t f = 0;
    double scale = 1;
    bool full = false;

    for (; is_digit(**p); (*p)++) {
        if (full || f > (UINT64_MAX >> 1) / 10 - 1) {
            full = true;
            continue;
        }
        f = f * 10 + (uint64_t)(**p - '0');
        scale *= 10;
    }
    return (double)f / scale;
}

static uint64_t duration_unit(const char **p)
{
    size_t len = 0;

    while ((*p)[len] != '\0' && (*p)[len] != '.' && !is_digit((*p)[len]))
        len++;
    for (size_t i = 0; i < sizeof duration_units / sizeof duration_units[0]; i++) {
        const struct duration_unit *u = &duration_units[i];
        if (strlen(u->name) == len && memcmp(u->name, *p, len) == 0) {
            *p += len;
            return u->nanoseconds;
        }
    }
    return 0;
}

static int duration_term(const char **p, uint64_t *sum)
{
    const uint64_t most = UINT64_C(1) << 63;
    const char *start = *p;
    uint64_t whole, unit;
    double fraction = 0;
    bool digits;

    if (duration_whole(p, &whole) != 0)
        return -1;
    digits = *p != start;
    if (**p == '.') {
        start = ++*p;
        fraction = duration_fraction(p);
        digits = digits || *p != start;
    }
    if (!digits)
        return -1;
    unit = duration_unit(p);
    if (unit == 0 || whole > most / unit)
        return -1;
    whole = whole * unit + (uint64_t)(fraction * (double)unit);
    if (whole > most || *sum > most - whole)
        return -1;
    *sum += whole;
    return 0;
}

int leat_parse_duration(const char *text, int64_t *ret)
{
    bool minus = *text == '-';
    uint64_t sum = 0;

    if (*text == '-' || *text == '+')
        text++;
    if (strcmp(text, "0") == 0) {
        *ret = 0;
        return 0;
    }
    if (*text == '\0')
        return -1;
    while (*text != '\0') {
        if (duration_term(&text, &sum) != 0)
            return -1;
    }
    if (sum > (uint64_t)INT64_MAX && !minus)
        return -1;
    *ret = minus ? (int64_t)(0 - sum) : (int64_t)sum;
    return 0;
}

/* The multiplier of "KiB", "KB", "K", "B" or ""; 0: not a unit. */
static uint64_t size_unit(const char *text)
{
    static const char letters[] = "kmgt";
    uint64_t two = 1, ten = 1;
    char c = *text >= 'A' && *text <= 'Z' ? (char)(*text + 32) : *text;

    if (strcmp(text, "") == 0 || strcmp(text, "B") == 0 || strcmp(text, "b") == 0)
        return 1;
    for (size_t i = 0; letters[i] != '\0'; i++) {
        two *= 1024;
        ten *= 1000;
        if (letters[i] != c)
            continue;
        text++;
        if (strcmp(text, "") == 0 || strcmp(text, "i") == 0 || strcmp(text, "iB") == 0 ||
            strcmp(text, "ib") == 0 || strcmp(text, "IB") == 0)
            return two;
        return strcmp(text, "B") == 0 || strcmp(text, "b") == 0 ? ten : 0;
    }
    return 0;
}

int leat_parse_size(const char *text, uint64_t *ret)
{
    const char *start = text;
    uint64_t whole = 0, fraction = 0, scale = 1, unit;

    for (; is_digit(*text); text++) {
        if (whole > UINT64_MAX / 10 || whole * 10 > UINT64_MAX - (uint64_t)(*text - '0'))
            return -1;
        whole = whole * 10 + (uint64_t)(*text - '0');
    }
    if (text == start)
        return -1;
    if (*text == '.') {
        for (start = ++text; is_digit(*text); text++) {
            if (text - start == SIZE_DIGITS)
                return -1;
            fraction = fraction * 10 + (uint64_t)(*text - '0');
            scale *= 10;
        }
        if (text == start)
            return -1;
    }
    while (*text == ' ')
        text++;
    unit = size_unit(text);
    if (unit == 0 || whole > UINT64_MAX / unit)
        return -1;
    fraction = fraction * unit / scale; /* below 10^6 * 2^40: fits */
    if (whole * unit > UINT64_MAX - fraction)
        return -1;
    *ret = whole * unit + fraction;
    return 0;
}

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

/* "0x", "0o", "0b", and a leading 0, which Go's YAML reads as octal. Moves past the prefix. */
static unsigned int_base(const char **p)
{
    const char *s = *p;

    if (s[0] != '0' || s[1] == '\0')
        return 10;
    *p += 2;
    if (s[1] == 'x' || s[1] == 'X')
        return 16;
    if (s[1] == 'o' || s[1] == 'O')
        return 8;
    if (s[1] == 'b' || s[1] == 'B')
        return 2;
    *p -= 1;
    if (**p == '_')
        (*p)++;
    return 8;
}

int leat_parse_int(const char *text, int64_t *ret)
{
    bool minus = *text == '-', digit = false;
    uint64_t v = 0, most = minus ? UINT64_C(1) << 63 : (uint64_t)INT64_MAX;
    unsigned base;

    if (*text == '-' || *text == '+')
        text++;
    base = int_base(&text);
    for (; *text != '\0'; text++) {
        unsigned d;
        if (*text == '_' && digit && digit_value(text[1]) < (int)base) {
            digit = false;
            continue;
        }
        d = (unsigned)digit_value(*text);
        if (d >= base || v > (most - d) / base)
            return -1;
        v = v * base + d;
        digit = true;
    }
    if (!digit)
        return -1;
    *ret = minus ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

/* Digits, at most one point, at most one exponent: what strtod() takes beyond that (hex, "inf",
 * "nan", blanks) is not a setting. */
static bool is_float(const char *text)
{
    bool digits = false;

    if (*text == '-' || *text == '+')
        text++;
    for (; is_digit(*text); text++)
        digits = true;
    if (*text == '.') {
        for (text++; is_digit(*text); text++)
            digits = true;
    }
    if (!digits)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '-' || *text == '+')
            text++;
        if (!is_digit(*text))
            return false;
        while (is_digit(*text))
            text++;
    }
    return *text == '\0';
}

int leat_parse_float(const char *text, double *ret)
{
    int64_t whole;
    double v;

    if (strnlen(text, NUMBER_LENGTH + 1) > NUMBER_LENGTH)
        return -1;
    if (is_float(text)) {
        v = strtod(text, NULL);
        if (!isfinite(v))
            return -1;
        *ret = v;
        return 0;
    }
    if (leat_parse_int(text, &whole) != 0)
        return -1;
    *ret = (double)whole;
    return 0;
}

int leat_parse_percent(const char *text, double *ret)
{
    char number[NUMBER_LENGTH + 1];
    size_t len = strspn(text, "0123456789.");
    double v;

    if (len > NUMBER_LENGTH || strcmp(text + len, "%") != 0)
        return -1;
    memcpy(number, text, len);
    number[len] = '\0';
    if (!is_float(number))
        return -1;
    v = strtod(number, NULL);
    if (!(v > 0) || v > 100)
        return -1;
    *ret = v;
    return 0;
}

int leat_parse_bool(const char *text, int *ret)
{
    static const char *const words[] = {"false", "true", "False", "True", "FALSE", "TRUE"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret = (int)(i & 1);
            return 0;
        }
    }
    return -1;
}

static size_t put_unit(char *out, size_t size, size_t at, uint64_t n, const char *unit)
{
    int len;

    if (n == 0)
        return at;
    len = snprintf(out + at, size - at, "%llu%s", (unsigned long long)n, unit);
    return len < 0 || (size_t)len >= size - at ? size - 1 : at + (size_t)len;
}

/* `n` thousandths, or millionths …, of a unit, without the zeros at the end. */
static size_t put_decimal(char *out, size_t size, size_t at, uint64_t n, uint64_t per_unit,
                          const char *unit)
{
    char digits[16] = "";
    uint64_t rest = n % per_unit, whole = n / per_unit;
    int len;

    if (rest == 0)
        return put_unit(out, size, at, whole, unit);
    for (size_t i = 0; rest != 0 && i < sizeof digits - 1; i++) {
        per_unit /= 10;
        digits[i] = (char)('0' + rest / per_unit);
        rest %= per_unit;
    }
    len = snprintf(out + at, size - at, "%llu.%s%s", (unsigned long long)whole, digits, unit);
    return len < 0 || (size_t)len >= size - at ? size - 1 : at + (size_t)len;
}

char *leat_format_duration(int64_t nanoseconds, char *out, size_t size)
{
    uint64_t n = nanoseconds < 0 ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds;
    size_t at = 0;

    if (size == 0)
        return out;
    out[0] = '\0';
    if (n == 0) {
        snprintf(out, size, "0s");
        return out;
    }
    if (nanoseconds < 0 && size > 1) {
        out[at++] = '-';
        out[at] = '\0';
    }
    if (n >= UINT64_C(1000000000)) {
        at = put_unit(out, size, at, n / UINT64_C(3600000000000), "h");
        at = put_unit(out, size, at, n / UINT64_C(60000000000) % 60, "m");
        put_decimal(out, size, at, n % UINT64_C(60000000000), UINT64_C(1000000000), "s");
    } else if (n >= 1000000) {
        put_decimal(out, size, at, n, 1000000, "ms");
    } else if (n >= 1000) {
        put_decimal(out, size, at, n, 1000, "us");
    } else {
        put_unit(out, size, at, n, "ns");
    }
    return out;
}

char *leat_format_size(uint64_t bytes, char *out, size_t size)
{
    static const char *const names[] = {"", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;

    while (bytes != 0 && bytes % 1024 == 0 && i < 4) {
        bytes /= 1024;
        i++;
    }
    snprintf(out, size, "%llu%s", (unsigned long long)bytes, names[i]);
    return out;
}
