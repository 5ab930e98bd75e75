/* Fills a component's settings from its table and what the user wrote. */
#include "config/schema.h"

#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "config/document.h"
#include "config/suggest.h"
#include "config/units.h"
#include "config/value.h"
#include "config/yaml.h"

#define MAX_PATH 512 /* bytes of a dotted path; longer ones are cut */

struct fill {
    struct leat_arena *arena;
    struct leat_diags *diags;
    size_t errors, unknown; /* unknown keys are errors as well */
};

/* Where a table is filled: which keys, at which path, below which tables. */
struct level {
    const struct leat_field *fields;
    const struct leat_node *node;
    const char *path;
    const struct leat_scope *scope;
    const struct leat_suggest *outer; /* for hints */
    unsigned depth;
};

static void fill_level(struct fill *f, const struct level *l, void *conf);
static void fill_table(struct fill *f, const struct level *l, const struct leat_field *fields,
                       void *conf);

static void join(char path[MAX_PATH], const char *above, const char *key)
{
    snprintf(path, MAX_PATH, "%s%s%s", above, *above == '\0' ? "" : ".", key);
}

static void wrong(struct fill *f, struct leat_place at, const char *path, const char *hint,
                  const char *name, const char *sentence)
{
    f->errors++;
    leat_diags_error(f->diags, at, path, hint, "'%s' %s", name, sentence);
}

static void no_memory(struct fill *f, const struct leat_node *n, const char *path)
{
    f->errors++;
    leat_diags_error(f->diags, n == NULL ? (struct leat_place){0} : n->at, path, NULL,
                     "the configuration is too large for the memory set aside for it");
}

static const char *kind_name(const struct leat_node *n)
{
    return n->kind == LEAT_NODE_LIST ? "a list" : n->kind == LEAT_NODE_MAP ? "a mapping" : "a text";
}

static void wrong_kind(struct fill *f, const struct leat_field *field, const struct leat_node *n,
                       const char *path)
{
    char sentence[200];

    if (n->kind == LEAT_NODE_SCALAR && !(field->flags & LEAT_SECRET))
        snprintf(sentence, sizeof sentence, "must be %s, found '%.60s'", leat_value_expected(field),
                 n->text);
    else
        snprintf(sentence, sizeof sentence, "must be %s, found %s", leat_value_expected(field),
                 kind_name(n));
    wrong(f, n->kind == LEAT_NODE_SCALAR ? n->at : n->key, path, NULL, field->name, sentence);
}

/* --- single values */

/* "10" for a duration, "yes" for a bool, a word that is near one of the choices. */
static const char *value_hint(const struct leat_field *field, const char *text, char *buf,
                              size_t size)
{
    const char *word = NULL;
    int64_t whole;

    if (field->flags & LEAT_SECRET)
        return NULL;
    if (field->type == LEAT_F_DURATION && leat_parse_int(text, &whole) == 0 && whole != 0 &&
        strlen(text) < 20) {
        snprintf(buf, size, "missing unit, did you mean '%ss'?", text);
        return buf;
    }
    if (field->type == LEAT_F_BOOL &&
        (strcmp(text, "yes") == 0 || strcmp(text, "on") == 0 || strcmp(text, "1") == 0))
        word = "true";
    else if (field->type == LEAT_F_BOOL &&
             (strcmp(text, "no") == 0 || strcmp(text, "off") == 0 || strcmp(text, "0") == 0))
        word = "false";
    else if (field->choices != NULL)
        word = leat_nearest(text, field->choices);
    if (word == NULL)
        return NULL;
    snprintf(buf, size, "did you mean '%s'?", word);
    return buf;
}

static void fill_scalar(struct fill *f, const struct leat_field *field, const struct leat_node *n,
                        const char *path, void *member)
{
    struct leat_err err;
    char hint[128];

    if (n->kind != LEAT_NODE_SCALAR) {
        wrong_kind(f, field, n, path);
        return;
    }
    if (leat_value_parse(field, n->text, member, f->arena, &err) != 0)
        wrong(f, n->at, path, value_hint(field, n->text, hint, sizeof hint), field->name, err.text);
}

/* --- lists of texts, maps */

static void lower_case(struct fill *f, const struct leat_field *field, const char *word,
                       struct leat_place at, const char *path)
{
    f->errors++;
    leat_diags_error(f->diags, at, path, NULL, "'%s': '%s' is written so, in lower case",
                     field->name, word);
}

static void check_word(struct fill *f, const struct leat_field *field, const char *text,
                       struct leat_place at, const char *path)
{
    struct leat_field word = *field;
    struct leat_err err;
    char hint[128];
    int index;

    if (field->choices == NULL)
        return;
    word.type = LEAT_F_ENUM;
    if (leat_value_parse(&word, text, &index, f->arena, &err) != 0)
        wrong(f, at, path, value_hint(&word, text, hint, sizeof hint), field->name, err.text);
    else if (strcmp(field->choices[index], text) != 0) /* the component gets the text as it is */
        lower_case(f, field, field->choices[index], at, path);
}

static void fill_strings(struct fill *f, const struct leat_field *field, const struct leat_node *n,
                         const char *path, struct leat_strings *member)
{
    struct leat_err err;

    if (n->kind == LEAT_NODE_SCALAR) { /* "a,b" stands for a list, as in the collector */
        if (leat_value_parse(field, n->text, member, f->arena, &err) != 0)
            no_memory(f, n, path);
        for (uint32_t i = 0; i < member->count; i++)
            check_word(f, field, member->items[i], n->at, path);
        return;
    }
    if (n->kind != LEAT_NODE_LIST) {
        wrong_kind(f, field, n, path);
        return;
    }
    *member = (struct leat_strings){
        .items = leat_arena_take(f->arena, (n->count + 1) * sizeof(const char *))};
    if (member->items == NULL) {
        no_memory(f, n, path);
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        const struct leat_node *item = n->items[i];
        if (item->kind >= LEAT_NODE_LIST) {
            f->errors++;
            leat_diags_error(f->diags, item->at, path, NULL,
                             "an item of '%s' must be a text, found %s", field->name,
                             kind_name(item));
            continue;
        }
        check_word(f, field, item->text, item->at, path);
        member->items[member->count++] = item->text;
    }
}

static void add_pair(struct fill *f, const struct leat_field *field, const struct leat_key *key,
                     const struct leat_node *value, const char *path, struct leat_pairs *member)
{
    if (value->kind >= LEAT_NODE_LIST) {
        f->errors++;
        leat_diags_error(f->diags, key->at, path, NULL,
                         "the value of '%.60s' in '%s' must be a text, found %s", key->text,
                         field->name, kind_name(value));
        return;
    }
    member->items[member->count++] = (struct leat_pair){.key = key->text, .value = value->text};
}

/* "- {name: a, value: b}": the other form of a map (collector configopaque.MapList). */
static void fill_pair(struct fill *f, const struct leat_field *field, const struct leat_node *item,
                      const char *path, struct leat_pairs *member)
{
    const struct leat_node *name = leat_node_get(item, "name", NULL);
    const struct leat_node *value = leat_node_get(item, "value", NULL);
    struct leat_key key;

    if (name == NULL || name->kind != LEAT_NODE_SCALAR || value == NULL || item->count != 2) {
        f->errors++;
        leat_diags_error(f->diags, item->at, path, NULL,
                         "an item of '%s' must have 'name' and 'value', and nothing else",
                         field->name);
        return;
    }
    for (uint32_t i = 0; i < member->count; i++) {
        if (strcmp(member->items[i].key, name->text) != 0)
            continue;
        f->errors++;
        leat_diags_error(f->diags, name->at, path, NULL, "'%.60s' stands twice in '%s'", name->text,
                         field->name);
        return;
    }
    key = (struct leat_key){.text = name->text, .at = name->at};
    add_pair(f, field, &key, value, path, member);
}

static void fill_map(struct fill *f, const struct leat_field *field, const struct leat_node *n,
                     const char *path, struct leat_pairs *member)
{
    if (n->kind < LEAT_NODE_LIST) {
        wrong_kind(f, field, n, path);
        return;
    }
    *member = (struct leat_pairs){
        .items = leat_arena_take(f->arena, (n->count + 1) * sizeof(struct leat_pair))};
    if (member->items == NULL) {
        no_memory(f, n, path);
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        if (n->kind == LEAT_NODE_MAP)
            add_pair(f, field, &n->keys[i], n->items[i], path, member);
        else
            fill_pair(f, field, n->items[i], path, member);
    }
}

/* --- tables within tables */

static void fill_list(struct fill *f, const struct level *l, const struct leat_field *field,
                      const struct leat_node *n, const char *path, struct leat_items *member)
{
    char item_path[MAX_PATH + 24];

    if (n->kind != LEAT_NODE_LIST) {
        wrong_kind(f, field, n, path);
        return;
    }
    *member =
        (struct leat_items){.items = leat_arena_take(f->arena, (n->count + 1) * field->item_size)};
    if (member->items == NULL) {
        no_memory(f, n, path);
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        char *conf = (char *)member->items + i * field->item_size;
        struct level item = {
            .fields = field->group, .node = n->items[i], .path = item_path, .depth = l->depth + 1};
        snprintf(item_path, sizeof item_path, "%.*s[%zu]", MAX_PATH - 24, path, i);
        member->count++;
        if (leat_value_defaults(field->group, NULL, conf, f->arena) != 0) {
            no_memory(f, n, path);
            return;
        }
        fill_level(f, &item, conf);
    }
}

static void fill_group(struct fill *f, const struct level *l, const struct leat_field *field,
                       const struct leat_node *n, const char *path, void *member)
{
    struct leat_suggest outer = {.outer = l->outer, .fields = l->fields};
    struct leat_scope scope = {.outer = l->scope, .field = field};
    struct level below = {.fields = field->group,
                          .node = n,
                          .path = path,
                          .scope = &scope,
                          .outer = &outer,
                          .depth = l->depth + 1};

    fill_level(f, &below, member);
}

/* --- one entry */

static void note_flags(struct fill *f, const struct leat_field *field, struct leat_place key,
                       const char *path, const char *written)
{
    const char *doc = field->doc == NULL ? "" : field->doc;

    if (field->flags & LEAT_IGNORED)
        leat_diags_warn(f->diags, key, path, NULL, "'%s' has no effect: %s", written, doc);
    if (field->flags & LEAT_DEPRECATED)
        leat_diags_warn(f->diags, key, path, NULL, "'%s' is deprecated: %s", written, doc);
}

static void fill_value(struct fill *f, const struct level *l, const struct leat_field *field,
                       const struct leat_node *n, const char *path, void *member)
{
    if (field->type == LEAT_F_GROUP) {
        fill_group(f, l, field, n, path, member);
        return;
    }
    if (n->kind == LEAT_NODE_NULL)
        return;
    switch (field->type) {
    case LEAT_F_STRINGS:
        fill_strings(f, field, n, path, member);
        break;
    case LEAT_F_MAP:
        fill_map(f, field, n, path, member);
        break;
    case LEAT_F_LIST:
        fill_list(f, l, field, n, path, member);
        break;
    case LEAT_F_NODE:
        *(const struct leat_node **)member = n;
        break;
    default:
        fill_scalar(f, field, n, path, member);
        break;
    }
}

static bool is_empty(const struct leat_node *n)
{
    return n->kind == LEAT_NODE_NULL || (n->kind == LEAT_NODE_SCALAR && *n->text == '\0') ||
           (n->kind >= LEAT_NODE_LIST && n->count == 0);
}

/* `name` is there: its older spelling must not be there too. */
static void one_spelling(struct fill *f, const struct level *l, const struct leat_field *field)
{
    const struct leat_key *key;
    char path[MAX_PATH];

    if (leat_node_get(l->node, field->alias, &key) == NULL)
        return;
    f->errors++;
    join(path, l->path, field->alias);
    leat_diags_error(f->diags, key->at, path, NULL, "'%s' and '%s' are the same setting",
                     field->alias, field->name);
}

/* A group that contains the setting has given it a value of its own. */
static bool has_default(const struct leat_field *field, const void *conf)
{
    const char *text;

    if (field->type != LEAT_F_STRING)
        return false;
    memcpy(&text, (const char *)conf + field->offset, sizeof text);
    return text != NULL && text[0] != '\0';
}

static void fill_field(struct fill *f, const struct level *l, const struct leat_field *field,
                       void *conf)
{
    const struct leat_key *key = NULL;
    const struct leat_node *n = leat_node_get(l->node, field->name, &key);
    char path[MAX_PATH];

    if (n == NULL && field->alias != NULL)
        n = leat_node_get(l->node, field->alias, &key);
    else if (field->alias != NULL)
        one_spelling(f, l, field);
    join(path, l->path, key == NULL ? field->name : key->text);
    if ((field->flags & LEAT_REQUIRED) &&
        (n == NULL || n->kind == LEAT_NODE_NULL ? !has_default(field, conf) : is_empty(n)))
        wrong(f,
              n != NULL         ? n->key
              : l->node == NULL ? (struct leat_place){0}
                                : l->node->key,
              path, NULL, field->name,
              n == NULL ? "is required" : "is required and must not be empty");
    if (n == NULL) /* and so what a group requires is required only when the group is there */
        return;
    note_flags(f, field, key->at, path, key->text);
    if (field->present != 0)
        *(bool *)((char *)conf + field->present - 1) = true;
    if (field->offset != SIZE_MAX)
        fill_value(f, l, field, n, path, (char *)conf + field->offset);
}

static void fill_table(struct fill *f, const struct level *l, const struct leat_field *fields,
                       void *conf)
{
    for (const struct leat_field *field = fields; field->name != NULL; field++) {
        if (field->type == LEAT_F_INLINE)
            fill_table(f, l, field->group, (char *)conf + field->offset);
        else
            fill_field(f, l, field, conf);
    }
}

static void unknown_keys(struct fill *f, const struct level *l)
{
    struct leat_suggest here = {.outer = l->outer, .fields = l->fields};
    char path[MAX_PATH], hint[256];

    for (size_t i = 0; i < l->node->count; i++) {
        const struct leat_key *key = &l->node->keys[i];
        if (leat_suggest_known(l->fields, key->text))
            continue;
        f->errors++;
        f->unknown++;
        join(path, l->path, key->text);
        leat_diags_error(
            f->diags, key->at, path, leat_suggest_hint(&here, key->text, hint, sizeof hint),
            "unknown key '%.100s'%s%.200s", key->text, *l->path == '\0' ? "" : " in ", l->path);
    }
}

static void fill_level(struct fill *f, const struct level *l, void *conf)
{
    const char *dot = strrchr(l->path, '.');

    LEAT_CHECK(l->depth < LEAT_TABLE_DEPTH);
    if (l->node != NULL && l->node->kind != LEAT_NODE_NULL && l->node->kind != LEAT_NODE_MAP) {
        char sentence[128];
        snprintf(sentence, sizeof sentence, "must be a mapping of settings, found %s",
                 kind_name(l->node));
        wrong(f, l->node->at, l->path, NULL, dot == NULL ? l->path : dot + 1, sentence);
        return;
    }
    if (l->node != NULL && l->node->kind == LEAT_NODE_MAP)
        unknown_keys(f, l);
    fill_table(f, l, l->fields, conf);
}

int leat_schema_fill_all(const struct leat_field *fields, void *conf, const struct leat_node *node,
                         const char *path, struct leat_arena *arena, struct leat_diags *diags,
                         bool *ret_read)
{
    struct fill f = {.arena = arena, .diags = diags};
    struct level top = {.fields = fields, .node = node, .path = path};

    if (leat_value_defaults(fields, NULL, conf, arena) != 0)
        no_memory(&f, node, path);
    else
        fill_level(&f, &top, conf);
    *ret_read = f.errors == f.unknown;
    return f.errors == 0 ? 0 : -1;
}

int leat_schema_fill(const struct leat_field *fields, void *conf, const struct leat_node *node,
                     const char *path, struct leat_arena *arena, struct leat_diags *diags)
{
    bool read;

    return leat_schema_fill_all(fields, conf, node, path, arena, diags, &read);
}
