/* Which stream a data point belongs to. */
#include "proto/metric_id.h"

#include "proto/otlp_match.h"

struct leat_print leat_attrs_print(struct leat_bytes message, uint32_t field)
{
    struct leat_wire w = leat_wire_of(message);
    struct leat_print set = {0, 0};
    struct leat_bytes pair;

    while (leat_otlp_next(&w, field, &pair))
        leat_print_add(&set, leat_print(pair));
    return set;
}

/* Name, version and attributes of an InstrumentationScope. */
static struct leat_print scope_print(struct leat_bytes scope)
{
    struct leat_print p = leat_attrs_print(scope, 3);

    p = leat_print_pair(p, leat_print(leat_otlp_get(scope, 1)));
    return leat_print_pair(p, leat_print(leat_otlp_get(scope, 2)));
}

static struct leat_print head_print(const struct leat_metric_head *head)
{
    const uint8_t kind[] = {(uint8_t)head->type, (uint8_t)head->temporality, head->monotonic};
    struct leat_print p = leat_print_pair(leat_print(head->name), leat_print(head->unit));

    return leat_print_pair(p, leat_print(leat_bytes(kind, sizeof kind)));
}

void leat_metric_ids_at(struct leat_metric_ids *ids, const struct leat_otlp_walk *w,
                        const struct leat_metric_head *head)
{
    if (ids->resource_number != w->resource_number) {
        ids->resource = leat_attrs_print(w->resource, 1);
        ids->resource_number = w->resource_number;
        ids->scope_number = 0;
    }
    if (ids->scope_number != w->scope_number) {
        ids->scope = leat_print_pair(ids->resource, scope_print(w->scope));
        ids->scope_number = w->scope_number;
        ids->metric_number = 0;
    }
    if (ids->metric_number != w->metric_number) {
        ids->metric = leat_print_pair(ids->scope, head_print(head));
        ids->metric_number = w->metric_number;
    }
}
