/* Where a call keeps its request headers: records one after the other, inside the call while they
 * are small, in one charged buffer when they are not.
 *
 * A record is two 16-bit lengths, the name and a zero byte, the value and a zero byte. Names that
 * begin with a colon are our own (":method", ":path"). */
#include "base/buf.h"
#include "base/mem.h"
#include "io/server_internal.h"

#define RECORD_HEAD 4
#define PARAM_MAX   4096 /* bytes of a query parameter, decoded; longer ones are not handed on */

/* Headers that are kept when nobody asked for all of them. */
#define NAME(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
static const struct leat_bytes wanted[] = {
    NAME(":method"),
    NAME(":path"),
    NAME("access-control-request-headers"),
    NAME("access-control-request-method"),
    NAME("authorization"),
    NAME("content-encoding"),
    NAME("content-length"),
    NAME("content-type"),
    NAME("expect"),
    NAME("grpc-encoding"),
    NAME("grpc-timeout"),
    NAME("host"),
    NAME("origin"),
    NAME("transfer-encoding"),
    NAME("user-agent"),
};
#undef NAME

static uint8_t *store(const struct leat_call *c)
{
    /* The call is ours to change; callers that only look get const bytes. */
    union {
        const uint8_t *in;
        uint8_t *out;
    } head = {.in = c->head};

    return c->more ? c->more->data : head.out;
}

void leat_head_abandon(struct leat_call *c)
{
    if (c->open)
        c->head_len = c->record;
    c->open = false;
}

static bool make_room(struct leat_call *c, size_t len)
{
    size_t cap = c->more ? c->more->cap : LEAT_HEAD_ROOM;
    size_t need = c->head_len + len;

    if (need <= cap)
        return true;
    while (cap < need)
        cap *= 2;
    if (c->more != NULL) {
        c->more->len = c->head_len;
        return leat_buf_resize(&c->more, cap) == 0;
    }
    c->more = leat_buf_new(leat_peer_budget(c->peer), cap);
    if (c->more == NULL)
        return false;
    memcpy(c->more->data, c->head, c->head_len);
    return true;
}

/* Counts against the caps first, then keeps the bytes. */
static uint8_t *append_checked(struct leat_call *c, const void *data, size_t len)
{
    uint8_t *at;

    if (len > LEAT_HEAD_MAX || c->head_total > LEAT_HEAD_MAX - len)
        c->too_long = true;
    else
        c->head_total += len;
    if (c->skip)
        return NULL;
    if (!c->too_long && !c->no_memory)
        c->no_memory = !make_room(c, len);
    if (c->too_long || c->no_memory) {
        leat_head_abandon(c);
        return NULL;
    }
    at = store(c) + c->head_len;
    memcpy(at, data, len);
    c->head_len += (uint32_t)len;
    return at;
}

/* Mostly there is room inside the call and no cap is near. */
static inline uint8_t *append(struct leat_call *c, const void *data, size_t len)
{
    uint8_t *at;

    if (c->skip || c->too_long || c->no_memory || c->more != NULL ||
        len > LEAT_HEAD_ROOM - c->head_len || len > LEAT_HEAD_MAX - c->head_total)
        return append_checked(c, data, len);
    at = c->head + c->head_len;
    c->head_total += len;
    c->head_len += (uint32_t)len;
    memcpy(at, data, len);
    return at;
}

static void put16(uint8_t *at, size_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static size_t get16(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

static bool is_wanted(const struct leat_call *c, struct leat_bytes name)
{
    if (c->peer->server->keep_heads)
        return true;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (leat_bytes_eq(name, wanted[i]))
            return true;
    return false;
}

void leat_head_open(struct leat_call *c)
{
    static const uint8_t zeros[RECORD_HEAD];

    c->skip = false;
    c->open = true;
    c->record = c->head_len;
    c->head_total += 32 - RECORD_HEAD - 2;
    if (++c->nheads > LEAT_HEADS_MAX || c->head_total > LEAT_HEAD_MAX)
        c->too_long = true;
    append(c, zeros, sizeof zeros);
}

void leat_head_name(struct leat_call *c, const uint8_t *data, size_t len)
{
    uint8_t *at = append(c, data, len);

    for (size_t i = 0; at != NULL && i < len; i++)
        if (at[i] >= 'A' && at[i] <= 'Z')
            at[i] += 'a' - 'A';
}

void leat_head_middle(struct leat_call *c)
{
    uint8_t *at = store(c) + c->record;
    struct leat_bytes name;

    if (!c->open)
        return;
    name = leat_bytes(at + RECORD_HEAD, c->head_len - c->record - RECORD_HEAD);
    if (!is_wanted(c, name)) {
        leat_head_abandon(c);
        c->skip = true;
        return;
    }
    put16(at, name.len);
    append(c, "", 1);
}

void leat_head_value(struct leat_call *c, const uint8_t *data, size_t len)
{
    append(c, data, len);
}

void leat_head_close(struct leat_call *c)
{
    uint8_t *at;
    size_t begin;

    append(c, "", 1);
    if (!c->open)
        return;
    c->open = false;
    at = store(c) + c->record;
    begin = c->record + RECORD_HEAD + get16(at) + 1;
    put16(at + 2, c->head_len - begin - 1);
}

void leat_head_add(struct leat_call *c, struct leat_bytes name, struct leat_bytes value)
{
    leat_head_open(c);
    leat_head_name(c, name.data, name.len);
    leat_head_middle(c);
    leat_head_value(c, value.data, value.len);
    leat_head_close(c);
}

/* Reads the record at `at`; returns where the next one is. */
static size_t record_at(const struct leat_call *c, size_t at, struct leat_bytes *ret_name,
                        struct leat_bytes *ret_value)
{
    const uint8_t *r = store(c) + at;
    size_t nlen = get16(r), vlen = get16(r + 2);

    *ret_name = leat_bytes(r + RECORD_HEAD, nlen);
    *ret_value = leat_bytes(r + RECORD_HEAD + nlen + 1, vlen);
    return at + RECORD_HEAD + nlen + vlen + 2;
}

struct leat_bytes leat_head_find(const struct leat_call *c, const char *name)
{
    struct leat_bytes n, v, wanted_name = leat_bytes_str(name);

    for (size_t at = 0; at < c->head_len;) {
        at = record_at(c, at, &n, &v);
        if (leat_bytes_eq(n, wanted_name))
            return v;
    }
    return leat_bytes(NULL, 0);
}

/* --- query parameters */

static int hex(uint8_t b)
{
    return b >= '0' && b <= '9'   ? b - '0'
           : b >= 'a' && b <= 'f' ? b - 'a' + 10
           : b >= 'A' && b <= 'F' ? b - 'A' + 10
                                  : -1;
}

/* Percent-decodes into `out`; returns the length, -1: too long, malformed, or bytes that no header
 * may have. */
static long decode_param(struct leat_bytes in, uint8_t out[PARAM_MAX])
{
    long n = 0;

    for (size_t i = 0; i < in.len; i++) {
        int b = in.data[i] == '+' ? ' ' : in.data[i];

        if (b == '%') {
            if (in.len - i < 3 || hex(in.data[i + 1]) < 0 || hex(in.data[i + 2]) < 0)
                return -1;
            b = hex(in.data[i + 1]) * 16 + hex(in.data[i + 2]);
            i += 2;
        }
        if (n == PARAM_MAX || b < ' ' || b == 0x7f)
            return -1;
        out[n++] = (uint8_t)b;
    }
    return n;
}

/* The first value that the query has for `name`. */
static bool find_param(struct leat_bytes query, const char *name, struct leat_bytes *ret)
{
    size_t len = strlen(name);

    while (query.len != 0) {
        const uint8_t *amp = memchr(query.data, '&', query.len);
        size_t n = amp != NULL ? (size_t)(amp - query.data) : query.len;

        if (n > len && query.data[len] == '=' && memcmp(query.data, name, len) == 0) {
            *ret = leat_bytes(query.data + len + 1, n - len - 1);
            return true;
        }
        n += amp != NULL;
        query = leat_bytes(query.data + n, query.len - n);
    }
    return false;
}

void leat_head_add_params(struct leat_call *c, struct leat_bytes query,
                          const struct leat_strings *names)
{
    size_t at = query.len != 0 ? (size_t)(query.data - store(c)) : 0;
    uint8_t decoded[PARAM_MAX];
    struct leat_bytes value;

    for (uint32_t i = 0; i < names->count && query.len != 0; i++) {
        long n = -1;

        query.data = store(c) + at; /* adding may have moved it */
        if (find_param(query, names->items[i], &value))
            n = decode_param(value, decoded);
        if (n > 0)
            leat_head_add(c, leat_bytes_str(names->items[i]), leat_bytes(decoded, (size_t)n));
    }
}

struct leat_bytes leat_call_header(const struct leat_call *call, const char *name)
{
    return leat_head_find(call, name);
}

void leat_call_headers(const struct leat_call *call,
                       bool (*visit)(void *arg, struct leat_bytes name, struct leat_bytes value),
                       void *arg)
{
    struct leat_bytes n, v;

    for (size_t at = 0; at < call->head_len;) {
        at = record_at(call, at, &n, &v);
        if (n.data[0] != ':' && !visit(arg, n, v))
            return;
    }
}
