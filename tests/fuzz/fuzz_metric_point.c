/* Every point of any request that passes the check is read (or has too many buckets), has a stream,
 * and reads the same again after it was written. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "fuzz/otlp_mutator.h"
#include "proto/metric_id.h"
#include "proto/otlp_make.h"
#include "proto/otlp_match.h"
#include "proto/otlp_view.h"

#define MOST_BYTES (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    size = otlp_mutate(data, size, max, seed, 1);
    if (size > 0)
        data[0] = LEAT_METRICS;
    return size;
}

static bool same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool same_words(const void *a, const void *b, size_t n)
{
    return n == 0 || memcmp(a, b, n * 8) == 0;
}

static bool same_side(const struct leat_exponential_side *a, const struct leat_exponential_side *b)
{
    return a->offset == b->offset && a->ncounts == b->ncounts &&
           same_words(a->counts, b->counts, a->ncounts);
}

static bool same_scalars(const struct leat_point *a, const struct leat_point *b)
{
    return a->start == b->start && a->time == b->time && a->flags == b->flags &&
           a->number == b->number && a->integer == b->integer && same_double(a->value, b->value) &&
           a->count == b->count && a->has_sum == b->has_sum && a->has_min == b->has_min &&
           a->has_max == b->has_max && same_double(a->sum, b->sum) && same_double(a->min, b->min) &&
           same_double(a->max, b->max) && a->scale == b->scale && a->zero_count == b->zero_count;
}

static bool same_point(const struct leat_point *a, const struct leat_point *b)
{
    return same_scalars(a, b) && a->ncounts == b->ncounts &&
           same_words(a->counts, b->counts, a->ncounts) && a->nbounds == b->nbounds &&
           same_words(a->bounds, b->bounds, a->nbounds) && a->nquantiles == b->nquantiles &&
           same_words(a->quantiles, b->quantiles, 2 * (size_t)a->nquantiles) &&
           same_side(&a->positive, &b->positive) && same_side(&a->negative, &b->negative);
}

static void check_point(const struct leat_point *p, struct leat_point_room *second)
{
    struct leat_wire w = leat_wire_of(p->message);
    struct leat_exemplar e;
    struct leat_text out;
    struct leat_make m;
    struct leat_point again;
    uint32_t n = 0, kept = 0;

    while (leat_exemplar_next(&w, p, &e))
        n++;
    leat_text_init(&out, MOST_BYTES);
    leat_make_init(&m, &out);
    leat_point_write(&m, 1, p, true);
    LEAT_CHECK(leat_text_ok(&out));
    LEAT_CHECK(leat_point_read(p->type, leat_otlp_get(leat_text_bytes(&out), 1), second, &again));
    LEAT_CHECK(same_point(p, &again));
    LEAT_CHECK(leat_print_is(leat_attrs_print(p->message, p->attrs_field),
                             leat_attrs_print(again.message, again.attrs_field)));
    w = leat_wire_of(again.message);
    while (leat_exemplar_next(&w, &again, &e))
        kept++;
    LEAT_CHECK(kept == n);
    leat_text_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leat_point_room room = {.words = NULL}, second = {.words = NULL};
    struct leat_metric_ids ids = {0};
    struct leat_metric_head head;
    struct leat_otlp_count count;
    struct leat_otlp_walk w;
    struct leat_bytes in;
    const char *why;

    if (size < 1)
        return 0;
    in = leat_bytes(data + 1, size - 1);
    if (leat_otlp_check(LEAT_METRICS, in, &count, &why) != LEAT_OTLP_OK)
        return 0;
    memset(&head, 0, sizeof head);
    leat_otlp_walk_init(&w, LEAT_METRICS, in);
    while (leat_otlp_walk_next(&w)) {
        struct leat_point p;
        if (w.metric_number != ids.metric_number) /* as the stages do: once a metric */
            head = leat_metric_head(&w);
        leat_metric_ids_at(&ids, &w, &head);
        if (leat_point_read(head.type, w.record, &room, &p)) {
            leat_stream_print(&ids, &p);
            check_point(&p, &second);
        } else {
            LEAT_CHECK(room.too_many);
        }
    }
    leat_point_room_done(&room);
    leat_point_room_done(&second);
    return 0;
}
