/* The proof for Prometheus remote write: takes each message apart, counts what is in it and looks
 * that every series is well-formed and its samples come in the order of their times.
 *
 * Source: prometheus/prompb, remote.proto, types.proto and io/prometheus/write/v2/types.proto. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct write_series {
    uint64_t labels; /* their hash; 0: free */
    int64_t last;
};

struct write_proof {
    uint64_t samples, histograms, exemplars, metadata, stale;
    uint64_t info; /* of the samples, those of target_info: systems write them more or less often */
    uint64_t series;           /* different ones */
    uint64_t malformed;        /* messages that are none */
    uint64_t bad_labels;       /* not sorted, empty, twice, or without __name__ */
    uint64_t older, same_time; /* than the sample of the series before it */
    uint64_t sum,
        squares; /* of all samples' hashes but those: equal when the same came, in any order */
    struct write_series *table; /* by hash */
    uint64_t room;              /* a power of two */
};

/* What one request had, for the answer's headers. */
struct write_counts {
    uint64_t samples, histograms, exemplars;
};

/* Takes a snappy block with a message of version 1 or 2. false: it is none, `malformed` counts it;
 * what was read before the error is counted. */
bool write_proof_take(struct write_proof *p, int version, const uint8_t *body, size_t len,
                      struct write_counts *ret);
/* Prints the sums as members of a JSON object. */
void write_proof_print(const struct write_proof *p, FILE *to);
