/* Any request that passes the check, to remote write in both messages: what comes out is read by
 * protobuf-c, is as it must be (labels sorted, once, symbols used …) and says the same as the naive
 * mapping of the same request. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "fuzz/otlp_mutator.h"
#include "lib/prom_naive.h"
#include "lib/prom_read.h"
#include "proto/otlp_view.h"
#include "proto/prom_feed.h"
#include "proto/prom_write.h"

#define HEAD  4
#define BYTES ((size_t)64 << 20)
#define LARGE 16384 /* below no limit is reached but that of exemplars */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Now and then a random request of which most can be sent. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct otlp_random r = {seed};
    struct leat_text t;
    ProtobufCMessage *m;

    if (otlp_random_below(&r, 30) != 0 || max < HEAD)
        return LLVMFuzzerMutate(data, size, max);
    leat_text_init(&t, BYTES);
    m = prom_naive_request(&r);
    otlp_random_pack(m, &t);
    for (size_t i = 0; i < HEAD; i++)
        data[i] = (uint8_t)otlp_random_next(&r);
    size = HEAD;
    if (t.len <= max - HEAD) {
        memcpy(data + HEAD, leat_text_get(&t), t.len);
        size += t.len;
    }
    leat_text_done(&t);
    otlp_random_free(m);
    return size;
}

struct run {
    struct leat_prom_feed_conf conf;
    struct leat_prom_feed *feed;
    struct leat_prom_write write;
    struct leat_text lines;
    uint32_t dropped[LEAT_PROM_DROPS];
    bool zeros; /* strings may have zeros in them, where they end for protobuf-c */
};

/* What may be said of a string that ends too early. */
static bool of_zeros(const char *why)
{
    return strstr(why, "empty") != NULL || strstr(why, "sorted") != NULL ||
           strstr(why, "twice") != NULL;
}

static void send_off(struct run *a)
{
    struct leat_bytes request;
    struct leat_text room;
    const char *why;

    leat_text_init(&room, BYTES);
    request = prom_read_finish(&a->write, &room);
    LEAT_CHECK(request.len == leat_prom_write_size(&a->write));
    LEAT_CHECK(request.len <= a->write.max || a->write.series <= 1);
    why = prom_read(a->conf.message, request, PROM_READ_ALL, &a->lines);
    if (why != NULL && !a->zeros)
        fprintf(stderr, "%s\n", why);
    LEAT_CHECK(why == NULL || (a->zeros && of_zeros(why)));
    leat_text_done(&room);
    leat_prom_write_clear(&a->write, true);
}

static void send(struct run *a, struct leat_bytes otlp)
{
    struct leat_prom_item item;
    enum leat_prom_feed_result r;

    leat_text_clear(&a->lines);
    memset(a->dropped, 0, sizeof a->dropped);
    leat_prom_feed_begin(a->feed, otlp, 0);
    while ((r = leat_prom_feed_next(a->feed, &item)) != LEAT_PROM_FEED_END) {
        if (r == LEAT_PROM_FEED_DROPPED) {
            a->dropped[item.drop]++;
            continue;
        }
        LEAT_CHECK(r == LEAT_PROM_FEED_SAMPLE);
        if (leat_prom_write_add(&a->write, item.series, &item.sample, &item.family) ==
            LEAT_PROM_WRITE_OK)
            continue;
        send_off(a);
        LEAT_CHECK(leat_prom_write_add(&a->write, item.series, &item.sample, &item.family) ==
                   LEAT_PROM_WRITE_OK);
    }
    send_off(a);
    prom_read_sort(&a->lines);
}

/* `otlp` as protobuf-c writes it: its strings end at the first zero. */
static void compare(struct run *a, struct leat_bytes otlp)
{
    ProtobufCMessage *m = otlp_random_unpack(LEAT_METRICS, otlp);
    uint32_t dropped[LEAT_PROM_DROPS] = {0};
    struct leat_text plain, lines;

    LEAT_CHECK(m != NULL);
    leat_text_init(&plain, BYTES);
    leat_text_init(&lines, BYTES);
    otlp_random_pack(m, &plain);
    send(a, leat_text_bytes(&plain));
    if (leat_prom_feed_exemplars_dropped(a->feed) == 0) {
        prom_naive(&a->conf, leat_text_bytes(&plain), &lines, dropped);
        prom_read_sort(&lines);
        if (strcmp(leat_text_get(&lines), leat_text_get(&a->lines)) != 0)
            fprintf(stderr, "--- naive\n%s--- sent\n%s", leat_text_get(&lines),
                    leat_text_get(&a->lines));
        LEAT_CHECK(strcmp(leat_text_get(&lines), leat_text_get(&a->lines)) == 0);
        LEAT_CHECK(memcmp(dropped, a->dropped, sizeof dropped) == 0);
    }
    leat_text_done(&plain);
    leat_text_done(&lines);
    otlp_random_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t sizes[] = {1, 300, 3000, 3000000};
    struct leat_otlp_count count;
    struct leat_bytes in;
    const char *why;
    struct run a;

    if (size < HEAD || size > LARGE)
        return 0;
    in = leat_bytes(data + HEAD, size - HEAD);
    if (leat_otlp_check(LEAT_METRICS, in, &count, &why) != LEAT_OTLP_OK)
        return 0;
    a = (struct run){.conf = {.message = (enum leat_prom_message)(data[0] & 1),
                              .target_info = (data[0] & 2) != 0,
                              .cache_bytes = LEAT_PROM_STORE_MIN,
                              .map = {(data[1] & 1) != 0, (data[1] & 2) != 0},
                              .naming = {.strategy = (enum leat_prom_strategy)(data[2] & 3)},
                              .labels = {.no_scope = (data[1] & 4) != 0,
                                         .resource = (data[1] & 8) != 0,
                                         .utf8 = (data[2] & 2) != 0}}};
    a.conf.metadata = a.conf.message == LEAT_PROM_WRITE_2 && (data[0] & 4) != 0;
    leat_text_init(&a.lines, BYTES);
    a.feed = leat_prom_feed_new(&a.conf);
    leat_prom_write_init(&a.write, leat_prom_feed_store(a.feed), sizes[data[3] & 3]);
    if (a.conf.message == LEAT_PROM_WRITE_1 && data[3] & 4)
        leat_prom_write_squeeze(&a.write);
    a.zeros = true;
    send(&a, in);
    a.zeros = false;
    compare(&a, in);
    leat_prom_write_done(&a.write);
    leat_prom_feed_free(a.feed);
    leat_text_done(&a.lines);
    return 0;
}
