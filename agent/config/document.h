/* A whole configuration file: sections, instances, pipelines, and every structural check. Knows no
 * component.
 *
 * Source of the checks: collector service/pipelines and otelcol packages (at least one pipeline;
 * each with a receiver and an exporter; a processor once per pipeline; every reference defined; a
 * connector used on both sides, its id not that of a receiver or exporter; no cycles through
 * connectors; unknown top-level and service keys are errors). */
#ifndef LEAT_CONFIG_DOCUMENT_H
#define LEAT_CONFIG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/signal.h"
#include "config/diag.h"
#include "config/yaml.h"

enum leat_section {
    LEAT_SECTION_RECEIVERS,
    LEAT_SECTION_PROCESSORS,
    LEAT_SECTION_EXPORTERS,
    LEAT_SECTION_CONNECTORS,
    LEAT_SECTION_EXTENSIONS,
    LEAT_SECTIONS,
};
/* "receivers", … and "receiver", … */
const char *leat_section_name(enum leat_section s);
const char *leat_section_noun(enum leat_section s);

struct leat_instance {
    enum leat_section section;
    const char *id;               /* "otlp_grpc/edge" as written */
    const char *type;             /* "otlp_grpc" */
    const char *name;             /* "edge" or "" */
    const struct leat_node *node; /* its settings; kind may be LEAT_NODE_NULL */
    struct leat_place at;         /* of the key */
    bool used;                    /* in a pipeline, or listed in service.extensions */
};

struct leat_ref {
    struct leat_instance *instance; /* may be a connector in a receivers or exporters list */
    struct leat_place at;
};

struct leat_pipeline {
    const char *id; /* "traces/edge" */
    enum leat_signal signal;
    struct leat_place at;
    struct leat_ref *receivers, *processors, *exporters;
    size_t nreceivers, nprocessors, nexporters;
};

struct leat_document {
    const struct leat_node *root;
    struct leat_instance *instances; /* all sections, in the order of the file */
    size_t ninstances;
    struct leat_pipeline *pipelines;
    size_t npipelines;
    bool is_wired;               /* every pipeline and every reference in them could be read */
    struct leat_ref *extensions; /* service.extensions, in order */
    size_t nextensions;
    const struct leat_node *telemetry; /* service.telemetry, or NULL */
    const struct leat_node *leat;      /* our own top-level key, or NULL */
};

/* Everything that can be said is said in `diags`. NULL when there is no document to speak of; a
 * document with errors beside it may be incomplete (a pipeline without the references that were
 * wrong), so check leat_diags_errors(). */
struct leat_document *leat_document_read(const struct leat_node *root, struct leat_arena *arena,
                                         struct leat_diags *diags);
/* The word among `words` (NULL at the end) that `text` was probably meant to be; NULL: none is
 * near. */
const char *leat_nearest(const char *text, const char *const *words);

#endif
