/* The settings tables as documents: Markdown, JSON Schema, a commented sample. */
#include "config/manual.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "config/units.h"
#include "config/value.h"

#define MAX_KEY 256

/* --- words for one setting */

static const char *type_name(const struct leat_field *f)
{
    switch (f->type) {
    case LEAT_F_BOOL:
        return "bool";
    case LEAT_F_UINT:
    case LEAT_F_INT:
        return "int";
    case LEAT_F_FLOAT:
        return "float";
    case LEAT_F_SIZE:
        return "size";
    case LEAT_F_DURATION:
        return "duration";
    case LEAT_F_STRING:
    case LEAT_F_ENUM:
        return "string";
    case LEAT_F_STRINGS:
        return "list of strings";
    case LEAT_F_MAP:
        return "map of strings";
    case LEAT_F_LIST:
        return "list";
    case LEAT_F_GROUP:
        return "map";
    default:
        return "any";
    }
}

static void put_bound(const struct leat_field *f, double bound, struct leat_text *out)
{
    char buf[48];

    if (f->type == LEAT_F_DURATION)
        leat_text_str(out, leat_format_duration((int64_t)bound, buf, sizeof buf));
    else if (f->type == LEAT_F_SIZE)
        leat_text_str(out, leat_format_size((uint64_t)bound, buf, sizeof buf));
    else
        leat_text_printf(out, "%.15g", bound);
}

/* " At least 1, at most 10." */
static void put_bounds(const struct leat_field *f, struct leat_text *out)
{
    bool low = f->min != 0 || f->max != 0, high = f->max != 0 || f->min < 0;

    if (low) {
        leat_text_str(out, " At least ");
        put_bound(f, f->min, out);
    }
    if (high) {
        leat_text_str(out, ", at most ");
        put_bound(f, f->max, out);
    }
    if (low || high)
        leat_text_char(out, '.');
}

static void put_notes(const struct leat_field *f, const struct leat_scope *scope,
                      struct leat_text *out)
{
    leat_text_str(out, f->doc);
    put_bounds(f, out);
    for (size_t i = 0; f->choices != NULL && f->choices[i] != NULL; i++)
        leat_text_printf(out, "%s`%s`", i == 0 ? " One of " : ", ", f->choices[i]);
    if (f->choices != NULL)
        leat_text_char(out, '.');
    if (leat_value_is_required(scope, f))
        leat_text_str(out, " Required.");
    if (f->flags & LEAT_SECRET)
        leat_text_str(out, " Shown masked.");
    if (f->flags & LEAT_AUTH)
        leat_text_str(out, " Names an extension.");
    if (f->flags & LEAT_DEPRECATED)
        leat_text_str(out, " Deprecated.");
    if (f->flags & LEAT_IGNORED)
        leat_text_str(out, " Accepted without effect.");
    if (f->alias != NULL)
        leat_text_printf(out, " Also written `%s`.", f->alias);
}

/* --- walking */

struct writer {
    struct leat_text *out;
    void (*field)(struct writer *w, const struct leat_field *f, const struct leat_scope *scope,
                  const char *key, unsigned depth);
    int indent;
};

/* Calls w->field for every setting of one level, INLINE ones among them. */
static void each(struct writer *w, const struct leat_field *fields, const struct leat_scope *scope,
                 const char *above, unsigned depth)
{
    char key[MAX_KEY];

    LEAT_CHECK(depth < LEAT_TABLE_DEPTH);
    for (const struct leat_field *f = fields; f->name != NULL; f++) {
        struct leat_scope below = {.outer = scope, .field = f};
        if (f->type == LEAT_F_INLINE) {
            each(w, f->group, &below, above, depth + 1);
            continue;
        }
        snprintf(key, sizeof key, "%s%s%s", above, *above == '\0' ? "" : ".", f->name);
        w->field(w, f, scope, key, depth);
    }
}

/* --- Markdown */

/* In a table cell "|" ends the cell. */
static void put_cell(const char *text, struct leat_text *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            leat_text_char(out, '\\');
        leat_text_char(out, *text == '\n' ? ' ' : *text);
    }
}

static void markdown_default(const struct leat_field *f, const struct leat_scope *scope,
                             struct leat_text *out)
{
    char buf[256];
    const char *def = leat_value_default(scope, f, buf, sizeof buf);
    bool group = f->type == LEAT_F_GROUP;

    if (def == NULL || group) {
        leat_text_str(out, group && f->present != 0 ? "off" : "");
        return;
    }
    leat_text_char(out, '`');
    put_cell(*def == '\0' ? "\"\"" : def, out);
    leat_text_char(out, '`');
}

static void markdown_field(struct writer *w, const struct leat_field *f,
                           const struct leat_scope *scope, const char *key, unsigned depth)
{
    struct leat_scope below = {.outer = scope, .field = f};
    struct leat_text notes;
    char item[MAX_KEY];

    leat_text_printf(w->out, "| `%s` | %s%s%s | ", key, type_name(f), f->unit == NULL ? "" : ", ",
                     f->unit == NULL ? "" : f->unit);
    markdown_default(f, scope, w->out);
    leat_text_str(w->out, " | ");
    leat_text_init(&notes, 4096);
    put_notes(f, scope, &notes);
    put_cell(leat_text_get(&notes), w->out);
    leat_text_done(&notes);
    leat_text_str(w->out, " |\n");
    snprintf(item, sizeof item, "%s%s", key, f->type == LEAT_F_LIST ? "[]" : "");
    if (f->type == LEAT_F_GROUP)
        each(w, f->group, &below, item, depth + 1);
    else if (f->type == LEAT_F_LIST)
        each(w, f->group, NULL, item, depth + 1);
}

void leat_manual_fields(const struct leat_field *fields, struct leat_text *out)
{
    struct writer w = {.out = out, .field = markdown_field};

    leat_text_str(out, "| key | type | default | meaning |\n|---|---|---|---|\n");
    each(&w, fields, NULL, "", 0);
}

/* --- sample */

/* Long sentences run on: a comment of one line is easier to take out than one of three. */
static void sample_comment(const struct writer *w, const struct leat_field *f,
                           const struct leat_scope *scope)
{
    struct leat_text notes;

    leat_text_init(&notes, 4096);
    put_notes(f, scope, &notes);
    leat_text_printf(w->out, "%*s# ", w->indent, "");
    for (const char *p = leat_text_get(&notes); *p != '\0'; p++)
        leat_text_char(w->out, *p == '\n' ? ' ' : *p);
    leat_text_char(w->out, '\n');
    leat_text_done(&notes);
}

static void sample_words(const char *def, struct leat_text *out)
{
    char word[128];

    leat_text_char(out, '[');
    while (*def != '\0') {
        size_t len = strcspn(def, ","), from = strspn(def, " ");
        snprintf(word, sizeof word, "%.*s", (int)(len - from), def + from);
        leat_value_yaml(word, out);
        def += len;
        if (*def == ',') {
            leat_text_str(out, ", ");
            def++;
        }
    }
    leat_text_char(out, ']');
}

static void sample_value(const struct writer *w, const struct leat_field *f, const char *def)
{
    bool text = f->type == LEAT_F_STRING || f->type == LEAT_F_ENUM;

    leat_text_char(w->out, ' ');
    if (f->type == LEAT_F_STRINGS)
        sample_words(def == NULL ? "" : def, w->out);
    else if (f->type == LEAT_F_MAP)
        leat_text_str(w->out, "{}");
    else if (f->type == LEAT_F_LIST)
        leat_text_str(w->out, "[]");
    else if (def == NULL)
        leat_text_str(w->out, "null");
    else if (text)
        leat_value_yaml(def, w->out);
    else
        leat_text_str(w->out, def);
    leat_text_char(w->out, '\n');
}

/* What switches something on by standing there, and what has no effect, is only a comment. */
static void sample_field(struct writer *w, const struct leat_field *f,
                         const struct leat_scope *scope, const char *key, unsigned depth)
{
    struct leat_scope below = {.outer = scope, .field = f};
    bool commented =
        f->present != 0 || (f->flags & LEAT_DEPRECATED) != 0 || leat_value_is_required(scope, f);
    char buf[256];

    if (f->flags & LEAT_IGNORED)
        return;
    sample_comment(w, f, scope);
    leat_text_printf(w->out, "%*s%s%s:", w->indent, "", commented ? "# " : "", f->name);
    if (commented || f->type != LEAT_F_GROUP) {
        if (f->type == LEAT_F_GROUP)
            leat_text_char(w->out, '\n');
        else
            sample_value(w, f, leat_value_default(scope, f, buf, sizeof buf));
        return;
    }
    leat_text_char(w->out, '\n');
    w->indent += 2;
    each(w, f->group, &below, key, depth + 1);
    w->indent -= 2;
}

void leat_manual_sample(const struct leat_field *fields, int indent, struct leat_text *out)
{
    struct writer w = {.out = out, .field = sample_field, .indent = indent};

    each(&w, fields, NULL, "", 0);
}
