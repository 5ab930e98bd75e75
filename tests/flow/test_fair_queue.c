/* A sending queue among clients of whom one sends without end: who is let in, whose turn it is, and
 * that everything is given back. Nothing here waits for time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/share.h"
#include "flow/room.h"
#include "flow/sender.h"
#include "lib/flow_rig.h"

#define GREEDY    LEAT_CLIENT_FIRST
#define POLITE(i) (LEAT_CLIENT_FIRST + 1 + (uint64_t)(i))
#define POLITES   19
#define CALLERS   2000

struct bench {
    struct rig rig;
    struct rig_sink sink;
    struct leat_sender_conf conf;
    struct leat_sender *sender;
    struct rig_caller callers[CALLERS];
    size_t ncallers;
};

static struct bench b;

static int setup(void **state)
{
    (void)state;
    memset(&b, 0, sizeof b);
    rig_open(&b.rig);
    rig_sink_init(&b.sink);
    b.sink.hold = true;
    b.conf = (struct leat_sender_conf){
        .sending_queue = {.enabled = true, .num_consumers = 1, .queue_size = 180},
        .retry_on_failure = {.enabled = true,
                             .initial_interval = LEAT_MS,
                             .max_interval = 5 * LEAT_MS,
                             .multiplier = 1.5}};
    b.conf.sending_queue.batch = (struct leat_queue_batch_conf){
        .flush_timeout = LEAT_MS, .min_size = 8, .sizer = LEAT_SIZER_ITEMS};
    return 0;
}

static void start(void)
{
    b.sender = rig_sender(&b.rig, &b.sink, &b.conf);
}

/* Also checks, in leat_room_done() and rig_close(), that no client holds anything. */
static int teardown(void **state)
{
    (void)state;
    leat_sender_stop(b.sender);
    while (!leat_list_empty(&b.sink.held))
        rig_sink_end(&b.sink, leat_retry(14, 0, "closed"));
    leat_sender_free(b.sender);
    rig_close(&b.rig);
    for (size_t i = 0; i < b.ncallers; i++)
        assert_int_equal(b.callers[i].told, 1);
    return 0;
}

static struct rig_caller *give(uint64_t client, const char *name, uint32_t items)
{
    struct rig_caller *c = &b.callers[b.ncallers++];

    assert_true(b.ncallers <= CALLERS);
    rig_caller_init(c);
    leat_ledger_count(&b.rig.ledger, LEAT_LOGS, LEAT_IN, items);
    leat_sender_take(b.sender, rig_logs_of(client, name, items, c));
    return c;
}

static bool admitted(const struct rig_caller *c)
{
    return c->told == 1 && c->status.outcome == LEAT_DELIVERED;
}

static size_t give_many(uint64_t client, size_t n, uint32_t items)
{
    size_t in = 0;

    for (size_t i = 0; i < n; i++)
        in += admitted(give(client, "g", items));
    return in;
}

static double refused(const char *reason)
{
    struct leat_metric id = {.name = "leat_exporter_refused_items_total",
                             .labels = {{"exporter", "test/1"},
                                        {"data_type", leat_signal_name(LEAT_LOGS)},
                                        {"reason", reason}}};

    return (double)leat_counter_get(leat_meter_counter(b.rig.meter, &id));
}

/* --- who is let in */

static void stalled_with(int sizer, int64_t queue, uint32_t items)
{
    const struct rig_caller *c;

    b.conf.sending_queue.sizer = sizer;
    b.conf.sending_queue.queue_size = queue;
    start();
    assert_int_equal(give_many(GREEDY, 500, items), 160);
    for (int i = 0; i < POLITES; i++)
        assert_true(admitted(give(POLITE(i), "p", items)));
    assert_int_equal(give_many(GREEDY, 100, items), 0);
    c = give(GREEDY, "g", items);
    assert_int_equal(c->status.outcome, LEAT_RETRY);
    assert_true(c->status.retry_after_ms > 0);
    assert_non_null(strstr(c->why, "this client already holds"));
    assert_int_equal(refused("queue_full"), 0);
    assert_int_equal(refused("client_share"), 441 * items);
}

static void requests_of_a_greedy_client(void **state)
{
    (void)state;
    stalled_with(LEAT_SIZER_REQUESTS, 180, 1);
}

static void items_of_a_greedy_client(void **state)
{
    (void)state;
    stalled_with(LEAT_SIZER_ITEMS, 180 * 3, 3);
}

static void bytes_of_a_greedy_client(void **state)
{
    struct leat_batch *one = rig_logs("g", 2, NULL);
    int64_t bytes = (int64_t)one->bytes;

    (void)state;
    leat_batch_done(one, leat_delivered());
    stalled_with(LEAT_SIZER_BYTES, 180 * bytes, 2);
}

static void nobody_may_fill_it(void **state)
{
    const struct rig_caller *c;

    (void)state;
    start();
    assert_int_equal(give_many(LEAT_CLIENT_NONE, 200, 1), 180);
    c = give(GREEDY, "g", 1);
    assert_non_null(strstr(c->why, "full"));
    assert_int_equal(refused("queue_full"), 21);
}

static void what_is_larger_than_all_goes_in_alone(void **state)
{
    (void)state;
    b.conf.sending_queue.sizer = LEAT_SIZER_ITEMS;
    start();
    assert_true(admitted(give(GREEDY, "huge", 500)));
    assert_false(admitted(give(POLITE(0), "p", 1)));
    rig_sink_end(&b.sink, leat_delivered());
    assert_true(admitted(give(POLITE(0), "p", 1)));
    assert_true(admitted(give(GREEDY, "large", 179))); /* holds nothing: has to fit only */
}

/* The destination takes 25 in the time in which the polite ones send 19 and the greedy one 1900. */
static void slow_destination(void **state)
{
    uint32_t polite = 0, greedy = 0, rounds = 10;

    (void)state;
    start();
    for (uint32_t round = 0; round < rounds; round++) {
        for (int i = 0; i < POLITES; i++) {
            greedy += (uint32_t)give_many(GREEDY, 9, 1);
            polite += admitted(give(POLITE(i), "p", 1));
        }
        for (int i = 0; i < 25; i++)
            rig_sink_end(&b.sink, leat_delivered());
    }
    assert_int_equal(polite, rounds * POLITES);
    assert_true(greedy >= 160); /* what is left of the destination */
    assert_true(refused("client_share") > 0);
    assert_int_equal(refused("queue_full"), 0);
}

/* --- given back */

static struct leat_status at_most_three(struct rig_sink *s, const struct leat_batch *batch)
{
    struct leat_status st = leat_rejected(3, "too large");

    (void)s;
    st.too_large = true;
    return batch->items > 3 ? st : leat_delivered();
}

static struct leat_status not_seven(struct rig_sink *s, const struct leat_batch *batch)
{
    (void)s;
    return rig_has(batch, "c-0") ? leat_rejected(3, "bad") : leat_delivered();
}

/* Joined with others', halved, cut inside a request: each client gets back what it was charged. */
static void
joined_and_cut(struct leat_status (*judge)(struct rig_sink *, const struct leat_batch *), int sizer)
{
    b.conf.sending_queue.sizer = sizer;
    b.conf.sending_queue.queue_size = 1 << 20;
    b.conf.sending_queue.has_batch = true;
    b.conf.sending_queue.batch.min_size = 40;
    b.sink.hold = false;
    b.sink.judge = judge;
    start();
    for (int round = 0; round < 3; round++) {
        give(GREEDY, "g", 17);
        give(POLITE(0), "a", 5);
        give(POLITE(1), "c", 5);
        give(LEAT_CLIENT_NONE, "n", 5);
        give(GREEDY, "h", 11);
    }
    rig_until(&b.rig, &b.sink.batches, 3);
    leat_sender_drain(b.sender, NULL, NULL);
}

static void given_back_when_halved(void **state)
{
    (void)state;
    joined_and_cut(at_most_three, LEAT_SIZER_BYTES);
}

static void given_back_when_halved_requests(void **state)
{
    (void)state;
    joined_and_cut(at_most_three, LEAT_SIZER_REQUESTS);
}

static void given_back_when_one_is_rejected(void **state)
{
    (void)state;
    joined_and_cut(not_seven, LEAT_SIZER_ITEMS);
}

static void given_back_without_memory(void **state)
{
    (void)state;
    b.conf.sending_queue.batch.max_size = 7;
    b.rig.budget.limit = 0;
    joined_and_cut(at_most_three, LEAT_SIZER_BYTES);
    b.rig.budget.limit = 1 << 24;
}

/* A batch of several clients' parts: each is charged its own, and nobody for the request. */
static struct leat_batch *mixed(void)
{
    struct leat_batch *m = rig_logs_of(GREEDY, "g", 30, NULL);

    assert_int_equal(leat_batch_join(m, rig_logs_of(POLITE(0), "p", 10, NULL)), 0);
    leat_ledger_count(&b.rig.ledger, LEAT_LOGS, LEAT_IN, 40);
    return m;
}

static void parts_of_several(void **state)
{
    struct leat_room r;
    struct leat_batch *m = mixed();

    (void)state;
    start();
    leat_room_init(&r, 100, LEAT_SIZER_ITEMS);
    leat_room_enter(&r, m);
    assert_int_equal(leat_budget_used(leat_shares_find(r.shares, GREEDY)), 30);
    assert_int_equal(leat_budget_used(leat_shares_find(r.shares, POLITE(0))), 10);
    leat_room_leave(&r, m);
    leat_room_done(&r);
    leat_room_init(&r, 100, LEAT_SIZER_REQUESTS);
    leat_room_enter(&r, m);
    assert_int_equal(leat_shares_held(r.shares), 0);
    assert_int_equal(r.size, 1);
    leat_room_leave(&r, m);
    leat_room_done(&r);
    m->weight = m->parts[0].weight = m->parts[1].weight = 0;
    leat_sender_take(b.sender, m);
}

/* --- turns */

static void who_waits_is_let_in_by_turns(void **state)
{
    struct rig_caller *greedy[50], *polite[POLITES], *many[2];

    (void)state;
    b.conf.sending_queue.block_on_overflow = true;
    b.conf.sending_queue.queue_size = 2;
    start();
    assert_int_equal(give_many(LEAT_CLIENT_NONE, 2, 1), 2);
    for (int i = 0; i < 50; i++)
        greedy[i] = give(GREEDY, "g", 1);
    for (int i = 0; i < POLITES; i++)
        polite[i] = give(POLITE(i), "p", 1);
    many[0] = give(LEAT_CLIENT_NONE, "n", 1);
    many[1] = give(LEAT_CLIENT_NONE, "n", 1);
    for (int i = 0; i < 1 + POLITES + 1; i++)
        rig_sink_end(&b.sink, leat_delivered());
    assert_true(admitted(greedy[0]) && !admitted(greedy[1]));
    for (int i = 0; i < POLITES; i++)
        assert_true(admitted(polite[i]));
    assert_true(admitted(many[0]) && !admitted(many[1]));
    rig_sink_end(&b.sink, leat_delivered());
    assert_true(admitted(greedy[1]) && !admitted(many[1]));
    rig_sink_end(&b.sink, leat_delivered());
    assert_true(admitted(many[1]) && !admitted(greedy[2]));
    for (int i = 2; i < 50; i++) {
        assert_false(admitted(greedy[i]));
        rig_sink_end(&b.sink, leat_delivered());
        assert_true(admitted(greedy[i]));
    }
}

/* A large one in its turn is waited for: it is not overtaken until it fits. */
static void a_large_one_keeps_its_turn(void **state)
{
    struct rig_caller *large, *small;

    (void)state;
    b.conf.sending_queue.block_on_overflow = true;
    b.conf.sending_queue.sizer = LEAT_SIZER_ITEMS;
    b.conf.sending_queue.queue_size = 10;
    start();
    give(GREEDY, "g", 5);
    give(GREEDY, "g", 4);
    large = give(POLITE(0), "p", 9);
    small = give(POLITE(1), "p", 1);
    assert_false(admitted(small));
    rig_sink_end(&b.sink, leat_delivered());
    assert_false(admitted(large) || admitted(small));
    rig_sink_end(&b.sink, leat_delivered());
    assert_true(admitted(large) && admitted(small));
}

static void who_still_waits_at_the_end_is_told(void **state)
{
    (void)state;
    b.conf.sending_queue.block_on_overflow = true;
    b.conf.sending_queue.queue_size = 2;
    start();
    for (int i = 0; i < 10; i++) {
        give(GREEDY, "g", 1);
        give(POLITE(0), "p", 1);
        give(LEAT_CLIENT_NONE, "n", 1);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_of_a_greedy_client),
        TEST(items_of_a_greedy_client),
        TEST(bytes_of_a_greedy_client),
        TEST(nobody_may_fill_it),
        TEST(what_is_larger_than_all_goes_in_alone),
        TEST(slow_destination),
        TEST(given_back_when_halved),
        TEST(given_back_when_halved_requests),
        TEST(given_back_when_one_is_rejected),
        TEST(given_back_without_memory),
        TEST(parts_of_several),
        TEST(who_waits_is_let_in_by_turns),
        TEST(a_large_one_keeps_its_turn),
        TEST(who_still_waits_at_the_end_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
