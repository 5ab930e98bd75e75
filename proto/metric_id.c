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

/* A Resource or InstrumentationScope may come in several pieces that are one message together:
 * field 1 of its group, each time. */
static struct leat_print resource_print(struct leat_bytes group)
{
    struct leat_wire w = leat_wire_of(group);
    struct leat_print set = {0, 0};
    struct leat_bytes piece;

    while (leat_otlp_next(&w, 1, &piece))
        leat_print_add(&set, leat_attrs_print(piece, 1));
    return set;
}

/* Name, version and attributes. */
static struct leat_print scope_print(struct leat_bytes group)
{
    struct leat_wire w = leat_wire_of(group), in;
    struct leat_bytes piece, name = {NULL, 0}, version = {NULL, 0};
    struct leat_print set = {0, 0};
    struct leat_wire_field f;

    while (leat_otlp_next(&w, 1, &piece)) {
        in = leat_wire_of(piece);
        while (leat_wire_next(&in, &f) > 0) {
            if (f.field == 1)
                name = f.bytes;
            else if (f.field == 2)
                version = f.bytes;
            else if (f.field == 3)
                leat_print_add(&set, leat_print(f.bytes));
        }
    }
    return leat_print_pair(leat_print_pair(set, leat_print(name)), leat_print(version));
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
        ids->resource = resource_print(w->resource_group);
        ids->resource_number = w->resource_number;
        ids->scope_number = 0;
    }
    if (ids->scope_number != w->scope_number) {
        ids->scope = leat_print_pair(ids->resource, scope_print(w->scope_group));
        ids->scope_number = w->scope_number;
        ids->metric_number = 0;
    }
    if (ids->metric_number != w->metric_number) {
        ids->metric = leat_print_pair(ids->scope, head_print(head));
        ids->metric_number = w->metric_number;
    }
}
