/* What flows right: parts of encoded requests, and who waits for them. */
#include "flow/batch.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "flow/origin.h"
#include "proto/otlp_cut.h"

static struct leat_batch *empty(enum leat_signal signal, uint32_t cap)
{
    struct leat_batch *b = leat_try(sizeof *b);

    if (b == NULL)
        return NULL;
    memset(b, 0, offsetof(struct leat_batch, first));
    b->signal = signal;
    b->cap = 1;
    b->deadline = INT64_MAX;
    b->parts = &b->first;
    leat_list_init(&b->link);
    if (cap > 1) {
        b->parts = leat_try(cap * sizeof *b->parts);
        b->cap = cap;
        if (b->parts == NULL) {
            leat_free(b);
            return NULL;
        }
    }
    return b;
}

/* Frees the batch but not what its parts refer to. */
static void free_shell(struct leat_batch *b)
{
    leat_origin_unref(b->origin);
    if (b->parts != &b->first)
        leat_free(b->parts);
    leat_free(b);
}

int leat_batch_reserve(struct leat_batch *b, uint32_t more)
{
    uint32_t cap = b->cap * 2;
    struct leat_part *parts;

    if (b->nparts + more <= b->cap)
        return 0;
    if (cap < b->nparts + more)
        cap = b->nparts + more;
    if (b->parts == &b->first) {
        parts = leat_try(cap * sizeof *parts);
        if (parts != NULL)
            memcpy(parts, b->parts, b->nparts * sizeof *parts);
    } else {
        parts = leat_try_resize(b->parts, cap * sizeof *parts);
    }
    if (parts == NULL)
        return -1;
    b->parts = parts;
    b->cap = cap;
    return 0;
}

/* There is room already. Takes over what the part refers to. */
static void append(struct leat_batch *b, struct leat_part part)
{
    b->parts[b->nparts++] = part;
    b->items += part.items;
    b->bytes += part.len;
}

struct leat_batch *leat_batch_new(enum leat_signal signal, struct leat_buf *buf,
                                  struct leat_bytes request, uint32_t items, struct leat_ack *ack)
{
    struct leat_batch *b = empty(signal, 1);

    LEAT_CHECK(request.len <= UINT32_MAX);
    if (b == NULL)
        return NULL;
    b->first = (struct leat_part){
        .buf = buf, .data = request.data, .len = (uint32_t)request.len, .items = items, .ack = ack};
    b->nparts = 1;
    b->items = items;
    b->bytes = request.len;
    return b;
}

static struct leat_batch *copy(const struct leat_batch *b)
{
    struct leat_batch *c = empty(b->signal, b->nparts);

    if (c == NULL)
        return NULL;
    c->origin = leat_origin_ref(b->origin);
    c->deadline = b->deadline;
    for (uint32_t i = 0; i < b->nparts; i++) {
        append(c, b->parts[i]);
        leat_buf_ref(b->parts[i].buf);
    }
    return c;
}

struct leat_batch *leat_batch_share(const struct leat_batch *b)
{
    struct leat_batch *c = copy(b);

    for (uint32_t i = 0; c != NULL && i < c->nparts; i++) {
        if (c->parts[i].ack != NULL)
            leat_ack_expect(c->parts[i].ack, 1);
    }
    return c;
}

struct leat_batch *leat_batch_again(const struct leat_batch *b, struct leat_ack *ack)
{
    struct leat_batch *c = copy(b);

    if (c == NULL)
        return NULL;
    for (uint32_t i = 0; i < c->nparts; i++)
        c->parts[i].ack = ack;
    leat_ack_expect(ack, c->nparts - 1);
    return c;
}

int leat_batch_join(struct leat_batch *into, struct leat_batch *from)
{
    LEAT_CHECK(into->signal == from->signal && from->attempt == NULL);
    if (leat_batch_reserve(into, from->nparts) < 0)
        return -1;
    for (uint32_t i = 0; i < from->nparts; i++)
        into->parts[into->nparts++] = from->parts[i];
    into->items += from->items;
    into->bytes += from->bytes;
    if (into->deadline < from->deadline)
        into->deadline = from->deadline;
    if (into->origin != from->origin) {
        leat_origin_unref(into->origin);
        into->origin = NULL;
    }
    free_shell(from);
    return 0;
}

/* Removes the first `n` parts from the list, which have moved elsewhere. */
static void forget_parts(struct leat_batch *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        b->items -= b->parts[i].items;
        b->bytes -= b->parts[i].len;
    }
    b->nparts -= n;
    memmove(b->parts, b->parts + n, b->nparts * sizeof *b->parts);
}

struct leat_batch *leat_batch_take_parts(struct leat_batch *b, uint32_t parts)
{
    struct leat_batch *head;

    LEAT_CHECK(parts > 0 && parts < b->nparts);
    head = empty(b->signal, parts);
    if (head == NULL)
        return NULL;
    head->origin = leat_origin_ref(b->origin);
    head->deadline = b->deadline;
    for (uint32_t i = 0; i < parts; i++)
        append(head, b->parts[i]);
    forget_parts(b, parts);
    return head;
}

/* Cuts one part after `items` of its items: by reference where an entry ends there, else into two
 * new buffers. */
static int cut_part(enum leat_signal signal, const struct leat_part *part, uint32_t items,
                    struct leat_budget *budget, struct leat_part *ret_head,
                    struct leat_part *ret_tail)
{
    struct leat_bytes whole = leat_bytes(part->data, part->len);
    struct leat_buf *head, *tail;
    uint32_t n;
    size_t len = leat_otlp_prefix(signal, whole, items, &n);

    *ret_head = *ret_tail = *part;
    ret_head->items = items;
    ret_head->weight = 0; /* stays with the tail */
    ret_tail->items = part->items - items;
    if (n == items) {
        ret_head->len = (uint32_t)len;
        ret_tail->data += len;
        ret_tail->len -= (uint32_t)len;
        leat_buf_ref(part->buf);
        return 0;
    }
    if (leat_otlp_cut(signal, whole, items, budget, &head, &tail) < 0)
        return -1;
    ret_head->buf = head;
    ret_head->data = head->data;
    ret_head->len = (uint32_t)head->len;
    ret_tail->buf = tail;
    ret_tail->data = tail->data;
    ret_tail->len = (uint32_t)tail->len;
    leat_buf_unref(part->buf);
    return 0;
}

int leat_batch_cut(struct leat_batch *b, uint32_t items, struct leat_budget *budget,
                   struct leat_batch **ret)
{
    struct leat_part head_part = {0}, tail_part;
    struct leat_batch *head;
    uint32_t whole = 0, left = items;

    LEAT_CHECK(items > 0 && items < b->items);
    while (b->parts[whole].items <= left)
        left -= b->parts[whole++].items;
    head = empty(b->signal, whole + 1);
    if (head == NULL)
        return -1;
    if (left > 0 &&
        cut_part(b->signal, &b->parts[whole], left, budget, &head_part, &tail_part) < 0) {
        free_shell(head);
        return -1;
    }
    head->origin = leat_origin_ref(b->origin);
    head->deadline = b->deadline;
    for (uint32_t i = 0; i < whole; i++)
        append(head, b->parts[i]);
    if (left > 0) {
        if (head_part.ack != NULL)
            leat_ack_expect(head_part.ack, 1);
        append(head, head_part);
        b->items -= b->parts[whole].items - tail_part.items;
        b->bytes += tail_part.len;
        b->bytes -= b->parts[whole].len;
        b->parts[whole] = tail_part;
    }
    forget_parts(b, whole);
    *ret = head;
    return 0;
}

void leat_batch_put(struct leat_batch *b, uint32_t i, struct leat_buf *buf, uint32_t items)
{
    struct leat_part *part = &b->parts[i];

    LEAT_CHECK(i < b->nparts && buf->len <= UINT32_MAX);
    b->items = b->items - part->items + items;
    b->bytes = b->bytes - part->len + buf->len;
    leat_buf_unref(part->buf);
    part->buf = buf;
    part->data = buf->data;
    part->len = (uint32_t)buf->len;
    part->items = items;
}

void leat_batch_shed(struct leat_batch *b)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < b->nparts; i++) {
        struct leat_part part = b->parts[i];
        if (part.items > 0) {
            b->parts[kept++] = part;
            continue;
        }
        b->bytes -= part.len;
        leat_buf_unref(part.buf);
        if (part.ack != NULL)
            leat_ack_tell(part.ack, leat_delivered());
    }
    b->nparts = kept;
}

void leat_batch_hold(struct leat_batch *b)
{
    b->deadline = INT64_MAX; /* it is ours to bring on now */
    for (uint32_t i = 0; i < b->nparts; i++) {
        struct leat_ack *ack = b->parts[i].ack;
        if (ack == NULL || ack->patient)
            continue;
        b->parts[i].ack = NULL;
        leat_ack_tell(ack, leat_delivered());
    }
}

bool leat_batch_is_patient(const struct leat_batch *b)
{
    for (uint32_t i = 0; i < b->nparts; i++) {
        if (b->parts[i].ack != NULL && b->parts[i].ack->patient)
            return true;
    }
    return false;
}

void leat_batch_done(struct leat_batch *b, struct leat_status st)
{
    struct leat_attempt *attempt = b->attempt;

    if (attempt != NULL) {
        b->attempt = NULL;
        attempt->ended(attempt, b, st);
        return;
    }
    for (uint32_t i = 0; i < b->nparts; i++) {
        leat_buf_unref(b->parts[i].buf);
        if (b->parts[i].ack != NULL)
            leat_ack_tell(b->parts[i].ack, st);
        st.rejected = 0; /* said once, to the first */
    }
    free_shell(b);
}

void leat_batch_pieces(const struct leat_batch *b, struct leat_bytes *pieces)
{
    for (uint32_t i = 0; i < b->nparts; i++)
        pieces[i] = leat_bytes(b->parts[i].data, b->parts[i].len);
}
