/* Where a batch came from. */
#include "flow/origin.h"

#include "base/arena.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/text.h"

struct pair {
    struct leat_link link;
    struct leat_bytes name, value;
};

struct leat_origin {
    uint32_t refs;
    struct leat_arena arena;
    struct leat_link pairs;
    const char *peer;
};

struct leat_origin *leat_origin_new(const char *peer)
{
    struct leat_origin *o = leat_try(sizeof *o);

    if (o == NULL)
        return NULL;
    o->refs = 1;
    leat_arena_init(&o->arena, LEAT_ORIGIN_BYTES);
    leat_list_init(&o->pairs);
    o->peer = peer ? leat_arena_str(&o->arena, leat_bytes_str(peer)) : NULL;
    return o;
}

struct leat_origin *leat_origin_copy(const struct leat_origin *o)
{
    struct leat_origin *copy = leat_origin_new(o->peer);

    if (copy != NULL && copy->peer == NULL && o->peer != NULL) {
        leat_origin_unref(copy);
        return NULL;
    }
    for (struct leat_link *l = o->pairs.next; copy != NULL && l != &o->pairs; l = l->next) {
        struct pair *p = LEAT_OWNER(l, struct pair, link);
        if (leat_origin_add(copy, p->name, p->value) < 0) {
            leat_origin_unref(copy);
            copy = NULL;
        }
    }
    return copy;
}

struct leat_origin *leat_origin_ref(struct leat_origin *o)
{
    if (o != NULL)
        o->refs++;
    return o;
}

void leat_origin_unref(struct leat_origin *o)
{
    if (o == NULL || --o->refs > 0)
        return;
    leat_arena_done(&o->arena);
    leat_free(o);
}

int leat_origin_add(struct leat_origin *o, struct leat_bytes name, struct leat_bytes value)
{
    struct pair *p = leat_arena_take(&o->arena, sizeof *p);
    char *n = p ? leat_arena_str(&o->arena, name) : NULL;
    char *v = n ? leat_arena_str(&o->arena, value) : NULL;

    if (v == NULL)
        return -1;
    p->name = leat_bytes(n, name.len);
    p->value = leat_bytes(v, value.len);
    leat_list_append(&o->pairs, &p->link);
    return 0;
}

bool leat_origin_get(const struct leat_origin *o, const char *name, size_t i,
                     struct leat_bytes *ret)
{
    if (o == NULL)
        return false;
    for (struct leat_link *l = o->pairs.next; l != &o->pairs; l = l->next) {
        struct pair *p = LEAT_OWNER(l, struct pair, link);
        if (leat_bytes_is_nocase(p->name, name) && i-- == 0) {
            *ret = p->value;
            return true;
        }
    }
    return false;
}

const char *leat_origin_peer(const struct leat_origin *o)
{
    return o != NULL && o->peer != NULL ? o->peer : "";
}

void leat_origin_key(const struct leat_origin *o, const char *const *names, size_t n,
                     struct leat_text *out)
{
    for (size_t k = 0; k < n; k++) {
        struct leat_bytes value;
        for (size_t i = 0; leat_origin_get(o, names[k], i, &value); i++) {
            leat_text_printf(out, "%zu:", value.len);
            leat_text_add(out, value.data, value.len);
        }
        leat_text_char(out, ';');
    }
}
