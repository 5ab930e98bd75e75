/* HTTP/1.1: what the parser tells of a request, and what is looked at before it.
 *
 * Bytes of a header block are judged here first, so that what other parsers might read differently
 * never gets further: bare LF or CR, folded lines, blanks in names, NUL. */
#include "io/server_h1.h"

#define REQUEST_LINE_MAX ((size_t)8 * 1024)
#define HEAD_BYTES_MAX   LEAT_HEAD_MAX
/* A refused request leaves the connection usable when its body is not longer than this. */
#define SKIP_MAX ((uint64_t)256 * 1024)

static struct leat_h1 *of_parser(llhttp_t *parser)
{
    return parser->data;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct leat_h1 *h = of_parser(parser);

    if (!h->call->open) {
        leat_head_open(h->call);
        leat_head_name(h->call, (const uint8_t *)":path", 5);
        leat_head_middle(h->call);
    }
    leat_head_value(h->call, (const uint8_t *)at, len);
    return 0;
}

static int on_url_complete(llhttp_t *parser)
{
    leat_head_close(of_parser(parser)->call);
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct leat_h1 *h = of_parser(parser);

    if (h->phase != LEAT_H1_HEAD)
        return 0; /* a trailer */
    if (!h->in_name) {
        h->in_name = true;
        leat_head_open(h->call);
    }
    leat_head_name(h->call, (const uint8_t *)at, len);
    return 0;
}

static int on_field_complete(llhttp_t *parser)
{
    struct leat_h1 *h = of_parser(parser);

    h->in_name = false;
    if (h->phase == LEAT_H1_HEAD)
        leat_head_middle(h->call);
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct leat_h1 *h = of_parser(parser);

    if (h->phase == LEAT_H1_HEAD)
        leat_head_value(h->call, (const uint8_t *)at, len);
    return 0;
}

static int on_value_complete(llhttp_t *parser)
{
    struct leat_h1 *h = of_parser(parser);

    if (h->phase == LEAT_H1_HEAD)
        leat_head_close(h->call);
    return 0;
}

/* "100-continue" is the only expectation there is (RFC 9110 section 10.1.1). False: answered. */
static bool meet_expectation(struct leat_h1 *h)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct leat_bytes expect = leat_head_find(h->call, "expect"), piece;

    if (expect.len == 0 || h->parser.http_minor == 0)
        return true;
    if (!leat_bytes_is_nocase(expect, "100-continue")) {
        leat_call_refuse(h->call, LEAT_REFUSED_MALFORMED, 417, "unknown expectation");
        return false;
    }
    piece = leat_bytes(go_on, sizeof go_on - 1);
    leat_conn_write(h->p->conn, &piece, 1);
    return true;
}

static bool count_hosts(void *arg, struct leat_bytes name, struct leat_bytes value)
{
    unsigned *hosts = arg;

    (void)value;
    *hosts += leat_bytes_is(name, "host");
    return true;
}

/* One Host, no more and (in HTTP/1.1) no less: RFC 9112 section 3.2. */
static bool host_is_sound(struct leat_h1 *h)
{
    unsigned hosts = 0;
    const struct leat_call *c = h->call;

    leat_call_headers(c, count_hosts, &hosts);
    if (hosts == 1 || (hosts == 0 && h->parser.http_minor == 0))
        return true;
    leat_call_refuse(h->call, LEAT_REFUSED_MALFORMED, 0, "a request needs exactly one Host header");
    return false;
}

struct codings {
    unsigned count;
    bool unknown;
};

static bool look_at_coding(void *arg, struct leat_bytes name, struct leat_bytes value)
{
    struct codings *found = arg;

    if (!leat_bytes_is(name, "transfer-encoding"))
        return true;
    while (value.len != 0 &&
           (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
        value.len--;
    found->count++;
    found->unknown |= !leat_bytes_is_nocase(value, "chunked");
    return true;
}

/* "chunked", once, and not in HTTP/1.0 (RFC 9112 section 6.1): whoever says more might mean another
 * end of the body than we do. */
static bool coding_is_sound(struct leat_h1 *h)
{
    struct codings found = {0};

    leat_call_headers(h->call, look_at_coding, &found);
    if (found.count == 0)
        return true;
    if (h->parser.http_minor == 0)
        leat_call_refuse(h->call, LEAT_REFUSED_MALFORMED, 0,
                         "Transfer-Encoding in an HTTP/1.0 request");
    else if (found.count > 1 || !(h->parser.flags & F_CHUNKED))
        leat_call_refuse(h->call, LEAT_REFUSED_MALFORMED, 0,
                         "Transfer-Encoding must say chunked, once");
    else if (found.unknown)
        leat_call_refuse(h->call, LEAT_REFUSED_ENCODING, 501,
                         "the only transfer coding known here is chunked");
    else
        return true;
    return false;
}

/* What is judged before the service's routes are. False: answered. */
static bool head_is_sound(struct leat_h1 *h)
{
    struct leat_call *c = h->call;

    h->last = true; /* who makes such mistakes is not to be believed about what follows */
    if (h->p->server->env.grpc_only)
        leat_call_refuse(c, LEAT_REFUSED_MALFORMED, 0,
                         "this port speaks gRPC over HTTP/2; OTLP/HTTP is usually port 4318");
    else if (h->parser.http_major != 1)
        leat_call_refuse(c, LEAT_REFUSED_MALFORMED, 505, "HTTP/1.1 is spoken here");
    else if (c->too_long || c->no_memory || (host_is_sound(h) && coding_is_sound(h))) {
        h->last = false;
        return true;
    }
    return false;
}

/* A refused request leaves the connection usable when its body is short and will surely come. */
static void plan_refusal(struct leat_h1 *h, uint64_t length)
{
    bool waits = leat_head_find(h->call, "expect").len != 0;

    h->stopped = true;
    h->complete = length == 0 || (length <= SKIP_MAX && !waits);
    h->skip = h->complete ? length : 0;
}

static int on_headers(llhttp_t *parser)
{
    struct leat_h1 *h = of_parser(parser);
    struct leat_call *c = h->call;
    bool chunked = parser->flags & F_CHUNKED;
    uint64_t length = chunked                            ? UINT64_MAX
                      : parser->flags & F_CONTENT_LENGTH ? parser->content_length
                                                         : 0;

    parser->upgrade = 0; /* we never change to another protocol */
    leat_head_add(c, leat_bytes_str(":method"),
                  leat_bytes_str(llhttp_method_name(llhttp_get_method(parser))));
    h->phase = LEAT_H1_BODY;
    plan_refusal(h, length);
    if (!head_is_sound(h) || !leat_call_admit(c, length, false) ||
        (length != 0 && !meet_expectation(h)))
        return HPE_USER;
    h->stopped = h->complete = false;
    h->skip = 0;
    h->direct = !chunked && c->body != NULL;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct leat_h1 *h = of_parser(parser);

    if (leat_call_body(h->call, (const uint8_t *)at, len))
        return 0;
    h->stopped = true;
    return HPE_USER;
}

static int on_complete(llhttp_t *parser)
{
    of_parser(parser)->complete = true;
    return HPE_PAUSED;
}

const llhttp_settings_t leat_h1_parser = {
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_header_field = on_field,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* The length of the line at `data` with its CRLF, when that is whole and nothing in it needs a
 * second look; else 0, and it is looked at byte by byte. */
static size_t plain_line(const struct leat_h1 *h, const uint8_t *data, size_t len)
{
    const uint8_t *end = memchr(data, '\n', len);
    size_t n = end != NULL ? (size_t)(end - data) : 0, i = 0;

    if (n == 0 || n >= REQUEST_LINE_MAX || h->head + n + 1 > HEAD_BYTES_MAX ||
        memchr(data, '\r', n) != end - 1 || memchr(data, '\0', n) != NULL)
        return 0;
    if (h->lines == 0 || n == 1)
        return n + 1;
    while (data[i] != ':' && data[i] != ' ' && data[i] != '\t' && data[i] != '\r')
        i++;
    return i != 0 && data[i] == ':' ? n + 1 : 0;
}

/* Takes one byte of a line. Returns the status to refuse with, or 0. */
static uint32_t scan_byte(struct leat_h1 *h, uint8_t b)
{
    uint8_t prev = h->prev;

    h->prev = b;
    h->head++;
    if (prev == '\r' ? b != '\n' : b == '\n')
        return 400; /* a bare CR or LF */
    if (h->lines != 0 && !h->colon && (b == ' ' || b == '\t'))
        return 400; /* a folded line, or a blank in a name */
    if (b == '\0' || (b == ':' && h->lines != 0 && h->line == 0))
        return 400; /* a header without a name */
    if (h->lines == 0 && h->line >= REQUEST_LINE_MAX)
        return 414;
    if (h->head > HEAD_BYTES_MAX)
        return 431;
    h->line += b != '\r' && b != '\n';
    h->colon |= b == ':';
    return 0;
}

/* A line has ended. True: it was the empty one after the headers. */
static bool end_line(struct leat_h1 *h, size_t length)
{
    h->lines++;
    h->line = 0;
    h->colon = false;
    return length == 0;
}

size_t leat_h1_scan(struct leat_h1 *h, const uint8_t *data, size_t len, bool *ret_end,
                    uint32_t *ret_status)
{
    size_t i = 0;

    *ret_end = false;
    while (i < len && !*ret_end) {
        bool fresh = h->line == 0 && h->prev != '\r';
        size_t n = fresh ? plain_line(h, data + i, len - i) : 0;

        if (n != 0) {
            h->prev = '\n';
            h->head += n;
            i += n;
            *ret_end = end_line(h, n - 2);
            continue;
        }
        do {
            *ret_status = scan_byte(h, data[i]);
            if (*ret_status != 0)
                return i;
        } while (data[i++] != '\n' && i < len);
        if (h->prev == '\n')
            *ret_end = end_line(h, h->line);
    }
    return i;
}
