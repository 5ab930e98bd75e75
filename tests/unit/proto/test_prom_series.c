/* The cache of series: bounded, equal labels equal hash, generations; and the print it is keyed by.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/print.h"
#include "proto/prom_series.h"

#define S(text) leat_bytes_str(text)

static struct leat_print stream(uint64_t n)
{
    return leat_print(leat_bytes(&n, sizeof n));
}

/* {a=<n>, b="x…"} of about `width` bytes. */
static struct leat_prom_set labels(uint64_t n, size_t width)
{
    static struct leat_prom_label l[2];
    static char number[24], filler[4096];

    snprintf(number, sizeof number, "%llu", (unsigned long long)n);
    memset(filler, 'x', width);
    memcpy(filler, number, strlen(number));
    l[0] = (struct leat_prom_label){S("a"), S(number)};
    l[1] = (struct leat_prom_label){S("b"), leat_bytes(filler, width)};
    return (struct leat_prom_set){l, 2};
}

static struct leat_prom_series *put(struct leat_prom_store *s, uint64_t n, size_t width)
{
    struct leat_prom_series *series = NULL;

    assert_int_equal(leat_prom_store_put(s, stream(n), 0, labels(n, width), &series),
                     LEAT_PROM_PUT_OK);
    return series;
}

static struct leat_bytes symbol(const struct leat_prom_store *s, uint32_t ref)
{
    const struct leat_prom_symbol *y = leat_prom_symbol_at(leat_prom_store_symbols(s), ref);

    return leat_bytes(y->bytes, y->len);
}

static void assert_is(struct leat_prom_store *s, const struct leat_prom_series *series, uint64_t n,
                      size_t width)
{
    struct leat_prom_set l = labels(n, width);

    assert_non_null(series);
    assert_int_equal(series->nrefs, 4);
    for (uint32_t i = 0; i < 4; i++) {
        struct leat_bytes text = symbol(s, series->refs[i]);
        struct leat_bytes want = i % 2 == 0 ? l.label[i / 2].name : l.label[i / 2].value;
        assert_true(text.len >= want.len);
        assert_memory_equal(text.data + text.len - want.len, want.data, want.len);
    }
}

static void test_labels_of_1(void **state)
{
    struct leat_prom_store *s = leat_prom_store_new(LEAT_PROM_WRITE_1, LEAT_PROM_STORE_MIN);
    const struct leat_prom_label two[] = {{S("a"), S("1")}, {S("le"), S("+Inf")}};
    struct leat_prom_series *series;

    (void)state;
    assert_null(leat_prom_store_get(s, stream(1), 7));
    assert_int_equal(leat_prom_store_put(s, stream(1), 7, (struct leat_prom_set){two, 2}, &series),
                     LEAT_PROM_PUT_OK);
    assert_ptr_equal(leat_prom_store_get(s, stream(1), 7), series);
    assert_null(leat_prom_store_get(s, stream(1), 8));
    assert_null(leat_prom_store_get(s, stream(2), 7));
    assert_int_equal(series->nrefs, 2);
    assert_int_equal(series->label_bytes, 20);
    assert_true(leat_bytes_eq(symbol(s, series->refs[0]), S("\x0a\x06\x0a\x01"
                                                            "a\x12\x01"
                                                            "1")));
    assert_true(leat_bytes_eq(symbol(s, series->refs[1]), S("\x0a\x0a\x0a\x02"
                                                            "le\x12\x04+Inf")));
    leat_prom_store_free(s);
}

/* Two streams that have the same labels are one series to the receiver. */
static void test_hash(void **state)
{
    struct leat_prom_store *s = leat_prom_store_new(LEAT_PROM_WRITE_2, LEAT_PROM_STORE_MIN);
    struct leat_prom_series *one = put(s, 1, 10), *again, *other = put(s, 2, 10);

    (void)state;
    assert_int_equal(leat_prom_store_put(s, stream(99), 0, labels(1, 10), &again),
                     LEAT_PROM_PUT_OK);
    assert_int_equal(one->hash, again->hash);
    assert_int_not_equal(one->hash, other->hash);
    assert_int_equal(leat_prom_store_stats(s).symbols, 6); /* a, b, and two values each */
    assert_is(s, again, 1, 10);
    leat_prom_store_free(s);
}

static void test_bound(void **state)
{
    struct leat_prom_store *s = leat_prom_store_new(LEAT_PROM_WRITE_2, LEAT_PROM_STORE_MIN);
    struct leat_prom_store_stats st;
    uint32_t hash = 0;

    (void)state;
    for (uint64_t n = 0; n < 100000; n++) {
        /* one is asked for again and again, and so never leaves */
        struct leat_prom_series *kept = leat_prom_store_get(s, stream(7), 0);
        if (n > 7) {
            assert_is(s, kept, 7, 30);
            assert_int_equal(kept->hash, hash);
            assert_int_equal(kept->last, 12345);
        }
        kept = put(s, n, 30);
        assert_is(s, kept, n, 30);
        if (n == 7) {
            hash = kept->hash;
            kept->last = 12345;
        }
        st = leat_prom_store_stats(s);
        assert_true(st.bytes <= LEAT_PROM_STORE_MIN);
    }
    assert_true(st.generations > 10);
    assert_int_equal(leat_prom_store_serial(s), st.generations + 1);
    assert_true(st.bytes > LEAT_PROM_STORE_MIN / 2);
    assert_true(st.series > 1000);
    assert_null(leat_prom_store_get(s, stream(8), 0));
    leat_prom_store_free(s);
}

/* Moved over from the generation before, in the same order or not. */
static void test_move_over(void **state)
{
    struct leat_prom_store *s = leat_prom_store_new(LEAT_PROM_WRITE_2, LEAT_PROM_STORE_MIN);
    uint32_t serial = leat_prom_store_serial(s);
    uint64_t n = 0;

    (void)state;
    while (leat_prom_store_serial(s) == serial)
        put(s, n++, 300);
    assert_true(n > 500);
    for (uint64_t i = 0; i < 200; i++)
        assert_is(s, leat_prom_store_get(s, stream(i * 7 % 200), 0), i * 7 % 200, 300);
    assert_int_equal(leat_prom_store_serial(s), serial + 1);
    leat_prom_store_free(s);
}

static void test_large(void **state)
{
    static char text[LEAT_PROM_SERIES_BYTES + 1];
    struct leat_prom_store *s = leat_prom_store_new(LEAT_PROM_WRITE_1, LEAT_PROM_STORE_MIN);
    struct leat_prom_label one = {S("a"), leat_bytes(text, LEAT_PROM_SERIES_BYTES - 1)};
    struct leat_prom_series *series;
    uint32_t ref;

    (void)state;
    memset(text, 'x', sizeof text);
    for (uint64_t i = 0; i < 20; i++) {
        text[0] = (char)('a' + i);
        assert_int_equal(
            leat_prom_store_put(s, stream(i), 0, (struct leat_prom_set){&one, 1}, &series),
            LEAT_PROM_PUT_OK);
    }
    one.value.len++;
    assert_int_equal(
        leat_prom_store_put(s, stream(21), 0, (struct leat_prom_set){&one, 1}, &series),
        LEAT_PROM_PUT_LARGE);
    assert_int_equal(leat_prom_store_text(s, leat_bytes(text, sizeof text), &ref),
                     LEAT_PROM_PUT_LARGE);
    assert_int_equal(leat_prom_store_text(s, leat_bytes(text, sizeof text - 1), &ref),
                     LEAT_PROM_PUT_OK);
    assert_int_equal(leat_prom_store_text(s, S(""), &ref), LEAT_PROM_PUT_OK);
    assert_int_equal(ref, 0);
    leat_prom_store_free(s);
}

/* Wherever memory ends, the store stays whole and the same can be put later. */
static void test_no_memory(void **state)
{
    struct leat_prom_series *series;
    bool failed = false;

    (void)state;
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct leat_prom_store *s = leat_prom_store_new(LEAT_PROM_WRITE_2, LEAT_PROM_STORE_MIN);
        leat_mem_fail_at(nth);
        for (uint64_t n = 0; n < 2000; n++) {
            if (leat_prom_store_put(s, stream(n), 0, labels(n, 20), &series) ==
                LEAT_PROM_PUT_NO_MEMORY) {
                failed = true;
                series = put(s, n, 20);
            }
            assert_is(s, series, n, 20);
        }
        leat_mem_fail_at(0);
        leat_prom_store_free(s);
    }
    assert_true(failed);
}

/* --- the print */

static void test_print(void **state)
{
    static uint8_t data[LEAT_PRINT_SHORT + 40];
    struct leat_print seen[LEAT_PRINT_SHORT + 40];

    (void)state;
    for (size_t n = 0; n < sizeof data; n++) { /* zeros: only the length says who is who */
        seen[n] = leat_print_quick(leat_bytes(data, n));
        for (size_t k = 0; k < n; k++)
            assert_false(leat_print_is(seen[n], seen[k]));
    }
    for (size_t n = 0; n < sizeof data; n++) { /* every byte counts */
        data[n] = 1;
        assert_false(
            leat_print_is(leat_print_quick(leat_bytes(data, sizeof data)), seen[sizeof data - 1]));
        assert_true(leat_print_is(leat_print_quick(leat_bytes(data, LEAT_PRINT_SHORT)),
                                  seen[LEAT_PRINT_SHORT]) == (n >= LEAT_PRINT_SHORT));
        data[n] = 0;
    }
    assert_true(leat_print_is(leat_print_quick(leat_bytes(data, 100)), seen[100]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_of_1), cmocka_unit_test(test_hash),
        cmocka_unit_test(test_bound),       cmocka_unit_test(test_move_over),
        cmocka_unit_test(test_large),       cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_print),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
