/* The pump under an nghttp2 session: gathered writes, bodies of many pieces, endings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/h2.h"
#include "io/h2_memory.h"
#include "lib/io_loopback.h"

/* What sits on the pump: answers every request with `body`. */
struct side {
    struct leat_h2 *h; /* first */
    nghttp2_session *session;
    struct io_pair pair;
    struct leat_h2_body body;
    nghttp2_nv trailer;
    struct leat_task flushed;
    bool stream_closed, was_flushed, failed;
    char why[128];
    /* the peer */
    nghttp2_session *client;
    struct leat_text got;
    bool got_end, got_trailer, goaway;
    uint32_t code;
    size_t fed;
};

static void on_flushed(struct leat_task *t)
{
    LEAT_OWNER(t, struct side, flushed)->was_flushed = true;
}

static int on_request(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    static char status[] = ":status", ok[] = "200";
    nghttp2_nv nv = {(uint8_t *)status, (uint8_t *)ok, 7, 3, 0};
    struct side *s = user;
    nghttp2_data_provider dp = leat_h2_provider(&s->body);

    if (frame->hd.type == NGHTTP2_HEADERS)
        nghttp2_submit_response(session, frame->hd.stream_id, &nv, 1, &dp);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct side *s = user;

    (void)session;
    (void)id;
    (void)code;
    s->stream_closed = true;
    leat_h2_when_flushed(s->h, &s->flushed);
    return 0;
}

static void failed(void *self, const char *why)
{
    struct side *s = self;

    assert_false(s->failed);
    s->failed = true;
    strncpy(s->why, why, sizeof s->why - 1);
    leat_conn_close(s->pair.server.conn);
}

static int client_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                       size_t len, void *user)
{
    struct side *s = user;

    (void)session;
    (void)flags;
    (void)id;
    leat_text_add(&s->got, data, len);
    return 0;
}

static int client_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct side *s = user;

    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        s->goaway = true;
        s->code = frame->goaway.error_code;
    }
    s->got_end |= (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && frame->hd.stream_id == 1;
    s->got_trailer |=
        frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_HEADERS;
    return 0;
}

static void server_read(struct io_end *e)
{
    struct side *s = LEAT_OWNER(LEAT_OWNER(e, struct io_pair, server), struct side, pair);

    leat_h2_read(s->h, (const uint8_t *)e->in.data, e->in.len);
    leat_text_clear(&e->in);
}

static void client_read(struct io_end *e)
{
    struct side *s = LEAT_OWNER(LEAT_OWNER(e, struct io_pair, client), struct side, pair);

    nghttp2_session_mem_recv(s->client, (const uint8_t *)e->in.data, e->in.len);
    leat_text_clear(&e->in);
}

static struct leat_conn_events server_events;

static void server_written(void *self)
{
    struct io_end *e = self;
    struct side *s = LEAT_OWNER(LEAT_OWNER(e, struct io_pair, server), struct side, pair);

    io_end_events.written(self);
    leat_h2_written(s->h);
}

static void open_side(struct side *s)
{
    nghttp2_session_callbacks *cbs;
    nghttp2_option *o = leat_h2_options(true);

    memset(s, 0, sizeof *s);
    leat_text_init(&s->got, 64 << 20);
    s->flushed.run = on_flushed;
    leat_list_init(&s->flushed.link);
    io_pair_open(&s->pair);
    nghttp2_session_callbacks_new(&cbs);
    leat_h2_set_callbacks(cbs);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, on_request);
    nghttp2_session_callbacks_set_on_stream_close_callback(cbs, on_close);
    assert_int_equal(nghttp2_session_server_new3(&s->session, cbs, s, o, leat_h2_mem()), 0);
    nghttp2_session_callbacks_del(cbs);
    nghttp2_option_del(o);
    s->h = leat_h2_new(s->pair.server.conn, s->session, failed, s);
    assert_non_null(s->h);
    nghttp2_submit_settings(s->session, 0, NULL, 0);
    s->pair.server.on_read = server_read;
    s->pair.client.on_read = client_read;
    server_events = io_end_events;
    server_events.written = server_written;
    leat_conn_handle(s->pair.server.conn, &server_events, &s->pair.server);
    nghttp2_session_callbacks_new(&cbs);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cbs, client_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, client_frame);
    assert_int_equal(nghttp2_session_client_new(&s->client, cbs, s), 0);
    nghttp2_session_callbacks_del(cbs);
    nghttp2_submit_settings(s->client, 0, NULL, 0);
}

static void close_side(struct side *s)
{
    if (!s->pair.server.closed)
        leat_conn_abort(s->pair.server.conn);
    IO_UNTIL(s->pair.loop, s->pair.server.closed);
    leat_h2_free(s->h);
    nghttp2_session_del(s->session);
    nghttp2_session_del(s->client);
    leat_text_done(&s->got);
    io_pair_done(&s->pair);
}

static void turn(struct side *s)
{
    const uint8_t *data;
    ssize_t n;

    while (!s->pair.client.closed && !leat_conn_pending(s->pair.client.conn) &&
           (n = nghttp2_session_mem_send(s->client, &data)) > 0) {
        struct leat_bytes piece = {data, (size_t)n};

        /* Small control frames: the kernel always takes them at once. */
        assert_int_equal(leat_conn_write(s->pair.client.conn, &piece, 1), 1);
    }
    leat_loop_turn(s->pair.loop);
}

static void request(struct side *s)
{
    static const char *const text[] = {":method", "GET", ":scheme",    "http",
                                       ":path",   "/",   ":authority", "a"};
    nghttp2_nv nv[4];

    for (size_t i = 0; i < 4; i++)
        nv[i] =
            (nghttp2_nv){(uint8_t *)(uintptr_t)text[2 * i], (uint8_t *)(uintptr_t)text[2 * i + 1],
                         strlen(text[2 * i]), strlen(text[2 * i + 1]), 0};
    assert_int_equal(nghttp2_submit_request(s->client, NULL, nv, 4, NULL, NULL), 1);
}

/* A body of `n` pieces of these lengths in turn arrives whole. */
static void send_pieces(size_t n, const size_t *lengths, size_t nlengths, bool trailers)
{
    static struct side s;
    struct leat_bytes *pieces = leat_new_array(n, sizeof *pieces);
    size_t total = 0, at = 0;
    uint8_t *all;

    for (size_t i = 0; i < n; i++)
        total += lengths[i % nlengths];
    all = leat_new(total + 1);
    for (size_t i = 0; i < total; i++)
        all[i] = (uint8_t)(i * 131 >> 3);
    for (size_t i = 0; i < n; i++) {
        pieces[i] = leat_bytes(all + at, lengths[i % nlengths]);
        at += lengths[i % nlengths];
    }
    open_side(&s);
    s.body = (struct leat_h2_body){.pieces = pieces, .n = n};
    if (trailers) {
        static char name[] = "grpc-status", zero[] = "0";

        s.trailer = (nghttp2_nv){(uint8_t *)name, (uint8_t *)zero, 11, 1, 0};
        s.body.trailers = &s.trailer;
        s.body.ntrailers = 1;
    }
    request(&s);
    while (!s.got_end || !s.was_flushed)
        turn(&s);
    assert_true(s.stream_closed);
    assert_int_equal(s.got_trailer, trailers);
    assert_int_equal(s.got.len, total);
    assert_memory_equal(s.got.data ? s.got.data : "", all, total);
    assert_false(s.failed);
    close_side(&s);
    leat_free(all);
    leat_free(pieces);
}

static void bodies_of_all_shapes(void **state)
{
    static const size_t one[] = {1}, odd[] = {7, 0, 1, 4096, 3}, big[] = {300000}, none[] = {0};

    (void)state;
    send_pieces(0, one, 1, false);
    send_pieces(3, none, 1, true);
    send_pieces(1, one, 1, true);
    send_pieces(1000, one, 1, true);
    send_pieces(1000, odd, 5, false);
    send_pieces(30, big, 1, true); /* 9 MB: windows, pending writes */
}

static void garbage_is_answered_with_goaway(void **state)
{
    static struct side s;
    struct leat_bytes junk = {(const uint8_t *)"GET / HTTP/1.1\r\n\r\n: not a preface", 34};

    (void)state;
    open_side(&s);
    nghttp2_session_mem_recv(s.client, NULL, 0);
    assert_int_equal(leat_conn_write(s.pair.client.conn, &junk, 1), 1);
    while (!s.failed || !s.goaway)
        leat_loop_turn(s.pair.loop);
    assert_int_equal(s.code, NGHTTP2_PROTOCOL_ERROR);
    assert_int_equal(leat_h2_read(s.h, junk.data, junk.len), -1);
    close_side(&s);
}

static void ended_by_the_owner(void **state)
{
    static struct side s;

    (void)state;
    open_side(&s);
    turn(&s);
    leat_h2_end(s.h, NGHTTP2_ENHANCE_YOUR_CALM, "enough");
    assert_true(leat_h2_ending(s.h));
    leat_h2_end(s.h, NGHTTP2_NO_ERROR, NULL); /* the first word counts */
    while (!s.failed || !s.goaway)
        turn(&s);
    assert_int_equal(s.code, NGHTTP2_ENHANCE_YOUR_CALM);
    assert_string_equal(s.why, "enough");
    close_side(&s);
}

static void over_when_both_have_said_so(void **state)
{
    static struct side s;

    (void)state;
    open_side(&s);
    turn(&s);
    nghttp2_submit_goaway(s.session, 0, 0, NGHTTP2_NO_ERROR, NULL, 0);
    leat_h2_flush(s.h);
    while (!s.failed)
        turn(&s);
    assert_true(strlen(s.why) > 0);
    close_side(&s);
}

static void flushed_at_once_when_nothing_waits(void **state)
{
    static struct side s;

    (void)state;
    open_side(&s);
    for (int i = 0; i < 10; i++)
        turn(&s);
    leat_h2_when_flushed(s.h, &s.flushed);
    assert_true(s.was_flushed);
    close_side(&s);
}

/* The connection goes in the middle of a large body: who waits for it is told. */
static void waiting_tasks_are_told_when_freed(void **state)
{
    static struct side s;
    static uint8_t big[8 << 20];
    struct leat_bytes piece = {big, sizeof big};

    (void)state;
    open_side(&s);
    s.body = (struct leat_h2_body){.pieces = &piece, .n = 1};
    nghttp2_session_set_local_window_size(s.client, 0, 0, 64 << 20);
    nghttp2_submit_settings(
        s.client, 0, &(nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 64 << 20}, 1);
    request(&s);
    leat_conn_pause(s.pair.client.conn);
    while (!leat_conn_pending(s.pair.server.conn))
        turn(&s);
    leat_h2_when_flushed(s.h, &s.flushed);
    assert_false(s.was_flushed);
    leat_conn_abort(s.pair.server.conn);
    IO_UNTIL(s.pair.loop, s.pair.server.closed);
    leat_h2_free(s.h);
    s.h = NULL;
    assert_true(s.was_flushed);
    close_side(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_of_all_shapes),
        cmocka_unit_test(garbage_is_answered_with_goaway),
        cmocka_unit_test(ended_by_the_owner),
        cmocka_unit_test(over_when_both_have_said_so),
        cmocka_unit_test(flushed_at_once_when_nothing_waits),
        cmocka_unit_test(waiting_tasks_are_told_when_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
