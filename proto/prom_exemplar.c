/* Exemplars as Prometheus has them. */
#include "proto/prom_exemplar.h"

#include <string.h>

#include "proto/otlp_match.h"
#include "proto/otlp_show.h"
#include "proto/prom_name.h"

#define FILTERED_ATTRIBUTES 7 /* in Exemplar */

static bool all_zero(struct leat_bytes id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (id.data[i] != 0)
            return false;
    }
    return true;
}

static size_t runes(struct leat_bytes utf8)
{
    size_t n = 0;

    for (size_t i = 0; i < utf8.len; i++)
        n += (utf8.data[i] & 0xc0) != 0x80;
    return n;
}

static struct leat_bytes written(const struct leat_text *t, size_t from)
{
    return leat_bytes(t->data + from, t->len - from);
}

static bool has(const struct leat_prom_exemplar_labels *l, struct leat_bytes name)
{
    for (uint32_t i = 0; i < l->count; i++) {
        if (leat_bytes_eq(l->label[i].name, name))
            return true;
    }
    return false;
}

/* Adds it in its place. */
static void insert(struct leat_prom_exemplar_labels *l, struct leat_bytes name,
                   struct leat_bytes value)
{
    uint32_t at = l->count++;

    for (; at > 0 && leat_bytes_compare(l->label[at - 1].name, name) > 0; at--)
        l->label[at] = l->label[at - 1];
    l->label[at] = (struct leat_prom_label){name, value};
}

static void add_id(struct leat_prom_exemplar_labels *l, const char *name, struct leat_bytes id,
                   struct leat_text *text)
{
    size_t from = text->len;

    if (id.len == 0 || id.len > 16 || all_zero(id))
        return;
    leat_hex_encode(id, text->data + from); /* room was made */
    text->len += 2 * id.len;
    insert(l, leat_bytes_str(name), written(text, from));
}

/* Adds the filtered attributes. false: too many characters. */
static bool add_attributes(struct leat_prom_exemplar_labels *l, const struct leat_exemplar *e,
                           size_t used, struct leat_text *text)
{
    struct leat_wire w = leat_wire_of(e->message);
    struct leat_bytes pair, name, value;
    size_t from;

    while (leat_otlp_next(&w, FILTERED_ATTRIBUTES, &pair)) {
        from = text->len;
        leat_prom_add_utf8(text, leat_otlp_get(pair, 1));
        name = written(text, from);
        from = text->len;
        leat_show_value(text, leat_otlp_get(pair, 2));
        value = written(text, from);
        if (!leat_bytes_utf8(value)) {
            from = text->len;
            leat_prom_add_utf8(text, value);
            value = written(text, from);
        }
        used += runes(name) + runes(value);
        if (!leat_text_ok(text) || used > LEAT_PROM_EXEMPLAR_RUNES)
            return false;
        if (name.len != 0 && value.len != 0 && !has(l, name))
            insert(l, name, value);
    }
    return true;
}

bool leat_prom_exemplar_labels(const struct leat_exemplar *e, struct leat_text *text,
                               struct leat_prom_exemplar_labels *ret)
{
    struct leat_prom_exemplar_labels ids = {.count = 0};
    size_t used = 0;

    leat_text_clear(text);
    if (!leat_text_reserve(text, LEAT_PROM_EXEMPLAR_BYTES))
        return false;
    add_id(&ids, "trace_id", e->trace_id, text);
    add_id(&ids, "span_id", e->span_id, text);
    for (uint32_t i = 0; i < ids.count; i++)
        used += ids.label[i].name.len + ids.label[i].value.len;
    *ret = ids;
    if (!add_attributes(ret, e, used, text))
        *ret = ids;
    return true;
}
