/* Two points have the same print if and only if they belong to the same stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "lib/otlp_random.h"
#include "proto/metric_id.h"
#include "proto/otlp_make.h"
#include "proto/otlp_match.h"

#define S(text) leat_bytes_str(text)

enum {
    RESOURCE,
    SCOPE_ATTRS,
    SCOPE_NAME,
    SCOPE_VERSION,
    NAME,
    UNIT,
    KIND,
    TEMPORALITY,
    MONOTONIC,
    ATTRS,
    PARTS
};

/* How many there are of each. */
static const uint32_t choices[PARTS] = {5, 4, 3, 2, 3, 2, 3, 2, 2, 5};

static const char *const words[] = {"", "a", "b", "aa", "ab"};

/* Attributes of the `nth` set, in any order. */
static void put_attrs(struct otlp_random *r, struct leat_make *m, uint32_t field, uint32_t nth)
{
    static const struct {
        const char *key, *value;
    } sets[][3] = {
        {{NULL, NULL}},
        {{"a", "b"}},
        {{"b", "a"}},
        {{"a", "b"}, {"b", "a"}},
        {{"a", "1"}, {"b", "2"}, {"c", "3"}},
    };
    uint32_t n = 0, first;

    while (n < 3 && sets[nth][n].key != NULL)
        n++;
    first = n ? otlp_random_below(r, n) : 0;
    for (uint32_t i = 0; i < n; i++)
        leat_make_attr_string(m, field, sets[nth][(first + i) % n].key,
                              sets[nth][(first + i) % n].value);
}

/* A message in one piece, or in two that belong together. */
static void put_piece(struct otlp_random *r, struct leat_make *m, uint32_t field)
{
    if (otlp_random_below(r, 3) != 0)
        return;
    leat_make_close(m);
    leat_make_open(m, field);
}

static void put_metric(struct otlp_random *r, struct leat_make *m, const uint32_t *part)
{
    static const enum leat_metric_type kinds[] = {LEAT_METRIC_SUM, LEAT_METRIC_HISTOGRAM,
                                                  LEAT_METRIC_EXPONENTIAL};
    enum leat_metric_type kind = kinds[part[KIND]];

    leat_make_open(m, 2);
    leat_make_string(m, 1, words[part[NAME]]);
    leat_make_string(m, 2, words[otlp_random_below(r, 5)]); /* the description does not matter */
    leat_make_string(m, 3, words[part[UNIT]]);
    leat_make_open(m, kind);
    leat_make_varint(m, 2, part[TEMPORALITY] + 1);
    if (kind == LEAT_METRIC_SUM)
        leat_make_varint(m, 3, part[MONOTONIC]);
    leat_make_open(m, 1);
    leat_make_fixed64(m, 3, otlp_random_next(r));
    put_attrs(r, m,
              kind == LEAT_METRIC_SUM         ? 7
              : kind == LEAT_METRIC_HISTOGRAM ? 9
                                              : 1,
              part[ATTRS]);
    leat_make_close(m);
    leat_make_close(m);
    leat_make_close(m);
}

static void put_group(struct otlp_random *r, struct leat_make *m, const uint32_t *part)
{
    leat_make_open(m, 1);
    leat_make_open(m, 1);
    put_attrs(r, m, 1, part[RESOURCE] / 3 * 3);
    put_piece(r, m, 1);
    put_attrs(r, m, 1, part[RESOURCE] % 3);
    leat_make_close(m);
    leat_make_open(m, 2);
    leat_make_open(m, 1);
    leat_make_string(m, 1, words[part[SCOPE_NAME]]);
    put_piece(r, m, 1);
    leat_make_string(m, 2, words[part[SCOPE_VERSION]]);
    put_attrs(r, m, 3, part[SCOPE_ATTRS]);
    leat_make_close(m);
    put_metric(r, m, part);
    leat_make_close(m);
    leat_make_close(m);
}

static uint32_t choose(struct otlp_random *r, uint32_t *part)
{
    uint32_t which = 0;

    for (int i = 0; i < PARTS; i++)
        part[i] = otlp_random_below(r, choices[i]);
    if (part[KIND] != 0)
        part[MONOTONIC] = 0;
    for (int i = 0; i < PARTS; i++)
        which = which * choices[i] + part[i];
    return which;
}

static void test_one_print_a_stream(void **state)
{
    enum { POINTS = 3000 };
    static struct {
        uint32_t which;
        struct leat_print print;
    } seen[POINTS];
    struct otlp_random r = {7};
    struct leat_point_room room = {.words = NULL};
    struct leat_metric_ids ids = {0};
    struct leat_otlp_walk w;
    struct leat_text t;
    struct leat_make m;
    uint32_t n = 0, pairs = 0;

    (void)state;
    leat_text_init(&t, 16 << 20);
    leat_make_init(&m, &t);
    for (uint32_t i = 0; i < POINTS; i++) {
        uint32_t part[PARTS];
        seen[i].which = choose(&r, part);
        put_group(&r, &m, part);
    }
    leat_otlp_walk_init(&w, LEAT_METRICS, leat_text_bytes(&t));
    for (; leat_otlp_walk_next(&w); n++) {
        struct leat_metric_head head = leat_metric_head(&w);
        struct leat_point p;
        assert_true(leat_point_read(head.type, w.record, &room, &p));
        leat_metric_ids_at(&ids, &w, &head);
        seen[n].print = leat_stream_print(&ids, &p);
    }
    assert_int_equal(n, POINTS);
    for (uint32_t i = 0; i < POINTS; i++) {
        for (uint32_t k = 0; k < i; k++) {
            bool same = seen[i].which == seen[k].which;
            assert_int_equal(leat_print_is(seen[i].print, seen[k].print), same);
            pairs += same;
        }
    }
    assert_true(pairs > 20);
    leat_point_room_done(&room);
    leat_text_done(&t);
}

/* What is remembered from the record before is never another record's. */
static void test_remembering_changes_nothing(void **state)
{
    struct leat_point_room room = {.words = NULL};

    (void)state;
    for (uint64_t seed = 1; seed < 100; seed++) {
        struct otlp_random r = {seed};
        ProtobufCMessage *request = otlp_random_request(&r, LEAT_METRICS, 3);
        struct leat_metric_ids ids = {0};
        struct leat_otlp_walk w;
        struct leat_text t;

        leat_text_init(&t, OTLP_RANDOM_MAX);
        otlp_random_pack(request, &t);
        leat_otlp_walk_init(&w, LEAT_METRICS, leat_text_bytes(&t));
        while (leat_otlp_walk_next(&w)) {
            struct leat_metric_head head = leat_metric_head(&w);
            struct leat_metric_ids fresh = {0};
            leat_metric_ids_at(&ids, &w, &head);
            leat_metric_ids_at(&fresh, &w, &head);
            assert_true(leat_print_is(ids.metric, fresh.metric));
            assert_true(leat_print_is(ids.scope, fresh.scope));
            assert_true(leat_print_is(ids.resource, fresh.resource));
        }
        leat_text_done(&t);
        otlp_random_free(request);
    }
    leat_point_room_done(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_print_a_stream),
        cmocka_unit_test(test_remembering_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
