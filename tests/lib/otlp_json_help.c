/* OTLP/JSON under test: see otlp_json_help.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "lib/otlp_json_help.h"
#include "proto/otlp_view.h"

struct leat_budget otlp_json_budget = {.limit = 64 << 20};

enum leat_json_result otlp_json_read(enum leat_signal s, const char *json, size_t len,
                                     struct leat_buf **buf, struct leat_err *err)
{
    struct leat_otlp_count count, checked;
    enum leat_json_result r;
    const char *why;
    uint8_t *exact = leat_try(len != 0 ? len : 1); /* so that one byte too far is seen */

    memcpy(exact, json, len);
    r = leat_otlp_from_json(s, leat_bytes(exact, len), &otlp_json_budget, buf, &count, err);
    leat_free(exact);
    if (r != LEAT_JSON_OK) {
        assert_null(*buf);
        assert_int_equal(count.items, 0);
        return r;
    }
    assert_int_equal(leat_otlp_check(s, leat_bytes((*buf)->data, (*buf)->len), &checked, &why),
                     LEAT_OTLP_OK);
    assert_int_equal(checked.items, count.items);
    assert_int_equal(checked.resources, count.resources);
    assert_int_equal((*buf)->cap, (*buf)->len);
    return r;
}

void otlp_json_again(enum leat_signal s, const char *json, const char *want)
{
    struct leat_bytes part;
    struct leat_err err = {""};
    struct leat_buf *buf;
    struct leat_text t;

    if (otlp_json_read(s, json, strlen(json), &buf, &err) != LEAT_JSON_OK)
        fail_msg("%s: %s", json, err.text);
    leat_text_init(&t, 1 << 20);
    part = leat_bytes(buf->data, buf->len);
    leat_otlp_to_json(s, &part, 1, &t);
    assert_true(leat_text_ok(&t));
    assert_string_equal(leat_text_get(&t), want);
    leat_text_done(&t);
    leat_buf_unref(buf);
    assert_int_equal(leat_budget_used(&otlp_json_budget), 0);
}

void otlp_json_refused(enum leat_signal s, const char *json, const char *what)
{
    struct leat_err err = {""};
    struct leat_buf *buf;

    assert_int_equal(otlp_json_read(s, json, strlen(json), &buf, &err), LEAT_JSON_BAD);
    if (strstr(err.text, what) == NULL)
        fail_msg("%s\nsays:  %s\nwants: %s", json, err.text, what);
    assert_int_equal(leat_budget_used(&otlp_json_budget), 0);
}
