/* The settings tables as Markdown, sample and JSON Schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <yajl/yajl_tree.h>

#include "config/manual.h"
#include "config/yaml.h"
#include "lib/config_table.h"

static void assert_has(const struct leat_text *t, const char *part)
{
    if (strstr(leat_text_get(t), part) == NULL)
        fail_msg("no\n%s\nin\n%s", part, leat_text_get(t));
}

static void markdown(void **state)
{
    struct leat_text t;

    (void)state;
    leat_text_init(&t, 1 << 16);
    leat_manual_fields(config_table, &t);
    assert_true(leat_text_ok(&t));
    assert_has(&t, "| key | type | default | meaning |\n|---|---|---|---|\n"
                   "| `endpoint` | string |  | Where to send. Required. |\n"
                   "| `tls` | map | off | TLS. |\n"
                   "| `tls.insecure` | bool | `false` | No TLS at all. |\n");
    assert_has(&t, "| `tls.cert` | string | `/c.pem` | The certificate. |\n");
    assert_has(&t, "| `tls.key` | string |  | The key. Shown masked. |\n");
    assert_has(&t,
               "| `retry.initial` | duration | `1s` | The first wait. Also written `first`. |\n");
    assert_has(&t, "| `retry.max` | duration | `2m` | The longest wait. |\n");
    assert_has(&t, "| `retry.factor` | float | `1.5` | How much longer each time. At least 1. |\n");
    assert_has(&t, "| `timeout` | duration | `5s` | How long \\| a call may take. At least 1ms, at "
                   "most 1h. |\n");
    assert_has(&t, "| `batch` | int, items | `8192` | Items. At least 1, at most 100000. |\n");
    assert_has(&t, "| `limit` | size | `4MiB` | A limit. At least 1KiB, at most 64MiB. |\n");
    assert_has(&t, "| `mode` | string | `gzip` | Compression. One of `none`, `gzip`, `zstd`. |\n");
    assert_has(&t, "| `names` | list of strings | `a, b` | Names. |\n");
    assert_has(&t, "| `rules[].tls.insecure` | bool | `true` | No TLS at all. |\n");
    assert_has(&t, "| `wait_for_ready` | any |  | calls always wait. Accepted without effect. |\n");
    leat_text_done(&t);
}

/* The sample is a valid configuration once what is required is there, and says the defaults. */
static void sample(void **state)
{
    struct leat_diags *d = leat_diags_new();
    struct config_all a = {.timeout = 0}, b = {.timeout = 0};
    struct leat_text t, pa, pb;
    struct leat_arena arena;
    struct leat_node *n;

    (void)state;
    leat_text_init(&t, 1 << 16);
    leat_text_init(&pa, 1 << 16);
    leat_text_init(&pb, 1 << 16);
    leat_arena_init(&arena, 1 << 20);
    leat_text_str(&t, "endpoint: e\n");
    leat_manual_sample(config_table, 0, &t);
    assert_has(&t, "# Where to send. Required.\n# endpoint: null\n");
    assert_has(&t, "# Retries.\nretry:\n  # Whether to retry.\n  enabled: true\n");
    assert_has(&t, "# TLS.\n# tls:\n");
    assert_has(&t, "# Names.\nnames: [a, b]\n");
    n = leat_yaml_parse("sample", leat_text_get(&t), t.len, &arena, d);
    assert_int_equal(leat_schema_fill(config_table, &a, n, "", &arena, d), 0);
    assert_int_equal(leat_diags_count(d), 0);
    n = leat_yaml_parse("e", "endpoint: e", 11, &arena, d);
    assert_int_equal(leat_schema_fill(config_table, &b, n, "", &arena, d), 0);
    leat_schema_print(config_table, &a, n, 0, true, &pa);
    leat_schema_print(config_table, &b, n, 0, true, &pb);
    assert_string_equal(leat_text_get(&pa), leat_text_get(&pb));
    leat_text_done(&t);
    leat_text_done(&pa);
    leat_text_done(&pb);
    leat_arena_done(&arena);
    leat_diags_free(d);
}

static yajl_val get(yajl_val root, const char *a, const char *b, const char *c)
{
    const char *path[] = {a, b, c, NULL};

    return yajl_tree_get(root, path, yajl_t_any);
}

static void json_schema(void **state)
{
    struct leat_text t;
    char why[256] = "";
    yajl_val root, v;

    (void)state;
    leat_text_init(&t, 1 << 18);
    leat_manual_schema(config_table, &t);
    root = yajl_tree_parse(leat_text_get(&t), why, sizeof why);
    assert_string_equal(why, "");
    assert_non_null(root);
    assert_string_equal(YAJL_GET_STRING(get(root, "type", NULL, NULL)), "object");
    assert_true(YAJL_IS_FALSE(get(root, "additionalProperties", NULL, NULL)));
    v = get(root, "required", NULL, NULL);
    assert_int_equal(YAJL_GET_ARRAY(v)->len, 1);
    assert_string_equal(YAJL_GET_STRING(YAJL_GET_ARRAY(v)->values[0]), "endpoint");
    assert_string_equal(YAJL_GET_STRING(get(root, "properties", "timeout", "description")),
                        "How long | a call may take.");
    assert_string_equal(YAJL_GET_STRING(get(root, "properties", "timeout", "default")), "5s");
    assert_int_equal(YAJL_GET_INTEGER(get(root, "properties", "batch", "default")), 8192);
    assert_true(YAJL_IS_TRUE(get(root, "properties", "on", "default")));
    assert_non_null(get(root, "properties", "raw", NULL));
    assert_null(get(root, "properties", "raw", "anyOf"));
    assert_null(get(root, "properties", "client", NULL)); /* inline: no key of its own */
    assert_has(&t, "\"initial\":{\"description\":\"The first wait.\",\"default\":\"1s\"");
    assert_has(&t, "\"first\":{\"description\":\"The first wait.\",\"default\":\"1s\","
                   "\"deprecated\":true");
    assert_has(&t, "{\"enum\":[\"none\",\"gzip\",\"zstd\"]}");
    assert_has(&t, "{\"type\":\"integer\",\"minimum\":1,\"maximum\":100000}");
    yajl_tree_free(root);
    leat_text_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markdown),
        cmocka_unit_test(sample),
        cmocka_unit_test(json_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
