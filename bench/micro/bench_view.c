/* How long the check, the count and the cut of a request take, per record.
 *
 * Prints one line per payload: median and best of RUNS runs, in nanoseconds. Run it on a quiet
 * machine: bench_view [runs]. Built like the program itself:
 *   cc -std=c11 -D_GNU_SOURCE -O2 -Iagent -I. bench/micro/bench_view.c proto/otlp.c \
 *     proto/otlp_view.c proto/otlp_quick.c proto/otlp_cut.c proto/wire.c agent/base/mem.c \
 *     agent/base/text.c agent/base/buf.c agent/base/budget.c agent/base/check.c \
 *     agent/base/clock.c agent/base/bytes.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/otlp_cut.h"
#include "proto/otlp_view.h"
#include "proto/wire.h"

#define RUNS      301
#define RECORDS   1000
#define RESOURCES 4

/* --- a small writer: sub-messages are built apart and then framed */

static void put(struct leat_text *t, uint32_t field, const void *data, size_t len)
{
    uint8_t head[20], *at = leat_wire_put_tag(head, field, LEAT_BYTES);

    at = leat_wire_put_varint(at, len);
    leat_text_add(t, head, (size_t)(at - head));
    leat_text_add(t, data, len);
}

static void put_text(struct leat_text *t, uint32_t field, const char *text)
{
    put(t, field, text, strlen(text));
}

static void put_sub(struct leat_text *t, uint32_t field, struct leat_text *sub)
{
    put(t, field, sub->data, sub->len);
    leat_text_clear(sub);
}

static void put_number(struct leat_text *t, uint32_t field, enum leat_wire_type type, uint64_t v)
{
    uint8_t b[20], *at = leat_wire_put_tag(b, field, type);

    if (type == LEAT_VARINT) {
        at = leat_wire_put_varint(at, v);
    } else {
        size_t n = type == LEAT_FIXED64 ? 8 : 4;
        memcpy(at, &v, n);
        at += n;
    }
    leat_text_add(t, b, (size_t)(at - b));
}

static void put_attr(struct leat_text *t, uint32_t field, const char *key, unsigned i)
{
    static struct leat_text pair, value;
    char text[40];

    leat_text_init(&pair, 1 << 16);
    leat_text_init(&value, 1 << 16);
    put_text(&pair, 1, key);
    if (i % 4 == 3)
        put_number(&value, 3, LEAT_VARINT, 200 + i * 31);
    else {
        snprintf(text, sizeof text, "value-%u-of-it", i);
        put_text(&value, 1, text);
    }
    put_sub(&pair, 2, &value);
    put_sub(t, field, &pair);
    leat_text_done(&pair);
    leat_text_done(&value);
}

static void put_attrs(struct leat_text *t, uint32_t field, unsigned n, unsigned i)
{
    static const char *const keys[] = {"http.request.method", "http.route", "server.address",
                                       "http.status_code",    "user.id",    "thread.name",
                                       "code.namespace",      "code.lineno"};

    for (unsigned k = 0; k < n; k++)
        put_attr(t, field, keys[k % 8], i % 7 * 4 + k);
}

static void put_log(struct leat_text *t, unsigned i)
{
    struct leat_text body;

    leat_text_init(&body, 1 << 16);
    put_number(t, 1, LEAT_FIXED64, 1700000000000000000u + i);
    put_number(t, 2, LEAT_VARINT, 9);
    put_text(t, 3, "INFO");
    put_text(&body, 1, "GET /api/v1/users/12345 took 17 ms and was answered with 200");
    put_sub(t, 5, &body);
    put_attrs(t, 6, 8, i);
    put(t, 9, "0123456789abcdef", 16);
    put(t, 10, "01234567", 8);
    put_number(t, 11, LEAT_FIXED64, 1700000000000000000u + i);
    leat_text_done(&body);
}

static void put_span(struct leat_text *t, unsigned i)
{
    struct leat_text sub;

    leat_text_init(&sub, 1 << 16);
    put(t, 1, "0123456789abcdef", 16);
    put(t, 2, "01234567", 8);
    put(t, 4, "89abcdef", 8);
    put_text(t, 5, "GET /api/v1/users/{id}");
    put_number(t, 6, LEAT_VARINT, 2);
    put_number(t, 7, LEAT_FIXED64, 1700000000000000000u + i);
    put_number(t, 8, LEAT_FIXED64, 1700000000100000000u + i);
    put_attrs(t, 9, 8, i);
    if (i % 4 == 0) {
        put_number(&sub, 1, LEAT_FIXED64, 1700000000000000000u);
        put_text(&sub, 2, "exception");
        put_attrs(&sub, 3, 2, i);
        put_sub(t, 11, &sub);
    }
    put_number(&sub, 3, LEAT_VARINT, 1);
    put_sub(t, 15, &sub);
    put_number(t, 16, LEAT_FIXED32, 0x101);
    leat_text_done(&sub);
}

static void put_point(struct leat_text *t, unsigned i)
{
    put_attrs(t, 7, 4, i);
    put_number(t, 2, LEAT_FIXED64, 1700000000000000000u);
    put_number(t, 3, LEAT_FIXED64, 1700000000000000000u + i);
    put_number(t, 4, LEAT_FIXED64, 4614253070214989087u);
}

static void put_histogram(struct leat_text *t, unsigned i)
{
    static const uint8_t zeroes[120];

    put_attrs(t, 9, 4, i);
    put_number(t, 2, LEAT_FIXED64, 1700000000000000000u);
    put_number(t, 3, LEAT_FIXED64, 1700000000000000000u + i);
    put_number(t, 4, LEAT_FIXED64, 17);
    put_number(t, 5, LEAT_FIXED64, 4614253070214989087u);
    put(t, 6, zeroes, 15 * 8);
    put(t, 7, zeroes, 14 * 8);
}

/* 20 points to a metric. */
static void put_metric(struct leat_text *t, unsigned i, uint32_t data,
                       void (*point)(struct leat_text *, unsigned))
{
    struct leat_text sub, one;

    leat_text_init(&sub, 1 << 20);
    leat_text_init(&one, 1 << 20);
    put_text(t, 1, "http.server.request.duration");
    put_text(t, 3, "s");
    for (unsigned k = 0; k < 20; k++) {
        point(&one, i + k);
        put_sub(&sub, 1, &one);
    }
    put_number(&sub, 2, LEAT_VARINT, 2);
    put_sub(t, data, &sub);
    leat_text_done(&sub);
    leat_text_done(&one);
}

static void put_numbers(struct leat_text *t, unsigned i)
{
    put_metric(t, i, 7, put_point);
}

static void put_histograms(struct leat_text *t, unsigned i)
{
    put_metric(t, i, 9, put_histogram);
}

static void build(struct leat_text *out, void (*record)(struct leat_text *, unsigned), unsigned n)
{
    struct leat_text entry, sub, one;

    leat_text_init(&entry, 64 << 20);
    leat_text_init(&sub, 64 << 20);
    leat_text_init(&one, 64 << 20);
    for (unsigned k = 0; k < RESOURCES; k++) {
        put_attrs(&sub, 1, 8, k);
        put_sub(&entry, 1, &sub);
        put_text(&one, 1, "io.opentelemetry.contrib.http");
        put_sub(&sub, 1, &one);
        for (unsigned i = 0; i < n / RESOURCES; i++) {
            record(&one, k * n / RESOURCES + i);
            put_sub(&sub, 2, &one);
        }
        put_sub(&entry, 2, &sub);
        put_sub(out, 1, &entry);
    }
    leat_text_done(&entry);
    leat_text_done(&sub);
    leat_text_done(&one);
}

/* --- measuring */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

enum what { CHECK, COUNT, CUT };

static void once(enum what what, enum leat_signal signal, struct leat_bytes b, uint32_t items)
{
    struct leat_otlp_count count = {0, 0};
    struct leat_buf *head, *tail;
    const char *why;

    if (what == CHECK) {
        LEAT_CHECK(leat_otlp_check(signal, b, &count, &why) == LEAT_OTLP_OK);
    } else if (what == COUNT) {
        count = leat_otlp_count(signal, b);
    } else {
        LEAT_CHECK(leat_otlp_cut(signal, b, items / 2 - 1, NULL, &head, &tail) == 0);
        leat_buf_unref(head);
        leat_buf_unref(tail);
        return;
    }
    LEAT_CHECK(count.items == items);
}

static void measure(const char *name, enum what what, enum leat_signal signal, struct leat_bytes b,
                    int runs)
{
    uint32_t items = leat_otlp_count(signal, b).items;
    double *ns = leat_new_array((size_t)runs, sizeof *ns);

    for (int i = 0; i < runs; i++) {
        int64_t start = leat_clock_mono();
        for (int k = 0; k < 10; k++)
            once(what, signal, b, items);
        ns[i] = (double)(leat_clock_mono() - start) / 10 / items;
    }
    qsort(ns, (size_t)runs, sizeof *ns, by_value);
    printf("%-12s %-6s %5u records of %3zu bytes: median %6.1f ns, best %6.1f ns per record\n",
           name,
           what == CHECK   ? "check"
           : what == COUNT ? "count"
                           : "cut",
           items, b.len / items, ns[runs / 2], ns[0]);
    leat_free(ns);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        enum leat_signal signal;
        void (*record)(struct leat_text *, unsigned);
        unsigned n;
    } payloads[] = {
        {"logs", LEAT_LOGS, put_log, RECORDS},
        {"few logs", LEAT_LOGS, put_log, 8},
        {"spans", LEAT_TRACES, put_span, RECORDS},
        {"numbers", LEAT_METRICS, put_numbers, RECORDS / 20},
        {"histograms", LEAT_METRICS, put_histograms, RECORDS / 20},
    };
    int runs = argc > 1 ? atoi(argv[1]) : RUNS;

    for (size_t i = 0; runs > 0 && i < sizeof payloads / sizeof *payloads; i++) {
        struct leat_text t;

        leat_text_init(&t, 64 << 20);
        build(&t, payloads[i].record, payloads[i].n);
        for (int what = CHECK; what <= CUT; what++)
            measure(payloads[i].name, (enum what)what, payloads[i].signal, leat_text_bytes(&t),
                    runs);
        leat_text_done(&t);
    }
    return 0;
}
