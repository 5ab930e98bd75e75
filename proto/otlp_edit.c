/* Changes attributes of checked OTLP requests.
 *
 * Output is what was read, from `copied` on still only promised; the first change copies what came
 * before it. A message around a change gets its new length when its end is reached: where the new
 * length takes more or less bytes than the old one, what was written of the message is moved. */
#include "proto/otlp_edit.h"

#include "base/buf.h"
#include "base/check.h"
#include "proto/wire.h"

#define LEVELS 5 /* request, resource group, scope group, metric, data */

struct change {
    struct leat_bytes key;
    struct leat_otlp_value value;
    bool gone;    /* deleted */
    bool written; /* while writing */
};

struct leat_edit {
    struct leat_bytes message; /* the record, or the group */
    uint32_t holder; /* field of the group that has the attributes; 0: `message` has them */
    uint32_t attrs;  /* field of the attributes */
    struct change change[LEAT_EDIT_CHANGES];
    unsigned changes;
};

struct engine {
    enum leat_edit_place place;
    leat_edit_fn *fn;
    void *context;
    struct leat_budget *budget;
    struct leat_buf *buf;  /* NULL: nothing has changed so far */
    size_t expected;       /* bytes of the request */
    const uint8_t *copied; /* up to here the request is in `buf` */
    bool dirty;            /* something changed in the message we are in */
    struct leat_edit edit;
};

/* A length-delimited field of the request, and where its length is or would be in the output. */
struct span {
    const uint8_t *start, *end;
    struct leat_bytes body;
    size_t at, width;
};

/* --- the callback's side */

static struct change *find_change(const struct leat_edit *edit, struct leat_bytes key)
{
    for (unsigned i = 0; i < edit->changes; i++) {
        if (leat_bytes_eq(edit->change[i].key, key))
            return (struct change *)(uintptr_t)&edit->change[i];
    }
    return NULL;
}

/* The next piece of the message that has the attributes. */
static bool next_piece(const struct leat_edit *edit, struct leat_edit_at *at)
{
    struct leat_bytes piece;

    if (edit->holder == 0) {
        if (at->begun)
            return false;
        at->inner = leat_wire_of(edit->message);
    } else {
        if (!at->begun)
            at->outer = leat_wire_of(edit->message);
        if (!leat_otlp_next(&at->outer, edit->holder, &piece)) {
            at->begun = true;
            return false;
        }
        at->inner = leat_wire_of(piece);
    }
    at->begun = true;
    return true;
}

bool leat_edit_each(const struct leat_edit *edit, struct leat_edit_at *at,
                    struct leat_bytes *ret_key, struct leat_otlp_value *ret_value)
{
    if (!at->begun && !next_piece(edit, at))
        return false;
    do {
        if (leat_otlp_next_attr(&at->inner, edit->attrs, ret_key, ret_value))
            return true;
    } while (next_piece(edit, at));
    return false;
}

static bool find_old(const struct leat_edit *edit, struct leat_bytes key,
                     struct leat_otlp_value *ret)
{
    struct leat_edit_at at = {.begun = false};
    struct leat_bytes k;

    while (leat_edit_each(edit, &at, &k, ret)) {
        if (leat_bytes_eq(k, key))
            return true;
    }
    return false;
}

bool leat_edit_get(const struct leat_edit *edit, struct leat_bytes key, struct leat_otlp_value *ret)
{
    const struct change *c = find_change(edit, key);

    if (c == NULL)
        return find_old(edit, key, ret);
    if (!c->gone)
        *ret = c->value;
    return !c->gone;
}

static bool same(const struct leat_otlp_value *a, const struct leat_otlp_value *b)
{
    return a->field == b->field && a->number == b->number && leat_bytes_eq(a->bytes, b->bytes);
}

static struct change *add_change(struct leat_edit *edit, struct leat_bytes key)
{
    struct change *c;

    if (edit->changes == LEAT_EDIT_CHANGES)
        return NULL;
    c = &edit->change[edit->changes++];
    *c = (struct change){.key = key};
    return c;
}

bool leat_edit_set(struct leat_edit *edit, struct leat_bytes key, struct leat_otlp_value value)
{
    struct change *c = find_change(edit, key);
    struct leat_otlp_value old;

    if (c == NULL && find_old(edit, key, &old) && same(&old, &value))
        return true;
    if (c == NULL)
        c = add_change(edit, key);
    if (c == NULL)
        return false;
    c->value = value;
    c->gone = false;
    return true;
}

bool leat_edit_insert(struct leat_edit *edit, struct leat_bytes key, struct leat_otlp_value value)
{
    struct leat_otlp_value old;

    return leat_edit_get(edit, key, &old) || leat_edit_set(edit, key, value);
}

bool leat_edit_update(struct leat_edit *edit, struct leat_bytes key, struct leat_otlp_value value)
{
    struct leat_otlp_value old;

    return !leat_edit_get(edit, key, &old) || leat_edit_set(edit, key, value);
}

bool leat_edit_delete(struct leat_edit *edit, struct leat_bytes key)
{
    struct change *c = find_change(edit, key);
    struct leat_otlp_value old;

    if (c == NULL && !find_old(edit, key, &old))
        return true;
    if (c == NULL)
        c = add_change(edit, key);
    if (c == NULL)
        return false;
    c->gone = true;
    return true;
}

struct leat_bytes leat_edit_message(const struct leat_edit *edit)
{
    return edit->message;
}

/* --- output */

/* Room for `more` bytes. */
static bool reserve(struct engine *e, size_t more)
{
    size_t len = e->buf == NULL ? 0 : e->buf->len, cap;

    if (more > LEAT_EDIT_MAX - len)
        return false;
    if (e->buf == NULL) {
        cap = e->expected + 512 > more ? e->expected + 512 : more;
        e->buf = leat_buf_new(e->budget, cap);
        return e->buf != NULL;
    }
    if (more <= e->buf->cap - len)
        return true;
    cap = len + more;
    /* By a quarter more than needed, so that not every change has to copy; exactly, if that is all
     * the budget has. */
    return leat_buf_resize(&e->buf, cap + cap / 4) == 0 || leat_buf_resize(&e->buf, cap) == 0;
}

static bool add(struct engine *e, const uint8_t *data, size_t len)
{
    if (!reserve(e, len))
        return false;
    if (len != 0)
        memcpy(e->buf->data + e->buf->len, data, len);
    e->buf->len += len;
    return true;
}

/* Copies what stays as it is, up to `to`. */
static bool copy_to(struct engine *e, const uint8_t *to)
{
    const uint8_t *from = e->copied;

    e->copied = to;
    return add(e, from, (size_t)(to - from));
}

/* The field from `start` whose bytes are `f`. */
static struct span span_of(const struct engine *e, const uint8_t *start,
                           const struct leat_wire_field *f)
{
    struct leat_wire w = {start, f->bytes.data};
    uint64_t tag;

    LEAT_CHECK(leat_wire_varint(&w, &tag));
    return (struct span){
        .start = start,
        .end = f->bytes.data + f->bytes.len,
        .body = f->bytes,
        .at = (e->buf == NULL ? 0 : e->buf->len) + (size_t)(w.at - e->copied),
        .width = (size_t)(f->bytes.data - w.at),
    };
}

/* Everything behind the length at `at` is the message: writes its length. */
static bool put_length(struct engine *e, size_t at, size_t width)
{
    size_t len = e->buf->len - at - width, now = leat_wire_varint_size(len);

    if (now > width && !reserve(e, now - width))
        return false;
    if (now != width)
        memmove(e->buf->data + at + now, e->buf->data + at + width, len);
    leat_wire_put_varint(e->buf->data + at, len);
    e->buf->len = at + now + len;
    return true;
}

static size_t value_size(const struct leat_otlp_value *v)
{
    switch (v->field) {
    case LEAT_OTLP_EMPTY:
        return 0;
    case LEAT_OTLP_VALUE_BOOL:
        return 2;
    case LEAT_OTLP_VALUE_INT:
        return 1 + leat_wire_varint_size(v->number);
    case LEAT_OTLP_VALUE_DOUBLE:
        return 9;
    default:
        return 1 + leat_wire_varint_size(v->bytes.len) + v->bytes.len;
    }
}

static uint8_t *put_value(uint8_t *at, const struct leat_otlp_value *v)
{
    switch (v->field) {
    case LEAT_OTLP_EMPTY:
        return at;
    case LEAT_OTLP_VALUE_BOOL:
    case LEAT_OTLP_VALUE_INT:
        at = leat_wire_put_tag(at, (uint32_t)v->field, LEAT_VARINT);
        return leat_wire_put_varint(at,
                                    v->field == LEAT_OTLP_VALUE_BOOL ? v->number != 0 : v->number);
    case LEAT_OTLP_VALUE_DOUBLE:
        at = leat_wire_put_tag(at, (uint32_t)v->field, LEAT_FIXED64);
        memcpy(at, &v->number, 8);
        return at + 8;
    default:
        return leat_wire_put_bytes(at, (uint32_t)v->field, v->bytes);
    }
}

/* A whole attribute, as field `field`. */
static bool put_attr(struct engine *e, uint32_t field, const struct change *c)
{
    size_t value = value_size(&c->value);
    size_t pair = 1 + leat_wire_varint_size(c->key.len) + c->key.len + 1 +
                  leat_wire_varint_size(value) + value;
    uint8_t *at;

    if (!reserve(e, pair + 15)) /* tag and length */
        return false;
    at = e->buf->data + e->buf->len;
    at = leat_wire_put_tag(at, field, LEAT_BYTES);
    at = leat_wire_put_varint(at, pair);
    at = leat_wire_put_bytes(at, 1, c->key);
    at = leat_wire_put_tag(at, 2, LEAT_BYTES);
    at = leat_wire_put_varint(at, value);
    at = put_value(at, &c->value);
    e->buf->len = (size_t)(at - e->buf->data);
    return true;
}

/* --- one place */

/* A piece of the message, with the changes. */
static bool put_piece(struct engine *e, struct leat_bytes piece)
{
    struct leat_wire w = leat_wire_of(piece);
    const uint8_t *start = w.at;
    struct leat_wire_field f;

    for (; leat_wire_next(&w, &f) > 0; start = w.at) {
        struct change *c =
            f.field == e->edit.attrs ? find_change(&e->edit, leat_otlp_get(f.bytes, 1)) : NULL;

        if (c == NULL) {
            if (!add(e, start, (size_t)(w.at - start)))
                return false;
        } else if (!c->gone && !c->written) {
            if (!put_attr(e, e->edit.attrs, c))
                return false;
            c->written = true;
        }
    }
    return true;
}

/* All pieces as one, and what is new. */
static bool put_body(struct engine *e)
{
    struct leat_edit *edit = &e->edit;
    struct leat_wire w = leat_wire_of(edit->message);
    struct leat_bytes piece;

    if (edit->holder == 0 && !put_piece(e, edit->message))
        return false;
    while (edit->holder != 0 && leat_otlp_next(&w, edit->holder, &piece)) {
        if (!put_piece(e, piece))
            return false;
    }
    for (unsigned i = 0; i < edit->changes; i++) {
        const struct change *c = &edit->change[i];

        if (!c->gone && !c->written && !put_attr(e, edit->attrs, c))
            return false;
    }
    return true;
}

/* Asks the callback. */
static bool changes_wanted(struct engine *e, struct leat_bytes message, uint32_t holder,
                           uint32_t attrs)
{
    e->edit.message = message;
    e->edit.holder = holder;
    e->edit.attrs = attrs;
    e->edit.changes = 0;
    e->fn(&e->edit, e->context);
    return e->edit.changes > 0;
}

static bool replace(struct engine *e, const struct span *s)
{
    if (!copy_to(e, s->body.data) || !put_body(e) || !put_length(e, s->at, s->width))
        return false;
    e->copied = s->end;
    return true;
}

static bool edit_record(struct engine *e, const struct leat_otlp_message *type,
                        const struct span *s)
{
    uint32_t attrs = leat_otlp_attrs_field(type);

    if (attrs == 0 || !changes_wanted(e, s->body, 0, attrs))
        return true;
    e->dirty = true;
    return replace(e, s);
}

/* Field `holder` of `group`: written where its first piece is, or first of all where there is none;
 * other pieces are dropped, they are in the first one now. */
static bool edit_group(struct engine *e, const struct leat_otlp_message *type,
                       struct leat_bytes group, uint32_t holder)
{
    uint32_t attrs = leat_otlp_attrs_field(leat_otlp_field(type, holder)->message);
    struct leat_wire w = leat_wire_of(group);
    const uint8_t *start = w.at;
    struct leat_wire_field f;
    bool written = false;

    if (!changes_wanted(e, group, holder, attrs))
        return true;
    e->dirty = true;
    for (; leat_wire_next(&w, &f) > 0; start = w.at) {
        struct span s;

        if (f.field != holder)
            continue;
        s = span_of(e, start, &f);
        if (!written && !replace(e, &s))
            return false;
        if (written && !copy_to(e, s.start))
            return false;
        e->copied = s.end;
        written = true;
    }
    if (!written) {
        uint8_t head[2] = {(uint8_t)(holder << 3 | LEAT_BYTES), 0};
        size_t at;

        if (!copy_to(e, group.data) || !add(e, head, 2))
            return false;
        at = e->buf->len - 1;
        return put_body(e) && put_length(e, at, 1);
    }
    return true;
}

/* --- the request */

static bool edit_level(struct engine *e, const struct leat_otlp_message *type, unsigned depth,
                       struct leat_bytes message);

/* The sub-message `s`, and its new length if something changed in it. */
static bool edit_inside(struct engine *e, const struct leat_otlp_message *type, unsigned depth,
                        const struct span *s)
{
    bool around = e->dirty;

    e->dirty = false;
    if (!edit_level(e, type, depth, s->body))
        return false;
    if (e->dirty && (!copy_to(e, s->end) || !put_length(e, s->at, s->width)))
        return false;
    e->dirty |= around;
    return true;
}

/* As deep as the levels of a request: five. */
static bool edit_level(struct engine *e, const struct leat_otlp_message *type, unsigned depth,
                       struct leat_bytes message)
{
    struct leat_wire w = leat_wire_of(message);
    const uint8_t *start = w.at;
    struct leat_wire_field f;

    LEAT_CHECK(depth < LEVELS);
    if ((depth == 1 && e->place == LEAT_EDIT_RESOURCE) ||
        (depth == 2 && e->place == LEAT_EDIT_SCOPE))
        return edit_group(e, type, message, 1);
    for (; leat_wire_next(&w, &f) > 0; start = w.at) {
        const struct leat_otlp_field *known = leat_otlp_field(type, f.field);
        struct span s;

        if (known == NULL || known->items == LEAT_OTLP_ASIDE)
            continue;
        s = span_of(e, start, &f);
        if (known->items == LEAT_OTLP_ITEM ? !edit_record(e, known->message, &s)
                                           : !edit_inside(e, known->message, depth + 1, &s))
            return false;
    }
    return true;
}

enum leat_edit_result leat_otlp_edit(enum leat_signal signal, struct leat_bytes request,
                                     enum leat_edit_place place, leat_edit_fn *fn, void *context,
                                     struct leat_budget *budget, struct leat_buf **ret)
{
    struct engine e;

    e.place = place;
    e.fn = fn;
    e.context = context;
    e.budget = budget;
    e.buf = NULL;
    e.expected = request.len;
    e.copied = request.data;
    e.dirty = false;
    if (request.len > LEAT_EDIT_MAX)
        return LEAT_EDIT_NO_MEMORY;
    if (!edit_level(&e, leat_otlp_request[signal], 0, request))
        goto failed;
    if (e.buf == NULL)
        return LEAT_EDIT_SAME;
    if (!copy_to(&e, request.data + request.len))
        goto failed;
    (void)leat_buf_resize(&e.buf, e.buf->len); /* if it cannot shrink, it stays as it is */
    *ret = e.buf;
    return LEAT_EDIT_CHANGED;
failed:
    leat_buf_unref(e.buf);
    return LEAT_EDIT_NO_MEMORY;
}
