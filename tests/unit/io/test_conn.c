/* Connections in the clear: events, the write contract, pausing, endings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "lib/io_loopback.h"

#define MANY ((size_t)8 << 20) /* more than two socket buffers hold */

static void echoes_and_closes(void **state)
{
    struct io_pair p = {0};

    (void)state;
    io_pair_open(&p);
    assert_int_equal(p.client.opened, 1);
    assert_int_equal(p.server.opened, 1);
    assert_false(leat_conn_is_tls(p.client.conn));
    assert_null(leat_conn_alpn(p.client.conn));
    assert_memory_equal(leat_conn_peer(p.server.conn), "127.0.0.1:", 10);
    assert_int_equal(io_write(&p.client, "hello"), 1);
    IO_UNTIL(p.loop, p.server.in.len == 5);
    assert_string_equal(leat_text_get(&p.server.in), "hello");
    assert_int_equal(io_write(&p.server, "back"), 1);
    IO_UNTIL(p.loop, p.client.in.len == 4);
    assert_int_equal(leat_conn_bytes_out(p.client.conn), 5);
    assert_int_equal(leat_conn_bytes_in(p.client.conn), 4);
    leat_conn_close(p.client.conn);
    assert_int_equal(p.client.closed, 0); /* never from inside the call */
    IO_UNTIL(p.loop, p.server.ended);
    assert_int_equal(io_write(&p.server, "too late for reading, not for writing"), 1);
    leat_conn_close(p.server.conn);
    IO_UNTIL(p.loop, p.server.closed && p.client.closed);
    assert_false(p.client.has_why);
    assert_false(p.server.has_why);
    io_pair_done(&p);
}

static void check_pattern(const struct leat_text *t, size_t len)
{
    assert_int_equal(t->len, len);
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)t->data[i] != (uint8_t)(i * 31 / 7))
            fail_msg("byte %zu is wrong", i);
}

static uint8_t *pattern(size_t len)
{
    uint8_t *data = leat_new(len);

    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 31 / 7);
    return data;
}

/* More than IOV_MAX pieces, some of them empty, more bytes than the kernel takes. */
static void gathers_many_pieces_and_reports_written(void **state)
{
    struct io_pair p = {0};
    uint8_t *data = pattern(MANY);
    size_t n = 3000, step = MANY / 2999;
    struct leat_bytes *pieces = leat_new_array(n, sizeof *pieces);

    (void)state;
    for (size_t i = 0, at = 0; i < n; i++) {
        size_t len = i == n - 1 ? MANY - at : i % 100 == 7 ? 0 : step;

        pieces[i] = leat_bytes(data + at, len);
        at += len;
    }
    io_pair_open(&p);
    leat_conn_pause(p.server.conn);
    assert_int_equal(leat_conn_write(p.client.conn, pieces, n), 0);
    leat_free(pieces); /* only the bytes must stay */
    assert_true(leat_conn_pending(p.client.conn));
    assert_int_equal(p.client.written, 0);
    for (int i = 0; i < 20; i++)
        leat_loop_turn(p.loop);
    assert_int_equal(p.server.in.len, 0); /* paused */
    assert_int_equal(p.client.written, 0);
    leat_conn_resume(p.server.conn);
    IO_UNTIL(p.loop, p.server.in.len == MANY);
    IO_UNTIL(p.loop, p.client.written);
    assert_false(leat_conn_pending(p.client.conn));
    assert_int_equal(p.client.written, 1);
    check_pattern(&p.server.in, MANY);
    assert_int_equal(io_write(&p.client, "more"), 1);
    io_pair_done(&p);
    leat_free(data);
}

static void closing_sends_what_was_written(void **state)
{
    struct io_pair p = {0};
    uint8_t *data = pattern(MANY);
    struct leat_bytes piece = leat_bytes(data, MANY);

    (void)state;
    io_pair_open(&p);
    assert_int_equal(leat_conn_write(p.client.conn, &piece, 1), 0);
    leat_conn_close(p.client.conn);
    assert_int_equal(io_write(&p.client, "x"), -1);
    IO_UNTIL(p.loop, p.server.ended);
    check_pattern(&p.server.in, MANY);
    assert_int_equal(p.client.written, 0); /* only `closed` after a close */
    leat_conn_close(p.server.conn);
    IO_UNTIL(p.loop, p.server.closed && p.client.closed);
    assert_false(p.client.has_why);
    io_pair_done(&p);
    leat_free(data);
}

/* What was written last must reach a peer that is still sending: no reset may overtake it. */
static void closing_while_the_peer_sends_loses_nothing(void **state)
{
    struct io_pair p = {0};
    uint8_t *data = pattern(MANY);
    struct leat_bytes piece = leat_bytes(data, MANY);

    (void)state;
    io_pair_open(&p);
    leat_conn_pause(p.server.conn);
    assert_int_equal(leat_conn_write(p.client.conn, &piece, 1), 0);
    for (int i = 0; i < 20; i++)
        leat_loop_turn(p.loop);
    assert_int_equal(io_write(&p.server, "refused"), 1);
    leat_conn_close(p.server.conn);
    IO_UNTIL(p.loop, p.client.ended || p.client.closed);
    assert_int_equal(p.client.closed, 0);
    assert_string_equal(leat_text_get(&p.client.in), "refused");
    io_pair_done(&p);
    leat_free(data);
}

static void close_in_read(struct io_end *e)
{
    leat_conn_close(e->conn);
    leat_conn_close(e->conn);
    leat_conn_abort(e->conn);
    leat_conn_abort(e->conn);
}

static void may_be_closed_in_read_and_twice(void **state)
{
    struct io_pair p = {0};

    (void)state;
    io_pair_open(&p);
    p.server.on_read = close_in_read;
    io_write(&p.client, "x");
    IO_UNTIL(p.loop, p.server.closed);
    assert_int_equal(p.server.closed, 1);
    IO_UNTIL(p.loop, p.client.ended);
    io_pair_done(&p);
    assert_int_equal(p.client.closed, 1);
}

static void close_in_opened(struct io_end *e)
{
    leat_conn_abort(e->conn);
}

static void may_be_closed_in_opened(void **state)
{
    struct io_pair p = {0};

    (void)state;
    p.client.on_opened = NULL;
    io_pair_listen(&p);
    p.server.on_opened = close_in_opened;
    p.dial.host = "127.0.0.1";
    p.dial.port = leat_listener_port(p.listener);
    p.client.conn = leat_dial(p.loop, &p.dial);
    leat_conn_handle(p.client.conn, &io_end_events_short, &p.client);
    IO_UNTIL(p.loop, p.server.closed && p.client.closed);
    assert_false(p.server.has_why);
    assert_true(p.client.has_why); /* no `ended` handler: closed with a sentence */
    assert_non_null(strstr(p.client.why, "has closed the connection"));
    io_pair_done(&p);
}

static void reads_into_the_room_it_is_given(void **state)
{
    struct io_pair p = {0};
    uint8_t room[4];

    (void)state;
    io_pair_open(&p);
    p.server.room = room;
    p.server.room_len = sizeof room;
    io_write(&p.client, "0123456789");
    IO_UNTIL(p.loop, p.server.in.len == 10);
    assert_string_equal(leat_text_get(&p.server.in), "0123456789");
    assert_int_equal(p.server.room_reads, 3);
    io_pair_done(&p);
}

static void reads_no_more_at_once_than_it_is_told(void **state)
{
    struct io_pair p = {0};

    (void)state;
    io_pair_open(&p);
    p.server.room_len = 4;
    io_write(&p.client, "0123456789");
    IO_UNTIL(p.loop, p.server.in.len == 10);
    assert_string_equal(leat_text_get(&p.server.in), "0123456789");
    assert_int_equal(p.server.room_reads, 3);
    io_pair_done(&p);
}

/* However much has come: in one turn of the loop a connection reads a bounded part of it. */
static void endless_data_leaves_the_others_their_turn(void **state)
{
    enum { ALL = 32 << 20, TURN = 2 << 20 };
    struct io_pair p = {0};
    uint8_t *data = pattern(ALL), *room = leat_new(ALL);
    struct leat_bytes piece = leat_bytes(data, ALL);
    size_t largest = 0;

    (void)state;
    io_pair_open(&p);
    assert_int_equal(leat_conn_write(p.client.conn, &piece, 1), 0);
    for (size_t before = 0; p.server.in.len < ALL; before = p.server.in.len) {
        if (before > ALL / 2) { /* all of it would fit */
            p.server.room = room;
            p.server.room_len = ALL;
        }
        leat_loop_turn(p.loop);
        largest = p.server.in.len - before > largest ? p.server.in.len - before : largest;
    }
    print_message("at most %zu bytes in a turn\n", largest);
    assert_true(largest <= TURN);
    assert_memory_equal(p.server.in.data, data, ALL);
    io_pair_done(&p);
    leat_free(data);
    leat_free(room);
}

static void no_memory_for_a_write_is_the_end_of_the_connection(void **state)
{
    struct io_pair p = {0};
    uint8_t *data = pattern(MANY);
    struct leat_bytes piece = leat_bytes(data, MANY);

    (void)state;
    io_pair_open(&p);
    leat_mem_fail_at(1);
    assert_int_equal(leat_conn_write(p.client.conn, &piece, 1), -1);
    leat_mem_fail_at(0);
    assert_int_equal(p.client.closed, 0);
    IO_UNTIL(p.loop, p.client.closed);
    assert_non_null(strstr(p.client.why, "not enough memory"));
    io_pair_done(&p);
    leat_free(data);
}

static void a_reset_is_told_in_words(void **state)
{
    struct io_pair p = {0};
    uint8_t *data = pattern(MANY);
    struct leat_bytes piece = leat_bytes(data, MANY);

    (void)state;
    io_pair_open(&p);
    assert_int_equal(leat_conn_write(p.client.conn, &piece, 1), 0);
    leat_conn_abort(p.server.conn); /* with unread bytes: the kernel sends a reset */
    IO_UNTIL(p.loop, p.client.closed);
    assert_true(p.client.has_why);
    assert_non_null(strstr(p.client.why, "127.0.0.1:"));
    assert_int_equal(p.client.written, 0);
    io_pair_done(&p);
    leat_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echoes_and_closes),
        cmocka_unit_test(gathers_many_pieces_and_reports_written),
        cmocka_unit_test(closing_sends_what_was_written),
        cmocka_unit_test(closing_while_the_peer_sends_loses_nothing),
        cmocka_unit_test(may_be_closed_in_read_and_twice),
        cmocka_unit_test(may_be_closed_in_opened),
        cmocka_unit_test(reads_into_the_room_it_is_given),
        cmocka_unit_test(reads_no_more_at_once_than_it_is_told),
        cmocka_unit_test(endless_data_leaves_the_others_their_turn),
        cmocka_unit_test(no_memory_for_a_write_is_the_end_of_the_connection),
        cmocka_unit_test(a_reset_is_told_in_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
