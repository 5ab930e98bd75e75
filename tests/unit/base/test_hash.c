#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

static uint8_t data[80];

static void fill(void)
{
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + 1);
}

static void same_bytes_same_hash(void **state)
{
    uint8_t copy[sizeof data];

    (void)state;
    fill();
    for (size_t n = 0; n <= sizeof data; n++) {
        memcpy(copy, data, n);
        assert_true(leat_hash(leat_bytes(data, n)) == leat_hash(leat_bytes(copy, n)));
        assert_true(leat_hash_quick(leat_bytes(data, n)) == leat_hash_quick(leat_bytes(copy, n)));
        assert_true(
            leat_print_is(leat_print(leat_bytes(data, n)), leat_print(leat_bytes(copy, n))));
    }
}

/* Every bit of every length is part of the hash, and so is the length. */
static void every_bit_counts(void **state)
{
    (void)state;
    fill();
    for (size_t n = 1; n <= sizeof data; n++) {
        struct leat_bytes all = leat_bytes(data, n);
        uint64_t quick = leat_hash_quick(all), slow = leat_hash(all);
        struct leat_print print = leat_print(all);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_true(leat_hash_quick(all) != quick);
            assert_true(leat_hash(all) != slow);
            assert_true(leat_print(all).lo != print.lo && leat_print(all).hi != print.hi);
            data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_true(leat_hash_quick(leat_bytes(data, n - 1)) != quick);
        assert_false(leat_print_is(leat_print(leat_bytes(data, n - 1)), print));
    }
}

/* The low bits choose a slot: they must spread over keys that differ in one digit. */
static void low_bits_spread(void **state)
{
    enum { KEYS = 1 << 14, SLOTS = 256 };
    unsigned slots[SLOTS] = {0};
    char key[32];

    (void)state;
    for (unsigned i = 0; i < KEYS; i++) {
        int n = snprintf(key, sizeof key, "requests.host%05u.count", i);
        slots[leat_hash_quick(leat_bytes(key, (size_t)n)) % SLOTS]++;
    }
    for (unsigned i = 0; i < SLOTS; i++)
        assert_in_range(slots[i], KEYS / SLOTS / 2, 2 * KEYS / SLOTS);
}

static void a_set_has_no_order_and_a_pair_has(void **state)
{
    struct leat_print a = leat_print(leat_bytes_str("a")), b = leat_print(leat_bytes_str("b"));
    struct leat_print ab = {0, 0}, ba = {0, 0}, aa = {0, 0};

    (void)state;
    leat_print_add(&ab, a);
    leat_print_add(&ab, b);
    leat_print_add(&ba, b);
    leat_print_add(&ba, a);
    leat_print_add(&aa, a);
    leat_print_add(&aa, a);
    assert_true(leat_print_is(ab, ba));
    assert_false(leat_print_is(ab, aa));
    assert_false(leat_print_is(leat_print_pair(a, b), leat_print_pair(b, a)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_same_hash),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(low_bits_spread),
        cmocka_unit_test(a_set_has_no_order_and_a_pair_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
