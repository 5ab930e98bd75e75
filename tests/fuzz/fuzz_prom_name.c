/* Names and labels for Prometheus, of any bytes: what comes out is legal, sorted, within its
 * limits, and means the same again. The first byte chooses, fields end with 0xff 0xff. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "proto/otlp_make.h"
#include "proto/prom_labels.h"
#include "proto/prom_name.h"

#define MAX              (4u << 20)
#define POINT_ATTRIBUTES 7

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct leat_bytes next_field(struct leat_bytes *rest)
{
    struct leat_bytes field = *rest;

    for (size_t i = 0; i + 1 < rest->len; i++) {
        if (rest->data[i] == 0xff && rest->data[i + 1] == 0xff) {
            field.len = i;
            *rest = leat_bytes(rest->data + i + 2, rest->len - i - 2);
            return field;
        }
    }
    rest->len = 0;
    return field;
}

static void check_legal(struct leat_bytes name, bool utf8, bool colons)
{
    LEAT_CHECK(name.len != 0);
    if (utf8) {
        LEAT_CHECK(leat_bytes_utf8(name));
        return;
    }
    LEAT_CHECK(name.data[0] < '0' || name.data[0] > '9');
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        LEAT_CHECK(leat_prom_alnum(c) || c == '_' || (colons && c == ':'));
    }
}

static void check_name(uint8_t how, struct leat_bytes rest)
{
    struct leat_prom_naming naming = {(enum leat_prom_strategy)(how & 3), next_field(&rest)};
    struct leat_prom_metric metric = {.gauge = how & 4, .monotonic = how & 8};
    struct leat_text out;
    size_t len;

    metric.name = next_field(&rest);
    metric.unit = next_field(&rest);
    leat_text_init(&out, MAX);
    if (leat_prom_name(&naming, &metric, &out))
        check_legal(leat_text_bytes(&out), leat_prom_strategy_is_utf8(naming.strategy), true);
    else
        LEAT_CHECK(leat_text_ok(&out) && out.len == 0);
    len = out.len;
    leat_text_done(&out);
    leat_text_init(&out, len / 2); /* and where there is no room for it */
    LEAT_CHECK(!leat_prom_name(&naming, &metric, &out) && out.len == 0);
    leat_text_done(&out);
    leat_text_init(&out, MAX);
    leat_prom_unit(naming.strategy, metric.unit, &out);
    LEAT_CHECK(leat_bytes_utf8(leat_text_bytes(&out)) && out.len <= 3 * metric.unit.len + 16);
    leat_text_done(&out);
}

static void check_label(enum leat_prom_label_rule rule, struct leat_bytes key)
{
    struct leat_text once, again;

    leat_text_init(&once, MAX);
    leat_text_init(&again, MAX);
    if (leat_prom_label_name(rule, key, &once)) {
        check_legal(leat_text_bytes(&once), rule == LEAT_PROM_LABEL_UTF8, false);
        LEAT_CHECK(leat_prom_label_name(rule, leat_text_bytes(&once), &again));
        LEAT_CHECK(leat_bytes_eq(leat_text_bytes(&once), leat_text_bytes(&again)));
    } else {
        LEAT_CHECK(leat_text_ok(&once) && once.len == 0);
    }
    if (leat_prom_label_is_name(rule, key))
        LEAT_CHECK(leat_bytes_eq(key, leat_text_bytes(&once)));
    leat_text_done(&once);
    leat_text_done(&again);
}

static void check_set(struct leat_prom_set set, const struct leat_prom_label_conf *conf)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < set.count; i++) {
        check_legal(set.label[i].name, conf->utf8, false);
        LEAT_CHECK(leat_bytes_utf8(set.label[i].value));
        LEAT_CHECK(conf->page || set.label[i].value.len != 0);
        LEAT_CHECK(i == 0 || leat_bytes_compare(set.label[i - 1].name, set.label[i].name) < 0);
        bytes += set.label[i].name.len + set.label[i].value.len;
    }
    LEAT_CHECK(set.count <= LEAT_PROM_LABELS + 2 && bytes <= LEAT_PROM_LABEL_BYTES + 100);
}

/* Up to `most` attributes from the fields; strings and now and then bytes. */
static struct leat_bytes attributes(struct leat_text *t, uint32_t field, struct leat_bytes *rest,
                                    unsigned most)
{
    struct leat_make m;

    leat_make_init(&m, t);
    for (; most != 0 && rest->len != 0; most--) {
        struct leat_bytes key = next_field(rest), value = next_field(rest);
        leat_make_open(&m, field);
        leat_make_bytes(&m, 1, key);
        leat_make_open(&m, 2);
        leat_make_bytes(&m, value.len != 0 && value.data[0] == '#' ? 7 : 1, value);
        leat_make_close(&m);
        leat_make_close(&m);
    }
    return leat_text_bytes(t);
}

static void check_labels(uint8_t how, struct leat_bytes rest)
{
    struct leat_prom_label_conf conf = {.page = how & 1,
                                        .utf8 = how & 2,
                                        .no_scope = how & 4,
                                        .resource = how & 8,
                                        .exclude_service = how & 16};
    struct leat_prom_labels *b = leat_prom_labels_new(&conf);
    struct leat_text text[3];
    struct leat_bytes part[3];

    for (unsigned i = 0; i < 3; i++) {
        static const uint32_t fields[] = {1, 3, POINT_ATTRIBUTES};
        leat_text_init(&text[i], MAX);
        part[i] = attributes(&text[i], fields[i], &rest, i == 2 ? 300 : 4);
    }
    leat_prom_labels_resource(b, part[0]);
    leat_prom_labels_scope(b, part[1], part[0]);
    for (unsigned again = 0; again < 2; again++) {
        leat_prom_labels_point(b, part[2], POINT_ATTRIBUTES);
        check_set(leat_prom_labels_common(b), &conf);
        check_set(leat_prom_labels_series(b, leat_bytes_str("m"), leat_bytes_str("le"),
                                          leat_bytes_str("1")),
                  &conf);
    }
    leat_prom_labels_info(b, part[0]);
    check_set(leat_prom_labels_common(b), &conf);
    leat_prom_labels_free(b);
    for (unsigned i = 0; i < 3; i++)
        leat_text_done(&text[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leat_bytes rest;

    if (size < 2)
        return 0;
    rest = leat_bytes(data + 1, size - 1);
    if (data[0] < 64)
        check_name(data[0], rest);
    else if (data[0] < 128)
        check_label((enum leat_prom_label_rule)(data[0] % 3), rest);
    else
        check_labels(data[0], rest);
    return 0;
}
