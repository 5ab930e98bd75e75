/* Random requests made by protobuf-c: our walkers must see in them what protobuf-c sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/text.h"
#include "lib/otlp_random.h"
#include "proto/otlp_cut.h"
#include "proto/otlp_view.h"

#define ROUNDS 150

/* One request in one encoding, and what protobuf-c says of it. */
struct sample {
    struct leat_text bytes, flat;
    uint32_t items, resources;
};

static void sample_init(struct sample *s, struct otlp_random *r, enum leat_signal signal,
                        bool scrambled, bool unknown)
{
    ProtobufCMessage *m = otlp_random_request(r, signal, 4);
    struct leat_text plain;

    leat_text_init(&plain, OTLP_RANDOM_MAX);
    leat_text_init(&s->bytes, OTLP_RANDOM_MAX);
    leat_text_init(&s->flat, OTLP_RANDOM_MAX);
    otlp_random_pack(m, &plain);
    if (scrambled)
        otlp_random_scramble(r, m->descriptor, leat_text_bytes(&plain), unknown, &s->bytes);
    else
        leat_text_add(&s->bytes, plain.data, plain.len);
    otlp_random_free(m);
    leat_text_done(&plain);

    m = otlp_random_unpack(signal, leat_text_bytes(&s->bytes));
    assert_non_null(m);
    s->items = otlp_random_flatten(m, &s->flat);
    s->resources =
        (uint32_t) * (size_t *)(void *)((char *)m + m->descriptor->fields[0].quantifier_offset);
    otlp_random_free(m);
    assert_true(leat_text_ok(&s->bytes) && leat_text_ok(&s->flat));
}

static void sample_done(struct sample *s)
{
    leat_text_done(&s->bytes);
    leat_text_done(&s->flat);
}

static void check_is_right(enum leat_signal signal, const struct sample *s)
{
    struct leat_bytes b = leat_text_bytes(&s->bytes);
    struct leat_otlp_count count, again = leat_otlp_count(signal, b);
    const char *why = "";

    assert_int_equal(leat_otlp_check(signal, b, &count, &why), LEAT_OTLP_OK);
    assert_null(why);
    assert_int_equal(count.items, s->items);
    assert_int_equal(count.resources, s->resources);
    assert_int_equal(again.items, s->items);
    assert_int_equal(again.resources, s->resources);
}

static void cut_is_right(enum leat_signal signal, const struct sample *s, uint32_t items)
{
    struct leat_bytes b = leat_text_bytes(&s->bytes);
    struct leat_budget budget;
    struct leat_buf *piece[2];
    struct leat_text flat;
    uint32_t total = 0;

    leat_budget_init(&budget, OTLP_RANDOM_MAX);
    leat_text_init(&flat, OTLP_RANDOM_MAX);
    assert_int_equal(leat_otlp_cut(signal, b, items, &budget, &piece[0], &piece[1]), 0);
    assert_int_equal(leat_budget_used(&budget), piece[0]->len + piece[1]->len);
    for (int i = 0; i < 2; i++) {
        struct leat_otlp_count count;
        const char *why;
        ProtobufCMessage *m = otlp_random_unpack(signal, leat_bytes(piece[i]->data, piece[i]->len));
        uint32_t here;

        assert_non_null(m);
        here = otlp_random_flatten(m, &flat);
        assert_int_equal(here, i == 0 ? items : s->items - items);
        assert_int_equal(
            leat_otlp_check(signal, leat_bytes(piece[i]->data, piece[i]->len), &count, &why),
            LEAT_OTLP_OK);
        assert_int_equal(count.items, here);
        total += count.resources;
        otlp_random_free(m);
        leat_buf_unref(piece[i]);
    }
    assert_in_range(total, s->resources, s->resources + 1);
    assert_int_equal(flat.len, s->flat.len);
    assert_memory_equal(flat.data, s->flat.data, flat.len);
    assert_int_equal(leat_budget_used(&budget), 0);
    leat_text_done(&flat);
}

static void prefix_is_right(enum leat_signal signal, const struct sample *s, uint32_t items)
{
    struct leat_bytes b = leat_text_bytes(&s->bytes);
    uint32_t n = 12345;
    size_t len = leat_otlp_prefix(signal, b, items, &n);
    struct leat_otlp_count count;
    const char *why;

    assert_true(n <= items);
    assert_true(len <= b.len);
    assert_int_equal(leat_otlp_check(signal, leat_bytes(b.data, len), &count, &why), LEAT_OTLP_OK);
    assert_int_equal(count.items, n);
    assert_int_equal(leat_otlp_count(signal, leat_bytes(b.data + len, b.len - len)).items,
                     s->items - n);
    if (items >= s->items)
        assert_int_equal(len, b.len);
}

static void run(uint64_t seed, bool scrambled, bool unknown)
{
    struct otlp_random r = {seed};
    uint32_t cuts = 0;

    for (int i = 0; i < ROUNDS; i++) {
        enum leat_signal signal = (enum leat_signal)(i % LEAT_SIGNALS);
        struct sample s;

        sample_init(&s, &r, signal, scrambled, unknown);
        check_is_right(signal, &s);
        prefix_is_right(signal, &s, otlp_random_below(&r, s.items + 2));
        for (uint32_t k = 0; s.items >= 2 && k < 3; k++, cuts++)
            cut_is_right(signal, &s, 1 + otlp_random_below(&r, s.items - 1));
        sample_done(&s);
    }
    assert_true(cuts > ROUNDS);
}

static void plain(void **state)
{
    (void)state;
    run(1, false, false);
}

static void scrambled(void **state)
{
    (void)state;
    run(2, true, false);
}

static void with_unknown_fields(void **state)
{
    (void)state;
    run(3, true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(scrambled),
        cmocka_unit_test(with_unknown_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
