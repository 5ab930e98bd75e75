/* The table of leat top: numbers, bars, columns that fit, the order of the rows; and its keys. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "run/screen.h"
#include "run/top_table.h"

static char text[1 << 16];

/* Keeps what `t` says in `text`. */
static const char *keep(struct leat_text *t)
{
    assert_true(leat_text_ok(t));
    snprintf(text, sizeof text, "%s", leat_text_get(t));
    leat_text_done(t);
    return text;
}

static void number(double v, const char *plain, const char *bytes)
{
    char out[LEAT_TOP_NUMBER];

    assert_string_equal(leat_top_number(v, out), plain);
    assert_string_equal(leat_top_bytes(v, out), bytes);
}

static void test_numbers(void **state)
{
    char out[LEAT_TOP_NUMBER];

    (void)state;
    number(0, "0", "0B");
    number(0.04, "0.0", "0.0B");
    number(1, "1", "1B");
    number(12.34, "12.3", "12.3B");
    number(99.96, "100", "100B");
    number(999, "999", "999B");
    number(999.6, "1.00k", "0.98KiB");
    number(1024, "1.02k", "1.00KiB");
    number(9996, "10.0k", "9.76KiB");
    number(123456, "123k", "121KiB");
    number(999600, "1.00M", "976KiB");
    number(1572864, "1.57M", "1.50MiB");
    number(1.8446744073709552e19, "18.4E", "16.0EiB");
    number(1e300, "1e+282E", "9e+281EiB");
    number(NAN, "-", "-");
    assert_string_equal(leat_top_number(-1500, out), "-1.50k");
    assert_string_equal(leat_top_number(-1e300, out), "-1e+282E");
}

static void test_ages(void **state)
{
    char out[LEAT_TOP_NUMBER];

    (void)state;
    assert_string_equal(leat_top_age(0.9, out), "0s");
    assert_string_equal(leat_top_age(59.9, out), "59s");
    assert_string_equal(leat_top_age(432, out), "7m12s");
    assert_string_equal(leat_top_age(7500, out), "2h05m");
    assert_string_equal(leat_top_age(86400 * 3 + 4 * 3600, out), "3d04h");
    assert_string_equal(leat_top_age(-1, out), "0s");
    assert_string_equal(leat_top_age(NAN, out), "0s");
    assert_string_equal(leat_top_age(1e300, out), "0s");
}

static const char *bar(double used, double limit)
{
    struct leat_text t;

    leat_text_init(&t, 100);
    leat_top_bar(used, limit, 4, &t);
    return keep(&t);
}

static void test_bars(void **state)
{
    (void)state;
    assert_string_equal(bar(0, 100), "[----]");
    assert_string_equal(bar(1, 1000), "[#---]");
    assert_string_equal(bar(50, 100), "[##--]");
    assert_string_equal(bar(99.9, 100), "[###-]");
    assert_string_equal(bar(100, 100), "[####]");
    assert_string_equal(bar(500, 100), "[####]");
    assert_string_equal(bar(-5, 100), "[----]");
    assert_string_equal(bar(5, 0), "[----]");
    assert_string_equal(bar(NAN, 100), "[----]");
}

static const char *cut(const char *line, unsigned width)
{
    struct leat_text t;

    leat_text_init(&t, 100);
    leat_top_cut(leat_bytes_str(line), width, &t);
    return keep(&t);
}

static void test_cutting(void **state)
{
    (void)state;
    assert_string_equal(cut("abc", 0), "abc");
    assert_string_equal(cut("abc", 3), "abc");
    assert_string_equal(cut("abcd", 3), "ab…");
    assert_string_equal(cut("äöüß", 4), "äöüß");
    assert_string_equal(cut("äöüßx", 4), "äöü…");
    assert_string_equal(cut("abc", 1), "…");
    assert_string_equal(cut("\xff\xff\xff", 2), "\xff…");
    assert_string_equal(cut("", 2), "");
}

/* --- rows */

static struct leat_report_row *add(struct leat_report *r, const char *kind, const char *id,
                                   const char *pipeline, const char *signal, double in)
{
    struct leat_report_row *row = leat_report_row(r, kind, id, pipeline, signal);

    row->rate[LEAT_ITEMS_IN] = in;
    row->rate[LEAT_ITEMS_OUT] = in / 2;
    return row;
}

static struct leat_report *some(void)
{
    struct leat_report *r = leat_report_new();
    struct leat_report_row *up;

    up = add(r, "exporter", "otlp_grpc/up", "", "traces", 20);
    up->has_queue = true;
    up->queue_size = 600;
    up->queue_capacity = 1000;
    up->held = 1234;
    up->rate[LEAT_ERROR_ITEMS] = 1;
    add(r, "processor", "batch", "traces/edge", "traces", NAN);
    add(r, "receiver", "otlp", "", "traces", 30);
    add(r, "receiver", "otlp", "", "logs", 5000);
    add(r, "connector", "forward", "", "logs", 0);
    return r;
}

static const char *rows(const struct leat_report *r, const struct leat_top_view *view)
{
    struct leat_text t;

    leat_text_init(&t, sizeof text - 1);
    leat_top_rows(r, view, &t);
    return keep(&t);
}

static void test_a_whole_table(void **state)
{
    struct leat_report *r = some();
    struct leat_top_view view = {.sort = LEAT_TOP_KIND};

    (void)state;
    assert_string_equal(rows(r, &view), "KIND↑     COMPONENT    SIGNAL         IN/s   OUT/s   B "
                                        "IN/s  B OUT/s  REFUSED/s  ERRORS/s   "
                                        "HELD QUEUE\n"
                                        "receiver  otlp         logs          5.00k   2.50k        "
                                        "-        -          -         -   "
                                        "   0\n"
                                        "receiver  otlp         traces           30      15        "
                                        "-        -          -         -   "
                                        "   0\n"
                                        "processor batch        traces/edge       -       -        "
                                        "-        -          -         -   "
                                        "   0\n"
                                        "connector forward      logs              0       0        "
                                        "-        -          -         -   "
                                        "   0\n"
                                        "exporter  otlp_grpc/up traces           20      10        "
                                        "-        -          -         1  "
                                        "1.23k [####----] 60%\n");
    leat_report_free(r);
}

/* The ids in the order in which they stand in `text`. */
static void order(const struct leat_report *r, struct leat_top_view view, const char *wanted)
{
    char got[200] = "";
    const char *line = strchr(rows(r, &view), '\n');

    while (line != NULL && line[1] != '\0') {
        char id[50];
        assert_int_equal(sscanf(line + 1, "%*s %49s", id), 1);
        snprintf(got + strlen(got), sizeof got - strlen(got), "%.1s", id);
        line = strchr(line + 1, '\n');
    }
    assert_string_equal(got, wanted);
}

static void test_sorting(void **state)
{
    struct leat_report *r = leat_report_new();

    (void)state;
    add(r, "exporter", "x", "", "traces", 20)->held = -1;
    add(r, "processor", "p", "traces/edge", "traces", NAN);
    add(r, "receiver", "b", "", "traces", 30)->held = 7;
    add(r, "receiver", "a", "", "metrics", 30);
    add(r, "odd", "o", "", "logs", 0)->held = 3;
    r->rows[0]->has_queue = r->rows[4]->has_queue = true;
    r->rows[4]->queue_size = 1;
    r->rows[4]->queue_capacity = 2;
    order(r, (struct leat_top_view){.sort = LEAT_TOP_KIND}, "abpxo");
    order(r, (struct leat_top_view){.sort = LEAT_TOP_KIND, .reverse = true}, "oxpab");
    order(r, (struct leat_top_view){.sort = LEAT_TOP_COMPONENT}, "abopx");
    order(r, (struct leat_top_view){.sort = LEAT_TOP_SIGNAL}, "oabxp");
    order(r, (struct leat_top_view){.sort = LEAT_TOP_IN}, "abxop");
    order(r, (struct leat_top_view){.sort = LEAT_TOP_IN, .reverse = true}, "poxab");
    order(r, (struct leat_top_view){.sort = LEAT_TOP_IN, .totals = true}, "abpxo");
    order(r, (struct leat_top_view){.sort = LEAT_TOP_HELD}, "boapx");
    order(r, (struct leat_top_view){.sort = LEAT_TOP_QUEUE}, "oxabp");
    leat_report_free(r);
}

static unsigned characters(const char *line, size_t len)
{
    unsigned n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)line[i] & 0xc0) != 0x80;
    return n;
}

static void test_no_line_is_wider_than_the_terminal(void **state)
{
    struct leat_report *r = some();

    (void)state;
    add(r, "receiver", "a_name_that_is_longer_than_any_column_would_ever_be/ä",
        "a/very/long/pipeline", "logs", 1);
    for (unsigned width = 1; width < 200; width++) {
        struct leat_top_view view = {.sort = LEAT_TOP_QUEUE, .width = width};
        const char *line = rows(r, &view), *end;
        while ((end = strchr(line, '\n')) != NULL) {
            assert_true(characters(line, (size_t)(end - line)) <= width);
            line = end + 1;
        }
        assert_non_null(strstr(text, width >= 30 ? "COMPONENT" : "…"));
    }
    leat_report_free(r);
}

static void has(const struct leat_report *r, unsigned width, const char *titles)
{
    struct leat_top_view view = {.sort = LEAT_TOP_IN, .width = width};
    char line[300], got[300] = "";
    const char *end = strchr(rows(r, &view), '\n');
    char *word, *rest = line;

    snprintf(line, sizeof line, "%.*s", (int)(end - text), text);
    while ((word = strsep(&rest, " ")) != NULL) {
        if (*word != '\0')
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s ", word);
    }
    assert_string_equal(got, titles);
}

static void test_columns_go_one_by_one(void **state)
{
    struct leat_report *r = some();

    (void)state;
    has(r, 0, "KIND COMPONENT SIGNAL IN/s↓ OUT/s B IN/s B OUT/s REFUSED/s ERRORS/s HELD QUEUE ");
    has(r, 110, "KIND COMPONENT SIGNAL IN/s↓ OUT/s B IN/s B OUT/s REFUSED/s ERRORS/s HELD QUEUE ");
    has(r, 100, "KIND COMPONENT SIGNAL IN/s↓ OUT/s B OUT/s REFUSED/s ERRORS/s HELD QUEUE ");
    has(r, 80, "COMPONENT SIGNAL IN/s↓ OUT/s REFUSED/s ERRORS/s HELD QUEUE ");
    has(r, 65, "COMPONENT SIGNAL IN/s↓ OUT/s REFUSED/s ERRORS/s HELD ");
    has(r, 50, "COMPONENT SIGNAL IN/s↓ OUT/s ERRORS/s ");
    has(r, 30, "COMPONENT IN/s↓ OUT/s ");
    has(r, 20, "COMPONENT IN/s↓ ");
    leat_report_free(r);
}

static void test_sorting_moves_over_shown_columns(void **state)
{
    struct leat_report *r = some();
    struct leat_top_view view = {.sort = LEAT_TOP_OUT};

    (void)state;
    assert_int_equal(leat_top_column_next(r, &view, 1), LEAT_TOP_BYTES_IN);
    view.width = 80;
    assert_int_equal(leat_top_column_next(r, &view, 1), LEAT_TOP_REFUSED);
    view.sort = LEAT_TOP_COMPONENT;
    assert_int_equal(leat_top_column_next(r, &view, -1), LEAT_TOP_QUEUE);
    view.sort = LEAT_TOP_QUEUE;
    assert_int_equal(leat_top_column_next(r, &view, 1), LEAT_TOP_COMPONENT);
    view.width = 1;
    assert_int_equal(leat_top_column_next(r, &view, 1), LEAT_TOP_COMPONENT);
    leat_report_free(r);
}

static void test_what_does_not_fit_is_said(void **state)
{
    struct leat_report *r = some();
    struct leat_top_view view = {.sort = LEAT_TOP_KIND, .height = 3};

    (void)state;
    assert_non_null(strstr(rows(r, &view), "receiver  otlp         traces"));
    assert_non_null(strstr(text, "\n… and 3 more; a taller terminal shows them\n"));
    view.height = 5;
    assert_null(strstr(rows(r, &view), "more"));
    view.height = 1;
    assert_non_null(strstr(rows(r, &view), "… and 5 more"));
    leat_report_free(r);
}

static void test_colour_only_where_it_is_wanted(void **state)
{
    struct leat_report *r = some();
    struct leat_top_view view = {.sort = LEAT_TOP_KIND};

    (void)state;
    assert_null(strchr(rows(r, &view), '\033'));
    view.colour = true;
    assert_non_null(strstr(rows(r, &view), "\033[1mKIND"));
    assert_non_null(strstr(text, "\033[31mexporter  otlp_grpc/up"));
    assert_null(strstr(text, "\033[31mreceiver"));
    leat_report_free(r);
}

static void test_the_header(void **state)
{
    struct leat_report *r = leat_report_new();
    struct leat_top_view view = {.sort = LEAT_TOP_KIND};
    struct leat_text t;

    (void)state;
    leat_free(r->version);
    leat_free(r->state);
    r->version = leat_strdup("1.2.3");
    r->state = leat_strdup("ready");
    r->pid = 77;
    r->workers = 1;
    r->uptime = 61;
    r->rss = 25 << 20;
    *leat_report_add_budget(r) = (struct leat_report_budget){25, 50, 30, 1};
    *leat_report_add_budget(r) = (struct leat_report_budget){0, 50, 40, 2};
    leat_text_init(&t, 1000);
    leat_top_header(r, &view, &t);
    assert_string_equal(keep(&t),
                        "Leat 1.2.3  pid 77  ready  up 1m01s  1 worker  RSS 25.0MiB\n"
                        "Budget [#####---------------] 25B of 100B  peak 70B  refused 3\n");
    view.width = 10;
    leat_top_header(r, &view, &t);
    assert_string_equal(keep(&t), "Leat 1.2.…\nBudget [#…\n");
    leat_report_free(r);
}

static void test_names_of_columns(void **state)
{
    struct leat_text t;

    (void)state;
    leat_text_init(&t, 1000);
    leat_top_column_names(&t);
    assert_string_equal(keep(&t), "kind, component, signal, in, out, bytes-in, bytes-out, refused, "
                                  "errors, held, queue");
    assert_int_equal(leat_top_column_find("bytes-out"), LEAT_TOP_BYTES_OUT);
    assert_int_equal(leat_top_column_find("IN"), -1);
}

static void test_keys(void **state)
{
    static const char sent[] = "q\033[C\033OD<\033\033[D\033[1;5C\033[5~ \033x";
    char got[50] = "";
    int s = 0;

    (void)state;
    for (const char *c = sent; *c != '\0'; c++) {
        enum leat_key key;
        char k;
        if (leat_key_feed(&s, (uint8_t)*c, &key, &k))
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.1s",
                     key == LEAT_KEY_LEFT    ? "L"
                     : key == LEAT_KEY_RIGHT ? "R"
                                             : "",
                     key == LEAT_KEY_CHAR ? &k : "");
    }
    assert_string_equal(got, "qRL<LR x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_bars),
        cmocka_unit_test(test_cutting),
        cmocka_unit_test(test_a_whole_table),
        cmocka_unit_test(test_sorting),
        cmocka_unit_test(test_no_line_is_wider_than_the_terminal),
        cmocka_unit_test(test_columns_go_one_by_one),
        cmocka_unit_test(test_sorting_moves_over_shown_columns),
        cmocka_unit_test(test_what_does_not_fit_is_said),
        cmocka_unit_test(test_colour_only_where_it_is_wanted),
        cmocka_unit_test(test_the_header),
        cmocka_unit_test(test_names_of_columns),
        cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
