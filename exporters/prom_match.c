/* Prometheus' selectors: reading them, and choosing families and series by them. */
#include "exporters/prom_match.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "exporters/prom_regex.h"

#define SELECTORS_MAX ((size_t)32)
#define MATCHERS_MAX  ((size_t)16)   /* of one */
#define SELECTOR_MAX  ((size_t)4096) /* bytes of one */
#define VALUE_MAX     ((size_t)4096) /* longer values match no expression */

enum op { EQUAL, NOT_EQUAL, LIKE, NOT_LIKE };

struct matcher {
    enum op op;
    struct leat_bytes label, value;  /* in the text of the match */
    struct leat_scrape_regex *regex; /* of LIKE and NOT_LIKE */
};

struct selector {
    struct matcher *matchers;
    size_t n;
    bool fits; /* the family that was asked for last */
};

struct leat_scrape_match {
    struct selector selectors[SELECTORS_MAX];
    size_t n;
    struct leat_text value;                /* of a label, unescaped */
    size_t steps;                          /* of expressions, so far */
    struct leat_text texts[SELECTORS_MAX]; /* what the matchers point into */
};

/* --- reading */

struct reader {
    struct leat_bytes in;
    size_t at;
    struct leat_text *out; /* what is read goes here, each with a NUL behind it */
    struct selector *s;
    struct leat_err *err;
};

static int fail(struct reader *r, const char *what)
{
    size_t n = r->in.len < 100 ? r->in.len : 100;

    return leat_fail(r->err, "match[]=%.*s: %s at character %zu", (int)n, (const char *)r->in.data,
                     what, r->at + 1);
}

static int peek(struct reader *r)
{
    while (r->at < r->in.len && strchr(" \t\r\n", r->in.data[r->at]) != NULL &&
           r->in.data[r->at] != '\0')
        r->at++;
    return r->at < r->in.len ? r->in.data[r->at] : -1;
}

static struct leat_bytes kept(struct reader *r, size_t from)
{
    struct leat_bytes b = leat_bytes(r->out->data + from, r->out->len - from);

    leat_text_char(r->out, '\0');
    return b;
}

static int read_name(struct reader *r, bool label, struct leat_bytes *ret)
{
    size_t from = r->at;

    while (r->at < r->in.len &&
           leat_scrape_is_plain(leat_bytes(r->in.data + from, r->at + 1 - from), label))
        r->at++;
    if (r->at == from)
        return fail(r, label ? "a label's name is missing" : "a name is missing");
    leat_text_add(r->out, r->in.data + from, r->at - from);
    *ret = kept(r, r->out->len - (r->at - from));
    return 0;
}

static int unescape(struct reader *r, int c)
{
    static const char from[] = "abfnrtv\\\"'", to[] = "\a\b\f\n\r\t\v\\\"'";
    const char *at = c > 0 ? strchr(from, c) : NULL;

    if (at == NULL)
        return fail(r, "an escape that is not known here");
    leat_text_char(r->out, to[at - from]);
    return 0;
}

/* "…", '…' with escapes, or `…` without. */
static int read_string(struct reader *r, struct leat_bytes *ret)
{
    size_t from = r->out->len;
    int quote = peek(r), c;

    if (quote != '"' && quote != '\'' && quote != '`')
        return fail(r, "a value in quotes is missing");
    for (r->at++; r->at < r->in.len && (c = r->in.data[r->at]) != quote; r->at++) {
        if (c == '\0')
            return fail(r, "a zero byte");
        if (c != '\\' || quote == '`')
            leat_text_char(r->out, (char)c);
        else if (++r->at == r->in.len || unescape(r, r->in.data[r->at]) < 0)
            return r->at == r->in.len ? fail(r, "an unfinished string") : -1;
    }
    if (r->at == r->in.len)
        return fail(r, "an unfinished string");
    r->at++;
    *ret = kept(r, from);
    return 0;
}

static int read_op(struct reader *r, enum op *ret)
{
    static const char *const ops[] = {"=", "!=", "=~", "!~"};
    int found = -1;

    peek(r);
    for (int i = 0; i < 4; i++) {
        size_t n = strlen(ops[i]);

        if (r->in.len - r->at >= n && memcmp(r->in.data + r->at, ops[i], n) == 0 &&
            (found < 0 || n == 2))
            found = i;
    }
    if (found < 0)
        return fail(r, "one of = != =~ !~ is missing");
    r->at += strlen(ops[found]);
    *ret = (enum op)found;
    return 0;
}

static int add_matcher(struct reader *r, const struct matcher *m)
{
    if (r->s->n == MATCHERS_MAX)
        return fail(r, "too many matchers");
    r->s->matchers[r->s->n++] = *m;
    return 0;
}

static int finish(struct reader *r, struct matcher *m)
{
    const char *why;

    if (m->op == LIKE || m->op == NOT_LIKE) {
        m->regex = leat_scrape_regex_new(m->value, &why);
        if (m->regex == NULL)
            return fail(r, why);
    }
    if (add_matcher(r, m) == 0)
        return 0;
    leat_scrape_regex_free(m->regex);
    return -1;
}

/* name op "value", or the metric's own name in quotes. */
static int read_matcher(struct reader *r)
{
    struct matcher m = {.op = EQUAL};
    int c = peek(r);
    bool quoted = c == '"' || c == '\'' || c == '`';

    if ((quoted ? read_string(r, &m.label) : read_name(r, true, &m.label)) < 0)
        return -1;
    c = peek(r);
    if (quoted && (c == ',' || c == '}')) {
        m.value = m.label;
        m.label = leat_bytes_str("__name__");
        return finish(r, &m);
    }
    if (read_op(r, &m.op) < 0 || read_string(r, &m.value) < 0)
        return -1;
    return finish(r, &m);
}

static int read_braces(struct reader *r)
{
    r->at++;
    while (peek(r) != '}') {
        if (peek(r) < 0)
            return fail(r, "} is missing");
        if (read_matcher(r) < 0)
            return -1;
        if (peek(r) == ',')
            r->at++;
        else if (peek(r) != '}')
            return fail(r, ", or } is missing");
    }
    r->at++;
    return 0;
}

static bool matches(const struct matcher *m, struct leat_bytes value, size_t *steps);

/* Prometheus refuses selectors that everything fits. */
static bool says_something(const struct selector *s)
{
    size_t steps = 0;

    for (size_t i = 0; i < s->n; i++)
        if (!matches(&s->matchers[i], leat_bytes(NULL, 0), &steps))
            return true;
    return false;
}

static int read_selector(struct reader *r)
{
    struct matcher m = {.op = EQUAL, .label = leat_bytes_str("__name__")};

    if (peek(r) != '{' && (read_name(r, false, &m.value) < 0 || add_matcher(r, &m) < 0))
        return -1;
    if (peek(r) == '{' && read_braces(r) < 0)
        return -1;
    if (peek(r) >= 0)
        return fail(r, "something behind the selector");
    if (!says_something(r->s))
        return fail(r, "at least one matcher must not fit the empty value");
    return leat_text_ok(r->out) ? 0 : leat_fail(r->err, "no memory for a selector");
}

/* As forms are encoded: a plus is a blank. */
static void decode(struct leat_text *out, struct leat_bytes in)
{
    while (in.len != 0) {
        const uint8_t *plus = memchr(in.data, '+', in.len);
        size_t n = plus != NULL ? (size_t)(plus - in.data) : in.len;

        leat_text_percent_decode(out, leat_bytes(in.data, n));
        if (plus != NULL)
            leat_text_char(out, ' ');
        in = plus != NULL ? leat_bytes(plus + 1, in.len - n - 1) : leat_bytes(NULL, 0);
    }
}

static int add_selector(struct leat_scrape_match *m, struct leat_bytes encoded,
                        struct leat_err *err)
{
    struct leat_text plain;
    struct reader r = {.out = &m->texts[m->n], .s = &m->selectors[m->n], .err = err};
    int rc = -1;

    if (m->n == SELECTORS_MAX)
        return leat_fail(err, "more than %zu match[] parameters", SELECTORS_MAX);
    leat_text_init(&plain, SELECTOR_MAX);
    decode(&plain, encoded);
    /* Nothing that is read is longer than it was written: the room does not move. */
    leat_text_init(r.out, 2 * SELECTOR_MAX + 64);
    r.s->matchers = leat_try_zeroed(MATCHERS_MAX * sizeof *r.s->matchers);
    m->n++;
    if (!leat_text_ok(&plain))
        leat_fail(err, "a match[] parameter of more than %zu bytes", SELECTOR_MAX);
    else if (r.s->matchers == NULL || !leat_text_reserve(r.out, 2 * SELECTOR_MAX))
        leat_fail(err, "no memory for a selector");
    else {
        r.in = leat_text_bytes(&plain);
        rc = read_selector(&r);
    }
    leat_text_done(&plain);
    return rc;
}

/* Each character may be written as %XX. */
static bool is_match_key(struct leat_bytes key)
{
    static const char want[] = "match[]";
    size_t at = 0;

    for (const char *w = want; *w != '\0'; w++) {
        uint8_t c = at < key.len ? key.data[at] : 0;

        if (c == '%' && key.len - at >= 3 &&
            leat_hex_decode(leat_bytes(key.data + at + 1, 2), &c) == 1)
            at += 2;
        if (c != (uint8_t)*w)
            return false;
        at++;
    }
    return at == key.len;
}

static struct leat_bytes cut(struct leat_bytes *rest, char end)
{
    const uint8_t *at = rest->len != 0 ? memchr(rest->data, end, rest->len) : NULL;
    size_t n = at != NULL ? (size_t)(at - rest->data) : rest->len;
    struct leat_bytes first = leat_bytes(rest->data, n);

    *rest = at != NULL ? leat_bytes(at + 1, rest->len - n - 1) : leat_bytes(NULL, 0);
    return first;
}

int leat_scrape_match_new(struct leat_bytes query, struct leat_scrape_match **ret,
                          struct leat_err *err)
{
    struct leat_scrape_match *m = NULL;

    *ret = NULL;
    while (query.len != 0) {
        struct leat_bytes value = cut(&query, '&'), key = cut(&value, '=');

        if (!is_match_key(key))
            continue;
        if (m == NULL)
            m = leat_try_zeroed(sizeof *m);
        if (m == NULL)
            return leat_fail(err, "no memory for selectors");
        leat_text_init(&m->value, VALUE_MAX);
        if (add_selector(m, value, err) < 0) {
            leat_scrape_match_free(m);
            return -1;
        }
    }
    *ret = m;
    return 0;
}

void leat_scrape_match_free(struct leat_scrape_match *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->n; i++) {
        for (size_t k = 0; k < m->selectors[i].n; k++)
            leat_scrape_regex_free(m->selectors[i].matchers[k].regex);
        leat_free(m->selectors[i].matchers);
        leat_text_done(&m->texts[i]);
    }
    leat_text_done(&m->value);
    leat_free(m);
}

/* --- choosing */

static bool matches(const struct matcher *m, struct leat_bytes value, size_t *steps)
{
    bool fits;

    if (m->regex == NULL)
        return leat_bytes_eq(m->value, value) == (m->op == EQUAL);
    fits = value.len <= VALUE_MAX && leat_scrape_regex_match(m->regex, value, steps);
    return fits == (m->op == LIKE);
}

static bool is_name(const struct matcher *m)
{
    return leat_bytes_is(m->label, "__name__");
}

static bool fits_name(struct leat_scrape_match *m, const struct selector *s, struct leat_bytes name)
{
    for (size_t i = 0; i < s->n; i++)
        if (is_name(&s->matchers[i]) && !matches(&s->matchers[i], name, &m->steps))
            return false;
    return true;
}

/* Under any of the names its samples have. */
static bool fits_family(struct leat_scrape_match *m, struct selector *s,
                        const struct leat_scrape_family *f)
{
    static const char *const suffixes[] = {"_sum", "_count", "_bucket"};
    size_t n = f->kind == LEAT_SCRAPE_HISTOGRAM ? 3 : f->kind == LEAT_SCRAPE_SUMMARY ? 2 : 0;

    if (fits_name(m, s, f->name))
        return true;
    for (size_t i = 0; i < n; i++) {
        leat_text_clear(&m->value);
        leat_text_add(&m->value, f->name.data, f->name.len);
        leat_text_str(&m->value, suffixes[i]);
        if (leat_text_ok(&m->value) && fits_name(m, s, leat_text_bytes(&m->value)))
            return true;
    }
    return false;
}

bool leat_scrape_match_family(struct leat_scrape_match *m, const struct leat_scrape_family *f)
{
    bool any = false;

    for (size_t i = 0; i < m->n; i++) {
        m->selectors[i].fits = fits_family(m, &m->selectors[i], f);
        any = any || m->selectors[i].fits;
    }
    return any;
}

/* The value of a label, unescaped; empty when the series has none. Longer ones fit no matcher but
 * those that say "not". */
static struct leat_bytes value_of(struct leat_scrape_match *m, const struct leat_scrape_series *s,
                                  struct leat_bytes label)
{
    struct leat_bytes name, value;
    size_t at = 0;

    while (leat_scrape_block_next(s->labels, &at, &name, &value)) {
        if (!leat_bytes_eq(name, label))
            continue;
        if (value.len == 0 || memchr(value.data, '\\', value.len) == NULL)
            return value;
        leat_text_clear(&m->value);
        leat_scrape_value_plain(value, &m->value);
        return leat_text_ok(&m->value) ? leat_text_bytes(&m->value) : value;
    }
    return leat_bytes(NULL, 0);
}

static bool fits_series(struct leat_scrape_match *m, struct selector *sel,
                        const struct leat_scrape_series *s)
{
    for (size_t i = 0; i < sel->n; i++)
        if (!is_name(&sel->matchers[i]) &&
            !matches(&sel->matchers[i], value_of(m, s, sel->matchers[i].label), &m->steps))
            return false;
    return true;
}

bool leat_scrape_match_series(struct leat_scrape_match *m, const struct leat_scrape_series *s)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->selectors[i].fits && fits_series(m, &m->selectors[i], s))
            return true;
    return false;
}

size_t leat_scrape_match_steps(const struct leat_scrape_match *m)
{
    return m->steps;
}
