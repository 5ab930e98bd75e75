/* A bounded number of open files by path: the least recently used one is closed for a new one. */
#include "exporters/file_group.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "exporters/file_out.h"
#include "exporters/file_path.h"
#include "flow/component.h"

struct leat_file_group {
    const struct leat_env *env;
    uint32_t max;
    bool truncate;
    mode_t mode;
    void (*room)(void *arg);
    void *arg;
    struct leat_map *outs; /* path → struct leat_file_out */
    struct leat_map *seen; /* hashes of paths that were opened. Two of the same hash: the second is
                              not emptied, nothing is lost */
    struct leat_link used; /* struct leat_file_out, the least recently used first */
    struct leat_link closing;
    uint32_t open; /* used and closing */
};

static void ended(struct leat_file_out *o)
{
    struct leat_file_group *g = o->holder;

    if (g == NULL)
        return; /* the group is gone */
    leat_list_remove(&o->link);
    g->open--;
    g->room(g->arg);
}

static void close_one(struct leat_file_group *g, struct leat_file_out *o)
{
    leat_map_remove(g->outs, leat_bytes_str(o->path));
    leat_list_remove(&o->link);
    leat_list_append(&g->closing, &o->link);
    leat_file_out_close(o, ended);
}

/* Begins to close the least recently used file that nothing is written to. */
static void make_room(struct leat_file_group *g)
{
    if (!leat_list_empty(&g->closing))
        return; /* there will be room */
    for (struct leat_link *l = g->used.next; l != &g->used; l = l->next) {
        struct leat_file_out *o = LEAT_OWNER(l, struct leat_file_out, link);
        if (o->writing == 0) {
            close_one(g, o);
            return;
        }
    }
}

static struct leat_file_out *open_one(struct leat_file_group *g, const char *path,
                                      struct leat_err *err)
{
    uint64_t hash = leat_hash(leat_bytes_str(path));
    struct leat_bytes key = leat_bytes(&hash, sizeof hash);
    struct leat_file_out *o;
    bool first;

    if (leat_file_folders(path, g->mode, err) < 0)
        return NULL;
    /* what cannot be remembered as opened is not emptied: a later opening would empty it again */
    first = g->truncate && leat_map_get(g->seen, key) == NULL &&
            leat_map_set(g->seen, key, g, NULL) == 0;
    o = leat_file_out_open(g->env, path, NULL, first, err);
    if (o == NULL && first)
        leat_map_remove(g->seen, key);
    if (o == NULL)
        return NULL;
    if (leat_map_set(g->outs, leat_bytes_str(path), o, NULL) != 0) {
        leat_file_out_close(o, NULL);
        leat_fail(err, "cannot open %s: no memory", path);
        return NULL;
    }
    o->holder = g;
    g->open++;
    return o;
}

struct leat_file_group *leat_file_group_new(const struct leat_env *env, uint32_t max, bool truncate,
                                            mode_t mode, void (*room)(void *arg), void *arg)
{
    struct leat_file_group *g = leat_new(sizeof *g);

    g->env = env;
    g->max = max;
    g->truncate = truncate;
    g->mode = mode;
    g->room = room;
    g->arg = arg;
    g->outs = leat_map_new(max);
    g->seen = leat_map_new(LEAT_FILE_GROUP_SEEN);
    leat_list_init(&g->used);
    leat_list_init(&g->closing);
    return g;
}

int leat_file_group_get(struct leat_file_group *g, const char *path, struct leat_file_out **ret,
                        struct leat_err *err)
{
    struct leat_file_out *o = leat_map_get(g->outs, leat_bytes_str(path));

    if (o == NULL && g->open >= g->max) {
        make_room(g);
        return 0;
    }
    if (o == NULL)
        o = open_one(g, path, err);
    if (o == NULL)
        return -1;
    leat_list_remove(&o->link);
    leat_list_append(&g->used, &o->link);
    *ret = o;
    return 1;
}

void leat_file_group_free(struct leat_file_group *g)
{
    struct leat_link *l;

    if (g == NULL)
        return;
    while ((l = g->used.next) != &g->used)
        close_one(g, LEAT_OWNER(l, struct leat_file_out, link));
    while ((l = leat_list_pop(&g->closing)) != NULL)
        LEAT_OWNER(l, struct leat_file_out, link)->holder = NULL;
    leat_map_free(g->outs, NULL);
    leat_map_free(g->seen, NULL);
    leat_free(g);
}
