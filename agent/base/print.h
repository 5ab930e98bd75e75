/* A keyed 128-bit print of short data, several times as fast as leat_print(): for what is done for
 * every data point. */
#ifndef LEAT_BASE_PRINT_H
#define LEAT_BASE_PRINT_H

#include "base/bytes.h"
#include "base/hash.h"

/* NH, the universal hash of UMAC (Black, Halevi, Krawczyk, Krovetz, Rogaway, 1999; RFC 4418), on
 * words of 64 bits, twice under different keys: two inputs that are chosen without knowing the keys
 * or any print meet with a probability of 2^-64 at most, and nobody knows a way that is better than
 * 2^-128. Prints must therefore stay inside: where they decide about an order that others see, use
 * leat_print(). Above LEAT_PRINT_SHORT bytes it is leat_print(). */
#define LEAT_PRINT_SHORT ((size_t)1024)
struct leat_print leat_print_quick(struct leat_bytes data);

#endif
