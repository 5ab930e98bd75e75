/* TLS: handshakes that work and that do not, data, endings, reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/tls.h"
#include "lib/io_certs.h"
#include "lib/io_loopback.h"

static struct io_certs certs;
static const char *const http_alpn[] = {"h2", "http/1.1", NULL};
static const char *const h2_alpn[] = {"h2", NULL};

static struct leat_tls_conf server_conf(void)
{
    return (struct leat_tls_conf){.cert_file = certs.server.cert, .key_file = certs.server.key};
}

static struct leat_tls_conf client_conf(void)
{
    return (struct leat_tls_conf){.ca_file = certs.ca.cert};
}

/* A pair under TLS with these settings. */
static void open_tls(struct io_pair *p, const struct leat_tls_conf *server,
                     const struct leat_tls_conf *client)
{
    struct leat_err err = {""};

    p->listen.tls = leat_tls_server_new(server, http_alpn, &err);
    if (p->listen.tls == NULL)
        fail_msg("%s", err.text);
    p->dial.tls = leat_tls_client_new(client, h2_alpn, &err);
    if (p->dial.tls == NULL)
        fail_msg("%s", err.text);
    io_pair_open(p);
}

static void done_tls(struct io_pair *p)
{
    io_pair_done(p);
    leat_tls_free(p->listen.tls);
    leat_tls_free(p->dial.tls);
}

static void assert_why(const struct io_end *e, const char *part)
{
    if (!e->has_why || strstr(e->why, part) == NULL)
        fail_msg("expected '%s' in '%s'", part, e->why);
}

static void shakes_hands_talks_and_ends(void **state)
{
    struct leat_tls_conf server = server_conf(), client = client_conf();
    struct io_pair p = {0};

    (void)state;
    open_tls(&p, &server, &client);
    assert_int_equal(p.client.opened, 1);
    assert_int_equal(p.server.opened, 1);
    assert_true(leat_conn_is_tls(p.client.conn));
    assert_string_equal(leat_conn_alpn(p.client.conn), "h2");
    assert_string_equal(leat_conn_alpn(p.server.conn), "h2");
    assert_int_equal(io_write(&p.client, "hello"), 1);
    IO_UNTIL(p.loop, p.server.in.len == 5);
    assert_int_equal(io_write(&p.server, "world"), 1);
    IO_UNTIL(p.loop, p.client.in.len == 5);
    leat_conn_close(p.client.conn);
    IO_UNTIL(p.loop, p.server.ended);
    leat_conn_close(p.server.conn);
    IO_UNTIL(p.loop, p.server.closed && p.client.closed);
    assert_false(p.server.has_why);
    assert_false(p.client.has_why);
    done_tls(&p);
}

static void carries_megabytes_in_odd_pieces(void **state)
{
    struct leat_tls_conf server = server_conf(), client = client_conf();
    struct io_pair p = {0};
    size_t len = (size_t)6 << 20, n = 0, at = 0;
    uint8_t *data = leat_new(len);
    struct leat_bytes *pieces = leat_new_array(4000, sizeof *pieces);

    (void)state;
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 13 / 5);
    for (; n < 3999; n++) { /* nothing, a frame head, a full record, more than one */
        static const size_t lens[] = {9, 0, 700, 16384, 1, 40000, 9, 16383};
        size_t step = lens[n % 8] < len - at ? lens[n % 8] : len - at;

        pieces[n] = leat_bytes(data + at, step / 8);
        at += step / 8;
    }
    pieces[n++] = leat_bytes(data + at, len - at);
    open_tls(&p, &server, &client);
    leat_conn_pause(p.server.conn);
    assert_int_equal(leat_conn_write(p.client.conn, pieces, n), 0);
    leat_free(pieces);
    for (int i = 0; i < 20; i++)
        leat_loop_turn(p.loop);
    assert_int_equal(p.server.in.len, 0);
    assert_true(leat_conn_pending(p.client.conn));
    leat_conn_resume(p.server.conn);
    IO_UNTIL(p.loop, p.server.in.len == len && p.client.written);
    assert_memory_equal(p.server.in.data, data, len);
    assert_int_equal(p.client.written, 1);
    assert_true(leat_conn_bytes_in(p.server.conn) > len);
    done_tls(&p);
    leat_free(data);
}

static void pause_in_read(struct io_end *e)
{
    leat_conn_pause(e->conn);
}

/* What lies in the read buffer when the owner pauses must be there when it resumes. */
static void keeps_what_came_before_a_pause(void **state)
{
    struct leat_tls_conf server = server_conf(), client = client_conf();
    struct io_pair p = {0};
    size_t len = (size_t)3 << 20;
    uint8_t *data = leat_new(len);
    struct leat_bytes piece = leat_bytes(data, len);

    (void)state;
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 3 / 2);
    open_tls(&p, &server, &client);
    p.server.on_read = pause_in_read;
    leat_conn_write(p.client.conn, &piece, 1);
    leat_conn_close(p.client.conn);
    while (p.server.in.len < len) {
        size_t before = p.server.in.len;

        leat_conn_resume(p.server.conn);
        assert_int_equal(p.server.in.len, before); /* never from inside the call */
        IO_UNTIL(p.loop, p.server.in.len > before);
    }
    assert_memory_equal(p.server.in.data, data, len);
    leat_conn_resume(p.server.conn);
    IO_UNTIL(p.loop, p.server.ended);
    done_tls(&p);
    leat_free(data);
}

static void closing_sends_what_was_written(void **state)
{
    struct leat_tls_conf server = server_conf(), client = client_conf();
    struct io_pair p = {0};
    size_t len = (size_t)6 << 20;
    uint8_t *data = leat_new(len);
    struct leat_bytes piece = leat_bytes(data, len);

    (void)state;
    open_tls(&p, &server, &client);
    assert_int_equal(leat_conn_write(p.client.conn, &piece, 1), 0);
    leat_conn_close(p.client.conn);
    IO_UNTIL(p.loop, p.server.ended || p.server.closed);
    assert_int_equal(p.server.closed, 0);
    assert_int_equal(p.server.in.len, len);
    done_tls(&p);
    leat_free(data);
}

static void a_stream_cut_short_is_no_end(void **state)
{
    struct leat_tls_conf server = server_conf(), client = client_conf();
    struct io_pair p = {0};

    (void)state;
    open_tls(&p, &server, &client);
    io_write(&p.client, "half a");
    leat_conn_abort(p.client.conn); /* no close_notify */
    IO_UNTIL(p.loop, p.server.closed);
    assert_string_equal(leat_text_get(&p.server.in), "half a");
    assert_int_equal(p.server.ended, 0);
    assert_why(&p.server, "without ending TLS");
    done_tls(&p);
}

static void refuses_unknown_expired_and_misnamed(void **state)
{
    struct leat_tls_conf server = server_conf(), client = client_conf();
    struct io_cert expired = io_cert_make(&certs, "old", &certs.ca, "IP:127.0.0.1", -99, -9);
    struct io_cert elsewhere = io_cert_make(&certs, "far", &certs.ca, "DNS:elsewhere", -99, 99);
    struct io_pair p = {0}, q = {0}, r = {0}, s = {0};

    (void)state;
    client.ca_file = certs.other_ca.cert;
    open_tls(&p, &server, &client);
    assert_why(&p.client, "TLS with 127.0.0.1:");
    assert_why(&p.client, "unable to get local issuer certificate");
    IO_UNTIL(p.loop, p.server.closed);
    assert_why(&p.server, "the peer refused: tlsv1 alert unknown ca");
    done_tls(&p);

    client.ca_file = certs.ca.cert;
    server.cert_file = expired.cert;
    server.key_file = expired.key;
    open_tls(&q, &server, &client);
    assert_why(&q.client, "certificate has expired");
    done_tls(&q);

    server.cert_file = elsewhere.cert;
    server.key_file = elsewhere.key;
    open_tls(&r, &server, &client);
    assert_why(&r.client, "IP address mismatch");
    done_tls(&r);

    s.dial.sni = "localhost";
    open_tls(&s, &server, &client);
    assert_why(&s.client, "hostname mismatch");
    done_tls(&s);
}

static void names_can_be_overridden_and_skipped(void **state)
{
    struct leat_tls_conf server = server_conf(), client = client_conf();
    struct io_cert elsewhere = io_cert_make(&certs, "far2", &certs.ca, "DNS:elsewhere", -99, 99);
    struct io_pair p = {0}, q = {0};

    (void)state;
    server.cert_file = elsewhere.cert;
    server.key_file = elsewhere.key;
    client.server_name_override = "elsewhere";
    open_tls(&p, &server, &client);
    assert_int_equal(p.client.opened, 1);
    done_tls(&p);
    client = (struct leat_tls_conf){.insecure_skip_verify = true};
    open_tls(&q, &server, &client);
    assert_int_equal(q.client.opened, 1);
    done_tls(&q);
}

static void mutual_tls_lets_in_only_whom_it_knows(void **state)
{
    struct leat_tls_conf server = server_conf(), client = client_conf();
    struct io_pair p = {0}, q = {0}, r = {0};

    (void)state;
    server.client_ca_file = certs.ca.cert;
    open_tls(&p, &server, &client);
    assert_int_equal(p.server.opened, 0);
    assert_why(&p.server, "showed no certificate");
    IO_UNTIL(p.loop, p.client.closed); /* in TLS 1.3 the client hears of it after its handshake */
    assert_why(&p.client, "certificate required");
    done_tls(&p);

    client.cert_file = certs.client.cert;
    client.key_file = certs.client.key;
    open_tls(&q, &server, &client);
    assert_int_equal(q.server.opened, 1);
    done_tls(&q);

    client.cert_file = certs.other_ca.cert;
    client.key_file = certs.other_ca.key;
    open_tls(&r, &server, &client);
    assert_int_equal(r.server.opened, 0);
    assert_why(&r.server, "its certificate is not accepted");
    done_tls(&r);
}

static void versions_ciphers_and_curves_are_kept_to(void **state)
{
    const char *suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    const char *other = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
    const char *p256 = "P256", *p384 = "CurveP384";
    struct leat_tls_conf server = server_conf(), client = client_conf();
    struct io_pair p = {0}, q = {0}, r = {0}, s = {0}, t = {0};

    (void)state;
    server.min_version = "1.3";
    client.max_version = "1.2";
    open_tls(&p, &server, &client);
    assert_why(&p.client, "protocol version");
    done_tls(&p);
    server.min_version = NULL;
    server.cipher_suites = (struct leat_strings){&suite, 1};
    client.cipher_suites = (struct leat_strings){&other, 1};
    open_tls(&q, &server, &client);
    assert_why(&q.client, "handshake failure");
    assert_why(&q.server, "no shared cipher");
    done_tls(&q);
    client.cipher_suites = (struct leat_strings){&suite, 1};
    open_tls(&r, &server, &client);
    assert_int_equal(r.client.opened, 1);
    done_tls(&r);
    client = client_conf();
    server.curve_preferences = (struct leat_strings){&p256, 1};
    client.curve_preferences = (struct leat_strings){&p384, 1};
    open_tls(&s, &server, &client);
    assert_int_equal(s.client.opened, 0);
    done_tls(&s);
    client.curve_preferences = (struct leat_strings){&p256, 1};
    open_tls(&t, &server, &client);
    assert_int_equal(t.client.opened, 1);
    done_tls(&t);
}

static void alpn_without_a_common_protocol_is_refused(void **state)
{
    static const char *const odd[] = {"odd/1", NULL};
    struct leat_tls_conf server = server_conf(), client = client_conf();
    struct leat_err err;
    struct io_pair p = {0}, q = {0};

    (void)state;
    p.listen.tls = leat_tls_server_new(&server, http_alpn, &err);
    p.dial.tls = leat_tls_client_new(&client, odd, &err);
    io_pair_open(&p);
    assert_why(&p.client, "no application protocol");
    done_tls(&p);
    q.listen.tls = leat_tls_server_new(&server, http_alpn, &err);
    q.dial.tls = leat_tls_client_new(&client, NULL, &err);
    io_pair_open(&q);
    assert_int_equal(q.server.opened, 1);
    assert_null(leat_conn_alpn(q.server.conn));
    done_tls(&q);
}

/* A peer that speaks in the clear, in both directions. */
static void plain_text_is_told_from_tls(void **state)
{
    struct leat_tls_conf server = server_conf(), client = client_conf();
    struct leat_err err;
    struct io_pair p = {0}, q = {0};

    (void)state;
    p.listen.tls = leat_tls_server_new(&server, http_alpn, &err);
    io_pair_listen(&p);
    p.dial.host = "127.0.0.1";
    p.dial.port = leat_listener_port(p.listener);
    p.client.conn = leat_dial(p.loop, &p.dial);
    leat_conn_handle(p.client.conn, &io_end_events, &p.client);
    IO_UNTIL(p.loop, p.client.opened);
    io_write(&p.client, "POST /v1/traces HTTP/1.1\r\n\r\n");
    IO_UNTIL(p.loop, p.server.closed);
    assert_why(&p.server, "does not speak TLS");
    done_tls(&p);

    q.dial.tls = leat_tls_client_new(&client, h2_alpn, &err);
    io_pair_listen(&q);
    q.dial.host = "127.0.0.1";
    q.dial.port = leat_listener_port(q.listener);
    q.client.conn = leat_dial(q.loop, &q.dial);
    leat_conn_handle(q.client.conn, &io_end_events, &q.client);
    IO_UNTIL(q.loop, q.server.in.len > 0);
    io_write(&q.server, "HTTP/1.1 400 Bad Request\r\n\r\n");
    IO_UNTIL(q.loop, q.client.closed);
    assert_why(&q.client, "does not speak TLS");
    done_tls(&q);
}

static void silent_peers_are_dropped(void **state)
{
    struct leat_tls_conf server = server_conf(), client = client_conf();
    struct leat_err err;
    struct io_pair p = {0}, q = {0};

    (void)state;
    leat_clock_fake(LEAT_SEC, 0);
    p.listen.tls = leat_tls_server_new(&server, http_alpn, &err);
    io_pair_listen(&p);
    p.dial.host = "127.0.0.1";
    p.dial.port = leat_listener_port(p.listener);
    p.client.conn = leat_dial(p.loop, &p.dial); /* in the clear, and says nothing */
    leat_conn_handle(p.client.conn, &io_end_events, &p.client);
    IO_UNTIL(p.loop, p.client.opened && p.server.conn != NULL);
    leat_clock_step(9 * LEAT_SEC);
    leat_loop_turn(p.loop);
    assert_int_equal(p.server.closed, 0);
    leat_clock_step(2 * LEAT_SEC);
    IO_UNTIL(p.loop, p.server.closed);
    assert_why(&p.server, "no handshake within 10 s");
    done_tls(&p);

    q.dial.tls = leat_tls_client_new(&client, h2_alpn, &err);
    q.dial.timeout = 3 * LEAT_SEC;
    io_pair_listen(&q);
    q.dial.host = "127.0.0.1";
    q.dial.port = leat_listener_port(q.listener);
    q.client.conn = leat_dial(q.loop, &q.dial);
    leat_conn_handle(q.client.conn, &io_end_events, &q.client);
    IO_UNTIL(q.loop, q.server.in.len > 0); /* the first flight; never answered */
    leat_clock_step(4 * LEAT_SEC);
    IO_UNTIL(q.loop, q.client.closed);
    assert_why(&q.client, "no answer in time");
    done_tls(&q);
    leat_clock_real();
}

/* Write the same names anew: other contents, another inode. */
static void replaced_files_are_read_for_new_connections(void **state)
{
    struct io_cert swap = io_cert_make(&certs, "swap", &certs.ca, "IP:127.0.0.1", -99, 99);
    struct leat_tls_conf server = {.cert_file = swap.cert, .key_file = swap.key};
    struct leat_tls_conf client = client_conf();
    struct io_end second;
    struct io_pair p = {0};
    FILE *f;

    (void)state;
    leat_clock_fake(LEAT_SEC, 0);
    open_tls(&p, &server, &client);
    assert_int_equal(p.client.opened, 1);
    leat_conn_close(p.server.conn);
    IO_UNTIL(p.loop, p.client.ended);
    leat_conn_close(p.client.conn);
    IO_UNTIL(p.loop, p.server.closed && p.client.closed);

    /* by another authority: the client does not accept it, once it is in use */
    io_cert_make(&certs, "swap", &certs.other_ca, "IP:127.0.0.1", -99, 99);
    io_end_init(&second);
    second.conn = leat_dial(p.loop, &p.dial);
    leat_conn_handle(second.conn, &io_end_events, &second);
    IO_UNTIL(p.loop, second.opened); /* not looked at yet */
    leat_conn_close(second.conn);
    IO_UNTIL(p.loop, p.server.ended);
    leat_conn_close(p.server.conn);
    IO_UNTIL(p.loop, second.closed && p.server.conn == NULL);
    leat_clock_step(11 * LEAT_SEC);
    io_end_done(&second);
    io_end_init(&second);
    second.conn = leat_dial(p.loop, &p.dial);
    leat_conn_handle(second.conn, &io_end_events, &second);
    IO_UNTIL(p.loop, second.closed);
    assert_why(&second, "its certificate is not accepted");
    leat_clock_step(2 * LEAT_SEC);
    IO_UNTIL(p.loop, p.server.conn == NULL);

    /* rubbish: the one before stays */
    f = fopen(swap.cert, "w");
    assert_true(f != NULL && fputs("rubbish", f) >= 0 && fclose(f) == 0);
    leat_clock_step(11 * LEAT_SEC);
    io_end_done(&second);
    io_end_init(&second);
    second.conn = leat_dial(p.loop, &p.dial);
    leat_conn_handle(second.conn, &io_end_events, &second);
    IO_UNTIL(p.loop, second.closed);
    assert_why(&second, "its certificate is not accepted");
    io_end_done(&second);
    done_tls(&p);
    leat_clock_real();
}

/* Each allocation of a connection's data in turn: it ends with a sentence or works, and nothing
 * leaks. */
static void no_memory_at_each_step(void **state)
{
    struct leat_tls_conf server = server_conf(), client = client_conf();
    uint64_t nth = 0, used;

    (void)state;
    do {
        struct io_pair p = {.dial = {.host = "127.0.0.1"}};
        struct leat_err err;

        p.listen.tls = leat_tls_server_new(&server, http_alpn, &err);
        p.dial.tls = leat_tls_client_new(&client, h2_alpn, &err);
        io_pair_listen(&p);
        p.dial.port = leat_listener_port(p.listener);
        used = leat_mem_tries();
        leat_mem_fail_at(++nth);
        p.client.conn = leat_dial(p.loop, &p.dial);
        if (p.client.conn != NULL) {
            leat_conn_handle(p.client.conn, &io_end_events, &p.client);
            IO_UNTIL(p.loop, p.client.closed || (p.client.opened && p.server.opened));
            assert_true(p.client.opened || p.client.has_why);
        }
        used = leat_mem_tries() - used;
        leat_mem_fail_at(0);
        done_tls(&p);
    } while (nth <= used);
    assert_true(nth > 5); /* two connections, two filters, one dialling */
}

static int make_certs(void **state)
{
    (void)state;
    io_certs_make(&certs);
    return 0;
}

static int remove_certs(void **state)
{
    (void)state;
    io_certs_remove(&certs);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shakes_hands_talks_and_ends),
        cmocka_unit_test(carries_megabytes_in_odd_pieces),
        cmocka_unit_test(keeps_what_came_before_a_pause),
        cmocka_unit_test(closing_sends_what_was_written),
        cmocka_unit_test(a_stream_cut_short_is_no_end),
        cmocka_unit_test(refuses_unknown_expired_and_misnamed),
        cmocka_unit_test(names_can_be_overridden_and_skipped),
        cmocka_unit_test(mutual_tls_lets_in_only_whom_it_knows),
        cmocka_unit_test(versions_ciphers_and_curves_are_kept_to),
        cmocka_unit_test(alpn_without_a_common_protocol_is_refused),
        cmocka_unit_test(plain_text_is_told_from_tls),
        cmocka_unit_test(silent_peers_are_dropped),
        cmocka_unit_test(replaced_files_are_read_for_new_connections),
        cmocka_unit_test(no_memory_at_each_step),
    };

    return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
