/* A whole program among twenty clients of whom one sends without end, while the destination answers
 * nobody: every polite request is let in, the greedy one's surplus is refused, nothing is lost.
 * Counted, not timed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/share.h"
#include "io/server.h"
#include "lib/path_world.h"

#define POLITES 19
#define SHARE   160 /* of 180 one may hold 8/9 */
#define WHOLE   180
#define GREEDY  240 /* requests */
#define ITEMS   3

static struct crowd {
    struct path_world w;
    struct path_client polite[POLITES];
    struct client_sent sent[GREEDY + POLITES];
    struct leat_text bodies[GREEDY + POLITES];
    size_t body_len;
} c;

/* Every memory of the program counts in requests: it may hold WHOLE of them. */
static void open_crowd(const char *yaml)
{
    char name[32];

    memset(&c, 0, sizeof c);
    path_world_open(&c.w, yaml);
    c.w.sinks[0].hold = true;
    for (int i = 0; i < POLITES; i++)
        path_client_open(&c.polite[i], c.w.loop, true,
                         path_program_port(&c.w.program, "otlp", LEAT_OTLP_GRPC));
    for (int i = 0; i < GREEDY + POLITES; i++) {
        leat_text_init(&c.bodies[i], 1 << 20);
        snprintf(name, sizeof name, "r%03d", i);
        path_request(LEAT_LOGS, name, ITEMS, &c.bodies[i]);
        c.body_len = c.bodies[i].len;
        assert_int_equal(c.body_len, c.bodies[0].len);
    }
}

static void send_greedy(int from, int to)
{
    for (int i = from; i < to; i++)
        path_client_send(&c.w.grpc, &c.sent[i], LEAT_LOGS, leat_text_bytes(&c.bodies[i]));
}

static void send_polite(void)
{
    for (int i = 0; i < POLITES; i++)
        path_client_send(&c.polite[i], &c.sent[GREEDY + i], LEAT_LOGS,
                         leat_text_bytes(&c.bodies[GREEDY + i]));
}

static int answered(int from, int to)
{
    int n = 0;

    for (int i = from; i < to; i++)
        n += c.sent[i].done != 0;
    return n;
}

static int admitted(int from, int to)
{
    int n = 0;

    for (int i = from; i < to; i++)
        n += c.sent[i].done && c.sent[i].a.net == LEAT_NET_OK && c.sent[i].a.grpc_status == 0;
    return n;
}

/* The refused are told why and when to come back. */
static void check_refused(const char *words)
{
    struct leat_rpc_status st;

    for (int i = 0; i < GREEDY; i++) {
        if (c.sent[i].a.net != LEAT_NET_OK || c.sent[i].a.grpc_status == 0)
            continue;
        assert_int_equal(c.sent[i].a.grpc_status, LEAT_GRPC_UNAVAILABLE);
        path_read_status(&c.sent[i], true, false, &st);
        assert_true(st.has_delay && st.delay_ms > 0);
        assert_non_null(strstr(st.message, words));
    }
}

static void close_polite(void)
{
    for (int i = 0; i < POLITES; i++)
        path_client_close(&c.polite[i]);
}

/* What was admitted has arrived, once; path_program_close() checks that nobody holds anything. */
static void close_crowd(void)
{
    char name[32];

    path_world_drain(&c.w);
    for (int i = 0; i < GREEDY + POLITES; i++) {
        snprintf(name, sizeof name, "r%03d", i);
        if (admitted(i, i + 1))
            assert_true(path_seen_once(&c.w.sinks[0].seen, name, ITEMS));
        else if (c.sent[i].a.net == LEAT_NET_OK)
            assert_int_equal(path_seen_times(&c.w.sinks[0].seen, name, 0), 0);
        client_sent_done(&c.sent[i]);
        leat_text_done(&c.bodies[i]);
    }
    close_polite();
    path_world_close(&c.w);
}

static double refusals(void)
{
    return path_program_metric(&c.w.program, "leat_http_requests_refused");
}

#define NO_QUEUE                                                                                   \
    PATH_RECEIVER                                                                                  \
    "exporters: {otlp_grpc: {endpoint: $G, tls: {insecure: true}, compression: none, "             \
    "sending_queue: {enabled: "                                                                    \
    "false}, timeout: 0s}}\n" PATH_ALL_TO("", "otlp_grpc")

#define QUEUE                                                                                      \
    PATH_RECEIVER                                                                                  \
    "exporters: {otlp_grpc: {endpoint: $G, tls: {insecure: true}, compression: none, timeout: "    \
    "0s, sending_queue: "                                                                          \
    "{queue_size: 180, num_consumers: 1}}}\n" PATH_ALL_TO("", "otlp_grpc")

/* The greedy one's 160 requests and the polite ones' 19 are with the destination, which holds them.
 */
static void fill_memory(void)
{
    open_crowd(NO_QUEUE);
    c.w.program.budget.limit = WHOLE * (c.body_len + LEAT_CALL_COST);
    send_greedy(0, GREEDY);
    PATH_UNTIL(c.w.loop, c.w.sinks[0].requests + refusals() == GREEDY);
    assert_int_equal(c.w.sinks[0].requests, SHARE);
    send_polite();
    PATH_UNTIL(c.w.loop, c.w.sinks[0].requests == SHARE + POLITES);
    assert_int_equal(refusals(), GREEDY - SHARE);
    assert_int_equal(leat_budget_refused(&c.w.program.budget), 0);
}

static void memory_is_left_for_the_polite(void **state)
{
    (void)state;
    fill_memory();
    path_sink_release(&c.w.sinks[0]);
    PATH_UNTIL(c.w.loop, answered(0, GREEDY + POLITES) == GREEDY + POLITES);
    assert_int_equal(admitted(0, GREEDY), SHARE);
    assert_int_equal(admitted(GREEDY, GREEDY + POLITES), POLITES);
    check_refused("this client already holds");
    close_crowd();
}

/* The greedy one goes away with all it has under way. */
static void a_client_that_is_gone_holds_on_until_its_calls_end(void **state)
{
    (void)state;
    fill_memory();
    path_client_close(&c.w.grpc);
    PATH_UNTIL(c.w.loop, answered(0, GREEDY) == GREEDY);
    path_client_open(&c.w.grpc, c.w.loop, true,
                     path_program_port(&c.w.program, "otlp", LEAT_OTLP_GRPC));
    path_sink_release(&c.w.sinks[0]);
    PATH_UNTIL(c.w.loop, answered(GREEDY, GREEDY + POLITES) == POLITES);
    assert_int_equal(admitted(GREEDY, GREEDY + POLITES), POLITES);
    PATH_UNTIL(c.w.loop, leat_budget_used(&c.w.program.budget) == 0);
    close_crowd();
}

static void the_queue_has_room_for_the_polite(void **state)
{
    (void)state;
    open_crowd(QUEUE);
    send_greedy(0, GREEDY);
    PATH_UNTIL(c.w.loop, answered(0, GREEDY) == GREEDY);
    assert_int_equal(admitted(0, GREEDY), SHARE);
    check_refused("this client already holds 160 of the 180 requests");
    send_polite();
    PATH_UNTIL(c.w.loop, answered(GREEDY, GREEDY + POLITES) == POLITES);
    assert_int_equal(admitted(GREEDY, GREEDY + POLITES), POLITES);
    assert_int_equal(path_program_metric(&c.w.program, "leat_exporter_refused_items_total"),
                     (GREEDY - SHARE) * ITEMS);
    path_sink_release(&c.w.sinks[0]);
    close_crowd();
}

/* Where the destination answers one after the other: the polite ones do not stand behind all that
 * the greedy one has sent before them. */
static void the_polite_are_sent_by_turns(void **state)
{
    char name[32];

    (void)state;
    open_crowd(QUEUE);
    send_greedy(0, GREEDY);
    PATH_UNTIL(c.w.loop, answered(0, GREEDY) == GREEDY);
    send_polite();
    PATH_UNTIL(c.w.loop, answered(GREEDY, GREEDY + POLITES) == POLITES);
    while (c.w.sinks[0].taken < 1 + POLITES + 2) { /* under way before; a turn each */
        PATH_UNTIL(c.w.loop, c.w.sinks[0].nheld == 1);
        path_sink_release(&c.w.sinks[0]);
        c.w.sinks[0].hold = true;
    }
    for (int i = GREEDY; i < GREEDY + POLITES; i++) {
        snprintf(name, sizeof name, "r%03d", i);
        assert_true(path_seen_once(&c.w.sinks[0].seen, name, ITEMS));
    }
    PATH_UNTIL(c.w.loop, c.w.sinks[0].nheld == 1);
    path_sink_release(&c.w.sinks[0]);
    close_crowd();
}

#define BATCHED                                                                                    \
    PATH_RECEIVER                                                                                  \
    "processors: {batch: {send_batch_size: 1, timeout: 1h}}\n"                                     \
    "exporters: {otlp_grpc: {endpoint: $G, tls: {insecure: true}, compression: none, timeout: "    \
    "0s, sending_queue: "                                                                          \
    "{queue_size: 180, num_consumers: 1}}}\n" PATH_ALL_TO("batch", "otlp_grpc")

/* The batch processor keeps what the queue refuses and takes no more of the greedy one; the polite
 * ones have not filled the queue, and are let in. */
static void a_batch_that_waits_does_not_shut_out_the_polite(void **state)
{
    (void)state;
    open_crowd(BATCHED);
    send_greedy(0, GREEDY);
    PATH_UNTIL(c.w.loop, answered(0, GREEDY) == GREEDY);
    assert_int_equal(admitted(0, GREEDY), SHARE + 1); /* one is kept */
    check_refused("the next stage takes no more data");
    send_polite();
    PATH_UNTIL(c.w.loop, answered(GREEDY, GREEDY + POLITES) == POLITES);
    assert_int_equal(admitted(GREEDY, GREEDY + POLITES), POLITES);
    path_sink_release(&c.w.sinks[0]);
    close_crowd();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_left_for_the_polite),
        cmocka_unit_test(a_client_that_is_gone_holds_on_until_its_calls_end),
        cmocka_unit_test(the_queue_has_room_for_the_polite),
        cmocka_unit_test(the_polite_are_sent_by_turns),
        cmocka_unit_test(a_batch_that_waits_does_not_shut_out_the_polite),
    };

    path_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
