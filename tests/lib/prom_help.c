/* Metrics into the store of a scrape page and out of it. */
#include "lib/prom_help.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "proto/otlp_json.h"
#include "proto/otlp_view.h"

void scrape_rig_init(struct scrape_rig *r)
{
    memset(r, 0, sizeof *r);
    leat_clock_fake(1000 * LEAT_SEC, 1700000000 * LEAT_SEC);
    leat_budget_init(&r->budget, (size_t)64 << 20);
    r->conf = (struct leat_scrape_store_conf){.labels = {.page = true},
                                              .exemplars = true,
                                              .expiration = 300 * LEAT_SEC,
                                              .max_series = 1000,
                                              .max_bytes = (size_t)4 << 20,
                                              .budget = &r->budget,
                                              .who = "test"};
    leat_text_init(&r->page, (size_t)256 << 20);
}

void scrape_rig_start(struct scrape_rig *r)
{
    r->store = leat_scrape_store_new(&r->conf);
}

void scrape_rig_done(struct scrape_rig *r)
{
    leat_scrape_store_free(r->store);
    LEAT_CHECK(leat_budget_used(&r->budget) == 0);
    leat_text_done(&r->page);
    prom_parsed_free(&r->parsed);
    leat_clock_real();
}

uint32_t scrape_rig_json(struct scrape_rig *r, const char *json)
{
    struct leat_otlp_count count;
    struct leat_err err = {""};
    struct leat_buf *buf;
    uint32_t n;

    if (leat_otlp_from_json(LEAT_METRICS, leat_bytes_str(json), NULL, &buf, &count, &err) !=
        LEAT_JSON_OK) {
        fprintf(stderr, "%s\n%s\n", err.text, json);
        LEAT_CHECK(false);
    }
    leat_mem_fail_at(r->fail_at);
    n = leat_scrape_store_take(r->store, leat_bytes(buf->data, buf->len), r->dropped);
    leat_mem_fail_at(0);
    leat_buf_unref(buf);
    return n;
}

uint32_t scrape_rig_metric(struct scrape_rig *r, const char *metric, ...)
{
    struct leat_text json;
    char inside[8192];
    va_list args;
    uint32_t n;

    va_start(args, metric);
    LEAT_CHECK(vsnprintf(inside, sizeof inside, metric, args) < (int)sizeof inside);
    va_end(args);
    leat_text_init(&json, 65536);
    leat_text_str(&json, "{\"resourceMetrics\":[{\"resource\":{\"attributes\":["
                         "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}},"
                         "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"i-1\"}}]},"
                         "\"scopeMetrics\":[{\"metrics\":[{");
    leat_text_str(&json, inside);
    leat_text_str(&json, "}]}]}]}");
    n = scrape_rig_json(r, leat_text_get(&json));
    leat_text_done(&json);
    return n;
}

void scrape_rig_page(struct scrape_rig *r)
{
    struct leat_scrape_cursor c;
    struct leat_scrape_family f;
    struct leat_scrape_series s;

    leat_text_clear(&r->page);
    prom_parsed_free(&r->parsed);
    leat_scrape_cursor_open(r->store, &c);
    while (leat_scrape_cursor_family(r->store, &c, &f)) {
        leat_scrape_head_write(&r->style, &f, &r->page);
        while (leat_scrape_cursor_series(&c, &s)) {
            size_t from = r->page.len;

            leat_scrape_series_write(&r->style, &f, &s, &r->page);
            LEAT_CHECK(r->page.len - from <= leat_scrape_series_bound(&f, &s));
        }
    }
    leat_scrape_cursor_close(r->store, &c);
    leat_scrape_end_write(&r->style, &r->page);
    LEAT_CHECK(leat_text_ok(&r->page));
    prom_parse(&r->parsed, leat_text_get(&r->page), r->page.len, r->style.open, false);
    if (r->parsed.error[0] != '\0') {
        fprintf(stderr, "%s\n%s\n", r->parsed.error, leat_text_get(&r->page));
        LEAT_CHECK(false);
    }
}

/* Labels that every series here has. */
static bool is_around(const char *name)
{
    return strcmp(name, "job") == 0 || strcmp(name, "instance") == 0 ||
           strncmp(name, "otel_scope_", 11) == 0;
}

static bool has_own(const struct prom_sample *s, const char *labels)
{
    char text[4096] = "";
    size_t n = 0;

    for (size_t i = 0; i < s->nlabels && n < sizeof text; i++)
        if (!is_around(s->labels[i].name))
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s=%s", n != 0 ? "," : "",
                                  s->labels[i].name, s->labels[i].value);
    return strcmp(text, labels) == 0;
}

double scrape_rig_value(struct scrape_rig *r, const char *name, const char *labels)
{
    scrape_rig_page(r);
    for (size_t i = 0; i < r->parsed.nsamples; i++)
        if (strcmp(r->parsed.samples[i].name, name) == 0 && has_own(&r->parsed.samples[i], labels))
            return r->parsed.samples[i].value;
    return NAN;
}

uint32_t scrape_rig_sum(struct scrape_rig *r, const char *name, int temporality, bool monotonic,
                        int start, int time, int v)
{
    return scrape_rig_metric(r,
                             "\"name\":\"%s\",\"sum\":{\"aggregationTemporality\":%d,"
                             "\"isMonotonic\":%s,\"dataPoints\":[{\"startTimeUnixNano\":\"%d\","
                             "\"timeUnixNano\":\"%d\",\"asInt\":\"%d\"}]}",
                             name, temporality, monotonic ? "true" : "false", start, time, v);
}

uint32_t scrape_rig_gauge(struct scrape_rig *r, const char *name, const char *key,
                          const char *value, int time, double v)
{
    return scrape_rig_metric(r,
                             "\"name\":\"%s\",\"gauge\":{\"dataPoints\":[{\"attributes\":[{\"key\":"
                             "\"%s\",\"value\":{\"stringValue\":\"%s\"}}],\"timeUnixNano\":\"%d\","
                             "\"asDouble\":%.17g}]}",
                             name, key, value, time, v);
}

uint32_t scrape_rig_histogram(struct scrape_rig *r, int temporality, int time, const char *rest)
{
    return scrape_rig_metric(r,
                             "\"name\":\"h\",\"histogram\":{\"aggregationTemporality\":%d,"
                             "\"dataPoints\":[{\"timeUnixNano\":\"%d\",%s}]}",
                             temporality, time, rest);
}
