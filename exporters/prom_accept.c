/* Which form of the page a scraper gets.
 *
 * Source: RFC 9110 section 12.5; for the choice and the `escaping` parameter: prometheus/common
 * expfmt (Negotiate). */
#include "exporters/prom_accept.h"

#include <string.h>

#define CLAUSES_MAX 32 /* of one header; more are not looked at */
#define Q_MAX       1000

struct clause {
    struct leat_bytes type; /* "text/plain", or an encoding */
    struct leat_bytes version, escaping;
    uint32_t q; /* in thousandths */
};

/* Cuts off what stands before `end` (or all), without blanks. */
static struct leat_bytes cut(struct leat_bytes *rest, char end)
{
    const uint8_t *at = rest->len != 0 ? memchr(rest->data, end, rest->len) : NULL;
    size_t n = at != NULL ? (size_t)(at - rest->data) : rest->len;
    struct leat_bytes first = leat_bytes_trim(leat_bytes(rest->data, n));

    *rest = at != NULL ? leat_bytes(at + 1, rest->len - n - 1) : leat_bytes(NULL, 0);
    return first;
}

/* "0.8" is 800; what cannot be read is 1. */
static uint32_t quality(struct leat_bytes text)
{
    uint32_t q, unit = 100;

    if (text.len == 0 || text.data[0] != '0')
        return Q_MAX;
    q = 0;
    for (size_t i = 2; i < text.len && i < 5; i++, unit /= 10)
        if (text.data[i] >= '0' && text.data[i] <= '9')
            q += (uint32_t)(text.data[i] - '0') * unit;
    return q;
}

static struct leat_bytes unquoted(struct leat_bytes v)
{
    if (v.len >= 2 && v.data[0] == '"' && v.data[v.len - 1] == '"')
        return leat_bytes(v.data + 1, v.len - 2);
    return v;
}

static struct clause read_clause(struct leat_bytes text)
{
    struct clause c = {.q = Q_MAX};

    c.type = cut(&text, ';');
    while (text.len != 0) {
        struct leat_bytes value = cut(&text, ';'), key = cut(&value, '=');

        value = unquoted(leat_bytes_trim(value));
        if (leat_bytes_is_nocase(key, "q"))
            c.q = quality(value);
        else if (leat_bytes_is_nocase(key, "version"))
            c.version = value;
        else if (leat_bytes_is_nocase(key, "escaping"))
            c.escaping = value;
    }
    return c;
}

/* The largest q first, otherwise as they stand; without those of q 0. */
static size_t read_header(struct leat_bytes header, struct clause out[CLAUSES_MAX])
{
    size_t n = 0;

    while (header.len != 0 && n < CLAUSES_MAX) {
        struct clause c = read_clause(cut(&header, ','));
        size_t at = n;

        if (c.q == 0 || c.type.len == 0)
            continue;
        for (; at > 0 && out[at - 1].q < c.q; at--)
            out[at] = out[at - 1];
        out[at] = c;
        n++;
    }
    return n;
}

static bool is_text(const struct clause *c)
{
    return leat_bytes_is_nocase(c->type, "text/plain") &&
           (c->version.len == 0 || leat_bytes_is(c->version, "0.0.4"));
}

static bool is_open(const struct clause *c)
{
    return leat_bytes_is_nocase(c->type, "application/openmetrics-text") &&
           (c->version.len == 0 || leat_bytes_is(c->version, "0.0.1") ||
            leat_bytes_is(c->version, "1.0.0"));
}

const char *leat_scrape_accept(struct leat_bytes header, bool open, struct leat_scrape_style *style)
{
    static const char *const types[3][2] = {
        {"text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
         "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8"},
        {"application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores",
         "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=allow-utf-8"},
        {"application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
         "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"}};
    struct clause clauses[CLAUSES_MAX];
    size_t n = read_header(header, clauses), form = 0;

    style->open = style->quotes = false;
    for (size_t i = 0; i < n; i++) {
        const struct clause *c = &clauses[i];

        /* it holds for the clauses behind it too, whatever their type */
        if (c->escaping.len != 0)
            style->quotes = leat_bytes_is(c->escaping, "allow-utf-8");
        if (is_text(c))
            break;
        if (open && is_open(c)) {
            style->open = true;
            form = leat_bytes_is(c->version, "1.0.0") ? 2 : 1;
            break;
        }
    }
    return types[form][style->quotes];
}

bool leat_scrape_accept_gzip(struct leat_bytes header)
{
    struct clause clauses[CLAUSES_MAX];
    size_t n = read_header(header, clauses);

    for (size_t i = 0; i < n; i++)
        if (leat_bytes_is_nocase(clauses[i].type, "gzip") || leat_bytes_is(clauses[i].type, "*"))
            return true;
    return false;
}
