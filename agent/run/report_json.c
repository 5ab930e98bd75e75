/* The report as JSON, written and read. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/json_quote.h"
#include "base/mem.h"
#include "proto/json_read.h"
#include "proto/json_write.h"
#include "proto/printable.h"
#include "run/report.h"

#define TEXT_MAX ((size_t)1000) /* bytes of a text that are shown */

enum kind { TEXT, UINT, INT, REAL, RATE };

/* A member of an object; both ways go by the same tables. */
struct member {
    const char *key;
    enum kind kind;
    size_t offset;
};

#define AT(S, m) offsetof(struct leat_report##S, m)
static const struct member report_members[] = {
    {"version", TEXT, AT(, version)},       {"pid", UINT, AT(, pid)},
    {"state", TEXT, AT(, state)},           {"started", TEXT, AT(, started)},
    {"uptime_seconds", REAL, AT(, uptime)}, {"cpu_seconds", REAL, AT(, cpu)},
    {"rss_bytes", UINT, AT(, rss)},         {"workers", UINT, AT(, workers)},
};
static const struct member interval_members[] = {
    {"interval_seconds", REAL, AT(, interval)},
};
static const struct member budget_members[] = {
    {"used_bytes", UINT, AT(_budget, used)},
    {"limit_bytes", UINT, AT(_budget, limit)},
    {"peak_bytes", UINT, AT(_budget, peak)},
    {"refused", UINT, AT(_budget, refused)},
};
static const struct member row_members[] = {
    {"kind", TEXT, AT(_row, kind)},
    {"id", TEXT, AT(_row, id)},
    {"pipeline", TEXT, AT(_row, pipeline)},
    {"signal", TEXT, AT(_row, signal)},
    {"items_in", UINT, AT(_row, total[LEAT_ITEMS_IN])},
    {"items_out", UINT, AT(_row, total[LEAT_ITEMS_OUT])},
    {"bytes_in", UINT, AT(_row, total[LEAT_BYTES_IN])},
    {"bytes_out", UINT, AT(_row, total[LEAT_BYTES_OUT])},
    {"refused", UINT, AT(_row, total[LEAT_REFUSED_ITEMS])},
    {"errors", UINT, AT(_row, total[LEAT_ERROR_ITEMS])},
    {"dropped", UINT, AT(_row, total[LEAT_DROPPED_ITEMS])},
    {"held", INT, AT(_row, held)},
    {"held_bytes", INT, AT(_row, held_bytes)},
};
static const struct member queue_members[] = {
    {"queue_size", INT, AT(_row, queue_size)},
    {"queue_capacity", INT, AT(_row, queue_capacity)},
    {"in_flight", INT, AT(_row, in_flight)},
};
static const struct member rate_members[] = {
    {"items_in_rate", RATE, AT(_row, rate[LEAT_ITEMS_IN])},
    {"items_out_rate", RATE, AT(_row, rate[LEAT_ITEMS_OUT])},
    {"bytes_in_rate", RATE, AT(_row, rate[LEAT_BYTES_IN])},
    {"bytes_out_rate", RATE, AT(_row, rate[LEAT_BYTES_OUT])},
    {"refused_rate", RATE, AT(_row, rate[LEAT_REFUSED_ITEMS])},
    {"errors_rate", RATE, AT(_row, rate[LEAT_ERROR_ITEMS])},
};
#undef AT
#define COUNT(table) (sizeof(table) / sizeof *(table))

/* --- writing */

static void put_text(struct leat_text *out, const char *text)
{
    leat_json_quote(out, leat_bytes_str(text));
}

static void put_value(struct leat_text *out, const struct member *m, const char *from)
{
    const void *at = from + m->offset;

    switch (m->kind) {
    case TEXT:
        put_text(out, *(char *const *)at);
        break;
    case UINT:
        leat_json_add_u64(out, *(const uint64_t *)at);
        break;
    case INT:
        leat_json_add_i64(out, *(const int64_t *)at);
        break;
    case REAL:
    case RATE:
        if (isfinite(*(const double *)at))
            leat_json_add_double(out, *(const double *)at);
        else
            leat_text_str(out, "null");
    }
}

static void put_members(struct leat_text *out, const struct member *members, size_t n,
                        const void *from)
{
    for (size_t i = 0; i < n; i++) {
        if (out->len > 0 && out->data[out->len - 1] != '{')
            leat_text_char(out, ',');
        leat_text_printf(out, "\"%s\":", members[i].key);
        put_value(out, &members[i], from);
    }
}

static void put_row(struct leat_text *out, const struct leat_report_row *row, bool rates)
{
    leat_text_char(out, '{');
    put_members(out, row_members, COUNT(row_members), row);
    if (row->has_queue)
        put_members(out, queue_members, COUNT(queue_members), row);
    if (rates)
        put_members(out, rate_members, COUNT(rate_members), row);
    leat_text_char(out, '}');
}

void leat_report_write(const struct leat_report *r, struct leat_text *out)
{
    leat_text_printf(out, "{\"schema\":%d", LEAT_REPORT_SCHEMA);
    put_members(out, report_members, COUNT(report_members), r);
    if (r->interval > 0)
        put_members(out, interval_members, COUNT(interval_members), r);
    leat_text_str(out, ",\"config\":[");
    for (size_t i = 0; i < r->nconfig; i++) {
        leat_text_str(out, i ? "," : "");
        put_text(out, r->config[i]);
    }
    leat_text_str(out, "],\n\"budgets\":[");
    for (size_t i = 0; i < r->nbudgets; i++) {
        leat_text_str(out, i ? ",{" : "{");
        put_members(out, budget_members, COUNT(budget_members), &r->budgets[i]);
        leat_text_char(out, '}');
    }
    leat_text_str(out, "],\n\"components\":[");
    for (size_t i = 0; i < r->nrows; i++) {
        leat_text_str(out, i ? ",\n" : "\n");
        put_row(out, r->rows[i], r->interval > 0);
    }
    leat_text_str(out, "\n]}\n");
}

/* --- reading */

static struct leat_bytes plain(struct leat_json_string s, uint8_t out[TEXT_MAX])
{
    if (!s.escaped)
        return s.raw;
    return leat_bytes(out, leat_json_unescape(s.raw, out, TEXT_MAX));
}

/* A text made printable; the caller frees it. NULL: there is none. */
static char *read_text(struct leat_json_read *j)
{
    uint8_t buf[TEXT_MAX];
    struct leat_json_string s;
    struct leat_text t;

    if (!leat_json_read_string(j, &s))
        return NULL;
    leat_text_init(&t, 5 * TEXT_MAX);
    leat_printable_add(&t, plain(s, buf), TEXT_MAX);
    return leat_text_take(&t);
}

static bool read_number(struct leat_json_read *j, const struct member *m, void *at)
{
    const uint8_t *begin = j->at;
    struct leat_json_number n;
    const char *wrong;
    uint64_t whole;

    if (!leat_json_read_number(j, &n))
        return false;
    if (m->kind == REAL) {
        wrong = leat_json_number_double(&n, at);
        return wrong == NULL || leat_json_read_fail(j, begin, wrong);
    }
    wrong = leat_json_number_whole(&n, &whole);
    if (wrong == NULL && n.negative && (m->kind == UINT || whole > INT64_MAX))
        wrong = "a number out of range";
    if (wrong == NULL && m->kind == INT && whole > INT64_MAX)
        wrong = "a number out of range";
    if (wrong != NULL)
        return leat_json_read_fail(j, begin, wrong);
    if (m->kind == UINT)
        *(uint64_t *)at = whole;
    else
        *(int64_t *)at = n.negative ? -(int64_t)whole : (int64_t)whole;
    return true;
}

/* The value of a member. A text that stands twice replaces the first. */
static bool read_value(struct leat_json_read *j, const struct member *m, char *to)
{
    char *text, **at = (char **)(void *)(to + m->offset);

    if (m->kind != TEXT)
        return read_number(j, m, to + m->offset);
    text = read_text(j);
    if (text == NULL)
        return false;
    leat_free(*at);
    *at = text;
    return true;
}

static const struct member *find(const struct member *members, size_t n, struct leat_bytes key)
{
    for (size_t i = 0; i < n; i++) {
        if (leat_bytes_is(key, members[i].key))
            return &members[i];
    }
    return NULL;
}

/* Reads one object; a member that is in no table goes to `other`. */
static bool read_object(struct leat_json_read *j, void *to,
                        bool (*other)(struct leat_json_read *j, struct leat_bytes key, void *to))
{
    struct leat_json_string key;

    if (!leat_json_read_char(j, '{', "an object is expected"))
        return false;
    if (leat_json_read_peek(j) == '}') {
        j->at++;
        return true;
    }
    do {
        uint8_t buf[TEXT_MAX];
        if (!leat_json_read_string(j, &key) || !leat_json_read_char(j, ':', "a colon is expected"))
            return false;
        if (!other(j, plain(key, buf), to))
            return false;
    } while (leat_json_read_more(j, '}'));
    return j->wrong == NULL;
}

static bool read_array(struct leat_json_read *j, struct leat_report *r,
                       bool (*element)(struct leat_json_read *j, struct leat_report *r))
{
    if (!leat_json_read_char(j, '[', "an array is expected"))
        return false;
    if (leat_json_read_peek(j) == ']') {
        j->at++;
        return true;
    }
    do {
        if (!element(j, r))
            return false;
    } while (leat_json_read_more(j, ']'));
    return j->wrong == NULL;
}

static bool read_source(struct leat_json_read *j, struct leat_report *r)
{
    char *text = read_text(j);

    if (text == NULL)
        return false;
    leat_report_add_config(r, text);
    leat_free(text);
    return true;
}

static bool budget_member(struct leat_json_read *j, struct leat_bytes key, void *to)
{
    const struct member *m = find(budget_members, COUNT(budget_members), key);

    return m != NULL ? read_value(j, m, to) : leat_json_read_skip(j);
}

static bool read_budget(struct leat_json_read *j, struct leat_report *r)
{
    struct leat_report_budget *b = leat_report_add_budget(r);

    if (b == NULL)
        return leat_json_read_fail(j, j->at, "there are too many budgets");
    return read_object(j, b, budget_member);
}

static bool row_member(struct leat_json_read *j, struct leat_bytes key, void *to)
{
    const struct member *m = find(row_members, COUNT(row_members), key);
    struct leat_report_row *row = to;

    if (m == NULL) {
        m = find(queue_members, COUNT(queue_members), key);
        row->has_queue |= m != NULL;
    }
    return m != NULL ? read_value(j, m, to) : leat_json_read_skip(j);
}

/* The row that is in the report gets what `from` has; its texts stay. */
static bool keep_row(struct leat_report *r, const struct leat_report_row *from)
{
    const char *kind = from->kind ? from->kind : "", *id = from->id ? from->id : "",
               *pipeline = from->pipeline ? from->pipeline : "",
               *signal = from->signal ? from->signal : "";
    struct leat_report_row *row = leat_report_row(r, kind, id, pipeline, signal);

    if (row == NULL)
        return false;
    memcpy(row->total, from->total, sizeof row->total);
    row->held = from->held;
    row->held_bytes = from->held_bytes;
    row->has_queue = from->has_queue;
    row->queue_size = from->queue_size;
    row->queue_capacity = from->queue_capacity;
    row->in_flight = from->in_flight;
    return true;
}

static bool read_row(struct leat_json_read *j, struct leat_report *r)
{
    struct leat_report_row row = {.kind = NULL};
    bool ok = read_object(j, &row, row_member);

    if (ok && !keep_row(r, &row))
        ok = leat_json_read_fail(j, j->at, "there are too many components");
    leat_free(row.kind);
    leat_free(row.id);
    leat_free(row.pipeline);
    leat_free(row.signal);
    return ok;
}

/* A report and its schema, while it is read. */
struct reading {
    struct leat_report *report;
    uint64_t schema; /* 0: none stands there */
};

static bool report_member(struct leat_json_read *j, struct leat_bytes key, void *to)
{
    static const struct member schema = {"schema", UINT, offsetof(struct reading, schema)};
    struct reading *reading = to;
    const struct member *m = find(report_members, COUNT(report_members), key);

    if (m != NULL)
        return read_value(j, m, (char *)reading->report);
    if (leat_bytes_is(key, schema.key))
        return read_value(j, &schema, to);
    if (leat_bytes_is(key, "config"))
        return read_array(j, reading->report, read_source);
    if (leat_bytes_is(key, "budgets"))
        return read_array(j, reading->report, read_budget);
    if (leat_bytes_is(key, "components"))
        return read_array(j, reading->report, read_row);
    return leat_json_read_skip(j);
}

struct leat_report *leat_report_read(struct leat_bytes json, struct leat_err *err)
{
    struct leat_json_read j = leat_json_read_of(json);
    struct reading reading = {.report = leat_report_new()};
    bool ok = read_object(&j, &reading, report_member);

    if (ok && leat_json_read_peek(&j) != 0)
        ok = leat_json_read_fail(&j, j.at, "something stands behind its end");
    if (!ok)
        leat_fail(err, "the answer is no status document: %s (byte %zu)", j.wrong,
                  (size_t)(j.wrong_at - j.start));
    else if (reading.schema != LEAT_REPORT_SCHEMA)
        leat_fail(err,
                  "its status document has schema %llu, this program reads %d: use the same "
                  "version of leat for both",
                  (unsigned long long)reading.schema, LEAT_REPORT_SCHEMA);
    else
        return reading.report;
    leat_report_free(reading.report);
    return NULL;
}
