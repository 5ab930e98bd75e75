/* The top-level entries of a batch, sorted by the resource attribute that names their file. */
#ifndef LEAT_EXPORTERS_FILE_ENTRY_H
#define LEAT_EXPORTERS_FILE_ENTRY_H

#include <stdint.h>

#include "base/bytes.h"

struct leat_batch;

/* Points into the batch. */
struct leat_file_entry {
    struct leat_bytes segment; /* the attribute's value */
    struct leat_bytes bytes;   /* a request by itself: ResourceSpans, … with tag and length */
    uint32_t at;               /* its place in the batch */
};

uint32_t leat_file_entries_count(const struct leat_batch *b);
uint32_t leat_file_entry_items(const struct leat_batch *b, const struct leat_file_entry *e);
/* Fills `out` (room for all) with the entries whose resource has the string `attribute`, by segment
 * and then as they stood, and returns how many; *ret_without: items in the others. */
uint32_t leat_file_entries_sort(const struct leat_batch *b, const char *attribute,
                                struct leat_file_entry *out, uint32_t *ret_without);

#endif
