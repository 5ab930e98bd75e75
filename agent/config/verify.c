/* Whether a settings table contradicts itself: for tests and debug builds. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "config/schema.h"
#include "config/suggest.h"
#include "config/value.h"

#define MAX_ARENA 65536 /* bytes of defaults tried out */

struct verify {
    struct leat_arena arena;
    struct leat_err *err;
};

static int verify_table(struct verify *v, const struct leat_field *fields,
                        const struct leat_scope *scope, unsigned depth);

static size_t count_name(const struct leat_field *fields, const char *name)
{
    size_t n = 0;

    for (const struct leat_field *f = fields; f->name != NULL; f++) {
        if (f->type == LEAT_F_INLINE && f->group != NULL)
            n += count_name(f->group, name);
        else if (f->type != LEAT_F_INLINE)
            n += (strcmp(f->name, name) == 0) + (f->alias != NULL && strcmp(f->alias, name) == 0);
    }
    return n;
}

/* INLINE tables are checked against all names of the level they stand in. */
static int verify_names(struct verify *v, const struct leat_field *top,
                        const struct leat_field *fields)
{
    for (const struct leat_field *f = fields; f->name != NULL; f++) {
        if (f->type == LEAT_F_INLINE) {
            if (verify_names(v, top, f->group) != 0)
                return -1;
            continue;
        }
        if (count_name(top, f->name) != 1 || (f->alias != NULL && count_name(top, f->alias) != 1))
            return leat_fail(v->err, "two settings are named '%s'", f->name);
    }
    return 0;
}

/* The field that a dotted path of an override means. */
static const struct leat_field *field_at(const struct leat_field *fields, const char *path,
                                         size_t len)
{
    const char *dot = memchr(path, '.', len);
    size_t n = dot == NULL ? len : (size_t)(dot - path);

    for (const struct leat_field *f = fields; f->name != NULL; f++) {
        if (f->type == LEAT_F_INLINE) {
            const struct leat_field *found = field_at(f->group, path, len);
            if (found != NULL)
                return found;
        } else if (strlen(f->name) == n && memcmp(f->name, path, n) == 0) {
            if (dot == NULL)
                return f;
            return f->type == LEAT_F_GROUP ? field_at(f->group, dot + 1, len - n - 1) : NULL;
        }
    }
    return NULL;
}

static int verify_overrides(struct verify *v, const struct leat_field *group)
{
    const char *p = group->def;

    while (p != NULL && *p != '\0') {
        size_t item = strcspn(p, " "), path = strcspn(p, "= ");
        if (p[path] != '=' || field_at(group->group, p, path) == NULL)
            return leat_fail(v->err, "'%s': the default '%.*s' is for no setting of it",
                             group->name, (int)item, p);
        p += item;
        p += strspn(p, " ");
    }
    return 0;
}

static int verify_default(struct verify *v, const struct leat_field *f,
                          const struct leat_scope *scope)
{
    union {
        uint64_t number;
        double real;
        const char *text;
        struct leat_strings words;
    } member;
    char buf[256];
    const char *def = leat_value_default(scope, f, buf, sizeof buf);
    struct leat_err why;

    if (def == NULL)
        return 0;
    if (leat_value_parse(f, def, &member, &v->arena, &why) != 0)
        return leat_fail(v->err, "the default of '%s' %s", f->name, why.text);
    return 0;
}

static int verify_group(struct verify *v, const struct leat_field *f,
                        const struct leat_scope *scope, unsigned depth)
{
    struct leat_scope below = {.outer = scope, .field = f};

    if (f->group == NULL)
        return leat_fail(v->err, "'%s' has no table", f->name);
    if (f->type == LEAT_F_LIST)
        return f->item_size == 0 ? leat_fail(v->err, "'%s' has no item size", f->name)
                                 : verify_table(v, f->group, NULL, depth + 1);
    return verify_overrides(v, f) != 0 ? -1 : verify_table(v, f->group, &below, depth + 1);
}

static int verify_field(struct verify *v, const struct leat_field *f,
                        const struct leat_scope *scope, unsigned depth)
{
    if (f->doc == NULL || *f->doc == '\0')
        return leat_fail(v->err, "'%s' has no sentence for the manual", f->name);
    if (f->offset == SIZE_MAX)
        return f->flags & LEAT_IGNORED ? 0 : leat_fail(v->err, "'%s' has no member", f->name);
    if (f->min > f->max && f->max != 0)
        return leat_fail(v->err, "'%s' has bounds that exclude everything", f->name);
    switch (f->type) {
    case LEAT_F_GROUP:
    case LEAT_F_INLINE:
    case LEAT_F_LIST:
        return verify_group(v, f, scope, depth);
    case LEAT_F_MAP:
    case LEAT_F_NODE:
        return f->def == NULL ? 0 : leat_fail(v->err, "'%s' cannot have a default", f->name);
    case LEAT_F_ENUM:
        if (f->choices == NULL || f->choices[0] == NULL)
            return leat_fail(v->err, "'%s' has no words to choose from", f->name);
        return verify_default(v, f, scope);
    default:
        return verify_default(v, f, scope);
    }
}

static int verify_table(struct verify *v, const struct leat_field *fields,
                        const struct leat_scope *scope, unsigned depth)
{
    if (depth >= LEAT_TABLE_DEPTH)
        return leat_fail(v->err, "tables are nested more than %d deep", LEAT_TABLE_DEPTH);
    for (const struct leat_field *f = fields; f->name != NULL; f++) {
        if (verify_field(v, f, scope, depth) != 0)
            return -1;
    }
    if (scope != NULL && scope->field->type == LEAT_F_INLINE)
        return 0; /* its names were checked with the table it is in */
    return verify_names(v, fields, fields);
}

int leat_schema_verify(const struct leat_field *fields, struct leat_err *err)
{
    struct verify v = {.err = err};
    int result;

    leat_arena_init(&v.arena, MAX_ARENA);
    result = verify_table(&v, fields, NULL, 0);
    leat_arena_done(&v.arena);
    return result;
}
