/* Metrics as Prometheus reads them: the text format 0.0.4 and OpenMetrics 1.0.0. Pure: writes lines
 * into a leat_text, a family's head or one series at a time, so a page of any length can be made in
 * pieces.
 *
 * Source: prometheus.io "Exposition formats", the OpenMetrics 1.0 specification; where those leave
 * a choice, what client_golang writes. */
#ifndef LEAT_PROTO_PROM_TEXT_H
#define LEAT_PROTO_PROM_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/text.h"

struct leat_prom_set;

/* How a page is written. */
struct leat_scrape_style {
    bool open;    /* OpenMetrics, else 0.0.4 */
    bool quotes;  /* the reader takes any UTF-8 in names, quoted; else such characters become _ */
    bool stamped; /* with timestamps */
    bool created; /* OpenMetrics: with _created samples */
};

enum leat_scrape_kind {
    LEAT_SCRAPE_GAUGE,
    LEAT_SCRAPE_COUNTER,
    LEAT_SCRAPE_HISTOGRAM,
    LEAT_SCRAPE_SUMMARY,
    LEAT_SCRAPE_UNKNOWN,
    LEAT_SCRAPE_INFO,
    LEAT_SCRAPE_KINDS,
};
const char *leat_scrape_kind_name(enum leat_scrape_kind kind); /* "gauge" … */

/* What is said once for all series of one name. All well-formed UTF-8. */
struct leat_scrape_family {
    struct leat_bytes
        name; /* of the samples without _bucket, _sum and the like: with _total, _info */
    struct leat_bytes help;
    struct leat_bytes unit; /* in words; empty: none */
    enum leat_scrape_kind kind;
    /* OpenMetrics: there is a family without the _total too, so this one is of type unknown. */
    bool base_taken;
};

/* The bounds of buckets or the quantiles of a summary, as the labels say them in 0.0.4. */
struct leat_scrape_marks {
    uint32_t n;
    const uint32_t *at; /* n + 1 places in `text` */
    const char *text;
};
/* Fills it in; `room` has leat_scrape_marks_room(n) bytes, aligned for uint32_t, and is the
 * caller's.
 */
size_t leat_scrape_marks_room(uint32_t n);
void leat_scrape_marks_fill(struct leat_scrape_marks *m, const double *v, uint32_t n, void *room);

struct leat_scrape_exemplar {
    uint32_t bucket;        /* histograms: which; else 0 */
    struct leat_bytes text; /* as leat_scrape_exemplar_add() writes it */
};

/* One series and its last point. */
struct leat_scrape_series {
    struct leat_bytes labels; /* as leat_scrape_block_add() writes them */
    bool odd_names;           /* names among them that need quotes */
    uint64_t start, time;     /* Unix ns; 0: not known */
    bool is_int;              /* gauge, counter, unknown, info: which one counts */
    int64_t integer;
    double value;
    /* histogram, summary */
    uint64_t count;
    double sum;
    const struct leat_scrape_marks *marks; /* NULL: none */
    const uint64_t *counts; /* histogram: of each bucket by itself, marks->n of them */
    const double *values;   /* summary: of each quantile */
    const struct leat_scrape_exemplar *exemplars;
    uint32_t nexemplars;
};

/* A name that needs no quotes: [a-zA-Z_:][a-zA-Z0-9_:]*, of a label without the colon. */
bool leat_scrape_is_plain(struct leat_bytes name, bool label);

/* Appends a label set as it stands between braces, both formats alike: a="b",c="d". *ret_odd: a
 * name had to be quoted. */
void leat_scrape_block_add(const struct leat_prom_set *set, struct leat_text *out, bool *ret_odd);
/* Steps through such a block; `value` is still escaped. *at starts at 0. false: no more. */
bool leat_scrape_block_next(struct leat_bytes block, size_t *at, struct leat_bytes *ret_name,
                            struct leat_bytes *ret_value);
/* Appends it unescaped. */
void leat_scrape_value_plain(struct leat_bytes value, struct leat_text *out);

/* Appends "{labels} value time", of labels as a block; time 0: none. */
void leat_scrape_exemplar_add(struct leat_bytes block, double value, uint64_t time,
                              struct leat_text *out);

/* A number as in Go's shortest form ("1e+06", "0.25"), "NaN", "+Inf", "-Inf". */
void leat_scrape_number_add(struct leat_text *out, double v);

/* HELP, TYPE and UNIT of a family. */
void leat_scrape_head_write(const struct leat_scrape_style *style,
                            const struct leat_scrape_family *f, struct leat_text *out);
/* All lines of one series. */
void leat_scrape_series_write(const struct leat_scrape_style *style,
                              const struct leat_scrape_family *f,
                              const struct leat_scrape_series *s, struct leat_text *out);
/* The most bytes leat_scrape_series_write() may need. */
size_t leat_scrape_series_bound(const struct leat_scrape_family *f,
                                const struct leat_scrape_series *s);
/* What ends the page. */
void leat_scrape_end_write(const struct leat_scrape_style *style, struct leat_text *out);

#endif
