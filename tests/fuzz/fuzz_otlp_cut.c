/* Any request that passes the check, cut anywhere: both pieces pass it, and have the records of the
 * whole, in order. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"
#include "fuzz/otlp_mutator.h"
#include "proto/otlp_cut.h"
#include "proto/otlp_match.h"
#include "proto/otlp_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    return otlp_mutate(data, size, max, seed, 2);
}

/* The records of `piece` are the next ones of `whole`. */
static void follow(enum leat_signal signal, struct leat_otlp_walk *whole, struct leat_buf *piece,
                   uint32_t items)
{
    struct leat_bytes b = leat_bytes(piece->data, piece->len);
    struct leat_otlp_count count;
    struct leat_otlp_walk w;
    const char *why;

    LEAT_CHECK(leat_otlp_check(signal, b, &count, &why) == LEAT_OTLP_OK);
    LEAT_CHECK(count.items == items);
    leat_otlp_walk_init(&w, signal, b);
    while (leat_otlp_walk_next(&w)) {
        LEAT_CHECK(leat_otlp_walk_next(whole));
        LEAT_CHECK(w.record_type == whole->record_type);
        LEAT_CHECK(leat_bytes_eq(w.record, whole->record));
        LEAT_CHECK(leat_bytes_eq(w.resource, whole->resource));
        LEAT_CHECK(leat_bytes_eq(w.scope, whole->scope));
        LEAT_CHECK(w.data_field == whole->data_field);
        LEAT_CHECK(leat_bytes_eq(leat_otlp_get(w.metric, 1), leat_otlp_get(whole->metric, 1)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leat_otlp_count count;
    struct leat_buf *head, *tail;
    struct leat_otlp_walk whole;
    enum leat_signal signal;
    struct leat_bytes b;
    const char *why;
    uint32_t items, n;
    size_t len;

    if (size < 2)
        return 0;
    signal = (enum leat_signal)(data[0] % LEAT_SIGNALS);
    b = leat_bytes(data + 2, size - 2);
    if (leat_otlp_check(signal, b, &count, &why) != LEAT_OTLP_OK)
        return 0;
    len = leat_otlp_prefix(signal, b, data[1], &n);
    LEAT_CHECK(n <= data[1] && len <= b.len);
    LEAT_CHECK(leat_otlp_count(signal, leat_bytes(b.data, len)).items == n);
    if (count.items < 2)
        return 0;
    items = 1 + data[1] % (count.items - 1);
    LEAT_CHECK(leat_otlp_cut(signal, b, items, NULL, &head, &tail) == 0);
    LEAT_CHECK(head->len <= b.len && tail->len <= b.len);
    leat_otlp_walk_init(&whole, signal, b);
    follow(signal, &whole, head, items);
    follow(signal, &whole, tail, count.items - items);
    LEAT_CHECK(!leat_otlp_walk_next(&whole));
    leat_buf_unref(head);
    leat_buf_unref(tail);
    return 0;
}
