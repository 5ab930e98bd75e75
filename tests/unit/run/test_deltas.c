/* Where deltas meet an exporter that drops them, validate says so: at the exporter, and what to
 * add. With components made up for it in the places of real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lib/config_help.h"
#include "run/deltas.h"

static void source(const void *conf, struct leat_deltas *ret)
{
    (void)conf;
    ret->makes = LEAT_DELTA_SUMS | LEAT_DELTA_UPDOWN;
}

static void picky(const void *conf, struct leat_deltas *ret)
{
    (void)conf;
    ret->drops = LEAT_DELTAS_ALL;
    ret->why = "it knows none";
}

static void lenient(const void *conf, struct leat_deltas *ret)
{
    (void)conf;
    ret->drops = LEAT_DELTA_UPDOWN;
    ret->why = "it adds up monotonic ones only";
}

static struct leat_component receiver, exporter, page;

static void make_components(struct leat_plan *p)
{
    for (size_t i = 0; i < p->nitems; i++) {
        struct leat_plan_item *item = &p->items[i];
        const char *name = item->instance->name;
        struct leat_component *other = strcmp(name, "deltas") == 0  ? &receiver
                                       : strcmp(name, "picky") == 0 ? &exporter
                                       : strcmp(name, "page") == 0  ? &page
                                                                    : NULL;
        if (other == NULL)
            continue;
        *other = *item->component;
        other->deltas = other == &receiver ? source : other == &exporter ? picky : lenient;
        item->component = other;
    }
}

/* The warnings of a configuration in which nop/deltas makes them, and nop/picky and nop/page drop
 * some. */
static char *warnings(const char *pipelines)
{
    char *yaml = leat_format("yaml:receivers: {nop: , nop/deltas: }\n"
                             "processors: {deltatocumulative: , cumulativetodelta: , batch: }\n"
                             "connectors: {forward: , forward/b: }\n"
                             "exporters: {nop: , nop/picky: , nop/page: }\n"
                             "service:\n  pipelines:\n%s",
                             pipelines);
    const char *sources[] = {yaml};
    struct leat_diags *diags = leat_diags_new();
    struct leat_plan *p = leat_plan_load(sources, 1, NULL, 0, diags);
    char *all;

    if (p == NULL)
        print_error("%s", config_messages(diags, 1));
    assert_non_null(p);
    make_components(p);
    leat_deltas_check(p, diags);
    all = config_messages(diags, 1);
    leat_plan_free(p);
    leat_diags_free(diags);
    leat_free(yaml);
    return all;
}

static void says(const char *pipelines, const char *wanted)
{
    char *all = warnings(pipelines);

    if (*wanted == '\0' ? *all != '\0' : strstr(all, wanted) == NULL)
        print_error("'%s' is not in:\n%s", wanted, all);
    if (*wanted == '\0')
        assert_string_equal(all, "");
    else
        assert_non_null(strstr(all, wanted));
    free(all);
}

static void test_deltas_meet_who_drops_them(void **state)
{
    (void)state;
    says("    metrics: {receivers: [nop, nop/deltas], processors: [batch], exporters: [nop, "
         "nop/picky]}\n",
         "7:83: warning: 'nop/picky' will drop the delta sums of 'nop/deltas': it knows none; put "
         "the processor deltatocumulative into this pipeline");
    says("    metrics: {receivers: [nop/deltas], exporters: [nop/page]}\n",
         "'nop/page' will drop the delta sums that are not monotonic of 'nop/deltas'");
    says("    metrics: {receivers: [nop], processors: [cumulativetodelta], exporters: "
         "[nop/picky]}\n",
         "'nop/picky' will drop the delta sums and histograms of 'cumulativetodelta'");
}

static void test_deltas_are_turned_before(void **state)
{
    (void)state;
    says("    metrics: {receivers: [nop, nop/deltas], processors: [batch, deltatocumulative], "
         "exporters: [nop/picky, nop/page]}\n",
         "");
    says("    metrics: {receivers: [nop], exporters: [nop/picky]}\n", "");
    says("    metrics: {receivers: [nop], processors: [cumulativetodelta], exporters: "
         "[nop/page]}\n",
         "");
    says("    metrics: {receivers: [nop/deltas], exporters: [nop]}\n", "");
    says("    logs: {receivers: [nop/deltas], exporters: [nop/picky]}\n", "");
}

static void test_deltas_through_connectors(void **state)
{
    (void)state;
    says("    metrics/3: {receivers: [forward/b], exporters: [nop/picky]}\n"
         "    metrics/2: {receivers: [forward], exporters: [forward/b]}\n"
         "    metrics/1: {receivers: [nop/deltas], exporters: [forward]}\n",
         "7:53: warning: 'nop/picky' will drop the delta sums of 'nop/deltas'");
    says("    metrics/1: {receivers: [nop/deltas], exporters: [forward]}\n"
         "    metrics/2: {receivers: [forward], processors: [deltatocumulative], exporters: "
         "[nop/picky]}\n",
         "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deltas_meet_who_drops_them),
        cmocka_unit_test(test_deltas_are_turned_before),
        cmocka_unit_test(test_deltas_through_connectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
