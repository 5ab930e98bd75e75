/* Health probes: codes by the house's state, bodies, and the settings of both versions. */
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

extern const struct leat_component leat_extension_health_check;

static struct ext e;
static uint16_t port;

static int setup(void **state)
{
    (void)state;
    ext_init(&e, &leat_extension_health_check);
    e.house.started = INT64_C(1795273200) * LEAT_SEC + 42 * LEAT_MS;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ext_done(&e);
    leat_clock_real();
    return 0;
}

static void open_with(const char *yaml)
{
    struct leat_err err;

    if (ext_open(&e, yaml, &err) < 0)
        fail_msg("%s", err.text);
    port = ext_port(&e);
    leat_clock_fake(leat_clock_mono(), e.house.started + 3723500 * LEAT_MS);
}

/* The answer has this status, content type and body. */
static void expect(const char *path, int status, const char *type, const char *body)
{
    const char *answer = ext_get(e.loop, port, path, ""), *end = strstr(answer, "\r\n\r\n");
    char wanted[64];

    assert_non_null(end);
    assert_int_equal(atoi(answer + 9), status);
    snprintf(wanted, sizeof wanted, "content-type: %s\r\n", type);
    if (strstr(answer, wanted) == NULL)
        fail_msg("no '%s' in %s", wanted, answer);
    assert_string_equal(end + 4, body);
}

static void by_state(void **state)
{
    static const char since[] = "\"upSince\":\"2026-11-21T15:00:00.042Z\",\"uptime\":\"1h2m3.5s\"}";
    char body[200];

    (void)state;
    open_with("{endpoint: '127.0.0.1:0'}");
    e.state = LEAT_STARTING;
    snprintf(body, sizeof body, "{\"status\":\"Server not available\",%s", since);
    expect("/", 503, "application/json", body);
    e.state = LEAT_READY;
    snprintf(body, sizeof body, "{\"status\":\"Server available\",%s", since);
    expect("/", 200, "application/json", body);
    e.state = LEAT_STOPPING;
    snprintf(body, sizeof body, "{\"status\":\"Server not available\",%s", since);
    expect("/", 503, "application/json", body);
    assert_int_equal(atoi(ext_get(e.loop, port, "/elsewhere", "") + 9), 404);
}

static void verbose(void **state)
{
    (void)state;
    open_with("{endpoint: '127.0.0.1:0', path: /live, response_body: {healthy: fine}}");
    expect("/live", 200, "text/plain", "fine");
    expect("/live?verbose=false", 200, "text/plain", "fine");
    expect("/live?a=b&verbose", 200, "application/json",
           "{\"status\":\"Server available\",\"upSince\":\"2026-11-21T15:00:00.042Z\",\"uptime\":"
           "\"1h2m3.5s\",\"state\":\"ready\",\"version\":\"1.2.3\",\"workers\":4,\"pipelines\":{"
           "\"traces\":{\"receivers\":[\"otlp\",\"otlp/edge\"],\"processors\":[],\"exporters\":["
           "\"debug/<b>\\\"\"]},\"logs/2\":{\"receivers\":[\"otlp\",\"otlp/edge\"],\"processors\":"
           "[],\"exporters\":[\"debug/<b>\\\"\"]}}}");
    e.state = LEAT_STOPPING; /* no body of one's own for this one */
    assert_non_null(strstr(ext_get(e.loop, port, "/live", ""), "Server not available"));
}

static void version_two(void **state)
{
    (void)state;
    open_with("{use_v2: true, http: {endpoint: '127.0.0.1:0', status: {path: /health}}}");
    expect(
        "/health", 200, "application/json",
        "{\"start_time\":\"2026-11-21T15:00:00.042Z\",\"healthy\":true,\"status\":\"StatusOK\"}");
    expect(
        "/health?pipeline=logs/2", 200, "application/json",
        "{\"start_time\":\"2026-11-21T15:00:00.042Z\",\"healthy\":true,\"status\":\"StatusOK\"}");
    assert_int_equal(atoi(ext_get(e.loop, port, "/health?pipeline=metrics", "") + 9), 404);
    e.state = LEAT_STARTING;
    expect("/health", 503, "application/json",
           "{\"start_time\":\"2026-11-21T15:00:00.042Z\",\"healthy\":false,\"status\":"
           "\"StatusStarting\"}");
}

static void settings(void **state)
{
    const struct leat_component *c = &leat_extension_health_check;
    char *text;

    (void)state;
    ext_expect_messages(c, "{}", "");
    ext_expect_messages(c, "{path: live}",
                        "error: health_check.path: 'path' must start with '/'\n");
    ext_expect_messages(
        c, "{use_v2: true}",
        "error: health_check.use_v2: 'use_v2' needs 'http:' beside it, with the server's "
        "settings\n");
    ext_expect_messages(c, "{use_v2: true, http: {config: {enabled: true}}}",
                        "error: health_check.http.config.enabled: the configuration is not shown "
                        "over HTTP; 'leat print-config' shows it\n");
    ext_expect_messages(
        c, "{use_v2: true, http: {status: {enabled: false}}}",
        "error: health_check.http.status.enabled: 'enabled' is false, so nothing would be "
        "served: remove the extension instead\n");
    ext_expect_messages(c, "{http: }",
                        "error: health_check.http: 'http' is read only with 'use_v2: true'\n");
    ext_expect_messages(c, "{grpc: {endpoint: 'localhost:13132'}}",
                        "error: health_check.grpc: health over gRPC is not offered; ask "
                        "http://HOST:13133/ (Kubernetes: httpGet probes)\n");
    text = ext_messages(c, "{check_collector_pipeline: {enabled: true}}");
    assert_memory_equal(text, "warning: health_check.check_collector_pipeline", 46);
    assert_non_null(strstr(text, "no effect"));
    free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(by_state),
        TEST(verbose),
        TEST(version_two),
        TEST(settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
