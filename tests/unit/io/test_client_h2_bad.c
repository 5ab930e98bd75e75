/* The client against an HTTP/2 peer that floods it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/client_grpc_world.h"

static void send_windows(struct client_peer_conn *pc, int n)
{
    static const uint8_t update[] = {0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1};

    for (int i = 0; i < n; i++)
        client_peer_send(pc, update, sizeof update);
}

static void answer_and_flood(struct client_peer_conn *pc, int32_t stream)
{
    client_grpc_answer(pc, stream);
    client_peer_h2_flush(pc);
    if (pc->nth == 0)
        send_windows(pc, 2000);
}

static void a_flood_ends_its_connection_only(void **state)
{
    struct client_grpc_world *w = *state;
    struct client_sent s;

    w->peer.request = answer_and_flood;
    client_grpc_start(w);
    client_grpc_exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_OK); /* it came before the flood */
    client_sent_done(&s);
    CLIENT_UNTIL(w->loop, w->peer.nclosed == 1);
    client_grpc_exchange(w, &s);
    assert_int_equal(s.a.net, LEAT_NET_OK);
    client_sent_done(&s);
    assert_int_equal(w->peer.nconns, 2);
}

static void answer_with_windows(struct client_peer_conn *pc, int32_t stream)
{
    send_windows(pc, 4);
    client_grpc_answer(pc, stream);
}

/* What a busy destination says besides its answers is no flood. */
static void windows_for_each_request_are_no_flood(void **state)
{
    struct client_grpc_world *w = *state;

    w->peer.request = answer_with_windows;
    client_grpc_start(w);
    for (int i = 0; i < 1000; i++) {
        struct client_sent s;

        client_grpc_exchange(w, &s);
        assert_int_equal(s.a.net, LEAT_NET_OK);
        client_sent_done(&s);
    }
    assert_int_equal(w->peer.nconns, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, client_grpc_setup, client_grpc_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_flood_ends_its_connection_only),
        T(windows_for_each_request_are_no_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
