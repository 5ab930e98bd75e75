/* Cuts a checked request in two, between records.
 *
 * On the way from the request to the record where the cut falls there is one message of each level
 * (resource group, scope group, metric, its data): only these are in both pieces, and only their
 * lengths change. plan() finds them and adds up the sizes, innermost first; write_piece() copies.
 */
#include "proto/otlp_cut.h"

#include "base/buf.h"
#include "base/check.h"
#include "proto/otlp.h"
#include "proto/otlp_view.h"
#include "proto/wire.h"

#define LEVELS 5 /* request, resource group, scope group, metric, data */

/* One message that is cut. */
struct level {
    const struct leat_otlp_message *type;
    struct leat_bytes message;
    const uint8_t *at; /* where the field begins that the cut goes through, or the first field of */
    const uint8_t *end; /* the tail; and where that field ends */
    uint32_t field;     /* its number */
    bool through;       /* it is cut itself: the next level */
    size_t head, tail;  /* bytes of this message in each piece */
};

struct cut {
    struct level level[LEVELS];
    unsigned levels;
};

static enum leat_otlp_items kind_of(const struct leat_otlp_message *m, uint32_t field)
{
    const struct leat_otlp_field *f = leat_otlp_field(m, field);

    return f == NULL ? LEAT_OTLP_ASIDE : (enum leat_otlp_items)f->items;
}

static uint32_t items_of(const struct leat_otlp_message *m, const struct leat_wire_field *f)
{
    return kind_of(m, f->field) == LEAT_OTLP_ITEM
               ? 1
               : leat_otlp_items_in(leat_otlp_field(m, f->field)->message, f->bytes);
}

static size_t framed(uint32_t field, size_t len)
{
    return leat_wire_varint_size((uint64_t)field << 3) + leat_wire_varint_size(len) + len;
}

/* Finds in `l` the field where the first `*items` items end, and takes off what comes before. */
static void find(struct level *l, uint32_t *items, struct leat_bytes *ret_inner)
{
    struct leat_wire w = leat_wire_of(l->message);
    const uint8_t *start = w.at;
    struct leat_wire_field f;

    l->at = l->end = w.end;
    for (; leat_wire_next(&w, &f) > 0; start = w.at) {
        uint32_t n;

        if (kind_of(l->type, f.field) == LEAT_OTLP_ASIDE)
            continue;
        n = *items == 0 ? 0 : items_of(l->type, &f);
        if (*items > 0 && n <= *items) {
            *items -= n;
            continue;
        }
        l->at = start;
        l->end = w.at;
        l->field = f.field;
        l->through = *items > 0;
        *ret_inner = f.bytes;
        return;
    }
}

/* The sizes of both pieces of `l`, whose inner level, if any, has its sizes. */
static void measure(struct level *l, const struct level *inner)
{
    struct leat_wire w = leat_wire_of(l->message);
    const uint8_t *start = w.at;
    struct leat_wire_field f;

    for (; leat_wire_next(&w, &f) > 0; start = w.at) {
        size_t size = (size_t)(w.at - start);

        if (kind_of(l->type, f.field) == LEAT_OTLP_ASIDE) {
            l->head += size;
            l->tail += size;
        } else if (start < l->at) {
            l->head += size;
        } else if (start > l->at || !l->through) {
            l->tail += size;
        } else {
            l->head += framed(l->field, inner->head);
            l->tail += framed(l->field, inner->tail);
        }
    }
}

static void plan(struct cut *c, const struct leat_otlp_message *type, struct leat_bytes request,
                 uint32_t items)
{
    struct leat_bytes inner = request;
    struct level *l;

    do {
        LEAT_CHECK(c->levels < LEVELS);
        l = &c->level[c->levels++];
        l->type = type;
        l->message = inner;
        find(l, &items, &inner);
        if (l->through)
            type = leat_otlp_field(type, l->field)->message;
    } while (l->through);
    for (unsigned i = c->levels; i-- > 0;)
        measure(&c->level[i], i + 1 < c->levels ? &c->level[i + 1] : NULL);
}

static uint8_t *put(uint8_t *to, const uint8_t *from, const uint8_t *end)
{
    if (from != end)
        memcpy(to, from, (size_t)(end - from));
    return to + (end - from);
}

/* Writes the fields of `l` that belong to one piece, from `from` to `to`; the field that is cut is
 * not among them. */
static uint8_t *write_fields(const struct level *l, bool tail, const uint8_t *from,
                             const uint8_t *to, uint8_t *out)
{
    struct leat_wire w = {from, to};
    const uint8_t *start = from;
    struct leat_wire_field f;

    for (; leat_wire_next(&w, &f) > 0; start = w.at) {
        if (kind_of(l->type, f.field) == LEAT_OTLP_ASIDE || (start >= l->at) == tail)
            out = put(out, start, w.at);
    }
    return out;
}

/* The levels are nested: what comes before the cut of each, outermost first, then what comes after,
 * innermost first. */
static void write_piece(const struct cut *c, bool tail, struct leat_buf *ret)
{
    uint8_t *out = ret->data;

    for (unsigned i = 0; i < c->levels; i++) {
        const struct level *l = &c->level[i];

        out = write_fields(l, tail, l->message.data, l->at, out);
        if (l->through) {
            out = leat_wire_put_tag(out, l->field, LEAT_BYTES);
            out = leat_wire_put_varint(out, tail ? l[1].tail : l[1].head);
        }
    }
    for (unsigned i = c->levels; i-- > 0;) {
        const struct level *l = &c->level[i];

        out = write_fields(l, tail, l->through ? l->end : l->at, l->message.data + l->message.len,
                           out);
    }
    ret->len = (size_t)(out - ret->data);
    LEAT_CHECK(ret->len == ret->cap);
}

size_t leat_otlp_prefix(enum leat_signal signal, struct leat_bytes request, uint32_t items,
                        uint32_t *ret_items)
{
    const struct leat_otlp_message *type = leat_otlp_request[signal];
    struct leat_wire w = leat_wire_of(request);
    const uint8_t *end = w.at;
    struct leat_wire_field f;

    *ret_items = 0;
    for (; leat_wire_next(&w, &f) > 0; end = w.at) {
        uint32_t n = f.field == 1 ? items_of(type, &f) : 0;

        if (n > items - *ret_items)
            break;
        *ret_items += n;
    }
    return request.len == 0 ? 0 : (size_t)(end - request.data);
}

int leat_otlp_cut(enum leat_signal signal, struct leat_bytes request, uint32_t items,
                  struct leat_budget *budget, struct leat_buf **ret_head,
                  struct leat_buf **ret_tail)
{
    struct cut c = {.levels = 0};
    struct leat_buf *head, *tail;

    LEAT_CHECK(items > 0);
    plan(&c, leat_otlp_request[signal], request, items);
    head = leat_buf_new(budget, c.level[0].head);
    tail = leat_buf_new(budget, c.level[0].tail);
    if (head == NULL || tail == NULL) {
        leat_buf_unref(head);
        leat_buf_unref(tail);
        return -1;
    }
    write_piece(&c, false, head);
    write_piece(&c, true, tail);
    *ret_head = head;
    *ret_tail = tail;
    return 0;
}
