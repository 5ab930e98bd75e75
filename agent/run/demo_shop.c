/* A small imaginary shop. Field numbers: opentelemetry-proto trace, logs and metrics v1. */
#include "run/demo_shop.h"

#include <stdio.h>

#include "base/clock.h"
#include "proto/otlp_make.h"

enum { FRONTEND, CART, PAYMENT, STOCK, SERVICES };
static const char *const services[] = {"shop-frontend", "shop-cart", "shop-payment", "shop-stock"};
static const char *const names[] = {"POST /checkout", "GetCart", "Charge", "Reserve"};
static const double bounds[] = {0.05, 0.1, 0.2, 0.4, 0.8};
#define BOUNDS (sizeof bounds / sizeof *bounds)

#define KIND_SERVER  2
#define STATUS_ERROR 2
#define INFO         9
#define ERROR        17
#define CUMULATIVE   2

struct checkout {
    uint8_t trace_id[16];
    uint8_t span_ids[SERVICES][8];
    int64_t start[SERVICES], end[SERVICES];
    bool declined;
    uint32_t order;
};

static void random_bytes(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t r = leat_random();
        memcpy(out + i, &r, len - i < 8 ? len - i : 8);
    }
}

static int64_t between_ms(int64_t low, int64_t high)
{
    return (low + (int64_t)(leat_random() % (uint64_t)(high - low))) * LEAT_MS;
}

static void play(struct checkout *c, uint64_t order)
{
    int64_t at = leat_clock_wall();

    random_bytes(c->trace_id, sizeof c->trace_id);
    c->declined = leat_random() % 8 == 0;
    c->order = (uint32_t)(1000 + order);
    c->start[FRONTEND] = at;
    at += between_ms(1, 8);
    for (int s = FRONTEND; s < SERVICES; s++)
        random_bytes(c->span_ids[s], 8);
    for (int s = CART; s < SERVICES; s++) {
        c->start[s] = at;
        at += s == PAYMENT ? between_ms(30, 300) : between_ms(2, 40);
        c->end[s] = at;
        at += between_ms(1, 4);
    }
    c->end[FRONTEND] = at;
}

static void open_resource(struct leat_make *m, int service, const char *scope)
{
    leat_make_open(m, 1);
    leat_make_open(m, 1);
    leat_make_attr_string(m, 1, "service.name", services[service]);
    leat_make_attr_string(m, 1, "service.namespace", "demo");
    leat_make_attr_string(m, 1, "service.version", "1.4.2");
    leat_make_close(m);
    leat_make_open(m, 2);
    leat_make_open(m, 1);
    leat_make_string(m, 1, scope);
    leat_make_close(m);
}

static void close_resource(struct leat_make *m)
{
    leat_make_close(m);
    leat_make_close(m);
}

static void make_span(struct leat_make *m, const struct checkout *c, int s)
{
    leat_make_open(m, 2);
    leat_make_bytes(m, 1, leat_bytes(c->trace_id, 16));
    leat_make_bytes(m, 2, leat_bytes(c->span_ids[s], 8));
    if (s != FRONTEND)
        leat_make_bytes(m, 4, leat_bytes(c->span_ids[FRONTEND], 8));
    leat_make_string(m, 5, names[s]);
    leat_make_varint(m, 6, KIND_SERVER);
    leat_make_fixed64(m, 7, (uint64_t)c->start[s]);
    leat_make_fixed64(m, 8, (uint64_t)c->end[s]);
    leat_make_attr_int(m, 9, "order.id", c->order);
    if (s == FRONTEND) {
        leat_make_attr_string(m, 9, "http.request.method", "POST");
        leat_make_attr_int(m, 9, "http.response.status_code", c->declined ? 402 : 200);
    }
    if (c->declined && s == PAYMENT) {
        leat_make_open(m, 15);
        leat_make_string(m, 2, "card declined");
        leat_make_varint(m, 3, STATUS_ERROR);
        leat_make_close(m);
    }
    leat_make_close(m);
}

static void make_log(struct leat_make *m, const struct checkout *c, int s, int severity,
                     const char *body)
{
    leat_make_open(m, 2);
    leat_make_fixed64(m, 1, (uint64_t)c->end[s]);
    leat_make_varint(m, 2, (uint64_t)severity);
    leat_make_string(m, 3, severity == INFO ? "INFO" : "ERROR");
    leat_make_open(m, 5);
    leat_make_string(m, 1, body);
    leat_make_close(m);
    leat_make_attr_int(m, 6, "order.id", c->order);
    leat_make_bytes(m, 9, leat_bytes(c->trace_id, 16));
    leat_make_bytes(m, 10, leat_bytes(c->span_ids[s], 8));
    leat_make_fixed64(m, 11, (uint64_t)c->end[s]);
    leat_make_close(m);
}

static void remember(struct leat_shop *s, const struct checkout *c)
{
    double seconds = (double)(c->end[FRONTEND] - c->start[FRONTEND]) / LEAT_SEC;
    size_t i = 0;

    while (i < BOUNDS && seconds > bounds[i])
        i++;
    s->buckets[i]++;
    s->seconds += seconds;
    s->orders++;
    s->declined += c->declined;
}

void leat_shop_open(struct leat_shop *s)
{
    *s = (struct leat_shop){.opened = leat_clock_wall()};
}

void leat_shop_checkout(struct leat_shop *s, struct leat_text *traces, struct leat_text *logs)
{
    struct checkout c;
    struct leat_make m;
    char text[64];

    play(&c, s->orders);
    leat_make_init(&m, traces);
    for (int i = FRONTEND; i < SERVICES; i++) {
        open_resource(&m, i, "shop");
        make_span(&m, &c, i);
        close_resource(&m);
    }
    leat_make_init(&m, logs);
    if (c.declined) {
        open_resource(&m, PAYMENT, "shop");
        make_log(&m, &c, PAYMENT, ERROR, "card declined by the bank");
        close_resource(&m);
    }
    open_resource(&m, FRONTEND, "shop");
    snprintf(text, sizeof text, "order %u %s", c.order, c.declined ? "not placed" : "placed");
    make_log(&m, &c, FRONTEND, INFO, text);
    close_resource(&m);
    remember(s, &c);
}

static void make_orders(struct leat_make *m, const struct leat_shop *s, uint64_t now)
{
    const uint64_t values[] = {s->orders - s->declined, s->declined};
    static const char *const results[] = {"placed", "declined"};

    leat_make_open(m, 2);
    leat_make_string(m, 1, "shop.orders");
    leat_make_string(m, 2, "Orders by result.");
    leat_make_string(m, 3, "{order}");
    leat_make_open(m, 7);
    for (int i = 0; i < 2; i++) {
        leat_make_open(m, 1);
        leat_make_fixed64(m, 2, (uint64_t)s->opened);
        leat_make_fixed64(m, 3, now);
        leat_make_fixed64(m, 6, values[i]);
        leat_make_attr_string(m, 7, "result", results[i]);
        leat_make_close(m);
    }
    leat_make_varint(m, 2, CUMULATIVE);
    leat_make_varint(m, 3, 1);
    leat_make_close(m);
    leat_make_close(m);
}

static void make_durations(struct leat_make *m, const struct leat_shop *s, uint64_t now)
{
    leat_make_open(m, 2);
    leat_make_string(m, 1, "http.server.request.duration");
    leat_make_string(m, 3, "s");
    leat_make_open(m, 9);
    leat_make_open(m, 1);
    leat_make_fixed64(m, 2, (uint64_t)s->opened);
    leat_make_fixed64(m, 3, now);
    leat_make_fixed64(m, 4, s->orders);
    leat_make_double(m, 5, s->seconds);
    leat_make_bytes(m, 6, leat_bytes(s->buckets, sizeof s->buckets));
    leat_make_bytes(m, 7, leat_bytes(bounds, sizeof bounds));
    leat_make_attr_string(m, 9, "http.route", "/checkout");
    leat_make_close(m);
    leat_make_varint(m, 2, CUMULATIVE);
    leat_make_close(m);
    leat_make_close(m);
}

void leat_shop_count(const struct leat_shop *s, struct leat_text *metrics)
{
    uint64_t now = (uint64_t)leat_clock_wall();
    struct leat_make m;

    leat_make_init(&m, metrics);
    open_resource(&m, FRONTEND, "shop");
    make_orders(&m, s, now);
    make_durations(&m, s, now);
    close_resource(&m);
}
