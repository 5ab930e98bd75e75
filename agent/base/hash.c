/* Keyed hashes. */
#include "base/hash.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

static uint64_t hash_key[6];
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;

static void choose_key(void)
{
    if (getrandom(hash_key, sizeof hash_key, 0) == (ssize_t)sizeof hash_key)
        return;
    for (size_t i = 0; i < sizeof hash_key / sizeof *hash_key; i++)
        hash_key[i] = leat_random();
}

static inline uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static inline uint64_t sip_finish(uint64_t v[4])
{
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Begins, and takes in all of `data`. `wide` sets the variant with 128 bits of output apart. */
static inline void sip_take(uint64_t v[4], struct leat_bytes data, uint64_t wide)
{
    uint64_t word;
    size_t i;

    pthread_once(&hash_once, choose_key);
    v[0] = hash_key[0] ^ UINT64_C(0x736f6d6570736575);
    v[1] = hash_key[1] ^ UINT64_C(0x646f72616e646f6d) ^ wide;
    v[2] = hash_key[0] ^ UINT64_C(0x6c7967656e657261);
    v[3] = hash_key[1] ^ UINT64_C(0x7465646279746573);
    for (i = 0; i + 8 <= data.len; i += 8) {
        memcpy(&word, data.data + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)data.len << 56;
    for (size_t k = 0; i + k < data.len; k++)
        word |= (uint64_t)data.data[i + k] << (8 * k);
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

uint64_t leat_hash(struct leat_bytes data)
{
    uint64_t v[4];

    sip_take(v, data, 0);
    v[2] ^= 0xff;
    return sip_finish(v);
}

struct leat_print leat_print(struct leat_bytes data)
{
    struct leat_print p;
    uint64_t v[4];

    sip_take(v, data, 0xee);
    v[2] ^= 0xee;
    p.lo = sip_finish(v);
    v[1] ^= 0xdd;
    p.hi = sip_finish(v);
    return p;
}

struct leat_print leat_print_pair(struct leat_print first, struct leat_print second)
{
    uint64_t both[4] = {first.lo, first.hi, second.lo, second.hi};

    return leat_print(leat_bytes(both, sizeof both));
}

/* --- by multiplication */

__extension__ typedef unsigned __int128 uint128;

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    uint128 product = (uint128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t word_at(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, 8);
    return word;
}

/* The last 0 to 16 bytes, which may overlap with what was taken before. */
static inline void tail(const uint8_t *at, size_t len, uint64_t *a, uint64_t *b)
{
    uint32_t head, foot;

    *a = *b = 0;
    if (len >= 8) {
        *a = word_at(at);
        *b = word_at(at + len - 8);
    } else if (len >= 4) {
        memcpy(&head, at, 4);
        memcpy(&foot, at + len - 4, 4);
        *a = head;
        *b = foot;
    } else if (len > 0) {
        *a = (uint64_t)at[0] << 16 | (uint64_t)at[len / 2] << 8 | at[len - 1];
    }
}

uint64_t leat_hash_quick(struct leat_bytes data)
{
    const uint8_t *at = data.data;
    size_t left = data.len;
    uint64_t seed, a, b;

    pthread_once(&hash_once, choose_key);
    seed = hash_key[2] ^ data.len;
    while (left > 16) {
        seed = fold(word_at(at) ^ hash_key[3], word_at(at + 8) ^ seed);
        at += 16;
        left -= 16;
    }
    tail(at, left, &a, &b);
    return fold(fold(a ^ hash_key[3], b ^ seed) ^ hash_key[4], hash_key[5] ^ data.len);
}
