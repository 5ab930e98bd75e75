/* The settings tables as a JSON Schema, for editors. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/json_quote.h"
#include "config/manual.h"
#include "config/units.h"
#include "config/value.h"

/* Values may be ${…} wherever they stand, so that no type can be told to be the only one. */
#define EXPANSION "{\"type\":\"string\",\"pattern\":\"\\\\$\\\\{.*\\\\}\"}"
#define DURATION  "^[-+]?([0-9]*(\\\\.[0-9]*)?(ns|us|\\u00b5s|\\u03bcs|ms|s|m|h))+$|^[-+]?0$"

static void schema_object(const struct leat_field *fields, const struct leat_scope *scope,
                          struct leat_text *out, unsigned depth);

/* Bounds of numbers; those of durations and sizes are checked by the program. */
static void put_bounds(const struct leat_field *f, struct leat_text *out)
{
    if (f->min != 0 || f->max != 0)
        leat_text_printf(out, ",\"minimum\":%.15g", f->min);
    else if (f->type == LEAT_F_UINT)
        leat_text_str(out, ",\"minimum\":0");
    if (f->max != 0 || f->min < 0)
        leat_text_printf(out, ",\"maximum\":%.15g", f->max);
}

static void put_words(const struct leat_field *f, struct leat_text *out)
{
    leat_text_str(out, "{\"enum\":[");
    for (size_t i = 0; f->choices[i] != NULL; i++) {
        leat_text_str(out, i == 0 ? "" : ",");
        leat_json_quote(out, leat_bytes_str(f->choices[i]));
    }
    leat_text_str(out, "]}");
}

/* A pattern that takes the words in any case, as the program does. */
static void put_any_case(const struct leat_field *f, struct leat_text *out)
{
    leat_text_str(out, ",{\"type\":\"string\",\"pattern\":\"^(");
    for (size_t i = 0; f->choices[i] != NULL; i++) {
        leat_text_str(out, i == 0 ? "" : "|");
        for (const char *p = f->choices[i]; *p != '\0'; p++) {
            if (*p >= 'a' && *p <= 'z')
                leat_text_printf(out, "[%c%c]", *p - 32, *p);
            else
                leat_text_char(out, *p);
        }
    }
    leat_text_str(out, ")$\"}");
}

static void put_texts(const struct leat_field *f, struct leat_text *out)
{
    leat_text_str(out, "{\"type\":\"array\",\"items\":");
    if (f->choices != NULL) {
        leat_text_str(out, "{\"anyOf\":[");
        put_words(f, out);
        leat_text_str(out, "," EXPANSION "]}");
    } else {
        leat_text_str(out, "{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]}");
    }
    leat_text_str(out, "},{\"type\":\"string\"}");
}

static void put_types(const struct leat_field *f, const struct leat_scope *scope,
                      struct leat_text *out, unsigned depth)
{
    struct leat_scope below = {.outer = scope, .field = f};

    switch (f->type) {
    case LEAT_F_BOOL:
        leat_text_str(out, "{\"type\":\"boolean\"}");
        break;
    case LEAT_F_UINT:
    case LEAT_F_INT:
    case LEAT_F_FLOAT:
        leat_text_printf(out, "{\"type\":\"%s\"", f->type == LEAT_F_FLOAT ? "number" : "integer");
        put_bounds(f, out);
        leat_text_char(out, '}');
        break;
    case LEAT_F_SIZE:
        leat_text_str(out, "{\"type\":\"integer\",\"minimum\":0},{\"type\":\"string\",\"pattern\":"
                           "\"^[0-9]+(\\\\.[0-9]+)? *([KMGTkmgt]([Ii]?[Bb]?)?|[Bb])?$\"}");
        break;
    case LEAT_F_DURATION:
        leat_text_str(out, "{\"const\":0},{\"type\":\"string\",\"pattern\":\"" DURATION "\"}");
        break;
    case LEAT_F_ENUM:
        put_words(f, out);
        put_any_case(f, out);
        break;
    case LEAT_F_STRINGS:
        put_texts(f, out);
        break;
    case LEAT_F_MAP:
        leat_text_str(out, "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\","
                           "\"number\",\"boolean\",\"null\"]}},{\"type\":\"array\",\"items\":{"
                           "\"type\":\"object\",\"required\":[\"name\",\"value\"]}}");
        break;
    case LEAT_F_LIST:
        leat_text_str(out, "{\"type\":\"array\",\"items\":");
        schema_object(f->group, NULL, out, depth + 1);
        leat_text_char(out, '}');
        break;
    case LEAT_F_GROUP:
        schema_object(f->group, &below, out, depth + 1);
        break;
    default:
        leat_text_str(out, "{\"type\":[\"string\",\"number\",\"boolean\"]}");
        break;
    }
}

/* The default as JSON where it is a plain value. */
static void put_default(const struct leat_field *f, const struct leat_scope *scope,
                        struct leat_text *out)
{
    char buf[256];
    const char *def = f->type >= LEAT_F_GROUP && f->type != LEAT_F_STRINGS
                          ? NULL
                          : leat_value_default(scope, f, buf, sizeof buf);
    int64_t whole;
    double number;

    if (def == NULL || f->type == LEAT_F_STRINGS)
        return;
    leat_text_str(out, ",\"default\":");
    if (f->type == LEAT_F_BOOL)
        leat_text_str(out, strchr("tT", *def) != NULL ? "true" : "false");
    else if (f->type == LEAT_F_FLOAT && leat_parse_float(def, &number) == 0)
        leat_text_printf(out, "%.15g", number);
    else if (f->type <= LEAT_F_INT && leat_parse_int(def, &whole) == 0)
        leat_text_printf(out, "%lld", (long long)whole);
    else
        leat_json_quote(out, leat_bytes_str(def));
}

static void put_property(const struct leat_field *f, const char *name,
                         const struct leat_scope *scope, struct leat_text *out, unsigned depth)
{
    bool anything = f->type == LEAT_F_NODE;

    leat_json_quote(out, leat_bytes_str(name));
    leat_text_str(out, ":{\"description\":");
    leat_json_quote(out, leat_bytes_str(f->doc));
    put_default(f, scope, out);
    if ((f->flags & (LEAT_DEPRECATED | LEAT_IGNORED)) != 0 || strcmp(name, f->name) != 0)
        leat_text_str(out, ",\"deprecated\":true");
    if (!anything) {
        leat_text_str(out, ",\"anyOf\":[");
        put_types(f, scope, out, depth);
        leat_text_str(out, "," EXPANSION);
        leat_text_str(out, leat_value_is_required(scope, f) ? "]" : ",{\"type\":\"null\"}]");
    }
    leat_text_char(out, '}');
}

static void put_properties(const struct leat_field *fields, const struct leat_scope *scope,
                           struct leat_text *out, unsigned depth, bool *first)
{
    for (const struct leat_field *f = fields; f->name != NULL; f++) {
        struct leat_scope below = {.outer = scope, .field = f};
        const char *const spellings[] = {f->name, f->alias};
        if (f->type == LEAT_F_INLINE) {
            put_properties(f->group, &below, out, depth, first);
            continue;
        }
        for (size_t i = 0; i < 2 && spellings[i] != NULL; i++) {
            leat_text_str(out, *first ? "" : ",");
            *first = false;
            put_property(f, spellings[i], scope, out, depth);
        }
    }
}

/* A required setting with an older spelling may come by either: left to the program. */
static void put_required(const struct leat_field *fields, const struct leat_scope *scope,
                         struct leat_text *out, bool *first)
{
    for (const struct leat_field *f = fields; f->name != NULL; f++) {
        struct leat_scope below = {.outer = scope, .field = f};
        if (f->type == LEAT_F_INLINE) {
            put_required(f->group, &below, out, first);
        } else if (leat_value_is_required(scope, f) && f->alias == NULL) {
            leat_text_str(out, *first ? ",\"required\":[" : ",");
            *first = false;
            leat_json_quote(out, leat_bytes_str(f->name));
        }
    }
}

static void schema_object(const struct leat_field *fields, const struct leat_scope *scope,
                          struct leat_text *out, unsigned depth)
{
    bool first = true;

    LEAT_CHECK(depth < LEAT_TABLE_DEPTH);
    leat_text_str(out, "{\"type\":\"object\",\"properties\":{");
    put_properties(fields, scope, out, depth, &first);
    leat_text_char(out, '}');
    first = true;
    put_required(fields, scope, out, &first);
    leat_text_str(out, first ? "" : "]");
    leat_text_str(out, ",\"additionalProperties\":false}");
}

void leat_manual_schema(const struct leat_field *fields, struct leat_text *out)
{
    schema_object(fields, NULL, out, 0);
}
