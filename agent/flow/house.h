/* What extensions may ask about the house: for health checks and status pages. Safe from the
 * extension's worker. */
#ifndef LEAT_FLOW_HOUSE_H
#define LEAT_FLOW_HOUSE_H

#include <stdbool.h>
#include <stdint.h>

struct leat_text;

enum leat_house_state { LEAT_STARTING, LEAT_READY, LEAT_STOPPING };

struct leat_house_component {
    const char *id, *type, *kind;
};
struct leat_house_pipeline {
    const char *id, *signal;
    const char *const *receivers, *const *processors, *const *exporters; /* ids, NULL at the end */
};

struct leat_house {
    void *self;
    enum leat_house_state (*state)(void *self);
    int64_t started; /* wall clock, ns */
    const char *version;
    const struct leat_house_component *components;
    uint32_t ncomponents;
    const struct leat_house_pipeline *pipelines;
    uint32_t npipelines;
    unsigned workers;
    /* The program's metrics in Prometheus text. */
    void (*metrics)(void *self, struct leat_text *out);
};

#endif
