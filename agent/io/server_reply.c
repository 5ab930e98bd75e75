/* What every reply carries besides its body: headers of the service, of the settings, of a refusal,
 * and of CORS. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/glob.h"
#include "base/mem.h"
#include "io/server_internal.h"

/* A glob of an origin is matched with at most this many characters of it. */
#define ORIGIN_MAX     256
#define GRPC_ENCODINGS "identity,gzip,zstd,snappy"

const char *leat_http_reason(uint32_t status)
{
    static const struct {
        uint32_t status;
        const char *reason;
    } table[] = {
        {200, "OK"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].status == status)
            return table[i].reason;
    return "Status";
}

/* RFC 9110 section 5.6.7; the C locale's names, whatever the locale. */
const char *leat_http_date(void)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static _Thread_local char text[40];
    static _Thread_local time_t made;
    time_t now = (time_t)(leat_clock_wall() / LEAT_SEC);
    struct tm tm;

    if (now == made && text[0] != '\0')
        return text;
    if (gmtime_r(&now, &tm) == NULL)
        return "Thu, 01 Jan 1970 00:00:00 GMT";
    snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday % 7],
             tm.tm_mday % 100, months[tm.tm_mon % 12], (tm.tm_year + 1900) % 10000,
             tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
    made = now;
    return text;
}

uint8_t *leat_reply_room(struct leat_call *c, size_t len)
{
    if (len <= LEAT_OUT_ROOM)
        return c->out_room;
    leat_free(c->out_more);
    c->out_more = leat_try(len);
    return c->out_more;
}

/* --- CORS (https://fetch.spec.whatwg.org/#http-cors-protocol) */

bool leat_cors_origin(const struct leat_server *s, struct leat_bytes origin)
{
    const struct leat_strings *allowed = &s->conf->cors.allowed_origins;

    if (origin.len == 0 || origin.len > ORIGIN_MAX)
        return false;
    for (uint32_t i = 0; i < allowed->count; i++)
        if (leat_glob(allowed->items[i], origin, LEAT_GLOB_FOLD))
            return true;
    return false;
}

static bool header_allowed(const struct leat_server *s, struct leat_bytes name)
{
    static const char *const always[] = {"accept", "accept-language", "content-language",
                                         "content-type", "x-requested-with"};
    const struct leat_strings *allowed = &s->conf->cors.allowed_headers;

    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (leat_bytes_is_nocase(name, always[i]))
            return true;
    for (uint32_t i = 0; i < allowed->count; i++)
        if (strcmp(allowed->items[i], "*") == 0 || leat_bytes_is_nocase(name, allowed->items[i]))
            return true;
    return false;
}

static bool headers_allowed(const struct leat_server *s, struct leat_bytes list)
{
    size_t at = 0;

    while (at < list.len) {
        size_t end = at, stop;

        while (end < list.len && list.data[end] != ',')
            end++;
        for (stop = end; stop > at && list.data[stop - 1] == ' '; stop--)
            ;
        while (at < stop && list.data[at] == ' ')
            at++;
        if (stop > at && !header_allowed(s, leat_bytes(list.data + at, stop - at)))
            return false;
        at = end + 1;
    }
    return true;
}

static bool method_served(struct leat_call *c, struct leat_bytes method)
{
    const struct leat_service *sv = &c->peer->server->service;

    for (size_t i = 0; i < sv->nroutes; i++)
        if (sv->routes[i].method == NULL || leat_bytes_is(method, sv->routes[i].method))
            return true;
    return false;
}

/* Header values are zero-terminated in the call's own store. */
static const char *text_of(struct leat_bytes value)
{
    return value.len ? (const char *)value.data : "";
}

void leat_cors_preflight(struct leat_call *c)
{
    const struct leat_server *s = c->peer->server;
    struct leat_bytes method = leat_head_find(c, "access-control-request-method");
    struct leat_bytes heads = leat_head_find(c, "access-control-request-headers");
    struct leat_pair out[4];
    struct leat_reply r = {.status = 204, .headers = out};
    char age[16];

    if (leat_cors_origin(s, leat_head_find(c, "origin")) && method_served(c, method) &&
        headers_allowed(s, heads)) {
        out[r.nheaders++] = (struct leat_pair){"access-control-allow-methods", text_of(method)};
        if (heads.len != 0)
            out[r.nheaders++] = (struct leat_pair){"access-control-allow-headers", text_of(heads)};
        snprintf(age, sizeof age, "%u", s->conf->cors.max_age);
        if (s->conf->cors.max_age != 0)
            out[r.nheaders++] = (struct leat_pair){"access-control-max-age", age};
    }
    out[r.nheaders++] = (struct leat_pair){
        "vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"};
    leat_call_reply(c, &r);
}

/* --- all headers of a reply */

struct heads {
    struct leat_pair *out;
    size_t n;
};

/* A value with control characters would end its line: such a header is left out. */
static void add(struct heads *h, const char *name, const char *value)
{
    if (h->n == LEAT_REPLY_HEADS)
        return;
    for (const char *p = value; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 && *p != '\t')
            return;
    h->out[h->n++] = (struct leat_pair){name, value};
}

static void add_cors(struct heads *h, struct leat_call *c)
{
    const struct leat_server *s = c->peer->server;
    struct leat_bytes origin;

    if (s->conf->cors.allowed_origins.count == 0)
        return;
    origin = leat_head_find(c, "origin");
    if (!leat_cors_origin(s, origin))
        return;
    add(h, "access-control-allow-origin", text_of(origin));
    add(h, "access-control-allow-credentials", "true");
    if (!leat_bytes_is(c->info.method, "OPTIONS"))
        add(h, "vary", "Origin");
    for (uint32_t i = 0; i < s->conf->cors.exposed_headers.count; i++)
        add(h, "access-control-expose-headers", s->conf->cors.exposed_headers.items[i]);
}

static void add_allow(struct heads *h, struct leat_call *c)
{
    const struct leat_service *sv = &c->peer->server->service;

    for (size_t i = 0; i < sv->nroutes; i++) {
        size_t n = strlen(sv->routes[i].path);
        bool any = n != 0 && sv->routes[i].path[n - 1] == '*';

        if (any ? c->info.path.len >= n - 1 &&
                      memcmp(c->info.path.data, sv->routes[i].path, n - 1) == 0
                : leat_bytes_is(c->info.path, sv->routes[i].path))
            add(h, "allow", sv->routes[i].method ? sv->routes[i].method : "POST");
    }
}

size_t leat_reply_heads(struct leat_call *c, const struct leat_reply *r, struct leat_pair *out,
                        char scratch[64])
{
    const struct leat_server *s = c->peer->server;
    struct heads h = {.out = out};

    for (size_t i = 0; i < r->nheaders; i++)
        add(&h, r->headers[i].key, r->headers[i].value);
    if (c->info.grpc) {
        if (c->refused_status != 0 && c->codec < 0)
            add(&h, "grpc-accept-encoding", GRPC_ENCODINGS);
        return h.n;
    }
    if (r->retry_after_s != 0) {
        snprintf(scratch, 64, "%u", r->retry_after_s);
        add(&h, "retry-after", scratch);
    }
    if (c->challenge != NULL && r->status == 401)
        add(&h, "www-authenticate", c->challenge);
    if (c->refused_status == 405)
        add_allow(&h, c);
    add_cors(&h, c);
    for (uint32_t i = 0; i < s->nresponse_headers; i++)
        add(&h, s->response_headers[i].key, s->response_headers[i].value);
    add(&h, "date", leat_http_date());
    return h.n;
}
