/* The labels of Prometheus series, made of OTLP resources, scopes and points. */
#include "proto/prom_labels.h"

#include <string.h>

#include "base/glob.h"
#include "base/mem.h"
#include "proto/otlp_match.h"
#include "proto/otlp_show.h"
#include "proto/prom_name.h"

/* Where a label comes from. Of several with one name the highest counts; attributes are joined. */
enum rank { CONSTANT, ATTRIBUTE, SERVICE, SCOPE_ATTRIBUTE, SCOPE };

struct entry {
    struct leat_bytes name, value;
    struct leat_bytes key; /* of the attribute */
    enum rank rank;
    bool resource; /* an attribute of the resource: beats the point's with the same key */
};

/* Entries stand in three runs: those of the resource (and constants), of the scope, of the point.
 * So does what was written into `text`; it never moves, so that names and values may point there.
 */
struct leat_prom_labels {
    const struct leat_prom_label_conf *conf;
    struct leat_text text;
    size_t resource_text, scope_text;
    uint32_t resource_count, scope_count, count;
    enum leat_prom_labels_result resource_result, scope_result;
    struct entry entry[LEAT_PROM_LABELS];
    uint16_t order[LEAT_PROM_LABELS]; /* of the first scope_count entries, by name, rank and key */
    uint16_t sorted[LEAT_PROM_LABELS];
    struct leat_prom_label common[LEAT_PROM_LABELS];
    uint32_t common_count;
    struct leat_prom_label series[LEAT_PROM_LABELS + 2]; /* and __name__, and le */
};

const char *leat_prom_labels_why(enum leat_prom_labels_result r)
{
    static const char *const words[] = {"ok", "nothing_to_say", "label_name", "reserved_label",
                                        "too_many_labels"};

    return words[r];
}

/* --- entries */

static void rewind_to(struct leat_prom_labels *b, uint32_t count, size_t text)
{
    b->count = count;
    b->text.len = text;
    b->text.failed = false;
    b->common_count = 0;
}

static struct leat_bytes written(const struct leat_prom_labels *b, size_t from)
{
    return leat_bytes(b->text.data + from, b->text.len - from);
}

static enum leat_prom_label_rule rule_of(const struct leat_prom_label_conf *conf)
{
    return conf->utf8   ? LEAT_PROM_LABEL_UTF8
           : conf->page ? LEAT_PROM_LABEL_PAGE
                        : LEAT_PROM_LABEL_WRITE;
}

static struct entry *add_entry(struct leat_prom_labels *b, enum rank rank, struct leat_bytes name,
                               struct leat_bytes value)
{
    struct entry *e;

    if (b->count == LEAT_PROM_LABELS)
        return NULL;
    e = &b->entry[b->count++];
    *e = (struct entry){.name = name, .value = value, .key = name, .rank = rank};
    return e;
}

/* A string as a label's value. */
static struct leat_bytes as_value(struct leat_prom_labels *b, struct leat_bytes text)
{
    size_t from = b->text.len;

    if (leat_bytes_utf8(text))
        return text;
    leat_prom_add_utf8(&b->text, text);
    return written(b, from);
}

/* An AnyValue as text, as the collector's AsString(). */
static struct leat_bytes value_of(struct leat_prom_labels *b, struct leat_bytes any)
{
    struct leat_otlp_value v = leat_otlp_value_read(any);
    size_t from = b->text.len;

    if (v.field == LEAT_OTLP_VALUE_STRING)
        return as_value(b, v.bytes);
    leat_show_value(&b->text, any);
    return written(b, from);
}

static enum leat_prom_labels_result fit(const struct leat_prom_labels *b)
{
    return leat_text_ok(&b->text) ? LEAT_PROM_LABELS_OK : LEAT_PROM_LABELS_TOO_MANY;
}

/* The name of an attribute by the rule, after `prefix`. */
static enum leat_prom_labels_result name_of(struct leat_prom_labels *b,
                                            enum leat_prom_label_rule rule, const char *prefix,
                                            struct leat_bytes key, struct leat_bytes *ret)
{
    size_t from = b->text.len;

    if (*prefix != '\0') {
        leat_text_str(&b->text, prefix);
        leat_text_add(&b->text, key.data, key.len);
        key = written(b, from);
        from = b->text.len;
    }
    *ret = key;
    if (!leat_prom_label_is_name(rule, key)) {
        if (!leat_prom_label_name(rule, key, &b->text))
            return leat_text_ok(&b->text) ? LEAT_PROM_LABELS_NAME : LEAT_PROM_LABELS_TOO_MANY;
        *ret = written(b, from);
    }
    if (b->conf->page && ret->len >= 2 && memcmp(ret->data, "__", 2) == 0)
        return LEAT_PROM_LABELS_RESERVED;
    return fit(b);
}

static enum leat_prom_labels_result add_attribute(struct leat_prom_labels *b, enum rank rank,
                                                  enum leat_prom_label_rule rule,
                                                  struct leat_bytes key, struct leat_bytes any)
{
    struct leat_bytes name, value = value_of(b, any);
    const char *prefix = rank == SCOPE_ATTRIBUTE ? "otel_scope_" : "";
    enum leat_prom_labels_result r = name_of(b, rule, prefix, key, &name);
    struct entry *e;

    if (r == LEAT_PROM_LABELS_NAME && value.len == 0 && !b->conf->page)
        return fit(b); /* it vanishes anyway */
    if (r != LEAT_PROM_LABELS_OK)
        return r;
    e = add_entry(b, rank, name, value);
    if (e == NULL)
        return LEAT_PROM_LABELS_TOO_MANY;
    e->key = key;
    return LEAT_PROM_LABELS_OK;
}

/* --- what they are made of. Resource: attributes 1. InstrumentationScope: name 1, version 2,
 * attributes 3 */

#define RESOURCE_ATTRIBUTES 1
#define SCOPE_ATTRIBUTES    3

static bool next_pair(struct leat_wire *w, uint32_t field, struct leat_bytes *ret_key,
                      struct leat_bytes *ret_any)
{
    struct leat_bytes pair;

    if (!leat_otlp_next(w, field, &pair))
        return false;
    *ret_key = leat_otlp_get(pair, 1);
    *ret_any = leat_otlp_get(pair, 2);
    return true;
}

/* The first attribute of a resource with this key, as text. */
static bool find(struct leat_prom_labels *b, struct leat_bytes resource, const char *key,
                 struct leat_bytes *ret)
{
    struct leat_wire w = leat_wire_of(resource);
    struct leat_bytes one, any;

    while (next_pair(&w, RESOURCE_ATTRIBUTES, &one, &any)) {
        if (!leat_bytes_is(one, key))
            continue;
        *ret = value_of(b, any);
        return true;
    }
    return false;
}

static bool is_service(struct leat_bytes key)
{
    return key.len > 8 && memcmp(key.data, "service.", 8) == 0 &&
           (leat_bytes_is(key, "service.name") || leat_bytes_is(key, "service.namespace") ||
            leat_bytes_is(key, "service.instance.id"));
}

static enum leat_prom_labels_result add_constants(struct leat_prom_labels *b)
{
    for (uint32_t i = 0; i < b->conf->constant_count; i++) {
        const struct leat_prom_label *c = &b->conf->constants[i];
        if (add_entry(b, CONSTANT, c->name, c->value) == NULL)
            return LEAT_PROM_LABELS_TOO_MANY;
    }
    return LEAT_PROM_LABELS_OK;
}

/* A label that remote write leaves out when it is empty. */
static enum leat_prom_labels_result add_own(struct leat_prom_labels *b, enum rank rank,
                                            const char *name, struct leat_bytes value)
{
    if (value.len == 0 && !b->conf->page)
        return fit(b);
    return add_entry(b, rank, leat_bytes_str(name), value) != NULL ? fit(b)
                                                                   : LEAT_PROM_LABELS_TOO_MANY;
}

/* job is service.namespace/service.name, instance is service.instance.id */
static enum leat_prom_labels_result add_service(struct leat_prom_labels *b,
                                                struct leat_bytes resource)
{
    enum leat_prom_labels_result r = LEAT_PROM_LABELS_OK;
    struct leat_bytes name, namespace, instance;

    if (find(b, resource, "service.name", &name) && (name.len != 0 || b->conf->page)) {
        if (find(b, resource, "service.namespace", &namespace)) {
            size_t from = b->text.len;
            leat_text_add(&b->text, namespace.data, namespace.len);
            leat_text_char(&b->text, '/');
            leat_text_add(&b->text, name.data, name.len);
            name = written(b, from);
        }
        r = add_own(b, SERVICE, "job", name);
    }
    if (r == LEAT_PROM_LABELS_OK && find(b, resource, "service.instance.id", &instance))
        r = add_own(b, SERVICE, "instance", instance);
    return r;
}

static bool matches_any(const char *const *patterns, uint32_t count, struct leat_bytes key)
{
    for (uint32_t i = 0; i < count; i++) {
        if (leat_glob(patterns[i], key, LEAT_GLOB_ONE))
            return true;
    }
    return false;
}

/* An attribute of the resource that goes onto every series. */
static bool is_copied(const struct leat_prom_label_conf *conf, struct leat_bytes key)
{
    if (conf->exclude_service && is_service(key))
        return false;
    if (matches_any(conf->excluded, conf->excluded_count, key))
        return false;
    return conf->included_count == 0 || matches_any(conf->included, conf->included_count, key);
}

static enum leat_prom_labels_result add_resource(struct leat_prom_labels *b,
                                                 struct leat_bytes resource)
{
    struct leat_wire w = leat_wire_of(resource);
    enum leat_prom_labels_result r = LEAT_PROM_LABELS_OK;
    struct leat_bytes key, any;
    uint32_t from = b->count;

    while (r == LEAT_PROM_LABELS_OK && next_pair(&w, RESOURCE_ATTRIBUTES, &key, &any)) {
        if (is_copied(b->conf, key))
            r = add_attribute(b, ATTRIBUTE, rule_of(b->conf), key, any);
    }
    for (; from < b->count; from++)
        b->entry[from].resource = true;
    return r;
}

static enum leat_prom_labels_result add_scope(struct leat_prom_labels *b, struct leat_bytes scope,
                                              struct leat_bytes schema_url)
{
    struct leat_wire w = leat_wire_of(scope);
    enum leat_prom_labels_result r;
    struct leat_bytes key, any;

    r = add_own(b, SCOPE, "otel_scope_name", as_value(b, leat_otlp_get(scope, 1)));
    if (r == LEAT_PROM_LABELS_OK)
        r = add_own(b, SCOPE, "otel_scope_version", as_value(b, leat_otlp_get(scope, 2)));
    if (r == LEAT_PROM_LABELS_OK && b->conf->page)
        r = add_own(b, SCOPE, "otel_scope_schema_url", as_value(b, schema_url));
    while (r == LEAT_PROM_LABELS_OK && next_pair(&w, SCOPE_ATTRIBUTES, &key, &any)) {
        if (leat_bytes_is(key, "name") || leat_bytes_is(key, "version") ||
            leat_bytes_is(key, "schema_url"))
            continue;
        r = add_attribute(b, SCOPE_ATTRIBUTE, rule_of(b->conf), key, any);
    }
    return r;
}

/* --- order */

static int by_name(const struct entry *x, const struct entry *y)
{
    int c = leat_bytes_compare(x->name, y->name);

    return c != 0 ? c : leat_bytes_compare(x->key, y->key);
}

/* Puts an entry into a sorted list, after its equals. */
static void insert(const struct leat_prom_labels *b, uint16_t *list, uint32_t count, uint32_t which)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (by_name(&b->entry[list[mid]], &b->entry[which]) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    memmove(list + low + 1, list + low, (count - low) * sizeof *list);
    list[low] = (uint16_t)which;
}

static void sort(const struct leat_prom_labels *b, uint16_t *list, uint32_t from)
{
    for (uint32_t i = from; i < b->count; i++)
        insert(b, list, i, i);
}

/* --- one value for each name */

/* `value;more`, where `value` may be what was written last. */
static struct leat_bytes join(struct leat_prom_labels *b, struct leat_bytes value,
                              struct leat_bytes more)
{
    size_t from = b->text.len;

    if (value.len <= from && value.data == (const uint8_t *)b->text.data + from - value.len)
        from -= value.len;
    else
        leat_text_add(&b->text, value.data, value.len);
    leat_text_char(&b->text, ';');
    leat_text_add(&b->text, more.data, more.len);
    return written(b, from);
}

/* The value of those entries of one rank; only attributes are joined. */
static struct leat_bytes value_in(struct leat_prom_labels *b, const uint16_t *list, uint32_t count,
                                  enum rank rank)
{
    struct leat_bytes value = leat_bytes(NULL, 0);
    const struct entry *winner = NULL;

    for (uint32_t i = 0; i < count; i++) {
        const struct entry *e = &b->entry[list[i]];
        if (e->rank != rank)
            continue;
        if (rank != ATTRIBUTE && rank != SCOPE_ATTRIBUTE)
            return e->value;
        if (winner != NULL && leat_bytes_eq(winner->key, e->key))
            continue;
        if (e->resource)
            winner = e;
        if (value.len == 0)
            value = e->value;
        else if (e->value.len != 0 && !leat_bytes_eq(value, e->value))
            value = join(b, value, e->value);
    }
    return value;
}

/* The value of the entries `list[0]` to `list[count - 1]`, which have one name. */
static struct leat_bytes value_for(struct leat_prom_labels *b, const uint16_t *list, uint32_t count)
{
    struct leat_bytes value;
    enum rank top = CONSTANT;

    for (uint32_t i = 0; i < count; i++) {
        if (b->entry[list[i]].rank > top)
            top = b->entry[list[i]].rank;
    }
    value = value_in(b, list, count, top);
    if (value.len == 0 && !b->conf->page) /* an empty attribute is not there */
        value = value_in(b, list, count, CONSTANT);
    return value;
}

/* Makes the common labels of the sorted entries. */
static enum leat_prom_labels_result resolve(struct leat_prom_labels *b, const uint16_t *list)
{
    size_t bytes = 0;

    b->common_count = 0;
    for (uint32_t i = 0, next; i < b->count; i = next) {
        struct leat_bytes name = b->entry[list[i]].name, value;

        for (next = i + 1; next < b->count; next++) {
            if (!leat_bytes_eq(b->entry[list[next]].name, name))
                break;
        }
        value = next == i + 1 ? b->entry[list[i]].value : value_for(b, list + i, next - i);
        if ((value.len == 0 && !b->conf->page) || leat_bytes_is(name, "__name__"))
            continue;
        bytes += name.len + value.len;
        b->common[b->common_count++] = (struct leat_prom_label){name, value};
    }
    if (bytes <= LEAT_PROM_LABEL_BYTES && leat_text_ok(&b->text))
        return LEAT_PROM_LABELS_OK;
    b->common_count = 0;
    return LEAT_PROM_LABELS_TOO_MANY;
}

/* --- the builder */

struct leat_prom_labels *leat_prom_labels_new(const struct leat_prom_label_conf *conf)
{
    struct leat_prom_labels *b = leat_new(sizeof *b);

    b->conf = conf;
    leat_text_init(&b->text, LEAT_PROM_LABEL_BYTES);
    b->text.cap = LEAT_PROM_LABEL_BYTES + 1; /* all of it, so that it never moves */
    b->text.data = leat_new(b->text.cap);
    leat_prom_labels_resource(b, leat_bytes(NULL, 0));
    return b;
}

void leat_prom_labels_free(struct leat_prom_labels *b)
{
    if (b == NULL)
        return;
    leat_text_done(&b->text);
    leat_free(b);
}

enum leat_prom_labels_result leat_prom_labels_resource(struct leat_prom_labels *b,
                                                       struct leat_bytes resource)
{
    enum leat_prom_labels_result r;

    rewind_to(b, 0, 0);
    r = add_constants(b);
    if (r == LEAT_PROM_LABELS_OK)
        r = add_service(b, resource);
    if (r == LEAT_PROM_LABELS_OK && b->conf->resource)
        r = add_resource(b, resource);
    b->resource_result = r;
    b->resource_count = b->count;
    b->resource_text = b->text.len;
    leat_prom_labels_scope(b, leat_bytes(NULL, 0), leat_bytes(NULL, 0));
    return r;
}

enum leat_prom_labels_result leat_prom_labels_scope(struct leat_prom_labels *b,
                                                    struct leat_bytes scope,
                                                    struct leat_bytes schema_url)
{
    enum leat_prom_labels_result r = b->resource_result;

    rewind_to(b, b->resource_count, b->resource_text);
    if (r == LEAT_PROM_LABELS_OK && !b->conf->no_scope)
        r = add_scope(b, scope, schema_url);
    b->scope_result = r;
    b->scope_count = b->count;
    b->scope_text = b->text.len;
    if (r == LEAT_PROM_LABELS_OK)
        sort(b, b->order, 0);
    return r;
}

enum leat_prom_labels_result leat_prom_labels_point(struct leat_prom_labels *b,
                                                    struct leat_bytes point, uint32_t field)
{
    struct leat_wire w = leat_wire_of(point);
    enum leat_prom_labels_result r = b->scope_result;
    struct leat_bytes key, any;

    rewind_to(b, b->scope_count, b->scope_text);
    while (r == LEAT_PROM_LABELS_OK && next_pair(&w, field, &key, &any))
        r = add_attribute(b, ATTRIBUTE, rule_of(b->conf), key, any);
    if (r != LEAT_PROM_LABELS_OK)
        return r;
    memcpy(b->sorted, b->order, b->scope_count * sizeof *b->order);
    sort(b, b->sorted, b->scope_count);
    return resolve(b, b->sorted);
}

struct leat_prom_set leat_prom_labels_common(const struct leat_prom_labels *b)
{
    return (struct leat_prom_set){b->common, b->common_count};
}

struct leat_prom_set leat_prom_labels_series(struct leat_prom_labels *b, struct leat_bytes name,
                                             struct leat_bytes extra, struct leat_bytes value)
{
    struct leat_prom_label own[2] = {{leat_bytes_str("__name__"), name}, {extra, value}};
    struct leat_prom_label *to = b->series;
    uint32_t from = 0;

    if (name.len == 0 || (extra.len != 0 && leat_bytes_compare(own[0].name, extra) > 0)) {
        own[0] = own[1];
        own[1] = (struct leat_prom_label){leat_bytes_str(name.len != 0 ? "__name__" : ""), name};
    }
    for (uint32_t i = 0; i < 2; i++) {
        if (own[i].name.len == 0)
            continue;
        while (from < b->common_count && leat_bytes_compare(b->common[from].name, own[i].name) < 0)
            *to++ = b->common[from++];
        *to++ = own[i];
        if (from < b->common_count && leat_bytes_eq(b->common[from].name, own[i].name))
            from++;
    }
    while (from < b->common_count)
        *to++ = b->common[from++];
    return (struct leat_prom_set){b->series, (uint32_t)(to - b->series)};
}

/* --- target_info */

static enum leat_prom_labels_result add_others(struct leat_prom_labels *b,
                                               struct leat_bytes resource, uint32_t *ret_others)
{
    enum leat_prom_label_rule rule = b->conf->utf8             ? LEAT_PROM_LABEL_UTF8
                                     : b->conf->info_as_series ? LEAT_PROM_LABEL_WRITE
                                                               : LEAT_PROM_LABEL_PAGE;
    struct leat_wire w = leat_wire_of(resource);
    enum leat_prom_labels_result r = LEAT_PROM_LABELS_OK;
    struct leat_bytes key, any;

    *ret_others = 0;
    while (r == LEAT_PROM_LABELS_OK && next_pair(&w, RESOURCE_ATTRIBUTES, &key, &any)) {
        if (is_service(key))
            continue;
        ++*ret_others;
        r = add_attribute(b, ATTRIBUTE, rule, key, any);
    }
    return r;
}

/* Says whether this is a target that can be told from others. */
static bool is_target(const struct leat_prom_labels *b)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < b->count; i++) {
        const struct entry *e = &b->entry[i];
        if (b->conf->page ? e->rank == SERVICE
                          : leat_bytes_is(e->name, "job") || leat_bytes_is(e->name, "instance"))
            found += e->value.len != 0;
    }
    return found >= (b->conf->page ? 2 : 1);
}

enum leat_prom_labels_result leat_prom_labels_info(struct leat_prom_labels *b,
                                                   struct leat_bytes resource)
{
    enum leat_prom_labels_result r = LEAT_PROM_LABELS_OK;
    uint32_t others;

    rewind_to(b, 0, 0);
    b->resource_result = b->scope_result = LEAT_PROM_LABELS_NONE;
    if (!b->conf->page)
        r = add_constants(b);
    if (r == LEAT_PROM_LABELS_OK)
        r = add_service(b, resource);
    if (r == LEAT_PROM_LABELS_OK)
        r = add_others(b, resource, &others);
    if (r != LEAT_PROM_LABELS_OK)
        return r;
    sort(b, b->sorted, 0);
    r = resolve(b, b->sorted);
    if (r == LEAT_PROM_LABELS_OK && ((others == 0 && !b->conf->page) || !is_target(b))) {
        b->common_count = 0;
        r = LEAT_PROM_LABELS_NONE;
    }
    return r;
}
