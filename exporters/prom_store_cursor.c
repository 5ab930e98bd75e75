/* Cursors through a store that changes. */
#include "exporters/prom_cursor.h"

#include "exporters/prom_store_internal.h"

static struct leat_scrape_item *next_in_family(const struct leat_scrape_item *item)
{
    struct leat_link *l = item->in_family.next;

    return l == &item->family->items ? NULL : LEAT_OWNER(l, struct leat_scrape_item, in_family);
}

void leat_scrape_cursors_pass(struct leat_scrape_store *s, const struct leat_scrape_item *item)
{
    for (struct leat_link *l = s->cursors.next; l != &s->cursors; l = l->next) {
        struct leat_scrape_cursor *c = LEAT_OWNER(l, struct leat_scrape_cursor, link);

        if (c->item == item)
            c->item = next_in_family(item);
    }
}

void leat_scrape_cursor_open(struct leat_scrape_store *s, struct leat_scrape_cursor *c)
{
    *c = (struct leat_scrape_cursor){.family = NULL};
    leat_list_append(&s->cursors, &c->link);
}

void leat_scrape_cursor_close(struct leat_scrape_store *s, struct leat_scrape_cursor *c)
{
    leat_list_remove(&c->link);
    if (c->family != NULL)
        leat_scrape_unpin(s, c->family);
    c->family = NULL;
}

/* OpenMetrics knows a counter by its name without _total: another family may have that. */
static bool base_is_taken(const struct leat_scrape_store *s, const struct leat_scrape_family *f)
{
    size_t n = f->kind == LEAT_SCRAPE_COUNTER ? 6 : f->kind == LEAT_SCRAPE_INFO ? 5 : 0;

    return n != 0 && f->name.len > n &&
           leat_scrape_find(s, leat_bytes(f->name.data, f->name.len - n)) != NULL;
}

bool leat_scrape_cursor_family(struct leat_scrape_store *s, struct leat_scrape_cursor *c,
                               struct leat_scrape_family *ret)
{
    struct leat_scrape_family_node *next =
        leat_scrape_after(s, c->family != NULL ? c->family->family.name : leat_bytes(NULL, 0));

    if (c->family != NULL)
        leat_scrape_unpin(s, c->family);
    c->family = next;
    c->item = NULL;
    if (next == NULL)
        return false;
    next->pins++;
    c->item = LEAT_OWNER(next->items.next, struct leat_scrape_item, in_family);
    *ret = next->family;
    ret->base_taken = base_is_taken(s, ret);
    return true;
}

bool leat_scrape_cursor_series(struct leat_scrape_cursor *c, struct leat_scrape_series *ret)
{
    if (c->item == NULL)
        return false;
    *ret = c->item->s;
    c->item = next_in_family(c->item);
    return true;
}
