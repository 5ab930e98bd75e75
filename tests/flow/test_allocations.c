/* An unmodified, uncompressed body is copied once, and a request costs a stated number of
 * allocations: counted on the program's own thread in a steady state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/meter.h"
#include "flow/ledger.h"
#include "io/h2.h"
#include "io/h2_memory.h"
#include "io/server.h"
#include "lib/path_far.h"

#define WARM     50 /* requests until everything that is made once is there */
#define COUNTED  200
#define MOST_OWN 4

struct side {
    bool grpc;
    uint16_t port; /* set before point 1 is left */
    uint32_t delivered;
    size_t largest; /* body */
};

/* One request after the other over one connection. */
static void load(struct path_far *f)
{
    struct side *s = f->arg;
    struct path_client c;
    struct leat_text body;

    path_far_meet(f, 1);
    path_client_open(&c, f->loop, s->grpc, s->port);
    leat_text_init(&body, 1 << 20);
    for (int i = 0; i < WARM + COUNTED; i++) {
        struct client_sent sent;
        char name[32];
        if (i == WARM)
            path_far_meet(f, 2);
        snprintf(name, sizeof name, "r%d", i);
        leat_text_clear(&body);
        path_request(LEAT_TRACES, name, 20, &body);
        s->largest = body.len > s->largest ? body.len : s->largest;
        path_client_send(&c, &sent, LEAT_TRACES, leat_text_bytes(&body));
        PATH_UNTIL(f->loop, sent.done);
        s->delivered +=
            sent.a.net == LEAT_NET_OK && sent.a.status == 200 && sent.a.grpc_status == 0;
        client_sent_done(&sent);
    }
    path_far_meet(f, 3);
    path_client_close(&c);
    leat_text_done(&body);
}

static void count(bool grpc, const char *exporter, double *ret_own, double *ret_h2)
{
    struct side s = {.grpc = grpc};
    struct leat_loop *loop = leat_loop_new(NULL);
    struct path_program p;
    struct path_far f;
    uint64_t tries, h2;
    char *yaml;

    path_far_start(&f, load, &s);
    yaml = leat_format(
        "receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: "
        "'127.0.0.1:0'}}}}\n"
        "exporters: {%s: {endpoint: '%s127.0.0.1:%u', tls: {insecure: true}, compression: none, "
        "sending_queue: {wait_for_result: true}}}\n"
        "service: {telemetry: {metrics: {level: none}}, pipelines: {traces: {receivers: [otlp], "
        "exporters: [%s]}}}\n",
        exporter, strcmp(exporter, "otlp_http") ? "" : "http://", atomic_load(&f.sink_port),
        exporter);
    path_program_open(&p, loop, yaml);
    leat_free(yaml);
    s.port = path_program_port(&p, "otlp", grpc ? LEAT_OTLP_GRPC : LEAT_OTLP_HTTP);
    path_far_go(&f, 1);
    path_far_until(&f, loop, 2);
    tries = leat_mem_tries();
    h2 = leat_h2_tries();
    path_far_go(&f, 2);
    path_far_until(&f, loop, 3);
    tries = leat_mem_tries() - tries;
    h2 = leat_h2_tries() - h2;
    path_far_go(&f, 3);
    path_far_join(&f, loop);
    /* One buffer of the body's size beside the call, and none for what goes out. */
    assert_int_equal(p.budget.peak, s.largest + LEAT_CALL_COST);
    assert_int_equal(p.scratch.peak, 0);
    path_program_drain(&p);
    path_program_close(&p);
    leat_loop_free(loop);
    assert_int_equal(s.delivered, WARM + COUNTED);
    *ret_own = (double)(tries - h2) / COUNTED;
    *ret_h2 = (double)h2 / COUNTED;
}

static void expect(bool grpc, const char *exporter)
{
    double own, h2;

    count(grpc, exporter, &own, &h2);
    print_message("%s in, %s out: %.2f of ours, %.2f of nghttp2's per request\n",
                  grpc ? "gRPC" : "HTTP/1.1", exporter, own, h2);
    assert_true(own <= MOST_OWN);
}

static void test_grpc_to_grpc(void **state)
{
    (void)state;
    expect(true, "otlp_grpc");
}

static void test_grpc_to_http(void **state)
{
    (void)state;
    expect(true, "otlp_http");
}

static void test_http_to_grpc(void **state)
{
    (void)state;
    expect(false, "otlp_grpc");
}

static void test_http_to_http(void **state)
{
    (void)state;
    expect(false, "otlp_http");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grpc_to_grpc),
        cmocka_unit_test(test_grpc_to_http),
        cmocka_unit_test(test_http_to_grpc),
        cmocka_unit_test(test_http_to_http),
    };

    path_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
