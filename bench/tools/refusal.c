/* What a refusal says: whether the caller may come again, and whether it is told when. */
#include "refusal.h"

#include <stdint.h>
#include <string.h>

#define DETAILS_MAX ((size_t)1024)

/* Base64 with or without padding (gRPC over HTTP/2: senders should leave it out). */
static size_t unbase64(const char *text, size_t len, uint8_t *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    unsigned n = 0;
    size_t made = 0;

    for (size_t i = 0; i < len && text[i] != '='; i++) {
        const char *at = memchr(digits, text[i], 64);
        if (at == NULL)
            return 0;
        bits = bits << 6 | (uint32_t)(at - digits);
        n += 6;
        if (n >= 8)
            to[made++] = (uint8_t)(bits >> (n -= 8));
    }
    return made;
}

struct piece {
    const uint8_t *at, *end;
};

static uint64_t varint(struct piece *p)
{
    uint64_t v = 0;

    for (unsigned shift = 0; p->at < p->end && shift < 64; shift += 7) {
        v |= (uint64_t)(*p->at & 127) << shift;
        if (*p->at++ < 128)
            return v;
    }
    p->at = p->end;
    return 0;
}

/* The next field: its number, 0 at the end. Of length-delimited ones *inner, of others *value. */
static unsigned next_field(struct piece *p, struct piece *inner, uint64_t *value)
{
    uint64_t key = p->at < p->end ? varint(p) : 0;

    *inner = (struct piece){0};
    *value = 0;
    if ((key & 7) == 0) {
        *value = varint(p);
    } else if ((key & 7) == 2) {
        uint64_t len = varint(p);
        if (len > (uint64_t)(p->end - p->at))
            return 0;
        *inner = (struct piece){p->at, p->at + len};
        p->at += len;
    } else {
        return 0;
    }
    return (unsigned)(key >> 3);
}

/* google.protobuf.Duration {seconds = 1; nanos = 2} in RetryInfo.retry_delay = 1. */
static bool has_delay(struct piece retry_info)
{
    struct piece duration, none;
    uint64_t v;
    unsigned n;

    while ((n = next_field(&retry_info, &duration, &v)) != 0) {
        while (n == 1 && (n = next_field(&duration, &none, &v)) != 0)
            if (v > 0 && v < (uint64_t)1 << 40)
                return true;
    }
    return false;
}

/* google.protobuf.Any {type_url = 1; value = 2}. */
static bool is_retry_info(struct piece any)
{
    static const char type[] = "google.rpc.RetryInfo";
    struct piece inner, value = {0};
    bool named = false;
    uint64_t v;
    unsigned n;

    while ((n = next_field(&any, &inner, &v)) != 0) {
        size_t len = (size_t)(inner.end - inner.at);
        if (n == 1)
            named = len >= sizeof type - 1 &&
                    memcmp(inner.end - (sizeof type - 1), type, sizeof type - 1) == 0;
        else if (n == 2)
            value = inner;
    }
    return named && has_delay(value);
}

bool refusal_details_delay(const char *text, size_t len)
{
    uint8_t raw[DETAILS_MAX];
    struct piece status = {raw, raw}, any;
    uint64_t v;
    unsigned n;

    if (len > DETAILS_MAX)
        return false;
    status.end = raw + unbase64(text, len, raw);
    while ((n = next_field(&status, &any, &v)) != 0)
        if (n == 3 && is_retry_info(any))
            return true;
    return false;
}

enum refusal refusal_of_grpc(int status, bool delay)
{
    if (status < 0)
        return REFUSAL_BROKEN;
    switch (status) {
    case 1:  /* CANCELLED */
    case 4:  /* DEADLINE_EXCEEDED */
    case 10: /* ABORTED */
    case 11: /* OUT_OF_RANGE */
    case 14: /* UNAVAILABLE */
    case 15: /* DATA_LOSS */
        return delay ? REFUSAL_TIMED : REFUSAL_BARE;
    case 8: /* RESOURCE_EXHAUSTED */
        return delay ? REFUSAL_TIMED : REFUSAL_WRONG;
    default:
        return REFUSAL_WRONG;
    }
}

enum refusal refusal_of_http(int status, bool delay)
{
    if (status == 0)
        return REFUSAL_BROKEN;
    if (status == 429 || status == 503)
        return delay ? REFUSAL_TIMED : REFUSAL_BARE;
    return status == 502 || status == 504 ? REFUSAL_BARE : REFUSAL_WRONG;
}
