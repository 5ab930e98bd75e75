/* What is said about a request, written for our callers and read from our destinations. */
#include "proto/otlp_reply.h"

#include <string.h>

#include "base/json_quote.h"
#include "proto/json_read.h"
#include "proto/json_write.h"
#include "proto/otlp.h"
#include "proto/otlp_make.h"
#include "proto/wire.h"

#define RETRY_INFO "type.googleapis.com/google.rpc.RetryInfo"

#define TEXT_MAX    256             /* a message with its end, as in the header */
#define DETAILS_MAX 64              /* entries of a status' details that are looked at */
#define KEY_MAX     64              /* longer keys in JSON are nobody's */
#define DELAY_MAX_S INT64_C(604800) /* a week: longer delays are read as this */

/* --- writing */

static bool has_partial(const struct leat_otlp_partial *p)
{
    return p != NULL && (p->rejected != 0 || p->message[0] != '\0');
}

static void response_json(enum leat_signal signal, const struct leat_otlp_partial *p,
                          struct leat_text *out)
{
    const struct leat_otlp_field *partial = leat_otlp_field(leat_otlp_answer[signal], 1);

    leat_text_printf(out, "{\"%s\":{", partial->json);
    if (p->rejected != 0)
        leat_text_printf(out, "\"%s\":\"%llu\"", leat_otlp_field(partial->message, 1)->json,
                         (unsigned long long)p->rejected);
    if (p->message[0] != '\0') {
        leat_text_str(out, p->rejected != 0 ? ",\"errorMessage\":" : "\"errorMessage\":");
        leat_json_quote(out, leat_bytes_str(p->message));
    }
    leat_text_str(out, "}}");
}

void leat_otlp_response(enum leat_signal signal, const struct leat_otlp_partial *partial, bool json,
                        struct leat_text *out)
{
    struct leat_make m;

    if (!has_partial(partial)) {
        if (json)
            leat_text_str(out, "{}");
        return;
    }
    if (json) {
        response_json(signal, partial, out);
        return;
    }
    /* Export…ServiceResponse.partial_success = 1 { rejected_… = 1, error_message = 2 } */
    leat_make_init(&m, out);
    leat_make_open(&m, 1);
    if (partial->rejected != 0)
        leat_make_varint(&m, 1, partial->rejected);
    if (partial->message[0] != '\0')
        leat_make_string(&m, 2, partial->message);
    leat_make_close(&m);
}

static void status_json(const struct leat_rpc_status *st, struct leat_text *out)
{
    leat_text_printf(out, "{\"code\":%u,\"message\":", (unsigned)st->code);
    leat_json_quote(out, leat_bytes_str(st->message));
    if (st->has_delay) {
        leat_text_str(out, ",\"details\":[{\"@type\":\"" RETRY_INFO "\",\"retryDelay\":\"");
        leat_text_printf(out, "%u", (unsigned)(st->delay_ms / 1000));
        if (st->delay_ms % 1000 != 0)
            leat_text_printf(out, ".%03u", (unsigned)(st->delay_ms % 1000));
        leat_text_str(out, "s\"}]");
    }
    leat_text_char(out, '}');
}

void leat_rpc_status_write(const struct leat_rpc_status *st, bool json, struct leat_text *out)
{
    struct leat_make m;

    if (json) {
        status_json(st, out);
        return;
    }
    leat_make_init(&m, out);
    if (st->code != 0)
        leat_make_varint(&m, 1, st->code);
    if (st->message[0] != '\0')
        leat_make_string(&m, 2, st->message);
    if (!st->has_delay)
        return;
    leat_make_open(&m, 3); /* Status.details: Any { type_url = 1, value = 2 } */
    leat_make_string(&m, 1, RETRY_INFO);
    leat_make_open(&m, 2);
    leat_make_open(&m, 1); /* RetryInfo.retry_delay: Duration { seconds = 1, nanos = 2 } */
    if (st->delay_ms >= 1000)
        leat_make_varint(&m, 1, st->delay_ms / 1000);
    if (st->delay_ms % 1000 != 0)
        leat_make_varint(&m, 2, (uint64_t)(st->delay_ms % 1000) * 1000000);
    leat_make_close(&m);
    leat_make_close(&m);
    leat_make_close(&m);
}

/* --- reading: what both encodings share */

/* Copies text, cut between characters; what is not UTF-8 becomes '?', control characters blanks, so
 * that it can stand in a log line. */
static void set_message(char *to, struct leat_bytes from)
{
    size_t at = 0, i = 0;

    while (i < from.len) {
        uint8_t c = from.data[i];
        size_t len = leat_utf8_len(leat_bytes(from.data + i, from.len - i));

        if (len == 0) {
            len = 1;
            c = '?';
        }
        if (at + len >= TEXT_MAX)
            break;
        if (len == 1)
            to[at] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
        else
            memcpy(to + at, from.data + i, len);
        at += len;
        i += len;
    }
    to[at] = '\0';
}

static void set_delay(struct leat_rpc_status *st, int64_t seconds, int64_t nanos)
{
    if (seconds < 0 || nanos < 0)
        seconds = nanos = 0;
    if (nanos > 999999999)
        nanos = 999999999;
    st->has_delay = true;
    st->delay_ms = seconds >= DELAY_MAX_S ? (uint32_t)(DELAY_MAX_S * 1000)
                                          : (uint32_t)(seconds * 1000 + (nanos + 999999) / 1000000);
}

/* The count is an int64 by its schema; below zero means nothing. */
static uint64_t rejected_of(uint64_t number)
{
    return number > INT64_MAX ? 0 : number;
}

/* --- reading protobuf */

static int read_partial(struct leat_bytes body, struct leat_otlp_partial *ret)
{
    struct leat_wire w = leat_wire_of(body);
    struct leat_wire_field f;
    int more;

    while ((more = leat_wire_next(&w, &f)) > 0) {
        if ((f.field == 1 && f.type != LEAT_VARINT) || (f.field == 2 && f.type != LEAT_BYTES))
            return -1;
        if (f.field == 1)
            ret->rejected = rejected_of(f.number);
        else if (f.field == 2)
            set_message(ret->message, f.bytes);
    }
    return more;
}

static int read_response(struct leat_bytes body, struct leat_otlp_partial *ret)
{
    struct leat_wire w = leat_wire_of(body);
    struct leat_wire_field f;
    int more;

    while ((more = leat_wire_next(&w, &f)) > 0) {
        if (f.field == 1 && (f.type != LEAT_BYTES || read_partial(f.bytes, ret) < 0))
            return -1;
    }
    return more;
}

static int read_duration(struct leat_bytes body, struct leat_rpc_status *ret)
{
    struct leat_wire w = leat_wire_of(body);
    struct leat_wire_field f;
    int64_t seconds = 0, nanos = 0;
    int more;

    while ((more = leat_wire_next(&w, &f)) > 0) {
        if ((f.field == 1 || f.field == 2) && f.type != LEAT_VARINT)
            return -1;
        if (f.field == 1)
            seconds = (int64_t)f.number;
        else if (f.field == 2)
            nanos = (int64_t)f.number;
    }
    if (more == 0)
        set_delay(ret, seconds, nanos);
    return more;
}

static int read_retry_info(struct leat_bytes body, struct leat_rpc_status *ret)
{
    struct leat_wire w = leat_wire_of(body);
    struct leat_wire_field f;
    int more;

    ret->has_delay = true;
    while ((more = leat_wire_next(&w, &f)) > 0) {
        if (f.field == 1 && (f.type != LEAT_BYTES || read_duration(f.bytes, ret) < 0))
            return -1;
    }
    return more;
}

static int read_any(struct leat_bytes body, struct leat_rpc_status *ret)
{
    struct leat_wire w = leat_wire_of(body);
    struct leat_wire_field f;
    struct leat_bytes url = {0}, value = {0};
    int more;

    while ((more = leat_wire_next(&w, &f)) > 0) {
        if ((f.field == 1 || f.field == 2) && f.type != LEAT_BYTES)
            return -1;
        if (f.field == 1)
            url = f.bytes;
        else if (f.field == 2)
            value = f.bytes;
    }
    if (more == 0 && leat_bytes_is(url, RETRY_INFO))
        return read_retry_info(value, ret);
    return more;
}

static int read_status(struct leat_bytes body, struct leat_rpc_status *ret)
{
    struct leat_wire w = leat_wire_of(body);
    struct leat_wire_field f;
    uint32_t details = 0;
    int more;

    while ((more = leat_wire_next(&w, &f)) > 0) {
        if ((f.field == 1 && f.type != LEAT_VARINT) ||
            ((f.field == 2 || f.field == 3) && f.type != LEAT_BYTES))
            return -1;
        if (f.field == 1)
            ret->code = (uint32_t)f.number;
        else if (f.field == 2)
            set_message(ret->message, f.bytes);
        else if (f.field == 3 && details++ < DETAILS_MAX && read_any(f.bytes, ret) < 0)
            return -1;
    }
    return more;
}

/* --- reading JSON */

/* Calls `member` for every member of an object, the cursor on its value, which it must pass. */
typedef bool member_fn(struct leat_json_read *j, struct leat_bytes key, void *to);

static bool read_object(struct leat_json_read *j, member_fn *member, void *to)
{
    if (leat_json_read_peek(j) == 'n')
        return leat_json_read_word(j, "null");
    if (!leat_json_read_char(j, '{', "expected an object"))
        return false;
    if (leat_json_read_peek(j) == '}') {
        j->at++;
        return true;
    }
    do {
        struct leat_json_string key;
        uint8_t plain[KEY_MAX];

        if (!leat_json_read_string(j, &key) ||
            !leat_json_read_char(j, ':', "expected ':' after a key"))
            return false;
        if (key.escaped) {
            bool fits = key.raw.len <= sizeof plain;
            key.raw = leat_bytes(plain, fits ? leat_json_unescape(key.raw, plain, KEY_MAX) : 0);
        }
        if (!member(j, key.raw, to))
            return false;
    } while (leat_json_read_more(j, '}'));
    return j->wrong == NULL;
}

static bool is(struct leat_bytes key, const char *camel, const char *snake)
{
    return leat_bytes_is(key, camel) || leat_bytes_is(key, snake);
}

static bool read_text(struct leat_json_read *j, char *to)
{
    struct leat_json_string s;
    uint8_t plain[TEXT_MAX];

    if (leat_json_read_peek(j) == 'n')
        return leat_json_read_word(j, "null");
    if (!leat_json_read_string(j, &s))
        return false;
    if (s.escaped)
        s.raw = leat_bytes(plain, leat_json_unescape(s.raw, plain, sizeof plain));
    set_message(to, s.raw);
    return true;
}

/* A number, or a decimal string. */
static bool read_count(struct leat_json_read *j, uint64_t *ret)
{
    struct leat_json_read inner;
    struct leat_json_string s;
    struct leat_json_number n;
    uint64_t v;

    if (leat_json_read_peek(j) == 'n')
        return leat_json_read_word(j, "null");
    if (leat_json_read_peek(j) == '"') {
        if (!leat_json_read_string(j, &s))
            return false;
        inner = leat_json_read_of(s.raw);
        if (!leat_json_read_number(&inner, &n) || inner.at != inner.end)
            return leat_json_read_fail(j, j->at, "expected a number");
    } else if (!leat_json_read_number(j, &n)) {
        return false;
    }
    if (leat_json_number_whole(&n, &v) != NULL)
        return leat_json_read_fail(j, j->at, "number out of range");
    *ret = n.negative ? 0 : rejected_of(v);
    return true;
}

static bool partial_member(struct leat_json_read *j, struct leat_bytes key, void *to)
{
    struct leat_otlp_partial *p = to;

    if (is(key, "errorMessage", "error_message"))
        return read_text(j, p->message);
    if (is(key, "rejectedSpans", "rejected_spans") ||
        is(key, "rejectedDataPoints", "rejected_data_points") ||
        is(key, "rejectedLogRecords", "rejected_log_records"))
        return read_count(j, &p->rejected);
    return leat_json_read_skip(j);
}

static bool response_member(struct leat_json_read *j, struct leat_bytes key, void *to)
{
    if (is(key, "partialSuccess", "partial_success"))
        return read_object(j, partial_member, to);
    return leat_json_read_skip(j);
}

struct detail {
    char type[TEXT_MAX], delay[TEXT_MAX];
};

static bool detail_member(struct leat_json_read *j, struct leat_bytes key, void *to)
{
    struct detail *d = to;

    if (leat_bytes_is(key, "@type"))
        return read_text(j, d->type);
    if (is(key, "retryDelay", "retry_delay") && leat_json_read_peek(j) == '"')
        return read_text(j, d->delay);
    return leat_json_read_skip(j);
}

/* "1.5s": a duration in protobuf's JSON form. */
static void delay_of(struct leat_rpc_status *st, const char *text)
{
    struct leat_json_read j = leat_json_read_of(leat_bytes_str(text));
    struct leat_json_number n;
    double seconds;

    st->has_delay = true;
    if (!leat_json_read_number(&j, &n) || j.end - j.at != 1 || *j.at != 's' ||
        leat_json_number_double(&n, &seconds) != NULL || seconds < 0)
        return;
    if (seconds > (double)DELAY_MAX_S)
        seconds = (double)DELAY_MAX_S;
    set_delay(st, (int64_t)seconds, (int64_t)((seconds - (double)(int64_t)seconds) * 1e9 + 0.5));
}

static bool read_details(struct leat_json_read *j, struct leat_rpc_status *st)
{
    uint32_t count = 0;

    if (leat_json_read_peek(j) == 'n')
        return leat_json_read_word(j, "null");
    if (!leat_json_read_char(j, '[', "expected an array"))
        return false;
    if (leat_json_read_peek(j) == ']') {
        j->at++;
        return true;
    }
    do {
        struct detail d = {.type = ""};

        if (count++ >= DETAILS_MAX ? !leat_json_read_skip(j) : !read_object(j, detail_member, &d))
            return false;
        if (strcmp(d.type, RETRY_INFO) == 0)
            delay_of(st, d.delay);
    } while (leat_json_read_more(j, ']'));
    return j->wrong == NULL;
}

static bool status_member(struct leat_json_read *j, struct leat_bytes key, void *to)
{
    struct leat_rpc_status *st = to;
    uint64_t code = 0;

    if (leat_bytes_is(key, "message"))
        return read_text(j, st->message);
    if (leat_bytes_is(key, "details"))
        return read_details(j, st);
    if (!leat_bytes_is(key, "code"))
        return leat_json_read_skip(j);
    if (!read_count(j, &code))
        return false;
    st->code = code > UINT32_MAX ? 2 : (uint32_t)code;
    return true;
}

static int read_json(struct leat_bytes body, member_fn *member, void *to)
{
    struct leat_json_read j = leat_json_read_of(body);

    if (leat_json_read_peek(&j) != '{' || !read_object(&j, member, to))
        return -1;
    return leat_json_read_peek(&j) == 0 && j.at == j.end ? 0 : -1;
}

int leat_otlp_response_read(enum leat_signal signal, struct leat_bytes body, bool json,
                            struct leat_otlp_partial *ret)
{
    int r;

    (void)signal; /* the three answers have the same numbers, and their names do not clash */
    *ret = (struct leat_otlp_partial){0};
    r = json ? read_json(body, response_member, ret) : read_response(body, ret);
    if (r < 0)
        *ret = (struct leat_otlp_partial){0};
    return r;
}

int leat_rpc_status_read(struct leat_bytes body, bool json, struct leat_rpc_status *ret)
{
    int r;

    *ret = (struct leat_rpc_status){0};
    r = json ? read_json(body, status_member, ret) : read_status(body, ret);
    if (r < 0)
        *ret = (struct leat_rpc_status){0};
    return r;
}

/* --- codes */

static const struct {
    const char *name;
    uint32_t http;
} codes[] = {
    {"OK", 200},
    {"CANCELLED", 503},
    {"UNKNOWN", 500},
    {"INVALID_ARGUMENT", 400},
    {"DEADLINE_EXCEEDED", 503},
    {"NOT_FOUND", 500},
    {"ALREADY_EXISTS", 500},
    {"PERMISSION_DENIED", 403},
    {"RESOURCE_EXHAUSTED", 429},
    {"FAILED_PRECONDITION", 500},
    {"ABORTED", 503},
    {"OUT_OF_RANGE", 503},
    {"UNIMPLEMENTED", 404},
    {"INTERNAL", 500},
    {"UNAVAILABLE", 503},
    {"DATA_LOSS", 503},
    {"UNAUTHENTICATED", 401},
};

uint32_t leat_grpc_to_http(uint32_t code)
{
    return code < sizeof codes / sizeof *codes ? codes[code].http : 500;
}

bool leat_grpc_may_retry(uint32_t code, bool has_delay)
{
    uint32_t http = leat_grpc_to_http(code); /* the same codes are "again" there */

    return http == 503 || (http == 429 && has_delay);
}

uint32_t leat_http_to_grpc(uint32_t status)
{
    switch (status) {
    case 400:
        return 3;
    case 401:
        return 16;
    case 403:
        return 7;
    case 404:
        return 12;
    case 429:
        return 8;
    case 502:
    case 503:
    case 504:
        return 14;
    default:
        return status >= 200 && status < 300 ? 0 : 2;
    }
}

const char *leat_grpc_code_name(uint32_t code)
{
    return code < sizeof codes / sizeof *codes ? codes[code].name : "UNKNOWN";
}
