/* Which form of the page a scraper gets: real scrapers' headers, q-values, nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "exporters/prom_accept.h"

#define PROMETHEUS_2                                                                               \
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;"               \
    "version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
#define PROMETHEUS_3                                                                               \
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"                       \
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"                   \
    "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
#define PROMETHEUS_PROTO                                                                           \
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;"  \
    "q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"                 \
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
#define OPEN_1 "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping="
#define OPEN_0 "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping="
#define TEXT   "text/plain; version=0.0.4; charset=utf-8; escaping="

static void forms(void **state)
{
    static const struct {
        const char *accept;
        bool offered;
        const char *type;
    } table[] = {
        {"", true, TEXT "underscores"},
        {"*/*", true, TEXT "underscores"},
        {"text/html", true, TEXT "underscores"},
        {PROMETHEUS_2, true, OPEN_1 "underscores"},
        {PROMETHEUS_2, false, TEXT "underscores"},
        {PROMETHEUS_3, true, OPEN_1 "allow-utf-8"},
        {PROMETHEUS_3, false, TEXT "allow-utf-8"},
        {PROMETHEUS_PROTO, true, OPEN_1 "allow-utf-8"},
        {"application/openmetrics-text", true, OPEN_0 "underscores"},
        {"application/openmetrics-text; version=0.0.1", true, OPEN_0 "underscores"},
        {"application/openmetrics-text; version=\"1.0.0\"", true, OPEN_1 "underscores"},
        {"application/openmetrics-text; version=2.0.0", true, TEXT "underscores"},
        {"Application/OpenMetrics-Text;Version=1.0.0", true, OPEN_1 "underscores"},
        {"text/plain;q=0.5, application/openmetrics-text;version=1.0.0;q=0.6", true,
         OPEN_1 "underscores"},
        {"text/plain;q=0.6, application/openmetrics-text;version=1.0.0;q=0.5", true,
         TEXT "underscores"},
        {"text/plain, application/openmetrics-text;version=1.0.0", true, TEXT "underscores"},
        {"application/openmetrics-text;version=1.0.0;q=0, text/plain;q=0.1", true,
         TEXT "underscores"},
        {"application/openmetrics-text;version=1.0.0;q=0.000", true, TEXT "underscores"},
        {"application/openmetrics-text;version=1.0.0;q=0.001", true, OPEN_1 "underscores"},
        {"text/plain;escaping=dots", true, TEXT "underscores"},
        {"text/plain;escaping=allow-utf-8", true, TEXT "allow-utf-8"},
        {",;,=;q=,;;q", true, TEXT "underscores"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct leat_scrape_style style = {.stamped = true};
        const char *type =
            leat_scrape_accept(leat_bytes_str(table[i].accept), table[i].offered, &style);

        if (strcmp(type, table[i].type) != 0)
            fail_msg("%s: %s", table[i].accept, type);
        assert_int_equal(style.open, strncmp(type, "app", 3) == 0);
        assert_int_equal(style.quotes, strstr(type, "allow") != NULL);
        assert_true(style.stamped);
    }
}

static void many_clauses(void **state)
{
    char header[4096] = "";
    struct leat_scrape_style style;

    (void)state;
    for (int i = 0; i < 100; i++)
        strcat(header, "a/b;q=0.9,");
    strcat(header, "application/openmetrics-text");
    leat_scrape_accept(leat_bytes_str(header), true, &style);
    assert_false(style.open);
}

static void gzip(void **state)
{
    static const char *const yes[] = {"gzip", "deflate, gzip;q=0.1", "*", "GZIP ; q=1",
                                      "br,*;q=.5"};
    static const char *const no[] = {"", "identity", "gzip;q=0", "gzip;q=0.0, br", "x-gzip"};

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(leat_scrape_accept_gzip(leat_bytes_str(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(leat_scrape_accept_gzip(leat_bytes_str(no[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(many_clauses),
        cmocka_unit_test(gzip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
