/* How a complete program ends: drained, closed in the middle, left by its callers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/codec.h"
#include "lib/path_world.h"
#include "proto/otlp_json.h"

/* --- the end */

/* While requests are under way: no new ones are taken, those there are get their real answer. */
static void test_drain_waits_for_what_is_under_way(void **state)
{
    struct client_sent s[2];
    struct path_world w;

    (void)state;
    path_world_open(&w, PATH_CONFIRMED);
    w.sinks[0].hold = true;
    path_client_send(&w.http, &s[0], LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "a", 3));
    PATH_UNTIL(w.loop, w.sinks[0].requests == 1);
    path_client_send(&w.grpc, &s[1], LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "b", 3));
    PATH_UNTIL(w.loop, w.sinks[0].requests == 2);
    leat_graph_drain(w.program.graph, NULL, NULL);
    for (int i = 0; i < 100; i++)
        leat_loop_turn(w.loop);
    assert_int_equal(s[0].done + s[1].done, 0);
    path_sink_release(&w.sinks[0]);
    PATH_UNTIL(w.loop, s[0].done && s[1].done);
    assert_int_equal(s[0].a.status, 200);
    assert_int_equal(s[1].a.grpc_status, 0);
    assert_int_equal(s[1].a.net, LEAT_NET_OK);
    client_sent_done(&s[0]);
    client_sent_done(&s[1]);
    w.drained = true;
    path_world_close(&w);
}

/* Closed in the middle: everybody hears something, once, and nothing leaks. */
static void test_close_in_the_middle(void **state)
{
    enum { MANY = 30 };
    static struct client_sent s[MANY];
    static struct leat_text bodies[MANY];
    struct path_world w;
    char name[16];

    (void)state;
    path_world_open(&w, PATH_CONFIRMED);
    w.sinks[0].hold = true;
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "r%d", i);
        leat_text_init(&bodies[i], 1 << 20);
        path_request(LEAT_LOGS, name, 3, &bodies[i]);
        path_client_send(i % 2 ? &w.grpc : &w.http, &s[i], LEAT_LOGS, leat_text_bytes(&bodies[i]));
    }
    PATH_UNTIL(w.loop, w.sinks[0].requests == 10); /* as many as there are consumers */
    path_program_close(&w.program);
    for (int i = 0; i < MANY; i++) {
        PATH_UNTIL(w.loop, s[i].done);
        assert_int_equal(s[i].done, 1);
        assert_false(s[i].a.net == LEAT_NET_OK && s[i].a.status == 200 && s[i].a.grpc_status == 0);
        client_sent_done(&s[i]);
        leat_text_done(&bodies[i]);
    }
    path_client_close(&w.grpc);
    path_client_close(&w.http);
    for (int i = 0; i < PATH_SINKS; i++)
        path_sink_close(&w.sinks[i]);
    leat_text_done(&w.body);
    leat_loop_free(w.loop);
}

/* Callers that have gone do not stop what they sent, and are not missed. */
static void test_callers_go_away(void **state)
{
    struct client_sent s[2];
    struct path_world w;

    (void)state;
    path_world_open(&w, PATH_CONFIRMED);
    w.sinks[0].hold = true;
    path_client_send(&w.http, &s[0], LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "a", 3));
    PATH_UNTIL(w.loop, w.sinks[0].requests == 1);
    path_client_send(&w.grpc, &s[1], LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "b", 3));
    PATH_UNTIL(w.loop, w.sinks[0].requests == 2);
    path_client_close(&w.http);
    path_client_close(&w.grpc);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(s[i].done, 1);
        assert_int_equal(s[i].a.net, LEAT_NET_CANCELLED);
        client_sent_done(&s[i]);
    }
    for (int i = 0; i < 50; i++)
        leat_loop_turn(w.loop);
    path_sink_release(&w.sinks[0]);
    path_world_drain(&w);
    assert_true(path_seen_once(&w.sinks[0].seen, "a", 3));
    assert_true(path_seen_once(&w.sinks[0].seen, "b", 3));
    memset(&w.http, 0, sizeof w.http);
    memset(&w.grpc, 0, sizeof w.grpc);
    path_world_close(&w);
}

/* What was promised "held" and cannot be brought on before the end is counted as lost there. */
static void test_lost_at_the_end_is_counted(void **state)
{
    struct client_sent s;
    struct path_world w;

    (void)state;
    path_world_open(&w, PATH_RECEIVER
                    "processors: {batch: {timeout: 1ms}}\n"
                    "exporters: {otlp_http: {endpoint: $H}}\n" PATH_ALL_TO("batch", "otlp_http"));
    w.sinks[0].answer = (struct path_answer){.http = 503, .grpc = 14, .text = "never"};
    path_world_ask(&w, &w.grpc, &s, LEAT_LOGS, path_world_request(&w, LEAT_LOGS, "a", 3));
    assert_int_equal(s.a.grpc_status, 0);
    client_sent_done(&s);
    PATH_UNTIL(w.loop, w.sinks[0].requests == 1);
    leat_graph_drain(w.program.graph, NULL, NULL);
    for (int i = 0; i < 50; i++)
        leat_loop_turn(w.loop);
    assert_int_equal(path_program_metric(&w.program, "leat_exporter_dropped_items_total"), 0);
    leat_graph_close(w.program.graph);
    assert_int_equal(path_program_metric(&w.program, "leat_exporter_dropped_items_total"), 3);
    assert_int_equal(path_program_metric(&w.program, "otelcol_exporter_send_failed_log_records"),
                     3);
    w.program.closed = true;
    w.drained = true;
    path_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drain_waits_for_what_is_under_way),
        cmocka_unit_test(test_close_in_the_middle),
        cmocka_unit_test(test_callers_go_away),
        cmocka_unit_test(test_lost_at_the_end_is_counted),
    };

    path_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
