/* A component's settings from YAML text. */
#include "lib/path_conf.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "config/diag.h"
#include "config/schema.h"
#include "config/yaml.h"

void path_conf_init(struct path_conf *c, const struct leat_component *component, const char *yaml)
{
    struct leat_diags *diags = leat_diags_new();
    struct leat_node *node = NULL;
    struct leat_check *check;

    leat_arena_init(&c->arena, 1 << 24);
    if (yaml[0] != '\0')
        node = leat_yaml_parse("test", yaml, strlen(yaml), &c->arena, diags);
    c->conf = leat_new(component->conf_size);
    leat_schema_fill(component->fields, c->conf, node, "test", &c->arena, diags);
    check = leat_check_new(node, "test", diags);
    if (component->check != NULL)
        component->check(c->conf, check);
    leat_check_free(check);
    if (leat_diags_errors(diags) > 0)
        leat_diags_print(diags, stderr, 0);
    LEAT_CHECK(leat_diags_errors(diags) == 0);
    leat_diags_free(diags);
}

void path_conf_done(struct path_conf *c)
{
    leat_free(c->conf);
    leat_arena_done(&c->arena);
}
