/* The table of streams: found again, forgotten, bounded in number and bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/meter.h"
#include "io/loop.h"
#include "lib/otlp_random.h"
#include "processors/streams.h"

struct world {
    struct leat_loop *loop;
    struct leat_budget budget;
    struct leat_gauge tracked;
    struct leat_streams *streams;
};

static void world_open(struct world *w, uint64_t max, int64_t max_stale, size_t memory)
{
    struct leat_err err;

    memset(w, 0, sizeof *w);
    w->loop = leat_loop_new(&err);
    leat_budget_init(&w->budget, memory);
    w->streams = leat_streams_new(max, max_stale, &w->budget, w->loop, &w->tracked);
}

static void world_close(struct world *w)
{
    leat_streams_free(w->streams);
    assert_int_equal(leat_budget_used(&w->budget), 0);
    leat_loop_free(w->loop);
}

/* Prints as a peer would like them: all alike in the bits that the index uses, or random. */
static struct leat_print print_of(uint32_t i, bool alike)
{
    return alike ? (struct leat_print){UINT64_C(7) << 32 | i % 3, i}
                 : leat_print(leat_bytes(&i, sizeof i));
}

static void random_operations(bool alike, uint32_t most, int rounds)
{
    struct otlp_random r = {alike ? 1 : 2};
    uint64_t *times = leat_new_array(most, sizeof *times); /* 0: not in it */
    uint32_t count = 0;
    struct world w;

    world_open(&w, UINT64_MAX, 0, (size_t)64 << 20);
    for (int i = 0; i < rounds; i++) {
        uint32_t n = otlp_random_below(&r, most);
        struct leat_print id = print_of(n, alike);
        struct leat_stream *s = leat_streams_find(w.streams, id);
        assert_int_equal(s != NULL, times[n] != 0);
        if (s == NULL) {
            assert_int_equal(leat_streams_add(w.streams, id, &s), LEAT_STREAMS_YES);
            assert_int_equal(s->kind, LEAT_STREAM_NEW);
            s->kind = LEAT_STREAM_INT;
            s->time = times[n] = (uint64_t)i + 1;
            count++;
            continue;
        }
        assert_int_equal(s->time, times[n]);
        if (otlp_random_below(&r, 2) == 0) {
            leat_streams_remove(w.streams, s);
            times[n] = 0;
            count--;
        }
        assert_int_equal(leat_streams_count(w.streams), count);
        assert_int_equal(leat_gauge_get(&w.tracked), count);
    }
    for (uint32_t n = 0; n < most; n++) {
        if (times[n] != 0)
            leat_streams_remove(w.streams, leat_streams_find(w.streams, print_of(n, alike)));
    }
    assert_int_equal(leat_budget_used(&w.budget), 0); /* with the last of them all memory is back */
    world_close(&w);
    leat_free(times);
}

static void test_as_a_plain_array(void **state)
{
    (void)state;
    random_operations(false, 5000, 60000);
    random_operations(true, 200, 20000);
}

static void test_numbers_are_small(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, UINT64_MAX, 0, (size_t)64 << 20);
    for (uint32_t i = 0; i < 100000; i++) {
        struct leat_stream *s;
        assert_int_equal(leat_streams_add(w.streams, print_of(i, false), &s), LEAT_STREAMS_YES);
        s->kind = LEAT_STREAM_DOUBLE;
    }
    assert_int_equal(leat_streams_bytes(w.streams), leat_budget_used(&w.budget));
    assert_true(leat_streams_bytes(w.streams) < 7 * 1000 * 1000);
    world_close(&w);
}

static void test_bounded(void **state)
{
    enum leat_streams_answer answer = LEAT_STREAMS_YES;
    struct leat_stream *s;
    struct world w;
    void *block;
    uint32_t n = 0;

    (void)state;
    world_open(&w, 100, 0, (size_t)1 << 20);
    while (answer == LEAT_STREAMS_YES) {
        answer = leat_streams_add(w.streams, print_of(n++, false), &s);
        s->kind = LEAT_STREAM_INT;
    }
    assert_int_equal(answer, LEAT_STREAMS_FULL);
    assert_int_equal(leat_streams_count(w.streams), 100);
    world_close(&w);

    world_open(&w, UINT64_MAX, 0, (size_t)1 << 20); /* half of it may be used */
    answer = LEAT_STREAMS_YES;
    while (answer == LEAT_STREAMS_YES) {
        answer = leat_streams_add(w.streams, print_of(n++, false), &s);
        s->kind = LEAT_STREAM_INT;
    }
    assert_int_equal(answer, LEAT_STREAMS_FULL);
    assert_true(leat_budget_used(&w.budget) <= (size_t)1 << 19);
    assert_true(leat_streams_count(w.streams) > 5000);
    s = leat_streams_find(w.streams, print_of(n - 2, false)); /* who is in stays */
    assert_non_null(s);
    assert_int_equal(leat_streams_block(w.streams, NULL, 1 << 19, &block), LEAT_STREAMS_FULL);
    leat_streams_remove(w.streams, s); /* and makes room when it goes */
    assert_int_equal(leat_streams_add(w.streams, print_of(0, true), &s), LEAT_STREAMS_YES);
    s->kind = LEAT_STREAM_INT;
    world_close(&w);

    world_open(&w, UINT64_MAX, 0, (size_t)1 << 20);
    assert_true(leat_budget_take(&w.budget, (size_t)1 << 20)); /* others have it all */
    assert_int_equal(leat_streams_add(w.streams, print_of(0, true), &s), LEAT_STREAMS_NO_MEMORY);
    leat_budget_give(&w.budget, (size_t)1 << 20);
    world_close(&w);
}

static void test_blocks(void **state)
{
    struct leat_stream *s;
    struct world w;
    void *block;

    (void)state;
    world_open(&w, 100, 0, (size_t)1 << 20);
    assert_int_equal(leat_streams_add(w.streams, print_of(1, false), &s), LEAT_STREAMS_YES);
    assert_int_equal(leat_streams_block(w.streams, NULL, 16, &block), LEAT_STREAMS_YES);
    memcpy(block, "0123456789abcdef", 16);
    assert_int_equal(leat_streams_block(w.streams, block, 1000, &block), LEAT_STREAMS_YES);
    assert_memory_equal(block, "0123456789abcdef", 16);
    leat_mem_fail_at(1);
    assert_int_equal(leat_streams_block(w.streams, block, 2000, &block), LEAT_STREAMS_NO_MEMORY);
    leat_mem_fail_at(0);
    assert_int_equal(leat_streams_block(w.streams, block, 8, &block), LEAT_STREAMS_YES);
    assert_memory_equal(block, "01234567", 8);
    s->kind = LEAT_STREAM_HISTOGRAM;
    s->block = block;
    world_close(&w); /* gives it back */
}

static void test_no_memory(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 10; nth++) {
        struct leat_stream *s;
        struct world w;
        uint32_t made = 0;

        world_open(&w, UINT64_MAX, 0, (size_t)16 << 20);
        for (uint32_t i = 0; i < 3000; i++) {
            leat_mem_fail_at(i % 1000 == 0 ? nth : 0);
            if (leat_streams_add(w.streams, print_of(i, false), &s) == LEAT_STREAMS_YES) {
                s->kind = LEAT_STREAM_INT;
                made++;
            }
            leat_mem_fail_at(0);
        }
        assert_int_equal(leat_streams_count(w.streams), made);
        assert_true(made > 2990);
        world_close(&w);
    }
}

static void test_forgotten_when_stale(void **state)
{
    enum { STREAMS = 150000 }; /* more than one turn of the loop looks at */
    struct leat_stream *s;
    struct world w;

    (void)state;
    leat_clock_fake(1000 * LEAT_SEC, 1);
    world_open(&w, UINT64_MAX, 300 * LEAT_SEC, (size_t)64 << 20);
    for (uint32_t i = 0; i < STREAMS; i++) {
        assert_int_equal(leat_streams_add(w.streams, print_of(i, false), &s), LEAT_STREAMS_YES);
        s->kind = LEAT_STREAM_INT;
    }
    for (int minute = 0; minute < 10; minute++) {
        leat_clock_step(60 * LEAT_SEC);
        for (int turn = 0; turn < 6; turn++)
            leat_loop_turn(w.loop);
        assert_non_null(leat_streams_find(w.streams, print_of(7, false)));
        assert_int_equal(leat_streams_count(w.streams), minute < 5 ? STREAMS : 1);
    }
    assert_true(leat_streams_bytes(w.streams) < 60000); /* one page */
    assert_int_equal(leat_streams_add(w.streams, print_of(8, false), &s), LEAT_STREAMS_YES);
    s->kind = LEAT_STREAM_INT;
    assert_int_equal(leat_gauge_get(&w.tracked), 2);
    world_close(&w);
    leat_clock_real();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_a_plain_array), cmocka_unit_test(test_numbers_are_small),
        cmocka_unit_test(test_bounded),          cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_no_memory),        cmocka_unit_test(test_forgotten_when_stale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
