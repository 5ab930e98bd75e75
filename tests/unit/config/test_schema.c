/* Settings tables: defaults, filling, messages, printing, references, checking the tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/text.h"
#include "config/yaml.h"
#include "lib/config_help.h"
#include "lib/config_table.h"

#define SEC 1000000000LL

struct world {
    struct leat_arena arena;
    struct leat_diags *diags;
    struct leat_node *node;
    struct config_all conf;
    int result;
};

static void fill(struct world *w, const char *text)
{
    memset(w, 0, sizeof *w);
    leat_arena_init(&w->arena, 1 << 22);
    w->diags = leat_diags_new();
    w->node = text == NULL ? NULL : leat_yaml_parse("t", text, strlen(text), &w->arena, w->diags);
    w->result =
        leat_schema_fill(config_table, &w->conf, w->node, "exporters.x", &w->arena, w->diags);
}

static void done(struct world *w)
{
    leat_diags_free(w->diags);
    leat_arena_done(&w->arena);
}

static void defaults(void **state)
{
    struct world w;

    (void)state;
    fill(&w, "endpoint: e\n");
    assert_int_equal(w.result, 0);
    assert_int_equal(leat_diags_count(w.diags), 0);
    assert_string_equal(w.conf.client.endpoint, "e");
    assert_int_equal(w.conf.timeout, 5 * SEC);
    assert_int_equal(w.conf.batch, 8192);
    assert_int_equal(w.conf.offset, -1);
    assert_true(w.conf.ratio == 0.5 && w.conf.on);
    assert_int_equal(w.conf.limit, 4194304);
    assert_int_equal(w.conf.mode, 1);
    assert_null(w.conf.password);
    assert_int_equal(w.conf.names.count, 2);
    assert_string_equal(w.conf.names.items[1], "b");
    assert_int_equal(w.conf.colours.count + w.conf.headers.count + w.conf.rules.count, 0);
    assert_null(w.conf.raw);
    assert_false(w.conf.has_raw || w.conf.client.has_tls);
    /* overrides: the group's own, and the outer one through it */
    assert_true(w.conf.client.retry.initial == SEC && w.conf.client.retry.max == 120 * SEC);
    assert_true(w.conf.client.retry.enabled && w.conf.client.retry.factor == 1.5);
    assert_string_equal(w.conf.client.tls.cert, "/c.pem");
    done(&w);
}

static void values(void **state)
{
    struct world w;

    (void)state;
    fill(&w,
         "endpoint: 0123\ntls: {insecure: 'true', cert: 1e3}\nretry: {first: 2s, factor: \"3\"}\n"
         "timeout: 1m30s\nbatch: 1e3\noffset: 0x10\nratio: '0.25'\nlimit: 64KiB\nmode: zstd\n"
         "on: FALSE\npassword: p\nnames: [x, 5, true]\ncolours: red\nheaders: {a: 1, b: true, c:}\n"
         "rules: [{name: r1, weight: 7}, {name: r2, tls: {insecure: false}}]\nraw: [1, {x: y}]\n");
    assert_int_equal(leat_diags_count(w.diags), 0);
    assert_int_equal(w.result, 0);
    assert_string_equal(w.conf.client.endpoint, "0123");
    assert_true(w.conf.client.has_tls && w.conf.client.tls.insecure);
    assert_string_equal(w.conf.client.tls.cert, "1e3");
    assert_true(w.conf.client.retry.initial == 2 * SEC && w.conf.client.retry.factor == 3);
    assert_int_equal(w.conf.timeout, 90 * SEC);
    assert_int_equal(w.conf.batch, 1000);
    assert_int_equal(w.conf.offset, 16);
    assert_true(w.conf.ratio == 0.25 && !w.conf.on);
    assert_int_equal(w.conf.limit, 65536);
    assert_int_equal(w.conf.mode, 2);
    assert_string_equal(w.conf.password, "p");
    assert_int_equal(w.conf.names.count, 3);
    assert_string_equal(w.conf.names.items[1], "5");
    assert_int_equal(w.conf.colours.count, 1);
    assert_int_equal(w.conf.headers.count, 3);
    assert_string_equal(w.conf.headers.items[0].value, "1");
    assert_string_equal(w.conf.headers.items[2].value, "");
    assert_int_equal(w.conf.rules.count, 2);
    {
        const struct config_rule *rules = w.conf.rules.items;
        assert_true(rules[0].weight == 7 && rules[0].tls.insecure);
        assert_true(rules[1].weight == 1 && !rules[1].tls.insecure);
    }
    assert_true(w.conf.has_raw && w.conf.raw->kind == LEAT_NODE_LIST);
    done(&w);
}

static void nulls_are_defaults(void **state)
{
    struct world w;

    (void)state;
    fill(&w, "endpoint: e\ntls:\nretry:\ntimeout:\nbatch: ~\nnames: null\ncolours: 'red, "
             "green'\nrules:\n"
             "raw:\nmode:\n");
    assert_int_equal(leat_diags_count(w.diags), 0);
    assert_true(w.conf.client.has_tls && w.conf.has_raw && w.conf.raw == NULL);
    assert_int_equal(w.conf.timeout, 5 * SEC);
    assert_int_equal(w.conf.batch, 8192);
    assert_int_equal(w.conf.names.count, 2);
    assert_int_equal(w.conf.colours.count, 2);
    assert_string_equal(w.conf.colours.items[1], "green");
    done(&w);
    fill(&w, "endpoint: e\nnames: []\nheaders: {}\ntimeout: 1ms\nlimit: 1024\n");
    assert_int_equal(leat_diags_count(w.diags), 0);
    assert_int_equal(w.conf.names.count, 0);
    done(&w);
}

struct sample {
    const char *text, *messages;
};

static void messages(void **state)
{
    static const struct sample samples[] = {
        {"endpont: e\n", "1:1: error: unknown key 'endpont' in exporters.x (did you mean "
                         "'endpoint'?)\n1:1: error: 'endpoint' is required\n"},
        {"endpoint: ''\n", "1:1: error: 'endpoint' is required and must not be empty\n"},
        {"endpoint:\n", "1:1: error: 'endpoint' is required and must not be empty\n"},
        {"endpoint: e\ninsecure: true\n",
         "2:1: error: unknown key 'insecure' in exporters.x (it belongs under 'tls')\n"},
        {"endpoint: e\nretry:\n  timeout: 5s\n",
         "3:3: error: unknown key 'timeout' in exporters.x.retry (it belongs one level up)\n"},
        {"endpoint: e\nretry:\n  enabeld: true\n",
         "3:3: error: unknown key 'enabeld' in exporters.x.retry (did you mean 'enabled'?)\n"},
        {"endpoint: e\nxyzzyx: true\n", "2:1: error: unknown key 'xyzzyx' in exporters.x\n"},
        {"endpoint: e\nTimeOut: 5s\n",
         "2:1: error: unknown key 'TimeOut' in exporters.x (did you mean 'timeout'?)\n"},
        {"endpoint: e\ntimeout: 10\n", "2:10: error: 'timeout' must be a duration such as '10s', "
                                       "found '10' (missing unit, did you mean '10s'?)\n"},
        {"endpoint: e\ntimeout: soon\n",
         "2:10: error: 'timeout' must be a duration such as '10s', found 'soon'\n"},
        {"endpoint: e\ntimeout: 0\n", "2:10: error: 'timeout' must be at least 1ms, found 0\n"},
        {"endpoint: e\ntimeout: 2h\n", "2:10: error: 'timeout' must be at most 1h, found 2h\n"},
        {"endpoint: e\nbatch: 0\n", "2:8: error: 'batch' must be at least 1 items, found 0\n"},
        {"endpoint: e\nbatch: -1\n", "2:8: error: 'batch' must not be negative, found -1\n"},
        {"endpoint: e\nbatch: 4294967296\n",
         "2:8: error: 'batch' must be at most 100000, found 4294967296\n"},
        {"endpoint: e\nbatch: 1.5\n", "2:8: error: 'batch' must be a whole number, found '1.5'\n"},
        {"endpoint: e\nbatch: many\n",
         "2:8: error: 'batch' must be a whole number, found 'many'\n"},
        {"endpoint: e\nratio: 1.1\n", "2:8: error: 'ratio' must be at most 1, found 1.1\n"},
        {"endpoint: e\nlimit: 1GiB\n", "2:8: error: 'limit' must be at most 64MiB, found 1GiB\n"},
        {"endpoint: e\nlimit: 64 apples\n",
         "2:8: error: 'limit' must be a size such as '64KiB' or a number of bytes, found '64 "
         "apples'\n"},
        {"endpoint: e\nmode: gzp\n", "2:7: error: 'mode' must be one of 'none', 'gzip', 'zstd', "
                                     "found 'gzp' (did you mean 'gzip'?)\n"},
        {"endpoint: e\non: yes\n",
         "2:5: error: 'on' must be true or false, found 'yes' (did you mean 'true'?)\n"},
        {"endpoint: [e]\n", "1:1: error: 'endpoint' must be a text, found a list\n"},
        {"endpoint: e\nretry: 5s\n",
         "2:8: error: 'retry' must be a mapping of settings, found a text\n"},
        {"endpoint: e\nrules: {name: x}\n",
         "2:1: error: 'rules' must be a list of mappings, found a mapping\n"},
        {"endpoint: e\nrules: [{weight: x}, y]\n",
         "2:9: error: 'name' is required\n"
         "2:18: error: 'weight' must be a whole number, found 'x'\n"
         "2:22: error: 'rules[1]' must be a mapping of settings, found a text\n"},
        {"endpoint: e\ncolours: [red, gren]\n",
         "2:16: error: 'colours' must be one of 'red', 'green', found 'gren' (did you mean "
         "'green'?)\n"},
        {"endpoint: e\nnames: [[x]]\n", "2:9: error: an item of 'names' must be a text, found a "
                                        "list\n"},
        {"endpoint: e\nnames: {a: b}\n",
         "2:1: error: 'names' must be a list of texts, found a mapping\n"},
        {"endpoint: e\nheaders: {a: [x]}\n",
         "2:11: error: the value of 'a' in 'headers' must be a text, found a list\n"},
        {"endpoint: e\nheaders: x\n", "2:10: error: 'headers' must be a mapping, found 'x'\n"},
        {"endpoint: e\nwait_for_ready: true\n",
         "2:1: warning: 'wait_for_ready' has no effect: calls always wait.\n"},
        {"endpoint: e\nretry: {initial: 1s, first: 2s}\n",
         "2:22: error: 'first' and 'initial' are the same setting\n"},
        {"[a]\n", "1:1: error: 'x' must be a mapping of settings, found a list\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct world w;
        char *got;
        fill(&w, samples[i].text);
        got = config_messages(w.diags, 1);
        if (strcmp(got, samples[i].messages) != 0)
            fail_msg("%s\n--- got\n%s--- expected\n%s", samples[i].text, got, samples[i].messages);
        assert_int_equal(w.result, leat_diags_errors(w.diags) == 0 ? 0 : -1);
        free(got);
        done(&w);
    }
}

static void paths(void **state)
{
    struct world w;

    (void)state;
    fill(&w, "endpoint: e\nretry: {max: x}\nrules: [{name: a}, {name: b, tls: {cart: 1}}]\n");
    assert_int_equal(leat_diags_count(w.diags), 2);
    assert_string_equal(leat_diags_at(w.diags, 0)->path, "exporters.x.retry.max");
    assert_string_equal(leat_diags_at(w.diags, 1)->path, "exporters.x.rules[1].tls.cart");
    done(&w);
    fill(&w, NULL);
    assert_int_equal(leat_diags_count(w.diags), 1);
    assert_string_equal(leat_diags_at(w.diags, 0)->path, "exporters.x.endpoint");
    done(&w);
}

/* What a secret holds is in no message. */
static void secrets(void **state)
{
    struct world w;
    char *got;

    (void)state;
    fill(&w, "endpoint: e\npassword:\n  hunter2: x\nsecrets: hunter3\n");
    got = config_messages(w.diags, 1);
    assert_string_equal(got, "2:1: error: 'password' must be a text, found a mapping\n"
                             "4:10: error: 'secrets' must be a mapping, found a text\n");
    free(got);
    done(&w);
}

static void no_memory(void **state)
{
    struct leat_diags *d = leat_diags_new();
    struct config_all conf = {.timeout = 0};
    struct leat_arena small;
    int failures = 0;
    struct world w;

    (void)state;
    fill(&w, "endpoint: e\nnames: [x]\nheaders: {a: b}\nrules: [{name: r}]\n");
    for (size_t max = 0; max < 2000; max += 16) {
        leat_arena_init(&small, max);
        memset(&conf, 0, sizeof conf);
        failures += leat_schema_fill(config_table, &conf, w.node, "x", &small, d) != 0;
        leat_arena_done(&small);
    }
    assert_true(failures > 5 && failures < 100);
    leat_diags_free(d);
    done(&w);
}

static void checks(void **state)
{
    struct world w;
    struct leat_check *c;
    char *got;

    (void)state;
    fill(&w, "endpoint: e\nretry:\n  max: 3s\nrules:\n  - name: a\n  - name: b\n");
    c = leat_check_new(w.node, "exporters.x", w.diags);
    leat_check_error(c, "retry.max", "too long: %d", 3);
    leat_check_error(c, "retry.initial", "not written");
    leat_check_warn(c, "rules.1.name", "second");
    leat_check_warn(c, "rules[0].name", "first");
    leat_check_error(c, "mode", "nothing of it");
    leat_check_error(c, "", "the whole");
    assert_true(leat_check_written(c, "retry.max") && leat_check_written(c, "rules[1]"));
    assert_false(leat_check_written(c, "retry.initial") || leat_check_written(c, "mode"));
    leat_check_free(c);
    got = config_messages(w.diags, 1);
    assert_string_equal(got, "1:1: error: nothing of it\n1:1: error: the whole\n"
                             "2:1: error: not written\n3:8: error: too long: 3\n"
                             "5:11: warning: first\n6:11: warning: second\n");
    free(got);
    assert_string_equal(leat_diags_at(w.diags, 3)->path, "exporters.x.retry.max");
    c = leat_check_new(NULL, "exporters.x", w.diags);
    leat_check_error(c, "a", "no node");
    assert_false(leat_check_written(c, "a") || leat_check_written(c, ""));
    leat_check_free(c);
    leat_check_free(NULL);
    done(&w);
}

static void printed(void **state)
{
    struct leat_text out;
    struct leat_node *again;
    struct config_all copy = {.timeout = 0};
    struct world w;

    (void)state;
    fill(&w, "endpoint: 'a: b'\nretry: {max: 3s}\npassword: 'p$1'\nheaders: {a: '5', b: ''}\n"
             "secrets: {k: v}\nrules: [{name: r, tls: }]\nraw: {x: [1, '2'], y: {}}\nnames: [x]\n");
    leat_text_init(&out, 1 << 16);
    leat_schema_print(config_table, &w.conf, w.node, 2, false, &out);
    assert_string_equal(leat_text_get(&out), "  endpoint: \"a: b\"\n"
                                             "  # tls: not set\n"
                                             "  retry:\n"
                                             "    enabled: true # default\n"
                                             "    initial: 1s # default\n"
                                             "    max: 3s\n"
                                             "    factor: 1.5 # default\n"
                                             "  authenticator: null # default\n"
                                             "  timeout: 5s # default\n"
                                             "  batch: 8192 # default\n"
                                             "  offset: -1 # default\n"
                                             "  ratio: 0.5 # default\n"
                                             "  limit: 4MiB # default\n"
                                             "  mode: gzip # default\n"
                                             "  on: true # default\n"
                                             "  password: \"[REDACTED]\"\n"
                                             "  names: [x]\n"
                                             "  colours: [] # default\n"
                                             "  headers:\n"
                                             "    a: \"5\"\n"
                                             "    b: \"\"\n"
                                             "  secrets:\n"
                                             "    k: \"[REDACTED]\"\n"
                                             "  rules:\n"
                                             "    -\n"
                                             "      name: r\n"
                                             "      weight: 1 # default\n"
                                             "      tls:\n"
                                             "        insecure: true # default\n"
                                             "        cert: null # default\n"
                                             "        key: null # default\n"
                                             "  raw:\n"
                                             "    x:\n"
                                             "      - 1\n"
                                             "      - \"2\"\n"
                                             "    y: {}\n");
    /* what is printed unmasked reads back as the same settings */
    leat_text_clear(&out);
    leat_schema_print(config_table, &w.conf, w.node, 0, true, &out);
    again = leat_yaml_parse("again", leat_text_get(&out), out.len, &w.arena, w.diags);
    assert_int_equal(leat_schema_fill(config_table, &copy, again, "", &w.arena, w.diags), 0);
    assert_string_equal(copy.password, "p$1");
    assert_string_equal(copy.client.endpoint, "a: b");
    assert_int_equal(copy.client.retry.max, 3 * SEC);
    leat_text_done(&out);
    done(&w);
}

static void collect(void *arg, const char *path, const char *id)
{
    leat_text_printf(arg, "%s=%s;", path, id);
}

static void references(void **state)
{
    struct leat_text out;
    struct world w;

    (void)state;
    leat_text_init(&out, 1000);
    fill(&w, "endpoint: e\nauthenticator: oauth2/x\n");
    leat_schema_refs(config_table, &w.conf, "exporters.x", collect, &out);
    assert_string_equal(leat_text_get(&out), "exporters.x.authenticator=oauth2/x;");
    done(&w);
    leat_text_clear(&out);
    fill(&w, "endpoint: e\n");
    leat_schema_refs(config_table, &w.conf, "", collect, &out);
    assert_string_equal(leat_text_get(&out), "");
    done(&w);
    leat_text_done(&out);
}

struct pair {
    uint32_t a, b;
    int word;
};

static void wrong_tables(void **state)
{
    static const char *const words[] = {"x", NULL};
    static const struct leat_field twice[] = {LEAT_UINT(struct pair, a, "1", "A."),
                                              LEAT_UINT(struct pair, a, "1", "A."), LEAT_END};
    static const struct leat_field alias[] = {LEAT_UINT(struct pair, a, "1", "A."),
                                              LEAT_UINT(struct pair, b, "1", "B.", .alias = "a"),
                                              LEAT_END};
    static const struct leat_field bad[] = {LEAT_UINT(struct pair, a, "x", "A."), LEAT_END};
    static const struct leat_field low[] = {LEAT_UINT(struct pair, a, "1", "A.", .min = 2),
                                            LEAT_END};
    static const struct leat_field enums[] = {LEAT_ENUM(struct pair, word, "y", words, "W."),
                                              LEAT_END};
    static const struct leat_field silent[] = {LEAT_UINT(struct pair, a, "1", ""), LEAT_END};
    static const struct leat_field over[] = {
        {.name = "g", .type = LEAT_F_GROUP, .group = low, .doc = "G.", .def = "b=1"}, LEAT_END};
    static const struct leat_field over_good[] = {
        {.name = "g", .type = LEAT_F_GROUP, .group = low, .doc = "G.", .def = "a=2"}, LEAT_END};
    static const struct {
        const struct leat_field *table;
        const char *text;
    } samples[] = {
        {twice, "two settings are named 'a'"},
        {alias, "two settings are named 'a'"},
        {bad, "the default of 'a' must be a whole number, found 'x'"},
        {low, "the default of 'a' must be at least 2, found 1"},
        {enums, "the default of 'word' must be one of 'x', found 'y'"},
        {silent, "'a' has no sentence for the manual"},
        {over, "'g': the default 'b=1' is for no setting of it"},
    };
    struct leat_err err;

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        assert_int_equal(leat_schema_verify(samples[i].table, &err), -1);
        assert_string_equal(err.text, samples[i].text);
    }
    assert_int_equal(leat_schema_verify(over_good, &err), 0);
    err.text[0] = '\0';
    if (leat_schema_verify(config_table, &err) != 0)
        fail_msg("%s", err.text);
}

struct required_conf {
    const char *endpoint;
};
struct outer_conf {
    struct required_conf server;
};

static const struct leat_field required_fields[] = {
    LEAT_STRING(struct required_conf, endpoint, NULL, "Where.", .flags = LEAT_REQUIRED),
    LEAT_END,
};
static const struct leat_field outer_fields[] = {
    LEAT_GROUP(struct outer_conf, server, required_fields, struct required_conf, "A server.",
               .def = "endpoint=localhost:1"),
    LEAT_END,
};

static void required_is_met_by_the_default_of_the_group(void **state)
{
    struct world w;
    struct outer_conf conf = {{NULL}};

    (void)state;
    fill(&w, "server: {}");
    assert_int_equal(leat_schema_fill(outer_fields, &conf, w.node, "x", &w.arena, w.diags), 0);
    assert_string_equal(conf.server.endpoint, "localhost:1");
    done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),   cmocka_unit_test(required_is_met_by_the_default_of_the_group),
        cmocka_unit_test(values),     cmocka_unit_test(nulls_are_defaults),
        cmocka_unit_test(messages),   cmocka_unit_test(paths),
        cmocka_unit_test(secrets),    cmocka_unit_test(no_memory),
        cmocka_unit_test(checks),     cmocka_unit_test(printed),
        cmocka_unit_test(references), cmocka_unit_test(wrong_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
