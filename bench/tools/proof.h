/* The proof that nothing was lost, doubled or changed: the loader stamps a unique id into every
 * item and sums up what it sent, the sink sums up what came. Nothing is decoded: ids are found by
 * the bytes in front of them, and the hash is that of each whole ResourceLogs (…Spans, …Metrics).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct proof {
    uint64_t ids, twice, entries, malformed;
    uint64_t sum,
        squares; /* of the entries' hashes: equal when the same entries came, in any order */
    uint64_t *seen, seen_bits;
    uint64_t *counts, counts_n; /* where set: how often each id below counts_n was there */
};

/* Writes *next, *next + 1 … into the items of a plain request (protobuf or JSON). */
void proof_stamp(uint8_t *body, size_t len, uint64_t *next);
/* Adds a plain request to the sums. */
void proof_take(struct proof *p, const uint8_t *body, size_t len);
/* Prints the sums as members of a JSON object. */
void proof_print(const struct proof *p, FILE *to);

/* A hash of many bytes, begun with `h`: fast, and no more. */
uint64_t proof_mix(uint64_t h, const void *data, size_t len);

/* encoding: "", "identity", "gzip" or "zstd". Result: malloc'ed; NULL when it cannot be done. */
uint8_t *proof_pack(const char *encoding, const uint8_t *body, size_t len, size_t *ret_len);
uint8_t *proof_unpack(const char *encoding, const uint8_t *body, size_t len, size_t *ret_len);
