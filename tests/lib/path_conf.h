/* A component's settings from YAML text, as the program would fill them. */
#ifndef LEAT_TESTS_PATH_CONF_H
#define LEAT_TESTS_PATH_CONF_H

#include "base/arena.h"
#include "flow/component.h"

struct path_conf {
    struct leat_arena arena;
    void *conf;
};

/* `yaml`: the text below the component's name; "" for defaults. Mistakes end the test. */
void path_conf_init(struct path_conf *c, const struct leat_component *component, const char *yaml);
void path_conf_done(struct path_conf *c);

#endif
