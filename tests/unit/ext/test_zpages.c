/* zpages: every page, readable and escaped; and pprof, which has no use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "lib/ext_help.h"

extern const struct leat_component leat_extension_zpages, leat_extension_pprof;

static struct ext e;
static uint16_t port;

static int teardown(void **state)
{
    (void)state;
    ext_done(&e);
    return 0;
}

static void open_with(const struct leat_component *c, const char *yaml)
{
    struct leat_err err;

    ext_init(&e, c);
    e.house.started = leat_clock_wall();
    if (ext_open(&e, yaml, &err) < 0)
        fail_msg("%s", err.text);
}

static const char *page(const char *path)
{
    const char *answer = ext_get(e.loop, port, path, "");

    if (memcmp(answer, "HTTP/1.1 200 ", 13) != 0)
        fail_msg("%s", answer);
    assert_non_null(strstr(answer, "content-type: text/html; charset=utf-8\r\n"));
    assert_non_null(strstr(answer, "</body></html>\n"));
    assert_null(strstr(answer, "<b>")); /* the house's names are escaped */
    return answer;
}

static void pages(void **state)
{
    const char *text;

    (void)state;
    open_with(&leat_extension_zpages, "{endpoint: '127.0.0.1:0'}");
    port = ext_port(&e);
    assert_non_null(strstr(page("/debug"), "<a href=\"/debug/pipelinez\">Pipelines</a>"));
    text = page("/debug/servicez");
    assert_non_null(strstr(text, "<th>Version</th><td>1.2.3</td>"));
    assert_non_null(strstr(text, "<th>State</th><td>ready</td>"));
    assert_non_null(strstr(text, "<th>Workers</th><td>4</td>"));
    text = page("/debug/pipelinez");
    assert_non_null(strstr(text, "<td>logs/2</td><td>logs</td><td>otlp, otlp/edge</td><td></td>"
                                 "<td>debug/&#60;b&#62;&#34;</td>"));
    text = page("/debug/extensionz");
    assert_non_null(strstr(text, "<th>zpages</th><td>zpages</td>"));
    assert_null(strstr(text, "otlp"));
    assert_non_null(strstr(page("/debug/featurez"), "no feature gates"));
    assert_non_null(strstr(page("/debug/tracez"), "not kept"));
    assert_int_equal(atoi(ext_get(e.loop, port, "/debug/expvarz", "") + 9), 404);
    assert_int_equal(atoi(ext_get(e.loop, port, "/debug/nosuch", "") + 9), 404);
}

static void variables_when_asked_for(void **state)
{
    (void)state;
    open_with(&leat_extension_zpages, "{endpoint: '127.0.0.1:0', expvar: {enabled: true}}");
    port = ext_port(&e);
    assert_non_null(strstr(page("/debug/expvarz"), "a{b=&#34;&#60;c&#62;&#34;} 1\n"));
}

static void pprof_has_no_use(void **state)
{
    char *text;

    (void)state;
    open_with(&leat_extension_pprof, "{}");
    assert_non_null(strstr(ext_log(&e), "has no use here"));
    text = ext_messages(&leat_extension_pprof,
                        "{endpoint: 'localhost:1777', block_profile_fraction: 1, save_to_file: x, "
                        "mutex_profile_fraction: 2}");
    assert_null(strstr(text, "error"));
    assert_non_null(strstr(text, "warning: pprof.endpoint"));
    free(text);
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages),
        TEST(variables_when_asked_for),
        TEST(pprof_has_no_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
