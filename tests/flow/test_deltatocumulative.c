/* deltatocumulative: sequences of points, and what becomes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "lib/delta_bench.h"
#include "lib/otlp_random.h"
#include "proto/otlp_make.h"

extern const struct leat_component leat_processor_deltatocumulative;

#define C      (&leat_processor_deltatocumulative)
#define MEMORY ((size_t)16 << 20)
#define POINTS "otelcol_deltatocumulative_datapoints"

struct step {
    const char *in, *out;
};

static void play(const char *yaml, const struct step *steps, size_t n)
{
    struct delta_bench b;

    delta_bench_open(&b, C, yaml, MEMORY);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(delta_bench_feed(&b, steps[i].in), steps[i].out);
    delta_bench_close(&b);
}
#define PLAY(...)                                                                                  \
    do {                                                                                           \
        static const struct step steps[] = {__VA_ARGS__};                                          \
        play("", steps, sizeof steps / sizeof *steps);                                             \
    } while (0)

static void test_sums_add_up(void **state)
{
    (void)state;
    PLAY({"sd c x 10 20 5", "sc c x 10 20 5\n"}, {"sd c x 20 30 7", "sc c x 10 30 12\n"},
         {"sd c x 90 99 1", "sc c x 10 99 13\n"},    /* a gap */
         {"sd c x 15 100 1", "sc c x 10 100 14\n"}); /* an overlap: it is newer */
    PLAY({"sd c x 10 20 0.5", "sc c x 10 20 0.5\n"}, {"sd c x 20 30 7.25", "sc c x 10 30 7.75\n"});
    PLAY({"ud c x 10 20 5", "uc c x 10 20 5\n"}, {"ud c x 20 30 -7", "uc c x 10 30 -2\n"});
}

static void test_ints_and_doubles_meet(void **state)
{
    (void)state;
    PLAY({"sd c x 10 20 5", "sc c x 10 20 5\n"}, {"sd c x 20 30 0.5", "sc c x 10 30 5.5\n"},
         {"sd c x 30 40 2", "sc c x 10 40 7.5\n"});
}

static void test_each_stream_has_its_own(void **state)
{
    (void)state;
    PLAY({"sd c x 1 2 1\nsd c y 1 2 10\nud c x 1 2 100\nsd d x 1 2 1000",
          "sc c x 1 2 1\nsc c y 1 2 10\nuc c x 1 2 100\nsc d x 1 2 1000\n"},
         {"sd d x 2 3 1\nud c x 2 3 1\nsd c y 2 3 1\nsd c x 2 3 1",
          "sc d x 1 3 1001\nuc c x 1 3 101\nsc c y 1 3 11\nsc c x 1 3 2\n"});
}

static void test_what_is_no_delta_passes(void **state)
{
    static const char lines[] = "sc c x 1 2 1\ng- c x 1 2 10\nhc h x 1 2 1 5 5 5 [1] [0,1]\n";
    struct delta_bench b;

    (void)state;
    delta_bench_open(&b, C, "", MEMORY);
    assert_string_equal(delta_bench_feed(&b, lines), lines);
    assert_true(b.same_buffer);
    assert_string_equal(delta_bench_feed(&b, "sc c x 1 2 1\nsd d x 1 2 3\ng- c x 1 2 10"),
                        "sc c x 1 2 1\nsc d x 1 2 3\ng- c x 1 2 10\n");
    assert_false(b.same_buffer);
    assert_int_equal(delta_bench_counter(&b, POINTS, NULL, NULL), 1);
    delta_bench_close(&b);
}

static void test_old_points_are_dropped_and_counted(void **state)
{
    struct delta_bench b;

    (void)state;
    delta_bench_open(&b, C, "", MEMORY);
    delta_bench_feed(&b, "sd c x 10 20 5");
    assert_string_equal(delta_bench_feed(&b, "sd c x 10 19 5"), "");
    assert_string_equal(delta_bench_feed(&b, "sd c x 9 30 5"), "");
    assert_int_equal(b.batches, 1); /* nothing is passed on, and the callers were answered */
    assert_string_equal(delta_bench_feed(&b, "sd c x 9 30 5\nsd c x 20 30 1\nsd c x 20 29 1"),
                        "sc c x 10 30 6\n");
    assert_int_equal(delta_bench_counter(&b, POINTS, "error", "delta.ErrOutOfOrder"), 2);
    assert_int_equal(delta_bench_counter(&b, POINTS, "error", "delta.ErrOlderStart"), 2);
    assert_int_equal(delta_bench_counter(&b, POINTS, NULL, NULL), 2);
    delta_bench_close(&b);
}

/* What was refused behind us and is sent again says the same again; it is not added twice. */
static void test_sent_again(void **state)
{
    static const char in[] = "sd c x 1 2 1\nsd c x 2 3 1\nhd h x 1 2 1 1 1 1 [1] [1,0]\n"
                             "ed e x 1 2 0 1 1 0 0 0[1] 0[]\nsd n x 1 2 none";
    struct delta_bench b;

    (void)state;
    delta_bench_open(&b, C, "", MEMORY);
    b.answer = leat_retry(14, 0, "not now");
    delta_bench_feed(&b, in);
    for (int i = 0; i < 2; i++) /* of a stream's points the last one is enough */
        assert_string_equal(delta_bench_feed(&b, in),
                            "sc c x 1 3 2\nhc h x 1 2 1 1 1 1 [1] [1,0]\n"
                            "ec e x 1 2 0 1 1 0 0 0[1] 0[]\nsc n x 1 2 none\n");
    assert_string_equal(delta_bench_feed(&b, "hd h x 1 2 1 1 1 1 [2] [1,0]"), "");
    assert_string_equal(delta_bench_feed(&b, "sd c x 3 4 1\nhd h x 2 3 1 1 1 1 [1] [1,0]"),
                        "sc c x 1 4 3\nhc h x 1 3 2 2 1 1 [1] [2,0]\n");
    assert_int_equal(delta_bench_counter(&b, POINTS, "error", "delta.ErrOutOfOrder"), 9);
    delta_bench_close(&b);
}

static void test_histograms(void **state)
{
    (void)state;
    PLAY({"hd h x 1 2 3 6 1 3 [1,2] [1,1,1]", "hc h x 1 2 3 6 1 3 [1,2] [1,1,1]\n"},
         {"hd h x 2 3 4 10 0.5 7 [1,2] [1,0,3]", "hc h x 1 3 7 16 0.5 7 [1,2] [2,1,4]\n"},
         /* what one does not know, the sum does not know */
         {"hd h x 3 4 1 - - 9 [1,2] [1,0,0]", "hc h x 1 4 8 - - 9 [1,2] [3,1,4]\n"},
         {"hd h x 4 5 1 1 1 1 [1,2] [1,0,0]", "hc h x 1 5 9 - - 9 [1,2] [4,1,4]\n"},
         /* other bounds: it begins anew */
         {"hd h x 5 6 2 3 1 2 [1,5] [1,1,0]", "hc h x 5 6 2 3 1 2 [1,5] [1,1,0]\n"},
         {"hd h x 6 7 2 3 1 2 [1,5] [1,1,0]", "hc h x 5 7 4 6 1 2 [1,5] [2,2,0]\n"},
         {"hd h x 7 8 2 3 1 2 [] []", "hc h x 7 8 2 3 1 2 [] []\n"},
         {"hd h x 8 9 2 3 1 2 [] []", "hc h x 7 9 4 6 1 2 [] []\n"});
}

static void test_exponential_histograms(void **state)
{
    (void)state;
    PLAY({"ed e x 1 2 0 4 10 1 0 0[1,2] 0[]", "ec e x 1 2 0 4 10 1 0 0[1,2] 0[]\n"},
         {"ed e x 2 3 0 2 5 0 0 3[1] -2[1]", "ec e x 1 3 0 6 15 1 0 0[1,2,0,1] -2[1]\n"},
         /* a coarser scale is taken: 0,1 | 2,3 */
         {"ed e x 3 4 -1 1 1 0 0 1[1] 0[]", "ec e x 1 4 -1 7 16 1 0 0[3,2] -1[1]\n"},
         /* a finer one is made coarser: 4 >> 2 */
         {"ed e x 4 5 1 1 1 0 0 4[1] 0[]", "ec e x 1 5 -1 8 17 1 0 0[3,3] -1[1]\n"});
}

static void test_zero_thresholds(void **state)
{
    (void)state;
    /* scale 0: bucket 0 is (1, 2], bucket 1 (2, 4] */
    PLAY({"ed e x 1 2 0 3 9 0 0 0[1,1,1] 0[]", "ec e x 1 2 0 3 9 0 0 0[1,1,1] 0[]\n"},
         {"ed e x 2 3 0 1 0 1 2 0[] 0[]", "ec e x 1 3 0 4 9 2 2 1[1,1] 0[]\n"},
         /* in the middle of (2, 4]: the threshold goes to its end */
         {"ed e x 3 4 0 1 0 1 3 0[] 0[]", "ec e x 1 4 0 5 9 4 4 2[1] 0[]\n"},
         /* what comes with a lower one is counted as zero up to there */
         {"ed e x 4 5 0 3 9 0 0 0[1,1,1] 1[7]", "ec e x 1 5 0 8 18 13 4 2[2] 0[]\n"},
         {"ed e x 5 6 0 1 5 0 4 2[1] 0[]", "ec e x 1 6 0 9 23 13 4 2[3] 0[]\n"});
}

/* 160 buckets on a side, and no more: the scale gives way. */
static void test_width_is_bounded(void **state)
{
    struct delta_bench b;

    (void)state;
    delta_bench_open(&b, C, "", MEMORY);
    delta_bench_feed(&b, "ed e x 1 2 5 1 1 0 0 0[1] 0[]");
    assert_memory_equal(delta_bench_feed(&b, "ed e x 2 3 5 1 1 0 0 159[1] 0[]"),
                        "ec e x 1 3 5 2 2 0 0 0[1,0,0", 28);
    assert_memory_equal(delta_bench_feed(&b, "ed e x 3 4 5 1 1 0 0 160[1] 0[]"),
                        "ec e x 1 4 4 3 3 0 0 0[1,0,0", 28);
    assert_non_null(strstr(leat_text_get(&b.out), ",0,1,1] 0[]\n"));
    /* far away, on the other side: 2^30 is 80 buckets of 2^24 */
    assert_memory_equal(delta_bench_feed(&b, "ed e x 4 5 20 1 1 0 0 0[] 1073741824[1]"),
                        "ec e x 1 5 4 4 4 0 0 0[1,0,0", 28);
    assert_non_null(strstr(leat_text_get(&b.out), "] 16384[1]\n"));
    assert_memory_equal(delta_bench_feed(&b, "ed e x 5 6 20 1 1 0 0 0[] -2147483648[1]"),
                        "ec e x 1 6 -5 5 5 0 0 0[3] -64[1,0,0", 36);
    delta_bench_close(&b);
}

/* Scales and offsets that no computer means. */
static void test_absurd_histograms_are_dropped(void **state)
{
    struct delta_bench b;

    (void)state;
    delta_bench_open(&b, C, "", MEMORY);
    assert_string_equal(delta_bench_feed(&b, "ed e x 1 2 2147483647 1 1 0 0 0[1] 0[]\n"
                                             "ed e x 1 2 -2147483648 1 1 0 0 0[1] 0[]\n"
                                             "ed e x 1 2 0 1 1 0 0 2147483647[1,1] 0[]"),
                        "");
    assert_int_equal(delta_bench_counter(&b, POINTS, "error", "invalid"), 3);
    /* thresholds beyond all numbers swallow everything, NaN nothing */
    delta_bench_feed(&b, "ed e x 1 2 100 1 1 0 0 2000000000[1] -2000000000[1]");
    assert_string_equal(delta_bench_feed(&b, "ed e x 2 3 100 1 1 0 nan 0[] 0[]") + 11,
                        "100 2 2 0 0 2000000000[1] -2000000000[1]\n");
    assert_string_equal(delta_bench_feed(&b, "ed e x 3 4 -100 1 1 5 inf 0[1] 0[1]") + 11,
                        "-100 3 3 9 inf 0[] 0[]\n");
    delta_bench_close(&b);
}

static void test_no_recorded_value(void **state)
{
    (void)state;
    PLAY({"sd c x 10 20 none", "sc c x 10 20 none\n"}, {"sd c x 20 30 5", "sc c x 20 30 5\n"},
         {"sd c x 30 40 none", "sc c x 20 40 none\n"}, {"sd c x 40 50 5", "sc c x 20 50 10\n"});
}

static void test_stale_streams_are_forgotten(void **state)
{
    struct delta_bench b;

    (void)state;
    leat_clock_fake(1000 * LEAT_SEC, 1);
    delta_bench_open(&b, C, "{max_stale: 80s}", MEMORY);
    delta_bench_feed(&b, "sd c x 10 20 5\nsd c y 10 20 5");
    for (int i = 0; i < 10; i++) {
        leat_clock_step(10 * LEAT_SEC);
        leat_loop_turn(b.rig.loop);
        if (i == 5)
            delta_bench_feed(&b, "sd c y 20 30 5");
    }
    assert_string_equal(delta_bench_feed(&b, "sd c x 30 40 5\nsd c y 30 40 5"),
                        "sc c x 30 40 5\nsc c y 10 40 15\n");
    delta_bench_close(&b);
    leat_clock_real();
}

static void test_limit(void **state)
{
    struct delta_bench b;

    (void)state;
    delta_bench_open(&b, C, "{max_streams: 2}", MEMORY);
    assert_string_equal(delta_bench_feed(&b, "sd c x 1 2 1\nsd c y 1 2 1\nsd c z 1 2 1"),
                        "sc c x 1 2 1\nsc c y 1 2 1\n");
    assert_string_equal(delta_bench_feed(&b, "sd c z 2 3 1\nsd c y 2 3 1"), "sc c y 1 3 2\n");
    assert_int_equal(delta_bench_counter(&b, POINTS, "error", "limit"), 2);
    delta_bench_close(&b);
}

/* Parts of several callers: each stays one, with its waiter; who has nothing left is answered. */
static void test_parts_keep_their_waiters(void **state)
{
    static const char *const lines[] = {"sd c x 1 2 1\nsd c y 1 2 1", "sd c x 0 9 1",
                                        "g- c x 1 2 1", "sd c x 2 3 1\nsd c x 1 2 1"};
    struct rig_caller callers[4];
    struct leat_batch *batch = NULL;
    struct delta_bench b;

    (void)state;
    delta_bench_open(&b, C, "", MEMORY);
    b.answer = leat_rejected(3, "so there");
    for (int i = 0; i < 4; i++) {
        struct leat_batch *one = delta_bench_batch(lines[i], &callers[i]);
        if (batch == NULL)
            batch = one;
        else
            assert_int_equal(leat_batch_join(batch, one), 0);
    }
    delta_bench_take(&b, batch);
    assert_string_equal(leat_text_get(&b.out),
                        "sc c x 1 2 1\nsc c y 1 2 1\ng- c x 1 2 1\nsc c x 1 3 2\n");
    assert_int_equal(b.items, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(callers[i].told, 1);
        assert_int_equal(callers[i].status.outcome, i == 1 ? LEAT_DELIVERED : LEAT_REJECTED);
    }
    delta_bench_close(&b);
}

/* Whatever allocation fails: the request is refused, or done; sent again until it is taken it
 * counts once. */
static void test_no_memory(void **state)
{
    static const char *const lines[] = {
        "sd c x 1 2 1\nhd h x 1 2 1 1 1 1 [1] [1,0]\ned e x 1 2 0 1 1 0 0 0[1] 0[]",
        "sd c x 2 3 1\nhd h x 2 3 1 1 1 1 [1] [1,0]\ned e x 2 3 0 1 1 0 0 9[1] 0[]",
        "sd c x 3 4 1\nhd h x 3 4 1 1 1 1 [1] [1,0]\ned e x 3 4 0 1 1 0 0 -9[1] 0[]",
    };
    uint32_t refused = 0;

    (void)state;
    for (uint64_t nth = 1; nth < 12; nth++) {
        struct delta_bench b;

        delta_bench_open(&b, C, "", MEMORY);
        for (int i = 0; i < 3; i++) {
            struct rig_caller caller;
            struct leat_batch *batch = delta_bench_batch(lines[i], &caller);
            leat_mem_fail_at(nth);
            delta_bench_take(&b, batch);
            leat_mem_fail_at(0);
            refused += caller.status.outcome == LEAT_RETRY;
            if (caller.status.outcome == LEAT_RETRY)
                delta_bench_feed(&b, lines[i]);
        }
        assert_string_equal(delta_bench_feed(&b, "sd c x 4 5 1\nhd h x 4 5 1 1 1 1 [1] [1,0]\n"
                                                 "ed e x 4 5 0 1 1 0 0 0[1] 0[]"),
                            "sc c x 1 5 4\nhc h x 1 5 4 4 1 1 [1] [4,0]\n"
                            "ec e x 1 5 0 4 4 0 0 -9[1,0,0,0,0,0,0,0,0,2,0,0,0,0,0,0,0,0,1] 0[]\n");
        delta_bench_close(&b);
    }
    assert_true(refused > 5);
}

static void test_closed(void **state)
{
    struct rig_caller caller;
    struct delta_bench b;

    (void)state;
    delta_bench_open(&b, C, "", MEMORY);
    C->close(b.self);
    b.closed = true;
    delta_bench_take(&b, delta_bench_batch("sd c x 1 2 1", &caller));
    assert_int_equal(caller.status.outcome, LEAT_RETRY);
    delta_bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_add_up),
        cmocka_unit_test(test_ints_and_doubles_meet),
        cmocka_unit_test(test_each_stream_has_its_own),
        cmocka_unit_test(test_what_is_no_delta_passes),
        cmocka_unit_test(test_old_points_are_dropped_and_counted),
        cmocka_unit_test(test_sent_again),
        cmocka_unit_test(test_histograms),
        cmocka_unit_test(test_exponential_histograms),
        cmocka_unit_test(test_zero_thresholds),
        cmocka_unit_test(test_width_is_bounded),
        cmocka_unit_test(test_absurd_histograms_are_dropped),
        cmocka_unit_test(test_no_recorded_value),
        cmocka_unit_test(test_stale_streams_are_forgotten),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_parts_keep_their_waiters),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
