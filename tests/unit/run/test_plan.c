/* From YAML to a plan: what is wrong with a configuration is said all at once and with advice; and
 * what each pipeline promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "lib/config_help.h"
#include "run/plan.h"

static struct leat_plan *load(const char *yaml, struct leat_diags *diags)
{
    char *source = leat_format("yaml:%s", yaml);
    const char *sources[] = {source};
    struct leat_plan *p = leat_plan_load(sources, 1, NULL, 0, diags);

    leat_free(source);
    return p;
}

/* Every one of `wanted` (NULL at the end) is in the messages; and there are `errors` of them. */
static void expect(const char *yaml, size_t errors, const char *const *wanted)
{
    struct leat_diags *diags = leat_diags_new();
    struct leat_plan *p = load(yaml, diags);
    char *all = config_messages(diags, 1);

    if (leat_diags_errors(diags) != errors)
        print_error("%s", all);
    assert_int_equal(leat_diags_errors(diags), errors);
    assert_int_equal(p == NULL, errors > 0);
    for (; *wanted != NULL; wanted++) {
        if (strstr(all, *wanted) == NULL)
            print_error("'%s' is not in:\n%s", *wanted, all);
        assert_non_null(strstr(all, *wanted));
    }
    free(all);
    leat_plan_free(p);
    leat_diags_free(diags);
}
#define EXPECT(yaml, errors, ...) expect(yaml, errors, (const char *const[]){__VA_ARGS__, NULL})

#define OTLP "receivers: {otlp: {protocols: {grpc: }}}\n"

static void test_all_that_is_wrong_at_once(void **state)
{
    (void)state;
    EXPECT("receivers:\n"
           "  otpl:\n" /* 2 */
           "processors:\n"
           "  bach:\n"                           /* 4 */
           "  batch: {timeout: soon, sise: 3}\n" /* 5: two */
           "exporters:\n"
           "  otlp_grpc: {endpiont: here}\n" /* 7 */
           "service:\n"
           "  pipelines:\n"
           "    traces: {receivers: [otpl], processors: [bach, batch], exporters: [otlp_grpc]}\n",
           6, "2:3: error: Leat has no receiver 'otpl'", "(did you mean 'otlp'?)",
           "4:3: error: Leat has no processor 'bach'", "(did you mean 'batch'?)",
           "5:20: error:", "did you mean 'endpoint'?", "endpoint");
}

static void test_retired_names_say_what_to_use(void **state)
{
    (void)state;
    EXPECT(OTLP "exporters: {jaeger: {endpoint: x}, loki: }\nprocessors: {spanmetrics: , "
                "queued_retry: }\nextensions: {memory_ballast: }\n"
                "service: {extensions: [memory_ballast], pipelines: {traces: {receivers: [otlp], "
                "processors: [spanmetrics, queued_retry], exporters: [jaeger, loki]}}}\n",
           5, "exporter 'jaeger' is gone", "Jaeger takes OTLP", "/otlp",
           "spanmetrics connector replaces it", "sending_queue", "leat.memory");
}

static void test_old_names_work_with_a_warning(void **state)
{
    (void)state;
    EXPECT(OTLP "exporters: {otlp: {endpoint: 'a:1', tls: {insecure: true}}, otlphttp/x: "
                "{endpoint: 'http://a:1'}, "
                "logging: }\n"
                "service: {pipelines: {traces: {receivers: [otlp], exporters: [otlp, otlphttp/x, "
                "logging]}}}\n",
           0, "warning: 'otlp' is the old name of this exporter: write 'otlp_grpc'",
           "'otlphttp' is the old name of this exporter: write 'otlp_http'",
           "'logging' is the old name of this exporter: write 'debug'");
}

static void test_undefined_and_unused(void **state)
{
    (void)state;
    EXPECT(OTLP "exporters: {nop: }\n"
                "service: {pipelines: {traces: {receivers: [otlp/b], exporters: [nop]}}}\n",
           1, "otlp/b");
    /* what no pipeline names is not even looked at, as in the collector */
    EXPECT(OTLP "exporters: {nop: , whatever: {a: b}}\n"
                "service: {pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}\n",
           0, "");
    EXPECT(OTLP "exporters: {nop: }\nservice: {pipelines: {}}\n", 1, "pipeline");
    EXPECT(OTLP "exporters: {nop: }\n"
                "service: {pipelines: {traces: {receivers: [], exporters: [nop]}, logs: "
                "{receivers: [otlp]}}}\n",
           2, "receiver", "exporter");
}

static void test_connectors_carry_one_signal(void **state)
{
    (void)state;
    EXPECT(OTLP "exporters: {nop: }\nconnectors: {forward: }\n"
                "service:\n  pipelines:\n"
                "    traces: {receivers: [otlp], exporters: [forward]}\n"
                "    logs: {receivers: [forward], exporters: [nop]}\n",
           1, "connector 'forward' gets traces here, but no traces pipeline has it as a receiver");
    EXPECT(OTLP "exporters: {nop: }\nconnectors: {forward: }\n"
                "service:\n  pipelines:\n"
                "    traces: {receivers: [otlp], exporters: [forward]}\n",
           1, "forward");
    EXPECT(OTLP "exporters: {nop: }\nconnectors: {forward/a: , forward/b: }\n"
                "service:\n  pipelines:\n"
                "    traces/1: {receivers: [otlp, forward/b], exporters: [forward/a]}\n"
                "    traces/2: {receivers: [forward/a], exporters: [forward/b, nop]}\n",
           1, "forward/");
}

static void test_authenticators(void **state)
{
    (void)state;
    EXPECT("receivers: {otlp: {protocols: {grpc: {auth: {authenticator: basicauth}}}}}\n"
           "exporters: {otlp_http: {endpoint: 'http://a:1', auth: {authenticator: zpages}}}\n"
           "extensions: {basicauth: {htpasswd: {inline: 'a:b'}}, zpages: }\n"
           "service: {extensions: [zpages], pipelines: {traces: {receivers: [otlp], exporters: "
           "[otlp_http]}}}\n",
           2, "no authenticator 'basicauth'", "no authenticator 'zpages'", "service.extensions");
    EXPECT("receivers: {otlp: {protocols: {grpc: {auth: {authenticator: basicauth}}}}}\n"
           "exporters: {nop: }\nextensions: {basicauth: {htpasswd: {inline: 'a:b'}}}\n"
           "service: {extensions: [basicauth], pipelines: {traces: {receivers: [otlp], exporters: "
           "[nop]}}}\n",
           0, "");
}

static void test_settings_that_contradict(void **state)
{
    (void)state;
    EXPECT(OTLP "processors: {batch: {send_batch_size: 100, send_batch_max_size: 10, "
                "metadata_keys: [X-A, x-a]}}\n"
                "exporters: {otlp_http: {endpoint: 'http://a:1', sending_queue: {wait_for_result: "
                "true, storage: file_storage}}}\n"
                "service: {pipelines: {traces: {receivers: [otlp], processors: [batch], exporters: "
                "[otlp_http]}}}\n",
           3, "must not be below send_batch_size (100)", "stands here twice", "storage");
    EXPECT("receivers: {otlp: }\nexporters: {nop: }\n"
           "service: {pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}\n",
           1, "names no protocol");
}

/* --- promises */

static enum leat_promise promise_of(const char *rest, const char *pipeline)
{
    struct leat_diags *diags = leat_diags_new();
    char *yaml = leat_format(OTLP "processors: {batch: }\nconnectors: {forward/a: , forward/b: }\n"
                                  "exporters:\n"
                                  "  otlp_grpc/held: {endpoint: 'a:1', tls: {insecure: true}}\n"
                                  "  otlp_grpc/told: {endpoint: 'a:1', tls: {insecure: true}, "
                                  "sending_queue: {wait_for_result: true}}\n"
                                  "  otlp_grpc/none: {endpoint: 'a:1', tls: {insecure: true}, "
                                  "sending_queue: {enabled: false}}\n"
                                  "  nop:\n"
                                  "service:\n  pipelines:\n%s",
                             rest);
    struct leat_plan *p = load(yaml, diags);
    enum leat_promise promise = (enum leat_promise) - 1;

    if (p == NULL)
        leat_diags_print(diags, stderr, 0);
    assert_non_null(p);
    for (size_t i = 0; i < p->npipelines; i++) {
        if (strcmp(p->pipelines[i].pipeline->id, pipeline) == 0)
            promise = p->pipelines[i].promise;
    }
    leat_plan_free(p);
    leat_diags_free(diags);
    leat_free(yaml);
    return promise;
}

static void test_promises(void **state)
{
    (void)state;
#define ONE(exporters) "    logs: {receivers: [otlp], exporters: [" exporters "]}\n"
    assert_int_equal(promise_of(ONE("otlp_grpc/held"), "logs"), LEAT_PROMISE_HELD);
    assert_int_equal(promise_of(ONE("otlp_grpc/told"), "logs"), LEAT_PROMISE_DELIVERED);
    assert_int_equal(promise_of(ONE("otlp_grpc/none"), "logs"), LEAT_PROMISE_DELIVERED);
    assert_int_equal(promise_of(ONE("nop"), "logs"), LEAT_PROMISE_DELIVERED);
    assert_int_equal(promise_of(ONE("otlp_grpc/told, otlp_grpc/held"), "logs"), LEAT_PROMISE_HELD);
}

static void test_promises_through_connectors(void **state)
{
    (void)state;
#define CHAIN(last)                                                                                \
    "    logs/1: {receivers: [otlp], exporters: [forward/a, otlp_grpc/told]}\n"                    \
    "    logs/2: {receivers: [forward/a], processors: [batch], exporters: [forward/b]}\n"          \
    "    logs/3: {receivers: [forward/b], exporters: [otlp_grpc/told]}\n"                          \
    "    logs/4: {receivers: [forward/b], exporters: [" last "]}\n"
    assert_int_equal(promise_of(CHAIN("otlp_grpc/held"), "logs/1"), LEAT_PROMISE_HELD);
    assert_int_equal(promise_of(CHAIN("otlp_grpc/held"), "logs/2"), LEAT_PROMISE_HELD);
    assert_int_equal(promise_of(CHAIN("otlp_grpc/held"), "logs/3"), LEAT_PROMISE_DELIVERED);
    assert_int_equal(promise_of(CHAIN("otlp_grpc/none"), "logs/1"), LEAT_PROMISE_DELIVERED);
}

/* The 100th pipeline behind a connector counts like the first. */
static void test_promises_of_many_pipelines(void **state)
{
    struct leat_text yaml;
    struct leat_diags *diags = leat_diags_new();
    struct leat_plan *p;

    (void)state;
    leat_text_init(&yaml, 1 << 16);
    leat_text_str(&yaml,
                  OTLP "exporters: {nop: , otlp_grpc: {endpoint: 'x:1', tls: {insecure: true}}}\n"
                       "connectors: {forward: }\nservice:\n  pipelines:\n"
                       "    logs: {receivers: [otlp], exporters: [forward]}\n");
    for (int i = 1; i <= 100; i++)
        leat_text_printf(&yaml, "    logs/%d: {receivers: [forward], exporters: [%s]}\n", i,
                         i == 100 ? "otlp_grpc" : "nop");
    p = load(leat_text_get(&yaml), diags);
    assert_non_null(p);
    assert_int_equal(p->pipelines[0].promise, LEAT_PROMISE_HELD);
    assert_int_equal(p->pipelines[1].promise, LEAT_PROMISE_DELIVERED);
    leat_plan_free(p);
    leat_diags_free(diags);
    leat_text_done(&yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_is_wrong_at_once),
        cmocka_unit_test(test_retired_names_say_what_to_use),
        cmocka_unit_test(test_old_names_work_with_a_warning),
        cmocka_unit_test(test_undefined_and_unused),
        cmocka_unit_test(test_connectors_carry_one_signal),
        cmocka_unit_test(test_authenticators),
        cmocka_unit_test(test_settings_that_contradict),
        cmocka_unit_test(test_promises),
        cmocka_unit_test(test_promises_of_many_pipelines),
        cmocka_unit_test(test_promises_through_connectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
