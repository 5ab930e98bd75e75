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
#include "proto/otlp_json_quick.h"
#include "proto/otlp_view.h"
#include "proto/wire.h"

#define HEAD_MAX     20 /* a tag and a length, or a tag and a scalar */
#define KEY_MAX      64 /* an escaped key that is longer is nobody's */
#define WIDTHS       64 /* messages whose usual length is remembered */
#define CONTAINERS   3  /* levels of messages that hold most of the text behind them */
#define TRACE_DIGITS 32
#define SPAN_DIGITS  16

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
    uint8_t width[WIDTHS]; /* bytes that the last length of such a message took; 0: not known */
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
static bool open_message(struct reader *r, const struct member *m, struct open *o)
{
    o->usual = &r->width[(uintptr_t)m->f->message / sizeof *m->f->message % WIDTHS];
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

static bool close_message(struct reader *r, const struct open *o)
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

/* Writes a scalar that is not of bytes; `tag` false: as an element of a packed list. */
static bool put_scalar(struct reader *r, const struct member *m, uint64_t v, bool tag)
{
    enum leat_wire_type type = leat_quick_type(m->f);

    if (!room(r, HEAD_MAX))
        return false;
    if (tag)
        r->at = leat_wire_put_tag(r->at, m->number, type);
    if (type == LEAT_VARINT) {
        r->at = leat_wire_put_varint(r->at, v);
    } else {
        size_t size = type == LEAT_FIXED64 ? 8 : 4;
        memcpy(r->at, &v, size); /* little-endian hosts only, as in wire.h */
        r->at += size;
    }
    return true;
}

/* --- scalars */

static bool wrong(struct reader *r, const uint8_t *at, const char *why)
{
    return leat_json_read_fail(&r->in, at, why);
}

/* The number that is there, or in the string that is there. */
static bool any_number(struct reader *r, struct leat_json_number *n)
{
    struct leat_json_read inner;
    struct leat_json_string s;
    const uint8_t *start;

    if (leat_json_read_peek(&r->in) != '"')
        return leat_json_read_number(&r->in, n);
    start = r->in.at;
    if (!leat_json_read_string(&r->in, &s))
        return false;
    inner = leat_json_read_of(s.raw);
    if (s.raw.len == 0 || !(*s.raw.data == '-' || (*s.raw.data >= '0' && *s.raw.data <= '9')) ||
        !leat_json_read_number(&inner, n) || inner.at != inner.end)
        return wrong(r, start, "string is not a number");
    return true;
}

/* An integer as a number or a string. */
static bool integer(struct reader *r, bool *negative, uint64_t *ret)
{
    const uint8_t *start = r->in.at, *after;
    struct leat_json_number n;
    const char *why;

    after = leat_quick_integer(start, r->in.end, negative, ret);
    if (after != NULL) {
        r->in.at = after;
        return true;
    }
    if (!any_number(r, &n))
        return false;
    *negative = n.negative;
    why = leat_json_number_whole(&n, ret);
    return why == NULL || wrong(r, start, why);
}

static bool whole(struct reader *r, uint64_t min, uint64_t max, uint64_t *ret)
{
    const uint8_t *start;
    bool negative;

    leat_json_read_blank(&r->in);
    start = r->in.at;
    if (!integer(r, &negative, ret))
        return false;
    if (*ret > (negative ? min : max))
        return wrong(r, start, "integer out of range");
    if (negative)
        *ret = -*ret;
    return true;
}

static bool real(struct reader *r, uint64_t *ret)
{
    const uint8_t *start = r->in.at;
    struct leat_json_number n;
    const char *why;
    double v;

    r->in.at += leat_quick_special(start, r->in.end, &v);
    if (r->in.at == start) {
        if (!any_number(r, &n))
            return false;
        why = leat_json_number_double(&n, &v);
        if (why != NULL)
            return wrong(r, start, why);
    }
    memcpy(ret, &v, sizeof v);
    return true;
}

static bool boolean(struct reader *r, uint64_t *ret)
{
    uint8_t c = *r->in.at;

    if (c != 't' && c != 'f')
        return wrong(r, r->in.at, "expected true or false");
    *ret = c == 't';
    return leat_json_read_word(&r->in, c == 't' ? "true" : "false");
}

/* The number of a value or its name. */
static bool enumeration(struct reader *r, const struct leat_otlp_field *f, uint64_t *ret)
{
    const uint8_t *start = r->in.at;
    struct leat_json_string s;
    int32_t v;

    if (*start != '"')
        return whole(r, (uint64_t)INT32_MAX + 1, INT32_MAX, ret);
    if (!leat_json_read_string(&r->in, &s))
        return false;
    v = s.escaped ? -1 : leat_otlp_enum_named(f->values, s.raw);
    if (v < 0)
        return wrong(r, start, "not a name of this enum");
    *ret = (uint64_t)v;
    return true;
}

static bool scalar(struct reader *r, const struct leat_otlp_field *f, uint64_t *ret)
{
    switch ((enum leat_otlp_kind)f->kind) {
    case LEAT_OTLP_BOOL:
        return boolean(r, ret);
    case LEAT_OTLP_ENUM:
        return enumeration(r, f, ret);
    case LEAT_OTLP_UINT32:
    case LEAT_OTLP_FIXED32:
        return whole(r, 0, UINT32_MAX, ret);
    case LEAT_OTLP_UINT64:
    case LEAT_OTLP_FIXED64:
        return whole(r, 0, UINT64_MAX, ret);
    case LEAT_OTLP_INT64:
    case LEAT_OTLP_SFIXED64:
        return whole(r, (uint64_t)INT64_MAX + 1, INT64_MAX, ret);
    case LEAT_OTLP_SINT32:
        if (!whole(r, (uint64_t)INT32_MAX + 1, INT32_MAX, ret))
            return false;
        *ret = (uint32_t)(*ret << 1) ^ (uint32_t) - (*ret >> 63);
        return true;
    default:
        return real(r, ret);
    }
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
    if (len != (kind == LEAT_OTLP_TRACE_ID ? TRACE_DIGITS : SPAN_DIGITS)) {
        wrong(r, start,
              kind == LEAT_OTLP_TRACE_ID ? "a trace id has 32 hex digits"
                                         : "a span id has 16 hex digits");
        return -1;
    }
    n = leat_quick_id(to, len, to);
    if (n < 0)
        wrong(r, start, "not hex digits");
    return n > 0 ? (long)len / 2 : n; /* all zero is how an id says that there is none */
}

/* A string that leat_quick_copy() can do: its length takes one byte, and nothing has to be moved.
 */
static inline bool short_string(struct reader *r, const struct member *m)
{
    size_t len;

    if (*r->in.at != '"' || m->number > 15 || r->end - r->at < LEAT_QUICK_ROOM)
        return false;
    len = leat_quick_copy(r->in.at + 1, r->in.end, r->at + 2);
    if (len == SIZE_MAX)
        return false;
    r->in.at += len + 2;
    if (len == 0 && !m->always)
        return true;
    r->at[0] = (uint8_t)(m->number << 3 | LEAT_BYTES);
    r->at[1] = (uint8_t)len;
    r->at += 2 + len;
    return true;
}

/* A value of kind string, bytes or id: copied or decoded to where it stays. */
static bool text_value(struct reader *r, const struct member *m)
{
    enum leat_otlp_kind kind = (enum leat_otlp_kind)m->f->kind;
    const uint8_t *start = r->in.at;
    struct leat_json_string s;
    uint8_t *to;
    size_t len, head;

    if (kind == LEAT_OTLP_STRING && short_string(r, m))
        return true;
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
    if (leat_quick_type(m->f) != LEAT_BYTES)
        return put_scalar(r, m, 0, true);
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
    if (leat_quick_type(m->f) == LEAT_BYTES)
        return text_value(r, m);
    if (!scalar(r, m->f, &v))
        return false;
    return (v == 0 && !m->always) || put_scalar(r, m, v, true);
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
        if (null ? !leat_json_read_word(&r->in, "null") : !scalar(r, m->f, &v))
            return false;
        if (!put_scalar(r, m, v, false))
            return false;
    } while (leat_json_read_more(&r->in, ']'));
    return r->in.wrong == NULL && close_message(r, &o);
}

/* false: not an attribute of the usual shape, nothing was read. */
static inline bool quick_attribute(struct reader *r, const struct member *m)
{
    const uint8_t *after;
    uint8_t *to;

    if (r->values == LEAT_OTLP_DEPTH || m->number > 15 ||
        (r->end - r->at < 2 * LEAT_QUICK_ROOM && !grow(r, 2 * LEAT_QUICK_ROOM)))
        return false;
    after = leat_quick_attribute(r->in.at, r->in.end, m->number, r->at, &to);
    if (after == NULL)
        return false;
    r->in.at = after;
    r->at = to;
    return true;
}

static bool read_list(struct reader *r, const struct member *m)
{
    if (!leat_json_read_char(&r->in, '[', "expected an array"))
        return false;
    if (leat_json_read_peek(&r->in) == ']') {
        r->in.at++;
        return true;
    }
    if (m->f->kind != LEAT_OTLP_MESSAGE && m->f->kind != LEAT_OTLP_STRING)
        return packed(r, m);
    do {
        bool null = leat_json_read_peek(&r->in) == 'n';
        if (m->f->message == &leat_otlp_key_value && quick_attribute(r, m))
            continue;
        if (null ? !leat_json_read_word(&r->in, "null") || !put_default(r, m) : !read_value(r, m))
            return false;
    } while (leat_json_read_more(&r->in, ']'));
    return r->in.wrong == NULL;
}

/* null is the default: nothing, unless the field was there before. */
static bool read_null(struct reader *r, const struct member *m, bool before)
{
    bool skip = !before || m->f->repeated || m->f->optional || m->f->kind == LEAT_OTLP_MESSAGE;

    return leat_json_read_word(&r->in, "null") && (skip || put_default(r, m));
}

/* Passes over the key of a field and its colon when they stand as everybody writes them. Keys
 * mostly come in the order of the numbers, so the search goes on where the last one ended. Returns
 * the number; 0: look closer. */
static inline uint32_t known_key(struct reader *r, const struct leat_otlp_message *m, uint32_t last)
{
    const uint8_t *at = r->in.at;
    size_t left = (size_t)(r->in.end - at);

    if (left < 2)
        return 0;
    for (uint32_t n = 0, i = last + 1; n <= m->top; n++, i++) {
        const struct leat_otlp_field *f;
        if (i > m->top)
            i = 1;
        f = &m->fields[i];
        if (f->name != NULL && (uint8_t)f->key[1] == at[1] && f->key_len <= left &&
            memcmp(f->key, at, f->key_len) == 0) {
            r->in.at += f->key_len;
            return i;
        }
    }
    return 0;
}

static bool read_key(struct reader *r, const struct leat_otlp_message *m, uint32_t last,
                     uint32_t *ret)
{
    struct leat_json_string key;
    uint8_t plain[KEY_MAX];

    leat_json_read_blank(&r->in);
    *ret = known_key(r, m, last);
    if (*ret != 0)
        return true;
    if (!leat_json_read_string(&r->in, &key) ||
        !leat_json_read_char(&r->in, ':', "expected ':' after a key"))
        return false;
    if (key.escaped) {
        bool fits = key.raw.len <= KEY_MAX;
        key.raw = leat_bytes(plain, fits ? leat_json_unescape(key.raw, plain, KEY_MAX) : 0);
    }
    *ret = leat_otlp_field_named(m, key.raw);
    return true;
}

static bool read_member(struct reader *r, const struct leat_otlp_message *m, uint32_t *last,
                        uint32_t *seen)
{
    struct member to;
    bool before, ok;
    uint8_t c;

    if (!read_key(r, m, *last, &to.number))
        return false;
    c = leat_json_read_peek(&r->in);
    if (to.number == 0 || c == 0)
        return leat_json_read_skip(&r->in);
    *last = to.number;
    to.f = &m->fields[to.number];
    before = *seen >> to.number & 1;
    *seen |= UINT32_C(1) << to.number;
    to.always = before || to.f->optional || to.f->repeated;
    if (c == 'n')
        ok = read_null(r, &to, before);
    else
        ok = to.f->repeated ? read_list(r, &to) : read_value(r, &to);
    if (!ok && r->where == NULL) {
        r->where = m;
        r->what = to.f;
    }
    return ok;
}

static bool read_object(struct reader *r, const struct leat_otlp_message *m)
{
    uint32_t last = 0, seen = 0;

    if (!leat_json_read_char(&r->in, '{', "expected an object"))
        return false;
    if (leat_json_read_peek(&r->in) == '}') {
        r->in.at++;
        return true;
    }
    do {
        if (!read_member(r, m, &last, &seen))
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
    r.buf = leat_buf_new(budget, json.len / 2 + 4 * HEAD_MAX);
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
