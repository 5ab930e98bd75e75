/* YAML text to nodes, before any ${…} is looked at. */
#include "config/tree.h"

#include <libfyaml.h>
#include <string.h>

#include "base/mem.h"
#include "config/excerpt.h"
#include "config/keys.h"
#include "config/scalar.h"
#include "config/syntax.h"

#define MAX_ANCHORS 10000

/* One open collection. */
struct frame {
    struct leat_node *node;
    struct leat_key key; /* the last key read; its value is next */
    bool has_key;
    bool is_merge; /* the key is a plain "<<" */
    struct leat_keys keys;
    struct leat_node *merge; /* what stands under "<<" */
};

struct anchor {
    char *name;
    const struct leat_node *node; /* NULL: not finished yet */
    size_t depth;                 /* of the frame that will finish it; 0: finished */
};

struct reader {
    const struct leat_tree_origin *origin;
    const char *text;
    size_t len;
    struct leat_arena *arena;
    struct leat_diags *diags;
    struct fy_parser *parser;
    struct fy_diag *fy_diag;
    struct leat_cursor cursor;
    struct frame frames[LEAT_TREE_DEPTH];
    size_t depth, nodes, documents;
    struct anchor *anchors;
    size_t nanchors;
    struct leat_node *root;
    bool failed; /* stop */
};

/* --- places and errors */

static struct leat_place place_at(struct reader *r, size_t pos, uint32_t width)
{
    const struct leat_tree_origin *o = r->origin;
    struct leat_place at = {.source = o->source, .width = width};

    if (o->fixed.source != NULL)
        return o->fixed;
    leat_cursor_move(&r->cursor, pos);
    at.line = r->cursor.line;
    at.column = r->cursor.column;
    if (o->line != 0) {
        at.column += at.line == 1 ? o->column - 1 : 0;
        at.line += o->line - 1;
    }
    return at;
}

static struct leat_place here(struct reader *r)
{
    return place_at(r, r->cursor.pos, 1);
}

/* Reports and stops. */
static void stop(struct reader *r, struct leat_place at, const char *hint, const char *sentence)
{
    r->failed = true;
    if (!r->origin->quiet)
        leat_diags_error(r->diags, at, "", hint, "%s", sentence);
}

static void no_memory(struct reader *r)
{
    stop(r, here(r), NULL, "the configuration is too large for the memory set aside for it");
}

static struct leat_place token_place(struct reader *r, struct fy_token *token)
{
    const struct fy_mark *start = token == NULL ? NULL : fy_token_start_mark(token);
    const struct fy_mark *end = token == NULL ? NULL : fy_token_end_mark(token);
    size_t from, to;

    if (start == NULL)
        return here(r);
    from = start->input_pos;
    to = end == NULL ? from : end->input_pos;
    if (from > 0 && from <= r->len && (r->text[from - 1] == '"' || r->text[from - 1] == '\'') &&
        fy_token_scalar_style(token) != FYSS_PLAIN) {
        from--; /* the library leaves the quotes out */
        to++;
    }
    while (fy_token_scalar_style(token) >= FYSS_LITERAL && from < to && from < r->len &&
           (r->text[from] == ' ' || r->text[from] == '\n' || r->text[from] == '\r'))
        from++;
    return place_at(r, from, leat_cursor_width(&r->cursor, from, to));
}

/* --- nodes */

static struct leat_node *new_node(struct reader *r, enum leat_node_kind kind, struct leat_place at)
{
    struct leat_node *n;

    if (++r->nodes > LEAT_TREE_NODES) {
        stop(r, at, "are aliases ('*name') multiplying it?",
             "the configuration has more than 100,000 values");
        return NULL;
    }
    n = leat_arena_take(r->arena, sizeof *n);
    if (n == NULL) {
        no_memory(r);
        return NULL;
    }
    *n = (struct leat_node){.kind = kind, .at = at, .key = at, .text = ""};
    return n;
}

static const char *copy_text(struct reader *r, const char *text, size_t len)
{
    const char *copy = leat_arena_str(r->arena, leat_bytes(text, len));

    if (copy == NULL)
        no_memory(r);
    return copy;
}

static void append(struct reader *r, struct leat_node *parent, const struct leat_key *key,
                   struct leat_node *value)
{
    if (!leat_tree_append(parent, key, value, r->arena))
        no_memory(r);
}

/* What an alias stands for: a copy, so that every node has one owner, and so that what aliases
 * multiply is counted. Recursion ends at LEAT_TREE_DEPTH. */
static struct leat_node *copy_node(struct reader *r, const struct leat_node *from, size_t depth)
{
    struct leat_node *to;

    if (depth > LEAT_TREE_DEPTH) {
        stop(r, here(r), NULL, "values are nested more than 64 deep");
        return NULL;
    }
    to = new_node(r, from->kind, from->at);
    if (to == NULL)
        return NULL;
    to->key = from->key;
    to->text = from->text;
    to->quoted = from->quoted;
    for (size_t i = 0; i < from->count && !r->failed; i++) {
        struct leat_node *item = copy_node(r, from->items[i], depth + 1);
        if (item != NULL)
            append(r, to, from->keys == NULL ? NULL : &from->keys[i], item);
    }
    return r->failed ? NULL : to;
}

/* --- anchors */

static void set_anchor(struct reader *r, struct fy_token *token, const struct leat_node *node,
                       size_t depth)
{
    size_t len;
    const char *name;

    if (token == NULL || node == NULL)
        return;
    name = fy_token_get_text(token, &len);
    if (name == NULL || r->nanchors == MAX_ANCHORS) {
        stop(r, here(r), NULL, "too many anchors ('&name')");
        return;
    }
    if ((r->nanchors & (r->nanchors - 1)) == 0)
        r->anchors =
            leat_renew(r->anchors, (r->nanchors ? r->nanchors * 2 : 1) * sizeof *r->anchors);
    r->anchors[r->nanchors++] =
        (struct anchor){.name = leat_strndup(name, len), .node = node, .depth = depth};
}

static void finish_anchors(struct reader *r)
{
    for (size_t i = r->nanchors; i > 0; i--) {
        if (r->anchors[i - 1].depth == r->depth)
            r->anchors[i - 1].depth = 0;
    }
}

static struct leat_node *alias(struct reader *r, struct fy_token *token)
{
    struct leat_place at = token_place(r, token);
    size_t len = 0;
    const char *name = fy_token_get_text(token, &len);

    for (size_t i = r->nanchors; i > 0 && name != NULL; i--) {
        const struct anchor *a = &r->anchors[i - 1];
        if (strlen(a->name) != len || memcmp(a->name, name, len) != 0)
            continue;
        if (a->depth != 0) {
            stop(r, at, NULL, "this alias refers to what it stands in");
            return NULL;
        }
        return copy_node(r, a->node, r->depth);
    }
    stop(r, at, "an anchor ('&name') must stand before the alias",
         "this alias refers to an anchor that does not exist");
    return NULL;
}

/* --- scalars */

/* !!str makes a string of anything; the other core types say what is seen anyway. */
static bool known_tag(struct reader *r, struct fy_token *token, bool *ret_string)
{
    static const char *const core[] = {"null", "bool", "int", "float", "map", "seq"};
    const char prefix[] = "tag:yaml.org,2002:";
    char tag[64];
    size_t len = 0;
    const char *text = token == NULL ? "" : fy_token_get_text(token, &len);

    *ret_string = false;
    if (token == NULL)
        return true;
    if (text != NULL && len < sizeof tag) {
        memcpy(tag, text, len);
        tag[len] = '\0';
        if (strncmp(tag, prefix, sizeof prefix - 1) == 0) {
            *ret_string = strcmp(tag + sizeof prefix - 1, "str") == 0;
            for (size_t i = 0; i < sizeof core / sizeof core[0]; i++) {
                if (strcmp(tag + sizeof prefix - 1, core[i]) == 0)
                    return true;
            }
        }
        if (*ret_string || strcmp(tag, "!") == 0) {
            *ret_string = true;
            return true;
        }
    }
    stop(r, token_place(r, token), NULL, "this tag ('!…') is not supported");
    return false;
}

/* The text of a scalar, in the arena. NULL: reported. */
static const char *scalar_text(struct reader *r, struct fy_token *value)
{
    const struct fy_mark *start = fy_token_start_mark(value), *end = fy_token_end_mark(value);
    const char *text;
    size_t len = 0;
    char *out;

    if (fy_token_scalar_style(value) == FYSS_SINGLE_QUOTED && start != NULL && end != NULL &&
        start->input_pos <= end->input_pos && end->input_pos <= r->len) {
        out = leat_arena_take(r->arena, end->input_pos - start->input_pos + 1);
        if (out == NULL)
            no_memory(r);
        else
            out[leat_scalar_single(r->text + start->input_pos, r->text + end->input_pos, out)] =
                '\0';
        return out;
    }
    text = fy_token_get_text(value, &len);
    if (text == NULL) {
        no_memory(r);
        return NULL;
    }
    if (memchr(text, '\0', len) != NULL) {
        stop(r, token_place(r, value), NULL, "a text must not hold the character NUL");
        return NULL;
    }
    return copy_text(r, text, len);
}

static struct leat_node *scalar(struct reader *r, struct fy_token *value, struct fy_token *tag)
{
    bool string, plain = value == NULL || fy_token_scalar_style(value) == FYSS_PLAIN;
    struct leat_place at = token_place(r, value);
    struct leat_node *n;

    if (!known_tag(r, tag, &string))
        return NULL;
    n = new_node(r, LEAT_NODE_SCALAR, at);
    if (n == NULL)
        return NULL;
    n->text = value == NULL ? "" : scalar_text(r, value);
    if (n->text == NULL)
        return NULL;
    n->quoted = !plain || string;
    if (!n->quoted && leat_scalar_is_null(n->text)) {
        n->kind = LEAT_NODE_NULL;
        n->text = "";
    }
    return n;
}

/* --- putting nodes where they belong */

static void take_key(struct reader *r, struct frame *f, const struct leat_node *n, const char *text)
{
    if (text == NULL)
        text = n->text;
    if (n->kind != LEAT_NODE_SCALAR && (n->kind != LEAT_NODE_NULL || *text == '\0')) {
        stop(r, n->at, NULL,
             n->kind == LEAT_NODE_NULL ? "a key is missing before this ':'"
                                       : "a key must be a plain word");
        return;
    }
    r->nodes--; /* a key is no value */
    f->key = (struct leat_key){.text = text, .at = n->at};
    f->has_key = true;
    f->is_merge = !n->quoted && strcmp(text, "<<") == 0;
}

static void add_entry(struct reader *r, struct frame *f, struct leat_node *value)
{
    size_t first = leat_keys_find(&f->keys, f->key.text);

    value->key = f->key.at;
    if (value->kind == LEAT_NODE_NULL && value->at.width == 0)
        value->at = f->key.at;
    if (first != SIZE_MAX) {
        if (!r->origin->quiet)
            leat_diags_error(r->diags, f->key.at, f->key.text, NULL,
                             "the key '%s' is already on line %u of this mapping", f->key.text,
                             f->node->keys[first].at.line);
        return;
    }
    append(r, f->node, &f->key, value);
    if (!r->failed)
        leat_keys_added(&f->keys);
}

/* `word`: how a null was written, when `n` may be a key */
static void deliver(struct reader *r, struct leat_node *n, const char *word)
{
    struct frame *f;

    if (n == NULL || r->failed)
        return;
    if (r->depth == 0) {
        r->root = n;
        return;
    }
    f = &r->frames[r->depth - 1];
    if (f->node->kind == LEAT_NODE_LIST) {
        append(r, f->node, NULL, n);
    } else if (!f->has_key) {
        take_key(r, f, n, word);
    } else {
        f->has_key = false;
        if (!f->is_merge)
            add_entry(r, f, n);
        else if (f->merge == NULL)
            f->merge = n;
        else
            stop(r, f->key.at, "give '<<' a list", "a second '<<' in this mapping");
    }
}

/* --- merge keys */

static void merge_map(struct reader *r, struct frame *f, const struct leat_node *from)
{
    if (from->kind != LEAT_NODE_MAP) {
        stop(r, from->at, NULL, "'<<' takes a mapping, an alias of one, or a list of them");
        return;
    }
    for (size_t i = 0; i < from->count && !r->failed; i++) {
        if (leat_keys_find(&f->keys, from->keys[i].text) != SIZE_MAX)
            continue;
        append(r, f->node, &from->keys[i], from->items[i]);
        if (!r->failed)
            leat_keys_added(&f->keys);
    }
}

static void merge(struct reader *r, struct frame *f)
{
    if (f->merge == NULL)
        return;
    if (f->merge->kind != LEAT_NODE_LIST) {
        merge_map(r, f, f->merge);
        return;
    }
    for (size_t i = 0; i < f->merge->count && !r->failed; i++)
        merge_map(r, f, f->merge->items[i]);
}

/* --- events */

static void open_collection(struct reader *r, enum leat_node_kind kind, struct fy_token *token,
                            struct fy_token *anchor, struct fy_token *tag)
{
    struct leat_place at = token_place(r, token);
    struct leat_node *n;
    bool string;

    if (!known_tag(r, tag, &string))
        return;
    if (r->depth == LEAT_TREE_DEPTH) {
        stop(r, at, NULL, "values are nested more than 64 deep");
        return;
    }
    if (r->depth > 0 && r->frames[r->depth - 1].node->kind == LEAT_NODE_MAP &&
        !r->frames[r->depth - 1].has_key) {
        stop(r, at, kind == LEAT_NODE_MAP ? "put quotes around '{{…}}'" : NULL,
             "a key must be a plain word");
        return;
    }
    n = new_node(r, kind, at);
    if (n == NULL)
        return;
    r->frames[r->depth++] = (struct frame){.node = n};
    leat_keys_init(&r->frames[r->depth - 1].keys, n);
    set_anchor(r, anchor, n, r->depth);
}

static void close_collection(struct reader *r)
{
    struct frame *f = &r->frames[r->depth - 1];
    struct leat_node *n = f->node;

    merge(r, f);
    leat_keys_done(&f->keys);
    finish_anchors(r);
    r->depth--;
    deliver(r, n, NULL);
}

static void on_scalar(struct reader *r, struct fy_event *e)
{
    struct fy_token *value = e->scalar.value;
    struct leat_node *n = scalar(r, value, e->scalar.tag);
    const char *text = NULL;
    size_t len = 0;

    if (n == NULL)
        return;
    set_anchor(r, e->scalar.anchor, n, 0);
    if (n->kind == LEAT_NODE_NULL && value != NULL) { /* the word "null" may be a key */
        const char *word = fy_token_get_text(value, &len);
        text = word == NULL ? NULL : copy_text(r, word, len);
    }
    deliver(r, n, text);
}

static void on_event(struct reader *r, struct fy_event *e)
{
    switch (e->type) {
    case FYET_DOCUMENT_START:
        if (++r->documents > 1)
            stop(r, token_place(r, e->document_start.document_start), NULL,
                 "a second document: one file holds one configuration");
        break;
    case FYET_SCALAR:
        on_scalar(r, e);
        break;
    case FYET_ALIAS:
        deliver(r, alias(r, e->alias.anchor), NULL);
        break;
    case FYET_MAPPING_START:
        open_collection(r, LEAT_NODE_MAP, e->mapping_start.mapping_start, e->mapping_start.anchor,
                        e->mapping_start.tag);
        break;
    case FYET_SEQUENCE_START:
        open_collection(r, LEAT_NODE_LIST, e->sequence_start.sequence_start,
                        e->sequence_start.anchor, e->sequence_start.tag);
        break;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        close_collection(r);
        break;
    default:
        break;
    }
}

/* --- the library */

static void say_nothing(struct fy_diag *diag, void *user, const char *text, size_t len)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)len;
}

static bool start_library(struct reader *r)
{
    struct fy_diag_cfg config;
    struct fy_parse_cfg parse = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG |
                                          FYPCF_DEFAULT_VERSION_1_2 | FYPCF_DISABLE_MMAP_OPT};

    fy_diag_cfg_default(&config);
    config.fp = NULL;
    config.output_fn = say_nothing;
    config.colorize = false;
    r->fy_diag = fy_diag_create(&config);
    if (r->fy_diag == NULL)
        return false;
    fy_diag_set_collect_errors(r->fy_diag, true);
    parse.diag = r->fy_diag;
    r->parser = fy_parser_create(&parse);
    return r->parser != NULL && fy_parser_set_string(r->parser, r->text, r->len) == 0;
}

static void syntax_error(struct reader *r)
{
    void *iterator = NULL;
    const struct fy_diag_error *e = fy_diag_errors_iterate(r->fy_diag, &iterator);
    const char *hint = NULL, *line, *sentence;
    size_t len = 0, pos;

    if (e == NULL) {
        stop(r, here(r), NULL, "this is not well-formed YAML");
        return;
    }
    line = leat_excerpt_line(r->text, r->len, e->line > 0 ? (size_t)e->line : 1, &len);
    sentence = leat_syntax_sentence(e->msg == NULL ? "" : e->msg, line, len, &hint);
    pos = leat_syntax_position(r->text, r->len, e->line, e->column);
    if (pos > 0 && strstr(sentence, "closing quote") != NULL && strchr("\"'", r->text[pos - 1]))
        pos--;
    stop(r, place_at(r, pos, 1), hint, sentence);
}

static void read_events(struct reader *r)
{
    struct fy_event *e;

    if (!start_library(r)) {
        no_memory(r);
        return;
    }
    while (!r->failed && (e = fy_parser_parse(r->parser)) != NULL) {
        on_event(r, e);
        fy_parser_event_free(r->parser, e);
    }
    if (!r->failed && fy_parser_get_stream_error(r->parser))
        syntax_error(r);
}

static void finish(struct reader *r)
{
    if (r->parser != NULL)
        fy_parser_destroy(r->parser);
    if (r->fy_diag != NULL)
        fy_diag_destroy(r->fy_diag);
    for (size_t i = 0; i < r->depth; i++)
        leat_keys_done(&r->frames[i].keys);
    for (size_t i = 0; i < r->nanchors; i++)
        leat_free(r->anchors[i].name);
    leat_free(r->anchors);
}

struct leat_node *leat_tree_read(const struct leat_tree_origin *origin, const char *text,
                                 size_t len, struct leat_arena *arena, struct leat_diags *diags)
{
    struct reader r = {.origin = origin, .arena = arena, .diags = diags};
    const char *wrong;
    size_t pos;

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        len -= 3;
    }
    r.text = text;
    r.len = len;
    leat_cursor_init(&r.cursor, text, len);
    if (len > LEAT_TREE_SOURCE) {
        stop(&r, place_at(&r, 0, 1), NULL, "a configuration source may have at most 16 MiB");
        return NULL;
    }
    wrong = leat_syntax_check(text, len, &pos);
    if (wrong != NULL) {
        stop(&r, place_at(&r, pos, 1), NULL, wrong);
        return NULL;
    }
    if (len != 0)
        read_events(&r);
    finish(&r);
    if (r.failed)
        return NULL;
    return r.root != NULL ? r.root : new_node(&r, LEAT_NODE_NULL, place_at(&r, 0, 0));
}
