/* Several workers as in the service: receivers on one shared port, a single exporter in worker 0
 * that the others reach by parcel; loaded by client threads while it drains and closes. What was
 * acknowledged is in the file, the books of all workers together balance. Run under
 * ThreadSanitizer, too. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/meter.h"
#include "flow/ledger.h"
#include "io/mailbox.h"
#include "lib/path_program.h"
#include "lib/path_records.h"
#include "run/worker.h"

#define WORKERS 4
#define CLIENTS 4
#define ITEMS   3

struct cluster;

/* A client thread: one request after the other until it is told to stop. */
struct loader {
    pthread_t thread;
    struct cluster *cluster;
    int index;
    bool grpc;
    uint32_t sent, acknowledged; /* read after the join */
    uint8_t *ok;                 /* of each request: acknowledged */
};

#define MOST_REQUESTS 100000

struct cluster {
    enum leat_signal signal;
    struct leat_plan *plan;
    struct leat_worker *workers[WORKERS];
    char folder[64], file[96];
    uint16_t grpc, http;
    struct loader loaders[CLIENTS];
    atomic_uint answered, stop, drained, closed;
};

static void *run_loader(void *arg)
{
    struct loader *l = arg;
    struct cluster *c = l->cluster;
    struct leat_loop *loop = leat_loop_new(NULL);
    struct path_client client;
    struct leat_text body;

    path_client_open(&client, loop, l->grpc, l->grpc ? c->grpc : c->http);
    leat_text_init(&body, 1 << 20);
    while (!atomic_load(&c->stop) && l->sent < MOST_REQUESTS) {
        struct client_sent s;
        char name[48];
        snprintf(name, sizeof name, "c%d.%u", l->index, l->sent);
        leat_text_clear(&body);
        if (c->signal == LEAT_METRICS)
            path_request_deltas(name, ITEMS, &body);
        else
            path_request(c->signal, name, ITEMS, &body);
        path_client_send(&client, &s, c->signal, leat_text_bytes(&body));
        PATH_UNTIL(loop, s.done);
        l->ok[l->sent] = s.a.net == LEAT_NET_OK && s.a.status == 200 && s.a.grpc_status == 0;
        l->acknowledged += l->ok[l->sent];
        l->sent++;
        atomic_fetch_add(&c->answered, 1);
        client_sent_done(&s);
        if (l->sent % 5 == 0) { /* to another worker, perhaps */
            path_client_close(&client);
            path_client_open(&client, loop, l->grpc, l->grpc ? c->grpc : c->http);
        }
    }
    path_client_close(&client);
    leat_text_done(&body);
    leat_loop_free(loop);
    return NULL;
}

/* `pipelines`: their names and what is in them, but for the receivers of the first. */
static void open_cluster(struct cluster *c, enum leat_signal signal, const char *pipelines)
{
    struct leat_err err = {""};
    const struct leat_otlp_receiver *r;
    char *yaml;

    memset(c, 0, sizeof *c);
    c->signal = signal;
    snprintf(c->folder, sizeof c->folder, "/tmp/leat-workers-XXXXXX");
    assert_non_null(mkdtemp(c->folder));
    snprintf(c->file, sizeof c->file, "%s/out", c->folder);
    yaml = leat_format(
        "receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: "
        "'127.0.0.1:0'}}}}\n"
        "processors: {batch: {timeout: 2ms, send_batch_size: 20}, batch/2: {timeout: 1h, "
        "send_batch_size: 7}, "
        "deltatocumulative: , memory_limiter: {check_interval: 1s, limit_mib: 200}}\n"
        "connectors: {forward: }\n"
        "exporters: {file: {path: %s, format: proto, sending_queue: {enabled: true, queue_size: "
        "20}}, file/wait: {path: %s, format: proto}, debug: {verbosity: basic, "
        "use_internal_logger: false, output_paths: "
        "[/dev/null]}}\n"
        "service: {telemetry: {metrics: {level: none}}, pipelines: {%s: {receivers: [otlp], "
        "%s}}}\n",
        c->file, c->file, leat_signal_name(signal), pipelines);
    c->plan = path_plan(yaml);
    leat_free(yaml);
    for (unsigned i = 0; i < WORKERS; i++) {
        c->workers[i] =
            leat_worker_new(c->plan, NULL, i, WORKERS, 1 << 26, i ? c->workers[0] : NULL, &err);
        assert_non_null(c->workers[i]);
        assert_int_equal(leat_graph_open(leat_worker_graph(c->workers[i]), &err), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(leat_graph_open_receivers(leat_worker_graph(c->workers[i]), &err), 0);
    r = leat_graph_find(leat_worker_graph(c->workers[0]), LEAT_RECEIVER, "otlp");
    c->grpc = leat_server_port(r->servers[LEAT_OTLP_GRPC]);
    c->http = leat_server_port(r->servers[LEAT_OTLP_HTTP]);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(leat_worker_start(c->workers[i], &err), 0);
    for (int i = 0; i < CLIENTS; i++) {
        struct loader *l = &c->loaders[i];
        *l = (struct loader){.cluster = c, .index = i, .grpc = i % 2};
        l->ok = calloc(1, MOST_REQUESTS);
        assert_int_equal(pthread_create(&l->thread, NULL, run_loader, l), 0);
    }
}

static void wait_for(atomic_uint *value, unsigned at_least)
{
    int64_t begin = leat_clock_mono();

    while (atomic_load(value) < at_least) {
        usleep(200);
        assert_true(leat_clock_mono() - begin < 60 * LEAT_SEC);
    }
}

static void one_more(void *arg)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
}

struct books {
    enum leat_signal signal;
    int64_t gap[64], held[64];
    const char *ids[64];
};

static void add_books(void *arg, size_t nth, const char *id, const struct leat_ledger *l)
{
    struct books *b = arg;

    assert_true(nth < 64);
    b->ids[nth] = id;
    b->gap[nth] += leat_ledger_gap(l, b->signal);
    b->held[nth] += atomic_load(&l->held[b->signal]->value);
}

static void check_file(struct cluster *c)
{
    struct path_seen seen;
    uint32_t acknowledged = 0;
    uint8_t be[4], *data;
    FILE *f = fopen(c->file, "rb");

    assert_non_null(f);
    path_seen_init(&seen);
    while (fread(be, 1, 4, f) == 4) {
        size_t len = (size_t)be[0] << 24 | (size_t)be[1] << 16 | (size_t)be[2] << 8 | be[3];
        data = malloc(len + 1);
        assert_int_equal(fread(data, 1, len, f), len);
        path_seen_request(&seen, c->signal, leat_bytes(data, len));
        free(data);
    }
    fclose(f);
    for (int i = 0; i < CLIENTS; i++) {
        for (uint32_t k = 0; k < c->loaders[i].sent; k++) {
            char name[48];
            snprintf(name, sizeof name, "c%d.%u", i, k);
            for (uint32_t n = 0; n < ITEMS && c->loaders[i].ok[k]; n++) {
                if (path_seen_times(&seen, name, n) != 1)
                    print_error("%s-%u: %u times\n", name, n, path_seen_times(&seen, name, n));
                assert_int_equal(path_seen_times(&seen, name, n), 1);
            }
        }
        acknowledged += c->loaders[i].acknowledged;
    }
    assert_true(acknowledged > 0);
    path_seen_done(&seen);
}

/* Drains (unless `at_once`) and closes while the loaders go on. */
static void end_cluster(struct cluster *c, bool at_once)
{
    struct books books = {.signal = c->signal};

    for (unsigned i = 0; i < WORKERS && !at_once; i++)
        leat_worker_drain(c->workers[i], one_more, &c->drained);
    if (!at_once)
        wait_for(&c->drained, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++)
        leat_worker_close(c->workers[i], one_more, &c->closed);
    wait_for(&c->closed, WORKERS);
    atomic_store(&c->stop, 1);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(c->loaders[i].thread, NULL);
    for (unsigned i = 0; i < WORKERS; i++)
        leat_worker_join(c->workers[i]);
    for (unsigned i = 0; i < WORKERS; i++)
        leat_graph_ledgers(leat_worker_graph(c->workers[i]), add_books, &books);
    for (int i = 0; i < 64; i++) {
        if (books.gap[i] != 0 || books.held[i] != 0)
            print_error("%s: gap %lld, held %lld\n", books.ids[i], (long long)books.gap[i],
                        (long long)books.held[i]);
        assert_int_equal(books.gap[i], 0);
        assert_int_equal(books.held[i], 0);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(leat_budget_used(leat_worker_budget(c->workers[i])), 0);
}

static void free_cluster(struct cluster *c)
{
    for (unsigned i = WORKERS; i-- > 0;)
        leat_worker_free(c->workers[i]);
    for (int i = 0; i < CLIENTS; i++)
        free(c->loaders[i].ok);
    leat_plan_free(c->plan);
    unlink(c->file);
    rmdir(c->folder);
}

static void test_batched_into_one_file(void **state)
{
    struct cluster c;

    (void)state;
    open_cluster(&c, LEAT_LOGS, "processors: [batch], exporters: [file]");
    wait_for(&c.answered, 400);
    end_cluster(&c, false);
    check_file(&c);
    free_cluster(&c);
}

static void test_confirmed_by_one_file(void **state)
{
    struct cluster c;

    (void)state;
    open_cluster(&c, LEAT_LOGS, "exporters: [file/wait, debug]");
    wait_for(&c.answered, 400);
    end_cluster(&c, false);
    check_file(&c);
    free_cluster(&c);
}

/* Without draining: who was promised delivery has it, everybody else was told to retry. */
static void test_closed_at_once(void **state)
{
    struct cluster c;

    (void)state;
    open_cluster(&c, LEAT_LOGS, "exporters: [file/wait]");
    wait_for(&c.answered, 200);
    end_cluster(&c, true);
    check_file(&c);
    free_cluster(&c);
}

static void test_closed_at_once_when_batched(void **state)
{
    struct cluster c;

    (void)state;
    open_cluster(&c, LEAT_LOGS, "processors: [batch], exporters: [file/wait]");
    wait_for(&c.answered, 200);
    end_cluster(&c, true);
    check_file(&c);
    free_cluster(&c);
}

/* Of a processor there may be only one, too: everything goes through worker 0. */
static void test_one_processor_before_a_batch(void **state)
{
    struct cluster c;

    (void)state;
    open_cluster(&c, LEAT_METRICS, "processors: [deltatocumulative, batch/2], exporters: [file]");
    wait_for(&c.answered, 400);
    end_cluster(&c, false);
    check_file(&c);
    free_cluster(&c);
}

static void test_one_processor_before_many(void **state)
{
    struct cluster c;

    (void)state;
    open_cluster(&c, LEAT_METRICS,
                 "processors: [memory_limiter, deltatocumulative], exporters: [file/wait, debug, "
                 "forward]}, metrics/2: {receivers: [forward], processors: [deltatocumulative, "
                 "batch], exporters: [debug]");
    wait_for(&c.answered, 400);
    end_cluster(&c, false);
    check_file(&c);
    free_cluster(&c);
}

static void test_one_processor_closed_at_once(void **state)
{
    struct cluster c;

    (void)state;
    open_cluster(&c, LEAT_METRICS, "processors: [deltatocumulative], exporters: [file/wait]");
    wait_for(&c.answered, 200);
    end_cluster(&c, true);
    check_file(&c);
    free_cluster(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batched_into_one_file),
        cmocka_unit_test(test_confirmed_by_one_file),
        cmocka_unit_test(test_closed_at_once),
        cmocka_unit_test(test_closed_at_once_when_batched),
        cmocka_unit_test(test_one_processor_before_a_batch),
        cmocka_unit_test(test_one_processor_before_many),
        cmocka_unit_test(test_one_processor_closed_at_once),
    };

    path_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
