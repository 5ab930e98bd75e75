/* What a running program says of itself: its parts, and rates out of two. */
#include "run/report.h"

#include <math.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define ROWS_MAX    20000
#define CONFIG_MAX  100
#define BUDGETS_MAX 1024
#define KEY_BYTES   ((size_t)64 * 1024)

struct leat_report *leat_report_new(void)
{
    struct leat_report *r = leat_new(sizeof *r);

    r->version = leat_strdup("");
    r->state = leat_strdup("");
    r->started = leat_strdup("");
    r->by_key = leat_map_new(ROWS_MAX);
    return r;
}

void leat_report_free(struct leat_report *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->nrows; i++) {
        leat_free(r->rows[i]->kind);
        leat_free(r->rows[i]->id);
        leat_free(r->rows[i]->pipeline);
        leat_free(r->rows[i]->signal);
        leat_free(r->rows[i]);
    }
    for (size_t i = 0; i < r->nconfig; i++)
        leat_free(r->config[i]);
    leat_free(r->rows);
    leat_free(r->config);
    leat_free(r->budgets);
    leat_free(r->version);
    leat_free(r->state);
    leat_free(r->started);
    leat_map_free(r->by_key, NULL);
    leat_free(r);
}

/* --- parts */

/* Each word with its NUL, so that no two rows share a key. */
static void key_of(struct leat_text *key, const char *kind, const char *id, const char *pipeline,
                   const char *signal)
{
    const char *words[] = {kind, id, pipeline, signal};

    leat_text_init(key, KEY_BYTES);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        leat_text_add(key, words[i], strlen(words[i]) + 1);
}

struct leat_report_row *leat_report_find(const struct leat_report *r, const char *kind,
                                         const char *id, const char *pipeline, const char *signal)
{
    struct leat_report_row *row;
    struct leat_text key;

    key_of(&key, kind, id, pipeline, signal);
    row = leat_text_ok(&key) ? leat_map_get(r->by_key, leat_text_bytes(&key)) : NULL;
    leat_text_done(&key);
    return row;
}

static struct leat_report_row *add(struct leat_report *r, const char *kind, const char *id,
                                   const char *pipeline, const char *signal)
{
    struct leat_report_row *row = leat_new(sizeof *row);
    struct leat_text key;

    key_of(&key, kind, id, pipeline, signal);
    if (!leat_text_ok(&key) || leat_map_set(r->by_key, leat_text_bytes(&key), row, NULL) < 0) {
        leat_text_done(&key);
        leat_free(row);
        return NULL;
    }
    leat_text_done(&key);
    row->kind = leat_strdup(kind);
    row->id = leat_strdup(id);
    row->pipeline = leat_strdup(pipeline);
    row->signal = leat_strdup(signal);
    for (int i = 0; i < LEAT_RATED; i++)
        row->rate[i] = NAN;
    if ((r->nrows & (r->nrows + 1)) == 0) /* full at 0, 1, 3, 7 …: room for the double */
        r->rows = leat_renew(r->rows, 2 * (r->nrows + 1) * sizeof(struct leat_report_row *));
    r->rows[r->nrows++] = row;
    return row;
}

struct leat_report_row *leat_report_row(struct leat_report *r, const char *kind, const char *id,
                                        const char *pipeline, const char *signal)
{
    struct leat_report_row *row = leat_report_find(r, kind, id, pipeline, signal);

    return row != NULL ? row : add(r, kind, id, pipeline, signal);
}

void leat_report_add_config(struct leat_report *r, const char *source)
{
    if (r->nconfig == CONFIG_MAX)
        return;
    r->config = leat_renew(r->config, (r->nconfig + 1) * sizeof(char *));
    r->config[r->nconfig++] = leat_strdup(source);
}

struct leat_report_budget *leat_report_add_budget(struct leat_report *r)
{
    if (r->nbudgets == BUDGETS_MAX)
        return NULL;
    r->budgets = leat_renew(r->budgets, (r->nbudgets + 1) * sizeof *r->budgets);
    r->budgets[r->nbudgets] = (struct leat_report_budget){0};
    return &r->budgets[r->nbudgets++];
}

struct leat_report_budget leat_report_budget(const struct leat_report *r)
{
    struct leat_report_budget all = {0};

    for (size_t i = 0; i < r->nbudgets; i++) {
        all.used += r->budgets[i].used;
        all.limit += r->budgets[i].limit;
        all.peak += r->budgets[i].peak;
        all.refused += r->budgets[i].refused;
    }
    return all;
}

/* --- rates */

static void rate_row(struct leat_report_row *row, const struct leat_report_row *was, double seconds)
{
    for (int i = 0; i < LEAT_RATED; i++) {
        row->rate[i] = NAN;
        if (was != NULL && row->total[i] >= was->total[i])
            row->rate[i] = (double)(row->total[i] - was->total[i]) / seconds;
    }
}

void leat_report_rate(struct leat_report *now, const struct leat_report *before)
{
    bool same = now->pid == before->pid && strcmp(now->started, before->started) == 0 &&
                now->uptime > before->uptime;

    now->interval = same ? now->uptime - before->uptime : 0;
    for (size_t i = 0; i < now->nrows; i++) {
        struct leat_report_row *row = now->rows[i];
        const struct leat_report_row *was =
            same ? leat_report_find(before, row->kind, row->id, row->pipeline, row->signal) : NULL;
        rate_row(row, was, now->interval);
    }
}
