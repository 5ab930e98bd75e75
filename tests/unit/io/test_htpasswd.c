/* htpasswd lines, every kind of hash, and what guessing costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/htpasswd.h"

/* Made by openssl passwd, and by hand from the definitions of {SHA} and {SSHA}. */
static const char users[] =
    "# users\n"
    "plain:hunter2\r\n"
    "\n"
    "  colon:a:b\n"
    "sha:{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=\n"
    "ssha:{SSHA}gK+fFFujqnweTpwCQ7Sp02gQxCJzYWx0\n"
    "apr1a:$apr1$abcdefgh$G8IsPsylW5ROvIKsQMRG61\n"
    "apr1pw:$apr1$abcdefgh$5VEbMkemELfbhC5ck.U.z1\n"
    "apr1long:$apr1$abcdefgh$kjwW0yi3wxcrzvLNxkg6X1\n"
    "sha512:$6$saltsalt$pauPrmdmG4BTE9h2HPmywiw152IFch6BJCEsaY6D.PLTfpV8sqvXwWdyfsgVgozkYH9B80bAip/"
    "08R2BPH2xk/\n"
    "bcrypt:$2y$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8.\n"
    "plain:second line of the same user";

static struct leat_htpasswd *h;

static int setup(void **state)
{
    struct leat_err err = {""};

    (void)state;
    h = leat_htpasswd_new(leat_bytes_str(users), leat_bytes(NULL, 0), &err);
    if (h == NULL)
        fail_msg("%s", err.text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    leat_htpasswd_free(h);
    leat_htpasswd_free(NULL);
    leat_clock_real();
    return 0;
}

static enum leat_htpasswd_result ask(const char *user, const char *password)
{
    return leat_htpasswd_check(h, leat_bytes_str(user), leat_bytes_str(password));
}

static void every_kind(void **state)
{
    static const char *const right[][2] = {
        {"plain", "hunter2"},
        {"colon", "a:b"},
        {"sha", "hunter2"},
        {"ssha", "hunter2"},
        {"apr1a", "a"},
        {"apr1pw", "pw"},
        {"sha512", "pw"},
        {"bcrypt", "hunter2"},
        {"apr1long", "a longer pass word of 40 characters, yes!"}};

    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        char wrong[64];
        leat_clock_fake(0, 0); /* no time passes, so there is no pause after a wrong guess */
        snprintf(wrong, sizeof wrong, "%sx", right[i][1]);
        assert_int_equal(ask(right[i][0], wrong), LEAT_HTPASSWD_WRONG);
        assert_int_equal(ask(right[i][0], ""), LEAT_HTPASSWD_WRONG);
        assert_int_equal(ask(right[i][0], right[i][1]), LEAT_HTPASSWD_OK);
        assert_int_equal(ask(right[i][0], wrong), LEAT_HTPASSWD_WRONG);
        assert_int_equal(ask(right[i][0], right[i][1]), LEAT_HTPASSWD_OK);
    }
    assert_int_equal(ask("nobody", "hunter2"), LEAT_HTPASSWD_WRONG);
    assert_int_equal(ask("", ""), LEAT_HTPASSWD_WRONG);
    assert_int_equal(ask("plain", "second line of the same user"), LEAT_HTPASSWD_WRONG);
}

static void hashes_are_no_passwords(void **state)
{
    (void)state;
    leat_clock_fake(0, 0);
    assert_int_equal(ask("sha", "{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0="), LEAT_HTPASSWD_WRONG);
    assert_int_equal(ask("apr1a", "$apr1$abcdefgh$G8IsPsylW5ROvIKsQMRG61"), LEAT_HTPASSWD_WRONG);
}

static void odd_passwords(void **state)
{
    char *long_one = leat_new(5000);

    (void)state;
    memset(long_one, 'a', 4999);
    assert_int_equal(ask("plain", long_one), LEAT_HTPASSWD_WRONG);
    assert_int_equal(ask("bcrypt", long_one), LEAT_HTPASSWD_WRONG);
    assert_int_equal(ask(long_one, "a"), LEAT_HTPASSWD_WRONG);
    assert_int_equal(leat_htpasswd_check(h, leat_bytes_str("plain"), leat_bytes("hunter2\0", 8)),
                     LEAT_HTPASSWD_WRONG);
    leat_free(long_one);
}

/* What was right stays right without the slow way; a guess after a wrong one has to wait. */
static void guessing_is_slowed_down(void **state)
{
    (void)state;
    assert_int_equal(ask("sha512", "pw"), LEAT_HTPASSWD_OK);
    assert_int_equal(ask("bcrypt", "guess"), LEAT_HTPASSWD_WRONG); /* takes real time */
    leat_clock_fake(leat_clock_mono(), 0);
    assert_int_equal(ask("bcrypt", "another"), LEAT_HTPASSWD_BUSY);
    assert_int_equal(ask("bcrypt", "hunter2"), LEAT_HTPASSWD_BUSY);
    assert_int_equal(ask("bcrypt", "guess"), LEAT_HTPASSWD_WRONG); /* known to be */
    assert_int_equal(ask("sha512", "pw"), LEAT_HTPASSWD_OK);       /* remembered */
    assert_int_equal(ask("plain", "hunter2"), LEAT_HTPASSWD_OK);   /* costs nothing */
    leat_clock_step(3600 * LEAT_SEC);
    assert_int_equal(ask("bcrypt", "hunter2"), LEAT_HTPASSWD_OK);
}

static void no_memory_is_not_wrong(void **state)
{
    (void)state;
    leat_mem_fail_at(1);
    assert_int_equal(ask("bcrypt", "hunter2"), LEAT_HTPASSWD_NO_MEMORY);
    leat_mem_fail_at(0);
    assert_int_equal(ask("bcrypt", "hunter2"), LEAT_HTPASSWD_OK);
}

static int openssl_fails_at; /* its n-th allocation from now on; 0: none */

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return openssl_fails_at > 0 && --openssl_fails_at == 0 ? NULL : malloc(size);
}

static void *openssl_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return openssl_fails_at > 0 && --openssl_fails_at == 0 ? NULL : realloc(old, size);
}

static void openssl_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

/* Each allocation of OpenSSL fails in turn: a right password may not be called wrong (nor be
 * remembered as such), a wrong one not right. */
static void no_memory_in_openssl(void **state)
{
    static const char *const who[][2] = {
        {"sha", "hunter2"}, {"ssha", "hunter2"}, {"apr1pw", "pw"}, {"bcrypt", "hunter2"}};

    for (size_t i = 0; i < sizeof who / sizeof *who; i++) {
        int failed = 0;

        for (int n = 1; n < 30; n++) {
            teardown(state); /* what was found out before is forgotten */
            setup(state);
            leat_clock_fake(0, 0);
            openssl_fails_at = n;
            assert_int_not_equal(ask(who[i][0], who[i][1]), LEAT_HTPASSWD_WRONG);
            assert_int_not_equal(ask(who[i][0], "nonsense"), LEAT_HTPASSWD_OK);
            failed += openssl_fails_at == 0;
            openssl_fails_at = 0;
            assert_int_equal(ask(who[i][0], who[i][1]), LEAT_HTPASSWD_OK);
            assert_int_equal(ask(who[i][0], "nonsense"), LEAT_HTPASSWD_WRONG);
        }
        assert_true(failed > 0);
    }
}

static enum leat_htpasswd_result header(const char *value)
{
    return leat_htpasswd_admit(h, leat_bytes_str(value));
}

static void headers(void **state)
{
    char *long_one = leat_new(9000);

    (void)state;
    assert_int_equal(header("Basic cGxhaW46aHVudGVyMg=="), LEAT_HTPASSWD_OK);
    assert_int_equal(header("basic   cGxhaW46aHVudGVyMg"), LEAT_HTPASSWD_OK);
    assert_int_equal(header("Basic Y29sb246YTpi"), LEAT_HTPASSWD_OK); /* colon:a:b */
    assert_int_equal(header("Basic cGxhaW46aHVudGVyMw=="), LEAT_HTPASSWD_WRONG);
    assert_int_equal(header("Basic cGxhaW4="), LEAT_HTPASSWD_WRONG); /* no colon */
    assert_int_equal(header("Basic !!!"), LEAT_HTPASSWD_WRONG);
    assert_int_equal(header("Basic "), LEAT_HTPASSWD_WRONG);
    assert_int_equal(header("Basic"), LEAT_HTPASSWD_WRONG);
    assert_int_equal(header("Bearer cGxhaW46aHVudGVyMg=="), LEAT_HTPASSWD_WRONG);
    assert_int_equal(header("BasiccGxhaW46aHVudGVyMg=="), LEAT_HTPASSWD_WRONG);
    memset(long_one, 'A', 8999);
    memcpy(long_one, "Basic ", 6);
    assert_int_equal(header(long_one), LEAT_HTPASSWD_WRONG);
    leat_free(long_one);
}

static void expect_refused(const char *text, const char *wanted)
{
    struct leat_err err = {""};

    assert_null(leat_htpasswd_new(leat_bytes_str("ok:fine\n"), leat_bytes_str(text), &err));
    assert_string_equal(err.text, wanted);
}

static void lines_that_are_none(void **state)
{
    char *text = leat_new(600);

    (void)state;
    expect_refused("a:b\nnot a user", "line 2: it is not of the form user:hash");
    expect_refused(":x", "line 1: it is not of the form user:hash");
    expect_refused("a:", "line 1: its user or hash is empty or too long");
    expect_refused("a:{SSHA512}xyz",
                   "line 1: that kind of hash is not known; use bcrypt (htpasswd -B)");
    expect_refused("a:$zz$1$2", "line 1: this system's crypt(3) does not know that kind of hash");
    expect_refused("a:$2y$15$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8.",
                   "line 1: a bcrypt cost above 14 would hold up everything for seconds");
    expect_refused("a:$6$rounds=999999999$salt$x",
                   "line 1: more than 1000000 rounds would hold up everything for seconds");
    memset(text, 'a', 500);
    text[256] = ':';
    expect_refused(text, "line 1: its user or hash is empty or too long");
    leat_free(text);
}

static void too_many_users(void **state)
{
    struct leat_text t;
    struct leat_err err;

    (void)state;
    leat_text_init(&t, 1 << 20);
    for (int i = 0; i < 10001; i++)
        leat_text_printf(&t, "u%d:x\n", i);
    assert_null(leat_htpasswd_new(leat_text_bytes(&t), leat_bytes(NULL, 0), &err));
    assert_string_equal(err.text, "line 10001: more than 10000 users");
    leat_text_done(&t);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_kind),
        TEST(hashes_are_no_passwords),
        TEST(odd_passwords),
        TEST(guessing_is_slowed_down),
        TEST(no_memory_is_not_wrong),
        TEST(no_memory_in_openssl),
        TEST(headers),
        TEST(lines_that_are_none),
        TEST(too_many_users),
    };

    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1)
        return 1; /* something has used OpenSSL before */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
