/* Random OTLP requests to remote write and back, against the same mapping done naively. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "lib/prom_naive.h"
#include "lib/prom_read.h"
#include "proto/otlp_view.h"
#include "proto/prom_feed.h"
#include "proto/prom_write.h"

#define ROUNDS 300
#define BYTES  ((size_t)64 << 20)

struct all {
    struct leat_prom_feed *feed;
    struct leat_prom_write write;
    const struct leat_prom_feed_conf *conf;
    struct leat_text lines;
    uint32_t dropped[LEAT_PROM_DROPS];
};

static void send_off(struct all *a)
{
    struct leat_bytes request;
    struct leat_text room;
    const char *why;

    leat_text_init(&room, BYTES);
    request = prom_read_finish(&a->write, &room);
    why = prom_read(a->conf->message, request, PROM_READ_ALL, &a->lines);
    if (why != NULL)
        fail_msg("%s", why);
    leat_text_done(&room);
    leat_prom_write_clear(&a->write, true);
}

static void send(struct all *a, struct leat_bytes otlp)
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
        assert_int_equal(r, LEAT_PROM_FEED_SAMPLE);
        if (leat_prom_write_add(&a->write, item.series, &item.sample, &item.family) ==
            LEAT_PROM_WRITE_OK)
            continue;
        send_off(a);
        assert_int_equal(leat_prom_write_add(&a->write, item.series, &item.sample, &item.family),
                         LEAT_PROM_WRITE_OK);
    }
    send_off(a);
    prom_read_sort(&a->lines);
}

static void compare(struct all *a, struct leat_bytes otlp)
{
    uint32_t dropped[LEAT_PROM_DROPS] = {0};
    struct leat_text lines;

    leat_text_init(&lines, BYTES);
    prom_naive(a->conf, otlp, &lines, dropped);
    prom_read_sort(&lines);
    send(a, otlp);
    assert_string_equal(leat_text_get(&a->lines), leat_text_get(&lines));
    assert_memory_equal(a->dropped, dropped, sizeof dropped);
    send(a, otlp); /* all series known */
    assert_string_equal(leat_text_get(&a->lines), leat_text_get(&lines));
    leat_text_done(&lines);
}

static uint32_t run(const struct leat_prom_feed_conf *conf, bool squeeze, size_t max, uint64_t seed)
{
    struct otlp_random r = {seed};
    struct all a = {.conf = conf, .feed = leat_prom_feed_new(conf)};
    struct leat_otlp_count count;
    struct leat_text plain, otlp;
    ProtobufCMessage *m;
    const char *why;
    uint32_t sent = 0;

    leat_text_init(&a.lines, BYTES);
    leat_text_init(&plain, BYTES);
    leat_text_init(&otlp, BYTES);
    leat_prom_write_init(&a.write, leat_prom_feed_store(a.feed), max);
    if (squeeze)
        leat_prom_write_squeeze(&a.write);
    for (int i = 0; i < ROUNDS; i++) {
        m = prom_naive_request(&r);
        leat_text_clear(&plain);
        leat_text_clear(&otlp);
        otlp_random_pack(m, &plain);
        otlp_random_scramble(&r, m->descriptor, leat_text_bytes(&plain), true, &otlp);
        assert_int_equal(leat_otlp_check(LEAT_METRICS, leat_text_bytes(&otlp), &count, &why),
                         LEAT_OTLP_OK);
        compare(&a, i % 2 == 0 ? leat_text_bytes(&plain) : leat_text_bytes(&otlp));
        sent += count.items;
        otlp_random_free(m);
    }
    leat_text_done(&a.lines);
    leat_text_done(&plain);
    leat_text_done(&otlp);
    leat_prom_write_done(&a.write);
    leat_prom_feed_free(a.feed);
    return sent;
}

static void test_1(void **state)
{
    const struct leat_prom_feed_conf conf = {.target_info = true,
                                             .cache_bytes = LEAT_PROM_STORE_MIN};

    (void)state;
    assert_true(run(&conf, false, 3000, 1) > ROUNDS);
}

/* Small requests, and such as reach farther back than a copy may. */
static void test_1_squeezed(void **state)
{
    const struct leat_prom_feed_conf conf = {.target_info = true,
                                             .cache_bytes = LEAT_PROM_STORE_MIN};

    (void)state;
    assert_true(run(&conf, true, 3000, 4) > ROUNDS);
    assert_true(run(&conf, true, 3000000, 5) > ROUNDS);
}

static void test_2(void **state)
{
    const struct leat_prom_feed_conf conf = {.message = LEAT_PROM_WRITE_2,
                                             .metadata = true,
                                             .target_info = true,
                                             .cache_bytes = LEAT_PROM_STORE_MIN,
                                             .map = {.custom_buckets = true}};

    (void)state;
    assert_true(run(&conf, false, 3000, 2) > ROUNDS);
}

static void test_2_as_it_is(void **state)
{
    const struct leat_prom_feed_conf conf = {
        .message = LEAT_PROM_WRITE_2,
        .cache_bytes = LEAT_PROM_STORE_MIN,
        .naming = {.strategy = LEAT_PROM_UTF8},
        .labels = {.utf8 = true, .resource = true, .no_scope = true},
        .map = {.custom_buckets = true, .keep_classic = true}};

    (void)state;
    assert_true(run(&conf, false, 3000, 3) > ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_1),
        cmocka_unit_test(test_1_squeezed),
        cmocka_unit_test(test_2),
        cmocka_unit_test(test_2_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
