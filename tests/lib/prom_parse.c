/* A strict reader of metric pages. */
#include "lib/prom_parse.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct prom_parsed *p;
    const char *at, *end;
    bool open;
    size_t line;
    size_t before; /* samples when the family began */
    bool begun;    /* the family has samples */
};

__attribute__((format(printf, 2, 3))) static bool bad(struct reader *r, const char *fmt, ...)
{
    va_list args;
    size_t n;

    if (r->p->error[0] != '\0')
        return false;
    n = (size_t)snprintf(r->p->error, sizeof r->p->error, "line %zu: ", r->line);
    va_start(args, fmt);
    vsnprintf(r->p->error + n, sizeof r->p->error - n, fmt, args);
    va_end(args);
    return false;
}

static char *copy(const char *from, size_t len)
{
    char *text = malloc(len + 1);

    memcpy(text, from, len);
    text[len] = '\0';
    return text;
}

static bool letter(char c, bool first, bool colon)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9') || (colon && c == ':');
}

static bool expect(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return bad(r, "'%c' expected", c);
    r->at++;
    return true;
}

static bool next_is(const struct reader *r, char c)
{
    return r->at < r->end && *r->at == c;
}

/* "…" with \\, \" and \n. A name without *ret_len. */
static char *quoted(struct reader *r, size_t *ret_len)
{
    char *out = malloc((size_t)(r->end - r->at) + 1);
    size_t n = 0;

    if (expect(r, '"')) {
        while (r->at < r->end && *r->at != '"' && *r->at != '\n') {
            char c = *r->at++;

            if (c == '\\' && r->at < r->end) {
                c = *r->at++;
                if (c != '\\' && c != '"' && c != 'n')
                    bad(r, "bad escape");
                c = c == 'n' ? '\n' : c;
            }
            out[n++] = c == '\0' && ret_len == NULL ? '\1' : c; /* names here end in a zero */
        }
        expect(r, '"');
    }
    out[n] = '\0';
    if (ret_len != NULL)
        *ret_len = n;
    return out;
}

static char *name(struct reader *r, bool colon)
{
    const char *from = r->at;

    while (r->at < r->end && letter(*r->at, r->at == from, colon))
        r->at++;
    if (r->at == from)
        bad(r, "a name expected");
    return copy(from, (size_t)(r->at - from));
}

static char *any_name(struct reader *r, bool colon)
{
    return next_is(r, '"') ? quoted(r, NULL) : name(r, colon);
}

static double number(struct reader *r)
{
    char text[64], *end;
    size_t n = 0;
    double v;

    while (r->at < r->end && *r->at != ' ' && *r->at != '\n' && n < sizeof text - 1)
        text[n++] = *r->at++;
    text[n] = '\0';
    v = strtod(text, &end);
    if (n == 0 || *end != '\0' || strpbrk(text, "xXpP") != NULL)
        bad(r, "not a number: '%s'", text);
    if ((isinf(v) && strcmp(text, "+Inf") != 0 && strcmp(text, "-Inf") != 0) ||
        (isnan(v) && strcmp(text, "NaN") != 0))
        bad(r, "not spelled right: '%s'", text);
    return v;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct prom_pair *)a)->name, ((const struct prom_pair *)b)->name);
}

/* After '{', up to and with '}'. `metric`: where a quoted name of the metric itself goes. */
static void labels(struct reader *r, struct prom_pair **ret, size_t *n, char **metric)
{
    size_t cap = 0;

    while (r->p->error[0] == '\0' && !next_is(r, '}')) {
        char *key = any_name(r, false);

        if (metric != NULL && *metric == NULL && *n == 0 && !next_is(r, '=')) {
            *metric = key;
        } else {
            if (*n == cap)
                *ret = realloc(*ret, (cap = cap * 2 + 4) * sizeof **ret);
            (*ret)[*n].name = key;
            expect(r, '=');
            (*ret)[*n].value = quoted(r, &(*ret)[*n].len);
            ++*n;
        }
        if (!next_is(r, '}'))
            expect(r, ',');
    }
    expect(r, '}');
    if (*n != 0)
        qsort(*ret, *n, sizeof **ret, by_name);
    for (size_t i = 1; i < *n; i++)
        if (strcmp((*ret)[i].name, (*ret)[i - 1].name) == 0)
            bad(r, "label %s stands twice", (*ret)[i].name);
}

/* --- families */

static struct prom_family *last(struct reader *r)
{
    return r->p->nfamilies != 0 ? &r->p->families[r->p->nfamilies - 1] : NULL;
}

static bool ends_family(struct reader *r);

/* The family that a "# HELP name" speaks of: the last one, or a new one. */
static struct prom_family *family(struct reader *r, char *which)
{
    struct prom_family *f = last(r);

    if (f != NULL && !r->begun && strcmp(f->name, which) == 0) {
        free(which);
        return f;
    }
    ends_family(r);
    for (size_t i = 0; i < r->p->nfamilies; i++)
        if (strcmp(r->p->families[i].name, which) == 0)
            bad(r, "family %s stands twice", which);
    if (f != NULL && !r->begun)
        bad(r, "family %s has no samples", f->name);
    r->p->families = realloc(r->p->families, (r->p->nfamilies + 1) * sizeof *f);
    f = &r->p->families[r->p->nfamilies++];
    *f = (struct prom_family){.name = which};
    r->begun = false;
    r->before = r->p->nsamples;
    return f;
}

static char *rest_of_line(struct reader *r)
{
    const char *from = r->at;

    while (r->at < r->end && *r->at != '\n')
        r->at++;
    return copy(from, (size_t)(r->at - from));
}

static void unescape_help(struct reader *r, char *text)
{
    char *to = text;

    for (const char *at = text; *at != '\0'; at++) {
        char c = *at;

        if (c == '"' && r->open)
            bad(r, "an unescaped quote in HELP");
        if (c == '\\') {
            c = *++at;
            if (c != '\\' && c != 'n' && !(r->open && c == '"'))
                bad(r, "bad escape in HELP");
            c = c == 'n' ? '\n' : c;
        }
        *to++ = c;
    }
    *to = '\0';
}

static bool type_known(const struct reader *r, const char *type)
{
    static const char *const text[] = {"gauge", "counter", "histogram", "summary", "untyped", NULL};
    static const char *const open[] = {"gauge",   "counter", "histogram", "summary",
                                       "unknown", "info",    NULL};

    for (const char *const *t = r->open ? open : text; *t != NULL; t++)
        if (strcmp(*t, type) == 0)
            return true;
    return false;
}

static void set_once(struct reader *r, char **where, char *value)
{
    if (*where != NULL)
        bad(r, "said twice: %s", value);
    free(*where);
    *where = value;
}

static void comment(struct reader *r)
{
    static const char *const words[] = {"# HELP ", "# TYPE ", "# UNIT "};
    struct prom_family *f;
    int which = -1;

    for (int i = 0; i < 3; i++)
        if ((size_t)(r->end - r->at) > 7 && memcmp(r->at, words[i], 7) == 0)
            which = i;
    if (which < 0 || (which == 2 && !r->open)) {
        bad(r, "not HELP, TYPE or UNIT");
        return;
    }
    r->at += 7;
    f = family(r, any_name(r, true));
    expect(r, ' ');
    if (which == 0) {
        set_once(r, &f->help, rest_of_line(r));
        unescape_help(r, f->help);
    } else if (which == 1) {
        set_once(r, &f->type, rest_of_line(r));
        if (!type_known(r, f->type))
            bad(r, "unknown type %s", f->type);
    } else {
        set_once(r, &f->unit, rest_of_line(r));
        if (strlen(f->name) <= strlen(f->unit) ||
            strcmp(f->name + strlen(f->name) - strlen(f->unit), f->unit) != 0)
            bad(r, "%s does not end in its unit", f->name);
    }
}

/* --- samples */

const char *prom_label(const struct prom_sample *s, const char *which)
{
    for (size_t i = 0; i < s->nlabels; i++)
        if (strcmp(s->labels[i].name, which) == 0)
            return s->labels[i].value;
    return NULL;
}

/* What of a sample's name follows the family's; NULL: it is not one of its. */
static const char *suffix_of(const struct prom_family *f, const char *sample)
{
    size_t n = strlen(f->name);

    return strncmp(sample, f->name, n) == 0 ? sample + n : NULL;
}

static bool one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static void check_name(struct reader *r, const struct prom_sample *s)
{
    static const char *const histogram[] = {"_bucket", "_sum", "_count", "_created", NULL};
    static const char *const summary[] = {"", "_sum", "_count", "_created", NULL};
    static const char *const counter[] = {"_total", "_created", NULL};
    static const char *const info[] = {"_info", NULL};
    static const char *const plain[] = {"", NULL};
    const struct prom_family *f = last(r);
    const char *suffix = f != NULL && f->type != NULL ? suffix_of(f, s->name) : NULL;
    const char *const *words = plain;

    if (suffix == NULL) {
        bad(r, "%s does not belong to the family before it", s->name);
        return;
    }
    if (strcmp(f->type, "histogram") == 0)
        words = histogram;
    else if (strcmp(f->type, "summary") == 0)
        words = summary;
    else if (r->open && strcmp(f->type, "counter") == 0)
        words = counter;
    else if (strcmp(f->type, "info") == 0)
        words = info;
    if (!one_of(suffix, words) || (!r->open && strcmp(suffix, "_created") == 0))
        bad(r, "%s is no sample of a %s", s->name, f->type);
    if ((strcmp(suffix, "_bucket") == 0 && words == histogram) != (prom_label(s, "le") != NULL) &&
        words == histogram)
        bad(r, "%s and le", s->name);
    if (words == summary && (*suffix == '\0') != (prom_label(s, "quantile") != NULL))
        bad(r, "%s and quantile", s->name);
    if (s->has_exemplar && !((words == histogram && strcmp(suffix, "_bucket") == 0) ||
                             (words == counter && strcmp(suffix, "_total") == 0)))
        bad(r, "%s must not have an exemplar", s->name);
}

static size_t characters(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += (*text & 0xc0) != 0x80;
    return n;
}

static void exemplar(struct reader *r, struct prom_sample *s)
{
    size_t sum = 0;

    r->at += 2;
    s->has_exemplar = true;
    if (!r->open)
        bad(r, "an exemplar in the text format");
    expect(r, ' ');
    expect(r, '{');
    labels(r, &s->exemplar_labels, &s->nexemplar_labels, NULL);
    for (size_t i = 0; i < s->nexemplar_labels; i++)
        sum += characters(s->exemplar_labels[i].name) + characters(s->exemplar_labels[i].value);
    if (sum > 128)
        bad(r, "an exemplar of %zu characters", sum);
    expect(r, ' ');
    s->exemplar_value = number(r);
    if (next_is(r, ' ')) {
        r->at++;
        s->exemplar_time = number(r);
    }
}

static void sample(struct reader *r)
{
    struct prom_sample s = {.family = r->p->nfamilies - 1};

    if (!next_is(r, '{'))
        s.name = name(r, true);
    if (next_is(r, '{')) {
        r->at++;
        labels(r, &s.labels, &s.nlabels, &s.name);
    }
    if (s.name == NULL)
        s.name = copy("", 0);
    expect(r, ' ');
    s.value = number(r);
    if (next_is(r, ' ') && r->end - r->at > 1 && r->at[1] != '#') {
        r->at++;
        s.has_time = true;
        s.time = number(r);
    }
    if (next_is(r, ' '))
        exemplar(r, &s);
    if (r->p->nsamples % 1024 == 0)
        r->p->samples = realloc(r->p->samples, (r->p->nsamples + 1024) * sizeof s);
    r->p->samples[r->p->nsamples++] = s;
    r->begun = true;
    check_name(r, &s);
}

/* --- a family as a whole */

static int compare_labels(const struct prom_sample *a, const struct prom_sample *b,
                          const char *skip)
{
    size_t i = 0, k = 0;
    int order;

    for (;; i++, k++) {
        if (skip != NULL && i < a->nlabels && strcmp(a->labels[i].name, skip) == 0)
            i++;
        if (skip != NULL && k < b->nlabels && strcmp(b->labels[k].name, skip) == 0)
            k++;
        if (i >= a->nlabels || k >= b->nlabels)
            return (i < a->nlabels) - (k < b->nlabels);
        order = strcmp(a->labels[i].name, b->labels[k].name);
        if (order == 0 && a->labels[i].len != b->labels[k].len)
            order = a->labels[i].len < b->labels[k].len ? -1 : 1;
        if (order == 0)
            order = memcmp(a->labels[i].value, b->labels[k].value, a->labels[i].len);
        if (order != 0)
            return order;
    }
}

static int by_series(const void *a, const void *b)
{
    const struct prom_sample *x = *(const struct prom_sample *const *)a,
                             *y = *(const struct prom_sample *const *)b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : compare_labels(x, y, NULL);
}

static void check_twice(struct reader *r)
{
    size_t n = r->p->nsamples;
    const struct prom_sample **all = malloc((n + 1) * sizeof *all);

    for (size_t i = 0; i < n; i++)
        all[i] = &r->p->samples[i];
    qsort(all, n, sizeof *all, by_series);
    for (size_t i = 1; i < n; i++)
        if (by_series(&all[i - 1], &all[i]) == 0)
            bad(r, "series %s stands twice with the same labels", all[i]->name);
    free(all);
}

/* Buckets in order, the last is +Inf and as much as the count. */
static bool ends_family(struct reader *r)
{
    const struct prom_family *f = last(r);
    const struct prom_sample *before = NULL;
    bool closed = true;

    if (f == NULL || f->type == NULL || strcmp(f->type, "histogram") != 0)
        return true;
    for (size_t i = r->before; i < r->p->nsamples; i++) {
        const struct prom_sample *s = &r->p->samples[i];
        const char *suffix = suffix_of(f, s->name), *le = prom_label(s, "le");

        if (suffix == NULL)
            return false;
        if (strcmp(suffix, "_bucket") == 0 && le != NULL) {
            if (before != NULL && !closed &&
                (compare_labels(before, s, "le") != 0 ||
                 strtod(le, NULL) <= strtod(prom_label(before, "le"), NULL)))
                return bad(r, "buckets of %s that do not rise", f->name);
            closed = strcmp(le, "+Inf") == 0;
            before = s;
        } else if (strcmp(suffix, "_count") == 0 &&
                   (before == NULL || !closed || before->value != s->value)) {
            return bad(r, "%s is not its +Inf bucket", s->name);
        }
    }
    return closed || bad(r, "%s has no +Inf bucket", f->name);
}

static void check_rising(struct reader *r)
{
    for (size_t i = 1; i < r->p->nsamples; i++) {
        const struct prom_sample *a = &r->p->samples[i - 1], *b = &r->p->samples[i];

        if (prom_label(a, "le") != NULL && prom_label(b, "le") != NULL &&
            strcmp(a->name, b->name) == 0 && compare_labels(a, b, "le") == 0 && b->value < a->value)
            bad(r, "counts of %s that fall", b->name);
    }
}

void prom_parse(struct prom_parsed *p, const char *text, size_t len, bool open, bool counts)
{
    struct reader r = {.p = p, .at = text, .end = text + len, .open = open};
    bool ended = false;

    memset(p, 0, sizeof *p);
    while (r.at < r.end && p->error[0] == '\0') {
        r.line++;
        if (ended)
            bad(&r, "something behind # EOF");
        else if (open && r.end - r.at >= 6 && memcmp(r.at, "# EOF\n", 6) == 0)
            ended = (r.at += 5, true);
        else if (*r.at == '#')
            comment(&r);
        else
            sample(&r);
        if (p->error[0] == '\0')
            expect(&r, '\n');
    }
    if (p->error[0] == '\0')
        ends_family(&r);
    if (open && !ended)
        bad(&r, "no # EOF");
    if (last(&r) != NULL && !r.begun)
        bad(&r, "family %s has no samples", last(&r)->name);
    if (p->error[0] == '\0')
        check_twice(&r);
    if (counts && p->error[0] == '\0')
        check_rising(&r);
}

static void free_pairs(struct prom_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(pairs[i].name);
        free(pairs[i].value);
    }
    free(pairs);
}

void prom_parsed_free(struct prom_parsed *p)
{
    for (size_t i = 0; i < p->nfamilies; i++) {
        free(p->families[i].name);
        free(p->families[i].type);
        free(p->families[i].help);
        free(p->families[i].unit);
    }
    for (size_t i = 0; i < p->nsamples; i++) {
        free(p->samples[i].name);
        free_pairs(p->samples[i].labels, p->samples[i].nlabels);
        free_pairs(p->samples[i].exemplar_labels, p->samples[i].nexemplar_labels);
    }
    free(p->families);
    free(p->samples);
    memset(p, 0, sizeof *p);
}

static bool has_labels(const struct prom_sample *s, const char *want)
{
    char text[4096];
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < s->nlabels && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s=%s", i != 0 ? "," : "",
                              s->labels[i].name, s->labels[i].value);
    return strcmp(text, want) == 0;
}

const struct prom_sample *prom_sample_find(const struct prom_parsed *p, const char *which,
                                           const char *want)
{
    for (size_t i = 0; i < p->nsamples; i++)
        if (strcmp(p->samples[i].name, which) == 0 && has_labels(&p->samples[i], want))
            return &p->samples[i];
    return NULL;
}

const struct prom_family *prom_family_find(const struct prom_parsed *p, const char *which)
{
    for (size_t i = 0; i < p->nfamilies; i++)
        if (strcmp(p->families[i].name, which) == 0)
            return &p->families[i];
    return NULL;
}
