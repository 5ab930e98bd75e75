/* basicauth before a real server, and as what an exporter sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/auth.h"
#include "lib/ext_help.h"

extern const struct leat_component leat_extension_basicauth;

static struct ext e;
static char file[80], other[80];

static int setup(void **state)
{
    (void)state;
    ext_init(&e, &leat_extension_basicauth);
    snprintf(file, sizeof file, "%s.1", e.log);
    snprintf(other, sizeof other, "%s.2", e.log);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ext_done(&e);
    unlink(file);
    unlink(other);
    return 0;
}

static void open_with(const char *fmt, const char *a, const char *b)
{
    struct leat_text yaml;
    struct leat_err err;

    leat_text_init(&yaml, 1000);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    leat_text_printf(&yaml, fmt, a, b);
#pragma GCC diagnostic pop
    if (ext_open(&e, leat_text_get(&yaml), &err) < 0)
        fail_msg("%s", err.text);
    leat_text_done(&yaml);
}

static int status(struct ext_guarded *g, const char *header)
{
    const char *answer = ext_get(e.loop, g->port, "/", header);

    assert_memory_equal(answer, "HTTP/1.1 ", 9);
    return atoi(answer + 9);
}

static void callers_are_checked(void **state)
{
    struct ext_guarded g;
    const char *answer;

    (void)state;
    ext_write_file(file, "me:from-file\nyou:{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=\n");
    open_with("{htpasswd: {file: %s, inline: 'me:%s'}}", file, "inline");
    ext_guarded_open(&g, &e);
    assert_int_equal(status(&g, "Authorization: Basic bWU6aW5saW5l"), 200); /* me:inline */
    assert_int_equal(status(&g, "Authorization: Basic eW91Omh1bnRlcjI="), 200);
    assert_int_equal(status(&g, "Authorization: Basic bWU6ZnJvbS1maWxl"), 401); /* me:from-file */
    assert_int_equal(status(&g, "Authorization: Bearer bWU6aW5saW5l"), 401);
    answer = ext_get(e.loop, g.port, "/", "");
    assert_memory_equal(answer, "HTTP/1.1 401 ", 13);
    assert_non_null(
        strstr(answer, "www-authenticate: Basic realm=\"leat\", charset=\"UTF-8\"\r\n"));
    assert_null(strstr(answer, "welcome"));
    ext_guarded_done(&g);
    assert_null(e.component->authenticator(e.self)->sign);
}

static void the_file_is_read_again(void **state)
{
    struct ext_guarded g;

    (void)state;
    ext_write_file(file, "me:old");
    open_with("{htpasswd: {file: %s}}", file, NULL);
    ext_guarded_open(&g, &e);
    assert_int_equal(status(&g, "Authorization: Basic bWU6b2xk"), 200);
    ext_write_file(file, "me:newer\n");
    while (strstr(ext_log(&e), "again") == NULL)
        leat_loop_turn(e.loop);
    assert_int_equal(status(&g, "Authorization: Basic bWU6b2xk"), 401);
    assert_int_equal(status(&g, "Authorization: Basic bWU6bmV3ZXI="), 200);
    ext_write_file(file, "this is no such file\n");
    while (strstr(ext_log(&e), "keeps what it read before") == NULL)
        leat_loop_turn(e.loop);
    assert_non_null(strstr(ext_log(&e), ".1: line 1: it is not of the form user:hash"));
    assert_int_equal(status(&g, "Authorization: Basic bWU6bmV3ZXI="), 200);
    ext_guarded_done(&g);
}

static char sent[200];

static void keep(void *arg, const char *name, const char *value)
{
    (void)arg;
    snprintf(sent, sizeof sent, "%s: %s", name, value);
}

static const char *signature(void)
{
    const struct leat_authenticator *a = e.component->authenticator(e.self);
    struct leat_err err;

    assert_int_equal(a->sign(a->self, keep, NULL, &err), 0);
    return sent;
}

static void exporters_send(void **state)
{
    (void)state;
    open_with("{client_auth: {username: %s, password: %s}}", "me", "'p:w'");
    assert_string_equal(signature(), "authorization: Basic bWU6cDp3");
    assert_null(e.component->authenticator(e.self)->admit);
}

static void exporters_send_what_files_say(void **state)
{
    (void)state;
    ext_write_file(file, "me\n");
    ext_write_file(other, "secret\r\n");
    open_with("{client_auth: {username_file: %s, password_file: %s, password: ignored}}", file,
              other);
    assert_string_equal(signature(), "authorization: Basic bWU6c2VjcmV0");
    ext_write_file(other, "other secret");
    while (strstr(ext_log(&e), "again") == NULL)
        leat_loop_turn(e.loop);
    assert_string_equal(signature(), "authorization: Basic bWU6b3RoZXIgc2VjcmV0");
}

static void files_that_are_missing(void **state)
{
    char *yaml = leat_format("{htpasswd: {file: %s}}", file);
    struct leat_err err = {""};

    (void)state;
    assert_int_equal(ext_open(&e, yaml, &err), -1);
    assert_non_null(strstr(err.text, file));
    leat_free(yaml);
}

static void settings(void **state)
{
    const struct leat_component *c = &leat_extension_basicauth;

    (void)state;
    ext_expect_messages(c, "{}",
                        "error: basicauth: 'basicauth' needs htpasswd (for receivers) or "
                        "client_auth (for exporters)\n");
    ext_expect_messages(
        c, "{htpasswd: {inline: 'a:b'}, client_auth: {username: a, password: b}}",
        "error: basicauth: 'basicauth' has both htpasswd (for receivers) and client_auth (for "
        "exporters): make two extensions of it, like basicauth/in and "
        "basicauth/out\n");
    ext_expect_messages(c, "{htpasswd: {}}",
                        "error: basicauth.htpasswd: 'htpasswd' needs a file or inline lines\n");
    ext_expect_messages(
        c, "{htpasswd: {inline: 'nothing'}}",
        "error: basicauth.htpasswd.inline: line 1: it is not of the form user:hash\n");
    ext_expect_messages(
        c, "{client_auth: {username: 'a:b'}}",
        "error: basicauth.client_auth: 'client_auth' needs a password or a password_file\n"
        "error: basicauth.client_auth.username: 'username' must not have a colon in it (RFC "
        "7617)\n");
    ext_expect_messages(c, "{client_auth: {username: a, password: b}}", "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(callers_are_checked),           TEST(the_file_is_read_again), TEST(exporters_send),
        TEST(exporters_send_what_files_say), TEST(files_that_are_missing), TEST(settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
