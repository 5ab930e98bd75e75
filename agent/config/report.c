/* What a component's own check() reports, shown at the setting it names. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/diag.h"
#include "config/schema.h"
#include "config/yaml.h"

struct leat_check {
    const struct leat_node *node;
    const char *path;
    struct leat_diags *diags;
    unsigned signals;
};

struct leat_check *leat_check_new(const struct leat_node *node, const char *path,
                                  struct leat_diags *diags)
{
    struct leat_check *c = leat_new(sizeof *c);

    *c = (struct leat_check){.node = node, .path = path, .diags = diags};
    return c;
}

void leat_check_set_signals(struct leat_check *c, unsigned signals)
{
    c->signals = signals;
}

unsigned leat_check_signals(const struct leat_check *c)
{
    return c->signals;
}

void leat_check_free(struct leat_check *c)
{
    leat_free(c);
}

/* The next piece of "a.b[2].c" or "a.b.2.c"; moves past it. */
static char *next_piece(const char **key)
{
    size_t len;
    char *piece;

    *key += strspn(*key, ".[]");
    len = strcspn(*key, ".[]");
    if (len == 0)
        return NULL;
    piece = leat_strndup(*key, len);
    *key += len;
    return piece;
}

static const struct leat_node *child(const struct leat_node *n, const char *piece)
{
    char *end;
    unsigned long i;

    if (n->kind != LEAT_NODE_LIST)
        return leat_node_get(n, piece, NULL);
    i = strtoul(piece, &end, 10);
    return *end == '\0' && i < n->count ? n->items[i] : NULL;
}

/* The deepest node on the way to `key` that was written. */
static const struct leat_node *resolve(const struct leat_check *c, const char *key, bool *ret_all)
{
    const struct leat_node *n = c->node;
    char *piece;

    *ret_all = n != NULL;
    while (n != NULL && (piece = next_piece(&key)) != NULL) {
        const struct leat_node *next = child(n, piece);
        leat_free(piece);
        if (next == NULL) {
            *ret_all = false;
            break;
        }
        n = next;
    }
    return n;
}

/* "must be above 0" is said of something: of the setting, which is then named. */
static bool lacks_subject(const char *text)
{
    static const char *const verbs[] = {"must ", "is ",    "are ",      "needs ",
                                        "has ",  "names ", "cannot be "};

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strncmp(text, verbs[i], strlen(verbs[i])) == 0)
            return true;
    }
    return false;
}

/* The last word of a key; for the whole component its id. */
static const char *subject(const struct leat_check *c, const char *key)
{
    const char *dot = strrchr(key, '.');

    if (*key != '\0')
        return dot == NULL ? key : dot + 1;
    dot = strchr(c->path, '.');
    return dot == NULL ? c->path : dot + 1;
}

__attribute__((format(printf, 4, 0))) static void
report(struct leat_check *c, int is_error, const char *key, const char *fmt, va_list ap)
{
    char text[1000], path[512], named[112];
    struct leat_place at = {0};
    const struct leat_node *n;
    bool all;

    n = resolve(c, key, &all);
    if (n != NULL)
        at = all && n->kind == LEAT_NODE_SCALAR ? n->at : n->key;
    vsnprintf(text, sizeof text, fmt, ap);
    named[0] = '\0';
    if (lacks_subject(text))
        snprintf(named, sizeof named, "'%.100s' ", subject(c, key));
    snprintf(path, sizeof path, "%s%s%s", c->path, *c->path != '\0' && *key != '\0' ? "." : "",
             key);
    if (is_error)
        leat_diags_error(c->diags, at, path, NULL, "%s%s", named, text);
    else
        leat_diags_warn(c->diags, at, path, NULL, "%s%s", named, text);
}

void leat_check_error(struct leat_check *c, const char *key, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    report(c, 1, key, fmt, ap);
    va_end(ap);
}

void leat_check_warn(struct leat_check *c, const char *key, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    report(c, 0, key, fmt, ap);
    va_end(ap);
}

bool leat_check_written(const struct leat_check *c, const char *key)
{
    bool all;

    resolve(c, key, &all);
    return all;
}
