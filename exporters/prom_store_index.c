/* Where the store finds things: families sorted by name (a skip list: a page is read in order while
 * families come and go), series by what identifies them. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "exporters/prom_store_internal.h"

#define TABLE_START ((size_t)64)

/* --- families */

static int compare(struct leat_bytes a, struct leat_bytes b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n != 0 ? memcmp(a.data, b.data, n) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* What points at the first family that is not before `name` (with `behind`: not at it either), on
 * each level. */
static void search(const struct leat_scrape_store *s, struct leat_bytes name, bool behind,
                   struct leat_scrape_family_node **ret[LEAT_SCRAPE_HEIGHT])
{
    struct leat_scrape_family_node *const *row = s->first;

    for (int level = LEAT_SCRAPE_HEIGHT - 1; level >= 0; level--) {
        while (row[level] != NULL && compare(row[level]->family.name, name) < (behind ? 1 : 0))
            row = row[level]->next;
        ret[level] = (struct leat_scrape_family_node **)(uintptr_t)&row[level];
    }
}

struct leat_scrape_family_node *leat_scrape_find(const struct leat_scrape_store *s,
                                                 struct leat_bytes name)
{
    struct leat_scrape_family_node **at[LEAT_SCRAPE_HEIGHT];

    search(s, name, false, at);
    return *at[0] != NULL && leat_bytes_eq((*at[0])->family.name, name) ? *at[0] : NULL;
}

struct leat_scrape_family_node *leat_scrape_after(const struct leat_scrape_store *s,
                                                  struct leat_bytes name)
{
    struct leat_scrape_family_node **at[LEAT_SCRAPE_HEIGHT];

    search(s, name, true, at);
    return *at[0];
}

/* One more level for half of them, each time. */
static uint32_t draw_height(void)
{
    uint64_t bits = leat_random();
    uint32_t height = 1;

    while (height < LEAT_SCRAPE_HEIGHT && (bits & 1) != 0) {
        height++;
        bits >>= 1;
    }
    return height;
}

static struct leat_bytes keep(char **at, struct leat_bytes b)
{
    struct leat_bytes kept = leat_bytes(*at, b.len);

    if (b.len != 0)
        memcpy(*at, b.data, b.len);
    *at += b.len;
    return kept;
}

struct leat_scrape_family_node *leat_scrape_family_add(struct leat_scrape_store *s,
                                                       const struct leat_scrape_family *f)
{
    struct leat_scrape_family_node **at[LEAT_SCRAPE_HEIGHT], *node;
    uint32_t height = draw_height();
    size_t size = sizeof *node + height * sizeof *node->next;
    char *text;

    size += f->name.len + f->help.len + f->unit.len;
    if (!leat_scrape_charge(s, size))
        return NULL;
    node = leat_try_zeroed(size);
    if (node == NULL) {
        leat_scrape_discharge(s, size);
        return NULL;
    }
    text = (char *)(node->next + height);
    node->family = *f;
    node->family.name = keep(&text, f->name);
    node->family.help = keep(&text, f->help);
    node->family.unit = keep(&text, f->unit);
    node->charged = size;
    node->height = height;
    leat_list_init(&node->items);
    search(s, f->name, false, at);
    for (uint32_t i = 0; i < height; i++) {
        node->next[i] = *at[i];
        *at[i] = node;
    }
    s->families++;
    return node;
}

static void release(struct leat_scrape_store *s, struct leat_scrape_family_node *f)
{
    leat_scrape_discharge(s, f->charged);
    leat_free(f);
}

void leat_scrape_family_remove(struct leat_scrape_store *s, struct leat_scrape_family_node *f)
{
    struct leat_scrape_family_node **at[LEAT_SCRAPE_HEIGHT];

    search(s, f->family.name, false, at);
    for (uint32_t i = 0; i < f->height; i++)
        *at[i] = f->next[i];
    s->families--;
    f->gone = true;
    if (f->pins == 0)
        release(s, f);
}

void leat_scrape_unpin(struct leat_scrape_store *s, struct leat_scrape_family_node *f)
{
    if (--f->pins == 0 && f->gone)
        release(s, f);
}

/* --- series: open addressing, each at its place or right behind it */

static struct leat_print print_of(const struct leat_scrape_table *t,
                                  const struct leat_scrape_item *i)
{
    return t->by_stream ? i->stream : i->key;
}

static size_t place_of(const struct leat_scrape_table *t, struct leat_print p)
{
    return (size_t)p.lo & (t->cap - 1);
}

struct leat_scrape_item *leat_scrape_table_find(const struct leat_scrape_table *t,
                                                struct leat_print print)
{
    if (t->cap == 0)
        return NULL;
    for (size_t i = place_of(t, print); t->slots[i] != NULL; i = (i + 1) & (t->cap - 1))
        if (leat_print_is(print_of(t, t->slots[i]), print))
            return t->slots[i];
    return NULL;
}

static void put(struct leat_scrape_table *t, struct leat_scrape_item *item)
{
    size_t i = place_of(t, print_of(t, item));

    while (t->slots[i] != NULL)
        i = (i + 1) & (t->cap - 1);
    t->slots[i] = item;
}

static int grow(struct leat_scrape_table *t)
{
    struct leat_scrape_table bigger = {.by_stream = t->by_stream,
                                       .cap = t->cap == 0 ? TABLE_START : t->cap * 2};

    bigger.slots = leat_try_zeroed(bigger.cap * sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return -1;
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i] != NULL)
            put(&bigger, t->slots[i]);
    bigger.count = t->count;
    leat_free(t->slots);
    *t = bigger;
    return 0;
}

int leat_scrape_table_add(struct leat_scrape_table *t, struct leat_scrape_item *item)
{
    if (t->count >= t->cap / 4 * 3 && grow(t) < 0)
        return -1;
    put(t, item);
    t->count++;
    return 0;
}

void leat_scrape_table_remove(struct leat_scrape_table *t, const struct leat_scrape_item *item)
{
    size_t hole = place_of(t, print_of(t, item)), mask = t->cap - 1;

    while (t->slots[hole] != item)
        hole = (hole + 1) & mask;
    for (size_t i = (hole + 1) & mask; t->slots[i] != NULL; i = (i + 1) & mask) {
        size_t home = place_of(t, print_of(t, t->slots[i]));

        if (((i - home) & mask) < ((i - hole) & mask))
            continue; /* the hole lies before its home */
        t->slots[hole] = t->slots[i];
        hole = i;
    }
    t->slots[hole] = NULL;
    t->count--;
}
