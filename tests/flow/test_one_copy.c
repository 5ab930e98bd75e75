/* What the OTLP receiver hands on is the buffer that the socket was read into: the whole request,
 * where it arrived. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/meter.h"
#include "flow/ledger.h"
#include "io/server.h"
#include "lib/flow_rig.h"
#include "lib/path_conf.h"
#include "lib/path_program.h"
#include "lib/path_records.h"

extern const struct leat_component leat_receiver_otlp;

#define C (&leat_receiver_otlp)

struct look {
    struct rig rig;
    struct path_conf conf;
    struct leat_otlp_receiver *self;
    struct leat_codecs *codecs;
    uint32_t batches;
    struct leat_text expected;
};

static void look_at(void *self, struct leat_batch *b)
{
    struct look *l = self;
    const struct leat_part *part = &b->parts[0];

    l->batches++;
    assert_int_equal(b->nparts, 1);
    assert_ptr_equal(part->data, part->buf->data);
    assert_int_equal(part->len, part->buf->len);
    assert_int_equal(part->buf->refs, 1);
    assert_int_equal(part->len, l->expected.len);
    assert_memory_equal(part->data, l->expected.data, part->len);
    assert_ptr_equal(part->buf->budget, &l->rig.budget);
    assert_int_equal(leat_budget_used(&l->rig.budget), part->len + LEAT_CALL_COST);
    leat_batch_done(b, leat_delivered());
}

static void look_open(struct look *l)
{
    struct leat_err err = {""};

    memset(l, 0, sizeof *l);
    rig_open(&l->rig);
    path_conf_init(&l->conf, C,
                   "{protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: "
                   "'127.0.0.1:0'}}}");
    l->codecs = leat_codecs_new();
    l->rig.env.conf = l->conf.conf;
    l->rig.env.codecs = l->codecs;
    l->rig.env.next[LEAT_LOGS] = (struct leat_outlet){look_at, l};
    l->self = leat_new(C->self_size);
    leat_text_init(&l->expected, 1 << 24);
    assert_int_equal(C->open(l->self, &l->rig.env, &err), 0);
}

static void look_close(struct look *l)
{
    C->close(l->self);
    for (int i = 0; i < 10; i++)
        leat_loop_turn(l->rig.loop);
    leat_free(l->self);
    leat_codecs_free(l->codecs);
    leat_text_done(&l->expected);
    path_conf_done(&l->conf);
    rig_close(&l->rig);
}

/* Small ones come with their headers in one read, large ones in many. */
static void send_sizes(bool grpc)
{
    static const uint32_t sizes[] = {1, 10, 1000, 60000};
    struct path_client c;
    struct look l;

    look_open(&l);
    path_client_open(&c, l.rig.loop, grpc,
                     leat_server_port(l.self->servers[grpc ? LEAT_OTLP_GRPC : LEAT_OTLP_HTTP]));
    for (int i = 0; i < 4; i++) {
        struct client_sent s;
        leat_text_clear(&l.expected);
        path_request(LEAT_LOGS, "a", sizes[i], &l.expected);
        path_client_send(&c, &s, LEAT_LOGS, leat_text_bytes(&l.expected));
        PATH_UNTIL(l.rig.loop, s.done);
        assert_int_equal(s.a.status, 200);
        assert_int_equal(s.a.grpc_status, 0);
        client_sent_done(&s);
    }
    assert_int_equal(l.batches, 4);
    path_client_close(&c);
    look_close(&l);
}

static void test_grpc(void **state)
{
    (void)state;
    send_sizes(true);
}

static void test_http(void **state)
{
    (void)state;
    send_sizes(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grpc),
        cmocka_unit_test(test_http),
    };

    path_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
