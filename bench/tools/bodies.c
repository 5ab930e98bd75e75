/* Request bodies made before the run, each with ids of its own. */
#include "bodies.h"

#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "proof.h"

void bodies_prefix(uint8_t *to, const char *encoding, size_t len)
{
    to[0] = *encoding != 0;
    for (int i = 0; i < 4; i++)
        to[1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

static void make_one(struct pooled *p, uint64_t *next_id, const char *encoding,
                     const uint8_t *plain, size_t len)
{
    uint8_t *stamped = malloc(len + 1), *packed;
    size_t packed_len;

    if (stamped == NULL)
        net_die("no memory");
    memcpy(stamped, plain, len);
    p->first_id = *next_id;
    proof_stamp(stamped, len, next_id);
    p->end_id = *next_id;
    if (p->end_id == p->first_id)
        net_die("the body has no place for an id");
    packed = proof_pack(encoding, stamped, len, &packed_len);
    p->data = malloc(packed_len + 5);
    if (packed == NULL || p->data == NULL)
        net_die("no memory");
    p->len = packed_len + 5;
    bodies_prefix(p->data, encoding, packed_len);
    memcpy(p->data + 5, packed, packed_len);
    free(packed);
    free(stamped);
}

void bodies_make(struct bodies *b, size_t n, uint64_t first_id, const char *encoding,
                 const uint8_t *plain, size_t len, const char *acked_path)
{
    uint64_t next_id = first_id;

    b->n = n;
    b->all = calloc(n, sizeof *b->all);
    if (b->all == NULL)
        net_die("no memory");
    for (size_t i = 0; i < n; i++)
        make_one(&b->all[i], &next_id, encoding, plain, len);
    b->acked = net_counters(acked_path, next_id);
}

struct pooled *bodies_next(struct bodies *b)
{
    return &b->all[b->turn++ % b->n];
}

void bodies_acked(struct bodies *b, const struct pooled *p)
{
    for (uint64_t id = p->first_id; id < p->end_id; id++)
        b->acked[id]++;
}
