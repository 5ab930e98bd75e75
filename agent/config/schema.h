/* One table per component: parsing, defaults, bounds, messages, manual and JSON Schema all read it.
 *
 * A table entry is checked by the compiler against the struct it fills: LEAT_UINT() on a member
 * that is no uint32_t does not compile. A component's table ends with LEAT_END. */
#ifndef LEAT_CONFIG_SCHEMA_H
#define LEAT_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct leat_node;
struct leat_arena;
struct leat_diags;
struct leat_err;
struct leat_text;

enum leat_field_type {
    LEAT_F_BOOL,     /* bool */
    LEAT_F_UINT,     /* uint32_t */
    LEAT_F_INT,      /* int64_t */
    LEAT_F_FLOAT,    /* double */
    LEAT_F_SIZE,     /* uint64_t, bytes; plain numbers and units */
    LEAT_F_DURATION, /* int64_t, nanoseconds; Go syntax; "0" and a bare 0 are 0 */
    LEAT_F_STRING,   /* const char *; NULL when never set and no default */
    LEAT_F_ENUM,     /* int: index into `choices`; case does not matter, as in the collector */
    LEAT_F_GROUP,    /* a struct: a mapping with `group` as its table */
    LEAT_F_INLINE,   /* a struct whose keys stand at this level, not under a key of their own */
    LEAT_F_STRINGS,  /* struct leat_strings: a list of strings */
    LEAT_F_MAP,      /* struct leat_pairs: keys chosen by the user, string values; also written as a
                        list of {name, value} */
    LEAT_F_LIST,     /* struct leat_items: a list of mappings, each with `group` as its table */
    LEAT_F_NODE,     /* const struct leat_node *: anything, read by the component itself; NULL when
                        absent */
};

struct leat_strings {
    const char **items;
    uint32_t count;
};
struct leat_pair {
    const char *key, *value;
};
struct leat_pairs {
    struct leat_pair *items;
    uint32_t count;
};
struct leat_items {
    void *items; /* `count` structs of the entry's item size, one after another */
    uint32_t count;
};

enum leat_field_flag {
    LEAT_REQUIRED = 1 << 0, /* must be written, and not be empty */
    LEAT_SECRET = 1 << 1,   /* shown as [REDACTED] */
    LEAT_IGNORED =
        1
        << 2, /* accepted for the collector's sake, has no effect here: `doc` says why; warned of */
    LEAT_DEPRECATED = 1 << 3, /* works, warned of: `doc` names what replaces it */
    LEAT_AUTH =
        1 << 4, /* a string that names an extension instance: checked when the graph is wired */
};

struct leat_field {
    const char *name;
    enum leat_field_type type;
    size_t offset;
    const char
        *def; /* as the user would write it; NULL: none. Strings lists: "a, b". GROUP and INLINE:
                 overrides of defaults inside, "timeout=30s retry_on_failure.enabled=false" */
    const char *doc; /* one sentence for the manual */
    unsigned flags;
    double min, max;  /* numbers, sizes (bytes), durations (nanoseconds); 0,0: no bounds */
    const char *unit; /* for the manual: "bytes", "MiB"; NULL: none */
    const char *const
        *choices; /* ENUM: words, NULL at the end; STRINGS: the words allowed, or NULL */
    const struct leat_field *group; /* GROUP, INLINE, LIST */
    size_t item_size;               /* LIST */
    size_t present; /* offset + 1 of a bool that becomes true when the key was written (GROUP: even
                       with a null value, which means "on, with defaults"); 0: none */
    const char *alias; /* an older spelling of the key, accepted silently; NULL: none */
};

/* The offset of a member, and a compile error when its type is not the expected one. */
#define LEAT_AT(S, m, T) _Generic(&((S *)0)->m, T * : offsetof(S, m))
/* For `.present = LEAT_PRESENT(S, has_tls)`. */
#define LEAT_PRESENT(S, m) (LEAT_AT(S, m, bool) + 1)

/* S: the struct, m: its member, named like the key. The last argument is the sentence for the
 * manual; designated initialisers (.flags = …, .min = …) may follow it. */
#define LEAT_BOOL(S, m, d, ...)                                                                    \
    {                                                                                              \
        .name = #m, .type = LEAT_F_BOOL, .offset = LEAT_AT(S, m, bool), .def = d,                  \
        .doc = __VA_ARGS__                                                                         \
    }
#define LEAT_UINT(S, m, d, ...)                                                                    \
    {                                                                                              \
        .name = #m, .type = LEAT_F_UINT, .offset = LEAT_AT(S, m, uint32_t), .def = d,              \
        .doc = __VA_ARGS__                                                                         \
    }
#define LEAT_INT(S, m, d, ...)                                                                     \
    {                                                                                              \
        .name = #m, .type = LEAT_F_INT, .offset = LEAT_AT(S, m, int64_t), .def = d,                \
        .doc = __VA_ARGS__                                                                         \
    }
#define LEAT_FLOAT(S, m, d, ...)                                                                   \
    {                                                                                              \
        .name = #m, .type = LEAT_F_FLOAT, .offset = LEAT_AT(S, m, double), .def = d,               \
        .doc = __VA_ARGS__                                                                         \
    }
#define LEAT_SIZE(S, m, d, ...)                                                                    \
    {                                                                                              \
        .name = #m, .type = LEAT_F_SIZE, .offset = LEAT_AT(S, m, uint64_t), .def = d,              \
        .doc = __VA_ARGS__                                                                         \
    }
#define LEAT_DURATION(S, m, d, ...)                                                                \
    {                                                                                              \
        .name = #m, .type = LEAT_F_DURATION, .offset = LEAT_AT(S, m, int64_t), .def = d,           \
        .doc = __VA_ARGS__                                                                         \
    }
#define LEAT_STRING(S, m, d, ...)                                                                  \
    {                                                                                              \
        .name = #m, .type = LEAT_F_STRING, .offset = LEAT_AT(S, m, const char *), .def = d,        \
        .doc = __VA_ARGS__                                                                         \
    }
#define LEAT_ENUM(S, m, d, words, ...)                                                             \
    {                                                                                              \
        .name = #m, .type = LEAT_F_ENUM, .offset = LEAT_AT(S, m, int), .def = d, .choices = words, \
        .doc = __VA_ARGS__                                                                         \
    }
#define LEAT_STRINGS(S, m, d, ...)                                                                 \
    {                                                                                              \
        .name = #m, .type = LEAT_F_STRINGS, .offset = LEAT_AT(S, m, struct leat_strings),          \
        .def = d, .doc = __VA_ARGS__                                                               \
    }
#define LEAT_MAP(S, m, ...)                                                                        \
    {                                                                                              \
        .name = #m, .type = LEAT_F_MAP, .offset = LEAT_AT(S, m, struct leat_pairs),                \
        .doc = __VA_ARGS__                                                                         \
    }
#define LEAT_GROUP(S, m, fields, T, ...)                                                           \
    {                                                                                              \
        .name = #m, .type = LEAT_F_GROUP, .offset = LEAT_AT(S, m, T), .group = fields,             \
        .doc = __VA_ARGS__                                                                         \
    }
#define LEAT_INLINE(S, m, fields, T, ...)                                                          \
    {                                                                                              \
        .name = #m, .type = LEAT_F_INLINE, .offset = LEAT_AT(S, m, T), .group = fields,            \
        .doc = __VA_ARGS__                                                                         \
    }
#define LEAT_LIST(S, m, fields, T, ...)                                                            \
    {                                                                                              \
        .name = #m, .type = LEAT_F_LIST, .offset = LEAT_AT(S, m, struct leat_items),               \
        .group = fields, .item_size = sizeof(T), .doc = __VA_ARGS__                                \
    }
#define LEAT_NODE(S, m, ...)                                                                       \
    {                                                                                              \
        .name = #m, .type = LEAT_F_NODE, .offset = LEAT_AT(S, m, const struct leat_node *),        \
        .doc = __VA_ARGS__                                                                         \
    }
/* A key that is accepted and has no effect here; needs no member. */
#define LEAT_NO_EFFECT(key, ...)                                                                   \
    {                                                                                              \
        .name = key, .type = LEAT_F_NODE, .offset = SIZE_MAX, .flags = LEAT_IGNORED,               \
        .doc = __VA_ARGS__                                                                         \
    }
#define LEAT_END                                                                                   \
    {                                                                                              \
        .name = NULL                                                                               \
    }

/* Fills `conf` (zeroed, the struct of `fields`) with defaults, then with what `node` says (a map, a
 * null, or NULL). Unknown keys, wrong types, values out of bounds and missing required settings are
 * all reported, at their place, with the nearest known word as a hint. Strings and lists live in
 * `arena`. `path` is the dotted path of `node`. 0, or -1 when an error was reported. */
int leat_schema_fill(const struct leat_field *fields, void *conf, const struct leat_node *node,
                     const char *path, struct leat_arena *arena, struct leat_diags *diags);

/* The same, and says whether every value could be read: unknown keys apart, `conf` is what the user
 * meant, and what check() would say of it is true. */
int leat_schema_fill_all(const struct leat_field *fields, void *conf, const struct leat_node *node,
                         const char *path, struct leat_arena *arena, struct leat_diags *diags,
                         bool *ret_read);

/* What a component's check() reports to: each message is shown at the place of the setting it
 * names. */
struct leat_check;
/* `key`: dotted path below the component ("sending_queue.batch.min_size", "" for the whole). A
 * message that starts with its verb ("must be above 0") gets the key's last word as its subject. */
void leat_check_error(struct leat_check *c, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void leat_check_warn(struct leat_check *c, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool leat_check_written(const struct leat_check *c, const char *key); /* the user wrote this key */
/* Which signals the pipelines want of the component: 1 << enum leat_signal, or'ed. */
unsigned leat_check_signals(const struct leat_check *c);
void leat_check_set_signals(struct leat_check *c, unsigned signals); /* by the house; else 0 */
/* The house makes and frees it around a call of check(). `node` may be NULL. */
struct leat_check *leat_check_new(const struct leat_node *node, const char *path,
                                  struct leat_diags *diags);
void leat_check_free(struct leat_check *c);

/* The filled settings as YAML at `indent`; what the user did not write is marked "# default";
 * secrets are masked unless `unmasked`. */
void leat_schema_print(const struct leat_field *fields, const void *conf,
                       const struct leat_node *node, int indent, bool unmasked,
                       struct leat_text *out);
/* Calls `visit` for each string setting with LEAT_AUTH that is set: which extensions a component
 * refers to. */
void leat_schema_refs(const struct leat_field *fields, const void *conf, const char *path,
                      void (*visit)(void *arg, const char *path, const char *id), void *arg);
/* Debug builds and tests: -1 and `err` when a table contradicts itself (bad default, duplicate
 * name). */
int leat_schema_verify(const struct leat_field *fields, struct leat_err *err);

#endif
