/* YAML to nodes: values, places, mistakes, expansion, merging. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/yaml.h"
#include "lib/config_help.h"

#define ARENA ((size_t)256 * 1024 * 1024)

struct sample {
    const char *text, *tree, *messages; /* messages NULL: none */
};

static void check(const struct sample *s)
{
    struct leat_diags *d = leat_diags_new();
    struct leat_arena arena;
    struct leat_node *n;
    char *tree, *messages;

    leat_arena_init(&arena, ARENA);
    n = leat_yaml_parse("t.yaml", s->text, strlen(s->text), &arena, d);
    tree = config_tree(n);
    messages = config_messages(d, 1);
    if (strcmp(tree, s->tree) != 0 || strcmp(messages, s->messages ? s->messages : "") != 0)
        fail_msg("%s\n--- got\n%s\n%s--- expected\n%s\n%s", s->text, tree, messages, s->tree,
                 s->messages ? s->messages : "");
    free(tree);
    free(messages);
    leat_arena_done(&arena);
    leat_diags_free(d);
}

static void values(void **state)
{
    static const struct sample samples[] = {
        {"a: 1\nb: x\n", "{a: 1, b: x}", NULL},
        {"a: \"1\"\nb: 'x''y'\n", "{a: \"1\", b: \"x'y\"}", NULL},
        {"batch:\nmore: ~\nn: null\nq: \"null\"\ne: ''\n",
         "{batch: null, more: null, n: null, q: \"null\", e: \"\"}", NULL},
        {"a: [1, two, {b: c}, [], {}]\n", "{a: [1, two, {b: c}, [], {}]}", NULL},
        {"a:\n- x\n- y\nb:\n  - z", "{a: [x, y], b: [z]}", NULL},
        {"\xef\xbb\xbf"
         "a: 1\r\nb:\r\n  c: 2\r\n",
         "{a: 1, b: {c: 2}}", NULL},
        {"# only\n---\na: 1 # c\n...\n", "{a: 1}", NULL},
        {"a: |\n  one\n  two\nb: >-\n  one\n  two\n", "{a: \"one\ntwo\n\", b: \"one two\"}", NULL},
        {"\"a b\": 1\n'c': 2\n1: 3\ntrue: 4\nnull: 5\n", "{a b: 1, c: 2, 1: 3, true: 4, null: 5}",
         NULL},
        {"a: one\n  two\n", "{a: one two}", NULL},
        {"a: !!str 12\nb: !!int 3\nc: ! x\n", "{a: \"12\", b: 3, c: \"x\"}", NULL},
        {"a: \xc3\xa4\xe2\x82\xac # \xe4\xb8\xad\n", "{a: \xc3\xa4\xe2\x82\xac}", NULL},
        {"r: '^a$'\nq: a$1b$\n", "{r: \"^a$\", q: a$1b$}", NULL},
        {"x: &x {a: 1}\ny: *x\nz: [*x, *x]\n", "{x: {a: 1}, y: {a: 1}, z: [{a: 1}, {a: 1}]}", NULL},
        {"x: &x 1\ny: &x 2\nz: *x\n", "{x: 1, y: 2, z: 2}", NULL},
        {"x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n", "{x: {a: 1, b: 2}, y: {b: 3, a: 1}}", NULL},
        {"x: &x {a: 1}\nw: &w {a: 2, c: 3}\ny: {<<: [*x, *w], d: 4}\n",
         "{x: {a: 1}, w: {a: 2, c: 3}, y: {d: 4, a: 1, c: 3}}", NULL},
        {"x: {\"<<\": 1}\n", "{x: {<<: 1}}", NULL},
        {"a: '''''''''''''''x'\n", "{a: \"'''''''x\"}", NULL},
        {"a: 'one \n   two\n\n  three  '\n", "{a: \"one two\nthree  \"}", NULL},
        {"a: '\n x'\n", "{a: \" x\"}", NULL},
        {"scalar", "scalar", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        check(&samples[i]);
}

static void mistakes(void **state)
{
    static const struct sample samples[] = {
        {"", "NULL", "0:0: error: the configuration is empty\n"},
        {"# c\n\n", "NULL", "0:0: error: the configuration is empty\n"},
        {"null\n", "NULL", "0:0: error: the configuration is empty\n"},
        {"a:\n\tb: 1\n", "NULL",
         "2:1: error: a tab in the indentation: YAML allows only blanks there (indent with "
         "blanks)\n"},
        {"a: 1\nb:\n  c: 1\n  c: 2\n", "{a: 1, b: {c: 1}}",
         "4:3: error: the key 'c' is already on line 3 of this mapping\n"},
        {"a: 1\n---\nb: 2\n", "NULL",
         "2:1: error: a second document: one file holds one configuration\n"},
        {"a: b: c\n", "NULL",
         "1:5: error: a second ': ' on one line (put quotes around the value when the ':' belongs "
         "to it)\n"},
        {"a: {b: 1\n", "NULL", "2:1: error: a ',' or the closing bracket is missing before this\n"},
        {"a: [1, 2\n", "NULL", "2:1: error: a '[' is not closed by ']'\n"},
        {"a: {b}}\n", "NULL", "1:7: error: this bracket was never opened\n"},
        {"a: \"x\n", "NULL", "1:4: error: this quoted text has no closing quote\n"},
        {"a: @x\n", "NULL", "1:4: error: a value cannot start with '@' unless it is quoted\n"},
        {"a: \"\\q\"\n", "NULL",
         "1:5: error: unknown escape in a double-quoted text (write '\\\\' for a backslash, or use "
         "single quotes)\n"},
        {"a:\n  b: 1\n c: 2\n", "NULL",
         "3:2: error: this line is indented differently from the keys above it\n"},
        {"a: x\n- b\n", "NULL", "2:1: error: a key was expected here\n"},
        {"- a\nb: 1\n", "NULL", "2:1: error: a list item ('- ') was expected here\n"},
        {"a: *n\n", "NULL",
         "1:5: error: this alias refers to an anchor that does not exist (an anchor ('&name') must "
         "stand before the alias)\n"},
        {"a: &a [*a]\n", "NULL", "1:9: error: this alias refers to what it stands in\n"},
        {"a: !secret x\n", "NULL", "1:4: error: this tag ('!\xe2\x80\xa6') is not supported\n"},
        {"? [a]\n: b\n", "NULL", "1:3: error: a key must be a plain word\n"},
        {": b\n", "NULL", "1:1: error: a key is missing before this ':'\n"},
        {"a: {{ x }}\n", "NULL",
         "1:5: error: a key must be a plain word (put quotes around '{{\xe2\x80\xa6}}')\n"},
        {"a: {<<: 1}\n", "NULL",
         "1:9: error: '<<' takes a mapping, an alias of one, or a list of them\n"},
        {"a: x\xff\n", "NULL", "1:5: error: the text is not UTF-8 from here on\n"},
        {"\xc3\xa4: x\x01\n", "NULL", "1:5: error: YAML does not allow this control character\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        check(&samples[i]);
}

static void places(void **state)
{
    const char *text = "r:\n  otlp:\n    p: \"q\xc3\xa4\"\n  n:\n  l: [ x, \xc3\xa4, y ]\n";
    struct leat_diags *d = leat_diags_new();
    const struct leat_key *key;
    struct leat_node *n, *r, *l;
    struct leat_arena arena;

    (void)state;
    leat_arena_init(&arena, ARENA);
    n = leat_yaml_parse("t.yaml", text, strlen(text), &arena, d);
    r = leat_node_get(n, "r", NULL);
    n = leat_node_get(leat_node_get(r, "otlp", &key), "p", NULL);
    assert_true(key->at.line == 2 && key->at.column == 3 && key->at.width == 4);
    assert_true(n->at.line == 3 && n->at.column == 8 && n->at.width == 4);
    assert_true(n->key.line == 3 && n->key.column == 5);
    n = leat_node_get(r, "n", NULL);
    assert_true(n->kind == LEAT_NODE_NULL && n->at.line == 4 && n->at.column == 3);
    l = leat_node_get(r, "l", NULL);
    assert_true(l->items[2]->at.line == 5 && l->items[2]->at.column == 14);
    assert_string_equal(l->items[2]->at.source, "t.yaml");
    assert_null(leat_node_get(r, "none", NULL));
    assert_null(leat_node_get(l, "none", NULL));
    leat_arena_done(&arena);
    leat_diags_free(d);
}

static void expansions(void **state)
{
    static const struct sample samples[] = {
        {"a: ${env:T_WORD}\nb: ${T_WORD}\nc: \"${env:T_WORD}\"\n", "{a: word, b: word, c: word}",
         NULL},
        {"a: ${env:T_INT}\nb: x${env:T_INT}y\nc: ${env:T_INT}${env:T_INT}\n",
         "{a: 0123, b: \"x0123y\", c: \"01230123\"}", NULL},
        {"a: ${env:T_MAP}\nb: ${env:T_LIST}\nc: x ${env:T_LIST}\n",
         "{a: {x: 1, y: [z]}, b: [1, 2], c: \"x [1, 2]\"}", NULL},
        {"a: ${env:T_NONE:-5s}\nb: ${T_NONE:-x}\nc: ${env:T_NONE:-}\nd: ${env:T_EMPTY:-x}\n",
         "{a: 5s, b: x, c: \"\", d: null}", NULL},
        {"a: ${env:T_NONE}\nb: 'x${T_NONE}y'\n", "{a: null, b: \"xy\"}",
         "1:4: warning: the environment variable 'T_NONE' is not set: the value is empty (a "
         "default "
         "is written ${env:NAME:-default})\n"
         "2:6: warning: the environment variable 'T_NONE' is not set: the value is empty (a "
         "default "
         "is written ${env:NAME:-default})\n"},
        {"a: $$\nb: $${env:X}\nc: a$$1\nd: '$$$$'\ne: $$${T_WORD}\n",
         "{a: $, b: ${env:X}, c: a$1, d: \"$$\", e: \"$word\"}", NULL},
        {"a: ${env:T_${env:T_KEY}}\nb: ${env:T_NEST}\nc: ${env:T_NONE:-${T_WORD}}\n",
         "{a: word, b: \"<word>\", c: word}", NULL},
        {"a: $T_WORD\nb: $x\nc: ^a$|$1\nd: $\n", "{a: $T_WORD, b: $x, c: ^a$|$1, d: $}",
         "1:4: warning: '$T_WORD' is kept as it is: expansions need braces (write '${env:T_WORD}', "
         "or '$$T_WORD' for the text)\n"},
        {"a: ${env:T_QUOTED}\nb: ${env:T_BAD}\n", "{a: \"\"5\"\", b: \"a: b: c\"}", NULL},
        {"a: ${yaml:[1, x]}\nb: ${yaml:true}\n", "{a: [1, x], b: true}", NULL},
        {"a:\n  b: x-${1}\n", "{a: {b: null}}",
         "2:8: error: '1' is no name of an environment variable (a literal '${' is written "
         "'$${')\n"},
        {"a: ${vault:x}\n", "{a: null}",
         "1:4: error: 'vault' is no source of values (known are env, file and yaml; a literal '${' "
         "is written '$${')\n"},
        {"a: \"\\tx ${env:T_WORD} ${https://h/p}\"\n", "{a: null}",
         "1:23: error: https: Leat does not fetch configuration over the network (fetch it before "
         "the start and use ${file:path})\n"},
        {"a: ${}\n", "{a: null}",
         "1:4: error: '' is no name of an environment variable (a literal '${' is written "
         "'$${')\n"},
        {"a: ${env:X\nb: '{{ ${T_WORD} }}'\n", "{a: ${env:X, b: \"{{ word }}\"}", NULL},
        {"a: ${env:T_SELF}\n", "{a: null}",
         "1:4: error: too many expansions in expansions: does a value contain itself?\n"},
        {"a: ${env:T_TWICE}\n", "{a: null}",
         "1:4: error: too many expansions in expansions: does a value contain itself?\n"},
        {"a: ${file:/nonexistent/x}\n", "{a: null}",
         "1:4: error: cannot open '/nonexistent/x': No such file or directory\n"},
        {"a: ${file:/}\n", "{a: null}", "1:4: error: '/' is a directory, a file is needed\n"},
        {"a: |\n  one\n  two ${env:9}\n", "{a: null}",
         "3:7: error: '9' is no name of an environment variable (a literal '${' is written "
         "'$${')\n"},
    };

    (void)state;
    setenv("T_WORD", "word", 1);
    setenv("T_KEY", "WORD", 1);
    setenv("T_INT", "0123", 1);
    setenv("T_MAP", "{x: 1, y: [z]}", 1);
    setenv("T_LIST", "[1, 2]", 1);
    setenv("T_EMPTY", "", 1);
    setenv("T_NEST", "<${env:T_WORD}>", 1);
    setenv("T_QUOTED", "\"5\"", 1);
    setenv("T_BAD", "a: b: c", 1);
    setenv("T_SELF", "${env:T_SELF}", 1);
    setenv("T_TWICE", "${env:T_TWICE}${env:T_TWICE}", 1);
    unsetenv("T_NONE");
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        check(&samples[i]);
}

static char *temporary(const char *text)
{
    char path[] = "/tmp/leat-yaml-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return strdup(path);
}

static void files(void **state)
{
    char *path = temporary("token\n"), *map = temporary("x: 1\ny: ${file:none}\n"), text[200], *got;
    struct leat_diags *d = leat_diags_new();
    struct leat_arena arena;
    struct leat_node *n;

    (void)state;
    leat_arena_init(&arena, ARENA);
    snprintf(text, sizeof text, "a: ${file:%s}\nb: Bearer ${file:%s}\nc: ${file:%s}\n", path, path,
             map);
    n = leat_yaml_parse("t.yaml", text, strlen(text), &arena, d);
    got = config_tree(n);
    assert_string_equal(got, "{a: token, b: \"Bearer token\", c: {x: 1, y: null}}");
    free(got);
    assert_int_equal(leat_diags_count(d), 1);
    assert_string_equal(leat_diags_at(d, 0)->text, "cannot open 'none': No such file or directory");
    n = leat_node_get(leat_node_get(n, "c", NULL), "x", NULL);
    assert_string_equal(n->at.source, map); /* a mapping keeps the lines of its file */
    assert_true(n->at.line == 1 && n->at.column == 4 && n->expanded);
    leat_arena_done(&arena);
    leat_diags_free(d);
    unlink(path);
    unlink(map);
    free(path);
    free(map);
}

struct merge_sample {
    const char *sources[4], *sets[4], *tree, *messages;
};

static void merging(void **state)
{
    static const struct merge_sample samples[] = {
        {{"yaml:{a: {x: 1, y: [1, 2]}, b: 1}", "yaml:{a: {y: [3], z: 4}, c: 2}"},
         {NULL},
         "{a: {x: 1, y: [3], z: 4}, b: 1, c: 2}",
         ""},
        {{"yaml:{a: {x: 1}}", "yaml:{a: }"}, {NULL}, "{a: null}", ""},
        {{"yaml:{a: {x: 1}}", "yaml:{a: }", "yaml:{a: {y: 2}}"}, {NULL}, "{a: {y: 2}}", ""},
        {{"yaml:processors::batch::timeout: 2s", "yaml:processors::batch::size: 3"},
         {NULL},
         "{processors: {batch: {timeout: 2s, size: 3}}}",
         ""},
        {{"yaml:{a: {x: 1}}"},
         {"a.x=2", "a.l=[1, two]", "b.c.d=", "e=\"5\""},
         "{a: {x: 2, l: [1, two]}, b: {c: {d: null}}, e: \"5\"}",
         ""},
        {{"env:T_DOC"}, {"v=${env:T_V}"}, "{from: env, v: 7}", ""},
        {{"yaml:{a: 1}"},
         {"a.b=1", "c"},
         "NULL",
         "2:1: error: --set takes a path of keys, '=', and a value (--set "
         "processors.batch.timeout=2s)\n"},
        {{"yaml:{a: 1}"},
         {"x=1", "a.b={x"},
         "NULL",
         "2:7: error: a ',' or the closing bracket is missing before this\n"},
        {{"yaml:{a: 1}"},
         {"a..b=1"},
         "NULL",
         "1:1: error: --set: an empty key, or more than 32 of them\n"},
        {{"yaml:{a: 1}"},
         {"\xc3\xa4=${env:1}"},
         "{a: 1, \xc3\xa4: null}",
         "1:3: error: '1' is no name of an environment variable (a literal '${' is written "
         "'$${')\n"},
        {{"yaml:[1]"},
         {NULL},
         "NULL",
         "1:1: error: a configuration is a mapping of keys to values (the first line is usually "
         "'receivers:')\n"},
        {{"https://x/y"},
         {NULL},
         "NULL",
         "0:0: error: Leat does not fetch configuration over the network; fetch 'https://x/y' "
         "before the start and name the file\n"},
        {{"vault:x"},
         {NULL},
         "NULL",
         "0:0: error: 'vault:' is no source of configuration; known are file:, env: and yaml:\n"},
        {{"env:T_NONE"},
         {NULL},
         "NULL",
         "0:0: error: the environment variable 'T_NONE' is not set\n"},
        {{"/nonexistent.yaml"},
         {NULL},
         "NULL",
         "0:0: error: cannot open '/nonexistent.yaml': No such file or directory\n"},
    };

    (void)state;
    setenv("T_DOC", "from: env", 1);
    setenv("T_V", "7", 1);
    unsetenv("T_NONE");
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct merge_sample *s = &samples[i];
        struct leat_diags *d = leat_diags_new();
        struct leat_arena arena;
        size_t nsources = 0, nsets = 0;
        char *tree, *messages;
        leat_arena_init(&arena, ARENA);
        while (nsources < 4 && s->sources[nsources] != NULL)
            nsources++;
        while (nsets < 4 && s->sets[nsets] != NULL)
            nsets++;
        tree = config_tree(leat_yaml_load(s->sources, nsources, s->sets, nsets, &arena, d));
        messages = config_messages(d, 1);
        assert_string_equal(messages, s->messages);
        assert_string_equal(tree, s->tree);
        free(tree);
        free(messages);
        leat_arena_done(&arena);
        leat_diags_free(d);
    }
}

/* The whole message, as people see it. */
static void set_excerpt(void **state)
{
    const char *sources[] = {"yaml:a: 1"}, *sets[] = {"a.b=1", "c.d=[x"};
    struct leat_diags *d = leat_diags_new();
    struct leat_arena arena;
    char *messages;

    (void)state;
    leat_arena_init(&arena, ARENA);
    assert_null(leat_yaml_load(sources, 1, sets, 2, &arena, d));
    messages = config_messages(d, 0);
    assert_string_equal(messages, "--set:2:7: error: a '[' is not closed by ']'\n"
                                  "    2 | c.d=[x\n"
                                  "      |       ^\n");
    free(messages);
    leat_arena_done(&arena);
    leat_diags_free(d);
}

static void expect_error(const char *text, size_t len, const char *sentence, size_t memory)
{
    struct leat_diags *d = leat_diags_new();
    struct leat_arena arena;

    leat_arena_init(&arena, memory);
    assert_null(leat_yaml_parse("t", text, len, &arena, d));
    assert_int_equal(leat_diags_count(d), 1);
    assert_string_equal(leat_diags_at(d, 0)->text, sentence);
    leat_arena_done(&arena);
    leat_diags_free(d);
}

static void bounds(void **state)
{
    const char *bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                       "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                       "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                       "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e]\n";
    const size_t large = 16 * 1024 * 1024 + 1;
    char *text = calloc(1, large);

    (void)state;
    expect_error(bomb, strlen(bomb), "the configuration has more than 100,000 values", ARENA);
    expect_error("a: [1, 2, 3]", 12,
                 "the configuration is too large for the memory set aside for it", 100);
    memset(text, '[', 65);
    expect_error(text, 65, "values are nested more than 64 deep", ARENA);
    memset(text, '#', large);
    expect_error(text, large, "a configuration source may have at most 16 MiB", ARENA);
    memset(text, '\n', 200002);
    expect_error(text, 10001, "more than 10,000 empty lines in a row", ARENA);
    for (size_t i = 0; i < 200002; i += 2)
        text[i] = '#';
    expect_error(text, 200002, "the text has more than 100,000 lines", ARENA);
    /* 40 deep, and an alias of it 40 deep */
    strcpy(text, "a: &a ");
    memset(text + 6, '[', 40);
    memset(text + 46, ']', 40);
    strcpy(text + 86, "\nb: ");
    memset(text + 90, '[', 40);
    memcpy(text + 130, "*a ", 3);
    memset(text + 133, ']', 40);
    expect_error(text, 173, "values are nested more than 64 deep", ARENA);
    free(text);
}

/* Many keys in one mapping must not cost the square of their number: this would take minutes. */
static void many_keys(void **state)
{
    struct leat_diags *d = leat_diags_new();
    struct leat_arena arena;
    char *text = malloc(90000 * 8 + 1);
    size_t len = 0;

    (void)state;
    for (unsigned i = 0; i < 90000; i++)
        len += (size_t)sprintf(text + len, "%05x:\n", i % 89999);
    leat_arena_init(&arena, ARENA);
    assert_non_null(leat_yaml_parse("t", text, len, &arena, d));
    assert_int_equal(leat_diags_count(d), 1);
    assert_string_equal(leat_diags_at(d, 0)->text,
                        "the key '00000' is already on line 1 of this mapping");
    leat_arena_done(&arena);
    leat_diags_free(d);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),      cmocka_unit_test(mistakes), cmocka_unit_test(places),
        cmocka_unit_test(expansions),  cmocka_unit_test(files),    cmocka_unit_test(merging),
        cmocka_unit_test(set_excerpt), cmocka_unit_test(bounds),   cmocka_unit_test(many_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
