/* The server as a whole: starting, protocols on one port, TLS, authentication, metadata, meters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/diag.h"
#include "io/auth.h"
#include "io/grpc.h"
#include "lib/io_certs.h"
#include "lib/io_h2_peer.h"
#include "lib/io_loopback.h"

static struct io_served s;
static struct io_raw r;
static bool r_open;

static int setup(void **state)
{
    (void)state;
    io_served_init(&s);
    r_open = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (r_open)
        io_raw_done(&r);
    io_served_done(&s);
    return 0;
}

static void start(void)
{
    io_served_start(&s);
    io_raw_open(&r, leat_server_port(s.server));
    r_open = true;
}

#define GET_HEALTH "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"

/* --- starting */

static bool no_start(const char *part)
{
    struct leat_err err = {""};
    struct leat_server *server = leat_server_new(&s.conf, &s.service, &s.env, &err);

    if (server == NULL && strstr(err.text, part) != NULL)
        return true;
    print_error("%s\n", err.text);
    leat_server_free(server);
    return false;
}

static const struct leat_authenticator client_only = {.self = NULL};
static const struct leat_authenticator *find_client_only(void *self, const char *id)
{
    (void)self;
    return strcmp(id, "mine") == 0 ? &client_only : NULL;
}

static void why_it_does_not_start(void **state)
{
    struct leat_auth_finder finder = {.find = find_client_only};
    char taken[32];

    (void)state;
    s.conf.auth.authenticator = "basicauth/x";
    assert_true(no_start("basicauth/x"));
    s.env.auth = &finder;
    assert_true(no_start("basicauth/x"));
    s.conf.auth.authenticator = "mine";
    assert_true(no_start("mine"));
    s.conf.auth.authenticator = NULL;
    io_served_start(&s);
    snprintf(taken, sizeof taken, "127.0.0.1:%u", leat_server_port(s.server));
    assert_string_equal(leat_server_text(s.server), taken);
    s.conf.endpoint = taken;
    s.env.who = "other";
    assert_true(no_start(taken));
    s.conf.endpoint = "127.0.0.1:0";
    s.conf.has_tls = true;
    s.conf.tls.cert_file = "/nowhere/cert.pem";
    s.conf.tls.key_file = "/nowhere/key.pem";
    assert_true(no_start("/nowhere/"));
}

static void tables_are_sound(void **state)
{
    struct leat_err err = {""};

    (void)state;
    if (leat_schema_verify(leat_server_http_fields, &err) < 0 ||
        leat_schema_verify(leat_server_grpc_fields, &err) < 0)
        fail_msg("%s", err.text);
}

static size_t mistakes(const struct leat_server_conf *conf, bool grpc)
{
    struct leat_diags *d = leat_diags_new();
    struct leat_check *c = leat_check_new(NULL, "receivers.otlp", d);
    size_t n;

    leat_server_check(conf, grpc, "protocols.http", c);
    leat_check_free(c);
    n = leat_diags_errors(d);
    leat_diags_free(d);
    return n;
}

static void settings_are_checked(void **state)
{
    const char *words[] = {"gzip", "brotli"};
    struct leat_pair bad[] = {{"bad name", "v"}, {"good", "a\nb"}, {"x-good", "v"}};
    struct leat_server_conf c = {.endpoint = "localhost:4318", .transport = "tcp"};

    (void)state;
    assert_int_equal(mistakes(&c, false), 0);
    assert_int_equal(mistakes(&c, true), 0);
    c.endpoint = "localhost";
    assert_int_equal(mistakes(&c, true), 1);
    c.endpoint = NULL;
    assert_int_equal(mistakes(&c, true), 1);
    c.endpoint = "/run/x.sock";
    c.transport = "unix";
    assert_int_equal(mistakes(&c, false), 0);
    c.transport = "carrier pigeon";
    assert_true(mistakes(&c, false) > 0);
    c = (struct leat_server_conf){.endpoint = ":1", .transport = "tcp"};
    c.compression_algorithms = (struct leat_strings){words, 2};
    assert_int_equal(mistakes(&c, false), 1);
    c.compression_algorithms.count = 1;
    c.response_headers = (struct leat_pairs){bad, 3};
    assert_int_equal(mistakes(&c, false), 2);
    c.response_headers.count = 0;
    c.middlewares = (struct leat_strings){words, 1};
    assert_int_equal(mistakes(&c, false), 1);
}

static void body_limits(void **state)
{
    struct leat_server_conf c = {.endpoint = ":1"};

    (void)state;
    assert_int_equal(leat_server_max_body(&c, false), 20 << 20);
    assert_int_equal(leat_server_max_body(&c, true), 4 << 20);
    c.max_request_body_size = 1000;
    c.max_recv_msg_size_mib = 64;
    assert_int_equal(leat_server_max_body(&c, false), 1000);
    assert_int_equal(leat_server_max_body(&c, true), 64 << 20);
}

/* --- protocols */

static void preface_in_pieces(void **state)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

    (void)state;
    start();
    for (size_t i = 0; i < sizeof preface - 1; i++) {
        assert_int_equal(io_raw_send(&r, preface + i, 1), 1);
        for (int turn = 0; turn < 3; turn++)
            leat_loop_turn(s.loop);
    }
    IO_RAW_UNTIL(&s, &r, r.in.len >= 9 + 24);
    assert_int_equal(r.in.data[3], 4); /* SETTINGS */
}

static void nearly_a_preface(void **state)
{
    (void)state;
    start();
    io_raw_text(&r, "PRI * HT");
    for (int turn = 0; turn < 5; turn++)
        leat_loop_turn(s.loop);
    io_raw_text(&r, "XX");
    IO_RAW_UNTIL(&s, &r, r.closed);
    assert_true(io_raw_has(&r, "HTTP/1.1 400 "));
    io_raw_done(&r);
    io_raw_open(&r, leat_server_port(s.server));
    io_raw_text(&r, "P");
    for (int turn = 0; turn < 5; turn++)
        leat_loop_turn(s.loop);
    io_raw_text(&r, "OST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, "\r\n\r\nok"));
}

static void unix_socket(void **state)
{
    char dir[] = "/tmp/leat-server-XXXXXX", path[64];
    struct io_end end;
    struct leat_dial_conf dial = {.host = path, .unix_socket = true};

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    s.conf.transport = "unix";
    s.conf.endpoint = path;
    io_served_start(&s);
    assert_int_equal(leat_server_port(s.server), 0);
    io_end_init(&end);
    end.conn = leat_dial(s.loop, &dial);
    leat_conn_handle(end.conn, &io_end_events, &end);
    IO_UNTIL(s.loop, end.opened);
    io_write(&end, GET_HEALTH);
    IO_UNTIL(s.loop, strstr(leat_text_get(&end.in), "\r\n\r\nok") != NULL);
    leat_conn_abort(end.conn);
    IO_UNTIL(s.loop, end.closed);
    io_end_done(&end);
    leat_server_free(s.server);
    s.server = NULL;
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
}

/* A server with a certificate, and a connection to it by this protocol. */
struct over_tls {
    struct io_certs certs;
    struct leat_tls *tls;
    struct io_end end;
};

static void open_over_tls(struct over_tls *o, const char *const *alpn)
{
    struct leat_tls_conf tc = {0};
    struct leat_dial_conf dial = {.host = "127.0.0.1"};
    struct leat_err err = {""};

    io_certs_make(&o->certs);
    tc.ca_file = o->certs.ca.cert;
    s.conf.has_tls = true;
    s.conf.tls.cert_file = o->certs.server.cert;
    s.conf.tls.key_file = o->certs.server.key;
    io_served_start(&s);
    o->tls = leat_tls_client_new(&tc, alpn, &err);
    assert_non_null(o->tls);
    dial.port = leat_server_port(s.server);
    dial.tls = o->tls;
    io_end_init(&o->end);
    o->end.conn = leat_dial(s.loop, &dial);
    leat_conn_handle(o->end.conn, &io_end_events, &o->end);
}

static void close_over_tls(struct over_tls *o)
{
    leat_conn_abort(o->end.conn);
    IO_UNTIL(s.loop, o->end.closed);
    io_end_done(&o->end);
    leat_tls_free(o->tls);
    io_certs_remove(&o->certs);
}

static void over_tls(void **state)
{
    static const char *const alpn1[] = {"http/1.1", NULL};
    struct over_tls o;

    (void)state;
    open_over_tls(&o, alpn1);
    IO_UNTIL(s.loop, o.end.opened);
    io_write(&o.end, "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    IO_UNTIL(s.loop, strstr(leat_text_get(&o.end.in), "\r\n\r\nok") != NULL);
    assert_string_equal(leat_text_get(&s.body), "abc");
    close_over_tls(&o);
}

static void h2_over_tls(void **state)
{
    static const char *const alpn2[] = {"h2", NULL};
    struct over_tls o;

    (void)state;
    open_over_tls(&o, alpn2);
    /* The server speaks first: it knows by ALPN what is spoken. */
    IO_UNTIL(s.loop, o.end.in.len >= 9 + 24);
    assert_int_equal(o.end.in.data[3], 4);
    close_over_tls(&o);
}

/* --- who may, and what is known of them */

static int admit(void *self, const struct leat_call *call, struct leat_err *err)
{
    (void)self;
    if (leat_bytes_is(leat_call_header(call, "x-api-key"), "sesame"))
        return 0;
    return leat_fail(err, "x-api-key is missing or wrong");
}

static const struct leat_authenticator key_auth = {.admit = admit, .challenge = "ApiKey"};
static const struct leat_authenticator *find_key_auth(void *self, const char *id)
{
    (void)self;
    (void)id;
    return &key_auth;
}

static void authentication(void **state)
{
    static const struct leat_auth_finder finder = {.find = find_key_auth};
    static const struct io_h2_header key[] = {{"x-api-key", "sesame"}, {NULL, NULL}};
    struct io_h2_peer p;
    struct io_h2_answer *a;

    (void)state;
    s.env.auth = &finder;
    s.conf.auth.authenticator = "apikey";
    start();
    io_raw_text(&r, "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    IO_RAW_UNTIL(&s, &r, r.closed);
    assert_true(io_raw_has(&r, "HTTP/1.1 401 Unauthorized\r\n"));
    assert_true(io_raw_has(&r, "www-authenticate: ApiKey\r\n"));
    assert_true(io_raw_has(&r, "x-api-key is missing or wrong"));
    assert_int_equal(s.budget.peak, 0);
    assert_int_equal(s.taken, 0);
    io_raw_done(&r);
    io_raw_open(&r, leat_server_port(s.server));
    io_raw_text(&r, "GET /health HTTP/1.1\r\nHost: a\r\nX-API-Key: sesame\r\n\r\n");
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, "\r\n\r\nok"));
    io_h2_open(&p, leat_server_port(s.server));
    a = io_h2_grpc(&p, NULL, "\0\0\0\0\1x", 6);
    IO_H2_UNTIL(&s, &p, a->closed);
    assert_int_equal(a->grpc_status, LEAT_GRPC_UNAUTHENTICATED);
    a = io_h2_ask(&p, "GET", "/health", NULL, NULL, NULL, 0);
    IO_H2_UNTIL(&s, &p, a->closed);
    assert_int_equal(a->status, 401);
    assert_string_equal(a->www, "ApiKey");
    a = io_h2_grpc(&p, key, "\0\0\0\0\1x", 6);
    IO_H2_UNTIL(&s, &p, a->closed);
    assert_int_equal(a->grpc_status, 0);
    io_h2_done(&p);
}

static void all_metadata_is_kept_when_asked(void **state)
{
    struct leat_text t;

    (void)state;
    s.conf.include_metadata = true;
    start();
    leat_text_init(&t, 1 << 20);
    leat_text_str(&t, "GET /health HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 100; i++)
        leat_text_printf(&t, "X-Header-%d: value of header number %d\r\n", i, i);
    leat_text_str(&t, "\r\n");
    io_raw_send_all(&r, s.loop, t.data, t.len);
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, "\r\n\r\nok"));
    assert_int_equal(s.headers, 101);
    assert_true(s.budget.peak > 2000); /* what does not fit the call is charged */
    leat_text_done(&t);
}

static void plain_refusals(void **state)
{
    struct io_h2_peer p;
    struct io_h2_answer *a;

    (void)state;
    s.service.refuse = NULL;
    start();
    io_raw_text(&r, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, "nothing is served at /nowhere"));
    assert_true(io_raw_has(&r, "HTTP/1.1 404 "));
    assert_true(io_raw_has(&r, "content-type: text/plain"));
    io_h2_open(&p, leat_server_port(s.server));
    a = io_h2_ask(&p, "POST", "/no.Service/Export", "application/grpc", NULL, "", 0);
    IO_H2_UNTIL(&s, &p, a->closed);
    assert_int_equal(a->grpc_status, LEAT_GRPC_UNIMPLEMENTED);
    assert_string_equal(a->grpc_message, "nothing is served at /no.Service/Export");
    io_h2_done(&p);
}

static void meters(void **state)
{
    struct leat_text t;

    (void)state;
    start();
    io_raw_text(&r, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, "404 "));
    leat_text_init(&t, 1 << 20);
    leat_meter_render(&s.meter, 1, &t);
    assert_non_null(strstr(leat_text_get(&t), "leat_http_connections{server=\"test\"} 1\n"));
    assert_non_null(strstr(leat_text_get(&t),
                           "leat_http_requests_refused{reason=\"not_found\",server=\"test\"} 1\n"));
    io_raw_done(&r);
    r_open = false;
    do {
        leat_loop_turn(s.loop);
        leat_text_clear(&t);
        leat_meter_render(&s.meter, 1, &t);
    } while (strstr(leat_text_get(&t), "leat_http_connections{server=\"test\"} 0\n") == NULL);
    leat_text_done(&t);
}

static void on_drained(void *arg)
{
    ++*(int *)arg;
}

static void drained_at_once_when_nothing_is_open(void **state)
{
    int drained = 0;

    (void)state;
    start();
    io_raw_text(&r, GET_HEALTH);
    IO_RAW_UNTIL(&s, &r, io_raw_has(&r, "\r\n\r\nok"));
    leat_server_drain(s.server, on_drained, &drained);
    IO_RAW_UNTIL(&s, &r, r.closed);
    assert_int_equal(drained, 1);
}

static void free_from_its_own_drained(void *arg)
{
    leat_server_free(arg);
    s.server = NULL;
}

static void freed_when_drained(void **state)
{
    (void)state;
    s.hold = true;
    start();
    io_raw_text(&r, GET_HEALTH);
    IO_RAW_UNTIL(&s, &r, s.nheld == 1);
    leat_server_drain(s.server, free_from_its_own_drained, s.server);
    for (int i = 0; i < 5; i++)
        leat_loop_turn(s.loop);
    assert_non_null(s.server);
    io_served_answer(&s, 0, NULL);
    IO_RAW_UNTIL(&s, &r, r.closed);
    assert_null(s.server);
    assert_true(io_raw_has(&r, "\r\n\r\nok"));
}

static void free_inside(void *self, struct leat_call *call)
{
    struct io_served *served = self;

    leat_server_free(served->server);
    served->server = NULL;
    leat_call_reply(call, &io_served_ok);
}

static void freed_inside_a_request(void **state)
{
    struct io_h2_peer p;

    (void)state;
    s.service.take = free_inside;
    start();
    io_raw_text(&r, GET_HEALTH GET_HEALTH);
    IO_RAW_UNTIL(&s, &r, r.closed);
    assert_null(s.server);
    io_served_start(&s);
    io_h2_open(&p, leat_server_port(s.server));
    io_h2_grpc(&p, NULL, "\0\0\0\0\1x", 6);
    IO_H2_UNTIL(&s, &p, p.raw.closed);
    assert_null(s.server);
    io_h2_done(&p);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(why_it_does_not_start),
        T(tables_are_sound),
        T(settings_are_checked),
        T(body_limits),
        T(preface_in_pieces),
        T(nearly_a_preface),
        T(unix_socket),
        T(over_tls),
        T(h2_over_tls),
        T(authentication),
        T(all_metadata_is_kept_when_asked),
        T(plain_refusals),
        T(meters),
        T(drained_at_once_when_nothing_is_open),
        T(freed_when_drained),
        T(freed_inside_a_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
