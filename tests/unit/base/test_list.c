/* Members that live inside their owners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"

struct thing {
    int number;
    struct leat_link link;
};

static void order(void **state)
{
    struct leat_link head;
    struct thing things[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    static const int wanted[] = {3, 0, 2};

    (void)state;
    leat_list_init(&head);
    assert_true(leat_list_empty(&head));
    assert_null(leat_list_pop(&head));
    for (int i = 0; i < 3; i++)
        leat_list_append(&head, &things[i].link);
    leat_list_prepend(&head, &things[3].link);
    leat_list_remove(&things[1].link);
    leat_list_remove(&things[1].link); /* harmless */
    assert_true(leat_list_empty(&things[1].link));
    for (int i = 0; i < 3; i++) {
        struct leat_link *l = leat_list_pop(&head);
        assert_int_equal(LEAT_OWNER(l, struct thing, link)->number, wanted[i]);
    }
    assert_true(leat_list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
