/* Cutting requests: what is in both pieces, and what happens without memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "lib/otlp_write.h"
#include "proto/otlp_cut.h"
#include "proto/otlp_view.h"

static void put_records(struct leat_text *t, uint32_t field, int from, int to)
{
    for (int i = from; i < to; i++) {
        char name[] = {'r', (char)('a' + i), '\0'};
        struct leat_text one;

        leat_text_init(&one, 100);
        otlp_write_text(&one, 5, name);
        otlp_write_bytes(t, field, leat_text_bytes(&one));
        leat_text_done(&one);
    }
}

/* ResourceSpans: an unknown field, two scopes with spans [from, mid) and [mid, to), the schema, and
 * last the resource. */
static void put_group(struct leat_text *t, const char *name, int from, int mid, int to)
{
    struct leat_text group, scope;

    leat_text_init(&group, 1 << 16);
    otlp_write_text(&group, 77, "unknown");
    for (int k = 0; k < 2; k++) {
        leat_text_init(&scope, 1 << 16);
        put_records(&scope, 2, k == 0 ? from : mid, k == 0 ? mid : to);
        otlp_write_text(&scope, 3, k == 0 ? "schema-1" : "schema-2");
        otlp_write_bytes(&group, 2, leat_text_bytes(&scope));
        leat_text_done(&scope);
    }
    otlp_write_text(&group, 3, "schema");
    leat_text_init(&scope, 1 << 16);
    otlp_write_attr(&scope, 1, "service.name", name);
    otlp_write_bytes(&group, 1, leat_text_bytes(&scope));
    leat_text_done(&scope);
    otlp_write_bytes(t, 1, leat_text_bytes(&group));
    leat_text_done(&group);
}

static struct leat_bytes of(const struct leat_buf *b)
{
    return leat_bytes(b->data, b->len);
}

static bool has(struct leat_bytes b, const char *text)
{
    return memmem(b.data, b.len, text, strlen(text)) != NULL;
}

static void what_is_around_the_cut_is_in_both(void **state)
{
    struct leat_buf *head, *tail;
    struct leat_text t, want;

    (void)state;
    leat_text_init(&t, 1 << 16);
    put_group(&t, "one", 0, 3, 5);
    put_group(&t, "two", 5, 8, 10);
    assert_int_equal(leat_otlp_cut(LEAT_TRACES, leat_text_bytes(&t), 7, NULL, &head, &tail), 0);

    leat_text_init(&want, 1 << 16);
    put_group(&want, "one", 0, 3, 5);
    assert_true(head->len > want.len);
    assert_memory_equal(head->data, want.data, want.len);
    assert_int_equal(leat_otlp_count(LEAT_TRACES, of(head)).items, 7);
    assert_int_equal(leat_otlp_count(LEAT_TRACES, of(tail)).items, 3);
    for (int i = 0; i < 2; i++) {
        struct leat_bytes cut =
            i == 0 ? leat_bytes(head->data + want.len, head->len - want.len) : of(tail);

        assert_false(has(cut, "one"));
        assert_true(has(cut, "two") && has(cut, "unknown") && has(cut, "schema-1"));
        assert_int_equal(has(cut, "schema-2"), i == 1); /* that scope is not cut */
        assert_int_equal(has(cut, "rg"), i == 0);
        assert_int_equal(has(cut, "rh"), i == 1);
    }
    leat_text_done(&want);
    leat_text_done(&t);
    leat_buf_unref(head);
    leat_buf_unref(tail);
}

static void a_cut_between_groups_copies_them_whole(void **state)
{
    struct leat_buf *head, *tail;
    struct leat_text t;
    size_t first;

    (void)state;
    leat_text_init(&t, 1 << 16);
    put_group(&t, "one", 0, 3, 5);
    first = t.len;
    put_group(&t, "two", 5, 8, 10);
    assert_int_equal(leat_otlp_cut(LEAT_TRACES, leat_text_bytes(&t), 5, NULL, &head, &tail), 0);
    assert_int_equal(head->len, first);
    assert_memory_equal(head->data, t.data, first);
    assert_int_equal(tail->len, t.len - first);
    assert_memory_equal(tail->data, t.data + first, t.len - first);
    leat_text_done(&t);
    leat_buf_unref(head);
    leat_buf_unref(tail);
}

static void prefixes_are_whole_entries(void **state)
{
    static const struct {
        uint32_t items, want, entries;
    } rows[] = {{0, 0, 0}, {4, 0, 0}, {5, 5, 1}, {9, 5, 1}, {10, 10, 2}, {UINT32_MAX, 10, 2}};
    struct leat_text t;
    size_t end[3] = {0, 0, 0};

    (void)state;
    leat_text_init(&t, 1 << 16);
    put_group(&t, "one", 0, 3, 5);
    end[1] = t.len;
    put_group(&t, "two", 5, 8, 10);
    end[2] = t.len;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t n = 99;

        assert_int_equal(leat_otlp_prefix(LEAT_TRACES, leat_text_bytes(&t), rows[i].items, &n),
                         end[rows[i].entries]);
        assert_int_equal(n, rows[i].want);
    }
    leat_text_done(&t);
}

static void no_memory_is_an_error_and_leaks_nothing(void **state)
{
    struct leat_buf *head = NULL, *tail = NULL;
    struct leat_budget budget;
    struct leat_text t;

    (void)state;
    leat_text_init(&t, 1 << 16);
    put_group(&t, "one", 0, 3, 5);
    leat_budget_init(&budget, t.len); /* one piece fits, both do not */
    assert_int_equal(leat_otlp_cut(LEAT_TRACES, leat_text_bytes(&t), 2, &budget, &head, &tail), -1);
    assert_int_equal(leat_budget_used(&budget), 0);
    leat_budget_init(&budget, 1 << 16);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        leat_mem_fail_at(nth);
        assert_int_equal(leat_otlp_cut(LEAT_TRACES, leat_text_bytes(&t), 2, &budget, &head, &tail),
                         -1);
        leat_mem_fail_at(0);
        assert_int_equal(leat_budget_used(&budget), 0);
    }
    assert_null(head);
    assert_null(tail);
    leat_text_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_around_the_cut_is_in_both),
        cmocka_unit_test(a_cut_between_groups_copies_them_whole),
        cmocka_unit_test(prefixes_are_whole_entries),
        cmocka_unit_test(no_memory_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
