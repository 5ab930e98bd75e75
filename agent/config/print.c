/* Filled settings as YAML, and what they refer to. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "config/schema.h"
#include "config/tree.h"
#include "config/value.h"
#include "config/yaml.h"

#define MAX_PATH 512

struct printer {
    struct leat_text *out;
    bool unmasked;
};

static void print_table(const struct printer *p, const struct leat_field *fields, const void *conf,
                        const struct leat_node *node, int indent, unsigned depth);

static const struct leat_node *written(const struct leat_field *f, const struct leat_node *node)
{
    const struct leat_node *n = leat_node_get(node, f->name, NULL);

    return n == NULL && f->alias != NULL ? leat_node_get(node, f->alias, NULL) : n;
}

static void start_line(const struct printer *p, int indent, const char *name)
{
    leat_text_printf(p->out, "%*s", indent, "");
    leat_value_yaml(name, p->out);
    leat_text_char(p->out, ':');
}

/* A node as it was written, expanded; recursion ends at LEAT_TREE_DEPTH, as the reader's does. */
static void print_node(const struct printer *p, const struct leat_node *n, int indent)
{
    if (n->kind == LEAT_NODE_NULL) {
        leat_text_str(p->out, " null\n");
    } else if (n->kind == LEAT_NODE_SCALAR) {
        leat_text_char(p->out, ' ');
        if (leat_node_is_typed(n))
            leat_text_str(p->out, n->text);
        else
            leat_value_yaml(n->text, p->out);
        leat_text_char(p->out, '\n');
    } else if (n->count == 0) {
        leat_text_str(p->out, n->kind == LEAT_NODE_LIST ? " []\n" : " {}\n");
    } else {
        leat_text_char(p->out, '\n');
        for (size_t i = 0; i < n->count; i++) {
            if (n->kind == LEAT_NODE_MAP)
                start_line(p, indent, n->keys[i].text);
            else
                leat_text_printf(p->out, "%*s-", indent, "");
            print_node(p, n->items[i], indent + 2);
        }
    }
}

static void print_pairs(const struct printer *p, const struct leat_field *f,
                        const struct leat_pairs *pairs, int indent)
{
    leat_text_str(p->out, pairs->count == 0 ? " {}" : "\n");
    for (uint32_t i = 0; i < pairs->count; i++) {
        start_line(p, indent + 2, pairs->items[i].key);
        leat_text_char(p->out, ' ');
        leat_value_yaml((f->flags & LEAT_SECRET) && !p->unmasked ? "[REDACTED]"
                                                                 : pairs->items[i].value,
                        p->out);
        if (i + 1 < pairs->count)
            leat_text_char(p->out, '\n');
    }
}

static void print_items(const struct printer *p, const struct leat_field *f,
                        const struct leat_items *items, const struct leat_node *node, int indent,
                        unsigned depth)
{
    if (items->count == 0) {
        leat_text_printf(p->out, " []%s\n", node == NULL ? " # default" : "");
        return;
    }
    leat_text_char(p->out, '\n');
    for (uint32_t i = 0; i < items->count; i++) {
        const struct leat_node *item =
            node != NULL && node->kind == LEAT_NODE_LIST && i < node->count ? node->items[i] : NULL;
        leat_text_printf(p->out, "%*s-\n", indent + 2, "");
        print_table(p, f->group, (const char *)items->items + i * f->item_size, item, indent + 4,
                    depth + 1);
    }
}

static bool is_masked(const struct printer *p, const struct leat_field *f, const void *member)
{
    const char *const *string = member;

    if (!(f->flags & LEAT_SECRET) || p->unmasked)
        return false;
    return f->type != LEAT_F_STRING || (*string != NULL && **string != '\0');
}

static void print_field(const struct printer *p, const struct leat_field *f, const void *conf,
                        const struct leat_node *node, int indent, unsigned depth)
{
    const void *member = (const char *)conf + f->offset;
    const struct leat_node *n = written(f, node);
    bool masked;

    if (f->present != 0 && !*(const bool *)((const char *)conf + f->present - 1) &&
        f->type == LEAT_F_GROUP) {
        leat_text_printf(p->out, "%*s# %s: not set\n", indent, "", f->name);
        return;
    }
    if (f->type == LEAT_F_NODE && *(const struct leat_node *const *)member == NULL)
        return;
    start_line(p, indent, f->name);
    switch (f->type) {
    case LEAT_F_GROUP:
        leat_text_char(p->out, '\n');
        print_table(p, f->group, member, n, indent + 2, depth + 1);
        return;
    case LEAT_F_LIST:
        print_items(p, f, member, n, indent, depth);
        return;
    case LEAT_F_NODE:
        if (is_masked(p, f, member))
            leat_text_str(p->out, " \"[REDACTED]\"\n");
        else
            print_node(p, *(const struct leat_node *const *)member, indent + 2);
        return;
    case LEAT_F_MAP:
        print_pairs(p, f, member, indent);
        break;
    default:
        masked = is_masked(p, f, member);
        leat_text_char(p->out, ' ');
        if (masked)
            leat_text_str(p->out, "\"[REDACTED]\"");
        else
            leat_value_print(f, member, p->out);
        break;
    }
    leat_text_str(p->out, n == NULL ? " # default\n" : "\n");
}

static void print_table(const struct printer *p, const struct leat_field *fields, const void *conf,
                        const struct leat_node *node, int indent, unsigned depth)
{
    LEAT_CHECK(depth < LEAT_TABLE_DEPTH);
    for (const struct leat_field *f = fields; f->name != NULL; f++) {
        if (f->type == LEAT_F_INLINE)
            print_table(p, f->group, (const char *)conf + f->offset, node, indent, depth + 1);
        else if (f->offset != SIZE_MAX)
            print_field(p, f, conf, node, indent, depth);
    }
}

void leat_schema_print(const struct leat_field *fields, const void *conf,
                       const struct leat_node *node, int indent, bool unmasked,
                       struct leat_text *out)
{
    struct printer p = {.out = out, .unmasked = unmasked};

    print_table(&p, fields, conf, node, indent, 0);
}

/* --- references to extensions */

struct refs {
    void (*visit)(void *arg, const char *path, const char *id);
    void *arg;
};

static void visit_table(const struct refs *r, const struct leat_field *fields, const void *conf,
                        const char *path, unsigned depth);

static void visit_text(const struct refs *r, const char *path, const char *id)
{
    if (id != NULL && *id != '\0')
        r->visit(r->arg, path, id);
}

static void visit_field(const struct refs *r, const struct leat_field *f, const void *conf,
                        const char *path, unsigned depth)
{
    const void *member = (const char *)conf + f->offset;
    const struct leat_strings *words = member;
    const struct leat_items *items = member;
    bool auth = (f->flags & LEAT_AUTH) != 0;

    if (f->present != 0 && !*(const bool *)((const char *)conf + f->present - 1) &&
        f->type == LEAT_F_GROUP)
        return;
    if (f->type == LEAT_F_GROUP)
        visit_table(r, f->group, member, path, depth + 1);
    else if (f->type == LEAT_F_STRING && auth)
        visit_text(r, path, *(const char *const *)member);
    else if (f->type == LEAT_F_STRINGS && auth)
        for (uint32_t i = 0; i < words->count; i++)
            visit_text(r, path, words->items[i]);
    else if (f->type == LEAT_F_LIST)
        for (uint32_t i = 0; i < items->count; i++)
            visit_table(r, f->group, (const char *)items->items + i * f->item_size, path,
                        depth + 1);
}

static void visit_table(const struct refs *r, const struct leat_field *fields, const void *conf,
                        const char *path, unsigned depth)
{
    char below[MAX_PATH];

    LEAT_CHECK(depth < LEAT_TABLE_DEPTH);
    for (const struct leat_field *f = fields; f->name != NULL; f++) {
        if (f->offset == SIZE_MAX)
            continue;
        if (f->type == LEAT_F_INLINE) {
            visit_table(r, f->group, (const char *)conf + f->offset, path, depth + 1);
            continue;
        }
        snprintf(below, sizeof below, "%s%s%s", path, *path == '\0' ? "" : ".", f->name);
        visit_field(r, f, conf, below, depth);
    }
}

void leat_schema_refs(const struct leat_field *fields, const void *conf, const char *path,
                      void (*visit)(void *arg, const char *path, const char *id), void *arg)
{
    struct refs r = {.visit = visit, .arg = arg};

    visit_table(&r, fields, conf, path, 0);
}
