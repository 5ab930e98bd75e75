/* URLs and gRPC targets as people write them, and the dates of HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/http_date.h"
#include "io/url.h"

struct url_case {
    const char *text;
    bool has_scheme, tls, unix_socket;
    const char *host;
    uint16_t port;
    const char *authority, *path;
};

static void check_url(const struct url_case *c, bool grpc)
{
    struct leat_url u;
    struct leat_err err = {""};
    int rc = grpc ? leat_url_parse_grpc(c->text, &u, &err) : leat_url_parse(c->text, &u, &err);

    if (rc != 0)
        fail_msg("%s: %s", c->text, err.text);
    assert_int_equal(u.has_scheme, c->has_scheme);
    assert_int_equal(u.tls, c->tls);
    assert_int_equal(u.unix_socket, c->unix_socket);
    assert_string_equal(u.host, c->host);
    assert_int_equal(u.port, c->port);
    assert_string_equal(u.authority, c->authority);
    assert_string_equal(u.path, c->path);
    leat_url_done(&u);
}

static void http_forms(void **state)
{
    static const struct url_case cases[] = {
        {"http://localhost:4318", true, false, false, "localhost", 4318, "localhost:4318", ""},
        {"http://h", true, false, false, "h", 80, "h", ""},
        {"https://h/", true, true, false, "h", 443, "h", "/"},
        {"HTTPS://h:80/a/b?x=1#f", true, true, false, "h", 80, "h:80", "/a/b?x=1"},
        {"http://[::1]:4318/p", true, false, false, "::1", 4318, "[::1]:4318", "/p"},
        {"http://[fe80::1%eth0]:1", true, false, false, "fe80::1%eth0", 1, "[fe80::1]:1", ""},
        {"http://h?q=1", true, false, false, "h", 80, "h", "/?q=1"},
        {"https://h:443/x@y", true, true, false, "h", 443, "h", "/x@y"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_url(&cases[i], false);
}

static void grpc_forms(void **state)
{
    static const struct url_case cases[] = {
        {"localhost:4317", false, false, false, "localhost", 4317, "localhost:4317", ""},
        {"http://h:4317", true, false, false, "h", 4317, "h:4317", ""},
        {"https://h:4317/", true, true, false, "h", 4317, "h:4317", ""},
        {"dns:///h:4317", false, false, false, "h", 4317, "h:4317", ""},
        {"dns:///h", false, false, false, "h", 443, "h:443", ""},
        {"dns:h:1", false, false, false, "h", 1, "h:1", ""},
        {"dns:4317", false, false, false, "dns", 4317, "dns:4317", ""},
        {"dns://8.8.8.8/h:4317", false, false, false, "h", 4317, "h:4317", ""},
        {"passthrough:///h:4317", false, false, false, "h", 4317, "h:4317", ""},
        {"[2001:db8::1]:4317", false, false, false, "2001:db8::1", 4317, "[2001:db8::1]:4317", ""},
        {"unix:///run/a.sock", false, false, true, "/run/a.sock", 0, "localhost", ""},
        {"unix:a.sock", false, false, true, "a.sock", 0, "localhost", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_url(&cases[i], true);
}

static void bad_forms_are_refused(void **state)
{
    static const char *const http[] = {"",
                                       "localhost:4318",
                                       "ftp://h",
                                       "http://",
                                       "http:///x",
                                       "http://h:0",
                                       "http://h:65536",
                                       "http://h:",
                                       "http://h:4x",
                                       "http://a b",
                                       "http://u:p@h",
                                       "http://[::1",
                                       "http://[h]:1",
                                       "http://a:1:2",
                                       "http://h\n",
                                       "http://[::1]x",
                                       "http://h\\x",
                                       "http://<h>"};
    static const char *const grpc[] = {
        "",         "localhost", ":4317",           "h:",        "h:x",       "h:99999",
        "::1:4317", "[::1]",     "http://h",        "dns://h:1", "ftp://h:1", "h:1/path",
        "unix:",    "unix://",   "http://h:1/path", "a b:1",     "h:-1"};
    struct leat_url u = {.port = 7};
    struct leat_err err;

    (void)state;
    for (size_t i = 0; i < sizeof http / sizeof http[0]; i++) {
        err.text[0] = '\0';
        if (leat_url_parse(http[i], &u, &err) != -1)
            fail_msg("taken: %s", http[i]);
        assert_non_null(strstr(err.text, "endpoint must"));
    }
    for (size_t i = 0; i < sizeof grpc / sizeof grpc[0]; i++) {
        err.text[0] = '\0';
        if (leat_url_parse_grpc(grpc[i], &u, &err) != -1)
            fail_msg("taken: %s", grpc[i]);
        assert_non_null(strstr(err.text, "endpoint must be"));
    }
    assert_int_equal(u.port, 7);
    assert_int_equal(leat_url_parse(NULL, &u, &err), -1);
    assert_int_equal(leat_url_parse_grpc(NULL, &u, NULL), -1);
}

static void dns_server_is_noticed(void **state)
{
    struct leat_url u;

    (void)state;
    assert_int_equal(leat_url_parse_grpc("dns://8.8.8.8/h:4317", &u, NULL), 0);
    assert_true(u.dns_server);
    leat_url_done(&u);
    assert_int_equal(leat_url_parse_grpc("dns:///h:4317", &u, NULL), 0);
    assert_false(u.dns_server);
    leat_url_done(&u);
}

static void check_join(const char *url, const char *more, const char *want)
{
    struct leat_url u;
    char *got;

    assert_int_equal(leat_url_parse(url, &u, NULL), 0);
    got = leat_url_join(&u, more);
    assert_string_equal(got, want);
    leat_free(got);
    leat_url_done(&u);
}

static void paths_join_with_one_slash(void **state)
{
    (void)state;
    check_join("http://h", "/v1/traces", "/v1/traces");
    check_join("http://h/", "/v1/traces", "/v1/traces");
    check_join("http://h/otlp", "/v1/traces", "/otlp/v1/traces");
    check_join("http://h/otlp//", "v1/traces", "/otlp/v1/traces");
    check_join("http://h/otlp?k=v", "/v1/logs", "/otlp/v1/logs?k=v");
    check_join("http://h", NULL, "/");
    check_join("http://h/a/b/", NULL, "/a/b/");
    check_join("http://h?x", NULL, "/?x");
}

static void dates(void **state)
{
    static const char *const good[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                       "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    static const char *const bad[] = {
        "",
        "120",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMTx",
        "Sun, 06 Noo 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:-1:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT and then very much more of it"};
    int64_t t = 0;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (leat_http_date_read(leat_bytes_str(good[i]), &t) != 0)
            fail_msg("refused: %s", good[i]);
        assert_int_equal(t, 784111777);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (leat_http_date_read(leat_bytes_str(bad[i]), &t) != -1)
            fail_msg("taken: %s", bad[i]);
    }
    assert_int_equal(leat_http_date_read(leat_bytes_str("Thu, 29 Feb 2024 00:00:00 GMT"), &t), 0);
    assert_int_equal(t, 1709164800);
    assert_int_equal(leat_http_date_read(leat_bytes_str("Thu, 01 Jan 1970 00:00:00 GMT"), &t), 0);
    assert_int_equal(t, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_forms),
        cmocka_unit_test(grpc_forms),
        cmocka_unit_test(bad_forms_are_refused),
        cmocka_unit_test(dns_server_is_noticed),
        cmocka_unit_test(paths_join_with_one_slash),
        cmocka_unit_test(dates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
