/* Any checked OTLP metrics, a part of them first, into the store of a page and out of it in every
 * form: a strict reader takes each page and finds in it what the store has, and the books balance.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/clock.h"
#include "exporters/prom_cursor.h"
#include "exporters/prom_store.h"
#include "fuzz/otlp_mutator.h"
#include "lib/prom_parse.h"
#include "proto/otlp_cut.h"
#include "proto/otlp_view.h"
#include "proto/prom_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 2 /* how many records first, settings */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    return otlp_mutate_as(LEAT_METRICS, data, size, max, seed, HEAD);
}

/* One page; *ret_series: those on it, but for target_info. */
static void write_page(struct leat_scrape_store *s, const struct leat_scrape_style *style,
                       struct leat_text *out, size_t *ret_series)
{
    struct leat_scrape_cursor c;
    struct leat_scrape_family f;
    struct leat_scrape_series series;

    *ret_series = 0;
    leat_scrape_cursor_open(s, &c);
    while (leat_scrape_cursor_family(s, &c, &f)) {
        leat_scrape_head_write(style, &f, out);
        while (leat_scrape_cursor_series(&c, &series)) {
            size_t from = out->len;

            leat_scrape_series_write(style, &f, &series, out);
            LEAT_CHECK(out->len - from <= leat_scrape_series_bound(&f, &series));
            *ret_series += f.kind != LEAT_SCRAPE_INFO;
        }
    }
    leat_scrape_cursor_close(s, &c);
    leat_scrape_end_write(style, out);
}

static void compare(const struct prom_parsed *p, size_t *at, double v)
{
    double is = *at < p->nsamples ? p->samples[*at].value : 0;

    LEAT_CHECK(*at < p->nsamples);
    ++*at;
    LEAT_CHECK(is == v || (isnan(is) && isnan(v)));
}

static void compare_series(const struct prom_parsed *p, size_t *at, enum leat_scrape_kind kind,
                           const struct leat_scrape_series *s)
{
    uint32_t n = s->marks != NULL ? s->marks->n : 0;
    uint64_t sum = 0;

    if (kind != LEAT_SCRAPE_HISTOGRAM && kind != LEAT_SCRAPE_SUMMARY) {
        compare(p, at, s->is_int ? (double)s->integer : s->value);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        sum += kind == LEAT_SCRAPE_HISTOGRAM ? s->counts[i] : 0;
        compare(p, at, kind == LEAT_SCRAPE_HISTOGRAM ? (double)sum : s->values[i]);
    }
    if (kind == LEAT_SCRAPE_HISTOGRAM)
        compare(p, at, (double)s->count);
    compare(p, at, s->sum);
    compare(p, at, (double)s->count);
}

/* What is on the page is what the store has. */
static void compare_page(struct leat_scrape_store *s, const struct prom_parsed *p)
{
    struct leat_scrape_cursor c;
    struct leat_scrape_family f;
    struct leat_scrape_series series;
    size_t at = 0;

    leat_scrape_cursor_open(s, &c);
    while (leat_scrape_cursor_family(s, &c, &f))
        while (leat_scrape_cursor_series(&c, &series))
            compare_series(p, &at, f.kind, &series);
    leat_scrape_cursor_close(s, &c);
    LEAT_CHECK(at == p->nsamples);
}

static void check_page(struct leat_scrape_store *s, bool utf8, unsigned how)
{
    struct leat_scrape_style style = {
        .open = how & 1, .stamped = how & 2, .created = how & 2, .quotes = how & 4};
    struct prom_parsed parsed;
    struct leat_text page;
    size_t series;

    leat_text_init(&page, (size_t)512 << 20);
    write_page(s, &style, &page, &series);
    LEAT_CHECK(leat_text_ok(&page) && series == leat_scrape_store_series(s));
    /* Names made plain for old readers may meet: only whole ones are promised to be sound. */
    if (!utf8 || style.quotes) {
        prom_parse(&parsed, leat_text_get(&page), page.len, style.open, false);
        if (parsed.error[0] != '\0') {
            fprintf(stderr, "%s\n%s\n", parsed.error, leat_text_get(&page));
            abort();
        }
        if (!style.created)
            compare_page(s, &parsed);
        prom_parsed_free(&parsed);
    }
    leat_text_done(&page);
}

static void take(struct leat_scrape_store *s, struct leat_bytes request)
{
    uint64_t dropped[LEAT_SCRAPE_DROPS] = {0}, sum = 0;
    uint32_t n = leat_scrape_store_take(s, request, dropped);

    for (int i = 0; i < LEAT_SCRAPE_DROPS; i++)
        sum += dropped[i];
    LEAT_CHECK(n == sum && n <= leat_otlp_count(LEAT_METRICS, request).items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leat_scrape_store_conf conf = {.labels = {.page = true},
                                          .expiration = LEAT_SEC,
                                          .max_series = 200,
                                          .max_bytes = 1 << 20,
                                          .who = "fuzz"};
    struct leat_scrape_store *s;
    struct leat_otlp_count count;
    struct leat_budget budget;
    struct leat_bytes b;
    const char *why;
    uint32_t n;
    size_t len;

    if (size < HEAD || size > 100000)
        return 0;
    b = leat_bytes(data + HEAD, size - HEAD);
    leat_clock_fake(1000 * LEAT_SEC, 1000 * LEAT_SEC);
    leat_budget_init(&budget, 2 << 20);
    conf.budget = &budget;
    conf.exemplars = data[1] & 1;
    conf.labels.no_scope = data[1] & 2;
    conf.labels.resource = data[1] & 4;
    conf.naming.strategy = (enum leat_prom_strategy)(data[1] >> 3 & 3);
    conf.labels.utf8 = leat_prom_strategy_is_utf8(conf.naming.strategy);
    s = leat_scrape_store_new(&conf);
    if (leat_otlp_check(LEAT_METRICS, b, &count, &why) == LEAT_OTLP_OK) {
        len = leat_otlp_prefix(LEAT_METRICS, b, data[0], &n);
        take(s, leat_bytes(b.data, len));
        take(s, b);
    }
    for (unsigned how = 0; how < 8; how++)
        check_page(s, conf.labels.utf8, how);
    leat_clock_step(2 * LEAT_SEC);
    leat_scrape_store_expire(s);
    LEAT_CHECK(leat_scrape_store_series(s) == 0 && leat_scrape_store_bytes(s) == 0);
    leat_scrape_store_free(s);
    LEAT_CHECK(leat_budget_used(&budget) == 0);
    return 0;
}
