/* Where a batch came from, copied for another thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "flow/origin.h"

static struct leat_origin *make(void)
{
    struct leat_origin *o = leat_origin_new("192.0.2.7:99");

    assert_int_equal(leat_origin_add(o, leat_bytes_str("X-Tenant"), leat_bytes_str("a")), 0);
    assert_int_equal(leat_origin_add(o, leat_bytes_str("x-tenant"), leat_bytes_str("")), 0);
    assert_int_equal(leat_origin_add(o, leat_bytes_str("bin"), leat_bytes("\0\1", 2)), 0);
    return o;
}

static void a_copy_is_the_same_and_stands_alone(void **state)
{
    struct leat_origin *o = make(), *copy = leat_origin_copy(o);
    struct leat_bytes v;

    (void)state;
    leat_origin_unref(o);
    assert_string_equal(leat_origin_peer(copy), "192.0.2.7:99");
    assert_true(leat_origin_get(copy, "x-tenant", 0, &v));
    assert_true(leat_bytes_is(v, "a"));
    assert_true(leat_origin_get(copy, "x-tenant", 1, &v));
    assert_int_equal(v.len, 0);
    assert_false(leat_origin_get(copy, "x-tenant", 2, &v));
    assert_true(leat_origin_get(copy, "BIN", 0, &v));
    assert_true(leat_bytes_eq(v, leat_bytes("\0\1", 2)));
    leat_origin_unref(copy);
}

static void no_memory(void **state)
{
    struct leat_origin *o = make(), *copy = NULL;
    int failed = 0;

    (void)state;
    while (copy == NULL) {
        leat_mem_fail_at((uint64_t)++failed);
        copy = leat_origin_copy(o);
    }
    leat_mem_fail_at(0);
    assert_true(failed > 1);
    assert_string_equal(leat_origin_peer(copy), "192.0.2.7:99");
    leat_origin_unref(copy);
    leat_origin_unref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_the_same_and_stands_alone),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
