/* Every component's table of settings is sound, every default can be read, and no two components of
 * a kind go by one name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "config/diag.h"
#include "run/registry.h"
#include "run/settings.h"

static void verify(const char *who, const struct leat_field *fields)
{
    struct leat_err err = {""};

    if (leat_schema_verify(fields, &err) != 0)
        fail_msg("%s: %s", who, err.text);
}

static void test_tables_are_sound(void **state)
{
    (void)state;
    for (const struct leat_component *const *c = leat_components; *c != NULL; c++)
        verify((*c)->type, (*c)->fields);
    verify("service.telemetry", leat_telemetry_fields);
    verify("leat", leat_own_fields);
}

/* Filling from nothing: only required settings may be missed. */
static void test_defaults_can_be_read(void **state)
{
    (void)state;
    for (const struct leat_component *const *c = leat_components; *c != NULL; c++) {
        struct leat_diags *diags = leat_diags_new();
        struct leat_arena arena;
        void *conf = leat_new((*c)->conf_size);
        leat_arena_init(&arena, 1 << 20);
        leat_schema_fill((*c)->fields, conf, NULL, (*c)->type, &arena, diags);
        for (size_t i = 0; i < leat_diags_count(diags); i++) {
            const struct leat_diag *d = leat_diags_at(diags, i);
            if (strstr(d->text, "required") == NULL && strstr(d->text, "must be") == NULL)
                fail_msg("%s: %s", (*c)->type, d->text);
        }
        leat_free(conf);
        leat_arena_done(&arena);
        leat_diags_free(diags);
    }
}

static size_t called(enum leat_kind kind, const char *name)
{
    size_t n = 0;

    for (const struct leat_component *const *c = leat_components; *c != NULL; c++) {
        if ((*c)->kind != kind)
            continue;
        n += strcmp((*c)->type, name) == 0;
        for (const char *const *a = (*c)->aliases; a != NULL && *a != NULL; a++)
            n += strcmp(*a, name) == 0;
    }
    return n;
}

static void test_names_are_unique(void **state)
{
    (void)state;
    for (const struct leat_component *const *c = leat_components; *c != NULL; c++) {
        assert_int_equal(called((*c)->kind, (*c)->type), 1);
        for (const char *const *a = (*c)->aliases; a != NULL && *a != NULL; a++)
            assert_int_equal(called((*c)->kind, *a), 1);
    }
}

static void test_components_are_complete(void **state)
{
    (void)state;
    for (const struct leat_component *const *p = leat_components; *p != NULL; p++) {
        const struct leat_component *c = *p;
        size_t len = strlen(c->summary);
        assert_true(len > 10 && c->summary[len - 1] == '.');
        if (c->kind == LEAT_PROCESSOR || c->kind == LEAT_EXPORTER || c->kind == LEAT_CONNECTOR)
            assert_non_null(c->take);
        if (c->kind != LEAT_EXTENSION)
            assert_true(c->signals != 0 && (c->signals & ~(unsigned)LEAT_ALL_SIGNALS) == 0);
        assert_true(c->sender == 0 || c->kind == LEAT_EXPORTER);
        assert_true(c->sender <= c->conf_size);
        for (int k = 0; k < LEAT_SECTIONS; k++) {
            if (leat_kind_of_section((enum leat_section)k) == c->kind)
                assert_null(leat_registry_retired((enum leat_section)k, c->type));
        }
    }
}

static void test_found_by_each_name(void **state)
{
    bool old;

    (void)state;
    assert_string_equal(leat_registry_find(LEAT_SECTION_EXPORTERS, "otlp", &old)->type,
                        "otlp_grpc");
    assert_true(old);
    assert_string_equal(leat_registry_find(LEAT_SECTION_RECEIVERS, "otlp", &old)->type, "otlp");
    assert_false(old);
    assert_null(leat_registry_find(LEAT_SECTION_PROCESSORS, "otlp", &old));
    assert_string_equal(leat_registry_nearest(LEAT_SECTION_EXPORTERS, "otlp_htpp"), "otlp_http");
    assert_null(leat_registry_nearest(LEAT_SECTION_EXPORTERS, "azuremonitor"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_are_sound),   cmocka_unit_test(test_defaults_can_be_read),
        cmocka_unit_test(test_names_are_unique),   cmocka_unit_test(test_components_are_complete),
        cmocka_unit_test(test_found_by_each_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
