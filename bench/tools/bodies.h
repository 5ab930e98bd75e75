/* Request bodies made before the run, each with ids of its own, sent over and over: stamping and
 * compressing cost the load nothing while it measures. What was acknowledged is counted per id. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct bodies {
    struct pooled {
        uint8_t *data; /* five bytes of gRPC's prefix, then the body */
        size_t len;
        uint64_t first_id, end_id;
    } * all;
    size_t n, turn;
    uint64_t *acked; /* by id: how often a request with it was acknowledged */
};

/* n bodies out of a plain one: ids from first_id on, stamped, encoded. acked_path: where another
 * process may read the counts (uint64 by id, from 0); NULL: nowhere. Dies when it cannot. */
void bodies_make(struct bodies *b, size_t n, uint64_t first_id, const char *encoding,
                 const uint8_t *plain, size_t len, const char *acked_path);
/* The next in turn. */
struct pooled *bodies_next(struct bodies *b);
/* It was acknowledged. */
void bodies_acked(struct bodies *b, const struct pooled *p);
/* Writes gRPC's prefix of a message of len bytes. */
void bodies_prefix(uint8_t *to, const char *encoding, size_t len);
