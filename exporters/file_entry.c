/* The top-level entries of a batch, sorted by the resource attribute that names their file. */
#include "exporters/file_entry.h"

#include <stdlib.h>
#include <string.h>

#include "flow/batch.h"
#include "proto/otlp_match.h"
#include "proto/otlp_view.h"

/* opentelemetry-proto: the same field numbers for each signal */
#define REQUEST_GROUPS      1 /* ResourceSpans, ResourceMetrics, ResourceLogs of a request */
#define GROUP_RESOURCE      1
#define RESOURCE_ATTRIBUTES 1

static struct leat_wire wire_of(const struct leat_part *p)
{
    return leat_wire_of(leat_bytes(p->data, p->len));
}

uint32_t leat_file_entries_count(const struct leat_batch *b)
{
    struct leat_bytes group;
    uint32_t n = 0;

    for (uint32_t i = 0; i < b->nparts; i++) {
        struct leat_wire w = wire_of(&b->parts[i]);
        while (leat_otlp_next(&w, REQUEST_GROUPS, &group))
            n++;
    }
    return n;
}

uint32_t leat_file_entry_items(const struct leat_batch *b, const struct leat_file_entry *e)
{
    return leat_otlp_count(b->signal, e->bytes).items;
}

static int by_segment(const void *a_, const void *b_)
{
    const struct leat_file_entry *a = a_, *b = b_;
    size_t len = a->segment.len < b->segment.len ? a->segment.len : b->segment.len;
    int order = len != 0 ? memcmp(a->segment.data, b->segment.data, len) : 0;

    if (order == 0)
        order = (a->segment.len > b->segment.len) - (a->segment.len < b->segment.len);
    return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

uint32_t leat_file_entries_sort(const struct leat_batch *b, const char *attribute,
                                struct leat_file_entry *out, uint32_t *ret_without)
{
    struct leat_bytes key = leat_bytes_str(attribute), group;
    struct leat_otlp_value v;
    uint32_t n = 0;

    *ret_without = 0;
    for (uint32_t i = 0; i < b->nparts; i++) {
        struct leat_wire w = wire_of(&b->parts[i]);
        const uint8_t *from = w.at;

        for (; leat_otlp_next(&w, REQUEST_GROUPS, &group); from = w.at) {
            struct leat_bytes whole = leat_bytes(from, (size_t)(w.at - from));
            struct leat_bytes resource = leat_otlp_get(group, GROUP_RESOURCE);

            if (leat_otlp_attr(resource, RESOURCE_ATTRIBUTES, key, &v) &&
                v.field == LEAT_OTLP_VALUE_STRING) {
                out[n] = (struct leat_file_entry){v.bytes, whole, n};
                n++;
            } else {
                *ret_without += leat_otlp_count(b->signal, whole).items;
            }
        }
    }
    if (n > 1)
        qsort(out, n, sizeof *out, by_segment);
    return n;
}
