/* For tests of configuration. */
#include "lib/config_help.h"

#include <stdio.h>

static void tree(FILE *f, const struct leat_node *n)
{
    if (n == NULL) {
        fputs("NULL", f);
        return;
    }
    switch (n->kind) {
    case LEAT_NODE_NULL:
        fputs("null", f);
        break;
    case LEAT_NODE_SCALAR:
        fprintf(f, n->quoted ? "\"%s\"" : "%s", n->text);
        break;
    case LEAT_NODE_LIST:
    case LEAT_NODE_MAP:
        fputc(n->kind == LEAT_NODE_LIST ? '[' : '{', f);
        for (size_t i = 0; i < n->count; i++) {
            fputs(i == 0 ? "" : ", ", f);
            if (n->kind == LEAT_NODE_MAP)
                fprintf(f, "%s: ", n->keys[i].text);
            tree(f, n->items[i]);
        }
        fputc(n->kind == LEAT_NODE_LIST ? ']' : '}', f);
        break;
    }
}

char *config_tree(const struct leat_node *node)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    tree(f, node);
    fclose(f);
    return text;
}

char *config_messages(const struct leat_diags *diags, int brief)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (!brief)
        leat_diags_print(diags, f, 0);
    for (size_t i = 0; brief && i < leat_diags_count(diags); i++) {
        const struct leat_diag *d = leat_diags_at(diags, i);
        fprintf(f, "%u:%u: %s: %s", d->at.line, d->at.column, d->is_error ? "error" : "warning",
                d->text);
        if (d->hint != NULL)
            fprintf(f, " (%s)", d->hint);
        fputc('\n', f);
    }
    fclose(f);
    return text;
}
