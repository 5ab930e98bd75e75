/* How fast the codecs are: MB/s of uncompressed bytes, in and out, for a repetitive and a varied
 * body of log lines.
 *
 * bench_codec [SECONDS [CODEC]]: runs each case for that long (0.5) and prints the median of its
 * rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "io/codec.h"

#define BODY       ((size_t)512 * 1024)
#define ROUNDS_MAX 4096

struct body {
    const char *name;
    char *text;
    size_t len;
};

static void put_line(struct body *b, const char *line, int len)
{
    if (len < 0 || (size_t)len > BODY - b->len)
        return;
    memcpy(b->text + b->len, line, (size_t)len);
    b->len += (size_t)len;
}

/* One service that says the same thing again and again. */
static struct body make_repetitive(void)
{
    struct body b = {"repetitive", leat_new(BODY), 0};
    char line[256];

    for (int i = 0; b.len + sizeof line < BODY; i++)
        put_line(&b, line,
                 snprintf(line, sizeof line,
                          "2026-11-21T15:%02d:%02d.%03dZ INFO checkout request served path=/cart "
                          "method=GET status=200 bytes=5120\n",
                          i / 60000 % 60, i / 1000 % 60, i % 1000));
    return b;
}

/* Many services, ids and numbers that do not repeat. */
static struct body make_varied(void)
{
    static const char *const services[] = {"checkout", "cart",     "payment",  "ad",
                                           "email",    "currency", "shipping", "frontend"};
    static const char *const verbs[] = {"accepted", "refused", "retried", "cached", "timed out"};
    struct body b = {"varied", leat_new(BODY), 0};
    char line[256];

    leat_random_fake(1);
    while (b.len + sizeof line < BODY) {
        uint64_t r = leat_random(), q = leat_random();
        put_line(&b, line,
                 snprintf(line, sizeof line,
                          "{\"service\":\"%s\",\"trace_id\":\"%016llx%016llx\",\"user\":%u,\"msg\":"
                          "\"order %u %s after %u ms\"}\n",
                          services[r % 8], (unsigned long long)r, (unsigned long long)q,
                          (unsigned)(q >> 40), (unsigned)(r >> 33), verbs[q % 5],
                          (unsigned)(r >> 20 & 1023)));
    }
    return b;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Runs `once` until the time is over; returns the median of bytes per microsecond, which is MB/s.
 */
static double measure(double seconds, size_t bytes, void (*once)(void *arg), void *arg)
{
    static double speeds[ROUNDS_MAX];
    int64_t end = leat_clock_mono() + (int64_t)(seconds * (double)LEAT_SEC);
    size_t n = 0;

    once(arg); /* contexts are made here */
    while (n < ROUNDS_MAX && (n == 0 || leat_clock_mono() < end)) {
        int64_t start = leat_clock_mono();
        once(arg);
        speeds[n++] = (double)bytes * 1000 / (double)(leat_clock_mono() - start);
    }
    qsort(speeds, n, sizeof *speeds, by_value);
    return speeds[n / 2];
}

struct job {
    struct leat_codecs *cs;
    enum leat_codec codec;
    int level;
    struct leat_bytes plain, packed;
};

static void deflate_once(void *arg)
{
    struct job *j = arg;
    struct leat_buf *out;

    LEAT_CHECK(leat_deflate(j->cs, j->codec, j->level, &j->plain, 1, NULL, &out, NULL) ==
               LEAT_CODEC_OK);
    leat_buf_unref(out);
}

static void inflate_once(void *arg)
{
    struct job *j = arg;
    struct leat_buf *out;

    LEAT_CHECK(leat_inflate(j->cs, j->codec, j->packed, j->plain.len, NULL, &out, NULL) ==
               LEAT_CODEC_OK);
    leat_buf_unref(out);
}

static void run(struct leat_codecs *cs, enum leat_codec c, int level, const struct body *b,
                double seconds)
{
    struct job j = {.cs = cs, .codec = c, .level = level, .plain = leat_bytes(b->text, b->len)};
    struct leat_buf *packed;
    char name[16];

    LEAT_CHECK(leat_deflate(cs, c, level, &j.plain, 1, NULL, &packed, NULL) == LEAT_CODEC_OK);
    j.packed = leat_bytes(packed->data, packed->len);
    snprintf(name, sizeof name, level == LEAT_LEVEL_DEFAULT ? "default" : "%d", level);
    printf("%-15s %7s  %-10s  ratio %6.1f  in %7.0f MB/s  out %7.0f MB/s\n", leat_codec_name(c),
           name, b->name, (double)b->len / (double)packed->len,
           measure(seconds, b->len, inflate_once, &j), measure(seconds, b->len, deflate_once, &j));
    fflush(stdout);
    leat_buf_unref(packed);
}

int main(int argc, char **argv)
{
    struct body bodies[] = {make_repetitive(), make_varied()};
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.5;
    int only = argc > 2 ? leat_codec_find(leat_bytes_str(argv[2])) : 0;
    struct leat_codecs *cs = leat_codecs_new();

    for (enum leat_codec c = LEAT_CODEC_GZIP; c < LEAT_CODECS; c++) {
        if (!leat_codec_built(c) || (only > 0 && (int)c != only))
            continue;
        for (size_t i = 0; i < 2; i++) {
            run(cs, c, LEAT_LEVEL_DEFAULT, &bodies[i], seconds);
            if (c == LEAT_CODEC_GZIP)
                run(cs, c, -1, &bodies[i], seconds);
            if (c == LEAT_CODEC_ZSTD)
                run(cs, c, 3, &bodies[i], seconds);
        }
    }
    leat_codecs_free(cs);
    leat_free(bodies[0].text);
    leat_free(bodies[1].text);
    return 0;
}
