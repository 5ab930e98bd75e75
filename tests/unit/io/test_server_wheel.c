/* The wheel finds what is due in its tick, whatever was put when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "io/server_internal.h"

#define EVERY (10 * LEAT_MS)
#define ITEMS 500

struct item {
    struct leat_link link;
    int64_t due;
    bool out;
};

static struct item items[ITEMS];
static struct leat_wheel wheel;

static void put(struct item *it, int64_t due)
{
    it->due = due;
    it->out = false;
    leat_wheel_put(&wheel, &it->link, due);
}

/* One tick as the server makes it: how many were found, and all that are due are. */
static size_t turn(int64_t now)
{
    struct leat_link found = {&found, &found}, *l;
    size_t n = 0;

    leat_wheel_turn(&wheel, now, &found);
    while ((l = leat_list_pop(&found)) != NULL) {
        struct item *it = LEAT_OWNER(l, struct item, link);

        n++;
        it->out = now >= it->due;
        if (!it->out)
            leat_wheel_put(&wheel, &it->link, it->due);
    }
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(items[i].out, now >= items[i].due);
    return n;
}

static int setup(void **state)
{
    (void)state;
    leat_wheel_init(&wheel, EVERY);
    for (size_t i = 0; i < ITEMS; i++) {
        leat_list_init(&items[i].link);
        items[i].due = LEAT_NEVER;
        items[i].out = false;
    }
    return 0;
}

static void found_when_due(void **state)
{
    int64_t now = 1000 * LEAT_SEC; /* far from where the wheel stands */

    (void)state;
    for (size_t i = 0; i < ITEMS; i++)
        put(&items[i], now + (int64_t)(i * i) * LEAT_MS);
    for (; now < 1260 * LEAT_SEC; now += EVERY)
        turn(now);
    for (size_t i = 0; i < ITEMS; i++)
        assert_true(items[i].out);
}

static void after_a_long_pause(void **state)
{
    (void)state;
    turn(5 * LEAT_SEC);
    for (size_t i = 0; i < ITEMS; i++)
        put(&items[i], 6 * LEAT_SEC + (int64_t)i * LEAT_SEC);
    turn(6 * LEAT_SEC + 100 * LEAT_SEC); /* a hundred and one are due, the others are not */
    turn(6 * LEAT_SEC + ITEMS * LEAT_SEC);
}

static void put_elsewhere(void **state)
{
    (void)state;
    turn(LEAT_SEC);
    for (size_t i = 0; i < ITEMS; i++)
        put(&items[i], LEAT_NEVER);
    turn(LEAT_SEC + EVERY);
    for (size_t i = 0; i < ITEMS; i += 2)
        put(&items[i], LEAT_SEC + 3 * EVERY);
    put(&items[1], 0); /* was due long ago */
    turn(LEAT_SEC + 2 * EVERY);
    turn(LEAT_SEC + 3 * EVERY);
    leat_list_remove(&items[3].link);
    turn(LEAT_SEC + 4 * EVERY);
}

/* Those that are far from due are met once round, not in each tick. */
static void few_are_met(void **state)
{
    size_t met = 0;
    int64_t now = LEAT_SEC;

    (void)state;
    turn(now);
    for (size_t i = 0; i < ITEMS; i++)
        put(&items[i], LEAT_NEVER);
    for (int i = 0; i < 2 * LEAT_WHEEL_SLOTS; i++)
        met += turn(now += EVERY);
    assert_true(met >= 2 * ITEMS && met <= 3 * ITEMS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(found_when_due, setup),
        cmocka_unit_test_setup(after_a_long_pause, setup),
        cmocka_unit_test_setup(put_elsewhere, setup),
        cmocka_unit_test_setup(few_are_met, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
