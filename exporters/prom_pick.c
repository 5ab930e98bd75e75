/* Resource attributes that go onto every series: globs, and a point's attributes with those picked
 * before them.
 *
 * Source of the rules: collector contrib pkg/resourcetotelemetry. */
#include "exporters/prom_pick.h"

#include "base/mem.h"
#include "base/text.h"
#include "config/schema.h"
#include "proto/otlp_make.h"
#include "proto/otlp_match.h"

#define RESOURCE_ATTRIBUTES 1 /* field numbers */
#define KEY                 1
#define TEXT_MAX            ((size_t)1 << 20) /* attributes of one point with those picked */

struct leat_scrape_pick {
    const struct leat_strings *included, *excluded;
    struct leat_bytes resource;
    struct leat_text text;
};

/* `*` is any run of bytes, `?` one character. Steps back to the last asterisk only. */
static bool glob(const char *pattern, struct leat_bytes text)
{
    const char *star = NULL;
    size_t i = 0, again = 0;

    while (i < text.len) {
        if (*pattern == '*') {
            star = ++pattern;
            again = i;
        } else if (*pattern == '?' || (*pattern != '\0' && *pattern == (char)text.data[i])) {
            size_t n = *pattern == '?' ? leat_utf8_len(leat_bytes(text.data + i, text.len - i)) : 1;

            pattern++;
            i += n == 0 ? 1 : n;
        } else if (star != NULL) {
            pattern = star;
            i = ++again;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool any_matches(const struct leat_strings *globs, struct leat_bytes key)
{
    for (uint32_t i = 0; globs != NULL && i < globs->count; i++)
        if (glob(globs->items[i], key))
            return true;
    return false;
}

static bool is_picked(const struct leat_scrape_pick *p, struct leat_bytes key)
{
    if (any_matches(p->excluded, key))
        return false;
    return p->included == NULL || p->included->count == 0 || any_matches(p->included, key);
}

struct leat_scrape_pick *leat_scrape_pick_new(const struct leat_strings *included,
                                              const struct leat_strings *excluded)
{
    struct leat_scrape_pick *p;

    if ((included == NULL || included->count == 0) && (excluded == NULL || excluded->count == 0))
        return NULL;
    p = leat_new(sizeof *p);
    p->included = included;
    p->excluded = excluded;
    leat_text_init(&p->text, TEXT_MAX);
    return p;
}

void leat_scrape_pick_free(struct leat_scrape_pick *p)
{
    if (p == NULL)
        return;
    leat_text_done(&p->text);
    leat_free(p);
}

void leat_scrape_pick_resource(struct leat_scrape_pick *p, struct leat_bytes resource)
{
    p->resource = resource;
}

bool leat_scrape_pick_point(struct leat_scrape_pick *p, struct leat_bytes point, uint32_t field,
                            struct leat_bytes *ret)
{
    struct leat_wire w = leat_wire_of(p->resource);
    struct leat_otlp_value value;
    struct leat_bytes pair, key;
    struct leat_make m;

    leat_text_clear(&p->text);
    leat_make_init(&m, &p->text);
    while (leat_otlp_next(&w, RESOURCE_ATTRIBUTES, &pair))
        if (is_picked(p, leat_otlp_get(pair, KEY)))
            leat_make_bytes(&m, field, pair);
    w = leat_wire_of(point);
    while (leat_otlp_next(&w, field, &pair)) {
        key = leat_otlp_get(pair, KEY);
        if (!leat_otlp_attr(p->resource, RESOURCE_ATTRIBUTES, key, &value) || !is_picked(p, key))
            leat_make_bytes(&m, field, pair);
    }
    *ret = leat_text_bytes(&p->text);
    return leat_text_ok(&p->text);
}
