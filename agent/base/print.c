/* A keyed 128-bit print of short data. */
#include "base/print.h"

#include <pthread.h>
#include <string.h>

__extension__ typedef unsigned __int128 uint128;

/* A pair for each 16 bytes, one more for the length; and the second key is the first, moved on by a
 * pair. */
#define KEYS (LEAT_PRINT_SHORT / 8 + 4)

static uint64_t keys[KEYS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_keys(void)
{
    for (uint64_t i = 0; i < KEYS; i += 2) {
        struct leat_print p = leat_print(leat_bytes(&i, sizeof i));
        keys[i] = p.lo;
        keys[i + 1] = p.hi;
    }
}

struct sums {
    uint128 first, second;
};

static inline void take(struct sums *s, const uint64_t *k, uint64_t a, uint64_t b)
{
    s->first += (uint128)(a + k[0]) * (b + k[1]);
    s->second += (uint128)(a + k[2]) * (b + k[3]);
}

struct leat_print leat_print_quick(struct leat_bytes data)
{
    struct sums s = {0, 0};
    const uint64_t *k = keys;
    uint64_t pair[2];
    size_t left = data.len;

    if (left > LEAT_PRINT_SHORT)
        return leat_print(data);
    pthread_once(&once, make_keys);
    for (; left >= 16; left -= 16, k += 2) {
        memcpy(pair, data.data + data.len - left, 16);
        take(&s, k, pair[0], pair[1]);
    }
    if (left > 0) {
        pair[0] = pair[1] = 0;
        memcpy(pair, data.data + data.len - left, left);
        take(&s, k, pair[0], pair[1]);
    }
    take(&s, keys + KEYS - 4, data.len, 0);
    return (struct leat_print){(uint64_t)s.first +
                                   (uint64_t)(s.second >> 64) * UINT64_C(0x9e3779b97f4a7c15),
                               (uint64_t)(s.first >> 64) ^ (uint64_t)s.second};
}
