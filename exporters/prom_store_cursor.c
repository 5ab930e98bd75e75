/* Cursors through a store that changes. */
#include "exporters/prom_cursor.h"

#include "exporters/prom_store_internal.h"

static struct leat_prom_item *next_in_family(const struct leat_prom_item *item)
{
    struct leat_link *l = item->in_family.next;

    return l == &item->family->items ? NULL : LEAT_OWNER(l, struct leat_prom_item, in_family);
}

void leat_prom_cursors_pass(struct leat_prom_store *s, const struct leat_prom_item *item)
{
    for (struct leat_link *l = s->cursors.next; l != &s->cursors; l = l->next) {
        struct leat_prom_cursor *c = LEAT_OWNER(l, struct leat_prom_cursor, link);

        if (c->item == item)
            c->item = next_in_family(item);
    }
}

void leat_prom_cursor_open(struct leat_prom_store *s, struct leat_prom_cursor *c)
{
    *c = (struct leat_prom_cursor){.family = NULL};
    leat_list_append(&s->cursors, &c->link);
}

void leat_prom_cursor_close(struct leat_prom_store *s, struct leat_prom_cursor *c)
{
    leat_list_remove(&c->link);
    if (c->family != NULL)
        leat_prom_unpin(s, c->family);
    c->family = NULL;
}

/* OpenMetrics knows a counter by its name without _total: another family may have that. */
static bool base_is_taken(const struct leat_prom_store *s, const struct leat_prom_family *f)
{
    size_t n = f->kind == LEAT_PROM_COUNTER ? 6 : f->kind == LEAT_PROM_INFO ? 5 : 0;

    return n != 0 && f->name.len > n &&
           leat_prom_find(s, leat_bytes(f->name.data, f->name.len - n)) != NULL;
}

bool leat_prom_cursor_family(struct leat_prom_store *s, struct leat_prom_cursor *c,
                             struct leat_prom_family *ret)
{
    struct leat_prom_family_node *next =
        leat_prom_after(s, c->family != NULL ? c->family->family.name : leat_bytes(NULL, 0));

    if (c->family != NULL)
        leat_prom_unpin(s, c->family);
    c->family = next;
    c->item = NULL;
    if (next == NULL)
        return false;
    next->pins++;
    c->item = LEAT_OWNER(next->items.next, struct leat_prom_item, in_family);
    *ret = next->family;
    ret->base_taken = base_is_taken(s, ret);
    return true;
}

bool leat_prom_cursor_series(struct leat_prom_cursor *c, struct leat_prom_series *ret)
{
    if (c->item == NULL)
        return false;
    *ret = c->item->s;
    c->item = next_in_family(c->item);
    return true;
}
