/* gRPC over HTTP/2: prefix, timeout, message and status. */
#include "io/grpc.h"

#include "base/text.h"

/* grpc-timeout: "TimeoutValue → {positive integer as ASCII string of at most 8 digits}". */
#define TIMEOUT_DIGITS 8

int leat_grpc_prefix_read(const uint8_t at[LEAT_GRPC_PREFIX], bool *ret_compressed,
                          uint32_t *ret_len)
{
    if (at[0] > 1)
        return -1;
    *ret_compressed = at[0] == 1;
    *ret_len = (uint32_t)at[1] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 8 | at[4];
    return 0;
}

void leat_grpc_prefix_write(uint8_t at[LEAT_GRPC_PREFIX], bool compressed, uint32_t len)
{
    at[0] = compressed;
    at[1] = (uint8_t)(len >> 24);
    at[2] = (uint8_t)(len >> 16);
    at[3] = (uint8_t)(len >> 8);
    at[4] = (uint8_t)len;
}

/* Nanoseconds of each unit, from small to large. */
static const struct {
    char letter;
    int64_t ns;
} units[] = {
    {'n', 1},          {'u', 1000},        {'m', 1000000},
    {'S', 1000000000}, {'M', 60000000000}, {'H', 3600000000000},
};
#define UNITS (sizeof units / sizeof *units)

int leat_grpc_timeout_read(struct leat_bytes text, int64_t *ret)
{
    int64_t value = 0;

    if (text.len < 2 || text.len > TIMEOUT_DIGITS + 1)
        return -1;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        value = value * 10 + (text.data[i] - '0');
    }
    for (size_t i = 0; i < UNITS; i++)
        if (units[i].letter == (char)text.data[text.len - 1])
            return __builtin_mul_overflow(value, units[i].ns, ret) ? (*ret = INT64_MAX, 0) : 0;
    return -1;
}

char *leat_grpc_timeout_write(int64_t nanoseconds, char out[16])
{
    int64_t value = nanoseconds > 0 ? nanoseconds : 0;
    char digits[LEAT_DECIMAL], *text;
    size_t unit = 0, len;

    /* The smallest unit that needs no more than eight digits, rounded up: never earlier than meant.
     */
    while (value > 99999999 && unit + 1 < UNITS) {
        unit++;
        value = nanoseconds / units[unit].ns + (nanoseconds % units[unit].ns != 0);
    }
    text = leat_decimal(value > 99999999 ? 99999999 : (uint64_t)value, digits);
    len = strlen(text);
    memcpy(out, text, len);
    out[len] = units[unit].letter;
    out[len + 1] = '\0';
    return out;
}

void leat_grpc_message_write(const char *message, struct leat_text *out)
{
    static const char hex[] = "0123456789ABCDEF";

    for (; *message != '\0'; message++) {
        unsigned char c = (unsigned char)*message;
        char escape[3] = {'%', hex[c >> 4], hex[c & 15]};

        if (c >= 0x20 && c <= 0x7e && c != '%')
            leat_text_char(out, (char)c);
        else
            leat_text_add(out, escape, sizeof escape);
    }
}

/* Malformed escapes stay as they are: the specification says a decoder must not fail. */
void leat_grpc_message_read(struct leat_bytes value, struct leat_text *out)
{
    leat_text_percent_decode(out, value);
}

uint32_t leat_grpc_of_http(uint32_t status)
{
    switch (status) {
    case 400:
        return LEAT_GRPC_INTERNAL;
    case 401:
        return LEAT_GRPC_UNAUTHENTICATED;
    case 403:
        return LEAT_GRPC_PERMISSION_DENIED;
    case 404:
        return LEAT_GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return LEAT_GRPC_UNAVAILABLE;
    default:
        return LEAT_GRPC_UNKNOWN;
    }
}
