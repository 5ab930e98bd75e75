/* Editing attributes, and reading requests record by record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "lib/otlp_random.h"
#include "lib/otlp_write.h"
#include "proto/otlp_edit.h"
#include "proto/otlp_match.h"
#include "proto/otlp_view.h"

#define S(text) leat_bytes_str(text)

static struct leat_bytes of(const struct leat_buf *b)
{
    return leat_bytes(b->data, b->len);
}

/* A LogRecord in a ResourceLogs with these attributes: key, value, key, value …, NULL. */
static void put_logs(struct leat_text *t, bool resource, const char *const *attrs)
{
    struct leat_text group, sub;

    leat_text_init(&group, 1 << 16);
    leat_text_init(&sub, 1 << 16);
    otlp_write_text(&sub, 3, "INFO");
    otlp_write_attr(&sub, 6, "log.key", "log.value");
    otlp_write_wrap(&sub, 2);
    otlp_write_bytes(&group, 2, leat_text_bytes(&sub));
    leat_text_clear(&sub);
    if (resource) {
        for (; *attrs != NULL; attrs += 2)
            otlp_write_attr(&sub, 1, attrs[0], attrs[1]);
        otlp_write_number(&sub, 2, 5); /* dropped_attributes_count */
        otlp_write_bytes(&group, 1, leat_text_bytes(&sub));
    }
    otlp_write_bytes(t, 1, leat_text_bytes(&group));
    leat_text_done(&group);
    leat_text_done(&sub);
}

/* The attributes of all resources as "key=value;…|". */
static void show(struct leat_bytes request, struct leat_text *out)
{
    struct leat_wire w = leat_wire_of(request), attrs;
    struct leat_bytes group, key;
    struct leat_otlp_value v;

    leat_text_clear(out);
    while (leat_otlp_next(&w, 1, &group)) {
        attrs = leat_wire_of(leat_otlp_get(group, 1));
        while (leat_otlp_next_attr(&attrs, 1, &key, &v)) {
            if (v.field == LEAT_OTLP_VALUE_STRING)
                leat_text_printf(out, "%.*s=%.*s;", LEAT_FMT(key), LEAT_FMT(v.bytes));
            else if (v.field == LEAT_OTLP_VALUE_DOUBLE)
                leat_text_printf(out, "%.*s=%g;", LEAT_FMT(key), leat_otlp_double_of(&v));
            else
                leat_text_printf(out, "%.*s=%lld;", LEAT_FMT(key), (long long)v.number);
        }
        leat_text_char(out, '|');
    }
}

static enum leat_edit_result edit(struct leat_bytes in, enum leat_edit_place place,
                                  leat_edit_fn *fn, void *context, struct leat_buf **ret)
{
    struct leat_budget budget;
    enum leat_edit_result result;

    leat_budget_init(&budget, 1 << 20);
    *ret = NULL;
    result = leat_otlp_edit(LEAT_LOGS, in, place, fn, context, &budget, ret);
    if (result == LEAT_EDIT_CHANGED) {
        struct leat_otlp_count count;
        const char *why;

        assert_int_equal(leat_budget_used(&budget), (*ret)->len);
        assert_int_equal(leat_otlp_check(LEAT_LOGS, of(*ret), &count, &why), LEAT_OTLP_OK);
        assert_int_equal(count.items, leat_otlp_count(LEAT_LOGS, in).items);
        leat_budget_give(&budget, (*ret)->cap); /* the budget does not outlive this function */
        (*ret)->budget = NULL;
    } else {
        assert_null(*ret);
        assert_int_equal(leat_budget_used(&budget), 0);
    }
    return result;
}

static void all_verbs(struct leat_edit *e, void *context)
{
    struct leat_otlp_value v;

    (void)context;
    assert_true(leat_edit_set(e, S("a"), leat_otlp_string(S("new"))));
    assert_true(leat_edit_insert(e, S("b"), leat_otlp_string(S("not this"))));
    assert_true(leat_edit_insert(e, S("x"), leat_otlp_int(17)));
    assert_true(leat_edit_insert(e, S("x"), leat_otlp_int(18)));
    assert_true(leat_edit_update(e, S("y"), leat_otlp_int(1)));
    assert_true(leat_edit_update(e, S("c"), leat_otlp_double(2.5)));
    assert_true(leat_edit_delete(e, S("d")));
    assert_true(leat_edit_delete(e, S("nobody")));
    assert_true(leat_edit_set(e, S("z"), leat_otlp_bool(true)));
    assert_false(leat_edit_get(e, S("d"), &v));
    assert_false(leat_edit_get(e, S("y"), &v));
    assert_true(leat_edit_get(e, S("x"), &v) && v.field == LEAT_OTLP_VALUE_INT && v.number == 17);
}

static void verbs_do_what_they_say(void **state)
{
    static const char *const attrs[] = {"a", "1", "b", "2", "d", "9", "c", "3", "d", "4", NULL};
    static const char *const none[] = {NULL};
    struct leat_text t, text;
    struct leat_buf *b;

    (void)state;
    leat_text_init(&t, 1 << 16);
    leat_text_init(&text, 1 << 16);
    put_logs(&t, true, attrs);
    put_logs(&t, false, none);
    put_logs(&t, true, none);
    assert_int_equal(edit(leat_text_bytes(&t), LEAT_EDIT_RESOURCE, all_verbs, NULL, &b),
                     LEAT_EDIT_CHANGED);
    show(of(b), &text);
    assert_string_equal(leat_text_get(&text), "a=new;b=2;c=2.5;x=17;z=1;|"
                                              "a=new;b=not this;x=17;z=1;|"
                                              "a=new;b=not this;x=17;z=1;|");
    leat_buf_unref(b);
    leat_text_done(&t);
    leat_text_done(&text);
}

static void same_again(struct leat_edit *e, void *context)
{
    unsigned *calls = context;

    (*calls)++;
    leat_edit_set(e, S("a"), leat_otlp_string(S("1")));
    leat_edit_insert(e, S("a"), leat_otlp_int(5));
    leat_edit_update(e, S("q"), leat_otlp_int(5));
    leat_edit_delete(e, S("q"));
}

static void what_does_not_change_costs_nothing(void **state)
{
    static const char *const attrs[] = {"a", "1", NULL};
    struct leat_text t;
    struct leat_buf *b;
    unsigned calls = 0;
    uint64_t tries;

    (void)state;
    leat_text_init(&t, 1 << 16);
    put_logs(&t, true, attrs);
    put_logs(&t, true, attrs);
    tries = leat_mem_tries();
    assert_int_equal(edit(leat_text_bytes(&t), LEAT_EDIT_RESOURCE, same_again, &calls, &b),
                     LEAT_EDIT_SAME);
    assert_int_equal(calls, 2);
    assert_int_equal(leat_mem_tries(), tries);
    assert_int_equal(edit(leat_bytes(NULL, 0), LEAT_EDIT_RESOURCE, same_again, &calls, &b),
                     LEAT_EDIT_SAME);
    leat_text_done(&t);
}

static void set_length(struct leat_edit *e, void *context)
{
    leat_edit_set(e, S("k"), leat_otlp_string(leat_bytes(context, strlen(context))));
}

/* A record grows over each size where a length takes one byte more, in all that is around it. */
static void lengths_grow_and_shrink(void **state)
{
    static char value[17000];
    static const char *const none[] = {NULL};
    struct leat_text t, tail;

    (void)state;
    leat_text_init(&t, 1 << 20);
    leat_text_init(&tail, 1 << 20);
    put_logs(&t, true, none);
    otlp_write_text(&tail, 9, "what comes after");
    leat_text_add(&t, tail.data, tail.len);
    for (size_t len = 0; len < sizeof value; len += len < 300 || len > 16200 ? 1 : 1000) {
        struct leat_buf *big, *small;
        struct leat_otlp_walk w;
        struct leat_otlp_value v;

        memset(value, 'v', len);
        value[len] = '\0';
        assert_int_equal(edit(leat_text_bytes(&t), LEAT_EDIT_RECORD, set_length, value, &big),
                         LEAT_EDIT_CHANGED);
        assert_memory_equal(big->data + big->len - tail.len, tail.data, tail.len);
        leat_otlp_walk_init(&w, LEAT_LOGS, of(big));
        assert_true(leat_otlp_walk_next(&w));
        assert_true(leat_otlp_attr(w.record, 6, S("k"), &v) && v.bytes.len == len);
        assert_true(leat_otlp_attr(w.record, 6, S("log.key"), &v));
        assert_true(leat_bytes_is(v.bytes, "log.value"));
        assert_false(leat_otlp_walk_next(&w));

        assert_int_equal(
            edit(of(big), LEAT_EDIT_RECORD, set_length, (void *)(uintptr_t) "", &small),
            len == 0 ? LEAT_EDIT_SAME : LEAT_EDIT_CHANGED);
        leat_buf_unref(big);
        leat_buf_unref(small);
    }
    leat_text_done(&t);
    leat_text_done(&tail);
}

/* --- against protobuf-c */

struct plan {
    struct otlp_random *r;
    unsigned calls;
};

static void make_change(struct leat_edit *e, void *context)
{
    struct plan *p = context;

    p->calls++;
    if (otlp_random_below(p->r, 2) == 0) /* every second one */
        leat_edit_set(e, S("leat.test"), leat_otlp_string(S("a value of some length")));
}

static void remove_change(struct leat_edit *e, void *context)
{
    (void)context;
    leat_edit_delete(e, S("leat.test"));
}

/* What is set and then deleted leaves the same records, but for places that were not there. */
static void edits_of_random_requests_can_be_undone(void **state)
{
    struct otlp_random r = {21};
    unsigned changed = 0;

    (void)state;
    for (int i = 0; i < 180; i++) {
        enum leat_signal signal = (enum leat_signal)(i % LEAT_SIGNALS);
        enum leat_edit_place place = (enum leat_edit_place)(i / LEAT_SIGNALS % 3);
        struct plan p = {&r, 0};
        struct leat_text t, scrambled, before, after;
        struct leat_buf *there = NULL, *back = NULL;
        ProtobufCMessage *m = otlp_random_request(&r, signal, 4);

        leat_text_init(&t, OTLP_RANDOM_MAX);
        leat_text_init(&scrambled, OTLP_RANDOM_MAX);
        leat_text_init(&before, OTLP_RANDOM_MAX);
        leat_text_init(&after, OTLP_RANDOM_MAX);
        otlp_random_pack(m, &t);
        otlp_random_scramble(&r, m->descriptor, leat_text_bytes(&t), false, &scrambled);
        otlp_random_flatten(m, &before);
        otlp_random_free(m);
        if (leat_otlp_edit(signal, leat_text_bytes(&scrambled), place, make_change, &p, NULL,
                           &there) == LEAT_EDIT_CHANGED) {
            struct leat_otlp_count count;
            const char *why;

            changed++;
            assert_int_equal(leat_otlp_check(signal, of(there), &count, &why), LEAT_OTLP_OK);
            assert_true(memmem(there->data, there->len, "leat.test", 9) != NULL);
            assert_int_equal(
                leat_otlp_edit(signal, of(there), place, remove_change, NULL, NULL, &back),
                LEAT_EDIT_CHANGED);
            m = otlp_random_unpack(signal, of(back));
            assert_non_null(m);
            assert_int_equal(otlp_random_flatten(m, &after),
                             leat_otlp_count(signal, leat_text_bytes(&t)).items);
            otlp_random_free(m);
            if (place == LEAT_EDIT_RECORD) {
                assert_int_equal(after.len, before.len);
                assert_memory_equal(after.data, before.data, before.len);
            }
            assert_true(memmem(back->data, back->len, "leat.test", 9) == NULL);
        }
        if (place == LEAT_EDIT_RECORD)
            assert_int_equal(p.calls, leat_otlp_count(signal, leat_text_bytes(&t)).items);
        leat_buf_unref(there);
        leat_buf_unref(back);
        leat_text_done(&t);
        leat_text_done(&scrambled);
        leat_text_done(&before);
        leat_text_done(&after);
    }
    assert_in_range(changed, 90, 180);
}

static void pieces_of_a_resource_are_one(void **state)
{
    struct leat_text t, sub, text;
    struct leat_buf *b;

    (void)state;
    leat_text_init(&t, 1 << 16);
    leat_text_init(&text, 1 << 16);
    for (int i = 0; i < 3; i++) {
        static const char *const keys[] = {"a", "k", "k"};

        leat_text_init(&sub, 1 << 16);
        otlp_write_attr(&sub, 1, keys[i], i == 0 ? "first" : "later");
        otlp_write_bytes(&t, 1, leat_text_bytes(&sub));
        leat_text_done(&sub);
        otlp_write_text(&t, 3, "schema");
    }
    otlp_write_wrap(&t, 1);
    assert_int_equal(
        edit(leat_text_bytes(&t), LEAT_EDIT_RESOURCE, set_length, (void *)(uintptr_t) "new", &b),
        LEAT_EDIT_CHANGED);
    show(of(b), &text);
    assert_string_equal(leat_text_get(&text), "a=first;k=new;|");
    leat_buf_unref(b);
    leat_text_done(&t);
    leat_text_done(&text);
}

static void many(struct leat_edit *e, void *context)
{
    static char keys[LEAT_EDIT_CHANGES + 1][8];

    (void)context;
    for (int i = 0; i <= LEAT_EDIT_CHANGES; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        assert_int_equal(leat_edit_set(e, S(keys[i]), leat_otlp_int(i)), i < LEAT_EDIT_CHANGES);
    }
}

static void changes_have_a_maximum(void **state)
{
    static const char *const none[] = {NULL};
    struct leat_text t;
    struct leat_buf *b;
    struct leat_otlp_value v;
    struct leat_bytes resource;

    (void)state;
    leat_text_init(&t, 1 << 16);
    put_logs(&t, true, none);
    assert_int_equal(edit(leat_text_bytes(&t), LEAT_EDIT_RESOURCE, many, NULL, &b),
                     LEAT_EDIT_CHANGED);
    resource = leat_otlp_get(leat_otlp_get(of(b), 1), 1);
    assert_true(leat_otlp_attr(resource, 1, S("k255"), &v) && v.number == 255);
    assert_false(leat_otlp_attr(resource, 1, S("k256"), &v));
    leat_buf_unref(b);
    leat_text_done(&t);
}

static void no_memory_is_said_and_leaks_nothing(void **state)
{
    static const char *const attrs[] = {"a", "1", NULL};
    static char value[5000];
    struct leat_budget budget;
    struct leat_text t;
    struct leat_buf *b = NULL;

    (void)state;
    leat_text_init(&t, 1 << 16);
    put_logs(&t, true, attrs);
    memset(value, 'v', sizeof value - 1);
    leat_budget_init(&budget, 5000); /* the first buffer fits, the larger one does not */
    assert_int_equal(leat_otlp_edit(LEAT_LOGS, leat_text_bytes(&t), LEAT_EDIT_RESOURCE, set_length,
                                    value, &budget, &b),
                     LEAT_EDIT_NO_MEMORY);
    assert_int_equal(leat_budget_used(&budget), 0);
    leat_budget_init(&budget, 1 << 20);
    leat_mem_fail_at(1);
    assert_int_equal(leat_otlp_edit(LEAT_LOGS, leat_text_bytes(&t), LEAT_EDIT_RESOURCE, set_length,
                                    value, &budget, &b),
                     LEAT_EDIT_NO_MEMORY);
    leat_mem_fail_at(0);
    assert_null(b);
    assert_int_equal(leat_budget_used(&budget), 0);
    for (uint64_t nth = 2; nth < 5; nth++) { /* growing with room to spare, and shrinking at last */
        leat_mem_fail_at(nth);
        assert_int_equal(leat_otlp_edit(LEAT_LOGS, leat_text_bytes(&t), LEAT_EDIT_RESOURCE,
                                        set_length, value, &budget, &b),
                         LEAT_EDIT_CHANGED);
        leat_mem_fail_at(0);
        assert_int_equal(leat_budget_used(&budget), b->cap);
        leat_buf_unref(b);
        assert_int_equal(leat_budget_used(&budget), 0);
    }
    leat_text_done(&t);
}

/* --- reading */

static void the_walk_finds_what_protobuf_c_finds(void **state)
{
    struct otlp_random r = {22};

    (void)state;
    for (int i = 0; i < 60; i++) {
        enum leat_signal signal = (enum leat_signal)(i % LEAT_SIGNALS);
        ProtobufCMessage *m = otlp_random_request(&r, signal, 4);
        struct leat_text t;
        struct leat_otlp_walk w;
        uint32_t n = 0;

        leat_text_init(&t, OTLP_RANDOM_MAX);
        otlp_random_pack(m, &t);
        leat_otlp_walk_init(&w, signal, leat_text_bytes(&t));
        for (; leat_otlp_walk_next(&w); n++) {
            assert_true(leat_otlp_attrs_field(w.record_type) != 0);
            assert_true(w.resource_number > 0 && w.scope_number > 0);
            assert_int_equal(w.metric_number > 0, signal == LEAT_METRICS);
            assert_true(leat_bytes_eq(w.resource, leat_otlp_get(w.resource_group, 1)));
            assert_true(leat_bytes_eq(w.scope, leat_otlp_get(w.scope_group, 1)));
        }
        assert_int_equal(n, leat_otlp_count(signal, leat_text_bytes(&t)).items);
        assert_int_equal(w.resource_number, leat_otlp_count(signal, leat_text_bytes(&t)).resources);
        leat_text_done(&t);
        otlp_random_free(m);
    }
}

static void the_service_is_named(void **state)
{
    static const char *const attrs[] = {"x", "1", "service.name", "checkout", NULL};
    struct leat_text t;
    struct leat_otlp_walk w;

    (void)state;
    leat_text_init(&t, 1 << 16);
    put_logs(&t, true, attrs);
    leat_otlp_walk_init(&w, LEAT_LOGS, leat_text_bytes(&t));
    assert_true(leat_otlp_walk_next(&w));
    assert_true(leat_bytes_is(leat_otlp_service_name(w.resource), "checkout"));
    assert_true(leat_bytes_is(leat_otlp_service_name(w.scope), ""));
    leat_text_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verbs_do_what_they_say),
        cmocka_unit_test(what_does_not_change_costs_nothing),
        cmocka_unit_test(lengths_grow_and_shrink),
        cmocka_unit_test(edits_of_random_requests_can_be_undone),
        cmocka_unit_test(pieces_of_a_resource_are_one),
        cmocka_unit_test(changes_have_a_maximum),
        cmocka_unit_test(no_memory_is_said_and_leaks_nothing),
        cmocka_unit_test(the_walk_finds_what_protobuf_c_finds),
        cmocka_unit_test(the_service_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
