/* Keyed hashes. The key is chosen once per process, so who sends the data cannot choose what
 * collides. */
#ifndef LEAT_BASE_HASH_H
#define LEAT_BASE_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* SipHash-1-3 of Aumasson and Bernstein ("SipHash: a fast short-input PRF", 2012), with fewer
 * rounds: for tables that compare the keys as well. */
uint64_t leat_hash(struct leat_bytes data);

/* Three times as fast and keyed as well, by multiplication: no proof stands behind it, so only for
 * tables that compare the keys and are searched for every line of a flood. */
uint64_t leat_hash_quick(struct leat_bytes data);

/* 128 bits that stand for the bytes themselves: who compares them need not keep the bytes. Two
 * different inputs meet with probability 2^-64 among four thousand million of them. */
struct leat_print {
    uint64_t lo, hi;
};
struct leat_print leat_print(struct leat_bytes data); /* SipHash-1-3 with 128 bits of output */

static inline bool leat_print_is(struct leat_print a, struct leat_print b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

/* The print of a set whose members have these prints: the same in whatever order they are added.
 * Begin with zero. */
static inline void leat_print_add(struct leat_print *set, struct leat_print member)
{
    set->lo += member.lo;
    set->hi += member.hi + (set->lo < member.lo);
}

/* The print of a sequence: the order counts. */
struct leat_print leat_print_pair(struct leat_print first, struct leat_print second);

#endif
