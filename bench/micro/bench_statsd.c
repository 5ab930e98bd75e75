/* How long StatsD lines take from the datagram's bytes into the table, and from the table into
 * OTLP: CPU time of the thread, median and best of RUNS runs.
 *
 * bench_statsd [runs [which]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "receivers/statsd_settings.h"
#include "receivers/statsd_table.h"

#define RUNS       31
#define LINE_BYTES 40
#define TOGETHER   16 /* datagrams received by one call */

struct load {
    const char *what;
    unsigned series, per_packet;
    bool tags, typed;
    unsigned lines; /* in one run */
};

static const struct load loads[] = {
    {"40-byte lines, 30 a packet, 3,000 series", 3000, 30, false, false, 300000},
    {"the same, five types mixed", 3000, 30, false, true, 300000},
    {"40-byte lines, 1 a packet, 3,000 series", 3000, 1, false, false, 300000},
    {"40-byte lines, 30 a packet, 100,000 series", 100000, 30, false, false, 300000},
    {"the same, 300,000 series: 200,000 overflow", 300000, 30, false, false, 300000},
    {"122-byte DogStatsD lines, 67 a packet, 3,000 series", 3000, 67, true, false, 200000},
    {"122-byte DogStatsD lines, 67 a packet, 100,000 series", 100000, 67, true, false, 200000},
};

struct packets {
    char *bytes;
    size_t *ends;
    unsigned count;
    size_t len;
};

static double cpu(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A line of exactly the length wanted: the name is filled up. */
static size_t put_line(char *to, const struct load *l, unsigned i, unsigned series)
{
    static const char *const types[] = {"c", "g", "ms", "h", "d"};
    char tail[160];
    int len = snprintf(tail, sizeof tail, ":%u|%s", i % 997 + 1, types[l->typed ? i % 5 : 0]);
    size_t want = l->tags ? 122 : LINE_BYTES;

    if (l->tags)
        len += snprintf(tail + len, sizeof tail - (size_t)len,
                        "|#env:production,service:checkout,host:web-%03u,region:eu-west-1,"
                        "version:1.24.%u",
                        series % 500, series % 7);
    snprintf(to, 24, "app.%05u.", series);
    memset(to + 10, 'n', want - 11 - (size_t)len);
    memcpy(to + want - 1 - (size_t)len, tail, (size_t)len);
    to[want - 1] = '\n';
    return want;
}

static struct packets make(const struct load *l)
{
    struct packets p = {leat_new(l->lines * (size_t)160), leat_new_array(l->lines, sizeof(size_t)),
                        0, 0};

    for (unsigned i = 0; i < l->lines; i++) {
        unsigned series = (unsigned)((uint64_t)i * 2654435761u % l->series);
        p.len += put_line(p.bytes + p.len, l, i, series);
        if ((i + 1) % l->per_packet == 0 || i + 1 == l->lines)
            p.ends[p.count++] = p.len;
    }
    return p;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void feed(struct leat_statsd_table *t, const struct packets *p)
{
    struct leat_statsd_source from = {.client = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1},
                                      .now = 1700000000000000000};
    struct leat_bytes together[TOGETHER];
    size_t at = 0;
    unsigned n = 0;

    for (unsigned i = 0; i < p->count; i++) {
        together[n++] = leat_bytes(p->bytes + at, p->ends[i] - at);
        at = p->ends[i];
        if (n == TOGETHER || i + 1 == p->count) {
            leat_statsd_table_feed_all(t, &from, together, n);
            n = 0;
        }
    }
}

static uint32_t encode(struct leat_statsd_table *t, struct leat_buf *out)
{
    struct leat_statsd_chunk chunk;
    uint32_t points = 0;

    leat_statsd_table_begin(t);
    do {
        out->len = 0;
        leat_statsd_table_encode(t, 1700000010000000000, 0, out, &chunk);
        points += chunk.points;
    } while (chunk.points != 0);
    return points;
}

static void run(const struct load *l, unsigned runs)
{
    static const struct leat_statsd_mapping_conf mapping[3] = {
        {.statsd_type = 0, .observer_type = LEAT_STATSD_OBSERVE_HISTOGRAM},
        {.statsd_type = 2, .observer_type = LEAT_STATSD_OBSERVE_HISTOGRAM},
        {.statsd_type = 3, .observer_type = LEAT_STATSD_OBSERVE_HISTOGRAM},
    };
    struct leat_statsd_conf conf = {.has_timer_histogram_mapping = true,
                                    .timer_histogram_mapping = {(void *)(uintptr_t)mapping, 3}};
    struct leat_statsd_rules *rules = leat_statsd_rules_new(&conf, NULL);
    struct leat_statsd_table *t = leat_statsd_table_new(rules, NULL, 1);
    struct leat_buf *out = leat_buf_new(NULL, 1 << 20);
    double *in = leat_new_array(runs, sizeof *in), *back = leat_new_array(runs, sizeof *back);
    struct packets p = make(l);
    uint32_t points = 0;

    feed(t, &p);
    for (unsigned i = 0; i < runs; i++) {
        double start = cpu(), middle;
        feed(t, &p);
        middle = cpu();
        points = encode(t, out);
        in[i] = (middle - start) / l->lines;
        back[i] = (cpu() - middle) / points;
    }
    LEAT_CHECK(leat_statsd_table_stats(t)->samples == (uint64_t)l->lines * (runs + 1));
    qsort(in, runs, sizeof *in, compare);
    qsort(back, runs, sizeof *back, compare);
    printf("%-55s %6.1f ns a line (best %5.1f), %5.2f GB/s; out %6.1f ns a point; %6zu KiB\n",
           l->what, in[runs / 2], in[0], (double)p.len / l->lines / in[runs / 2], back[runs / 2],
           leat_statsd_table_bytes(t) / 1024);
    leat_free(p.bytes);
    leat_free(p.ends);
    leat_free(in);
    leat_free(back);
    leat_buf_unref(out);
    leat_statsd_table_free(t);
    leat_statsd_rules_free(rules);
}

int main(int argc, char **argv)
{
    long runs = argc > 1 ? strtol(argv[1], NULL, 10) : RUNS;
    size_t only = argc > 2 ? strtoul(argv[2], NULL, 10) : SIZE_MAX;

    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        if (only != SIZE_MAX && only != i)
            continue;
        run(&loads[i], runs > 0 ? (unsigned)runs : RUNS);
    }
    return 0;
}
