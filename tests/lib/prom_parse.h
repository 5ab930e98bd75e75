/* Reads a page of metrics, text 0.0.4 or OpenMetrics 1.0, and is strict about it: what our own
 * writer is compared with, written from the formats' descriptions and sharing no code with it. */
#ifndef LEAT_TESTS_PROM_PARSE_H
#define LEAT_TESTS_PROM_PARSE_H

#include <stdbool.h>
#include <stddef.h>

struct prom_pair {
    char *name, *value; /* unescaped, terminated */
    size_t len;         /* of the value, which may hold zeros */
};

struct prom_sample {
    size_t family; /* which one */
    char *name;
    struct prom_pair *labels; /* sorted by name */
    size_t nlabels;
    double value;
    bool has_time, has_exemplar;
    double time; /* ms in 0.0.4, seconds in OpenMetrics */
    struct prom_pair *exemplar_labels;
    size_t nexemplar_labels;
    double exemplar_value, exemplar_time;
};

struct prom_family {
    char *name, *type, *help, *unit; /* help and unit may be NULL */
};

struct prom_parsed {
    struct prom_family *families;
    size_t nfamilies;
    struct prom_sample *samples;
    size_t nsamples;
    char error[256]; /* empty: the page is sound */
};

/* What is checked besides the grammar: each family once and in one piece, its samples named after
 * it, no label twice, no series twice, buckets that rise (where `counts`) up to an +Inf that is the
 * count; OpenMetrics: "# EOF" last, counters end in _total, exemplars of at most 128 characters and
 * only where they may be. */
void prom_parse(struct prom_parsed *p, const char *text, size_t len, bool open, bool counts);
void prom_parsed_free(struct prom_parsed *p);
/* The sample with this name and exactly these labels, "a=b,c=d" in the order of their names; NULL:
 * there is none. */
const struct prom_sample *prom_sample_find(const struct prom_parsed *p, const char *name,
                                           const char *labels);
const struct prom_family *prom_family_find(const struct prom_parsed *p, const char *name);
const char *prom_label(const struct prom_sample *s, const char *name); /* NULL: it has none */

#endif
