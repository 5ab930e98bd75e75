/* One setting: its text to its member, and back. */
#include "config/value.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "config/document.h"
#include "config/units.h"

#define SHOWN 60 /* characters of a wrong value that a message repeats */

/* --- defaults */

/* "a=1 b.c=2": the value of `path`. */
static bool override_of(const char *def, const char *path, char *buf, size_t size)
{
    size_t len = strlen(path);

    while (def != NULL && *def != '\0') {
        size_t item = strcspn(def, " ");
        if (item > len && memcmp(def, path, len) == 0 && def[len] == '=') {
            size_t n = item - len - 1;
            LEAT_CHECK(n < size);
            memcpy(buf, def + len + 1, n);
            buf[n] = '\0';
            return true;
        }
        def += item;
        def += strspn(def, " ");
    }
    return false;
}

const char *leat_value_default(const struct leat_scope *scope, const struct leat_field *field,
                               char *buf, size_t size)
{
    const char *found = field->def;
    char path[256];
    size_t at = sizeof path - strlen(field->name) - 1;

    memcpy(path + at, field->name, strlen(field->name) + 1);
    for (; scope != NULL && scope->field != NULL; scope = scope->outer) {
        size_t len = strlen(scope->field->name);
        if (override_of(scope->field->def, path + at, buf, size))
            found = buf;
        if (scope->field->type == LEAT_F_INLINE)
            continue;
        LEAT_CHECK(at > len);
        path[at - 1] = '.';
        at -= len + 1;
        memcpy(path + at, scope->field->name, len);
    }
    return found;
}

int leat_value_defaults(const struct leat_field *fields, const struct leat_scope *outer, void *conf,
                        struct leat_arena *arena)
{
    char buf[256];
    struct leat_err err;

    for (const struct leat_field *f = fields; f->name != NULL; f++) {
        const char *def;
        char *member;
        if (f->offset == SIZE_MAX || f->type == LEAT_F_MAP || f->type == LEAT_F_LIST ||
            f->type == LEAT_F_NODE)
            continue;
        member = (char *)conf + f->offset;
        if (f->type == LEAT_F_GROUP || f->type == LEAT_F_INLINE) {
            struct leat_scope scope = {.outer = outer, .field = f};
            if (leat_value_defaults(f->group, &scope, member, arena) != 0)
                return -1;
            continue;
        }
        def = leat_value_default(outer, f, buf, sizeof buf);
        if (def == NULL)
            continue;
        if (leat_value_parse(f, def, member, arena, &err) != 0)
            return -1;
    }
    return 0;
}

/* --- parsing */

const char *leat_value_expected(const struct leat_field *field)
{
    switch (field->type) {
    case LEAT_F_BOOL:
        return "true or false";
    case LEAT_F_UINT:
    case LEAT_F_INT:
        return "a whole number";
    case LEAT_F_FLOAT:
        return "a number";
    case LEAT_F_SIZE:
        return "a size such as '64KiB' or a number of bytes";
    case LEAT_F_DURATION:
        return "a duration such as '10s'";
    case LEAT_F_STRING:
        return "a text";
    case LEAT_F_ENUM:
        return "one word";
    case LEAT_F_STRINGS:
        return "a list of texts";
    case LEAT_F_LIST:
        return "a list of mappings";
    default:
        return "a mapping";
    }
}

static int not_expected(const struct leat_field *f, const char *text, struct leat_err *err)
{
    size_t len = strnlen(text, SHOWN + 1);

    if (f->flags & LEAT_SECRET)
        return leat_fail(err, "must be %s", leat_value_expected(f));
    if (len > SHOWN) {
        len = SHOWN;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    return leat_fail(err, "must be %s, found '%.*s%s'", leat_value_expected(f), (int)len, text,
                     text[len] == '\0' ? "" : "\xe2\x80\xa6");
}

static const char *bound_text(const struct leat_field *f, double bound, char *buf, size_t size)
{
    if (f->type == LEAT_F_DURATION)
        return leat_format_duration((int64_t)bound, buf, size);
    if (f->type == LEAT_F_SIZE)
        return leat_format_size((uint64_t)bound, buf, size);
    snprintf(buf, size, "%.15g", bound);
    return buf;
}

/* A bound of 0 counts only beside one that is not: min 1, max 0 has no upper bound. */
static int check_bounds(const struct leat_field *f, const char *text, double value,
                        struct leat_err *err)
{
    char buf[48];
    bool low = f->min != 0 || f->max != 0, high = f->max != 0 || f->min < 0;
    const char *unit = f->unit == NULL || f->type == LEAT_F_SIZE ? "" : f->unit;
    const char *blank = *unit == '\0' ? "" : " ";

    if (low && value < f->min)
        return leat_fail(err, "must be at least %s%s%s, found %s",
                         bound_text(f, f->min, buf, sizeof buf), blank, unit, text);
    if (high && value > f->max)
        return leat_fail(err, "must be at most %s%s%s, found %s",
                         bound_text(f, f->max, buf, sizeof buf), blank, unit, text);
    return 0;
}

/* Whole numbers, also those written as 1e3 or 10.0. */
static int parse_whole(const char *text, int64_t *ret)
{
    double v;

    if (leat_parse_int(text, ret) == 0)
        return 0;
    if (leat_parse_float(text, &v) != 0 || v != floor(v) || fabs(v) > 9007199254740992.0)
        return -1;
    *ret = (int64_t)v;
    return 0;
}

static int parse_number(const struct leat_field *f, const char *text, void *member,
                        struct leat_err *err)
{
    int64_t whole;
    uint64_t bytes;
    double v;

    if (f->type == LEAT_F_FLOAT) {
        if (leat_parse_float(text, &v) != 0)
            return not_expected(f, text, err);
        *(double *)member = v;
        return check_bounds(f, text, v, err);
    }
    if (f->type == LEAT_F_SIZE) {
        if (leat_parse_size(text, &bytes) != 0)
            return not_expected(f, text, err);
        *(uint64_t *)member = bytes;
        return check_bounds(f, text, (double)bytes, err);
    }
    if (f->type == LEAT_F_DURATION) {
        if (leat_parse_duration(text, &whole) != 0)
            return not_expected(f, text, err);
        *(int64_t *)member = whole;
        return check_bounds(f, text, (double)whole, err);
    }
    if (parse_whole(text, &whole) != 0)
        return not_expected(f, text, err);
    if (f->type == LEAT_F_INT) {
        *(int64_t *)member = whole;
    } else if (whole < 0) {
        return leat_fail(err, "must not be negative, found %s", text);
    } else if (whole > UINT32_MAX) {
        return leat_fail(err, "must be at most %u, found %s",
                         f->max == 0 ? UINT32_MAX : (unsigned)f->max, text);
    } else {
        *(uint32_t *)member = (uint32_t)whole;
    }
    return check_bounds(f, text, (double)whole, err);
}

static int parse_word(const struct leat_field *f, const char *text, int *member,
                      struct leat_err *err)
{
    char list[300];
    size_t at = 0;

    for (int i = 0; f->choices[i] != NULL; i++) {
        if (strcasecmp(f->choices[i], text) == 0) {
            *member = i;
            return 0;
        }
        if (at < sizeof list)
            at += (size_t)snprintf(list + at, sizeof list - at, "%s'%s'", i == 0 ? "" : ", ",
                                   f->choices[i]);
    }
    return leat_fail(err, "must be one of %s, found '%.60s'", list, text);
}

/* "a, b" */
static int parse_words(const char *text, struct leat_strings *member, struct leat_arena *arena)
{
    uint32_t n = 1;

    *member = (struct leat_strings){0};
    if (*text == '\0')
        return 0;
    for (const char *p = text; *p != '\0'; p++)
        n += *p == ',';
    member->items = leat_arena_take(arena, n * sizeof(const char *));
    if (member->items == NULL)
        return -1;
    for (;;) {
        size_t len = strcspn(text, ","), from = strspn(text, " "), to = len;
        while (to > from && text[to - 1] == ' ')
            to--;
        member->items[member->count] = leat_arena_str(arena, leat_bytes(text + from, to - from));
        if (member->items[member->count++] == NULL)
            return -1;
        if (text[len] == '\0')
            return 0;
        text += len + 1;
    }
}

int leat_value_parse(const struct leat_field *f, const char *text, void *member,
                     struct leat_arena *arena, struct leat_err *err)
{
    const char **string = member;
    int truth;

    switch (f->type) {
    case LEAT_F_BOOL:
        if (leat_parse_bool(text, &truth) != 0)
            return not_expected(f, text, err);
        *(bool *)member = truth != 0;
        return 0;
    case LEAT_F_STRING:
        *string = leat_arena_str(arena, leat_bytes_str(text));
        return *string != NULL ? 0 : leat_fail(err, "is too large");
    case LEAT_F_ENUM:
        return parse_word(f, text, member, err);
    case LEAT_F_STRINGS:
        return parse_words(text, member, arena) == 0 ? 0 : leat_fail(err, "is too large");
    case LEAT_F_UINT:
    case LEAT_F_INT:
    case LEAT_F_FLOAT:
    case LEAT_F_SIZE:
    case LEAT_F_DURATION:
        return parse_number(f, text, member, err);
    default:
        return leat_fail(err, "must be %s", leat_value_expected(f));
    }
}

bool leat_value_is_required(const struct leat_scope *scope, const struct leat_field *field)
{
    char buf[256];
    const char *def;

    if ((field->flags & LEAT_REQUIRED) == 0)
        return false;
    def = leat_value_default(scope, field, buf, sizeof buf);
    return def == NULL || *def == '\0';
}

/* --- printing */

static bool plain(const char *text)
{
    int64_t whole;
    double number;
    int truth;

    if (*text == '\0' || strchr("-?:,[]{}#&*!|>'\"%@`~ $=<", *text) != NULL ||
        text[strlen(text) - 1] == ' ' || text[strlen(text) - 1] == ':')
        return false;
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7f || c >= 0x80 || strchr(",[]{}$", c) != NULL ||
            (c == ':' && p[1] == ' ') || (c == ' ' && p[1] == '#'))
            return false;
    }
    return leat_parse_bool(text, &truth) != 0 && leat_parse_int(text, &whole) != 0 &&
           leat_parse_float(text, &number) != 0 && strcmp(text, "null") != 0 &&
           strcmp(text, "Null") != 0 && strcmp(text, "NULL") != 0;
}

void leat_value_yaml(const char *text, struct leat_text *out)
{
    if (plain(text)) {
        leat_text_str(out, text);
        return;
    }
    leat_text_char(out, '"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            leat_text_printf(out, "\\%c", c);
        else if (c == '\n')
            leat_text_str(out, "\\n");
        else if (c == '\t')
            leat_text_str(out, "\\t");
        else if (c == '$')
            leat_text_str(out, "$$"); /* or it would be expanded when read again */
        else if (c < 0x20 || c == 0x7f)
            leat_text_printf(out, "\\x%02x", c);
        else
            leat_text_char(out, (char)c);
    }
    leat_text_char(out, '"');
}

static void print_words(const struct leat_strings *words, struct leat_text *out)
{
    leat_text_char(out, '[');
    for (uint32_t i = 0; i < words->count; i++) {
        leat_text_str(out, i == 0 ? "" : ", ");
        leat_value_yaml(words->items[i], out);
    }
    leat_text_char(out, ']');
}

void leat_value_print(const struct leat_field *f, const void *member, struct leat_text *out)
{
    const char *const *string = member;
    char buf[48];

    switch (f->type) {
    case LEAT_F_BOOL:
        leat_text_str(out, *(const bool *)member ? "true" : "false");
        break;
    case LEAT_F_UINT:
        leat_text_printf(out, "%u", *(const uint32_t *)member);
        break;
    case LEAT_F_INT:
        leat_text_printf(out, "%lld", (long long)*(const int64_t *)member);
        break;
    case LEAT_F_FLOAT:
        leat_text_printf(out, "%.15g", *(const double *)member);
        break;
    case LEAT_F_SIZE:
        leat_text_str(out, leat_format_size(*(const uint64_t *)member, buf, sizeof buf));
        break;
    case LEAT_F_DURATION:
        leat_text_str(out, leat_format_duration(*(const int64_t *)member, buf, sizeof buf));
        break;
    case LEAT_F_STRING:
        if (*string == NULL)
            leat_text_str(out, "null");
        else
            leat_value_yaml(*string, out);
        break;
    case LEAT_F_ENUM:
        leat_value_yaml(f->choices[*(const int *)member], out);
        break;
    case LEAT_F_STRINGS:
        print_words(member, out);
        break;
    default:
        break;
    }
}
