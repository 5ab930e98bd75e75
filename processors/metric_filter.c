/* Which metrics a stage is for, by name and type. */
#include "processors/metric_filter.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define PATTERN_BYTES 4096u

enum { STRICT, REGEXP };
static const char *const match_types[] = {"strict", "regexp", NULL};
static const char *const metric_types[] = {"sum", "histogram", "exponentialhistogram", NULL};
static const enum leat_metric_type types_of[] = {LEAT_METRIC_SUM, LEAT_METRIC_HISTOGRAM,
                                                 LEAT_METRIC_EXPONENTIAL};

const struct leat_field leat_metric_filter_fields[] = {
    LEAT_STRINGS(struct leat_metric_filter_conf, metrics, NULL,
                 "Names of metrics, or regular expressions; match_type says which."),
    LEAT_ENUM(struct leat_metric_filter_conf, match_type, "strict", match_types,
              "How `metrics` are compared; must be written where there are some."),
    LEAT_STRINGS(struct leat_metric_filter_conf, metric_types, NULL, "Types of metrics.",
                 .choices = metric_types),
    LEAT_NO_EFFECT("regexp", "Leat keeps no cache of matches"),
    LEAT_END,
};

struct leat_metric_filter {
    const struct leat_metric_filter_conf *conf;
    regex_t *regexes; /* one for each of `metrics` */
};

/* --- from Go's syntax to POSIX' */

/* What a class of letters is inside brackets; NULL: `c` means none. */
static const char *class_of(char c)
{
    switch (c) {
    case 'd':
        return "0-9";
    case 'w':
        return "[:alnum:]_";
    case 's':
        return "[:space:]";
    default:
        return NULL;
    }
}

/* An escape. False: POSIX has no such thing. */
static bool put_escape(struct leat_text *out, char c, bool in_brackets)
{
    const char *class = class_of(c), *except = class_of((char)(c | 0x20));

    if (class != NULL)
        leat_text_printf(out, in_brackets ? "%s" : "[%s]", class);
    else if (except != NULL && !in_brackets)
        leat_text_printf(out, "[^%s]", except);
    else if (strchr(".+*?()|{}$\\/[", c) != NULL && c != '\0')
        leat_text_printf(out, in_brackets ? "%c" : "\\%c", c);
    else if (strchr("]^-_:", c) != NULL && c != '\0' && !in_brackets)
        leat_text_printf(out, c == ']' || c == '^' ? "\\%c" : "%c", c);
    else
        return false;
    return true;
}

/* From a '[' to its ']'. NULL: not in POSIX. */
static const char *put_brackets(const char *c, struct leat_text *out)
{
    leat_text_char(out, *c++);
    if (*c == '^')
        leat_text_char(out, *c++);
    if (*c == ']') /* the first one is a letter */
        leat_text_char(out, *c++);
    for (; *c != ']'; c++) {
        const char *end = c[0] == '[' && c[1] == ':' ? strstr(c, ":]") : NULL;
        if (*c == '\0')
            return NULL;
        if (*c == '\\') {
            if (!put_escape(out, *++c, true))
                return NULL;
        } else if (end != NULL) {
            leat_text_add(out, c, (size_t)(end + 2 - c));
            c = end + 1;
        } else {
            leat_text_char(out, *c);
        }
    }
    leat_text_char(out, ']');
    return c;
}

/* False: it cannot be said in POSIX' syntax; *at is where. */
static bool translate(const char **at, struct leat_text *out)
{
    bool repeats = false; /* what was just written is *, +, ? or } */

    for (const char *c = *at; *c != '\0'; c++) {
        bool lazy = repeats && *c == '?'; /* what matches is the same */
        *at = c;
        repeats = strchr("*+?}", *c) != NULL && !lazy;
        if (lazy)
            continue;
        if (*c == '\\') {
            if (!put_escape(out, *++c, false))
                return false;
        } else if (*c == '[') {
            c = put_brackets(c, out);
            if (c == NULL)
                return false;
        } else if (c[0] == '(' && c[1] == '?') {
            if (c[2] != ':')
                return false;
            leat_text_char(out, '(');
            c += 2;
        } else {
            leat_text_char(out, *c);
        }
    }
    return leat_text_ok(out);
}

/* Compiles it; false and `why`. */
static bool compile(const char *pattern, regex_t *ret, char *why, size_t size)
{
    int flags = REG_EXTENDED, result;
    const char *at = pattern;
    struct leat_text posix;

    if (strncmp(at, "(?i)", 4) == 0) {
        flags |= REG_ICASE;
        at += 4;
    }
    leat_text_init(&posix, PATTERN_BYTES);
    if (!translate(&at, &posix)) {
        snprintf(why, size, "Leat does not know what '%.20s' means", at);
        leat_text_done(&posix);
        return false;
    }
    result = regcomp(ret, leat_text_get(&posix), flags);
    leat_text_done(&posix);
    if (result != 0)
        regerror(result, ret, why, size);
    return result == 0;
}

/* --- settings */

static void check_patterns(const struct leat_metric_filter_conf *conf, const char *key,
                           struct leat_check *c)
{
    for (uint32_t i = 0; i < conf->metrics.count; i++) {
        char why[160];
        regex_t regex;
        if (compile(conf->metrics.items[i], &regex, why, sizeof why))
            regfree(&regex);
        else
            leat_check_error(c, key, "'%s' is no regular expression: %s", conf->metrics.items[i],
                             why);
    }
}

void leat_metric_filter_check(const struct leat_metric_filter_conf *conf, const char *key,
                              struct leat_check *c)
{
    char metrics[64], match_type[64];
    bool has_type;

    snprintf(metrics, sizeof metrics, "%s.metrics", key);
    snprintf(match_type, sizeof match_type, "%s.match_type", key);
    has_type = leat_check_written(c, match_type);
    if (conf->metrics.count > 0 && !has_type)
        leat_check_error(c, metrics, "need a match_type beside them: strict or regexp");
    if (conf->metrics.count == 0 && has_type)
        leat_check_error(c, match_type, "says how metrics are compared, but there are none");
    if (has_type && conf->match_type == REGEXP)
        check_patterns(conf, metrics, c);
}

/* --- the filter */

struct leat_metric_filter *leat_metric_filter_new(const struct leat_metric_filter_conf *conf)
{
    struct leat_metric_filter *f = leat_new(sizeof *f);
    char why[160];

    f->conf = conf;
    if (conf->match_type != REGEXP)
        return f;
    f->regexes = leat_new_array(conf->metrics.count, sizeof *f->regexes);
    for (uint32_t i = 0; i < conf->metrics.count; i++) {
        if (!compile(conf->metrics.items[i], &f->regexes[i], why, sizeof why))
            leat_out_of_memory(sizeof *f->regexes); /* the check has compiled it */
    }
    return f;
}

void leat_metric_filter_free(struct leat_metric_filter *f)
{
    if (f == NULL)
        return;
    for (uint32_t i = 0; f->regexes != NULL && i < f->conf->metrics.count; i++)
        regfree(&f->regexes[i]);
    leat_free(f->regexes);
    leat_free(f);
}

static bool has_name(const struct leat_metric_filter *f, struct leat_bytes name)
{
    regmatch_t all = {.rm_so = 0, .rm_eo = (regoff_t)name.len};

    for (uint32_t i = 0; i < f->conf->metrics.count; i++) {
        if (f->regexes == NULL ? leat_bytes_is(name, f->conf->metrics.items[i])
                               : regexec(&f->regexes[i], name.len ? (const char *)name.data : "", 1,
                                         &all, REG_STARTEND) == 0)
            return true;
        all = (regmatch_t){.rm_so = 0, .rm_eo = (regoff_t)name.len};
    }
    return false;
}

static bool has_type(const struct leat_metric_filter *f, enum leat_metric_type type)
{
    for (uint32_t i = 0; i < f->conf->metric_types.count; i++) {
        for (size_t k = 0; metric_types[k] != NULL; k++) {
            if (types_of[k] == type && strcmp(f->conf->metric_types.items[i], metric_types[k]) == 0)
                return true;
        }
    }
    return false;
}

bool leat_metric_filter_all(const struct leat_metric_filter *f, const struct leat_metric_head *head)
{
    return (f->conf->metrics.count == 0 || has_name(f, head->name)) &&
           (f->conf->metric_types.count == 0 || has_type(f, head->type));
}

bool leat_metric_filter_any(const struct leat_metric_filter *f, const struct leat_metric_head *head)
{
    return has_name(f, head->name) || has_type(f, head->type);
}
