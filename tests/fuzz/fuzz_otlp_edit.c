/* Any request that passes the check, edited: it still passes, has as many records, the attributes
 * are as asked for, and the same edit once more changes nothing. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"
#include "fuzz/otlp_mutator.h"
#include "proto/otlp_edit.h"
#include "proto/otlp_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    return otlp_mutate(data, size, max, seed, 4);
}

struct plan {
    struct leat_bytes key;
    struct leat_otlp_value value;
    uint8_t verbs;
    unsigned calls;
};

static bool same(const struct leat_otlp_value *a, const struct leat_otlp_value *b)
{
    return a->field == b->field && a->number == b->number && leat_bytes_eq(a->bytes, b->bytes);
}

static void change(struct leat_edit *e, void *context)
{
    struct plan *p = context;
    struct leat_otlp_value v;

    p->calls++;
    if (p->verbs & 1)
        LEAT_CHECK(leat_edit_delete(e, leat_bytes_str("k")));
    if (p->verbs & 2)
        LEAT_CHECK(leat_edit_update(e, leat_bytes_str("a"), p->value));
    if (p->verbs & 4)
        LEAT_CHECK(leat_edit_insert(e, leat_bytes_str("b"), leat_otlp_int(-1)));
    LEAT_CHECK(leat_edit_set(e, p->key, p->value));
    LEAT_CHECK(leat_edit_get(e, p->key, &v) && same(&v, &p->value));
}

static void look(struct leat_edit *e, void *context)
{
    struct plan *p = context;
    struct leat_otlp_value v;

    p->calls++;
    LEAT_CHECK(leat_edit_get(e, p->key, &v) && same(&v, &p->value));
    if ((p->verbs & 1) && !leat_bytes_is(p->key, "k"))
        LEAT_CHECK(!leat_edit_get(e, leat_bytes_str("k"), &v));
    if (p->verbs & 4)
        LEAT_CHECK(leat_edit_get(e, leat_bytes_str("b"), &v));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leat_otlp_count count, after;
    struct leat_buf *b = NULL, *again = NULL;
    enum leat_edit_place place;
    enum leat_edit_result result;
    enum leat_signal signal;
    struct leat_bytes in, out;
    const char *why;
    struct plan p;

    if (size < 4)
        return 0;
    signal = (enum leat_signal)(data[0] % LEAT_SIGNALS);
    place = (enum leat_edit_place)(data[1] % 3);
    p = (struct plan){.key = leat_bytes(&"kabcdefg"[data[2] % 8], 1),
                      .value = leat_otlp_string(leat_bytes(data, data[3] % size)),
                      .verbs = data[1] >> 4};
    in = leat_bytes(data + 4, size - 4);
    if (leat_otlp_check(signal, in, &count, &why) != LEAT_OTLP_OK)
        return 0;
    result = leat_otlp_edit(signal, in, place, change, &p, NULL, &b);
    LEAT_CHECK(result != LEAT_EDIT_NO_MEMORY);
    out = result == LEAT_EDIT_SAME ? in : leat_bytes(b->data, b->len);
    LEAT_CHECK(leat_otlp_check(signal, out, &after, &why) == LEAT_OTLP_OK);
    LEAT_CHECK(after.items == count.items && after.resources == count.resources);
    LEAT_CHECK(place != LEAT_EDIT_RECORD || p.calls == count.items);
    LEAT_CHECK(place != LEAT_EDIT_RESOURCE || p.calls == count.resources);
    LEAT_CHECK(leat_otlp_edit(signal, out, place, look, &p, NULL, &again) == LEAT_EDIT_SAME);
    leat_buf_unref(b);
    return 0;
}
