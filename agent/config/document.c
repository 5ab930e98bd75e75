/* A whole configuration file: sections, instances, references, and every structural check. */
#include "config/document.h"

#include <stdio.h>
#include <string.h>

#include "config/reading.h"
#include "config/tree.h"

#define MAX_TYPE 63   /* characters of a type */
#define MAX_NAME 1024 /* characters of a name */

static const char *const names[] = {"receivers", "processors", "exporters", "connectors",
                                    "extensions"};
static const char *const nouns[] = {"receiver", "processor", "exporter", "connector", "extension"};
static const char *const top_keys[] = {"receivers",  "processors", "exporters", "connectors",
                                       "extensions", "service",    "leat",      NULL};
static const char *const service_keys[] = {"extensions", "pipelines", "telemetry", NULL};

const char *leat_section_name(enum leat_section s)
{
    return names[s];
}

const char *leat_section_noun(enum leat_section s)
{
    return nouns[s];
}

/* --- shared */

void *leat_reading_take(struct leat_reading *r, size_t count, size_t size)
{
    void *p = leat_arena_take(r->arena, (count == 0 ? 1 : count) * size);

    if (p == NULL)
        leat_diags_error(r->diags, r->doc == NULL ? (struct leat_place){0} : r->doc->root->at, "",
                         NULL, "the configuration is too large for the memory set aside for it");
    return p;
}

struct leat_instance *leat_reading_find(const struct leat_reading *r, enum leat_section s,
                                        const char *id)
{
    return leat_map_get(r->ids[s], leat_bytes_str(id));
}

bool leat_reading_map(struct leat_reading *r, const struct leat_node *node, const char *path)
{
    if (node->kind == LEAT_NODE_NULL || node->kind == LEAT_NODE_MAP)
        return true;
    leat_diags_error(r->diags, node->at, path, NULL, "'%s' must be a mapping, found %s", path,
                     node->kind == LEAT_NODE_LIST ? "a list" : "a text");
    return false;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(*words, word) == 0)
            return true;
    }
    return false;
}

static const char *key_hint(const char *key, const char *path, const char *const *known, char *buf,
                            size_t size)
{
    const char *word = leat_nearest(key, known);

    if (*path == '\0' && is_one_of(key, service_keys))
        snprintf(buf, size, "it belongs under 'service'");
    else if (*path != '\0' && is_one_of(key, top_keys))
        snprintf(buf, size, "'%s' stands at the top of the file", key);
    else if (word != NULL)
        snprintf(buf, size, "did you mean '%s'?", word);
    else
        return NULL;
    return buf;
}

void leat_reading_keys(struct leat_reading *r, const struct leat_node *node, const char *path,
                       const char *const *known)
{
    char below[512], hint[128];

    for (size_t i = 0; i < node->count; i++) {
        const struct leat_key *key = &node->keys[i];
        if (is_one_of(key->text, known))
            continue;
        snprintf(below, sizeof below, "%s%s%s", path, *path == '\0' ? "" : ".", key->text);
        leat_diags_error(r->diags, key->at, below,
                         key_hint(key->text, path, known, hint, sizeof hint),
                         "unknown key '%.100s'%s%.200s", key->text,
                         *path == '\0' ? " at the top of the file" : " in ", path);
    }
}

/* --- ids */

static size_t type_length(const char *id)
{
    size_t n = 0;

    for (; id[n] != '\0' && id[n] != '/'; n++) {
        char c = id[n];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (n == 0 || ((c < '0' || c > '9') && c != '_')))
            return 0;
    }
    return n <= MAX_TYPE ? n : 0;
}

/* No blanks, control characters or symbols. Beyond ASCII only the blanks are looked for. */
static bool name_ok(const char *name)
{
    static const char *const blanks[] = {
        "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x83", "\xe2\x80\x89",
        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe3\x80\x80", NULL};
    size_t characters = 0;

    for (const char *p = name; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c <= ' ' || c == 0x7f || strchr("$+<=>^`|~", c) != NULL)
            return false;
        characters += (c & 0xc0) != 0x80;
    }
    for (size_t i = 0; blanks[i] != NULL; i++) {
        if (strstr(name, blanks[i]) != NULL)
            return false;
    }
    return characters >= 1 && characters <= MAX_NAME;
}

/* Sets id, type and name; false: reported. */
static bool set_id(struct leat_reading *r, struct leat_instance *in, const struct leat_key *key,
                   const char *path)
{
    size_t n = type_length(key->text);
    char *type;

    if (n == 0) {
        leat_diags_error(r->diags, key->at, path,
                         "it is written 'type' or 'type/name'; a type is a letter, then letters, "
                         "digits and '_'",
                         "'%.100s' is no id of a component", key->text);
        return false;
    }
    in->id = key->text;
    in->name = key->text[n] == '/' ? key->text + n + 1 : "";
    if (key->text[n] == '/' && !name_ok(in->name)) {
        leat_diags_error(r->diags, key->at, path, NULL, "the name behind the '/' of '%.100s' %s",
                         key->text,
                         *in->name == '\0' ? "is empty"
                                           : "must not hold blanks or symbols, nor be longer than "
                                             "1,024 characters");
        return false;
    }
    type = leat_reading_take(r, n + 1, 1);
    if (type != NULL)
        memcpy(type, key->text, n);
    in->type = type;
    return type != NULL;
}

/* --- sections */

static void read_instance(struct leat_reading *r, enum leat_section s, const struct leat_key *key,
                          const struct leat_node *node)
{
    struct leat_instance *in = &r->doc->instances[r->doc->ninstances];
    char path[512];

    snprintf(path, sizeof path, "%s.%s", names[s], key->text);
    *in = (struct leat_instance){.section = s, .node = node, .at = key->at};
    if (!set_id(r, in, key, path))
        return;
    if (leat_map_set(r->ids[s], leat_bytes_str(in->id), in, NULL) == 0)
        r->doc->ninstances++;
}

static void read_section(struct leat_reading *r, enum leat_section s, const struct leat_node *node)
{
    if (!leat_reading_map(r, node, names[s]))
        return;
    for (size_t i = 0; i < node->count; i++)
        read_instance(r, s, &node->keys[i], node->items[i]);
}

static bool section_of(const char *key, enum leat_section *ret)
{
    for (int s = 0; s < LEAT_SECTIONS; s++) {
        if (strcmp(names[s], key) == 0) {
            *ret = (enum leat_section)s;
            return true;
        }
    }
    return false;
}

static bool read_sections(struct leat_reading *r, const struct leat_node *root)
{
    enum leat_section s;
    size_t n = 0;

    for (size_t i = 0; i < root->count; i++)
        n += section_of(root->keys[i].text, &s) ? root->items[i]->count : 0;
    r->doc->instances = leat_reading_take(r, n, sizeof *r->doc->instances);
    if (r->doc->instances == NULL)
        return false;
    for (size_t i = 0; i < root->count; i++) {
        if (section_of(root->keys[i].text, &s))
            read_section(r, s, root->items[i]);
    }
    return true;
}

/* --- references */

/* The id that was probably meant: near in letters, or another of the same type. */
static const char *near_id(const struct leat_reading *r, enum leat_section section,
                           enum leat_section also, const char *id)
{
    const char *same_type = NULL;
    size_t type = strcspn(id, "/");

    for (size_t i = 0; i < r->doc->ninstances; i++) {
        const struct leat_instance *in = &r->doc->instances[i];
        const char *word[] = {in->id, NULL};
        if (in->section != section && in->section != also)
            continue;
        if (leat_nearest(id, word) != NULL)
            return in->id;
        if (strlen(in->type) == type && memcmp(in->type, id, type) == 0)
            same_type = in->id;
    }
    return same_type;
}

static const char *ref_hint(const struct leat_reading *r, enum leat_section section,
                            enum leat_section also, const char *id, char *buf, size_t size)
{
    const char *word;

    for (int s = 0; s < LEAT_SECTIONS; s++) {
        if (leat_reading_find(r, (enum leat_section)s, id) != NULL) {
            snprintf(buf, size, "'%.80s' is defined under %s, not %s", id, names[s],
                     names[section]);
            return buf;
        }
    }
    word = near_id(r, section, also, id);
    if (word == NULL)
        return NULL;
    snprintf(buf, size, "did you mean '%.80s'?", word);
    return buf;
}

static bool is_twice(const struct leat_ref *refs, size_t n, const struct leat_instance *in)
{
    for (size_t i = 0; i < n; i++) {
        if (refs[i].instance == in)
            return true;
    }
    return false;
}

static void add_ref(struct leat_reading *r, const struct leat_node *n, const char *path,
                    enum leat_section section, enum leat_section also, struct leat_ref *refs,
                    size_t *count)
{
    struct leat_instance *in;
    char hint[256];

    if (n->kind != LEAT_NODE_SCALAR) {
        leat_diags_error(r->diags, n->at, path, NULL, "this must be the id of %s %s",
                         strchr("aeiou", *nouns[section]) != NULL ? "an" : "a", nouns[section]);
        return;
    }
    in = leat_reading_find(r, section, n->text);
    if (in == NULL && also != section)
        in = leat_reading_find(r, also, n->text);
    if (in == NULL) {
        leat_diags_error(r->diags, n->at, path,
                         ref_hint(r, section, also, n->text, hint, sizeof hint),
                         "the %s '%.100s' is not defined", nouns[section], n->text);
        return;
    }
    if (in->used && is_twice(refs, *count, in)) {
        if (section == LEAT_SECTION_PROCESSORS)
            leat_diags_error(r->diags, n->at, path, NULL, "the processor '%.100s' is named twice",
                             n->text);
        else
            leat_diags_warn(r->diags, n->at, path, NULL, "'%.100s' is named twice; once counts",
                            n->text);
        return;
    }
    in->used = true;
    refs[(*count)++] = (struct leat_ref){.instance = in, .at = n->at};
}

void leat_reading_refs(struct leat_reading *r, const struct leat_node *list, const char *path,
                       enum leat_section section, enum leat_section also, struct leat_ref **ret,
                       size_t *ret_count)
{
    *ret = NULL;
    *ret_count = 0;
    if (list == NULL || list->kind == LEAT_NODE_NULL)
        return;
    if (list->kind == LEAT_NODE_MAP) {
        leat_diags_error(r->diags, list->key, path, "write [a, b]", "'%s' must be a list of ids",
                         path);
        return;
    }
    *ret = leat_reading_take(r, list->count, sizeof **ret);
    if (*ret == NULL)
        return;
    if (list->kind == LEAT_NODE_SCALAR)
        add_ref(r, list, path, section, also, *ret, ret_count);
    for (size_t i = 0; i < list->count; i++)
        add_ref(r, list->items[i], path, section, also, *ret, ret_count);
}

/* --- the whole */

static void read_service(struct leat_reading *r, const struct leat_node *root)
{
    const struct leat_node *service = leat_node_get(root, "service", NULL);
    const struct leat_node *pipelines = leat_node_get(service, "pipelines", NULL);

    if (service == NULL || service->kind == LEAT_NODE_NULL) {
        leat_diags_error(r->diags, service == NULL ? root->at : service->key, "service", NULL,
                         "there is no service: nothing would run");
        return;
    }
    if (!leat_reading_map(r, service, "service"))
        return;
    leat_reading_keys(r, service, "service", service_keys);
    leat_reading_refs(r, leat_node_get(service, "extensions", NULL), "service.extensions",
                      LEAT_SECTION_EXTENSIONS, LEAT_SECTION_EXTENSIONS, &r->doc->extensions,
                      &r->doc->nextensions);
    r->doc->telemetry = leat_node_get(service, "telemetry", NULL);
    if (pipelines == NULL || (pipelines->kind <= LEAT_NODE_MAP && pipelines->count == 0 &&
                              pipelines->kind != LEAT_NODE_SCALAR)) {
        leat_diags_error(r->diags, pipelines == NULL ? service->key : pipelines->key,
                         "service.pipelines", NULL, "there is no pipeline: nothing would run");
        return;
    }
    leat_reading_pipelines(r, pipelines);
}

struct leat_document *leat_document_read(const struct leat_node *root, struct leat_arena *arena,
                                         struct leat_diags *diags)
{
    struct leat_reading r = {.arena = arena, .diags = diags};
    struct leat_document *doc = NULL;

    if (root == NULL)
        return NULL;
    if (root->kind != LEAT_NODE_MAP) {
        leat_diags_error(diags, root->at, "", "the first line is usually 'receivers:'",
                         "a configuration is a mapping of keys to values");
        return NULL;
    }
    doc = leat_reading_take(&r, 1, sizeof *doc);
    if (doc == NULL)
        return NULL;
    r.doc = doc;
    doc->root = root;
    doc->leat = leat_node_get(root, "leat", NULL);
    for (int s = 0; s < LEAT_SECTIONS; s++)
        r.ids[s] = leat_map_new(LEAT_TREE_NODES);
    leat_reading_keys(&r, root, "", top_keys);
    if (read_sections(&r, root))
        read_service(&r, root);
    else
        doc = NULL;
    for (int s = 0; s < LEAT_SECTIONS; s++)
        leat_map_free(r.ids[s], NULL);
    return doc;
}
