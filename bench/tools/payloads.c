/* Makes the payload files, always the same bytes: payloads DIRECTORY.
 *
 * One file is one OTLP export request: {logs,spans,points}-{varied,repetitive}-{20,100,1000}.pb,
 * the same gzipped (.gz, zlib level 6) and as a zstd frame (.zst, level 3), as senders do by
 * default, and the logs as OTLP/JSON (.json). The generator writes the bytes itself: nothing of the
 * program under test has a part in them. Each item has one attribute "instance.id" of 16
 * hexadecimal digits, which the proof run replaces in place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "net.h"

#define SEED 0x1ea7c0ffeeull
#define TIME 1763700000000000000ull

struct out {
    uint8_t *data;
    size_t len, room;
};

static uint64_t random_state;
static bool varied;

static uint64_t next_random(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15ull;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static uint64_t below(uint64_t n)
{
    return next_random() % n;
}

static void add(struct out *o, const void *data, size_t len)
{
    if (o->len + len > o->room) {
        o->room = (o->len + len) * 2;
        o->data = realloc(o->data, o->room);
        if (o->data == NULL)
            net_die("no memory");
    }
    memcpy(o->data + o->len, data, len);
    o->len += len;
}

static void varint(struct out *o, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        add(o, &(uint8_t){(uint8_t)(v | 128)}, 1);
    add(o, &(uint8_t){(uint8_t)v}, 1);
}

static void bytes(struct out *o, unsigned field, const void *data, size_t len)
{
    varint(o, field << 3 | 2);
    varint(o, len);
    add(o, data, len);
}

static void text(struct out *o, unsigned field, const char *s)
{
    bytes(o, field, s, strlen(s));
}

static void number(struct out *o, unsigned field, uint64_t v)
{
    varint(o, field << 3);
    varint(o, v);
}

static void fixed64(struct out *o, unsigned field, uint64_t v)
{
    varint(o, field << 3 | 1);
    add(o, &v, 8);
}

static void fixed32(struct out *o, unsigned field, uint32_t v)
{
    varint(o, field << 3 | 5);
    add(o, &v, 4);
}

static void sub(struct out *o, unsigned field, struct out *inner)
{
    bytes(o, field, inner->data, inner->len);
    free(inner->data);
    *inner = (struct out){0};
}

/* --- attributes: each is told to both writers of the logs, protobuf and JSON */

static struct out json;
static bool json_comma;

static void json_text(const char *s)
{
    add(&json, s, strlen(s));
}

static void attr_value(struct out *o, unsigned field, const char *key, struct out *value)
{
    struct out pair = {0};

    text(&pair, 1, key);
    sub(&pair, 2, value);
    sub(o, field, &pair);
}

static void json_attr(const char *key, const char *kind, const char *value, const char *quote)
{
    char line[512];

    snprintf(line, sizeof line, "%s{\"key\":\"%s\",\"value\":{\"%s\":%s%s%s}}",
             json_comma ? "," : "", key, kind, quote, value, quote);
    json_text(line);
    json_comma = true;
}

static void attr(struct out *o, unsigned field, const char *key, const char *value)
{
    struct out v = {0};

    text(&v, 1, value);
    attr_value(o, field, key, &v);
    json_attr(key, "stringValue", value, "\"");
}

static void attr_int(struct out *o, unsigned field, const char *key, uint64_t value)
{
    struct out v = {0};
    char digits[24];

    number(&v, 3, value);
    attr_value(o, field, key, &v);
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    json_attr(key, "intValue", digits, "\"");
}

static void attr_id(struct out *o, unsigned field)
{
    char id[17];

    snprintf(id, sizeof id, "%016llx", varied ? (unsigned long long)next_random() : 7ull);
    attr(o, field, "instance.id", id);
}

/* --- what the records say */

static const char *const routes[] = {"/api/v1/orders", "/api/v1/users",    "/cart",
                                     "/checkout",      "/api/v1/products", "/login",
                                     "/api/v2/search", "/healthz"};
static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
static const char *const hosts[] = {"cart.shop.svc", "db-1.shop.svc", "pay.example.com",
                                    "search.shop.svc"};
static const char *const levels[] = {"INFO", "INFO", "INFO", "WARN", "DEBUG", "ERROR"};
static const unsigned level_numbers[] = {9, 9, 9, 13, 5, 17};
static const unsigned statuses[] = {200, 200, 200, 201, 204, 404, 500, 503};

/* The varied kind draws everything, the repetitive kind walks through four templates and draws the
 * span's id and the time. */
static uint64_t pick(unsigned i, uint64_t n)
{
    return varied ? below(n) : i % 4 % n;
}

static uint64_t at_time(unsigned i)
{
    return TIME + (uint64_t)i * 1000000 + below(varied ? 1000000 : 65536);
}

static void hex(char *to, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        snprintf(to + 2 * i, 3, "%02x", b[i]);
}

static void ids(uint8_t id[24], unsigned i)
{
    for (unsigned k = 0; k < 3; k++) {
        uint64_t r = varied || k == 2 ? next_random() : 0x0123456789abcdefull + i / 50;
        memcpy(id + 8 * k, &r, 8);
    }
}

static void log_json_head(unsigned i, uint64_t t, unsigned level, const char *body)
{
    char line[512];

    snprintf(line, sizeof line,
             "%s{\"timeUnixNano\":\"%llu\",\"observedTimeUnixNano\":\"%llu\",\"severityNumber\":%u,"
             "\"severityText\":\"%s\",\"body\":{\"stringValue\":\"%s\"},\"attributes\":[",
             i == 0 ? "" : ",", (unsigned long long)t, (unsigned long long)t + 1000,
             level_numbers[level], levels[level], body);
    json_text(line);
    json_comma = false;
}

static void log_json_tail(const uint8_t id[24])
{
    char trace[33], span[17], line[160];

    hex(trace, id, 16);
    hex(span, id + 16, 8);
    snprintf(line, sizeof line, "],\"flags\":1,\"traceId\":\"%s\",\"spanId\":\"%s\"}", trace, span);
    json_text(line);
}

static void make_log(struct out *o, unsigned i)
{
    struct out record = {0}, body = {0};
    const char *route = routes[pick(i, 8)], *method = methods[pick(i, 4)];
    unsigned level = (unsigned)pick(i, 6);
    uint64_t t = at_time(i), user = varied ? below(1000000) : 1234, ms = varied ? below(3000) : 17;
    uint8_t id[24];
    char line[160];

    snprintf(line, sizeof line, "%s %s/%llu for user %llu was answered after %llu ms, upstream %s",
             method, route, (unsigned long long)(varied ? below(100000) : 42),
             (unsigned long long)user, (unsigned long long)ms, hosts[pick(i, 4)]);
    ids(id, i);
    log_json_head(i, t, level, line);
    fixed64(&record, 1, t);
    number(&record, 2, level_numbers[level]);
    text(&record, 3, levels[level]);
    text(&body, 1, line);
    sub(&record, 5, &body);
    attr(&record, 6, "http.request.method", method);
    attr(&record, 6, "http.route", route);
    attr_int(&record, 6, "http.response.status_code", statuses[pick(i, 8)]);
    attr_int(&record, 6, "user.id", user);
    attr(&record, 6, "server.address", hosts[pick(i + 1, 4)]);
    attr_id(&record, 6);
    fixed32(&record, 8, 1);
    bytes(&record, 9, id, 16);
    bytes(&record, 10, id + 16, 8);
    fixed64(&record, 11, t + 1000);
    log_json_tail(id);
    sub(o, 2, &record);
}

static void make_event(struct out *o, unsigned i, uint64_t t)
{
    struct out event = {0};

    fixed64(&event, 1, t);
    text(&event, 2, "cache.lookup");
    attr(&event, 3, "cache.hit", pick(i, 2) ? "true" : "false");
    attr_int(&event, 3, "cache.size", varied ? below(100000) : 512);
    sub(o, 11, &event);
}

static void make_span(struct out *o, unsigned i)
{
    struct out span = {0}, status = {0};
    uint64_t t = at_time(i);
    const char *route = routes[pick(i, 8)], *method = methods[pick(i, 4)];
    char line[160];
    uint8_t id[24], parent[24];

    ids(id, i);
    ids(parent, i);
    bytes(&span, 1, id, 16);
    bytes(&span, 2, id + 16, 8);
    bytes(&span, 4, parent, 8);
    snprintf(line, sizeof line, "%s %s", method, route);
    text(&span, 5, line);
    number(&span, 6, 2 + pick(i, 3));
    fixed64(&span, 7, t);
    fixed64(&span, 8, t + (varied ? below(90000000) : 1700000));
    attr(&span, 9, "http.request.method", method);
    attr(&span, 9, "http.route", route);
    attr_int(&span, 9, "http.response.status_code", statuses[pick(i, 8)]);
    snprintf(line, sizeof line, "https://shop.example.com%s/%llu?session=%llu", route,
             (unsigned long long)(varied ? below(100000) : 42),
             (unsigned long long)(varied ? below(1000000000) : 99));
    attr(&span, 9, "url.full", line);
    attr(&span, 9, "server.address", hosts[pick(i, 4)]);
    attr_int(&span, 9, "server.port", 8443);
    attr(&span, 9, "network.protocol.version", "1.1");
    attr(&span, 9, "user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101");
    attr_int(&span, 9, "user.id", varied ? below(1000000) : 1234);
    attr(&span, 9, "thread.name", pick(i, 2) ? "worker-1" : "worker-2");
    attr_id(&span, 9);
    make_event(&span, i, t + 1000);
    number(&status, 3, 1);
    sub(&span, 15, &status);
    fixed32(&span, 16, 0x101);
    sub(o, 2, &span);
}

static void make_point(struct out *o, unsigned i)
{
    struct out point = {0};
    double value = varied ? (double)below(1000000) / 7 : 42.5;
    uint64_t raw;

    memcpy(&raw, &value, 8);
    attr(&point, 7, "http.request.method", methods[pick(i, 4)]);
    attr(&point, 7, "http.route", routes[pick(i, 8)]);
    attr_int(&point, 7, "http.response.status_code", statuses[pick(i, 8)]);
    attr_id(&point, 7);
    fixed64(&point, 2, TIME);
    fixed64(&point, 3, at_time(i));
    fixed64(&point, 4, raw);
    sub(o, 1, &point);
}

/* A sum of up to 20 points. */
static void make_metric(struct out *o, unsigned first, unsigned n)
{
    struct out metric = {0}, sum = {0};

    text(&metric, 1, first / 20 % 2 ? "http.server.request.count" : "http.server.bytes");
    text(&metric, 3, first / 20 % 2 ? "{request}" : "By");
    for (unsigned i = 0; i < n; i++)
        make_point(&sum, first + i);
    number(&sum, 2, 2);
    number(&sum, 3, 1);
    sub(&metric, 7, &sum);
    sub(o, 2, &metric);
}

static void make_resource(struct out *o, unsigned r)
{
    struct out resource = {0};
    char line[64];

    json_comma = false;
    snprintf(line, sizeof line, "shop-%u", r);
    attr(&resource, 1, "service.name", line);
    attr(&resource, 1, "service.version", "2.7.1");
    snprintf(line, sizeof line, "shop-%u-6d4f%08llx", r, (unsigned long long)(0x1000 + r));
    attr(&resource, 1, "k8s.pod.name", line);
    attr(&resource, 1, "k8s.namespace.name", "shop");
    attr(&resource, 1, "host.name", "node-17.eu-west-1.example.com");
    attr(&resource, 1, "telemetry.sdk.language", "go");
    sub(o, 1, &resource);
}

enum kind { LOGS, SPANS, POINTS };

static struct out make_request(enum kind kind, unsigned items)
{
    struct out request = {0};
    unsigned resources = items >= 100 ? 4 : 1, each = items / resources;

    json_text("{\"resourceLogs\":[");
    for (unsigned r = 0; r < resources; r++) {
        struct out entry = {0}, scope = {0}, name = {0};

        json_text(r == 0 ? "{\"resource\":{\"attributes\":[" : ",{\"resource\":{\"attributes\":[");
        make_resource(&entry, r);
        json_text("]},\"scopeLogs\":[{\"scope\":{\"name\":\"shop.web\"},\"logRecords\":[");
        text(&name, 1, "shop.web");
        sub(&scope, 1, &name);
        for (unsigned i = 0; i < each; i += kind == POINTS ? 20 : 1) {
            if (kind == LOGS)
                make_log(&scope, i);
            else if (kind == SPANS)
                make_span(&scope, i);
            else
                make_metric(&scope, r * each + i, each - i < 20 ? each - i : 20);
        }
        json_text("]}]}");
        sub(&entry, 2, &scope);
        sub(&request, 1, &entry);
    }
    json_text("]}");
    return request;
}

/* --- files */

static void save(const char *dir, const char *name, const char *ending, const void *data,
                 size_t len)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s%s", dir, name, ending);
    f = fopen(path, "wb");
    if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0)
        net_die("cannot write %s", path);
}

static void save_packed(const char *dir, const char *name, const struct out *o)
{
    z_stream z = {0};
    size_t room = ZSTD_compressBound(o->len) + compressBound(o->len), n;
    uint8_t *to = malloc(room);

    if (to == NULL || deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        net_die("no memory");
    z.next_in = o->data;
    z.avail_in = (unsigned)o->len;
    z.next_out = to;
    z.avail_out = (unsigned)room;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        net_die("zlib failed");
    save(dir, name, ".gz", to, z.total_out);
    deflateEnd(&z);
    n = ZSTD_compress(to, room, o->data, o->len, 3);
    if (ZSTD_isError(n))
        net_die("zstd failed");
    save(dir, name, ".zst", to, n);
    free(to);
}

static void make(const char *dir, enum kind kind, bool is_varied, unsigned items)
{
    static const char *const kinds[] = {"logs", "spans", "points"};
    struct out request;
    char name[64];

    random_state = SEED;
    varied = is_varied;
    json.len = 0;
    snprintf(name, sizeof name, "%s-%s-%u", kinds[kind], varied ? "varied" : "repetitive", items);
    request = make_request(kind, items);
    save(dir, name, ".pb", request.data, request.len);
    save_packed(dir, name, &request);
    if (kind == LOGS)
        save(dir, name, ".json", json.data, json.len);
    printf("%-24s %7zu bytes, %zu per item\n", name, request.len, request.len / items);
    free(request.data);
}

int main(int argc, char **argv)
{
    static const unsigned sizes[] = {20, 100, 1000};

    net_tool = "payloads";
    if (argc != 2)
        net_die("usage: payloads DIRECTORY");
    for (enum kind kind = LOGS; kind <= POINTS; kind++)
        for (int v = 0; v < 2; v++)
            for (size_t s = 0; s < 3; s++)
                make(argv[1], kind, v == 0, sizes[s]);
    free(json.data);
    return 0;
}
