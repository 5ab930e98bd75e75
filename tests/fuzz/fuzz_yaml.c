/* Hostile configuration: YAML to nodes to a document, and a settings table filled from every node.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/document.h"
#include "config/yaml.h"
#include "lib/config_table.h"

#define MAX_FILLS 200

/* Files and devices of the machine are not part of the input. */
static int names_files(const uint8_t *data, size_t size)
{
    return memmem(data, size, "file", 4) != NULL;
}

static void fill_all(const struct leat_node *n, struct leat_arena *arena, struct leat_diags *diags,
                     unsigned *fills)
{
    struct config_all conf = {.timeout = 0};
    struct leat_text out;

    if (++*fills > MAX_FILLS)
        return;
    if (leat_schema_fill(config_table, &conf, n, "x", arena, diags) == 0) {
        leat_text_init(&out, 1 << 20);
        leat_schema_print(config_table, &conf, n, 2, true, &out);
        leat_text_done(&out);
    }
    for (size_t i = 0; i < n->count; i++)
        fill_all(n->items[i], arena, diags, fills);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leat_diags *diags;
    struct leat_arena arena;
    struct leat_node *root;
    unsigned fills = 0;
    FILE *null;

    if (names_files(data, size))
        return 0;
    setenv("A", "[1, {b: ${env:B}}, x]", 1);
    setenv("B", "text $$ ${C:-d} ", 1);
    setenv("S", "${env:S}", 1);
    diags = leat_diags_new();
    leat_arena_init(&arena, (size_t)64 << 20);
    root = leat_yaml_parse("fuzz", (const char *)data, size, &arena, diags);
    if (root != NULL) {
        leat_document_read(root, &arena, diags);
        fill_all(root, &arena, diags, &fills);
    } else if (leat_diags_errors(diags) == 0) {
        abort(); /* nothing came out, and nothing was said */
    }
    null = fopen("/dev/null", "w");
    if (null != NULL) {
        leat_diags_print(diags, null, 1);
        leat_diags_print_json(diags, null);
        fclose(null);
    }
    leat_arena_done(&arena);
    leat_diags_free(diags);
    return 0;
}
