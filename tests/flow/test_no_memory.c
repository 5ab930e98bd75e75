/* The n-th allocation of the program fails, for many n, while requests pass through it: no crash,
 * no leak, every call answered once, and whatever was acknowledged has arrived. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/meter.h"
#include "flow/ledger.h"
#include "lib/path_far.h"

#define REQUESTS 6
#define ITEMS    5

struct side {
    bool grpc;
    uint16_t port;         /* set before point 1 is left */
    int answers[REQUESTS]; /* how often each was answered */
    bool acknowledged[REQUESTS];
};

/* Several at once over one client; each may fail. The last one is sent after the others' answers.
 */
static void load(struct path_far *f)
{
    struct side *s = f->arg;
    struct client_sent sent[REQUESTS];
    struct leat_text bodies[REQUESTS];
    struct path_client c;
    char name[32];

    path_far_meet(f, 1);
    path_client_open(&c, f->loop, s->grpc, s->port);
    for (int i = 0; i < REQUESTS; i++) {
        leat_text_init(&bodies[i], 1 << 20);
        snprintf(name, sizeof name, "r%d", i);
        path_request(LEAT_LOGS, name, ITEMS, &bodies[i]);
    }
    for (int i = 0; i < REQUESTS - 1; i++)
        path_client_send(&c, &sent[i], LEAT_LOGS, leat_text_bytes(&bodies[i]));
    for (int i = 0; i < REQUESTS - 1; i++)
        PATH_UNTIL(f->loop, sent[i].done);
    path_client_send(&c, &sent[REQUESTS - 1], LEAT_LOGS, leat_text_bytes(&bodies[REQUESTS - 1]));
    PATH_UNTIL(f->loop, sent[REQUESTS - 1].done);
    path_far_meet(f, 2); /* the program has drained */
    for (int i = 0; i < REQUESTS; i++) {
        s->answers[i] = sent[i].done;
        s->acknowledged[i] =
            sent[i].a.net == LEAT_NET_OK && sent[i].a.status == 200 && sent[i].a.grpc_status == 0;
        client_sent_done(&sent[i]);
        leat_text_done(&bodies[i]);
    }
    path_client_close(&c);
}

/* Returns how many allocations there were. */
static uint64_t run(bool grpc, const char *exporter, const char *way, uint64_t nth,
                    int *acknowledged)
{
    struct side s = {.grpc = grpc};
    struct leat_loop *loop = leat_loop_new(NULL);
    struct path_program p;
    struct path_far f;
    uint64_t tries;
    char *yaml, port[16];

    path_far_start(&f, load, &s);
    snprintf(port, sizeof port, "%u", atomic_load(&f.sink_port));
    yaml = leat_format(
        "receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: "
        "'127.0.0.1:0'}}}}\n"
        "processors: {batch: {timeout: 1ms, send_batch_size: 10, send_batch_max_size: 10}}\n"
        "exporters: {%s: {endpoint: '%s127.0.0.1:%s', tls: {insecure: true}, %s"
        " retry_on_failure: {initial_interval: 1ms, max_interval: 1ms}}}\n"
        "service: {telemetry: {metrics: {level: none}}, pipelines: {logs: {receivers: [otlp], "
        "processors: [batch], exporters: [%s]}}}\n",
        exporter, strcmp(exporter, "otlp_http") ? "" : "http://", port, way, exporter);
    path_program_open(&p, loop, yaml);
    leat_free(yaml);
    s.port = path_program_port(&p, "otlp", grpc ? LEAT_OTLP_GRPC : LEAT_OTLP_HTTP);
    tries = leat_mem_tries();
    leat_mem_fail_at(nth);
    path_far_go(&f, 1);
    path_far_until(&f, loop, 2);
    path_program_drain(&p);
    leat_mem_fail_at(0);
    tries = leat_mem_tries() - tries;
    path_far_go(&f, 2);
    PATH_UNTIL(loop, atomic_load(&f.at) > 2); /* the play is over */
    for (int i = 0; i < REQUESTS; i++) {
        char name[32];
        assert_int_equal(s.answers[i], 1);
        snprintf(name, sizeof name, "r%d", i);
        for (uint32_t k = 0; s.acknowledged[i] && k < ITEMS; k++) {
            if (path_seen_times(&f.sink.seen, name, k) == 0)
                print_error("allocation %lu: %s-%u was acknowledged and is not there\n",
                            (unsigned long)nth, name, k);
            assert_true(path_seen_times(&f.sink.seen, name, k) > 0);
        }
        *acknowledged += s.acknowledged[i];
    }
    path_far_join(&f, loop);
    path_program_close(&p);
    leat_loop_free(loop);
    return tries;
}

static void fail_each(bool grpc, const char *exporter, const char *way)
{
    int acknowledged = 0, runs = 0;
    uint64_t all = run(grpc, exporter, way, 0, &acknowledged), n;

    assert_int_equal(acknowledged, REQUESTS);
    acknowledged = 0;
    for (n = 1; n <= all + 2; n += n < 60 ? 1 : 7, runs++)
        run(grpc, exporter, way, n, &acknowledged);
    print_message("%lu allocations, %d of them failed in turn: %d of %d requests acknowledged\n",
                  (unsigned long)all, runs, acknowledged, runs * REQUESTS);
    assert_true(acknowledged > runs * REQUESTS / 2); /* one failure costs a connection at most */
}

static void test_held_grpc(void **state)
{
    (void)state;
    fail_each(true, "otlp_grpc", "compression: none,");
}

static void test_held_http(void **state)
{
    (void)state;
    fail_each(false, "otlp_grpc", "");
}

static void test_delivered_grpc(void **state)
{
    (void)state;
    fail_each(true, "otlp_grpc", "sending_queue: {wait_for_result: true},");
}

static void test_delivered_http(void **state)
{
    (void)state;
    fail_each(false, "otlp_grpc", "compression: none, sending_queue: {enabled: false},");
}

static void test_joined_in_the_queue(void **state)
{
    (void)state;
    fail_each(true, "otlp_grpc",
              "sending_queue: {sizer: items, batch: {min_size: 15, max_size: 15, "
              "flush_timeout: 1ms}},");
}

static void test_out_over_http(void **state)
{
    (void)state;
    fail_each(false, "otlp_http", "");
}

static void test_out_as_json(void **state)
{
    (void)state;
    fail_each(true, "otlp_http",
              "encoding: json, compression: zstd, sending_queue: {wait_for_result: true},");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_grpc),           cmocka_unit_test(test_held_http),
        cmocka_unit_test(test_delivered_grpc),      cmocka_unit_test(test_delivered_http),
        cmocka_unit_test(test_joined_in_the_queue), cmocka_unit_test(test_out_over_http),
        cmocka_unit_test(test_out_as_json),
    };

    path_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
