/* What is wrong with a configuration: collected, put in the order of the sources, kept once. */
#include "config/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json_quote.h"
#include "base/mem.h"
#include "config/excerpt.h"
#include "config/manual.h"

#define MAX_DIAGS    1000 /* messages kept */
#define MAX_SENTENCE 1000 /* bytes of one */
#define MAX_JSON     (8 * 1024 * 1024)

struct source {
    char *name;
    char *text; /* NULL: none was given */
    size_t len;
};

struct entry {
    struct leat_diag diag;
    size_t source; /* its number; SIZE_MAX: nowhere */
};

struct leat_diags {
    struct entry *entries;
    size_t count, cap, errors, more; /* more: not kept */
    struct source *sources;
    size_t nsources;
};

struct leat_diags *leat_diags_new(void)
{
    return leat_new(sizeof(struct leat_diags));
}

static void entry_done(struct entry *e)
{
    leat_free((void *)(uintptr_t)e->diag.path);
    leat_free((void *)(uintptr_t)e->diag.text);
    leat_free((void *)(uintptr_t)e->diag.hint);
}

void leat_diags_free(struct leat_diags *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->count; i++)
        entry_done(&d->entries[i]);
    for (size_t i = 0; i < d->nsources; i++) {
        leat_free(d->sources[i].name);
        leat_free(d->sources[i].text);
    }
    leat_free(d->entries);
    leat_free(d->sources);
    leat_free(d);
}

static struct source *source_named(const struct leat_diags *d, const char *name)
{
    for (size_t i = 0; i < d->nsources; i++) {
        if (strcmp(d->sources[i].name, name) == 0)
            return &d->sources[i];
    }
    return NULL;
}

/* Sources are few: those of the command line, and files that were included. */
static struct source *source_add(struct leat_diags *d, const char *name)
{
    struct source *s = source_named(d, name);

    if (s != NULL)
        return s;
    d->sources = leat_renew(d->sources, (d->nsources + 1) * sizeof *d->sources);
    s = &d->sources[d->nsources++];
    *s = (struct source){.name = leat_strdup(name)};
    return s;
}

void leat_diags_source(struct leat_diags *d, const char *source, const char *text, size_t len)
{
    struct source *s = source_add(d, source);

    leat_free(s->text);
    s->text = leat_strndup(text, len);
    s->len = len;
}

const char *leat_diags_text(const struct leat_diags *d, const char *source, size_t *ret_len)
{
    const struct source *s = source == NULL ? NULL : source_named(d, source);

    if (s == NULL || s->text == NULL)
        return NULL;
    *ret_len = s->len;
    return s->text;
}

/* A copy that is safe on a terminal and in JSON: no control characters, well-formed, not endless.
 */
static char *clean(const char *text)
{
    size_t len = strnlen(text, MAX_SENTENCE + 1), out = 0;
    char *copy;

    if (len > MAX_SENTENCE) {
        len = MAX_SENTENCE;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    copy = leat_new(len + 4);
    for (size_t i = 0; i < len;) {
        size_t n = leat_excerpt_char(text + i, len - i);
        if (n == 0) {
            copy[out++] = '?';
            i++;
            continue;
        }
        memcpy(copy + out, text + i, n);
        out += n;
        i += n;
    }
    if (text[len] != '\0')
        memcpy(copy + out, "\xe2\x80\xa6", 3); /* … */
    return copy;
}

static int text_order(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b);
}

static int number_order(size_t a, size_t b)
{
    return a < b ? -1 : a > b;
}

/* By place; the order in which they were found decides between equals. */
static int place_order(const struct entry *a, const struct entry *b)
{
    int order = number_order(a->source, b->source);

    if (order == 0)
        order = number_order(a->diag.at.line, b->diag.at.line);
    if (order == 0)
        order = number_order(a->diag.at.column, b->diag.at.column);
    return order;
}

static int same(const struct entry *a, const struct entry *b)
{
    return place_order(a, b) == 0 && a->diag.is_error == b->diag.is_error &&
           strcmp(a->diag.text, b->diag.text) == 0 && strcmp(a->diag.path, b->diag.path) == 0 &&
           text_order(a->diag.hint, b->diag.hint) == 0;
}

static void insert(struct leat_diags *d, struct entry *e)
{
    size_t at = d->count;

    while (at > 0 && place_order(e, &d->entries[at - 1]) <= 0) {
        if (same(e, &d->entries[at - 1])) {
            entry_done(e);
            return;
        }
        if (place_order(e, &d->entries[at - 1]) == 0)
            break;
        at--;
    }
    for (size_t i = at; i > 0 && place_order(e, &d->entries[i - 1]) == 0; i--) {
        if (same(e, &d->entries[i - 1])) {
            entry_done(e);
            return;
        }
    }
    if (d->count == d->cap) {
        d->cap = d->cap == 0 ? 16 : d->cap * 2;
        d->entries = leat_renew(d->entries, d->cap * sizeof *d->entries);
    }
    memmove(&d->entries[at + 1], &d->entries[at], (d->count - at) * sizeof *d->entries);
    d->entries[at] = *e;
    d->count++;
    d->errors += e->diag.is_error != 0;
}

__attribute__((format(printf, 6, 0))) static void add(struct leat_diags *d, int is_error,
                                                      struct leat_place at, const char *path,
                                                      const char *hint, const char *fmt, va_list ap)
{
    struct entry e = {.diag = {.is_error = is_error, .at = at}, .source = SIZE_MAX};
    char text[MAX_SENTENCE + 8];

    if (d->count == MAX_DIAGS) {
        d->errors += is_error != 0;
        d->more++;
        return;
    }
    vsnprintf(text, sizeof text, fmt, ap);
    if (at.source != NULL) {
        struct source *s = source_add(d, at.source);
        e.source = (size_t)(s - d->sources);
        e.diag.at.source = s->name; /* names stay where they are when the table grows */
    }
    e.diag.path = clean(path == NULL ? "" : path);
    e.diag.text = clean(text);
    e.diag.hint = hint == NULL ? NULL : clean(hint);
    insert(d, &e);
}

void leat_diags_error(struct leat_diags *d, struct leat_place at, const char *path,
                      const char *hint, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(d, 1, at, path, hint, fmt, ap);
    va_end(ap);
}

void leat_diags_warn(struct leat_diags *d, struct leat_place at, const char *path, const char *hint,
                     const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(d, 0, at, path, hint, fmt, ap);
    va_end(ap);
}

size_t leat_diags_errors(const struct leat_diags *d)
{
    return d->errors;
}

size_t leat_diags_count(const struct leat_diags *d)
{
    return d->count;
}

const struct leat_diag *leat_diags_at(const struct leat_diags *d, size_t i)
{
    return &d->entries[i].diag;
}

static void print_one(const struct leat_diags *d, const struct entry *e, FILE *out, int colour)
{
    const struct leat_diag *diag = &e->diag;
    const char *bold = colour ? "\033[1m" : "", *off = colour ? "\033[0m" : "";
    const char *kind = !colour ? "" : diag->is_error ? "\033[1;31m" : "\033[1;35m";

    if (diag->at.source != NULL) {
        fprintf(out, "%s%s:", bold, diag->at.source);
        if (diag->at.line != 0)
            fprintf(out, "%u:", diag->at.line);
        if (diag->at.line != 0 && diag->at.column != 0)
            fprintf(out, "%u:", diag->at.column);
        fprintf(out, "%s ", off);
    }
    fprintf(out, "%s%s:%s %s\n", kind, diag->is_error ? "error" : "warning", off, diag->text);
    if (e->source != SIZE_MAX && d->sources[e->source].text != NULL && diag->at.line != 0)
        leat_excerpt_print(d->sources[e->source].text, d->sources[e->source].len, &diag->at, out,
                           colour);
    if (diag->hint != NULL)
        fprintf(out, "  %shint:%s %s\n", colour ? "\033[1;36m" : "", off, diag->hint);
}

void leat_diags_print(const struct leat_diags *d, FILE *out, int colour)
{
    for (size_t i = 0; i < d->count; i++)
        print_one(d, &d->entries[i], out, colour);
    if (d->more != 0)
        fprintf(out, "... and %zu more\n", d->more);
}

static void json_member(struct leat_text *t, const char *name, const char *value)
{
    leat_text_printf(t, "\"%s\":", name);
    if (value == NULL)
        leat_text_str(t, "null");
    else
        leat_json_quote(t, leat_bytes_str(value));
}

void leat_diags_print_json(const struct leat_diags *d, FILE *out)
{
    struct leat_text t;

    leat_text_init(&t, MAX_JSON);
    leat_text_char(&t, '[');
    for (size_t i = 0; i < d->count; i++) {
        const struct leat_diag *diag = &d->entries[i].diag;
        leat_text_str(&t, i == 0 ? "\n{" : ",\n{");
        json_member(&t, "severity", diag->is_error ? "error" : "warning");
        leat_text_char(&t, ',');
        json_member(&t, "source", diag->at.source);
        leat_text_printf(&t, ",\"line\":%u,\"column\":%u,", diag->at.line, diag->at.column);
        json_member(&t, "path", diag->path);
        leat_text_char(&t, ',');
        json_member(&t, "message", diag->text);
        leat_text_char(&t, ',');
        json_member(&t, "hint", diag->hint);
        leat_text_char(&t, '}');
    }
    leat_text_str(&t, d->count == 0 ? "]\n" : "\n]\n");
    fputs(leat_text_get(&t), out);
    leat_text_done(&t);
}
