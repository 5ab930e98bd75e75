/* What is wrong with a configuration: every mistake at its line and column, shown with the line
 * itself and a caret. */
#ifndef LEAT_CONFIG_DIAG_H
#define LEAT_CONFIG_DIAG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Where something stands. Strings belong to the document (or are static). */
struct leat_place {
    const char *source; /* a file's path as given, "env:NAME", "yaml:…", "--set"; NULL: nowhere */
    uint32_t line, column; /* from 1; 0: unknown. Columns count characters */
    uint32_t width;        /* how many characters the caret underlines; 0: one */
};

struct leat_diag {
    int is_error; /* else a warning */
    struct leat_place at;
    const char *path; /* "exporters.otlp_grpc.tls.insecure"; "" when it has none */
    const char *text; /* one sentence without the place */
    const char *hint; /* "did you mean 'endpoint'?"; NULL: none */
};

struct leat_diags;

/* Holds at most 1,000 messages; what comes later is counted only. Identical ones are kept once.
 * Sentences are cut at 1,000 bytes; control characters in them become '?'. */
struct leat_diags *leat_diags_new(void);
void leat_diags_free(struct leat_diags *d); /* takes NULL */
/* Keeps the text of a source, so that excerpts of it can be shown. Copied. */
void leat_diags_source(struct leat_diags *d, const char *source, const char *text, size_t len);
void leat_diags_error(struct leat_diags *d, struct leat_place at, const char *path,
                      const char *hint, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void leat_diags_warn(struct leat_diags *d, struct leat_place at, const char *path, const char *hint,
                     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
size_t leat_diags_errors(const struct leat_diags *d);
size_t leat_diags_count(const struct leat_diags *d);
const struct leat_diag *leat_diags_at(const struct leat_diags *d,
                                      size_t i); /* in order of source, line, column */
/* The text kept for `source`; NULL: none. Belongs to `d`. */
const char *leat_diags_text(const struct leat_diags *d, const char *source, size_t *ret_len);
/* For people: file:line:column: error: sentence, excerpt, caret, hint. Colour when `colour`. */
void leat_diags_print(const struct leat_diags *d, FILE *out, int colour);
/* For machines: a JSON array of {severity, source, line, column, path, message, hint}. */
void leat_diags_print_json(const struct leat_diags *d, FILE *out);

#endif
