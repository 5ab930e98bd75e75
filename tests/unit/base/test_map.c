/* The map against a plain table of what should be in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"

static struct leat_bytes key_of(uint32_t *k)
{
    return leat_bytes(k, 1 + *k % 4);
}

/* 4,000 random steps over keys that collide in length and content. */
static void it_behaves_like_a_table(void **state)
{
    struct leat_map *m = leat_map_new(600);
    static int values[1024];
    void *table[1024] = {0};
    size_t count = 0;

    (void)state;
    leat_random_fake(5);
    for (int i = 0; i < 4000; i++) {
        uint32_t k = (uint32_t)(leat_random() % 1024) * 4 + 3;
        size_t at = k / 4;
        void *old = &count;
        if (leat_random() % 3 != 0) {
            int r = leat_map_set(m, key_of(&k), &values[i % 1024], &old);
            assert_int_equal(r, table[at] == NULL && count == 600 ? -1 : 0);
            assert_ptr_equal(old, r < 0 ? NULL : table[at]);
            count += r == 0 && table[at] == NULL;
            table[at] = r == 0 ? &values[i % 1024] : table[at];
        } else {
            assert_ptr_equal(leat_map_remove(m, key_of(&k)), table[at]);
            count -= table[at] != NULL;
            table[at] = NULL;
        }
        assert_int_equal(leat_map_count(m), count);
    }
    for (uint32_t at = 0; at < 1024; at++) {
        uint32_t k = at * 4 + 3;
        assert_ptr_equal(leat_map_get(m, key_of(&k)), table[at]);
    }
    leat_map_free(m, NULL);
}

static void visiting_and_freeing(void **state)
{
    struct leat_map *m = leat_map_new(100);
    struct leat_bytes key;
    size_t cursor = 0, seen = 0;
    void *value;

    (void)state;
    assert_null(leat_map_get(m, leat_bytes_str("x")));
    assert_null(leat_map_remove(m, leat_bytes_str("x")));
    assert_false(leat_map_next(m, &cursor, &key, &value));
    for (int i = 0; i < 50; i++) {
        char name[8];
        snprintf(name, sizeof name, "k%d", i);
        assert_int_equal(leat_map_set(m, leat_bytes_str(name), leat_strdup(name), NULL), 0);
    }
    assert_int_equal(leat_map_set(m, leat_bytes(NULL, 0), leat_strdup(""), NULL), 0);
    cursor = 0;
    while (leat_map_next(m, &cursor, &key, &value)) {
        assert_true(leat_bytes_is(key, value));
        seen++;
    }
    assert_int_equal(seen, 51);
    leat_map_free(m, leat_free);
    leat_map_free(NULL, NULL);
}

static void no_memory_changes_nothing(void **state)
{
    struct leat_map *m = leat_map_new(1000);
    uint64_t fail = 0;
    int values[2];

    (void)state;
    for (int i = 0; i < 100; i++) {
        uint64_t key = (uint64_t)i;
        struct leat_bytes k = leat_bytes(&key, sizeof key);
        leat_mem_fail_at(1 + fail++ % 2);
        if (leat_map_set(m, k, &values[0], NULL) < 0) {
            assert_null(leat_map_get(m, k));
            assert_int_equal(leat_map_count(m), (size_t)i);
            leat_mem_fail_at(0);
            assert_int_equal(leat_map_set(m, k, &values[0], NULL), 0);
        }
        leat_mem_fail_at(0);
        assert_int_equal(leat_map_count(m), (size_t)i + 1);
    }
    leat_map_free(m, NULL);
}

static void hashes_differ(void **state)
{
    uint8_t data[20] = {0};

    (void)state;
    assert_int_equal(leat_hash(leat_bytes(data, 20)), leat_hash(leat_bytes(data, 20)));
    for (size_t n = 1; n < 20; n++) /* zeros of another length are other data */
        assert_int_not_equal(leat_hash(leat_bytes(data, n)), leat_hash(leat_bytes(data, n - 1)));
    for (size_t i = 0; i < 20; i++) {
        uint64_t before = leat_hash(leat_bytes(data, 20));
        data[i] ^= 1;
        assert_int_not_equal(leat_hash(leat_bytes(data, 20)), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_behaves_like_a_table),
        cmocka_unit_test(visiting_and_freeing),
        cmocka_unit_test(no_memory_changes_nothing),
        cmocka_unit_test(hashes_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
