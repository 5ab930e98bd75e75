/* What runs without a file: the environment's variables as YAML that means the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "run/default_conf.h"
#include "run/plan.h"

static const char *const names[] = {"ENDPOINT",    "HEADERS",     "PROTOCOL",
                                    "COMPRESSION", "CERTIFICATE", "CLIENT_CERTIFICATE",
                                    "CLIENT_KEY",  "INSECURE",    "TIMEOUT"};

static void set(const char *name, const char *value)
{
    char full[64];

    snprintf(full, sizeof full, "OTEL_EXPORTER_OTLP_%s", name);
    setenv(full, value, 1);
}

static int clear(void **state)
{
    char full[64];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(full, sizeof full, "OTEL_EXPORTER_OTLP_%s", names[i]);
        unsetenv(full);
    }
    return 0;
}

/* The configuration as it was understood, secrets shown. To be freed with leat_free(). */
static char *understood(void)
{
    struct leat_diags *diags = leat_diags_new();
    char *source = leat_default_conf();
    const char *sources[] = {source};
    struct leat_plan *p = leat_plan_load(sources, 1, NULL, 0, diags);
    struct leat_text out;

    if (p == NULL)
        leat_diags_print(diags, stderr, 0);
    assert_non_null(p);
    leat_text_init(&out, 1 << 20);
    leat_plan_print(p, true, &out);
    leat_plan_free(p);
    leat_default_conf_free(source);
    leat_diags_free(diags);
    return leat_text_take(&out);
}

static void expect(const char *const *wanted)
{
    char *got = understood();

    for (; *wanted != NULL; wanted++) {
        if (strstr(got, *wanted) == NULL)
            print_error("no '%s' in:\n%s", *wanted, got);
        assert_non_null(strstr(got, *wanted));
    }
    leat_free(got);
}
#define EXPECT(...) expect((const char *const[]){__VA_ARGS__, NULL})

static void test_shown_when_nothing_is_set(void **state)
{
    (void)state;
    EXPECT("debug:", "verbosity: pretty", "localhost:4317", "localhost:4318", "exporters: [debug]");
}

static void test_http_is_the_default(void **state)
{
    (void)state;
    set("ENDPOINT", "http://collector:4318");
    EXPECT("otlp_http:", "endpoint: http://collector:4318", "compression: none",
           "exporters: [otlp_http]");
    set("PROTOCOL", "http/json");
    set("COMPRESSION", "gzip");
    EXPECT("encoding: json", "compression: gzip");
}

static void test_grpc(void **state)
{
    (void)state;
    set("ENDPOINT", "collector:4317");
    set("PROTOCOL", "grpc");
    EXPECT("otlp_grpc:", "endpoint: collector:4317", "insecure: false");
    set("INSECURE", "true");
    EXPECT("insecure: true");
    set("ENDPOINT", "https://collector:4317"); /* the scheme decides */
    EXPECT("insecure: false");
    set("TIMEOUT", "2500");
    EXPECT("timeout: 2.5s");
}

/* What cannot be understood is left out, as the specification of the variables asks. */
static void test_odd_timeouts_are_ignored(void **state)
{
    static const char *const odd[] = {"soon", "-1", "10s", "99999999999999999999"};

    (void)state;
    set("ENDPOINT", "http://collector:4318");
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        set("TIMEOUT", odd[i]);
        EXPECT("timeout: 30s");
    }
}

static void test_headers(void **state)
{
    (void)state;
    set("ENDPOINT", "http://collector:4318");
    set("HEADERS", "authorization=Bearer%20a%2Cb, x-tenant = blue ,x-empty=,broken,%");
    EXPECT("authorization: \"Bearer a,b\"", "x-tenant: blue", "x-empty: \"\"");
}

/* Nothing in a value is YAML, nor expanded. */
static void test_headers_with_signs(void **state)
{
    (void)state;
    setenv("SECRET", "never", 1);
    set("ENDPOINT", "http://collector:4318");
    set("HEADERS", "a=$SECRET,b=${env:SECRET},c=say \"no\",d=x: {y},e=it's # so,f=100%,g=%22%24$,"
                   "h=back\\slash");
    EXPECT("a: \"$$SECRET\"", "b: \"$${env:SECRET}\"", "no", "x: {y}", "it's # so", "100%");
    char *got = understood();
    assert_null(strstr(got, "never"));
    leat_free(got);
    unsetenv("SECRET");
}

static void test_the_same_header_twice(void **state)
{
    (void)state;
    set("ENDPOINT", "http://collector:4318");
    set("HEADERS", "x-a=1,x-a=2");
    EXPECT("x-a: \"2\""); /* the later one, as SDKs do */
}

static void test_endpoint_with_signs(void **state)
{
    char *text;

    (void)state;
    set("ENDPOINT", "http://collector:4318/a$b?c=\"d\"");
    EXPECT("/a$$b?c=\\\"d\\\""); /* printed so that it can be read again */
    set("CERTIFICATE", "/etc/o'dd $file.pem");
    text = leat_default_conf();
    assert_non_null(strstr(text, "ca_file: \"/etc/o'dd $$file.pem\""));
    leat_default_conf_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_shown_when_nothing_is_set, clear),
        cmocka_unit_test_setup(test_http_is_the_default, clear),
        cmocka_unit_test_setup(test_grpc, clear),
        cmocka_unit_test_setup(test_odd_timeouts_are_ignored, clear),
        cmocka_unit_test_setup(test_headers, clear),
        cmocka_unit_test_setup(test_headers_with_signs, clear),
        cmocka_unit_test_setup(test_the_same_header_twice, clear),
        cmocka_unit_test_setup(test_endpoint_with_signs, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
