/* YAML text to nodes that know their line: several sources merged, ${…} expanded. */
#include "config/yaml.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "config/expand.h"
#include "config/source.h"
#include "config/tree.h"
#include "config/units.h"

#define MAX_SET_KEYS 32 /* keys in the path of one --set */

struct leat_node *leat_node_get(const struct leat_node *map, const char *key,
                                const struct leat_key **ret_key)
{
    if (map == NULL || map->kind != LEAT_NODE_MAP)
        return NULL;
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->keys[i].text, key) == 0) {
            if (ret_key != NULL)
                *ret_key = &map->keys[i];
            return map->items[i];
        }
    }
    return NULL;
}

bool leat_node_is_typed(const struct leat_node *n)
{
    int64_t whole;
    double number;
    int truth;

    if (n->kind != LEAT_NODE_SCALAR || n->quoted)
        return false;
    return leat_parse_bool(n->text, &truth) == 0 || leat_parse_int(n->text, &whole) == 0 ||
           leat_parse_float(n->text, &number) == 0;
}

/* A copy of `name` that lives as long as the nodes do. */
static const char *keep(struct leat_arena *arena, const char *name)
{
    const char *copy = leat_arena_str(arena, leat_bytes_str(name));

    return copy == NULL ? "configuration" : copy;
}

/* The text of one source as a tree, which may be LEAT_NODE_NULL; NULL: reported. */
static struct leat_node *read_text(const char *source, const char *text, size_t len,
                                   struct leat_arena *arena, struct leat_diags *diags)
{
    struct leat_tree_origin origin = {.source = keep(arena, source)};

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        len -= 3;
    }
    leat_diags_source(diags, source, text, len < LEAT_TREE_SOURCE ? len : LEAT_TREE_SOURCE);
    return leat_tree_read(&origin, text, len, arena, diags);
}

static struct leat_node *not_empty(struct leat_node *root, struct leat_diags *diags)
{
    if (root == NULL || root->kind != LEAT_NODE_NULL)
        return root;
    leat_diags_error(diags, (struct leat_place){.source = root->at.source}, "", NULL,
                     "the configuration is empty");
    return NULL;
}

struct leat_node *leat_yaml_parse(const char *source, const char *text, size_t len,
                                  struct leat_arena *arena, struct leat_diags *diags)
{
    return leat_expand(not_empty(read_text(source, text, len, arena, diags), diags), arena, diags);
}

/* Everything below is leat_yaml_load(). */
struct load {
    struct leat_arena *arena;
    struct leat_diags *diags;
    struct leat_node *root;
    struct leat_node *empty; /* a source that says nothing */
    bool failed;
};

static void add_root(struct load *l, struct leat_node *root)
{
    if (root == NULL) {
        l->failed = true;
        return;
    }
    if (root->kind == LEAT_NODE_NULL) { /* a file of comments only, to be filled one day */
        l->empty = root;
        return;
    }
    if (root->kind != LEAT_NODE_MAP) {
        leat_diags_error(l->diags, root->at, "", "the first line is usually 'receivers:'",
                         "a configuration is a mapping of keys to values");
        l->failed = true;
        return;
    }
    l->root = leat_tree_merge(l->root, root, l->arena);
    if (l->root == NULL)
        l->failed = true;
}

/* "processors::batch::timeout: 2s" as a source on the command line: "::" goes one level down. */
static struct leat_node *nested(struct load *l, struct leat_node *root)
{
    struct leat_node *out = NULL;

    if (root == NULL || root->kind != LEAT_NODE_MAP)
        return root;
    for (size_t i = 0; i < root->count; i++) {
        const char *keys[MAX_SET_KEYS];
        size_t n = 0;
        char *path = leat_arena_str(l->arena, leat_bytes_str(root->keys[i].text));
        for (char *next; path != NULL && n < MAX_SET_KEYS; path = next) {
            next = strstr(path, "::");
            keys[n++] = path;
            if (next != NULL) {
                *next = '\0';
                next += 2;
            }
        }
        out = leat_tree_merge(
            out, leat_tree_wrap(root->items[i], keys, n, root->keys[i].at, l->arena), l->arena);
    }
    return out == NULL ? root : out;
}

static void load_source(struct load *l, const char *uri)
{
    struct leat_text text;
    struct leat_err err;
    char *name = NULL;

    leat_text_init(&text, LEAT_TREE_SOURCE);
    if (leat_source_read(uri, &text, &name, &err) != 0) {
        leat_diags_error(l->diags, (struct leat_place){0}, "", NULL, "%s", err.text);
        l->failed = true;
    } else {
        struct leat_node *root =
            read_text(name, leat_text_get(&text), text.len, l->arena, l->diags);
        add_root(l, strncmp(uri, "yaml:", 5) == 0 ? nested(l, root) : root);
    }
    leat_free(name);
    leat_text_done(&text);
}

/* --- --set */

static struct leat_place set_place(uint32_t line, uint32_t width)
{
    return (struct leat_place){.source = "--set", .line = line, .column = 1, .width = width};
}

/* "a.b=value", the line-th of its kind. */
static void load_set(struct load *l, const char *set, uint32_t line)
{
    const char *equals = strchr(set, '='), *keys[MAX_SET_KEYS];
    struct leat_tree_origin origin = {.source = "--set", .line = line};
    struct leat_place at = set_place(line, equals == NULL ? 1 : (uint32_t)(equals - set));
    char *path, *dot;
    size_t n = 0;

    if (equals == NULL || equals == set) {
        leat_diags_error(l->diags, at, "", "--set processors.batch.timeout=2s",
                         "--set takes a path of keys, '=', and a value");
        l->failed = true;
        return;
    }
    path = leat_arena_str(l->arena, leat_bytes(set, (size_t)(equals - set)));
    for (; path != NULL && n < MAX_SET_KEYS; path = dot) {
        dot = strchr(path, '.');
        if (dot != NULL)
            *dot++ = '\0';
        keys[n++] = path;
        if (*keys[n - 1] == '\0')
            break;
    }
    if (path != NULL || n == 0) {
        leat_diags_error(l->diags, at, "", NULL, "--set: an empty key, or more than 32 of them");
        l->failed = true;
        return;
    }
    origin.column = 1;
    for (const char *p = set; p <= equals; p++)
        origin.column += ((unsigned char)*p & 0xc0) != 0x80;
    add_root(l, leat_tree_wrap(
                    leat_tree_read(&origin, equals + 1, strlen(equals + 1), l->arena, l->diags),
                    keys, n, at, l->arena));
}

/* All of them are one source, a line each, so that messages can show the one that is wrong. */
static void load_sets(struct load *l, const char *const *sets, size_t nsets)
{
    struct leat_text all;

    leat_text_init(&all, LEAT_TREE_SOURCE);
    for (size_t i = 0; i < nsets; i++) {
        for (const char *p = sets[i]; *p != '\0'; p++)
            leat_text_char(&all, *p == '\n' || *p == '\r' ? ' ' : *p);
        leat_text_char(&all, '\n');
    }
    leat_diags_source(l->diags, "--set", leat_text_get(&all), all.len);
    leat_text_done(&all);
    for (size_t i = 0; i < nsets; i++)
        load_set(l, sets[i], (uint32_t)i + 1);
}

struct leat_node *leat_yaml_load(const char *const *sources, size_t nsources,
                                 const char *const *sets, size_t nsets, struct leat_arena *arena,
                                 struct leat_diags *diags)
{
    struct load l = {.arena = arena, .diags = diags};

    for (size_t i = 0; i < nsources; i++)
        load_source(&l, sources[i]);
    if (nsets != 0)
        load_sets(&l, sets, nsets);
    if (l.root == NULL && !l.failed)
        return not_empty(l.empty, diags);
    return l.failed ? NULL : leat_expand(l.root, arena, diags);
}
