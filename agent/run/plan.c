/* From a document to a checked plan. */
#include "run/plan.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/yaml.h"
#include "io/auth.h"
#include "run/admin.h"
#include "run/deltas.h"
#include "run/memory.h"
#include "run/registry.h"

#define ARENA_BYTES ((size_t)64 * 1024 * 1024)
#define NAME_BYTES  1200

static struct leat_plan_item *item_of(const struct leat_plan *p, const struct leat_instance *i)
{
    for (size_t k = 0; k < p->nitems; k++) {
        if (p->items[k].instance == i)
            return &p->items[k];
    }
    return NULL;
}

/* --- which component an instance is */

static const struct leat_component *choose(const struct leat_instance *i, struct leat_diags *diags)
{
    bool old = false;
    const struct leat_component *c = leat_registry_find(i->section, i->type, &old);
    const char *noun = leat_section_noun(i->section), *advice, *nearest;
    char hint[128];

    if (c != NULL && c->missing != NULL) {
        leat_diags_error(diags, i->at, i->id, NULL, "%s '%s' cannot run here: %s", noun, i->type,
                         c->missing);
        return NULL;
    }
    if (c != NULL) {
        if (old)
            leat_diags_warn(diags, i->at, i->id, NULL,
                            "'%s' is the old name of this %s: write '%s'", i->type, noun, c->type);
        return c;
    }
    advice = leat_registry_retired(i->section, i->type);
    nearest = leat_registry_nearest(i->section, i->type);
    if (nearest != NULL)
        snprintf(hint, sizeof hint, "did you mean '%s'?", nearest);
    if (advice != NULL)
        leat_diags_error(diags, i->at, i->id, NULL, "%s '%s' is gone: %s", noun, i->type, advice);
    else
        leat_diags_error(diags, i->at, i->id, nearest ? hint : NULL,
                         "Leat has no %s '%s' (yet); 'leat components' lists what it has", noun,
                         i->type);
    return NULL;
}

static void path_of(const struct leat_instance *i, char *out, size_t size)
{
    snprintf(out, size, "%s.%s", leat_section_name(i->section), i->id);
}

static void fill_item(struct leat_plan *p, struct leat_plan_item *item, struct leat_diags *diags)
{
    const struct leat_component *c = item->component;
    char path[NAME_BYTES];
    struct leat_check *check;
    bool read;

    path_of(item->instance, path, sizeof path);
    item->conf = leat_new(c->conf_size);
    leat_schema_fill_all(c->fields, item->conf, item->instance->node, path, &p->arena, diags,
                         &read);
    if (!read)
        return;
    check = leat_check_new(item->instance->node, path, diags);
    leat_check_set_signals(check, item->signals);
    if (c->check != NULL)
        c->check(item->conf, check);
    if (c->sender != 0)
        leat_sender_check(leat_plan_sender(item), check);
    leat_check_free(check);
}

static void choose_all(struct leat_plan *p, struct leat_diags *diags)
{
    struct leat_document *d = p->document;

    p->items = leat_new_array(d->ninstances, sizeof *p->items);
    for (size_t i = 0; i < d->ninstances; i++) {
        struct leat_plan_item item = {.instance = &d->instances[i]};
        if (!d->instances[i].used)
            continue;
        item.component = choose(item.instance, diags);
        if (item.component != NULL)
            p->items[p->nitems++] = item;
    }
}

static void fill_all(struct leat_plan *p, struct leat_diags *diags)
{
    for (size_t i = 0; i < p->nitems; i++)
        fill_item(p, &p->items[i], diags);
}

/* --- pipelines */

static struct leat_plan_item **resolve(struct leat_plan *p, const struct leat_ref *refs, size_t n,
                                       const struct leat_pipeline *in, struct leat_diags *diags)
{
    struct leat_plan_item **items = leat_new_array(n, sizeof(struct leat_plan_item *));

    for (size_t i = 0; i < n; i++) {
        items[i] = item_of(p, refs[i].instance);
        if (items[i] == NULL)
            continue;
        if ((items[i]->component->signals & 1u << in->signal) == 0)
            leat_diags_error(diags, refs[i].at, in->id, NULL, "%s '%s' does not carry %s",
                             leat_kind_name(items[i]->component->kind), refs[i].instance->id,
                             leat_signal_name(in->signal));
        items[i]->signals |= 1u << in->signal;
    }
    return items;
}

static void resolve_all(struct leat_plan *p, struct leat_diags *diags)
{
    struct leat_document *d = p->document;

    p->pipelines = leat_new_array(d->npipelines, sizeof *p->pipelines);
    p->npipelines = d->npipelines;
    for (size_t i = 0; i < d->npipelines; i++) {
        struct leat_pipeline *in = &d->pipelines[i];
        struct leat_plan_pipeline *pipe = &p->pipelines[i];
        pipe->pipeline = in;
        pipe->receivers = resolve(p, in->receivers, in->nreceivers, in, diags);
        pipe->processors = resolve(p, in->processors, in->nprocessors, in, diags);
        pipe->exporters = resolve(p, in->exporters, in->nexporters, in, diags);
    }
    p->extensions = leat_new_array(d->nextensions, sizeof(struct leat_plan_item *));
    for (size_t i = 0; i < d->nextensions; i++) {
        struct leat_plan_item *item = item_of(p, d->extensions[i].instance);
        if (item != NULL)
            p->extensions[p->nextensions++] = item;
    }
}

size_t leat_plan_behind(const struct leat_plan *p, const struct leat_plan_item *connector,
                        enum leat_signal signal, struct leat_plan_pipeline **ret, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < p->npipelines; i++) {
        const struct leat_pipeline *in = p->pipelines[i].pipeline;
        bool found = false;
        for (size_t k = 0; k < in->nreceivers && in->signal == signal; k++)
            found = found || p->pipelines[i].receivers[k] == connector;
        if (found && n++ < max)
            ret[n - 1] = &p->pipelines[i];
    }
    return n;
}

const struct leat_sender_conf *leat_plan_sender(const struct leat_plan_item *item)
{
    if (item->component->sender == 0)
        return NULL;
    return (const void *)((const char *)item->conf + item->component->sender - 1);
}

static enum leat_promise promise_of(struct leat_plan *p, struct leat_plan_pipeline *pipe);

/* A connector passes on the promise of what is behind it. No cycles: the document has checked that.
 */
static enum leat_promise promise_behind(struct leat_plan *p, const struct leat_plan_item *connector,
                                        enum leat_signal signal)
{
    struct leat_plan_pipeline **behind =
        leat_new_array(p->npipelines, sizeof(struct leat_plan_pipeline *));
    size_t n = leat_plan_behind(p, connector, signal, behind, p->npipelines);
    enum leat_promise weakest = LEAT_PROMISE_DELIVERED;

    for (size_t i = 0; i < n; i++) {
        enum leat_promise promise = promise_of(p, behind[i]);
        weakest = promise < weakest ? promise : weakest;
    }
    leat_free(behind);
    return weakest;
}

static enum leat_promise promise_of(struct leat_plan *p, struct leat_plan_pipeline *pipe)
{
    enum leat_promise weakest = LEAT_PROMISE_DELIVERED;

    for (size_t i = 0; i < pipe->pipeline->nexporters; i++) {
        const struct leat_plan_item *item = pipe->exporters[i];
        enum leat_promise promise = LEAT_PROMISE_DELIVERED;
        if (item->component->sender != 0)
            promise = leat_sender_promise(leat_plan_sender(item));
        if (item->component->kind == LEAT_CONNECTOR)
            promise = promise_behind(p, item, pipe->pipeline->signal);
        weakest = promise < weakest ? promise : weakest;
    }
    return weakest;
}

static bool feeds_any(const struct leat_plan *p, const struct leat_plan_item *connector)
{
    struct leat_plan_pipeline *one;

    for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
        if (leat_plan_behind(p, connector, (enum leat_signal)s, &one, 1) > 0)
            return true;
    }
    return false;
}

/* A connector that carries the signal of one side must carry it on the other. (One that feeds
 * nothing at all the document has spoken of.) */
static void check_connectors(struct leat_plan *p, struct leat_diags *diags)
{
    struct leat_plan_pipeline *one;

    for (size_t i = 0; i < p->npipelines; i++) {
        const struct leat_pipeline *in = p->pipelines[i].pipeline;
        for (size_t k = 0; k < in->nexporters; k++) {
            struct leat_plan_item *item = p->pipelines[i].exporters[k];
            if (item != NULL && item->component->kind == LEAT_CONNECTOR && feeds_any(p, item) &&
                leat_plan_behind(p, item, in->signal, &one, 1) == 0)
                leat_diags_error(diags, in->exporters[k].at, in->id, NULL,
                                 "connector '%s' gets %s here, but no %s pipeline has it as a "
                                 "receiver",
                                 in->exporters[k].instance->id, leat_signal_name(in->signal),
                                 leat_signal_name(in->signal));
        }
    }
}

/* --- references to extensions */

struct ref_walk {
    struct leat_plan *plan;
    struct leat_plan_item *item;
    struct leat_diags *diags;
};

/* An extension this program does not have: that was said where it is defined. */
static bool is_unknown_extension(const struct leat_plan *p, const char *id)
{
    for (size_t i = 0; i < p->document->nextensions; i++) {
        const struct leat_instance *in = p->document->extensions[i].instance;
        if (strcmp(in->id, id) == 0 && item_of(p, in) == NULL)
            return true;
    }
    return false;
}

static void check_ref(void *arg, const char *path, const char *id)
{
    struct ref_walk *w = arg;
    char at[NAME_BYTES];
    struct leat_check *c;

    for (size_t i = 0; i < w->plan->nextensions; i++) {
        const struct leat_plan_item *e = w->plan->extensions[i];
        if (strcmp(e->instance->id, id) == 0 && e->component->authenticator != NULL)
            return;
    }
    if (is_unknown_extension(w->plan, id))
        return;
    path_of(w->item->instance, at, sizeof at);
    c = leat_check_new(w->item->instance->node, at, w->diags);
    leat_check_error(c, path,
                     "no authenticator '%s': it must be an extension that authenticates "
                     "(basicauth, bearertokenauth) and be listed in service.extensions",
                     id);
    leat_check_free(c);
}

static void check_refs(struct leat_plan *p, struct leat_diags *diags)
{
    for (size_t i = 0; i < p->nitems; i++) {
        struct ref_walk w = {p, &p->items[i], diags};
        leat_schema_refs(p->items[i].component->fields, p->items[i].conf, "", check_ref, &w);
    }
}

/* --- all of it */

static void check_memory(const struct leat_plan *p, struct leat_diags *diags)
{
    struct leat_check *c = leat_check_new(p->document->leat, "leat", diags);
    struct leat_err err;

    if (p->own.memory != NULL && leat_memory_check(p->own.memory, &err) < 0)
        leat_check_error(c, "memory", "%s", err.text);
    leat_check_free(c);
}

static void check_admin(const struct leat_plan *p, struct leat_diags *diags)
{
    struct leat_check *c = leat_check_new(p->document->leat, "leat", diags);
    struct leat_err err;

    if (leat_admin_check(p->own.admin, &err) < 0)
        leat_check_error(c, "admin", "%s", err.text);
    leat_check_free(c);
}

static void read_settings(struct leat_plan *p, struct leat_diags *diags)
{
    leat_schema_fill(leat_telemetry_fields, &p->telemetry, p->document->telemetry,
                     "service.telemetry", &p->arena, diags);
    leat_settings_read(&p->telemetry, p->document->telemetry, &p->arena, diags);
    leat_schema_fill(leat_own_fields, &p->own, p->document->leat, "leat", &p->arena, diags);
    check_memory(p, diags);
    check_admin(p, diags);
}

/* Everything that can be said in one run, and nothing that might not be true: of connectors only
 * when all pipelines are there. */
static void check_all(struct leat_plan *p, struct leat_diags *diags)
{
    choose_all(p, diags);
    resolve_all(p, diags);
    fill_all(p, diags);
    read_settings(p, diags);
    check_refs(p, diags);
    if (p->document->is_wired) {
        check_connectors(p, diags);
        leat_deltas_check(p, diags);
    }
}

struct leat_plan *leat_plan_load(const char *const *sources, size_t nsources,
                                 const char *const *sets, size_t nsets, struct leat_diags *diags)
{
    struct leat_plan *p = leat_new(sizeof *p);
    struct leat_node *root;

    leat_arena_init(&p->arena, ARENA_BYTES);
    root = leat_yaml_load(sources, nsources, sets, nsets, &p->arena, diags);
    if (root != NULL)
        p->document = leat_document_read(root, &p->arena, diags);
    if (p->document != NULL)
        check_all(p, diags);
    if (leat_diags_errors(diags) > 0) {
        leat_plan_free(p);
        return NULL;
    }
    for (size_t i = 0; i < p->npipelines; i++)
        p->pipelines[i].promise = promise_of(p, &p->pipelines[i]);
    return p;
}

int leat_plan_try(const struct leat_plan *p, struct leat_diags *diags)
{
    struct leat_check *c = leat_check_new(p->document->leat, "leat", diags);
    struct leat_err err;
    int result = leat_admin_try(p->own.admin, &err);

    if (result < 0)
        leat_check_error(c, "admin", "%s", err.text);
    leat_check_free(c);
    return result;
}

void leat_plan_free(struct leat_plan *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->nitems; i++)
        leat_free(p->items[i].conf);
    for (size_t i = 0; i < p->npipelines; i++) {
        leat_free(p->pipelines[i].receivers);
        leat_free(p->pipelines[i].processors);
        leat_free(p->pipelines[i].exporters);
    }
    leat_free(p->items);
    leat_free(p->pipelines);
    leat_free(p->extensions);
    leat_arena_done(&p->arena);
    leat_free(p);
}

/* --- print-config */

static void print_ids(const char *key, const struct leat_ref *refs, size_t n, struct leat_text *out)
{
    leat_text_printf(out, "      %s: [", key);
    for (size_t i = 0; i < n; i++)
        leat_text_printf(out, "%s%s", i ? ", " : "", refs[i].instance->id);
    leat_text_str(out, "]\n");
}

static void print_section(const struct leat_plan *p, enum leat_section s, bool unmasked,
                          struct leat_text *out)
{
    bool any = false;

    for (size_t i = 0; i < p->nitems; i++) {
        const struct leat_plan_item *item = &p->items[i];
        if (item->instance->section != s)
            continue;
        if (!any)
            leat_text_printf(out, "%s:\n", leat_section_name(s));
        any = true;
        leat_text_printf(out, "  %s:\n", item->instance->id);
        leat_schema_print(item->component->fields, item->conf, item->instance->node, 4, unmasked,
                          out);
    }
}

void leat_plan_print(const struct leat_plan *p, bool unmasked, struct leat_text *out)
{
    for (int s = 0; s < LEAT_SECTIONS; s++)
        print_section(p, (enum leat_section)s, unmasked, out);
    leat_text_str(out, "service:\n");
    if (p->nextensions > 0) {
        leat_text_str(out, "  extensions: [");
        for (size_t i = 0; i < p->nextensions; i++)
            leat_text_printf(out, "%s%s", i ? ", " : "", p->extensions[i]->instance->id);
        leat_text_str(out, "]\n");
    }
    leat_text_str(out, "  telemetry:\n");
    leat_schema_print(leat_telemetry_fields, &p->telemetry, p->document->telemetry, 4, unmasked,
                      out);
    leat_text_str(out, "  pipelines:\n");
    for (size_t i = 0; i < p->npipelines; i++) {
        const struct leat_pipeline *in = p->pipelines[i].pipeline;
        leat_text_printf(out, "    %s:\n", in->id);
        print_ids("receivers", in->receivers, in->nreceivers, out);
        if (in->nprocessors > 0)
            print_ids("processors", in->processors, in->nprocessors, out);
        print_ids("exporters", in->exporters, in->nexporters, out);
    }
    leat_text_str(out, "leat:\n");
    leat_schema_print(leat_own_fields, &p->own, p->document->leat, 2, unmasked, out);
}
