/* OTLP/JSON to protobuf bytes in one pass over the text: the tables of otlp.h say which field a key
 * is, and its value goes to the output at once. The other direction is otlp_json_write.c.
 *
 * What a later key says wins, as on the wire: a field at its default is left out, unless it was
 * there before in the same object. */
#include "proto/otlp_json.h"

#include "base/buf.h"
#include "base/err.h"
#include "proto/json_read.h"
#include "proto/otlp.h"
#include "proto/otlp_json_digits.h"
#include "proto/otlp_json_quick.h"
#include "proto/otlp_json_scalar.h"
#include "proto/otlp_view.h"
#include "proto/wire.h"

#define HEAD_MAX   20 /* a tag and a length, or a tag and a scalar */
#define KEY_MAX    64 /* an escaped key that is longer is nobody's */
#define CONTAINERS 3  /* levels of messages that hold most of the text behind them */

/* What the messages of one kind looked like so far in this request. It is only a guess at the next
 * one: how long its length is, and which key comes after which. */
struct shape {
    uint8_t width;                  /* bytes of the last length; 0: not known */
    uint8_t next[LEAT_OTLP_FIELDS]; /* number of the last field after this one (first: after 0) */
};

struct reader {
    struct leat_json_read in;
    struct leat_buf *buf;
    uint8_t *at, *end; /* in `buf` */
    bool no_memory;
    uint32_t level;  /* messages around the cursor */
    uint32_t values; /* AnyValues around it: the only way messages nest without end */
    struct leat_otlp_count count;
    const struct leat_otlp_message *where; /* the error is in this field of this message */
    const struct leat_otlp_field *what;
    struct shape shapes[LEAT_OTLP_MESSAGES];
};

/* One member of an object: where its value goes. */
struct member {
    const struct leat_otlp_field *f;
    uint32_t number;
    bool always; /* defaults are written too: presence, elements of a list, said before */
};

/* --- output */

static bool grow(struct reader *r, size_t more)
{
    size_t len = (size_t)(r->at - r->buf->data), cap = r->buf->cap + r->buf->cap / 2;

    r->buf->len = len;
    if (leat_buf_resize(&r->buf, cap < len + more ? len + more : cap) < 0) {
        r->no_memory = true;
        return leat_json_read_fail(&r->in, r->in.at, "no memory");
    }
    r->at = r->buf->data + len;
    r->end = r->buf->data + r->buf->cap;
    return true;
}

static inline bool room(struct reader *r, size_t more)
{
    return (size_t)(r->end - r->at) >= more || grow(r, more);
}

struct open {
    size_t start; /* where the message's bytes begin */
    uint8_t width, *usual;
};

/* Begins a sub-message. Its length is not known: room is left for one as wide as last time, and
 * those that hold all the rest are believed to become half as long as it. */
static inline bool open_message(struct reader *r, const struct member *m, struct open *o)
{
    o->usual = &r->shapes[m->f->message->id].width;
    o->width = *o->usual;
    if (o->width == 0)
        o->width = r->level > CONTAINERS
                       ? 1
                       : (uint8_t)leat_wire_varint_size((uint64_t)(r->in.end - r->in.at) / 2);
    if (!room(r, HEAD_MAX))
        return false;
    r->at = leat_wire_put_tag(r->at, m->number, LEAT_BYTES) + o->width;
    o->start = (size_t)(r->at - r->buf->data);
    return true;
}

static inline bool close_message(struct reader *r, const struct open *o)
{
    size_t len = (size_t)(r->at - r->buf->data) - o->start;
    uint8_t width = (uint8_t)leat_wire_varint_size(len), *head;

    if (width != o->width) {
        if (!room(r, HEAD_MAX))
            return false;
        head = r->buf->data + o->start;
        memmove(head - o->width + width, head, len);
        r->at = head - o->width + width + len;
        *o->usual = width;
    }
    leat_wire_put_varint(r->buf->data + o->start - o->width, len);
    return true;
}

/* Writes a scalar that is not of bytes; number 0: without a tag, as an element of a packed list. */
static bool put_scalar(struct reader *r, const struct leat_otlp_field *f, uint32_t number,
                       uint64_t v)
{
    if (!room(r, HEAD_MAX))
        return false;
    if (number != 0)
        r->at = leat_wire_put_tag(r->at, number, leat_scalar_type(f));
    r->at = leat_scalar_put(r->at, f, v);
    return true;
}

static bool wrong(struct reader *r, const uint8_t *at, const char *why)
{
    return leat_json_read_fail(&r->in, at, why);
}

/* --- strings, ids, bytes */

/* Makes the bytes of an id or bytes value, which are at `to` as text, what they stand for; returns
 * their length, or -1 after an error. */
static long decode(struct reader *r, enum leat_otlp_kind kind, uint8_t *to, size_t len,
                   const uint8_t *start)
{
    struct leat_bytes text = leat_bytes(to, len);
    long n;

    if (kind == LEAT_OTLP_BLOB) {
        for (int pad = 0; pad < 2 && len % 4 == 0 && text.len > 0; pad++)
            text.len -= text.data[text.len - 1] == '=';
        n = leat_base64_decode(text, to);
        if (n < 0)
            wrong(r, start, "not base64");
        return n;
    }
    if (len == 0)
        return 0;
    if (len != (kind == LEAT_OTLP_TRACE_ID ? LEAT_DIGITS_TRACE_ID : LEAT_DIGITS_SPAN_ID)) {
        wrong(r, start,
              kind == LEAT_OTLP_TRACE_ID ? "a trace id has 32 hex digits"
                                         : "a span id has 16 hex digits");
        return -1;
    }
    n = leat_digits_id(to, len, to);
    if (n < 0)
        wrong(r, start, "not hex digits");
    return n > 0 ? (long)len / 2 : n; /* all zero is how an id says that there is none */
}

/* A value of kind string, bytes or id: copied or decoded to where it stays. */
static bool text_value(struct reader *r, const struct member *m)
{
    enum leat_otlp_kind kind = (enum leat_otlp_kind)m->f->kind;
    const uint8_t *start = r->in.at;
    struct leat_json_string s;
    uint8_t *to;
    size_t len, head;

    if (!leat_json_read_string(&r->in, &s) || !room(r, HEAD_MAX + s.raw.len))
        return false;
    head = 1 + (m->number > 15) + leat_wire_varint_size(s.raw.len);
    to = r->at + head;
    len = s.raw.len;
    if (s.escaped)
        len = leat_json_unescape(s.raw, to, len);
    else
        memcpy(to, s.raw.data, len);
    if (kind != LEAT_OTLP_STRING) {
        long n = decode(r, kind, to, len, start);
        if (n < 0)
            return false;
        len = (size_t)n;
    }
    if (len == 0 && !m->always)
        return true;
    r->at = leat_wire_put_tag(r->at, m->number, LEAT_BYTES);
    r->at = leat_wire_put_varint(r->at, len);
    if (r->at != to)
        memmove(r->at, to, len); /* what it stands for is shorter than the text */
    r->at += len;
    return true;
}

/* --- messages: read_object() and the functions between call one another. Only AnyValue can hold
 * itself, and at most two messages lie between two AnyValues: LEAT_OTLP_DEPTH bounds them all. */

static bool read_object(struct reader *r, const struct leat_otlp_message *m);

static bool sub_message(struct reader *r, const struct member *m, bool null)
{
    bool value = m->f->message == &leat_otlp_any_value, ok;
    struct open o;

    if (value && r->values == LEAT_OTLP_DEPTH)
        return wrong(r, r->in.at, "values nested too deep (more than 64)");
    if (m->f->items == LEAT_OTLP_ITEM && r->count.items++ == LEAT_OTLP_RECORDS)
        return wrong(r, r->in.at, "more than 1000000 records in one request");
    r->count.resources += r->level == 1;
    r->level++;
    r->values += value;
    ok = open_message(r, m, &o) && (null || read_object(r, m->f->message)) && close_message(r, &o);
    r->level--;
    r->values -= value;
    return ok;
}

/* The default, where it has to be said. */
static bool put_default(struct reader *r, const struct member *m)
{
    if (m->f->kind == LEAT_OTLP_MESSAGE)
        return sub_message(r, m, true);
    if (leat_scalar_type(m->f) != LEAT_BYTES)
        return put_scalar(r, m->f, m->number, 0);
    if (!room(r, HEAD_MAX))
        return false;
    r->at = leat_wire_put_bytes(r->at, m->number, leat_bytes(NULL, 0));
    return true;
}

static bool read_value(struct reader *r, const struct member *m)
{
    enum leat_otlp_kind kind = (enum leat_otlp_kind)m->f->kind;
    uint64_t v;

    if (kind == LEAT_OTLP_MESSAGE)
        return sub_message(r, m, false);
    if (leat_scalar_type(m->f) == LEAT_BYTES)
        return text_value(r, m);
    if (!leat_otlp_json_scalar(&r->in, m->f, &v))
        return false;
    return (v == 0 && !m->always) || put_scalar(r, m->f, m->number, v);
}

/* Elements of a list of numbers, as one packed field. */
static bool packed(struct reader *r, const struct member *m)
{
    struct member list = *m;
    struct leat_otlp_field f = {.message = &leat_otlp_any_value};
    struct open o;

    list.f = &f;
    if (!open_message(r, &list, &o))
        return false;
    do {
        uint64_t v = 0;
        bool null = leat_json_read_peek(&r->in) == 'n';
        if (r->in.at == r->in.end)
            return wrong(r, r->in.at, "the text ends in the middle of a list");
        if (null ? !leat_json_read_word(&r->in, "null") : !leat_otlp_json_scalar(&r->in, m->f, &v))
            return false;
        if (!put_scalar(r, m->f, 0, v))
            return false;
    } while (leat_json_read_more(&r->in, ']'));
    return r->in.wrong == NULL && close_message(r, &o);
}

/* As leat_quick_attributes(), in the reader's terms. */
static bool quick_attributes(struct reader *r, uint32_t number)
{
    struct leat_quick q = {r->in.at, r->in.end, r->at, r->end};
    bool behind;

    if (r->values == LEAT_OTLP_DEPTH)
        return false;
    behind = leat_quick_attributes(&q, number);
    r->in.at = q.at;
    r->at = q.to;
    return behind;
}

/* As leat_quick_members(), in the reader's terms. */
static bool quick_members(struct reader *r, struct leat_quick_object *o,
                          struct leat_quick_rest *rest)
{
    struct leat_quick q = {r->in.at, r->in.end, r->at, r->end};
    bool behind = leat_quick_members(&q, o, r->values < LEAT_OTLP_DEPTH, rest);

    r->in.at = q.at;
    r->at = q.to;
    return behind;
}

static bool read_element(struct reader *r, const struct member *m)
{
    if (m->f->message == &leat_otlp_key_value && quick_attributes(r, m->number))
        return true;
    if (leat_json_read_peek(&r->in) != 'n')
        return read_value(r, m);
    return leat_json_read_word(&r->in, "null") && put_default(r, m);
}

static bool read_list(struct reader *r, const struct member *m, enum leat_quick_list begun)
{
    if (begun == LEAT_QUICK_WHOLE) {
        if (!leat_json_read_char(&r->in, '[', "expected an array"))
            return false;
        if (leat_json_read_peek(&r->in) == ']') {
            r->in.at++;
            return true;
        }
        if (m->f->kind != LEAT_OTLP_MESSAGE && m->f->kind != LEAT_OTLP_STRING)
            return packed(r, m);
    }
    while (begun == LEAT_QUICK_BEHIND || read_element(r, m)) {
        begun = LEAT_QUICK_WHOLE;
        if (!leat_json_read_more(&r->in, ']'))
            return r->in.wrong == NULL;
    }
    return false;
}

/* null is the default: nothing, unless the field was there before. */
static bool read_null(struct reader *r, const struct member *m, bool before)
{
    bool skip = !before || m->f->repeated || m->f->optional || m->f->kind == LEAT_OTLP_MESSAGE;

    return leat_json_read_word(&r->in, "null") && (skip || put_default(r, m));
}

/* The field whose key is at the cursor as everybody writes it. Keys mostly come in the order of the
 * numbers; what comes is expected next time. Passes over the key and its colon and returns the
 * number; 0: look closer. */
static uint32_t known_key(struct reader *r, struct leat_quick_object *o)
{
    const uint8_t *at = r->in.at;
    size_t left = (size_t)(r->in.end - at);
    uint32_t i = o->last + 1;

    if (left < 2)
        return 0;
    for (uint32_t n = 0; n <= o->m->top; n++, i++) {
        const struct leat_otlp_field *f;
        if (i > o->m->top)
            i = 1;
        f = &o->m->fields[i];
        if (f->name != NULL && (uint8_t)f->key[1] == at[1] && f->key_len <= left &&
            memcmp(f->key, at, f->key_len) == 0) {
            r->in.at += f->key_len;
            o->next[o->last] = i <= LEAT_QUICK_TAG_MAX ? (uint8_t)i : 0;
            return i;
        }
    }
    return 0;
}

static bool read_key(struct reader *r, struct leat_quick_object *o, uint32_t *ret)
{
    struct leat_json_string key;
    uint8_t plain[KEY_MAX];

    *ret = known_key(r, o);
    if (*ret != 0)
        return true;
    if (!leat_json_read_string(&r->in, &key) ||
        !leat_json_read_char(&r->in, ':', "expected ':' after a key"))
        return false;
    if (key.escaped) {
        bool fits = key.raw.len <= KEY_MAX;
        key.raw = leat_bytes(plain, fits ? leat_json_unescape(key.raw, plain, KEY_MAX) : 0);
    }
    *ret = leat_otlp_field_named(o->m, key.raw);
    return true;
}

/* The rest of a member after its key, or of its list. Number 0: nobody's. */
static bool read_rest(struct reader *r, struct leat_quick_object *o, struct leat_quick_rest rest)
{
    uint32_t number = rest.number;
    struct member to = {.f = &o->m->fields[number], .number = number};
    uint8_t c = leat_json_read_peek(&r->in);
    bool begun = rest.list != LEAT_QUICK_WHOLE, before, ok;

    if (number == 0 || (c == 0 && !begun))
        return leat_json_read_skip(&r->in);
    before = o->seen >> number & 1;
    o->last = number;
    o->seen |= UINT32_C(1) << number;
    to.always = before || to.f->optional || to.f->repeated;
    if (to.f->repeated && (c != 'n' || begun))
        ok = read_list(r, &to, rest.list);
    else
        ok = c == 'n' ? read_null(r, &to, before) : read_value(r, &to);
    if (!ok && r->where == NULL) {
        r->where = o->m;
        r->what = to.f;
    }
    return ok;
}

static bool read_object(struct reader *r, const struct leat_otlp_message *m)
{
    struct leat_quick_object o = {.m = m, .next = r->shapes[m->id].next};
    struct leat_quick_rest rest;

    if (!leat_json_read_char(&r->in, '{', "expected an object"))
        return false;
    if (leat_json_read_peek(&r->in) == '}') {
        r->in.at++;
        return true;
    }
    do {
        leat_json_read_peek(&r->in); /* passes over blanks */
        if (quick_members(r, &o, &rest))
            continue;
        if ((rest.number == 0 && !read_key(r, &o, &rest.number)) || !read_rest(r, &o, rest))
            return false;
    } while (leat_json_read_more(&r->in, '}'));
    return r->in.wrong == NULL;
}

/* --- a whole request */

static bool read_request(struct reader *r, enum leat_signal signal)
{
    r->level = 1;
    if (!read_object(r, leat_otlp_request[signal]))
        return false;
    if (leat_json_read_peek(&r->in) != 0 || r->in.at != r->in.end)
        return wrong(r, r->in.at, "more text after the end of the object");
    return true;
}

static void explain(const struct reader *r, struct leat_err *err)
{
    size_t at = (size_t)(r->in.wrong_at - r->in.start);

    if (r->where == NULL)
        leat_fail(err, "OTLP/JSON, byte %zu: %s", at, r->in.wrong);
    else
        leat_fail(err, "OTLP/JSON, byte %zu (%s.%s): %s", at, r->where->name, r->what->json,
                  r->in.wrong);
}

enum leat_json_result leat_otlp_from_json(enum leat_signal signal, struct leat_bytes json,
                                          struct leat_budget *budget, struct leat_buf **ret,
                                          struct leat_otlp_count *ret_count, struct leat_err *err)
{
    struct reader r = {.in = leat_json_read_of(json)};

    *ret = NULL;
    *ret_count = (struct leat_otlp_count){0};
    r.buf = leat_buf_new(budget, json.len / 2 + LEAT_QUICK_ROOM);
    if (r.buf == NULL) {
        leat_fail(err, "no memory for a request of %zu bytes of JSON", json.len);
        return LEAT_JSON_NO_MEMORY;
    }
    r.at = r.buf->data;
    r.end = r.buf->data + r.buf->cap;
    if (!read_request(&r, signal)) {
        explain(&r, err);
        leat_buf_unref(r.buf);
        return r.no_memory ? LEAT_JSON_NO_MEMORY : LEAT_JSON_BAD;
    }
    r.buf->len = (size_t)(r.at - r.buf->data);
    leat_buf_resize(&r.buf, r.buf->len); /* when that fails it only stays larger */
    *ret = r.buf;
    *ret_count = r.count;
    return LEAT_JSON_OK;
}
