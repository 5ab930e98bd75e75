/* HTTP/2: bodies in large DATA frames, whose rest is read straight into its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "io/grpc.h"
#include "lib/io_h2_peer.h"

#define LEN ((size_t)300000)

static struct io_served s;
static struct io_h2_peer p;
static uint8_t body[LEAT_GRPC_PREFIX + LEN];

/* After one small call both sides have taken each other's SETTINGS. */
static int setup(void **state)
{
    const struct io_h2_answer *a;

    (void)state;
    io_served_init(&s);
    io_served_start(&s);
    io_h2_open(&p, leat_server_port(s.server));
    a = io_h2_grpc(&p, NULL, "\0\0\0\0\1x", LEAT_GRPC_PREFIX + 1);
    IO_H2_UNTIL(&s, &p, a->closed);
    s.taken = 0;
    leat_grpc_prefix_write(body, false, (uint32_t)LEN);
    for (size_t i = LEAT_GRPC_PREFIX; i < sizeof body; i++)
        body[i] = (uint8_t)(i * 31 + i / 251);
    p.upload_stays = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    io_h2_done(&p);
    while (leat_budget_used(&s.budget) != 0)
        leat_loop_turn(s.loop);
    io_served_done(&s);
    return 0;
}

/* A call of which only the prefix has come: its body is admitted. */
static int32_t begin(void)
{
    size_t used = leat_budget_used(&s.budget);
    const struct io_h2_answer *a = io_h2_grpc(&p, NULL, body, LEAT_GRPC_PREFIX);

    IO_H2_UNTIL(&s, &p, leat_budget_used(&s.budget) / LEN == used / LEN + 1);
    return a->id;
}

static void head(uint8_t type, uint8_t flags, int32_t stream, size_t len)
{
    uint8_t hd[9] = {(uint8_t)(len >> 16),   (uint8_t)(len >> 8), (uint8_t)len, type, flags, 0, 0,
                     (uint8_t)(stream >> 8), (uint8_t)stream};

    assert_true(io_raw_send_all(&p.raw, s.loop, hd, sizeof hd));
}

/* Bytes of the message from `at` on, `step` of them at a time. */
static void bytes(size_t at, size_t len, size_t step)
{
    for (size_t n; len != 0; at += n, len -= n) {
        n = len < step ? len : step;
        assert_true(io_raw_send_all(&p.raw, s.loop, body + LEAT_GRPC_PREFIX + at, n));
        for (int turn = 0; turn < 3; turn++)
            leat_loop_turn(s.loop);
    }
}

static void expect_whole(size_t taken)
{
    IO_H2_UNTIL(&s, &p, s.taken == taken);
    assert_int_equal(s.body.len, LEN);
    assert_memory_equal(s.body.data, body + LEAT_GRPC_PREFIX, LEN);
}

static void large_frames_come_in_pieces_of_any_size(void **state)
{
    static const size_t steps[] = {LEN, 33333, 70000, 9999};

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int32_t id = begin();

        head(NGHTTP2_DATA, 0, id, 100000);
        bytes(0, 100000, steps[i]);
        head(NGHTTP2_DATA, 0, id, 16000);
        bytes(100000, 16000, steps[i]);
        head(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, id, LEN - 116000);
        bytes(116000, LEN - 116000, steps[i]);
        expect_whole(i + 1);
    }
}

static void frames_of_two_streams_do_not_mix(void **state)
{
    int32_t one = begin(), two = begin();

    (void)state;
    head(NGHTTP2_DATA, 0, one, 150000);
    bytes(0, 150000, 40000);
    head(NGHTTP2_DATA, 0, two, 200000);
    bytes(0, 200000, 40000);
    head(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, one, 150000);
    bytes(150000, 150000, 40000);
    expect_whole(1);
    head(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, two, 100000);
    bytes(200000, 100000, 40000);
    expect_whole(2);
}

/* More than the message's length: refused, and nothing is written behind its place. */
static void a_frame_longer_than_the_message_is_refused(void **state)
{
    int32_t id = begin();

    (void)state;
    head(NGHTTP2_DATA, 0, id, 250000);
    bytes(0, 250000, 60000);
    head(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, id, 200000);
    bytes(50000, 200000, 60000);
    IO_H2_UNTIL(&s, &p, leat_budget_used(&s.budget) == 0);
    assert_int_equal(s.taken, 0);
}

static void a_stream_is_reset_or_lost_in_its_body(void **state)
{
    static const uint8_t cancel[4] = {0, 0, 0, NGHTTP2_CANCEL};
    int32_t id = begin();

    (void)state;
    head(NGHTTP2_DATA, 0, id, 90000);
    bytes(0, 90000, 30000);
    head(NGHTTP2_RST_STREAM, 0, id, sizeof cancel);
    assert_true(io_raw_send_all(&p.raw, s.loop, cancel, sizeof cancel));
    head(NGHTTP2_DATA, 0, id, 90000); /* was under way */
    bytes(90000, 90000, 30000);
    IO_H2_UNTIL(&s, &p, leat_budget_used(&s.budget) == 0);
    id = begin();
    head(NGHTTP2_DATA, 0, id, 200000);
    bytes(0, 100000, 30000); /* and the connection ends: teardown() waits for the budget */
    assert_int_equal(s.taken, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(large_frames_come_in_pieces_of_any_size),
        T(frames_of_two_streams_do_not_mix),
        T(a_frame_longer_than_the_message_is_refused),
        T(a_stream_is_reset_or_lost_in_its_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
