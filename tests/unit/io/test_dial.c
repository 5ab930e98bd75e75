/* Dialling: names and addresses, the sentences of failure, time limits, giving up halfway. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "lib/io_loopback.h"

/* A port on which nobody listens: bound, so that nobody else gets it. */
static int quiet_port(uint16_t *ret_port)
{
    struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *ret_port = ntohs(addr.sin6_port);
    return fd;
}

static void dial(struct io_pair *p)
{
    int before = p->client.opened + p->client.closed;

    p->client.conn = leat_dial(p->loop, &p->dial);
    assert_non_null(p->client.conn);
    leat_conn_handle(p->client.conn, &io_end_events, &p->client);
    assert_int_equal(p->client.opened + p->client.closed, before); /* never from inside the call */
}

static void names_are_looked_up(void **state)
{
    (void)state;
    for (uint32_t rotate = 0; rotate < 3; rotate++) { /* from whichever address it starts */
        struct io_pair p = {.dial = {.host = "localhost", .timeout = 20 * LEAT_SEC}};
        char peer[64];

        p.dial.rotate = rotate;
        io_pair_open(&p);
        assert_int_equal(p.client.opened, 1);
        snprintf(peer, sizeof peer, "localhost:%u", leat_listener_port(p.listener));
        assert_string_equal(leat_conn_peer(p.client.conn), peer);
        io_pair_done(&p);
    }
}

static void refusals_are_told_in_words(void **state)
{
    struct io_pair p = {0};
    char why[128];
    int fd;

    (void)state;
    io_pair_listen(&p);
    fd = quiet_port(&p.dial.port);
    p.dial.host = "127.0.0.1";
    dial(&p);
    IO_UNTIL(p.loop, p.client.closed);
    snprintf(why, sizeof why, "cannot connect to 127.0.0.1:%u: connection refused", p.dial.port);
    assert_string_equal(p.client.why, why);
    p.dial.host = "localhost"; /* all its addresses say the same: said once */
    dial(&p);
    IO_UNTIL(p.loop, p.client.closed == 2);
    snprintf(why, sizeof why, "cannot connect to localhost:%u: connection refused", p.dial.port);
    assert_string_equal(p.client.why, why);
    p.dial.host = "::1";
    dial(&p);
    IO_UNTIL(p.loop, p.client.closed == 3);
    snprintf(why, sizeof why, "cannot connect to [::1]:%u: ", p.dial.port);
    assert_memory_equal(p.client.why, why, strlen(why));
    assert_int_equal(p.client.opened, 0);
    close(fd);
    io_pair_done(&p);
}

static void unknown_names_are_told_in_words(void **state)
{
    struct io_pair p = {.dial = {.host = "name.invalid", .port = 4317}};

    (void)state;
    io_pair_listen(&p);
    dial(&p);
    IO_UNTIL(p.loop, p.client.closed);
    assert_memory_equal(p.client.why, "cannot connect to name.invalid:4317: ", 37);
    io_pair_done(&p);
}

/* A queue of length 0 that is full: the kernel does not answer. */
static int full_port(uint16_t *ret_port, int *fillers, int n)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    for (int i = 0; i < n; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&addr, sizeof addr);
    }
    *ret_port = ntohs(addr.sin_port);
    return fd;
}

static void no_answer_in_time(void **state)
{
    struct io_pair p = {.dial = {.host = "127.0.0.1", .timeout = 5 * LEAT_SEC}};
    char why[128];
    int fillers[4], fd;

    (void)state;
    leat_clock_fake(LEAT_SEC, 0);
    io_pair_listen(&p);
    fd = full_port(&p.dial.port, fillers, 4);
    dial(&p);
    for (int i = 0; i < 50; i++)
        leat_loop_turn(p.loop);
    leat_clock_step(4 * LEAT_SEC);
    leat_loop_turn(p.loop);
    assert_int_equal(p.client.closed, 0);
    leat_clock_step(2 * LEAT_SEC);
    IO_UNTIL(p.loop, p.client.closed);
    snprintf(why, sizeof why, "cannot connect to 127.0.0.1:%u: connection timed out", p.dial.port);
    assert_string_equal(p.client.why, why);
    close(fd);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    io_pair_done(&p);
    leat_clock_real();
}

static void can_be_given_up_at_any_time(void **state)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1"};

    (void)state;
    for (int i = 0; i < 12; i++) { /* in the look-up, in the connect, after it */
        struct io_pair p = {.dial = {.host = hosts[i % 2]}};

        io_pair_listen(&p);
        p.dial.port = leat_listener_port(p.listener);
        dial(&p);
        for (int turns = i / 2; turns > 0; turns--)
            leat_loop_turn(p.loop);
        leat_conn_close(p.client.conn);
        leat_conn_abort(p.client.conn);
        assert_int_equal(p.client.closed, 0);
        IO_UNTIL(p.loop, p.client.closed);
        assert_false(p.client.has_why);
        io_pair_done(&p); /* a look-up may still be under way */
        assert_int_equal(p.client.closed, 1);
    }
}

static void unix_sockets(void **state)
{
    struct io_pair p = {.dial = {.host = "/nonexistent/socket", .unix_socket = true}};
    char longer[300];

    (void)state;
    io_pair_listen(&p);
    dial(&p);
    IO_UNTIL(p.loop, p.client.closed);
    assert_string_equal(p.client.why,
                        "cannot connect to /nonexistent/socket: no such file or directory");
    memset(longer, '/', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    p.dial.host = longer;
    dial(&p);
    IO_UNTIL(p.loop, p.client.closed == 2);
    assert_non_null(strstr(p.client.why, "name too long"));
    io_pair_done(&p);
}

static void no_memory_is_null(void **state)
{
    struct io_pair p = {.dial = {.host = "127.0.0.1"}};

    (void)state;
    io_pair_listen(&p);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        leat_mem_fail_at(nth);
        assert_null(leat_dial(p.loop, &p.dial));
        leat_mem_fail_at(0);
    }
    io_pair_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_looked_up),
        cmocka_unit_test(refusals_are_told_in_words),
        cmocka_unit_test(unknown_names_are_told_in_words),
        cmocka_unit_test(no_answer_in_time),
        cmocka_unit_test(can_be_given_up_at_any_time),
        cmocka_unit_test(unix_sockets),
        cmocka_unit_test(no_memory_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
