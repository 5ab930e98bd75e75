/* leat validate, leat print-config, leat components, leat manual: what can be said without running.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json_quote.h"
#include "base/mem.h"
#include "config/manual.h"
#include "run/cli.h"
#include "run/plan.h"
#include "run/registry.h"

#define MAX_TEXT ((size_t)64 * 1024 * 1024)

int leat_cmd_validate(const struct leat_cli *cli)
{
    struct leat_plan *plan = leat_cli_load(cli, false);

    if (plan == NULL)
        return LEAT_EXIT_CONFIG;
    if (strcmp(cli->output, "json") != 0)
        printf("the configuration is usable: %zu pipeline%s, %zu component%s\n", plan->npipelines,
               plan->npipelines == 1 ? "" : "s", plan->nitems, plan->nitems == 1 ? "" : "s");
    leat_plan_free(plan);
    return LEAT_EXIT_OK;
}

int leat_cmd_print_config(const struct leat_cli *cli)
{
    struct leat_plan *plan = leat_cli_load(cli, false);
    struct leat_text out;

    if (plan == NULL)
        return LEAT_EXIT_CONFIG;
    leat_text_init(&out, MAX_TEXT);
    leat_plan_print(plan, strcmp(cli->mode, "unredacted") == 0, &out);
    fwrite(leat_text_get(&out), 1, out.len, stdout);
    leat_text_done(&out);
    leat_plan_free(plan);
    return LEAT_EXIT_OK;
}

/* --- components */

static void list_signals(unsigned signals, const char *separator, const char *quote,
                         struct leat_text *out)
{
    bool any = false;

    for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
        if ((signals & 1u << s) == 0)
            continue;
        leat_text_printf(out, "%s%s%s%s", any ? separator : "", quote,
                         leat_signal_name((enum leat_signal)s), quote);
        any = true;
    }
}

static void component_json(const struct leat_component *c, struct leat_text *out)
{
    leat_text_printf(out, "  {\"kind\": \"%s\", \"type\": \"%s\", \"aliases\": [",
                     leat_kind_name(c->kind), c->type);
    for (size_t i = 0; c->aliases != NULL && c->aliases[i] != NULL; i++)
        leat_text_printf(out, "%s\"%s\"", i ? ", " : "", c->aliases[i]);
    leat_text_str(out, "], \"signals\": [");
    if (c->kind != LEAT_EXTENSION)
        list_signals(c->signals, ", ", "\"", out);
    leat_text_str(out, "], \"summary\": ");
    leat_json_quote(out, leat_bytes_str(c->summary));
    leat_text_str(out, ", \"available\": ");
    leat_text_str(out, c->missing ? "false" : "true");
    leat_text_char(out, '}');
}

/* So wide that all summaries begin in one column. */
static int longest_type(void)
{
    size_t most = 0;

    for (const struct leat_component *const *c = leat_components; *c != NULL; c++) {
        if (strlen((*c)->type) > most)
            most = strlen((*c)->type);
    }
    return (int)most;
}

static void component_text(const struct leat_component *c, int width, struct leat_text *out)
{
    leat_text_printf(out, "  %-*s  %s", width, c->type, c->summary);
    if (c->aliases != NULL && c->aliases[0] != NULL)
        leat_text_printf(out, " Also: %s.", c->aliases[0]);
    if (c->missing != NULL)
        leat_text_printf(out, " Not here: %s.", c->missing);
    leat_text_char(out, '\n');
}

int leat_cmd_components(const struct leat_cli *cli)
{
    bool json = strcmp(cli->output, "json") == 0;
    int width = longest_type();
    const struct leat_component *const *c;
    struct leat_text out;

    leat_text_init(&out, MAX_TEXT);
    if (json)
        leat_text_str(&out, "[\n");
    for (c = leat_components; *c != NULL; c++) {
        if (json) {
            component_json(*c, &out);
            leat_text_str(&out, c[1] != NULL ? ",\n" : "\n]\n");
            continue;
        }
        if (c == leat_components || c[-1]->kind != (*c)->kind)
            leat_text_printf(&out, "%ss:\n", leat_kind_name((*c)->kind));
        component_text(*c, width, &out);
    }
    fwrite(leat_text_get(&out), 1, out.len, stdout);
    leat_text_done(&out);
    return LEAT_EXIT_OK;
}

/* --- manual */

static void component_page(const struct leat_component *c, struct leat_text *out)
{
    leat_text_printf(out, "# %s `%s`\n\n%s", leat_kind_name(c->kind), c->type, c->summary);
    if (c->aliases != NULL && c->aliases[0] != NULL)
        leat_text_printf(out, " Also called `%s`.", c->aliases[0]);
    leat_text_str(out, "\n\n");
    if (c->fields[0].name == NULL) {
        leat_text_str(out, "It has no settings.\n\n");
        return;
    }
    leat_manual_fields(c->fields, out);
    leat_text_printf(out, "\n```yaml\n%ss:\n  %s:\n", leat_kind_name(c->kind), c->type);
    leat_manual_sample(c->fields, 4, out);
    leat_text_str(out, "```\n\n");
}

static bool is_called(const struct leat_component *c, const char *type)
{
    for (size_t i = 0; c->aliases != NULL && c->aliases[i] != NULL; i++) {
        if (strcmp(c->aliases[i], type) == 0)
            return true;
    }
    return strcmp(c->type, type) == 0;
}

/* "^type(/.+)?$" → the component's own schema, for each name it goes by. */
static void schema_section(enum leat_section s, struct leat_text *out)
{
    bool any = false;

    leat_text_printf(out,
                     "\"%s\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,"
                     "\"patternProperties\":{",
                     leat_section_name(s));
    for (const struct leat_component *const *c = leat_components; *c != NULL; c++) {
        if ((*c)->kind != leat_kind_of_section(s))
            continue;
        leat_text_printf(out, "%s\"^(%s", any ? "," : "", (*c)->type);
        for (size_t i = 0; (*c)->aliases != NULL && (*c)->aliases[i] != NULL; i++)
            leat_text_printf(out, "|%s", (*c)->aliases[i]);
        leat_text_str(out, ")(/.+)?$\":{\"anyOf\":[{\"type\":\"null\"},");
        leat_manual_schema((*c)->fields, out);
        leat_text_str(out, "]}");
        any = true;
    }
    leat_text_str(out, "}}");
}

static void whole_schema(struct leat_text *out)
{
    static const char ids[] = "{\"type\":[\"array\",\"null\"],\"items\":{\"type\":\"string\"}}";

    leat_text_str(out,
                  "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
                  "\"title\":\"Leat configuration\",\"type\":\"object\","
                  "\"required\":[\"service\"],\"additionalProperties\":false,\"properties\":{");
    for (int s = 0; s < LEAT_SECTIONS; s++) {
        schema_section((enum leat_section)s, out);
        leat_text_char(out, ',');
    }
    leat_text_str(out, "\"leat\":");
    leat_manual_schema(leat_own_fields, out);
    leat_text_printf(
        out,
        ",\"service\":{\"type\":\"object\",\"additionalProperties\":false,"
        "\"required\":[\"pipelines\"],\"properties\":{\"extensions\":%s,\"telemetry\":",
        ids);
    leat_manual_schema(leat_telemetry_fields, out);
    leat_text_printf(
        out,
        ",\"pipelines\":{\"type\":\"object\",\"additionalProperties\":false,"
        "\"patternProperties\":{\"^(traces|metrics|logs)(/.+)?$\":{\"type\":\"object\","
        "\"additionalProperties\":false,\"required\":[\"receivers\",\"exporters\"],"
        "\"properties\":{\"receivers\":%s,\"processors\":%s,\"exporters\":%s}}}}}}}}\n",
        ids, ids, ids);
}

int leat_cmd_manual(const struct leat_cli *cli)
{
    struct leat_text out;
    bool found = false;

    leat_text_init(&out, MAX_TEXT);
    if (cli->schema)
        whole_schema(&out);
    for (const struct leat_component *const *c = leat_components; *c != NULL && !cli->schema; c++) {
        if (cli->nrest > 0 && !is_called(*c, cli->rest[0]))
            continue;
        component_page(*c, &out);
        found = true;
    }
    fwrite(leat_text_get(&out), 1, out.len, stdout);
    leat_text_done(&out);
    if (found || cli->schema)
        return LEAT_EXIT_OK;
    fprintf(stderr, "leat: there is no component '%s'; 'leat components' lists them\n",
            cli->rest[0]);
    return LEAT_EXIT_USAGE;
}
