/* Whole files: sections, ids, references, connectors, cycles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/document.h"
#include "lib/config_help.h"

struct world {
    struct leat_arena arena;
    struct leat_diags *diags;
    struct leat_document *doc;
};

static void read_text(struct world *w, const char *text)
{
    leat_arena_init(&w->arena, 1 << 24);
    w->diags = leat_diags_new();
    w->doc = leat_document_read(leat_yaml_parse("t.yaml", text, strlen(text), &w->arena, w->diags),
                                &w->arena, w->diags);
}

static void done(struct world *w)
{
    leat_diags_free(w->diags);
    leat_arena_done(&w->arena);
}

#define BASE                                                                                       \
    "receivers: {otlp: , statsd/x: }\n"                                                            \
    "processors: {batch: , filter/a: }\n"                                                          \
    "exporters: {debug: , otlp_grpc/edge: }\n"                                                     \
    "connectors: {count: , forward: , forward/b: }\n"                                              \
    "extensions: {zpages: }\n"

struct sample {
    const char *text, *messages;
};

static void checks(void **state)
{
    static const struct sample samples[] = {
        {"receivers:\n", "1:1: error: there is no service: nothing would run\n"},
        {"service:\n", "1:1: error: there is no service: nothing would run\n"},
        {"service: [x]\n", "1:10: error: 'service' must be a mapping, found a list\n"},
        {"service: {pipelines: }\n", "1:11: error: there is no pipeline: nothing would run\n"},
        {"service: {telemetry: {}}\n", "1:1: error: there is no pipeline: nothing would run\n"},
        {"[a]\n", "1:1: error: a configuration is a mapping of keys to values (the first line is "
                  "usually 'receivers:')\n"},
        {"reciever:\nreceivers: {otlp: }\nexporters: {debug: }\npipelines:\n"
         "service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}, extension: [], "
         "exporters: }\n",
         "1:1: error: unknown key 'reciever' at the top of the file (did you mean 'receivers'?)\n"
         "4:1: error: unknown key 'pipelines' at the top of the file (it belongs under "
         "'service')\n"
         "5:73: error: unknown key 'extension' in service (did you mean 'extensions'?)\n"
         "5:88: error: unknown key 'exporters' in service ('exporters' stands at the top of the "
         "file)\n"},
        {"receivers: {1x: , a b: , otlp/: , 'otlp/a b': , otlp/\xc3\xa4-1: , 'x/a$': }\n"
         "exporters: {debug: }\n"
         "service: {pipelines: {logs: {receivers: [otlp/\xc3\xa4-1], exporters: [debug]}}}\n",
         "1:13: error: '1x' is no id of a component (it is written 'type' or 'type/name'; a type "
         "is a letter, then letters, digits and '_')\n"
         "1:19: error: 'a b' is no id of a component (it is written 'type' or 'type/name'; a type "
         "is a letter, then letters, digits and '_')\n"
         "1:26: error: the name behind the '/' of 'otlp/' is empty\n"
         "1:35: error: the name behind the '/' of 'otlp/a b' must not hold blanks or symbols, nor "
         "be longer than 1,024 characters\n"
         "1:61: error: the name behind the '/' of 'x/a$' must not hold blanks or symbols, nor be "
         "longer than 1,024 characters\n"},
        {"receivers: x\nexporters: [debug]\nservice: {pipelines: {traces: x}}\n",
         "1:12: error: 'receivers' must be a mapping, found a text\n"
         "2:12: error: 'exporters' must be a mapping, found a list\n"
         "3:31: error: 'service.pipelines.traces' must be a mapping, found a text\n"},
        {BASE "service:\n  pipelines:\n    traces:\n      receivers: [otlp]\n",
         "8:5: error: the pipeline 'traces' has no exporter\n"},
        {BASE
         "service:\n  pipelines:\n    traces:\n      receivers: []\n      exporters: [debug]\n",
         "9:7: error: the pipeline 'traces' has no receiver\n"},
        {BASE "service:\n  pipelines:\n    traces:\n",
         "8:5: error: the pipeline 'traces' has no receiver\n"
         "8:5: error: the pipeline 'traces' has no exporter\n"},
        {BASE "service:\n  pipelines:\n    profiles: {receivers: [otlp], exporters: [debug]}\n"
              "    trace/a: {}\n    traces/: {}\n    spam: {}\n",
         "8:5: error: Leat does not carry profiles yet\n"
         "9:5: error: 'trace/a' is no id of a pipeline: it is traces, metrics or logs, and may "
         "have a name, as in 'traces/edge' (did you mean 'traces'?)\n"
         "10:5: error: 'traces/' is no id of a pipeline: it is traces, metrics or logs, and may "
         "have a name, as in 'traces/edge' (did you mean 'traces'?)\n"
         "11:5: error: 'spam' is no id of a pipeline: it is traces, metrics or logs, and may have "
         "a name, as in 'traces/edge'\n"},
        {BASE "service:\n  extensions: [zpages, pprof, zpages]\n  pipelines:\n    traces:\n"
              "      receivers: [oltp, batch]\n      processors: [batch, filter, batch, count]\n"
              "      exporters: [otlp_grpc, [x], otlp]\n      processor: []\n",
         "7:24: error: the extension 'pprof' is not defined\n"
         "7:31: warning: 'zpages' is named twice; once counts\n"
         "10:19: error: the receiver 'oltp' is not defined (did you mean 'otlp'?)\n"
         "10:25: error: the receiver 'batch' is not defined ('batch' is defined under processors, "
         "not receivers)\n"
         "11:27: error: the processor 'filter' is not defined (did you mean 'filter/a'?)\n"
         "11:35: error: the processor 'batch' is named twice\n"
         "11:42: error: the processor 'count' is not defined ('count' is defined under connectors, "
         "not processors)\n"
         "12:19: error: the exporter 'otlp_grpc' is not defined (did you mean "
         "'otlp_grpc/edge'?)\n"
         "12:30: error: this must be the id of an exporter\n"
         "12:35: error: the exporter 'otlp' is not defined ('otlp' is defined under receivers, "
         "not exporters)\n"
         "13:7: error: unknown key 'processor' in service.pipelines.traces (did you mean "
         "'processors'?)\n"},
        {BASE "service:\n  pipelines:\n    traces:\n      receivers: {otlp: }\n"
              "      exporters: debug\n",
         "9:7: error: 'service.pipelines.traces.receivers' must be a list of ids (write [a, b])\n"},
        {BASE "service:\n  pipelines:\n    traces: {receivers: [otlp], exporters: [count]}\n"
              "    metrics: {receivers: [forward], exporters: [debug]}\n",
         "4:14: error: the connector 'count' is an exporter of a pipeline, but no pipeline "
         "receives from it (name it among the receivers of another pipeline)\n"
         "4:23: error: the connector 'forward' is a receiver of a pipeline, but no pipeline "
         "exports to it (name it among the exporters of another pipeline)\n"},
        {"receivers: {otlp: , x: }\nexporters: {debug: }\nconnectors: {x: , debug: }\n"
         "service: {pipelines: {logs: {receivers: [otlp], exporters: [debug]}}}\n",
         "3:14: error: the connector 'x' has the id of the receiver on line 1\n"
         "3:19: error: the connector 'debug' has the id of the exporter on line 2\n"},
        {BASE "service:\n  pipelines:\n"
              "    traces/a: {receivers: [otlp, forward/b], exporters: [debug, forward]}\n"
              "    traces/b: {receivers: [forward], exporters: [forward/b]}\n",
         "9:50: error: pipelines feed themselves: traces/a -> (forward) -> traces/b -> (forward/b) "
         "-> traces/a\n"},
        {BASE "service:\n  pipelines:\n"
              "    traces: {receivers: [otlp, forward], exporters: [forward]}\n",
         "8:54: error: pipelines feed themselves: traces -> (forward) -> traces\n"},
        /* a diamond is no cycle */
        {BASE "service:\n  pipelines:\n"
              "    traces: {receivers: [otlp], exporters: [forward, forward/b]}\n"
              "    traces/a: {receivers: [forward], exporters: [count]}\n"
              "    traces/b: {receivers: [forward/b], exporters: [count]}\n"
              "    metrics: {receivers: [count], exporters: [debug]}\n",
         ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct world w;
        char *got;
        read_text(&w, samples[i].text);
        got = config_messages(w.diags, 1);
        if (strcmp(got, samples[i].messages) != 0)
            fail_msg("%s\n--- got\n%s--- expected\n%s", samples[i].text, got, samples[i].messages);
        free(got);
        done(&w);
    }
}

/* The shapes that files in the field have: comments, null sections, flow lists, defined but unused
 * components, anchors, expansions, quotes. */
static void real_shapes(void **state)
{
    const char *text = "# a gateway\n"
                       "receivers:\n"
                       "  otlp:\n"
                       "    protocols:\n"
                       "      grpc:\n"
                       "      http:   \n"
                       "        endpoint: \"0.0.0.0:4318\"\n"
                       "  unused/one: {}\n"
                       "\n"
                       "processors:\n"
                       "  batch:\n"
                       "  resource/a:\n"
                       "    attributes: &attributes\n"
                       "    - key: env\n"
                       "      value: '{{ x }}'\n"
                       "  resource/b: {attributes: *attributes}\n"
                       "exporters:\n"
                       "  \"otlp_grpc/edge\":\n"
                       "    endpoint: ${env:T_HOST}:4317\n"
                       "  debug: {}\n"
                       "connectors:\n"
                       "  spanmetrics:\n"
                       "extensions:\n"
                       "  health_check:\n"
                       "  pprof:\n"
                       "leat:\n"
                       "  workers: 2\n"
                       "service:\n"
                       "  extensions: [health_check]\n"
                       "  telemetry:\n"
                       "    logs: {level: debug}\n"
                       "  pipelines:\n"
                       "    traces:\n"
                       "      receivers: [otlp]\n"
                       "      processors: [resource/a, batch]\n"
                       "      exporters:\n"
                       "        - otlp_grpc/edge\n"
                       "        - spanmetrics\n"
                       "    metrics/red:\n"
                       "      receivers: [spanmetrics]\n"
                       "      processors: []\n"
                       "      exporters: [otlp_grpc/edge, debug]";
    const struct leat_instance *in;
    const struct leat_pipeline *p;
    struct world w;

    (void)state;
    setenv("T_HOST", "edge", 1);
    read_text(&w, text);
    assert_int_equal(leat_diags_count(w.diags), 0);
    assert_int_equal(w.doc->ninstances, 10);
    in = &w.doc->instances[1];
    assert_string_equal(in->id, "unused/one");
    assert_string_equal(in->type, "unused");
    assert_string_equal(in->name, "one");
    assert_false(in->used);
    assert_true(in->at.line == 8 && in->at.column == 3 && in->section == LEAT_SECTION_RECEIVERS);
    assert_string_equal(w.doc->instances[2].name, "");
    assert_int_equal(w.doc->instances[2].node->kind, LEAT_NODE_NULL);
    assert_int_equal(w.doc->npipelines, 2);
    p = &w.doc->pipelines[0];
    assert_true(p->signal == LEAT_TRACES && p->nreceivers == 1 && p->nprocessors == 2);
    assert_string_equal(p->processors[1].instance->id, "batch");
    assert_true(p->exporters[1].instance->section == LEAT_SECTION_CONNECTORS);
    assert_true(p->exporters[1].at.line == 38 && p->exporters[1].at.column == 11);
    p = &w.doc->pipelines[1];
    assert_string_equal(p->id, "metrics/red");
    assert_true(p->signal == LEAT_METRICS && p->nprocessors == 0 && p->nexporters == 2);
    assert_true(p->receivers[0].instance == w.doc->pipelines[0].exporters[1].instance);
    assert_int_equal(w.doc->nextensions, 1);
    assert_true(w.doc->extensions[0].instance->used);
    assert_false(w.doc->instances[9].used); /* pprof: defined, not listed */
    assert_string_equal(leat_node_get(w.doc->leat, "workers", NULL)->text, "2");
    assert_non_null(leat_node_get(w.doc->telemetry, "logs", NULL));
    in = w.doc->pipelines[0].exporters[0].instance;
    assert_string_equal(leat_node_get(in->node, "endpoint", NULL)->text, "edge:4317");
    done(&w);
}

static void nearest(void **state)
{
    static const char *const words[] = {"endpoint", "timeout", "sending_queue",
                                        "tls",      "ca_file", NULL};
    static const struct {
        const char *text, *word;
    } samples[] = {
        {"endpont", "endpoint"},
        {"endopint", "endpoint"},
        {"sendingQueue", "sending_queue"},
        {"sending-queue", "sending_queue"},
        {"TLS", "tls"},
        {"tsl", "tls"},
        {"cafile", "ca_file"},
        {"time_out", "timeout"},
        {"x", NULL},
        {"", NULL},
        {"retries", NULL},
        {"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const char *word = leat_nearest(samples[i].text, words);
        if (samples[i].word == NULL ? word != NULL
                                    : word == NULL || strcmp(word, samples[i].word) != 0)
            fail_msg("'%s' is near '%s'", samples[i].text, word == NULL ? "nothing" : word);
    }
}

static void no_memory(void **state)
{
    const char *text = BASE "service: {pipelines: {logs: {receivers: [otlp], exporters: [debug]}}}";
    struct leat_diags *d = leat_diags_new();
    struct leat_arena arena, small;
    const struct leat_node *root;
    int failures = 0;

    (void)state;
    leat_arena_init(&arena, 1 << 20);
    root = leat_yaml_parse("t", text, strlen(text), &arena, d);
    for (size_t max = 0; max < 4000; max += 16) {
        struct leat_diags *said = leat_diags_new();
        struct leat_document *doc;
        leat_arena_init(&small, max);
        doc = leat_document_read(root, &small, said);
        if (leat_diags_errors(said) != 0)
            failures++;
        else
            assert_true(doc->ninstances == 10 && doc->npipelines == 1 &&
                        doc->pipelines[0].nexporters == 1);
        leat_arena_done(&small);
        leat_diags_free(said);
    }
    assert_true(failures > 20 && failures < 200);
    assert_null(leat_document_read(NULL, &arena, d));
    leat_arena_done(&arena);
    leat_diags_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks),
        cmocka_unit_test(real_shapes),
        cmocka_unit_test(nearest),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
