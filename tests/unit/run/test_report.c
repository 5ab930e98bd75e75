/* What the program says of itself: written, read back, compared. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "run/report.h"

static struct leat_report *report(uint64_t pid, double uptime)
{
    struct leat_report *r = leat_report_new();

    r->pid = pid;
    r->uptime = uptime;
    return r;
}

static struct leat_report_row *row(struct leat_report *r, const char *id, uint64_t items)
{
    struct leat_report_row *row = leat_report_row(r, "exporter", id, "", "logs");

    row->total[LEAT_ITEMS_IN] = items;
    return row;
}

static struct leat_report *again(const struct leat_report *r)
{
    struct leat_err err;
    struct leat_report *copy;
    struct leat_text t;

    leat_text_init(&t, LEAT_REPORT_BYTES);
    leat_report_write(r, &t);
    assert_true(leat_text_ok(&t));
    copy = leat_report_read(leat_text_bytes(&t), &err);
    leat_text_done(&t);
    assert_non_null(copy);
    return copy;
}

static void test_what_is_written_is_read(void **state)
{
    struct leat_report *r = report(4711, 1.5), *copy;
    struct leat_report_row *w = leat_report_row(r, "processor", "batch/\"a\"", "logs/x", "logs");

    (void)state;
    for (int i = 0; i < LEAT_FLOW_NUMBERS; i++)
        w->total[i] = UINT64_MAX - (uint64_t)i;
    w->held = INT64_MIN + 1;
    w->held_bytes = INT64_MAX;
    w = row(r, "up", 7);
    w->has_queue = true;
    w->queue_size = 3;
    w->queue_capacity = 1000;
    w->in_flight = 2;
    *leat_report_add_budget(r) = (struct leat_report_budget){1, 2, 3, 4};
    *leat_report_add_budget(r) = (struct leat_report_budget){10, 20, 30, 40};
    leat_report_add_config(r, "a b.yaml");
    r->workers = 2;
    r->rss = UINT64_C(1) << 60;
    copy = again(r);
    assert_int_equal(copy->pid, 4711);
    assert_true(copy->uptime == 1.5);
    assert_int_equal(copy->rss, r->rss);
    assert_int_equal(copy->nconfig, 1);
    assert_string_equal(copy->config[0], "a b.yaml");
    assert_int_equal(leat_report_budget(copy).limit, 22);
    assert_int_equal(leat_report_budget(copy).refused, 44);
    assert_int_equal(copy->nrows, 2);
    w = leat_report_find(copy, "processor", "batch/\"a\"", "logs/x", "logs");
    assert_non_null(w);
    assert_memory_equal(w->total, r->rows[0]->total, sizeof w->total);
    assert_int_equal(w->held, INT64_MIN + 1);
    assert_int_equal(w->held_bytes, INT64_MAX);
    assert_false(w->has_queue);
    w = leat_report_find(copy, "exporter", "up", "", "logs");
    assert_true(w->has_queue);
    assert_int_equal(w->queue_size, 3);
    assert_int_equal(w->queue_capacity, 1000);
    assert_int_equal(w->in_flight, 2);
    leat_report_free(copy);
    leat_report_free(r);
}

static void test_rates_stand_beside_the_totals(void **state)
{
    struct leat_report *before = report(1, 10), *now = report(1, 12);
    struct leat_text t;

    (void)state;
    row(before, "a", 100);
    row(now, "a", 150);
    row(now, "new", 5);
    leat_report_rate(now, before);
    leat_text_init(&t, LEAT_REPORT_BYTES);
    leat_report_write(now, &t);
    assert_non_null(strstr(leat_text_get(&t), "\"interval_seconds\":2,"));
    assert_non_null(strstr(leat_text_get(&t), "\"items_in_rate\":25,"));
    assert_non_null(strstr(leat_text_get(&t), "\"items_in_rate\":null,"));
    leat_text_done(&t);
    leat_report_free(before);
    leat_report_free(now);
}

static void test_rates(void **state)
{
    struct leat_report *before = report(1, 10), *now = report(1, 10.5);

    (void)state;
    row(before, "a", 100);
    row(before, "back", 100);
    row(before, "gone", 1);
    row(now, "a", 150);
    row(now, "back", 99);
    row(now, "new", 5);
    leat_report_rate(now, before);
    assert_true(now->interval == 0.5);
    assert_true(now->rows[0]->rate[LEAT_ITEMS_IN] == 100);
    assert_true(now->rows[0]->rate[LEAT_BYTES_OUT] == 0);
    assert_true(isnan(now->rows[1]->rate[LEAT_ITEMS_IN]));
    assert_true(now->rows[1]->rate[LEAT_ITEMS_OUT] == 0);
    assert_true(isnan(now->rows[2]->rate[LEAT_ITEMS_IN]));
    leat_report_free(before);
    leat_report_free(now);
}

/* Another process; the same number again; no time between them. */
static void test_a_program_that_started_anew_has_no_rates(void **state)
{
    static const struct {
        uint64_t pid;
        double uptime;
        const char *started;
    } others[] = {{2, 11, ""}, {1, 11, "later"}, {1, 10, ""}, {1, 9, ""}};

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct leat_report *before = report(1, 10), *now = report(others[i].pid, others[i].uptime);
        leat_free(now->started);
        now->started = leat_strdup(others[i].started);
        row(before, "a", 1);
        row(now, "a", 2);
        leat_report_rate(now, before);
        assert_true(now->interval == 0);
        assert_true(isnan(now->rows[0]->rate[LEAT_ITEMS_IN]));
        leat_report_free(before);
        leat_report_free(now);
    }
}

static void refused(const char *json, const char *says)
{
    struct leat_err err = {""};

    assert_null(leat_report_read(leat_bytes_str(json), &err));
    if (strstr(err.text, says) == NULL)
        fail_msg("'%s' is not in '%s'", says, err.text);
}

static void test_nothing_is_believed(void **state)
{
    struct leat_err err;
    struct leat_report *r;

    (void)state;
    refused("", "no status document");
    refused("{}", "schema 0");
    refused("{\"schema\":2}", "schema 2, this program reads 1");
    refused("{\"schema\":1} x", "behind its end");
    refused("{\"schema\":1,\"pid\":-1}", "out of range");
    refused("{\"schema\":1,\"pid\":1.5}", "no status document");
    refused("{\"schema\":1,\"pid\":18446744073709551616}", "no status document");
    refused("{\"schema\":1,\"version\":3}", "no status document");
    refused("{\"schema\":1,\"components\":[{\"held\":9223372036854775808}]}", "out of range");
    refused("{\"schema\":1,\"components\":{}}", "an array is expected");
    refused("{\"schema\":1,\"components\":[1]}", "an object is expected");
    refused("{\"schema\":1,\"budgets\":[{]}", "no status document");
    r = leat_report_read(leat_bytes_str("{\"new\":[{\"a\":[null]}],\"schema\":1,\"version\":\"a\","
                                        "\"version\":\"\\u001b[2J\",\"components\":[{},{}],"
                                        "\"budgets\":[],\"config\":[]}"),
                         &err);
    assert_non_null(r);
    assert_string_equal(r->version, "\\x1b[2J");
    assert_int_equal(r->nrows, 1);
    assert_string_equal(r->rows[0]->id, "");
    leat_report_free(r);
}

static void test_too_many(void **state)
{
    struct leat_report *r = leat_report_new();
    unsigned rows = 0, budgets = 0;
    char id[16];

    (void)state;
    do {
        snprintf(id, sizeof id, "%u", rows++);
    } while (leat_report_row(r, "exporter", id, "", "logs") != NULL);
    assert_int_equal(rows, 20001);
    assert_int_equal(r->nrows, 20000);
    assert_non_null(leat_report_row(r, "exporter", "7", "", "logs"));
    while (leat_report_add_budget(r) != NULL)
        budgets++;
    assert_int_equal(budgets, 1024);
    for (int i = 0; i < 200; i++)
        leat_report_add_config(r, "x");
    assert_int_equal(r->nconfig, 100);
    leat_report_free(r);
    leat_report_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_rates_stand_beside_the_totals),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_a_program_that_started_anew_has_no_rates),
        cmocka_unit_test(test_nothing_is_believed),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
