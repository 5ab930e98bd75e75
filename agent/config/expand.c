/* ${…} in values: environment, files, YAML. */
#include "config/expand.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/excerpt.h"
#include "config/source.h"
#include "config/syntax.h"
#include "config/tree.h"

#define MAX_PER_VALUE 1000  /* expansions within one value, those within them included */
#define MAX_TOTAL     10000 /* within one configuration */
#define MAX_LEVEL     32    /* expansions within expansions */
#define MAX_TEXT      (16 * 1024 * 1024)

struct expander {
    struct leat_arena *arena;
    struct leat_diags *diags;
    unsigned total, in_value;
    const struct leat_node *node; /* the value as the file has it */
    const char *spot;             /* the "${" of its text that is being looked at */
};

/* --- where */

static size_t count_before(const char *text, const char *end)
{
    size_t n = 0;

    for (const char *p = strstr(text, "${"); p != NULL && p < end; p = strstr(p + 2, "${"))
        n++;
    return n;
}

/* The place of the n-th "${" behind `at`, as the source has it: quotes and escapes may have moved
 * it within the value. */
static struct leat_place spot_place(const struct expander *x)
{
    struct leat_place at = x->node->at;
    size_t len, line_len, n = count_before(x->node->text, x->spot);
    const char *text = leat_diags_text(x->diags, at.source, &len), *line, *p;
    struct leat_cursor c;

    line = text == NULL ? NULL : leat_excerpt_line(text, len, at.line, &line_len);
    if (line == NULL)
        return at;
    leat_cursor_init(&c, text, len);
    leat_cursor_move(&c, (size_t)(line - text));
    while (c.pos < len && c.line == at.line && c.column < at.column)
        leat_cursor_move(&c, c.pos + 1);
    p = memmem(text + c.pos, len - c.pos, "${", 2);
    for (; p != NULL && n > 0; n--)
        p = memmem(p + 2, len - (size_t)(p + 2 - text), "${", 2);
    if (p == NULL)
        return at;
    leat_cursor_move(&c, (size_t)(p - text));
    at.line = c.line;
    at.column = c.column;
    p = memchr(p, '}', len - c.pos);
    at.width = p == NULL ? 2 : leat_cursor_width(&c, c.pos, (size_t)(p + 1 - text));
    return at;
}

static void wrong(const struct expander *x, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void wrong(const struct expander *x, const char *hint, const char *fmt, ...)
{
    char sentence[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    leat_diags_error(x->diags, spot_place(x), "", hint, "%s", sentence);
}

/* --- what one ${…} stands for */

struct found {
    struct leat_text text; /* the text as it was given */
    bool is_null;          /* nothing was given */
    const char *source;    /* the file it came from, or NULL */
};

bool leat_env_name_ok(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return len != 0;
}

static int find_env(struct expander *x, const char *text, struct found *f)
{
    const char *fallback = strstr(text, ":-"), *value;
    size_t len = fallback == NULL ? strlen(text) : (size_t)(fallback - text);
    char *name;

    if (!leat_env_name_ok(text, len)) {
        wrong(x, "a literal '${' is written '$${'", "'%.*s' is no name of an environment variable",
              (int)(len > 80 ? 80 : len), text);
        return -1;
    }
    name = leat_arena_str(x->arena, leat_bytes(text, len));
    value = name == NULL ? NULL : getenv(name);
    if (value == NULL && fallback != NULL) {
        value = fallback + 2;
    } else if (value == NULL) {
        leat_diags_warn(x->diags, spot_place(x), "", "a default is written ${env:NAME:-default}",
                        "the environment variable '%.*s' is not set: the value is empty",
                        (int)(len > 80 ? 80 : len), text);
        f->is_null = true;
        return 0;
    } else if (*value == '\0') {
        f->is_null = true;
    }
    leat_text_str(&f->text, value);
    return 0;
}

static int find_file(struct expander *x, const char *path, struct found *f)
{
    struct leat_err err;

    if (leat_source_file(path, &f->text, &err) != 0) {
        wrong(x, NULL, "%s", err.text);
        return -1;
    }
    /* An editor's last line break is no part of a token or password. */
    if (f->text.len > 0 && f->text.data[f->text.len - 1] == '\n')
        f->text.data[--f->text.len] = '\0';
    if (f->text.len > 0 && f->text.data[f->text.len - 1] == '\r')
        f->text.data[--f->text.len] = '\0';
    f->source = path;
    f->is_null = f->text.len == 0;
    return 0;
}

static bool is_scheme(const char *text, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(text, name, len) == 0;
}

static int find(struct expander *x, const char *inner, struct found *f)
{
    const char *colon = strchr(inner, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - inner);

    if (colon == NULL)
        return find_env(x, inner, f);
    if (is_scheme(inner, len, "env"))
        return find_env(x, colon + 1, f);
    if (is_scheme(inner, len, "file"))
        return find_file(x, colon + 1, f);
    if (is_scheme(inner, len, "yaml")) {
        leat_text_str(&f->text, colon + 1);
        return 0;
    }
    if (colon[1] == '-' && leat_env_name_ok(inner, len))
        return find_env(x, inner, f);
    if (is_scheme(inner, len, "http") || is_scheme(inner, len, "https"))
        wrong(x, "fetch it before the start and use ${file:path}",
              "%.*s: Leat does not fetch configuration over the network", (int)len, inner);
    else
        wrong(x, "known are env, file and yaml; a literal '${' is written '$${'",
              "'%.*s' is no source of values", (int)(len > 80 ? 80 : len), inner);
    return -1;
}

/* --- texts */

/* The "}" that closes the "${" at `text`, or NULL. */
static const char *closing(const char *text)
{
    size_t open = 1;

    for (const char *p = text + 2; *p != '\0'; p++) {
        if (p[0] == '$' && p[1] == '{') {
            open++;
            p++;
        } else if (*p == '}' && --open == 0) {
            return p;
        }
    }
    return NULL;
}

static int expand_text(struct expander *x, const char *text, unsigned level, struct leat_text *out);

/* Finds what the ${…} from `start` to `end` stands for; nested ones first. */
static int look_up(struct expander *x, const char *start, const char *end, unsigned level,
                   struct found *f)
{
    struct leat_text inner;
    char *raw = leat_arena_str(x->arena, leat_bytes(start + 2, (size_t)(end - start) - 2));
    int result = -1;

    if (level == 0)
        x->spot = start;
    if (++x->in_value > MAX_PER_VALUE || ++x->total > MAX_TOTAL || level >= MAX_LEVEL) {
        wrong(x, NULL, "too many expansions in expansions: does a value contain itself?");
        return -1;
    }
    leat_text_init(&inner, MAX_TEXT);
    if (raw != NULL && strstr(raw, "${") == NULL)
        leat_text_str(&inner, raw);
    else if (raw != NULL && expand_text(x, raw, level + 1, &inner) != 0)
        goto done;
    if (raw == NULL || !leat_text_ok(&inner) || (result = find(x, leat_text_get(&inner), f)) != 0)
        goto done;
    if (f->source != NULL)
        f->source = leat_arena_str(x->arena, leat_bytes_str(f->source));
    result = leat_text_ok(&f->text) ? 0 : -1;
    if (result != 0)
        wrong(x, NULL, "the value is larger than 16 MiB");
done:
    leat_text_done(&inner);
    return result;
}

static int join(struct expander *x, const char *start, const char *end, unsigned level,
                struct leat_text *out)
{
    struct found f = {.is_null = false};
    int result;

    leat_text_init(&f.text, MAX_TEXT);
    result = look_up(x, start, end, level, &f);
    if (result == 0)
        result = expand_text(x, leat_text_get(&f.text), level + 1, out);
    leat_text_done(&f.text);
    return result;
}

/* $NAME was an expansion once; in capitals it was probably meant as one. */
static void warn_bare(struct expander *x, const char *text)
{
    struct leat_place at;
    size_t len = 1;
    char hint[128];

    while ((text[len] >= 'A' && text[len] <= 'Z') || text[len] == '_' ||
           (len > 1 && text[len] >= '0' && text[len] <= '9'))
        len++;
    if (len < 3 || len > 64 || (text[len] >= 'a' && text[len] <= 'z'))
        return;
    snprintf(hint, sizeof hint, "write '${env:%.*s}', or '$$%.*s' for the text", (int)len - 1,
             text + 1, (int)len - 1, text + 1);
    at = x->node->at;
    leat_diags_warn(x->diags, at, "", hint, "'%.*s' is kept as it is: expansions need braces",
                    (int)len, text);
}

static int expand_text(struct expander *x, const char *text, unsigned level, struct leat_text *out)
{
    while (*text != '\0') {
        size_t plain = strcspn(text, "$");
        const char *end;
        leat_text_add(out, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        if (text[1] == '$') {
            leat_text_char(out, '$');
            text += 2;
            continue;
        }
        end = text[1] == '{' ? closing(text) : NULL;
        if (end != NULL) {
            if (join(x, text, end, level, out) != 0)
                return -1;
            text = end + 1;
            continue;
        }
        if (level == 0)
            warn_bare(x, text);
        leat_text_char(out, '$');
        text++;
    }
    return 0;
}

/* --- values */

static struct leat_node *expand_node(struct expander *x, struct leat_node *n, unsigned level,
                                     unsigned depth, bool expanded);

static struct leat_node *make(struct expander *x, enum leat_node_kind kind, const char *text,
                              bool quoted)
{
    struct leat_node *n = leat_arena_take(x->arena, sizeof *n);
    const char *copy = leat_arena_str(x->arena, leat_bytes_str(text));

    if (n == NULL || copy == NULL) {
        wrong(x, NULL, "the configuration is too large for the memory set aside for it");
        return NULL;
    }
    *n = (struct leat_node){.kind = kind,
                            .at = x->node->at,
                            .key = x->node->key,
                            .text = copy,
                            .quoted = quoted,
                            .expanded = true};
    return n;
}

static struct leat_node *joined(struct expander *x, const struct leat_node *n, unsigned level)
{
    struct leat_text out;
    struct leat_node *result = NULL;
    unsigned before = x->in_value;

    leat_text_init(&out, MAX_TEXT);
    if (expand_text(x, n->text, level, &out) == 0) {
        result = make(x, LEAT_NODE_SCALAR, leat_text_get(&out), true);
        if (result != NULL && x->in_value == before) { /* dollars only */
            result->quoted = n->quoted;
            result->expanded = n->expanded;
        }
    }
    leat_text_done(&out);
    return result;
}

/* What the text means as YAML. A text that is no YAML, or that is a string, is taken as it is,
 * quotes and all: so does the collector, and so a password needs no escapes. */
static struct leat_node *typed(struct expander *x, const struct found *f, unsigned level,
                               unsigned depth)
{
    struct leat_tree_origin origin = {.source = f->source, .fixed = x->node->at, .quiet = true};
    const char *text = leat_text_get(&f->text);
    struct leat_node *n;

    n = leat_tree_read(&origin, text, f->text.len, x->arena, x->diags);
    if (n != NULL && f->source != NULL && n->kind >= LEAT_NODE_LIST) {
        origin.fixed.source = NULL; /* once more, with the file's own lines */
        leat_diags_source(x->diags, f->source, text, f->text.len);
        n = leat_tree_read(&origin, text, f->text.len, x->arena, x->diags);
    }
    if (n == NULL || (n->kind == LEAT_NODE_SCALAR && !leat_node_is_typed(n)))
        n = make(x, LEAT_NODE_SCALAR, text, n == NULL || n->quoted);
    return n == NULL ? NULL : expand_node(x, n, level + 1, depth, true);
}

static struct leat_node *whole(struct expander *x, const struct leat_node *n, unsigned level,
                               unsigned depth)
{
    struct found f = {.is_null = false};
    struct leat_node *result = NULL;

    leat_text_init(&f.text, MAX_TEXT);
    if (look_up(x, n->text, n->text + strlen(n->text) - 1, level, &f) == 0) {
        if (f.is_null)
            result = make(x, LEAT_NODE_NULL, "", false);
        else if (f.text.len == 0)
            result = make(x, LEAT_NODE_SCALAR, "", true);
        else
            result = typed(x, &f, level, depth);
    }
    leat_text_done(&f.text);
    return result;
}

static struct leat_node *expand_scalar(struct expander *x, struct leat_node *n, unsigned level,
                                       unsigned depth)
{
    struct leat_node *result;
    const char *end;

    if (strchr(n->text, '$') == NULL)
        return n;
    if (level == 0) {
        x->node = n;
        x->spot = n->text;
        x->in_value = 0;
    }
    end = n->text[0] == '$' && n->text[1] == '{' ? closing(n->text) : NULL;
    result = end != NULL && end[1] == '\0' ? whole(x, n, level, depth) : joined(x, n, level);
    if (result == NULL) {
        result = n; /* reported; later checks shall not stumble over the "${" */
        result->kind = LEAT_NODE_NULL;
        result->text = "";
        result->expanded = true;
    }
    result->key = n->key;
    return result;
}

/* Recursion ends at LEAT_TREE_DEPTH. */
static struct leat_node *expand_node(struct expander *x, struct leat_node *n, unsigned level,
                                     unsigned depth, bool expanded)
{
    if (depth > LEAT_TREE_DEPTH) {
        leat_diags_error(x->diags, n->at, "", NULL, "values are nested more than 64 deep");
        n->kind = LEAT_NODE_NULL;
        n->count = 0;
        return n;
    }
    n->expanded = n->expanded || expanded;
    if (n->kind == LEAT_NODE_SCALAR)
        return expand_scalar(x, n, level, depth);
    for (size_t i = 0; i < n->count; i++)
        n->items[i] = expand_node(x, n->items[i], level, depth + 1, expanded);
    return n;
}

struct leat_node *leat_expand(struct leat_node *root, struct leat_arena *arena,
                              struct leat_diags *diags)
{
    struct expander x = {.arena = arena, .diags = diags};

    return root == NULL ? NULL : expand_node(&x, root, 0, 0, false);
}
