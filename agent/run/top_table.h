/* A report as a table for people: numbers in short, bars, columns that fit the width. Formatting
 * only. */
#ifndef LEAT_RUN_TOP_TABLE_H
#define LEAT_RUN_TOP_TABLE_H

#include "run/report.h"

enum leat_top_column {
    LEAT_TOP_KIND,
    LEAT_TOP_COMPONENT,
    LEAT_TOP_SIGNAL,
    LEAT_TOP_IN,
    LEAT_TOP_OUT,
    LEAT_TOP_BYTES_IN,
    LEAT_TOP_BYTES_OUT,
    LEAT_TOP_REFUSED,
    LEAT_TOP_ERRORS,
    LEAT_TOP_HELD,
    LEAT_TOP_QUEUE,
    LEAT_TOP_COLUMNS,
};

struct leat_top_view {
    enum leat_top_column sort; /* texts ascend, numbers descend; rows that are equal in it stand in
                                  the order of the flow */
    bool reverse;
    bool totals; /* since the start, instead of rates */
    bool colour;
    unsigned width;  /* columns of the terminal; 0: as wide as it gets */
    unsigned height; /* rows of components; the last says how many more there are; 0: all */
};

/* The column of that name ("bytes-in"); -1: none. */
int leat_top_column_find(const char *name);
/* "kind, component, signal, …" for messages. */
void leat_top_column_names(struct leat_text *out);
/* The next column to the right (step 1) or left (-1) that is shown at this width, around the ends.
 */
enum leat_top_column leat_top_column_next(const struct leat_report *r,
                                          const struct leat_top_view *view, int step);

/* Who it is: version, process, uptime, workers, memory and a bar of the byte budget. Two lines. */
void leat_top_header(const struct leat_report *r, const struct leat_top_view *view,
                     struct leat_text *out);
/* Titles and rows, sorted, each line cut to the width. */
void leat_top_rows(const struct leat_report *r, const struct leat_top_view *view,
                   struct leat_text *out);

/* The pieces. "12.3k", "0.4"; NAN: "-". */
#define LEAT_TOP_NUMBER 16
char *leat_top_number(double v, char out[LEAT_TOP_NUMBER]);
char *leat_top_bytes(double v, char out[LEAT_TOP_NUMBER]); /* "1.50MiB" */
/* "3d04h", "2h05m", "7m12s", "42s" */
char *leat_top_age(double seconds, char out[LEAT_TOP_NUMBER]);
/* "[####----]" of `cells` cells between the brackets: at least one when anything is used, full only
 * when all is. */
void leat_top_bar(double used, double limit, unsigned cells, struct leat_text *out);
/* One line of text, cut to so many characters, an ellipsis at its end when cut; 0: not cut. */
void leat_top_cut(struct leat_bytes line, unsigned width, struct leat_text *out);

#endif
