/* The settings of clients: tables, defaults, and what is refused or warned of, in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "config/yaml.h"
#include "io/client.h"
#include "lib/config_help.h"

static struct leat_arena arena;

/* Fills and checks; what was said, one line each. To be freed. */
static char *read_conf(const char *yaml, bool grpc, struct leat_client_conf *conf)
{
    struct leat_diags *diags = leat_diags_new();
    struct leat_node *node;
    struct leat_check *check;
    char *said;

    leat_arena_init(&arena, 1 << 20);
    memset(conf, 0, sizeof *conf);
    node = leat_yaml_parse("test", yaml, strlen(yaml), &arena, diags);
    leat_schema_fill(grpc ? leat_client_grpc_fields : leat_client_http_fields, conf, node, "",
                     &arena, diags);
    check = leat_check_new(node, "", diags);
    leat_client_check(conf, grpc, "", check);
    leat_check_free(check);
    said = config_messages(diags, 1);
    leat_diags_free(diags);
    return said;
}

static void tables_are_sound(void **state)
{
    struct leat_err err = {""};

    (void)state;
    if (leat_schema_verify(leat_client_http_fields, &err) != 0 ||
        leat_schema_verify(leat_client_grpc_fields, &err) != 0)
        fail_msg("%s", err.text);
}

static void defaults_of_http(void **state)
{
    struct leat_client_conf conf;
    char *said = read_conf("endpoint: http://h:4318", false, &conf);

    (void)state;
    assert_string_equal(said, "");
    assert_null(conf.compression);
    assert_int_equal(conf.max_idle_conns, 100);
    assert_int_equal(conf.max_idle_conns_per_host, 0);
    assert_int_equal(conf.max_conns_per_host, 0);
    assert_int_equal(conf.idle_conn_timeout, 90 * LEAT_SEC);
    assert_false(conf.disable_keep_alives);
    assert_true(conf.force_attempt_http2);
    assert_int_equal(conf.http2_read_idle_timeout, 0);
    assert_false(conf.has_keepalive);
    free(said);
    leat_arena_done(&arena);
}

static void defaults_of_grpc(void **state)
{
    struct leat_client_conf conf;
    char *said = read_conf("endpoint: h:4317\nkeepalive:\n", true, &conf);

    (void)state;
    assert_string_equal(said, "");
    assert_string_equal(conf.balancer_name, "round_robin");
    assert_int_equal(conf.write_buffer_size, 524288);
    assert_false(conf.wait_for_ready);
    assert_true(conf.has_keepalive);
    assert_int_equal(conf.keepalive.time, 10 * LEAT_SEC);
    assert_int_equal(conf.keepalive.timeout, 10 * LEAT_SEC);
    assert_false(conf.keepalive.permit_without_stream);
    free(said);
    leat_arena_done(&arena);
}

static void mistakes_are_told(void **state)
{
    static const struct {
        bool grpc;
        const char *yaml, *want; /* "": nothing is said */
    } cases[] = {
        {true, "endpoint: localhost", "has no port"},
        {true, "{}", "endpoint"},
        {true, "endpoint: 'h:1'\ncompression: lz4", "gRPC takes gzip"},
        {true, "endpoint: 'h:1'\ncompression: brotli", "no compression that is known"},
        {true, "endpoint: 'h:1'\ncompression: zstd", ""},
        {true, "endpoint: 'h:1'\ncompression: none", ""},
        {true, "endpoint: 'h:1'\nbalancer_name: weighted", "round_robin or pick_first"},
        {true, "endpoint: 'h:1'\nheaders: {content-length: '1'}", "set by the client itself"},
        {true, "endpoint: 'h:1'\nheaders: {'a b': '1'}", "cannot be the name of a header"},
        {true, "endpoint: 'dns://8.8.8.8/h:1'", "warning"},
        {true, "endpoint: 'https://h:1'\ntls: {insecure: true}", "turns TLS on"},
        {true, "endpoint: 'h:1'\nmiddlewares: [x]", "cannot be run here"},
        {true, "endpoint: 'h:1'\nkeepalive: {time: -1s}", "time"},
        {false, "endpoint: h:4318", "http:// or https://"},
        {false, "{}", ""},
        {false, "endpoint: http://h\nproxy_url: http://p:3128", ""},
        {false, "endpoint: https://h\nproxy_url: http://p:3128", ""},
        {false, "endpoint: http://h\nproxy_url: https://p:3128", "must be an http:// URL"},
        {false, "endpoint: http://h\nproxy_url: p", "as a proxy"},
        {false, "endpoint: http://h\ncompression: lz4", ""},
        {false, "endpoint: http://h\ncompression: gzip\ncompression_params: {level: 77}", "77"},
        {false, "endpoint: http://h\ncookies: {enabled: true}", "warning"},
        {false, "endpoint: http://h\nheaders: {Host: other, x: y}", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct leat_client_conf conf;
        char *said = read_conf(cases[i].yaml, cases[i].grpc, &conf);
        if (*cases[i].want == '\0' ? *said != '\0' : strstr(said, cases[i].want) == NULL)
            fail_msg("%s: %s", cases[i].yaml, said);
        free(said);
        leat_arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_sound),
        cmocka_unit_test(defaults_of_http),
        cmocka_unit_test(defaults_of_grpc),
        cmocka_unit_test(mistakes_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
