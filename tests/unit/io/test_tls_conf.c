/* TLS settings: wrong ones are told in words, each at the setting it is about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "config/diag.h"
#include "config/schema.h"
#include "io/tls.h"
#include "lib/io_certs.h"

static struct io_certs certs;

static void assert_refused(struct leat_tls_conf conf, bool server, const char *part)
{
    struct leat_err err = {""};
    struct leat_tls *t =
        server ? leat_tls_server_new(&conf, NULL, &err) : leat_tls_client_new(&conf, NULL, &err);

    assert_null(t);
    if (strstr(err.text, part) == NULL)
        fail_msg("expected '%s' in '%s'", part, err.text);
}

#define CONF(...) ((struct leat_tls_conf){__VA_ARGS__})
#define STRINGS(s)                                                                                 \
    {                                                                                              \
        (const char *[]){s}, 1                                                                     \
    }

static void wrong_settings_are_told_in_words(void **state)
{
    char path[200];
    FILE *f;

    (void)state;
    assert_refused(CONF(0), true, "cert_file: a server needs a certificate");
    assert_refused(CONF(.cert_file = "x"), false, "key_file: a certificate needs its key");
    assert_refused(CONF(.key_file = "x"), false, "cert_file: a key needs its certificate");
    assert_refused(CONF(.ca_file = "x", .ca_pem = "y"), false, "exclude each other");
    assert_refused(CONF(.min_version = "1.4"), false, "no such version");
    assert_refused(CONF(.min_version = "1.3", .max_version = "1.2"), false, "above max_version");
    assert_refused(CONF(.cipher_suites = STRINGS("NOPE")), false, "'NOPE' is not the name");
    assert_refused(CONF(.cipher_suites = STRINGS("TLS_RSA_WITH_AES_128_CBC_SHA")), false,
                   "insecure cipher suite");
    assert_refused(CONF(.curve_preferences = STRINGS("P1")), false, "'P1' is not the name");
    assert_refused(CONF(.curve_preferences = STRINGS("X25519MLKEM768")), false, "none of these");
    assert_refused(CONF(.ca_file = "/nonexistent/ca"), false,
                   "ca_file: cannot read /nonexistent/ca: No such file");
    assert_refused(CONF(.ca_pem = "rubbish"), false, "ca_pem holds no certificate");
    assert_refused(CONF(.cert_file = certs.server.cert, .key_file = certs.client.key), true,
                   "does not belong to the certificate");
    assert_refused(CONF(.cert_file = certs.server.cert, .key_file = certs.server.cert), true,
                   "holds no usable key");
    snprintf(path, sizeof path, "%s/empty", certs.dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_refused(CONF(.ca_file = path), false, "holds no certificate");
    assert_false(leat_tls_client_on(&CONF(.insecure = true)));
    assert_true(leat_tls_client_on(&CONF(.insecure = true, .ca_file = "x")));
    assert_true(leat_tls_client_on(&CONF(0)));
}

/* The same mistakes, as `leat validate` shows them: each at the setting it is about. */
static void check_names_the_setting(void **state)
{
    struct leat_diags *diags = leat_diags_new();
    struct leat_check *c = leat_check_new(NULL, "receivers.otlp", diags);
    struct leat_tls_conf conf = {.min_version = "7", .ca_file = "x", .ca_pem = "y"};
    struct leat_err err;

    (void)state;
    assert_int_equal(leat_schema_verify(leat_tls_client_fields, &err), 0);
    assert_int_equal(leat_schema_verify(leat_tls_server_fields, &err), 0);
    leat_tls_check(&conf, true, "protocols.grpc.tls", c);
    assert_int_equal(leat_diags_errors(diags), 3);
    conf = (struct leat_tls_conf){.cert_file = "/nonexistent", .key_file = certs.server.key};
    leat_tls_check(&conf, true, "tls", c);
    assert_int_equal(leat_diags_errors(diags), 4);
    assert_non_null(strstr(leat_diags_at(diags, 3)->path, "receivers.otlp.tls.cert_file"));
    assert_non_null(strstr(leat_diags_at(diags, 3)->text, "cannot read /nonexistent"));
    conf = (struct leat_tls_conf){.cert_file = certs.server.cert, .key_file = certs.server.key};
    leat_tls_check(&conf, true, "tls", c);
    conf = (struct leat_tls_conf){.insecure = true};
    leat_tls_check(&conf, false, "tls", c);
    conf = (struct leat_tls_conf){0}; /* the system's roots */
    leat_tls_check(&conf, false, "tls", c);
    assert_int_equal(leat_diags_errors(diags), 4);
    leat_check_free(c);
    leat_diags_free(diags);
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
        cmocka_unit_test(wrong_settings_are_told_in_words),
        cmocka_unit_test(check_names_the_setting),
    };

    return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
