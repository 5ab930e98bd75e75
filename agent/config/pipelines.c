/* service.pipelines: signals, references, connectors, cycles. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/reading.h"

static const char *const pipeline_keys[] = {"receivers", "processors", "exporters", NULL};

/* --- ids */

static bool signal_of(const char *id, enum leat_signal *ret)
{
    size_t n = strcspn(id, "/");

    for (int s = 0; s < LEAT_SIGNALS; s++) {
        const char *name = leat_signal_name((enum leat_signal)s);
        if (strlen(name) == n && memcmp(name, id, n) == 0) {
            *ret = (enum leat_signal)s;
            return id[n] == '\0' || id[n + 1] != '\0';
        }
    }
    return false;
}

static void wrong_signal(struct leat_reading *r, const struct leat_key *key, const char *path)
{
    static const char *const signals[] = {"traces", "metrics", "logs", NULL};
    char hint[64], word[64];
    const char *near;

    if (strncmp(key->text, "profiles", 8) == 0 && (key->text[8] == '\0' || key->text[8] == '/')) {
        leat_diags_error(r->diags, key->at, path, NULL, "Leat does not carry profiles yet");
        return;
    }
    snprintf(word, sizeof word, "%.*s", (int)strcspn(key->text, "/"), key->text);
    near = leat_nearest(word, signals);
    if (near != NULL)
        snprintf(hint, sizeof hint, "did you mean '%s'?", near);
    leat_diags_error(r->diags, key->at, path, near == NULL ? NULL : hint,
                     "'%.100s' is no id of a pipeline: it is traces, metrics or logs, and may have "
                     "a name, as in 'traces/edge'",
                     key->text);
}

/* --- one pipeline */

static void read_list(struct leat_reading *r, const struct leat_node *node, const char *path,
                      enum leat_section section, struct leat_ref **ret, size_t *ret_count)
{
    char below[512];
    enum leat_section also = section == LEAT_SECTION_PROCESSORS ? section : LEAT_SECTION_CONNECTORS;

    snprintf(below, sizeof below, "%s.%s", path, leat_section_name(section));
    leat_reading_refs(r, leat_node_get(node, leat_section_name(section), NULL), below, section,
                      also, ret, ret_count);
}

/* Said only when the list is missing or empty: wrong references were reported. */
static void require_list(struct leat_reading *r, const struct leat_node *node,
                         const struct leat_pipeline *p, const char *path, enum leat_section section)
{
    const struct leat_node *list = leat_node_get(node, leat_section_name(section), NULL);
    bool empty = list == NULL || list->kind == LEAT_NODE_NULL ||
                 (list->kind == LEAT_NODE_LIST && list->count == 0);

    if (empty)
        leat_diags_error(r->diags, list == NULL ? p->at : list->key, path, NULL,
                         "the pipeline '%.100s' has no %s", p->id, leat_section_noun(section));
}

static void read_pipeline(struct leat_reading *r, const struct leat_key *key,
                          const struct leat_node *node)
{
    struct leat_pipeline *p = &r->doc->pipelines[r->doc->npipelines];
    char path[512];

    snprintf(path, sizeof path, "service.pipelines.%s", key->text);
    *p = (struct leat_pipeline){.id = key->text, .at = key->at};
    if (!signal_of(key->text, &p->signal)) {
        wrong_signal(r, key, path);
        return;
    }
    if (!leat_reading_map(r, node, path))
        return;
    leat_reading_keys(r, node, path, pipeline_keys);
    read_list(r, node, path, LEAT_SECTION_RECEIVERS, &p->receivers, &p->nreceivers);
    read_list(r, node, path, LEAT_SECTION_PROCESSORS, &p->processors, &p->nprocessors);
    read_list(r, node, path, LEAT_SECTION_EXPORTERS, &p->exporters, &p->nexporters);
    require_list(r, node, p, path, LEAT_SECTION_RECEIVERS);
    require_list(r, node, p, path, LEAT_SECTION_EXPORTERS);
    r->doc->npipelines++;
}

/* --- connectors */

static bool uses(const struct leat_ref *refs, size_t n, const struct leat_instance *in)
{
    for (size_t i = 0; i < n; i++) {
        if (refs[i].instance == in)
            return true;
    }
    return false;
}

static void check_connector(struct leat_reading *r, const struct leat_instance *in)
{
    bool from = false, to = false;
    char path[512];

    snprintf(path, sizeof path, "connectors.%s", in->id);
    for (size_t i = 0; i < r->doc->npipelines; i++) {
        const struct leat_pipeline *p = &r->doc->pipelines[i];
        from = from || uses(p->exporters, p->nexporters, in);
        to = to || uses(p->receivers, p->nreceivers, in);
    }
    if (from && !to)
        leat_diags_error(r->diags, in->at, path, "name it among the receivers of another pipeline",
                         "the connector '%.100s' is an exporter of a pipeline, but no pipeline "
                         "receives from it",
                         in->id);
    if (to && !from)
        leat_diags_error(r->diags, in->at, path, "name it among the exporters of another pipeline",
                         "the connector '%.100s' is a receiver of a pipeline, but no pipeline "
                         "exports to it",
                         in->id);
}

static void check_connectors(struct leat_reading *r, bool whole)
{
    static const enum leat_section others[] = {LEAT_SECTION_RECEIVERS, LEAT_SECTION_EXPORTERS};

    for (size_t i = 0; i < r->doc->ninstances; i++) {
        const struct leat_instance *in = &r->doc->instances[i];
        bool shared = false;
        if (in->section != LEAT_SECTION_CONNECTORS)
            continue;
        for (size_t k = 0; k < 2; k++) {
            const struct leat_instance *other = leat_reading_find(r, others[k], in->id);
            if (other == NULL)
                continue;
            shared = true;
            leat_diags_error(r->diags, in->at, "", NULL,
                             "the connector '%.100s' has the id of the %s on line %u", in->id,
                             leat_section_noun(others[k]), other->at.line);
        }
        if (!shared && in->used && whole)
            check_connector(r, in);
    }
}

void leat_reading_pipelines(struct leat_reading *r, const struct leat_node *pipelines)
{
    size_t before = leat_diags_errors(r->diags);

    if (!leat_reading_map(r, pipelines, "service.pipelines"))
        return;
    r->doc->pipelines = leat_reading_take(r, pipelines->count, sizeof *r->doc->pipelines);
    if (r->doc->pipelines == NULL)
        return;
    for (size_t i = 0; i < pipelines->count; i++)
        read_pipeline(r, &pipelines->keys[i], pipelines->items[i]);
    r->doc->is_wired = leat_diags_errors(r->diags) == before;
    check_connectors(r, r->doc->is_wired);
    leat_reading_cycles(r);
}
