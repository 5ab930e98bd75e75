/* The naive mapping: exemplars. */
#include "lib/prom_naive_place.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "lib/prom_read.h"
#include "proto/otlp_show.h"

struct pair {
    char *name, *value;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

static size_t runes(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static char *clean(struct leat_bytes text)
{
    struct leat_text t;

    leat_text_init(&t, BYTES);
    leat_prom_add_utf8(&t, text);
    return leat_text_take(&t);
}

static char *value_text(const Opentelemetry__Proto__Common__V1__AnyValue *v)
{
    struct leat_text packed, shown;
    char *value;

    leat_text_init(&packed, BYTES);
    leat_text_init(&shown, BYTES);
    if (v != NULL)
        otlp_random_pack(&v->base, &packed);
    leat_show_value(&shown, leat_text_bytes(&packed));
    value = clean(leat_text_bytes(&shown));
    leat_text_done(&packed);
    leat_text_done(&shown);
    return value;
}

static size_t add_id(struct pair *pairs, size_t n, const char *name, ProtobufCBinaryData id)
{
    size_t zeros = 0;

    while (zeros < id.len && id.data[zeros] == 0)
        zeros++;
    if (zeros == id.len)
        return n;
    pairs[n].name = leat_strdup(name);
    pairs[n].value = leat_new(2 * id.len + 1);
    for (size_t i = 0; i < id.len; i++)
        snprintf(pairs[n].value + 2 * i, 3, "%02x", id.data[i]);
    return n + 1;
}

static bool has_name(const struct pair *pairs, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(pairs[i].name, name) == 0)
            return true;
    }
    return false;
}

static size_t total_runes(const struct pair *pairs, size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += runes(pairs[i].name) + runes(pairs[i].value);
    return total;
}

static void add_exemplar(struct prom_naive_place *p, const exemplar *e)
{
    struct pair *pairs = leat_new_array(e->n_filtered_attributes + 2, sizeof *pairs);
    size_t ids, all, kept, runes_of_all;
    double value = e->value_case == OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_AS_INT
                       ? (double)e->as_int
                       : e->as_double;

    ids = add_id(pairs, 0, "span_id", e->span_id);
    ids = add_id(pairs, ids, "trace_id", e->trace_id);
    all = kept = ids;
    runes_of_all = total_runes(pairs, ids);
    for (size_t i = 0; i < e->n_filtered_attributes; i++) {
        const Opentelemetry__Proto__Common__V1__KeyValue *kv = e->filtered_attributes[i];
        struct pair one = {clean(leat_bytes_str(kv->key)), value_text(kv->value)};
        runes_of_all += runes(one.name) + runes(one.value);
        if (one.name[0] == '\0' || one.value[0] == '\0' || has_name(pairs, all, one.name)) {
            leat_free(one.name);
            leat_free(one.value);
        } else {
            pairs[all++] = one;
        }
    }
    if (runes_of_all <= 128)
        kept = all;
    qsort(pairs, kept, sizeof *pairs, by_name);
    leat_text_str(p->lines, " # {");
    for (size_t i = 0; i < kept; i++) {
        if (i > 0)
            leat_text_char(p->lines, ',');
        prom_read_label(p->lines, leat_bytes_str(pairs[i].name), leat_bytes_str(pairs[i].value));
    }
    leat_text_str(p->lines, "} ");
    prom_read_value(p->lines, value);
    leat_text_printf(p->lines, " @%llu", (unsigned long long)(e->time_unix_nano / 1000000));
    for (size_t i = 0; i < all; i++) {
        leat_free(pairs[i].name);
        leat_free(pairs[i].value);
    }
    leat_free(pairs);
}

static double exemplar_value(const exemplar *e)
{
    return e->value_case == OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_AS_INT
               ? (double)e->as_int
           : e->value_case == OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_AS_DOUBLE
               ? e->as_double
               : 0;
}

/* Those above `low` up to `high`, or all; earlier ones first, by looking for the next again and
 * again. */
void prom_naive_add_exemplars(struct prom_naive_place *p, exemplar **list, size_t n, bool all,
                              double low, double high)
{
    char *done = leat_new(n + 1);

    for (;;) {
        size_t best = n;
        for (size_t i = 0; i < n; i++) {
            double v = exemplar_value(list[i]);
            if (done[i] || (!all && (!(v <= high) || v <= low)))
                continue;
            if (best == n || list[i]->time_unix_nano < list[best]->time_unix_nano)
                best = i;
        }
        if (best == n)
            break;
        done[best] = 1;
        add_exemplar(p, list[best]);
    }
    leat_free(done);
}
