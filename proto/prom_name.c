/* Metric names as Prometheus wants them, made of OTLP names and units. */
#include "proto/prom_name.h"

#include <string.h>

#include "base/text.h"

bool leat_prom_strategy_of(const char *text, enum leat_prom_strategy *ret)
{
    static const char *const names[] = {
        [LEAT_PROM_ESCAPE_SUFFIXES] = "UnderscoreEscapingWithSuffixes",
        [LEAT_PROM_ESCAPE] = "UnderscoreEscapingWithoutSuffixes",
        [LEAT_PROM_UTF8_SUFFIXES] = "NoUTF8EscapingWithSuffixes",
        [LEAT_PROM_UTF8] = "NoTranslation",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum leat_prom_strategy)i;
            return true;
        }
    }
    return false;
}

/* --- text */

static bool is_legal(uint8_t c)
{
    return leat_prom_alnum(c) || c == ':';
}

void leat_prom_add_utf8(struct leat_text *out, struct leat_bytes text)
{
    size_t from = 0, at = 0;

    if (leat_bytes_utf8(text)) {
        leat_text_add(out, text.data, text.len);
        return;
    }
    while (at < text.len) {
        size_t len = leat_utf8_len(leat_bytes(text.data + at, text.len - at));
        at += len;
        if (len != 0)
            continue;
        leat_text_add(out, text.data + from, at - from);
        leat_text_str(out, "\xef\xbf\xbd");
        from = ++at;
    }
    leat_text_add(out, text.data + from, at - from);
}

/* Takes back what was added after the first `len` bytes. */
static void cut_back(struct leat_text *t, size_t len)
{
    t->len = len;
    if (t->data != NULL)
        t->data[len] = '\0';
}

static struct leat_bytes since(const struct leat_text *t, size_t start)
{
    return t->len == start ? leat_bytes(NULL, 0) : leat_bytes(t->data + start, t->len - start);
}

/* Begins the next word of a name that stands at `start`. */
static void separate(struct leat_text *t, size_t start)
{
    if (t->len != start)
        leat_text_char(t, '_');
}

/* --- units */

struct pair {
    const char *unit, *word;
};

/* https://ucum.org/ucum. "Ti" is what upstream says. */
static const struct pair units[] = {
    {"d", "days"},
    {"h", "hours"},
    {"min", "minutes"},
    {"s", "seconds"},
    {"ms", "milliseconds"},
    {"us", "microseconds"},
    {"ns", "nanoseconds"},
    {"By", "bytes"},
    {"KiBy", "kibibytes"},
    {"MiBy", "mebibytes"},
    {"GiBy", "gibibytes"},
    {"TiBy", "tibibytes"},
    {"KBy", "kilobytes"},
    {"MBy", "megabytes"},
    {"GBy", "gigabytes"},
    {"TBy", "terabytes"},
    {"m", "meters"},
    {"V", "volts"},
    {"A", "amperes"},
    {"J", "joules"},
    {"W", "watts"},
    {"g", "grams"},
    {"Cel", "celsius"},
    {"Hz", "hertz"},
    {"1", ""},
    {"%", "percent"},
};
static const struct pair per_units[] = {
    {"s", "second"}, {"m", "minute"}, {"h", "hour"}, {"d", "day"},
    {"w", "week"},   {"mo", "month"}, {"y", "year"},
};

/* The length of the white space (Unicode's) that `s` begins with, 0 when it does not. */
static size_t space_len(struct leat_bytes s)
{
    static const char *const wide[] = {"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80",
                                       "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
                                       "\xe2\x81\x9f", "\xe3\x80\x80"};

    if (s.len == 0)
        return 0;
    if (s.data[0] < 0x80)
        return s.data[0] == ' ' || (s.data[0] >= '\t' && s.data[0] <= '\r');
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        size_t len = strlen(wide[i]);
        if (s.len >= len && memcmp(s.data, wide[i], len) == 0)
            return len;
    }
    /* U+2000 to U+200A */
    return s.len >= 3 && s.data[0] == 0xe2 && s.data[1] == 0x80 && s.data[2] >= 0x80 &&
                   s.data[2] <= 0x8a
               ? 3
               : 0;
}

static struct leat_bytes trim(struct leat_bytes s)
{
    size_t len;

    while ((len = space_len(s)) != 0)
        s = leat_bytes(s.data + len, s.len - len);
    for (len = 1; len <= 3 && len <= s.len; len++) {
        if (space_len(leat_bytes(s.data + s.len - len, len)) == len) {
            s.len -= len;
            len = 0;
        }
    }
    return s;
}

/* One side of a unit as a word; empty when it says nothing or has braces. */
static struct leat_bytes side_of(struct leat_bytes unit, const struct pair *words, size_t count)
{
    unit = trim(unit);
    if (unit.len == 0 || memchr(unit.data, '{', unit.len) || memchr(unit.data, '}', unit.len))
        return leat_bytes(NULL, 0);
    for (size_t i = 0; i < count; i++) {
        if (leat_bytes_is(unit, words[i].unit))
            return leat_bytes_str(words[i].word);
    }
    return unit;
}

/* "main/per", each side in words where there is one for it, else as it is. */
struct sides {
    struct leat_bytes main, per;
};

static struct sides sides_of(struct leat_bytes unit)
{
    const uint8_t *slash = unit.len != 0 ? memchr(unit.data, '/', unit.len) : NULL;
    size_t len = slash != NULL ? (size_t)(slash - unit.data) : unit.len;
    struct sides s = {{NULL, 0}, {NULL, 0}};

    s.main = side_of(leat_bytes(unit.data, len), units, sizeof units / sizeof *units);
    if (slash != NULL)
        s.per = side_of(leat_bytes(slash + 1, unit.len - len - 1), per_units,
                        sizeof per_units / sizeof *per_units);
    return s;
}

/* Each run of what is not legal as one _, none in front. A last one stays. */
static void add_clean(struct leat_text *t, struct leat_bytes side)
{
    bool gap = true;

    for (size_t i = 0; i < side.len; i++) {
        bool legal = is_legal(side.data[i]);
        if (legal || !gap)
            leat_text_char(t, legal ? (char)side.data[i] : '_');
        gap = !legal;
    }
}

static void drop_last(struct leat_text *t, size_t start, char c)
{
    if (t->len > start && t->data[t->len - 1] == c)
        cut_back(t, t->len - 1);
}

static void drop_first(struct leat_text *t, size_t start, char c)
{
    if (t->len == start || t->data[start] != c)
        return;
    memmove(t->data + start, t->data + start + 1, t->len - start - 1);
    cut_back(t, t->len - 1);
}

void leat_prom_unit(enum leat_prom_strategy strategy, struct leat_bytes unit, struct leat_text *out)
{
    void (*add)(struct leat_text *, struct leat_bytes) =
        leat_prom_strategy_is_utf8(strategy) ? leat_prom_add_utf8 : add_clean;
    struct sides s = sides_of(unit);
    size_t start = out->len;

    add(out, s.main);
    if (s.per.len != 0) {
        separate(out, start);
        leat_text_str(out, "per_");
        add(out, s.per);
    }
    drop_first(out, start, '_');
    drop_last(out, start, '_');
}

/* --- escaped names */

/* The next run of legal characters in `rest`; false: there is none. */
static bool next_word(struct leat_bytes *rest, bool underscores, struct leat_bytes *ret)
{
    const uint8_t *at = rest->data, *end = rest->len != 0 ? at + rest->len : at, *from;

    while (at < end && !is_legal(*at) && !(underscores && *at == '_'))
        at++;
    for (from = at; at < end && (is_legal(*at) || (underscores && *at == '_'));)
        at++;
    *ret = leat_bytes(from, (size_t)(at - from));
    *rest = leat_bytes(at, (size_t)(end - at));
    return ret->len != 0;
}

static bool has_word(struct leat_bytes name, struct leat_bytes word)
{
    struct leat_bytes one;

    while (next_word(&name, false, &one)) {
        if (leat_bytes_eq(one, word))
            return true;
    }
    return false;
}

/* Its words in one, with an _ between them. */
static void add_words(struct leat_text *out, struct leat_bytes text)
{
    struct leat_bytes word;
    bool more = false;

    for (; next_word(&text, true, &word); more = true) {
        if (more)
            leat_text_char(out, '_');
        leat_text_add(out, word.data, word.len);
    }
}

static bool has_legal(struct leat_bytes text)
{
    struct leat_bytes word;

    return next_word(&text, false, &word);
}

/* The first side of the unit, unless the name has that word already. */
static void add_main_unit(struct leat_text *out, size_t start, const struct leat_prom_metric *m,
                          const struct sides *s)
{
    size_t before = out->len, word;

    if (!has_legal(s->main))
        return;
    separate(out, start);
    word = out->len;
    add_clean(out, s->main);
    if (has_word(m->name, since(out, word))) {
        cut_back(out, before);
        return;
    }
    if (has_legal(s->per))
        drop_last(out, word, '_');
    if (m->monotonic && leat_bytes_is(since(out, word), "total"))
        cut_back(out, before);
}

/* The unit's words after the name's. Upstream looks for "per_second" among the single words of the
 * name too, where it can never be. */
static void add_unit(struct leat_text *out, size_t start, const struct leat_prom_metric *m)
{
    struct sides s = sides_of(m->unit);

    add_main_unit(out, start, m, &s);
    if (!has_legal(s.per))
        return;
    separate(out, start);
    leat_text_str(out, "per_");
    add_clean(out, s.per);
    drop_last(out, start, '_');
}

static void add_with_suffixes(const struct leat_prom_naming *naming,
                              const struct leat_prom_metric *m, struct leat_text *out)
{
    const char *last = m->monotonic                              ? "total"
                       : m->gauge && leat_bytes_is(m->unit, "1") ? "ratio"
                                                                 : "";
    struct leat_bytes rest = m->name, word;
    size_t start = out->len;

    add_words(out, naming->namespace);
    while (next_word(&rest, false, &word)) {
        if (*last != '\0' && leat_bytes_is(word, last))
            continue;
        separate(out, start);
        leat_text_add(out, word.data, word.len);
    }
    add_unit(out, start, m);
    if (*last != '\0') {
        separate(out, start);
        leat_text_str(out, last);
    }
}

static void add_without_suffixes(const struct leat_prom_naming *naming,
                                 const struct leat_prom_metric *m, struct leat_text *out)
{
    if (naming->namespace.len != 0) {
        add_words(out, naming->namespace);
        leat_text_char(out, '_');
    }
    add_words(out, m->name);
}

/* A name may not begin with a digit. */
static void lead(struct leat_text *out, size_t start)
{
    if (out->len == start || out->data[start] < '0' || out->data[start] > '9')
        return;
    leat_text_char(out, '_');
    if (!leat_text_ok(out))
        return;
    memmove(out->data + start + 1, out->data + start, out->len - 1 - start);
    out->data[start] = '_';
}

bool leat_prom_only_underscores(struct leat_bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] != '_')
            return false;
    }
    return true;
}

/* --- names in UTF-8 */

static bool ends_with(struct leat_bytes name, struct leat_bytes with)
{
    return name.len >= with.len &&
           (with.len == 0 || memcmp(name.data + name.len - with.len, with.data, with.len) == 0);
}

/* Takes `word` off the end, and the character before it whatever it is, unless nothing is left. */
static void take_off(struct leat_text *out, size_t start, struct leat_bytes word)
{
    struct leat_bytes name = since(out, start);

    if (word.len == 0 || !ends_with(name, word) || name.len == word.len)
        return;
    name.len -= word.len + 1;
    while (name.len != 0 && (name.data[name.len] & 0xc0) == 0x80)
        name.len--; /* Leat: the whole of it */
    if (name.len != 0)
        cut_back(out, start + name.len);
}

/* The same for "per_" and the unit. */
static void take_off_per(struct leat_text *out, size_t start, struct leat_bytes per)
{
    struct leat_bytes name = since(out, start);

    if (per.len == 0 || !ends_with(name, per))
        return;
    name.len -= per.len;
    if (!ends_with(name, leat_bytes_str("per_")))
        return;
    take_off(out, start, leat_bytes(name.data + name.len - 4, per.len + 4));
}

static void add_utf8_suffixes(const struct leat_prom_metric *m, struct leat_text *out, size_t start)
{
    const char *last = m->monotonic                              ? "total"
                       : m->gauge && leat_bytes_is(m->unit, "1") ? "ratio"
                                                                 : "";
    struct sides s = sides_of(m->unit);

    take_off(out, start, leat_bytes_str(last));
    take_off_per(out, start, s.per);
    if (!ends_with(since(out, start), s.main)) {
        leat_text_char(out, '_');
        leat_prom_add_utf8(out, s.main);
    }
    if (s.per.len != 0) {
        leat_text_str(out, "_per_");
        leat_prom_add_utf8(out, s.per);
    }
    if (*last != '\0') {
        leat_text_char(out, '_');
        leat_text_str(out, last);
    }
}

static void add_utf8_name(const struct leat_prom_naming *naming, const struct leat_prom_metric *m,
                          struct leat_text *out)
{
    size_t start = out->len;

    if (naming->namespace.len != 0) {
        leat_prom_add_utf8(out, naming->namespace);
        leat_text_char(out, '_');
    }
    leat_prom_add_utf8(out, m->name);
    if (naming->strategy == LEAT_PROM_UTF8_SUFFIXES && leat_text_ok(out))
        add_utf8_suffixes(m, out, start);
}

/* --- all of them */

bool leat_prom_name(const struct leat_prom_naming *naming, const struct leat_prom_metric *metric,
                    struct leat_text *out)
{
    size_t start = out->len;
    struct leat_bytes made;
    bool escaped = !leat_prom_strategy_is_utf8(naming->strategy);

    if (!escaped)
        add_utf8_name(naming, metric, out);
    else if (naming->strategy == LEAT_PROM_ESCAPE_SUFFIXES)
        add_with_suffixes(naming, metric, out);
    else
        add_without_suffixes(naming, metric, out);
    if (escaped && leat_text_ok(out))
        lead(out, start);
    made = since(out, start);
    if (leat_text_ok(out) && made.len != 0 &&
        (!escaped || leat_bytes_eq(made, metric->name) || !leat_prom_only_underscores(made)))
        return true;
    cut_back(out, start);
    return false;
}

bool leat_prom_info_name(const struct leat_prom_naming *naming, struct leat_text *out)
{
    struct leat_prom_naming plain = {
        leat_prom_strategy_is_utf8(naming->strategy) ? LEAT_PROM_UTF8 : LEAT_PROM_ESCAPE,
        naming->namespace};
    struct leat_prom_metric info = {.name = leat_bytes_str("target_info")};

    return leat_prom_name(&plain, &info, out);
}
