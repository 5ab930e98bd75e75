/* A report as a table for people. */
#include "run/top_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LINE_MAX_BYTES ((size_t)4096)
#define BUDGET_CELLS   20
#define QUEUE_CELLS    8
#define GAP            1
#define COMPONENT_MIN  12 /* the columns of names shrink to this before others go */
#define COMPONENT_MAX  40
#define SIGNAL_MIN     7
#define SIGNAL_MAX     24
#define BOLD           "\033[1m"
#define RED            "\033[31m"
#define PLAIN          "\033[0m"

struct column {
    const char *name, *rate_title, *total_title;
    unsigned width;
    bool is_text;
    unsigned goes; /* where there is no room: 1 first; 0: never */
};

static const struct column columns[LEAT_TOP_COLUMNS] = {
    [LEAT_TOP_KIND] = {"kind", "KIND", "KIND", 9, true, 3},
    [LEAT_TOP_COMPONENT] = {"component", "COMPONENT", "COMPONENT", COMPONENT_MIN, true, 0},
    [LEAT_TOP_SIGNAL] = {"signal", "SIGNAL", "SIGNAL", SIGNAL_MIN, true, 8},
    [LEAT_TOP_IN] = {"in", "IN/s", "IN", 7, false, 0},
    [LEAT_TOP_OUT] = {"out", "OUT/s", "OUT", 7, false, 9},
    [LEAT_TOP_BYTES_IN] = {"bytes-in", "B IN/s", "B IN", 8, false, 1},
    [LEAT_TOP_BYTES_OUT] = {"bytes-out", "B OUT/s", "B OUT", 8, false, 2},
    [LEAT_TOP_REFUSED] = {"refused", "REFUSED/s", "REFUSED", 10, false, 6},
    [LEAT_TOP_ERRORS] = {"errors", "ERRORS/s", "ERRORS", 9, false, 7},
    [LEAT_TOP_HELD] = {"held", "HELD", "HELD", 6, false, 5},
    [LEAT_TOP_QUEUE] = {"queue", "QUEUE", "QUEUE", QUEUE_CELLS + 7, true, 4},
};

/* The widths of the columns; 0: left out. */
struct layout {
    unsigned width[LEAT_TOP_COLUMNS];
};

int leat_top_column_find(const char *name)
{
    for (int i = 0; i < LEAT_TOP_COLUMNS; i++) {
        if (strcmp(columns[i].name, name) == 0)
            return i;
    }
    return -1;
}

void leat_top_column_names(struct leat_text *out)
{
    for (int i = 0; i < LEAT_TOP_COLUMNS; i++)
        leat_text_printf(out, "%s%s", i ? ", " : "", columns[i].name);
}

/* --- pieces */

static char *scaled(double v, double step, const char *const *units, size_t nunits,
                    char out[LEAT_TOP_NUMBER])
{
    size_t unit = 0;

    while (v >= 999.5 && unit + 1 < nunits) {
        v /= step;
        unit++;
    }
    if (v >= 1e6)
        snprintf(out, LEAT_TOP_NUMBER, "%.0e%s", v, units[unit]);
    else if (unit == 0 && (v == floor(v) || v >= 99.95))
        snprintf(out, LEAT_TOP_NUMBER, "%.0f%s", v, units[unit]);
    else
        snprintf(out, LEAT_TOP_NUMBER, "%.*f%s",
                 v >= 99.95                ? 0
                 : v >= 9.995 || unit == 0 ? 1
                                           : 2,
                 v, units[unit]);
    return out;
}

char *leat_top_number(double v, char out[LEAT_TOP_NUMBER])
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};

    if (isnan(v)) {
        snprintf(out, LEAT_TOP_NUMBER, "-");
        return out;
    }
    if (v < 0) {
        char above[LEAT_TOP_NUMBER];
        scaled(-v, 1000, units, sizeof units / sizeof *units, above);
        snprintf(out, LEAT_TOP_NUMBER, "-%.*s", LEAT_TOP_NUMBER - 2, above);
        return out;
    }
    return scaled(v, 1000, units, sizeof units / sizeof *units, out);
}

char *leat_top_bytes(double v, char out[LEAT_TOP_NUMBER])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    if (isnan(v))
        snprintf(out, LEAT_TOP_NUMBER, "-");
    else
        scaled(v, 1024, units, sizeof units / sizeof *units, out);
    return out;
}

char *leat_top_age(double seconds, char out[LEAT_TOP_NUMBER])
{
    uint64_t s = seconds > 0 && seconds < 1e15 ? (uint64_t)seconds : 0;

    if (s >= 86400)
        snprintf(out, LEAT_TOP_NUMBER, "%llud%02lluh", (unsigned long long)(s / 86400),
                 (unsigned long long)(s / 3600 % 24));
    else if (s >= 3600)
        snprintf(out, LEAT_TOP_NUMBER, "%lluh%02llum", (unsigned long long)(s / 3600),
                 (unsigned long long)(s / 60 % 60));
    else if (s >= 60)
        snprintf(out, LEAT_TOP_NUMBER, "%llum%02llus", (unsigned long long)(s / 60),
                 (unsigned long long)(s % 60));
    else
        snprintf(out, LEAT_TOP_NUMBER, "%llus", (unsigned long long)s);
    return out;
}

/* From 0 to 1; nothing is full of nothing. */
static double share_of(double used, double limit)
{
    double share = limit > 0 ? used / limit : 0;

    return share > 0 ? share < 1 ? share : 1 : 0; /* NAN: 0 */
}

void leat_top_bar(double used, double limit, unsigned cells, struct leat_text *out)
{
    double share = share_of(used, limit);
    unsigned full = share >= 1 ? cells : (unsigned)(share * cells);

    if (full == 0 && share > 0)
        full = 1;
    leat_text_char(out, '[');
    for (unsigned i = 0; i < cells; i++)
        leat_text_char(out, i < full ? '#' : '-');
    leat_text_char(out, ']');
}

/* How many characters. What is no UTF-8 counts byte by byte. */
static unsigned characters(struct leat_bytes s)
{
    unsigned n = 0;

    for (size_t i = 0; i < s.len; n++) {
        size_t len = leat_utf8_len(leat_bytes(s.data + i, s.len - i));
        i += len ? len : 1;
    }
    return n;
}

void leat_top_cut(struct leat_bytes line, unsigned width, struct leat_text *out)
{
    unsigned n = 0;
    size_t i = 0;

    if (width == 0 || characters(line) <= width) {
        leat_text_add(out, line.data, line.len);
        return;
    }
    for (; i < line.len && n + 1 < width; n++) {
        size_t len = leat_utf8_len(leat_bytes(line.data + i, line.len - i));
        i += len ? len : 1;
    }
    leat_text_add(out, line.data, i);
    leat_text_str(out, "…");
}

/* A text in a column, cut or padded. */
static void put_cell(struct leat_text *out, const char *text, unsigned width, bool left)
{
    struct leat_bytes s = leat_bytes_str(text);
    unsigned n = characters(s), pad = n < width ? width - n : 0;

    if (!left)
        leat_text_printf(out, "%*s", (int)pad, "");
    leat_top_cut(s, width, out);
    if (left)
        leat_text_printf(out, "%*s", (int)pad, "");
}

/* --- columns */

static const char *where(const struct leat_report_row *row)
{
    return row->pipeline[0] != '\0' ? row->pipeline : row->signal;
}

static unsigned widest(const struct leat_report *r, bool ids, unsigned least, unsigned most)
{
    for (size_t i = 0; i < r->nrows; i++) {
        unsigned n = characters(leat_bytes_str(ids ? r->rows[i]->id : where(r->rows[i])));
        least = n > least ? n : least;
    }
    return least < most ? least : most;
}

static unsigned total_width(const struct layout *l)
{
    unsigned n = 0;

    for (int i = 0; i < LEAT_TOP_COLUMNS; i++)
        n += l->width[i] ? l->width[i] + GAP : 0;
    return n ? n - GAP : 0;
}

static void shrink(struct layout *l, enum leat_top_column c, unsigned least, unsigned width)
{
    unsigned all = total_width(l), over = all > width ? all - width : 0;

    if (l->width[c] > least)
        l->width[c] -= over < l->width[c] - least ? over : l->width[c] - least;
}

/* First the names get shorter, then columns go, the least important first. */
static struct layout lay_out(const struct leat_report *r, unsigned width)
{
    struct layout full = {{0}}, l;
    unsigned gone = 0;

    for (int i = 0; i < LEAT_TOP_COLUMNS; i++)
        full.width[i] = columns[i].width;
    full.width[LEAT_TOP_COMPONENT] = widest(r, true, COMPONENT_MIN, COMPONENT_MAX);
    full.width[LEAT_TOP_SIGNAL] = widest(r, false, SIGNAL_MIN, SIGNAL_MAX);
    for (;; gone++) {
        l = full;
        for (int i = 0; i < LEAT_TOP_COLUMNS; i++) {
            if (columns[i].goes != 0 && columns[i].goes <= gone)
                l.width[i] = 0;
        }
        if (width == 0 || gone == LEAT_TOP_COLUMNS)
            return l;
        shrink(&l, LEAT_TOP_SIGNAL, SIGNAL_MIN, width);
        shrink(&l, LEAT_TOP_COMPONENT, COMPONENT_MIN, width);
        if (total_width(&l) <= width)
            return l;
    }
}

enum leat_top_column leat_top_column_next(const struct leat_report *r,
                                          const struct leat_top_view *view, int step)
{
    struct layout l = lay_out(r, view->width);
    int c = (int)view->sort;

    do {
        c = (c + step + LEAT_TOP_COLUMNS) % LEAT_TOP_COLUMNS;
    } while (l.width[c] == 0); /* ends: COMPONENT never goes */
    return (enum leat_top_column)c;
}

/* --- sorting */

static int flow_place(const char *kind)
{
    static const char *const kinds[] = {"receiver", "processor", "connector", "exporter"};
    int i = 0;

    while (i < 4 && strcmp(kinds[i], kind) != 0)
        i++;
    return i;
}

static int in_flow(const struct leat_report_row *a, const struct leat_report_row *b)
{
    int d = flow_place(a->kind) - flow_place(b->kind);

    if (d == 0)
        d = strcmp(a->id, b->id);
    if (d == 0)
        d = strcmp(a->pipeline, b->pipeline);
    return d ? d : strcmp(a->signal, b->signal);
}

static double value_of(const struct leat_report_row *row, enum leat_top_column c, bool totals)
{
    static const int numbers[LEAT_TOP_COLUMNS] = {
        [LEAT_TOP_IN] = LEAT_ITEMS_IN,           [LEAT_TOP_OUT] = LEAT_ITEMS_OUT,
        [LEAT_TOP_BYTES_IN] = LEAT_BYTES_IN,     [LEAT_TOP_BYTES_OUT] = LEAT_BYTES_OUT,
        [LEAT_TOP_REFUSED] = LEAT_REFUSED_ITEMS, [LEAT_TOP_ERRORS] = LEAT_ERROR_ITEMS,
    };

    if (c == LEAT_TOP_HELD)
        return (double)row->held;
    if (c == LEAT_TOP_QUEUE)
        return row->has_queue ? share_of((double)row->queue_size, (double)row->queue_capacity) : -1;
    return totals ? (double)row->total[numbers[c]] : row->rate[numbers[c]];
}

static int compare(const void *a_, const void *b_, void *view_)
{
    const struct leat_report_row *a = *(struct leat_report_row *const *)a_;
    const struct leat_report_row *b = *(struct leat_report_row *const *)b_;
    const struct leat_top_view *view = view_;
    int d = 0;

    if (view->sort == LEAT_TOP_COMPONENT) {
        d = strcmp(a->id, b->id);
    } else if (view->sort == LEAT_TOP_SIGNAL) {
        d = strcmp(where(a), where(b));
    } else if (view->sort == LEAT_TOP_KIND) {
        d = flow_place(a->kind) - flow_place(b->kind);
    } else {
        double x = value_of(a, view->sort, view->totals), y = value_of(b, view->sort, view->totals);
        x = isnan(x) ? -HUGE_VAL : x;
        y = isnan(y) ? -HUGE_VAL : y;
        d = x < y ? 1 : x > y ? -1 : 0;
    }
    if (d == 0)
        return in_flow(a, b);
    return view->reverse ? -d : d;
}

/* --- lines */

static void put_line(struct leat_text *out, struct leat_text *line,
                     const struct leat_top_view *view, const char *colour)
{
    while (line->len > 0 && line->data[line->len - 1] == ' ')
        line->len--;
    leat_text_str(out, view->colour ? colour : "");
    leat_top_cut(leat_text_bytes(line), view->width, out);
    leat_text_str(out, view->colour && colour[0] != '\0' ? PLAIN : "");
    leat_text_char(out, '\n');
    leat_text_clear(line);
}

void leat_top_header(const struct leat_report *r, const struct leat_top_view *view,
                     struct leat_text *out)
{
    struct leat_report_budget b = leat_report_budget(r);
    char age[LEAT_TOP_NUMBER], rss[LEAT_TOP_NUMBER], used[LEAT_TOP_NUMBER], limit[LEAT_TOP_NUMBER],
        peak[LEAT_TOP_NUMBER];
    struct leat_text line;

    leat_text_init(&line, LINE_MAX_BYTES);
    leat_text_printf(&line, "Leat %s  pid %llu  %s  up %s  %llu worker%s  RSS %s", r->version,
                     (unsigned long long)r->pid, r->state, leat_top_age(r->uptime, age),
                     (unsigned long long)r->workers, r->workers == 1 ? "" : "s",
                     leat_top_bytes((double)r->rss, rss));
    put_line(out, &line, view, BOLD);
    leat_text_str(&line, "Budget ");
    leat_top_bar((double)b.used, (double)b.limit, BUDGET_CELLS, &line);
    leat_text_printf(&line, " %s of %s  peak %s  refused %llu",
                     leat_top_bytes((double)b.used, used), leat_top_bytes((double)b.limit, limit),
                     leat_top_bytes((double)b.peak, peak), (unsigned long long)b.refused);
    put_line(out, &line, view, "");
    leat_text_done(&line);
}

static void put_titles(const struct layout *l, const struct leat_top_view *view,
                       struct leat_text *line)
{
    for (int i = 0; i < LEAT_TOP_COLUMNS; i++) {
        char title[32];
        bool down = columns[i].is_text && i != LEAT_TOP_QUEUE ? view->reverse : !view->reverse;
        if (l->width[i] == 0)
            continue;
        snprintf(title, sizeof title, "%s%s",
                 view->totals ? columns[i].total_title : columns[i].rate_title,
                 i != (int)view->sort ? ""
                 : down               ? "↓"
                                      : "↑");
        put_cell(line, title, l->width[i], columns[i].is_text);
        leat_text_printf(line, "%*s", GAP, "");
    }
}

static void put_queue(const struct leat_report_row *row, struct leat_text *out)
{
    double share = share_of((double)row->queue_size, (double)row->queue_capacity);

    if (!row->has_queue)
        return;
    leat_top_bar((double)row->queue_size, (double)row->queue_capacity, QUEUE_CELLS, out);
    leat_text_printf(out, " %.0f%%", floor(share * 100));
}

static void put_row(const struct leat_report_row *row, const struct layout *l,
                    const struct leat_top_view *view, struct leat_text *line)
{
    for (int i = 0; i < LEAT_TOP_COLUMNS; i++) {
        char number[LEAT_TOP_NUMBER];
        enum leat_top_column c = (enum leat_top_column)i;
        bool bytes = c == LEAT_TOP_BYTES_IN || c == LEAT_TOP_BYTES_OUT;
        if (l->width[i] == 0)
            continue;
        if (c == LEAT_TOP_KIND)
            put_cell(line, row->kind, l->width[i], true);
        else if (c == LEAT_TOP_COMPONENT)
            put_cell(line, row->id, l->width[i], true);
        else if (c == LEAT_TOP_SIGNAL)
            put_cell(line, where(row), l->width[i], true);
        else if (c == LEAT_TOP_QUEUE)
            put_queue(row, line);
        else
            put_cell(
                line,
                (bytes ? leat_top_bytes : leat_top_number)(value_of(row, c, view->totals), number),
                l->width[i], false);
        leat_text_printf(line, "%*s", GAP, "");
    }
}

/* Something is lost or turned away just now. */
static bool is_alarming(const struct leat_report_row *row, const struct leat_top_view *view)
{
    return value_of(row, LEAT_TOP_ERRORS, view->totals) > 0 ||
           value_of(row, LEAT_TOP_REFUSED, view->totals) > 0;
}

void leat_top_rows(const struct leat_report *r, const struct leat_top_view *view,
                   struct leat_text *out)
{
    struct layout l = lay_out(r, view->width);
    struct leat_report_row **rows = leat_new_array(r->nrows, sizeof(struct leat_report_row *));
    size_t n = r->nrows;
    struct leat_text line;

    for (size_t i = 0; i < r->nrows; i++)
        rows[i] = r->rows[i];
    qsort_r(rows, r->nrows, sizeof(struct leat_report_row *), compare, (void *)(uintptr_t)view);
    leat_text_init(&line, LINE_MAX_BYTES);
    put_titles(&l, view, &line);
    put_line(out, &line, view, BOLD);
    if (view->height > 0 && n > view->height)
        n = view->height - 1;
    for (size_t i = 0; i < n; i++) {
        put_row(rows[i], &l, view, &line);
        put_line(out, &line, view, is_alarming(rows[i], view) ? RED : "");
    }
    if (n < r->nrows) {
        leat_text_printf(&line, "… and %zu more; a taller terminal shows them", r->nrows - n);
        put_line(out, &line, view, "");
    }
    leat_text_done(&line);
    leat_free(rows);
}
