/* How long it takes from OTLP data points to the bytes of remote-write requests, per sample.
 *
 * bench_prom [rounds [series]]: sends that many series through again and again, each round in
 * requests of 1,000 points, and prints CPU time per sample: of the first round, in which all series
 * are new, and the median and the best of the others, in which all are known; and what the cache
 * holds. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/otlp_make.h"
#include "proto/prom_feed.h"
#include "proto/prom_write.h"

#define ROUNDS       30
#define SERIES       100000
#define IN_REQUEST   1000
#define IN_METRIC    50
#define REQUEST_SIZE ((size_t)3000000)

static double cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void put_resource(struct leat_make *m, unsigned i)
{
    char text[40];

    leat_make_open(m, 1);
    leat_make_attr_string(m, 1, "service.name", "checkout");
    leat_make_attr_string(m, 1, "service.namespace", "shop");
    snprintf(text, sizeof text, "checkout-7c9f8d6b5-%04u", i % 100);
    leat_make_attr_string(m, 1, "service.instance.id", text);
    leat_make_attr_string(m, 1, "cloud.region", "eu-central-1");
    leat_make_attr_string(m, 1, "k8s.namespace.name", "production");
    leat_make_attr_string(m, 1, "host.name", text);
    leat_make_close(m);
}

static void put_attrs(struct leat_make *m, uint32_t field, unsigned i)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
    char text[40];

    leat_make_attr_string(m, field, "http.request.method", methods[i % 4]);
    snprintf(text, sizeof text, "/api/v1/users/%u/orders", i / 4);
    leat_make_attr_string(m, field, "http.route", text);
    leat_make_attr_int(m, field, "http.response.status_code", 200 + (int64_t)(i % 3));
    leat_make_attr_string(m, field, "server.address", "checkout.production.svc");
}

static void put_number(struct leat_make *m, unsigned i, uint64_t time)
{
    put_attrs(m, 7, i);
    leat_make_fixed64(m, 2, UINT64_C(1700000000000000000));
    leat_make_fixed64(m, 3, time);
    leat_make_double(m, 4, (double)i * 1.25);
}

static void put_histogram(struct leat_make *m, unsigned i, uint64_t time)
{
    static const double bounds[] = {.005, .01, .025, .05, .075, .1,  .25,
                                    .5,   .75, 1,    2.5, 5,    7.5, 10};
    uint64_t counts[15];

    for (unsigned k = 0; k < 15; k++)
        counts[k] = i % 100 + k;
    put_attrs(m, 9, i);
    leat_make_fixed64(m, 2, UINT64_C(1700000000000000000));
    leat_make_fixed64(m, 3, time);
    leat_make_fixed64(m, 4, 15 * (i % 100) + 105);
    leat_make_double(m, 5, (double)i * 1.25);
    leat_make_bytes(m, 6, leat_bytes(counts, sizeof counts));
    leat_make_bytes(m, 7, leat_bytes(bounds, sizeof bounds));
}

static void put_metric(struct leat_make *m, bool histogram, unsigned first, uint64_t time)
{
    char name[40];

    leat_make_open(m, 2);
    snprintf(name, sizeof name, "http.server.request.%s.%u", histogram ? "duration" : "count",
             first / IN_METRIC % 20);
    leat_make_string(m, 1, name);
    leat_make_string(m, 2, "How long it took.");
    leat_make_string(m, 3, histogram ? "s" : "{request}");
    leat_make_open(m, histogram ? 9 : 7);
    for (unsigned i = 0; i < IN_METRIC; i++) {
        leat_make_open(m, 1);
        (histogram ? put_histogram : put_number)(m, first + i, time);
        leat_make_close(m);
    }
    leat_make_varint(m, 2, 2);
    if (!histogram)
        leat_make_varint(m, 3, 1);
    leat_make_close(m);
    leat_make_close(m);
}

static void build(struct leat_text *t, bool histogram, unsigned first)
{
    struct leat_make m;

    leat_text_init(t, 64 << 20);
    leat_make_init(&m, t);
    leat_make_open(&m, 1);
    put_resource(&m, first / IN_REQUEST);
    leat_make_open(&m, 2);
    leat_make_open(&m, 1);
    leat_make_string(&m, 1, "io.opentelemetry.http");
    leat_make_string(&m, 2, "1.2.3");
    leat_make_close(&m);
    for (unsigned i = 0; i < IN_REQUEST; i += IN_METRIC)
        put_metric(&m, histogram, first + i, UINT64_C(1700000060000000000));
    leat_make_close(&m);
    leat_make_close(&m);
    LEAT_CHECK(leat_text_ok(t));
}

struct sent {
    uint64_t samples, bytes, requests;
};

static void finish(struct leat_prom_write *w, struct sent *sent)
{
    struct leat_bytes request;
    bool squeezed;

    LEAT_CHECK(leat_prom_write_finish(w, &request, &squeezed));
    sent->bytes += request.len;
    sent->requests++;
    leat_prom_write_clear(w, true);
}

static void round_of(struct leat_prom_feed *f, struct leat_prom_write *w,
                     const struct leat_text *requests, unsigned n, struct sent *sent)
{
    struct leat_prom_item item;

    for (unsigned i = 0; i < n; i++) {
        leat_prom_feed_begin(f, leat_text_bytes(&requests[i]), 0);
        while (leat_prom_feed_next(f, &item) == LEAT_PROM_FEED_SAMPLE) {
            sent->samples++;
            if (leat_prom_write_add(w, item.series, &item.sample, &item.family) ==
                LEAT_PROM_WRITE_OK)
                continue;
            finish(w, sent);
            LEAT_CHECK(leat_prom_write_add(w, item.series, &item.sample, &item.family) ==
                       LEAT_PROM_WRITE_OK);
        }
    }
    finish(w, sent);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(enum leat_prom_message message, bool histogram, unsigned rounds,
                    unsigned series)
{
    const struct leat_prom_feed_conf conf = {
        .message = message, .target_info = true, .cache_bytes = (size_t)256 << 20};
    struct leat_prom_feed *f = leat_prom_feed_new(&conf);
    unsigned n = (histogram ? series / 17 : series) / IN_REQUEST + 1;
    struct leat_text *requests = leat_new_array(n, sizeof *requests);
    double *ns = leat_new_array(rounds, sizeof *ns);
    struct leat_prom_store_stats stats;
    struct leat_prom_write w;
    struct sent sent = {0, 0, 0};

    for (unsigned i = 0; i < n; i++)
        build(&requests[i], histogram, i * IN_REQUEST);
    leat_prom_write_init(&w, leat_prom_feed_store(f), REQUEST_SIZE);
    if (message == LEAT_PROM_WRITE_1)
        leat_prom_write_squeeze(&w);
    for (unsigned i = 0; i < rounds; i++) {
        double start = cpu_ns();
        sent = (struct sent){0, 0, 0};
        round_of(f, &w, requests, n, &sent);
        ns[i] = (cpu_ns() - start) / (double)sent.samples;
    }
    stats = leat_prom_store_stats(leat_prom_feed_store(f));
    qsort(ns + 1, rounds - 1, sizeof *ns, by_value);
    printf("%d.0 %-10s %7llu samples of %3llu bytes: new %6.1f, known median %5.1f, best %5.1f ns "
           "per sample; cache %zu series, %zu symbols, %.1f MB\n",
           message == LEAT_PROM_WRITE_1 ? 1 : 2, histogram ? "histograms" : "numbers",
           (unsigned long long)sent.samples, (unsigned long long)(sent.bytes / sent.samples), ns[0],
           ns[1 + (rounds - 1) / 2], ns[1], stats.series, stats.symbols, (double)stats.bytes / 1e6);
    leat_prom_write_done(&w);
    leat_prom_feed_free(f);
    for (unsigned i = 0; i < n; i++)
        leat_text_done(&requests[i]);
    leat_free(requests);
    leat_free(ns);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : ROUNDS;
    unsigned series = argc > 2 ? (unsigned)atoi(argv[2]) : SERIES;

    LEAT_CHECK(rounds > 1 && series >= IN_REQUEST);
    for (int message = LEAT_PROM_WRITE_1; message <= LEAT_PROM_WRITE_2; message++) {
        measure((enum leat_prom_message)message, false, rounds, series);
        measure((enum leat_prom_message)message, true, rounds, series);
    }
    return 0;
}
