/* The tags of a StatsD line as attributes. */
#include "proto/statsd_tags.h"

#include "base/hash.h"

#define CONTAINER_KEY "container.id"

/* Nothing but ASCII: most are, so that their pieces need not be looked at one by one. */
static bool is_ascii(struct leat_bytes text)
{
    uint64_t word = 0, all = 0;

    for (; text.len >= sizeof word; text = leat_bytes(text.data + 8, text.len - 8)) {
        memcpy(&word, text.data, sizeof word);
        all |= word;
    }
    for (size_t i = 0; i < text.len; i++)
        all |= text.data[i];
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

/* The text itself, or a copy in `t` without what is no UTF-8. */
static struct leat_bytes clean(struct leat_statsd_tags *t, struct leat_bytes text)
{
    static const uint8_t mark[] = {0xef, 0xbf, 0xbd};
    uint8_t *from = t->text + t->used, *to = from;

    if (t->ascii || leat_bytes_utf8(text))
        return text;
    t->replaced = true;
    while (text.len > 0) {
        size_t len = leat_utf8_len(text), step = len > 0 ? len : 1;
        memcpy(to, len > 0 ? text.data : mark, len > 0 ? len : sizeof mark);
        to += len > 0 ? len : sizeof mark;
        text = leat_bytes(text.data + step, text.len - step);
    }
    t->used = (uint32_t)(to - t->text);
    return leat_bytes(from, (size_t)(to - from));
}

static int compare(struct leat_bytes a, struct leat_bytes b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Puts the tag at its place; it replaces one with its key. */
static void put(struct leat_statsd_tags *t, struct leat_bytes key, struct leat_bytes value)
{
    uint32_t low = 0, high = t->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = compare(key, t->items[middle].key);
        if (order == 0) {
            t->items[middle].value = value;
            return;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    if (t->count == LEAT_STATSD_TAGS) {
        t->many = true;
        return;
    }
    memmove(&t->items[low + 1], &t->items[low], (t->count - low) * sizeof *t->items);
    t->items[low] = (struct leat_statsd_tag){key, value};
    t->count++;
}

static void put_tag(struct leat_statsd_tags *t, struct leat_bytes tag, bool simple)
{
    const uint8_t *colon = tag.len > 0 ? memchr(tag.data, ':', tag.len) : NULL;
    size_t len = colon != NULL ? (size_t)(colon - tag.data) : tag.len;
    struct leat_bytes value = leat_bytes(tag.data, 0);

    if (colon != NULL)
        value = leat_bytes(colon + 1, tag.len - len - 1);
    if (len == 0 || (value.len == 0 && !simple)) {
        t->bad++;
        return;
    }
    put(t, clean(t, leat_bytes(tag.data, len)), clean(t, value));
}

static void put_tags(struct leat_statsd_tags *t, struct leat_bytes tags, bool simple)
{
    while (tags.len > 0) {
        const uint8_t *comma = memchr(tags.data, ',', tags.len);
        size_t len = comma != NULL ? (size_t)(comma - tags.data) : tags.len;
        put_tag(t, leat_bytes(tags.data, len), simple);
        if (comma == NULL)
            return;
        tags = leat_bytes(comma + 1, tags.len - len - 1);
        if (tags.len == 0)
            t->bad++; /* a comma at the end */
    }
}

struct leat_bytes leat_statsd_container(struct leat_bytes text)
{
    struct leat_bytes found = leat_bytes(NULL, 0);

    while (text.len > 0) {
        const uint8_t *comma = memchr(text.data, ',', text.len);
        size_t len = comma != NULL ? (size_t)(comma - text.data) : text.len;

        if (len > 3 && memcmp(text.data, "ci-", 3) == 0)
            found = leat_bytes(text.data + 3, len - 3);
        else if (len > 0 && !(len >= 3 && memcmp(text.data, "in-", 3) == 0))
            found = leat_bytes(text.data, len);
        if (comma == NULL)
            break;
        text = leat_bytes(comma + 1, text.len - len - 1);
    }
    return found;
}

static void put_container(struct leat_statsd_tags *t, struct leat_bytes text)
{
    struct leat_bytes id = leat_statsd_container(text);

    if (id.len > 0)
        put(t, leat_bytes_str(CONTAINER_KEY), clean(t, id));
}

void leat_statsd_tags_read(struct leat_statsd_tags *t, struct leat_bytes name,
                           struct leat_bytes tail, bool simple)
{
    const uint8_t *bar = tail.len > 0 ? memchr(tail.data, '|', tail.len) : NULL;
    size_t len = bar != NULL ? (size_t)(bar - tail.data) : tail.len;

    t->count = t->bad = t->used = 0;
    t->many = t->replaced = false;
    t->ascii = is_ascii(name) && is_ascii(tail);
    t->stamp = leat_bytes(NULL, 0);
    t->name = clean(t, name);
    put_tags(t, leat_bytes(tail.data, len), simple);
    while (bar != NULL) { /* "|c:…", "|T…" */
        struct leat_bytes part = leat_bytes(bar + 1, tail.len - len - 1);
        bar = part.len > 0 ? memchr(part.data, '|', part.len) : NULL;
        tail = part;
        len = part.len = bar != NULL ? (size_t)(bar - part.data) : part.len;
        if (part.len > 2 && part.data[0] == 'c')
            put_container(t, leat_bytes(part.data + 2, part.len - 2));
        else if (part.len > 1)
            t->stamp = leat_bytes(part.data + 1, part.len - 1);
    }
}

bool leat_statsd_tags_equal(const struct leat_statsd_tags *a, const struct leat_statsd_tags *b)
{
    if (a->count != b->count || !leat_bytes_eq(a->name, b->name) ||
        !leat_bytes_eq(a->stamp, b->stamp))
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (!leat_bytes_eq(a->items[i].key, b->items[i].key) ||
            !leat_bytes_eq(a->items[i].value, b->items[i].value))
            return false;
    }
    return true;
}

uint64_t leat_statsd_tags_hash(const struct leat_statsd_tags *t)
{
    uint64_t part[3] = {leat_hash_quick(t->name), leat_hash_quick(t->stamp), t->count};

    for (uint32_t i = 0; i < t->count; i++) {
        part[0] = leat_hash_quick(leat_bytes(part, sizeof part));
        part[1] = leat_hash_quick(t->items[i].key);
        part[2] = leat_hash_quick(t->items[i].value);
    }
    return leat_hash_quick(leat_bytes(part, sizeof part));
}
