/* bearertokenauth before a real server, and as what an exporter sends. */
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
#include "io/auth.h"
#include "lib/ext_help.h"

extern const struct leat_component leat_extension_bearertokenauth;

static struct ext e;
static char file[80];

static int setup(void **state)
{
    (void)state;
    ext_init(&e, &leat_extension_bearertokenauth);
    snprintf(file, sizeof file, "%s.1", e.log);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ext_done(&e);
    unlink(file);
    return 0;
}

static void open_with(const char *yaml)
{
    struct leat_err err;

    if (ext_open(&e, yaml, &err) < 0)
        fail_msg("%s", err.text);
}

static int status(struct ext_guarded *g, const char *header)
{
    const char *answer = ext_get(e.loop, g->port, "/", header);

    assert_memory_equal(answer, "HTTP/1.1 ", 9);
    return atoi(answer + 9);
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

static void callers_are_checked(void **state)
{
    struct ext_guarded g;

    (void)state;
    open_with("{tokens: [one, two]}");
    ext_guarded_open(&g, &e);
    assert_int_equal(status(&g, "Authorization: Bearer one"), 200);
    assert_int_equal(status(&g, "authorization: bearer  two"), 200);
    assert_int_equal(status(&g, "Authorization: Bearer three"), 401);
    assert_int_equal(status(&g, "Authorization: Bearer on"), 401);
    assert_int_equal(status(&g, "Authorization: Bearer one two"), 401);
    assert_int_equal(status(&g, "Authorization: Bearer"), 401);
    assert_int_equal(status(&g, "Authorization: Bearerone"), 401);
    assert_int_equal(status(&g, "Authorization: Basic one"), 401);
    assert_int_equal(status(&g, "Authorization: one"), 401);
    assert_int_equal(status(&g, "X-Other: Bearer one"), 401);
    assert_non_null(strstr(ext_get(e.loop, g.port, "/", ""), "www-authenticate: Bearer"));
    assert_string_equal(signature(), "authorization: Bearer one");
    ext_guarded_done(&g);
}

static void other_header_and_no_scheme(void **state)
{
    struct ext_guarded g;

    (void)state;
    open_with("{scheme: '', header: X-API-Key, token: secret}");
    ext_guarded_open(&g, &e);
    assert_int_equal(status(&g, "x-api-key: secret"), 200);
    assert_int_equal(status(&g, "x-api-key: Bearer secret"), 401);
    assert_int_equal(status(&g, "Authorization: secret"), 401);
    assert_string_equal(signature(), "x-api-key: secret");
    ext_guarded_done(&g);
}

static void the_file_is_read_again(void **state)
{
    char *yaml = leat_format("{filename: %s, scheme: Token}", file);
    struct ext_guarded g;

    (void)state;
    ext_write_file(file, "\n  first \r\n\nsecond");
    open_with(yaml);
    ext_guarded_open(&g, &e);
    assert_int_equal(status(&g, "Authorization: Token first"), 200);
    assert_int_equal(status(&g, "Authorization: Token second"), 200);
    assert_string_equal(signature(), "authorization: Token first");
    ext_write_file(file, "third\n");
    while (strstr(ext_log(&e), "again") == NULL)
        leat_loop_turn(e.loop);
    assert_int_equal(status(&g, "Authorization: Token first"), 401);
    assert_int_equal(status(&g, "Authorization: Token third"), 200);
    ext_write_file(file, "\n\n");
    while (strstr(ext_log(&e), "keeps the tokens") == NULL)
        leat_loop_turn(e.loop);
    assert_int_equal(status(&g, "Authorization: Token third"), 200);
    assert_null(strstr(ext_log(&e), "third")); /* tokens stay out of the log */
    ext_guarded_done(&g);
    leat_free(yaml);
}

static void files_that_will_not_do(void **state)
{
    char *yaml = leat_format("{filename: %s}", file);
    struct leat_err err = {""};

    (void)state;
    assert_int_equal(ext_open(&e, yaml, &err), -1);
    assert_non_null(strstr(err.text, file));
    leat_free(e.self);
    leat_free(e.conf);
    ext_write_file(file, "fine\nb\001d\n");
    assert_int_equal(ext_open(&e, yaml, &err), -1);
    assert_non_null(strstr(err.text, "line 2: a character that a header cannot carry"));
    leat_free(yaml);
}

static void settings(void **state)
{
    const struct leat_component *c = &leat_extension_bearertokenauth;

    (void)state;
    ext_expect_messages(
        c, "{}", "error: bearertokenauth: 'bearertokenauth' needs a token, tokens or a filename\n");
    ext_expect_messages(
        c, "{token: a, tokens: [b]}",
        "error: bearertokenauth.tokens: token and tokens exclude each other: put all of "
        "them into tokens\n");
    ext_expect_messages(c, "{token: a, filename: b}",
                        "warning: bearertokenauth.filename: 'filename' is given, so token and "
                        "tokens are not used\n");
    ext_expect_messages(
        c, "{token: \"a\\nb\", header: 'a b'}",
        "error: bearertokenauth.token: 'token' has a character that a header cannot carry\n"
        "error: bearertokenauth.header: 'header' is not the name of a header\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(callers_are_checked),
        TEST(other_header_and_no_scheme),
        TEST(the_file_is_read_again),
        TEST(files_that_will_not_do),
        TEST(settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
