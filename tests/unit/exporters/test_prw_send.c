/* Requests of remote write until their final answer: what is tried again and when, what the
 * destination says it wrote, outages, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/meter.h"
#include "exporters/prw_send.h"
#include "flow/sender.h"
#include "io/loop.h"
#include "lib/client_peer.h"

#define NO_CONTENT "HTTP/1.1 204 No Content\r\n\r\n"
#define HALF       "HTTP/1.1 204 N"
#define BUSY       "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"
#define WRITTEN(s, h, e)                                                                           \
    "HTTP/1.1 204 No Content\r\nX-Prometheus-Remote-Write-Samples-Written: " s                     \
    "\r\nX-Prometheus-Remote-Write-Histograms-Written: " h                                         \
    "\r\nX-Prometheus-Remote-Write-Exemplars-Written: " e "\r\n\r\n"

struct call {
    struct leat_prw_request r;
    struct leat_pair header;
    int done;
    struct leat_prw_result res;
    char why[512];
};

struct world {
    struct leat_loop *loop;
    struct leat_meter *meter;
    struct client_peer peer;
    char url[128];
    struct leat_client_conf conf;
    struct leat_retry_conf retry;
    struct leat_prw_sending *sending;
    const char *replies[16]; /* one after the other; NULL: no answer. The last one stays */
    int at;
    struct call calls[4];
};

static void answer(struct client_peer_conn *pc, int32_t stream)
{
    struct world *w = pc->peer->arg;
    const char *reply = w->replies[w->at];

    (void)stream;
    if (w->replies[w->at + 1] != NULL)
        w->at++;
    if (reply != NULL)
        client_peer_text(pc, reply);
    if (reply != NULL && strcmp(reply, HALF) == 0)
        client_peer_close(pc);
}

static void done(struct leat_prw_request *r, const struct leat_prw_result *res)
{
    struct call *c = LEAT_OWNER(r, struct call, r);

    c->done++;
    c->res = *res;
    snprintf(c->why, sizeof c->why, "%s", res->why ? res->why : "");
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    leat_clock_fake(1000 * LEAT_SEC, 1700000000 * LEAT_SEC);
    leat_random_fake(1);
    w->loop = leat_loop_new(NULL);
    w->meter = leat_meter_new();
    w->peer.http1 = true;
    w->peer.request = answer;
    w->peer.arg = w;
    w->replies[0] = NO_CONTENT;
    w->conf.max_idle_conns = 100;
    w->retry = (struct leat_retry_conf){.enabled = true,
                                        .initial_interval = 50 * LEAT_MS,
                                        .max_interval = 200 * LEAT_MS,
                                        .max_elapsed_time = 60 * LEAT_SEC,
                                        .multiplier = 1.5,
                                        .randomization_factor = 0.5};
    client_peer_start(&w->peer, w->loop, NULL);
    snprintf(w->url, sizeof w->url, "http://%s/api/v1/write", w->peer.endpoint);
    w->conf.endpoint = w->url;
    *state = w;
    return 0;
}

static void begin(struct world *w)
{
    struct leat_prw_sending_env env = {.id = "prw",
                                       .client = {.loop = w->loop, .who = "prw"},
                                       .conf = &w->conf,
                                       .retry = &w->retry,
                                       .timeout = 5 * LEAT_SEC,
                                       .meter = w->meter};
    struct leat_err err = {""};

    w->sending = leat_prw_sending_new(&env, &err);
    client_must(w->sending, &err);
}

static int teardown(void **state)
{
    struct world *w = *state;

    leat_prw_sending_free(w->sending);
    for (size_t i = 0; i < 4; i++) {
        leat_buf_unref(w->calls[i].r.body);
        free(w->calls[i].r.exchange.room);
    }
    client_peer_stop(&w->peer);
    leat_clock_real();
    leat_meter_free(w->meter);
    leat_loop_free(w->loop);
    free(w);
    return 0;
}

static struct call *give(struct world *w, int i, bool v2)
{
    struct call *c = &w->calls[i];

    c->done = 0;
    if (c->r.body == NULL) {
        c->r.body = leat_buf_new(NULL, 16);
        c->r.body->len = (size_t)snprintf((char *)c->r.body->data, 16, "body-%d", i);
        c->r.exchange.room = malloc(leat_client_room(1));
    }
    c->header = (struct leat_pair){"x-prometheus-remote-write-version", v2 ? "2.0.0" : "0.1.0"};
    c->r.headers = &c->header;
    c->r.nheaders = 1;
    c->r.v2 = v2;
    c->r.items = 7;
    c->r.sent[LEAT_PRW_SAMPLES] = 10;
    c->r.sent[LEAT_PRW_HISTOGRAMS] = 3;
    c->r.sent[LEAT_PRW_EXEMPLARS] = 2;
    c->r.done = done;
    leat_prw_send(w->sending, &c->r, "snappy");
    assert_int_equal(c->done, 0);
    return c;
}

static void finish(struct world *w, struct call *c)
{
    CLIENT_UNTIL(w->loop, c->done);
    assert_int_equal(c->done, 1);
}

/* The peer has had `n` requests, and the client its answers. */
static void requests(struct world *w, int n)
{
    CLIENT_UNTIL(w->loop, w->peer.requests == n);
    for (int i = 0; i < 100; i++)
        leat_loop_turn(w->loop);
    assert_int_equal(w->peer.requests, n);
}

static void step(struct world *w, int64_t ns)
{
    leat_clock_step(ns);
    for (int i = 0; i < 100; i++)
        leat_loop_turn(w->loop);
}

static bool peer_saw(struct world *w, const char *text)
{
    for (int i = 0; i < w->peer.nconns; i++) {
        if (strstr(leat_text_get(&w->peer.conns[i].in), text) != NULL)
            return true;
    }
    return false;
}

static void what_is_on_the_wire(void **state)
{
    struct world *w = *state;

    begin(w);
    finish(w, give(w, 0, false));
    assert_int_equal(w->calls[0].res.verdict, LEAT_PRW_TAKEN);
    assert_int_equal(w->calls[0].res.missing[LEAT_PRW_SAMPLES], 0);
    assert_true(peer_saw(w, "POST /api/v1/write HTTP/1.1\r\n"));
    assert_true(peer_saw(w, "\r\ncontent-type: application/x-protobuf\r\n"));
    assert_true(peer_saw(w, "\r\ncontent-encoding: snappy\r\n"));
    assert_true(peer_saw(w, "\r\nx-prometheus-remote-write-version: 0.1.0\r\n"));
    assert_true(peer_saw(w, "\r\nuser-agent: leat/"));
    assert_true(peer_saw(w, "\r\n\r\nbody-0"));
    w->replies[0] = WRITTEN("10", "3", "2");
    finish(w, give(w, 1, true));
    assert_int_equal(w->calls[1].res.verdict, LEAT_PRW_TAKEN);
    assert_true(peer_saw(
        w, "\r\ncontent-type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n"));
    assert_true(peer_saw(w, "\r\nx-prometheus-remote-write-version: 2.0.0\r\n"));
}

static void what_was_written_is_compared(void **state)
{
    static const struct {
        const char *reply;
        enum leat_prw_verdict verdict;
        uint64_t missing[LEAT_PRW_KINDS];
    } cases[] = {
        {WRITTEN("10", "3", "2"), LEAT_PRW_TAKEN, {0, 0, 0}},
        {WRITTEN("99", "99", "99"), LEAT_PRW_TAKEN, {0, 0, 0}},
        {WRITTEN("4", "3", "0"), LEAT_PRW_TAKEN, {6, 0, 2}},
        {WRITTEN("x", "3", "-1"), LEAT_PRW_TAKEN, {10, 0, 2}},
        {WRITTEN("18446744073709551617", "1", "1"), LEAT_PRW_TAKEN, {10, 2, 1}},
        {NO_CONTENT, LEAT_PRW_UNKNOWN_MESSAGE, {10, 3, 2}},
        {"HTTP/1.1 415 No\r\ncontent-length: 0\r\n\r\n", LEAT_PRW_UNKNOWN_MESSAGE, {10, 3, 2}},
        {"HTTP/1.1 400 No\r\nX-Prometheus-Remote-Write-Samples-Written: 9\r\n"
         "content-length: 0\r\n\r\n",
         LEAT_PRW_REJECTED,
         {1, 3, 2}},
        {"HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n", LEAT_PRW_REJECTED, {10, 3, 2}},
    };
    struct world *w = *state;

    begin(w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        w->replies[0] = cases[i].reply;
        finish(w, give(w, 0, true));
        if (w->calls[0].res.verdict != cases[i].verdict ||
            memcmp(w->calls[0].res.missing, cases[i].missing, sizeof cases[i].missing) != 0)
            fail_msg("case %zu", i);
    }
}

static void what_is_rejected_and_why(void **state)
{
    static const struct {
        const char *reply, *why;
    } cases[] = {
        {"HTTP/1.1 400 Bad\r\ncontent-length: 21\r\n\r\nout of order\nand more",
         "HTTP status 400: out of order"},
        {"HTTP/1.1 415 No\r\ncontent-length: 0\r\n\r\n", "HTTP status 415"},
        {"HTTP/1.1 404 No\r\ncontent-length: 3\r\n\r\n\n\n\n", "HTTP status 404"},
        {"HTTP/1.1 302 Moved\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", "HTTP status 302"},
    };
    struct world *w = *state;

    begin(w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        w->replies[0] = cases[i].reply;
        finish(w, give(w, 0, false));
        assert_int_equal(w->calls[0].res.verdict, LEAT_PRW_REJECTED);
        assert_string_equal(w->calls[0].why, cases[i].why);
        assert_int_equal(w->calls[0].res.missing[LEAT_PRW_SAMPLES], 10);
    }
    assert_int_equal(w->peer.requests, 4);
}

static void it_is_tried_until_it_is_taken(void **state)
{
    static const char *const bad[] = {BUSY, "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n",
                                      "HTTP/1.1 429 No\r\ncontent-length: 0\r\n\r\n", HALF};
    struct world *w = *state;

    begin(w);
    for (size_t i = 0; i < 4; i++)
        w->replies[i] = bad[i];
    w->replies[4] = NO_CONTENT;
    give(w, 0, false);
    for (int n = 1; n <= 4; n++) {
        requests(w, n);
        assert_int_equal(w->calls[0].done, 0);
        step(w, 300 * LEAT_MS); /* 200 ms and half of it */
    }
    finish(w, &w->calls[0]);
    assert_int_equal(w->calls[0].res.verdict, LEAT_PRW_TAKEN);
    assert_int_equal(w->peer.requests, 5);
}

static void a_delay_that_is_asked_for_is_waited(void **state)
{
    struct world *w = *state;

    begin(w);
    w->replies[0] = "HTTP/1.1 429 No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    w->replies[1] = NO_CONTENT;
    give(w, 0, false);
    requests(w, 1);
    step(w, 6900 * LEAT_MS);
    assert_int_equal(w->peer.requests, 1);
    step(w, 200 * LEAT_MS);
    finish(w, &w->calls[0]);
    assert_int_equal(w->calls[0].res.verdict, LEAT_PRW_TAKEN);
}

/* One that is longer than we may try at all: one try more, at the very end. */
static void a_delay_beyond_the_end_is_cut(void **state)
{
    struct world *w = *state;

    begin(w);
    w->retry.max_elapsed_time = 30 * LEAT_SEC;
    w->replies[0] = "HTTP/1.1 503 No\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n";
    give(w, 0, false);
    requests(w, 1);
    step(w, 29 * LEAT_SEC);
    assert_int_equal(w->peer.requests, 1);
    step(w, LEAT_SEC);
    requests(w, 2);
    finish(w, &w->calls[0]);
    assert_int_equal(w->calls[0].res.verdict, LEAT_PRW_GIVEN_UP);
    assert_int_equal(w->calls[0].res.missing[LEAT_PRW_SAMPLES], 10);
    assert_string_equal(w->calls[0].why, "HTTP status 503");
}

static void the_end_of_trying(void **state)
{
    struct world *w = *state;
    int64_t start = leat_clock_mono();

    begin(w);
    w->replies[0] = BUSY;
    give(w, 0, false);
    requests(w, 1);
    for (int n = 0; !w->calls[0].done; n++) {
        assert_true(n < 1000);
        step(w, 100 * LEAT_MS);
    }
    assert_int_equal(w->calls[0].res.verdict, LEAT_PRW_GIVEN_UP);
    assert_true(leat_clock_mono() - start > 59 * LEAT_SEC);
    assert_true(leat_clock_mono() - start < 61 * LEAT_SEC);
    assert_true(w->peer.requests > 100);
    w->retry.enabled = false;
    finish(w, give(w, 0, false));
    assert_int_equal(w->calls[0].res.verdict, LEAT_PRW_GIVEN_UP);
}

static void no_answer_is_a_failure(void **state)
{
    struct world *w = *state;

    begin(w);
    w->replies[0] = NULL;
    w->retry.enabled = false;
    give(w, 0, false);
    requests(w, 1);
    step(w, 6 * LEAT_SEC);
    finish(w, &w->calls[0]);
    assert_int_equal(w->calls[0].res.verdict, LEAT_PRW_GIVEN_UP);
    assert_non_null(strstr(w->calls[0].why, "timed out"));
}

/* All wait half a minute; one asks after a second, and all go when it is taken. */
static void an_outage_ends_for_all(void **state)
{
    struct world *w = *state;

    begin(w);
    w->retry = (struct leat_retry_conf){.enabled = true,
                                        .initial_interval = 30 * LEAT_SEC,
                                        .max_interval = 30 * LEAT_SEC,
                                        .multiplier = 1};
    w->replies[0] = BUSY;
    for (int i = 0; i < 3; i++)
        give(w, i, false);
    requests(w, 3);
    step(w, 900 * LEAT_MS);
    assert_int_equal(w->peer.requests, 3);
    step(w, 200 * LEAT_MS);
    requests(w, 4);
    w->replies[0] = NO_CONTENT;
    step(w, 1100 * LEAT_MS);
    requests(w, 7);
    for (int i = 0; i < 3; i++) {
        finish(w, &w->calls[i]);
        assert_int_equal(w->calls[i].res.verdict, LEAT_PRW_TAKEN);
    }
}

static void a_recall_leaves_what_is_on_the_wire(void **state)
{
    struct world *w = *state;

    begin(w);
    w->replies[0] = BUSY;
    give(w, 0, false);
    requests(w, 1);
    w->replies[0] = NULL;
    give(w, 1, false);
    requests(w, 2);
    leat_prw_sending_recall(w->sending);
    assert_int_equal(w->calls[0].done, 1);
    assert_int_equal(w->calls[0].res.verdict, LEAT_PRW_CANCELLED);
    assert_int_equal(w->calls[1].done, 0);
    assert_int_equal(leat_prw_sending_busy(w->sending), 1);
    leat_prw_sending_stop(w->sending);
    assert_int_equal(w->calls[1].done, 1);
    assert_int_equal(w->calls[1].res.verdict, LEAT_PRW_CANCELLED);
    assert_int_equal(leat_prw_sending_busy(w->sending), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_on_the_wire),
        T(what_was_written_is_compared),
        T(what_is_rejected_and_why),
        T(it_is_tried_until_it_is_taken),
        T(a_delay_that_is_asked_for_is_waited),
        T(a_delay_beyond_the_end_is_cut),
        T(the_end_of_trying),
        T(no_answer_is_a_failure),
        T(an_outage_ends_for_all),
        T(a_recall_leaves_what_is_on_the_wire),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
